/*
 * tls_context_test.c - whom a context trusts, what it agrees to, and whose tickets it takes.
 *
 * What our own client never does is said by OpenSSL itself, over the real net.
 */
#include "loop/stream.h"

#include "check.h"
#include "fakes/certificate.h"
#include "fakes/connection.h"

#include <arpa/inet.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <stdlib.h>

struct fixture {
    struct authority *authority;
    struct buf authority_text;
    struct buf chain, key; /* of mx.example, by the authority */
    struct tls_context *verifying, *looking;
    char path[32]; /* of the authority's certificate */
};

static struct tls_context *server_of(struct buf *chain, struct buf *key)
{
    const char *why;
    struct tls_context *c = tls_context_server(buf_slice(chain), buf_slice(key), &why);

    check(c != NULL);
    return c;
}

/* ---- our client ---- */

static bool meet(struct connection *c, struct tls_context *server, struct tls_context *client,
                 struct slice name)
{
    stream_start_tls(&c->server.stream, server, SLICE(""));
    stream_start_tls(&c->client.stream, client, name);
    CONNECTION_RUN_UNTIL(c,
                         c->client.events[STREAM_SECURED] + c->client.events[STREAM_FAILED] == 1);
    return c->client.events[STREAM_SECURED] == 1;
}

static void meet_well(struct connection *c, struct tls_context *server, struct tls_context *client)
{
    connection_init(c, 0);
    connection_open(c);
    check(meet(c, server, client, SLICE("mx.example")));
    CONNECTION_RUN_UNTIL(c, c->server.events[STREAM_SECURED] == 1);
}

static const struct {
    const char *subject, *names;
    struct slice wanted;
    const char *problem; /* NULL: none */
} certificates[] = {
    {"x",          "DNS:mx.example",              SLICE_INIT("mx.example"),       NULL                 },
    {"x",          "DNS:a.example,DNS:b.example", SLICE_INIT("B.Example"),        NULL                 },
    {"x",          "DNS:*.two.example",           SLICE_INIT("mx.two.example"),   NULL                 },
    {"x",          "DNS:*.two.example",           SLICE_INIT("a.mx.two.example"), "hostname mismatch"  },
    {"x",          "DNS:*.two.example",           SLICE_INIT("two.example"),      "hostname mismatch"  },
    {"x",          "DNS:m*.two.example",          SLICE_INIT("mx.two.example"),   "hostname mismatch"  },
    {"x",          "DNS:mx.example.org",          SLICE_INIT("mx.example"),       "hostname mismatch"  },
    {"x",          "IP:192.0.2.1",                SLICE_INIT("192.0.2.1"),        NULL                 },
    {"x",          "IP:192.0.2.1",                SLICE_INIT("192.0.2.2"),        "IP address mismatch"},
    {"x",          "DNS:192.0.2.1",               SLICE_INIT("192.0.2.1"),        "IP address mismatch"},
    {"mx.example", NULL,                          SLICE_INIT("mx.example"),       "hostname mismatch"  },
    {"x",          "DNS:mx.example",              SLICE_INIT(""),                 "hostname mismatch"  },
};

static void only_the_right_certificate_will_do(void **state)
{
    struct fixture *f = *state;
    static struct connection c;

    CHECK_ROWS (i, certificates) {
        struct buf chain, key;

        certificate_issue(f->authority, certificates[i].subject, certificates[i].names, &chain,
                          &key);
        struct tls_context *server = server_of(&chain, &key);
        connection_init(&c, 0);
        connection_open(&c);
        check(meet(&c, server, f->verifying, certificates[i].wanted) ==
              (certificates[i].problem == NULL));
        if (certificates[i].problem == NULL)
            check(tls_is_verified(stream_tls(&c.client.stream)));
        else
            check(slice_ends(tls_problem(stream_tls(&c.client.stream)),
                             slice_of(certificates[i].problem)));
        tls_context_free(server); /* the connection lives on */
        connection_done(&c);
        buf_done(&chain);
        buf_done(&key);
    }
}

/* Who only looks goes on with any, and knows which it was. */
static void who_looks_goes_on_and_knows(void **state)
{
    struct fixture *f = *state;
    static struct connection c;

    CHECK_ROWS (i, certificates) {
        struct buf chain, key;

        certificate_issue(f->authority, certificates[i].subject, certificates[i].names, &chain,
                          &key);
        struct tls_context *server = server_of(&chain, &key);
        connection_init(&c, 0);
        connection_open(&c);
        check(meet(&c, server, f->looking, certificates[i].wanted));
        check(tls_is_verified(stream_tls(&c.client.stream)) == (certificates[i].problem == NULL));
        tls_context_free(server);
        connection_done(&c);
        buf_done(&chain);
        buf_done(&key);
    }
}

static void strangers_are_not_trusted(void **state)
{
    struct fixture *f = *state;
    static struct connection c;
    struct authority *other = authority_new("another");
    struct buf chain, key;

    certificate_issue(other, "x", "DNS:mx.example", &chain, &key);
    struct tls_context *server = server_of(&chain, &key), *client = tls_context_client();
    connection_init(&c, 0);
    connection_open(&c);
    check(!meet(&c, server, f->verifying, SLICE("mx.example")));
    check_slice(tls_problem(stream_tls(&c.client.stream)),
                SLICE("the certificate cannot be trusted: unable to get local issuer certificate"));
    connection_done(&c);
    /* Who verifies nothing takes it. */
    connection_init(&c, 0);
    connection_open(&c);
    check(meet(&c, server, client, SLICE("mx.example")));
    check(!tls_is_verified(stream_tls(&c.client.stream)));
    connection_done(&c);
    tls_context_free(server);
    tls_context_free(client);
    authority_free(other);
    buf_done(&chain);
    buf_done(&key);
}

static void both_sides_know_what_binds_them(void **state)
{
    struct fixture *f = *state;
    static struct connection c;
    unsigned char before[TLS_EXPORTER_LEN] = {0}, ours[TLS_EXPORTER_LEN], theirs[TLS_EXPORTER_LEN];
    struct tls_context *server = server_of(&f->chain, &f->key);

    for (int i = 0; i < 3; i++) {
        meet_well(&c, server, f->verifying);
        check(tls_exporter(stream_tls(&c.client.stream), ours));
        check(tls_exporter(stream_tls(&c.server.stream), theirs));
        assert_memory_equal(ours, theirs, sizeof(ours));
        assert_memory_not_equal(ours, before, sizeof(ours));
        memcpy(before, ours, sizeof(before));
        connection_done(&c);
    }
    tls_context_free(server);
}

/* ---- OpenSSL's client ---- */

struct raw {
    SSL_CTX *context;
    SSL_SESSION *session; /* to resume, then the one that was given */
    const char *name;
    struct connection c;
    SSL *ssl;
    int fd;
};

static void raw_init(struct raw *r)
{
    *r = (struct raw){.context = SSL_CTX_new(TLS_client_method())};
}

static void raw_done(struct raw *r)
{
    SSL_SESSION_free(r->session);
    SSL_CTX_free(r->context);
}

/* One step of both sides; false: it will not get better. */
static bool raw_goes_on(struct raw *r, int returned)
{
    int error = SSL_get_error(r->ssl, returned);

    assert_int_equal(loop_round(r->c.loop, false), 0);
    return (error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE) && !r->c.late;
}

/* Leaves the connection open for a look at it. */
static bool raw_meet(struct raw *r, struct tls_context *server)
{
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    char byte;
    int got;

    connection_init(&r->c, 0);
    to.sin_port = htons(connection_address(&r->c).port);
    r->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    (void)connect(r->fd, (struct sockaddr *)&to, sizeof(to));
    r->c.server.stream.watch.handle = -1;
    CONNECTION_RUN_UNTIL(&r->c, stream_is_open(&r->c.server.stream));
    stream_start_tls(&r->c.server.stream, server, SLICE(""));
    r->ssl = SSL_new(r->context);
    SSL_set_fd(r->ssl, r->fd);
    if (r->name != NULL)
        SSL_set_tlsext_host_name(r->ssl, (void *)(uintptr_t)r->name);
    if (r->session != NULL)
        SSL_set_session(r->ssl, r->session);
    while ((got = SSL_connect(r->ssl)) != 1 && raw_goes_on(r, got))
        ;
    if (got != 1)
        return false;
    while (r->c.server.events[STREAM_SECURED] + r->c.server.events[STREAM_FAILED] == 0 &&
           !r->c.late)
        assert_int_equal(loop_round(r->c.loop, false), 0);
    for (int i = 0; i < 3; i++) /* tickets of TLS 1.3 come behind the handshake */
        (void)SSL_read(r->ssl, &byte, 1);
    return r->c.server.events[STREAM_SECURED] == 1;
}

static void raw_part(struct raw *r)
{
    SSL_SESSION_free(r->session);
    r->session = SSL_get1_session(r->ssl);
    SSL_set_shutdown(r->ssl, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
    SSL_free(r->ssl);
    close(r->fd);
    connection_done(&r->c);
}

static void another_protocol_is_refused(void **state)
{
    static const struct {
        struct slice offered;
        bool agreed;
    } rows[] = {
        {SLICE_INIT(""),                true },
        {SLICE_INIT("\4smtp"),          true },
        {SLICE_INIT("\2h2\4smtp"),      true },
        {SLICE_INIT("\2h2"),            false},
        {SLICE_INIT("\2h2\10http/1.1"), false},
        {SLICE_INIT("\4SMTP"),          false},
        {SLICE_INIT("\5smtps"),         false},
    };
    struct fixture *f = *state;
    struct tls_context *server = server_of(&f->chain, &f->key);
    static struct raw r;

    check(tls_context_add(server, SLICE("b.example"), buf_slice(&f->chain), buf_slice(&f->key),
                          &(const char *){NULL}));
    CHECK_ROWS (i, rows) {
        for (int named = 0; named < 2; named++) {
            const unsigned char *chosen;
            unsigned len;

            raw_init(&r);
            r.name = named != 0 ? "b.example" : NULL;
            SSL_CTX_set_alpn_protos(r.context, (const unsigned char *)rows[i].offered.data,
                                    (unsigned)rows[i].offered.len);
            check(raw_meet(&r, server) == rows[i].agreed);
            SSL_get0_alpn_selected(r.ssl, &chosen, &len);
            check_int(len, rows[i].agreed && rows[i].offered.len > 0 ? 4 : 0);
            raw_part(&r);
            raw_done(&r);
        }
    }
    tls_context_free(server);
}

/* RFC 8996; and no key exchange whose secrets come out with the key of the certificate. */
static void old_ways_are_refused(void **state)
{
    static const struct {
        const char *ciphers;
        int version;
        bool agreed;
    } rows[] = {
        {"ALL",                         TLS1_3_VERSION, true },
        {"ALL",                         TLS1_2_VERSION, true },
        {"ALL:@SECLEVEL=0",             TLS1_1_VERSION, false},
        {"ALL:@SECLEVEL=0",             TLS1_VERSION,   false},
        {"ECDHE-RSA-AES128-SHA256",     TLS1_2_VERSION, true },
        {"AES128-GCM-SHA256",           TLS1_2_VERSION, false},
        {"DHE-RSA-AES256-GCM-SHA384",   TLS1_2_VERSION, false},
        {"ALL:!ECDHE:!DHE:@SECLEVEL=0", TLS1_2_VERSION, false},
    };
    struct buf chain, key;
    static struct raw r;

    (void)state;
    certificate_make_rsa("mx.example", &chain, &key);
    struct tls_context *server = server_of(&chain, &key);
    CHECK_ROWS (i, rows) {
        raw_init(&r);
        check(SSL_CTX_set_cipher_list(r.context, rows[i].ciphers) == 1);
        SSL_CTX_set_min_proto_version(r.context, 0);
        SSL_CTX_set_max_proto_version(r.context, rows[i].version);
        check(raw_meet(&r, server) == rows[i].agreed);
        if (rows[i].agreed) {
            unsigned char binding[TLS_EXPORTER_LEN];

            check(tls_exporter(stream_tls(&r.c.server.stream), binding) ==
                  (rows[i].version == TLS1_3_VERSION));
        }
        raw_part(&r);
        raw_done(&r);
    }
    tls_context_free(server);
    buf_done(&chain);
    buf_done(&key);
}

static struct tls_ticket_key ticket_key(char seed)
{
    struct tls_ticket_key k;

    memset(&k, seed, sizeof(k));
    return k;
}

static void tickets_hold_for_their_service(void **state)
{
    struct fixture *f = *state;
    struct tls_ticket_keys keys = {.count = 1, .keys = {ticket_key(1)}}, elsewhere = keys;
    struct tls_context *mx = server_of(&f->chain, &f->key), *same = server_of(&f->chain, &f->key),
                       *other = server_of(&f->chain, &f->key);
    static struct raw r;
    const char *why;

    check(
        tls_context_add(other, SLICE("b.example"), buf_slice(&f->chain), buf_slice(&f->key), &why));
    tls_context_give_tickets(mx, SLICE("*:25"), &keys);
    tls_context_give_tickets(same, SLICE("*:25"), &elsewhere); /* another process */
    tls_context_give_tickets(other, SLICE("*:465"), &elsewhere);
    static const int versions[] = {TLS1_2_VERSION, TLS1_3_VERSION};
    CHECK_ROWS (i, versions) {
        const struct {
            struct tls_context *server;
            const char *name;
            bool resumed;
        } steps[] = {
            {mx,    NULL,        false},
            {mx,    NULL,        true },
            {same,  NULL,        true },
            {other, NULL,        false},
            {other, NULL,        true },
            {mx,    NULL,        false},
            {other, "b.example", false},
            {other, "b.example", true },
            {mx,    "b.example", false},
        };

        raw_init(&r);
        SSL_CTX_set_max_proto_version(r.context, versions[i]);
        for (size_t s = 0; s < sizeof(steps) / sizeof(*steps); s++) {
            r.name = steps[s].name;
            check(raw_meet(&r, steps[s].server));
            check_int(SSL_session_reused(r.ssl), steps[s].resumed);
            check(tls_was_resumed(stream_tls(&r.c.server.stream)) == steps[s].resumed);
            raw_part(&r);
            check(SSL_SESSION_has_ticket(r.session) == 1);
            check(SSL_SESSION_get_ticket_lifetime_hint(r.session) <= 7200);
        }
        raw_done(&r);
    }
    tls_context_free(mx);
    tls_context_free(same);
    tls_context_free(other);
}

/* The key that was is still taken, the one before it no more. */
static void ticket_keys_change(void **state)
{
    struct fixture *f = *state;
    struct tls_ticket_keys keys = {.count = 1, .keys = {ticket_key(1)}};
    struct tls_context *server = server_of(&f->chain, &f->key);
    SSL_SESSION *first;
    static struct raw r;

    tls_context_give_tickets(server, SLICE("*:25"), &keys);
    raw_init(&r);
    check(raw_meet(&r, server));
    raw_part(&r);
    first = r.session;
    SSL_SESSION_up_ref(first);
    keys = (struct tls_ticket_keys){
        .count = 2, .keys = {ticket_key(2), ticket_key(1)}
    };
    check(raw_meet(&r, server));
    check_int(SSL_session_reused(r.ssl), 1);
    raw_part(&r); /* with a ticket of the new key */
    keys.keys[1] = ticket_key(3);
    check(raw_meet(&r, server));
    check_int(SSL_session_reused(r.ssl), 1);
    raw_part(&r);
    SSL_SESSION_free(r.session);
    r.session = first;
    check(raw_meet(&r, server));
    check_int(SSL_session_reused(r.ssl), 0);
    raw_part(&r);
    raw_done(&r);
    tls_context_free(server);
}

static void no_keys_no_tickets(void **state)
{
    struct fixture *f = *state;
    struct tls_ticket_keys keys = {0};
    static const char bytes[160] = "16 bytes of name";
    struct tls_context *server = server_of(&f->chain, &f->key);
    static struct raw r;

    tls_context_give_tickets(server, SLICE("*:25"), &keys);
    raw_init(&r);
    check(raw_meet(&r, server));
    raw_part(&r);
    check(SSL_SESSION_has_ticket(r.session) == 0);
    raw_done(&r);
    tls_context_free(server);
    for (size_t len = 0; len <= sizeof(bytes); len++)
        check(tls_ticket_keys_read(&keys, (struct slice){bytes, len}) == (len == 80 || len == 160));
    check_int(keys.count, 2);
    assert_memory_equal(keys.keys, bytes, sizeof(bytes));
}

static BIO *pem(struct buf *text)
{
    return BIO_new_mem_buf(buf_slice(text).data, (int)buf_len(text));
}

static void show(struct raw *r, struct buf *chain, struct buf *key)
{
    BIO *chain_bio = pem(chain), *key_bio = pem(key);
    X509 *x = PEM_read_bio_X509(chain_bio, NULL, NULL, NULL);
    EVP_PKEY *k = PEM_read_bio_PrivateKey(key_bio, NULL, NULL, NULL);

    check(SSL_CTX_use_certificate(r->context, x) == 1);
    check(SSL_CTX_use_PrivateKey(r->context, k) == 1);
    X509_free(x);
    EVP_PKEY_free(k);
    BIO_free(chain_bio);
    BIO_free(key_bio);
}

static void clients_may_show_who_they_are(void **state)
{
    static const struct {
        const char *subject, *names;
        bool ours; /* of the authority that is trusted */
        struct slice name;
    } rows[] = {
        {"ann",           "DNS:laptop.example,email:ann@example.org", true,  SLICE_INIT("ann@example.org")},
        {"ann",           "DNS:laptop.example",                       true,  SLICE_INIT("laptop.example") },
        {"ann",           NULL,                                       true,  SLICE_INIT("ann")            },
        {"ann\n250 evil", NULL,                                       true,  SLICE_INIT("")               },
        {"ann",           "email:ann@example.org",                    false, SLICE_INIT("")               },
    };
    struct fixture *f = *state;
    struct authority *other = authority_new("the authority"); /* of the same name */
    struct tls_ticket_keys keys = {.count = 1, .keys = {ticket_key(1)}};
    struct tls_context *asking = server_of(&f->chain, &f->key),
                       *plain = server_of(&f->chain, &f->key);
    const char *why;
    static struct raw r;

    check(tls_context_add(asking, SLICE("b.example"), buf_slice(&f->chain), buf_slice(&f->key),
                          &why));
    tls_context_ask_clients(asking, buf_slice(&f->authority_text));
    tls_context_give_tickets(asking, SLICE("*:465"), &keys);
    CHECK_ROWS (i, rows) {
        struct buf chain, key;

        certificate_issue(rows[i].ours ? f->authority : other, rows[i].subject, rows[i].names,
                          &chain, &key);
        raw_init(&r);
        show(&r, &chain, &key);
        for (int time = 0; time < 4; time++) {
            struct arena arena = {0};
            struct slice name = {0};

            r.name = time < 2 ? NULL : "b.example";
            check(raw_meet(&r, asking));
            check_int(SSL_session_reused(r.ssl), time > 0);
            check(tls_client_name(stream_tls(&r.c.server.stream), &arena, &name) ==
                  (rows[i].name.len > 0));
            check_slice(name, rows[i].name);
            raw_part(&r);
            arena_done(&arena);
        }
        /* Where nobody asks nobody says. */
        struct arena arena = {0};
        struct slice name;
        check(raw_meet(&r, plain));
        check(!tls_client_name(stream_tls(&r.c.server.stream), &arena, &name));
        raw_part(&r);
        raw_done(&r);
        arena_done(&arena);
        buf_done(&chain);
        buf_done(&key);
    }
    /* Who shows none is welcome. */
    struct arena arena = {0};
    struct slice name;
    raw_init(&r);
    check(raw_meet(&r, asking));
    check(!tls_client_name(stream_tls(&r.c.server.stream), &arena, &name));
    raw_part(&r);
    raw_done(&r);
    arena_done(&arena);
    tls_context_free(asking);
    tls_context_free(plain);
    authority_free(other);
    check(tls_authorities_fault(buf_slice(&f->authority_text)) == NULL);
    assert_string_equal(tls_authorities_fault(buf_slice(&f->key)),
                        "holds no certificate in PEM form");
}

/* A key of another kind than the certificate's is told, too. */
static void a_key_of_another_kind_is_told(void **state)
{
    struct fixture *f = *state;
    struct buf chain, key;

    certificate_make_rsa("mx.example", &chain, &key);
    assert_string_equal(tls_key_fault(buf_slice(&chain), buf_slice(&f->key)),
                        "does not belong to the certificate");
    check(tls_key_fault(buf_slice(&chain), buf_slice(&key)) == NULL);
    buf_done(&chain);
    buf_done(&key);
}

/* Who can verify only one kind is shown that; who can verify both is shown the cheaper. */
static void a_name_may_have_two_keys(void **state)
{
    static const struct {
        const char *name, *ciphers, *algorithms;
        int version, shown;
    } rows[] = {
        {NULL,        "ECDHE-RSA-AES128-GCM-SHA256",   NULL,                     TLS1_2_VERSION, EVP_PKEY_RSA},
        {NULL,        "ECDHE-ECDSA-AES128-GCM-SHA256", NULL,                     TLS1_2_VERSION, EVP_PKEY_EC },
        {NULL,        "ALL",                           NULL,                     TLS1_2_VERSION, EVP_PKEY_EC },
        {"b.example", "ECDHE-RSA-AES128-GCM-SHA256",   NULL,                     TLS1_2_VERSION, EVP_PKEY_RSA},
        {"b.example", "ECDHE-ECDSA-AES128-GCM-SHA256", NULL,                     TLS1_2_VERSION, EVP_PKEY_EC },
        {NULL,        "ALL",                           "rsa_pss_rsae_sha256",    TLS1_3_VERSION, EVP_PKEY_RSA},
        {NULL,        "ALL",                           "ecdsa_secp256r1_sha256", TLS1_3_VERSION, EVP_PKEY_EC },
        {"b.example", "ALL",                           "rsa_pss_rsae_sha256",    TLS1_3_VERSION, EVP_PKEY_RSA},
        {"b.example", "ALL",                           NULL,                     TLS1_3_VERSION, EVP_PKEY_EC },
    };
    struct fixture *f = *state;
    struct buf chain, key;
    static struct raw r;
    const char *why;

    certificate_make_rsa("mx.example", &chain, &key);
    struct tls_context *server = server_of(&f->chain, &f->key);
    check(tls_context_add(server, SLICE(""), buf_slice(&chain), buf_slice(&key), &why));
    check(tls_context_add(server, SLICE("b.example"), buf_slice(&chain), buf_slice(&key), &why));
    check(
        !tls_context_add(server, SLICE("b.example"), buf_slice(&f->chain), buf_slice(&key), &why));
    check(tls_context_add(server, SLICE("B.example"), buf_slice(&f->chain), buf_slice(&f->key),
                          &why));
    check(!tls_is_same_kind(buf_slice(&chain), buf_slice(&f->chain)));
    check(tls_is_same_kind(buf_slice(&f->authority_text), buf_slice(&f->chain)));
    CHECK_ROWS (i, rows) {
        raw_init(&r);
        r.name = rows[i].name;
        check(SSL_CTX_set_cipher_list(r.context, rows[i].ciphers) == 1);
        check(rows[i].algorithms == NULL ||
              SSL_CTX_set1_sigalgs_list(r.context, (void *)(uintptr_t)rows[i].algorithms) == 1);
        SSL_CTX_set_max_proto_version(r.context, rows[i].version);
        check(raw_meet(&r, server));
        check_int(EVP_PKEY_get_base_id(X509_get0_pubkey(SSL_get0_peer_certificate(r.ssl))),
                  rows[i].shown);
        raw_part(&r);
        raw_done(&r);
    }
    tls_context_free(server);
    buf_done(&chain);
    buf_done(&key);
}

/* ---- what our client remembers ---- */

struct meeting {
    bool tried, resumed, verified;
};

/* One connection of the same place, so long after that world began. */
static struct meeting meet_again(struct tls_context *server, struct tls_context *client,
                                 struct slice name, uint64_t after_ms)
{
    static struct connection c;
    struct meeting m;

    connection_init(&c, 1);
    fake_clock_advance(&c.clock, after_ms * 1000);
    assert_int_equal(loop_round(c.loop, false), 0);
    c.late = false; /* that was no waiting */
    connection_open(&c);
    check(meet(&c, server, client, name));
    CONNECTION_RUN_UNTIL(&c, c.server.events[STREAM_SECURED] == 1);
    connection_settle(&c); /* tickets come behind the handshake */
    const struct tls *tls = stream_tls(&c.client.stream);
    m = (struct meeting){tls_tried_to_resume(tls), tls_was_resumed(tls), tls_is_verified(tls)};
    check(tls_was_resumed(stream_tls(&c.server.stream)) == m.resumed);
    connection_done(&c);
    return m;
}

static struct tls_context *remembering(struct fixture *f, void (*policy)(struct tls_context *))
{
    struct tls_context *c = tls_context_client();

    tls_context_trust(c, buf_slice(&f->authority_text));
    policy(c);
    tls_context_remember(c);
    return c;
}

static void sessions_are_resumed_under_one_policy(void **state)
{
    struct fixture *f = *state;
    struct tls_ticket_keys keys = {.count = 1, .keys = {ticket_key(1)}};
    struct tls_context *server = server_of(&f->chain, &f->key);
    struct tls_context *looks = remembering(f, tls_context_look);
    struct tls_context *verifies = remembering(f, tls_context_verify);

    const struct {
        struct tls_context *client;
        struct slice name;
        bool resumed;
    } rows[] = {
        {looks,      SLICE_INIT("mx.example"), false},
        {looks,      SLICE_INIT("mx.example"), true },
        {looks,      SLICE_INIT("mx.example"), true }, /* with the ticket of the second */
        {verifies,   SLICE_INIT("mx.example"), false},
        {verifies,   SLICE_INIT("mx.example"), true },
        {looks,      SLICE_INIT("b.example"),  false},
        {looks,      SLICE_INIT("mx.example"), true },
        {f->looking, SLICE_INIT("mx.example"), false}, /* remembers nothing */
        {f->looking, SLICE_INIT("mx.example"), false},
    };

    tls_context_give_tickets(server, SLICE("*:25"), &keys);
    CHECK_ROWS (i, rows)
        check(meet_again(server, rows[i].client, rows[i].name, 0).resumed == rows[i].resumed);
    tls_context_free(looks);
    tls_context_free(verifies);
    tls_context_free(server);
}

/* What was found out about the certificate holds for the sessions that stem from it. */
static void what_was_seen_is_remembered(void **state)
{
    struct fixture *f = *state;
    struct tls_ticket_keys keys = {.count = 1, .keys = {ticket_key(1)}};
    struct tls_context *server = server_of(&f->chain, &f->key);
    struct tls_context *looks = remembering(f, tls_context_look);

    static const struct {
        struct slice name;
        bool resumed, verified;
    } rows[] = {
        {SLICE_INIT("mx.example"), false, true },
        {SLICE_INIT("mx.example"), true,  true },
        {SLICE_INIT("mx.example"), true,  true },
        {SLICE_INIT("b.example"),  false, false},
        {SLICE_INIT("b.example"),  true,  false},
        {SLICE_INIT("b.example"),  true,  false},
    };

    tls_context_give_tickets(server, SLICE("*:25"), &keys);
    CHECK_ROWS (i, rows) {
        struct meeting m = meet_again(server, looks, rows[i].name, 0);

        check(m.resumed == rows[i].resumed);
        check(m.verified == rows[i].verified);
    }
    tls_context_free(looks);
    tls_context_free(server);
}

/* However often it is renewed. */
static void the_certificate_is_looked_at_every_hour(void **state)
{
    static const struct {
        unsigned minutes;
        bool resumed;
    } rows[] = {
        {0,   false},
        {30,  true },
        {59,  true },
        {61,  false},
        {119, true },
        {122, false},
    };
    struct fixture *f = *state;
    struct tls_ticket_keys keys = {.count = 1, .keys = {ticket_key(1)}};
    struct tls_context *server = server_of(&f->chain, &f->key);
    struct tls_context *looks = remembering(f, tls_context_look);

    tls_context_give_tickets(server, SLICE("*:25"), &keys);
    CHECK_ROWS (i, rows)
        check(meet_again(server, looks, SLICE("mx.example"), rows[i].minutes * UINT64_C(60000))
                  .resumed == rows[i].resumed);
    tls_context_free(looks);
    tls_context_free(server);
}

static void a_server_that_forgot_its_keys_shakes_hands_anew(void **state)
{
    struct fixture *f = *state;
    struct tls_ticket_keys keys = {.count = 1, .keys = {ticket_key(1)}};
    struct tls_context *server = server_of(&f->chain, &f->key);
    struct tls_context *looks = remembering(f, tls_context_look);
    struct meeting m;

    tls_context_give_tickets(server, SLICE("*:25"), &keys);
    check(!meet_again(server, looks, SLICE("mx.example"), 0).tried);
    keys.keys[0] = ticket_key(2);
    m = meet_again(server, looks, SLICE("mx.example"), 0);
    check(m.tried && !m.resumed);
    check(meet_again(server, looks, SLICE("mx.example"), 0).resumed);
    tls_context_free(looks);
    tls_context_free(server);
}

static int set_up(void **state)
{
    static struct fixture f = {.path = "/tmp/postroad-ca-XXXXXX"};
    int fd = mkstemp(f.path);

    f.authority = authority_new("the authority");
    authority_pem(f.authority, &f.authority_text);
    certificate_issue(f.authority, "mx", "DNS:mx.example", &f.chain, &f.key);
    f.verifying = tls_context_client();
    if (fd < 0 || write(fd, buf_slice(&f.authority_text).data, buf_len(&f.authority_text)) < 0)
        return -1;
    close(fd);
    setenv("SSL_CERT_FILE", f.path, 1);
    tls_context_trust_system(f.verifying);
    tls_context_verify(f.verifying);
    f.looking = tls_context_client();
    tls_context_trust_system(f.looking);
    tls_context_look(f.looking);
    *state = &f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;

    tls_context_free(f->verifying);
    tls_context_free(f->looking);
    authority_free(f->authority);
    buf_done(&f->authority_text);
    buf_done(&f->chain);
    buf_done(&f->key);
    return unlink(f->path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_the_right_certificate_will_do),
        cmocka_unit_test(who_looks_goes_on_and_knows),
        cmocka_unit_test(strangers_are_not_trusted),
        cmocka_unit_test(both_sides_know_what_binds_them),
        cmocka_unit_test(another_protocol_is_refused),
        cmocka_unit_test(old_ways_are_refused),
        cmocka_unit_test(tickets_hold_for_their_service),
        cmocka_unit_test(ticket_keys_change),
        cmocka_unit_test(no_keys_no_tickets),
        cmocka_unit_test(clients_may_show_who_they_are),
        cmocka_unit_test(a_key_of_another_kind_is_told),
        cmocka_unit_test(a_name_may_have_two_keys),
        cmocka_unit_test(sessions_are_resumed_under_one_policy),
        cmocka_unit_test(what_was_seen_is_remembered),
        cmocka_unit_test(the_certificate_is_looked_at_every_hour),
        cmocka_unit_test(a_server_that_forgot_its_keys_shakes_hands_anew),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
