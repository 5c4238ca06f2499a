/*
 * message_id.c - the identifiers of messages.
 *
 * An identifier is put together anew from its two sides, as an address is: "a"@b and a @ b are the
 * one a@b, since replies are matched by these bytes. What does not fit the grammar keeps its bytes,
 * for it is matched as well: programs of every age write ids with a second "@" or none at all.
 *
 * Something that never ends, such as the apostrophe's big sister in 'Your "message of <a@b>', must
 * not hide what is behind it: from there on quotes and comments are ordinary bytes. So the value is
 * looked through to its end once at most.
 */
#include "wire/message_id.h"

#include "wire/address.h"
#include "wire/chars.h"
#include "wire/header.h"
#include "wire/header_token.h"
#include "wire/utf8.h"

void message_id_list_init(struct message_id_list *list, struct arena *arena, struct slice raw_value)
{
    struct slice value = header_unfold(arena, raw_value);

    *list = (struct message_id_list){
        .rest = {value}, .arena = arena, .bare = slice_find(value, '<') == value.len};
}

/* --- one identifier --- */

/* "[" ... "]" without the blanks in it. */
static bool take_literal(struct cursor *c, struct buf *out)
{
    struct slice inside;

    if (!take_enclosed(c, '[', ']', &inside))
        return false;
    buf_append_char(out, '[');
    for (size_t i = 0; i < inside.len; i++) {
        if (char_is(inside.data[i], CHAR_BLANK))
            continue;
        if (!char_is(inside.data[i], CHAR_DTEXT | CHAR_HIGH))
            return false;
        buf_append_char(out, inside.data[i]);
    }
    return buf_append_char(out, ']') && take_cfws(c, NULL);
}

/* id-right: obs-domain, or a literal. */
static bool take_right(struct cursor *c, struct buf *out)
{
    if (!take_cfws(c, NULL))
        return false;
    return cursor_peek(c) == '[' ? take_literal(c, out) : take_dotted_atoms(c, out, NULL);
}

/* The whole of it, in its one spelling. */
static bool id_parse(struct slice s, struct arena *arena, struct slice *out)
{
    struct cursor c = {s};
    struct buf left, text;

    buf_init(&left, s.len);
    buf_init(&text, 2 * s.len + 2);
    bool good = take_local_part(&c, arena, &left, NULL) && take_char(&c, '@') &&
                local_part_write(&text, buf_slice(&left)) && buf_append_char(&text, '@') &&
                take_right(&c, &text) && cursor_at_end(&c) && utf8_printable(buf_slice(&text)) &&
                buf_len(&text) <= MESSAGE_ID_MAX;
    if (good)
        *out = arena_copy(arena, buf_slice(&text));
    buf_done(&left);
    buf_done(&text);
    return good;
}

/* False: it is none, being empty or too long. */
static bool id_read(struct slice inside, struct arena *arena, struct message_id *out)
{
    struct message_id got = {.text = slice_trim(inside)};

    if (got.text.len == 0 || got.text.len > MESSAGE_ID_MAX)
        return false;
    got.regular = id_parse(got.text, arena, &got.text);
    *out = got;
    return true;
}

/* --- the list --- */

/* "<" ... ">", or only the "<" where there is no identifier behind it. */
static bool take_id(struct message_id_list *list, struct slice *inside)
{
    if (!list->plain && take_angle(&list->rest, inside))
        return true;
    list->plain = true;
    take_char(&list->rest, '<');
    if (!take_until(&list->rest, '>', inside)) {
        list->rest.rest.len = 0; /* no other can end */
        return false;
    }
    take_char(&list->rest, '>');
    size_t again = slice_rfind(*inside, '<'); /* the one in front of it never ended */
    if (again < inside->len)
        *inside = slice_skip(*inside, again + 1);
    return true;
}

static bool is_plain(char c)
{
    return c != '<' && c != '"' && c != '(';
}

static bool is_not_open(char c)
{
    return c != '<';
}

/* The words of phrases and their quotes and comments; to the next "<" or the end. */
static void skip_phrases(struct message_id_list *list)
{
    struct cursor *c = &list->rest;
    struct slice skipped;

    for (;;) {
        take_while(c, list->plain ? is_not_open : is_plain);
        int byte = cursor_peek(c);
        if (byte == '<' || byte == -1)
            return;
        list->plain = !take_enclosed(c, (char)byte, byte == '(' ? ')' : '"', &skipped);
    }
}

/* A value without brackets. */
static bool bare_id(struct message_id_list *list, struct message_id *out)
{
    struct slice value = list->rest.rest;
    struct message_id got;

    list->rest.rest.len = 0;
    if (!id_read(value, list->arena, &got) || !got.regular)
        return false;
    got.regular = false;
    *out = got;
    return true;
}

bool message_id_next(struct message_id_list *list, struct message_id *out)
{
    struct slice inside;

    if (list->bare)
        return bare_id(list, out);
    for (skip_phrases(list); !cursor_at_end(&list->rest); skip_phrases(list))
        if (take_id(list, &inside) && id_read(inside, list->arena, out))
            return true;
    return false;
}
