/*
 * tls.c - OpenSSL over the door to the network.
 *
 * The BIO passes reads and writes on and keeps the errno of the last failure, since OpenSSL would
 * forget it. The end of the connection without a farewell is an end like any other: SMTP itself
 * says where a message ends.
 *
 * Servers: no session is resumed, so there are no tickets that another service could take for its
 * own; and who says by ALPN that it speaks another protocol gets no connection, so that a browser
 * that was led here does not take us for a web server (ALPACA, 2021).
 *
 * Memory: RELEASE_BUFFERS gives back 34 KiB of an idle connection; reading ahead would keep them.
 */
#include "loop/tls.h"

#include "base/fail.h"
#include "base/list.h"
#include "base/memory.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <stdio.h>

enum { PROBLEM_MAX = 160, NAME_MAX_LEN = 255, LEVEL_UNVERIFIED = 1 };

/* Another chain, for who asks for this name. */
struct pair {
    struct list link;
    SSL_CTX *ssl;
    struct slice name; /* in the context's arena */
};

struct tls_context {
    SSL_CTX *ssl;
    BIO_METHOD *method;
    bool server;
    struct list pairs;
    struct arena arena;
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

static SSL_CTX *ssl_new(const SSL_METHOD *method)
{
    SSL_CTX *ssl = SSL_CTX_new(method);

    if (ssl == NULL || !SSL_CTX_set_min_proto_version(ssl, TLS1_2_VERSION)) {
        (void)fail_code(-ENOMEM, "make", SLICE("a TLS context"));
        SSL_CTX_free(ssl);
        return NULL;
    }
    SSL_CTX_set_mode(ssl, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
                              SSL_MODE_RELEASE_BUFFERS);
    SSL_CTX_set_options(ssl, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_NO_TICKET |
                                 SSL_OP_CIPHER_SERVER_PREFERENCE);
    SSL_CTX_set_session_cache_mode(ssl, SSL_SESS_CACHE_OFF);
    return ssl;
}

/* Takes over ssl. */
static struct tls_context *context_new(SSL_CTX *ssl, bool server)
{
    struct tls_context *c;

    if (ssl == NULL)
        return NULL;
    c = MEMORY_NEW(struct tls_context);
    c->ssl = ssl;
    c->server = server;
    list_init(&c->pairs);
    c->method = method_new();
    if (c->method != NULL)
        return c;
    (void)fail_code(-ENOMEM, "make", SLICE("a TLS context"));
    tls_context_free(c);
    return NULL;
}

struct tls_context *tls_context_client(void)
{
    struct tls_context *c = context_new(ssl_new(TLS_client_method()), false);

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

/* Who asks for protocols and not for ours is in the wrong place. */
static int choose_protocol(SSL *ssl, const unsigned char **out, unsigned char *out_len,
                           const unsigned char *asked, unsigned asked_len, void *ctx)
{
    static const unsigned char ours[] = {4, 's', 'm', 't', 'p'};
    unsigned char *chosen;

    (void)ssl, (void)ctx;
    if (SSL_select_next_proto(&chosen, out_len, ours, sizeof(ours), asked, asked_len) !=
        OPENSSL_NPN_NEGOTIATED)
        return SSL_TLSEXT_ERR_ALERT_FATAL;
    *out = chosen;
    return SSL_TLSEXT_ERR_OK;
}

static const char *const no_openssl = "cannot be used: OpenSSL does not work";

static SSL_CTX *ssl_of_pair(struct slice chain, struct slice key, const char **why)
{
    SSL_CTX *ssl = ssl_new(TLS_server_method());

    *why = ssl == NULL ? no_openssl : use_chain(ssl, chain);
    if (*why == NULL)
        *why = use_key(ssl, key);
    ERR_clear_error();
    if (*why != NULL) {
        SSL_CTX_free(ssl);
        return NULL;
    }
    (void)SSL_CTX_set_num_tickets(ssl, 0);
    SSL_CTX_set_alpn_select_cb(ssl, choose_protocol, NULL);
    return ssl;
}

static bool suits(const struct pair *p, struct slice asked)
{
    if (slice_starts(p->name, SLICE("*.")))
        return asked.len >= p->name.len && slice_ends_nocase(asked, slice_skip(p->name, 1));
    return slice_equal_nocase(p->name, asked);
}

/* RFC 6066 3: who asks for a name that we do not know is shown what there is. */
/* NOLINTNEXTLINE(readability-non-const-parameter): OpenSSL's type */
static int choose_pair(SSL *ssl, int *alert, void *ctx)
{
    const struct tls_context *c = ctx;
    const char *asked = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);

    (void)alert;
    if (asked == NULL)
        return SSL_TLSEXT_ERR_NOACK;
    LIST_EACH (node, &c->pairs) {
        const struct pair *p = LIST_ENTRY(node, struct pair, link);

        if (suits(p, slice_of(asked)))
            return SSL_set_SSL_CTX(ssl, p->ssl) == NULL ? SSL_TLSEXT_ERR_ALERT_FATAL
                                                        : SSL_TLSEXT_ERR_OK;
    }
    return SSL_TLSEXT_ERR_NOACK;
}

struct tls_context *tls_context_server(struct slice chain, struct slice key, const char **why)
{
    SSL_CTX *ssl = ssl_of_pair(chain, key, why);
    struct tls_context *c = context_new(ssl, true);

    if (ssl != NULL && c == NULL)
        *why = no_openssl;
    if (c == NULL)
        return NULL;
    (void)SSL_CTX_set_tlsext_servername_callback(c->ssl, choose_pair);
    (void)SSL_CTX_set_tlsext_servername_arg(c->ssl, c);
    return c;
}

bool tls_context_add(struct tls_context *context, struct slice name, struct slice chain,
                     struct slice key, const char **why)
{
    SSL_CTX *ssl = ssl_of_pair(chain, key, why);
    struct pair *p;

    if (ssl == NULL)
        return false;
    p = ARENA_NEW(&context->arena, struct pair);
    p->ssl = ssl;
    p->name = arena_copy(&context->arena, name);
    list_append(&context->pairs, &p->link);
    return true;
}

const char *tls_chain_fault(struct slice chain)
{
    SSL_CTX *ssl = ssl_new(TLS_server_method());
    const char *why = ssl == NULL ? no_openssl : use_chain(ssl, chain);

    ERR_clear_error();
    SSL_CTX_free(ssl);
    return why;
}

const char *tls_key_fault(struct slice chain, struct slice key)
{
    const char *why;

    SSL_CTX_free(ssl_of_pair(chain, key, &why));
    return why;
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
    LIST_EACH (node, &context->pairs)
        SSL_CTX_free(LIST_ENTRY(node, struct pair, link)->ssl);
    SSL_CTX_free(context->ssl);
    BIO_meth_free(context->method);
    arena_done(&context->arena);
    memory_free(context);
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

unsigned tls_bits(const struct tls *t, unsigned *all)
{
    int of_cipher = 0, secret = SSL_get_cipher_bits(t->ssl, &of_cipher);

    *all = (unsigned)of_cipher;
    return (unsigned)secret;
}

bool tls_certificate(const struct tls *t, struct slice host, struct arena *arena,
                     struct tls_peer *out)
{
    bool found = tls_peer_read(t->ssl, host, arena, out);

    ERR_clear_error(); /* a name that cannot be read is no failure of the connection */
    return found;
}
