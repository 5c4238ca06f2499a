/*
 * proof.c - one exchange of SASL with a mail server.
 *
 * With TLS 1.3 there are bytes that bind the exchange to this very connection, and SCRAM uses them
 * where the server can. The hash of SCRAM costs what the server asks for, so it is made beside the
 * loop.
 *
 * Why it came to nothing is for whoever reads the log and the queue, so it names what to look at.
 */
#include "roles/proof.h"

#include "base/codec.h"

enum {
    NONCE_BYTES = 24,
    SHOWN_MAX = 200, /* of what the server offers */
};

/* The same as for a server without what we need: RFC 3463 X.7.4. */
static const struct slice lacks = SLICE_INIT("4.7.4");
static const struct slice fails = SLICE_INIT("4.7.8");

static void tell_none(const struct proof_place *place, const struct client_auth *auth,
                      bool is_token)
{
    struct slice offered = slice_head(auth->mechanisms, SHOWN_MAX);
    struct arena scratch = {0};

    client_auth_stop(
        place->client, lacks,
        arena_printf(&scratch,
                     "the server offers no way to log in that will do with a %s: AUTH %.*s",
                     is_token ? "token" : "password", SLICE_PRINTF(offered)));
    arena_done(&scratch);
}

static bool choose(const struct credentials *who, const struct proof_place *place,
                   struct slice binding, enum sasl_mechanism *out)
{
    unsigned offered = sasl_mechanisms_parse(client_auth(place->client)->mechanisms);
    struct sasl_means means = {.password = !who->is_token,
                               .token = who->is_token,
                               .secret = true, /* else the engine would not have asked */
                               .channel_binding = binding.len > 0};

    return sasl_choose(who->mechanisms == 0 ? offered : offered & who->mechanisms, &means, out);
}

static struct sasl_client *sasl_of(const struct credentials *who, const struct proof_place *place,
                                   struct slice binding, enum sasl_mechanism mechanism)
{
    unsigned offered = sasl_mechanisms_parse(client_auth(place->client)->mechanisms);
    char bytes[NONCE_BYTES];
    struct sasl_client *c;
    struct buf nonce;

    buf_init(&nonce, SASL_NONCE_MAX);
    random_bytes(place->random, bytes, sizeof(bytes));
    (void)base64_encode(&nonce, (struct slice){bytes, sizeof(bytes)});
    c = sasl_client_new(mechanism, &(struct sasl_client_settings){
                                       .user = who->user,
                                       .secret = who->secret,
                                       .host = place->host,
                                       .port = place->port,
                                       .channel_binding = binding,
                                       .plus_offered = (offered & 1u << SASL_SCRAM_SHA_256_PLUS),
                                       .nonce = buf_slice(&nonce)});
    buf_done(&nonce);
    return c;
}

static void begin(struct proof *p, enum sasl_mechanism mechanism)
{
    struct slice name = sasl_mechanism_name(mechanism), initial;
    struct buf response;

    buf_init(&response, CLIENT_RESPONSE_MAX);
    (void)buf_reserve(&response, CLIENT_RESPONSE_MAX); /* what grew would leave copies */
    if (sasl_client_first(p->sasl, &response)) {
        initial = buf_slice(&response);
        client_auth_begin(p->client, name, &initial);
    } else if (sasl_client_trouble(p->sasl) != SASL_NO_TROUBLE) {
        client_auth_stop(p->client, fails, sasl_trouble_text(sasl_client_trouble(p->sasl)));
    } else {
        client_auth_begin(p->client, name, NULL);
    }
    buf_wipe(&response);
}

void proof_begin(struct proof *p, const struct credentials *who, const struct proof_place *place)
{
    unsigned char bytes[TLS_EXPORTER_LEN];
    struct slice binding = SLICE("");
    enum sasl_mechanism mechanism;

    if (place->tls != NULL && tls_exporter(place->tls, bytes))
        binding = (struct slice){(const char *)bytes, sizeof(bytes)};
    if (!choose(who, place, binding, &mechanism)) {
        tell_none(place, client_auth(place->client), who->is_token);
        return;
    }
    p->client = place->client;
    p->worker = place->worker;
    p->sasl = sasl_of(who, place, binding, mechanism);
    begin(p, mechanism);
}

/* ---- challenges ---- */

/* A server that says why it refuses does so in a challenge; then it waits for an answer before it
 * says 535. */
static void stop(struct proof *p)
{
    struct slice why = sasl_trouble_text(sasl_client_trouble(p->sasl));
    struct slice said = sasl_client_server_error(p->sasl);
    struct arena scratch = {0};

    if (said.len > 0)
        why = arena_printf(&scratch, "%.*s: %.*s", SLICE_PRINTF(why), SLICE_PRINTF(said));
    client_auth_stop(p->client, fails, why);
    arena_done(&scratch);
}

static enum worker_next hash(struct worker_job *job)
{
    sasl_client_hash(LIST_ENTRY(job, struct proof, job)->sasl);
    return WORKER_IDLE;
}

/* False: the hash is to be made before. */
static bool respond(struct proof *p, struct slice challenge)
{
    struct buf response;
    enum sasl_client_need need;

    buf_init(&response, CLIENT_RESPONSE_MAX);
    (void)buf_reserve(&response, CLIENT_RESPONSE_MAX);
    need = sasl_client_step(p->sasl, challenge, &response);
    switch (need) {
    case SASL_CLIENT_SEND: client_auth_respond(p->client, buf_slice(&response)); break;
    case SASL_CLIENT_STOPS: stop(p); break;
    case SASL_CLIENT_WANTS_HASH: break;
    }
    buf_wipe(&response);
    return need != SASL_CLIENT_WANTS_HASH;
}

static void hashed(struct worker_job *job)
{
    struct proof *p = LIST_ENTRY(job, struct proof, job);

    (void)respond(p, SLICE(""));
    p->ready(p);
}

static bool take_challenge(struct proof *p, struct slice challenge)
{
    if (respond(p, challenge))
        return true;
    if (p->worker == NULL) {
        sasl_client_hash(p->sasl);
        return respond(p, SLICE(""));
    }
    worker_job_init(&p->job, hash, hashed);
    worker_submit(p->worker, &p->job);
    return false;
}

bool proof_go_on(struct proof *p, void (*ready)(struct proof *p))
{
    const struct client_auth *auth = client_auth(p->client);

    p->ready = ready;
    switch (auth->stage) {
    case CLIENT_AUTH_CHOOSE: break; /* proof_begin() */
    case CLIENT_AUTH_RESPOND: return take_challenge(p, auth->challenge);
    case CLIENT_AUTH_BELIEVE:
        if (sasl_client_finish(p->sasl))
            client_auth_believe(p->client);
        else
            stop(p);
        break;
    }
    return true;
}

void proof_done(struct proof *p)
{
    if (p->sasl != NULL && p->worker != NULL && p->job.run != NULL)
        worker_forget(p->worker, &p->job);
    sasl_client_free(p->sasl);
    *p = (struct proof){0};
}
