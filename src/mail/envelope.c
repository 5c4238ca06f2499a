/*
 * envelope.c - the envelope as bytes, and the queue id as text.
 *
 * A list of {u16 tag, u32 length, bytes}, little-endian. Single items stand at most once; RCPT
 * repeats, in the order of the dialog, each with what was said of it behind it. What was not said
 * is not written. An address is {u8 kind, u8 length, local, u16 length,
 * domain}; a RCPT holds the original one and, only when it differs, the final one.
 *
 * The reader trusts nothing: a receiver that was taken over must not be able to hand the courier
 * an address or a name that its own parser would never have let through. The writer applies the
 * same check, so an envelope that was acknowledged can always be read again. Whether an address
 * needs SMTPUTF8 is computed from its bytes, not stored: what is not there cannot contradict.
 */
#include "mail/envelope.h"

#include "wire/chars.h"
#include "wire/utf8.h"

enum tag {
    TAG_ID = 1,
    TAG_ARRIVAL = 2,
    TAG_SENDER = 3,
    TAG_BODY = 4,
    TAG_SMTPUTF8 = 5,
    TAG_HELO = 6,
    TAG_CLIENT_ADDRESS = 7,
    TAG_PROTO = 8,
    TAG_RCPT = 9, /* repeats */
    TAG_RETURN = 10,
    TAG_ENVID = 11,
    TAG_PRIORITY = 12,
    TAG_BY = 13,
    TAG_SOLICIT = 14,
    TAG_HOLD_FOR = 15,
    TAG_HOLD_UNTIL = 16,
    TAG_REQUIRE_TLS = 17,
    TAG_NOTIFY = 18, /* of the RCPT before it; repeats */
    TAG_ORCPT = 19,  /* the same */
    TAG_USER = 20,
    TAG_FINGERPRINT = 21,
    TAG_KNOWN_MAX = TAG_FINGERPRINT,
};

enum {
    HELO_MAX = DOMAIN_MAX + 2, /* a literal keeps its brackets */
    PROTO_MAX = 32,
};

/* ---- what an honest parser lets through ---- */

static bool all_of(struct slice s, unsigned classes)
{
    for (size_t i = 0; i < s.len; i++) {
        if (!char_is(s.data[i], classes))
            return false;
    }
    return true;
}

static bool has_high(struct slice s)
{
    for (size_t i = 0; i < s.len; i++) {
        if (char_is(s.data[i], CHAR_HIGH))
            return true;
    }
    return false;
}

static bool domain_sound(struct slice domain)
{
    char before = '.';

    if (domain.len == 0 || domain.len > DOMAIN_MAX || !utf8_printable(domain))
        return false;
    for (size_t i = 0; i < domain.len; i++) {
        char c = domain.data[i];
        if (!char_is(c, CHAR_LETDIG | CHAR_HIGH) && c != '-' && c != '_' && c != '.')
            return false;
        if (c == '.' && before == '.')
            return false;
        before = c;
    }
    return before != '.';
}

static bool literal_sound(struct slice literal)
{
    return literal.len > 0 && literal.len <= DOMAIN_MAX && all_of(literal, CHAR_DTEXT);
}

static bool local_sound(struct slice local)
{
    return local.len <= LOCAL_PART_MAX && all_of(local, CHAR_PRINT | CHAR_HIGH) &&
           utf8_printable(local);
}

static bool address_sound(const struct address *a)
{
    switch (a->kind) {
    case ADDRESS_NULL: return a->local.len == 0 && a->domain.len == 0;
    case ADDRESS_MAILBOX: return local_sound(a->local) && domain_sound(a->domain);
    case ADDRESS_LITERAL: return local_sound(a->local) && literal_sound(a->domain);
    case ADDRESS_BARE: return a->local.len > 0 && local_sound(a->local) && a->domain.len == 0;
    }
    return false;
}

static bool helo_sound(struct slice helo)
{
    if (helo.len == 0)
        return true;
    if (helo.len > 2 && helo.data[0] == '[' && helo.data[helo.len - 1] == ']')
        return literal_sound(slice_head(slice_skip(helo, 1), helo.len - 2));
    return helo.len <= HELO_MAX && domain_sound(helo);
}

static bool client_address_sound(struct slice address)
{
    unsigned char ip[16];

    return address.len == 0 || slice_equal(address, SLICE("local")) || ipv4_parse(address, ip) ||
           ipv6_parse(address, ip);
}

static bool proto_sound(struct slice proto)
{
    return proto.len <= PROTO_MAX && all_of(proto, CHAR_LETDIG);
}

static bool text_sound(struct slice text, size_t max)
{
    return text.len <= max && utf8_printable(text);
}

/* NEVER stands alone, RFC 3461 4.1. */
static bool notify_sound(unsigned notify)
{
    return notify == NOTIFY_NEVER ||
           (notify & ~(unsigned)(NOTIFY_SUCCESS | NOTIFY_FAILURE | NOTIFY_DELAY)) == 0;
}

static bool wishes_sound(const struct envelope_wishes *w)
{
    return w->ret <= RETURN_HEADERS && text_sound(w->envid, ENVID_MAX) &&
           w->priority >= -PRIORITY_MAX && w->priority <= PRIORITY_MAX && w->by <= BY_NOTIFY &&
           w->by_s >= -BY_SECONDS_MAX && w->by_s <= BY_SECONDS_MAX &&
           text_sound(w->solicit, SOLICIT_MAX) && (w->hold_for_s == 0 || w->hold_until_us == 0);
}

static bool rcpt_sound(const struct envelope_rcpt *rcpt)
{
    return notify_sound(rcpt->notify) && text_sound(rcpt->orcpt, ORCPT_MAX) &&
           rcpt->original.kind != ADDRESS_NULL && rcpt->final.kind != ADDRESS_NULL &&
           address_sound(&rcpt->original) && address_sound(&rcpt->final);
}

static bool envelope_sound(const struct envelope *e)
{
    if (e->id == 0 || e->rcpt_count == 0 || e->rcpt_count > ENVELOPE_RCPTS_MAX)
        return false;
    for (unsigned i = 0; i < e->rcpt_count; i++) {
        if (!rcpt_sound(&e->rcpts[i]))
            return false;
    }
    if (e->fingerprint.len != 0 && e->fingerprint.len != ENVELOPE_FINGERPRINT)
        return false;
    return wishes_sound(&e->wishes) && address_sound(&e->sender) && e->body <= BODY_BINARYMIME &&
           helo_sound(e->helo) && client_address_sound(e->client_address) && proto_sound(e->proto);
}

/* ---- writing ---- */

static bool put_head(struct buf *out, enum tag tag, size_t len)
{
    return put_u16(out, (uint16_t)tag) && put_u32(out, (uint32_t)len);
}

static bool put_u64_item(struct buf *out, enum tag tag, uint64_t v)
{
    return put_head(out, tag, 8) && put_u64(out, v);
}

static bool put_u8_item(struct buf *out, enum tag tag, unsigned v)
{
    return put_head(out, tag, 1) && put_u8(out, (uint8_t)v);
}

static bool put_text_item(struct buf *out, enum tag tag, struct slice text)
{
    return put_head(out, tag, text.len) && buf_append(out, text);
}

static size_t address_encoded_len(const struct address *a)
{
    return 1 + 1 + a->local.len + 2 + a->domain.len;
}

bool envelope_put_address(struct buf *out, const struct address *a)
{
    return put_u8(out, (uint8_t)a->kind) && put_u8(out, (uint8_t)a->local.len) &&
           buf_append(out, a->local) && put_u16(out, (uint16_t)a->domain.len) &&
           buf_append(out, a->domain);
}

static bool address_same_bytes(const struct address *a, const struct address *b)
{
    return a->kind == b->kind && slice_equal(a->local, b->local) &&
           slice_equal(a->domain, b->domain);
}

static bool put_wanted_text(struct buf *out, enum tag tag, struct slice text)
{
    return text.len == 0 || put_text_item(out, tag, text);
}

static bool put_wanted_number(struct buf *out, enum tag tag, uint64_t v)
{
    return v == 0 || put_u64_item(out, tag, v);
}

static bool put_by(struct buf *out, const struct envelope_wishes *w)
{
    return w->by == BY_UNSAID || (put_head(out, TAG_BY, 10) && put_u8(out, (uint8_t)w->by) &&
                                  put_u8(out, w->by_trace) && put_u64(out, (uint64_t)w->by_s));
}

static bool put_wishes(struct buf *out, const struct envelope_wishes *w)
{
    return put_wanted_number(out, TAG_RETURN, w->ret) &&
           put_wanted_text(out, TAG_ENVID, w->envid) &&
           (w->priority == 0 ||
            put_u8_item(out, TAG_PRIORITY, (unsigned)(w->priority + PRIORITY_MAX))) &&
           put_by(out, w) && put_wanted_text(out, TAG_SOLICIT, w->solicit) &&
           put_wanted_number(out, TAG_HOLD_FOR, w->hold_for_s) &&
           put_wanted_number(out, TAG_HOLD_UNTIL, w->hold_until_us) &&
           (!w->require_tls || put_u8_item(out, TAG_REQUIRE_TLS, 1));
}

static bool put_rcpt_addresses(struct buf *out, const struct envelope_rcpt *rcpt)
{
    size_t len = address_encoded_len(&rcpt->original);

    if (address_same_bytes(&rcpt->original, &rcpt->final))
        return put_head(out, TAG_RCPT, len) && envelope_put_address(out, &rcpt->original);
    return put_head(out, TAG_RCPT, len + address_encoded_len(&rcpt->final)) &&
           envelope_put_address(out, &rcpt->original) && envelope_put_address(out, &rcpt->final);
}

static bool put_rcpt(struct buf *out, const struct envelope_rcpt *rcpt)
{
    return put_rcpt_addresses(out, rcpt) && put_wanted_number(out, TAG_NOTIFY, rcpt->notify) &&
           put_wanted_text(out, TAG_ORCPT, rcpt->orcpt);
}

static bool put_envelope(struct buf *out, const struct envelope *e)
{
    bool fits =
        put_u64_item(out, TAG_ID, e->id) && put_u64_item(out, TAG_ARRIVAL, e->arrival_us) &&
        put_head(out, TAG_SENDER, address_encoded_len(&e->sender)) &&
        envelope_put_address(out, &e->sender) && put_u8_item(out, TAG_BODY, e->body) &&
        put_u8_item(out, TAG_SMTPUTF8, e->smtputf8) && put_text_item(out, TAG_HELO, e->helo) &&
        put_text_item(out, TAG_CLIENT_ADDRESS, e->client_address) &&
        put_text_item(out, TAG_PROTO, e->proto) && put_wanted_text(out, TAG_USER, e->user) &&
        put_wanted_text(out, TAG_FINGERPRINT, e->fingerprint) && put_wishes(out, &e->wishes);

    for (unsigned i = 0; fits && i < e->rcpt_count; i++)
        fits = put_rcpt(out, &e->rcpts[i]);
    return fits;
}

bool envelope_encode(struct buf *out, const struct envelope *e)
{
    size_t before = buf_len(out);

    if (!envelope_sound(e))
        return false;
    if (put_envelope(out, e) && buf_len(out) - before <= ENVELOPE_BYTES_MAX)
        return true;
    buf_truncate(out, before);
    return false;
}

/* ---- reading ---- */

static bool get_text(struct cursor *c, size_t len, struct arena *arena, struct slice *out)
{
    struct slice text;

    if (!take_bytes(c, len, &text))
        return false;
    *out = arena_copy(arena, text);
    return true;
}

bool envelope_get_address(struct cursor *c, struct arena *arena, struct address *out)
{
    struct address got = {0};
    uint8_t kind, local_len;
    uint16_t domain_len;

    if (!get_u8(c, &kind) || kind > ADDRESS_BARE)
        return false;
    got.kind = (enum address_kind)kind;
    if (!get_u8(c, &local_len) || local_len > LOCAL_PART_MAX ||
        !get_text(c, local_len, arena, &got.local))
        return false;
    if (!get_u16(c, &domain_len) || domain_len > DOMAIN_MAX ||
        !get_text(c, domain_len, arena, &got.domain))
        return false;
    got.utf8 = has_high(got.local) || has_high(got.domain);
    *out = got;
    return true;
}

static bool get_bool(struct cursor *c, bool *out)
{
    uint8_t v;

    if (!get_u8(c, &v) || v > 1)
        return false;
    *out = v == 1;
    return true;
}

static bool get_body_type(struct cursor *c, enum body_type *out)
{
    uint8_t v;

    if (!get_u8(c, &v) || v > BODY_BINARYMIME)
        return false;
    *out = (enum body_type)v;
    return true;
}

static bool get_rcpt(struct cursor *c, struct arena *arena, struct envelope *e)
{
    struct envelope_rcpt *rcpt = &e->rcpts[e->rcpt_count];

    if (!envelope_get_address(c, arena, &rcpt->original))
        return false;
    rcpt->final = rcpt->original;
    if (!cursor_at_end(c) && !envelope_get_address(c, arena, &rcpt->final))
        return false;
    e->rcpt_count++;
    return true;
}

static bool get_return(struct cursor *c, enum dsn_return *out)
{
    uint64_t v;

    if (!get_u64(c, &v) || v == 0 || v > RETURN_HEADERS)
        return false;
    *out = (enum dsn_return)v;
    return true;
}

static bool get_priority(struct cursor *c, int *out)
{
    uint8_t v;

    if (!get_u8(c, &v) || v > 2 * PRIORITY_MAX)
        return false;
    *out = (int)v - PRIORITY_MAX;
    return true;
}

static bool get_by(struct cursor *c, struct envelope_wishes *w)
{
    uint8_t mode;
    uint64_t by_s;

    if (!get_u8(c, &mode) || mode == BY_UNSAID || mode > BY_NOTIFY || !get_bool(c, &w->by_trace) ||
        !get_u64(c, &by_s))
        return false;
    w->by = (enum by_mode)mode;
    w->by_s = (int64_t)by_s;
    return true;
}

static bool get_number(struct cursor *c, uint64_t max, uint64_t *out)
{
    return get_u64(c, out) && *out != 0 && *out <= max;
}

static bool get_hold_for(struct cursor *c, struct envelope_wishes *w)
{
    uint64_t v;

    if (!get_number(c, UINT32_MAX, &v))
        return false;
    w->hold_for_s = (uint32_t)v;
    return true;
}

/* Of the recipient named last. */
static struct envelope_rcpt *last_rcpt(struct envelope *e)
{
    return e->rcpt_count == 0 ? NULL : &e->rcpts[e->rcpt_count - 1];
}

static bool get_notify(struct cursor *c, struct envelope_rcpt *rcpt)
{
    uint64_t v;

    if (rcpt == NULL || rcpt->notify != 0 || !get_number(c, UINT8_MAX, &v))
        return false;
    rcpt->notify = (unsigned)v;
    return true;
}

static bool get_orcpt(struct cursor *c, size_t len, struct arena *arena, struct envelope_rcpt *rcpt)
{
    return rcpt != NULL && rcpt->orcpt.len == 0 && len > 0 && get_text(c, len, arena, &rcpt->orcpt);
}

static bool get_wish(unsigned tag, struct slice bytes, struct arena *arena, struct envelope *e)
{
    struct envelope_wishes *w = &e->wishes;
    struct cursor c = {bytes};
    bool whole = true;

    switch (tag) {
    case TAG_RETURN: whole = get_return(&c, &w->ret); break;
    case TAG_ENVID: whole = get_text(&c, bytes.len, arena, &w->envid); break;
    case TAG_PRIORITY: whole = get_priority(&c, &w->priority); break;
    case TAG_BY: whole = get_by(&c, w); break;
    case TAG_SOLICIT: whole = get_text(&c, bytes.len, arena, &w->solicit); break;
    case TAG_HOLD_FOR: whole = get_hold_for(&c, w); break;
    case TAG_HOLD_UNTIL: whole = get_number(&c, UINT64_MAX, &w->hold_until_us); break;
    case TAG_REQUIRE_TLS: whole = get_bool(&c, &w->require_tls); break;
    case TAG_NOTIFY: whole = get_notify(&c, last_rcpt(e)); break;
    case TAG_ORCPT: whole = get_orcpt(&c, bytes.len, arena, last_rcpt(e)); break;
    default: return true; /* a newer writer's: skipped */
    }
    return whole && cursor_at_end(&c);
}

static bool get_item(unsigned tag, struct slice bytes, struct arena *arena, struct envelope *e)
{
    struct cursor c = {bytes};
    bool whole = true;

    switch (tag) {
    case TAG_ID: whole = get_u64(&c, &e->id); break;
    case TAG_ARRIVAL: whole = get_u64(&c, &e->arrival_us); break;
    case TAG_SENDER: whole = envelope_get_address(&c, arena, &e->sender); break;
    case TAG_BODY: whole = get_body_type(&c, &e->body); break;
    case TAG_SMTPUTF8: whole = get_bool(&c, &e->smtputf8); break;
    case TAG_HELO: whole = get_text(&c, bytes.len, arena, &e->helo); break;
    case TAG_CLIENT_ADDRESS: whole = get_text(&c, bytes.len, arena, &e->client_address); break;
    case TAG_PROTO: whole = get_text(&c, bytes.len, arena, &e->proto); break;
    case TAG_USER: whole = get_text(&c, bytes.len, arena, &e->user); break;
    case TAG_FINGERPRINT: whole = get_text(&c, bytes.len, arena, &e->fingerprint); break;
    case TAG_RCPT: whole = get_rcpt(&c, arena, e); break;
    default: return get_wish(tag, bytes, arena, e);
    }
    return whole && cursor_at_end(&c);
}

static bool take_item(struct cursor *c, uint16_t *tag, struct slice *bytes)
{
    return get_u16(c, tag) && get_bytes(c, ENVELOPE_BYTES_MAX, bytes);
}

static bool repeats(unsigned tag)
{
    return tag == TAG_RCPT || tag == TAG_NOTIFY || tag == TAG_ORCPT;
}

/* Walks the list once to learn whether it is one, and how many recipients it names; so that the
 * second walk allocates exactly what it needs. */
static bool survey(struct slice bytes, unsigned *rcpt_count)
{
    struct cursor c = {bytes};
    bool seen[TAG_KNOWN_MAX + 1] = {false};
    struct slice item;
    uint16_t tag;

    for (*rcpt_count = 0; !cursor_at_end(&c);) {
        if (!take_item(&c, &tag, &item))
            return false;
        if (tag == TAG_RCPT && ++*rcpt_count > ENVELOPE_RCPTS_MAX)
            return false;
        if (tag > TAG_KNOWN_MAX || repeats(tag))
            continue;
        if (seen[tag])
            return false;
        seen[tag] = true;
    }
    return seen[TAG_ID] && seen[TAG_ARRIVAL] && seen[TAG_SENDER] && *rcpt_count > 0;
}

bool envelope_decode(struct slice bytes, struct arena *arena, struct envelope *out)
{
    struct cursor c = {bytes};
    struct envelope got = {0};
    unsigned rcpt_count;
    struct slice item;
    uint16_t tag;

    if (bytes.len > ENVELOPE_BYTES_MAX || !survey(bytes, &rcpt_count))
        return false;
    got.rcpts = ARENA_ARRAY(arena, struct envelope_rcpt, rcpt_count);
    while (!cursor_at_end(&c)) {
        if (!take_item(&c, &tag, &item) || !get_item(tag, item, arena, &got))
            return false;
    }
    if (!envelope_sound(&got))
        return false;
    *out = got;
    return true;
}

/* ---- queue id ---- */

/* Digits and consonants of both cases: no words appear by chance, and their ASCII order is their
 * value's order, so sorting ids as text sorts them by time. */
static const char id_digits[] = "0123456789BCDFGHJKLMNPQRSTVWXYZbcdfghjklmnpqrstvwxyz";

enum { ID_BASE = sizeof(id_digits) - 1 };

_Static_assert(ID_BASE == 52, "12 digits of base 52 hold 64 bits");

void queue_id_write(uint64_t id, char out[QUEUE_ID_LEN])
{
    for (unsigned i = QUEUE_ID_LEN; i-- > 0; id /= ID_BASE)
        out[i] = id_digits[id % ID_BASE];
}

bool queue_id_parse(struct slice text, uint64_t *out)
{
    struct slice digits = {id_digits, ID_BASE};
    uint64_t id = 0;

    if (text.len != QUEUE_ID_LEN)
        return false;
    for (size_t i = 0; i < text.len; i++) {
        size_t digit = slice_find(digits, text.data[i]);
        if (digit == ID_BASE || __builtin_mul_overflow(id, (uint64_t)ID_BASE, &id) ||
            __builtin_add_overflow(id, digit, &id))
            return false;
    }
    if (id == 0)
        return false;
    *out = id;
    return true;
}
