/*
 * oauth_test.c - what providers of tokens are asked, and what their answers mean.
 */
#include "mail/oauth.h"

#include "check.h"

enum { TEXT_MAX = 8192 };

static struct oauth custom(void)
{
    struct oauth o = oauth_preset(OAUTH_CUSTOM);

    o.authorize = SLICE("https://id.example/authorize");
    o.token = SLICE("https://id.example/token");
    o.scope = SLICE("smtp offline_access");
    o.client = SLICE("postroad app");
    buf_init(&o.secret, 100);
    (void)buf_append(&o.secret, SLICE("s&cret"));
    return o;
}

static const struct oauth_login login = {.redirect = SLICE_INIT("http://127.0.0.1:8123/"),
                                         .state = SLICE_INIT("xyz"),
                                         .challenge = SLICE_INIT("E9Melhoa"),
                                         .user = SLICE_INIT("me@example.org")};

static void test_page(void **state)
{
    struct oauth o = custom();
    struct buf out;

    (void)state;
    buf_init(&out, TEXT_MAX);
    check(oauth_write_page(&out, &o, &login));
    check_slice(buf_slice(&out),
                SLICE("https://id.example/authorize?response_type=code&client_id=postroad+app"
                      "&redirect_uri=http%3A%2F%2F127.0.0.1%3A8123%2F&scope=smtp+offline_access"
                      "&state=xyz&code_challenge=E9Melhoa&code_challenge_method=S256"
                      "&login_hint=me%40example.org"));
    buf_clear(&out);
    o.authorize = SLICE("https://id.example/authorize?tenant=1");
    o.scope = SLICE("");
    o.extra = SLICE("prompt=consent");
    check(oauth_write_page(&out, &o, &login));
    check_slice(buf_slice(&out),
                SLICE("https://id.example/authorize?tenant=1&response_type=code"
                      "&client_id=postroad+app&redirect_uri=http%3A%2F%2F127.0.0.1%3A8123%2F"
                      "&state=xyz&code_challenge=E9Melhoa&code_challenge_method=S256"
                      "&login_hint=me%40example.org&prompt=consent"));
    buf_done(&out);
    buf_done(&o.secret);
}

static void test_forms(void **state)
{
    struct oauth o = custom();
    struct buf out;

    (void)state;
    buf_init(&out, TEXT_MAX);
    check(oauth_write_first(&out, &o, SLICE("4/0A"), login.redirect, SLICE("dBjf")));
    check_slice(buf_slice(&out),
                SLICE("grant_type=authorization_code&code=4%2F0A"
                      "&redirect_uri=http%3A%2F%2F127.0.0.1%3A8123%2F&code_verifier=dBjf"
                      "&client_id=postroad+app&client_secret=s%26cret"));
    buf_clear(&out);
    buf_clear(&o.secret);
    check(oauth_write_refresh(&out, &o, SLICE("1//r")));
    check_slice(buf_slice(&out),
                SLICE("grant_type=refresh_token&refresh_token=1%2F%2Fr&client_id=postroad+app"));
    buf_done(&out);
    buf_done(&o.secret);
}

/* Too little room is told, wherever it ends. */
static void test_full(void **state)
{
    struct oauth o = custom();

    (void)state;
    o.extra = SLICE("a=b");
    for (size_t max = 1; max < 200; max += 7) {
        struct buf out;

        buf_init(&out, max);
        check(!oauth_write_page(&out, &o, &login));
        buf_done(&out);
    }
    buf_done(&o.secret);
}

static void test_presets(void **state)
{
    (void)state;
    for (enum oauth_provider p = OAUTH_GOOGLE; p <= OAUTH_MICROSOFT; p++) {
        struct oauth o = oauth_preset(p);

        check(slice_starts(o.authorize, SLICE("https://")));
        check(slice_starts(o.token, SLICE("https://")));
        check(o.scope.len > 0 && o.way_back.len > 0);
    }
    check_int(oauth_preset(OAUTH_CUSTOM).token.len, 0);
    check_slice(oauth_preset(OAUTH_CUSTOM).way_back, SLICE("http://127.0.0.1:"));
}

static void test_return(void **state)
{
    static const struct {
        struct slice text, code, state, error;
        bool good;
    } rows[] = {
  /* as a browser asks for it */
        {SLICE_INIT("/?code=4%2F0A&state=xyz"),                       SLICE_INIT("4/0A"),       SLICE_INIT("xyz"),
         SLICE_INIT(""),                                                                                                           true },
        {SLICE_INIT("/?state=xyz&code=c&scope=a+b"),                  SLICE_INIT("c"),          SLICE_INIT("xyz"),
         SLICE_INIT(""),                                                                                                           true },
        {SLICE_INIT("/?error=access_denied&state=xyz"),               SLICE_INIT(""),           SLICE_INIT("xyz"),
         SLICE_INIT("access_denied"),                                                                                              true },
        {SLICE_INIT("/?error=access_denied&code=c"),                  SLICE_INIT(""),           SLICE_INIT(""),
         SLICE_INIT("access_denied"),                                                                                              true },
 /* as a person copies it */
        {SLICE_INIT("  http://localhost:81/?code=c&state=xyz#frag "), SLICE_INIT("c"),
         SLICE_INIT("xyz"),                                                                                        SLICE_INIT(""), true },
        {SLICE_INIT("code=c&state=xyz"),                              SLICE_INIT("c"),          SLICE_INIT("xyz"), SLICE_INIT(""), true },
        {SLICE_INIT("4/0AbC-d_e"),                                    SLICE_INIT("4/0AbC-d_e"), SLICE_INIT(""),    SLICE_INIT(""), true },
        {SLICE_INIT("4%2F0AbC"),                                      SLICE_INIT("4/0AbC"),     SLICE_INIT(""),    SLICE_INIT(""), true },
        {SLICE_INIT("Yg=="),                                          SLICE_INIT("Yg=="),       SLICE_INIT(""),    SLICE_INIT(""), true },
 /* none of these */
        {SLICE_INIT(""),                                              SLICE_INIT(""),           SLICE_INIT(""),    SLICE_INIT(""), false},
        {SLICE_INIT("/"),                                             SLICE_INIT("/"),          SLICE_INIT(""),    SLICE_INIT(""), true },
        {SLICE_INIT("/favicon.ico?x=1"),                              SLICE_INIT(""),           SLICE_INIT(""),    SLICE_INIT(""), false},
        {SLICE_INIT("http://127.0.0.1:81/"),                          SLICE_INIT(""),           SLICE_INIT(""),    SLICE_INIT(""), false},
        {SLICE_INIT("two words"),                                     SLICE_INIT(""),           SLICE_INIT(""),    SLICE_INIT(""), false},
        {SLICE_INIT("/?code=&state=xyz"),                             SLICE_INIT(""),           SLICE_INIT(""),    SLICE_INIT(""), false},
        {SLICE_INIT("/?code=a%0db&state=xyz"),                        SLICE_INIT(""),           SLICE_INIT(""),    SLICE_INIT(""),
         false                                                                                                                          },
        {SLICE_INIT("/?code=%zz&state=xyz"),                          SLICE_INIT(""),           SLICE_INIT(""),    SLICE_INIT(""), false},
    };

    (void)state;
    CHECK_ROWS (i, rows) {
        struct arena arena = {0};
        struct slice text = guarded(rows[i].text);
        struct oauth_return got = {0};

        check_int(oauth_read_return(text, &arena, &got), rows[i].good);
        check_slice(got.code, rows[i].code);
        check_slice(got.state, rows[i].state);
        check_slice(got.error, rows[i].error);
        guarded_free(text);
        arena_done(&arena);
    }
}

static void test_request(void **state)
{
    static const struct {
        struct slice head, target;
        bool good;
    } rows[] = {
        {SLICE_INIT("GET /?code=c&state=s HTTP/1.1\r\nHost: a\r\n\r\n"),
         SLICE_INIT("/?code=c&state=s"),                                                  true },
        {SLICE_INIT("GET / HTTP/1.0\r\n"),                               SLICE_INIT("/"), true },
        {SLICE_INIT("GET http://a/ HTTP/1.1\r\n"),                       SLICE_INIT(""),  false},
        {SLICE_INIT("POST /?code=c HTTP/1.1\r\n"),                       SLICE_INIT(""),  false},
        {SLICE_INIT("GET /?code=c\r\n"),                                 SLICE_INIT(""),  false},
        {SLICE_INIT("GET /?a=\x80 HTTP/1.1\r\n"),                        SLICE_INIT(""),  false},
        {SLICE_INIT("GET /?code=c HTTP/2.0\r\n"),                        SLICE_INIT(""),  false},
        {SLICE_INIT("GET /"),                                            SLICE_INIT(""),  false},
        {SLICE_INIT(""),                                                 SLICE_INIT(""),  false},
    };

    (void)state;
    CHECK_ROWS (i, rows) {
        struct slice head = guarded(rows[i].head), got = SLICE("");

        check_int(oauth_read_request(head, &got), rows[i].good);
        check_slice(got, rows[i].target);
        guarded_free(head);
    }
}

#define TOKEN(text) .access_token = SLICE_INIT(text)
#define TYPE(text)  .token_type = SLICE_INIT(text)
#define ERROR(text) .error = SLICE_INIT(text)

static void test_judge(void **state)
{
    static const struct {
        struct oauth_answer answer;
        enum oauth_verdict verdict;
    } rows[] = {
        {{.status = 200, TOKEN("ya29.a"), TYPE("Bearer")},                                OAUTH_GRANTED     },
        {{.status = 200, TOKEN("ya29.a"), TYPE("bearer")},                                OAUTH_GRANTED     },
        {{.status = 200, TOKEN("ya29.a"), TYPE("mac")},                                   OAUTH_LATER       },
        {{.status = 200, TYPE("Bearer")},                                                 OAUTH_LATER       },
        {{.status = 200,
          TOKEN("a\x01"
                "b"),
          TYPE("Bearer")},
         OAUTH_LATER                                                                                        },
        {{.status = 200, TOKEN("a"), TYPE("Bearer"), .refresh_token = SLICE_INIT("a b")},
         OAUTH_LATER                                                                                        },
        {{.status = 400, ERROR("invalid_grant")},                                         OAUTH_LOGIN_NEEDED},
        {{.status = 400, ERROR("interaction_required")},                                  OAUTH_LOGIN_NEEDED},
        {{.status = 401, ERROR("invalid_client")},                                        OAUTH_WRONG       },
        {{.status = 400, ERROR("invalid_scope")},                                         OAUTH_WRONG       },
        {{.status = 400, ERROR("unauthorized_client")},                                   OAUTH_WRONG       },
        {{.status = 503, ERROR("temporarily_unavailable")},                               OAUTH_LATER       },
        {{.status = 429},                                                                 OAUTH_LATER       },
        {{.status = 500, TOKEN("ya29.a"), TYPE("Bearer")},                                OAUTH_LATER       },
        {{.status = 0},                                                                   OAUTH_LATER       },
    };

    (void)state;
    CHECK_ROWS (i, rows)
        check_int(oauth_judge(&rows[i].answer), rows[i].verdict);
}

static void test_read_answer(void **state)
{
    static const struct {
        struct slice body, access, refresh, error;
        uint64_t expires_in_s;
    } rows[] = {
        {SLICE_INIT("{\"access_token\":\"a\",\"token_type\":\"Bearer\",\"expires_in\":3599,"
                    "\"refresh_token\":\"r\",\"scope\":\"x y\"}"),
         SLICE_INIT("a"),                                                                                               SLICE_INIT("r"), SLICE_INIT(""),              3599},
        {SLICE_INIT(
             "{\"error\":\"invalid_grant\",\"error_description\":\"d\",\"error_codes\":[1]}"),
         SLICE_INIT(""),                                                                                                SLICE_INIT(""),  SLICE_INIT("invalid_grant"), 0   },
        {SLICE_INIT("{\"access_token\":null,\"refresh_token\":7,\"expires_in\":\"60\"}"),
         SLICE_INIT(""),                                                                                                SLICE_INIT(""),  SLICE_INIT(""),              0   },
        {SLICE_INIT("<html>"),                                                                          SLICE_INIT(""), SLICE_INIT(""),  SLICE_INIT(""),              0   },
        {SLICE_INIT(""),                                                                                SLICE_INIT(""), SLICE_INIT(""),  SLICE_INIT(""),              0   },
    };

    (void)state;
    CHECK_ROWS (i, rows) {
        struct arena arena = {0};
        struct oauth_answer a;

        oauth_answer_read(400, rows[i].body, &arena, &a);
        check_slice(a.access_token, rows[i].access);
        check_slice(a.refresh_token, rows[i].refresh);
        check_slice(a.error, rows[i].error);
        check_int(a.expires_in_s, rows[i].expires_in_s);
        arena_done(&arena);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_page),   cmocka_unit_test(test_forms),
        cmocka_unit_test(test_full),   cmocka_unit_test(test_presets),
        cmocka_unit_test(test_return), cmocka_unit_test(test_request),
        cmocka_unit_test(test_judge),  cmocka_unit_test(test_read_answer),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
