/*
 * compose_test.c - what is composed is exact, and nothing that goes in can break out.
 */
#include "wire/compose.h"

#include "base/codec.h"
#include "check.h"
#include "wire/header.h"

static const struct address ann = {ADDRESS_MAILBOX, SLICE_INIT("ann"), SLICE_INIT("a.example"),
                                   false};
static const struct address bob = {ADDRESS_MAILBOX, SLICE_INIT("bob"), SLICE_INIT("b.example"),
                                   false};

static struct compose plain_message(const struct compose_mailbox *to, unsigned to_count)
{
    return (struct compose){
        .date_us = UINT64_C(1795313662) * 1000000,
        .unique = SLICE("U1"),
        .id_domain = SLICE("a.example"),
        .from = {.address = ann},
        .to = to,
        .to_count = to_count,
        .subject = SLICE("Hi"),
        .text = SLICE("hello\n.\nbye"),
    };
}

static struct slice composed(struct arena *arena, const struct compose *m)
{
    struct slice copy;
    struct buf out;

    buf_init(&out, 1 << 20);
    assert_true(compose_write(&out, arena, m));
    copy = arena_copy(arena, buf_slice(&out));
    buf_done(&out);
    return copy;
}

static void test_plain(void **state)
{
    struct compose_mailbox to[] = {
        {.address = bob},
        { SLICE("Ann (Lee)"),           ann}
    };
    struct compose m = plain_message(to, 2);
    struct arena arena = {0};

    (void)state;
    check_slice(composed(&arena, &m), SLICE("Date: Sun, 22 Nov 2026 02:14:22 +0000\r\n"
                                            "From: ann@a.example\r\n"
                                            "To: bob@b.example, \"Ann (Lee)\" <ann@a.example>\r\n"
                                            "Subject: Hi\r\n"
                                            "Message-ID: <U1@a.example>\r\n"
                                            "MIME-Version: 1.0\r\n"
                                            "Content-Type: text/plain; charset=utf-8\r\n"
                                            "Content-Transfer-Encoding: 7bit\r\n"
                                            "\r\n"
                                            "hello\r\n.\r\nbye\r\n"));
    arena_done(&arena);
}

static void test_nesting(void **state)
{
    struct compose_mailbox to = {.address = bob};
    struct compose m = plain_message(&to, 1);
    struct compose_file attachment = {SLICE("a.pdf"), SLICE("PDF")};
    struct compose_file logo = {SLICE("my logo.png"), SLICE("PNG")};
    struct arena arena = {0};
    struct slice header, body;

    (void)state;
    m.html = SLICE("<p>gr\xc3\xbc\xc3\x9f</p>");
    m.attachments = &attachment;
    m.attachment_count = 1;
    m.inlines = &logo;
    m.inline_count = 1;
    assert_true(header_split(composed(&arena, &m), &header, &body));
    check_slice(body, SLICE("--=_U1_mixed\r\n"
                            "Content-Type: multipart/alternative;\r\n"
                            " boundary=\"=_U1_alternative\"\r\n"
                            "\r\n--=_U1_alternative\r\n"
                            "Content-Type: text/plain; charset=utf-8\r\n"
                            "Content-Transfer-Encoding: 7bit\r\n"
                            "\r\n"
                            "hello\r\n.\r\nbye"
                            "\r\n--=_U1_alternative\r\n"
                            "Content-Type: multipart/related;\r\n"
                            " boundary=\"=_U1_related\"\r\n"
                            "\r\n--=_U1_related\r\n"
                            "Content-Type: text/html; charset=utf-8\r\n"
                            "Content-Transfer-Encoding: quoted-printable\r\n"
                            "\r\n"
                            "<p>gr=C3=BC=C3=9F</p>"
                            "\r\n--=_U1_related\r\n"
                            "Content-ID: <my_logo.png>\r\n"
                            "Content-Type: image/png\r\n"
                            "Content-Disposition: inline; filename=\"my logo.png\"\r\n"
                            "Content-Transfer-Encoding: base64\r\n"
                            "\r\n"
                            "UE5H\r\n"
                            "\r\n--=_U1_related--"
                            "\r\n--=_U1_alternative--"
                            "\r\n--=_U1_mixed\r\n"
                            "Content-Type: application/pdf\r\n"
                            "Content-Disposition: attachment; filename=\"a.pdf\"\r\n"
                            "Content-Transfer-Encoding: base64\r\n"
                            "\r\n"
                            "UERG\r\n"
                            "\r\n--=_U1_mixed--\r\n"));
    arena_done(&arena);
}

static void test_file_names(void **state)
{
    static const struct {
        struct slice name;
        const char *disposition;
    } table[] = {
        {SLICE_INIT("a\"b\\c.txt"),    "attachment; filename=\"a\\\"b\\\\c.txt\""      },
        {SLICE_INIT("\xc3\xbc 1.txt"), "attachment; filename*=UTF-8''%C3%BC%201.txt"   },
        {SLICE_INIT("a\r\nBcc: x"),    "attachment; filename*=UTF-8''a%0D%0ABcc%3A%20x"},
    };
    struct compose_mailbox to = {.address = bob};

    (void)state;
    CHECK_ROWS (i, table) {
        struct compose m = plain_message(&to, 1);
        struct compose_file file = {table[i].name, SLICE("x")};
        struct arena arena = {0};
        struct slice wanted;
        struct slice all;
        size_t at = 0;

        m.attachments = &file;
        m.attachment_count = 1;
        all = composed(&arena, &m);
        wanted = arena_printf(&arena, "Content-Disposition: %s\r\n", table[i].disposition);
        while (at < all.len && !slice_starts(slice_skip(all, at), wanted))
            at++;
        check(at < all.len);
        arena_done(&arena);
    }
}

static void test_given_fields_replace(void **state)
{
    struct compose_mailbox to = {.address = bob};
    struct compose m = plain_message(&to, 1);
    struct compose_field fields[] = {
        {SLICE("from"),   SLICE("Somebody <else@c.example>")},
        {SLICE("X-Note"), SLICE("gr\xc3\xbc\xc3\x9f")       },
    };
    struct arena arena = {0};
    struct header_field found;
    struct slice all;

    (void)state;
    m.fields = fields;
    m.field_count = 2;
    all = composed(&arena, &m);
    assert_true(header_find(all, SLICE("From"), &found));
    check_slice(header_unfold(&arena, found.value), SLICE("Somebody <else@c.example>"));
    assert_true(header_find(all, SLICE("X-Note"), &found));
    check_slice(header_unfold(&arena, found.value), SLICE("=?UTF-8?B?Z3LDvMOf?="));
    arena_done(&arena);
}

static unsigned count_fields(struct slice message)
{
    struct cursor c = {message};
    struct header_field field;
    unsigned count = 0;

    while (header_take_field(&c, &field))
        count++;
    return count;
}

/* Whatever the texts hold: as many fields as without, every line short, no bare CR or LF. */
static void test_nothing_breaks_out(void **state)
{
    static const struct slice evil[] = {
        SLICE_INIT("a\r\nBcc: x@y\r\n\r\nbody"),
        SLICE_INIT("a\nb"),
        SLICE_INIT("a\rb"),
        SLICE_INIT("a\0b"),
        SLICE_INIT("\x1b[31m\xff\xfe"),
        SLICE_INIT("\"\\\" <x@y>, z"),
        SLICE_INIT("\xe2\x80\xae\xc3\xbc"),
    };
    char lengthy[5000];

    (void)state;
    memset(lengthy, 'x', sizeof(lengthy));
    for (size_t i = 0; i <= sizeof(evil) / sizeof(*evil); i++) {
        bool last = i == sizeof(evil) / sizeof(*evil);
        struct slice text = last ? (struct slice){lengthy, sizeof(lengthy)} : evil[i];
        struct compose_mailbox to = {text, bob};
        struct compose m = plain_message(&to, 1);
        struct compose_field field = {SLICE("X-Evil"), text};
        struct arena arena = {0};
        struct line_repair repair;
        struct slice all, line;
        struct buf sink;

        check_row = i;
        m.subject = text;
        m.text = text;
        m.fields = &field;
        m.field_count = 1;
        all = composed(&arena, &m);
        check_int(count_fields(all), 9);
        line_repair_init(&repair);
        buf_init(&sink, 1 << 20);
        line_repair_write(&repair, &sink, all);
        check(!repair.bare_cr && !repair.nul && !repair.eight_bit);
        check_int(repair.size, all.len); /* nothing to repair */
        while (slice_cut(all, '\n', &line, &all))
            check(line.len <= 999);
        check_int(all.len, 0);
        buf_done(&sink);
        arena_done(&arena);
    }
}

static void test_text_survives(void **state)
{
    static const struct slice texts[] = {
        SLICE_INIT("gr\xc3\xbc\xc3\x9f\r\n=3D trailing \r\n"),
        SLICE_INIT("a\rb\r\n"),
        SLICE_INIT("tab\tand\x07 bell\r\n"),
    };
    struct compose_mailbox to = {.address = bob};

    (void)state;
    CHECK_ROWS (i, texts) {
        struct compose m = plain_message(&to, 1);
        struct arena arena = {0};
        struct slice header, body;
        struct buf decoded;

        m.text = texts[i];
        assert_true(header_split(composed(&arena, &m), &header, &body));
        buf_init(&decoded, 4096);
        check(qp_decode(&decoded, body));
        check_slice(buf_slice(&decoded), texts[i]);
        buf_done(&decoded);
        arena_done(&arena);
    }
}

static void test_line_repair(void **state)
{
    static const struct {
        struct slice in, out;
        bool bare_cr, nul, eight_bit;
    } table[] = {
        {SLICE_INIT(""),           SLICE_INIT(""),             false, false, false},
        {SLICE_INIT("a\nb\n"),     SLICE_INIT("a\r\nb\r\n"),   false, false, false},
        {SLICE_INIT("a\r\nb\r\n"), SLICE_INIT("a\r\nb\r\n"),   false, false, false},
        {SLICE_INIT("\n\n"),       SLICE_INIT("\r\n\r\n"),     false, false, false},
        {SLICE_INIT("a"),          SLICE_INIT("a\r\n"),        false, false, false},
        {SLICE_INIT("a\rb\n"),     SLICE_INIT("a\rb\r\n"),     true,  false, false},
        {SLICE_INIT("a\r\r\n"),    SLICE_INIT("a\r\r\n"),      true,  false, false},
        {SLICE_INIT("a\r"),        SLICE_INIT("a\r\r\n"),      true,  false, false},
        {SLICE_INIT("a\0\n"),      SLICE_INIT("a\0\r\n"),      false, true,  false},
        {SLICE_INIT("\xc3\xbc\n"), SLICE_INIT("\xc3\xbc\r\n"), false, false, true },
    };

    (void)state;
    CHECK_ROWS (i, table) {
        for (size_t chunk = 1; chunk <= 8; chunk++) {
            struct slice in = guarded(table[i].in), rest = in;
            struct line_repair r;
            struct buf out;

            line_repair_init(&r);
            buf_init(&out, 64);
            for (; rest.len > 0; rest = slice_skip(rest, chunk))
                check(line_repair_write(&r, &out, slice_head(rest, chunk)));
            check(line_repair_finish(&r, &out));
            check_slice(buf_slice(&out), table[i].out);
            check_int(r.size, table[i].out.len);
            check_int(r.bare_cr, table[i].bare_cr);
            check_int(r.nul, table[i].nul);
            check_int(r.eight_bit, table[i].eight_bit);
            buf_done(&out);
            guarded_free(in);
        }
    }
}

/* Never half a message that looks whole: false at every size that is too small. */
static void test_full(void **state)
{
    struct compose_mailbox to = {.address = bob};
    struct compose m = plain_message(&to, 1);
    struct compose_file file = {SLICE("a.txt"), SLICE("x")};
    struct arena arena = {0};
    size_t whole;

    (void)state;
    m.html = SLICE("<p>");
    m.attachments = &file;
    m.attachment_count = 1;
    whole = composed(&arena, &m).len;
    for (size_t max = 0; max <= whole; max++) {
        struct buf out;

        buf_init(&out, max);
        check_int(compose_write(&out, &arena, &m), max == whole);
        buf_done(&out);
    }
    arena_done(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_plain),
        cmocka_unit_test(test_nesting),
        cmocka_unit_test(test_file_names),
        cmocka_unit_test(test_given_fields_replace),
        cmocka_unit_test(test_nothing_breaks_out),
        cmocka_unit_test(test_text_survives),
        cmocka_unit_test(test_line_repair),
        cmocka_unit_test(test_full),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
