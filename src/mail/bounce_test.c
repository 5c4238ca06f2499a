/*
 * bounce_test.c - who is told of what, what comes back, and that a reader of MIME finds it where it
 * belongs, whatever others said.
 */
#include "mail/bounce.h"

#include "base/codec.h"
#include "wire/header.h"
#include "wire/mime.h"
#include "wire/utf8.h"

#include "check.h"

#define ADDRESS(name, of)                                                                          \
    {                                                                                              \
        .kind = ADDRESS_MAILBOX, .local = SLICE_INIT(name), .domain = SLICE_INIT(of)               \
    }
#define NOBODY                                                                                     \
    {                                                                                              \
        .kind = ADDRESS_NULL                                                                       \
    }

static const struct address ann = ADDRESS("ann", "a.example");
static const struct address aenn = {.kind = ADDRESS_MAILBOX,
                                    .local = SLICE_INIT("\xc3\xa4nn"),
                                    .domain = SLICE_INIT("a.example"),
                                    .utf8 = true};
static const struct address bob = ADDRESS("bob", "b.example");
static const struct address root = ADDRESS("root", "mx.a.example");
static const struct address nobody = NOBODY;
static const struct address bare = {.kind = ADDRESS_BARE, .local = SLICE_INIT("Postmaster")};

/* --- who is told --- */

enum { NEVER = NOTIFY_NEVER, SUCCESS = NOTIFY_SUCCESS, FAILURE = NOTIFY_FAILURE };

enum { DELAY = NOTIFY_DELAY, ALL = NOTIFY_SUCCESS | NOTIFY_FAILURE | NOTIFY_DELAY };

/* One row for each NOTIFY: is a report owed of it having FAILED, been DELAYED, DELIVERED, RELAYED?
 */
static const struct {
    unsigned notify;
    enum by_mode by;
    bool trace;
    const char *owed;
} owed[] = {
    {0,                 BY_UNSAID, false, "fd  "},
    {NEVER,             BY_UNSAID, false, "    "},
    {SUCCESS,           BY_UNSAID, false, "  sr"},
    {FAILURE,           BY_UNSAID, false, "f   "},
    {DELAY,             BY_UNSAID, false, " d  "},
    {SUCCESS | FAILURE, BY_UNSAID, false, "f sr"},
    {SUCCESS | DELAY,   BY_UNSAID, false, " dsr"},
    {FAILURE | DELAY,   BY_UNSAID, false, "fd  "},
    {ALL,               BY_UNSAID, false, "fdsr"},
 /* RFC 2852 4 */
    {FAILURE,           BY_RETURN, false, "f   "},
    {FAILURE,           BY_NOTIFY, false, "fd r"},
    {FAILURE,           BY_RETURN, true,  "f  r"},
    {NEVER,             BY_NOTIFY, true,  "    "},
};

static const enum bounce_event events[] = {BOUNCE_FAILED, BOUNCE_DELAYED, BOUNCE_DELIVERED,
                                           BOUNCE_RELAYED};

static void what_the_sender_asked_for(void **state)
{
    (void)state;
    CHECK_ROWS (i, owed) {
        struct envelope_rcpt rcpts[] = {
            {.original = bob, .final = bob, .notify = NEVER         },
            {.original = bob, .final = bob, .notify = owed[i].notify},
        };
        struct envelope e = {.sender = ann, .rcpts = rcpts, .rcpt_count = 2};

        e.wishes.by = owed[i].by;
        e.wishes.by_trace = owed[i].trace;
        for (size_t k = 0; k < 4; k++) {
            bool is = owed[i].owed[k] != ' ';

            e.sender = ann;
            check_int(bounce_is_owed(&e, 1, events[k]), is);
            check_int(bounce_fate(&e, 1, events[k], false, &root),
                      is ? BOUNCE_TO_SENDER : BOUNCE_SILENT);
            check(!bounce_is_owed(&e, 0, events[k]));
            e.sender = nobody;
            check(!bounce_is_owed(&e, 1, events[k]));
            check_int(bounce_fate(&e, 1, events[k], false, &root), BOUNCE_SILENT);
        }
    }
}

static const struct {
    const struct address *original, *final;
    enum bounce_event event;
    bool our_own;
    const struct address *postmaster;
    enum bounce_fate fate;
} fates[] = {
    {&bob,  &bob,  BOUNCE_FAILED,    true,  &root,   BOUNCE_TO_POSTMASTER},
    {&bob,  &bob,  BOUNCE_FAILED,    true,  &ann,    BOUNCE_TO_POSTMASTER},
 /* somebody else's report, or what pretends to be one */
    {&bob,  &bob,  BOUNCE_FAILED,    false, &root,   BOUNCE_SILENT       },
 /* it is still tried, or it arrived */
    {&bob,  &bob,  BOUNCE_DELAYED,   true,  &root,   BOUNCE_SILENT       },
    {&bob,  &bob,  BOUNCE_DELIVERED, true,  &root,   BOUNCE_SILENT       },
    {&bob,  &bob,  BOUNCE_RELAYED,   true,  &root,   BOUNCE_SILENT       },
 /* postmaster's own: by name, by where it led, by the name that stands for both */
    {&root, &root, BOUNCE_FAILED,    true,  &root,   BOUNCE_SILENT       },
    {&root, &bob,  BOUNCE_FAILED,    true,  &root,   BOUNCE_SILENT       },
    {&bob,  &root, BOUNCE_FAILED,    true,  &root,   BOUNCE_SILENT       },
    {&bare, &bob,  BOUNCE_FAILED,    true,  &root,   BOUNCE_SILENT       },
 /* there is none */
    {&bob,  &bob,  BOUNCE_FAILED,    true,  &nobody, BOUNCE_SILENT       },
};

static void what_becomes_of_mail_from_nobody(void **state)
{
    (void)state;
    CHECK_ROWS (i, fates) {
        /* NEVER stands in our own reports; it silences no notice */
        for (unsigned notify = 0; notify <= NOTIFY_NEVER; notify++) {
            struct envelope_rcpt rcpt = {
                .original = *fates[i].original, .final = *fates[i].final, .notify = notify};
            struct envelope e = {.sender = nobody, .rcpts = &rcpt, .rcpt_count = 1};

            check_int(bounce_fate(&e, 0, fates[i].event, fates[i].our_own, fates[i].postmaster),
                      fates[i].fate);
        }
    }
}

/* However it goes, and whoever is postmaster, mail ends after two generations. */
static void nothing_goes_on_for_ever(void **state)
{
    static const struct address *const people[] = {&ann, &bob, &root, &nobody, &bare};

    (void)state;
    for (size_t s = 0; s < 5; s++) {
        for (size_t p = 0; p < 4; p++) {
            struct envelope_rcpt rcpt = {.original = bob, .final = bob};
            struct envelope e = {.sender = *people[s], .rcpts = &rcpt, .rcpt_count = 1};
            enum bounce_fate fate = BOUNCE_TO_SENDER;
            unsigned generations = 0;

            for (; generations < 10; generations++) {
                fate = bounce_fate(&e, 0, BOUNCE_FAILED, generations > 0, people[p]);
                if (fate == BOUNCE_SILENT)
                    break;
                rcpt.original = fate == BOUNCE_TO_SENDER ? e.sender : *people[p];
                rcpt.final = rcpt.original;
                rcpt.notify = NOTIFY_NEVER;
                e.sender = nobody;
            }
            check(generations <= 2 && (people[s] != &nobody || generations == 0));
        }
    }
}

/* --- the header --- */

static const struct {
    const char *start, *header;
} headers[] = {
    {"",                                     ""                           },
    {"A: b\r\n",                             "A: b\r\n"                   },
    {"A: b\r\n\r\nC: d\r\n",                 "A: b\r\n"                   },
    {"A: b\r\n folded\r\nC: d\r\n\r\nbody",  "A: b\r\n folded\r\nC: d\r\n"},
    {"A: b\r\nno field\r\nC: d\r\n\r\nbody", "A: b\r\n"                   },
    {"no field\r\nC: d\r\n\r\nbody",         ""                           },
    {" folded\r\nC: d\r\n\r\nbody",          ""                           },
    {"\r\nC: d\r\n",                         ""                           },
    {"A: b\n\nbody",                         "A: b\n"                     },
    {"A: b",                                 "A: b"                       },
};

static void a_header_without_its_body(void **state)
{
    (void)state;
    CHECK_ROWS (i, headers) {
        struct slice start = guarded(slice_of(headers[i].start));

        check_slice(bounce_header_of(start), slice_of(headers[i].header));
        guarded_free(start);
    }
}

/* Fields of 100 bytes in two lines, then one that passes the bound. */
static void a_header_is_cut_behind_a_field(void **state)
{
    struct buf start;

    (void)state;
    for (size_t last = 20; last <= 120; last++) {
        size_t room = BOUNCE_HEADER_MAX % 100, want = BOUNCE_HEADER_MAX - room;

        buf_init(&start, BOUNCE_FULL_MAX);
        while (buf_len(&start) < want)
            check(buf_printf(&start, "X: %45s\r\n\t%47s\r\n", "a", "b"));
        check(buf_printf(&start, "Last: %*s\r\n", (int)last - 8, "z"));
        want = last <= room ? want + last : want;
        check(buf_printf(&start, "\r\nY: %1000s\r\n", "body"));
        check_int(bounce_header_of(buf_slice(&start)).len, want);
        buf_done(&start);
    }
}

/* --- a report as a reader of MIME sees it --- */

struct part {
    struct slice header, content; /* decoded */
};

struct seen {
    struct slice header;
    struct part parts[4];
    unsigned count;
};

enum { SEEN_MAX = 16 * 1024 * 1024 };

static struct slice value_of(struct slice header, const char *name, struct arena *arena)
{
    struct header_field field;

    return header_find(header, slice_of(name), &field) ? header_unfold(arena, field.value)
                                                       : SLICE("");
}

static void decode(struct part *part, struct arena *arena)
{
    struct slice coding = value_of(part->header, "Content-Transfer-Encoding", arena);
    struct buf out;

    if (!slice_equal(coding, SLICE("quoted-printable"))) {
        check(slice_equal(coding, SLICE("8bit")) || utf8_is_ascii(part->content));
        return;
    }
    check(utf8_is_ascii(part->content));
    buf_init(&out, SEEN_MAX);
    check(qp_decode(&out, part->content));
    part->content = arena_copy(arena, buf_slice(&out));
    buf_done(&out);
}

/* What was gathered belongs to the part at hand. */
static void end_part(struct seen *seen, struct buf *content, struct arena *arena)
{
    if (seen->count > 0)
        seen->parts[seen->count - 1].content = arena_copy(arena, buf_slice(content));
    buf_clear(content);
}

/* What lies within a part stays together, though it may have parts as well. */
static void see_event(struct seen *seen, struct buf *content, const struct mime *m,
                      enum mime_event event, struct slice bytes, struct arena *arena)
{
    bool delimiter = event == MIME_OUTSIDE && m->depth <= 1;

    if (event == MIME_HEADER && m->part.depth == 0) {
        seen->header = arena_copy(arena, bytes);
    } else if (event == MIME_HEADER && m->part.depth == 1) {
        end_part(seen, content, arena);
        check(seen->count < 4);
        seen->parts[seen->count++].header = arena_copy(arena, bytes);
    } else if (!delimiter) {
        check(seen->count > 0 && buf_append(content, bytes));
    }
}

static struct seen see(struct slice report, struct arena *arena)
{
    struct seen seen = {0};
    struct cursor in = {report};
    enum mime_event event;
    struct slice bytes;
    struct buf content;
    struct mime m;

    mime_init(&m);
    mime_end(&m);
    buf_init(&content, SEEN_MAX);
    while ((event = mime_next(&m, &in, &bytes)) != MIME_END)
        see_event(&seen, &content, &m, event, bytes, arena);
    end_part(&seen, &content, arena);
    check(!m.doubtful);
    for (unsigned i = 0; i < seen.count; i++)
        decode(&seen.parts[i], arena);
    buf_done(&content);
    mime_done(&m);
    return seen;
}

static bool is_type(struct slice header, const char *type, struct arena *arena)
{
    return slice_starts(value_of(header, "Content-Type", arena), slice_of(type));
}

static bool holds(struct slice text, const char *wanted)
{
    struct slice word = slice_of(wanted);

    for (; text.len >= word.len; text = slice_skip(text, 1))
        if (slice_starts(text, word))
            return true;
    return false;
}

static const struct bounce_rcpt failed = {.rcpt = 0,
                                          .event = BOUNCE_FAILED,
                                          .status = SLICE_INIT("5.1.1"),
                                          .remote_mta = SLICE_INIT("mx.b.example"),
                                          .reply = SLICE_INIT("550 5.1.1 no")};

static const char message[] = "Message-ID: <1@a.example>\r\nSubject: hi\r\n\r\nhello\r\n";

static struct bounce_input input_of(const struct envelope *e, const struct bounce_rcpt *rcpts,
                                    unsigned count, struct slice content)
{
    return (struct bounce_input){.about = e,
                                 .rcpts = rcpts,
                                 .count = count,
                                 .hostname = SLICE("mx.a.example"),
                                 .unique = SLICE("uniq1234"),
                                 .now_us = UINT64_C(1700000100000000),
                                 .utc_offset_min = 60,
                                 .content = content,
                                 .content_size = content.len};
}

static void a_report_of_several(void **state)
{
    struct envelope_rcpt rcpts[] = {
        {.original = bob, .final = bob, .orcpt = SLICE("rfc822;robert@b.example")},
        {.original = root,               .final = ann           },
        {.original = ann,               .final = ann },
    };
    struct envelope e = {.id = 51,
                         .arrival_us = UINT64_C(1700000000000000),
                         .sender = ann,
                         .rcpts = rcpts,
                         .rcpt_count = 3};
    struct bounce_rcpt told[] = {
        {.rcpt = 1,
         .event = BOUNCE_DELAYED,
         .status = SLICE_INIT("4.4.1"),
         .reply = SLICE_INIT("connection timed out"),
         .tried_us = UINT64_C(1700000060000000),
         .retry_until_us = UINT64_C(1700432000000000)},
        failed,
    };
    static const char first[] = "Reporting-MTA: dns; mx.a.example\r\n"
                                "X-Postroad-Queue-ID: 00000000000z\r\n"
                                "Arrival-Date: Tue, 14 Nov 2023 23:13:20 +0100\r\n";
    static const char second[] = "\r\n"
                                 "Final-Recipient: rfc822; ann@a.example\r\n"
                                 "Action: delayed\r\n"
                                 "Status: 4.4.1\r\n"
                                 "Diagnostic-Code: x-postroad; connection timed out\r\n"
                                 "Last-Attempt-Date: Tue, 14 Nov 2023 23:14:20 +0100\r\n"
                                 "Will-Retry-Until: Sun, 19 Nov 2023 23:13:20 +0100\r\n"
                                 "\r\n"
                                 "Original-Recipient: rfc822; robert@b.example\r\n"
                                 "Final-Recipient: rfc822; bob@b.example\r\n"
                                 "Action: failed\r\n"
                                 "Status: 5.1.1\r\n"
                                 "Remote-MTA: dns; mx.b.example\r\n"
                                 "Diagnostic-Code: smtp; 550 5.1.1 no\r\n";
    struct bounce_input in = input_of(&e, told, 2, slice_of(message));
    struct arena arena = {0};
    bool smtputf8, eight_bit;
    struct seen seen;
    struct buf out;

    (void)state;
    e.wishes.envid = SLICE("order 66");
    told[1].retry_until_us = 1; /* it is over */
    buf_init(&out, BOUNCE_MAX);
    check(bounce_write(&out, &in, &smtputf8, &eight_bit));
    check(!smtputf8 && !eight_bit);
    seen = see(buf_slice(&out), &arena);
    check_int(seen.count, 3);
    check(is_type(seen.header, "multipart/report; report-type=delivery-status;", &arena));
    check_slice(value_of(seen.header, "To", &arena), SLICE("<ann@a.example>"));
    check_slice(value_of(seen.header, "In-Reply-To", &arena), SLICE("<1@a.example>"));
    check_slice(value_of(seen.header, "Auto-Submitted", &arena), SLICE("auto-replied"));
    check(is_type(seen.parts[0].header, "text/plain", &arena));
    check(holds(seen.parts[0].content, "<ann@a.example>\r\n    (you wrote to <root@mx.a.exam"));
    check(is_type(seen.parts[1].header, "message/delivery-status", &arena));
    check_slice(seen.parts[1].content,
                arena_printf(&arena, "Original-Envelope-Id: order 66\r\n%s%s", first, second));
    check(is_type(seen.parts[2].header, "text/rfc822-headers", &arena));
    check_slice(seen.parts[2].content, SLICE("Message-ID: <1@a.example>\r\nSubject: hi\r\n"));
    buf_done(&out);
    arena_done(&arena);
}

/* --- what comes back, to whom it can go --- */

#define U "\xc3\xbc"
#define L "\xfc"

static const struct {
    const char *content;
    const struct address *to;
    bool full;
    bool smtputf8, eight_bit;
    const char *type;
    const char *back; /* NULL: all of it */
} returns[] = {
    {"S: x\r\n\r\ny\r\n",                                                                 &ann,  false, false, false, "text/rfc822-headers",    "S: x\r\n"      },
    {"S: x\r\n\r\ny\r\n",                                                                 &ann,  true,  false, false, "message/rfc822",         NULL            },
    {"S: x\r\n\r\n",                                                                      &ann,  true,  false, false, "message/rfc822",         NULL            },
    {"S: x\r\n\r\ny",                                                                     &ann,  true,  false, false, "message/rfc822",         NULL            },
    {"S: x\r\n\r\n" U "\r\n",                                                             &ann,  false, false, false, "text/rfc822-headers",    "S: x\r\n"      },
    {"S: x\r\n\r\n" U "\r\n",                                                             &ann,  true,  false, true,  "message/rfc822",         NULL            },
    {"S: " U "\r\n\r\ny\r\n",                                                             &ann,  false, false, false, "message/global-headers", "S: " U "\r\n"  },
    {"S: " U "\r\n\r\n" U "\r\n",                                                         &ann,  true,  false, false, "message/global",         NULL            },
    {"S: " U "\r\n\r\ny\r\n",                                                             &aenn, false, true,  true,  "message/global-headers", "S: " U "\r\n"  },
    {"S: " U "\r\n\r\n" U "\r\n",                                                         &aenn, true,  true,  true,  "message/global",         NULL            },
    {"S: x\r\n\r\ny\r\n",                                                                 &aenn, true,  true,  true,  "message/rfc822",         NULL            },
    {"S: " L "\r\n\r\ny\r\n",                                                             &ann,  false, false, false, "text/rfc822-headers",    "S: " L "\r\n"  },
    {"S: " L "\r\n\r\ny\r\n",                                                             &ann,  true,  false, true,  "message/rfc822",         NULL            },
    {"S: " L "\r\n\r\ny\r\n",                                                             &aenn, false, true,  true,  "text/rfc822-headers",    "S: " L "\r\n"  },
 /* parts within come back as they are */
    {"Content-Type: multipart/mixed; boundary=z\r\n\r\n--z\r\n\r\na\r\n--z--\r\nend\r\n", &ann,
     true,                                                                                              false, false, "message/rfc822",         NULL            },
    {"Content-Type: multipart/mixed; boundary=z\r\n\r\n--z\r\n\r\nits end is missing",    &ann,  true,
     false,                                                                                                    false, "message/rfc822",         NULL            },
 /* what no mail can carry without a change */
    {"S: x\r\n\r\ny\nz\r\n",                                                              &ann,  true,  false, false, "text/rfc822-headers",    "S: x\r\n"      },
    {"S: x\r\n\r\ny\rz\r\n",                                                              &ann,  true,  false, false, "text/rfc822-headers",    "S: x\r\n"      },
    {"S: x\r\n\r\n--=_uniq1234--\r\n",                                                    &ann,  true,  false, false, "text/rfc822-headers",    "S: x\r\n"      },
    {"S: x\nT: y\r\n\r\nz\r\n",                                                           &ann,  true,  false, false, "text/rfc822-headers",    "S: x\nT: y\r\n"},
    {"S: x\r\nno field\r\n\r\ny\n",                                                       &ann,  true,  false, false, "text/rfc822-headers",    "S: x\r\n"      },
 /* no header at all */
    {"hello\r\n",                                                                         &ann,  false, false, false, "text/rfc822-headers",    ""              },
    {"",                                                                                  &ann,  true,  false, false, "message/rfc822",         "\r\n"          },
};

static void it_comes_back_as_it_was(void **state)
{
    (void)state;
    CHECK_ROWS (i, returns) {
        struct envelope_rcpt rcpt = {.original = bob, .final = bob};
        struct envelope e = {.id = 1, .sender = *returns[i].to, .rcpts = &rcpt, .rcpt_count = 1};
        struct slice content = guarded(slice_of(returns[i].content));
        struct bounce_input in = input_of(&e, &failed, 1, content);
        struct arena arena = {0};
        bool smtputf8, eight_bit;
        struct seen seen;
        struct buf out;

        e.wishes.ret = returns[i].full ? RETURN_FULL : RETURN_HEADERS;
        buf_init(&out, BOUNCE_MAX);
        check(buf_append(&out, SLICE("x")));
        check(bounce_write(&out, &in, &smtputf8, &eight_bit));
        buf_consume(&out, 1);
        check_int(smtputf8, returns[i].smtputf8);
        check_int(eight_bit, returns[i].eight_bit);
        check_int(eight_bit, !utf8_is_ascii(buf_slice(&out)));
        seen = see(buf_slice(&out), &arena);
        check_int(seen.count, 3);
        check(is_type(seen.header,
                      smtputf8 ? "multipart/report; report-type=global-delivery-status"
                               : "multipart/report; report-type=delivery-status",
                      &arena));
        check_slice(value_of(seen.header, "Content-Transfer-Encoding", &arena),
                    eight_bit ? SLICE("8bit") : SLICE("7bit"));
        check(is_type(seen.parts[2].header, returns[i].type, &arena));
        check_slice(seen.parts[2].content,
                    slice_of(returns[i].back ? returns[i].back : returns[i].content));
        buf_done(&out);
        arena_done(&arena);
        guarded_free(content);
    }
}

static const struct {
    enum dsn_return ret;
    enum bounce_event event;
    bool postmaster;
    size_t size, given; /* of the message, and what of it is at hand */
    bool whole;
} sizes[] = {
    {RETURN_UNSAID,  BOUNCE_FAILED,    false, 1000,                1000,                false},
    {RETURN_HEADERS, BOUNCE_FAILED,    false, 1000,                1000,                false},
    {RETURN_FULL,    BOUNCE_FAILED,    false, 1000,                1000,                true },
    {RETURN_FULL,    BOUNCE_FAILED,    false, BOUNCE_FULL_MAX,     BOUNCE_FULL_MAX,     true },
    {RETURN_FULL,    BOUNCE_FAILED,    false, BOUNCE_FULL_MAX + 1, BOUNCE_FULL_MAX + 1, false},
    {RETURN_FULL,    BOUNCE_FAILED,    false, BOUNCE_FULL_MAX + 1, BOUNCE_FULL_MAX,     false},
    {RETURN_FULL,    BOUNCE_FAILED,    false, 1001,                1000,                false},
 /* RFC 3461 4.3: only failures bring the message back */
    {RETURN_FULL,    BOUNCE_DELAYED,   false, 1000,                1000,                false},
    {RETURN_FULL,    BOUNCE_DELIVERED, false, 1000,                1000,                false},
    {RETURN_FULL,    BOUNCE_RELAYED,   false, 1000,                1000,                false},
 /* what postmaster gets is a report of ours */
    {RETURN_UNSAID,  BOUNCE_FAILED,    true,  1000,                1000,                true },
    {RETURN_UNSAID,  BOUNCE_FAILED,    true,  BOUNCE_FULL_MAX + 1, BOUNCE_FULL_MAX,     false},
};

static void how_much_comes_back(void **state)
{
    (void)state;
    CHECK_ROWS (i, sizes) {
        struct envelope_rcpt rcpt = {.original = bob, .final = bob};
        struct envelope e = {.id = 1, .sender = ann, .rcpts = &rcpt, .rcpt_count = 1};
        struct bounce_rcpt told = failed;
        struct arena arena = {0};
        struct bounce_input in;
        struct buf content, out;
        bool smtputf8, eight_bit;
        struct seen seen;

        buf_init(&content, BOUNCE_FULL_MAX * 2);
        check(buf_append(&content, SLICE("S: x\r\n\r\n")));
        while (buf_len(&content) < sizes[i].size)
            check(buf_append(&content, SLICE("a body of many lines\r\n")));
        in = input_of(&e, &told, 1, slice_head(buf_slice(&content), sizes[i].given));
        in.content_size = sizes[i].size;
        in.postmaster = sizes[i].postmaster ? &root : NULL;
        told.event = sizes[i].event;
        e.wishes.ret = sizes[i].ret;
        buf_init(&out, BOUNCE_MAX);
        check(bounce_write(&out, &in, &smtputf8, &eight_bit));
        seen = see(buf_slice(&out), &arena);
        check_slice(seen.parts[2].content, sizes[i].whole ? in.content : SLICE("S: x\r\n"));
        check_slice(value_of(seen.header, "To", &arena),
                    in.postmaster ? SLICE("<root@mx.a.example>") : SLICE("<ann@a.example>"));
        check_int(holds(seen.header, "notice for postmaster"), sizes[i].postmaster);
        buf_done(&content);
        buf_done(&out);
        arena_done(&arena);
    }
}

/* RFC 8689 5: what wants REQUIRETLS behaves as with RET=HDRS, whatever was said. */
static void what_requires_tls_comes_back_as_a_header(void **state)
{
    static const struct slice content = SLICE_INIT("S: x\r\n\r\nsecret\r\n");

    (void)state;
    for (unsigned to_postmaster = 0; to_postmaster < 2; to_postmaster++) {
        struct envelope_rcpt rcpt = {.original = bob, .final = bob};
        struct envelope e = {
            .id = 1,
            .sender = ann,
            .rcpts = &rcpt,
            .rcpt_count = 1,
            .wishes = {.ret = RETURN_FULL, .require_tls = true}
        };
        struct bounce_rcpt told = failed;
        struct bounce_input in = input_of(&e, &told, 1, content);
        struct arena arena = {0};
        bool smtputf8, eight_bit;
        struct buf out;

        in.postmaster = to_postmaster ? &root : NULL;
        buf_init(&out, BOUNCE_MAX);
        check(bounce_write(&out, &in, &smtputf8, &eight_bit));
        check_slice(see(buf_slice(&out), &arena).parts[2].content, SLICE("S: x\r\n"));
        check(!holds(buf_slice(&out), "secret"));
        buf_done(&out);
        arena_done(&arena);
    }
}

/* One failure among successes is enough. */
static void a_mix_with_a_failure_brings_it_back(void **state)
{
    struct envelope_rcpt rcpts[] = {
        {.original = bob, .final = bob},
        {.original = ann, .final = ann},
    };
    struct envelope e = {.id = 1, .sender = ann, .rcpts = rcpts, .rcpt_count = 2};
    const struct bounce_rcpt told[] = {
        {.rcpt = 1, .event = BOUNCE_DELIVERED},
        failed,
    };
    struct bounce_input in = input_of(&e, told, 2, slice_of(message));
    struct arena arena = {0};
    bool smtputf8, eight_bit;
    struct seen seen;
    struct buf out;

    (void)state;
    e.wishes.ret = RETURN_FULL;
    buf_init(&out, BOUNCE_MAX);
    check(bounce_write(&out, &in, &smtputf8, &eight_bit));
    seen = see(buf_slice(&out), &arena);
    check_slice(seen.parts[2].content, slice_of(message));
    check_slice(value_of(seen.header, "Subject", &arena), SLICE("Undelivered mail"));
    buf_done(&out);
    arena_done(&arena);
}

/* --- hostile words --- */

static const struct slice hostile[] = {
    SLICE_INIT("x\r\nAction: delivered\r\n\r\nFinal-Recipient: rfc822; x@y"),
    SLICE_INIT("x\nStatus: 2.0.0"),
    SLICE_INIT("x\rStatus: 2.0.0"),
    SLICE_INIT("\r\n\r\n--=_uniq1234--\r\n\r\n"),
    SLICE_INIT("\n--=_uniq1234\nContent-Type: text/html\n\n<b>"),
    SLICE_INIT("550 \r\n.\r\nMAIL FROM:<x@y>"),
    SLICE_INIT("550 a\0b\x1b[31m\x7f"),
    SLICE_INIT("550 " U "\xff\xc2\x85\xe2\x80\xa8"),
    SLICE_INIT("rfc822;a\r\nStatus: 2.0.0"),
    SLICE_INIT("utf-8;\\x{0A}Status: 2.0.0"),
    SLICE_INIT("5.1.1\r\nStatus: 2.0.0"),
    SLICE_INIT("%s%n%999999d"),
    SLICE_INIT("=0D=0AAction: delivered"),
    SLICE_INIT("\t \t"),
};

/* The names of all fields, block by block. */
static void write_names(struct buf *out, struct slice text)
{
    struct cursor c = {text};
    struct header_field field;

    while (!cursor_at_end(&c)) {
        if (header_take_field(&c, &field))
            check(buf_append(out, field.name) && buf_append_char(out, ' '));
        else
            check(take_word(&c, SLICE("\r\n")) && buf_append_char(out, '|'));
    }
}

/* The fields of the report's header and of its second part. */
static struct slice names_of(const struct bounce_input *in, struct arena *arena)
{
    bool smtputf8, eight_bit;
    struct slice names, line, rest;
    struct buf out, list;
    struct seen seen;

    buf_init(&out, BOUNCE_MAX);
    buf_init(&list, SEEN_MAX);
    check(bounce_write(&out, in, &smtputf8, &eight_bit));
    for (rest = buf_slice(&out); slice_cut(rest, '\n', &line, &rest);)
        check(slice_ends(line, SLICE("\r")) && line.len <= 999 &&
              slice_find(line, '\r') == line.len - 1 && slice_find(line, '\0') == line.len);
    check_int(rest.len, 0);
    seen = see(buf_slice(&out), arena);
    check_int(seen.count, 3);
    check(smtputf8 || utf8_is_ascii(seen.header));
    check(smtputf8 || utf8_is_ascii(seen.parts[1].content));
    write_names(&list, seen.header);
    write_names(&list, seen.parts[1].content);
    names = arena_copy(arena, buf_slice(&list));
    buf_done(&list);
    buf_done(&out);
    return names;
}

enum place { REPLY, MTA, STATUS, ORCPT, ENVID, LOCAL, DOMAIN, GIVEN, SENDER, PLACES };

/* What a server said, and what the envelope holds although no parser of ours lets it in. */
static struct slice names_with(enum place place, struct slice words, const struct address *sender,
                               struct arena *arena)
{
    struct envelope_rcpt rcpts[] = {
        {.original = ann, .final = bob, .orcpt = SLICE("rfc822;bob@b.example")},
        {.original = bob,               .final = bob            }
    };
    struct envelope e = {.id = 1, .sender = *sender, .rcpts = rcpts, .rcpt_count = 2};
    struct bounce_rcpt told[] = {failed, failed};
    struct bounce_input in = input_of(&e, told, 2, slice_of(message));
    struct address *of[] = {
        [LOCAL] = &rcpts[0].final, [GIVEN] = &rcpts[0].original, [SENDER] = &e.sender};

    told[1].rcpt = 1;
    e.wishes.envid = SLICE("an id");
    switch (place) {
    case REPLY: told[0].reply = words; break;
    case MTA: told[0].remote_mta = words; break;
    case STATUS: told[0].status = words; break;
    case ORCPT: rcpts[0].orcpt = words; break;
    case ENVID: e.wishes.envid = words; break;
    case LOCAL:
    case GIVEN:
    case SENDER: of[place]->local = words; break;
    case DOMAIN: rcpts[0].final.domain = words; break;
    case PLACES: break;
    }
    return names_of(&in, arena);
}

static bool may_be_left_out(enum place place)
{
    return place == MTA || place == REPLY || place == ORCPT || place == ENVID;
}

static void nothing_leaves_its_field(void **state)
{
    static const struct address *const senders[] = {&ann, &aenn};
    static const char *const optional[] = {[MTA] = "Remote-MTA ",
                                           [REPLY] = "Diagnostic-Code ",
                                           [ORCPT] = "Original-Recipient ",
                                           [ENVID] = "Original-Envelope-Id "};

    (void)state;
    for (int place = 0; place < PLACES; place++) {
        for (size_t s = 0; s < 2; s++) {
            CHECK_ROWS (i, hostile) {
                struct arena arena = {0};
                struct slice plain = names_with(PLACES, SLICE(""), senders[s], &arena);
                struct slice got = names_with((enum place)place, hostile[i], senders[s], &arena);

                if (!slice_equal(got, plain)) {
                    /* the field is not there at all: nothing is left of the words */
                    check(may_be_left_out((enum place)place));
                    check_int(got.len, plain.len - strlen(optional[place]));
                }
                arena_done(&arena);
            }
        }
    }
}

/* --- bounds --- */

static void the_largest_report_fits(void **state)
{
    enum { COUNT = ENVELOPE_RCPTS_MAX };
    static struct envelope_rcpt rcpts[COUNT];
    static struct bounce_rcpt told[COUNT];
    static char utf8[4096], content[BOUNCE_FULL_MAX];
    struct envelope e = {.id = 1, .sender = ann, .rcpts = rcpts, .rcpt_count = COUNT};
    struct bounce_input in = input_of(&e, told, COUNT, SLICE(""));
    struct arena arena = {0};

    (void)state;
    for (size_t i = 0; i < sizeof(utf8); i++)
        utf8[i] = i % 2 == 0 ? '\xc3' : '\xbc';
    memset(content, '=', sizeof(content));
    for (size_t i = 500; i + 500 < sizeof(content); i += 500)
        content[i] = '\r', content[i + 1] = '\n';
    memcpy(content, "S: " U "\r\n\r\n", 9);
    for (unsigned i = 0; i < COUNT; i++) {
        struct address a = {
            ADDRESS_MAILBOX, {utf8, LOCAL_PART_MAX},
             {utf8, DOMAIN_MAX - 1},
             true
        };

        rcpts[i] = (struct envelope_rcpt){
            .original = a, .final = a, .orcpt = {utf8, ORCPT_MAX}
        };
        rcpts[i].original.local.len -= 2;
        told[i] = (struct bounce_rcpt){
            .rcpt = i,
            .event = BOUNCE_FAILED,
            .status = SLICE("5.999.999"),
            .remote_mta = {utf8, sizeof(utf8)},
            .reply = {utf8, sizeof(utf8)},
            .tried_us = 1,
        };
    }
    e.wishes.ret = RETURN_FULL;
    e.wishes.envid = (struct slice){utf8, ENVID_MAX};
    in.content = (struct slice){content, sizeof(content)};
    in.content_size = sizeof(content);
    check(names_of(&in, &arena).len > COUNT);
    e.sender = aenn;
    check(names_of(&in, &arena).len > COUNT);
    arena_done(&arena);
}

/* The more there are, the less of each reply: enough to know why. */
static void replies_share_the_room(void **state)
{
    static const struct {
        unsigned count;
        size_t told;
    } shares[] = {
        {1,    1024},
        {16,   1024},
        {64,   256 },
        {128,  128 },
        {1000, 128 },
    };

    static char reply[2048];

    (void)state;
    memset(reply, 'z', sizeof(reply));
    CHECK_ROWS (i, shares) {
        struct envelope_rcpt rcpt = {.original = bob, .final = bob};
        struct envelope e = {.id = 1, .sender = ann, .rcpts = &rcpt, .rcpt_count = 1};
        struct bounce_rcpt told[1000];
        struct bounce_input in = input_of(&e, told, shares[i].count, SLICE(""));
        bool smtputf8, eight_bit;
        struct buf out;
        size_t letters = 0;

        for (unsigned k = 0; k < shares[i].count; k++) {
            told[k] = failed;
            told[k].reply = (struct slice){reply, sizeof(reply)};
        }
        buf_init(&out, BOUNCE_MAX);
        check(bounce_write(&out, &in, &smtputf8, &eight_bit));
        for (size_t k = 0; k < buf_len(&out); k++)
            letters += buf_slice(&out).data[k] == 'z';
        check_int(letters, 2 * shares[i].told * shares[i].count);
        buf_done(&out);
    }
}

static void what_does_not_fit_leaves_nothing(void **state)
{
    struct envelope_rcpt rcpt = {.original = bob, .final = bob};
    struct envelope e = {.id = 1, .sender = ann, .rcpts = &rcpt, .rcpt_count = 1};
    struct bounce_input in = input_of(&e, &failed, 1, slice_of(message));
    bool smtputf8, eight_bit, fits = false;
    struct buf out;

    (void)state;
    for (size_t max = 1; !fits; max++) {
        check(max < 4096);
        buf_init(&out, max);
        check(buf_append(&out, SLICE("x")));
        fits = bounce_write(&out, &in, &smtputf8, &eight_bit);
        check(fits || buf_len(&out) == 1);
        buf_done(&out);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_the_sender_asked_for),
        cmocka_unit_test(what_becomes_of_mail_from_nobody),
        cmocka_unit_test(nothing_goes_on_for_ever),
        cmocka_unit_test(a_header_without_its_body),
        cmocka_unit_test(a_header_is_cut_behind_a_field),
        cmocka_unit_test(a_report_of_several),
        cmocka_unit_test(it_comes_back_as_it_was),
        cmocka_unit_test(how_much_comes_back),
        cmocka_unit_test(what_requires_tls_comes_back_as_a_header),
        cmocka_unit_test(a_mix_with_a_failure_brings_it_back),
        cmocka_unit_test(nothing_leaves_its_field),
        cmocka_unit_test(the_largest_report_fits),
        cmocka_unit_test(replies_share_the_room),
        cmocka_unit_test(what_does_not_fit_leaves_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
