/*
 * fuzz_codec.c - encoders and decoders are each other's inverse, and decoders strict.
 */
#include "fuzz.h"

#include "base/codec.h"

enum { OUT_MAX = 1 << 20, QP_LINE_MAX = 76 };

struct codec {
    bool (*encode)(struct buf *out, struct slice in);
    bool (*decode)(struct buf *out, struct slice in);
    bool one_form; /* every value has one encoded form only */
};

static const struct codec codecs[] = {
    {base64_encode, base64_decode, true },
    {hex_encode,    hex_decode,    false},
    {qp_encode,     qp_decode,     false},
    {xtext_encode,  xtext_decode,  false},
};

static void check_there_and_back(const struct codec *codec, struct slice plain)
{
    struct buf encoded, decoded;

    buf_init(&encoded, OUT_MAX);
    buf_init(&decoded, OUT_MAX);
    must(codec->encode(&encoded, plain));
    for (size_t i = 0; i < buf_len(&encoded); i++)
        must((unsigned char)buf_slice(&encoded).data[i] < 0x80);
    must(codec->decode(&decoded, buf_slice(&encoded)));
    must(slice_equal(buf_slice(&decoded), plain));
    buf_done(&encoded);
    buf_done(&decoded);
}

static void check_decoded(const struct codec *codec, struct slice text)
{
    struct buf plain, encoded;

    buf_init(&plain, OUT_MAX);
    buf_init(&encoded, OUT_MAX);
    must(buf_append(&plain, SLICE("before")));
    if (codec->decode(&plain, text)) {
        struct slice got = slice_skip(buf_slice(&plain), 6);

        check_there_and_back(codec, got);
        must(codec->encode(&encoded, got));
        must(!codec->one_form || slice_equal(buf_slice(&encoded), text));
    } else {
        must(slice_equal(buf_slice(&plain), SLICE("before")));
    }
    buf_done(&plain);
    buf_done(&encoded);
}

static void check_qp_lines(struct slice plain)
{
    struct buf encoded;
    struct slice rest, line;

    buf_init(&encoded, OUT_MAX);
    must(qp_encode(&encoded, plain));
    rest = buf_slice(&encoded);
    while (slice_cut(rest, '\n', &line, &rest)) {
        must(slice_ends(line, SLICE("\r")) && line.len - 1 <= QP_LINE_MAX);
        must(line.len == 1 || (line.data[line.len - 2] != ' ' && line.data[line.len - 2] != '\t'));
    }
    must(rest.len <= QP_LINE_MAX);
    buf_done(&encoded);
}

static void check_base64_lines(struct slice plain)
{
    struct buf lines, joined, decoded;
    struct slice rest, line;

    buf_init(&lines, OUT_MAX);
    buf_init(&joined, OUT_MAX);
    buf_init(&decoded, OUT_MAX);
    must(base64_encode_lines(&lines, plain));
    rest = buf_slice(&lines);
    while (slice_cut(rest, '\n', &line, &rest)) {
        must(slice_ends(line, SLICE("\r")) && line.len - 1 <= QP_LINE_MAX);
        must(buf_append(&joined, slice_head(line, line.len - 1)));
    }
    must(rest.len == 0);
    must(base64_decode(&decoded, buf_slice(&joined)));
    must(slice_equal(buf_slice(&decoded), plain));
    buf_done(&lines);
    buf_done(&joined);
    buf_done(&decoded);
}

static void check_sum(struct slice bytes)
{
    size_t half = bytes.len / 3;
    uint32_t sum = crc32c(7, bytes);

    must(sum == crc32c_portable(7, bytes));
    must(sum == crc32c(crc32c(7, slice_head(bytes, half)), slice_skip(bytes, half)));
}

void fuzz_input(struct slice input)
{
    for (size_t i = 0; i < sizeof(codecs) / sizeof(*codecs); i++) {
        check_there_and_back(&codecs[i], input);
        check_decoded(&codecs[i], input);
    }
    check_qp_lines(input);
    check_base64_lines(input);
    check_sum(input);
}
