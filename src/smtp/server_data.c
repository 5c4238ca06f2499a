/*
 * server_data.c - the content of a message, and DATA: from 354 to the final dot.
 *
 * Bytes pass in borrowed runs: dots_read() unstuffs (chunks come as they are, server_bdat.c), the
 * header is watched, the role keeps. What spoils a message never stops the reading, because
 * everything up to the final dot is content and must not be taken for commands. The spoiled rest is
 * swallowed, the dot gets the refusal.
 *
 * Which refusal follows from the whole message, never from the order of discovery, which would
 * depend on how the network cut the bytes. Permanent faults come before the role's failure, so
 * that a message that can never pass is not tried again.
 */
#include "smtp/server_internal.h"

#include <assert.h>

void server_content_begin(struct server *s, bool chunked)
{
    s->data = ARENA_NEW(&s->tx, struct server_data);
    s->data->chunked = chunked;
    dots_reader_init(&s->data->dots, s->settings->line_ends);
    header_watch_init(&s->data->header);
}

void server_data_begin(struct server *s, struct buf *out)
{
    server_content_begin(s, false);
    server_phase_set(s, PHASE_BODY);
    server_say(s, out, &REPLY(354, "", "End data with <CR><LF>.<CR><LF>"));
}

static bool is_too_big(const struct server *s)
{
    return s->data->size > s->settings->max_size;
}

/* RFC 3030 3: binary content has no lines. */
static bool is_binary(const struct server *s)
{
    return s->envelope->body == BODY_BINARYMIME;
}

/* A bare CR is refused also where bare LF is repaired: there is no telling what it meant, and
 * no client may send one. */
static bool has_bad_line_ends(const struct server *s)
{
    const struct dots_reader *d = &s->data->dots;
    const struct line_watch *w = &s->data->lines;

    if (is_binary(s))
        return false;
    if (s->data->chunked)
        return w->bare_cr || w->bare_lf;
    return d->bare_cr || (d->bare_lf && s->settings->line_ends == LINE_ENDS_STRICT);
}

static bool has_nul(const struct server *s)
{
    return !is_binary(s) && (s->data->dots.nul || s->data->lines.nul);
}

static bool loops(const struct server *s)
{
    return s->data->header.received_count >= s->settings->received_max;
}

static bool not_kept(const struct server *s)
{
    return s->data->failure.code != 0;
}

static const struct fault {
    bool (*found)(const struct server *s);
    struct reply reply; /* code 0: the role's */
} faults[] = {
  /* clang-format off */
    {is_too_big, {552, SLICE_INIT("5.3.4"), SLICE_INIT("Error: message file too big")}},
    {has_bad_line_ends, {550, SLICE_INIT("5.5.2"),
        SLICE_INIT("Error: bare <CR> or <LF> in the message; end lines with <CR><LF>")}},
    {has_nul, {550, SLICE_INIT("5.6.0"), SLICE_INIT("Error: NUL byte in the message")}},
    {loops, {554, SLICE_INIT("5.4.6"), SLICE_INIT("Error: too many hops; this mail is in a loop")}},
    {not_kept, {0, SLICE_INIT(""), SLICE_INIT("")}},
  /* clang-format on */
};

const struct reply *server_content_fault(const struct server *s)
{
    for (size_t i = 0; i < sizeof(faults) / sizeof(*faults); i++)
        if (faults[i].found(s))
            return faults[i].reply.code != 0 ? &faults[i].reply : &s->data->failure;
    return NULL;
}

void server_content_end(struct server *s, struct buf *out)
{
    struct server_data *data = s->data;

    line_watch_end(&data->lines);
    bool eight_bit = data->dots.eight_bit || data->lines.eight_bit;
    const struct reply *fault = server_content_fault(s);

    if (fault != NULL) {
        server_say_of_message(s, out, fault, server_say_excused);
        server_transaction_reset(s);
        return;
    }
    /* Many clients send 8-bit text without a word; the next hop must know. */
    if (eight_bit && s->envelope->body == BODY_7BIT)
        s->envelope->body = BODY_8BITMIME;
    data->run = SLICE("");
    server_ask(s, SERVER_WANTS_COMMIT);
}

bool server_content_run(struct server *s, struct slice run, enum server_need *need)
{
    struct server_data *d = s->data;

    d->size += run.len;
    if (d->chunked)
        line_watch_feed(&d->lines, run);
    if (!d->header.ended)
        header_watch_feed(&d->header, run);
    if (run.len == 0 || server_content_fault(s) != NULL)
        return false;
    d->run = run;
    *need = SERVER_BODY;
    return true;
}

bool server_data_step(struct server *s, struct cursor *in, struct buf *out, enum server_need *need)
{
    struct slice run = {0};

    switch (dots_read(&s->data->dots, in, &run)) {
    case DOTS_RUN: return server_content_run(s, run, need);
    case DOTS_END: server_content_end(s, out); return false;
    case DOTS_MORE: break;
    }
    *need = SERVER_WANTS_INPUT;
    return true;
}
