/*
 * bench_figures.h - counts and latencies of `postroad bench load`.
 */
#ifndef CMD_BENCH_FIGURES_H
#define CMD_BENCH_FIGURES_H

#include "base/buf.h"

#include <stdint.h>

struct bench_figures {
    uint64_t acked, refused, unknown;
    uint64_t bytes;         /* of acknowledged messages */
    uint32_t *latencies_us; /* of acknowledged messages, each */
    size_t latency_count, latency_room;
    char first_failure[640]; /* escaped */
};

void bench_figures_done(struct bench_figures *f);
void bench_figures_ack(struct bench_figures *f, uint64_t latency_us, uint64_t bytes);

/* text may hold anything; the first one is kept. */
void bench_figures_failure(struct bench_figures *f, unsigned code, struct slice text);

/* The latency that `percent` of the acknowledged messages did not exceed; 0 when there are
 * none. Sorts. */
uint64_t bench_figures_latency_us(struct bench_figures *f, unsigned percent);

/* On stdout, as text or JSON. */
void bench_figures_print(struct bench_figures *f, uint64_t elapsed_us, bool json);

#endif
