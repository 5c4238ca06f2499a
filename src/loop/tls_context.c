/*
 * tls_context.c - what many connections share: certificates, authorities, tickets.
 *
 * Servers: who says by ALPN that it speaks another protocol gets no connection, so that a browser
 * that was led here does not take us for a web server (ALPACA, 2021). A ticket holds for the
 * service that gave it and for no other, by the session id context: what was agreed on there may
 * not hold here (a client's certificate, most of all). All chains of a service share one, since
 * OpenSSL looks at the ticket before it looks at the name that is asked for.
 *
 * Clients offer no protocol by ALPN: no RFC of mail asks for it, and a server that knows another
 * spelling would have to refuse us (RFC 7301 3.2).
 *
 * Of TLS 1.3's suites a server takes AES-128 first: it is as strong as the key exchange, X25519 or
 * P-256, and its SHA-256 makes a handshake 7 % cheaper than SHA-384.
 *
 * Ciphers of TLS 1.2: a server's are those with forward secrecy, CBC last, for Windows of 2012. A
 * client that verifies nothing takes what OpenSSL has, since the other choice is no encryption.
 *
 * Certificates of clients are looked at and never refused: who shows one that our authorities do
 * not know is as anonymous as who shows none.
 */
#include "loop/tls_internal.h"

#include "base/fail.h"
#include "base/memory.h"

#include <errno.h>
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <string.h>

enum {
    LEVEL_UNVERIFIED = 1,
    LEVEL_VERIFIED = 2,
    TICKET_LIFE_S = 2 * 60 * 60,
    DIGEST_LEN = 32,
};

static const char server_ciphers[] = "ECDHE+AESGCM:ECDHE+CHACHA20:ECDHE+AES:!AESCCM";
static const char server_suites[] =
    "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256";

/* Another chain, for who asks for this name. */
struct pair {
    struct list link;
    SSL_CTX *ssl;
    struct slice name; /* in the context's arena */
};

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
    SSL_CTX_set_read_ahead(ssl, 1); /* one read for a record, not one for its head and one more */
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
    c->users = 1;
    list_init(&c->pairs);
    tls_sessions_init(&c->sessions);
    c->method = tls_bio_method();
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

static const char *take_chain(SSL_CTX *ssl, struct slice chain)
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

static const char *take_key(SSL_CTX *ssl, struct slice key)
{
    BIO *pem = BIO_new_mem_buf(key.data, (int)key.len);
    char no_password[] = ""; /* without one, OpenSSL would ask at the terminal */
    EVP_PKEY *own = pem == NULL ? NULL : PEM_read_bio_PrivateKey(pem, NULL, NULL, no_password);
    const char *why = NULL;

    if (own == NULL)
        why = "holds no private key in PEM form without a password";
    else if (SSL_CTX_use_PrivateKey(ssl, own) != 1 || SSL_CTX_check_private_key(ssl) != 1)
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

    *why = ssl == NULL ? no_openssl : take_chain(ssl, chain);
    if (*why == NULL)
        *why = take_key(ssl, key);
    ERR_clear_error();
    if (*why != NULL) {
        SSL_CTX_free(ssl);
        return NULL;
    }
    (void)SSL_CTX_set_cipher_list(ssl, server_ciphers);
    (void)SSL_CTX_set_ciphersuites(ssl, server_suites);
    (void)SSL_CTX_set_num_tickets(ssl, 0); /* else those of TLS 1.3 come all the same */
    SSL_CTX_set_alpn_select_cb(ssl, choose_protocol, NULL);
    return ssl;
}

/* "*.example.org" means one label more, as in certificates: RFC 6125 6.4.3. */
static bool is_below(struct slice wildcard, struct slice asked)
{
    size_t dot = slice_find(asked, '.');

    return slice_starts(wildcard, SLICE("*.")) && dot > 0 &&
           slice_equal_nocase(slice_skip(wildcard, 1), slice_skip(asked, dot));
}

static const struct pair *find_pair(const struct tls_context *c, struct slice asked)
{
    const struct pair *wider = NULL;

    LIST_EACH (node, &c->pairs) {
        const struct pair *p = LIST_ENTRY(node, struct pair, link);

        if (slice_equal_nocase(p->name, asked))
            return p;
        if (wider == NULL && is_below(p->name, asked))
            wider = p;
    }
    return wider;
}

/* RFC 6066 3: who asks for a name that we do not know is shown what there is. */
/* NOLINTNEXTLINE(readability-non-const-parameter): OpenSSL's type */
static int choose_pair(SSL *ssl, int *alert, void *ctx)
{
    const char *asked = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
    const struct pair *p = asked == NULL ? NULL : find_pair(ctx, slice_of(asked));

    (void)alert;
    if (p == NULL)
        return SSL_TLSEXT_ERR_NOACK;
    return SSL_set_SSL_CTX(ssl, p->ssl) == NULL ? SSL_TLSEXT_ERR_ALERT_FATAL : SSL_TLSEXT_ERR_OK;
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

static SSL_CTX *with_name(const struct tls_context *c, struct slice name)
{
    if (name.len == 0)
        return c->ssl;
    LIST_EACH (node, &c->pairs) {
        const struct pair *p = LIST_ENTRY(node, struct pair, link);

        if (slice_equal_nocase(p->name, name))
            return p->ssl;
    }
    return NULL;
}

/* OpenSSL keeps one of each kind, and chooses by what the client can do. */
static bool join(SSL_CTX *known, SSL_CTX *tried, struct slice chain, struct slice key,
                 const char **why)
{
    SSL_CTX_free(tried);
    *why = take_chain(known, chain);
    if (*why == NULL)
        *why = take_key(known, key);
    ERR_clear_error();
    return *why == NULL;
}

bool tls_context_add(struct tls_context *context, struct slice name, struct slice chain,
                     struct slice key, const char **why)
{
    SSL_CTX *ssl = ssl_of_pair(chain, key, why), *known = with_name(context, name);
    struct pair *p;

    if (ssl == NULL)
        return false;
    if (known != NULL)
        return join(known, ssl, chain, key, why);
    p = ARENA_NEW(&context->arena, struct pair);
    p->ssl = ssl;
    p->name = arena_copy(&context->arena, name);
    list_append(&context->pairs, &p->link);
    return true;
}

const char *tls_chain_fault(struct slice chain)
{
    SSL_CTX *ssl = ssl_new(TLS_server_method());
    const char *why = ssl == NULL ? no_openssl : take_chain(ssl, chain);

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

static int kind_of(struct slice chain)
{
    BIO *pem = BIO_new_mem_buf(chain.data, (int)chain.len);
    X509 *own = pem == NULL ? NULL : PEM_read_bio_X509(pem, NULL, NULL, NULL);
    int kind = own == NULL ? 0 : EVP_PKEY_get_base_id(X509_get0_pubkey(own));

    X509_free(own);
    BIO_free(pem);
    ERR_clear_error();
    return kind;
}

bool tls_is_same_kind(struct slice chain, struct slice other)
{
    return kind_of(chain) == kind_of(other);
}

void tls_context_trust_system(struct tls_context *context)
{
    context->trust_wanted = true;
}

/* Reading them takes some 20 ms, and most processes never meet a certificate. A machine without
 * them trusts nobody, which the verdicts say. */
void tls_context_load_trust(struct tls_context *context)
{
    if (context->trust_wanted && SSL_CTX_set_default_verify_paths(context->ssl) != 1)
        ERR_clear_error();
    context->trust_wanted = false;
}

void tls_context_free(struct tls_context *context)
{
    if (context == NULL || --context->users > 0)
        return;
    LIST_EACH (node, &context->pairs)
        SSL_CTX_free(LIST_ENTRY(node, struct pair, link)->ssl);
    SSL_CTX_free(context->ssl);
    BIO_meth_free(context->method);
    EVP_CIPHER_free(context->ticket_cipher);
    tls_sessions_done(&context->sessions);
    arena_done(&context->arena);
    memory_free(context);
}

/* --- tickets --- */

static bool bind_to(SSL_CTX *ssl, struct slice service)
{
    unsigned char digest[DIGEST_LEN];
    unsigned len;

    return EVP_Digest(service.data, service.len, digest, &len, EVP_sha256(), NULL) == 1 &&
           SSL_CTX_set_session_id_context(ssl, digest, len) == 1;
}

static bool use_key(const struct tls_context *c, const struct tls_ticket_key *key,
                    const unsigned char *iv, EVP_CIPHER_CTX *cipher, EVP_MAC_CTX *mac, int encrypts)
{
    char digest[] = "SHA256";
    unsigned char secret[sizeof(key->mac)];
    OSSL_PARAM params[] = {
        OSSL_PARAM_construct_octet_string(OSSL_MAC_PARAM_KEY, secret, sizeof(secret)),
        OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0),
        OSSL_PARAM_construct_end(),
    };

    memcpy(secret, key->mac, sizeof(secret));
    bool done = EVP_MAC_CTX_set_params(mac, params) == 1 &&
                EVP_CipherInit_ex2(cipher, c->ticket_cipher, key->cipher, iv, encrypts, NULL) == 1;
    OPENSSL_cleanse(secret, sizeof(secret));
    return done;
}

/* OpenSSL asks: 1: here it is; 2: the same, and the client gets a new ticket; 0: no such key, so it
 * shakes hands as if it had none. A ticket of TLS 1.3 serves once (RFC 8446 C.4), so that there
 * must be another one. */
static int choose_ticket_key(SSL *ssl, unsigned char name[TLS_TICKET_NAME_LEN], unsigned char *iv,
                             EVP_CIPHER_CTX *cipher, EVP_MAC_CTX *mac, int encrypts)
{
    const struct tls_context *c = tls_context_of(ssl);
    const struct tls_ticket_keys *keys = c->ticket_keys;
    unsigned i = 0;

    if (encrypts != 0) {
        if (RAND_bytes(iv, EVP_CIPHER_get_iv_length(c->ticket_cipher)) != 1)
            return -1;
        memcpy(name, keys->keys[0].name, TLS_TICKET_NAME_LEN);
    } else {
        while (i < keys->count && memcmp(name, keys->keys[i].name, TLS_TICKET_NAME_LEN) != 0)
            i++;
        if (i == keys->count)
            return 0;
    }
    if (!use_key(c, &keys->keys[i], iv, cipher, mac, encrypts))
        return -1;
    return encrypts != 0 || (i == 0 && SSL_version(ssl) < TLS1_3_VERSION) ? 1 : 2;
}

void tls_context_wipe(struct tls_context *context)
{
    (void)SSL_CTX_set_options(context->ssl, SSL_OP_CLEANSE_PLAINTEXT);
}

void tls_context_give_tickets(struct tls_context *context, struct slice service,
                              const struct tls_ticket_keys *keys)
{
    SSL_CTX *ssl = context->ssl;

    context->ticket_cipher = EVP_CIPHER_fetch(NULL, "AES-256-CBC", NULL);
    bool bound = context->ticket_cipher != NULL && keys->count > 0 && bind_to(ssl, service);
    LIST_EACH (node, &context->pairs)
        bound = bound && bind_to(LIST_ENTRY(node, struct pair, link)->ssl, service);
    if (!bound)
        return;
    context->ticket_keys = keys;
    (void)SSL_CTX_set_timeout(ssl, TICKET_LIFE_S);
    (void)SSL_CTX_set_num_tickets(ssl, 1);
    (void)SSL_CTX_set_tlsext_ticket_key_evp_cb(ssl, choose_ticket_key);
    (void)SSL_CTX_clear_options(ssl, SSL_OP_NO_TICKET);
}

bool tls_ticket_keys_read(struct tls_ticket_keys *keys, struct slice bytes)
{
    size_t count = bytes.len / sizeof(*keys->keys);

    if (count == 0 || count > TLS_TICKET_KEYS_MAX || bytes.len % sizeof(*keys->keys) != 0)
        return false;
    memcpy(keys->keys, bytes.data, bytes.len);
    keys->count = (unsigned)count;
    return true;
}

/* --- authorities --- */

/* As OpenSSL would verify, but that a client goes on all the same: what was wrong is kept in the
 * verify result. */
static int look_at_chain(X509_STORE_CTX *chain, void *ctx)
{
    (void)ctx;
    if (X509_verify_cert(chain) != 1 && X509_STORE_CTX_get_error(chain) == X509_V_OK)
        X509_STORE_CTX_set_error(chain, X509_V_ERR_UNSPECIFIED);
    ERR_clear_error();
    return 1;
}

static void ask_for(SSL_CTX *ssl, X509_STORE *store, STACK_OF(X509) * authorities)
{
    (void)SSL_CTX_set1_verify_cert_store(ssl, store);
    for (int i = 0; i < sk_X509_num(authorities); i++)
        (void)SSL_CTX_add_client_CA(ssl, sk_X509_value(authorities, i));
    SSL_CTX_set_verify(ssl, SSL_VERIFY_PEER, NULL);
    SSL_CTX_set_cert_verify_callback(ssl, look_at_chain, NULL);
}

static STACK_OF(X509) * read_authorities(struct slice pem)
{
    BIO *bio = BIO_new_mem_buf(pem.data, (int)pem.len);
    STACK_OF(X509) *all = sk_X509_new_null();
    X509 *next;

    while (bio != NULL && all != NULL && (next = PEM_read_bio_X509(bio, NULL, NULL, NULL)) != NULL)
        if (sk_X509_push(all, next) == 0)
            X509_free(next);
    ERR_clear_error(); /* the end of the text is told as an error */
    BIO_free(bio);
    return all;
}

static void drop_authorities(STACK_OF(X509) * all)
{
    sk_X509_pop_free(all, X509_free);
}

const char *tls_authorities_fault(struct slice authorities)
{
    STACK_OF(X509) *all = read_authorities(authorities);
    const char *why = sk_X509_num(all) > 0 ? NULL : "holds no certificate in PEM form";

    drop_authorities(all);
    return why;
}

void tls_context_ask_clients(struct tls_context *context, struct slice authorities)
{
    STACK_OF(X509) *all = read_authorities(authorities);
    X509_STORE *store = X509_STORE_new();

    for (int i = 0; store != NULL && i < sk_X509_num(all); i++)
        (void)X509_STORE_add_cert(store, sk_X509_value(all, i));
    if (store != NULL && sk_X509_num(all) > 0) {
        ask_for(context->ssl, store, all);
        LIST_EACH (node, &context->pairs)
            ask_for(LIST_ENTRY(node, struct pair, link)->ssl, store, all);
        context->asks = true;
    }
    ERR_clear_error();
    X509_STORE_free(store);
    drop_authorities(all);
}

void tls_context_trust(struct tls_context *context, struct slice authorities)
{
    STACK_OF(X509) *all = read_authorities(authorities);
    X509_STORE *store = SSL_CTX_get_cert_store(context->ssl);

    for (int i = 0; i < sk_X509_num(all); i++)
        (void)X509_STORE_add_cert(store, sk_X509_value(all, i));
    ERR_clear_error();
    drop_authorities(all);
}

void tls_context_verify(struct tls_context *context)
{
    SSL_CTX_set_security_level(context->ssl, LEVEL_VERIFIED);
    SSL_CTX_set_verify(context->ssl, SSL_VERIFY_PEER, NULL);
    context->verifies = context->looks = true;
}

/* OpenSSL verifies all chains, and notes the result also where nobody insists on it. */
void tls_context_look(struct tls_context *context)
{
    context->looks = true;
}

/* OpenSSL's own cache knows nothing of places. */
void tls_context_remember(struct tls_context *context)
{
    SSL_CTX_set_session_cache_mode(context->ssl,
                                   SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
    SSL_CTX_sess_set_new_cb(context->ssl, tls_keep_session);
    (void)SSL_CTX_clear_options(context->ssl, SSL_OP_NO_TICKET);
    context->remembers = true;
}
