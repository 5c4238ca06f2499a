/*
 * attempts.c - what the log says of attempts.
 *
 * Of a mail that came when nothing was broken, and while nothing breaks that it needs, the first
 * attempt has a minute. A crash takes the log's last lines with it, so that nobody knows who was
 * tried before; the check that all mail leaves when the day is over (world.c) takes those.
 */
#include "sim/attempts.h"

#include "base/cursor.h"

#include <stdio.h>
#include <string.h>

#define SECOND_US UINT64_C(1000000)

enum {
    ID_LEN = 12,
    TRIED_WITHIN_S = 60,
    NOTICED_WITHIN_S = 30 * 60, /* without a log a failed question to DNS shows at the next try */
};

#define NOTE(a, ...) history_note((a)->history, "check", __VA_ARGS__)

static uint64_t later(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

static bool is_far(const struct sent_rcpt *r)
{
    return r->fate == FATE_RELAY || r->fate == FATE_BOUNCE;
}

/* Since when all servers of the domain are. */
static uint64_t healthy_us(const struct attempts *a, unsigned domain)
{
    unsigned server = domain % SENT_SERVERS;

    return later(a->healthy_us[server], domain == SENT_HAS_BACKUP ? a->healthy_us[server - 1] : 0);
}

/* By when it was to be tried; UINT64_MAX: who knows, something was broken since it came. */
static uint64_t due_us(const struct attempts *a, const struct sent *s, const struct sent_rcpt *r,
                       bool by_log)
{
    bool log_is_whole = a->disturbed_us[DISTURBS_LOG] < s->acked_us;
    enum disturbance needs = is_far(r) ? DISTURBS_ALL : DISTURBS_MAILBOXES;

    if (!s->acked || s->in_hand || s->tries > 1 || a->disturbed_us[DISTURBS_ALL] >= s->acked_us ||
        a->disturbed_us[needs] >= s->acked_us || (by_log && !log_is_whole) ||
        (is_far(r) && healthy_us(a, r->user) >= s->acked_us))
        return UINT64_MAX;
    return s->acked_us + s->hold_for_s * SECOND_US +
           (log_is_whole ? TRIED_WITHIN_S : NOTICED_WITHIN_S) * SECOND_US;
}

static void tried(struct attempts *a, const struct sent *s, struct sent_rcpt *r, uint64_t now_us,
                  bool by_log)
{
    if (r->tried_us != 0)
        return;
    r->tried_us = now_us;
    if (sent_is_early(a->ledger, s, now_us)) {
        a->early++;
        NOTE(a, "EARLY: message %u (%s) is to be held for %u s", s->number, s->id, s->hold_for_s);
    }
    if (due_us(a, s, r, by_log) >= now_us)
        return;
    a->starved++;
    NOTE(a, "STARVED: message %u (%s) was tried after %u s", s->number, s->id,
         (unsigned)((now_us - s->acked_us) / SECOND_US));
}

void attempts_tried(struct attempts *a, const struct sent *s, struct sent_rcpt *r, uint64_t now_us)
{
    tried(a, s, r, now_us, false);
}

void attempts_disturbed(struct attempts *a, enum disturbance what, uint64_t until_us)
{
    a->disturbed_us[what] = later(a->disturbed_us[what], until_us);
}

/* ---- lines ---- */

static struct sent *sent_as(struct ledger *l, struct slice id)
{
    for (unsigned i = 0; i < l->count; i++)
        if (slice_equal(slice_of(l->sent[i].id), id))
            return &l->sent[i];
    return NULL;
}

static void keep_unknown(struct attempts *a, struct slice id, struct slice rcpt, uint64_t now_us)
{
    unsigned at = a->next_unknown++ % UNKNOWN_MAX;

    (void)snprintf(a->unknown[at].id, sizeof(a->unknown[at].id), "%.*s", SLICE_PRINTF(id));
    (void)snprintf(a->unknown[at].rcpt, sizeof(a->unknown[at].rcpt), "%.*s", SLICE_PRINTF(rcpt));
    a->unknown[at].at_us = now_us;
}

void attempts_acked(struct attempts *a, struct sent *s)
{
    for (unsigned i = 0; i < UNKNOWN_MAX; i++) {
        struct sent_rcpt *r;

        if (strcmp(a->unknown[i].id, s->id) != 0 || s->id[0] == '\0')
            continue;
        r = sent_rcpt_called(s, slice_of(a->unknown[i].rcpt));
        if (r != NULL)
            tried(a, s, r, a->unknown[i].at_us, true);
    }
}

/* The value of "name=value, "; "" when it is not there. */
static struct slice field(struct slice text, struct slice name)
{
    struct slice value, rest;

    for (; text.len > name.len; text = slice_skip(text, 1)) {
        if (!slice_starts(text, name))
            continue;
        text = slice_skip(text, name.len);
        return slice_cut(text, ',', &value, &rest) ? value : text;
    }
    return SLICE("");
}

/* Whole seconds; the rest is cut. */
static uint64_t seconds(struct slice text)
{
    struct cursor c = {text};
    uint64_t n = 0;

    return take_number(&c, &n) ? n : 0;
}

static void note_deferred(struct attempts *a, const struct sent *s, struct sent_rcpt *r,
                          struct slice text, uint64_t now_us)
{
    uint32_t warning_s = is_far(r) ? a->warning_s[r->user] : 0;

    if (warning_s == 0 || seconds(field(text, SLICE(" delay="))) < warning_s)
        return;
    if (r->warn_us != 0 || s->deaf || !sent_wants(s, r, REPORT_OF_DELAY))
        return;
    r->warn_us = now_us;
    a->warnings++;
}

/* "ID: to=<u3@sim.example>, orig_to=<..>, relay=.., delay=.., delays=.., dsn=.., status=sent (..)"
 */
void attempts_log(struct attempts *a, struct slice tag, struct slice text, uint64_t now_us)
{
    struct cursor c = {text};
    struct slice id, rcpt = field(text, SLICE(" to=<"));

    if ((!slice_equal(tag, SLICE("smtp")) && !slice_equal(tag, SLICE("local")) &&
         !slice_equal(tag, SLICE("qmgr"))) ||
        !take_bytes(&c, ID_LEN, &id) || rcpt.len == 0 ||
        slice_starts(field(text, SLICE(" status=")), SLICE("sent (duplicate of ")))
        return;
    rcpt.len--;
    struct sent *s = sent_as(a->ledger, id);
    if (s == NULL) {
        keep_unknown(a, id, rcpt, now_us);
        return;
    }
    struct sent_rcpt *r = sent_rcpt_called(s, rcpt);
    if (r == NULL)
        return;
    tried(a, s, r, now_us, true);
    if (slice_starts(field(text, SLICE(" status=")), SLICE("deferred")))
        note_deferred(a, s, r, text, now_us);
    else if (slice_starts(field(text, SLICE(" status=")), SLICE("bounced")))
        r->given_up_us = now_us;
}
