/*
 * server.c - the exchange as a whole, and the mechanisms that are one or two messages long.
 *
 * Every mechanism is a chain of functions: each eats one response (or the caller's answer) and
 * names the next. A response is parsed whole before anything of it is believed; what does not fit
 * the grammar ends the exchange.
 *
 * Whether a user exists is decided by the caller, at a need. Nothing here is quicker or slower for
 * one that does not: PLAIN and LOGIN hand the password on either way (sasl/password.h says what to
 * do with it), SCRAM goes on with fakes (server_scram.c).
 */
#include "sasl/server_internal.h"

#include "base/cursor.h"
#include "base/memory.h"
#include "sasl/gs2.h"
#include "sasl/prep.h"
#include "wire/utf8.h"

#include <assert.h>
#include <openssl/crypto.h>

enum sasl_need server_fail(struct sasl_server *s, enum sasl_failure why)
{
    s->failure = why;
    secret_wipe(&s->secret);
    return SASL_FAILED;
}

enum sasl_need server_send(struct sasl_server *s, struct buf *challenge, struct slice text,
                           enum sasl_need (*next)(struct sasl_server *s, struct slice response,
                                                  struct buf *challenge))
{
    bool fits = buf_append(challenge, text);

    assert(fits);
    s->next = next;
    return SASL_SEND;
}

bool server_take_user(struct sasl_server *s, struct slice name)
{
    return sasl_prep(name, PREP_QUERY, &s->user);
}

/* Case does not matter: whoever it is that gets in, it is `user`, who has proved it. */
bool server_authzid_is(struct slice authzid, struct slice user)
{
    struct secret prepared = {0};

    if (authzid.len == 0)
        return true;
    bool same = sasl_prep(authzid, PREP_QUERY, &prepared) &&
                slice_equal_nocase(secret_slice(&prepared), user);
    secret_wipe(&prepared);
    return same;
}

bool server_gs2_authzid_is(struct slice written, struct slice user)
{
    struct buf name;

    buf_init(&name, SASL_NAME_MAX);
    bool same = gs2_name_decode(&name, written) && server_authzid_is(buf_slice(&name), user);
    buf_done(&name);
    return same;
}

static enum sasl_need password_judged(struct sasl_server *s, struct slice response,
                                      struct buf *challenge)
{
    (void)response;
    (void)challenge;
    return s->good ? SASL_DONE : server_fail(s, SASL_BAD_PASSWORD);
}

/* SASLprep only looks at it here: who compares it does both forms. */
static enum sasl_need take_password(struct sasl_server *s, struct slice password)
{
    struct secret prepared = {0};

    bool good = password.len <= SASL_PASSWORD_MAX && sasl_prep(password, PREP_QUERY, &prepared);
    secret_wipe(&prepared);
    if (!good)
        return server_fail(s, SASL_MALFORMED);
    secret_set(&s->secret, password);
    s->next = password_judged;
    return SASL_WANTS_PASSWORD;
}

/* [authzid] NUL authcid NUL passwd, RFC 4616 2 */
static enum sasl_need plain(struct sasl_server *s, struct slice response, struct buf *challenge)
{
    struct slice authzid, authcid, password;

    (void)challenge;
    if (!slice_cut(response, 0, &authzid, &password) ||
        !slice_cut(password, 0, &authcid, &password) || !utf8_valid(response))
        return server_fail(s, SASL_MALFORMED);
    if (!server_take_user(s, authcid))
        return server_fail(s, SASL_BAD_NAME);
    if (!server_authzid_is(authzid, secret_slice(&s->user)))
        return server_fail(s, SASL_OTHER_AUTHZID);
    return take_password(s, password);
}

static enum sasl_need login_password(struct sasl_server *s, struct slice response,
                                     struct buf *challenge)
{
    (void)challenge;
    return take_password(s, response);
}

/* The name comes with AUTH or on a line of its own; an empty one with AUTH is none. */
static enum sasl_need login(struct sasl_server *s, struct slice response, struct buf *challenge)
{
    if (!server_take_user(s, response))
        return server_fail(s, SASL_BAD_NAME);
    return server_send(s, challenge, SLICE("Password:"), login_password);
}

/* RFC 4422 appendix A: the response is the authorization identity or empty. */
static enum sasl_need external(struct sasl_server *s, struct slice response, struct buf *challenge)
{
    (void)challenge;
    if (s->certificate_user.len == 0)
        return server_fail(s, SASL_NO_CERTIFICATE);
    if (!server_take_user(s, secret_slice(&s->certificate_user)))
        return server_fail(s, SASL_BAD_NAME);
    if (!server_authzid_is(response, secret_slice(&s->user)))
        return server_fail(s, SASL_OTHER_AUTHZID);
    return SASL_DONE;
}

struct mechanism {
    struct slice prompt; /* the challenge when there was no initial response */
    enum sasl_need (*first)(struct sasl_server *s, struct slice response, struct buf *challenge);
};

static const struct mechanism mechanisms[SASL_MECHANISM_COUNT] = {
    [SASL_EXTERNAL] = {SLICE_INIT(""),          external          },
    [SASL_SCRAM_SHA_256_PLUS] = {SLICE_INIT(""),          server_scram_first},
    [SASL_SCRAM_SHA_256] = {SLICE_INIT(""),          server_scram_first},
    [SASL_OAUTHBEARER] = {SLICE_INIT(""),          server_oauthbearer},
    [SASL_XOAUTH2] = {SLICE_INIT(""),          server_xoauth2    },
    [SASL_PLAIN] = {SLICE_INIT(""),          plain             },
    [SASL_LOGIN] = {SLICE_INIT("Username:"), login             },
};

static bool nonce_is_good(struct slice nonce)
{
    for (size_t i = 0; i < nonce.len; i++)
        if (nonce.data[i] <= ' ' || nonce.data[i] > '~' || nonce.data[i] == ',')
            return false;
    return nonce.len >= SASL_NONCE_MIN && nonce.len <= SASL_NONCE_MAX;
}

struct sasl_server *sasl_server_new(enum sasl_mechanism mechanism,
                                    const struct sasl_server_settings *settings)
{
    struct sasl_server *s = MEMORY_NEW(struct sasl_server);
    bool scram = mechanism == SASL_SCRAM_SHA_256 || mechanism == SASL_SCRAM_SHA_256_PLUS;

    assert(!scram || nonce_is_good(settings->nonce));
    s->mechanism = mechanism;
    s->next = mechanisms[mechanism].first;
    secret_set(&s->binding, settings->channel_binding);
    secret_set(&s->certificate_user, settings->certificate_user);
    secret_set(&s->our_nonce, settings->nonce);
    secret_set(&s->fake_secret, settings->fake_secret);
    s->plus_offered = settings->plus_offered;
    s->fake_iterations =
        settings->fake_iterations == 0 ? SCRAM_ITERATIONS_MIN : settings->fake_iterations;
    return s;
}

void sasl_server_free(struct sasl_server *s)
{
    if (s == NULL)
        return;
    struct secret *all[] = {&s->user,
                            &s->secret,
                            &s->token_user,
                            &s->scram.gs2,
                            &s->scram.nonce,
                            &s->scram.said,
                            &s->binding,
                            &s->certificate_user,
                            &s->our_nonce,
                            &s->fake_secret,
                            NULL};
    for (struct secret **at = all; *at != NULL; at++)
        secret_wipe(*at);
    OPENSSL_cleanse(s, sizeof(*s));
    memory_free(s);
}

enum sasl_need sasl_server_begin(struct sasl_server *s, struct buf *challenge)
{
    const struct mechanism *m = &mechanisms[s->mechanism];

    s->need = server_send(s, challenge, m->prompt, m->first);
    return s->need;
}

enum sasl_need sasl_server_step(struct sasl_server *s, struct slice response, struct buf *challenge)
{
    if (s->need == SASL_DONE || s->need == SASL_FAILED)
        return s->need;
    assert(s->need == SASL_SEND); /* a need is answered before the next step */
    s->need = response.len > SASL_MESSAGE_MAX ? server_fail(s, SASL_MALFORMED)
                                              : s->next(s, response, challenge);
    return s->need;
}

void sasl_server_password(struct sasl_server *s, bool good)
{
    assert(s->need == SASL_WANTS_PASSWORD);
    s->good = good;
    secret_wipe(&s->secret);
    s->need = SASL_SEND;
}

/* The fakes are made for known users, too: both ways through here take as long. */
void sasl_server_keys(struct sasl_server *s, const struct scram_keys *keys)
{
    assert(s->need == SASL_WANTS_KEYS);
    scram_keys_fake(secret_slice(&s->fake_secret), secret_slice(&s->user), s->fake_iterations,
                    &s->scram.keys);
    s->scram.known = keys != NULL;
    if (keys != NULL)
        s->scram.keys = *keys;
    s->need = SASL_SEND;
}

void sasl_server_token(struct sasl_server *s, const struct slice *user)
{
    assert(s->need == SASL_WANTS_TOKEN);
    s->has_token_user = user != NULL && sasl_prep(*user, PREP_QUERY, &s->token_user);
    secret_wipe(&s->secret);
    s->need = SASL_SEND;
}

struct slice sasl_server_user(const struct sasl_server *s)
{
    return secret_slice(&s->user);
}

struct slice sasl_server_secret(const struct sasl_server *s)
{
    return secret_slice(&s->secret);
}

enum sasl_failure sasl_server_failure(const struct sasl_server *s)
{
    return s->failure;
}

struct slice sasl_failure_text(enum sasl_failure failure)
{
    switch (failure) {
    case SASL_NO_FAILURE: return SLICE("no failure");
    case SASL_MALFORMED: return SLICE("malformed response");
    case SASL_BAD_NAME: return SLICE("user name empty, too long or with forbidden characters");
    case SASL_BAD_PASSWORD: return SLICE("wrong user or password");
    case SASL_UNKNOWN_USER: return SLICE("unknown user");
    case SASL_BAD_PROOF: return SLICE("wrong password");
    case SASL_BAD_NONCE: return SLICE("answer to another challenge");
    case SASL_BAD_BINDING: return SLICE("not bound to this TLS connection");
    case SASL_DOWNGRADED: return SLICE("the client was not shown SCRAM-SHA-256-PLUS");
    case SASL_OTHER_AUTHZID: return SLICE("may not act for another user");
    case SASL_BAD_TOKEN: return SLICE("token not accepted");
    case SASL_NO_CERTIFICATE: return SLICE("no client certificate of a user");
    }
    return SLICE("");
}
