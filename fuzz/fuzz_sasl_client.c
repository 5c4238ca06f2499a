/*
 * fuzz_sasl_client.c - the client's side of logging in against a hostile server.
 *
 * First character: mechanism and settings. The rest: the server's challenges, one a line.
 *
 * The server is asked for no more than the mechanism has, nothing of ours goes out twice, and
 * SCRAM says that all is well only behind a signature.
 */
#include "fuzz.h"

#include "sasl/client.h"
#include "sasl/scram.h"

enum { SENDS_MAX = 3, ITERATIONS_HERE = 5000 };

enum choice { MECHANISM = 7, NOT_AT_ONCE = 8, PLUS_OFFERED = 16, BINDING = 32 };

struct play {
    struct sasl_client *client;
    struct buf response;
    enum sasl_mechanism mechanism;
    unsigned sends;
    bool signature; /* something that looks like one came */
};

static struct sasl_client *client_of(enum sasl_mechanism mechanism, unsigned choice)
{
    struct sasl_client_settings settings = {
        .user = SLICE("user"),
        .secret = SLICE("pencil"),
        .host = SLICE("mx.example.org"),
        .port = 587,
        .channel_binding = choice & BINDING ? SLICE("0123456789abcdef0123456789abcdef") : SLICE(""),
        .plus_offered = (choice & PLUS_OFFERED) != 0,
        .nonce = SLICE("rOprNGfwEbeRWgbNEkqO"),
    };

    return sasl_client_new(mechanism, &settings);
}

/* The hash may cost half a second, by the server's wish; not here. */
static bool costs_little(struct slice challenge)
{
    struct cursor c = {slice_skip(challenge, slice_rfind(challenge, 'i') + 2)};
    uint64_t n;

    return take_number(&c, &n) && n <= ITERATIONS_HERE;
}

static enum sasl_client_need step(struct play *p, struct slice challenge)
{
    enum sasl_client_need need;

    buf_clear(&p->response);
    p->signature = p->signature || slice_starts(challenge, SLICE("v="));
    need = sasl_client_step(p->client, challenge, &p->response);
    if (need == SASL_CLIENT_WANTS_HASH) {
        must(buf_len(&p->response) == 0);
        if (!costs_little(challenge))
            return SASL_CLIENT_STOPS;
        sasl_client_hash(p->client);
        need = sasl_client_step(p->client, SLICE(""), &p->response);
        must(need == SASL_CLIENT_SEND);
    }
    if (need == SASL_CLIENT_SEND) {
        must(++p->sends <= SENDS_MAX);
    } else {
        must(buf_len(&p->response) == 0);
        must(sasl_client_trouble(p->client) != SASL_NO_TROUBLE);
        must(sasl_client_step(p->client, challenge, &p->response) == SASL_CLIENT_STOPS);
    }
    return need;
}

static bool is_scram(enum sasl_mechanism mechanism)
{
    return mechanism == SASL_SCRAM_SHA_256 || mechanism == SASL_SCRAM_SHA_256_PLUS;
}

void fuzz_input(struct slice input)
{
    struct cursor c = {input};
    unsigned choice = fuzz_choice(&c);
    struct play p = {.mechanism =
                         (enum sasl_mechanism)((choice & MECHANISM) % SASL_MECHANISM_COUNT)};
    enum sasl_client_need need = SASL_CLIENT_SEND;

    p.client = client_of(p.mechanism, choice);
    buf_init(&p.response, SASL_MESSAGE_MAX);
    if (!(choice & NOT_AT_ONCE) && sasl_client_first(p.client, &p.response))
        p.sends++;
    while (need == SASL_CLIENT_SEND && !cursor_at_end(&c))
        need = step(&p, fuzz_line(&c));
    bool well = sasl_client_finish(p.client);
    must(well == (sasl_client_trouble(p.client) == SASL_NO_TROUBLE));
    must(!well || need == SASL_CLIENT_SEND);
    must(!well || !is_scram(p.mechanism) || (p.signature && p.sends == SENDS_MAX));
    must(sasl_client_server_error(p.client).len <= 1024);
    sasl_client_free(p.client);
    buf_done(&p.response);
}
