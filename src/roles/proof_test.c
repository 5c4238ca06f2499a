/*
 * proof_test.c - who we are, proven to our own SASL server by the lines of SMTP.
 *
 * Ann's password and her token are "pencil". The server of a row has its list of mechanisms; one
 * that is said to be false agrees to whatever it hears.
 */
#include "roles/proof.h"

#include "base/codec.h"
#include "check.h"
#include "fakes/random.h"
#include "fakes/worker.h"
#include "sasl/server.h"

struct world {
    struct fake_random random;
    struct fake_worker worker;
    struct client *client;
    struct proof proof;
    struct buf in, out;
    struct sasl_server *sasl; /* NULL: no exchange yet */
    const char *offers;
    bool false_server, answered;
    bool ready; /* the worker is done */
};

/* ---- the server ---- */

static void say(struct world *w, const char *line)
{
    assert_true(buf_append(&w->in, slice_of(line)) && buf_append(&w->in, SLICE("\r\n")));
}

static enum sasl_need look_up(struct world *w, enum sasl_need need, struct buf *challenge)
{
    struct slice ann = SLICE("ann"), salt = SLICE("0123456789abcdef");
    bool known = slice_equal(sasl_server_user(w->sasl), ann);
    bool right = slice_equal(sasl_server_secret(w->sasl), SLICE("pencil"));
    struct scram_keys keys;

    switch (need) {
    case SASL_WANTS_PASSWORD: sasl_server_password(w->sasl, known && right); break;
    case SASL_WANTS_TOKEN: sasl_server_token(w->sasl, right ? &ann : NULL); break;
    case SASL_WANTS_KEYS:
        check(scram_keys_make(SLICE("pencil"), salt, SCRAM_ITERATIONS_MIN, &keys));
        sasl_server_keys(w->sasl, known ? &keys : NULL);
        break;
    case SASL_SEND:
    case SASL_DONE:
    case SASL_FAILED: return need;
    }
    return sasl_server_step(w->sasl, SLICE(""), challenge);
}

static void reply(struct world *w, enum sasl_need need, struct buf *challenge)
{
    struct buf line;

    buf_init(&line, 4096);
    need = look_up(w, need, challenge);
    if (need == SASL_SEND) {
        buf_append(&line, SLICE("334 "));
        assert_true(base64_encode(&line, buf_slice(challenge)));
        buf_append_char(&line, 0);
        say(w, buf_slice(&line).data);
    } else {
        say(w, need == SASL_DONE ? "235 ok" : "535 5.7.8 no");
    }
    buf_done(&line);
}

static void hear_auth(struct world *w, struct slice words)
{
    static const struct sasl_server_settings settings = {
        .nonce = SLICE_INIT("+the+server's+nonce"),
        .fake_secret = SLICE_INIT("a secret of the vault"),
    };
    struct slice name = words, initial = SLICE("");
    bool has_initial = slice_cut(words, ' ', &name, &initial);
    enum sasl_mechanism mechanism;
    struct buf response, challenge;

    buf_init(&response, SASL_MESSAGE_MAX);
    buf_init(&challenge, SASL_MESSAGE_MAX);
    check(sasl_mechanism_parse(name, &mechanism));
    check(base64_decode(&response, initial));
    w->sasl = sasl_server_new(mechanism, &settings);
    reply(w,
          has_initial ? sasl_server_step(w->sasl, buf_slice(&response), &challenge)
                      : sasl_server_begin(w->sasl, &challenge),
          &challenge);
    buf_done(&response);
    buf_done(&challenge);
}

static void hear_response(struct world *w, struct slice line)
{
    struct buf response, challenge;

    buf_init(&response, SASL_MESSAGE_MAX);
    buf_init(&challenge, SASL_MESSAGE_MAX);
    check(base64_decode(&response, line));
    reply(w, sasl_server_step(w->sasl, buf_slice(&response), &challenge), &challenge);
    buf_done(&response);
    buf_done(&challenge);
}

static void hear(struct world *w, struct slice line)
{
    if (slice_starts(line, SLICE("EHLO ")))
        say(w, w->offers);
    else if (slice_equal(line, SLICE("QUIT")))
        say(w, "221 bye");
    else if (slice_equal(line, SLICE("*")))
        say(w, "501 5.7.0 aborted");
    else if (w->false_server)
        say(w, "235 ok");
    else if (slice_starts(line, SLICE("AUTH ")))
        hear_auth(w, slice_skip(line, 5));
    else
        hear_response(w, line);
}

/* ---- the client ---- */

static void on_ready(struct proof *p)
{
    LIST_ENTRY(p, struct world, proof)->ready = true;
}

static void prove(struct world *w, const struct credentials *who, struct worker *worker)
{
    struct proof_place place = {.client = w->client, .random = &w->random.random, .worker = worker};

    if (client_auth(w->client)->stage == CLIENT_AUTH_CHOOSE) {
        proof_begin(&w->proof, who, &place);
        return;
    }
    if (proof_go_on(&w->proof, on_ready))
        return;
    check(worker != NULL && !w->ready);
    check_int(client_step(w->client, &(struct cursor){SLICE("")}, &w->out), CLIENT_WANTS_AUTH);
    check(fake_worker_step(&w->worker));
    worker_collect(worker);
    check(w->ready);
}

static void hear_all(struct world *w)
{
    struct slice line, rest;

    while (slice_cut(buf_slice(&w->out), '\n', &line, &rest)) {
        hear(w, slice_head(line, line.len - 1));
        buf_consume(&w->out, line.len + 1);
    }
}

static void play(struct world *w, const struct credentials *who, struct worker *worker)
{
    for (unsigned i = 0; i < 100; i++) {
        struct cursor in = {buf_slice(&w->in)};
        enum client_need need = client_step(w->client, &in, &w->out);

        buf_consume(&w->in, buf_len(&w->in) - in.rest.len);
        hear_all(w);
        if (need == CLIENT_WANTS_AUTH)
            prove(w, who, worker);
        if (need == CLIENT_READY) {
            w->answered = client_final(w->client)->verdict == CLIENT_PENDING;
            client_quit(w->client);
        }
        if (need == CLIENT_DONE)
            return;
    }
    fail();
}

#define OFFERS(words) "250-mx\r\n250-AUTH " words "\r\n250 PIPELINING"
#define ALL           "PLAIN LOGIN XOAUTH2 OAUTHBEARER SCRAM-SHA-256-PLUS SCRAM-SHA-256 GSSAPI"

struct row {
    const char *offers, *user, *secret;
    bool is_token;
    unsigned mechanisms;
    bool false_server;
    const char *outcome; /* "": the server knows us */
};

#define NO_PROOF "0 4.7.8 the server did not prove that it knows the password"

static const struct row rows[] = {
    {OFFERS(ALL),             "ann", "pencil", false, 0,                        false, ""                  },
    {OFFERS("PLAIN"),         "ann", "pencil", false, 0,                        false, ""                  },
    {OFFERS("LOGIN"),         "ann", "pencil", false, 0,                        false, ""                  },
    {OFFERS("XOAUTH2 PLAIN"), "ann", "pencil", true,  0,                        false, ""                  },
    {OFFERS(ALL),             "ann", "pencil", true,  0,                        false, ""                  },
    {OFFERS(ALL),             "ann", "pencil", false, 1u << SASL_LOGIN,         false, ""                  },
    {OFFERS(ALL),             "ann", "pen",    false, 0,                        false, "535 5.7.8 5.7.8 no"},
    {OFFERS("PLAIN"),         "ann", "pen",    false, 0,                        false, "535 5.7.8 5.7.8 no"},
    {OFFERS("LOGIN"),         "eve", "pencil", false, 0,                        false, "535 5.7.8 5.7.8 no"},
    {OFFERS("XOAUTH2"),       "ann", "pen",    true,  0,                        false, "535 5.7.8 5.7.8 no"},
    {OFFERS("GSSAPI NTLM"),   "ann", "pencil", false, 0,                        false,
     "0 4.7.4 the server offers no way to log in that will do with a password: AUTH GSSAPI NTLM"           },
    {OFFERS("PLAIN"),         "ann", "pencil", true,  0,                        false,
     "0 4.7.4 the server offers no way to log in that will do with a token: AUTH PLAIN"                    },
    {OFFERS("PLAIN"),         "ann", "pencil", false, 1u << SASL_SCRAM_SHA_256, false,
     "0 4.7.4 the server offers no way to log in that will do with a password: AUTH PLAIN"                 },
 /* who knows a password proves it: RFC 5802 3 */
    {OFFERS(ALL),             "ann", "pencil", false, 0,                        true,  NO_PROOF            },
    {OFFERS("PLAIN"),         "ann", "pencil", false, 0,                        true,  ""                  },
    {OFFERS("PLAIN"),         "",    "pencil", false, 0,                        false,
     "0 4.7.8 the user name, password or token cannot be used"                                             },
    {OFFERS("LOGIN"),         "ann", "",       false, 0,                        false,
     "0 4.7.8 the user name, password or token cannot be used"                                             },
};

static void play_row(const struct row *r, bool on_worker)
{
    struct client_settings settings = {.ehlo = SLICE("me.example"), .login = CLIENT_LOGIN_ANYHOW};
    struct credentials who = {slice_of(r->user), slice_of(r->secret), r->is_token, r->mechanisms};
    struct world w = {.offers = r->offers, .false_server = r->false_server};
    const struct client_outcome *o;
    struct arena arena = {0};

    fake_random_init(&w.random, 1);
    fake_worker_init(&w.worker, &w.random.random);
    buf_init(&w.in, 65536);
    buf_init(&w.out, CLIENT_OUT_MAX);
    w.client = client_new(&settings);
    say(&w, "220 mx");
    play(&w, &who, on_worker ? &w.worker.worker : NULL);
    o = client_final(w.client);
    check(w.answered == (r->outcome[0] == '\0'));
    if (!w.answered)
        check_slice(arena_printf(&arena, "%u %.*s %.*s", o->code, SLICE_PRINTF(o->enhanced),
                                 SLICE_PRINTF(o->text)),
                    slice_of(r->outcome));
    proof_done(&w.proof);
    sasl_server_free(w.sasl);
    client_free(w.client);
    arena_done(&arena);
    buf_done(&w.in);
    buf_done(&w.out);
}

static void the_server_knows_who_we_are(void **state)
{
    (void)state;
    CHECK_ROWS (i, rows) {
        play_row(&rows[i], false);
        play_row(&rows[i], true);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(the_server_knows_who_we_are)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
