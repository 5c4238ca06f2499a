/*
 * history.c - one line for each thing that happened.
 *
 * A seed is run without it; when it fails it is run again with it, which is the same run: nothing
 * here may draw from the seed or change what others see.
 */
#include "sim/history.h"

#include <inttypes.h>
#include <stdarg.h>

void history_note(const struct history *h, const char *who, const char *format, ...)
{
    va_list args;

    if (h->out == NULL)
        return;
    uint64_t us = h->clock->now_us;
    (void)fprintf(h->out, "%02" PRIu64 ":%02" PRIu64 ":%02" PRIu64 ".%06" PRIu64 "  %-12s ",
                  us / 3600000000, us / 60000000 % 60, us / 1000000 % 60, us % 1000000, who);
    va_start(args, format);
    (void)vfprintf(h->out, format, args);
    va_end(args);
    (void)fputc('\n', h->out);
}
