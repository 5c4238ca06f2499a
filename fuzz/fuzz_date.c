/*
 * fuzz_date.c - dates: what was read, written and read again, is the same moment and zone.
 */
#include "fuzz.h"

#include "wire/date.h"

#define SECOND_US 1000000U

static void check_written(uint64_t wall_us, int offset_min)
{
    struct buf out;
    uint64_t again_us = 0;
    int again_min = 0;

    buf_init(&out, 64);
    must(date_write_rfc5322(&out, wall_us, offset_min));
    must(date_parse_rfc5322(buf_slice(&out), &again_us, &again_min));
    must(again_us == wall_us / SECOND_US * SECOND_US && again_min == offset_min);
    buf_clear(&out);
    must(date_write_iso(&out, wall_us, offset_min) && buf_len(&out) == 32);
    buf_clear(&out);
    must(date_write_syslog(&out, wall_us, offset_min) && buf_len(&out) == 15);
    buf_done(&out);
}

void fuzz_input(struct slice input)
{
    /* What cannot be parsed must not be touched. */
    uint64_t wall_us = 1;
    int offset_min = 1;

    if (date_parse_rfc5322(input, &wall_us, &offset_min))
        check_written(wall_us, offset_min);
    else
        must(wall_us == 1 && offset_min == 1);

    struct cursor c = {input};
    uint64_t any;

    /* Years of four digits; zones as a clock has them. Nothing before 1970 in any zone. */
    if (get_u64(&c, &any))
        check_written(86400 * (uint64_t)SECOND_US + any % (UINT64_C(253370764800) * SECOND_US),
                      (int)(any % 2879) - 1439);
}
