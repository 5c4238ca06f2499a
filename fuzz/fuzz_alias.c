/*
 * fuzz_alias.c - what an alias table says stands where it says, or a fault has a place; and written
 * back, one entry a line, it is the same table.
 *
 * The input is the table; lines "===NAME" begin further files, /NAME, which it may include.
 */
#include "fuzz.h"

#include "mail/alias.h"
#include "wire/utf8.h"

struct reading {
    struct arena arena;
    struct buf bundle;
    struct sources sources;
    struct aliases *aliases;
};

static void add_file(struct reading *r, struct slice path, struct slice text)
{
    bundle_add(&r->bundle, path, 0, text);
}

/* Cuts the input at its "===" lines. */
static void bundle_input(struct reading *r, struct slice input)
{
    struct cursor c = {input};
    struct slice path = SLICE("table");
    const char *from = input.data;

    add_file(r, SLICE("conf"), SLICE(""));
    while (!cursor_at_end(&c)) {
        const char *at = c.rest.data;
        struct slice line = fuzz_line(&c);

        if (!slice_starts(line, SLICE("===")) || r->sources.count++ == 8)
            continue;
        add_file(r, path, (struct slice){from, (size_t)(at - from)});
        path = arena_printf(&r->arena, "/%.*s", SLICE_PRINTF(slice_skip(line, 3)));
        from = c.rest.data;
    }
    if (from != NULL)
        add_file(r, path, (struct slice){from, (size_t)(input.data + input.len - from)});
    else
        add_file(r, path, SLICE(""));
}

static void read_table(struct reading *r)
{
    must(sources_open(&r->sources, buf_slice(&r->bundle), &r->arena));
    r->aliases = aliases_parse(r->sources.first->next, &r->sources);
}

static void reading_init(struct reading *r)
{
    *r = (struct reading){0};
    buf_init(&r->bundle, BUNDLE_MAX);
}

static void reading_done(struct reading *r)
{
    aliases_free(r->aliases);
    buf_done(&r->bundle);
    arena_done(&r->arena);
}

/* The text at a place. */
static struct slice text_at(const struct source *source, struct place place)
{
    struct slice rest = source->text, line = {0};
    const char *start;
    struct cursor c;
    uint32_t code;

    for (unsigned i = 0; i < place.line; i++)
        if (!slice_cut(rest, '\n', &line, &rest)) {
            line = rest;
            rest = slice_skip(rest, rest.len);
        }
    if (place.line == 1 && slice_starts(line, SLICE("\xef\xbb\xbf")))
        line = slice_skip(line, 3);
    c = (struct cursor){line};
    for (unsigned i = 1; i < place.column; i++)
        must(take_utf8(&c, &code));
    start = c.rest.data;
    for (unsigned i = 0; i < place.width; i++)
        must(take_utf8(&c, &code));
    return (struct slice){start, (size_t)(c.rest.data - start)};
}

/* In a table a word that begins with '#' begins a comment: such a name stands in quotes. */
static void write_target(struct reading *r, const struct address *to, struct buf *out)
{
    struct slice text = address_text(&r->arena, to);

    if (!slice_starts(text, SLICE("#"))) {
        must(buf_append(out, text));
        return;
    }
    must(buf_append_char(out, '"') && buf_append(out, to->local) && buf_append_char(out, '"') &&
         buf_append(out, slice_skip(text, to->local.len)));
}

static void check_target(struct reading *r, uint32_t i, struct buf *out)
{
    struct place place;
    struct source *source = aliases_target_place(r->aliases, i, &place);
    struct slice text = text_at(source, place);
    struct address to = aliases_target(r->aliases, i, &r->arena), there;

    if (place.column < UINT16_MAX && place.width < UINT16_MAX)
        must(address_parse(text, &r->arena, &there) && address_equal(&there, &to));
    write_target(r, &to, out);
}

static const struct alias_entry *look_up(struct reading *r, struct slice name)
{
    struct address who = {.kind = ADDRESS_MAILBOX};

    if (slice_starts(name, SLICE("@"))) {
        must(domain_parse(slice_skip(name, 1), &r->arena, &who.domain) &&
             domain_to_ascii(who.domain, &r->arena, &who.domain));
        return aliases_find_domain(r->aliases, &who);
    }
    must(address_parse(name, &r->arena, &who));
    if (who.kind == ADDRESS_MAILBOX)
        must(domain_to_ascii(who.domain, &r->arena, &who.domain));
    return aliases_find(r->aliases, &who);
}

static void check_entries(struct reading *r, struct buf *out)
{
    size_t count;
    const struct alias_entry *entries = aliases_entries(r->aliases, &count);

    for (size_t i = 0; i < count; i++) {
        struct place place;
        struct source *source = aliases_entry_place(r->aliases, &entries[i], &place);
        struct slice name = text_at(source, place);

        if (entries[i].width < UINT16_MAX)
            must(look_up(r, name) == &entries[i]);
        must(buf_append(out, name) && buf_append(out, SLICE(": ")));
        for (uint32_t t = 0; t < entries[i].count; t++) {
            must(buf_append(out, t > 0 ? SLICE(", ") : SLICE("")));
            check_target(r, entries[i].first + t, out);
        }
        must(buf_append_char(out, '\n'));
    }
}

static void check_written_back(struct slice text)
{
    struct reading again;
    struct buf out;

    reading_init(&again);
    buf_init(&out, BUNDLE_MAX);
    add_file(&again, SLICE("conf"), SLICE(""));
    add_file(&again, SLICE("table"), text);
    read_table(&again);
    /* An empty list from an included file is a mistake when nothing is written at all. */
    if (sources_errors(&again.sources) == 0) {
        check_entries(&again, &out);
        must(slice_equal(buf_slice(&out), text));
    } else {
        sources_write_complaints(&again.sources, &out);
        must(slice_find(buf_slice(&out), 'y') < buf_len(&out)); /* "yields nobody" */
    }
    reading_done(&again);
    buf_done(&out);
}

static void check_told(struct slice told)
{
    struct slice line;

    while (slice_cut(told, '\n', &line, &told))
        must(utf8_printable(line));
    must(told.len == 0);
}

void fuzz_input(struct slice input)
{
    struct reading r;
    struct buf out, told;

    reading_init(&r);
    buf_init(&out, BUNDLE_MAX);
    buf_init(&told, 1024 * 1024);
    bundle_input(&r, input);
    read_table(&r);
    sources_write_complaints(&r.sources, &told);
    check_told(buf_slice(&told));
    if (sources_errors(&r.sources) == 0) {
        check_entries(&r, &out);
        if (buf_len(&out) < 1024 * 1024)
            check_written_back(buf_slice(&out));
    } else {
        must(buf_len(&told) > 0);
    }
    reading_done(&r);
    buf_done(&out);
    buf_done(&told);
}
