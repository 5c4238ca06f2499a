/*
 * header_token.c - what structured header fields are made of.
 *
 * Nesting is counted, not followed: a comment may be as deep as its value is long.
 */
#include "wire/header_token.h"

#include "wire/chars.h"
#include "wire/encoded_word.h"

bool is_header_atext(char c)
{
    return char_is(c, CHAR_ATEXT | CHAR_HIGH);
}

bool take_enclosed(struct cursor *c, char open, char close, struct slice *inside)
{
    struct cursor at = *c;
    size_t depth = 0;
    char byte;

    while (take_any(&at, &byte)) {
        if (byte == '\\')
            take_any(&at, &byte);
        else if (byte == close && (open != close || depth > 0))
            depth--;
        else if (byte == open)
            depth++;
        if (depth == 0) {
            *inside = slice_head(slice_skip(c->rest, 1), c->rest.len - at.rest.len - 2);
            *c = at;
            return true;
        }
    }
    return false;
}

struct slice enclosed_unescape(struct arena *arena, struct slice inside)
{
    struct cursor c = {inside};
    char *copy = arena_alloc(arena, inside.len + 1);
    size_t len = 0;

    while (take_any(&c, &copy[len])) {
        if (copy[len] == '\\')
            take_any(&c, &copy[len]);
        len++;
    }
    return (struct slice){copy, len};
}

/* One quoted string, comment, literal or byte; false when it never ends. */
static bool angle_step(struct cursor *c)
{
    struct slice inside;

    switch (cursor_peek(c)) {
    case '"': return take_enclosed(c, '"', '"', &inside);
    case '(': return take_enclosed(c, '(', ')', &inside);
    case '[': return take_enclosed(c, '[', ']', &inside);
    default: c->rest = slice_skip(c->rest, 1); return true;
    }
}

bool take_angle(struct cursor *c, struct slice *inside)
{
    struct cursor at = *c;

    if (!take_char(&at, '<'))
        return false;
    struct slice start = at.rest;
    while (cursor_peek(&at) != '>')
        if (cursor_at_end(&at) || cursor_peek(&at) == '<' || !angle_step(&at))
            return false;
    *inside = slice_head(start, start.len - at.rest.len);
    take_char(&at, '>');
    *c = at;
    return true;
}

bool take_cfws(struct cursor *c, struct buf *comments)
{
    struct slice inside;

    for (;;) {
        take_blanks(c);
        if (cursor_peek(c) != '(')
            return true;
        if (!take_enclosed(c, '(', ')', &inside))
            return false;
        if (comments != NULL) {
            buf_append(comments, inside);
            buf_append_char(comments, ' ');
        }
    }
}

bool take_local_part(struct cursor *c, struct arena *arena, struct buf *out, struct buf *comments)
{
    struct slice inside;

    do {
        if (!take_cfws(c, comments))
            return false;
        struct slice atom = take_while(c, is_header_atext);
        if (atom.len > 0)
            buf_append(out, atom);
        else if (cursor_peek(c) == '"' && take_enclosed(c, '"', '"', &inside))
            buf_append(out, enclosed_unescape(arena, inside));
        else
            return false;
        if (!take_cfws(c, comments))
            return false;
    } while (take_char(c, '.') && buf_append_char(out, '.'));
    return true;
}

bool take_dotted_atoms(struct cursor *c, struct buf *out, struct buf *comments)
{
    struct slice atom;
    bool good;

    do {
        good = take_cfws(c, comments);
        atom = take_while(c, is_header_atext);
        good = good && atom.len > 0 && take_cfws(c, comments) && buf_append(out, atom);
    } while (good && take_char(c, '.') && buf_append_char(out, '.'));
    return good;
}

static bool is_phrase_byte(char c)
{
    return c != '"' && c != '(';
}

static bool is_phrase_text(struct slice s)
{
    for (size_t i = 0; i < s.len; i++)
        if (!char_is(s.data[i], CHAR_ATEXT | CHAR_HIGH | CHAR_BLANK) && s.data[i] != '.')
            return false;
    return true;
}

bool phrase_decode(struct slice s, struct arena *arena, struct slice *text, struct buf *comments)
{
    struct cursor c = {s};
    struct slice part;
    struct buf out;
    bool regular = true;

    buf_init(&out, 4 * s.len + 1);
    while (take_cfws(&c, comments) && !cursor_at_end(&c)) {
        if (buf_len(&out) > 0)
            buf_append_char(&out, ' ');
        if (cursor_peek(&c) != '"') {
            part = take_while(&c, is_phrase_byte);
            regular = regular && is_phrase_text(part);
            part = encoded_text_decode(arena, part);
        } else if (take_enclosed(&c, '"', '"', &part)) {
            part = text_clean(arena, enclosed_unescape(arena, part));
        } else {
            break;
        }
        buf_append(&out, part);
    }
    *text = arena_copy(arena, buf_slice(&out));
    buf_done(&out);
    return regular && cursor_at_end(&c);
}
