/*
 * address_test.c - one row per rule of RFC 5321 4.1.2, RFC 6531 3.3; then made-up addresses.
 */
#include "check.h"

#include "wire/address.h"
#include "wire/utf8.h"

#define A8  "abcdefgh"
#define A32 A8 A8 A8 A8
#define A63 A32 A8 A8 A8 "abcdefg"
#define A64 A32 A32

struct path_row {
    struct slice text;
    bool ok;
    enum address_kind kind;
    struct slice local, domain;
    struct slice left; /* behind the path */
};

#define PATH(path, kind, local, domain)                                                            \
    {                                                                                              \
        SLICE_INIT(path), true, kind, SLICE_INIT(local), SLICE_INIT(domain), SLICE_INIT("")        \
    }
#define PATH_AND(path, more, local, domain)                                                        \
    {                                                                                              \
        SLICE_INIT(path more), true, ADDRESS_MAILBOX, SLICE_INIT(local), SLICE_INIT(domain),       \
            SLICE_INIT(more)                                                                       \
    }
#define REFUSED(path)                                                                              \
    {                                                                                              \
        .text = SLICE_INIT(path)                                                                   \
    }

static const struct path_row paths[] = {
    PATH("<>", ADDRESS_NULL, "", ""),
    PATH("<joe@example.org>", ADDRESS_MAILBOX, "joe", "example.org"),
    /* the case of a local part is its owner's business, that of a domain nobody's */
    PATH("<Joe@Example.ORG>", ADDRESS_MAILBOX, "Joe", "example.org"),
    PATH("<!#$%&'*+-/=?^_`{|}~@x>", ADDRESS_MAILBOX, "!#$%&'*+-/=?^_`{|}~", "x"),
    PATH("<a.b.c@x.y>", ADDRESS_MAILBOX, "a.b.c", "x.y"),
    REFUSED("<.a@x>"),
    REFUSED("<a.@x>"),
    REFUSED("<a..b@x>"),
    REFUSED("<a b@x>"),
    REFUSED("<a@b@x>"),
    REFUSED("<@x>"),
    REFUSED("<a@>"),
    /* brackets: RFC 5321 4.1.2 Path */
    REFUSED(""),
    REFUSED("<"),
    REFUSED("a@x"),
    REFUSED("<a@x"),
    REFUSED("a@x>"),
    REFUSED("< a@x>"),
    REFUSED("<a@x >"),
    REFUSED("<<a@x>>"),
    PATH_AND("<a@x>", ">", "a", "x"),
    PATH_AND("<a@x>", " SIZE=1", "a", "x"),
    /* Quoted-string: quotes are notation */
    PATH("<\"joe\"@x>", ADDRESS_MAILBOX, "joe", "x"),
    PATH("<\"j\\oe\"@x>", ADDRESS_MAILBOX, "joe", "x"),
    PATH("<\"\"@x>", ADDRESS_MAILBOX, "", "x"),
    PATH("<\"a b\"@x>", ADDRESS_MAILBOX, "a b", "x"),
    PATH("<\"a@b>\"@x>", ADDRESS_MAILBOX, "a@b>", "x"),
    PATH("<\"a\\\"\\\\\"@x>", ADDRESS_MAILBOX, "a\"\\", "x"),
    PATH("<\".a..b.\"@x>", ADDRESS_MAILBOX, ".a..b.", "x"),
    REFUSED("<\"a@x>"),
    REFUSED("<\"a\\\"@x>"),
    REFUSED("<\"a\"b@x>"),
    REFUSED("<a\"b\"@x>"),
    REFUSED("<\"a\".b@x>"),
    REFUSED("<\"a\tb\"@x>"),
    REFUSED("<\"a\\\tb\"@x>"),
    REFUSED("<\"a\rb\"@x>"),
    REFUSED("<\"a\n\"@x>"),
    REFUSED("<\"a\0b\"@x>"),
    REFUSED("<\"a\x7f\"@x>"),
    REFUSED("<\"\\\xc3\xbc\"@x>"),
    /* comments and folding belong to headers */
    REFUSED("<a(c)@x>"),
    REFUSED("<a@(c)x>"),
    /* Domain */
    PATH("<a@3com.com>", ADDRESS_MAILBOX, "a", "3com.com"),
    PATH("<a@x--y.com>", ADDRESS_MAILBOX, "a", "x--y.com"),
    PATH("<a@192.0.2.1>", ADDRESS_MAILBOX, "a", "192.0.2.1"),
    REFUSED("<a@-x>"),
    REFUSED("<a@x->"),
    REFUSED("<a@x.>"),
    REFUSED("<a@.x>"),
    REFUSED("<a@x..y>"),
    REFUSED("<a@x_y>"),
    REFUSED("<a@x/y>"),
    /* Address-literal */
    PATH("<a@[192.0.2.1]>", ADDRESS_LITERAL, "a", "192.0.2.1"),
    PATH("<a@[192.000.002.001]>", ADDRESS_LITERAL, "a", "192.0.2.1"),
    PATH("<a@[ipv6:2001:DB8:0:0:0:0:0:1]>", ADDRESS_LITERAL, "a", "IPv6:2001:db8::1"),
    REFUSED("<a@[192.0.2.1>"),
    REFUSED("<a@[192.0.2.1]x>"),
    REFUSED("<a@[]>"),
    REFUSED("<a@[2001:db8::1]>"),
    REFUSED("<a@[IPv6:]>"),
    REFUSED("<a@[x-tag:abc]>"),
    /* no domain */
    PATH("<postmaster>", ADDRESS_BARE, "postmaster", ""),
    PATH("<PostMaster>", ADDRESS_BARE, "PostMaster", ""),
    PATH("<joe>", ADDRESS_BARE, "joe", ""),
    REFUSED("<\"\">"),
    /* a source route is checked and forgotten */
    PATH("<@a,@b.c:joe@x>", ADDRESS_MAILBOX, "joe", "x"),
    PATH("<@a:joe@[192.0.2.1]>", ADDRESS_LITERAL, "joe", "192.0.2.1"),
    REFUSED("<@a:>"),
    REFUSED("<@a,:joe@x>"),
    REFUSED("<@a,b:joe@x>"),
    REFUSED("<@a joe@x>"),
    REFUSED("<@-a:joe@x>"),
    REFUSED("<@a:postmaster>"),
    /* RFC 6531 3.3 */
    PATH("<j\xc3\xbcrgen@x>", ADDRESS_MAILBOX, "j\xc3\xbcrgen", "x"),
    PATH("<\"j\xc3\xbc r\"@x>", ADDRESS_MAILBOX, "j\xc3\xbc r", "x"),
    PATH("<a@B\xc3\xbc"
         "cher.Example>",
         ADDRESS_MAILBOX, "a",
         "b\xc3\xbc"
         "cher.example"),
    REFUSED("<j\xfcrgen@x>"),
    REFUSED("<\xc0\x80@x>"),
    REFUSED("<a\xc2\x85@x>"),
    REFUSED("<\"a\xc2\x9b\"@x>"),
    REFUSED("<a@b\xfc"
            "cher.example>"),
    /* limits: RFC 5321 4.5.3.1 */
    PATH("<" A64 "@x>", ADDRESS_MAILBOX, A64, "x"),
    REFUSED("<" A64 "a@x>"),
    PATH("<\"" A32 A8 A8 A8 "abc de\"@x>", ADDRESS_MAILBOX, A32 A8 A8 A8 "abc de", "x"),
    REFUSED("<\"" A32 A8 A8 A8 "abc def\\g\"@x>"),
    PATH("<a@" A63 ".x>", ADDRESS_MAILBOX, "a", A63 ".x"),
    REFUSED("<a@" A64 ".x>"),
    PATH("<a@" A63 "." A63 "." A63 "." A32 A8 A8 A8 "abcd>", ADDRESS_MAILBOX, "a",
         A63 "." A63 "." A63 "." A32 A8 A8 A8 "abcd"),
    REFUSED("<a@" A63 "." A63 "." A63 "." A32 A8 A8 A8 "abcde>"),
};

static void paths_are_taken_or_left(void **state)
{
    struct arena arena = {0};

    (void)state;
    CHECK_ROWS (i, paths) {
        const struct path_row *row = &paths[i];
        struct slice text = guarded(row->text);
        struct cursor c = {text};
        struct address got = {.kind = ADDRESS_BARE, .local = SLICE("untouched")};
        check_int(address_take_path(&c, &arena, &got), row->ok);
        guarded_free(text);
        if (!row->ok) {
            check_int(c.rest.len, row->text.len);
            check_slice(got.local, SLICE("untouched"));
            continue;
        }
        check_int(c.rest.len, row->left.len);
        check_int(got.kind, row->kind);
        check_slice(got.local, row->local);
        check_slice(got.domain, row->domain);
        check_int(got.utf8, !utf8_is_ascii(row->local) || !utf8_is_ascii(row->domain));
        arena_reset(&arena);
    }
    arena_done(&arena);
}

static void no_prefix_of_a_path_is_a_path(void **state)
{
    static const struct slice whole = SLICE_INIT("<@a:\"j\\\" \xc3\xbc\"@[IPv6:1::2:192.0.2.1]>");
    struct arena arena = {0};
    struct address got;

    (void)state;
    for (size_t len = 0; len <= whole.len; len++) {
        struct slice text = guarded(slice_head(whole, len));
        struct cursor c = {text};
        check_int(address_take_path(&c, &arena, &got), len == whole.len);
        guarded_free(text);
    }
    arena_done(&arena);
}

static const struct {
    struct slice text;
    bool ok;
    struct slice written;
} mailboxes[] = {
    {SLICE_INIT("joe@example.org"),           true,  SLICE_INIT("joe@example.org")          },
    {SLICE_INIT("joe"),                       true,  SLICE_INIT("joe")                      },
    {SLICE_INIT("\"joe\"@X"),                 true,  SLICE_INIT("joe@x")                    },
    {SLICE_INIT("\"a b\"@x"),                 true,  SLICE_INIT("\"a b\"@x")                },
    {SLICE_INIT("\"a\\b\\\"\\\\\"@x"),        true,  SLICE_INIT("\"ab\\\"\\\\\"@x")         },
    {SLICE_INIT("\"\"@x"),                    true,  SLICE_INIT("\"\"@x")                   },
    {SLICE_INIT("\"a.\"@x"),                  true,  SLICE_INIT("\"a.\"@x")                 },
    {SLICE_INIT("\"a.b\"@x"),                 true,  SLICE_INIT("a.b@x")                    },
    {SLICE_INIT("a@[IPv6:::FFFF:192.0.2.1]"), true,  SLICE_INIT("a@[IPv6:::ffff:192.0.2.1]")},
    {SLICE_INIT("\"\xc3\xbc\"@x"),            true,  SLICE_INIT("\xc3\xbc@x")               },
    {SLICE_INIT(""),                          false, SLICE_INIT("")                         },
    {SLICE_INIT("<a@x>"),                     false, SLICE_INIT("")                         },
    {SLICE_INIT("a@x "),                      false, SLICE_INIT("")                         },
    {SLICE_INIT("a@x,b@x"),                   false, SLICE_INIT("")                         },
    {SLICE_INIT("a@x\n"),                     false, SLICE_INIT("")                         },
    {SLICE_INIT("@a:b@x"),                    false, SLICE_INIT("")                         },
};

static void mailboxes_are_written_canonically(void **state)
{
    struct arena arena = {0};
    struct address got;

    (void)state;
    CHECK_ROWS (i, mailboxes) {
        struct slice text = guarded(mailboxes[i].text);
        check_int(address_parse(text, &arena, &got), mailboxes[i].ok);
        guarded_free(text);
        if (mailboxes[i].ok)
            check_slice(address_text(&arena, &got), mailboxes[i].written);
    }
    arena_done(&arena);
}

static bool same(const struct address *a, const struct address *b)
{
    return a->kind == b->kind && a->utf8 == b->utf8 && slice_equal(a->local, b->local) &&
           slice_equal(a->domain, b->domain);
}

static unsigned next_random(uint32_t *seed)
{
    *seed = *seed * 1664525 + 1013904223;
    return *seed >> 16;
}

static void append_some(struct buf *out, uint32_t *seed, const struct slice *pieces, size_t n)
{
    for (unsigned count = next_random(seed) % 9; count > 0; count--)
        buf_append(out, pieces[next_random(seed) % n]);
}

/* Text that is an address about every second time, and hostile in every part. */
static void make_up(struct buf *out, uint32_t *seed)
{
    static const struct slice locals[] = {
        SLICE_INIT("a"), SLICE_INIT("Z9"),  SLICE_INIT("."),        SLICE_INIT(" "),
        SLICE_INIT("@"), SLICE_INIT(">"),   SLICE_INIT("\\\\"),     SLICE_INIT("\\\""),
        SLICE_INIT("+"), SLICE_INIT("\\x"), SLICE_INIT("\xc3\xbc"),
    };
    static const struct slice atoms[] = {
        SLICE_INIT("a"), SLICE_INIT("b.c"), SLICE_INIT("+x"), SLICE_INIT("\xe2\x82\xac"),
        SLICE_INIT("="), SLICE_INIT("-"),
    };
    static const struct slice domains[] = {
        SLICE_INIT("@x"),
        SLICE_INIT("@Mx1.Example.ORG"),
        SLICE_INIT("@[192.0.2.255]"),
        SLICE_INIT("@[IPv6:1:2::3]"),
        SLICE_INIT("@b\xc3\xbc"
                   "cher.example"),
        SLICE_INIT(""),
        SLICE_INIT("@[IPv6:1:0:0:2::]"),
        SLICE_INIT("@[IPv6:::]"),
        SLICE_INIT("@x."),
    };

    buf_clear(out);
    if (next_random(seed) % 2 == 0) {
        buf_append_char(out, '"');
        append_some(out, seed, locals, sizeof(locals) / sizeof(*locals));
        buf_append_char(out, '"');
    } else {
        append_some(out, seed, atoms, sizeof(atoms) / sizeof(*atoms));
    }
    buf_append(out, domains[next_random(seed) % (sizeof(domains) / sizeof(*domains))]);
}

static void what_is_written_is_read_back(void **state)
{
    struct arena arena = {0};
    struct buf text;
    uint32_t seed = 5321;
    unsigned parsed = 0;

    (void)state;
    buf_init(&text, 1000);
    for (check_row = 0; check_row < 20000; check_row++) {
        struct address first, second;
        make_up(&text, &seed);
        if (!address_parse(buf_slice(&text), &arena, &first))
            continue;
        parsed++;
        struct slice written = address_text(&arena, &first);
        check(written.len > 0 && written.len <= buf_len(&text) + sizeof("::ffff:255.255.255.255"));
        check(address_parse(written, &arena, &second));
        check(same(&first, &second));
        check_slice(address_text(&arena, &second), written);
        arena_reset(&arena);
    }
    check(parsed > 5000);
    buf_done(&text);
    arena_done(&arena);
}

static void nothing_is_written_in_part(void **state)
{
    static const struct slice bad[] = {SLICE_INIT("a\r\nb"), SLICE_INIT("a\0"), SLICE_INIT("a\x7f"),
                                       SLICE_INIT("\xff"), SLICE_INIT("\xc2\x80")};
    struct address a = {ADDRESS_MAILBOX, SLICE("a \"b"), SLICE("example.org"), false};
    struct buf out;

    (void)state;
    for (size_t max = 0; max <= 20; max++) {
        buf_init(&out, max);
        buf_append(&out, SLICE("<"));
        size_t before = buf_len(&out);
        check_int(address_write(&out, &a), max == 20);
        check_int(buf_len(&out), max == 20 ? 20 : before);
        buf_done(&out);
    }
    buf_init(&out, 100);
    CHECK_ROWS (i, bad) {
        a.local = bad[i];
        check(!address_write(&out, &a));
        a.local = SLICE("a");
        a.domain = bad[i];
        check(!address_write(&out, &a));
        check_int(buf_len(&out), 0);
    }
    a.kind = ADDRESS_NULL;
    check(address_write(&out, &a));
    check_int(buf_len(&out), 0);
    buf_done(&out);
}

static const struct {
    struct slice a, b;
    bool equal;
} pairs[] = {
    {SLICE_INIT("joe@x"),         SLICE_INIT("\"joe\"@X"),           true },
    {SLICE_INIT("joe@x"),         SLICE_INIT("Joe@x"),               false},
    {SLICE_INIT("joe@x"),         SLICE_INIT("joe@y"),               false},
    {SLICE_INIT("joe@x"),         SLICE_INIT("joe"),                 false},
    {SLICE_INIT("PostMaster@x"),  SLICE_INIT("postmaster@x"),        true },
    {SLICE_INIT("POSTMASTER"),    SLICE_INIT("postmaster"),          true },
    {SLICE_INIT("postmaster"),    SLICE_INIT("postmaster@x"),        false},
    {SLICE_INIT("a@[192.0.2.1]"), SLICE_INIT("a@192.0.2.1"),         false},
    {SLICE_INIT("a@[IPv6:1::2]"), SLICE_INIT("a@[ipv6:1:0:0::0:2]"), true },
};

static void equality(void **state)
{
    struct arena arena = {0}, other = {0};
    struct address a, b;

    (void)state;
    CHECK_ROWS (i, pairs) {
        check(address_parse(pairs[i].a, &arena, &a) && address_parse(pairs[i].b, &arena, &b));
        check_int(address_equal(&a, &b), pairs[i].equal);
        check_int(address_equal(&b, &a), pairs[i].equal);
        struct address copy = address_copy(&other, &a);
        check(same(&copy, &a));
        check(copy.local.data != a.local.data);
    }
    check(address_parse(SLICE("postMASTER"), &arena, &a) && address_is_postmaster(&a));
    check(address_parse(SLICE("postMASTER@x"), &arena, &a) && address_is_postmaster(&a));
    check(address_parse(SLICE("postmasters@x"), &arena, &a) && !address_is_postmaster(&a));
    arena_done(&arena);
    arena_done(&other);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(paths_are_taken_or_left),
        cmocka_unit_test(no_prefix_of_a_path_is_a_path),
        cmocka_unit_test(mailboxes_are_written_canonically),
        cmocka_unit_test(what_is_written_is_read_back),
        cmocka_unit_test(nothing_is_written_in_part),
        cmocka_unit_test(equality),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
