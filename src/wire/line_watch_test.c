/*
 * line_watch_test.c - what content holds, in any chunking.
 */
#include "check.h"

#include "wire/line_watch.h"

static const struct {
    struct slice bytes;
    struct line_watch found;
} rows[] = {
    {SLICE_INIT(""),               {0}                               },
    {SLICE_INIT("a\r\nb\r\n\r\n"), {0}                               },
    {SLICE_INIT("no end"),         {0}                               },
    {SLICE_INIT("a\nb"),           {.bare_lf = true}                 },
    {SLICE_INIT("\n"),             {.bare_lf = true}                 },
    {SLICE_INIT("a\rb"),           {.bare_cr = true}                 },
    {SLICE_INIT("a\r"),            {.bare_cr = true}                 },
    {SLICE_INIT("a\r\r\n"),        {.bare_cr = true}                 },
    {SLICE_INIT("a\n\r"),          {.bare_cr = true, .bare_lf = true}},
    {SLICE_INIT("a\0b\r\n"),       {.nul = true}                     },
    {SLICE_INIT("\r\0"),           {.nul = true, .bare_cr = true}    },
    {SLICE_INIT("\xc3\xbc\r\n"),   {.eight_bit = true}               },
};

static void content_is_watched(void **state)
{
    (void)state;
    CHECK_ROWS (i, rows) {
        for (size_t cut = 0; cut <= rows[i].bytes.len; cut++) {
            struct slice bytes = guarded(rows[i].bytes);
            struct line_watch w = {0};

            line_watch_feed(&w, slice_head(bytes, cut));
            line_watch_feed(&w, slice_skip(bytes, cut));
            line_watch_end(&w);
            check_int(w.bare_cr, rows[i].found.bare_cr);
            check_int(w.bare_lf, rows[i].found.bare_lf);
            check_int(w.nul, rows[i].found.nul);
            check_int(w.eight_bit, rows[i].found.eight_bit);
            guarded_free(bytes);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(content_is_watched)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
