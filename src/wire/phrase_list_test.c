/*
 * phrase_list_test.c - rows are sentences of RFC 5322 3.6.5 and 4.1, RFC 2047 and RFC 6532.
 */
#include "check.h"

#include "base/buf.h"
#include "wire/phrase_list.h"

static const struct {
    struct slice raw, phrases; /* "|" behind each */
} rows[] = {
    {SLICE_INIT(""),                                         SLICE_INIT("")                       },
    {SLICE_INIT(" simple, list"),                            SLICE_INIT("simple|list|")           },
    {SLICE_INIT("multi \r\n words,\r\n with folds  "),       SLICE_INIT("multi words|with folds|")},
 /* quotes and comments hold commas */
    {SLICE_INIT("\"a, \\\"b\\\"\" c (d, e), f"),             SLICE_INIT("a, \"b\" c|f|")          },
 /* 4.1 obs-phrase-list: elements may be empty */
    {SLICE_INIT(",, a,(b), ,c,"),                            SLICE_INIT("a|c|")                   },
 /* RFC 2047 5 (3): words in a phrase; what is decoded separates nothing */
    {SLICE_INIT("=?utf-8?Q?a=2C_b?= =?utf-8?Q?c?=\r\n , d"), SLICE_INIT("a, bc|d|")               },
    {SLICE_INIT("\"=?utf-8?Q?a?=\""),                        SLICE_INIT("=?utf-8?Q?a?=|")         },
    {SLICE_INIT("j\xc3\xbc, \xff, a\x01"),                   SLICE_INIT("j\xc3\xbc|?|a?|")        },
 /* what no phrase may hold */
    {SLICE_INIT("a@b, <c>; d"),                              SLICE_INIT("a@b|<c>; d|")            },
 /* what never ends loses nothing */
    {SLICE_INIT("a, 5\" disk, b"),                           SLICE_INIT("a|5\" disk, b|")         },
    {SLICE_INIT("a, (b, c"),                                 SLICE_INIT("a|(b, c|")               },
    {SLICE_INIT("\"\", a"),                                  SLICE_INIT("a|")                     },
};

static void put_phrases(struct buf *out, struct arena *arena, struct slice raw)
{
    struct phrase_list list;
    struct slice phrase;

    phrase_list_init(&list, arena, raw);
    while (phrase_list_next(&list, &phrase)) {
        buf_append(out, phrase);
        buf_append_char(out, '|');
    }
    check(!phrase_list_next(&list, &phrase));
}

static void reads(void **state)
{
    (void)state;
    CHECK_ROWS (i, rows) {
        struct slice raw = guarded(rows[i].raw);
        struct arena arena = {0};
        struct buf out;

        buf_init(&out, 4096);
        put_phrases(&out, &arena, raw);
        check_slice(buf_slice(&out), rows[i].phrases);
        buf_done(&out);
        arena_done(&arena);
        guarded_free(raw);
    }
}

/* A megabyte of what might be looked through, or copied, again and again; if it were, neither time
 * nor memory would suffice. */
static void long_values(void **state)
{
    static const struct slice units[] = {
        SLICE_INIT("a,"),
        SLICE_INIT(","),
        SLICE_INIT("("),
        SLICE_INIT("\""),
        SLICE_INIT("()"),
        SLICE_INIT("\"\","),
        SLICE_INIT("a "),
        SLICE_INIT("\"a\" "),
        SLICE_INIT("\\"),
        SLICE_INIT("a(),b\""),
        SLICE_INIT("=?utf-8?q?a?= "),
    };

    enum { LONG = 1 << 20 };

    (void)state;
    CHECK_ROWS (i, units) {
        struct arena arena = {0};
        struct buf value, out;

        buf_init(&value, LONG);
        buf_init(&out, 2 * LONG);
        while (buf_append(&value, units[i]))
            ;
        put_phrases(&out, &arena, buf_slice(&value));
        check(buf_len(&out) <= LONG + 1);
        buf_done(&out);
        buf_done(&value);
        arena_done(&arena);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(reads), cmocka_unit_test(long_values)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
