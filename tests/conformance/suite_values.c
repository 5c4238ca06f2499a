/*
 * suite_values.c - values of header fields as mail-parser writes them down in JSON.
 */
#include "suite_values.h"

#include "suite.h"

#include "wire/address_list.h"
#include "wire/content_type.h"
#include "wire/date.h"
#include "wire/list_field.h"
#include "wire/message_id.h"
#include "wire/phrase_list.h"

/* --- addresses --- */

static void put_name(struct buf *out, struct slice name, struct slice comment)
{
    if (name.len > 0 && comment.len > 0)
        buf_printf(out, "%.*s (%.*s)", SLICE_PRINTF(name), SLICE_PRINTF(comment));
    else
        buf_append(out, name.len > 0 ? name : comment);
}

/* "name|address;", groups as "name{...}"; the suite counts comments to names. */
static void put_read(struct buf *out, struct arena *arena, struct slice value)
{
    struct address_list list;
    struct list_entry e;

    address_list_init(&list, arena, value);
    while (address_list_next(&list, &e)) {
        if (e.kind == ENTRY_GROUP_END) {
            buf_append_char(out, '}');
        } else if (e.kind == ENTRY_BROKEN) {
            buf_printf(out, "(broken)%.*s;", SLICE_PRINTF(e.text));
        } else {
            struct slice address = address_text(arena, &e.address);
            put_name(out, e.name, e.comment);
            if (e.kind == ENTRY_GROUP)
                buf_append_char(out, '{');
            else
                buf_printf(out, "|%.*s;", SLICE_PRINTF(address));
        }
    }
}

/* What has no address is none to us. */
static void put_wanted_list(struct buf *out, struct arena *arena, const json_t *list)
{
    const json_t *item;
    size_t i;

    json_array_foreach(list, i, item)
    {
        struct slice name = suite_marked(arena, suite_text(item, "name"));
        struct slice address = suite_text(item, "address");

        buf_printf(out, "%s%.*s", address.len > 0 ? "" : "(broken)", SLICE_PRINTF(name));
        buf_printf(out, "%s%.*s;", address.len > 0 ? "|" : "", SLICE_PRINTF(address));
    }
}

static void put_wanted(struct buf *out, struct arena *arena, const json_t *expected)
{
    const json_t *group;
    size_t i;

    put_wanted_list(out, arena, json_object_get(expected, "List"));
    json_array_foreach(json_object_get(expected, "Group"), i, group)
    {
        bool named = suite_text(group, "name").len > 0;
        buf_append(out, suite_text(group, "name"));
        buf_append(out, named ? SLICE("{") : SLICE(""));
        put_wanted_list(out, arena, json_object_get(group, "addresses"));
        buf_append(out, named ? SLICE("}") : SLICE(""));
    }
}

static bool is_wanted_addresses(struct slice read, struct arena *arena, const json_t *want)
{
    struct buf wanted;

    buf_init(&wanted, SUITE_READ_MAX);
    put_wanted(&wanted, arena, want);
    bool same = slice_equal_nocase(read, buf_slice(&wanted));
    buf_done(&wanted);
    return same;
}

bool suite_same_addresses(struct arena *arena, struct slice value, const json_t *want,
                          struct buf *read)
{
    put_read(read, arena, value);
    return is_wanted_addresses(buf_slice(read), arena, want);
}

/* --- List- fields --- */

bool suite_is_list_field(struct arena *arena, struct slice value)
{
    struct list_urls urls;
    struct list_url url;
    struct slice comment;

    list_urls_init(&urls, arena, value);
    return list_urls_next(&urls, &url) || list_post_is_no(value, arena, &comment);
}

bool suite_same_urls(struct arena *arena, struct slice value, const json_t *want, struct buf *read)
{
    struct list_urls urls;
    struct list_url url;
    struct slice comment;

    list_urls_init(&urls, arena, value);
    while (list_urls_next(&urls, &url))
        buf_printf(read, "%.*s|%.*s;", SLICE_PRINTF(url.comment), SLICE_PRINTF(url.text));
    if (list_post_is_no(value, arena, &comment))
        buf_printf(read, "%.*s|NO;", SLICE_PRINTF(comment));
    return is_wanted_addresses(buf_slice(read), arena, want);
}

/* --- dates --- */

static long long member(const json_t *object, const char *name)
{
    return json_integer_value(json_object_get(object, name));
}

bool suite_same_date(struct arena *arena, struct slice value, const json_t *want, struct buf *read)
{
    static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
    uint64_t got_us = 0, want_us = 0;
    int got_min = 0, want_min = 0;
    bool got = date_parse_rfc5322(value, &got_us, &got_min);

    if (got)
        date_write_rfc5322(read, got_us, got_min);
    else
        buf_append(read, SLICE("no date"));
    if (!got || !json_is_object(want))
        return got == json_is_object(want);
    struct slice plain =
        arena_printf(arena, "%lld %.3s %lld %lld:%lld:%lld %c%02lld%02lld", member(want, "day"),
                     &months[3 * (member(want, "month") - 1)], member(want, "year"),
                     member(want, "hour"), member(want, "minute"), member(want, "second"),
                     json_is_true(json_object_get(want, "tz_before_gmt")) ? '-' : '+',
                     member(want, "tz_hour"), member(want, "tz_minute"));
    return date_parse_rfc5322(plain, &want_us, &want_min) && got_us == want_us &&
           got_min == want_min;
}

/* --- types --- */

static void put_pair(struct buf *out, struct slice name, const char *suffix, struct slice value)
{
    buf_printf(out, ";%.*s%s=", SLICE_PRINTF(name), suffix);
    buf_append(out, value);
}

static void put_type(struct buf *out, const struct content_type *t)
{
    buf_printf(out, "%.*s/%.*s", SLICE_PRINTF(t->type), SLICE_PRINTF(t->subtype));
    for (unsigned i = 0; i < t->param_count; i++) {
        const struct content_param *p = &t->params[i];

        if (p->language.len > 0)
            put_pair(out, p->name, "-language", p->language);
        put_pair(out, p->name, "", p->value);
    }
}

static bool holds(struct slice text, struct slice wanted)
{
    for (; text.len >= wanted.len; text = slice_skip(text, 1))
        if (slice_starts(text, wanted))
            return true;
    return false;
}

/* Written as [name, value] or as an object. */
static struct slice attribute_part(const json_t *pair, size_t at, const char *member)
{
    const json_t *text =
        json_is_array(pair) ? json_array_get(pair, at) : json_object_get(pair, member);

    return (struct slice){json_string_value(text), json_string_length(text)};
}

/* The suite's order of attributes says nothing: each must be there, and nothing else. */
static bool is_wanted_type(struct slice read, const json_t *want)
{
    const json_t *pair;
    struct buf part;
    size_t i, len;
    bool all;

    buf_init(&part, SUITE_READ_MAX);
    buf_append(&part, suite_text(want, "c_type"));
    buf_append_char(&part, '/');
    buf_append(&part, suite_text(want, "c_subtype"));
    all = slice_starts(read, buf_slice(&part));
    len = buf_len(&part);
    json_array_foreach(json_object_get(want, "attributes"), i, pair)
    {
        buf_clear(&part);
        put_pair(&part, attribute_part(pair, 0, "name"), "", attribute_part(pair, 1, "value"));
        all = all && holds(read, buf_slice(&part));
        len += buf_len(&part);
    }
    buf_done(&part);
    return all && len == read.len;
}

bool suite_same_type(struct arena *arena, struct slice value, const json_t *want, struct buf *read)
{
    struct content_type *got = ARENA_NEW(arena, struct content_type);

    if (content_type_parse(value, arena, got))
        put_type(read, got);
    return json_is_object(want) ? is_wanted_type(buf_slice(read), want) : buf_len(read) == 0;
}

/* --- identifiers --- */

/* "text;" for each string of an array. */
static void put_wanted_texts(struct buf *out, const json_t *want)
{
    const json_t *text;
    size_t i;

    json_array_foreach(want, i, text)
    {
        buf_append(out, (struct slice){json_string_value(text), json_string_length(text)});
        buf_append_char(out, ';');
    }
}

static bool is_wanted_texts(struct slice read, const json_t *want)
{
    struct buf wanted;

    buf_init(&wanted, SUITE_READ_MAX);
    put_wanted_texts(&wanted, want);
    bool same = slice_equal(read, buf_slice(&wanted));
    buf_done(&wanted);
    return same;
}

bool suite_same_ids(struct arena *arena, struct slice value, const json_t *want, struct buf *read)
{
    struct message_id_list list;
    struct message_id id;

    message_id_list_init(&list, arena, value);
    while (message_id_next(&list, &id)) {
        buf_append(read, id.text);
        buf_append_char(read, ';');
    }
    return is_wanted_texts(buf_slice(read), want);
}

/* --- phrases --- */

bool suite_same_phrases(struct arena *arena, struct slice value, const json_t *want,
                        struct buf *read)
{
    struct phrase_list list;
    struct slice phrase;

    phrase_list_init(&list, arena, value);
    while (phrase_list_next(&list, &phrase)) {
        buf_append(read, phrase);
        buf_append_char(read, ';');
    }
    return is_wanted_texts(buf_slice(read), want);
}
