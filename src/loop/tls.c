/*
 * tls.c - OpenSSL over the door to the network.
 *
 * The BIO passes reads and writes on and keeps the errno of the last failure, since OpenSSL would
 * forget it. The end of the connection without a farewell is an end like any other: SMTP itself
 * says where a message ends.
 *
 * Memory: RELEASE_BUFFERS gives back 34 KiB of an idle connection; reading ahead would keep them.
 */
#include "loop/tls_internal.h"

#include "base/buf.h"
#include "base/fail.h"
#include "base/memory.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <stdio.h>

enum {
    READS_MAX = 4, /* of the network in one call */
    PROBLEM_MAX = 160,
    NAME_MAX_LEN = 255,
    PLACE_MAX = NAME_MAX_LEN + 2 * 16 + 2,
};

/* Where a session may be resumed, and how old what we know of the certificate is. */
struct memory {
    uint64_t began_ms, seen_ms;
    bool tried;
    struct buf place;
};

struct tls {
    SSL *ssl;
    struct tls_context *context;
    struct net *net;
    int handle;
    int code; /* of the network's last failure, or 0 */
    bool ended;
    unsigned reads; /* of the network, in this call */
    unsigned wants;
    struct memory *memory; /* NULL: no sessions are kept */
    char problem[PROBLEM_MAX];
    size_t problem_len;
};

/* --- the BIO --- */

/* OpenSSL reads on until there is something for us. A peer that sends nothing but new keys would
 * never let it return: then the rest waits in the network for the next round. */
static int64_t read_some(struct tls *t, char *out, int len)
{
    if (t->reads++ >= READS_MAX)
        return -EAGAIN;
    return t->net->ops->read(t->net, t->handle, out, (size_t)len);
}

static int net_read(BIO *bio, char *out, int len)
{
    struct tls *t = BIO_get_data(bio);
    int64_t count = read_some(t, out, len);

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

BIO_METHOD *tls_bio_method(void)
{
    BIO_METHOD *m = BIO_meth_new(BIO_TYPE_SOURCE_SINK, "net");

    if (m == NULL || !BIO_meth_set_read(m, net_read) || !BIO_meth_set_write(m, net_write) ||
        !BIO_meth_set_ctrl(m, net_control)) {
        BIO_meth_free(m);
        return NULL;
    }
    return m;
}

/* --- connections --- */

struct tls_context *tls_context_of(const SSL *ssl)
{
    const struct tls *t = SSL_get_app_data(ssl);

    return t->context;
}

static bool is_ip(const char *name)
{
    ASN1_OCTET_STRING *ip = a2i_IPADDRESS(name);

    ASN1_OCTET_STRING_free(ip);
    return ip != NULL;
}

/* Whose certificate is wanted: RFC 6125, names of subjectAltName only. Without a name nobody's
 * will do. */
static bool expect_name(SSL *ssl, const char *name)
{

    SSL_set_hostflags(ssl,
                      X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS | X509_CHECK_FLAG_NEVER_CHECK_SUBJECT);
    if (is_ip(name))
        return X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), name) == 1;
    return SSL_set1_host(ssl, name[0] == '\0' ? "nobody.invalid" : name) == 1;
}

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
    SSL_set_app_data(t->ssl, t);
    if (context->server)
        SSL_set_accept_state(t->ssl);
    else
        SSL_set_connect_state(t->ssl);
    if (context->looks && !expect_name(t->ssl, text))
        return false;
    /* RFC 6066 3: an address is no name to ask for. */
    return context->server || len == 0 || is_ip(text) ||
           SSL_set_tlsext_host_name(t->ssl, text) == 1;
}

struct tls *tls_new(struct tls_context *context, struct net *net, int handle, struct slice name)
{
    struct tls *t = MEMORY_NEW(struct tls);

    tls_context_load_trust(context);
    t->context = context;
    context->users++;
    t->net = net;
    t->handle = handle;
    t->ssl = SSL_new(context->ssl);
    if (t->ssl == NULL || !aim(t, context, name)) {
        tls_free(t);
        return NULL;
    }
    return t;
}

/* Who came to nothing with one session gets on with no other. */
static void forget_place(struct tls *t)
{
    struct memory *m = t->memory;

    if (m == NULL)
        return;
    if (m->tried && !SSL_is_init_finished(t->ssl))
        tls_sessions_forget(&t->context->sessions, buf_slice(&m->place));
    /* Else a session would be lost with a connection that ends without a farewell. */
    SSL_set_shutdown(t->ssl, SSL_SENT_SHUTDOWN);
    buf_done(&m->place);
    memory_free(m);
}

void tls_free(struct tls *t)
{
    if (t == NULL)
        return;
    forget_place(t);
    SSL_free(t->ssl);
    tls_context_free(t->context);
    memory_free(t);
}

static void note_problem(struct tls *t)
{
    unsigned long error = ERR_peek_last_error();
    const char *reason = ERR_reason_error_string(error), *about = "";

    if (ERR_GET_REASON(error) == SSL_R_CERTIFICATE_VERIFY_FAILED) {
        about = "the certificate cannot be trusted: ";
        reason = X509_verify_cert_error_string(SSL_get_verify_result(t->ssl));
    }
    int len = snprintf(t->problem, sizeof(t->problem), "%s%s", about, reason == NULL ? "" : reason);

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

/* --- sessions --- */

int tls_keep_session(SSL *ssl, SSL_SESSION *session)
{
    struct tls *t = SSL_get_app_data(ssl);
    struct memory *m = t->memory;

    if (m == NULL || SSL_SESSION_is_resumable(session) != 1)
        return 0;
    tls_sessions_put(&t->context->sessions, buf_slice(&m->place), session,
                     SSL_session_reused(ssl) == 1 ? m->seen_ms : m->began_ms, m->began_ms);
    return 1;
}

static bool name_place(struct buf *place, struct slice name, const struct net_address *peer,
                       const struct net_address *own)
{
    struct slice port = {(const char *)&peer->port, sizeof(peer->port)};

    return buf_append(place, (struct slice){(const char *)own->ip, sizeof(own->ip)}) &&
           buf_append(place, (struct slice){(const char *)peer->ip, sizeof(peer->ip)}) &&
           buf_append(place, port) && buf_append(place, name);
}

void tls_remember(struct tls *t, struct slice name, const struct net_address *peer,
                  const struct net_address *own, uint64_t now_ms)
{
    struct tls_sessions *all = &t->context->sessions;
    SSL_SESSION *session;

    if (!t->context->remembers || peer->local)
        return;
    t->memory = MEMORY_NEW(struct memory);
    t->memory->began_ms = now_ms;
    buf_init(&t->memory->place, PLACE_MAX);
    if (!name_place(&t->memory->place, slice_head(name, NAME_MAX_LEN), peer, own))
        return;
    session = tls_sessions_take(all, buf_slice(&t->memory->place), now_ms, &t->memory->seen_ms);
    t->memory->tried = session != NULL && SSL_set_session(t->ssl, session) == 1;
    SSL_SESSION_free(session);
    ERR_clear_error();
}

bool tls_tried_to_resume(const struct tls *t)
{
    return t->memory != NULL && t->memory->tried;
}

/* What is used up with TLS 1.3 serves again with TLS 1.2, whose renewals OpenSSL does not tell. */
static void shook_hands(struct tls *t)
{
    SSL_SESSION *session;

    if (!tls_tried_to_resume(t) || !tls_was_resumed(t) || SSL_version(t->ssl) >= TLS1_3_VERSION)
        return;
    session = SSL_get1_session(t->ssl);
    if (session != NULL && tls_keep_session(t->ssl, session) == 0)
        SSL_SESSION_free(session);
}

static void begin_call(struct tls *t)
{
    ERR_clear_error();
    t->reads = 0;
}

int tls_handshake(struct tls *t)
{
    begin_call(t);
    int got = SSL_do_handshake(t->ssl);
    if (got == 1) {
        shook_hands(t);
        return 0;
    }
    int code = verdict_of(t, got);
    return code == 0 ? -ECONNRESET : code;
}

int64_t tls_read(struct tls *t, void *out, size_t len)
{
    size_t count;

    begin_call(t);
    int got = SSL_read_ex(t->ssl, out, len, &count);
    return got == 1 ? (int64_t)count : verdict_of(t, got);
}

int64_t tls_write(struct tls *t, const void *bytes, size_t len)
{
    size_t count;

    begin_call(t);
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
    begin_call(t);
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

bool tls_is_verified(const struct tls *t)
{
    return t->context->looks && SSL_version(t->ssl) >= TLS1_2_VERSION &&
           SSL_get_verify_result(t->ssl) == X509_V_OK;
}

bool tls_client_name(const struct tls *t, struct arena *arena, struct slice *out)
{
    bool known = t->context->asks && SSL_get_verify_result(t->ssl) == X509_V_OK &&
                 tls_peer_name(t->ssl, arena, out);

    ERR_clear_error();
    return known;
}

bool tls_was_resumed(const struct tls *t)
{
    return SSL_session_reused(t->ssl) == 1;
}

bool tls_exporter(const struct tls *t, unsigned char out[TLS_EXPORTER_LEN])
{
    static const char label[] = "EXPORTER-Channel-Binding";

    return SSL_version(t->ssl) >= TLS1_3_VERSION &&
           SSL_export_keying_material(t->ssl, out, TLS_EXPORTER_LEN, label, sizeof(label) - 1, NULL,
                                      0, 0) == 1;
}
