/*
 * server_token.c - bearer tokens: OAUTHBEARER (RFC 7628) and XOAUTH2.
 *
 *     n,a=ann@example.org,^Ahost=mx.example.org^Aport=587^Aauth=Bearer TOKEN^A^A
 *     user=ann@example.org^Aauth=Bearer TOKEN^A^A
 *
 * A token is opaque here; who issued it says whose it is. The host and the port, where the client
 * says that it connected to, are passed over: a server has many names, and what a token is good for
 * is said by who issued it, too. A refused one is answered by JSON in one more challenge, because
 * clients want to learn that they need a new one; whatever they reply (^A, or nothing with
 * XOAUTH2), it ends in failure (RFC 7628 3.2.3).
 */
#include "sasl/gs2.h"
#include "sasl/server_internal.h"
#include "wire/utf8.h"

#define KVSEP '\1'

static enum sasl_need after_refusal(struct sasl_server *s, struct slice response,
                                    struct buf *challenge)
{
    (void)response;
    (void)challenge;
    return server_fail(s, s->failure);
}

static enum sasl_need refuse(struct sasl_server *s, enum sasl_failure why, struct buf *challenge)
{
    struct slice json = s->mechanism == SASL_XOAUTH2
                            ? SLICE("{\"status\":\"401\",\"schemes\":\"bearer\"}")
                            : SLICE("{\"status\":\"invalid_token\"}");

    s->failure = why;
    return server_send(s, challenge, json, after_refusal);
}

static enum sasl_need token_judged(struct sasl_server *s, struct slice response,
                                   struct buf *challenge)
{
    struct slice whose = secret_slice(&s->token_user);

    (void)response;
    if (!s->has_token_user)
        return refuse(s, SASL_BAD_TOKEN, challenge);
    if (s->user.len > 0 && !slice_equal_nocase(secret_slice(&s->user), whose))
        return refuse(s, SASL_OTHER_AUTHZID, challenge);
    /* As the issuer writes it, not as the client does. */
    secret_set(&s->user, whose);
    return SASL_DONE;
}

/* b64token, RFC 6750 2.1 */
static bool is_token_char(char c)
{
    return (c >= '0' && c <= '9') || (byte_lower(c) >= 'a' && byte_lower(c) <= 'z') || c == '-' ||
           c == '.' || c == '_' || c == '~' || c == '+' || c == '/';
}

static bool take_bearer(struct slice value, struct slice *token)
{
    struct cursor c = {value};

    if (!take_word(&c, SLICE("Bearer ")))
        return false;
    *token = c.rest;
    size_t len = take_while(&c, is_token_char).len;
    while (take_char(&c, '='))
        ;
    return len > 0 && cursor_at_end(&c);
}

/* The pairs that are known; others are passed over. */
struct pairs {
    struct slice user, auth;
};

static struct slice *pair_named(struct pairs *p, struct slice key)
{
    return slice_equal(key, SLICE("user"))   ? &p->user
           : slice_equal(key, SLICE("auth")) ? &p->auth
                                             : NULL;
}

static bool value_is_clean(struct slice value)
{
    for (size_t i = 0; i < value.len; i++)
        if (value.data[i] >= 0 && value.data[i] < ' ' && value.data[i] != '\t' &&
            value.data[i] != '\r' && value.data[i] != '\n')
            return false;
    return utf8_valid(value);
}

static bool is_alpha(char c)
{
    return byte_lower(c) >= 'a' && byte_lower(c) <= 'z';
}

/* *(key "=" value KVSEP) KVSEP; a pair that is known comes once at most. */
static bool take_pairs(struct cursor *c, struct pairs *out)
{
    while (!take_char(c, KVSEP)) {
        struct slice key = take_while(c, is_alpha), value;

        if (key.len == 0 || !take_char(c, '=') || !take_until(c, KVSEP, &value) ||
            !take_char(c, KVSEP) || !value_is_clean(value))
            return false;
        struct slice *known = pair_named(out, key);
        if (known != NULL && known->data != NULL)
            return false;
        if (known != NULL)
            *known = value;
    }
    return cursor_at_end(c);
}

static enum sasl_need ask(struct sasl_server *s, struct slice token)
{
    secret_set(&s->secret, token);
    s->next = token_judged;
    return SASL_WANTS_TOKEN;
}

enum sasl_need server_oauthbearer(struct sasl_server *s, struct slice response,
                                  struct buf *challenge)
{
    struct cursor c = {response};
    struct pairs pairs = {0};
    struct slice token;
    struct buf name;
    struct gs2 gs2;

    (void)challenge;
    if (!gs2_take(&c, &gs2) || !take_char(&c, KVSEP) || !take_pairs(&c, &pairs) ||
        !take_bearer(pairs.auth, &token))
        return server_fail(s, SASL_MALFORMED);
    /* There is no OAUTHBEARER-PLUS. */
    if (gs2.binding == GS2_TLS_EXPORTER || gs2.binding == GS2_OTHER)
        return server_fail(s, SASL_BAD_BINDING);
    buf_init(&name, SASL_NAME_MAX);
    bool good = gs2.authzid.len == 0 ||
                (gs2_name_decode(&name, gs2.authzid) && server_take_user(s, buf_slice(&name)));
    buf_done(&name);
    if (!good)
        return server_fail(s, SASL_BAD_NAME);
    return ask(s, token);
}

enum sasl_need server_xoauth2(struct sasl_server *s, struct slice response, struct buf *challenge)
{
    struct cursor c = {response};
    struct pairs pairs = {0};
    struct slice token;

    (void)challenge;
    if (!take_pairs(&c, &pairs) || !take_bearer(pairs.auth, &token))
        return server_fail(s, SASL_MALFORMED);
    if (!server_take_user(s, pairs.user))
        return server_fail(s, SASL_BAD_NAME);
    return ask(s, token);
}
