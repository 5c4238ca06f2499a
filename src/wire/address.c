/*
 * address.c - mailboxes and SMTP paths.
 *
 * Programs that disagree about where a local part ends send mail to the wrong place, so an
 * address is taken apart once, by the envelope's own grammar and nothing looser, and is put
 * together again by one function. Quotes are notation, not identity: "joe"@x and joe@x are one
 * mailbox, kept unquoted; address_write() quotes whatever is no dot-string. Limits count the
 * bytes of the notation that came, which is never shorter than the one that will be written.
 *
 * Obsolete forms of RFC 5322 (comments, folding, words joined by dots) belong to headers and
 * are refused here.
 */
#include "wire/address.h"
#include "wire/chars.h"
#include "wire/utf8.h"

static bool is_atext(char c)
{
    return char_is(c, CHAR_ATEXT | CHAR_HIGH);
}

static bool is_domain_byte(char c)
{
    return char_is(c, CHAR_LETDIG | CHAR_HIGH) || c == '-' || c == '.';
}

static bool take_dot_string(struct cursor *c, struct slice *out)
{
    struct cursor at = *c;

    do {
        if (take_while(&at, is_atext).len == 0)
            return false;
    } while (take_char(&at, '.'));
    *out = slice_head(c->rest, c->rest.len - at.rest.len);
    *c = at;
    return true;
}

/* QcontentSMTP; a backslash quotes printable ASCII only, also under RFC 6531. */
static bool take_qcontent(struct cursor *c, char *out)
{
    if (take_char(c, '\\'))
        return take_any(c, out) && char_is(*out, CHAR_PRINT);
    return take_any(c, out) && char_is(*out, CHAR_QTEXT | CHAR_HIGH);
}

static bool take_quoted_string(struct cursor *c, struct arena *arena, struct slice *out)
{
    struct cursor at = *c;
    char text[LOCAL_PART_MAX];
    size_t len = 0;

    if (!take_char(&at, '"'))
        return false;
    while (!take_char(&at, '"')) {
        if (len == sizeof(text) || !take_qcontent(&at, &text[len]))
            return false;
        len++;
    }
    *out = arena_copy(arena, (struct slice){text, len});
    *c = at;
    return true;
}

static bool take_local_part(struct cursor *c, struct arena *arena, struct slice *out)
{
    struct cursor at = *c;
    struct slice local;

    if (take_dot_string(&at, &local))
        local = arena_copy(arena, local);
    else if (!take_quoted_string(&at, arena, &local))
        return false;
    if (c->rest.len - at.rest.len > LOCAL_PART_MAX || !utf8_printable(local))
        return false;
    *out = local;
    *c = at;
    return true;
}

/* What follows "@": a domain or a literal; sets kind and domain. */
static bool take_destination(struct cursor *c, struct arena *arena, struct address *a)
{
    struct slice text;

    if (take_char(c, '[')) {
        a->kind = ADDRESS_LITERAL;
        return take_until(c, ']', &text) && take_char(c, ']') &&
               literal_parse(text, arena, &a->domain);
    }
    a->kind = ADDRESS_MAILBOX;
    return domain_parse(take_while(c, is_domain_byte), arena, &a->domain);
}

static bool take_mailbox(struct cursor *c, struct arena *arena, struct address *out)
{
    struct cursor at = *c;
    struct address got = {.kind = ADDRESS_BARE};

    if (!take_local_part(&at, arena, &got.local))
        return false;
    if (take_char(&at, '@')) {
        if (!take_destination(&at, arena, &got))
            return false;
    } else if (got.local.len == 0) {
        return false;
    }
    got.utf8 = !utf8_is_ascii(got.local) || !utf8_is_ascii(got.domain);
    *out = got;
    *c = at;
    return true;
}

/* A-d-l ":", "@a,@b:"; obsolete, checked and forgotten (RFC 5321 4.1.1.3, appendix C). */
static bool take_source_route(struct cursor *c, struct arena *arena)
{
    struct slice hop;

    do {
        if (!take_char(c, '@') || !domain_parse(take_while(c, is_domain_byte), arena, &hop))
            return false;
    } while (take_char(c, ','));
    return take_char(c, ':');
}

static bool take_path_content(struct cursor *c, struct arena *arena, struct address *out)
{
    if (cursor_peek(c) == '>') {
        *out = (struct address){.kind = ADDRESS_NULL};
        return true;
    }
    if (cursor_peek(c) != '@')
        return take_mailbox(c, arena, out);
    return take_source_route(c, arena) && take_mailbox(c, arena, out) && out->kind != ADDRESS_BARE;
}

bool address_take_path(struct cursor *c, struct arena *arena, struct address *out)
{
    struct cursor at = *c;
    struct address got;

    if (!take_char(&at, '<') || !take_path_content(&at, arena, &got) || !take_char(&at, '>'))
        return false;
    if (c->rest.len - at.rest.len > PATH_MAX_BYTES)
        return false;
    *out = got;
    *c = at;
    return true;
}

bool address_parse(struct slice text, struct arena *arena, struct address *out)
{
    struct cursor c = {text};
    struct address got;

    if (text.len > PATH_MAX_BYTES - 2 || !take_mailbox(&c, arena, &got) || !cursor_at_end(&c))
        return false;
    *out = got;
    return true;
}

static bool is_dot_string(struct slice local)
{
    struct cursor c = {local};
    struct slice whole;

    return take_dot_string(&c, &whole) && cursor_at_end(&c);
}

bool local_part_write(struct buf *out, struct slice local)
{
    if (is_dot_string(local))
        return buf_append(out, local);
    bool fits = buf_append_char(out, '"');
    for (size_t i = 0; i < local.len; i++) {
        if (local.data[i] == '"' || local.data[i] == '\\')
            fits = fits && buf_append_char(out, '\\');
        fits = fits && buf_append_char(out, local.data[i]);
    }
    return fits && buf_append_char(out, '"');
}

static bool write_destination(struct buf *out, const struct address *a)
{
    switch (a->kind) {
    case ADDRESS_NULL:
    case ADDRESS_BARE: return true;
    case ADDRESS_MAILBOX: return buf_append_char(out, '@') && buf_append(out, a->domain);
    case ADDRESS_LITERAL:
        return buf_append(out, SLICE("@[")) && buf_append(out, a->domain) &&
               buf_append_char(out, ']');
    }
    return false;
}

bool address_write(struct buf *out, const struct address *a)
{
    size_t before = buf_len(out);

    if (a->kind == ADDRESS_NULL)
        return true;
    if (!utf8_printable(a->local) || !utf8_printable(a->domain))
        return false;
    if (local_part_write(out, a->local) && write_destination(out, a))
        return true;
    buf_truncate(out, before);
    return false;
}

struct slice address_text(struct arena *arena, const struct address *a)
{
    struct buf out;

    buf_init(&out, 2 * a->local.len + a->domain.len + sizeof("\"\"@[]"));
    address_write(&out, a);
    struct slice text = arena_copy(arena, buf_slice(&out));
    buf_done(&out);
    return text;
}

bool address_is_postmaster(const struct address *a)
{
    return a->kind != ADDRESS_NULL && slice_equal_nocase(a->local, SLICE("postmaster"));
}

bool address_equal(const struct address *a, const struct address *b)
{
    if (a->kind != b->kind || !slice_equal_nocase(a->domain, b->domain))
        return false;
    return slice_equal(a->local, b->local) ||
           (address_is_postmaster(a) && address_is_postmaster(b));
}

struct address address_copy(struct arena *arena, const struct address *a)
{
    struct address copy = *a;

    copy.local = arena_copy(arena, a->local);
    copy.domain = arena_copy(arena, a->domain);
    return copy;
}
