/*
 * number_name.h - file names made of a prefix and 16 hex digits, lower case.
 */
#ifndef STORE_NUMBER_NAME_H
#define STORE_NUMBER_NAME_H

#include "base/slice.h"

#include <stdint.h>

enum { NUMBER_NAME_DIGITS = 16 };

/* NUL-terminated; size has room for prefix, digits and NUL. */
void number_name_write(const char *prefix, uint64_t number, char *out, size_t size);

/* False when it is not such a name; then *number is unchanged. */
bool number_name_parse(struct slice name, struct slice prefix, uint64_t *number);

#endif
