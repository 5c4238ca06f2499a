/*
 * sendmail_message.c - bytes of any program into a mail.
 */
#include "cmd/sendmail_message.h"

#include "wire/address_list.h"
#include "wire/chars.h"
#include "wire/header.h"

/* ---- reading ---- */

size_t dot_watch_feed(struct dot_watch *w, struct slice bytes, bool *ended)
{
    size_t line = 0;

    *ended = false;
    for (size_t i = 0; i < bytes.len; i++) {
        char byte = bytes.data[i];

        if (byte == '\n') {
            *ended = w->at == DOT_ALONE || w->at == DOT_CR;
            if (*ended)
                return line;
            w->at = DOT_LINE_START;
            line = i + 1;
        } else if (w->at == DOT_LINE_START && byte == '.') {
            w->at = DOT_ALONE;
        } else {
            w->at = w->at == DOT_ALONE && byte == '\r' ? DOT_CR : DOT_IN_LINE;
        }
    }
    return bytes.len;
}

/* ---- the form that is sent ---- */

static struct slice without_mailbox_line(struct slice content)
{
    size_t end = slice_find(content, '\n');

    return slice_starts(content, SLICE("From ")) && end < content.len ? slice_skip(content, end + 1)
                                                                      : content;
}

static bool is_plain(char c)
{
    return c != '\r' && c != '\n' && c != '\0';
}

bool sendmail_repair(struct buf *out, struct slice content)
{
    struct slice rest = without_mailbox_line(content);
    bool fits = true;

    while (rest.len > 0 && fits) {
        size_t run = 0;

        while (run < rest.len && is_plain(rest.data[run]))
            run++;
        fits = buf_append(out, slice_head(rest, run));
        rest = slice_skip(rest, run);
        if (rest.len == 0)
            return fits && buf_append(out, SLICE("\r\n"));
        if (rest.data[0] == '\0')
            fits = fits && buf_append_char(out, '?');
        else
            fits = fits && buf_append(out, SLICE("\r\n"));
        rest = slice_skip(rest, slice_starts(rest, SLICE("\r\n")) ? 2 : 1);
    }
    return fits;
}

/* ---- people ---- */

/* "Ann <ann>" and "ann" have no domain, and are no addresses for the world outside. */
static bool complete(struct slice text, struct slice origin, struct arena *arena,
                     struct address *out)
{
    size_t open = slice_rfind(text, '<');
    struct slice bare = text;

    if (slice_ends(text, SLICE(">")) && open < text.len)
        bare = slice_head(slice_skip(text, open + 1), text.len - open - 2);
    if (!address_parse(slice_trim(bare), arena, out) || out->kind == ADDRESS_NULL)
        return false;
    if (out->kind != ADDRESS_BARE)
        return true;
    out->kind = ADDRESS_MAILBOX;
    return domain_parse(origin, arena, &out->domain);
}

static bool has(const struct sendmail_people *p, const struct address *one)
{
    for (unsigned i = 0; i < p->count; i++)
        if (address_equal(&p->list[i], one))
            return true;
    return false;
}

static bool add(struct sendmail_people *p, struct arena *arena, const struct address *one)
{
    if (has(p, one))
        return true;
    if (p->list == NULL)
        p->list = ARENA_ARRAY(arena, struct address, SENDMAIL_RCPTS_MAX);
    if (p->count == SENDMAIL_RCPTS_MAX)
        return false;
    p->list[p->count++] = *one;
    return true;
}

static const char *wrong(struct arena *arena, struct slice text, const char *why)
{
    struct slice said = arena_printf(arena, "'%.*s' %s%c", SLICE_PRINTF(text), why, 0);

    return said.data;
}

enum added { ADDED, NO_ADDRESS, TOO_MANY, NO_MORE };

/* The next one of a list, and what became of it. */
static enum added add_next(struct sendmail_people *p, struct arena *arena, struct slice origin,
                           struct address_list *list, struct slice *text)
{
    struct list_entry entry;

    do
        if (!address_list_next(list, &entry))
            return NO_MORE;
    while (entry.kind == ENTRY_GROUP || entry.kind == ENTRY_GROUP_END);
    *text = entry.text;
    if (entry.kind == ENTRY_BROKEN && !complete(entry.text, origin, arena, &entry.address))
        return NO_ADDRESS;
    return add(p, arena, &entry.address) ? ADDED : TOO_MANY;
}

static const char *too_many(struct arena *arena, struct slice text)
{
    return wrong(arena, text, "is one recipient too many; a mail may have 1000");
}

const char *sendmail_add_people(struct sendmail_people *p, struct arena *arena, struct slice list,
                                struct slice origin)
{
    struct address_list people;
    struct slice text;

    address_list_init(&people, arena, list);
    for (;;) {
        switch (add_next(p, arena, origin, &people, &text)) {
        case ADDED: break;
        case NO_ADDRESS: return wrong(arena, text, "is no address");
        case TOO_MANY: return too_many(arena, text);
        case NO_MORE: return NULL;
        }
    }
}

static void note_wrong(struct sendmail_people *p, struct arena *arena, struct slice text)
{
    if (p->wrong == NULL)
        p->wrong = ARENA_ARRAY(arena, struct slice, SENDMAIL_RCPTS_MAX);
    if (p->wrong_count < SENDMAIL_RCPTS_MAX)
        p->wrong[p->wrong_count++] = arena_copy(arena, text);
}

static const char *add_from_field(struct sendmail_people *p, struct arena *arena,
                                  struct slice value, struct slice origin)
{
    struct address_list people;
    struct slice text;

    address_list_init(&people, arena, value);
    for (;;) {
        switch (add_next(p, arena, origin, &people, &text)) {
        case ADDED: break;
        case NO_ADDRESS: note_wrong(p, arena, text); break;
        case TOO_MANY: return too_many(arena, text);
        case NO_MORE: return NULL;
        }
    }
}

static bool is_field_of_people(struct slice name, bool resent)
{
    static const struct slice plain[] = {SLICE_INIT("To"), SLICE_INIT("Cc"), SLICE_INIT("Bcc")};
    static const struct slice again[] = {SLICE_INIT("Resent-To"), SLICE_INIT("Resent-Cc"),
                                         SLICE_INIT("Resent-Bcc")};

    for (size_t i = 0; i < 3; i++)
        if (slice_equal_nocase(name, resent ? again[i] : plain[i]))
            return true;
    return false;
}

static bool was_resent(struct slice message)
{
    struct cursor c = {message};
    struct header_field field;

    while (header_take_field(&c, &field))
        if (is_field_of_people(field.name, true))
            return true;
    return false;
}

const char *sendmail_add_from_header(struct sendmail_people *p, struct arena *arena,
                                     struct slice message, struct slice origin)
{
    bool resent = was_resent(message);
    struct cursor c = {message};
    struct header_field field;
    const char *problem = NULL;

    while (problem == NULL && header_take_field(&c, &field))
        if (is_field_of_people(field.name, resent))
            problem = add_from_field(p, arena, field.value, origin);
    return problem;
}

/* ---- what is missing ---- */

static bool is_phrase(struct slice name)
{
    for (size_t i = 0; i < name.len; i++)
        if (!char_is(name.data[i], CHAR_ATEXT) && name.data[i] != ' ')
            return false;
    return true;
}

/* A name may hold anything that somebody wrote into a system's table of users. */
static struct slice display(struct slice name, struct arena *arena)
{
    struct slice encoded = header_encode_text(arena, name);
    struct buf out;

    if (is_phrase(encoded) || !slice_equal(encoded, name))
        return encoded;
    buf_init(&out, 4 * name.len + 2);
    buf_append_char(&out, '"');
    for (size_t i = 0; i < name.len; i++) {
        if (name.data[i] == '"' || name.data[i] == '\\')
            buf_append_char(&out, '\\');
        buf_append_char(&out, name.data[i]);
    }
    buf_append_char(&out, '"');
    encoded = arena_copy(arena, buf_slice(&out));
    buf_done(&out);
    return encoded;
}

static bool put_from(struct buf *out, const struct sendmail_writer *w, struct arena *arena)
{
    struct slice address = address_text(arena, &w->sender);

    if (w->full_name.len == 0)
        return header_write(out, SLICE("From"), address);
    return header_write(out, SLICE("From"),
                        arena_printf(arena, "%.*s <%.*s>",
                                     SLICE_PRINTF(display(w->full_name, arena)),
                                     SLICE_PRINTF(address)));
}

/* Of a script whose variable was not set. */
static bool is_empty_id(const struct header_field *f)
{
    return slice_equal_nocase(f->name, SLICE("Message-ID")) && slice_trim(f->value).len == 0;
}

bool sendmail_append(struct buf *out, struct slice message)
{
    struct cursor c = {message};
    struct header_field field;

    while (header_take_field(&c, &field))
        if (!is_empty_id(&field) && !buf_append(out, field.whole))
            return false;
    return buf_append(out, c.rest);
}

bool sendmail_complete(struct buf *out, struct slice message, const struct sendmail_writer *w,
                       struct arena *arena)
{
    struct cursor c = {message};
    struct header_field field;
    bool has_from = false, has_id = false, has_header = false;

    while (header_take_field(&c, &field)) {
        has_header = true;
        has_from = has_from || slice_equal_nocase(field.name, SLICE("From"));
        if (slice_equal_nocase(field.name, SLICE("Message-ID")) && !is_empty_id(&field))
            has_id = true;
    }
    has_header = has_header || slice_starts(message, SLICE("\r\n"));
    return (has_id || header_write(out, SLICE("Message-ID"),
                                   arena_printf(arena, "<%.*s@%.*s>", SLICE_PRINTF(w->unique),
                                                SLICE_PRINTF(w->hostname)))) &&
           (has_from || put_from(out, w, arena)) && (has_header || buf_append(out, SLICE("\r\n")));
}
