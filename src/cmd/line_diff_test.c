/*
 * line_diff_test.c - what is told of two texts.
 */
#include "cmd/line_diff.h"

#include "base/arena.h"
#include "check.h"

enum { OUT_MAX = 1024 * 1024 };

static const struct {
    const char *from, *to, *told;
} rows[] = {
    {"",               "",             ""                    },
    {"a\nb\n",         "a\nb\n",       ""                    },
    {"a\nb\n",         "a\nb",         ""                    },
    {"",               "a\n",          "+ a\n"               },
    {"a\nb\nc\n",      "a\nc\n",       "- b\n"               },
    {"a\nc\n",         "a\nb\nc\n",    "+ b\n"               },
    {"a\nb\nc\n",      "a\nx\nc\n",    "- b\n+ x\n"          },
    {"a\nb\nc\nd\n",   "b\nx\nd\ne\n", "- a\n- c\n+ x\n+ e\n"},
    {"a\na\n",         "a\n",          "- a\n"               },
    {"one\n\n  two\n", "one\n  two\n", "- \n"                },
};

static void test_rows(void **state)
{
    (void)state;
    CHECK_ROWS (i, rows) {
        struct slice want = slice_of(rows[i].told), rest = want, line;
        unsigned lines = 0;
        struct buf out;

        buf_init(&out, OUT_MAX);
        while (slice_cut(rest, '\n', &line, &rest))
            lines++;
        check_int(line_diff(slice_of(rows[i].from), slice_of(rows[i].to), &out), lines);
        check_slice(buf_slice(&out), want);
        buf_done(&out);
    }
}

/* Too large to be compared: nothing is claimed to be the same. */
static void test_large(void **state)
{
    struct buf a, b, out;

    (void)state;
    buf_init(&a, OUT_MAX);
    buf_init(&b, OUT_MAX);
    buf_init(&out, OUT_MAX);
    for (unsigned i = 0; i < 3000; i++) {
        (void)buf_printf(&a, "a%u\n", i);
        (void)buf_printf(&b, "b%u\n", i);
    }
    check_int(line_diff(buf_slice(&a), buf_slice(&b), &out), 6000);
    buf_done(&a);
    buf_done(&b);
    buf_done(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_rows), cmocka_unit_test(test_large)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
