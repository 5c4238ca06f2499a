/*
 * ehlo.c - EHLO replies against a table of keywords.
 *
 * Some servers still write "AUTH=PLAIN" beside "AUTH PLAIN"; so a keyword ends at "=" too.
 */
#include "wire/ehlo.h"

#include "base/cursor.h"

#include <limits.h>

static uint64_t number_or_none(struct slice text)
{
    struct cursor c = {text};
    uint64_t value;

    return take_number(&c, &value) && cursor_at_end(&c) ? value : 0;
}

static void read_size(struct ehlo_offers *offers, struct slice params)
{
    offers->size_max = number_or_none(params);
}

static void read_by(struct ehlo_offers *offers, struct slice params)
{
    offers->by_min_s = number_or_none(params);
}

/* A larger limit than ours is none. */
static unsigned limit_of(struct slice text)
{
    uint64_t value = number_or_none(text);

    return value > INT_MAX ? 0 : (unsigned)value;
}

/* "RCPTMAX=100 MAILMAX=20": RFC 9422 4. */
static void read_limits(struct ehlo_offers *offers, struct slice params)
{
    struct slice word, rest = params;

    while (rest.len > 0) {
        struct slice name, value;

        if (!slice_cut(rest, ' ', &word, &rest)) {
            word = rest;
            rest = (struct slice){0};
        }
        if (!slice_cut(word, '=', &name, &value))
            continue;
        if (slice_equal_nocase(name, SLICE("RCPTMAX")))
            offers->rcpt_max = limit_of(value);
        else if (slice_equal_nocase(name, SLICE("RCPTDOMAINMAX")))
            offers->rcpt_domain_max = limit_of(value);
        else if (slice_equal_nocase(name, SLICE("MAILMAX")))
            offers->mail_max = limit_of(value);
    }
}

static const struct {
    struct slice word;
    enum ehlo_keyword keyword;
    void (*read)(struct ehlo_offers *offers, struct slice params); /* NULL: nothing of use */
} table[] = {
    {SLICE_INIT("PIPELINING"),          EHLO_PIPELINING,     NULL       },
    {SLICE_INIT("SIZE"),                EHLO_SIZE,           read_size  },
    {SLICE_INIT("8BITMIME"),            EHLO_8BITMIME,       NULL       },
    {SLICE_INIT("CHUNKING"),            EHLO_CHUNKING,       NULL       },
    {SLICE_INIT("BINARYMIME"),          EHLO_BINARYMIME,     NULL       },
    {SLICE_INIT("SMTPUTF8"),            EHLO_SMTPUTF8,       NULL       },
    {SLICE_INIT("DSN"),                 EHLO_DSN,            NULL       },
    {SLICE_INIT("ENHANCEDSTATUSCODES"), EHLO_ENHANCED_CODES, NULL       },
    {SLICE_INIT("STARTTLS"),            EHLO_STARTTLS,       NULL       },
    {SLICE_INIT("REQUIRETLS"),          EHLO_REQUIRETLS,     NULL       },
    {SLICE_INIT("DELIVERBY"),           EHLO_DELIVERBY,      read_by    },
    {SLICE_INIT("MT-PRIORITY"),         EHLO_MT_PRIORITY,    NULL       },
    {SLICE_INIT("NO-SOLICITING"),       EHLO_NO_SOLICITING,  NULL       },
    {SLICE_INIT("FUTURERELEASE"),       EHLO_FUTURERELEASE,  NULL       },
    {SLICE_INIT("LIMITS"),              EHLO_LIMITS,         read_limits},
    {SLICE_INIT("ETRN"),                EHLO_ETRN,           NULL       },
    {SLICE_INIT("AUTH"),                EHLO_AUTH,           NULL       },
    {SLICE_INIT("XCLIENT"),             EHLO_XCLIENT,        NULL       },
    {SLICE_INIT("XFORWARD"),            EHLO_XFORWARD,       NULL       },
};

/* The keyword of a line, and what follows it. */
static struct slice split_line(struct slice line, struct slice *params)
{
    size_t end = 0;

    while (end < line.len && line.data[end] != ' ' && line.data[end] != '=')
        end++;
    *params = slice_trim(slice_skip(line, end + 1));
    return slice_head(line, end);
}

static void read_line(struct ehlo_offers *offers, struct slice line)
{
    struct slice params, word = split_line(line, &params);

    for (size_t i = 0; i < sizeof(table) / sizeof(*table); i++) {
        if (!slice_equal_nocase(word, table[i].word))
            continue;
        offers->keywords |= table[i].keyword;
        if (table[i].read != NULL)
            table[i].read(offers, params);
    }
}

struct ehlo_offers ehlo_offers_read(struct slice text)
{
    struct ehlo_offers offers = {0};
    struct slice line, rest;

    if (!slice_cut(text, '\n', &line, &rest))
        return offers; /* the server's name alone */
    while (slice_cut(rest, '\n', &line, &rest))
        read_line(&offers, line);
    read_line(&offers, rest);
    return offers;
}

struct slice ehlo_params(struct slice text, struct slice keyword)
{
    struct slice line, params, rest = text;
    bool more = slice_cut(text, '\n', &line, &rest);

    while (more) {
        more = slice_cut(rest, '\n', &line, &rest);
        if (!more)
            line = rest;
        if (slice_equal_nocase(split_line(line, &params), keyword))
            return params;
    }
    return SLICE("");
}
