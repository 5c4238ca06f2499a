/*
 * prep.c - SASLprep by libidn.
 *
 * Printable ASCII is its own prepared form, and nearly everything that comes is that: it does not
 * enter the library at all. For the rest libidn wants valid UTF-8 with a NUL behind it, in a place
 * where the result fits, too. It works on copies of its own, which it does not wipe.
 */
#include "sasl/prep.h"

#include "sasl/mechanism.h"
#include "wire/utf8.h"

#include <openssl/crypto.h>
#include <string.h>
#include <stringprep.h>

static bool is_plain(struct slice s)
{
    for (size_t i = 0; i < s.len; i++)
        if (s.data[i] < 0x20 || s.data[i] > 0x7e)
            return false;
    return true;
}

static bool prepare(struct slice in, enum prep_kind kind, char text[SASL_NAME_MAX + 1])
{
    Stringprep_profile_flags flags =
        kind == PREP_STORED ? STRINGPREP_NO_UNASSIGNED : (Stringprep_profile_flags)0;

    memcpy(text, in.data, in.len);
    text[in.len] = 0;
    return stringprep(text, SASL_NAME_MAX + 1, flags, stringprep_saslprep) == STRINGPREP_OK &&
           text[0] != 0;
}

bool sasl_prep(struct slice in, enum prep_kind kind, struct secret *out)
{
    char text[SASL_NAME_MAX + 1];

    if (in.len == 0 || in.len > SASL_NAME_MAX)
        return false;
    if (is_plain(in)) {
        secret_set(out, in);
        return true;
    }
    /* NUL is valid UTF-8, but would end the text before its end. */
    bool good = utf8_valid(in) && slice_find(in, 0) == in.len && prepare(in, kind, text);
    if (good)
        secret_set(out, slice_of(text));
    OPENSSL_cleanse(text, sizeof(text));
    return good;
}
