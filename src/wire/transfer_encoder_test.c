/*
 * transfer_encoder_test.c - every mode, in any chunking, and back again.
 */
#include "check.h"

#include "base/codec.h"
#include "wire/transfer_encoder.h"

#define TEN     "0123456789"
#define SEVENTY TEN TEN TEN TEN TEN TEN TEN

static const struct {
    enum transfer_mode mode;
    struct slice text;
    const char *result;
    const char *ended; /* what end_line() adds */
} rows[] = {
    {TRANSFER_AS_IS,        SLICE_INIT("a\xff"),                                                         "a\xff",                      ""     },
    {TRANSFER_BASE64,       SLICE_INIT(""),                                                              "",                           ""     },
    {TRANSFER_BASE64,       SLICE_INIT("\n\0\r\xff"),                                                    "CgAN/w==",                   "\r\n" },
    {TRANSFER_BASE64,       SLICE_INIT("0123456789012345678901234567890123456789012345678901234567890"),
     "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2\r\nNzg5MA==",                                       "\r\n" },
    {TRANSFER_QUOTED,       SLICE_INIT(""),                                                              "",                           ""     },
    {TRANSFER_QUOTED,       SLICE_INIT("f\xc3\xbcr = \r\nx"),                                            "f=C3=BCr =3D=20\r\nx",       "=\r\n"},
    {TRANSFER_QUOTED,       SLICE_INIT("\t\r\n \rx\n \r\n"),                                             "=09\r\n =0Dx=0A=20\r\n",     ""     },
    {TRANSFER_QUOTED,       SLICE_INIT("x\r"),                                                           "x=0D",                       "=\r\n"},
    {TRANSFER_QUOTED,       SLICE_INIT("x "),                                                            "x=20",                       "=\r\n"},
    {TRANSFER_QUOTED,       SLICE_INIT("\r\r\n \r\r\n"),                                                 "=0D\r\n =0D\r\n",            ""     },
    {TRANSFER_QUOTED,       SLICE_INIT("\0\x7f\t.\r\n"),                                                 "=00=7F\t.\r\n",              ""     },
 /* 76 columns, and no more than that */
    {TRANSFER_QUOTED,       SLICE_INIT(SEVENTY "abcde"),                                                 SEVENTY "abcde",              "=\r\n"},
    {TRANSFER_QUOTED,       SLICE_INIT(SEVENTY "abcdefg"),                                               SEVENTY "abcde=\r\nfg",       "=\r\n"},
    {TRANSFER_QUOTED,       SLICE_INIT(SEVENTY "abc\xff"),                                               SEVENTY "abc=\r\n=FF",        "=\r\n"},
 /* RFC 2049 3: lone dots and "From " */
    {TRANSFER_QUOTED,       SLICE_INIT(".\r\n..x\r\nx.\r\n"),                                            "=2E\r\n=2E.x\r\nx.\r\n",     ""     },
    {TRANSFER_QUOTED,       SLICE_INIT("From a\r\nFor F From\r\nF\r\nF"),
     "=46rom a\r\nFor F From\r\nF\r\nF",                                                                                               "=\r\n"},
    {TRANSFER_QUOTED,       SLICE_INIT("F\rx\r\n--b\r\n"),                                               "F=0Dx\r\n--b\r\n",           ""     },
 /* nor does a line that we begin ourselves, or one that could be a delimiter */
    {TRANSFER_QUOTED,       SLICE_INIT(SEVENTY "abcde.x"),                                               SEVENTY "abcde=\r\n=2Ex",     "=\r\n"},
    {TRANSFER_QUOTED,       SLICE_INIT(SEVENTY "abcdeFrom x"),                                           SEVENTY "abcde=\r\n=46rom x", "=\r\n"},
    {TRANSFER_QUOTED,       SLICE_INIT(SEVENTY "abcde--b"),                                              SEVENTY "abcde=\r\n=2D-b",    "=\r\n"},
    {TRANSFER_BASE64_LINES, SLICE_INIT(SEVENTY "abcdef\r\nAB==\r\n"),                                    SEVENTY "abcdef\r\nAB==\r\n",
     ""                                                                                                                                       },
    {TRANSFER_BASE64_LINES, SLICE_INIT(SEVENTY "abcdefgh\r\nAB=="),
     SEVENTY "abcdef\r\ngh\r\nAB==",                                                                                                   ""     },
    {TRANSFER_QUOTED_LINES, SLICE_INIT(SEVENTY "abcde=\r\n.x"),                                          SEVENTY "abcde=\r\n.x",       ""     },
    {TRANSFER_QUOTED_LINES, SLICE_INIT(SEVENTY "abcdef\r\n"),                                            SEVENTY "abcdef\r\n",         ""     },
    {TRANSFER_QUOTED_LINES, SLICE_INIT(SEVENTY "abcdefg"),                                               SEVENTY "abcde=\r\nfg",       ""     },
    {TRANSFER_QUOTED_LINES, SLICE_INIT(SEVENTY "abcdefg=\r\n"),                                          SEVENTY "abcde=\r\nfg=\r\n",  ""     },
    {TRANSFER_QUOTED_LINES, SLICE_INIT(SEVENTY "abc=3D.x"),                                              SEVENTY "abc=\r\n=3D.x",      ""     },
    {TRANSFER_QUOTED_LINES, SLICE_INIT(SEVENTY "abcd=3D.x"),                                             SEVENTY "abcd=\r\n=3D.x",     ""     },
    {TRANSFER_QUOTED_LINES, SLICE_INIT(SEVENTY "ab=3D.x"),                                               SEVENTY "ab=3D=\r\n=2Ex",     ""     },
    {TRANSFER_QUOTED_LINES, SLICE_INIT(SEVENTY "abcdeF-"),                                               SEVENTY "abcde=\r\n=46-",     ""     },
    {TRANSFER_QUOTED_LINES, SLICE_INIT("f\xc3\xbcr\r\n"),                                                "f=C3=BCr\r\n",               ""     },
    {TRANSFER_QUOTED_LINES, SLICE_INIT(SEVENTY "abcdef\xff"),                                            SEVENTY "abcde=\r\nf=FF",     ""     },
};

static void encode(enum transfer_mode mode, struct slice text, size_t cut, struct buf *out)
{
    struct transfer_encoder e;

    transfer_encoder_begin(&e, mode);
    transfer_encoder_write(&e, out, slice_head(text, cut));
    transfer_encoder_write(&e, out, slice_skip(text, cut));
    transfer_encoder_end(&e, out);
    transfer_encoder_end_line(&e, out);
}

static void texts_are_encoded(void **state)
{
    (void)state;
    CHECK_ROWS (i, rows) {
        struct slice text = guarded(rows[i].text);

        for (size_t cut = 0; cut <= text.len; cut++) {
            struct buf out, want;

            buf_init(&out, 1024);
            buf_init(&want, 1024);
            buf_append(&want, slice_of(rows[i].result));
            buf_append(&want, slice_of(rows[i].ended));
            encode(rows[i].mode, text, cut, &out);
            check_slice(buf_slice(&out), buf_slice(&want));
            buf_done(&out);
            buf_done(&want);
        }
        guarded_free(text);
    }
}

/* Bytes that wait do not gather. */
static void bare_line_ends_pass(void **state)
{
    char text[1000];
    struct buf out;

    (void)state;
    memset(text, '\r', sizeof(text));
    buf_init(&out, 8192);
    encode(TRANSFER_QUOTED, (struct slice){text, sizeof(text)}, 0, &out);
    check_int(buf_len(&out), 3 * 1000 + 3 * 40);
    buf_done(&out);
}

static bool lines_are_sound(struct slice text)
{
    struct slice line;
    bool more = true;

    while (more) {
        more = slice_cut(text, '\n', &line, &text);
        if (!more)
            line = text;
        else if (!slice_ends(line, SLICE("\r")))
            return false;
        if (line.len > TRANSFER_COLUMNS + (more ? 1U : 0U) || slice_starts(line, SLICE(".")) ||
            slice_starts(line, SLICE("From ")))
            return false;
    }
    return true;
}

static void decode(enum transfer_mode mode, struct slice text, struct buf *out)
{
    struct slice line;

    if (mode == TRANSFER_QUOTED) {
        check(qp_decode(out, text));
        return;
    }
    while (slice_cut(text, '\n', &line, &text))
        check(base64_decode(out, slice_head(line, line.len - 1)));
    check_int(text.len, 0);
}

/* Bytes drawn from those that matter, many times: what is decoded is what was there. */
static void nothing_is_lost(void **state)
{
    static const char bytes[] = {'\r', '\n', ' ', '\t', '=', '.',   'F',
                                 'r',  'o',  'm', '-',  'x', '\xff'};

    static const enum transfer_mode modes[] = {TRANSFER_BASE64, TRANSFER_QUOTED};

    uint32_t seed = 1;

    (void)state;
    for (unsigned n = 0; n < 20000; n++) {
        char text[400];
        size_t len = n % sizeof(text);
        struct buf out, back;

        for (size_t i = 0; i < len; i++) {
            seed = seed * 1664525 + 1013904223;
            /* line ends are rare in every second one, so that there are long lines */
            unsigned first = n % 2 == 0 || seed >> 28 == 0 ? 0 : 2;
            text[i] = bytes[first + (seed >> 12) % (sizeof(bytes) - first)];
        }
        check_row = n;
        buf_init(&out, 4096);
        buf_init(&back, 4096);
        encode(modes[n / 2 % 2], (struct slice){text, len}, len / 2, &out);
        check(lines_are_sound(buf_slice(&out)));
        decode(modes[n / 2 % 2], buf_slice(&out), &back);
        check_slice(buf_slice(&back), ((struct slice){text, len}));
        buf_done(&out);
        buf_done(&back);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(texts_are_encoded),
        cmocka_unit_test(bare_line_ends_pass),
        cmocka_unit_test(nothing_is_lost),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
