/*
 * certificate.h - certificates and their keys, for tests that speak TLS.
 */
#ifndef FAKES_CERTIFICATE_H
#define FAKES_CERTIFICATE_H

#include "base/buf.h"

struct authority; /* a certificate authority */

struct authority *authority_new(const char *name);
void authority_free(struct authority *a);
void authority_pem(const struct authority *a, struct buf *pem); /* initialised here */

/* As certificate_make(), of an authority, with names as OpenSSL writes them ("DNS:mx.example",
 * "email:ann@example"; NULL: none beside the common name). */
void certificate_issue(const struct authority *by, const char *name, const char *names,
                       struct buf *chain, struct buf *key);

/* The same as certificate_make() with an RSA key. */
void certificate_make_rsa(const char *name, struct buf *chain, struct buf *key);

/* Both in PEM; `name` is its only name. The bufs are initialised here. */
void certificate_make(const char *name, struct buf *chain, struct buf *key);

#endif
