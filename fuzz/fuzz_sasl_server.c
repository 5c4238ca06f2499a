/*
 * fuzz_sasl_server.c - the server's side of logging in against a hostile client.
 *
 * First character: mechanism and settings. The rest: the client's responses, one a line.
 *
 * Each exchange is played twice: once by a caller who says yes to everything (the user exists, the
 * password is right, the token is good), once by one who says no. Nobody gets in where the caller
 * says no, and until the end both look the same. What comes out as a name or a password can be
 * believed to be text; challenges are short and printable.
 */
#include "fuzz.h"

#include "sasl/server.h"
#include "wire/utf8.h"

enum { SENDS_MAX = 4, ASKS_MAX = 1 };

enum choice { MECHANISM = 7, BEGIN = 8, PLUS_OFFERED = 16, NO_BINDING = 32, NO_CERTIFICATE = 64 };

/* Of "pencil": RFC 7677 3, so that a seed can bring an exchange to its end. */
#define KEYS                                                                                       \
    "4096,W22ZaJ0SNY7soEsUEjb6gQ==,WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=,"                  \
    "wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU="

struct play {
    struct sasl_server *server;
    bool yes;
    unsigned asks;
    unsigned sends;
    size_t lengths[SENDS_MAX]; /* of the challenges */
    enum sasl_need need;
    enum sasl_failure failure;
};

static struct sasl_server *server_of(unsigned choice)
{
    struct sasl_server_settings settings = {
        .channel_binding =
            choice & NO_BINDING ? SLICE("") : SLICE("0123456789abcdef0123456789abcdef"),
        .plus_offered = (choice & PLUS_OFFERED) != 0,
        .certificate_user = choice & NO_CERTIFICATE ? SLICE("") : SLICE("user"),
        .nonce = SLICE("%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0"),
        .fake_secret = SLICE("a secret of the vault"),
    };

    return sasl_server_new((enum sasl_mechanism)((choice & MECHANISM) % SASL_MECHANISM_COUNT),
                           &settings);
}

static void check_text(const struct play *p)
{
    struct slice user = sasl_server_user(p->server), secret = sasl_server_secret(p->server);

    must(user.len <= SASL_NAME_MAX && utf8_printable(user));
    must(utf8_printable(secret));
    must(secret.len <= (p->need == SASL_WANTS_TOKEN ? SASL_MESSAGE_MAX : SASL_PASSWORD_MAX));
    must((p->need == SASL_WANTS_TOKEN || p->need == SASL_WANTS_PASSWORD) == (secret.len > 0));
}

/* As the vault: says yes or no. */
static void answer(struct play *p, struct buf *challenge)
{
    struct slice user = SLICE("user");
    struct scram_keys keys;

    check_text(p);
    switch (p->need) {
    case SASL_WANTS_PASSWORD: sasl_server_password(p->server, p->yes); break;
    case SASL_WANTS_TOKEN: sasl_server_token(p->server, p->yes ? &user : NULL); break;
    case SASL_WANTS_KEYS:
        must(scram_keys_parse(SLICE(KEYS), &keys));
        sasl_server_keys(p->server, p->yes ? &keys : NULL);
        break;
    case SASL_SEND:
    case SASL_DONE:
    case SASL_FAILED: return;
    }
    must(++p->asks <= ASKS_MAX);
    must(buf_len(challenge) == 0);
    p->need = sasl_server_step(p->server, SLICE(""), challenge);
    check_text(p);
    must(p->need == SASL_SEND || p->need == SASL_DONE || p->need == SASL_FAILED);
}

static void note_challenge(struct play *p, struct buf *challenge)
{
    must(utf8_printable(buf_slice(challenge)));
    must(p->need == SASL_SEND || buf_len(challenge) == 0);
    if (p->need == SASL_SEND) {
        must(p->sends < SENDS_MAX);
        p->lengths[p->sends++] = buf_len(challenge);
    }
    buf_clear(challenge);
}

static void play(struct play *p, unsigned choice, struct cursor lines, bool yes)
{
    struct buf challenge;

    *p = (struct play){.server = server_of(choice), .yes = yes};
    buf_init(&challenge, SASL_MESSAGE_MAX);
    if (choice & BEGIN) {
        p->need = sasl_server_begin(p->server, &challenge);
        note_challenge(p, &challenge);
    }
    while (p->need == SASL_SEND && !cursor_at_end(&lines)) {
        p->need = sasl_server_step(p->server, fuzz_line(&lines), &challenge);
        answer(p, &challenge);
        note_challenge(p, &challenge);
    }
    p->failure = sasl_server_failure(p->server);
    must((p->need == SASL_FAILED) == (p->failure != SASL_NO_FAILURE) || p->need == SASL_SEND);
    must(p->need != SASL_DONE || sasl_server_user(p->server).len > 0);
    buf_done(&challenge);
    sasl_server_free(p->server);
}

void fuzz_input(struct slice input)
{
    struct cursor c = {input};
    unsigned choice = fuzz_choice(&c);
    struct play yes, no;

    play(&yes, choice, c, true);
    play(&no, choice, c, false);
    must(yes.asks == no.asks);
    must(no.need != SASL_DONE || no.asks == 0);
    for (unsigned i = 0; i < yes.sends && i < no.sends; i++)
        must(yes.lengths[i] == no.lengths[i]);
    if (yes.failure == SASL_BAD_PROOF)
        must(no.failure == SASL_UNKNOWN_USER && yes.sends == no.sends);
}
