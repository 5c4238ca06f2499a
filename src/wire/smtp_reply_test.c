/*
 * smtp_reply_test.c - what replies look like, and what is made of a peer's, in any chunking.
 */
#include "check.h"

#include "wire/smtp_reply.h"
#include "wire/utf8.h"

#define WRITES(code, enhanced, text, written)                                                      \
    {                                                                                              \
        {code, SLICE_INIT(enhanced), SLICE_INIT(text)}, SLICE_INIT(written)                        \
    }

static const struct {
    struct reply reply;
    struct slice written;
} writes[] = {
    WRITES(250, "2.1.0", "Ok", "250 2.1.0 Ok\r\n"),
    WRITES(354, "", "End with .", "354 End with .\r\n"),
    WRITES(550, "5.7.1", "No\nnever\n", "550-5.7.1 No\r\n550-5.7.1 never\r\n550 5.7.1\r\n"),
    WRITES(250, "", "mx\nSIZE 1\nHELP", "250-mx\r\n250-SIZE 1\r\n250 HELP\r\n"),
    /* RFC 5321 4.2: the blank is sent also when there is no text */
    WRITES(220, "", "", "220 \r\n"),
    /* no byte begins a line, moves a cursor or breaks UTF-8 */
    WRITES(550, "5.1.1", "<a\r\t\0\x1b\x7f|> gr\xc3\xbc\xc3\x9f",
           "550 5.1.1 <a?????|> gr\xc3\xbc\xc3\x9f\r\n"),
    WRITES(550, "5.1.1", "\xfc \xc2\x9b \xe2\x82 \xc0\x80", "550 5.1.1 ? ?? ?? ??\r\n"),
};

static void replies_are_written(void **state)
{
    struct buf out;

    (void)state;
    CHECK_ROWS (i, writes)
        for (size_t max = 0; max <= writes[i].written.len; max++) {
            bool fits = max == writes[i].written.len;
            buf_init(&out, max);
            check_int(reply_write(&out, &writes[i].reply), fits);
            check_slice(buf_slice(&out), fits ? writes[i].written : SLICE(""));
            buf_done(&out);
        }
}

/* Text of many lengths: no line above 512 bytes, nothing lost but the blanks at the breaks. */
static void long_text_is_wrapped(void **state)
{
    static const struct slice words[] = {SLICE_INIT("word "), SLICE_INIT("x"),
                                         SLICE_INIT("\xe2\x82\xac"), SLICE_INIT("\xc3\xbc ")};
    struct buf text, out, joined;

    (void)state;
    CHECK_ROWS (i, words)
        for (size_t count = 60; count < 800; count++) {
            buf_init(&text, 5000);
            buf_init(&out, 10000);
            buf_init(&joined, 5000);
            for (size_t n = 0; n < count; n++)
                buf_append(&text, words[i]);
            struct reply r = {451, SLICE("4.7.1"), buf_slice(&text)};
            check(reply_write(&out, &r));

            struct slice line, rest = buf_slice(&out);
            while (slice_cut(rest, '\n', &line, &rest)) {
                check(line.len + 1 <= REPLY_LINE_MAX && slice_ends(line, SLICE("\r")));
                check(slice_starts(line, rest.len > 0 ? SLICE("451-4.7.1") : SLICE("451 4.7.1")));
                line = slice_skip(slice_head(line, line.len - 1), sizeof("451-4.7.1 ") - 1);
                check(utf8_valid(line));
                buf_append(&joined, line);
                if (rest.len > 0 && slice_ends(words[i], SLICE(" ")))
                    buf_append_char(&joined, ' ');
            }
            check_int(rest.len, 0);
            check_slice(buf_slice(&joined), buf_slice(&text));
            buf_done(&text);
            buf_done(&out);
            buf_done(&joined);
        }
}

static const struct {
    struct slice line;
    bool ok, more;
    unsigned code;
    struct slice text;
} reply_lines[] = {
    {SLICE_INIT("250 Ok"),   true,  false, 250, SLICE_INIT("Ok")  },
    {SLICE_INIT("250-Ok"),   true,  true,  250, SLICE_INIT("Ok")  },
    {SLICE_INIT("250"),      true,  false, 250, SLICE_INIT("")    },
    {SLICE_INIT("250-"),     true,  true,  250, SLICE_INIT("")    },
    {SLICE_INIT("599  two"), true,  false, 599, SLICE_INIT(" two")},
    {SLICE_INIT(""),         false, false, 0,   SLICE_INIT("")    },
    {SLICE_INIT("25"),       false, false, 0,   SLICE_INIT("")    },
    {SLICE_INIT("2500"),     false, false, 0,   SLICE_INIT("")    },
    {SLICE_INIT("250Ok"),    false, false, 0,   SLICE_INIT("")    },
    {SLICE_INIT(" 250 Ok"),  false, false, 0,   SLICE_INIT("")    },
    {SLICE_INIT("25x Ok"),   false, false, 0,   SLICE_INIT("")    },
    {SLICE_INIT("199 Ok"),   false, false, 0,   SLICE_INIT("")    },
    {SLICE_INIT("600 Ok"),   false, false, 0,   SLICE_INIT("")    },
};

static void one_line(void **state)
{
    (void)state;
    CHECK_ROWS (i, reply_lines) {
        struct slice line = guarded(reply_lines[i].line);
        struct reply_line got = {.code = 0};
        check_int(reply_line_parse(line, &got), reply_lines[i].ok);
        check_int(got.code, reply_lines[i].code);
        check_int(got.more, reply_lines[i].more);
        check_slice(got.text, reply_lines[i].text);
        guarded_free(line);
    }
}

static const struct {
    struct slice text;
    bool ok;
    struct slice code, left;
} enhanced_codes[] = {
    {SLICE_INIT("5.1.1 No"),    true,  SLICE_INIT("5.1.1"),     SLICE_INIT("No")        },
    {SLICE_INIT("2.0.0"),       true,  SLICE_INIT("2.0.0"),     SLICE_INIT("")          },
    {SLICE_INIT("4.123.999 x"), true,  SLICE_INIT("4.123.999"), SLICE_INIT("x")         },
    {SLICE_INIT("3.0.0 x"),     false, SLICE_INIT(""),          SLICE_INIT("3.0.0 x")   },
    {SLICE_INIT("5.1.1234 x"),  false, SLICE_INIT(""),          SLICE_INIT("5.1.1234 x")},
    {SLICE_INIT("5.1 x"),       false, SLICE_INIT(""),          SLICE_INIT("5.1 x")     },
    {SLICE_INIT("5..1 x"),      false, SLICE_INIT(""),          SLICE_INIT("5..1 x")    },
    {SLICE_INIT("5.1.1: x"),    false, SLICE_INIT(""),          SLICE_INIT("5.1.1: x")  },
    {SLICE_INIT("5.1.1.1 x"),   false, SLICE_INIT(""),          SLICE_INIT("5.1.1.1 x") },
    {SLICE_INIT("55.1.1 x"),    false, SLICE_INIT(""),          SLICE_INIT("55.1.1 x")  },
    {SLICE_INIT("5"),           false, SLICE_INIT(""),          SLICE_INIT("5")         },
    {SLICE_INIT(""),            false, SLICE_INIT(""),          SLICE_INIT("")          },
};

static void enhanced_codes_are_taken(void **state)
{
    (void)state;
    CHECK_ROWS (i, enhanced_codes) {
        struct slice text = guarded(enhanced_codes[i].text), code = {NULL, 0};
        struct cursor c = {text};
        check_int(enhanced_code_take(&c, &code), enhanced_codes[i].ok);
        check_slice(code, enhanced_codes[i].code);
        check_slice(c.rest, enhanced_codes[i].left);
        guarded_free(text);
    }
}

struct read_row {
    struct slice in;
    enum reply_progress progress;
    unsigned code;
    struct slice text, enhanced, left;
    bool cut;
};

#define WHOLE(in, code, text, enhanced, left)                                                      \
    {                                                                                              \
        SLICE_INIT(in), REPLY_COMPLETE, code, SLICE_INIT(text), SLICE_INIT(enhanced),              \
            SLICE_INIT(left), false                                                                \
    }
#define CUT(in, code, text)                                                                        \
    {                                                                                              \
        SLICE_INIT(in), REPLY_COMPLETE, code, SLICE_INIT(text), SLICE_INIT(""), SLICE_INIT(""),    \
            true                                                                                   \
    }
#define OTHER(bytes, what)                                                                         \
    {                                                                                              \
        .in = SLICE_INIT(bytes), .progress = what                                                  \
    }

#define TEN "0123456789"

enum { TEXT_MAX = 40 };

static const struct read_row reads[] = {
    WHOLE("250 2.1.0 Ok\r\n", 250, "2.1.0 Ok", "2.1.0", ""),
    WHOLE("250\r\n", 250, "", "", ""),
    WHOLE("250 Ok\n", 250, "Ok", "", ""),
    WHOLE("250 Ok\r\r\n", 250, "Ok", "", ""),
    WHOLE("250 Ok\r\n354 go\r\n", 250, "Ok", "", "354 go\r\n"),
    WHOLE("250-mx\r\n250-SIZE 1\r\n250 HELP\r\n", 250, "mx\nSIZE 1\nHELP", "", ""),
    WHOLE("250-mx\n250-SIZE 1\n250 HELP\n", 250, "mx\nSIZE 1\nHELP", "", ""),
    WHOLE("550-5.1.1 a\r\n550 5.1.1 b\r\n", 550, "5.1.1 a\n5.1.1 b", "5.1.1", ""),
    WHOLE("550-5.1.1\r\n550 b\r\n", 550, "5.1.1\nb", "", ""),
    WHOLE("250-\r\n250\r\n", 250, "\n", "", ""),
    /* a class that contradicts the code tells nothing: RFC 2034 3 */
    WHOLE("550 2.0.0 Ok\r\n", 550, "2.0.0 Ok", "", ""),
    /* neither a bare CR nor a NUL makes a line, and neither gets into a log */
    WHOLE("250 a\rb\0c\x1b\t\r\n", 250, "a?b?c??", "", ""),
    WHOLE("250 gr\xfc\xdf\r\n", 250, "gr\xfc\xdf", "", ""),
    OTHER("", REPLY_MORE),
    OTHER("250 Ok", REPLY_MORE),
    OTHER("250 Ok\r", REPLY_MORE),
    OTHER("250-a\r\n", REPLY_MORE),
    OTHER("\r\n", REPLY_BROKEN),
    OTHER("250-mx\r\n250-SIZE 1\n250 HELP\r\n", REPLY_BROKEN),
    OTHER("250-mx\n250 HELP\r\n", REPLY_BROKEN),
    OTHER("HTTP/1.1 400 Bad Request\r\n", REPLY_BROKEN),
    OTHER("250-a\r\n251 b\r\n", REPLY_BROKEN),
    OTHER("250-a\r\nb\r\n", REPLY_BROKEN),
    OTHER("22X Ok\r\n", REPLY_BROKEN),
    /* text_max is 40 */
    CUT("250 " TEN TEN TEN TEN "x\r\n", 250, TEN TEN TEN TEN),
    CUT("250-" TEN TEN TEN TEN "x\r\n250 y\r\n", 250, TEN TEN TEN TEN),
};

/* Gives the bytes in pieces of so many, keeping what was not taken, as a connection does. */
static enum reply_progress feed(struct reply_reader *r, struct slice bytes, size_t piece,
                                struct slice *left)
{
    size_t start = 0, given = 0;
    enum reply_progress progress = REPLY_MORE;

    while (progress == REPLY_MORE && given < bytes.len) {
        given = given + piece < bytes.len ? given + piece : bytes.len;
        struct slice held = guarded(slice_skip(slice_head(bytes, given), start));
        struct cursor c = {held};
        progress = reply_read(r, &c);
        if (progress == REPLY_MORE)
            check(c.rest.len <= REPLY_READ_LINE_MAX);
        start += held.len - c.rest.len;
        guarded_free(held);
    }
    *left = slice_skip(bytes, start);
    return progress;
}

static void replies_are_read_in_any_chunks(void **state)
{
    struct reply_reader r;

    (void)state;
    reply_reader_init(&r, TEXT_MAX);
    CHECK_ROWS (i, reads)
        for (size_t piece = 1; piece <= reads[i].in.len + 1; piece++) {
            const struct read_row *row = &reads[i];
            struct slice left;
            reply_reader_reset(&r);
            check_int(feed(&r, row->in, piece, &left), row->progress);
            if (row->progress != REPLY_COMPLETE)
                continue;
            check_int(r.code, row->code);
            check_slice(buf_slice(&r.text), row->text);
            check_slice(r.enhanced, row->enhanced);
            check_slice(left, row->left);
            check_int(r.cut, row->cut);
        }
    reply_reader_done(&r);
}

/* Lines around the bound and far beyond it: same result in any chunking, bounded memory. */
static void long_lines_lose_their_end(void **state)
{
    static const size_t lens[] = {REPLY_READ_LINE_MAX - 5, REPLY_READ_LINE_MAX - 4,
                                  REPLY_READ_LINE_MAX - 3, 3 * REPLY_READ_LINE_MAX, 100000};
    static const size_t pieces[] = {1000000, 4096, REPLY_READ_LINE_MAX + 1, 1000, 97};
    struct reply_reader r;
    struct buf in;

    (void)state;
    reply_reader_init(&r, 10000);
    buf_init(&in, 200000);
    CHECK_ROWS (i, lens)
        for (size_t p = 0; p < sizeof(pieces) / sizeof(*pieces); p++) {
            struct slice left;
            size_t kept = lens[i] + 4 < REPLY_READ_LINE_MAX ? lens[i] : REPLY_READ_LINE_MAX - 4;
            buf_clear(&in);
            buf_append(&in, SLICE("250-"));
            for (size_t n = 0; n < lens[i]; n++)
                buf_append_char(&in, 'x');
            buf_append(&in, SLICE("\n250 end\n251 next\r\n"));

            reply_reader_reset(&r);
            check_int(feed(&r, buf_slice(&in), pieces[p], &left), REPLY_COMPLETE);
            check_slice(left, SLICE("251 next\r\n"));
            check_int(r.lines, 2);
            check_int(buf_len(&r.text), kept + sizeof("\nend") - 1);
            check(slice_ends(buf_slice(&r.text), SLICE("x\nend")));
            check_int(r.cut, kept < lens[i]);
        }
    buf_done(&in);
    reply_reader_done(&r);
}

static void a_reply_ends(void **state)
{
    struct reply_reader r;
    unsigned lines = 0;

    (void)state;
    reply_reader_init(&r, TEXT_MAX);
    for (;; lines++) {
        struct cursor c = {SLICE("250-more\r\n")};
        if (reply_read(&r, &c) != REPLY_MORE)
            break;
        check(lines <= REPLY_READ_LINES_MAX);
    }
    check_int(lines, REPLY_READ_LINES_MAX);
    check(buf_len(&r.text) <= TEXT_MAX);
    reply_reader_done(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(replies_are_written),
        cmocka_unit_test(long_text_is_wrapped),
        cmocka_unit_test(one_line),
        cmocka_unit_test(enhanced_codes_are_taken),
        cmocka_unit_test(replies_are_read_in_any_chunks),
        cmocka_unit_test(long_lines_lose_their_end),
        cmocka_unit_test(a_reply_ends),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
