/*
 * forwarded.c - one table of attributes, each with the form of its value.
 *
 * Whoever may use these commands is believed, but not to write well: a name with a line end in it
 * would go into the log and into Received.
 */
#include "wire/forwarded.h"

#include "base/codec.h"
#include "base/cursor.h"
#include "wire/chars.h"
#include "wire/network.h"
#include "wire/utf8.h"

#include <string.h>

const struct slice forwarded_words_xclient =
    SLICE_INIT(" NAME ADDR PORT PROTO HELO LOGIN DESTADDR DESTPORT REVERSE_NAME");
const struct slice forwarded_words_xforward = SLICE_INIT(" NAME ADDR PORT PROTO HELO IDENT SOURCE");

static bool is_text(struct slice value, struct forwarded *out)
{
    (void)out;
    return value.len > 0 && value.len <= FORWARDED_TEXT_MAX && utf8_printable(value);
}

static bool is_name(struct slice value, struct forwarded *out)
{
    out->name = value;
    return is_text(value, out) && slice_find(value, ' ') == value.len;
}

static bool is_login(struct slice value, struct forwarded *out)
{
    out->login = value;
    return is_text(value, out);
}

static bool is_ident(struct slice value, struct forwarded *out)
{
    out->ident = value;
    return is_text(value, out) && slice_find(value, ' ') == value.len;
}

/* "192.0.2.1", "IPV6:2001:db8::1". */
static bool read_ip(struct slice value, unsigned char ip[16])
{
    struct cursor c = {value};
    bool ipv6 = take_word(&c, SLICE("IPV6:"));

    return (slice_find(c.rest, ':') < c.rest.len) == ipv6 && ip_parse(c.rest, ip);
}

static bool is_address(struct slice value, struct forwarded *out)
{
    return read_ip(value, out->ip);
}

static bool is_other_address(struct slice value, struct forwarded *out)
{
    unsigned char ip[16];

    (void)out;
    return read_ip(value, ip);
}

static bool is_port(struct slice value, struct forwarded *out)
{
    struct cursor c = {value};
    uint64_t port;

    (void)out;
    return take_number(&c, &port) && cursor_at_end(&c) && port <= UINT16_MAX;
}

static bool is_proto(struct slice value, struct forwarded *out)
{
    (void)out;
    return slice_equal_nocase(value, SLICE("SMTP")) || slice_equal_nocase(value, SLICE("ESMTP"));
}

static bool is_source(struct slice value, struct forwarded *out)
{
    (void)out;
    return slice_equal_nocase(value, SLICE("LOCAL")) || slice_equal_nocase(value, SLICE("REMOTE"));
}

static const struct row {
    struct slice name;
    enum forwarded_attribute attribute;
    bool (*take)(struct slice value, struct forwarded *out);
} rows[] = {
    {SLICE_INIT("NAME"),         FORWARDED_NAME,         is_name         },
    {SLICE_INIT("ADDR"),         FORWARDED_ADDR,         is_address      },
    {SLICE_INIT("PORT"),         FORWARDED_PORT,         is_port         },
    {SLICE_INIT("PROTO"),        FORWARDED_PROTO,        is_proto        },
    {SLICE_INIT("HELO"),         FORWARDED_HELO,         is_text         },
    {SLICE_INIT("LOGIN"),        FORWARDED_LOGIN,        is_login        },
    {SLICE_INIT("DESTADDR"),     FORWARDED_DESTADDR,     is_other_address},
    {SLICE_INIT("DESTPORT"),     FORWARDED_DESTPORT,     is_port         },
    {SLICE_INIT("REVERSE_NAME"), FORWARDED_REVERSE_NAME, is_text         },
    {SLICE_INIT("IDENT"),        FORWARDED_IDENT,        is_ident        },
    {SLICE_INIT("SOURCE"),       FORWARDED_SOURCE,       is_source       },
};

static const struct row *row_of(struct slice name)
{
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
        if (slice_equal_nocase(rows[i].name, name))
            return &rows[i];
    return NULL;
}

static bool is_not_known(struct slice value)
{
    return slice_equal_nocase(value, SLICE("[UNAVAILABLE]")) ||
           slice_equal_nocase(value, SLICE("[TEMPUNAVAIL]"));
}

static bool decode(struct slice xtext, struct arena *arena, struct slice *out)
{
    struct buf text;
    bool good;

    buf_init(&text, FORWARDED_TEXT_MAX);
    good = xtext_decode(&text, xtext);
    *out = good ? arena_copy(arena, buf_slice(&text)) : SLICE("");
    buf_done(&text);
    return good;
}

/* NAME=value */
static bool read_word(struct slice word, unsigned attributes, struct arena *arena,
                      struct forwarded *out)
{
    struct slice name, xtext, value;
    const struct row *row;

    if (!slice_cut(word, '=', &name, &xtext) || (row = row_of(name)) == NULL ||
        (attributes & row->attribute) == 0 || (out->said & row->attribute) != 0 ||
        !decode(xtext, arena, &value))
        return false;
    out->said |= row->attribute;
    if (is_not_known(value))
        return true;
    out->known |= row->attribute;
    return row->take(value, out);
}

static bool is_not_blank(char c)
{
    return !char_is(c, CHAR_BLANK);
}

/* Said once more in another command, an attribute has its new value. */
static void add(struct forwarded *to, const struct forwarded *from)
{
    if ((from->said & FORWARDED_NAME) != 0)
        to->name = from->name;
    if ((from->said & FORWARDED_LOGIN) != 0)
        to->login = from->login;
    if ((from->said & FORWARDED_IDENT) != 0)
        to->ident = from->ident;
    if ((from->said & FORWARDED_ADDR) != 0)
        memcpy(to->ip, from->ip, sizeof(to->ip));
    to->said |= from->said;
    to->known = (to->known & ~from->said) | from->known;
}

bool forwarded_read(struct slice argument, unsigned attributes, struct arena *arena,
                    struct forwarded *out)
{
    struct cursor c = {slice_trim(argument)};
    struct forwarded got = {0};

    do {
        if (!read_word(take_while(&c, is_not_blank), attributes, arena, &got))
            return false;
        take_blanks(&c);
    } while (!cursor_at_end(&c));
    add(out, &got);
    return true;
}
