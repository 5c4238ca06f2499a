/*
 * client_test.c - what a client says to good and to bad servers, and to our own.
 */
#include "check.h"

#include "sasl/client.h"
#include "sasl/server.h"

enum { CHALLENGES = 3 };

#define BINDING "0123456789abcdef0123456789abcdef"
#define R(text) SLICE_INIT(text)
#define NONE                                                                                       \
    {                                                                                              \
        NULL, 0                                                                                    \
    }

/* RFC 7677 3 */
#define OUR_NONCE    "rOprNGfwEbeRWgbNEkqO"
#define BOTH_NONCES  OUR_NONCE "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0"
#define SALT         ",s=W22ZaJ0SNY7soEsUEjb6gQ=="
#define CLIENT_FIRST "n,,n=user,r=" OUR_NONCE "|"
#define SERVER_FIRST "r=" BOTH_NONCES SALT ",i=4096"
#define CLIENT_FINAL "c=biws,r=" BOTH_NONCES ",p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=|"
#define SERVER_FINAL "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="

struct row {
    enum sasl_mechanism mechanism;
    struct slice user, secret;
    struct slice challenges[CHALLENGES]; /* data == NULL: no more; then 235 */
    struct slice responses;              /* each with '|' behind it */
    enum sasl_trouble trouble;           /* at the end, after sasl_client_finish() */
    struct slice server_error;
};

static const struct row short_rows[] = {
    {SASL_PLAIN,
     R("tim"),
     R("tanstaaftanstaaf"),
     {NONE},
     R("\0tim\0tanstaaftanstaaf|"),
     SASL_NO_TROUBLE,                                                                                       R("")                              },
    {SASL_PLAIN,       R("tim"),   R("pencil"),   {R("")},          R("\0tim\0pencil|"), SASL_TOO_MANY,     R("")                              },
    {SASL_PLAIN,       R("tim"),   R("pen\0cil"), {NONE},           R(""),               SASL_BAD_SECRET,   R("")                              },
    {SASL_PLAIN,       R("t\0im"), R("pencil"),   {NONE},           R(""),               SASL_BAD_SECRET,   R("")                              },
    {SASL_PLAIN,       R(""),      R("pencil"),   {NONE},           R(""),               SASL_BAD_SECRET,   R("")                              },
    {SASL_PLAIN,       R("tim"),   R(""),         {NONE},           R(""),               SASL_BAD_SECRET,   R("")                              },
    {SASL_LOGIN,
     R("tim"),
     R("pencil"),
     {R("Username:"), R("Password:")},
     R("tim|pencil|"),
     SASL_NO_TROUBLE,                                                                                       R("")                              },
    {SASL_LOGIN,
     R("tim"),
     R("pencil"),
     {R("User Name\0"), R("Password\0")},
     R("tim|pencil|"),
     SASL_NO_TROUBLE,                                                                                       R("")                              },
    {SASL_LOGIN,
     R("tim"),
     R("pencil"),
     {R(""), R(""), R("")},
     R("tim|pencil|"),
     SASL_TOO_MANY,                                                                                         R("")                              },
    {SASL_LOGIN,       R("tim"),   R("pencil"),   {R("Username:")}, R("tim|"),           SASL_FALSE_SERVER, R("")                              },
    {SASL_LOGIN,       R(""),      R("pencil"),   {R("Username:")}, R(""),               SASL_BAD_SECRET,   R("")                              },
    {SASL_LOGIN,       R("tim"),   R(""),         {R("Username:")}, R(""),               SASL_BAD_SECRET,   R("")                              },
    {SASL_EXTERNAL,    R(""),      R(""),         {NONE},           R("|"),              SASL_NO_TROUBLE,   R("")                              },
    {SASL_EXTERNAL,    R("tim"),   R(""),         {NONE},           R("tim|"),           SASL_NO_TROUBLE,   R("")                              },
    {SASL_EXTERNAL,    R("tim"),   R(""),         {R("")},          R("tim|"),           SASL_TOO_MANY,     R("")                              },
    {SASL_XOAUTH2,
     R("tim"),
     R("t0ken="),
     {NONE},
     R("user=tim\1auth=Bearer t0ken=\1\1|"),
     SASL_NO_TROUBLE,                                                                                       R("")                              },
    {SASL_XOAUTH2,
     R("tim"),
     R("old"),
     {R("{\"status\":\"401\"}")},
     R("user=tim\1auth=Bearer old\1\1||"),
     SASL_SERVER_ERROR,                                                                                     R("{\"status\":\"401\"}")          },
    {SASL_XOAUTH2,
     R("tim"),
     R("old"),
     {R("{}"), R("{}")},
     R("user=tim\1auth=Bearer old\1\1||"),
     SASL_TOO_MANY,                                                                                         R("{}")                            },
    {SASL_XOAUTH2,     R(""),      R("t0ken="),   {NONE},           R(""),               SASL_BAD_SECRET,   R("")                              },
    {SASL_XOAUTH2,     R("tim"),   R("t0\1ken"),  {NONE},           R(""),               SASL_BAD_SECRET,   R("")                              },
    {SASL_XOAUTH2,     R("tim"),   R("t0 ken"),   {NONE},           R(""),               SASL_BAD_SECRET,   R("")                              },
    {SASL_XOAUTH2,     R("t\1im"), R("t0ken="),   {NONE},           R(""),               SASL_BAD_SECRET,   R("")                              },
    {SASL_OAUTHBEARER,
     R("t,im"),
     R("t0ken="),
     {NONE},
     R("n,a=t=2Cim,\1host=mx.example.org\1port=587\1auth=Bearer t0ken=\1\1|"),
     SASL_NO_TROUBLE,                                                                                       R("")                              },
    {SASL_OAUTHBEARER,
     R(""),
     R("old"),
     {R("{\"status\":\"invalid_token\"}")},
     R("n,,\1host=mx.example.org\1port=587\1auth=Bearer old\1\1|\1|"),
     SASL_SERVER_ERROR,                                                                                     R("{\"status\":\"invalid_token\"}")},
    {SASL_OAUTHBEARER, R("tim"),   R(""),         {NONE},           R(""),               SASL_BAD_SECRET,   R("")                              },
};

static const struct row scram_rows[] = {
    {SASL_SCRAM_SHA_256,
     R("user"),
     R("pencil"),
     {R(SERVER_FIRST), R(SERVER_FINAL)},
     R(CLIENT_FIRST CLIENT_FINAL "|"),
     SASL_NO_TROUBLE,                                                                                            R("")             },
    {SASL_SCRAM_SHA_256,
     R("us\u00ader"),
     R("pen\u00adcil"),
     {R(SERVER_FIRST), R(SERVER_FINAL)},
     R(CLIENT_FIRST CLIENT_FINAL "|"),
     SASL_NO_TROUBLE,                                                                                            R("")             },
 /* extensions that nobody knows are passed over */
    {SASL_SCRAM_SHA_256,
     R("user"),
     R("pencil"),
     {R(SERVER_FIRST), R(SERVER_FINAL ",x=y")},
     R(CLIENT_FIRST CLIENT_FINAL "|"),
     SASL_NO_TROUBLE,                                                                                            R("")             },
 /* a yes that comes too soon: whoever said it need not know the password */
    {SASL_SCRAM_SHA_256,      R("user"),   R("pencil"),   {NONE},            R(CLIENT_FIRST), SASL_FALSE_SERVER, R("")             },
    {SASL_SCRAM_SHA_256,
     R("user"),
     R("pencil"),
     {R(SERVER_FIRST)},
     R(CLIENT_FIRST CLIENT_FINAL),
     SASL_FALSE_SERVER,                                                                                          R("")             },
    {SASL_SCRAM_SHA_256,
     R("user"),
     R("pencil"),
     {R(SERVER_FIRST), R("v=7rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=")},
     R(CLIENT_FIRST CLIENT_FINAL),
     SASL_FALSE_SERVER,                                                                                          R("")             },
    {SASL_SCRAM_SHA_256,
     R("user"),
     R("pencil"),
     {R(SERVER_FIRST), R("v=6rri")},
     R(CLIENT_FIRST CLIENT_FINAL),
     SASL_FALSE_SERVER,                                                                                          R("")             },
    {SASL_SCRAM_SHA_256,
     R("user"),
     R("pencil"),
     {R(SERVER_FIRST), R("v=")},
     R(CLIENT_FIRST CLIENT_FINAL),
     SASL_FALSE_SERVER,                                                                                          R("")             },
    {SASL_SCRAM_SHA_256,
     R("user"),
     R("pencil"),
     {R(SERVER_FIRST), R("")},
     R(CLIENT_FIRST CLIENT_FINAL),
     SASL_BAD_CHALLENGE,                                                                                         R("")             },
    {SASL_SCRAM_SHA_256,
     R("user"),
     R("pencil"),
     {R(SERVER_FIRST), R(SERVER_FINAL ",m=y")},
     R(CLIENT_FIRST CLIENT_FINAL),
     SASL_BAD_CHALLENGE,                                                                                         R("")             },
    {SASL_SCRAM_SHA_256,
     R("user"),
     R("pencil"),
     {R(SERVER_FIRST), R("e=invalid-proof")},
     R(CLIENT_FIRST CLIENT_FINAL),
     SASL_SERVER_ERROR,                                                                                          R("invalid-proof")},
    {SASL_SCRAM_SHA_256,
     R("user"),
     R("pencil"),
     {R(SERVER_FIRST), R(SERVER_FINAL), R("")},
     R(CLIENT_FIRST CLIENT_FINAL "|"),
     SASL_TOO_MANY,                                                                                              R("")             },
    {SASL_SCRAM_SHA_256,
     R("user"),
     R("pencil"),
     {R("e=other-error")},
     R(CLIENT_FIRST),
     SASL_SERVER_ERROR,                                                                                          R("other-error")  },
    {SASL_SCRAM_SHA_256,
     R("user"),
     R("pencil"),
     {R("r=x" BOTH_NONCES SALT ",i=4096")},
     R(CLIENT_FIRST),
     SASL_FOREIGN_NONCE,                                                                                         R("")             },
    {SASL_SCRAM_SHA_256,
     R("user"),
     R("pencil"),
     {R("r=" OUR_NONCE SALT ",i=4096")},
     R(CLIENT_FIRST),
     SASL_FOREIGN_NONCE,                                                                                         R("")             },
    {SASL_SCRAM_SHA_256,
     R("user"),
     R("pencil"),
     {R("r=" BOTH_NONCES SALT ",i=4095")},
     R(CLIENT_FIRST),
     SASL_WEAK_HASH,                                                                                             R("")             },
    {SASL_SCRAM_SHA_256,
     R("user"),
     R("pencil"),
     {R("r=" BOTH_NONCES SALT ",i=1000001")},
     R(CLIENT_FIRST),
     SASL_COSTLY_HASH,                                                                                           R("")             },
    {SASL_SCRAM_SHA_256,
     R("user"),
     R("pencil"),
     {R("r=" BOTH_NONCES SALT ",i=4294971392")},
     R(CLIENT_FIRST),
     SASL_BAD_CHALLENGE,                                                                                         R("")             },
    {SASL_SCRAM_SHA_256,
     R("user"),
     R("pencil"),
     {R("r=" BOTH_NONCES SALT ",i=")},
     R(CLIENT_FIRST),
     SASL_BAD_CHALLENGE,                                                                                         R("")             },
    {SASL_SCRAM_SHA_256,
     R("user"),
     R("pencil"),
     {R("r=" BOTH_NONCES ",s=,i=4096")},
     R(CLIENT_FIRST),
     SASL_BAD_CHALLENGE,                                                                                         R("")             },
    {SASL_SCRAM_SHA_256,
     R("user"),
     R("pencil"),
     {R("r=" BOTH_NONCES ",s=***,i=4096")},
     R(CLIENT_FIRST),
     SASL_BAD_CHALLENGE,                                                                                         R("")             },
    {SASL_SCRAM_SHA_256,
     R("user"),
     R("pencil"),
     {R("m=x," SERVER_FIRST)},
     R(CLIENT_FIRST),
     SASL_BAD_CHALLENGE,                                                                                         R("")             },
    {SASL_SCRAM_SHA_256,
     R("user"),
     R("pencil"),
     {R(SERVER_FIRST ",m=x")},
     R(CLIENT_FIRST),
     SASL_BAD_CHALLENGE,                                                                                         R("")             },
    {SASL_SCRAM_SHA_256,
     R("user"),
     R("pencil"),
     {R("")},
     R(CLIENT_FIRST),
     SASL_BAD_CHALLENGE,                                                                                         R("")             },
    {SASL_SCRAM_SHA_256,      R("user"),   R("pen\ncil"), {NONE},            R(""),           SASL_BAD_SECRET,   R("")             },
    {SASL_SCRAM_SHA_256,      R("us\ner"), R("pencil"),   {NONE},            R(""),           SASL_BAD_SECRET,   R("")             },
 /* without a channel to bind to */
    {SASL_SCRAM_SHA_256_PLUS, R("user"),   R("pencil"),   {NONE},            R(""),           SASL_BAD_SECRET,   R("")             },
};

static struct sasl_client_settings settings_of(const struct row *row)
{
    return (struct sasl_client_settings){
        .user = row->user,
        .secret = row->secret,
        .host = SLICE("mx.example.org"),
        .port = 587,
        .nonce = SLICE(OUR_NONCE),
    };
}

static enum sasl_client_need step(struct sasl_client *c, struct slice challenge,
                                  struct buf *responses)
{
    struct slice guard = guarded(challenge);
    enum sasl_client_need need = sasl_client_step(c, guard, responses);

    guarded_free(guard);
    if (need == SASL_CLIENT_WANTS_HASH) {
        sasl_client_hash(c);
        need = sasl_client_step(c, SLICE(""), responses);
    }
    if (need == SASL_CLIENT_SEND)
        assert_true(buf_append_char(responses, '|'));
    return need;
}

/* early: with the initial response; else the server asks for it by an empty challenge. */
static void play(const struct row *row, bool early)
{
    struct sasl_client_settings settings = settings_of(row);
    struct sasl_client *c = sasl_client_new(row->mechanism, &settings);
    enum sasl_client_need need = SASL_CLIENT_SEND;
    struct buf responses;

    buf_init(&responses, 2 * SASL_MESSAGE_MAX);
    if (row->mechanism == SASL_LOGIN)
        check(!sasl_client_first(c, &responses));
    else if (!early)
        need = step(c, SLICE(""), &responses);
    else if (sasl_client_first(c, &responses))
        assert_true(buf_append_char(&responses, '|'));
    else
        need = SASL_CLIENT_STOPS;
    for (size_t i = 0; i < CHALLENGES && row->challenges[i].data != NULL; i++)
        if (need == SASL_CLIENT_SEND)
            need = step(c, row->challenges[i], &responses);
    check_int(sasl_client_finish(c), row->trouble == SASL_NO_TROUBLE);
    check_slice(buf_slice(&responses), row->responses);
    check_int(sasl_client_trouble(c), row->trouble);
    check_slice(sasl_client_server_error(c), row->server_error);
    if (need == SASL_CLIENT_STOPS) {
        check_int(sasl_client_step(c, SLICE(SERVER_FIRST), &responses), SASL_CLIENT_STOPS);
        check_int(sasl_client_trouble(c), row->trouble);
    }
    sasl_client_free(c);
    buf_done(&responses);
}

static void short_mechanisms(void **state)
{
    (void)state;
    CHECK_ROWS (i, short_rows) {
        play(&short_rows[i], true);
        play(&short_rows[i], false);
    }
}

static void scram(void **state)
{
    (void)state;
    CHECK_ROWS (i, scram_rows) {
        play(&scram_rows[i], true);
        play(&scram_rows[i], false);
    }
}

static void a_challenge_has_a_maximum(void **state)
{
    static char bytes[SASL_MESSAGE_MAX + 1];
    struct row row = short_rows[0];
    struct sasl_client_settings settings = settings_of(&row);
    struct buf response;

    (void)state;
    buf_init(&response, SASL_MESSAGE_MAX);
    for (unsigned i = 0; i < SASL_MECHANISM_COUNT; i++) {
        struct sasl_client *c = sasl_client_new((enum sasl_mechanism)i, &settings);

        check_int(sasl_client_step(c, (struct slice){bytes, sizeof(bytes)}, &response),
                  SASL_CLIENT_STOPS);
        check_int(sasl_client_trouble(c), SASL_BAD_CHALLENGE);
        sasl_client_free(c);
    }
    sasl_client_free(NULL);
    buf_done(&response);
}

static void a_long_error_is_cut(void **state)
{
    static char bytes[SASL_MESSAGE_MAX];
    struct row row = {SASL_XOAUTH2, R("tim"), R("old"), {NONE}, R(""), SASL_NO_TROUBLE, R("")};
    struct sasl_client_settings settings = settings_of(&row);
    struct sasl_client *c = sasl_client_new(row.mechanism, &settings);
    struct buf response;

    (void)state;
    buf_init(&response, SASL_MESSAGE_MAX);
    check(sasl_client_first(c, &response));
    check_int(sasl_client_step(c, (struct slice){bytes, sizeof(bytes)}, &response),
              SASL_CLIENT_SEND);
    check_int(sasl_client_server_error(c).len, 1024);
    sasl_client_free(c);
    buf_done(&response);
}

static void what_does_not_fit_is_not_sent(void **state)
{
    (void)state;
    for (unsigned i = SASL_SCRAM_SHA_256; i < SASL_MECHANISM_COUNT; i++) {
        struct sasl_client_settings settings = settings_of(&short_rows[0]);
        struct sasl_client *c = sasl_client_new((enum sasl_mechanism)i, &settings);
        struct buf response;

        buf_init(&response, 2);
        check_int(sasl_client_step(c, SLICE(""), &response), SASL_CLIENT_STOPS);
        check_int(sasl_client_trouble(c), SASL_BAD_SECRET);
        check_int(buf_len(&response), 0);
        check_int(sasl_client_step(c, SLICE(""), &response), SASL_CLIENT_STOPS);
        sasl_client_free(c);
        buf_done(&response);
    }
}

static void every_trouble_has_words(void **state)
{
    (void)state;
    for (unsigned i = SASL_NO_TROUBLE; i <= SASL_TOO_MANY; i++)
        check(sasl_trouble_text((enum sasl_trouble)i).len > 0);
}

/* Our client and our server. */
struct pair {
    enum sasl_mechanism client, server;
    bool client_binds, client_saw_plus, server_offers_plus;
    struct slice user, secret, server_binding;
    enum sasl_failure failure;
};

#define TIM SLICE_INIT("tim, =ton"), SLICE_INIT("pencil")

static const struct pair pairs[] = {
    {SASL_PLAIN,         SASL_PLAIN,        false,            false,                  false,   TIM,                            NONE,                   SASL_NO_FAILURE                                  },
    {SASL_LOGIN,         SASL_LOGIN,        false,            false,                  false,   TIM,                            NONE,                   SASL_NO_FAILURE                                  },
    {SASL_EXTERNAL,      SASL_EXTERNAL,     false,            false,                  false,   TIM,                            NONE,                   SASL_NO_FAILURE                                  },
    {SASL_XOAUTH2,       SASL_XOAUTH2,      false,            false,                  false,   TIM,                            NONE,                   SASL_NO_FAILURE                                  },
    {SASL_OAUTHBEARER,   SASL_OAUTHBEARER,  false,            false,                  false,   TIM,                            NONE,                   SASL_NO_FAILURE                                  },
    {SASL_XOAUTH2,       SASL_XOAUTH2,      false,            false,                  false,   R("tim, =ton"),                 R("old"),               NONE,
     SASL_BAD_TOKEN},
    {SASL_OAUTHBEARER,                  SASL_OAUTHBEARER,                    false,   false, false, R("tim"),                          R("pencil"),                                        NONE,
     SASL_OTHER_AUTHZID},
    {SASL_SCRAM_SHA_256, SASL_SCRAM_SHA_256,                  false,                 false,                     false,      TIM,               NONE,            SASL_NO_FAILURE                                                    },
    {SASL_SCRAM_SHA_256,   SASL_SCRAM_SHA_256,                    false,                   false,                     true,    TIM,           R(BINDING),SASL_NO_FAILURE},
    {SASL_SCRAM_SHA_256,   SASL_SCRAM_SHA_256,                    true,                   false,                     false,     TIM,            NONE,            SASL_NO_FAILURE                                                                 },
    {SASL_SCRAM_SHA_256,   SASL_SCRAM_SHA_256,                    true,                   true,                     true,     TIM,             R(BINDING),SASL_NO_FAILURE},
 /* somebody took -PLUS out of the list */
    {SASL_SCRAM_SHA_256,   SASL_SCRAM_SHA_256,                    true,                   false,                     true,     TIM,            R(BINDING),           SASL_DOWNGRADED                                                                            },
    {SASL_SCRAM_SHA_256,   SASL_SCRAM_SHA_256,                    false,                   false,                     false,    R("tim, =ton"),           R("pen"),NONE,
     SASL_BAD_PROOF},
    {SASL_SCRAM_SHA_256,              SASL_SCRAM_SHA_256,                        false,                                        false,                                             false,                     R("bob"),                       R("pencil"), NONE,
     SASL_UNKNOWN_USER},
    {SASL_SCRAM_SHA_256_PLUS,       SASL_SCRAM_SHA_256_PLUS,                    true,                                       true,                                                             true,                                              TIM,                                               R(BINDING),
     SASL_NO_FAILURE                                                    },
 /* somebody stands between: two connections, two bindings */
    {SASL_SCRAM_SHA_256_PLUS,               SASL_SCRAM_SHA_256_PLUS,                      true,                                         true,                                                               true,                                                TIM,
     R("1123456789abcdef0123456789abcdef"),                                      SASL_BAD_BINDING},
    {SASL_SCRAM_SHA_256_PLUS,               SASL_SCRAM_SHA_256_PLUS, true, true,                       true,        TIM, NONE,
     SASL_BAD_BINDING                                    },
 /* a header for the other mechanism */
    {SASL_SCRAM_SHA_256,               SASL_SCRAM_SHA_256_PLUS,                            false,                                        false,                                                              true,                                                    TIM,                                             R(BINDING),
     SASL_BAD_BINDING   },
    {SASL_SCRAM_SHA_256,               SASL_SCRAM_SHA_256_PLUS,                      true,                                        false,                                                              true,                                                    TIM,                                             R(BINDING),
     SASL_BAD_BINDING                                           },
    {SASL_SCRAM_SHA_256_PLUS,               SASL_SCRAM_SHA_256,                      true,                                        true,                                                              true,                                               TIM,                                             R(BINDING),
     SASL_BAD_BINDING    },
};

static enum sasl_need server_answer(struct sasl_server *s, enum sasl_need need,
                                    struct buf *challenge)
{
    struct slice tim = SLICE("tim, =ton"), salt = SLICE("0123456789abcdef");
    bool known = slice_equal(sasl_server_user(s), tim);
    bool right = slice_equal(sasl_server_secret(s), SLICE("pencil"));
    struct scram_keys keys;

    switch (need) {
    case SASL_WANTS_PASSWORD: sasl_server_password(s, known && right); break;
    case SASL_WANTS_TOKEN: sasl_server_token(s, right ? &tim : NULL); break;
    case SASL_WANTS_KEYS:
        check(scram_keys_make(SLICE("pencil"), salt, SCRAM_ITERATIONS_MIN, &keys));
        sasl_server_keys(s, known ? &keys : NULL);
        break;
    case SASL_SEND:
    case SASL_DONE:
    case SASL_FAILED: return need;
    }
    return sasl_server_step(s, SLICE(""), challenge);
}

static enum sasl_client_need client_answer(struct sasl_client *c, struct buf *challenge,
                                           struct buf *response)
{
    enum sasl_client_need need;

    buf_clear(response);
    need = sasl_client_step(c, buf_slice(challenge), response);
    if (need == SASL_CLIENT_WANTS_HASH) {
        sasl_client_hash(c);
        need = sasl_client_step(c, SLICE(""), response);
    }
    buf_clear(challenge);
    return need;
}

static void play_pair(const struct pair *p)
{
    struct sasl_client_settings for_client = {
        .user = p->user,
        .secret = p->secret,
        .host = SLICE("mx.example.org"),
        .port = 587,
        .channel_binding = p->client_binds ? SLICE(BINDING) : SLICE(""),
        .plus_offered = p->client_saw_plus,
        .nonce = SLICE("+the+client's+nonce"),
    };
    struct sasl_server_settings for_server = {
        .certificate_user = SLICE("tim, =ton"),
        .channel_binding = p->server_binding,
        .plus_offered = p->server_offers_plus,
        .nonce = SLICE("+the+server's+nonce"),
        .fake_secret = SLICE("a secret of the vault"),
    };

    struct sasl_client *c = sasl_client_new(p->client, &for_client);
    struct sasl_server *s = sasl_server_new(p->server, &for_server);
    struct buf challenge, response;
    enum sasl_need need;

    buf_init(&challenge, SASL_MESSAGE_MAX);
    buf_init(&response, SASL_MESSAGE_MAX);
    need = sasl_client_first(c, &response) ? sasl_server_step(s, buf_slice(&response), &challenge)
                                           : sasl_server_begin(s, &challenge);
    while ((need = server_answer(s, need, &challenge)) == SASL_SEND) {
        check_int(client_answer(c, &challenge, &response), SASL_CLIENT_SEND);
        need = sasl_server_step(s, buf_slice(&response), &challenge);
    }
    check_int(sasl_server_failure(s), p->failure);
    check_int(need, p->failure == SASL_NO_FAILURE ? SASL_DONE : SASL_FAILED);
    if (need == SASL_DONE) {
        check(sasl_client_finish(c));
        check_slice(sasl_server_user(s), SLICE("tim, =ton"));
    }
    sasl_client_free(c);
    sasl_server_free(s);
    buf_done(&challenge);
    buf_done(&response);
}

static void client_and_server_understand_each_other(void **state)
{
    (void)state;
    CHECK_ROWS (i, pairs)
        play_pair(&pairs[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(short_mechanisms),
        cmocka_unit_test(scram),
        cmocka_unit_test(a_challenge_has_a_maximum),
        cmocka_unit_test(a_long_error_is_cut),
        cmocka_unit_test(what_does_not_fit_is_not_sent),
        cmocka_unit_test(every_trouble_has_words),
        cmocka_unit_test(client_and_server_understand_each_other),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
