/*
 * header_drop_test.c - what is kept of a message, in whatever pieces it comes.
 */
#include "wire/header_drop.h"

#include "base/buf.h"
#include "check.h"

static const struct {
    const char *in, *out; /* out NULL: the same */
} rows[] = {
    {"",                                                           NULL                         },
    {"Subject: x\r\n\r\nBcc: y\r\n",                               NULL                         },
    {"Bcc: a@b\r\nSubject: x\r\n\r\nz",                            "Subject: x\r\n\r\nz"        },
    {"Subject: x\r\nBCC: a@b,\r\n\tc@d\r\n e@f\r\nTo: g\r\n\r\n",  "Subject: x\r\nTo: g\r\n\r\n"},
    {"Subject: x\r\n Bcc: folded\r\n\r\n",                         NULL                         },
    {"bcc : a\r\nBcc\t: b\r\n\r\n",                                "\r\n"                       },
    {"Resent-Bcc: a\r\nResent-To: b\r\n\r\n",                      "Resent-To: b\r\n\r\n"       },
    {"Bccc: a\r\nBc: b\r\nBcc\r\nX-Bcc: c\r\nResent-B: d\r\n\r\n", NULL                         },
    {"Bcc: a\nSubject: x\n\nBcc: y\n",                             "Subject: x\n\nBcc: y\n"     },
    {"Bcc: a\r\nBcc: b\r\n",                                       ""                           },
    {"Bcc",                                                        NULL                         },
    {"Bcc:",                                                       ""                           },
    {"Bcc                                    : a\r\n\r\n",         NULL                         }, /* that is no name any more */
    {"\r\nBcc: y\r\n",                                             NULL                         },
    {" Bcc: y\r\nBcc: z\r\n",                                      " Bcc: y\r\n"                },
};

static void keep(struct header_drop *d, struct slice piece, struct buf *out)
{
    struct cursor in = {piece};
    struct slice run;

    while (header_drop_next(d, &in, &run)) {
        check(run.len > 0);
        check(buf_append(out, run));
    }
    check(cursor_at_end(&in));
}

static void in_pieces_of(size_t size)
{
    CHECK_ROWS (i, rows) {
        struct slice in = guarded(slice_of(rows[i].in));
        struct header_drop d = {0};
        struct buf out;

        buf_init(&out, 1024);
        for (size_t at = 0; at < in.len; at += size)
            keep(&d, slice_head(slice_skip(in, at), size), &out);
        check(buf_append(&out, header_drop_end(&d)));
        check_slice(buf_slice(&out), slice_of(rows[i].out == NULL ? rows[i].in : rows[i].out));
        buf_done(&out);
        guarded_free(in);
    }
}

static void whole(void **state)
{
    (void)state;
    in_pieces_of(1000);
}

static void in_pieces(void **state)
{
    (void)state;
    for (size_t size = 1; size < 12; size++)
        in_pieces_of(size);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(whole), cmocka_unit_test(in_pieces)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
