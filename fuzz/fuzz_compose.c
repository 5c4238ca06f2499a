/*
 * fuzz_compose.c - no value given by a person adds a field, a part or a line of its own.
 *
 * First character: which parts there are, and how text is cut for the line repair. Then lines:
 * subject, display name, address, name and value of a field, name of a file; what follows is the
 * content.
 */
#include "fuzz.h"

#include "wire/compose.h"
#include "wire/header.h"
#include "wire/utf8.h"

enum { OUT_MAX = 8 * 1024 * 1024, LINE_MAX = 998 };

enum { HAS_HTML = 1, HAS_FILE = 2, HAS_INLINE = 4, HAS_CC = 8, NO_TEXT = 16 };

/* Strict CRLF lines of ASCII, none too long. */
static void check_lines(struct slice message)
{
    struct slice line;

    must(utf8_is_ascii(message));
    while (slice_cut(message, '\n', &line, &message)) {
        must(slice_ends(line, SLICE("\r")) && line.len - 1 <= LINE_MAX);
        line = slice_head(line, line.len - 1);
        must(slice_find(line, '\r') == line.len && slice_find(line, '\0') == line.len);
    }
    must(message.len == 0);
}

static unsigned count_fields(struct slice header, struct slice name)
{
    struct cursor c = {header};
    struct header_field f;
    unsigned n = 0;

    while (header_take_field(&c, &f))
        n += name.len == 0 || slice_equal_nocase(f.name, name);
    must(cursor_at_end(&c));
    return n;
}

/* The generated fields that a given one does not replace, each once, and nothing unasked for. */
static void check_header(struct slice message, const struct compose *m)
{
    const struct {
        struct slice name;
        bool there;
    } generated[] = {
        {SLICE("Date"),       true              },
        {SLICE("From"),       true              },
        {SLICE("To"),         true              },
        {SLICE("Cc"),         m->cc_count > 0   },
        {SLICE("Subject"),    m->subject.len > 0},
        {SLICE("Message-ID"), true              },
    };

    bool multipart = m->attachment_count > 0 || m->inline_count > 0 ||
                     (m->text.data != NULL && m->html.data != NULL);
    /* MIME-Version and Content-Type, or Content-Transfer-Encoding besides. */
    unsigned want = m->field_count + (multipart ? 2 : 3);
    struct slice header, body;

    must(header_split(message, &header, &body));
    for (size_t i = 0; i < sizeof(generated) / sizeof(*generated); i++) {
        if (m->field_count > 0 && slice_equal_nocase(m->fields[0].name, generated[i].name))
            continue;
        must(count_fields(header, generated[i].name) == generated[i].there);
        want += generated[i].there;
    }
    must(count_fields(header, SLICE("")) == want);
}

static void check_composed(struct cursor c, unsigned choice, struct arena *arena)
{
    struct compose_file file = {0};
    struct compose_field field = {0};
    struct compose_mailbox to = {
        .address = {
                    .kind = ADDRESS_MAILBOX, .local = SLICE("bob"), .domain = SLICE("example.net")}
    };
    struct compose m = {.date_us = UINT64_C(1700000000000000),
                        .unique = SLICE("0123456789abcdef"),
                        .id_domain = SLICE("mx.example.org"),
                        .to = &to,
                        .to_count = 1,
                        .fields = &field,
                        .attachments = &file,
                        .inlines = &file};

    m.subject = fuzz_line(&c);
    m.from.display = to.display = fuzz_line(&c);
    if (!address_parse(fuzz_line(&c), arena, &m.from.address) || m.from.address.utf8)
        m.from.address = to.address;
    field.name = fuzz_line(&c);
    field.value = fuzz_line(&c);
    m.field_count = field.name.len > 0;
    file.name = fuzz_line(&c);
    file.bytes = c.rest;
    if (!(choice & NO_TEXT) || !(choice & HAS_HTML))
        m.text = c.rest.data == NULL ? SLICE("") : c.rest;
    if (choice & HAS_HTML)
        m.html = c.rest.data == NULL ? SLICE("") : c.rest;
    m.attachment_count = (choice & HAS_FILE) != 0;
    m.inline_count = (choice & HAS_INLINE) != 0 && m.html.data != NULL;
    m.cc = &to;
    m.cc_count = (choice & HAS_CC) != 0;

    struct buf out;

    buf_init(&out, OUT_MAX);
    if (compose_write(&out, arena, &m)) {
        check_lines(buf_slice(&out));
        check_header(buf_slice(&out), &m);
    }
    buf_done(&out);
}

static void repair(struct slice text, struct fuzz_chance *chance, struct line_repair *r,
                   struct buf *out)
{
    line_repair_init(r);
    while (text.len > 0) {
        size_t n = chance == NULL ? text.len : fuzz_chunk(chance, text.len);

        must(line_repair_write(r, out, slice_head(text, n)));
        text = slice_skip(text, n);
    }
    must(line_repair_finish(r, out));
    must(r->size == buf_len(out));
}

static void check_repair(struct slice text, struct fuzz_chance *chance)
{
    struct line_repair whole, pieces;
    struct buf a, b;

    buf_init(&a, OUT_MAX);
    buf_init(&b, OUT_MAX);
    repair(text, NULL, &whole, &a);
    repair(text, chance, &pieces, &b);
    must(slice_equal(buf_slice(&a), buf_slice(&b)));
    must(whole.bare_cr == pieces.bare_cr && whole.nul == pieces.nul &&
         whole.eight_bit == pieces.eight_bit);
    must(whole.eight_bit == !utf8_is_ascii(text));
    must(whole.nul == (slice_find(text, '\0') < text.len));

    struct slice out = buf_slice(&a);
    bool bare = false;

    for (size_t i = 0; i < out.len; i++) {
        must(out.data[i] != '\n' || (i > 0 && out.data[i - 1] == '\r'));
        bare = bare || (out.data[i] == '\r' && (i + 1 == out.len || out.data[i + 1] != '\n'));
    }
    must(whole.bare_cr == bare);
    buf_done(&a);
    buf_done(&b);
}

void fuzz_input(struct slice input)
{
    struct cursor c = {input};
    unsigned choice = fuzz_choice(&c);
    struct fuzz_chance chance = {fuzz_mix(choice)};
    struct arena arena;

    arena_init(&arena);
    check_composed(c, choice, &arena);
    check_repair(c.rest, &chance);
    arena_done(&arena);
}
