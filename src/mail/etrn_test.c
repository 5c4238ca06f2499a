/*
 * etrn_test.c - names of ETRN, and for whom it is allowed.
 */
#include "mail/etrn.h"

#include "check.h"

static void test_parse(void **state)
{
    static const struct {
        struct slice text;
        enum etrn_argument kind;
        struct slice domain;
        bool below;
    } rows[] = {
        {SLICE_INIT("example.net"),           ETRN_NODE,      SLICE_INIT("example.net"),           false},
        {SLICE_INIT("Example.NET"),           ETRN_NODE,      SLICE_INIT("example.net"),           false},
        {SLICE_INIT("@example.net"),          ETRN_NODE,      SLICE_INIT("example.net"),           true },
        {SLICE_INIT("b\xc3\xbc"
                    "cher.example"),
         ETRN_NODE,                                           SLICE_INIT("xn--bcher-kva.example"), false},
        {SLICE_INIT("#example"),              ETRN_QUEUE,     SLICE_INIT(""),                      false},
        {SLICE_INIT("#',8,8,8);--"),          ETRN_MALFORMED, SLICE_INIT(""),                      false},
        {SLICE_INIT("#"),                     ETRN_MALFORMED, SLICE_INIT(""),                      false},
        {SLICE_INIT("@"),                     ETRN_MALFORMED, SLICE_INIT(""),                      false},
        {SLICE_INIT("@#example.net"),         ETRN_MALFORMED, SLICE_INIT(""),                      false},
        {SLICE_INIT(""),                      ETRN_MALFORMED, SLICE_INIT(""),                      false},
        {SLICE_INIT("example.net more"),      ETRN_MALFORMED, SLICE_INIT(""),                      false},
        {SLICE_INIT("*.example.net"),         ETRN_MALFORMED, SLICE_INIT(""),                      false},
        {SLICE_INIT("[192.0.2.1]"),           ETRN_MALFORMED, SLICE_INIT(""),                      false},
        {SLICE_INIT("ann@example.net"),       ETRN_MALFORMED, SLICE_INIT(""),                      false},
    };
    struct arena arena = {0};

    (void)state;
    CHECK_ROWS (i, rows) {
        struct etrn_node node = {0};
        struct slice text = guarded(rows[i].text);

        check_int(etrn_parse(text, &arena, &node), rows[i].kind);
        check_slice(node.domain, rows[i].domain);
        check_int(node.below, rows[i].below);
        guarded_free(text);
    }
    arena_done(&arena);
}

static const struct etrn_list org = {NULL, SLICE_INIT("*.example.org")};
static const struct etrn_list com = {&org, SLICE_INIT("*.example.com")};
static const struct etrn_list com_itself = {&com, SLICE_INIT("example.com")};
static const struct etrn_list list = {&com_itself, SLICE_INIT("example.net")};

static void test_allows(void **state)
{
    static const struct {
        struct etrn_node node;
        bool allowed;
    } rows[] = {
        {{SLICE_INIT("example.net"), false},    true },
        {{SLICE_INIT("example.net"), true},     false}, /* nothing below it is in the list */
        {{SLICE_INIT("a.example.net"), false},  false},
        {{SLICE_INIT("badexample.net"), false}, false},
        {{SLICE_INIT("net"), true},             false},
        {{SLICE_INIT("example.com"), false},    true },
        {{SLICE_INIT("example.com"), true},     true },
        {{SLICE_INIT("a.example.com"), false},  true },
        {{SLICE_INIT("a.example.com"), true},   true },
        {{SLICE_INIT("a.b.example.com"), true}, true },
        {{SLICE_INIT("badexample.com"), false}, false},
        {{SLICE_INIT("example.org"), false},    false}, /* only what is below it is */
        {{SLICE_INIT("example.org"), true},     false},
        {{SLICE_INIT("a.example.org"), true},   true },
        {{SLICE_INIT("com"), true},             false},
    };

    (void)state;
    CHECK_ROWS (i, rows) {
        check_int(etrn_allows(&list, &rows[i].node), rows[i].allowed);
        check(!etrn_allows(NULL, &rows[i].node));
    }
}

static void test_wants(void **state)
{
    static const struct {
        struct etrn_node node;
        struct slice domain;
        bool wanted;
    } rows[] = {
        {{SLICE_INIT("example.net"), false}, SLICE_INIT("example.net"),     true },
        {{SLICE_INIT("example.net"), false}, SLICE_INIT("Example.Net"),     true },
        {{SLICE_INIT("example.net"), false}, SLICE_INIT("a.example.net"),   false},
        {{SLICE_INIT("example.net"), true},  SLICE_INIT("example.net"),     true },
        {{SLICE_INIT("example.net"), true},  SLICE_INIT("a.b.example.net"), true },
        {{SLICE_INIT("example.net"), true},  SLICE_INIT("badexample.net"),  false},
        {{SLICE_INIT("example.net"), true},  SLICE_INIT(".example.net"),    false},
        {{SLICE_INIT("example.net"), true},  SLICE_INIT(""),                false},
    };

    (void)state;
    CHECK_ROWS (i, rows)
        check_int(etrn_wants(&rows[i].node, rows[i].domain), rows[i].wanted);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_parse),
        cmocka_unit_test(test_allows),
        cmocka_unit_test(test_wants),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
