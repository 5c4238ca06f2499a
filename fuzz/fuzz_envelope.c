/*
 * fuzz_envelope.c - envelopes from the disk: what is believed can be written, and reads the same.
 */
#include "fuzz.h"

#include "mail/envelope.h"
#include "mail/trace.h"
#include "wire/utf8.h"

static bool same(const struct address *a, const struct address *b)
{
    return a->kind == b->kind && a->utf8 == b->utf8 && slice_equal(a->local, b->local) &&
           slice_equal(a->domain, b->domain);
}

static void check_wishes(const struct envelope_wishes *a, const struct envelope_wishes *b)
{
    must(a->ret == b->ret && a->priority == b->priority && a->by == b->by);
    must(a->by_trace == b->by_trace && a->by_s == b->by_s && a->require_tls == b->require_tls);
    must(a->hold_for_s == b->hold_for_s && a->hold_until_us == b->hold_until_us);
    must(slice_equal(a->envid, b->envid) && slice_equal(a->solicit, b->solicit));
    must(utf8_printable(a->envid) && utf8_printable(a->solicit));
}

static void check_same(const struct envelope *a, const struct envelope *b)
{
    must(a->id == b->id && a->arrival_us == b->arrival_us && a->body == b->body);
    must(a->smtputf8 == b->smtputf8 && a->rcpt_count == b->rcpt_count);
    must(same(&a->sender, &b->sender) && slice_equal(a->helo, b->helo));
    must(slice_equal(a->client_address, b->client_address) && slice_equal(a->proto, b->proto));
    check_wishes(&a->wishes, &b->wishes);
    for (unsigned i = 0; i < a->rcpt_count; i++) {
        must(a->rcpts[i].notify == b->rcpts[i].notify);
        must(slice_equal(a->rcpts[i].orcpt, b->rcpts[i].orcpt));
        must(same(&a->rcpts[i].original, &b->rcpts[i].original) &&
             same(&a->rcpts[i].final, &b->rcpts[i].final));
    }
}

/* Whoever wrote the record, our fields are one each. */
static void check_trace(const struct envelope *e)
{
    struct buf out;
    struct slice rest, line;

    buf_init(&out, 64 * 1024);
    must(trace_received_write(&out, e, SLICE("mx.example.org"), 0));
    must(trace_return_path_write(&out, &e->sender));
    rest = buf_slice(&out);
    unsigned fields = 0;

    while (slice_cut(rest, '\n', &line, &rest)) {
        must(slice_ends(line, SLICE("\r")) && line.len > 1);
        line = slice_head(line, line.len - 1);
        fields += line.data[0] != ' ' && line.data[0] != '\t';
        for (size_t i = 0; i < line.len; i++)
            must((unsigned char)line.data[i] >= ' ' || line.data[i] == '\t');
    }
    must(rest.len == 0 && fields == 2);
    buf_done(&out);
}

static void check_id(uint64_t id)
{
    char text[QUEUE_ID_LEN];
    uint64_t again = 0;

    queue_id_write(id, text);
    must(queue_id_parse((struct slice){text, sizeof(text)}, &again) && again == id);
}

void fuzz_input(struct slice input)
{
    struct envelope e, again;
    struct arena arena;
    struct buf bytes;
    uint64_t id;

    arena_init(&arena);
    buf_init(&bytes, ENVELOPE_BYTES_MAX);
    if (envelope_decode(input, &arena, &e)) {
        must(e.id != 0 && e.rcpt_count > 0 && e.rcpt_count <= ENVELOPE_RCPTS_MAX);
        must(envelope_encode(&bytes, &e));
        must(envelope_decode(buf_slice(&bytes), &arena, &again));
        check_same(&e, &again);
        check_trace(&e);
        check_id(e.id);
    }
    if (queue_id_parse(slice_head(input, QUEUE_ID_LEN), &id))
        check_id(id);
    buf_done(&bytes);
    arena_done(&arena);
}
