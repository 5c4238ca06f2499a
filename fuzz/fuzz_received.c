/*
 * fuzz_received.c - Received fields: addresses are canonical, names have the form that is promised;
 * and a hop that is written anew with its plain words is read again as the same.
 */
#include "fuzz.h"

#include "wire/chars.h"
#include "wire/date.h"
#include "wire/received.h"

enum { TEXT_MAX = 4096 };

static const char *const names[RECEIVED_CLAUSES] = {
    "from", "by", "via", "with", "id", "for", "tls", "group", "state", "priority",
};

static void check_client(struct arena *arena, const struct received *hop)
{
    struct slice again, tagged = hop->from_address;

    if (hop->from_address.len == 0) {
        must(hop->from_dns.len == 0);
        return;
    }
    if (slice_find(tagged, ':') < tagged.len)
        tagged = arena_printf(arena, "IPv6:%.*s", SLICE_PRINTF(tagged));
    must(literal_parse(tagged, arena, &again) && slice_equal(again, tagged));
    must(hop->from_dns.len == 0 || slice_find(hop->from_dns, '.') < hop->from_dns.len);
    must(hop->from_dns.len <= DOMAIN_MAX);
}

static void check_hop(struct arena *arena, const struct received *hop)
{
    struct address again;

    check_client(arena, hop);
    must(hop->rcpt.kind == ADDRESS_NULL || hop->clauses[RECEIVED_FOR].len > 0);
    if (hop->rcpt.kind != ADDRESS_NULL)
        must(address_parse(address_text(arena, &hop->rcpt), arena, &again) &&
             address_equal(&again, &hop->rcpt));
    if (hop->clauses[RECEIVED_TLS].len > 0)
        must(slice_equal(hop->tls_cipher, hop->clauses[RECEIVED_TLS]));
    must(hop->clauses[RECEIVED_GROUP].len == 0 || hop->clauses[RECEIVED_TLS].len > 0);
}

/* A word that needs no quotes. */
static bool is_plain(struct slice text)
{
    for (size_t i = 0; i < text.len; i++)
        if (!char_is(text.data[i], CHAR_LETDIG) && text.data[i] != '.' && text.data[i] != '@')
            return false;
    return text.len > 0;
}

/* "group" is no clause without "tls". */
static bool is_written(const struct received *hop, unsigned clause)
{
    return is_plain(hop->clauses[clause]) &&
           (clause != RECEIVED_GROUP || is_plain(hop->clauses[RECEIVED_TLS]));
}

/* A value with the clauses that are plain, as a server would write it. */
static void write_hop(struct buf *out, const struct received *hop)
{
    for (unsigned i = 0; i < RECEIVED_CLAUSES; i++) {
        if (!is_written(hop, i))
            continue;
        must(buf_printf(out, "%s %.*s\r\n (by x; from (y)) ", names[i],
                        SLICE_PRINTF(hop->clauses[i])));
        if (i == RECEIVED_FROM && hop->from_address.len > 0)
            must(buf_printf(out, "(%.*s [%.*s]) ", SLICE_PRINTF(hop->from_dns),
                            SLICE_PRINTF(hop->from_address)));
    }
    if (hop->has_date)
        must(buf_append_char(out, ';') && date_write_rfc5322(out, hop->wall_us, hop->offset_min));
}

static void check_written(struct arena *arena, const struct received *hop)
{
    struct received again = {0};
    struct buf out;

    buf_init(&out, 4 * TEXT_MAX);
    write_hop(&out, hop);
    must(received_parse(buf_slice(&out), arena, &again) == (buf_len(&out) > 0));
    for (unsigned i = 0; i < RECEIVED_CLAUSES; i++)
        must(!is_written(hop, i) || slice_equal(again.clauses[i], hop->clauses[i]));
    if (is_written(hop, RECEIVED_FROM))
        must(slice_equal(again.from_address, hop->from_address) &&
             slice_equal(again.from_dns, hop->from_dns));
    must(again.has_date == hop->has_date && again.wall_us == hop->wall_us);
    buf_done(&out);
}

void fuzz_input(struct slice input)
{
    struct arena arena = {0};
    struct received hop;

    if (received_parse(slice_head(input, TEXT_MAX), &arena, &hop)) {
        check_hop(&arena, &hop);
        check_written(&arena, &hop);
    }
    arena_done(&arena);
}
