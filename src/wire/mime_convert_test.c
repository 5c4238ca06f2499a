/*
 * mime_convert_test.c - messages in other transfer encodings, in any chunking.
 *
 * In the rows '@' stands for 990 letters.
 */
#include "check.h"

#include "wire/mime_convert.h"

#define MIXED   "MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n"
#define QUOTED  "Content-Transfer-Encoding: quoted-printable\r\n"
#define BASE64  "Content-Transfer-Encoding: base64\r\n"
#define V1      "MIME-Version: 1.0\r\n"
#define TEN     "aaaaaaaaaa"
#define LONG    TEN TEN TEN TEN TEN TEN TEN "aaaaa=\r\n"
#define WRAPPED TEN TEN TEN TEN TEN TEN TEN "aaaaaa\r\n"

/* 990 letters, quoted: 13 lines of 75 and 15 letters. */
#define LONG_QUOTED                                                                                \
    LONG LONG LONG LONG LONG LONG LONG LONG LONG LONG LONG LONG LONG "aaaaaaaaaaaaaaa"

static const struct {
    enum mime_goal goal;
    struct slice message;
    const char *result; /* NULL: it cannot be */
} rows[] = {
  /* clang-format off */
    {MIME_FOR_MAILBOX, SLICE_INIT("S: x\r\n\r\n\n\0\r\xff"),
     "S: x\r\n" V1 BASE64 "\r\nCgAN/w==\r\n"},
    {MIME_FOR_MAILBOX,
     SLICE_INIT(MIXED "Content-Transfer-Encoding: binary\r\n\r\n--b\r\n"
                "Content-Type: image/png\r\nContent-Transfer-Encoding: BINARY\r\n\r\n\x89PNG\n"
                "\r\n--b\r\n" QUOTED "\r\n=41\r\n--b--\r\n"),
     MIXED "Content-Transfer-Encoding: 8bit\r\n\r\n--b\r\nContent-Type: image/png\r\n" BASE64
     "\r\niVBORwo=\r\n--b\r\n" QUOTED "\r\n=41\r\n--b--\r\n"},
    /* what fits stays, whatever it is: 8-bit, a long line, a part that is empty */
    {MIME_FOR_MAILBOX, SLICE_INIT(MIXED "\r\n--b\r\n\r\n\xff@@\r\n--b\r\n\r\n\r\n--b\r\n\r\n\n\r\n--b--"),
     MIXED "\r\n--b\r\n\r\n\xff@@\r\n--b\r\n\r\n\r\n--b\r\n" BASE64 "\r\nCg==\r\n--b--"},
    /* only its label says binary */
    {MIME_FOR_MAILBOX, SLICE_INIT("Content-Transfer-Encoding: binary\r\n\r\nx\r\n"),
     V1 "Content-Transfer-Encoding: 8bit\r\n\r\nx\r\n"},

    {MIME_FOR_7BIT, SLICE_INIT(V1 "Content-Transfer-Encoding: 8bit\r\n\r\nf\xc3\xbcr = \r\n"),
     V1 QUOTED "\r\nf=C3=BCr =3D=20\r\n"},
    {MIME_FOR_7BIT, SLICE_INIT("Content-Type: image/x\r\n\r\n\xff"),
     "Content-Type: image/x\r\n" V1 BASE64 "\r\n/w==\r\n"},
    /* text that is no lines */
    {MIME_FOR_7BIT, SLICE_INIT("\r\n\xff\n"), V1 BASE64 "\r\n/wo=\r\n"},
    {MIME_FOR_7BIT,
     SLICE_INIT("Content-Type: multipart/mixed; boundary=b\r\nContent-Transfer-Encoding: 8bit\r\n"
                "\r\npre\r\n--b\r\nContent-Transfer-Encoding: 8bit\r\n\r\nf\xc3\xbcr\r\n--b\r\n"
                "Content-Transfer-Encoding: 8bit\r\n\r\nplain\r\n--b\r\n" BASE64 "\r\nQQ==\r\n"
                "--b--\r\npost"),
     "Content-Type: multipart/mixed; boundary=b\r\n" V1 "\r\npre\r\n--b\r\n" QUOTED
     "\r\nf=C3=BCr\r\n--b\r\n\r\nplain\r\n--b\r\n" BASE64 "\r\nQQ==\r\n--b--\r\npost"},
    /* the part needs it, and the message is now one of MIME */
    {MIME_FOR_7BIT,
     SLICE_INIT("Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\n\xff\r\n--b--"),
     "Content-Type: multipart/mixed; boundary=b\r\n" V1 "\r\n--b\r\n" QUOTED "\r\n=FF\r\n--b--"},
    /* messages within are walked into: RFC 2046 5.2.1 */
    {MIME_FOR_7BIT,
     SLICE_INIT(MIXED "\r\n--b\r\nContent-Type: message/rfc822\r\nContent-Transfer-Encoding: 8bit\r\n"
                "\r\nS: t\r\n\r\n\xff\r\n--b\r\nContent-Type: message/rfc822\r\n\r\nS: t\r\n\r\nx\r\n"
                "--b--"),
     MIXED "\r\n--b\r\nContent-Type: message/rfc822\r\n\r\nS: t\r\n" V1 QUOTED "\r\n=FF\r\n--b\r\n"
     "Content-Type: message/rfc822\r\n\r\nS: t\r\n\r\nx\r\n--b--"},
    /* quoted-printable that is not quite */
    {MIME_FOR_7BIT, SLICE_INIT(QUOTED "\r\nf\xfcr=20\r\n"), QUOTED "\r\nf=FCr=20\r\n"},

    {MIME_FOR_8BIT, SLICE_INIT(MIXED "\r\n--b\r\n\r\n@@\r\n--b\r\n\r\n\xff\r\n--b--"),
     MIXED "\r\n--b\r\n" QUOTED "\r\n" LONG LONG LONG LONG LONG LONG LONG LONG LONG LONG LONG LONG
     LONG LONG LONG LONG LONG LONG LONG LONG LONG LONG LONG LONG LONG LONG TEN TEN TEN
     "\r\n--b\r\n\r\n\xff\r\n--b--"},
    {MIME_FOR_8BIT, SLICE_INIT("Content-Type: image/x\r\n\r\n\xff\r\n"),
     "Content-Type: image/x\r\n\r\n\xff\r\n"},
    {MIME_FOR_8BIT, SLICE_INIT("S: @ @\r\n\r\n\xff\r\n"), "S: @\r\n @\r\n\r\n\xff\r\n"},
    {MIME_FOR_MAILBOX, SLICE_INIT("S: @ @\r\n\r\n\n"),
     "S: @ @\r\n" V1 BASE64 "\r\nCg==\r\n"},
    {MIME_FOR_8BIT, SLICE_INIT(MIXED "\r\n--b\r\n" BASE64 "\r\n" TEN "@\r\n--b--"),
     MIXED "\r\n--b\r\n" BASE64 "\r\n" WRAPPED WRAPPED WRAPPED WRAPPED WRAPPED WRAPPED WRAPPED
     WRAPPED WRAPPED WRAPPED WRAPPED WRAPPED WRAPPED "aaaaaaaaaaaa\r\n--b--"},
    {MIME_FOR_8BIT, SLICE_INIT(QUOTED "\r\n@=3D" TEN "\r\n"),
     QUOTED "\r\n" LONG_QUOTED "=3D" TEN "\r\n"},

    /* raw 8-bit in a header cannot be helped, nor may what is signed be changed: 5.6.3 */
    {MIME_FOR_7BIT, SLICE_INIT("S: \xc3\xbc\r\n\r\nx"), NULL},
    {MIME_FOR_7BIT, SLICE_INIT(BASE64 "\r\n\xff"), NULL},
    {MIME_FOR_MAILBOX, SLICE_INIT("Content-Type: multipart/signed; boundary=b\r\n\r\n--b\r\n\r\n\n\r\n--b--"),
     NULL},
    {MIME_FOR_8BIT, SLICE_INIT("Content-Type: multipart/encrypted; boundary=b\r\n\r\n--b\r\n\r\n@@\r\n--b--"),
     NULL},
    {MIME_FOR_7BIT, SLICE_INIT("Content-Type: message/partial\r\n\r\n\xff"), NULL},
    {MIME_FOR_7BIT, SLICE_INIT("Content-Type: multipart/mixed\r\n\r\n\xff"), NULL},
    {MIME_FOR_8BIT, SLICE_INIT("S: @@\r\n\r\n"), NULL},
    /* the signed part fits and stays, labels and all; the one beside it is converted */
    {MIME_FOR_7BIT,
     SLICE_INIT(MIXED "\r\n--b\r\nContent-Type: multipart/signed; boundary=c\r\n\r\n--c\r\n"
                "Content-Transfer-Encoding: 8bit\r\n\r\nx\r\n--c--\r\n--b\r\n\r\n\xff\r\n--b--"),
     MIXED "\r\n--b\r\nContent-Type: multipart/signed; boundary=c\r\n\r\n--c\r\n"
     "Content-Transfer-Encoding: 8bit\r\n\r\nx\r\n--c--\r\n--b\r\n" QUOTED "\r\n=FF\r\n--b--"},
  /* clang-format on */
};

static void expand(struct buf *out, struct slice text)
{
    for (size_t i = 0; i < text.len; i++)
        for (unsigned n = 0; n < (text.data[i] == '@' ? 990 : 1); n++)
            buf_append_char(out, text.data[i] == '@' ? 'a' : text.data[i]);
}

static void survey(struct mime_survey *s, struct slice message)
{
    mime_survey_init(s);
    mime_survey_feed(s, message);
    mime_survey_end(s);
}

static void convert(enum mime_goal goal, const struct mime_survey *s, struct slice message,
                    size_t cut, struct buf *result)
{
    struct slice pieces[] = {slice_head(message, cut), slice_skip(message, cut)};
    struct mime_convert c;

    mime_convert_init(&c, goal, s);
    for (size_t i = 0; i < 2; i++) {
        struct cursor in = {pieces[i]};

        mime_convert_step(&c, &in, result);
    }
    check(mime_convert_end(&c, result));
    mime_convert_done(&c);
}

static void messages_are_converted(void **state)
{
    (void)state;
    CHECK_ROWS (i, rows) {
        struct buf text, want;
        struct mime_survey s;

        buf_init(&text, 1 << 16);
        buf_init(&want, 1 << 16);
        expand(&text, rows[i].message);
        if (rows[i].result != NULL)
            expand(&want, slice_of(rows[i].result));
        struct slice message = guarded(buf_slice(&text));
        survey(&s, message);
        check_int(mime_facts_can_fit(&s.facts, rows[i].goal), rows[i].result != NULL);
        for (size_t cut = 0; rows[i].result != NULL && cut <= message.len; cut++) {
            struct buf out;

            buf_init(&out, MIME_CONVERT_OUT_MAX);
            convert(rows[i].goal, &s, message, cut, &out);
            check_slice(buf_slice(&out), buf_slice(&want));
            buf_done(&out);
        }
        mime_survey_done(&s);
        guarded_free(message);
        buf_done(&text);
        buf_done(&want);
    }
}

/* More than `out` holds comes in steps. */
static void large_messages_come_in_steps(void **state)
{
    enum { SIZE = 8 << 20 };

    static char body[SIZE];
    struct cursor in = {SLICE("A: b\r\n\r\n")};
    struct mime_survey s;
    struct mime_convert c;
    struct buf out;
    size_t written = 0;
    bool over = false;

    (void)state;
    mime_survey_init(&s);
    mime_survey_feed(&s, in.rest);
    mime_survey_feed(&s, (struct slice){body, sizeof(body)});
    mime_survey_end(&s);
    buf_init(&out, MIME_CONVERT_OUT_MAX);
    mime_convert_init(&c, MIME_FOR_MAILBOX, &s);
    mime_convert_step(&c, &in, &out);
    in = (struct cursor){
        {body, sizeof(body)}
    };
    while (!cursor_at_end(&in)) {
        mime_convert_step(&c, &in, &out);
        check(buf_len(&out) > 0);
        written += buf_len(&out);
        buf_clear(&out);
    }
    while (!over) {
        over = mime_convert_end(&c, &out);
        written += buf_len(&out);
        buf_clear(&out);
    }
    check(written > SIZE / 57 * 78 && written < SIZE / 57 * 78 + 1000);
    mime_convert_done(&c);
    mime_survey_done(&s);
    buf_done(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(messages_are_converted),
        cmocka_unit_test(large_messages_come_in_steps),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
