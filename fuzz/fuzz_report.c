/*
 * fuzz_report.c - nothing that a server or a sender said leaves its place in a report.
 *
 * First character: RET=FULL, UTF-8, the fate. Then lines: reply, name of the server, ORCPT, ENVID,
 * status.
 */
#include "fuzz.h"

#include "wire/header.h"
#include "wire/report.h"
#include "wire/utf8.h"

enum { FULL = 1, UTF8 = 2, OUT_MAX = 1024 * 1024, LINE_MAX = 998 };

/* Fields of one block, each whole; the number of those with that name. */
static unsigned count_fields(struct slice block, const char *name)
{
    struct cursor c = {block};
    struct header_field f;
    unsigned n = 0;

    while (header_take_field(&c, &f))
        n += slice_equal_nocase(f.name, slice_of(name));
    must(cursor_at_end(&c) || slice_starts(c.rest, SLICE("\r\n")));
    return n;
}

static void check_line(struct slice line, bool utf8)
{
    must(slice_ends(line, SLICE("\r")) && line.len - 1 <= LINE_MAX);
    line = slice_head(line, line.len - 1);
    must(utf8 ? utf8_valid(line) : utf8_is_ascii(line));
    for (size_t i = 0; i < line.len; i++)
        must((unsigned char)line.data[i] >= ' ' && line.data[i] != 127);
}

/* Its parts begin where we began them: four lines with the boundary. */
static void check_report(struct slice text, bool utf8)
{
    static const char *const once[] = {"Final-Recipient", "Action", "Diagnostic-Code"};
    struct slice block = text, line;
    unsigned boundaries = 0;

    must(count_fields(text, "Content-Type") == 1 && count_fields(text, "To") == 1);
    while (slice_cut(text, '\n', &line, &text)) {
        check_line(line, utf8);
        if (slice_starts(line, SLICE("--=_unique99")))
            boundaries++;
        if (boundaries == 2 && slice_starts(line, SLICE("Arrival-Date:")))
            block = slice_skip(text, 2);
    }
    must(text.len == 0 && boundaries == 4);
    for (size_t i = 0; i < sizeof(once) / sizeof(*once); i++)
        must(count_fields(block, once[i]) <= 1);
    must(count_fields(block, "Action") == 1 && count_fields(block, "Final-Recipient") == 1);
}

void fuzz_input(struct slice input)
{
    struct cursor c = {input};
    unsigned choice = fuzz_choice(&c);
    struct report_rcpt rcpt = {
        .action = (enum report_action)(choice / 4 % (REPORT_EXPANDED + 1)),
        .final = {.kind = ADDRESS_MAILBOX,
                  .local = SLICE_INIT("bob"),
                  .domain = SLICE_INIT("b.example")}
    };
    struct report r = {.hostname = SLICE("mx.a.example"),
                       .unique = SLICE("unique99"),
                       .queue_id = SLICE("3bcdFGHjklmN"),
                       .rcpts = &rcpt,
                       .rcpt_count = 1,
                       .header = SLICE("Subject: x\r\n"),
                       .body = SLICE("y\r\n"),
                       .full = choice & FULL,
                       .utf8 = choice & UTF8};
    struct buf out;

    rcpt.reply = fuzz_line(&c);
    rcpt.remote_mta = fuzz_line(&c);
    rcpt.original = fuzz_line(&c);
    r.envid = fuzz_line(&c);
    rcpt.status = fuzz_line(&c);
    buf_init(&out, OUT_MAX);
    must(report_write(&out, &r));
    check_report(buf_slice(&out), r.utf8);
    buf_done(&out);
}
