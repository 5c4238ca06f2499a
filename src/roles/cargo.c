/*
 * cargo.c - a message as the next server can take it.
 *
 * A small message is surveyed at once, a large one on the worker; that is done once for each
 * attempt, whatever number of servers is called. Then mail/relay_params says what this server
 * needs.
 */
#include "roles/cargo.h"

#include "base/memory.h"
#include "roles/role.h"

#include <errno.h>

enum { SURVEY_AT_ONCE_MAX = 64 * 1024 };

static struct conversion_input input_of(const struct cargo *c)
{
    return (struct conversion_input){.spool = c->spool,
                                     .worker = c->role->worker,
                                     .file = c->message->file,
                                     .offset = c->message->offset,
                                     .length = c->message->length,
                                     .goal = c->answer.goal};
}

void cargo_stop(struct cargo *c)
{
    conversion_free(c->work);
    c->work = NULL;
}

static void converted(void *ctx)
{
    struct cargo *c = ctx;

    c->code = conversion_result(c->work, &c->file, &c->length);
    c->offset = 0;
    c->done(c);
}

/* False: later. */
static bool answer(struct cargo *c)
{
    if (c->any_length) {
        c->facts.traits &= ~(unsigned)MIME_LONG;
        c->facts.fixed &= ~(unsigned)MIME_LONG;
    }
    c->question.facts = &c->facts;
    relay_params_answer(&c->question, c->arena, &c->answer);
    c->file = c->message->file;
    c->offset = c->message->offset;
    c->length = c->message->length;
    if (!c->answer.convert)
        return true;
    struct conversion_input input = input_of(c);
    c->code = conversion_start(&input, converted, c, &c->work);
    return c->code < 0;
}

static void surveyed(void *ctx)
{
    struct cargo *c = ctx;
    const struct mime_facts *facts;

    c->code = conversion_facts(c->work, &facts);
    c->facts = *facts;
    c->surveyed = c->code == 0;
    cargo_stop(c);
    if (c->code < 0 || answer(c))
        c->done(c);
}

static void survey_at_once(struct cargo *c)
{
    const struct queue_message *m = c->message;
    char *bytes = memory_resize(NULL, SURVEY_AT_ONCE_MAX);
    struct mime_survey survey;
    size_t got = 0;

    while (c->code == 0 && got < m->length) {
        int64_t n = disk_read(m->file, bytes + got, (size_t)m->length - got, m->offset + got);

        if (n <= 0)
            c->code = n < 0 ? (int)n : -EIO;
        else
            got += (size_t)n;
    }
    mime_survey_init(&survey);
    mime_survey_feed(&survey, (struct slice){bytes, got});
    mime_survey_end(&survey);
    c->facts = survey.facts;
    c->surveyed = c->code == 0;
    mime_survey_done(&survey);
    memory_free(bytes);
}

bool cargo_prepare(struct cargo *c, const unsigned *rcpts, unsigned rcpt_count,
                   const struct ehlo_offers *offers, struct arena *arena)
{
    struct conversion_input input = input_of(c);

    cargo_stop(c);
    c->code = 0;
    c->at = 0;
    c->answer = (struct relay_answer){0};
    c->arena = arena;
    c->offers = *offers;
    c->envelope = c->message->envelope;
    if (c->any_length && !ehlo_offers(offers, EHLO_DELIVERBY))
        c->envelope.wishes.by = BY_UNSAID;
    if (c->stays_here)
        c->envelope.wishes.require_tls = false;
    c->question = (struct relay_question){
        .envelope = &c->envelope,
        .rcpts = rcpts,
        .rcpt_count = rcpt_count,
        .offers = &c->offers,
        .verified = c->is_safe,
        .age_s = queue_age_ms(c->message, loop_now_ms(c->role->loop)) / 1000};
    if (!c->surveyed && c->message->length > SURVEY_AT_ONCE_MAX) {
        conversion_look(&input, surveyed, c, &c->work);
        return false;
    }
    if (!c->surveyed)
        survey_at_once(c);
    return c->code < 0 || answer(c);
}

uint64_t cargo_size(const struct cargo *c)
{
    return c->message->header_block.len + c->answer.header.len + c->length;
}

enum remote_piece cargo_next(struct cargo *c, char piece[CLIENT_PIECE_MAX], struct slice *out)
{
    struct slice parts[] = {c->message->header_block, c->answer.header};
    uint64_t at = c->at;

    for (size_t i = 0; i < sizeof(parts) / sizeof(*parts); i++) {
        if (at < parts[i].len) {
            *out = slice_head(slice_skip(parts[i], (size_t)at), CLIENT_PIECE_MAX);
            c->at += out->len;
            return REMOTE_PIECE;
        }
        at -= parts[i].len;
    }
    if (at == c->length)
        return REMOTE_END;
    uint64_t left = c->length - at;
    int64_t got = disk_read(
        c->file, piece, left < CLIENT_PIECE_MAX ? (size_t)left : CLIENT_PIECE_MAX, c->offset + at);
    if (got <= 0) {
        c->unreadable = true;
        return REMOTE_UNREADABLE;
    }
    *out = (struct slice){piece, (size_t)got};
    c->at += (uint64_t)got;
    return REMOTE_PIECE;
}
