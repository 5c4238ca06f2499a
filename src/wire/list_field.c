/*
 * list_field.c - what a mailing list says about itself.
 *
 * RFC 2369 2 tells readers when to stop rather than what to repair, so that the fields could grow:
 * at the first item that is no URL in angle brackets, and behind a URL that no comma follows. A
 * URL is taken up to the first ">", as none has one; quotes mean nothing in it.
 */
#include "wire/list_field.h"

#include "wire/chars.h"
#include "wire/encoded_word.h"
#include "wire/header.h"
#include "wire/header_token.h"
#include "wire/utf8.h"

static struct slice comment_text(struct arena *arena, const struct buf *comments)
{
    return encoded_text_decode(arena, enclosed_unescape(arena, buf_slice(comments)));
}

/* Bad relays insert blanks where they fold: "characters to ignore". */
static struct slice without_blanks(struct arena *arena, struct slice s)
{
    char *copy = arena_alloc(arena, s.len + 1);
    size_t len = 0;

    for (size_t i = 0; i < s.len; i++)
        if (!char_is(s.data[i], CHAR_BLANK))
            copy[len++] = s.data[i];
    return (struct slice){copy, len};
}

/* --- URLs --- */

static bool is_scheme_byte(char c)
{
    return char_is(c, CHAR_LETDIG) || c == '+' || c == '-' || c == '.';
}

/* More than RFC 3986 2 has: writers leave "{", "|" and their like unencoded. */
static bool is_url_byte(char c)
{
    return char_is(c, CHAR_PRINT) && c != ' ' && c != '<' && c != '>' && c != '"';
}

/* scheme ":" and at least one byte; RFC 3986 3.1. */
static bool url_parse(struct slice inside, struct arena *arena, struct list_url *out)
{
    struct slice text = without_blanks(arena, inside);
    struct cursor c = {text};

    if (!char_is(text.len > 0 ? text.data[0] : '\0', CHAR_ALPHA))
        return false;
    struct slice scheme = take_while(&c, is_scheme_byte);
    if (!take_char(&c, ':') || take_while(&c, is_url_byte).len == 0 || !cursor_at_end(&c))
        return false;
    out->text = text;
    out->scheme = arena_lower(arena, scheme);
    return true;
}

void list_urls_init(struct list_urls *urls, struct arena *arena, struct slice raw_value)
{
    *urls = (struct list_urls){.rest = {header_unfold(arena, raw_value)}, .arena = arena};
}

/* "<" URL ">" with comments around it, and the comma behind it; the rest is dropped without one. */
static bool take_url(struct cursor *c, struct arena *arena, struct list_url *out,
                     struct buf *comments)
{
    struct slice inside;

    if (!take_cfws(c, comments) || !take_char(c, '<') || !take_until(c, '>', &inside) ||
        !take_char(c, '>') || !url_parse(inside, arena, out))
        return false;
    if (!take_cfws(c, comments) || !take_char(c, ','))
        c->rest.len = 0;
    return true;
}

bool list_urls_next(struct list_urls *urls, struct list_url *out)
{
    struct list_url got;
    struct buf comments;

    buf_init(&comments, urls->rest.rest.len + 1);
    bool found = take_url(&urls->rest, urls->arena, &got, &comments);
    if (found) {
        got.comment = comment_text(urls->arena, &comments);
        *out = got;
    } else {
        urls->rest.rest.len = 0;
    }
    buf_done(&comments);
    return found;
}

bool list_post_is_no(struct slice raw_value, struct arena *arena, struct slice *comment)
{
    struct cursor c = {header_unfold(arena, raw_value)};
    struct buf comments;

    buf_init(&comments, c.rest.len + 1);
    bool is_no = take_cfws(&c, &comments) && take_word(&c, SLICE("NO")) &&
                 take_cfws(&c, &comments) && cursor_at_end(&c);
    if (is_no)
        *comment = comment_text(arena, &comments);
    buf_done(&comments);
    return is_no;
}

/* --- List-Id --- */

static bool is_description_byte(char c)
{
    return c != '<' && c != '"' && c != '(';
}

/* What stands in front of the "<", which is not taken; false when there is none. */
static bool take_description(struct cursor *c, struct slice *out)
{
    struct slice start = c->rest, skipped;

    for (;;) {
        take_while(c, is_description_byte);
        int byte = cursor_peek(c);
        if (byte == '<' || byte == -1) {
            *out = slice_head(start, start.len - c->rest.len);
            return byte == '<';
        }
        if (!take_enclosed(c, (char)byte, byte == '(' ? ')' : '"', &skipped))
            return false;
    }
}

/* list-label "." list-id-namespace: a dot-atom of at least two atoms. */
static bool is_list_id(struct slice s)
{
    struct cursor c = {s};
    unsigned atoms = 0;

    do {
        if (take_while(&c, is_header_atext).len == 0)
            return false;
        atoms++;
    } while (take_char(&c, '.'));
    return cursor_at_end(&c) && atoms >= 2 && s.len <= LIST_ID_MAX && utf8_printable(s);
}

bool list_id_parse(struct slice raw_value, struct arena *arena, struct list_id *out)
{
    struct cursor c = {header_unfold(arena, raw_value)};
    struct slice description, inside;
    struct list_id got;

    if (!take_description(&c, &description) || !take_char(&c, '<') || !take_until(&c, '>', &inside))
        return false;
    got.id = arena_lower(arena, without_blanks(arena, inside));
    if (!is_list_id(got.id))
        return false;
    (void)phrase_decode(description, arena, &got.description, NULL);
    *out = got;
    return true;
}
