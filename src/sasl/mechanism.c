/*
 * mechanism.c - the table of mechanisms, in the order in which a client prefers them.
 *
 * A secret that goes over the wire as it is can be read by whoever holds the other end, and by
 * everybody when nothing is encrypted. So SCRAM comes first, and the others are not even
 * considered where somebody may listen: a client that lets the server choose loses its password to
 * whoever cuts the list down to PLAIN (SECURITY threat 4).
 */
#include "sasl/mechanism.h"

#include "base/cursor.h"

struct row {
    struct slice name;
    bool in_clear; /* what it sends lets others log in */
};

static const struct row rows[SASL_MECHANISM_COUNT] = {
    [SASL_EXTERNAL] = {SLICE_INIT("EXTERNAL"),           false},
    [SASL_SCRAM_SHA_256_PLUS] = {SLICE_INIT("SCRAM-SHA-256-PLUS"), false},
    [SASL_SCRAM_SHA_256] = {SLICE_INIT("SCRAM-SHA-256"),      false},
    [SASL_OAUTHBEARER] = {SLICE_INIT("OAUTHBEARER"),        true },
    [SASL_XOAUTH2] = {SLICE_INIT("XOAUTH2"),            true },
    [SASL_PLAIN] = {SLICE_INIT("PLAIN"),              true },
    [SASL_LOGIN] = {SLICE_INIT("LOGIN"),              true },
};

bool sasl_mechanism_parse(struct slice name, enum sasl_mechanism *out)
{
    for (unsigned i = 0; i < SASL_MECHANISM_COUNT; i++)
        if (slice_equal_nocase(name, rows[i].name)) {
            *out = (enum sasl_mechanism)i;
            return true;
        }
    return false;
}

struct slice sasl_mechanism_name(enum sasl_mechanism mechanism)
{
    return rows[mechanism].name;
}

static bool is_no_blank(char c)
{
    return c != ' ' && c != '\t';
}

bool sasl_mechanism_takes_token(enum sasl_mechanism mechanism)
{
    return mechanism == SASL_OAUTHBEARER || mechanism == SASL_XOAUTH2;
}

unsigned sasl_mechanisms_parse(struct slice words)
{
    struct cursor c = {words};
    enum sasl_mechanism mechanism;
    unsigned set = 0;

    while (!cursor_at_end(&c)) {
        take_blanks(&c);
        if (sasl_mechanism_parse(take_while(&c, is_no_blank), &mechanism))
            set |= 1u << mechanism;
    }
    return set;
}

bool sasl_mechanisms_write(struct buf *out, unsigned set)
{
    size_t start = buf_len(out);
    bool fits = true;

    for (unsigned i = 0; i < SASL_MECHANISM_COUNT && fits; i++)
        if (set & 1u << i)
            fits = (buf_len(out) == start || buf_append_char(out, ' ')) &&
                   buf_append(out, rows[i].name);
    if (!fits)
        buf_truncate(out, start);
    return fits;
}

static bool is_usable(enum sasl_mechanism mechanism, const struct sasl_means *means)
{
    if (rows[mechanism].in_clear && !means->secret)
        return false;
    switch (mechanism) {
    case SASL_EXTERNAL: return means->certificate;
    case SASL_SCRAM_SHA_256_PLUS: return means->password && means->channel_binding;
    case SASL_SCRAM_SHA_256:
    case SASL_PLAIN:
    case SASL_LOGIN: return means->password;
    case SASL_OAUTHBEARER:
    case SASL_XOAUTH2: return means->token;
    case SASL_MECHANISM_COUNT: break;
    }
    return false;
}

unsigned sasl_usable(unsigned offered, const struct sasl_means *means)
{
    unsigned set = 0;

    for (unsigned i = 0; i < SASL_MECHANISM_COUNT; i++)
        if (offered & 1u << i && is_usable((enum sasl_mechanism)i, means))
            set |= 1u << i;
    return set;
}

bool sasl_choose(unsigned offered, const struct sasl_means *means, enum sasl_mechanism *out)
{
    unsigned usable = sasl_usable(offered, means);

    for (unsigned i = 0; i < SASL_MECHANISM_COUNT; i++)
        if (usable & 1u << i) {
            *out = (enum sasl_mechanism)i;
            return true;
        }
    return false;
}
