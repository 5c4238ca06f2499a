/*
 * codec.c - bytes as text, and their checksum.
 *
 * Every encoder knows its output's length (or a bound of it) before it starts, so it reserves
 * once and then writes without asking. Every decoder accepts one spelling of each value: two
 * spellings of one thing are how filters and servers come to disagree. A decoder writes behind
 * the end of the buffer and commits only when the whole input was good.
 *
 * CRC32C runs on every stored byte, therefore by the processor's own instruction where there is
 * one. The table version gives the same sums everywhere else; it is made of the eight powers of
 * two only, because a CRC is linear: table[a ^ b] = table[a] ^ table[b].
 */
#include "base/codec.h"

#include "base/cursor.h"

#include <string.h>

/* --- base64, RFC 4648 section 4 --- */

static const char base64_digits[64] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

enum { BASE64_LINE = 76 };

/* Encodes at most 3 bytes as 4 characters. */
static void base64_group(char out[4], const unsigned char *in, size_t n)
{
    uint32_t bits = (uint32_t)in[0] << 16;

    if (n > 1)
        bits |= (uint32_t)in[1] << 8;
    if (n > 2)
        bits |= in[2];
    out[0] = base64_digits[bits >> 18];
    out[1] = base64_digits[bits >> 12 & 63];
    out[2] = n > 1 ? base64_digits[bits >> 6 & 63] : '=';
    out[3] = n > 2 ? base64_digits[bits & 63] : '=';
}

/* Writes the encoding, 4 characters for each 3 bytes begun, and returns their number. */
static size_t base64_fill(char *out, struct slice in)
{
    const unsigned char *bytes = (const unsigned char *)in.data;
    size_t n = 0;

    for (size_t i = 0; i < in.len; i += 3, n += 4)
        base64_group(out + n, bytes + i, in.len - i < 3 ? in.len - i : 3);
    return n;
}

bool base64_encode(struct buf *out, struct slice in)
{
    if (in.len == 0)
        return true;
    char *p = buf_reserve(out, (in.len + 2) / 3 * 4);
    if (p == NULL)
        return false;
    buf_commit(out, base64_fill(p, in));
    return true;
}

static char url_digit(char digit)
{
    if (digit == '+')
        return '-';
    return digit == '/' ? '_' : digit;
}

bool base64url_encode(struct buf *out, struct slice in)
{
    const unsigned char *bytes = (const unsigned char *)in.data;
    size_t len = (in.len * 4 + 2) / 3;
    char *p = len == 0 ? NULL : buf_reserve(out, len), group[4];

    if (p == NULL)
        return len == 0;
    for (size_t i = 0; i < len; i++) {
        size_t at = i / 4 * 3;

        if (i % 4 == 0)
            base64_group(group, bytes + at, in.len - at < 3 ? in.len - at : 3);
        p[i] = url_digit(group[i % 4]);
    }
    buf_commit(out, len);
    return true;
}

bool base64_encode_lines(struct buf *out, struct slice in)
{
    const size_t line_bytes = BASE64_LINE / 4 * 3;

    if (in.len == 0)
        return true;
    size_t lines = (in.len + line_bytes - 1) / line_bytes;
    char *p = buf_reserve(out, (in.len + 2) / 3 * 4 + lines * 2);
    if (p == NULL)
        return false;

    size_t n = 0;
    for (; in.len > 0; in = slice_skip(in, line_bytes)) {
        n += base64_fill(p + n, slice_head(in, line_bytes));
        p[n++] = '\r';
        p[n++] = '\n';
    }
    buf_commit(out, n);
    return true;
}

/* The digit's value, or -1. No table: a password or a header is a few dozen characters. */
static int base64_value(char c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    if (c == '+')
        return 62;
    return c == '/' ? 63 : -1;
}

/* Decodes 4 characters, the last `pad` of which are "=". */
static bool base64_ungroup(char *out, const char in[4], size_t pad)
{
    uint32_t bits = 0;

    for (size_t i = 0; i < 4; i++) {
        int value = i < 4 - pad ? base64_value(in[i]) : 0;
        if (value < 0)
            return false;
        bits = bits << 6 | (uint32_t)value;
    }
    /* bits that no byte takes must be zero, or one value would have many spellings */
    if ((pad == 1 && (bits & 0xff) != 0) || (pad == 2 && (bits & 0xffff) != 0))
        return false;
    out[0] = (char)(bits >> 16 & 0xff);
    if (pad < 2)
        out[1] = (char)(bits >> 8 & 0xff);
    if (pad < 1)
        out[2] = (char)(bits & 0xff);
    return true;
}

static size_t base64_padding(struct slice in)
{
    if (in.data[in.len - 1] != '=')
        return 0;
    return in.data[in.len - 2] != '=' ? 1 : 2;
}

bool base64_decode(struct buf *out, struct slice in)
{
    if (in.len == 0)
        return true;
    if (in.len % 4 != 0)
        return false;
    size_t pad = base64_padding(in), n = in.len / 4 * 3 - pad;
    char *p = buf_reserve(out, n);
    if (p == NULL)
        return false;
    for (size_t i = 0; i < in.len; i += 4, p += 3)
        if (!base64_ungroup(p, in.data + i, i + 4 == in.len ? pad : 0))
            return false;
    buf_commit(out, n);
    return true;
}

/* --- hex --- */

static const char hex_lower[16] = "0123456789abcdef";
static const char hex_upper[16] = "0123456789ABCDEF";

/* The upper case digit's value, or -1. */
static int hex_upper_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

static int hex_value(char c)
{
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : hex_upper_value(c);
}

bool hex_encode(struct buf *out, struct slice in)
{
    if (in.len == 0)
        return true;
    char *p = buf_reserve(out, in.len * 2);
    if (p == NULL)
        return false;
    for (size_t i = 0; i < in.len; i++) {
        unsigned char byte = (unsigned char)in.data[i];
        *p++ = hex_lower[byte >> 4];
        *p++ = hex_lower[byte & 15];
    }
    buf_commit(out, in.len * 2);
    return true;
}

bool hex_decode(struct buf *out, struct slice in)
{
    if (in.len == 0)
        return true;
    if (in.len % 2 != 0)
        return false;
    char *p = buf_reserve(out, in.len / 2);
    if (p == NULL)
        return false;
    for (size_t i = 0; i < in.len; i += 2) {
        int high = hex_value(in.data[i]), low = hex_value(in.data[i + 1]);
        if (high < 0 || low < 0)
            return false;
        *p++ = (char)(unsigned char)(high << 4 | low);
    }
    buf_commit(out, in.len / 2);
    return true;
}

/* "=3D" and "+2B": a mark and two upper case digits. */
static size_t put_marked(char *out, char mark, char c)
{
    unsigned char byte = (unsigned char)c;

    out[0] = mark;
    out[1] = hex_upper[byte >> 4];
    out[2] = hex_upper[byte & 15];
    return 3;
}

static bool take_marked(struct cursor *c, char mark, char *out)
{
    if (c->rest.len < 3 || c->rest.data[0] != mark)
        return false;
    int high = hex_upper_value(c->rest.data[1]), low = hex_upper_value(c->rest.data[2]);
    if (high < 0 || low < 0)
        return false;
    *out = (char)(unsigned char)(high << 4 | low);
    c->rest = slice_skip(c->rest, 3);
    return true;
}

/* --- quoted-printable, RFC 2045 6.7 --- */

enum { QP_LINE = 76 };

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

/* Printable ASCII and blanks, except the mark. */
static bool qp_plain(char c)
{
    return is_blank(c) || (c > ' ' && c < 0x7f && c != '=');
}

static bool take_crlf(struct cursor *c)
{
    if (!slice_starts(c->rest, SLICE("\r\n")))
        return false;
    c->rest = slice_skip(c->rest, 2);
    return true;
}

static bool at_line_end(struct slice rest)
{
    return rest.len == 0 || slice_starts(rest, SLICE("\r\n"));
}

bool qp_encode(struct buf *out, struct slice in)
{
    struct cursor c = {in};
    size_t before = buf_len(out), column = 0;

    while (c.rest.len > 0) {
        char piece[6];
        size_t n = 0, width;

        if (take_crlf(&c)) {
            if (!buf_append(out, SLICE("\r\n")))
                goto full;
            column = 0;
            continue;
        }
        char byte = c.rest.data[0];
        c.rest = slice_skip(c.rest, 1);
        bool plain = qp_plain(byte) && !(is_blank(byte) && at_line_end(c.rest));
        width = plain ? 1 : 3;
        /* the last column is kept for "=" unless the line ends here */
        if (column + width > QP_LINE - (at_line_end(c.rest) ? 0U : 1U)) {
            memcpy(piece, "=\r\n", 3); /* NOLINT(bugprone-not-null-terminated-result) */
            n = 3;
            column = 0;
        }
        if (plain)
            piece[n++] = byte;
        else
            n += put_marked(piece + n, '=', byte);
        column += width;
        if (!buf_append(out, (struct slice){piece, n}))
            goto full;
    }
    return true;

full:
    buf_truncate(out, before);
    return false;
}

/* A run of blanks: kept inside a line, dropped at its end, where a mail system added it. */
static size_t qp_blanks(struct cursor *c, char *out)
{
    size_t n = 0;

    while (n < c->rest.len && is_blank(c->rest.data[n]))
        n++;
    struct slice run = slice_head(c->rest, n);
    c->rest = slice_skip(c->rest, n);
    if (n == 0 || at_line_end(c->rest))
        return 0;
    memcpy(out, run.data, n);
    return n;
}

/* "=" [blanks] CRLF: a line end that is not part of the text. */
static bool qp_take_soft_break(struct cursor *c)
{
    struct cursor ahead = *c;

    if (!take_char(&ahead, '='))
        return false;
    take_blanks(&ahead);
    if (!take_crlf(&ahead))
        return false;
    *c = ahead;
    return true;
}

bool qp_decode(struct buf *out, struct slice in)
{
    struct cursor c = {in};
    size_t n = 0;

    if (in.len == 0)
        return true;
    char *p = buf_reserve(out, in.len); /* never longer than its encoding */
    if (p == NULL)
        return false;
    while (c.rest.len > 0) {
        char byte = c.rest.data[0];
        if (is_blank(byte)) {
            n += qp_blanks(&c, p + n);
        } else if (qp_plain(byte)) {
            p[n++] = byte;
            c.rest = slice_skip(c.rest, 1);
        } else if (take_crlf(&c)) {
            p[n++] = '\r';
            p[n++] = '\n';
        } else if (take_marked(&c, '=', &byte)) {
            p[n++] = byte;
        } else if (!qp_take_soft_break(&c)) {
            return false;
        }
    }
    buf_commit(out, n);
    return true;
}

/* --- xtext, RFC 3461 4 --- */

static bool xtext_plain(char c)
{
    return c > ' ' && c < 0x7f && c != '+' && c != '=';
}

bool xtext_encode(struct buf *out, struct slice in)
{
    size_t before = buf_len(out);

    for (size_t i = 0; i < in.len; i++) {
        char piece[3] = {in.data[i]};
        size_t n = xtext_plain(in.data[i]) ? 1 : put_marked(piece, '+', in.data[i]);
        if (!buf_append(out, (struct slice){piece, n})) {
            buf_truncate(out, before);
            return false;
        }
    }
    return true;
}

bool xtext_decode(struct buf *out, struct slice in)
{
    struct cursor c = {in};
    size_t before = buf_len(out);

    while (c.rest.len > 0) {
        char byte = c.rest.data[0];
        if (xtext_plain(byte))
            c.rest = slice_skip(c.rest, 1);
        else if (!take_marked(&c, '+', &byte))
            goto bad;
        if (!buf_append_char(out, byte))
            goto bad;
    }
    return true;

bad:
    buf_truncate(out, before);
    return false;
}

/* --- CRC32C --- */

/* The remainder of byte n, as the sum of the remainders of its bits. */
#define CRC_BIT(n, bit, remainder) ((n)&1U << (bit) ? (remainder) : 0U)
#define CRC_1(n)                                                                                   \
    (CRC_BIT(n, 0, 0xf26b8303U) ^ CRC_BIT(n, 1, 0xe13b70f7U) ^ CRC_BIT(n, 2, 0xc79a971fU) ^        \
     CRC_BIT(n, 3, 0x8ad958cfU) ^ CRC_BIT(n, 4, 0x105ec76fU) ^ CRC_BIT(n, 5, 0x20bd8edeU) ^        \
     CRC_BIT(n, 6, 0x417b1dbcU) ^ CRC_BIT(n, 7, 0x82f63b78U))
#define CRC_4(n)  CRC_1(n), CRC_1((n) + 1U), CRC_1((n) + 2U), CRC_1((n) + 3U)
#define CRC_16(n) CRC_4(n), CRC_4((n) + 4U), CRC_4((n) + 8U), CRC_4((n) + 12U)
#define CRC_64(n) CRC_16(n), CRC_16((n) + 16U), CRC_16((n) + 32U), CRC_16((n) + 48U)

/* The bits of the constant 0 are none. NOLINTNEXTLINE(misc-redundant-expression) */
static const uint32_t crc_table[256] = {CRC_64(0U), CRC_64(64U), CRC_64(128U), CRC_64(192U)};

uint32_t crc32c_portable(uint32_t seed, struct slice in)
{
    uint32_t crc = ~seed;

    for (size_t i = 0; i < in.len; i++)
        crc = crc >> 8 ^ crc_table[(crc ^ (unsigned char)in.data[i]) & 0xff];
    return ~crc;
}

#if defined(__x86_64__)

__attribute__((target("sse4.2"))) static uint32_t crc32c_sse42(uint32_t seed, struct slice in)
{
    uint64_t crc = ~seed;
    const char *p = in.data, *end = p + in.len;

    for (; end - p >= 8; p += 8) {
        uint64_t word;
        memcpy(&word, p, sizeof(word));
        crc = __builtin_ia32_crc32di(crc, word);
    }
    for (; p < end; p++)
        crc = __builtin_ia32_crc32qi((uint32_t)crc, (unsigned char)*p);
    return ~(uint32_t)crc;
}

uint32_t crc32c(uint32_t seed, struct slice in)
{
    if (in.len == 0)
        return seed;
    return __builtin_cpu_supports("sse4.2") ? crc32c_sse42(seed, in) : crc32c_portable(seed, in);
}

#else

uint32_t crc32c(uint32_t seed, struct slice in)
{
    return crc32c_portable(seed, in);
}

#endif
