/*
 * certificate.h - a self-signed certificate and its key, for tests that speak TLS.
 */
#ifndef FAKES_CERTIFICATE_H
#define FAKES_CERTIFICATE_H

#include "base/buf.h"

/* Both in PEM; `name` is its only name. The bufs are initialised here. */
void certificate_make(const char *name, struct buf *chain, struct buf *key);

#endif
