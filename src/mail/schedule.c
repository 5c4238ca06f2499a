/*
 * schedule.c - retries and windows.
 *
 * A window of n connections grows by one when n messages went well, and loses a connection with
 * every failure: a destination that is merely slow keeps what it can bear, one that is gone costs
 * a connection now and then, however much mail waits for it.
 */
#include "mail/schedule.h"

enum { ONE = 256, SPREAD = 8, LATE_US = 10 * 1000 };

const struct retry_plan retry_plan_default = {
    .steps_s = {5 * 60, 15 * 60, 60 * 60, 4 * 60 * 60},
    .step_count = 4,
    .give_up_s = 5 * 24 * 60 * 60,
    .delay_warning_s = 4 * 60 * 60,
};

uint64_t retry_delay_ms(const struct retry_plan *plan, unsigned attempts, uint32_t chance)
{
    unsigned step = attempts == 0 ? 0 : attempts - 1;
    uint64_t delay;

    if (step >= plan->step_count)
        step = plan->step_count - 1;
    delay = (uint64_t)plan->steps_s[step] * 1000;
    return delay + chance % (delay / SPREAD + 1);
}

bool retry_is_over(const struct retry_plan *plan, uint64_t age_ms)
{
    return age_ms >= (uint64_t)plan->give_up_s * 1000;
}

void window_init(struct window *w, unsigned max)
{
    unsigned first = max < WINDOW_FIRST ? max : WINDOW_FIRST;

    *w = (struct window){.size = first * ONE, .max = max};
}

static bool is_suspect(const struct window *w)
{
    return w->failures >= WINDOW_DOWN_AFTER;
}

bool window_has_room(const struct window *w, uint64_t now_ms)
{
    if (is_suspect(w))
        return w->open == 0 && now_ms >= w->down_until_ms;
    return w->open < w->size / ONE;
}

bool window_is_down(const struct window *w, uint64_t now_ms, uint64_t *until_ms)
{
    if (!is_suspect(w) || now_ms >= w->down_until_ms)
        return false;
    *until_ms = w->down_until_ms;
    return true;
}

uint64_t window_kept_until_ms(const struct window *w)
{
    return w->failures == 0 ? 0 : w->failed_ms + WINDOW_MEMORY_S * 1000;
}

void window_hope(struct window *w)
{
    if (w->failures >= WINDOW_DOWN_AFTER)
        w->failures = WINDOW_DOWN_AFTER - 1;
    w->down_until_ms = 0;
}

void window_opened(struct window *w)
{
    w->open++;
}

void window_closed(struct window *w)
{
    w->open--;
}

void window_succeeded(struct window *w)
{
    unsigned now = w->size / ONE;

    w->failures = 0;
    w->down_until_ms = 0;
    w->size += ONE / now;
    if (w->size > w->max * ONE)
        w->size = w->max * ONE;
}

static uint64_t pause_ms(unsigned failures)
{
    uint64_t pause_s = WINDOW_PAUSE_S;

    for (unsigned i = WINDOW_DOWN_AFTER; i < failures && pause_s < WINDOW_PAUSE_MAX_S; i++)
        pause_s *= 2;
    return (pause_s < WINDOW_PAUSE_MAX_S ? pause_s : WINDOW_PAUSE_MAX_S) * 1000;
}

/* What fails while it is down was begun before: that is no news. */
void window_failed(struct window *w, uint64_t now_ms)
{
    if (is_suspect(w) && now_ms < w->down_until_ms)
        return;
    w->failures++;
    w->failed_ms = now_ms;
    w->size = w->size > 2 * ONE ? w->size - ONE : ONE;
    if (is_suspect(w))
        w->down_until_ms = now_ms + pause_ms(w->failures);
}

void window_limit(struct window *w, unsigned max)
{
    if (max == w->max)
        return;
    w->max = max;
    if (w->size > max * ONE)
        w->size = max * ONE;
}

/* Timers have milliseconds and are late by some: of a rate of hundreds a second that would be a
 * part, so there it is made up for. */
static uint64_t earliest_us(uint64_t now_ms, uint64_t step_us)
{
    uint64_t now_us = now_ms * 1000;

    return step_us < LATE_US && now_us > LATE_US ? now_us - LATE_US : now_us;
}

uint64_t pace_wait_ms(const struct pace *p, uint64_t now_ms)
{
    uint64_t now_us = now_ms * 1000;

    return p->rate.count == 0 || p->next_us <= now_us ? 0 : (p->next_us - now_us + 999) / 1000;
}

void pace_went(struct pace *p, uint64_t now_ms)
{
    if (p->rate.count == 0)
        return;
    uint64_t step_us = (uint64_t)p->rate.per_s * 1000000 / p->rate.count;
    uint64_t earliest = earliest_us(now_ms, step_us);
    if (p->next_us < earliest)
        p->next_us = earliest;
    p->next_us += step_us;
}
