/*
 * introspection_test.c - what a provider is asked about a token, and what its answers mean.
 */
#include "mail/introspection.h"

#include "check.h"

static void test_questions(void **state)
{
    struct introspection i = {.client = SLICE("postroad:1")};
    struct buf out;

    (void)state;
    buf_init(&out, 400);
    buf_init(&i.secret, 100);
    assert_true(buf_append(&i.secret, SLICE("a b%:\xc3\xa9")));
    assert_true(introspection_write_form(&out, SLICE("mF_9.B5f-4.1JqM+/=")));
    check_slice(buf_slice(&out),
                SLICE("token=mF_9.B5f-4.1JqM%2B%2F%3D&token_type_hint=access_token"));
    buf_clear(&out);
    assert_true(introspection_write_header(&out, &i));
    /* postroad%3A1:a+b%25%3A%C3%A9 */
    check_slice(buf_slice(&out),
                SLICE("Authorization: Basic cG9zdHJvYWQlM0ExOmErYiUyNSUzQSVDMyVBOQ=="));
    buf_done(&i.secret);
    buf_done(&out);
    buf_init(&out, 10);
    assert_false(introspection_write_form(&out, SLICE("x")));
    assert_false(introspection_write_header(&out, &i));
    buf_done(&out);
}

static void test_answers(void **state)
{
    static const struct {
        struct slice body;
        enum introspection_claim claim;
        enum introspection_verdict verdict;
        struct slice user;
        uint64_t expires_s;
    } rows[] = {
        {SLICE_INIT("{\"active\":true,\"username\":\"ann\",\"exp\":1419356238}"),        CLAIM_USERNAME,
         INTROSPECTION_ACTIVE,                                                                                                   SLICE_INIT("ann"),         1419356238},
        {SLICE_INIT("{\"active\":true,\"username\":\"ann\",\"email\":\"a@b.example\"}"),
         CLAIM_EMAIL,                                                                                    INTROSPECTION_ACTIVE,   SLICE_INIT("a@b.example"), 0         },
        {SLICE_INIT("{\"active\":true,\"username\":\"ann\"}"),                           CLAIM_EMAIL,    INTROSPECTION_INACTIVE,
         SLICE_INIT(""),                                                                                                                                    0         },
        {SLICE_INIT("{\"active\":true,\"username\":7}"),                                 CLAIM_USERNAME, INTROSPECTION_INACTIVE,
         SLICE_INIT(""),                                                                                                                                    0         },
        {SLICE_INIT("{\"active\":false}"),                                               CLAIM_USERNAME, INTROSPECTION_INACTIVE, SLICE_INIT(""),
         0                                                                                                                                                            },
        {SLICE_INIT("{\"active\":\"true\",\"username\":\"ann\"}"),                       CLAIM_USERNAME,
         INTROSPECTION_GARBAGE,                                                                                                  SLICE_INIT(""),            0         },
        {SLICE_INIT("{\"username\":\"ann\"}"),                                           CLAIM_USERNAME, INTROSPECTION_GARBAGE,
         SLICE_INIT(""),                                                                                                                                    0         },
        {SLICE_INIT("<html>log in, please"),                                             CLAIM_USERNAME, INTROSPECTION_GARBAGE,  SLICE_INIT(""),
         0                                                                                                                                                            },
        {SLICE_INIT(""),                                                                 CLAIM_USERNAME, INTROSPECTION_GARBAGE,  SLICE_INIT(""),            0         },
    };

    (void)state;
    CHECK_ROWS (i, rows) {
        struct introspection_answer a;
        struct arena arena = {0};

        introspection_read(rows[i].body, &(struct introspection_terms){.claim = rows[i].claim},
                           &arena, &a);
        check_int(a.verdict, rows[i].verdict);
        check_slice(a.user, rows[i].user);
        check_int(a.expires_s, rows[i].expires_s);
        arena_done(&arena);
    }
}

/* A provider gives tokens for many servers: one for another is none here. */
static void test_for_whom(void **state)
{
    static const struct {
        const char *said; /* behind "active" and "username" */
        enum introspection_verdict verdict;
    } rows[] = {
        {"\"aud\":\"mail\"",                           INTROSPECTION_ACTIVE   },
        {"\"aud\":[\"account\",\"mail\"]",             INTROSPECTION_ACTIVE   },
        {"\"client_id\":\"mail\"",                     INTROSPECTION_ACTIVE   },
        {"\"aud\":\"account\",\"client_id\":\"mail\"", INTROSPECTION_ACTIVE   },
        {"\"aud\":\"mail\",\"client_id\":\"program\"", INTROSPECTION_ACTIVE   },
        {"\"aud\":\"account\"",                        INTROSPECTION_ELSEWHERE},
        {"\"aud\":\"Mail\"",                           INTROSPECTION_ELSEWHERE},
        {"\"aud\":\"mail other\"",                     INTROSPECTION_ELSEWHERE},
        {"\"aud\":[\"account\"]",                      INTROSPECTION_ELSEWHERE},
        {"\"aud\":[]",                                 INTROSPECTION_ELSEWHERE},
        {"\"aud\":{\"mail\":\"mail\"}",                INTROSPECTION_ELSEWHERE},
        {"\"client_id\":[\"mail\"]",                   INTROSPECTION_ELSEWHERE},
        {"\"client_id\":\"mail2\"",                    INTROSPECTION_ELSEWHERE},
        {"\"scope\":\"mail\"",                         INTROSPECTION_ELSEWHERE},
    };

    (void)state;
    CHECK_ROWS (i, rows) {
        struct introspection_terms terms = {.audience = SLICE("mail")};
        struct introspection_answer a;
        struct arena arena = {0};
        struct slice body =
            arena_printf(&arena, "{\"active\":true,\"username\":\"ann\",%s}", rows[i].said);

        introspection_read(body, &terms, &arena, &a);
        check_int(a.verdict, rows[i].verdict);
        check_slice(a.user, SLICE("ann"));
        terms.audience = SLICE("");
        introspection_read(body, &terms, &arena, &a);
        check_int(a.verdict, INTROSPECTION_ACTIVE);
        arena_done(&arena);
    }
}

static void test_inactive_for_us(void **state)
{
    struct introspection_terms terms = {.audience = SLICE("mail")};
    struct introspection_answer a;
    struct arena arena = {0};

    (void)state;
    introspection_read(SLICE("{\"active\":false,\"username\":\"ann\",\"aud\":\"mail\"}"), &terms,
                       &arena, &a);
    check_int(a.verdict, INTROSPECTION_INACTIVE);
    arena_done(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_questions),
        cmocka_unit_test(test_answers),
        cmocka_unit_test(test_for_whom),
        cmocka_unit_test(test_inactive_for_us),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
