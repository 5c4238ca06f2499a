/*
 * fuzz_name_list.c - every line of a list is found again by what it names, or has a fault with a
 * place; and the lines in any other order are the same list.
 */
#include "fuzz.h"

#include "mail/name_list.h"

struct reading {
    struct arena arena;
    struct complaints complaints;
    struct name_list *list;
};

static void read_list(struct reading *r, struct slice text)
{
    *r = (struct reading){0};
    r->complaints.arena = &r->arena;
    r->list = name_list_parse(text, &r->complaints);
}

static void reading_done(struct reading *r)
{
    name_list_free(r->list);
    arena_done(&r->arena);
}

/* Somebody whom the line names. */
static struct address example_of(struct slice word, struct arena *arena)
{
    struct address a = {.kind = ADDRESS_NULL};
    struct slice domain;

    word = slice_skip(word, slice_starts(word, SLICE("@")));
    domain = word;
    if (slice_equal(word, SLICE("<>")))
        return a;
    if (slice_ends(word, SLICE("@")))
        word = arena_printf(arena, "%.*sfar.example", SLICE_PRINTF(word));
    if (slice_find(word, '@') < word.len) {
        must(address_parse(word, arena, &a));
    } else {
        if (slice_starts(word, SLICE("*.")))
            domain = slice_skip(word, 2);
        a.kind = ADDRESS_MAILBOX;
        a.local = SLICE("somebody");
        must(domain_parse(domain, arena, &a.domain));
    }
    if (a.kind == ADDRESS_MAILBOX)
        must(domain_to_ascii(a.domain, arena, &a.domain));
    if (slice_starts(word, SLICE("*.")) && slice_find(word, '@') == word.len)
        a.domain = arena_printf(arena, "below.%.*s", SLICE_PRINTF(a.domain));
    return a;
}

/* The last line first. */
static void write_backwards(struct reading *r, struct slice text, struct buf *out)
{
    struct table_reader lines = table_reader_of(text, &r->complaints);
    struct table_line line;
    struct slice all = SLICE("");

    while (table_next_line(&lines, &line)) {
        struct slice word = table_line_word(&line);
        struct address a = example_of(word, &r->arena);

        must(name_list_has(r->list, &a));
        all = arena_printf(&r->arena, "%.*s\n%.*s", SLICE_PRINTF(word), SLICE_PRINTF(all));
    }
    must(buf_append(out, all));
}

void fuzz_input(struct slice input)
{
    struct reading r, again;
    struct buf text;

    input = slice_head(input, 8192); /* it is copied once a line */
    buf_init(&text, 1024 * 1024);
    read_list(&r, input);
    if (r.complaints.errors == 0) {
        write_backwards(&r, input, &text);
        read_list(&again, buf_slice(&text));
        must(again.complaints.errors == 0);
        must(name_list_count(again.list) == name_list_count(r.list));
        reading_done(&again);
    } else {
        complaints_write(&r.complaints, SLICE("f"), input, &text);
        must(buf_len(&text) > 0);
    }
    reading_done(&r);
    buf_done(&text);
}
