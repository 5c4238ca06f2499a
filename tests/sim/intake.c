/*
 * intake.c - what came to the servers of others.
 *
 * Each copy is judged when it comes: once is right, once more needs a reason that lies in the past.
 * A report counts for each recipient that it names.
 */
#include "sim/intake.h"

#include "sim/reports.h"

#include <stdio.h>

#define NOTE(in, ...) history_note((in)->history, "server", __VA_ARGS__)

/* Behind our Received field, which is folded. */
static struct slice behind_trace(struct slice text)
{
    struct slice line, rest = text;

    if (!slice_starts(text, SLICE("Received: ")))
        return text;
    do {
        if (!slice_cut(rest, '\n', &line, &rest))
            return text;
    } while (rest.len > 0 && (rest.data[0] == ' ' || rest.data[0] == '\t'));
    return rest;
}

static bool is_as_sent(const struct sent *s, struct slice content)
{
    struct buf body;

    buf_init(&body, 2 * BODY_MAX);
    sent_body(s, &body);
    bool same = slice_equal(content, buf_slice(&body));
    buf_done(&body);
    return same;
}

static struct sent *sent_of(struct intake *in, const struct transaction *t)
{
    return ledger_from(in->ledger, slice_of(t->sender), behind_trace(buf_slice(&t->content)));
}

static struct sent_rcpt *rcpt_of(struct intake *in, const struct transaction *t, const char *rcpt)
{
    struct sent *s = sent_of(in, t);

    return s == NULL ? NULL : sent_rcpt_called(s, slice_of(rcpt));
}

static void judge(struct intake *in, const struct sent *s, struct coming *c, const char *what,
                  unsigned user, bool answered)
{
    if (coming_came(c, in->clock->now_us, answered)) {
        in->explained += c->count > 1;
        return;
    }
    in->twice++;
    NOTE(in, "TWICE: %s of message %u for user %u", what, s->number, user);
}

static void take_mail(struct intake *in, struct transaction *t, struct sent *s, bool answered)
{
    if (!is_as_sent(s, behind_trace(buf_slice(&t->content)))) {
        in->torn++;
        NOTE(in, "TORN: message %u has come as %zu bytes", s->number, buf_len(&t->content));
    }
    for (unsigned i = 0; i < t->rcpt_count; i++) {
        struct sent_rcpt *r = sent_rcpt_called(s, slice_of(t->rcpts[i]));

        if (r == NULL) {
            in->strangers++;
            NOTE(in, "STRANGER: message %u for %s", s->number, t->rcpts[i]);
            continue;
        }
        judge(in, s, &r->mail, "a copy", r->user, answered);
        if (s->held || s->deleted) {
            in->unwilled++;
            NOTE(in, "UNWILLED: message %u was %s", s->number, s->held ? "held" : "deleted");
        }
        r->unheard = r->unheard || !answered;
    }
}

/* --- reports --- */

struct reading {
    struct intake *in;
    struct sent *sent;
    bool answered;
};

static void read_one(void *ctx, struct sent_rcpt *r, enum sent_report what)
{
    static const char *const names[] = {"a report of the failure", "a report of the delay",
                                        "a report of the delivery"};
    struct reading *reading = ctx;

    NOTE(reading->in, "%s of message %u for user %u", names[what], reading->sent->number, r->user);
    judge(reading->in, reading->sent, &r->reports[what], names[what], r->user, reading->answered);
}

/* To "m17@client.example". */
static void take_report(struct intake *in, struct transaction *t, bool answered)
{
    struct sent *s = ledger_from(in->ledger, slice_of(t->rcpts[0]), SLICE(""));
    struct reading reading = {in, s, answered};

    if (s == NULL) {
        in->strangers++;
        NOTE(in, "STRANGER: a report for <%s>", t->rcpts[0]);
        return;
    }
    report_read(s, buf_slice(&t->content), read_one, &reading);
}

void intake_take(struct intake *in, struct transaction *t, bool answered)
{
    struct sent *s = sent_of(in, t);

    t->taken_us = answered ? in->clock->now_us : 0;
    if (s != NULL && s->whole) {
        take_mail(in, t, s, answered);
    } else if (s == NULL && t->sender[0] == '\0') {
        take_report(in, t, answered);
    } else {
        in->strangers++;
        NOTE(in, "STRANGER: from <%s>", t->sender);
    }
}

/* --- what else there is to know --- */

static void doubt_one(void *ctx, struct sent_rcpt *r, enum sent_report what)
{
    (void)ctx;
    coming_doubt(&r->reports[what]);
}

void intake_unheard(struct intake *in, const struct transaction *t)
{
    struct sent *s = sent_of(in, t);
    struct sent_rcpt *loop = rcpt_of(in, t, t->rcpts[0]);

    NOTE(in, "that mail from <%s> was taken may not have been heard", t->sender);
    if (s == NULL) {
        s = ledger_from(in->ledger, slice_of(t->rcpts[0]), SLICE(""));
        if (s != NULL)
            report_read(s, buf_slice(&t->content), doubt_one, NULL);
        return;
    }
    if (loop != NULL)
        ledger_doubt_loop(loop);
    for (unsigned i = 0; i < t->rcpt_count; i++) {
        struct sent_rcpt *r = sent_rcpt_called(s, slice_of(t->rcpts[i]));

        if (r == NULL)
            continue;
        coming_doubt(&r->mail);
        coming_doubt(&r->reports[REPORT_OF_FAILURE]);
        coming_doubt(&r->reports[REPORT_OF_SUCCESS]);
        r->unheard = true;
    }
}

static void note_refusal(struct intake *in, const struct transaction *t, const char *rcpt)
{
    struct sent *s = NULL;
    struct sent_rcpt *r = rcpt_of(in, t, rcpt);

    if (t->sender[0] == '\0')
        s = ledger_from(in->ledger, slice_of(rcpt), SLICE(""));
    if (r != NULL)
        r->refused_us = in->clock->now_us;
    if (s != NULL)
        s->deafened_us = in->clock->now_us; /* a report is refused */
}

void intake_refused(struct intake *in, struct transaction *t, const char *rcpt)
{
    note_refusal(in, t, rcpt);
    if (t->refused_count == sizeof(t->refused) / sizeof(*t->refused))
        return;
    (void)snprintf(t->refused[t->refused_count++], sizeof(*t->refused), "%s", rcpt);
}

void intake_refusals_end(struct intake *in, const struct transaction *t)
{
    for (unsigned i = 0; i < t->refused_count; i++)
        note_refusal(in, t, t->refused[i]);
}

void intake_tried(struct intake *in, const struct transaction *t, const char *rcpt)
{
    struct sent *s = sent_of(in, t);
    struct sent_rcpt *r = rcpt_of(in, t, rcpt);

    if (r != NULL)
        attempts_tried(in->attempts, s, r, in->clock->now_us);
}
