/*
 * bench_figures.c - counts and latencies of `postroad bench load`.
 *
 * Every latency is kept: four bytes a message, and the figures are exact.
 */
#include "cmd/bench_figures.h"

#include "base/memory.h"
#include "wire/log_line.h"

#include <stdio.h>
#include <stdlib.h>

void bench_figures_done(struct bench_figures *f)
{
    memory_free(f->latencies_us);
}

void bench_figures_ack(struct bench_figures *f, uint64_t latency_us, uint64_t bytes)
{
    if (f->latency_count == f->latency_room) {
        f->latency_room = f->latency_room == 0 ? 1024 : 2 * f->latency_room;
        f->latencies_us =
            memory_resize(f->latencies_us, f->latency_room * sizeof(*f->latencies_us));
    }
    f->latencies_us[f->latency_count++] =
        latency_us > UINT32_MAX ? UINT32_MAX : (uint32_t)latency_us;
    f->bytes += bytes;
    f->acked++;
}

void bench_figures_failure(struct bench_figures *f, unsigned code, struct slice text)
{
    struct buf shown;

    if (code == 0)
        f->unknown++;
    else
        f->refused++;
    if (f->first_failure[0] != '\0')
        return;
    buf_init(&shown, sizeof(f->first_failure) - 1);
    if (code != 0)
        buf_printf(&shown, "%u ", code);
    log_escape(&shown, text, 120); /* an escape is four characters long: it fits */
    snprintf(f->first_failure, sizeof(f->first_failure), "%.*s", SLICE_PRINTF(buf_slice(&shown)));
    buf_done(&shown);
}

static int compare(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

    return (x > y) - (x < y);
}

uint64_t bench_figures_latency_us(struct bench_figures *f, unsigned percent)
{
    if (f->latency_count == 0)
        return 0;
    qsort(f->latencies_us, f->latency_count, sizeof(*f->latencies_us), compare);
    return f->latencies_us[(f->latency_count * percent + 99) / 100 - 1];
}

void bench_figures_print(struct bench_figures *f, uint64_t elapsed_us, bool json)
{
    double seconds = (double)(elapsed_us == 0 ? 1 : elapsed_us) / 1e6;
    double p50 = (double)bench_figures_latency_us(f, 50) / 1e3;
    double p99 = (double)bench_figures_latency_us(f, 99) / 1e3;
    double max = (double)bench_figures_latency_us(f, 100) / 1e3;

    printf(json ? "{\"acked\": %llu, \"refused\": %llu, \"unknown\": %llu, \"seconds\": %.3f, "
                  "\"per_second\": %.1f, \"mib_per_second\": %.2f, \"p50_ms\": %.3f, "
                  "\"p99_ms\": %.3f, \"max_ms\": %.3f}\n"
                : "bench load: %llu acked, %llu refused, %llu unknown in %.2f s: %.0f messages/s, "
                  "%.1f MiB/s, latency p50 %.1f ms, p99 %.1f ms, max %.1f ms\n",
           (unsigned long long)f->acked, (unsigned long long)f->refused,
           (unsigned long long)f->unknown, seconds, (double)f->acked / seconds,
           (double)f->bytes / 1048576 / seconds, p50, p99, max);
    if (f->first_failure[0] != '\0' && !json)
        printf("bench load: the first failure: %s\n", f->first_failure);
}
