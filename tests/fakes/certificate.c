/*
 * certificate.c - P-256 unless said otherwise, valid for an hour. What fails here is no finding: it
 * aborts.
 */
#include "fakes/certificate.h"

#include "base/memory.h"

#include <assert.h>
#include <openssl/ec.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <string.h>

enum { PEM_MAX = 16 * 1024, VALID_S = 3600 };

static void take_pem(BIO *bio, struct buf *out)
{
    char *text;
    long len = BIO_get_mem_data(bio, &text);

    buf_init(out, PEM_MAX);
    assert(len > 0 && buf_append(out, (struct slice){text, (size_t)len}));
    BIO_free(bio);
}

static void name_it(X509 *x, const char *name)
{
    X509_NAME *subject = X509_get_subject_name(x);
    int good = X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC, (const unsigned char *)name,
                                          -1, -1, 0);

    assert(good == 1 && X509_set_issuer_name(x, subject) == 1);
}

static X509 *unsigned_for(EVP_PKEY *key, const char *name)
{
    X509 *x = X509_new();

    assert(x != NULL && X509_set_version(x, 2) == 1);
    assert(ASN1_INTEGER_set(X509_get_serialNumber(x), 1) == 1);
    assert(X509_gmtime_adj(X509_getm_notBefore(x), -VALID_S) != NULL);
    assert(X509_gmtime_adj(X509_getm_notAfter(x), VALID_S) != NULL);
    assert(X509_set_pubkey(x, key) == 1);
    name_it(x, name);
    return x;
}

static void write_both(X509 *x, EVP_PKEY *pair, struct buf *chain, struct buf *key)
{
    BIO *chain_pem = BIO_new(BIO_s_mem()), *key_pem = BIO_new(BIO_s_mem());

    assert(PEM_write_bio_X509(chain_pem, x) == 1);
    assert(PEM_write_bio_PrivateKey(key_pem, pair, NULL, NULL, 0, NULL, NULL) == 1);
    take_pem(chain_pem, chain);
    take_pem(key_pem, key);
    X509_free(x);
    EVP_PKEY_free(pair);
}

static void make(EVP_PKEY *pair, const char *name, struct buf *chain, struct buf *key)
{
    X509 *x = unsigned_for(pair, name);

    assert(X509_sign(x, pair, EVP_sha256()) > 0);
    write_both(x, pair, chain, key);
}

void certificate_make(const char *name, struct buf *chain, struct buf *key)
{
    make(EVP_EC_gen("P-256"), name, chain, key);
}

void certificate_make_rsa(const char *name, struct buf *chain, struct buf *key)
{
    make(EVP_RSA_gen(2048), name, chain, key);
}

struct authority {
    EVP_PKEY *pair;
    X509 *x;
};

static void extend(X509 *x, int what, const char *text)
{
    X509_EXTENSION *e = X509V3_EXT_conf_nid(NULL, NULL, what, text);

    assert(e != NULL && X509_add_ext(x, e, -1) == 1);
    X509_EXTENSION_free(e);
}

struct authority *authority_new(const char *name)
{
    struct authority *a = MEMORY_NEW(struct authority);

    a->pair = EVP_EC_gen("P-256");
    a->x = unsigned_for(a->pair, name);
    extend(a->x, NID_basic_constraints, "critical,CA:TRUE");
    assert(X509_sign(a->x, a->pair, EVP_sha256()) > 0);
    return a;
}

void authority_free(struct authority *a)
{
    X509_free(a->x);
    EVP_PKEY_free(a->pair);
    memory_free(a);
}

void authority_pem(const struct authority *a, struct buf *pem)
{
    BIO *bio = BIO_new(BIO_s_mem());

    assert(PEM_write_bio_X509(bio, a->x) == 1);
    take_pem(bio, pem);
}

void certificate_issue(const struct authority *by, const char *name, const char *names,
                       struct buf *chain, struct buf *key)
{
    EVP_PKEY *pair = EVP_EC_gen("P-256");
    X509 *x = unsigned_for(pair, name);

    assert(X509_set_issuer_name(x, X509_get_subject_name(by->x)) == 1);
    if (names != NULL)
        extend(x, NID_subject_alt_name, names);
    assert(X509_sign(x, by->pair, EVP_sha256()) > 0);
    write_both(x, pair, chain, key);
}
