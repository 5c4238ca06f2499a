/*
 * number_name.c - numbers as file names.
 *
 * Fixed width, so that a directory sorted by name is sorted by number.
 */
#include "store/number_name.h"

#include <stdio.h>

void number_name_write(const char *prefix, uint64_t number, char *out, size_t size)
{
    (void)snprintf(out, size, "%s%016llx", prefix, (unsigned long long)number);
}

bool number_name_parse(struct slice name, struct slice prefix, uint64_t *number)
{
    struct slice digits = slice_skip(name, prefix.len);
    uint64_t n = 0;

    if (!slice_starts(name, prefix) || digits.len != NUMBER_NAME_DIGITS)
        return false;
    for (size_t i = 0; i < digits.len; i++) {
        char c = digits.data[i];

        if (c >= '0' && c <= '9')
            n = n << 4 | (uint64_t)(c - '0');
        else if (c >= 'a' && c <= 'f')
            n = n << 4 | (uint64_t)(c - 'a' + 10);
        else
            return false;
    }
    *number = n;
    return true;
}
