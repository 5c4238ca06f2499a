/*
 * fuzz_sendmail.c - what a program gave to sendmail: whatever it is, it becomes lines that may be
 * sent, and its recipients are addresses.
 */
#include "fuzz.h"

#include "cmd/sendmail_message.h"
#include "cmd/sendmail_place.h"

static void lines_are_whole(struct slice text)
{
    for (size_t i = 0; i < text.len; i++) {
        must(text.data[i] != '\0');
        must(text.data[i] != '\n' || (i > 0 && text.data[i - 1] == '\r'));
        must(text.data[i] != '\r' || (i + 1 < text.len && text.data[i + 1] == '\n'));
    }
}

static void people_are_addresses(const struct sendmail_people *people)
{
    must(people->count <= SENDMAIL_RCPTS_MAX);
    for (unsigned i = 0; i < people->count; i++) {
        struct arena arena = {0};
        struct address again;

        must(address_parse(address_text(&arena, &people->list[i]), &arena, &again));
        must(address_equal(&people->list[i], &again));
        arena_done(&arena);
    }
}

/* Any chunking ends at the same place. */
static void ends_where_it_ends(struct slice input)
{
    struct dot_watch whole = {0}, bytes = {0};
    bool ended = false, again = false;
    size_t len = dot_watch_feed(&whole, input, &ended), at = 0;

    must(len <= input.len);
    while (at < input.len && !again)
        at += dot_watch_feed(&bytes, slice_head(slice_skip(input, at), 1), &again);
    must(ended == again);
}

void fuzz_input(struct slice input)
{
    const struct sendmail_writer writer = {
        .sender = {.kind = ADDRESS_MAILBOX, .local = SLICE("ann"), .domain = SLICE("a.example")},
        .full_name = slice_head(input, 40),
        .unique = SLICE("1"),
        .hostname = SLICE("mx.a.example")
    };
    struct sendmail_people people = {0};
    struct arena arena = {0};
    struct sendmail_place place = {.hostname = SLICE("h"), .origin = SLICE("h")};
    struct buf repaired, content;

    buf_init(&repaired, 4 * input.len + 16);
    buf_init(&content, 4 * input.len + 4096);
    must(sendmail_repair(&repaired, input));
    lines_are_whole(buf_slice(&repaired));
    if (sendmail_complete(&content, buf_slice(&repaired), &writer, &arena))
        lines_are_whole(buf_slice(&content));
    (void)sendmail_add_from_header(&people, &arena, buf_slice(&repaired), SLICE("a.example"));
    (void)sendmail_add_people(&people, &arena, input, SLICE("a.example"));
    people_are_addresses(&people);
    ends_where_it_ends(input);
    sendmail_place_read(input, &arena, &place);
    buf_done(&repaired);
    buf_done(&content);
    arena_done(&arena);
}
