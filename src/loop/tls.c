/*
 * tls.c - OpenSSL over the door to the network.
 *
 * The BIO passes reads and writes on and keeps the errno of the last failure, since OpenSSL would
 * forget it. The end of the connection without a farewell is an end like any other: SMTP itself
 * says where a message ends.
 *
 * Memory: RELEASE_BUFFERS gives back 34 KiB of an idle connection; reading ahead would keep them.
 */
#include "loop/tls.h"

#include "base/fail.h"
#include "base/memory.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <stdio.h>

enum { PROBLEM_MAX = 160, NAME_MAX_LEN = 255, LEVEL_UNVERIFIED = 1 };

struct tls_context {
    SSL_CTX *ssl;
    BIO_METHOD *method;
    bool server;
};

struct tls {
    SSL *ssl;
    struct net *net;
    int handle;
    int code; /* of the network's last failure, or 0 */
    bool ended;
    unsigned wants;
    char problem[PROBLEM_MAX];
    size_t problem_len;
};

/* --- the BIO --- */

static int net_read(BIO *bio, char *out, int len)
{
    struct tls *t = BIO_get_data(bio);
    int64_t count = t->net->ops->read(t->net, t->handle, out, (size_t)len);

    BIO_clear_retry_flags(bio);
    if (count == -EAGAIN) {
        BIO_set_retry_read(bio);
        return -1;
    }
    t->code = count < 0 ? (int)count : 0;
    t->ended = count == 0;
    return count < 0 ? -1 : (int)count;
}

static int net_write(BIO *bio, const char *bytes, int len)
{
    struct tls *t = BIO_get_data(bio);
    struct iovec part = {(void *)(uintptr_t)bytes, (size_t)len};
    int64_t count = t->net->ops->write(t->net, t->handle, &part, 1);

    BIO_clear_retry_flags(bio);
    if (count == -EAGAIN) {
        BIO_set_retry_write(bio);
        return -1;
    }
    t->code = count < 0 ? (int)count : 0;
    return count < 0 ? -1 : (int)count;
}

static long net_control(BIO *bio, int command, long number, void *pointer)
{
    (void)bio, (void)number, (void)pointer;
    return command == BIO_CTRL_FLUSH;
}

static BIO_METHOD *method_new(void)
{
    BIO_METHOD *m = BIO_meth_new(BIO_TYPE_SOURCE_SINK, "net");

    if (m == NULL || !BIO_meth_set_read(m, net_read) || !BIO_meth_set_write(m, net_write) ||
        !BIO_meth_set_ctrl(m, net_control)) {
        BIO_meth_free(m);
        return NULL;
    }
    return m;
}

/* --- contexts --- */

static struct tls_context *context_new(const SSL_METHOD *method, bool server)
{
    struct tls_context *c = MEMORY_NEW(struct tls_context);

    c->server = server;
    c->ssl = SSL_CTX_new(method);
    c->method = method_new();
    if (c->ssl == NULL || c->method == NULL ||
        !SSL_CTX_set_min_proto_version(c->ssl, TLS1_2_VERSION)) {
        (void)fail_code(-ENOMEM, "make", SLICE("a TLS context"));
        tls_context_free(c);
        return NULL;
    }
    SSL_CTX_set_mode(c->ssl, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
                                 SSL_MODE_RELEASE_BUFFERS);
    SSL_CTX_set_options(c->ssl, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_NO_TICKET |
                                    SSL_OP_CIPHER_SERVER_PREFERENCE);
    SSL_CTX_set_session_cache_mode(c->ssl, SSL_SESS_CACHE_OFF);
    return c;
}

struct tls_context *tls_context_client(void)
{
    struct tls_context *c = context_new(TLS_client_method(), false);

    if (c == NULL)
        return NULL;
    /* Encryption without verifying competes with no encryption at all: old servers are welcome. */
    SSL_CTX_set_security_level(c->ssl, LEVEL_UNVERIFIED);
    SSL_CTX_set_verify(c->ssl, SSL_VERIFY_NONE, NULL);
    return c;
}

/* The rest of the chain, as far as it can be read. */
static bool add_chain(SSL_CTX *ssl, BIO *pem)
{
    X509 *next;

    while ((next = PEM_read_bio_X509(pem, NULL, NULL, NULL)) != NULL) {
        if (!SSL_CTX_add0_chain_cert(ssl, next)) {
            X509_free(next);
            return false;
        }
    }
    ERR_clear_error(); /* the end of the text is told as an error */
    return true;
}

static const char *use_chain(SSL_CTX *ssl, struct slice chain)
{
    BIO *pem = BIO_new_mem_buf(chain.data, (int)chain.len);
    X509 *own = pem == NULL ? NULL : PEM_read_bio_X509(pem, NULL, NULL, NULL);
    const char *why = NULL;

    if (own == NULL)
        why = "holds no certificate in PEM form";
    else if (SSL_CTX_use_certificate(ssl, own) != 1)
        why = "begins with a certificate that cannot be used (too weak a key or signature?)";
    else if (!add_chain(ssl, pem))
        why = "holds a chain that cannot be used";
    X509_free(own);
    BIO_free(pem);
    return why;
}

static const char *use_key(SSL_CTX *ssl, struct slice key)
{
    BIO *pem = BIO_new_mem_buf(key.data, (int)key.len);
    char no_password[] = ""; /* without one, OpenSSL would ask at the terminal */
    EVP_PKEY *own = pem == NULL ? NULL : PEM_read_bio_PrivateKey(pem, NULL, NULL, no_password);
    const char *why = NULL;

    if (own == NULL)
        why = "holds no private key in PEM form without a password";
    else if (SSL_CTX_use_PrivateKey(ssl, own) != 1)
        why = "does not belong to the certificate";
    EVP_PKEY_free(own);
    BIO_free(pem);
    return why;
}

struct tls_context *tls_context_server(struct slice chain, struct slice key, const char **why)
{
    struct tls_context *c = context_new(TLS_server_method(), true);

    *why = c == NULL ? "cannot be used: OpenSSL does not work" : use_chain(c->ssl, chain);
    if (*why == NULL)
        *why = use_key(c->ssl, key);
    ERR_clear_error();
    if (*why == NULL)
        return c;
    tls_context_free(c);
    return NULL;
}

void tls_context_trust_system(struct tls_context *context)
{
    /* A machine without them trusts nobody, which the verdicts say. */
    if (SSL_CTX_set_default_verify_paths(context->ssl) != 1)
        ERR_clear_error();
}

void tls_context_free(struct tls_context *context)
{
    if (context == NULL)
        return;
    SSL_CTX_free(context->ssl);
    BIO_meth_free(context->method);
    memory_free(context);
}

bool tls_context_is_server(const struct tls_context *context)
{
    return context->server;
}

/* --- connections --- */

static bool aim(struct tls *t, const struct tls_context *context, struct slice name)
{
    char text[NAME_MAX_LEN + 1];
    int len = snprintf(text, sizeof(text), "%.*s", SLICE_PRINTF(slice_head(name, NAME_MAX_LEN)));
    BIO *bio = BIO_new(context->method);

    if (bio == NULL)
        return false;
    BIO_set_data(bio, t);
    BIO_set_init(bio, 1);
    SSL_set_bio(t->ssl, bio, bio);
    if (context->server)
        SSL_set_accept_state(t->ssl);
    else
        SSL_set_connect_state(t->ssl);
    return context->server || len == 0 || SSL_set_tlsext_host_name(t->ssl, text) == 1;
}

struct tls *tls_new(struct tls_context *context, struct net *net, int handle, struct slice name)
{
    struct tls *t = MEMORY_NEW(struct tls);

    t->net = net;
    t->handle = handle;
    t->ssl = SSL_new(context->ssl);
    if (t->ssl == NULL || !aim(t, context, name)) {
        tls_free(t);
        return NULL;
    }
    return t;
}

void tls_free(struct tls *t)
{
    if (t == NULL)
        return;
    SSL_free(t->ssl);
    memory_free(t);
}

static void note_problem(struct tls *t)
{
    const char *reason = ERR_reason_error_string(ERR_peek_last_error());
    int len = snprintf(t->problem, sizeof(t->problem), "%s", reason == NULL ? "" : reason);

    t->problem_len = len < 0                            ? 0
                     : (size_t)len < sizeof(t->problem) ? (size_t)len
                                                        : sizeof(t->problem) - 1;
}

/* What a call that returned no success means. */
static int verdict_of(struct tls *t, int returned)
{
    switch (SSL_get_error(t->ssl, returned)) {
    case SSL_ERROR_WANT_READ: t->wants = NET_READABLE; return -EAGAIN;
    case SSL_ERROR_WANT_WRITE: t->wants = NET_WRITABLE; return -EAGAIN;
    case SSL_ERROR_ZERO_RETURN: t->ended = true; return 0;
    default: break;
    }
    if (t->ended)
        return 0;
    if (t->code < 0)
        return t->code;
    note_problem(t);
    return -EPROTO;
}

int tls_handshake(struct tls *t)
{
    ERR_clear_error();
    int got = SSL_do_handshake(t->ssl);
    if (got == 1)
        return 0;
    int code = verdict_of(t, got);
    return code == 0 ? -ECONNRESET : code;
}

int64_t tls_read(struct tls *t, void *out, size_t len)
{
    size_t count;

    ERR_clear_error();
    int got = SSL_read_ex(t->ssl, out, len, &count);
    return got == 1 ? (int64_t)count : verdict_of(t, got);
}

int64_t tls_write(struct tls *t, const void *bytes, size_t len)
{
    size_t count;

    ERR_clear_error();
    int got = SSL_write_ex(t->ssl, bytes, len, &count);
    if (got == 1)
        return (int64_t)count;
    int code = verdict_of(t, got);
    return code == 0 ? -EPIPE : code;
}

unsigned tls_wants(const struct tls *t)
{
    return t->wants;
}

bool tls_has_more(const struct tls *t)
{
    return SSL_has_pending(t->ssl) == 1;
}

void tls_finish(struct tls *t)
{
    ERR_clear_error();
    (void)SSL_shutdown(t->ssl);
}

struct slice tls_problem(const struct tls *t)
{
    return (struct slice){t->problem, t->problem_len};
}

struct slice tls_version(const struct tls *t)
{
    return slice_of(SSL_get_version(t->ssl));
}

struct slice tls_cipher(const struct tls *t)
{
    return slice_of(SSL_get_cipher_name(t->ssl));
}

bool tls_certificate(const struct tls *t, struct slice host, struct arena *arena,
                     struct tls_peer *out)
{
    bool found = tls_peer_read(t->ssl, host, arena, out);

    ERR_clear_error(); /* a name that cannot be read is no failure of the connection */
    return found;
}
