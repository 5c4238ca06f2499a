/*
 * dev_certificate.c - an authority that vouches for one certificate.
 *
 * Its key is forgotten as soon as it has signed: whoever gets at the folder can play this server,
 * but never another one that the developer's programs would trust. So a new certificate means a
 * new authority; 800 days is as long as systems with a limit take one (825 days).
 */
#include "cmd/dev_certificate.h"

#include "base/fail.h"
#include "loop/tls.h"
#include "store/small_file.h"

#include <errno.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

enum {
    DAY_S = 24 * 60 * 60,
    VALID_S = 800 * DAY_S,
    EARLIER_S = DAY_S, /* a clock may be wrong */
    LEFT_S = 30 * DAY_S,
    SERIAL_BITS = 127,
    CERTIFICATE_MODE = 0644,
    KEY_MODE = 0600,
};

struct extension {
    int what;
    const char *text;
};

static const struct extension of_authority[] = {
    {NID_basic_constraints,      "critical,CA:TRUE,pathlen:0"},
    {NID_key_usage,              "critical,keyCertSign"      },
    {NID_subject_key_identifier, "hash"                      },
    {0,                          NULL                        },
};

static const struct extension of_server[] = {
    {NID_basic_constraints,        "critical,CA:FALSE"                },
    {NID_key_usage,                "critical,digitalSignature"        },
    {NID_ext_key_usage,            "serverAuth"                       },
    {NID_subject_key_identifier,   "hash"                             },
    {NID_authority_key_identifier, "keyid:always"                     },
    {NID_subject_alt_name,         "DNS:localhost,IP:127.0.0.1,IP:::1"},
    {0,                            NULL                               },
};

/* A certificate and its key. */
struct pair {
    X509 *x;
    EVP_PKEY *key;
};

static void pair_done(struct pair *p)
{
    X509_free(p->x);
    EVP_PKEY_free(p->key);
}

static bool number(X509 *x)
{
    BIGNUM *serial = BN_new();
    bool done = serial != NULL &&
                BN_rand(serial, SERIAL_BITS, BN_RAND_TOP_ANY, BN_RAND_BOTTOM_ANY) == 1 &&
                BN_to_ASN1_INTEGER(serial, X509_get_serialNumber(x)) != NULL;

    BN_free(serial);
    return done;
}

static bool name(X509_NAME *of, const char *common)
{
    return X509_NAME_add_entry_by_txt(of, "O", MBSTRING_ASC, (const unsigned char *)"postroad dev",
                                      -1, -1, 0) == 1 &&
           X509_NAME_add_entry_by_txt(of, "CN", MBSTRING_ASC, (const unsigned char *)common, -1, -1,
                                      0) == 1;
}

static bool extend(X509 *x, X509 *issuer, const struct extension *extensions)
{
    X509V3_CTX about;

    X509V3_set_ctx(&about, issuer, x, NULL, NULL, 0);
    for (const struct extension *e = extensions; e->text != NULL; e++) {
        X509_EXTENSION *made = X509V3_EXT_conf_nid(NULL, &about, e->what, e->text);
        bool added = made != NULL && X509_add_ext(x, made, -1) == 1;

        X509_EXTENSION_free(made);
        if (!added)
            return false;
    }
    return true;
}

/* `by` may be `out` itself. */
static bool make(struct pair *out, const char *common, const struct pair *by,
                 const struct extension *extensions)
{
    out->key = EVP_EC_gen("P-256");
    out->x = X509_new();
    return out->key != NULL && out->x != NULL && X509_set_version(out->x, 2) == 1 &&
           number(out->x) && X509_gmtime_adj(X509_getm_notBefore(out->x), -EARLIER_S) != NULL &&
           X509_gmtime_adj(X509_getm_notAfter(out->x), VALID_S) != NULL &&
           name(X509_get_subject_name(out->x), common) &&
           X509_set_issuer_name(out->x, X509_get_subject_name(by->x)) == 1 &&
           X509_set_pubkey(out->x, out->key) == 1 && extend(out->x, by->x, extensions) &&
           X509_sign(out->x, by->key, EVP_sha256()) > 0;
}

/* ---- files ---- */

static int write_pem(struct disk_dir *dir, const char *file, BIO *pem, bool written, unsigned mode)
{
    char *text;
    long len = pem == NULL ? 0 : BIO_get_mem_data(pem, &text);
    int code = -ENOMEM;

    if (written && len > 0)
        code = small_file_replace(dir, file, (struct slice){text, (size_t)len}, mode);
    BIO_free(pem);
    return code;
}

static int write_certificate(struct disk_dir *dir, const char *file, const X509 *x)
{
    BIO *pem = BIO_new(BIO_s_mem());
    bool written = pem != NULL && PEM_write_bio_X509(pem, x) == 1;

    return write_pem(dir, file, pem, written, CERTIFICATE_MODE);
}

static int write_key(struct disk_dir *dir, const char *file, const EVP_PKEY *key)
{
    BIO *pem = BIO_new(BIO_s_secmem());
    bool written =
        pem != NULL && PEM_write_bio_PrivateKey(pem, key, NULL, NULL, 0, NULL, NULL) == 1;

    return write_pem(dir, file, pem, written, KEY_MODE);
}

/* The authority last: when it is there, all is. */
static int write_all(struct disk_dir *dir, const struct pair *authority, const struct pair *server)
{
    int code = write_key(dir, DEV_KEY_FILE, server->key);

    if (code == 0)
        code = write_certificate(dir, DEV_CERTIFICATE_FILE, server->x);
    return code == 0 ? write_certificate(dir, DEV_CA_FILE, authority->x) : code;
}

static int make_all(struct disk_dir *dir)
{
    struct pair authority = {0}, server = {0};
    int code = -ENOMEM;

    if (make(&authority, "CA of this folder", &authority, of_authority) &&
        make(&server, "localhost", &authority, of_server))
        code = write_all(dir, &authority, &server);
    pair_done(&authority);
    pair_done(&server);
    ERR_clear_error();
    return code;
}

/* ---- what is there ---- */

static X509 *certificate_of(const struct buf *text)
{
    BIO *pem = BIO_new_mem_buf(buf_slice(text).data, (int)buf_len(text));
    X509 *x = pem == NULL ? NULL : PEM_read_bio_X509(pem, NULL, NULL, NULL);

    BIO_free(pem);
    return x;
}

static bool lasts(const X509 *x)
{
    ASN1_TIME *then = X509_gmtime_adj(NULL, LEFT_S);
    bool good = then != NULL && ASN1_TIME_compare(X509_get0_notAfter(x), then) > 0;

    ASN1_TIME_free(then);
    return good;
}

static bool suits(const struct buf *ca, const struct buf *chain, const struct buf *key)
{
    X509 *authority = certificate_of(ca), *server = certificate_of(chain);
    bool good = authority != NULL && server != NULL && lasts(server) &&
                X509_verify(server, X509_get0_pubkey(authority)) == 1 &&
                tls_key_fault(buf_slice(chain), buf_slice(key)) == NULL;

    X509_free(authority);
    X509_free(server);
    ERR_clear_error();
    return good;
}

static bool is_there(struct disk_dir *dir)
{
    struct buf ca, chain, key;

    buf_init(&ca, SMALL_FILE_MAX);
    buf_init(&chain, SMALL_FILE_MAX);
    buf_init(&key, SMALL_FILE_MAX);
    bool good = small_file_read(dir, DEV_CA_FILE, &ca) == 0 &&
                small_file_read(dir, DEV_CERTIFICATE_FILE, &chain) == 0 &&
                small_file_read(dir, DEV_KEY_FILE, &key) == 0 && suits(&ca, &chain, &key);

    buf_done(&ca);
    buf_done(&chain);
    buf_done(&key);
    return good;
}

enum dev_certificate dev_certificate_see_to(struct disk_dir *dir)
{
    if (is_there(dir))
        return DEV_CERTIFICATE_KEPT;
    int code = make_all(dir);
    if (code == 0)
        return DEV_CERTIFICATE_MADE;
    (void)fail_code(code, "make", SLICE("a certificate"));
    return DEV_CERTIFICATE_FAILED;
}
