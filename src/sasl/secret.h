/*
 * secret.h - bytes that are wiped before their memory is given back.
 *
 * An all-zero struct is empty. The copy is made at its full size at once, so that no growth leaves
 * a piece of it behind.
 */
#ifndef SASL_SECRET_H
#define SASL_SECRET_H

#include "base/slice.h"

struct secret {
    char *data;
    size_t len;
};

/* Replaces what was there. */
void secret_set(struct secret *s, struct slice bytes);
void secret_wipe(struct secret *s); /* empty again */
struct slice secret_slice(const struct secret *s);

/* Takes as long wherever they differ; only unequal lengths are seen at once. */
bool secret_equal(struct slice a, struct slice b);

#endif
