/*
 * server_bdat.c - chunks: BDAT instead of DATA. RFC 3030.
 *
 * A chunk's length is said before it comes, so its bytes are never looked at for an end, and
 * never taken for commands: also those of a refused BDAT are counted off and dropped, before the
 * next command is read. Its reply comes behind them, but for a chunk that could never be taken:
 * that is told at once, since who asks so may never send it.
 *
 * What spoils a message is told at the end of the chunk in which it was found, and ends the
 * transaction; the client's further chunks, which may be on their way, find none. Lengths are
 * counted in 64 bits and never added up before the bytes are there.
 */
#include "smtp/server_internal.h"

#include "wire/chars.h"

static const struct reply syntax = {501, SLICE_INIT("5.5.4"),
                                    SLICE_INIT("Syntax: BDAT length [LAST]")};
static const struct reply too_big = {552, SLICE_INIT("5.3.4"),
                                     SLICE_INIT("Error: message file too big")};

/* One blank, digits, and perhaps one blank and LAST. More than 64 bits of length is no chunk that
 * ever ends. */
static bool read_chunk(const struct smtp_command *cmd, struct server_chunk *out)
{
    struct cursor c = {cmd->argument}, digits = c;
    size_t len = 0;

    if (cmd->argument.data != cmd->name.data + cmd->name.len + 1)
        return false;
    while (len < digits.rest.len && char_is(digits.rest.data[len], CHAR_DIGIT))
        len++;
    if (len == 0 || len > 20)
        return false;
    if (!take_number(&c, &out->left)) {
        out->left = UINT64_MAX;
        c.rest = slice_skip(c.rest, len);
    }
    if (cursor_at_end(&c))
        return true;
    out->last = take_char(&c, ' ') && slice_equal_nocase(c.rest, SLICE("LAST"));
    return out->last;
}

static void say_refusal(struct server *s, struct buf *out)
{
    void (*say)(struct server *, struct buf *, const struct reply *) =
        s->chunk.excused ? server_say_excused : server_say_wrong;

    say(s, out, s->chunk.refusal);
}

/* What follows it on the way is not the client's fault. */
static void end_transaction(struct server *s)
{
    server_transaction_reset(s);
    s->mail_refused = true;
}

void server_bdat_begin(struct server *s, const struct smtp_command *cmd, struct buf *out)
{
    struct server_chunk chunk = {.active = true};

    if (!read_chunk(cmd, &chunk)) {
        server_say_wrong(s, out, &syntax);
        return;
    }
    chunk.refusal = server_bdat_misplaced(s, &chunk.excused);
    s->chunk = chunk;
    if (chunk.refusal != NULL)
        return;
    if (chunk.left > s->settings->max_size) {
        s->chunk.refusal = &too_big;
        s->chunk.told = true;
        server_say_excused(s, out, &too_big);
        end_transaction(s);
        return;
    }
    if (s->phase == PHASE_RCPT) {
        server_content_begin(s, true);
        server_phase_set(s, PHASE_CHUNKS);
    }
}

static void chunk_is_whole(struct server *s, struct buf *out)
{
    const struct reply *fault;

    s->chunk.active = false;
    if (s->chunk.refusal != NULL) {
        if (!s->chunk.told)
            say_refusal(s, out);
        return;
    }
    if (s->chunk.last) {
        server_content_end(s, out);
        return;
    }
    fault = server_content_fault(s);
    if (fault == NULL) {
        server_say(s, out, &REPLY(250, "2.0.0", "Ok: chunk received"));
        return;
    }
    server_say_excused(s, out, fault);
    end_transaction(s);
}

bool server_bdat_step(struct server *s, struct cursor *in, struct buf *out, enum server_need *need)
{
    struct server_chunk *chunk = &s->chunk;
    struct slice run = in->rest;

    if (chunk->left == 0) {
        chunk_is_whole(s, out);
        return false;
    }
    if (run.len == 0) {
        *need = SERVER_WANTS_INPUT;
        return true;
    }
    if (run.len > chunk->left)
        run = slice_head(run, (size_t)chunk->left);
    in->rest = slice_skip(in->rest, run.len);
    chunk->left -= run.len;
    return chunk->refusal == NULL && server_content_run(s, run, need);
}
