/*
 * rewrite.c - in the envelope and in the header.
 *
 * A field is written anew only when one of its mailboxes changes; then those that do not keep their
 * text. A comment behind a rewritten mailbox is nearly always the name of who wrote, "root (Cron
 * Daemon)", and becomes its display name.
 */
#include "mail/rewrite.h"

#include "wire/address_list.h"
#include "wire/compose.h"
#include "wire/utf8.h"

static struct address rewritten(const struct rewrite *r, const struct address *a,
                                struct arena *arena)
{
    struct address to = r->to;

    if (r->local == REWRITE_KEEPS_LOCAL)
        to.local = a->local;
    else if (r->local == REWRITE_KEEPS_USER)
        to.local = without_detail(a->local);
    to.utf8 = r->local != REWRITE_TO_LOCAL && !utf8_is_ascii(to.local);
    return address_copy(arena, &to);
}

const struct rewrite *rewrite_address(const struct rules *rules, enum rewrite_whose whose,
                                      struct address *a, struct arena *arena)
{
    for (size_t i = 0; i < rules->rewrite_count && a->kind != ADDRESS_NULL; i++) {
        const struct rewrite *r = &rules->rewrites[i];

        if (r->whose != whose || !rules_target_matches(rules, &r->match, a, arena))
            continue;
        *a = rewritten(r, a, arena);
        return r;
    }
    return NULL;
}

/* ---- the header ---- */

/* "root (Cron Daemon)" and "Cron Daemon <root>" are what cron writes. */
static struct slice bare_name(struct slice text)
{
    size_t open = text.len;

    while (open > 0 && text.data[open - 1] != '<')
        open--;
    if (open > 0 && slice_ends(text, SLICE(">")))
        return slice_head(slice_skip(text, open), text.len - open - 1);
    return slice_trim(slice_head(text, slice_find(text, '(')));
}

/* False: it is no address, or one of which nobody knows what it means. */
static bool take_mailbox(const struct rules *rules, const struct list_entry *e, struct arena *arena,
                         struct address *out)
{
    *out = e->address;
    if (e->kind == ENTRY_MAILBOX)
        return true;
    if (e->kind != ENTRY_BROKEN)
        return false;
    if (!address_parse(bare_name(e->text), arena, out) || out->kind != ADDRESS_BARE)
        return false;
    *out = rules_complete(rules, out);
    return true;
}

static bool put_entry(struct buf *out, const struct rules *rules, const struct list_entry *e,
                      struct arena *arena, bool *changed)
{
    struct compose_mailbox m = {.display = e->name.len > 0 ? e->name : e->comment};
    struct address before;

    if (!take_mailbox(rules, e, arena, &before))
        return buf_append(out, e->text);
    m.address = before;
    if (rewrite_address(rules, REWRITE_SENDER, &m.address, arena) == NULL ||
        address_equal(&m.address, &before))
        return buf_append(out, e->text);
    *changed = true;
    return compose_write_mailbox(out, arena, &m);
}

/* Groups have no business in these fields but to hide who wrote (RFC 6854): left as they are. */
static bool put_entries(struct buf *out, const struct rules *rules, struct slice value,
                        struct arena *arena, bool *changed)
{
    struct address_list list;
    struct list_entry e;

    address_list_init(&list, arena, value);
    while (address_list_next(&list, &e)) {
        if (e.kind == ENTRY_GROUP || e.kind == ENTRY_GROUP_END)
            return false;
        if (buf_len(out) > 0 && !buf_append(out, SLICE(", ")))
            return false;
        if (!put_entry(out, rules, &e, arena, changed))
            return false;
    }
    return true;
}

static bool names_the_sender(struct slice name)
{
    static const struct slice names[] = {SLICE_INIT("From"), SLICE_INIT("Sender"),
                                         SLICE_INIT("Reply-To")};

    if (slice_starts_nocase(name, SLICE("Resent-")))
        name = slice_skip(name, sizeof("Resent-") - 1);
    for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
        if (slice_equal_nocase(name, names[i]))
            return true;
    return false;
}

static bool put_field(struct buf *out, const struct rules *rules, const struct header_field *f)
{
    struct arena arena = {0};
    struct buf value;
    bool changed = false, fits;

    buf_init(&value, REWRITE_HEADER_MAX);
    if (names_the_sender(f->name) && put_entries(&value, rules, f->value, &arena, &changed) &&
        changed)
        fits = header_write(out, f->name, buf_slice(&value));
    else
        fits = buf_append(out, f->whole);
    buf_done(&value);
    arena_done(&arena);
    return fits;
}

bool rewrite_header(struct buf *out, const struct rules *rules, struct slice header)
{
    struct cursor c = {header};
    struct header_field f;
    size_t before = buf_len(out);
    bool fits = true;

    while (fits && header_take_field(&c, &f))
        fits = put_field(out, rules, &f);
    fits = fits && buf_append(out, c.rest);
    if (!fits)
        buf_truncate(out, before);
    return fits;
}

/* ---- while it arrives ---- */

void rewrite_reader_init(struct rewrite_reader *r, bool rewrites)
{
    *r = (struct rewrite_reader){.rewrites = rewrites};
    header_watch_init(&r->watch);
    buf_init(&r->held, REWRITE_HEADER_MAX);
    buf_init(&r->given, REWRITE_HEADER_MAX);
}

void rewrite_reader_done(struct rewrite_reader *r)
{
    buf_done(&r->held);
    buf_done(&r->given);
    r->rewrites = false;
}

/* The header is whole, or all there will be. */
static struct slice give(struct rewrite_reader *r, const struct rules *rules)
{
    r->rewrites = false;
    return rewrite_header(&r->given, rules, buf_slice(&r->held)) ? buf_slice(&r->given)
                                                                 : buf_slice(&r->held);
}

bool rewrite_reader_next(struct rewrite_reader *r, const struct rules *rules, struct cursor *in,
                         struct slice *run)
{
    uint64_t seen = r->watch.header_bytes;
    struct slice head;

    if (!r->rewrites) {
        *run = in->rest;
        in->rest = slice_skip(in->rest, run->len);
        return run->len > 0;
    }
    header_watch_feed(&r->watch, in->rest);
    head = slice_head(in->rest, (size_t)(r->watch.header_bytes - seen));
    if (!buf_append(&r->held, head)) {
        r->rewrites = false;
        *run = buf_slice(&r->held);
        return true;
    }
    in->rest = slice_skip(in->rest, head.len);
    if (!r->watch.ended)
        return false;
    *run = give(r, rules);
    return true;
}

struct slice rewrite_reader_end(struct rewrite_reader *r, const struct rules *rules)
{
    return r->rewrites ? give(r, rules) : SLICE("");
}
