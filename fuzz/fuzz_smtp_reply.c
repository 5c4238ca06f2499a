/*
 * fuzz_smtp_reply.c - replies read alike in any chunking, and what we write reads well.
 *
 * First character: how much text the reader keeps, and how the input is cut.
 */
#include "fuzz.h"

#include "wire/smtp_reply.h"
#include "wire/utf8.h"

enum { SAID_MAX = 8 * 1024 * 1024 };

/* Appends what was read to `told`. False when nothing more will come. */
static bool tell(struct reply_reader *r, enum reply_progress progress, struct buf *told)
{
    switch (progress) {
    case REPLY_MORE: return false;
    case REPLY_BROKEN: must(buf_append(told, SLICE("broken\n"))); return false;
    case REPLY_COMPLETE: break;
    }
    must(r->lines >= 1 && r->lines <= REPLY_READ_LINES_MAX && r->code >= 200 && r->code <= 599);
    must(r->enhanced.len == 0 || (unsigned)(r->enhanced.data[0] - '0') == r->code / 100);
    must(buf_printf(told, "%u %u %d ", r->code, r->lines, r->cut) &&
         buf_append(told, r->enhanced) && buf_append(told, SLICE(" ")) &&
         buf_append(told, buf_slice(&r->text)) && buf_append(told, SLICE("\n")));
    reply_reader_reset(r);
    return true;
}

static void read_all(struct slice input, size_t text_max, struct fuzz_chance *chance,
                     struct buf *told)
{
    struct reply_reader r;
    enum reply_progress progress = REPLY_MORE;
    size_t offered = 0;

    reply_reader_init(&r, text_max);
    while (offered < input.len && progress != REPLY_BROKEN) {
        offered += chance == NULL ? input.len : fuzz_chunk(chance, input.len - offered);
        struct cursor in = {slice_head(input, offered)};
        size_t had = in.rest.len;

        do
            progress = reply_read(&r, &in);
        while (tell(&r, progress, told));
        must(progress == REPLY_BROKEN || in.rest.len <= REPLY_READ_LINE_MAX);
        input = slice_skip(input, had - in.rest.len);
        offered = in.rest.len;
    }
    reply_reader_done(&r);
}

static void check_lines(struct slice wire, const struct reply *reply)
{
    struct slice line;
    struct reply_line parsed = {.more = true};

    while (slice_cut(wire, '\n', &line, &wire)) {
        must(parsed.more && line.len + 1 <= REPLY_LINE_MAX && slice_ends(line, SLICE("\r")));
        line = slice_head(line, line.len - 1);
        must(utf8_printable(line) && reply_line_parse(line, &parsed));
        must(parsed.code == reply->code && slice_starts(parsed.text, reply->enhanced));
    }
    must(wire.len == 0 && !parsed.more);
}

static void check_written(unsigned choice, struct slice text)
{
    static const unsigned codes[] = {220, 250, 354, 421, 550, 554, 299, 599};
    static const struct slice enhanced[] = {SLICE_INIT("2.0.0"), SLICE_INIT(""),
                                            SLICE_INIT("4.3.2"), SLICE_INIT("5.999.999")};
    struct reply reply = {.code = codes[choice % 8], .text = text};
    struct buf wire;

    for (unsigned i = 0; i < 4; i++)
        if (enhanced[i].len > 0 && (unsigned)(enhanced[i].data[0] - '0') == reply.code / 100)
            reply.enhanced = enhanced[i];
    buf_init(&wire, SAID_MAX);
    must(reply_write(&wire, &reply));
    check_lines(buf_slice(&wire), &reply);
    buf_done(&wire);
}

void fuzz_input(struct slice input)
{
    struct cursor c = {input};
    unsigned choice = fuzz_choice(&c);
    struct fuzz_chance chance = {fuzz_mix(choice)};
    size_t text_max = choice & 1 ? 20 : 4096;
    struct buf whole, pieces;

    buf_init(&whole, SAID_MAX);
    buf_init(&pieces, SAID_MAX);
    read_all(c.rest, text_max, NULL, &whole);
    read_all(c.rest, text_max, &chance, &pieces);
    must(slice_equal(buf_slice(&whole), buf_slice(&pieces)));
    buf_done(&whole);
    buf_done(&pieces);
    check_written(choice >> 1, c.rest);
}
