/*
 * domain.c - domain names, address literals and IDNA.
 *
 * What comes out is canonical: ASCII in lower case, literals as numbers printed anew. U-labels
 * are kept as they came, since nobody but the owner may convert an address (RFC 6531 3.2), but
 * only true U-labels are let in: without that rule "exam<soft hyphen>ple.org" or an ideographic
 * full stop would be one name to a person, another to a rule and a third to the resolver.
 *
 * RFC 5321 4.1.2 and 4.1.3, RFC 5890 2.3.2.1, RFC 4291 2.2.
 */
#include "wire/address.h"
#include "wire/chars.h"
#include "wire/utf8.h"

#include <arpa/inet.h>
#include <idn2.h>
#include <string.h>

enum { LABEL_MAX = 63, NO_GAP = 16 };

static bool is_letdig(char c)
{
    return char_is(c, CHAR_LETDIG);
}

static bool is_letdig_or_high(char c)
{
    return char_is(c, CHAR_LETDIG | CHAR_HIGH);
}

static bool is_letdig_or_underscore(char c)
{
    return char_is(c, CHAR_LETDIG) || c == '_';
}

/* Hyphens only inside. The length of a U-label is its A-label's, which IDNA checks. */
static bool label_is_valid(struct slice label, bool (*is)(char))
{
    if (label.len == 0 || (label.len > LABEL_MAX && utf8_is_ascii(label)))
        return false;
    for (size_t i = 0; i < label.len; i++)
        if (!is(label.data[i]) && label.data[i] != '-')
            return false;
    return is(label.data[0]) && is(label.data[label.len - 1]);
}

static bool labels_are_valid(struct slice name, bool (*is)(char))
{
    struct slice label, rest = name;

    if (name.len > DOMAIN_MAX)
        return false;
    while (slice_cut(rest, '.', &label, &rest))
        if (!label_is_valid(label, is))
            return false;
    return label_is_valid(rest, is);
}

static bool idna_to_ascii(struct slice name, struct arena *arena, int flags, struct slice *out)
{
    char *ascii = NULL;

    /* The bound spares libidn2 names that could never fit; a NUL would cut the C string. */
    if (name.len > 4 * DOMAIN_MAX || !utf8_printable(name))
        return false;
    if (idn2_to_ascii_8z(arena_string(arena, name), &ascii, flags) != IDN2_OK)
        return false;
    struct slice got = arena_lower(arena, slice_of(ascii));
    idn2_free(ascii);

    /* Mapping can bring forth anything, "@" and blanks included. */
    if (!labels_are_valid(got, is_letdig))
        return false;
    *out = got;
    return true;
}

bool domain_to_ascii(struct slice domain, struct arena *arena, struct slice *out)
{
    if (!utf8_is_ascii(domain))
        return idna_to_ascii(domain, arena, IDN2_NFC_INPUT | IDN2_NONTRANSITIONAL, out);
    *out = domain;
    return true;
}

/* As it stands and as a look-up maps it: the two do not refuse the same names. */
static bool has_one_ascii_form(struct slice name, struct arena *arena)
{
    struct slice strict, mapped;

    return idna_to_ascii(name, arena, IDN2_NO_TR46, &strict) &&
           domain_to_ascii(name, arena, &mapped) && slice_equal(strict, mapped);
}

bool domain_parse(struct slice text, struct arena *arena, struct slice *out)
{
    if (!labels_are_valid(text, is_letdig_or_high))
        return false;
    struct slice name = arena_lower(arena, text);
    if (!utf8_is_ascii(name) && !has_one_ascii_form(name, arena))
        return false;
    *out = name;
    return true;
}

bool ehlo_name_parse(struct slice text, struct arena *arena, struct slice *out)
{
    struct cursor c = {text};
    struct slice literal;

    if (take_char(&c, '[')) {
        if (!take_until(&c, ']', &literal) || c.rest.len != 1)
            return false;
        if (!literal_parse(literal, arena, &literal))
            return false;
        *out = arena_printf(arena, "[%.*s]", SLICE_PRINTF(literal));
        return true;
    }
    if (!labels_are_valid(text, is_letdig_or_underscore))
        return false;
    *out = arena_copy(arena, text);
    return true;
}

/* Snum: one to three digits, at most 255. */
static bool take_snum(struct cursor *c, unsigned char *out)
{
    unsigned value = 0, digits = 0;

    while (digits < 3 && !cursor_at_end(c) && char_is(c->rest.data[0], CHAR_DIGIT)) {
        value = value * 10 + (unsigned)(c->rest.data[0] - '0');
        c->rest = slice_skip(c->rest, 1);
        digits++;
    }
    if (digits == 0 || value > 255)
        return false;
    *out = (unsigned char)value;
    return true;
}

bool ipv4_parse(struct slice text, unsigned char out[4])
{
    struct cursor c = {text};
    unsigned char got[4];

    for (size_t i = 0; i < sizeof(got); i++)
        if ((i > 0 && !take_char(&c, '.')) || !take_snum(&c, &got[i]))
            return false;
    if (!cursor_at_end(&c))
        return false;
    memcpy(out, got, sizeof(got));
    return true;
}

static unsigned hex_value(char c)
{
    if (char_is(c, CHAR_DIGIT))
        return (unsigned)(c - '0');
    return (unsigned)(byte_lower(c) - 'a') + 10;
}

/* IPv6-hex: one to four hexadecimal digits, as two bytes. */
static bool take_group(struct cursor *c, unsigned char out[2])
{
    unsigned value = 0, digits = 0;

    while (digits < 4 && !cursor_at_end(c) && char_is(c->rest.data[0], CHAR_HEXDIG)) {
        value = value << 4 | hex_value(c->rest.data[0]);
        c->rest = slice_skip(c->rest, 1);
        digits++;
    }
    out[0] = (unsigned char)(value >> 8);
    out[1] = (unsigned char)value;
    return digits > 0;
}

/* The groups as they are written; "::" stood before byte *gap, or NO_GAP. */
struct ipv6_text {
    unsigned char bytes[16];
    size_t len;
    size_t gap;
};

/* The last four bytes may be written as a dotted quad. */
static bool take_quad_tail(struct cursor *c, struct ipv6_text *t)
{
    if (slice_find(c->rest, '.') == c->rest.len || slice_find(c->rest, ':') != c->rest.len)
        return false;
    if (t->len > 12 || !ipv4_parse(c->rest, t->bytes + t->len))
        return false;
    t->len += 4;
    c->rest = slice_skip(c->rest, c->rest.len);
    return true;
}

static bool ipv6_read(struct slice text, struct ipv6_text *t)
{
    struct cursor c = {text};

    *t = (struct ipv6_text){.gap = NO_GAP};
    if (take_word(&c, SLICE("::")))
        t->gap = 0;
    while (!cursor_at_end(&c)) {
        if (take_quad_tail(&c, t))
            break;
        if (t->len == sizeof(t->bytes) || !take_group(&c, t->bytes + t->len))
            return false;
        t->len += 2;
        if (cursor_at_end(&c))
            break;
        if (take_word(&c, SLICE("::"))) {
            if (t->gap != NO_GAP)
                return false;
            t->gap = t->len;
        } else if (!take_char(&c, ':') || cursor_at_end(&c)) {
            return false;
        }
    }
    return t->gap == NO_GAP ? t->len == sizeof(t->bytes) : t->len < sizeof(t->bytes);
}

static void ipv6_expand(const struct ipv6_text *t, unsigned char out[16])
{
    size_t head = t->gap == NO_GAP ? t->len : t->gap, tail = t->len - head;

    memset(out, 0, 16);
    memcpy(out, t->bytes, head);
    memcpy(out + 16 - tail, t->bytes + head, tail);
}

bool ipv6_parse(struct slice text, unsigned char out[16])
{
    struct ipv6_text t;

    if (!ipv6_read(text, &t))
        return false;
    ipv6_expand(&t, out);
    return true;
}

bool literal_parse(struct slice text, struct arena *arena, struct slice *out)
{
    struct cursor c = {text};
    unsigned char quad[4], bytes[16];
    struct ipv6_text t;
    char printed[INET6_ADDRSTRLEN];

    if (ipv4_parse(text, quad)) {
        *out = arena_printf(arena, "%u.%u.%u.%u", quad[0], quad[1], quad[2], quad[3]);
        return true;
    }
    if (!take_word(&c, SLICE("IPv6:")) || !ipv6_read(c.rest, &t))
        return false;
    /* In a literal "::" stands for two groups or more: RFC 5321 4.1.3 IPv6-comp. */
    if (t.gap != NO_GAP && t.len > 12)
        return false;
    ipv6_expand(&t, bytes);
    *out = arena_printf(arena, "IPv6:%s", inet_ntop(AF_INET6, bytes, printed, sizeof(printed)));
    return true;
}
