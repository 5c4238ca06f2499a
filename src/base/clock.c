/*
 * clock.c - the real clocks. The only file that asks the kernel for the time.
 */
#include "base/clock.h"

#include <time.h>

static uint64_t read_us(clockid_t id)
{
    struct timespec t;

    clock_gettime(id, &t); /* cannot fail for these two clocks */
    return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

/* BOOTTIME counts a suspended laptop's sleep too: a deadline does not stretch by it. */
static uint64_t real_monotonic_us(struct clock *c)
{
    (void)c;
    return read_us(CLOCK_BOOTTIME);
}

static uint64_t real_wall_us(struct clock *c)
{
    (void)c;
    return read_us(CLOCK_REALTIME);
}

static int real_utc_offset_min(struct clock *c, uint64_t wall_us)
{
    time_t seconds = (time_t)(wall_us / 1000000);
    struct tm local;

    (void)c;
    if (localtime_r(&seconds, &local) == NULL)
        return 0;
    return (int)(local.tm_gmtoff / 60);
}

struct clock *clock_real(void)
{
    static struct clock real = {real_monotonic_us, real_wall_us, real_utc_offset_min};

    return &real;
}
