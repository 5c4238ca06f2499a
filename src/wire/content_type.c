/*
 * content_type.c - the values of Content-Type and Content-Disposition.
 *
 * Two passes. The first takes the parameters as they stand, pieces of RFC 2231 each for itself:
 * "name*1*=text" is a piece of "name", number 1, in percent form. The second puts the pieces of one
 * name together, in the order of their numbers, and decodes them. A later parameter of the same
 * name and number is ignored: readers that differ about it are a way past filters.
 */
#include "wire/content_type.h"

#include "base/buf.h"
#include "base/cursor.h"
#include "wire/chars.h"
#include "wire/charset.h"
#include "wire/encoded_word.h"
#include "wire/utf8.h"

enum { NUMBER_NONE = UINT32_MAX, NUMBER_DIGITS_MAX = 6, COMMENT_DEPTH_MAX = 32 };

struct piece {
    struct slice name; /* without stars, lower case */
    uint32_t number;   /* NUMBER_NONE: the whole value */
    bool percent;      /* "*" at the end of its name */
    struct slice text;
    bool used;
};

struct reading {
    struct cursor c;
    struct arena *arena;
    struct piece pieces[CONTENT_PARAMS_MAX];
    unsigned count;
};

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static bool skip_comment(struct cursor *c)
{
    unsigned depth = 0;
    char byte;

    if (cursor_at_end(c) || c->rest.data[0] != '(')
        return false;
    do {
        if (!take_any(c, &byte))
            return true;
        if (byte == '\\')
            (void)take_any(c, &byte);
        else if (byte == '(' && depth < COMMENT_DEPTH_MAX)
            depth++;
        else if (byte == ')')
            depth--;
    } while (depth > 0);
    return true;
}

static void skip_cfws(struct cursor *c)
{
    do
        (void)take_while(c, is_space);
    while (skip_comment(c));
}

static bool is_type_byte(char c)
{
    return !is_space(c) && c != '/' && c != ';' && c != '(';
}

/* What follows a second "/" belongs to the subtype, whatever it is. */
static bool is_subtype_byte(char c)
{
    return !is_space(c) && c != ';' && c != '(';
}

static bool is_name_byte(char c)
{
    return !is_space(c) && c != '=' && c != ';' && c != '(' && c != '"';
}

static bool is_value_byte(char c)
{
    return !is_space(c) && c != ';';
}

/* The inside of a quoted string, unquoted and unfolded; one without an end goes to the end. Only
 * as much memory as it has bytes: a value may hold thousands of them. */
static struct slice take_quoted(struct reading *r)
{
    struct slice inside = r->c.rest;
    char byte;

    while (take_any(&r->c, &byte) && byte != '"')
        if (byte == '\\')
            (void)take_any(&r->c, &byte);
    inside.len -= r->c.rest.len;

    struct cursor c = {inside};
    char *text = arena_alloc(r->arena, inside.len + 1);
    size_t n = 0;

    while (take_any(&c, &byte) && byte != '"') {
        if (byte == '\r' || byte == '\n')
            continue;
        if (byte == '\\' && !take_any(&c, &byte))
            break;
        text[n++] = byte;
    }
    return (struct slice){text, n};
}

static struct slice take_value(struct reading *r)
{
    skip_cfws(&r->c);
    if (take_char(&r->c, '"'))
        return take_quoted(r);
    return take_while(&r->c, is_value_byte);
}

/* "name", "name*", "name*1", "name*1*": RFC 2231 3 and 4. */
static void read_name(struct slice name, struct piece *out)
{
    struct slice base, rest;
    struct cursor c;
    uint64_t number;

    out->number = NUMBER_NONE;
    out->name = name;
    if (!slice_cut(name, '*', &base, &rest))
        return;
    out->name = base;
    if (rest.len == 0) {
        out->percent = true;
        return;
    }
    out->percent = slice_ends(rest, SLICE("*"));
    if (out->percent)
        rest = slice_head(rest, rest.len - 1);
    c = (struct cursor){rest};
    if (rest.len <= NUMBER_DIGITS_MAX && take_number(&c, &number) && cursor_at_end(&c))
        out->number = (uint32_t)number;
}

static bool is_there(const struct reading *r, const struct piece *p)
{
    for (unsigned i = 0; i < r->count; i++)
        if (r->pieces[i].number == p->number && slice_equal(r->pieces[i].name, p->name))
            return true;
    return false;
}

/* One "name = value"; false when there is none before the next ";". */
static bool take_piece(struct reading *r)
{
    struct piece p = {0};
    struct slice name;

    skip_cfws(&r->c);
    name = take_while(&r->c, is_name_byte);
    skip_cfws(&r->c);
    if (!take_char(&r->c, '='))
        return false;
    p.text = take_value(r);
    read_name(arena_lower(r->arena, name), &p);
    if (p.name.len > 0 && p.text.len > 0 && r->count < CONTENT_PARAMS_MAX && !is_there(r, &p))
        r->pieces[r->count++] = p;
    return true;
}

static void take_pieces(struct reading *r)
{
    char byte;

    while (!cursor_at_end(&r->c)) {
        size_t before = r->c.rest.len;

        if (take_char(&r->c, ';'))
            continue;
        (void)take_piece(r);
        if (r->c.rest.len == before)
            (void)take_any(&r->c, &byte); /* what is nothing: on behind it */
    }
}

/* --- putting together --- */

static int hex_value(char c)
{
    if (!char_is(c, CHAR_HEXDIG))
        return -1;
    return char_is(c, CHAR_DIGIT) ? c - '0' : byte_lower(c) - 'a' + 10;
}

static void put_percent(struct buf *out, struct slice text)
{
    for (size_t i = 0; i < text.len; i++) {
        int high = text.data[i] == '%' && i + 2 < text.len ? hex_value(text.data[i + 1]) : -1;
        int low = high >= 0 ? hex_value(text.data[i + 2]) : -1;

        if (low < 0) {
            buf_append_char(out, text.data[i]);
            continue;
        }
        buf_append_char(out, (char)(high << 4 | low));
        i += 2;
    }
}

/* "charset'language'text": RFC 2231 4; without both quotes it is text. */
static struct slice take_charset(struct slice text, struct slice *charset, struct slice *language)
{
    struct slice first, rest, second, value;

    if (!slice_cut(text, '\'', &first, &rest) || !slice_cut(rest, '\'', &second, &value))
        return text;
    *charset = first;
    *language = second;
    return value;
}

static struct piece *find_number(struct reading *r, struct slice name, uint32_t number)
{
    for (unsigned i = 0; i < r->count; i++)
        if (r->pieces[i].number == number && slice_equal(r->pieces[i].name, name))
            return &r->pieces[i];
    return NULL;
}

static void put_piece(struct buf *out, struct piece *p, struct slice text)
{
    p->used = true;
    if (p->percent)
        put_percent(out, text);
    else
        buf_append(out, text);
}

/* The least number above `above` that the name has; NULL: none. */
static struct piece *next_number(struct reading *r, struct slice name, int64_t above)
{
    struct piece *best = NULL;

    for (unsigned i = 0; i < r->count; i++) {
        struct piece *p = &r->pieces[i];

        if (p->number != NUMBER_NONE && (int64_t)p->number > above && slice_equal(p->name, name) &&
            (best == NULL || p->number < best->number))
            best = p;
    }
    return best;
}

static struct slice in_utf8(struct arena *arena, struct slice charset, struct slice bytes)
{
    struct buf text;
    struct slice got = bytes;

    if (charset.len == 0 || utf8_is_ascii(bytes))
        return bytes;
    buf_init(&text, 3 * bytes.len);
    if (charset_to_utf8(&text, charset, bytes))
        got = arena_copy(arena, buf_slice(&text));
    buf_done(&text);
    return got;
}

/* The length of an encoded word at the beginning, or 0. */
static size_t word_len(struct slice s)
{
    size_t at = 2;

    if (!slice_starts(s, SLICE("=?")))
        return 0;
    for (int marks = 0; marks < 2; marks++)
        at += slice_find(slice_skip(s, at), '?') + 1;
    at += slice_find(slice_skip(s, at), '?');
    return slice_starts(slice_skip(s, at), SLICE("?=")) ? at + 2 : 0;
}

/* Encoded words wherever they stand: writers put them into names of files, glued to the rest.
 * Blanks between two words mean nothing. */
static struct slice decode_words(struct arena *arena, struct slice text)
{
    struct buf out;
    bool after_word = false;

    buf_init(&out, 3 * text.len + 1);
    while (text.len > 0) {
        struct cursor c = {text};
        size_t len = word_len(text), blanks = take_while(&c, is_space).len;

        if (len > 0) {
            buf_append(&out, encoded_text_decode(arena, slice_head(text, len)));
            after_word = true;
        } else {
            len = blanks > 0 ? blanks : 1;
            after_word = after_word && blanks > 0 && word_len(c.rest) > 0;
            buf_append(&out, slice_head(text, after_word ? 0 : len));
        }
        text = slice_skip(text, len);
    }
    struct slice copy = arena_copy(arena, buf_slice(&out));
    buf_done(&out);
    return copy;
}

static void put_together(struct reading *r, struct piece *first, struct content_param *out)
{
    struct slice charset = {0}, text;
    struct buf bytes;

    out->name = first->name;
    buf_init(&bytes, 64 * 1024);
    text = first->percent ? take_charset(first->text, &charset, &out->language) : first->text;
    put_piece(&bytes, first, text);
    for (struct piece *p = first; first->number != NUMBER_NONE && p != NULL;) {
        p = next_number(r, first->name, p->number);
        if (p != NULL)
            put_piece(&bytes, p, p->text);
    }
    text = arena_copy(r->arena, buf_slice(&bytes));
    buf_done(&bytes);
    if (first->percent)
        out->value = in_utf8(r->arena, charset, text);
    else
        out->value = first->number == NUMBER_NONE && slice_find(text, '=') < text.len
                         ? decode_words(r->arena, text)
                         : text;
}

/* The value in one piece counts, if there is one beside those in pieces: RFC 2231 says nothing,
 * and older readers know only that. */
static struct piece *first_of(struct reading *r, struct slice name)
{
    struct piece *whole = find_number(r, name, NUMBER_NONE);

    return whole != NULL ? whole : next_number(r, name, -1);
}

bool content_type_parse(struct slice raw, struct arena *arena, struct content_type *out)
{
    struct reading r = {.c = {raw}, .arena = arena};
    struct content_type got = {0};

    skip_cfws(&r.c);
    got.type = arena_lower(arena, take_while(&r.c, is_type_byte));
    if (got.type.len == 0)
        return false;
    skip_cfws(&r.c);
    if (take_char(&r.c, '/')) {
        skip_cfws(&r.c);
        got.subtype = arena_lower(arena, take_while(&r.c, is_subtype_byte));
        skip_cfws(&r.c);
    }
    take_pieces(&r);
    for (unsigned i = 0; i < r.count; i++) {
        struct piece *p = first_of(&r, r.pieces[i].name);

        if (!r.pieces[i].used && !p->used)
            put_together(&r, p, &got.params[got.param_count++]);
        r.pieces[i].used = true;
    }
    *out = got;
    return true;
}

const struct content_param *content_type_param(const struct content_type *t, struct slice name)
{
    for (unsigned i = 0; i < t->param_count; i++)
        if (slice_equal(t->params[i].name, name))
            return &t->params[i];
    return NULL;
}

bool content_type_is(const struct content_type *t, struct slice type, struct slice subtype)
{
    return slice_equal(t->type, type) && (subtype.len == 0 || slice_equal(t->subtype, subtype));
}
