/*
 * bench_ledger_test.c - lines of a ledger: what was written is read back, what is no line is not.
 */
#include "cmd/bench_ledger.h"

#include "check.h"

#include <stdlib.h>

static void test_lines(void **state)
{
    static const struct {
        const char *line;
        bool good;
        enum ledger_kind kind;
        const char *rest;
    } table[] = {
        {"sent 12 r-1 ab a@x b@y",         true,  LEDGER_SENT,    "a@x b@y"   },
        {"sent 12 r-1 ab",                 true,  LEDGER_SENT,    ""          },
        {"acked 12 r-1 a@x",               true,  LEDGER_ACKED,   "a@x"       },
        {"failed 12 r-1 451",              true,  LEDGER_FAILED,  ""          },
        {"arrived 12 - - a@x a.file",      true,  LEDGER_ARRIVED, "a@x a.file"},
        {"",                               false, 0,              ""          },
        {"sent",                           false, 0,              ""          },
        {"sent 12",                        false, 0,              ""          },
        {"sent 12 r-1",                    false, 0,              ""          }, /* no hash */
        {"sent  12 r-1 ab",                false, 0,              ""          },
        {"sent 1x r-1 ab",                 false, 0,              ""          },
        {"sent 99999999999999999999 r ab", false, 0,              ""          },
        {"failed 12 r-1",                  false, 0,              ""          },
        {"failed 12 r-1 x",                false, 0,              ""          },
        {"Sent 12 r-1 ab",                 false, 0,              ""          },
    };

    (void)state;
    CHECK_ROWS (i, table) {
        struct ledger_line got = {.time_us = 7};
        struct slice line = guarded(slice_of(table[i].line));

        check_int(ledger_line_parse(line, &got), table[i].good);
        check_int(got.time_us, table[i].good ? 12 : 7);
        if (table[i].good) {
            check_int(got.kind, table[i].kind);
            check_slice(got.rest, slice_of(table[i].rest));
        }
        guarded_free(line);
    }
}

struct seen {
    unsigned lines;
    char last[64];
};

static bool see(void *ctx, const struct ledger_line *line)
{
    struct seen *seen = ctx;
    struct slice rest = line->rest, word = SLICE("");

    seen->lines++;
    while (ledger_word_take(&rest, &word))
        snprintf(seen->last, sizeof(seen->last), "%.*s", SLICE_PRINTF(word));
    return true;
}

/* Opened again it goes on where it was; a line that lacks its end does not count. */
static void test_written_and_read(void **state)
{
    char path[] = "/tmp/bench-ledger-XXXXXX";
    struct address a = {
        .kind = ADDRESS_MAILBOX, .local = SLICE("a b+c"), .domain = SLICE("x.example")};
    struct seen seen = {0};
    struct ledger l;
    int fd = mkstemp(path);

    (void)state;
    assert_true(fd >= 0);
    for (int i = 0; i < 2; i++) {
        assert_true(ledger_open(&l, path));
        ledger_note(&l, LEDGER_ACKED, 5, SLICE("r-1"));
        ledger_address(&l, &a);
        ledger_end(&l);
        assert_true(ledger_write(&l));
        ledger_close(&l);
    }
    assert_int_equal(lseek(fd, 0, SEEK_END), 2 * sizeof("acked 5 r-1 \"a+20b+2Bc\"@x.example"));
    assert_int_equal(write(fd, "acked 6", 7), 7);
    assert_int_equal(ledger_read(path, see, &seen), 0);
    assert_int_equal(seen.lines, 2);
    check_slice(slice_of(seen.last), SLICE("\"a+20b+2Bc\"@x.example"));
    assert_int_equal(write(fd, "\n", 1), 1);
    assert_int_not_equal(ledger_read(path, see, &seen), 0);
    close(fd);
    unlink(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lines),
        cmocka_unit_test(test_written_and_read),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
