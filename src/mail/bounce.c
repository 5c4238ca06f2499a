/*
 * bounce.c - who is owed a report, and what is in it.
 *
 * The rules against loops are all in bounce_fate(): a report goes from <>, so none is ever made of
 * it, but for one notice to postmaster, which is from <> as well and made of nothing that was meant
 * for postmaster. So a message makes at most two generations of mail. RFC 5321 6.1.
 *
 * A report is bounded although what others said is not: of a reply less is told, the more
 * recipients there are. It is mostly the same reply anyway.
 */
#include "mail/bounce.h"

#include "base/arena.h"
#include "mail/release.h"
#include "wire/header.h"
#include "wire/report.h"
#include "wire/utf8.h"

#include <assert.h>

enum { REPLIES_MAX = 16 * 1024, REPLY_MIN = 128, REPLY_MAX = 1024 };

static bool wants(const struct envelope *e, unsigned notify, enum bounce_event event)
{
    bool unsaid = notify == 0;

    switch (event) {
    case BOUNCE_FAILED: return unsaid || (notify & NOTIFY_FAILURE) != 0;
    case BOUNCE_DELAYED: return unsaid || (notify & NOTIFY_DELAY) != 0 || e->wishes.by == BY_NOTIFY;
    case BOUNCE_DELIVERED: return (notify & NOTIFY_SUCCESS) != 0;
    case BOUNCE_RELAYED:
        return (notify & NOTIFY_SUCCESS) != 0 || e->wishes.by == BY_NOTIFY || e->wishes.by_trace;
    }
    return false;
}

bool bounce_is_owed(const struct envelope *e, unsigned rcpt, enum bounce_event event)
{
    assert(rcpt < e->rcpt_count);
    unsigned notify = e->rcpts[rcpt].notify;

    return e->sender.kind != ADDRESS_NULL && (notify & NOTIFY_NEVER) == 0 &&
           wants(e, notify, event);
}

/* By whatever name it was sent there. */
static bool is_for_postmaster(const struct envelope_rcpt *rcpt, const struct address *postmaster)
{
    return address_equal(&rcpt->original, postmaster) || address_equal(&rcpt->final, postmaster) ||
           (rcpt->original.kind == ADDRESS_BARE && address_is_postmaster(&rcpt->original));
}

enum bounce_fate bounce_fate(const struct envelope *e, unsigned rcpt, enum bounce_event event,
                             bool our_own_report, const struct address *postmaster)
{
    if (bounce_is_owed(e, rcpt, event))
        return BOUNCE_TO_SENDER;
    if (e->sender.kind != ADDRESS_NULL || !our_own_report || event != BOUNCE_FAILED ||
        postmaster->kind == ADDRESS_NULL || is_for_postmaster(&e->rcpts[rcpt], postmaster))
        return BOUNCE_SILENT;
    return BOUNCE_TO_POSTMASTER;
}

struct slice bounce_header_of(struct slice start)
{
    struct cursor c = {start};
    struct header_field field;
    struct slice header = slice_head(start, 0);

    while (header_take_field(&c, &field)) {
        size_t len = start.len - c.rest.len;

        if (len > BOUNCE_HEADER_MAX)
            break;
        header = slice_head(start, len);
    }
    return header;
}

static enum report_action action_of(enum bounce_event event)
{
    switch (event) {
    case BOUNCE_FAILED: return REPORT_FAILED;
    case BOUNCE_DELAYED: return REPORT_DELAYED;
    case BOUNCE_DELIVERED: return REPORT_DELIVERED;
    case BOUNCE_RELAYED: return REPORT_RELAYED;
    }
    return REPORT_FAILED;
}

static size_t reply_max(unsigned count)
{
    size_t share = REPLIES_MAX / count;

    return share < REPLY_MIN ? REPLY_MIN : share > REPLY_MAX ? REPLY_MAX : share;
}

static struct report_rcpt report_rcpt_of(const struct bounce_input *in, const struct bounce_rcpt *b)
{
    assert(b->rcpt < in->about->rcpt_count);
    const struct envelope_rcpt *rcpt = &in->about->rcpts[b->rcpt];
    struct report_rcpt r = {
        .action = action_of(b->event),
        .original = rcpt->orcpt,
        .final = rcpt->final,
        .status = b->status,
        .remote_mta = slice_head(b->remote_mta, DOMAIN_MAX),
        .reply = slice_head(b->reply, reply_max(in->count)),
        .tried_us = b->tried_us,
        .retry_until_us = b->event == BOUNCE_DELAYED ? b->retry_until_us : 0,
    };

    if (!address_equal(&rcpt->original, &rcpt->final))
        r.given = rcpt->original;
    return r;
}

static bool wants_whole(const struct bounce_input *in)
{
    if (in->content_size != in->content.len || in->content.len > BOUNCE_FULL_MAX ||
        in->about->wishes.require_tls)
        return false;
    if (in->postmaster != NULL)
        return true;
    for (unsigned i = 0; i < in->count; i++)
        if (in->rcpts[i].event == BOUNCE_FAILED)
            return in->about->wishes.ret == RETURN_FULL;
    return false;
}

static void add_message(struct report *r, const struct bounce_input *in)
{
    r->full = wants_whole(in);
    if (r->full)
        header_split(in->content, &r->header, &r->body);
    if (r->full && report_can_return(r))
        return;
    r->full = false;
    r->header = bounce_header_of(in->content);
    r->body = SLICE("");
}

bool bounce_write(struct buf *out, const struct bounce_input *in, bool *smtputf8, bool *eight_bit)
{
    struct arena arena = {0};
    struct report_rcpt *rcpts = ARENA_ARRAY(&arena, struct report_rcpt, in->count);
    size_t before = buf_len(out);
    char id[QUEUE_ID_LEN];
    struct buf release;
    struct report r = {
        .hostname = in->hostname,
        .unique = in->unique,
        .date_us = in->now_us,
        .utc_offset_min = in->utc_offset_min,
        .to = in->postmaster != NULL ? *in->postmaster : in->about->sender,
        .to_postmaster = in->postmaster != NULL,
        .queue_id = {id, sizeof(id)},
        .envid = in->about->wishes.envid,
        .arrival_us = in->about->arrival_us,
        .rcpts = rcpts,
        .rcpt_count = in->count,
    };
    bool fits;

    assert(in->count > 0);
    queue_id_write(in->about->id, id);
    buf_init(&release, 32);
    release_write_request(&release, &in->about->wishes);
    r.release = buf_slice(&release);
    for (unsigned i = 0; i < in->count; i++)
        rcpts[i] = report_rcpt_of(in, &in->rcpts[i]);
    r.utf8 = report_needs_utf8(&r);
    add_message(&r, in);
    fits = report_write(out, &r);
    *smtputf8 = r.utf8;
    *eight_bit = !utf8_is_ascii(slice_skip(buf_slice(out), before));
    buf_done(&release);
    arena_done(&arena);
    return fits;
}
