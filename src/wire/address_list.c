/*
 * address_list.c - the addresses in a header.
 *
 * Each element is cut out first: one pass finds where it ends and which delimiters it has outside
 * quotes, comments and literals. Only then is it read, as a mailbox with "<", as a bare address
 * with "@", or as a group's name in front of ":". So a mistake costs its own element and nothing
 * behind it, no byte is looked at more than a few times, and two readers of this list cannot differ
 * about which elements there are. A quote, comment or literal that never ends takes all the rest.
 *
 * Nothing is guessed: an element whose address is not certain is ENTRY_BROKEN, and a list that
 * needed more than RFC 5322 allows says so (irregular). From lists are judged by that.
 */
#include "wire/address_list.h"

#include "wire/encoded_word.h"
#include "wire/header.h"
#include "wire/header_token.h"

void address_list_init(struct address_list *list, struct arena *arena, struct slice raw_value)
{
    *list = (struct address_list){.rest = {header_unfold(arena, raw_value)}, .arena = arena};
}

/* --- addr-spec, with the obsolete forms of 4.4 --- */

/* atom *("." atom), or "[" ... "]". */
static bool take_domain(struct cursor *c, struct arena *arena, struct address *a,
                        struct buf *comments)
{
    struct buf text;
    struct slice literal;

    if (!take_cfws(c, comments))
        return false;
    if (cursor_peek(c) == '[') {
        a->kind = ADDRESS_LITERAL;
        return take_enclosed(c, '[', ']', &literal) && literal_parse(literal, arena, &a->domain) &&
               take_cfws(c, comments);
    }
    a->kind = ADDRESS_MAILBOX;
    buf_init(&text, c->rest.len);
    bool good =
        take_dotted_atoms(c, &text, comments) && domain_parse(buf_slice(&text), arena, &a->domain);
    buf_done(&text);
    return good;
}

/* The whole of it; what address.h would not take is no address. */
static bool addr_spec_parse(struct slice s, struct arena *arena, struct address *out,
                            struct buf *comments)
{
    struct cursor c = {s};
    struct address got = {.kind = ADDRESS_NULL}, checked;
    struct buf local;

    buf_init(&local, s.len);
    bool good = take_local_part(&c, arena, &local, comments) && take_char(&c, '@') &&
                take_domain(&c, arena, &got, comments) && cursor_at_end(&c);
    got.local = arena_copy(arena, buf_slice(&local));
    buf_done(&local);
    if (!good || !address_parse(address_text(arena, &got), arena, &checked))
        return false;
    *out = checked;
    return true;
}

/* Between "<" and ">": a route is dropped (4.4: obs-route, to be ignored). */
static bool angle_parse(struct slice s, struct arena *arena, struct address *out,
                        struct buf *comments)
{
    struct cursor c = {s};
    struct slice route;

    if (!take_cfws(&c, comments))
        return false;
    if ((cursor_peek(&c) == '@' || cursor_peek(&c) == ',') &&
        (!take_until(&c, ':', &route) || !take_char(&c, ':')))
        return false;
    return addr_spec_parse(c.rest, arena, out, comments);
}

/* --- elements --- */

struct element {
    struct slice text;   /* all of it, without the delimiter behind it */
    struct slice phrase; /* in front of "<" or ":", else empty */
    struct slice angle;  /* between "<" and ">" */
    struct slice behind; /* ">" */
    bool has_angle, has_at;
    bool ambiguous; /* a second "<" */
    int end;        /* ',', ';', ':' or -1 */
};

/* Steps over a quote, comment, literal, angle or byte; false when it never ends. */
static bool element_step(struct cursor *c, struct element *e, struct slice start)
{
    struct slice inside;
    int byte = cursor_peek(c);

    switch (byte) {
    case '"': return take_enclosed(c, '"', '"', &inside);
    case '(': return take_enclosed(c, '(', ')', &inside);
    case '[': return take_enclosed(c, '[', ']', &inside);
    case '<':
        if (e->has_angle) {
            e->ambiguous = true;
            c->rest = slice_skip(c->rest, 1);
            return true;
        }
        e->phrase = slice_head(start, start.len - c->rest.len);
        e->has_angle = take_angle(c, &e->angle);
        e->behind = c->rest;
        return e->has_angle;
    default:
        e->has_at = e->has_at || byte == '@';
        c->rest = slice_skip(c->rest, 1);
        return true;
    }
}

/* Cuts out the next element and takes the delimiter behind it, save a group's ";"; false when
 * something never ends. */
static bool take_element(struct cursor *c, bool in_group, struct element *out)
{
    struct slice start = c->rest;
    struct element e = {.end = -1};
    bool whole = true;

    while (whole && !cursor_at_end(c)) {
        int byte = cursor_peek(c);
        if (byte == ',' || byte == ';' || (byte == ':' && !e.has_angle && !e.has_at)) {
            e.end = byte;
            break;
        }
        whole = element_step(c, &e, start);
    }
    if (!whole)
        c->rest = slice_skip(c->rest, c->rest.len);
    e.text = slice_trim(slice_head(start, start.len - c->rest.len));
    if (e.has_angle)
        e.behind = slice_head(e.behind, e.behind.len - c->rest.len);
    if (e.end != -1 && !(e.end == ';' && in_group))
        c->rest = slice_skip(c->rest, 1);
    *out = e;
    return whole;
}

/* --- the list --- */

static bool is_empty(struct slice text, struct buf *comments)
{
    struct cursor c = {text};

    return take_cfws(&c, comments) && cursor_at_end(&c);
}

static void read_mailbox(struct address_list *list, const struct element *e, struct list_entry *out,
                         struct buf *comments)
{
    bool good;

    if (e->has_angle) {
        if (!phrase_decode(e->phrase, list->arena, &out->name, comments))
            list->irregular = true;
        good = angle_parse(e->angle, list->arena, &out->address, comments);
        if (!is_empty(e->behind, comments))
            list->irregular = true;
    } else {
        good = addr_spec_parse(e->text, list->arena, &out->address, comments);
    }
    good = good && !e->ambiguous;
    out->kind = good ? ENTRY_MAILBOX : ENTRY_BROKEN;
    list->irregular = list->irregular || !good;
}

/* False when the element holds nothing. A ";" outside a group separates like a comma, as some
 * programs write it. */
static bool read_element(struct address_list *list, const struct element *e, bool whole,
                         struct list_entry *out, struct buf *comments)
{
    out->text = e->text;
    if (!whole) {
        out->kind = ENTRY_BROKEN;
        list->irregular = true;
    } else if (e->end == ':') {
        bool fits = !list->in_group && !is_empty(e->text, NULL);
        if (!phrase_decode(e->text, list->arena, &out->name, comments) || !fits)
            list->irregular = true;
        out->kind = fits ? ENTRY_GROUP : ENTRY_BROKEN;
        list->in_group = list->in_group || fits;
    } else if (is_empty(e->text, NULL)) {
        return false;
    } else {
        read_mailbox(list, e, out, comments);
    }
    return true;
}

static bool group_ends(struct address_list *list, struct list_entry *out)
{
    if (!list->in_group || (!cursor_at_end(&list->rest) && cursor_peek(&list->rest) != ';'))
        return false;
    list->irregular = !take_char(&list->rest, ';') || list->irregular;
    list->in_group = false;
    *out = (struct list_entry){.kind = ENTRY_GROUP_END};
    return true;
}

bool address_list_next(struct address_list *list, struct list_entry *out)
{
    struct element e;
    struct buf comments;
    bool found = false;

    while (!found && !cursor_at_end(&list->rest)) {
        if (group_ends(list, out))
            return true;
        struct list_entry got = {.kind = ENTRY_BROKEN};
        bool whole = take_element(&list->rest, list->in_group, &e);
        buf_init(&comments, 2 * e.text.len + 2);
        found = read_element(list, &e, whole, &got, &comments);
        got.comment =
            encoded_text_decode(list->arena, enclosed_unescape(list->arena, buf_slice(&comments)));
        buf_done(&comments);
        if (e.end == ';' && !list->in_group)
            list->irregular = true;
        *out = found ? got : *out;
    }
    return found || group_ends(list, out);
}
