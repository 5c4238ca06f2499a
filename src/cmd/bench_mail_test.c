/*
 * bench_mail_test.c - a bench message is known again, whatever a server put on top of it, however
 * it comes in pieces, and not when a byte of it changed. The sums are those of sha256sum.
 */
#include "cmd/bench_mail.h"

#include "check.h"

/* "ID HASH" */
static void read_whole(struct bench_mail *m, struct slice mail, size_t piece, char out[160])
{
    struct slice id, hash;

    bench_mail_begin(m);
    for (struct slice rest = mail; rest.len > 0; rest = slice_skip(rest, piece))
        bench_mail_feed(m, slice_head(rest, piece));
    bench_mail_end(m, &id, &hash);
    snprintf(out, 160, "%.*s %.*s", SLICE_PRINTF(id), SLICE_PRINTF(hash));
}

#define SUM "9fb02cc3374cc51b68d164d3da20db9fb83882474dbfcbcc4d3858219355d3d0"

static void test_known_again(void **state)
{
    static const struct {
        const char *mail;
        const char *found;
    } table[] = {
        {"X-Postroad-Bench: r-1\r\n\r\nhello\r\n",                    "r-1 " SUM},
        {"X-Postroad-Bench: r-1\n\nhello\n",                          "r-1 " SUM}, /* as a Maildir has it */
        {"Received: from a\n by b\nX-Postroad-Bench: r-1\n\nhello\n", "r-1 " SUM},
        {"x-postroad-bench: r-1\n\nhello\n",
         "r-1 f6863599fbc758f4f900a1189f5393283b483b802710d918db7fbbe3937a77c0" },
        {"X-Postroad-Bench: r-1\n\nhellO\n",
         "r-1 c80950ab3defff60ca0ee65e3d572c6b277f626d62cee68612c1e57960bde83c" },
        {"X-Postroad-Bench: r-1\n\nhel\rlo\n\r",
         "r-1 6554020998f73a5c1d63702903c57221208f9ddc8b11fa01d44cd17b8007b428" }, /* a CR alone is
  content */
        {"Subject: x\n\nX-Postroad-Bench: r-1\n\nhello\n",            "- -"     }, /* quoted in a body */
        {"X-Postroad-Bench: r 1\n\nhello\n",                          "- -"     },
        {"X-Postroad-Bench:\n\nhello\n",                              "- -"     },
        {"X-Postroad-Bench: r-1",                                     "- -"     }, /* cut off */
        {"",                                                          "- -"     },
    };
    struct bench_mail *m = bench_mail_new();

    (void)state;
    CHECK_ROWS (i, table) {
        struct slice mail = slice_of(table[i].mail);

        for (size_t piece = 1; piece <= mail.len + 1; piece++) {
            char found[160];

            read_whole(m, mail, piece, found);
            check_slice(slice_of(found), slice_of(table[i].found));
        }
    }
    bench_mail_free(m);
}

static void test_made_as_wanted(void **state)
{
    static const size_t sizes[] = {BENCH_SIZE_MIN, 513, 591, 592, 593, 4096, 300000};
    struct address from = {
        .kind = ADDRESS_MAILBOX, .local = SLICE("a"), .domain = SLICE("b.example")};
    struct bench_mail *m = bench_mail_new();
    struct buf mail;

    (void)state;
    buf_init(&mail, 1 << 20);
    CHECK_ROWS (i, sizes) {
        char one[160], other[160];

        bench_mail_make(&mail, SLICE("r-7"), &from, 1795803625000000, 9, sizes[i]);
        struct slice text = buf_slice(&mail);
        check(text.len >= sizes[i] && text.len <= sizes[i] + 3);
        check(slice_ends(text, SLICE("\r\n")));
        read_whole(m, text, text.len, one);
        check(slice_starts(slice_of(one), SLICE("r-7 ")));
        buf_clear(&mail);
        bench_mail_make(&mail, SLICE("r-7"), &from, 1795803625000000, 10, sizes[i]);
        read_whole(m, buf_slice(&mail), 1000, other);
        check(!slice_equal(slice_of(one), slice_of(other))); /* no two are the same */
        buf_clear(&mail);
    }
    buf_done(&mail);
    bench_mail_free(m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_known_again),
        cmocka_unit_test(test_made_as_wanted),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
