/*
 * dns_answer.c - what the records of an answer say.
 *
 * Nothing in a message is trusted to end where it says. Names are compressed by pointers, which
 * must lead backwards, so that reading one always ends. A name may hold any byte (RFC 2181 11);
 * one with bytes that have no business in a name is `odd`: it equals no other and is never shown,
 * stored or asked for, so that no log, header or command meets those bytes.
 *
 * A record of the wrong length is left out and counted rather than spoiling its neighbours: DANE
 * has to know that there were records, even when none is usable (RFC 7672 2.2).
 */
#include "wire/dns_answer.h"

#include "base/cursor.h"
#include "wire/chars.h"

#include <string.h>

enum {
    HEADER_LEN = 12,
    NAME_WIRE_MAX = 255,
    LABEL_MAX = 63,
    CLASS_IN = 1,
    FLAG_RESPONSE = 0x8000,
    FLAG_TRUNCATED = 0x0200,
    RCODE_MASK = 0x000f,
    RCODE_NXDOMAIN = 3,
    RECORD_FIXED_LEN = 10, /* type, class, TTL, length */
};

static const char *const rcode_names[16] = {
    "NOERROR", "FORMERR", "SERVFAIL", "NXDOMAIN", "NOTIMP",   "REFUSED",  "YXDOMAIN", "YXRRSET",
    "NXRRSET", "NOTAUTH", "NOTZONE",  "rcode 11", "rcode 12", "rcode 13", "rcode 14", "rcode 15",
};

/* ---- names ---- */

static bool label_byte_is_plain(char c)
{
    return c > ' ' && c < 0x7f && c != '.';
}

bool dns_question_make(enum dns_type type, struct slice name, struct arena *arena,
                       struct dns_question *out)
{
    size_t label = 0;

    if (name.len > 1 && name.data[name.len - 1] == '.')
        name.len--;
    if (name.len == 0 || name.len > DNS_NAME_MAX)
        return false;
    for (size_t i = 0; i < name.len; i++) {
        label = name.data[i] == '.' ? 0 : label + 1;
        if (label > LABEL_MAX || (label == 0 && (i == 0 || name.data[i - 1] == '.')))
            return false;
        if (label > 0 && !label_byte_is_plain(name.data[i]))
            return false;
    }
    if (label == 0)
        return false;

    *out = (struct dns_question){type, arena_lower(arena, name)};
    return true;
}

struct slice dns_reverse_name(const unsigned char ip[16], struct arena *arena)
{
    static const unsigned char mapped[12] = {[10] = 0xff, [11] = 0xff};
    static const char digits[] = "0123456789abcdef";

    if (memcmp(ip, mapped, sizeof(mapped)) == 0)
        return arena_printf(arena, "%u.%u.%u.%u.in-addr.arpa", ip[15], ip[14], ip[13], ip[12]);

    char nibbles[64];

    for (size_t i = 0; i < 16; i++) {
        nibbles[4 * i] = digits[ip[15 - i] & 15];
        nibbles[4 * i + 2] = digits[ip[15 - i] >> 4];
        nibbles[4 * i + 1] = nibbles[4 * i + 3] = '.';
    }
    return arena_printf(arena, "%.*sip6.arpa", (int)sizeof(nibbles), nibbles);
}

bool dns_host_is_valid(struct slice name)
{
    struct cursor c = {name};
    bool named = false; /* the last label is not a number */

    if (name.len == 0)
        return false;
    while (!cursor_at_end(&c)) {
        char byte = c.rest.data[0];

        if (byte == '.')
            named = false;
        else if (!char_is(byte, CHAR_LETDIG) && byte != '-' && byte != '_')
            return false;
        else if (!char_is(byte, CHAR_DIGIT))
            named = true;
        c.rest = slice_skip(c.rest, 1);
    }
    return named;
}

/* A name as it was read: text in lower case. */
struct name {
    char text[NAME_WIRE_MAX];
    size_t len;
    bool odd;
};

static struct slice name_slice(const struct name *name)
{
    return (struct slice){name->text, name->len};
}

/* ---- reading ---- */

/* A place in the message; pointers of names need the whole. */
struct reader {
    struct slice message;
    size_t at;
};

static bool read_u16(struct reader *r, uint16_t *out)
{
    if (r->message.len - r->at < 2)
        return false;
    const unsigned char *p = (const unsigned char *)r->message.data + r->at;
    *out = (uint16_t)(p[0] << 8 | p[1]);
    r->at += 2;
    return true;
}

static bool read_u32(struct reader *r, uint32_t *out)
{
    if (r->message.len - r->at < 4)
        return false;
    const unsigned char *p = (const unsigned char *)r->message.data + r->at;
    *out = (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
    r->at += 4;
    return true;
}

static bool read_bytes(struct reader *r, size_t len, struct slice *out)
{
    if (r->message.len - r->at < len)
        return false;
    *out = slice_head(slice_skip(r->message, r->at), len);
    r->at += len;
    return true;
}

static bool name_add_label(struct name *name, struct slice label)
{
    size_t len = name->len + (name->len > 0) + label.len;

    /* On the wire the first length byte and the root's are there besides. */
    if (len + 2 > NAME_WIRE_MAX)
        return false;
    if (name->len > 0)
        name->text[name->len++] = '.';
    for (size_t i = 0; i < label.len; i++) {
        name->odd = name->odd || !label_byte_is_plain(label.data[i]);
        name->text[name->len++] = byte_lower(label.data[i]);
    }
    return true;
}

/* Every jump leads behind where the last one led, so there are at most as many as bytes. The
 * reader ends behind the name as it stands, not behind what it points to. */
static bool read_name(struct reader *r, struct name *out)
{
    struct reader at = *r;
    size_t lowest = r->at;
    bool jumped = false;

    out->len = 0;
    out->odd = false;
    for (;;) {
        struct slice label;

        if (at.at >= at.message.len)
            return false;
        size_t len = (unsigned char)at.message.data[at.at];
        if (len <= LABEL_MAX) {
            at.at++;
            if (!read_bytes(&at, len, &label) || (len > 0 && !name_add_label(out, label)))
                return false;
            if (!jumped)
                r->at = at.at;
            if (len == 0)
                return true;
            continue;
        }
        uint16_t pointer;
        if (len < 0xc0 || !read_u16(&at, &pointer))
            return false;
        if (!jumped)
            r->at = at.at;
        jumped = true;
        at.at = pointer & 0x3fff;
        if (at.at >= lowest)
            return false;
        lowest = at.at;
    }
}

struct record {
    struct name owner;
    uint16_t type, class;
    uint32_t ttl_s;
    struct reader data; /* its message ends where the data ends */
    size_t start;       /* of the data */
};

static bool read_record(struct reader *r, struct record *out)
{
    uint16_t len;
    struct slice data;

    if (!read_name(r, &out->owner) || !read_u16(r, &out->type) || !read_u16(r, &out->class) ||
        !read_u32(r, &out->ttl_s) || !read_u16(r, &len))
        return false;
    out->start = r->at;
    if (!read_bytes(r, len, &data))
        return false;
    out->data = (struct reader){slice_head(r->message, r->at), out->start};
    if (out->ttl_s > INT32_MAX)
        out->ttl_s = 0; /* RFC 2181 8 */
    return true;
}

static bool record_belongs(const struct record *record, unsigned type, struct slice owner)
{
    return record->type == type && record->class == CLASS_IN && !record->owner.odd &&
           slice_equal(name_slice(&record->owner), owner);
}

/* ---- the data of each type; false: unusable ---- */

static bool at_end(const struct reader *r)
{
    return r->at == r->message.len;
}

static bool read_host(struct reader *r, struct arena *arena, struct slice *out)
{
    struct name host;

    if (!read_name(r, &host) || !at_end(r) || host.odd ||
        (host.len > 0 && !dns_host_is_valid(name_slice(&host))))
        return false;
    *out = arena_copy(arena, name_slice(&host));
    return true;
}

static bool read_mx(struct reader *r, struct arena *arena, struct dns_record *out)
{
    return read_u16(r, &out->preference) && read_host(r, arena, &out->data);
}

static bool read_ptr(struct reader *r, struct arena *arena, struct dns_record *out)
{
    return read_host(r, arena, &out->data) && out->data.len > 0;
}

static bool read_a(struct reader *r, struct arena *arena, struct dns_record *out)
{
    struct slice ip;

    (void)arena;
    if (!read_bytes(r, 4, &ip) || !at_end(r))
        return false;
    out->ip[10] = out->ip[11] = 0xff;
    memcpy(out->ip + 12, ip.data, 4);
    return true;
}

static bool read_aaaa(struct reader *r, struct arena *arena, struct dns_record *out)
{
    struct slice ip;

    (void)arena;
    if (!read_bytes(r, 16, &ip) || !at_end(r))
        return false;
    memcpy(out->ip, ip.data, 16);
    return true;
}

/* The strings are one after the other, without a blank (RFC 7208 3.3). */
static bool read_txt(struct reader *r, struct arena *arena, struct dns_record *out)
{
    size_t len = 0;
    struct slice part;

    if (at_end(r))
        return false;
    char *joined = arena_alloc(arena, r->message.len - r->at);
    while (!at_end(r)) {
        size_t part_len = (unsigned char)r->message.data[r->at++];
        if (!read_bytes(r, part_len, &part))
            return false;
        if (part.len > 0)
            memcpy(joined + len, part.data, part.len);
        len += part.len;
    }
    out->data = (struct slice){joined, len};
    return true;
}

static bool read_tlsa(struct reader *r, struct arena *arena, struct dns_record *out)
{
    static const size_t digest_len[] = {0, 32, 64}; /* by matching type; 0 is the whole thing */
    struct slice fixed, data;

    if (!read_bytes(r, 3, &fixed) || at_end(r) || !read_bytes(r, r->message.len - r->at, &data))
        return false;
    out->usage = (uint8_t)fixed.data[0];
    out->selector = (uint8_t)fixed.data[1];
    out->matching = (uint8_t)fixed.data[2];
    out->data = arena_copy(arena, data);
    return out->matching >= 3 || digest_len[out->matching] == 0 ||
           data.len == digest_len[out->matching];
}

typedef bool read_fn(struct reader *r, struct arena *arena, struct dns_record *out);

static read_fn *reader_of(enum dns_type type)
{
    switch (type) {
    case DNS_A: return read_a;
    case DNS_AAAA: return read_aaaa;
    case DNS_MX: return read_mx;
    case DNS_TXT: return read_txt;
    case DNS_TLSA: return read_tlsa;
    case DNS_PTR: return read_ptr;
    case DNS_CNAME: break;
    }
    return NULL;
}

static bool record_equal(const struct dns_record *a, const struct dns_record *b)
{
    return a->preference == b->preference && memcmp(a->ip, b->ip, sizeof(a->ip)) == 0 &&
           a->usage == b->usage && a->selector == b->selector && a->matching == b->matching &&
           slice_equal(a->data, b->data);
}

/* ---- the answer ---- */

struct section {
    struct reader start;
    unsigned count;
};

/* The header and the question, which must be ours; NULL or what is wrong with the message. */
static const char *open_message(struct slice message, const struct dns_question *question,
                                struct section *answers, unsigned *rcode)
{
    struct reader r = {message, 0};
    uint16_t id, flags, questions, count, type, class;
    struct name name;

    if (message.len < HEADER_LEN || message.len > UINT16_MAX)
        return "the answer is no DNS message";
    read_u16(&r, &id);
    read_u16(&r, &flags);
    read_u16(&r, &questions);
    read_u16(&r, &count);
    r.at = HEADER_LEN;
    if ((flags & FLAG_RESPONSE) == 0 || questions != 1 || !read_name(&r, &name) ||
        !read_u16(&r, &type) || !read_u16(&r, &class) || name.odd || type != question->type ||
        class != CLASS_IN || !slice_equal(name_slice(&name), question->name))
        return "the answer belongs to another question";
    if ((flags & FLAG_TRUNCATED) != 0)
        return "the answer is cut off";
    *answers = (struct section){r, count};
    *rcode = flags & RCODE_MASK;
    return NULL;
}

enum alias { ALIAS_NONE, ALIAS_FOUND, ALIAS_BROKEN };

/* The CNAME of the name, if it has one; also walks over every record, so that later walks know
 * the section to be whole. */
static enum alias follow_alias(const struct section *answers, struct name *name, uint32_t *ttl_s)
{
    struct reader r = answers->start;
    struct slice owner = name_slice(name);
    enum alias found = ALIAS_NONE;
    struct record record;
    struct name target = {.len = 0};

    for (unsigned i = 0; i < answers->count; i++) {
        if (!read_record(&r, &record))
            return ALIAS_BROKEN;
        if (found == ALIAS_FOUND || !record_belongs(&record, DNS_CNAME, owner))
            continue;
        if (!read_name(&record.data, &target) || !at_end(&record.data) || target.odd ||
            target.len == 0)
            return ALIAS_BROKEN;
        if (record.ttl_s < *ttl_s)
            *ttl_s = record.ttl_s;
        found = ALIAS_FOUND;
    }
    if (found == ALIAS_FOUND)
        *name = target;
    return found;
}

static const char *follow_aliases(const struct section *answers, struct name *name, uint32_t *ttl_s)
{
    for (unsigned i = 0; i <= DNS_ALIASES_MAX; i++) {
        switch (follow_alias(answers, name, ttl_s)) {
        case ALIAS_NONE: return NULL;
        case ALIAS_BROKEN: return "the answer's records cannot be read";
        case ALIAS_FOUND: break;
        }
    }
    return "too many aliases, or a circle of them";
}

static bool is_known(const struct dns_record *records, size_t count, const struct dns_record *new)
{
    for (size_t i = 0; i < count; i++)
        if (record_equal(&records[i], new))
            return true;
    return false;
}

/* The records of the canonical name; the section is known to be whole. */
static void collect(const struct section *answers, const struct dns_question *question,
                    struct arena *arena, struct dns_answer *out)
{
    read_fn *read = reader_of(question->type);
    struct dns_record *records = NULL;
    struct reader r = answers->start;
    struct record record;

    for (unsigned i = 0; i < answers->count && read_record(&r, &record); i++) {
        struct dns_record got = {0};

        if (!record_belongs(&record, question->type, out->canonical))
            continue;
        if (record.ttl_s < out->ttl_s)
            out->ttl_s = record.ttl_s;
        if (out->count == DNS_RECORDS_MAX) {
            out->cut = true;
            break;
        }
        if (records == NULL)
            records = ARENA_ARRAY(arena, struct dns_record, DNS_RECORDS_MAX);
        if (read == NULL || !read(&record.data, arena, &got))
            out->unusable++;
        else if (!is_known(records, out->count, &got))
            records[out->count++] = got;
    }
    out->records = records;
}

struct dns_answer dns_answer_failed(const struct dns_question *question, struct slice why)
{
    return (struct dns_answer){.outcome = DNS_FAILED, .canonical = question->name, .why = why};
}

struct dns_answer dns_answer_read(struct slice message, const struct dns_question *question,
                                  struct arena *arena)
{
    struct dns_answer got = {.outcome = DNS_NODATA, .ttl_s = UINT32_MAX};
    struct section answers;
    unsigned rcode;
    struct name name = {.len = 0};
    const char *wrong = open_message(message, question, &answers, &rcode);

    if (wrong != NULL)
        return dns_answer_failed(question, slice_of(wrong));
    if (rcode != 0 && rcode != RCODE_NXDOMAIN)
        return dns_answer_failed(question, slice_of(rcode_names[rcode]));

    name.len = question->name.len;
    memcpy(name.text, question->name.data, name.len);
    wrong = follow_aliases(&answers, &name, &got.ttl_s);
    if (wrong != NULL)
        return dns_answer_failed(question, slice_of(wrong));
    got.canonical = arena_copy(arena, name_slice(&name));
    if (rcode == 0)
        collect(&answers, question, arena, &got);
    else
        got.outcome = DNS_NXDOMAIN;
    if (got.count + got.unusable > 0)
        got.outcome = DNS_FOUND;
    else
        got.ttl_s = 0;
    return got;
}

struct dns_answer dns_answer_copy(struct arena *arena, const struct dns_answer *a)
{
    struct dns_answer copy = *a;

    copy.canonical = arena_copy(arena, a->canonical);
    copy.why = arena_copy(arena, a->why);
    copy.records = NULL;
    if (a->count == 0)
        return copy;

    struct dns_record *records = ARENA_ARRAY(arena, struct dns_record, a->count);

    for (size_t i = 0; i < a->count; i++) {
        records[i] = a->records[i];
        records[i].data = arena_copy(arena, a->records[i].data);
    }
    copy.records = records;
    return copy;
}
