/*
 * probe_request_test.c - what a word on the command line of `postroad probe` means.
 */
#include "cmd/probe_request.h"

#include "check.h"

enum meaning { DOMAIN, HOST, ADDRESS, WRONG };

static void test_targets(void **state)
{
    static const struct {
        struct slice word;
        enum meaning meaning;
        struct slice name;
        uint16_t port;
    } rows[] = {
        {SLICE_INIT("example.org"),              DOMAIN,  SLICE_INIT("example.org"),              0   },
        {SLICE_INIT("Example.ORG."),             DOMAIN,  SLICE_INIT("example.org"),              0   },
        {SLICE_INIT("b\xc3\xbc\x63her.example"), DOMAIN,  SLICE_INIT("b\xc3\xbc\x63her.example"), 0   },
        {SLICE_INIT("mx.example.org:587"),       HOST,    SLICE_INIT("mx.example.org"),           587 },
        {SLICE_INIT("[mx.example.org]"),         HOST,    SLICE_INIT("mx.example.org"),           25  },
        {SLICE_INIT("[mx.example.org]:26"),      HOST,    SLICE_INIT("mx.example.org"),           26  },
        {SLICE_INIT("192.0.2.1"),                ADDRESS, SLICE_INIT("192.0.2.1"),                25  },
        {SLICE_INIT("192.0.2.1:465"),            ADDRESS, SLICE_INIT("192.0.2.1"),                465 },
        {SLICE_INIT("[192.0.2.1]:465"),          ADDRESS, SLICE_INIT("192.0.2.1"),                465 },
        {SLICE_INIT("2001:db8::1"),              ADDRESS, SLICE_INIT("2001:db8::1"),              25  },
        {SLICE_INIT("[2001:db8::1]:26"),         ADDRESS, SLICE_INIT("2001:db8::1"),              26  },
        {SLICE_INIT("localhost:1025"),           ADDRESS, SLICE_INIT("127.0.0.1"),                1025},
        {SLICE_INIT(""),                         WRONG,   SLICE_INIT(""),                         0   },
        {SLICE_INIT("."),                        WRONG,   SLICE_INIT(""),                         0   },
        {SLICE_INIT("a b"),                      WRONG,   SLICE_INIT(""),                         0   },
        {SLICE_INIT("ann@example.org"),          WRONG,   SLICE_INIT(""),                         0   },
        {SLICE_INIT("example.org:"),             WRONG,   SLICE_INIT(""),                         0   },
        {SLICE_INIT("example.org:0"),            WRONG,   SLICE_INIT(""),                         0   },
        {SLICE_INIT("example.org:65536"),        WRONG,   SLICE_INIT(""),                         0   },
        {SLICE_INIT("[example.org"),             WRONG,   SLICE_INIT(""),                         0   },
        {SLICE_INIT("[example.org]x"),           WRONG,   SLICE_INIT(""),                         0   },
        {SLICE_INIT("[]"),                       WRONG,   SLICE_INIT(""),                         0   },
        {SLICE_INIT("[[a.example]]"),            WRONG,   SLICE_INIT(""),                         0   },
        {SLICE_INIT("/run/lmtp"),                WRONG,   SLICE_INIT(""),                         0   },
        {SLICE_INIT("unix:/run/lmtp"),           WRONG,   SLICE_INIT(""),                         0   },
        {SLICE_INIT("[/run/lmtp]"),              WRONG,   SLICE_INIT(""),                         0   },
        {SLICE_INIT("[unix:/run/lmtp]"),         WRONG,   SLICE_INIT(""),                         0   },
        {SLICE_INIT("300.0.2.1:25"),             WRONG,   SLICE_INIT(""),                         0   },
    };

    (void)state;
    CHECK_ROWS (i, rows) {
        struct probe_request r = {.port = 25};
        const char *why = probe_request_target(&r, rows[i].word);

        check((why != NULL) == (rows[i].meaning == WRONG));
        if (why == NULL && rows[i].meaning == DOMAIN) {
            check_int(r.kind, PROBE_DOMAIN);
            check_slice(r.domain.domain, rows[i].name);
        } else if (why == NULL) {
            check_int(r.kind, PROBE_HOST);
            check_int(r.host.kind, rows[i].meaning == HOST ? TARGET_NAME : TARGET_IP);
            check_slice(r.host.name, rows[i].name);
            check_int(r.host.port, rows[i].port);
        }
        probe_request_done(&r);
    }
}

/* Who gets the mail of --intrusive. */
static void test_receiver(void **state)
{
    static const struct {
        const char *what, *to;
        struct slice receiver;
    } rows[] = {
        {"example.org",              NULL,             SLICE_INIT("postmaster@example.org")          },
        {"b\xc3\xbc\x63her.example", NULL,             SLICE_INIT("postmaster@xn--bcher-kva.example")},
        {"mx.example.org:25",        NULL,             SLICE_INIT("postmaster")                      },
        {"192.0.2.1",                NULL,             SLICE_INIT("postmaster")                      },
        {"example.org",              "me@example.net", SLICE_INIT("me@example.net")                  },
    };

    (void)state;
    CHECK_ROWS (i, rows) {
        char probe[] = "probe", flag[] = "--intrusive", to[] = "--to", what[32], whom[32] = "";
        char *argv[] = {probe, what, flag, to, whom, NULL};
        struct probe_request r = {0};
        int status;

        snprintf(what, sizeof(what), "%s", rows[i].what);
        if (rows[i].to != NULL)
            snprintf(whom, sizeof(whom), "%s", rows[i].to);
        else
            argv[3] = NULL;
        check(probe_request_parse(&r, rows[i].to != NULL ? 5 : 3, argv, &status));
        check(r.options.intrusive);
        check_slice(address_text(&r.arena, &r.receiver), rows[i].receiver);
        probe_request_done(&r);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_targets),
                                       cmocka_unit_test(test_receiver)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
