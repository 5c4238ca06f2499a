/*
 * header_test.c - fields from a table; what was written is read back as the one field it was;
 * the watch gives the same result for any pieces.
 */
#include "check.h"

#include "wire/header.h"

#define S SLICE_INIT

enum { FIELDS_MAX = 4 };

static void takes_fields(void **state)
{
    static const struct {
        struct slice header;

        struct {
            struct slice name, value;
        } fields[FIELDS_MAX];
        struct slice left;
    } rows[] = {
        {S("A: 1\r\nB:2\r\n\r\nbody"),                   {{S("A"), S(" 1")}, {S("B"), S("2")}},  S("\r\nbody")    },
        {S("A: 1\nB: 2\n\nbody"),                        {{S("A"), S(" 1")}, {S("B"), S(" 2")}}, S("\nbody")      },
        {S("A: 1\r\n 2\r\n\t3\r\nB:\r\n"),
         {{S("A"), S(" 1\r\n 2\r\n\t3")}, {S("B"), S("")}},
         S("")                                                                                                    },
        {S("A:\r\n 1\r\n"),                              {{S("A"), S("\r\n 1")}},                S("")            },
 /* RFC 5322 4.5: blanks before the colon */
        {S("A \t: 1\r\n"),                               {{S("A"), S(" 1")}},                    S("")            },
 /* a line of blanks continues, an empty line does not */
        {S("A: 1\r\n \r\n\r\n"),                         {{S("A"), S(" 1\r\n ")}},               S("\r\n")        },
 /* input that ends early */
        {S("A: 1"),                                      {{S("A"), S(" 1")}},                    S("")            },
        {S("A: 1\r"),                                    {{S("A"), S(" 1\r")}},                  S("")            },
        {S("A: 1\r\n "),                                 {{S("A"), S(" 1\r\n ")}},               S("")            },
        {S("A:"),                                        {{S("A"), S("")}},                      S("")            },
 /* bytes stay as they are */
        {S("A: \xe4\0\x01:\r x\r\n"),                    {{S("A"), S(" \xe4\0\x01:\r x")}},      S("")            },
 /* no fields */
        {S(""),                                          {{S(""), S("")}},                       S("")            },
        {S("A"),                                         {{S(""), S("")}},                       S("A")           },
        {S("A 1\r\n"),                                   {{S(""), S("")}},                       S("A 1\r\n")     },
        {S(": 1\r\n"),                                   {{S(""), S("")}},                       S(": 1\r\n")     },
        {S(" A: 1\r\n"),                                 {{S(""), S("")}},                       S(" A: 1\r\n")   },
        {S("A b: 1\r\n"),                                {{S(""), S("")}},                       S("A b: 1\r\n")  },
        {S("\xe4: 1\r\n"),                               {{S(""), S("")}},                       S("\xe4: 1\r\n") },
        {S("A\r\n: 1\r\n"),                              {{S(""), S("")}},                       S("A\r\n: 1\r\n")},
        {S("From a@b Sun Nov 22 02:14:22 2026\nA: 1\n"),
         {{S(""), S("")}},
         S("From a@b Sun Nov 22 02:14:22 2026\nA: 1\n")                                                           },
    };

    (void)state;
    CHECK_ROWS (i, rows) {
        struct slice in = guarded(rows[i].header);
        struct cursor c = {in};
        struct header_field field;
        const char *next = in.data;
        for (size_t k = 0; k < FIELDS_MAX && rows[i].fields[k].name.len > 0; k++) {
            check(header_take_field(&c, &field));
            check_slice(field.name, rows[i].fields[k].name);
            check_slice(field.value, rows[i].fields[k].value);
            check(field.whole.data == next && next + field.whole.len == c.rest.data);
            next = c.rest.data;
        }
        check(!header_take_field(&c, &field));
        check_slice(c.rest, rows[i].left);
        guarded_free(in);
    }
}

static void splits(void **state)
{
    static const struct {
        struct slice message;
        bool found;
        struct slice header, body;
    } rows[] = {
        {S("A: 1\r\n\r\nbody"),     true,  S("A: 1\r\n"),       S("body")        },
        {S("A: 1\n\nbody\r\n\r\n"), true,  S("A: 1\n"),         S("body\r\n\r\n")},
        {S("\r\nbody"),             true,  S(""),               S("body")        },
        {S("\n"),                   true,  S(""),               S("")            },
        {S("A: 1\r\n\r\n"),         true,  S("A: 1\r\n"),       S("")            },
        {S("A: 1\r\n"),             false, S("A: 1\r\n"),       S("")            },
        {S("A: 1\r\n\r"),           false, S("A: 1\r\n\r"),     S("")            },
        {S("A: 1\r\n\r\r\n\n"),     true,  S("A: 1\r\n\r\r\n"), S("")            },
        {S(""),                     false, S(""),               S("")            },
    };

    (void)state;
    CHECK_ROWS (i, rows) {
        struct slice in = guarded(rows[i].message), header, body;
        check_int(header_split(in, &header, &body), rows[i].found);
        check_slice(header, rows[i].header);
        check_slice(body, rows[i].body);
        guarded_free(in);
    }
}

static void finds(void **state)
{
    struct slice header = SLICE("Received: 1\r\nSubject: x\r\n y\r\nreceived: 2\r\n\r\nTo: body");
    struct header_field field;

    (void)state;
    check(header_find(header, SLICE("RECEIVED"), &field));
    check_slice(field.value, SLICE(" 1"));
    check(header_find(header, SLICE("subject"), &field));
    check_slice(field.value, SLICE(" x\r\n y"));
    check(!header_find(header, SLICE("Receive"), &field));
    check(!header_find(header, SLICE("To"), &field));
}

static void unfolds(void **state)
{
    static const struct {
        struct slice raw, line;
    } rows[] = {
        {S(" a"),                    S("a")   },
        {S(" a  b\t"),               S("a  b")},
        {S(" a\r\n b"),              S("a b") },
        {S(" a\n\t b"),              S("a b") },
        {S(" a \t\r\n \t b"),        S("a b") },
        {S("\r\n a\r\n \r\n b\r\n"), S("a b") },
        {S("a\rb"),                  S("a\rb")},
        {S("a\nb"),                  S("a b") },
        {S(""),                      S("")    },
        {S("\r\n"),                  S("")    },
    };
    struct arena arena;

    (void)state;
    arena_init(&arena);
    CHECK_ROWS (i, rows) {
        struct slice raw = guarded(rows[i].raw);
        struct slice line = header_unfold(&arena, raw);
        guarded_free(raw);
        check_slice(line, rows[i].line);
    }
    arena_done(&arena);
}

#define X10 "xxxxxxxxxx"
#define X70 X10 X10 X10 X10 X10 X10 X10

static void writes(void **state)
{
    static const struct {
        struct slice name, value;
        bool ok;
        struct slice field;
    } rows[] = {
        {S("A"),      S("1"),                 true,  S("A: 1\r\n")                      },
        {S("A"),      S(""),                  true,  S("A:\r\n")                        },
        {S("A"),      S("  \t "),             true,  S("A:\r\n")                        },
        {S("A"),      S(" 1  2\t3 "),         true,  S("A: 1  2\t3\r\n")                },
        {S("A"),      S("\xc3\xa4"),          true,  S("A: \xc3\xa4\r\n")               },
 /* nothing begins a field of its own */
        {S("A"),      S("1\r\nB: 2"),         true,  S("A: 1??B: 2\r\n")                },
        {S("A"),      S("1\nB\r2\0\x1b\x7f"), true,  S("A: 1?B?2???\r\n")               },
        {S("A"),      S("\r\n\r\nbody"),      true,  S("A: ????body\r\n")               },
        {S("A\r\nB"), S("1"),                 false, S("")                              },
        {S("A:"),     S("1"),                 false, S("")                              },
        {S("A b"),    S("1"),                 false, S("")                              },
        {S(""),       S("1"),                 false, S("")                              },
        {S(X70 X10),  S("1"),                 false, S("")                              },
 /* 78 columns, and the blank that is folded at stays */
        {S("A"),      S(X70 " 3456"),         true,  S("A: " X70 " 3456\r\n")           },
        {S("A"),      S(X70 " 34567"),        true,  S("A: " X70 "\r\n 34567\r\n")      },
        {S("A"),      S(X70 "\t  34567"),     true,  S("A: " X70 "\r\n\t  34567\r\n")   },
        {S("A"),      S("1 " X70 X70 " 2"),   true,  S("A: 1\r\n " X70 X70 "\r\n 2\r\n")},
        {S("A"),      S(X70 X70),             true,  S("A: " X70 X70 "\r\n")            },
    };

    (void)state;
    CHECK_ROWS (i, rows) {
        struct slice value = guarded(rows[i].value);
        struct buf out;
        buf_init(&out, 1000);
        check(buf_append(&out, SLICE("B: 1\r\n")));
        check_int(header_write(&out, rows[i].name, value), rows[i].ok);
        check_slice(slice_skip(buf_slice(&out), 6), rows[i].field);
        size_t len = buf_len(&out);
        buf_done(&out);
        if (rows[i].ok) { /* one byte less room */
            buf_init(&out, len - 7);
            check(!header_write(&out, rows[i].name, value));
            check_int(buf_len(&out), 0);
            buf_done(&out);
        }
        guarded_free(value);
    }
}

/* '@' stands for 498 letters. */
static void folds_long_lines(void **state)
{
    static const struct {
        const char *header;
        const char *folded; /* NULL: it cannot be */
    } rows[] = {
        {"S: x\r\n y\r\n\r\n",           "S: x\r\n y\r\n\r\n"              },
        {"S: @ @\r\n\r\n",               "S: @\r\n @\r\n\r\n"              },
        {"S: @ @ @ @\r\nT: u",           "S: @\r\n @ @\r\n @\r\nT: u"      },
        {"S: x\r\n\t@\t@ab\r\nT: u\r\n", "S: x\r\n\t@\r\n\t@ab\r\nT: u\r\n"},
        {"S: @@\r\n",                    "S:\r\n @@\r\n"                   },
        {"S:@@ab\r\n",                   NULL                              },
        {"S: @@ab\r\n",                  NULL                              },
        {"S: @@  \r\n",                  NULL                              },
        {"S: @@ \r\n",                   "S:\r\n @@ \r\n"                  },
        {"S : @@\r\n",                   "S :\r\n @@\r\n"                  },
        {"no field, @@\r\n",             NULL                              },
    };

    (void)state;
    CHECK_ROWS (i, rows) {
        struct buf in, out, want;

        buf_init(&in, 4096);
        buf_init(&want, 4096);
        for (const char *c = rows[i].header; *c != '\0'; c++)
            for (unsigned n = 0; n < (*c == '@' ? 498 : 1); n++)
                buf_append_char(&in, *c == '@' ? 'a' : *c);
        for (const char *c = rows[i].folded; c != NULL && *c != '\0'; c++)
            for (unsigned n = 0; n < (*c == '@' ? 498 : 1); n++)
                buf_append_char(&want, *c == '@' ? 'a' : *c);
        struct slice header = guarded(buf_slice(&in));
        buf_init(&out, HEADER_FOLDED_MAX(header.len));
        check_int(header_fold_long(&out, header), rows[i].folded != NULL);
        check_slice(buf_slice(&out), buf_slice(&want));
        guarded_free(header);
        buf_done(&in);
        buf_done(&out);
        buf_done(&want);
    }
}

static uint32_t next_random(uint32_t *seed)
{
    *seed = *seed * 1664525 + 1013904223;
    return *seed >> 16;
}

/* Whatever the value: one field, lines within bounds, and the same words when unfolded. */
static void written_is_read_back(void **state)
{
    static const char alphabet[] = "   \tab\xc3\xa4\r\n:";
    uint32_t seed = 3;
    struct arena arena;

    (void)state;
    arena_init(&arena);
    for (int run = 0; run < 3000; run++) {
        char bytes[3000];
        size_t len = next_random(&seed) % (run % 10 == 0 ? sizeof(bytes) : 200);
        size_t words = run % 3 == 0 ? sizeof(alphabet) - 1 : 1;
        struct buf out;
        struct header_field field;

        check_row = (size_t)run;
        for (size_t i = 0; i < len; i++)
            bytes[i] = words == 1 ? (char)next_random(&seed) : alphabet[next_random(&seed) % words];
        if (run % 3 == 1)
            memset(bytes, "x "[run % 2], len); /* one long word, or blanks only */
        buf_init(&out, 10000);
        check(header_write(&out, SLICE("Subject"), (struct slice){bytes, len}));
        struct cursor c = {buf_slice(&out)};
        check(header_take_field(&c, &field) && cursor_at_end(&c));
        check_slice(field.name, SLICE("Subject"));

        struct slice rest = buf_slice(&out), line;
        while (slice_cut(rest, '\n', &line, &rest)) {
            check(line.len > 0 && line.len <= 999 && line.data[line.len - 1] == '\r');
            check(slice_find(line, '\r') == line.len - 1 && slice_find(line, '\0') == line.len);
            check(slice_trim(slice_head(line, line.len - 1)).len > 0);
        }
        check_int(rest.len, 0);
        buf_done(&out);
        arena_reset(&arena);
    }
    arena_done(&arena);
}

static void encodes_text(void **state)
{
    static const struct {
        struct slice text, words;
    } rows[] = {
        {S(""),                                               S("")                            },
        {S("plain =?x?="),                                    S("plain =?x?=")                 },
        {S("\xc3\xa4"),                                       S("=?UTF-8?B?w6Q=?=")            },
        {S("a \xc3\xa4\r\nB: 1"),                             S("=?UTF-8?B?YSDDpD8/QjogMQ==?=")},
        {S("\xff\xc2\x85"),                                   S("=?UTF-8?B?Pz8=?=")            },
 /* 39 bytes a word, no character torn */
        {S("01234567890123456789012345678901234567\xc3\xa4"),
         S("=?UTF-8?B?MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDEyMzQ1Njc=?= "
           "=?UTF-8?B?w6Q=?=")                                                                 },
        {S("0123456789012345678901234567890123456\xc3\xa4"),
         S("=?UTF-8?B?MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDEyMzQ1NsOk?=")                 },
    };
    struct arena arena;

    (void)state;
    arena_init(&arena);
    CHECK_ROWS (i, rows) {
        struct slice text = guarded(rows[i].text);
        check_slice(header_encode_text(&arena, text), rows[i].words);
        guarded_free(text);
    }

    /* four-byte characters fill words worst: nothing is lost */
    char smile[4000];
    for (size_t i = 0; i < sizeof(smile); i += 4)
        memcpy(smile + i, "\xf0\x9f\x98\x80", 4);
    struct slice words = header_encode_text(&arena, (struct slice){smile, sizeof(smile)});
    check(slice_ends(words, SLICE("?=")));
    check_int(words.len, 111 * (60 + 1) + 20); /* 111 words of 9 characters, one of 1 */
    arena_done(&arena);
}

static void watches(void **state)
{
    static const struct {
        struct slice message;
        bool ended;
        unsigned received_count;
        uint64_t header_bytes;
        struct slice message_id;
        bool has_message_id, has_date, has_from;
    } rows[] = {
  /* clang-format off */
        {S(""), .header_bytes = 0},
        {S("\r\nReceived: x\r\n"), .ended = true, .header_bytes = 2},
        {S("\nbody"), .ended = true, .header_bytes = 1},
        {S("Received: x\r\nrecEIVED : y\r\n z\r\nReceived-SPF: q\r\n\r\nReceived: body\r\n"),
         .ended = true, .received_count = 2, .header_bytes = 50},
        {S("Date: x\r\nFrom: y\r\nMessage-ID: <a@b>\r\n\r\n"),
         .ended = true, .header_bytes = 39, .message_id = S("<a@b>"), .has_message_id = true,
         .has_date = true, .has_from = true},
        /* folded; the first one counts */
        {S("message-id:\r\n\t <a@b> \r\n (c)\r\nX: y\r\n z\r\nMessage-Id: <2>\r\n"),
         .header_bytes = 56, .message_id = S("<a@b>  (c)"), .has_message_id = true},
        {S("Message-ID:\r\nMessage-ID: <2>\r\n\r\n"),
         .ended = true, .header_bytes = 32, .has_message_id = true},
        {S(" Date: x\r\nX: Date: x\r\nDate\r\n: x\r\nDate x: y\r\nUpdate: x\r\n"),
         .header_bytes = 55},
        /* a name longer than any we know, and one that only begins like it */
        {S("Message-Identifier: <1>\r\nMessage-I: <2>\r\nFromm: x\r\n"), .header_bytes = 51},
        /* a CR alone at a line's start is no empty line */
        {S("A: 1\r\n\r Date: x\r\nDate: y\r\n"), .header_bytes = 26, .has_date = true},
  /* clang-format on */
    };

    (void)state;
    CHECK_ROWS (i, rows) {
        for (size_t piece = 1; piece <= rows[i].message.len + 1; piece++) {
            struct header_watch w;
            header_watch_init(&w);
            for (struct slice rest = rows[i].message; rest.len > 0;
                 rest = slice_skip(rest, piece)) {
                struct slice chunk = guarded(slice_head(rest, piece));
                header_watch_feed(&w, chunk);
                guarded_free(chunk);
            }
            check_int(w.ended, rows[i].ended);
            check_int(w.received_count, rows[i].received_count);
            check_int(w.header_bytes, rows[i].header_bytes);
            check_slice(header_watch_message_id(&w), rows[i].message_id);
            check_int(w.has_message_id, rows[i].has_message_id);
            check_int(w.has_date, rows[i].has_date);
            check_int(w.has_from, rows[i].has_from);
        }
    }
}

static void long_message_id_is_cut(void **state)
{
    struct header_watch w;

    (void)state;
    header_watch_init(&w);
    header_watch_feed(&w, SLICE("Message-ID: <"));
    for (int i = 0; i < 100; i++)
        header_watch_feed(&w, SLICE("xxxxx"));
    header_watch_feed(&w, SLICE(">\r\n\r\n"));
    check(w.ended);
    check_int(header_watch_message_id(&w).len, HEADER_WATCH_VALUE_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(takes_fields),
        cmocka_unit_test(splits),
        cmocka_unit_test(finds),
        cmocka_unit_test(unfolds),
        cmocka_unit_test(writes),
        cmocka_unit_test(folds_long_lines),
        cmocka_unit_test(written_is_read_back),
        cmocka_unit_test(encodes_text),
        cmocka_unit_test(watches),
        cmocka_unit_test(long_message_id_is_cut),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
