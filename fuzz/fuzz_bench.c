/*
 * fuzz_bench.c - what the bench reads: mails of any server, and ledgers.
 *
 * A mail gives the same id and hash in any pieces and with either line end; a ledger line that is
 * taken consists of its parts and nothing else.
 */
#include "fuzz.h"

#include "cmd/bench_ledger.h"
#include "cmd/bench_mail.h"

static void read_mail(struct bench_mail *m, struct slice mail, size_t piece, struct buf *out)
{
    struct slice id, hash;

    bench_mail_begin(m);
    for (struct slice rest = mail; rest.len > 0; rest = slice_skip(rest, piece))
        bench_mail_feed(m, slice_head(rest, piece));
    bench_mail_end(m, &id, &hash);
    must(id.len > 0 && id.len <= BENCH_ID_MAX);
    must(slice_equal(id, SLICE("-")) ? slice_equal(hash, SLICE("-")) || hash.len == BENCH_HASH_LEN
                                     : hash.len == BENCH_HASH_LEN);
    buf_clear(out);
    buf_append(out, id);
    buf_append_char(out, ' ');
    buf_append(out, hash);
}

static void check_mail(struct slice mail)
{
    struct bench_mail *m = bench_mail_new();
    struct buf whole, other;

    buf_init(&whole, 256);
    buf_init(&other, 256);
    read_mail(m, mail, mail.len + 1, &whole);
    for (size_t piece = 1; piece < 4; piece++) {
        read_mail(m, mail, piece, &other);
        must(slice_equal(buf_slice(&whole), buf_slice(&other)));
    }
    buf_done(&whole);
    buf_done(&other);
    bench_mail_free(m);
}

static void check_line(struct slice line)
{
    struct ledger_line got;
    struct slice rest, word;

    if (!ledger_line_parse(line, &got))
        return;
    must(got.id.data >= line.data && got.id.data + got.id.len <= line.data + line.len);
    must(got.id.len > 0 && slice_find(got.id, ' ') == got.id.len);
    must(got.rest.len < line.len);
    rest = got.rest;
    while (ledger_word_take(&rest, &word))
        must(word.len > 0 && slice_find(word, ' ') == word.len && rest.len < got.rest.len);
}

void fuzz_input(struct slice input)
{
    struct slice rest = input, line;

    check_mail(input);
    while (slice_cut(rest, '\n', &line, &rest))
        check_line(line);
    check_line(rest);
}
