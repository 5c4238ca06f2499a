/*
 * tls_peer.c - the certificate of the other side, read out of OpenSSL.
 *
 * OpenSSL parsed it during the handshake; from here on lengths count, never NULs: a name may hold
 * one. The common name is shown as a part of the subject and matches nothing where there are names
 * (RFC 6125 6.4.4; X509_check_host knows).
 */
#include "loop/tls_peer.h"

#include <openssl/ssl.h>
#include <openssl/x509v3.h>

enum { DAY_S = 24 * 60 * 60, IPV6_TEXT_MAX = 40 };

static struct slice name_text(const X509_NAME *name, struct arena *arena)
{
    BIO *bio = BIO_new(BIO_s_mem());
    struct slice text = {0};
    char *data;

    if (bio == NULL)
        return text;
    if (X509_NAME_print_ex(bio, name, 0, XN_FLAG_RFC2253 & ~(unsigned long)ASN1_STRFLGS_ESC_MSB) >=
        0) {
        long len = BIO_get_mem_data(bio, &data);

        text = slice_head((struct slice){data, len > 0 ? (size_t)len : 0}, TLS_PEER_TEXT_MAX);
        text = arena_copy(arena, text);
    }
    BIO_free(bio);
    return text;
}

static struct slice key_text(X509 *x, struct arena *arena)
{
    EVP_PKEY *key = X509_get0_pubkey(x);
    const char *type = key == NULL ? NULL : EVP_PKEY_get0_type_name(key);

    if (type == NULL)
        return SLICE("unknown");
    return arena_printf(arena, "%s %d", type, EVP_PKEY_get_bits(key));
}

static int64_t seconds_of(const ASN1_TIME *time)
{
    ASN1_TIME *start = ASN1_TIME_set(NULL, 0);
    int days = 0, seconds = 0;

    /* What cannot be read is long over. */
    if (start == NULL || ASN1_TIME_diff(&days, &seconds, start, time) != 1)
        days = seconds = 0;
    ASN1_TIME_free(start);
    return (int64_t)days * DAY_S + seconds;
}

static struct slice ip_text(const unsigned char *ip, int len, struct arena *arena)
{
    struct slice text = SLICE("");

    if (len == 4)
        return arena_printf(arena, "%u.%u.%u.%u", ip[0], ip[1], ip[2], ip[3]);
    for (int i = 0; len == 16 && i < len; i += 2)
        text = arena_printf(arena, "%.*s%s%x", SLICE_PRINTF(text), i > 0 ? ":" : "",
                            (unsigned)(ip[i] << 8 | ip[i + 1]));
    return text;
}

/* False: neither a host's name nor an address. */
static bool one_name(const GENERAL_NAME *name, struct arena *arena, struct slice *out)
{
    int type;
    const ASN1_STRING *value = GENERAL_NAME_get0_value(name, &type);
    int len = value == NULL ? 0 : ASN1_STRING_length(value);

    if (len <= 0 || (type != GEN_DNS && type != GEN_IPADD))
        return false;
    const unsigned char *bytes = ASN1_STRING_get0_data(value);
    struct slice raw = {(const char *)bytes, (size_t)len};
    *out = type == GEN_IPADD ? ip_text(bytes, len, arena)
                             : arena_copy(arena, slice_head(raw, TLS_PEER_TEXT_MAX));
    return true;
}

static void read_names(X509 *x, struct arena *arena, struct tls_peer *out)
{
    GENERAL_NAMES *all = X509_get_ext_d2i(x, NID_subject_alt_name, NULL, NULL);
    int count = all == NULL ? 0 : sk_GENERAL_NAME_num(all);
    struct slice *names = ARENA_ARRAY(arena, struct slice, TLS_PEER_NAMES_MAX);

    for (int i = 0; i < count; i++) {
        struct slice name;

        if (!one_name(sk_GENERAL_NAME_value(all, i), arena, &name))
            continue;
        if (out->name_count < TLS_PEER_NAMES_MAX)
            names[out->name_count++] = name;
        else
            out->names_left_out++;
    }
    out->names = names;
    GENERAL_NAMES_free(all);
}

static bool matches(X509 *x, struct slice host, struct arena *arena)
{
    return X509_check_ip_asc(x, arena_string(arena, host), 0) == 1 ||
           X509_check_host(x, host.data, host.len, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS, NULL) == 1;
}

bool tls_peer_read(const struct ssl_st *ssl, struct slice host, struct arena *arena,
                   struct tls_peer *out)
{
    struct tls_peer got = {.name_asked = host.len > 0};
    X509 *x = SSL_get0_peer_certificate(ssl);
    long verdict = SSL_get_verify_result(ssl);

    if (x == NULL)
        return false;
    got.subject = name_text(X509_get_subject_name(x), arena);
    got.issuer = name_text(X509_get_issuer_name(x), arena);
    got.key = key_text(x, arena);
    read_names(x, arena, &got);
    got.from_s = seconds_of(X509_get0_notBefore(x));
    got.until_s = seconds_of(X509_get0_notAfter(x));
    if (verdict != X509_V_OK)
        got.mistrust = slice_of(X509_verify_cert_error_string(verdict));
    got.name_matches = got.name_asked && matches(x, host, arena);
    *out = got;
    return true;
}

/* Bytes that are no text may mean another name to somebody else. */
static bool is_plain(struct slice name)
{
    for (size_t i = 0; i < name.len; i++)
        if ((unsigned char)name.data[i] <= ' ' || name.data[i] == 0x7f)
            return false;
    return name.len > 0 && name.len <= TLS_PEER_TEXT_MAX;
}

static struct slice alternative_name(X509 *x, int wanted, struct arena *arena)
{
    GENERAL_NAMES *all = X509_get_ext_d2i(x, NID_subject_alt_name, NULL, NULL);
    int count = all == NULL ? 0 : sk_GENERAL_NAME_num(all);
    struct slice name = {0};

    for (int i = 0; i < count && name.len == 0; i++) {
        int type;
        const ASN1_STRING *value = GENERAL_NAME_get0_value(sk_GENERAL_NAME_value(all, i), &type);

        if (type == wanted && value != NULL)
            name = arena_copy(arena, (struct slice){(const char *)ASN1_STRING_get0_data(value),
                                                    (size_t)ASN1_STRING_length(value)});
    }
    GENERAL_NAMES_free(all);
    return name;
}

static struct slice common_name(const X509 *x, struct arena *arena)
{
    const X509_NAME *subject = X509_get_subject_name(x);
    int at = X509_NAME_get_index_by_NID(subject, NID_commonName, -1);
    const X509_NAME_ENTRY *entry = at < 0 ? NULL : X509_NAME_get_entry(subject, at);
    struct slice name = {0};
    unsigned char *text;

    if (entry == NULL)
        return name;
    int len = ASN1_STRING_to_UTF8(&text, X509_NAME_ENTRY_get_data(entry));
    if (len < 0)
        return name;
    name = arena_copy(arena, (struct slice){(const char *)text, (size_t)len});
    OPENSSL_free(text);
    return name;
}

bool tls_peer_name(const struct ssl_st *ssl, struct arena *arena, struct slice *out)
{
    X509 *x = SSL_get0_peer_certificate(ssl);
    struct slice name;

    if (x == NULL)
        return false;
    name = alternative_name(x, GEN_EMAIL, arena);
    if (name.len == 0)
        name = alternative_name(x, GEN_DNS, arena);
    if (name.len == 0)
        name = common_name(x, arena);
    if (!is_plain(name))
        return false;
    *out = name;
    return true;
}
