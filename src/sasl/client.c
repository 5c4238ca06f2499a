/*
 * client.c - the client's exchange as a whole, and its short mechanisms.
 *
 * Each message is a function that eats a challenge and names the next. All but LOGIN speak first:
 * their first function is run for the initial response, or, when the caller sends none (a token is
 * longer than a command line may be, RFC 4954 4), for the server's empty challenge.
 *
 * PLAIN and LOGIN send a name and a password as the user wrote them: whether the server prepares
 * them is its own affair (RFC 4616 2), and many do not. SCRAM computes with them, so it must.
 */
#include "sasl/client_internal.h"

#include "base/memory.h"
#include "sasl/gs2.h"

#include <assert.h>
#include <openssl/crypto.h>

enum { ERROR_MAX = 1024 };

#define KVSEP "\1"

static enum sasl_client_need stopped(struct sasl_client *c, struct slice challenge,
                                     struct buf *response)
{
    (void)c;
    (void)challenge;
    (void)response;
    return SASL_CLIENT_STOPS;
}

enum sasl_client_need client_stop(struct sasl_client *c, enum sasl_trouble why)
{
    c->trouble = why;
    c->finished = false;
    c->next = stopped;
    return SASL_CLIENT_STOPS;
}

void client_keep_error(struct sasl_client *c, struct slice text)
{
    secret_set(&c->server_error, slice_head(text, ERROR_MAX));
}

static enum sasl_client_need too_many(struct sasl_client *c, struct slice challenge,
                                      struct buf *response)
{
    (void)challenge;
    (void)response;
    return client_stop(c, SASL_TOO_MANY);
}

static bool has_byte_below(struct slice s, char limit)
{
    for (size_t i = 0; i < s.len; i++)
        if (s.data[i] >= 0 && s.data[i] < limit)
            return true;
    return false;
}

/* What was put together is sent when it fits, as the last message of this mechanism. */
static enum sasl_client_need last(struct sasl_client *c, bool fits)
{
    if (!fits)
        return client_stop(c, SASL_BAD_SECRET);
    c->finished = true;
    c->next = too_many;
    return SASL_CLIENT_SEND;
}

static enum sasl_client_need plain(struct sasl_client *c, struct slice challenge,
                                   struct buf *response)
{
    struct slice user = secret_slice(&c->user), password = secret_slice(&c->secret);

    (void)challenge;
    if (user.len == 0 || password.len == 0 || has_byte_below(user, 1) ||
        has_byte_below(password, 1))
        return client_stop(c, SASL_BAD_SECRET);
    return last(c, buf_append_char(response, 0) && buf_append(response, user) &&
                       buf_append_char(response, 0) && buf_append(response, password));
}

static enum sasl_client_need login_password(struct sasl_client *c, struct slice challenge,
                                            struct buf *response)
{
    (void)challenge;
    return last(c, buf_append(response, secret_slice(&c->secret)));
}

/* By their order; what the server calls them differs from one to the next. */
static enum sasl_client_need login(struct sasl_client *c, struct slice challenge,
                                   struct buf *response)
{
    (void)challenge;
    if (c->user.len == 0 || c->secret.len == 0 || !buf_append(response, secret_slice(&c->user)))
        return client_stop(c, SASL_BAD_SECRET);
    c->next = login_password;
    return SASL_CLIENT_SEND;
}

static enum sasl_client_need external(struct sasl_client *c, struct slice challenge,
                                      struct buf *response)
{
    (void)challenge;
    return last(c, buf_append(response, secret_slice(&c->user)));
}

/* A token that is not accepted comes back with JSON that says why, and wants to be answered before
 * the server says 535. */
static enum sasl_client_need token_refused(struct sasl_client *c, struct slice challenge,
                                           struct buf *response)
{
    client_keep_error(c, challenge);
    c->trouble = SASL_SERVER_ERROR;
    c->finished = false;
    c->next = too_many;
    if (c->mechanism == SASL_OAUTHBEARER && !buf_append(response, SLICE(KVSEP)))
        return client_stop(c, SASL_SERVER_ERROR);
    return SASL_CLIENT_SEND;
}

static enum sasl_client_need token_sent(struct sasl_client *c, bool fits)
{
    enum sasl_client_need need = last(c, fits);

    if (need == SASL_CLIENT_SEND)
        c->next = token_refused;
    return need;
}

static bool add_pair(struct buf *out, struct slice name, struct slice value)
{
    return value.len == 0 ||
           (buf_append(out, name) && buf_append(out, value) && buf_append(out, SLICE(KVSEP)));
}

static bool parts_are_clean(const struct sasl_client *c)
{
    return c->secret.len > 0 && !has_byte_below(secret_slice(&c->secret), ' ' + 1) &&
           !has_byte_below(secret_slice(&c->user), ' ') &&
           !has_byte_below(secret_slice(&c->host), ' ' + 1);
}

static enum sasl_client_need xoauth2(struct sasl_client *c, struct slice challenge,
                                     struct buf *response)
{
    (void)challenge;
    if (!parts_are_clean(c) || c->user.len == 0)
        return client_stop(c, SASL_BAD_SECRET);
    return token_sent(c, add_pair(response, SLICE("user="), secret_slice(&c->user)) &&
                             add_pair(response, SLICE("auth=Bearer "), secret_slice(&c->secret)) &&
                             buf_append(response, SLICE(KVSEP)));
}

static enum sasl_client_need oauthbearer(struct sasl_client *c, struct slice challenge,
                                         struct buf *response)
{
    (void)challenge;
    if (!parts_are_clean(c))
        return client_stop(c, SASL_BAD_SECRET);
    return token_sent(
        c, buf_append(response, SLICE("n,")) &&
               (c->user.len == 0 || (buf_append(response, SLICE("a=")) &&
                                     gs2_name_encode(response, secret_slice(&c->user)))) &&
               buf_append(response, SLICE("," KVSEP)) &&
               add_pair(response, SLICE("host="), secret_slice(&c->host)) &&
               (c->port == 0 || buf_printf(response, "port=%u" KVSEP, c->port)) &&
               add_pair(response, SLICE("auth=Bearer "), secret_slice(&c->secret)) &&
               buf_append(response, SLICE(KVSEP)));
}

struct mechanism {
    enum sasl_client_need (*first)(struct sasl_client *c, struct slice challenge,
                                   struct buf *response);
    bool speaks_first;
};

static const struct mechanism mechanisms[SASL_MECHANISM_COUNT] = {
    [SASL_EXTERNAL] = {external,           true },
    [SASL_SCRAM_SHA_256_PLUS] = {client_scram_first, true },
    [SASL_SCRAM_SHA_256] = {client_scram_first, true },
    [SASL_OAUTHBEARER] = {oauthbearer,        true },
    [SASL_XOAUTH2] = {xoauth2,            true },
    [SASL_PLAIN] = {plain,              true },
    [SASL_LOGIN] = {login,              false},
};

struct sasl_client *sasl_client_new(enum sasl_mechanism mechanism,
                                    const struct sasl_client_settings *settings)
{
    struct sasl_client *c = MEMORY_NEW(struct sasl_client);

    c->mechanism = mechanism;
    c->next = mechanisms[mechanism].first;
    secret_set(&c->user, settings->user);
    secret_set(&c->secret, settings->secret);
    secret_set(&c->host, settings->host);
    secret_set(&c->binding, settings->channel_binding);
    secret_set(&c->our_nonce, settings->nonce);
    c->port = settings->port;
    c->plus_offered = settings->plus_offered;
    return c;
}

void sasl_client_free(struct sasl_client *c)
{
    if (c == NULL)
        return;
    struct secret *all[] = {&c->server_error, &c->first_bare, &c->server_first, &c->both_nonces,
                            &c->salt,         &c->prepared,   &c->user,         &c->secret,
                            &c->host,         &c->binding,    &c->our_nonce,    NULL};
    for (struct secret **at = all; *at != NULL; at++)
        secret_wipe(*at);
    OPENSSL_cleanse(c, sizeof(*c));
    memory_free(c);
}

bool sasl_client_first(struct sasl_client *c, struct buf *response)
{
    return mechanisms[c->mechanism].speaks_first &&
           sasl_client_step(c, SLICE(""), response) == SASL_CLIENT_SEND;
}

enum sasl_client_need sasl_client_step(struct sasl_client *c, struct slice challenge,
                                       struct buf *response)
{
    size_t before = buf_len(response);

    enum sasl_client_need need = challenge.len > SASL_MESSAGE_MAX
                                     ? client_stop(c, SASL_BAD_CHALLENGE)
                                     : c->next(c, challenge, response);

    if (need != SASL_CLIENT_SEND)
        buf_truncate(response, before);
    return need;
}

bool sasl_client_finish(struct sasl_client *c)
{
    if (!c->finished && c->trouble == SASL_NO_TROUBLE)
        c->trouble = SASL_FALSE_SERVER;
    return c->finished;
}

enum sasl_trouble sasl_client_trouble(const struct sasl_client *c)
{
    return c->trouble;
}

struct slice sasl_client_server_error(const struct sasl_client *c)
{
    return secret_slice(&c->server_error);
}

struct slice sasl_trouble_text(enum sasl_trouble trouble)
{
    switch (trouble) {
    case SASL_NO_TROUBLE: return SLICE("no trouble");
    case SASL_BAD_CHALLENGE: return SLICE("the server's challenge is malformed");
    case SASL_BAD_SECRET: return SLICE("the user name, password or token cannot be used");
    case SASL_FOREIGN_NONCE: return SLICE("the server answered somebody else's message");
    case SASL_WEAK_HASH: return SLICE("the server wants a hash that is too cheap");
    case SASL_COSTLY_HASH: return SLICE("the server wants a hash that costs too much");
    case SASL_FALSE_SERVER: return SLICE("the server did not prove that it knows the password");
    case SASL_SERVER_ERROR: return SLICE("the server refused");
    case SASL_TOO_MANY: return SLICE("the server asks for more than the mechanism has");
    }
    return SLICE("");
}
