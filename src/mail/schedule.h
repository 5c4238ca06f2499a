/*
 * schedule.h - when to try again, how many connections a destination gets, and how fast mail goes
 * to it.
 *
 * Pure: time comes in as monotonic milliseconds, chance as a number. RFC 5321 4.5.4.1.
 */
#ifndef MAIL_SCHEDULE_H
#define MAIL_SCHEDULE_H

#include <stdbool.h>
#include <stdint.h>

/* `retry 5m 15m 1h 4h; give-up 5d; delay-warning 4h` of a relay. */
enum { RETRY_STEPS_MAX = 16 };

struct retry_plan {
    uint32_t steps_s[RETRY_STEPS_MAX]; /* the last one repeats */
    unsigned step_count;               /* at least 1 */
    uint32_t give_up_s;                /* age at which a failed attempt was the last one */
    uint32_t delay_warning_s;          /* age at which the sender is told; 0: never */
};

extern const struct retry_plan retry_plan_default;

/* How long to wait behind the attempts-th failure (from 1). `chance` spreads what failed together
 * over an eighth of the time more, so that it does not come back together. */
uint64_t retry_delay_ms(const struct retry_plan *plan, unsigned attempts, uint32_t chance);

/* Was the attempt that just failed the last one? */
bool retry_is_over(const struct retry_plan *plan, uint64_t age_ms);

/* Connections to one destination: few at first, more with every success, fewer with every
 * failure. One that fails again and again is down: after a pause a single connection asks whether
 * it still is. */
enum {
    WINDOW_FIRST = 5,
    WINDOW_MAX = 20,          /* unless `limit to` says otherwise */
    WINDOW_DOWN_AFTER = 3,    /* failures in a row */
    WINDOW_PAUSE_S = 60,      /* the first pause; each further one is twice as long ... */
    WINDOW_PAUSE_MAX_S = 900, /* ... up to this */
    WINDOW_MEMORY_S = 1800,   /* what failed longer ago says nothing about now */
};

struct window {
    uint32_t size; /* connections, in 1/256 */
    unsigned max;
    unsigned open;
    unsigned failures; /* since the last success */
    uint64_t down_until_ms;
    uint64_t failed_ms; /* the last of the failures */
};

void window_init(struct window *w, unsigned max);

/* May one more connection be opened now? */
bool window_has_room(const struct window *w, uint64_t now_ms);

/* Is it no use to wait for room: down, and the pause lasts until *until_ms? */
bool window_is_down(const struct window *w, uint64_t now_ms, uint64_t *until_ms);

/* 0: it never failed since its last success. Else it is to be kept until then, with mail or
 * without: who forgets it earlier calls a dead destination anew for each message. */
uint64_t window_kept_until_ms(const struct window *w);

/* Not down any more, until the next failure. */
void window_hope(struct window *w);

void window_opened(struct window *w);
void window_closed(struct window *w);

/* The destination took or refused a message in a sane dialog. */
void window_succeeded(struct window *w);

/* No connection, a lost one, or a server that takes no mail now. */
void window_failed(struct window *w, uint64_t now_ms);

/* Not more often than `count` times in per_s seconds; count 0: as often as you like. */
enum { RATE_COUNT_MAX = 1000000 };

struct rate {
    uint32_t count;
    uint32_t per_s;
};

/* What may go comes evenly, without making up for a time when there was nothing to do: a server
 * that counts in windows of its own, wherever they begin, never counts more. */
struct pace {
    struct rate rate;
    uint64_t next_us; /* when the next one may go */
};

/* 0: one may go now. Else how long it has to wait. */
uint64_t pace_wait_ms(const struct pace *p, uint64_t now_ms);

/* One goes. */
void pace_went(struct pace *p, uint64_t now_ms);

/* Up to so many connections from now on. */
void window_limit(struct window *w, unsigned max);

#endif
