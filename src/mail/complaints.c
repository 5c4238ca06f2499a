/*
 * complaints.c - tell a person what is wrong, where, and what to do.
 *
 * The source line is shown one character per column: a tab as a blank, and what is no printable
 * UTF-8 as "?", so that the caret stands where it should and no control byte reaches the
 * terminal. Of a very long line only a window around the place is shown.
 */
#include "mail/complaints.h"

#include "base/cursor.h"
#include "wire/utf8.h"

#include <stdarg.h>
#include <stdio.h>

enum {
    SHOWN_MAX = 160, /* characters of a source line */
    MESSAGE_MAX = 1024,
};

struct complaint {
    struct complaint *next;
    enum severity severity;
    struct place where;
    struct slice message, hint;
};

static bool is_before(struct place a, struct place b)
{
    return a.line != b.line ? a.line < b.line : a.column < b.column;
}

static bool is_told(const struct complaints *c, struct place where, struct slice message)
{
    for (const struct complaint *one = c->first; one != NULL; one = one->next)
        if (one->where.line == where.line && one->where.column == where.column &&
            slice_equal(one->message, message))
            return true;
    return false;
}

static void insert_sorted(struct complaints *c, struct complaint *new)
{
    struct complaint **at = &c->first;

    while (*at != NULL && !is_before(new->where, (*at)->where))
        at = &(*at)->next;
    new->next = *at;
    *at = new;
}

static void count(struct complaints *c, enum severity severity)
{
    switch (severity) {
    case SEVERITY_ERROR: c->errors++; break;
    case SEVERITY_WARNING: c->warnings++; break;
    }
}

void complain(struct complaints *c, enum severity severity, struct place where,
              struct slice message, struct slice hint)
{
    struct complaint *new;

    if (is_told(c, where, message))
        return;
    count(c, severity);
    if (c->kept == COMPLAINTS_SHOWN_MAX)
        return;
    c->kept++;
    new = ARENA_NEW(c->arena, struct complaint);
    new->severity = severity;
    new->where = where;
    new->message = arena_copy(c->arena, message);
    new->hint = arena_copy(c->arena, hint);
    insert_sorted(c, new);
}

void complain_printf(struct complaints *c, enum severity severity, struct place where,
                     struct slice hint, const char *format, ...)
{
    struct buf message;
    va_list args;

    if (c->kept == COMPLAINTS_SHOWN_MAX) {
        count(c, severity);
        return;
    }
    buf_init(&message, MESSAGE_MAX);
    va_start(args, format);
    int len = vsnprintf(buf_reserve(&message, MESSAGE_MAX), MESSAGE_MAX, format, args);
    va_end(args);
    buf_commit(&message, len < 0 ? 0 : len < MESSAGE_MAX ? (size_t)len : MESSAGE_MAX - 1);
    complain(c, severity, where, buf_slice(&message), hint);
    buf_done(&message);
}

/* ---- rendering ---- */

/* The text walked once, since complaints come in its order. */
struct walk {
    struct slice rest;
    struct slice line;
    unsigned number; /* of line; 0: none yet */
};

static struct slice line_of(struct walk *w, unsigned number)
{
    while (w->number < number) {
        if (!slice_cut(w->rest, '\n', &w->line, &w->rest)) {
            w->line = w->rest;
            w->rest = slice_skip(w->rest, w->rest.len);
        }
        w->number++;
    }
    return slice_ends(w->line, SLICE("\r")) ? slice_head(w->line, w->line.len - 1) : w->line;
}

static bool is_shown_as_is(uint32_t code)
{
    bool control = code < 0x20 || (code >= 0x7f && code < 0xa0);
    bool bidi = code == 0x61c || (code >= 0x200e && code <= 0x200f) ||
                (code >= 0x2028 && code <= 0x202e) || (code >= 0x2066 && code <= 0x2069);

    return !control && !bidi;
}

/* Takes one character, or one byte that is none, as it is to be shown. */
static struct slice take_shown(struct cursor *c)
{
    struct slice before = c->rest;
    uint32_t code;
    char byte;

    if (take_utf8(c, &code)) {
        if (is_shown_as_is(code))
            return slice_head(before, before.len - c->rest.len);
        return code == '\t' ? SLICE(" ") : SLICE("?");
    }
    take_any(c, &byte);
    return SLICE("?");
}

/* The characters from column `from` on. */
static void write_window(struct buf *out, struct slice line, unsigned from)
{
    struct cursor c = {line};

    for (unsigned column = 1; !cursor_at_end(&c) && column < from + SHOWN_MAX; column++) {
        struct slice shown = take_shown(&c);
        if (column >= from)
            buf_append(out, shown);
    }
}

static void write_clean(struct buf *out, struct slice text)
{
    struct cursor c = {text};

    while (!cursor_at_end(&c))
        buf_append(out, take_shown(&c));
}

static void write_source(struct buf *out, const struct complaint *one, struct walk *text)
{
    unsigned column = one->where.column;
    unsigned from = column > SHOWN_MAX / 2 ? column - SHOWN_MAX / 4 : 1;
    unsigned width = one->where.width;

    if (width > from + SHOWN_MAX - column)
        width = from + SHOWN_MAX - column;
    buf_printf(out, "%4u | ", one->where.line);
    write_window(out, line_of(text, one->where.line), from);
    buf_printf(out, "\n     | %*s^", (int)(column - from), "");
    for (unsigned i = 1; i < width; i++)
        buf_append_char(out, '~');
    if (one->hint.len > 0)
        buf_append(out, SLICE("   "));
    write_clean(out, one->hint);
    buf_append_char(out, '\n');
}

static const char *severity_name(enum severity severity)
{
    switch (severity) {
    case SEVERITY_ERROR: return "error";
    case SEVERITY_WARNING: break;
    }
    return "warning";
}

static void write_one(struct buf *out, const struct complaint *one, struct slice file,
                      struct walk *text)
{
    write_clean(out, file);
    if (one->where.line > 0)
        buf_printf(out, ":%u:%u", one->where.line, one->where.column);
    buf_printf(out, ": %s: ", severity_name(one->severity));
    write_clean(out, one->message);
    buf_append_char(out, '\n');
    if (one->where.line > 0) {
        write_source(out, one, text);
    } else if (one->hint.len > 0) {
        buf_append(out, SLICE("     | "));
        write_clean(out, one->hint);
        buf_append_char(out, '\n');
    }
}

void complaints_write(const struct complaints *c, struct slice file, struct slice text,
                      struct buf *out)
{
    unsigned more = c->errors + c->warnings - c->kept;
    struct walk walk = {.rest = text};

    for (const struct complaint *one = c->first; one != NULL; one = one->next)
        write_one(out, one, file, &walk);
    if (more > 0) {
        write_clean(out, file);
        buf_printf(out, ": %u more, not shown\n", more);
    }
}
