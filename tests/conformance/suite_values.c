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
#include "wire/received.h"

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

/* Appends the date to *read, and says whether it is the one that is wanted. */
static bool is_wanted_date(struct buf *read, struct arena *arena, const uint64_t *got_us,
                           int got_min, const json_t *want)
{
    static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
    uint64_t want_us = 0;
    int want_min = 0;

    if (got_us != NULL)
        date_write_rfc5322(read, *got_us, got_min);
    else
        buf_append(read, SLICE("no date"));
    if (got_us == NULL || !json_is_object(want))
        return (got_us != NULL) == json_is_object(want);
    struct slice plain =
        arena_printf(arena, "%lld %.3s %lld %lld:%lld:%lld %c%02lld%02lld", member(want, "day"),
                     &months[3 * (member(want, "month") - 1)], member(want, "year"),
                     member(want, "hour"), member(want, "minute"), member(want, "second"),
                     json_is_true(json_object_get(want, "tz_before_gmt")) ? '-' : '+',
                     member(want, "tz_hour"), member(want, "tz_minute"));
    return date_parse_rfc5322(plain, &want_us, &want_min) && *got_us == want_us &&
           got_min == want_min;
}

bool suite_same_date(struct arena *arena, struct slice value, const json_t *want, struct buf *read)
{
    uint64_t wall_us = 0;
    int offset_min = 0;
    bool got = date_parse_rfc5322(value, &wall_us, &offset_min);

    return is_wanted_date(read, arena, got ? &wall_us : NULL, offset_min, want);
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

/* --- hops --- */

static void put_part(struct buf *out, const char *name, struct slice value)
{
    if (value.len > 0)
        buf_printf(out, "%s=%.*s;", name, SLICE_PRINTF(value));
}

/* {"Name": text} or {"IpAddr": text} */
static struct slice host_text(const json_t *want, const char *member)
{
    const json_t *host = json_object_get(want, member);
    struct slice name = suite_text(host, "Name");

    return name.len > 0 ? name : suite_text(host, "IpAddr");
}

/* "TLSv1_3" as "TLSv1.3" */
static struct slice version_text(struct arena *arena, struct slice version)
{
    char *copy = arena_alloc(arena, version.len + 1);

    for (size_t i = 0; i < version.len; i++)
        copy[i] = version.data[i];
    if (version.len > 2 && copy[version.len - 2] == '_')
        copy[version.len - 2] = '.';
    return (struct slice){copy, version.len};
}

static void put_wanted_hop(struct buf *out, struct arena *arena, const json_t *want)
{
    put_part(out, "from", host_text(want, "from"));
    put_part(out, "from_ip", suite_text(want, "from_ip"));
    put_part(out, "from_iprev", suite_text(want, "from_iprev"));
    put_part(out, "by", host_text(want, "by"));
    put_part(out, "via", suite_text(want, "via"));
    put_part(out, "with", suite_text(want, "with"));
    put_part(out, "id", suite_text(want, "id"));
    put_part(out, "for", suite_text(want, "for_"));
    put_part(out, "helo", host_text(want, "helo"));
    put_part(out, "ident", suite_text(want, "ident"));
    put_part(out, "tls", version_text(arena, suite_text(want, "tls_version")));
    put_part(out, "cipher", suite_text(want, "tls_cipher"));
}

/* The suite names a literal by its address. */
static struct slice host_name(struct slice host)
{
    if (!slice_starts(host, SLICE("[")) || !slice_ends(host, SLICE("]")))
        return host;
    return slice_head(slice_skip(host, 1), host.len - 2);
}

/* The suite has names for these protocols and tells of no other. */
static struct slice protocol_name(struct slice with)
{
    static const struct slice known[] = {SLICE_INIT("HTTP"), SLICE_INIT("IMAP"), SLICE_INIT("POP3"),
                                         SLICE_INIT("Local"), SLICE_INIT("MMS")};

    for (size_t i = 0; i < sizeof(known) / sizeof(*known); i++)
        if (slice_equal_nocase(with, known[i]))
            return with;
    for (struct slice at = with; at.len > 0; at = slice_skip(at, 1))
        if (slice_starts_nocase(at, SLICE("MTP")))
            return with;
    return SLICE("");
}

/* The suite takes "user@192.0.2.1" for the user, and no address from it. */
static void put_client(struct buf *out, struct arena *arena, const struct received *hop,
                       const json_t *want, struct slice *ident)
{
    struct slice both =
        arena_printf(arena, "%.*s@%.*s", SLICE_PRINTF(hop->ident), SLICE_PRINTF(hop->from_address));

    *ident = hop->ident;
    if (suite_text(want, "from_ip").len == 0 && slice_equal(both, suite_text(want, "ident")))
        *ident = both;
    else
        put_part(out, "from_ip", hop->from_address);
    put_part(out, "from_iprev", hop->from_dns);
}

static void put_hop(struct buf *out, struct arena *arena, const struct received *hop,
                    const json_t *want)
{
    struct slice ident;

    put_part(out, "from", host_name(hop->clauses[RECEIVED_FROM]));
    put_client(out, arena, hop, want, &ident);
    put_part(out, "by", host_name(hop->clauses[RECEIVED_BY]));
    put_part(out, "via", hop->clauses[RECEIVED_VIA]);
    put_part(out, "with", protocol_name(hop->clauses[RECEIVED_WITH]));
    put_part(out, "id", hop->clauses[RECEIVED_ID]);
    put_part(out, "for", address_text(arena, &hop->rcpt));
    put_part(out, "helo", hop->helo);
    put_part(out, "ident", ident);
    put_part(out, "tls", hop->tls_version);
    put_part(out, "cipher", hop->tls_cipher);
}

bool suite_same_hop(struct arena *arena, struct slice value, const json_t *want, struct buf *read)
{
    struct received hop = {0};
    struct buf wanted;

    buf_init(&wanted, SUITE_READ_MAX);
    (void)received_parse(value, arena, &hop);
    put_hop(read, arena, &hop, want);
    put_wanted_hop(&wanted, arena, want);
    bool same = slice_equal_nocase(buf_slice(read), buf_slice(&wanted));
    same = is_wanted_date(read, arena, hop.has_date ? &hop.wall_us : NULL, hop.offset_min,
                          json_object_get(want, "date")) &&
           same;
    buf_done(&wanted);
    return same;
}
