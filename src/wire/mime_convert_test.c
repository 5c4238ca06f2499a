/*
 * mime_convert_test.c - messages in other transfer encodings, in any chunking.
 */
#include "check.h"

#include "wire/mime_convert.h"

#define MIXED "MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n"

static const struct {
    enum mime_goal goal;
    struct slice message;
    const char *result; /* NULL: it cannot be */
} rows[] = {
    {MIME_NO_BINARY, SLICE_INIT("S: x\r\n\r\n\n\0\r\xff"),
     "S: x\r\nMIME-Version: 1.0\r\nContent-Transfer-Encoding: base64\r\n\r\nCgAN/w==\r\n"               },
    {MIME_NO_BINARY,
     SLICE_INIT(MIXED
                "Content-Transfer-Encoding: binary\r\n\r\n--b\r\n"
                "Content-Type: image/png\r\nContent-Transfer-Encoding: BINARY\r\n\r\n\x89PNG\n"
                "\r\n--b\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n=41\r\n--b--\r\n"),
     MIXED "Content-Transfer-Encoding: 8bit\r\n\r\n--b\r\nContent-Type: image/png\r\n"
           "Content-Transfer-Encoding: base64\r\n\r\niVBORwo=\r\n--b\r\n"
           "Content-Transfer-Encoding: quoted-printable\r\n\r\n=41\r\n--b--\r\n"                        },
 /* an empty part stays empty */
    {MIME_NO_BINARY, SLICE_INIT(MIXED "\r\n--b\r\n\r\n--b--"),
     MIXED "\r\n--b\r\nContent-Transfer-Encoding: base64\r\n\r\n--b--"                                  },
 /* RFC 2045 6.8: 76 columns */
    {MIME_NO_BINARY,
     SLICE_INIT("\r\n0123456789012345678901234567890123456789012345678901234567890"),
     "MIME-Version: 1.0\r\nContent-Transfer-Encoding: base64\r\n\r\n"
     "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2\r\nNzg5MA=="
     "\r\n"                                                                                             },
    {MIME_ONLY_7BIT,
     SLICE_INIT(
         "MIME-Version: 1.0\r\nContent-Transfer-Encoding: 8bit\r\n\r\nf\xc3\xbcr = \r\n.\r\n"),
     "MIME-Version: 1.0\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n"
     "f=C3=BCr =3D=20\r\n.\r\n"                                                                         },
    {MIME_ONLY_7BIT, SLICE_INIT("A: b\r\n\r\n\t\r\n \rx\n \r\n"),
     "A: b\r\nMIME-Version: 1.0\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n"
     "=09\r\n =0Dx=0A=20\r\n"                                                                           },
    {MIME_ONLY_7BIT,
     SLICE_INIT("A: b\r\n\r\n"
                "0123456789012345678901234567890123456789012345678901234567890123456789012345678"),
     "A: b\r\nMIME-Version: 1.0\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n"
     "012345678901234567890123456789012345678901234567890123456789012345678901234=\r\n5678\r\n"         },
    {MIME_ONLY_7BIT, SLICE_INIT("Content-Type: image/x\r\n\r\n\xff"),
     "Content-Type: image/x\r\nMIME-Version: 1.0\r\nContent-Transfer-Encoding: "
     "base64\r\n\r\n/w==\r\n"                                                                           },
 /* raw 8-bit in a header cannot be helped, nor may what is signed be changed: 5.6.3 */
    {MIME_ONLY_7BIT, SLICE_INIT("S: \xc3\xbc\r\n\r\nx"),                                            NULL},
    {MIME_ONLY_7BIT, SLICE_INIT("Content-Transfer-Encoding: base64\r\n\r\n\xff"),                   NULL},
    {MIME_NO_BINARY,
     SLICE_INIT("Content-Type: multipart/signed; boundary=b\r\n\r\n--b\r\n\r\nx\r\n--b--"),         NULL},
    {MIME_NO_BINARY, SLICE_INIT("Content-Type: multipart/mixed\r\n\r\nx"),                          NULL},
 /* a sealed part that is encoded already passes */
    {MIME_NO_BINARY,
     SLICE_INIT("Content-Type: multipart/signed; boundary=b\r\n\r\n--b\r\n"
                "Content-Transfer-Encoding: base64\r\n\r\nQQ==\r\n--b--"),
     "Content-Type: multipart/signed; boundary=b\r\n\r\n--b\r\n"
     "Content-Transfer-Encoding: base64\r\n\r\nQQ==\r\n--b--"                                           },
};

static bool convert(enum mime_goal goal, struct slice message, size_t cut, struct buf *result)
{
    struct slice pieces[] = {slice_head(message, cut), slice_skip(message, cut)};
    struct mime_convert c;
    bool good = true, over = false;

    mime_convert_init(&c, goal);
    for (size_t i = 0; i < 2 && good; i++) {
        struct cursor in = {pieces[i]};

        good = mime_convert_step(&c, &in, result);
    }
    while (good && !over)
        good = mime_convert_end(&c, result, &over);
    mime_convert_done(&c);
    return good;
}

static void messages_are_converted(void **state)
{
    (void)state;
    CHECK_ROWS (i, rows) {
        struct slice message = guarded(rows[i].message);

        for (size_t cut = 0; cut <= message.len; cut++) {
            struct buf out;

            buf_init(&out, MIME_CONVERT_OUT_MAX);
            check_int(convert(rows[i].goal, message, cut, &out), rows[i].result != NULL);
            if (rows[i].result != NULL)
                check_slice(buf_slice(&out), slice_of(rows[i].result));
            buf_done(&out);
        }
        guarded_free(message);
    }
}

/* More than `out` holds comes in steps. */
static void large_messages_come_in_steps(void **state)
{
    enum { SIZE = 8 << 20 };

    static char body[SIZE];
    struct cursor in = {SLICE("A: b\r\n\r\n")};
    struct mime_convert c;
    struct buf out;
    size_t written = 0;
    bool over = false;

    (void)state;
    buf_init(&out, MIME_CONVERT_OUT_MAX);
    mime_convert_init(&c, MIME_NO_BINARY);
    check(mime_convert_step(&c, &in, &out));
    in = (struct cursor){
        {body, sizeof(body)}
    };
    while (!cursor_at_end(&in)) {
        check(mime_convert_step(&c, &in, &out));
        check(buf_len(&out) > 0);
        written += buf_len(&out);
        buf_clear(&out);
    }
    while (!over) {
        check(mime_convert_end(&c, &out, &over));
        written += buf_len(&out);
        buf_clear(&out);
    }
    check(written > SIZE / 57 * 78 && written < SIZE / 57 * 78 + 1000);
    mime_convert_done(&c);
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
