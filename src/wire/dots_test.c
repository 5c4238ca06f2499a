/*
 * dots_test.c - one row, one sentence about where a message ends; run whole, byte by byte and in
 * random pieces, always with the same result. Then random soups of CR, LF and dots against a
 * reader so simple that it cannot be wrong, and from our writer through our reader.
 */
#include "check.h"

#include "wire/dots.h"

enum { BODY_MAX = 200000 };

struct result {
    bool ended;
    struct slice left;
    struct dots_reader reader;
};

/* Feeds the input in pieces of 1 to `piece` bytes, drawn from *seed. */
static struct result read_in_pieces(enum line_ends line_ends, struct slice in, size_t piece,
                                    uint32_t *seed, struct buf *body)
{
    struct result got = {.left = in};
    struct slice run;

    dots_reader_init(&got.reader, line_ends);
    while (got.left.len > 0) {
        size_t n = piece;
        if (seed != NULL) {
            *seed = *seed * 1664525 + 1013904223;
            n = 1 + (*seed >> 16) % piece;
        }
        struct slice chunk = guarded(slice_head(got.left, n));
        struct cursor c = {chunk};
        enum dots_progress progress;
        while ((progress = dots_read(&got.reader, &c, &run)) == DOTS_RUN) {
            check(run.len > 0);
            check(buf_append(body, run));
        }
        got.left = slice_skip(got.left, chunk.len - c.rest.len);
        guarded_free(chunk);
        got.ended = progress == DOTS_END;
        if (got.ended)
            break;
    }
    return got;
}

struct row {
    const struct slice in;
    enum line_ends line_ends;
    bool ends;
    struct slice body, left;
    bool bare_cr, bare_lf, nul, eight_bit;
    size_t line_len_max;
};

#define S       SLICE_INIT
#define NONE    SLICE_INIT("")

#define STRICT  LINE_ENDS_STRICT
#define REPAIR  LINE_ENDS_REPAIR
#define ENDS    true
#define GOES_ON false

/* clang-format off */
static const struct row rows[] = {
    /* RFC 5321 4.1.1.4: CRLF.CRLF ends; the first CRLF is content, or DATA's own */
    {S(".\r\n"),                  STRICT, ENDS,    NONE,                NONE,        .line_len_max = 0},
    {S("a\r\n.\r\n"),             STRICT, ENDS,    S("a\r\n"),          NONE,        .line_len_max = 1},
    {S("a\r\n.\r\nQUIT\r\n"),     STRICT, ENDS,    S("a\r\n"),          S("QUIT\r\n"), .line_len_max = 1},
    {S("\r\n.\r\n\r\n"),          STRICT, ENDS,    S("\r\n"),           S("\r\n"),   .line_len_max = 0},
    {S(".\r\n.\r\n"),             STRICT, ENDS,    NONE,                S(".\r\n"),  .line_len_max = 0},
    {S("abc\r\nab\r\n"),          STRICT, GOES_ON, S("abc\r\nab\r\n"),  NONE,        .line_len_max = 3},
    {S("a\r\n."),                 STRICT, GOES_ON, S("a\r\n"),          NONE,        .line_len_max = 1},
    {S("a\r\n.\r"),               STRICT, GOES_ON, S("a\r\n"),          NONE,        .line_len_max = 1},
    {S("a."),                     STRICT, GOES_ON, S("a."),             NONE,        .line_len_max = 2},
    {S("a.\r\nb\r\n.\r\n"),       STRICT, ENDS,    S("a.\r\nb\r\n"),    NONE,        .line_len_max = 2},
    /* 4.5.2: a dot that begins a line with more on it is removed, one only */
    {S("..\r\n.\r\n"),            STRICT, ENDS,    S(".\r\n"),          NONE,        .line_len_max = 1},
    {S("...\r\n..a\r\n.b\r\n.\r\n"), STRICT, ENDS, S("..\r\n.a\r\nb\r\n"), NONE,     .line_len_max = 2},
    {S("a\r\n. \r\n.\r\n"),       STRICT, ENDS,    S("a\r\n \r\n"),     NONE,        .line_len_max = 1},
    {S("a.b..c\r\n.\r\n"),        STRICT, ENDS,    S("a.b..c\r\n"),     NONE,        .line_len_max = 6},
    /* nothing else ends */
    {S("a\n.\nb"),                STRICT, GOES_ON, S("a\n.\nb"),        NONE, .bare_lf = true, .line_len_max = 5},
    {S("a\n.\r\nb"),              STRICT, GOES_ON, S("a\n.\r\nb"),      NONE, .bare_lf = true, .line_len_max = 3},
    {S("a\r\n.\nb"),              STRICT, GOES_ON, S("a\r\n\nb"),       NONE, .bare_lf = true, .line_len_max = 2},
    {S("a\r.\rb"),                STRICT, GOES_ON, S("a\r.\rb"),        NONE, .bare_cr = true, .line_len_max = 5},
    {S("a\r\n.\rb"),              STRICT, GOES_ON, S("a\r\n\rb"),       NONE, .bare_cr = true, .line_len_max = 2},
    {S("a\r.\r\nb"),              STRICT, GOES_ON, S("a\r.\r\nb"),      NONE, .bare_cr = true, .line_len_max = 3},
    {S("a\r\r\n.\r\r\nb"),        STRICT, GOES_ON, S("a\r\r\n\r\r\nb"), NONE, .bare_cr = true, .line_len_max = 2},
    {S("a\n\r.\n\rb"),            STRICT, GOES_ON, S("a\n\r.\n\rb"),    NONE, .bare_cr = true, .bare_lf = true, .line_len_max = 7},
    {S("a\r\n\0.\r\n"),           STRICT, GOES_ON, S("a\r\n\0.\r\n"),   NONE, .nul = true, .line_len_max = 2},
    {S("a\r\n.\0\r\n"),           STRICT, GOES_ON, S("a\r\n\0\r\n"),    NONE, .nul = true, .line_len_max = 1},
    {S("a\r\0\n.\r\n"),           STRICT, GOES_ON, S("a\r\0\n.\r\n"),   NONE, .bare_cr = true, .bare_lf = true, .nul = true, .line_len_max = 5},
    /* a spoilt message still ends */
    {S("a\nb\r\n.\r\nX"),         STRICT, ENDS,    S("a\nb\r\n"),       S("X"), .bare_lf = true, .line_len_max = 3},
    {S(".\r\r\n.\r\nX"),          STRICT, ENDS,    S("\r\r\n"),         S("X"), .bare_cr = true, .line_len_max = 1},
    {S(".\r.\r\n.\r\n"),          STRICT, ENDS,    S("\r.\r\n"),        NONE, .bare_cr = true, .line_len_max = 2},
    {S("\n"),                     STRICT, GOES_ON, S("\n"),             NONE, .bare_lf = true, .line_len_max = 1},
    /* a CR that still waits for its LF is not bare yet */
    {S("a\r"),                    STRICT, GOES_ON, S("a\r"),            NONE, .line_len_max = 1},
    {S("a\r\r"),                  STRICT, GOES_ON, S("a\r\r"),          NONE, .bare_cr = true, .line_len_max = 2},
    /* repair: LF is written as CRLF, and ends nothing */
    {S("a\nb\r\nc\n.\r\n"),       REPAIR, GOES_ON, S("a\r\nb\r\nc\r\n.\r\n"), NONE, .bare_lf = true, .line_len_max = 1},
    {S("a\n.\nb"),                REPAIR, GOES_ON, S("a\r\n.\r\nb"),    NONE, .bare_lf = true, .line_len_max = 1},
    {S("a\r\n.\nb"),              REPAIR, GOES_ON, S("a\r\n\r\nb"),     NONE, .bare_lf = true, .line_len_max = 1},
    {S("a\n..\nb"),               REPAIR, GOES_ON, S("a\r\n..\r\nb"),   NONE, .bare_lf = true, .line_len_max = 2},
    {S("\n\n\r\n.\r\nX"),         REPAIR, ENDS,    S("\r\n\r\n\r\n"),   S("X"), .bare_lf = true, .line_len_max = 0},
    {S("a\r.\r\n.\r\nX"),         REPAIR, ENDS,    S("a\r.\r\n"),       S("X"), .bare_cr = true, .line_len_max = 3},
    {S("a\r\n.\rb\n"),            REPAIR, GOES_ON, S("a\r\n\rb\r\n"),   NONE, .bare_cr = true, .bare_lf = true, .line_len_max = 2},
    /* bytes to be told */
    {S("\xc3\xa4\r\n.\r\n"),      STRICT, ENDS,    S("\xc3\xa4\r\n"),   NONE, .eight_bit = true, .line_len_max = 2},
    {S("0123456789\x80 9\r\n"),   STRICT, GOES_ON, S("0123456789\x80 9\r\n"), NONE, .eight_bit = true, .line_len_max = 13},
    {S("0123456\x80 789\r\n"),    STRICT, GOES_ON, S("0123456\x80 789\r\n"), NONE, .eight_bit = true, .line_len_max = 12},
    {S("\x7f\1\r\n"),             STRICT, GOES_ON, S("\x7f\1\r\n"),     NONE, .line_len_max = 2},
};

/* clang-format on */

static void check_result(const struct row *row, size_t piece, uint32_t *seed)
{
    struct buf body;

    buf_init(&body, BODY_MAX);
    struct result got = read_in_pieces(row->line_ends, row->in, piece, seed, &body);
    check_int(got.ended, row->ends);
    check_slice(buf_slice(&body), row->body);
    check_slice(got.left, row->left);
    check_int(got.reader.bare_cr, row->bare_cr);
    check_int(got.reader.bare_lf, row->bare_lf);
    check_int(got.reader.nul, row->nul);
    check_int(got.reader.eight_bit, row->eight_bit);
    check_int(got.reader.line_len_max, row->line_len_max);
    buf_done(&body);
}

static void only_crlf_dot_crlf_ends(void **state)
{
    uint32_t seed = 1;

    (void)state;
    CHECK_ROWS (i, rows) {
        check_result(&rows[i], SIZE_MAX, NULL);
        check_result(&rows[i], 1, NULL);
        for (int run = 0; run < 50; run++)
            check_result(&rows[i], 4, &seed);
    }
}

/* The clean part of a message comes as one run, straight from the input. */
static void runs_are_borrowed_and_long(void **state)
{
    static const char text[] = "Subject: x\r\n\r\nline\r\n\r\na.b\r\n..c\r\n.\r\nNOOP";
    struct cursor c = {
        {text, sizeof(text) - 1}
    };
    struct dots_reader r;
    struct slice run;

    (void)state;
    dots_reader_init(&r, LINE_ENDS_STRICT);
    check_int(dots_read(&r, &c, &run), DOTS_RUN);
    check_slice(run, SLICE("Subject: x\r\n\r\nline\r\n\r\na.b\r\n"));
    check(run.data == text);
    check_int(dots_read(&r, &c, &run), DOTS_RUN);
    check_slice(run, SLICE(".c\r\n"));
    check_int(dots_read(&r, &c, &run), DOTS_END);
    check_slice(c.rest, SLICE("NOOP"));
}

/* What the RFC says, one byte at a time with the whole input in view. */
static struct result read_simply(enum line_ends line_ends, struct slice in, struct buf *body)
{
    struct result got = {.left = in};
    bool line_start = true;
    size_t i = 0;

    while (i < in.len) {
        struct slice rest = slice_skip(in, i);
        if (line_start && rest.data[0] == '.') {
            if (slice_starts(rest, SLICE(".\r\n"))) {
                got.ended = true;
                got.left = slice_skip(rest, 3);
                return got;
            }
            if (slice_equal(rest, SLICE(".\r")))
                break; /* it may still become the end */
            line_start = false;
            i++;
            continue;
        }
        line_start = false;
        if (slice_starts(rest, SLICE("\r\n"))) {
            buf_append(body, SLICE("\r\n"));
            line_start = true;
            i += 2;
        } else if (rest.data[0] == '\n' && line_ends == LINE_ENDS_REPAIR) {
            buf_append(body, SLICE("\r\n"));
            i++;
        } else {
            buf_append_char(body, rest.data[0]);
            i++;
        }
    }
    got.left = (struct slice){0};
    return got;
}

static void agrees_with_simple_reader(void **state)
{
    static const char alphabet[] = "\r\n.\r\n.a";
    uint32_t seed = 99;

    (void)state;
    for (int run = 0; run < 20000; run++) {
        struct buf want, got;
        char bytes[24];
        size_t len = (seed = seed * 1664525 + 1013904223) >> 16 & 15;
        enum line_ends line_ends = run % 2 == 0 ? LINE_ENDS_STRICT : LINE_ENDS_REPAIR;

        check_row = (size_t)run;
        for (size_t i = 0; i < len; i++)
            bytes[i] = alphabet[((seed = seed * 1664525 + 1013904223) >> 16) % 7];
        buf_init(&want, BODY_MAX);
        buf_init(&got, BODY_MAX);
        struct result simple = read_simply(line_ends, (struct slice){bytes, len}, &want);
        struct result result =
            read_in_pieces(line_ends, (struct slice){bytes, len}, 1 + (size_t)run % 9, &seed, &got);
        check_int(result.ended, simple.ended);
        check_slice(result.left, simple.left);
        check_slice(buf_slice(&got), buf_slice(&want));
        buf_done(&want);
        buf_done(&got);
    }
}

/* The end straddles every offset around the sizes that buffers have. */
static void ends_at_buffer_edges(void **state)
{
    static const size_t edges[] = {4096, 8192, 16384, 65536};
    static const struct slice sequences[] = {
        S("\r\n.\r\n"), S("\n.\n"), S("\n.\r\n"), S("\r\n.\n"), S("\r.\r"), S("\r\n..\r\n"),
    };
    static char text[66000];

    (void)state;
    memset(text, 'x', sizeof(text));
    CHECK_ROWS (i, edges) {
        for (size_t k = 0; k < sizeof(sequences) / sizeof(*sequences); k++) {
            for (size_t back = 0; back <= sequences[k].len; back++) {
                struct slice in = {text, edges[i] + 100};
                struct buf body;
                memcpy(text + edges[i] - back, sequences[k].data, sequences[k].len);
                buf_init(&body, BODY_MAX);
                struct result got = read_in_pieces(LINE_ENDS_STRICT, in, edges[i], NULL, &body);
                check_int(got.ended, k == 0);
                if (k == 0)
                    check_int(got.left.len, 100 + back - sequences[k].len);
                buf_done(&body);
                memset(text + edges[i] - back, 'x', sequences[k].len);
            }
        }
    }
}

/* What has been used to make two servers see two messages: each is content for us, and the whole
 * input one message. */
static void smuggling_is_content(void **state)
{
    static const struct slice sequences[] = {
        S("\n\n.\n\n"),
        S("\n\r.\n\r"),
        S("\n.\n"),
        S("\n.\r"),
        S("\n.\r\n"),
        S("\x0b.\x0b"),
        S("\r\n\0.\r\n"),
        S("\r\n .\r\n"),
        S("\r\n.\0\r\n"),
        S("\r\n.\n"),
        S("\r\n.\r"),
        S("\r\n.\r\r\n"),
        S("\r\n. \r\n"),
        S("\r\n..\r\n"),
        S("\r\r\n.\r\r\n"),
        S("\r.\n"),
        S("\r.\r"),
        S("\r.\r\n"),
        S("\xc2\x85.\xc2\x85"),
        S("\x85.\x85"),
        S("\xe2\x80\xa8.\xe2\x80\xa8"),
        S("\r\n\xef\xbb\xbf.\r\n"),
    };
    static const struct slice before = S("Subject: x\r\n\r\na");
    static const struct slice behind = S("MAIL FROM:<smuggled@attacker.example>\r\n"
                                         "DATA\r\nSubject: smuggled\r\n\r\nx\r\n.\r\n");

    (void)state;
    CHECK_ROWS (i, sequences) {
        for (size_t piece = 1; piece < 140; piece++) {
            struct buf in, body;
            buf_init(&in, 1000);
            buf_init(&body, 1000);
            check(buf_append(&in, before) && buf_append(&in, sequences[i]));
            check(buf_append(&in, behind));
            struct result got = read_in_pieces(piece % 2 == 0 ? STRICT : REPAIR, buf_slice(&in),
                                               piece / 2 + 1, NULL, &body);
            check(got.ended && got.left.len == 0);
            check(slice_ends(buf_slice(&body), SLICE("smuggled\r\n\r\nx\r\n")));
            buf_done(&in);
            buf_done(&body);
        }
    }
}

static bool write_in_pieces(struct slice in, size_t piece, struct buf *out)
{
    struct dots_writer w;

    dots_writer_init(&w);
    for (; in.len > 0; in = slice_skip(in, piece)) {
        struct slice chunk = guarded(slice_head(in, piece));
        bool written = dots_write(&w, out, chunk);
        guarded_free(chunk);
        if (!written)
            return false;
    }
    return dots_finish(&w, out);
}

static void writer_stuffs_and_ends(void **state)
{
    static const struct {
        struct slice content;
        bool ok;
        struct slice wire;
    } writes[] = {
        {NONE,                        true,  S(".\r\n")                         },
        {S("a"),                      true,  S("a\r\n.\r\n")                    },
        {S("a\r\n"),                  true,  S("a\r\n.\r\n")                    },
        {S("."),                      true,  S("..\r\n.\r\n")                   },
        {S(".\r\n.\r\n..\r\na.\r\n"), true,  S("..\r\n..\r\n...\r\na.\r\n.\r\n")},
        {S("\r\n\r\n"),               true,  S("\r\n\r\n.\r\n")                 },
        {S("a.b\r\n\xc3\xa4"),        true,  S("a.b\r\n\xc3\xa4\r\n.\r\n")      },
        {S("a\nb"),                   false, NONE                               },
        {S("\n"),                     false, NONE                               },
        {S("a\r\n\n"),                false, NONE                               },
        {S("a\rb"),                   false, NONE                               },
        {S("a\r"),                    false, NONE                               },
        {S("a\r\r\n"),                false, NONE                               },
        {S("a\r\n.\n"),               false, NONE                               },
        {S("a\r\n.\r"),               false, NONE                               },
        {S("a\0b"),                   false, NONE                               },
    };

    (void)state;
    CHECK_ROWS (i, writes) {
        for (size_t piece = 1; piece < 20; piece++) {
            struct buf out;
            buf_init(&out, 1000);
            check_int(write_in_pieces(writes[i].content, piece, &out), writes[i].ok);
            if (writes[i].ok)
                check_slice(buf_slice(&out), writes[i].wire);
            struct slice sent = buf_slice(&out);
            for (size_t at = 0; at < sent.len; at++) {
                check(sent.data[at] != '\0');
                if (sent.data[at] == '\n')
                    check(at > 0 && sent.data[at - 1] == '\r');
                if (sent.data[at] == '\r')
                    check(at + 1 < sent.len && sent.data[at + 1] == '\n');
            }
            buf_done(&out);
        }
    }
}

static void refused_write_changes_nothing(void **state)
{
    struct dots_writer w;
    struct buf out;

    (void)state;
    buf_init(&out, 10);
    dots_writer_init(&w);
    check(dots_write(&w, &out, SLICE("a\r\n")));
    check(!dots_write(&w, &out, SLICE(".b\r\nc\n")));
    check(!dots_write(&w, &out, SLICE(".b\r\n.c\r\n")));
    check_slice(buf_slice(&out), SLICE("a\r\n"));
    check(dots_write(&w, &out, SLICE(".")));
    check_slice(buf_slice(&out), SLICE("a\r\n.."));
    check(dots_finish(&w, &out));
    check_slice(buf_slice(&out), SLICE("a\r\n..\r\n.\r\n"));
    buf_done(&out);
}

static void writer_to_reader(void **state)
{
    static const struct slice words[] = {S("\r\n"), S("."), S("a"), S("\r\n.\r\n"), S("..")};
    uint32_t seed = 5;

    (void)state;
    for (int run = 0; run < 5000; run++) {
        struct buf content, wire, back;

        check_row = (size_t)run;
        buf_init(&content, 1000);
        buf_init(&wire, 2000);
        buf_init(&back, 2000);
        for (int n = run % 20; n > 0; n--)
            buf_append(&content, words[((seed = seed * 1664525 + 1013904223) >> 16) % 5]);
        buf_append(&content, SLICE("\r\n"));
        check(write_in_pieces(buf_slice(&content), 1 + (size_t)run % 7, &wire));
        check(buf_append(&wire, SLICE("RSET")));
        struct result got =
            read_in_pieces(LINE_ENDS_STRICT, buf_slice(&wire), 1 + (size_t)run % 5, &seed, &back);
        check(got.ended && !got.reader.bare_cr && !got.reader.bare_lf);
        check_slice(got.left, SLICE("RSET"));
        check_slice(buf_slice(&back), buf_slice(&content));
        buf_done(&content);
        buf_done(&wire);
        buf_done(&back);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_crlf_dot_crlf_ends),
        cmocka_unit_test(runs_are_borrowed_and_long),
        cmocka_unit_test(agrees_with_simple_reader),
        cmocka_unit_test(ends_at_buffer_edges),
        cmocka_unit_test(smuggling_is_content),
        cmocka_unit_test(writer_stuffs_and_ends),
        cmocka_unit_test(refused_write_changes_nothing),
        cmocka_unit_test(writer_to_reader),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
