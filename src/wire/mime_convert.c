/*
 * mime_convert.c - other transfer encodings for the leaves of a message.
 *
 * The survey has told what each part holds before its header is written here, so that no part is
 * touched without need, and nothing that was begun can fail.
 *
 * The CRLF in front of a delimiter belongs to the delimiter, so encoded content has none at its
 * end; a message without parts gets one.
 */
#include "wire/mime_convert.h"

#include "wire/header.h"

#include <assert.h>

enum { PIECE_MAX = 8 * 1024, OUT_ROOM = 64 * 1024 };

void mime_convert_init(struct mime_convert *c, enum mime_goal goal,
                       const struct mime_survey *survey)
{
    assert(mime_facts_can_fit(&survey->facts, goal));
    *c = (struct mime_convert){.goal = goal, .survey = survey};
    mime_init(&c->walk);
}

void mime_convert_done(struct mime_convert *c)
{
    mime_done(&c->walk);
}

/* --- headers --- */

/* How the leaf is rid of the traits. */
static enum transfer_mode mode_for(const struct mime_part *part, unsigned traits)
{
    if (traits == 0)
        return TRANSFER_AS_IS;
    if (part->encoding == MIME_QUOTED)
        return TRANSFER_QUOTED_LINES;
    if (part->encoding == MIME_BASE64)
        return TRANSFER_BASE64_LINES;
    return part->text && (traits & MIME_WILD) == 0 ? TRANSFER_QUOTED : TRANSFER_BASE64;
}

/* What the label has to be now; `data` is NULL when it stays as it is, and it is empty when there
 * need be none: 7bit is what is meant then, RFC 2045 6.1. */
static struct slice new_label(const struct mime_convert *c)
{
    enum mime_encoding said = c->walk.part.encoding;

    if (c->encoder.mode == TRANSFER_QUOTED)
        return SLICE("quoted-printable");
    if (c->encoder.mode == TRANSFER_BASE64)
        return SLICE("base64");
    if (c->goal == MIME_FOR_7BIT && (said == MIME_8BIT || said == MIME_BINARY))
        return SLICE("");
    return said == MIME_BINARY ? SLICE("8bit") : (struct slice){0};
}

static bool wants_version(const struct mime_convert *c, bool relabelled, struct slice header)
{
    struct header_field field;
    bool outermost = c->walk.part.depth == 0;

    return c->walk.part.message && (relabelled || (outermost && !c->walk.part.leaf)) &&
           !header_find(header, SLICE("MIME-Version"), &field);
}

/* The fields but for the old label, then ours, then the empty line. */
static void put_fields(const struct mime_convert *c, struct slice header, struct buf *out)
{
    struct slice label = new_label(c);
    struct cursor in = {header};
    struct header_field field;

    while (header_take_field(&in, &field))
        if (label.data == NULL ||
            !slice_equal_nocase(field.name, SLICE("Content-Transfer-Encoding")))
            buf_append(out, field.whole);
    if (wants_version(c, label.data != NULL, header))
        header_write(out, SLICE("MIME-Version"), SLICE("1.0"));
    if (label.len > 0)
        header_write(out, SLICE("Content-Transfer-Encoding"), label);
    buf_append(out, in.rest);
}

static void take_header(struct mime_convert *c, struct slice header, struct buf *out)
{
    unsigned bans = mime_goal_bans(c->goal);
    unsigned traits = mime_survey_part(c->survey, c->headers++) & bans;
    struct buf folded;

    transfer_encoder_begin(&c->encoder, mode_for(&c->walk.part, traits));
    if (!mime_may_relabel(&c->walk, header)) {
        buf_append(out, header);
        return;
    }
    buf_init(&folded, HEADER_FOLDED_MAX(header.len));
    if ((bans & MIME_LONG) != 0 && header_fold_long(&folded, header))
        header = buf_slice(&folded);
    put_fields(c, header, out);
    buf_done(&folded);
}

/* --- parts --- */

static void take_event(struct mime_convert *c, enum mime_event event, struct slice bytes,
                       struct buf *out)
{
    if (event != MIME_CONTENT && event != MIME_MORE)
        transfer_encoder_end(&c->encoder, out);
    switch (event) {
    case MIME_MORE: break;
    case MIME_HEADER: take_header(c, bytes, out); break;
    case MIME_CONTENT: transfer_encoder_write(&c->encoder, out, bytes); break;
    case MIME_OUTSIDE:
        transfer_encoder_begin(&c->encoder, TRANSFER_AS_IS);
        buf_append(out, bytes);
        break;
    case MIME_END:
        transfer_encoder_end_line(&c->encoder, out);
        c->over = true;
        break;
    }
}

/* A header comes whole and is written with a little more; content in pieces. */
static bool has_room(const struct buf *out)
{
    return buf_room(out) >= MIME_HEADER_MAX + OUT_ROOM;
}

static void run(struct mime_convert *c, struct cursor *in, struct buf *out)
{
    while (!c->over && has_room(out)) {
        struct cursor piece = {slice_head(in->rest, PIECE_MAX)};
        size_t offered = piece.rest.len;
        struct slice bytes;
        enum mime_event event = mime_next(&c->walk, &piece, &bytes);

        in->rest = slice_skip(in->rest, offered - piece.rest.len);
        take_event(c, event, bytes, out);
        if (event == MIME_MORE && cursor_at_end(in))
            break;
    }
}

void mime_convert_step(struct mime_convert *c, struct cursor *in, struct buf *out)
{
    run(c, in, out);
}

bool mime_convert_end(struct mime_convert *c, struct buf *out)
{
    struct cursor nothing = {{0}};

    mime_end(&c->walk);
    run(c, &nothing, out);
    return c->over;
}
