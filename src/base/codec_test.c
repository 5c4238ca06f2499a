/*
 * codec_test.c - every codec from tables of known answers, strictness included, and round trips.
 */
#include "check.h"

#include "base/codec.h"

typedef bool coder(struct buf *out, struct slice in);

struct row {
    coder *code;
    struct slice in;
    bool ok;
    struct slice out;
};

#define GOOD(f, in, out)                                                                           \
    {                                                                                              \
        f, SLICE_INIT(in), true, SLICE_INIT(out)                                                   \
    }
#define BAD(f, in)                                                                                 \
    {                                                                                              \
        f, SLICE_INIT(in), false, SLICE_INIT("")                                                   \
    }

static const struct row rows[] = {
    /* RFC 4648 10 */
    GOOD(base64_encode, "", ""),
    GOOD(base64_encode, "f", "Zg=="),
    GOOD(base64_encode, "fo", "Zm8="),
    GOOD(base64_encode, "foo", "Zm9v"),
    GOOD(base64_encode, "foobar", "Zm9vYmFy"),
    GOOD(base64_encode, "\xfb\xff\xbf", "+/+/"),
    GOOD(base64url_encode, "", ""),
    GOOD(base64url_encode, "f", "Zg"),
    GOOD(base64url_encode, "fo", "Zm8"),
    GOOD(base64url_encode, "foo", "Zm9v"),
    GOOD(base64url_encode, "\xfb\xff\xbf\xfb", "-_-_-w"),
    GOOD(base64_decode, "", ""),
    GOOD(base64_decode, "Zg==", "f"),
    GOOD(base64_decode, "Zm8=", "fo"),
    GOOD(base64_decode, "Zm9vYmFy", "foobar"),
    GOOD(base64_decode, "AAAA", "\0\0\0"),
    GOOD(base64_decode, "+/+/", "\xfb\xff\xbf"),
    /* RFC 4648 3.2: padding is needed; 3.3: other characters are refused; 3.5: spare bits are 0 */
    BAD(base64_decode, "Zg"),
    BAD(base64_decode, "Zg="),
    BAD(base64_decode, "Zg==="),
    BAD(base64_decode, "="),
    BAD(base64_decode, "===="),
    BAD(base64_decode, "A==="),
    BAD(base64_decode, "Zg==Zg=="),
    BAD(base64_decode, "Zg=a"),
    BAD(base64_decode, "Zh=="),
    BAD(base64_decode, "Zm9="),
    BAD(base64_decode, "Zm9v\r\n"),
    BAD(base64_decode, "Zm9 "),
    BAD(base64_decode, "Zm9-"),
    BAD(base64_decode, "Zm9\x80"),
    BAD(base64_decode, "Zm9\0"),
    GOOD(base64_encode_lines, "", ""),
    GOOD(base64_encode_lines, "foo", "Zm9v\r\n"),
    GOOD(base64_encode_lines, "0123456789012345678901234567890123456789012345678901234567",
         "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2\r\n"
         "Nw==\r\n"),
    GOOD(base64_encode_lines, "012345678901234567890123456789012345678901234567890123456",
         "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2\r\n"),
    GOOD(hex_encode, "", ""),
    GOOD(hex_encode, "\x00\x9f\xff", "009fff"),
    GOOD(hex_decode, "", ""),
    GOOD(hex_decode, "009FfF", "\x00\x9f\xff"),
    BAD(hex_decode, "0"),
    BAD(hex_decode, "0g"),
    BAD(hex_decode, "0 "),
    BAD(hex_decode, "+1"),
    BAD(hex_decode, "0x"),
    /* RFC 2045 6.7 */
    GOOD(qp_encode, "", ""),
    GOOD(qp_encode, "a=b\xe9\r\n", "a=3Db=E9\r\n"),
    GOOD(qp_encode, "a \r\nb\t\r\nc ", "a=20\r\nb=09\r\nc=20"),
    GOOD(qp_encode, "a\rb\nc\0d", "a=0Db=0Ac=00d"),
    GOOD(qp_encode, "\r\n\r\n", "\r\n\r\n"),
    GOOD(qp_encode, "0123456789012345678901234567890123456789012345678901234567890123456789012345",
         "0123456789012345678901234567890123456789012345678901234567890123456789012345"),
    GOOD(qp_encode, "01234567890123456789012345678901234567890123456789012345678901234567890123456",
         "012345678901234567890123456789012345678901234567890123456789012345678901234=\r\n56"),
    GOOD(qp_encode, "0123456789012345678901234567890123456789012345678901234567890123456789012\xff",
         "0123456789012345678901234567890123456789012345678901234567890123456789012=FF"),
    GOOD(qp_encode,
         "01234567890123456789012345678901234567890123456789012345678901234567890123\xff",
         "01234567890123456789012345678901234567890123456789012345678901234567890123=\r\n=FF"),
    GOOD(qp_decode, "a=3Db=E9\r\n", "a=b\xe9\r\n"),
    GOOD(qp_decode, "a=\r\nb", "ab"),
    GOOD(qp_decode, "a= \t\r\nb", "ab"),
    GOOD(qp_decode, "a b \t\r\nc  ", "a b\r\nc"),
    BAD(qp_decode, "="),
    BAD(qp_decode, "=3"),
    BAD(qp_decode, "=3d"),
    BAD(qp_decode, "=G0"),
    BAD(qp_decode, "= a"),
    BAD(qp_decode, "a\n"),
    BAD(qp_decode, "a\rb"),
    BAD(qp_decode, "a\xe9"),
    BAD(qp_decode, "a\x7f"),
    BAD(qp_decode, "a\0"),
    /* RFC 3461 4 */
    GOOD(xtext_encode, "", ""),
    GOOD(xtext_encode, "a+b=c d\x80~", "a+2Bb+3Dc+20d+80~"),
    GOOD(xtext_decode, "", ""),
    GOOD(xtext_decode, "a+2Bb+3Dc~", "a+b=c~"),
    BAD(xtext_decode, "a+"),
    BAD(xtext_decode, "a+2"),
    BAD(xtext_decode, "a+2b"),
    BAD(xtext_decode, "a=b"),
    BAD(xtext_decode, "a b"),
    BAD(xtext_decode, "a\x7f"),
    BAD(xtext_decode, "a\x80"),
};

static void known_answers(void **state)
{
    (void)state;
    CHECK_ROWS (i, rows) {
        struct buf out;
        struct slice in = guarded(rows[i].in);

        buf_init(&out, 1000);
        check(buf_append(&out, SLICE("before")));
        check_int(rows[i].code(&out, in), rows[i].ok);
        check_slice(slice_head(buf_slice(&out), 6), SLICE("before"));
        check_slice(slice_skip(buf_slice(&out), 6), rows[i].out);
        buf_done(&out);
        guarded_free(in);
    }
}

/* One byte less room than the result needs: refused, and nothing is left behind. */
static void bounded_output(void **state)
{
    (void)state;
    CHECK_ROWS (i, rows) {
        struct buf out;
        if (!rows[i].ok || rows[i].out.len == 0)
            continue;
        buf_init(&out, rows[i].out.len - 1);
        check(!rows[i].code(&out, rows[i].in));
        check_int(buf_len(&out), 0);
        buf_done(&out);
    }
}

/* xorshift: the same bytes in every run. */
static uint32_t next_random(uint32_t *seed)
{
    *seed ^= *seed << 13;
    *seed ^= *seed >> 17;
    *seed ^= *seed << 5;
    return *seed;
}

static void check_lines(struct slice text)
{
    struct slice line;

    while (slice_cut(text, '\n', &line, &text))
        check(line.len <= 77); /* with the CR */
    check(text.len <= 76);
}

static void round_trips(void **state)
{
    static const struct {
        coder *encode, *decode;
        bool lines;
    } pairs[] = {
        {base64_encode, base64_decode, false},
        {hex_encode,    hex_decode,    false},
        {qp_encode,     qp_decode,     true },
        {xtext_encode,  xtext_decode,  false},
    };

    uint32_t seed = 1;

    (void)state;
    CHECK_ROWS (i, pairs) {
        for (int run = 0; run < 2000; run++) {
            struct buf there, back;
            char bytes[300];
            size_t len = next_random(&seed) % sizeof(bytes);
            /* a small alphabet in every other run: blanks, line ends and marks meet often */
            for (size_t k = 0; k < len; k++)
                bytes[k] = run % 2 == 0 ? (char)(next_random(&seed) >> 24)
                                        : "a =\r\n\t+"[next_random(&seed) % 7];
            buf_init(&there, 2000);
            buf_init(&back, 2000);
            check(pairs[i].encode(&there, (struct slice){bytes, len}));
            if (pairs[i].lines)
                check_lines(buf_slice(&there));
            check(pairs[i].decode(&back, buf_slice(&there)));
            check_slice(buf_slice(&back), ((struct slice){bytes, len}));
            buf_done(&there);
            buf_done(&back);
        }
    }
}

static void crc32c_vectors(void **state)
{
    /* RFC 3720 B.4, and the check value of the CRC catalogue */
    static const struct {
        struct slice in;
        uint32_t want;
    } vectors[] = {
        {SLICE_INIT(""),                                                                 0         },
        {SLICE_INIT("123456789"),                                                        0xe3069283},
        {SLICE_INIT("\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"),
         0x8a9136aa                                                                                },
        {SLICE_INIT("\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff"
                    "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff"),
         0x62a8ab43                                                                                },
        {SLICE_INIT("\0\1\2\3\4\5\6\7\10\11\12\13\14\15\16\17\20\21\22\23\24\25\26\27\30\31\32\33"
                    "\34\35\36\37"),
         0x46dd794e                                                                                },
    };

    (void)state;
    CHECK_ROWS (i, vectors) {
        struct slice in = guarded(vectors[i].in);
        check_int(crc32c(0, in), vectors[i].want);
        check_int(crc32c_portable(0, in), vectors[i].want);
        guarded_free(in);
    }
}

/* Any seed, length, alignment and cut: both ways agree, and pieces add up. */
static void crc32c_pieces(void **state)
{
    char bytes[256];
    uint32_t seed = 7;

    (void)state;
    for (size_t i = 0; i < sizeof(bytes); i++)
        bytes[i] = (char)(next_random(&seed) >> 24);
    for (int run = 0; run < 20000; run++) {
        size_t start = next_random(&seed) % 16;
        struct slice all = {bytes + start, next_random(&seed) % (sizeof(bytes) - start)};
        size_t cut = next_random(&seed) % (all.len + 1);
        uint32_t from = next_random(&seed), sum = crc32c(from, all);
        check_int(crc32c_portable(from, all), sum);
        check_int(crc32c(crc32c(from, slice_head(all, cut)), slice_skip(all, cut)), sum);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(known_answers), cmocka_unit_test(bounded_output),
        cmocka_unit_test(round_trips),   cmocka_unit_test(crc32c_vectors),
        cmocka_unit_test(crc32c_pieces),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
