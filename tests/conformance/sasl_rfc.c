/*
 * sasl_rfc.c - whole exchanges as the RFCs print them, played from both sides.
 *
 * Mechanisms that are not offered (decision 18) are skipped. RFC 4616's second example, which acts
 * for somebody else, must be understood and refused.
 */
#include "suite.h"

#include "base/codec.h"
#include "base/cursor.h"
#include "sasl/client.h"
#include "sasl/server.h"

/* What follows "KEY=" in a message of SCRAM, up to the comma. */
static struct slice attribute(struct slice message, char key)
{
    struct slice part;

    for (bool more = true; more;) {
        more = slice_cut(message, ',', &part, &message);
        part = more ? part : message;
        if (part.len > 2 && part.data[0] == key && part.data[1] == '=')
            return slice_skip(part, 2);
    }
    return SLICE("");
}

struct exchange {
    struct slice user, password, client_first, server_first, client_final, server_final;
    struct slice client_nonce, server_nonce;
};

static struct exchange exchange_of(struct arena *arena, const json_t *test)
{
    struct exchange e = {
        .user = suite_bytes(arena, test, "user"),
        .password = suite_bytes(arena, test, "password"),
        .client_first = suite_bytes(arena, test, "client_first"),
        .server_first = suite_bytes(arena, test, "server_first"),
        .client_final = suite_bytes(arena, test, "client_final"),
        .server_final = suite_bytes(arena, test, "server_final"),
    };

    e.client_nonce = attribute(e.client_first, 'r');
    e.server_nonce = slice_skip(attribute(e.server_first, 'r'), e.client_nonce.len);
    return e;
}

static bool said(struct buf *out, struct slice want)
{
    bool same = slice_equal(buf_slice(out), want);

    buf_clear(out);
    return same;
}

static bool keys_of(const struct exchange *e, struct scram_keys *keys)
{
    struct cursor iterations = {attribute(e->server_first, 'i')};
    struct buf salt;
    uint64_t n;

    buf_init(&salt, SCRAM_SALT_MAX);
    bool good = take_number(&iterations, &n) &&
                base64_decode(&salt, attribute(e->server_first, 's')) &&
                scram_keys_make(e->password, buf_slice(&salt), (unsigned)n, keys);
    buf_done(&salt);
    return good;
}

static bool server_plays(const struct exchange *e)
{
    struct sasl_server_settings settings = {.nonce = e->server_nonce};
    struct sasl_server *s = sasl_server_new(SASL_SCRAM_SHA_256, &settings);
    struct scram_keys keys;
    struct buf out;

    buf_init(&out, SASL_MESSAGE_MAX);
    bool good = sasl_server_step(s, e->client_first, &out) == SASL_WANTS_KEYS &&
                slice_equal(sasl_server_user(s), e->user) && keys_of(e, &keys);
    if (good)
        sasl_server_keys(s, &keys);
    good = good && sasl_server_step(s, SLICE(""), &out) == SASL_SEND &&
           said(&out, e->server_first) && sasl_server_step(s, e->client_final, &out) == SASL_SEND &&
           said(&out, e->server_final) && sasl_server_step(s, SLICE(""), &out) == SASL_DONE;
    sasl_server_free(s);
    buf_done(&out);
    return good;
}

static bool client_plays(const struct exchange *e)
{
    struct sasl_client_settings settings = {
        .user = e->user, .secret = e->password, .nonce = e->client_nonce};
    struct sasl_client *c = sasl_client_new(SASL_SCRAM_SHA_256, &settings);
    struct buf out;

    buf_init(&out, SASL_MESSAGE_MAX);
    bool good = sasl_client_first(c, &out) && said(&out, e->client_first) &&
                sasl_client_step(c, e->server_first, &out) == SASL_CLIENT_WANTS_HASH;
    if (good)
        sasl_client_hash(c);
    good = good && sasl_client_step(c, SLICE(""), &out) == SASL_CLIENT_SEND &&
           said(&out, e->client_final) &&
           sasl_client_step(c, e->server_final, &out) == SASL_CLIENT_SEND && sasl_client_finish(c);
    sasl_client_free(c);
    buf_done(&out);
    return good;
}

static void run_scram(struct arena *arena, struct slice name, const json_t *test)
{
    struct exchange e = exchange_of(arena, test);

    if (!server_plays(&e))
        suite_fail(name, "the server's side says something else");
    else if (!client_plays(&e))
        suite_fail(name, "the client's side says something else");
    else
        suite_pass(name);
}

static bool plain_server(struct slice message, struct slice authzid, struct slice user,
                         struct slice password)
{
    struct sasl_server *s = sasl_server_new(SASL_PLAIN, &(struct sasl_server_settings){0});
    struct buf out;

    buf_init(&out, SASL_MESSAGE_MAX);
    enum sasl_need need = sasl_server_step(s, message, &out);
    bool good = slice_equal(sasl_server_user(s), user) &&
                (authzid.len > 0
                     ? sasl_server_failure(s) == SASL_OTHER_AUTHZID
                     : need == SASL_WANTS_PASSWORD && slice_equal(sasl_server_secret(s), password));
    sasl_server_free(s);
    buf_done(&out);
    return good;
}

static bool plain_client(struct slice message, struct slice user, struct slice password)
{
    struct sasl_client_settings settings = {.user = user, .secret = password};
    struct sasl_client *c = sasl_client_new(SASL_PLAIN, &settings);
    struct buf out;

    buf_init(&out, SASL_MESSAGE_MAX);
    bool good = sasl_client_first(c, &out) && said(&out, message) && sasl_client_finish(c);
    sasl_client_free(c);
    buf_done(&out);
    return good;
}

static void run_plain(struct arena *arena, struct slice name, const json_t *test)
{
    struct slice message = suite_bytes(arena, test, "message"), authzid, user, password;
    struct buf decoded;

    buf_init(&decoded, SASL_MESSAGE_MAX);
    bool same = base64_decode(&decoded, suite_bytes(arena, test, "base64")) &&
                slice_equal(buf_slice(&decoded), message);
    buf_done(&decoded);
    if (!same || !slice_cut(message, 0, &authzid, &password) ||
        !slice_cut(password, 0, &user, &password))
        suite_fail(name, "the message is not in its base64");
    else if (!plain_server(message, authzid, user, password))
        suite_fail(name, "the server's side reads something else");
    else if (authzid.len == 0 && !plain_client(message, user, password))
        suite_fail(name, "the client's side says something else");
    else
        suite_pass(name);
}

static void run_case(const json_t *test)
{
    struct arena arena = {0};
    struct slice mech = suite_text(test, "mech"), source = suite_text(test, "source");
    struct slice name = arena_printf(&arena, "%.*s %.*s", SLICE_PRINTF(mech), SLICE_PRINTF(source));
    enum sasl_mechanism mechanism;

    if (!sasl_mechanism_parse(mech, &mechanism))
        suite_skip(name, "not offered");
    else if (mechanism == SASL_PLAIN)
        run_plain(&arena, name, test);
    else
        run_scram(&arena, name, test);
    arena_done(&arena);
}

int main(int argc, char **argv)
{
    json_t *tests = suite_load(argc > 1 ? argv[1] : ".", "vectors.json"), *test;
    size_t i;

    json_array_foreach(tests, i, test) run_case(test);
    json_decref(tests);
    return 0;
}
