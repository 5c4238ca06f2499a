/*
 * date_test.c - dates both ways from a table, and every day of four centuries there and back.
 */
#include "check.h"

#include "wire/date.h"

enum { GOOD = true, BAD = false };

static void writes(void **state)
{
    static const struct {
        uint64_t wall_us;
        int offset_min;
        struct slice rfc5322, iso, syslog;
    } rows[] = {
        {0,                0,   SLICE_INIT("Thu, 1 Jan 1970 00:00:00 +0000"),
         SLICE_INIT("1970-01-01T00:00:00.000000+00:00"), SLICE_INIT("Jan  1 00:00:00")},
        {0,                -90, SLICE_INIT("Wed, 31 Dec 1969 22:30:00 -0130"),
         SLICE_INIT("1969-12-31T22:30:00.000000-01:30"), SLICE_INIT("Dec 31 22:30:00")},
        {1795313662123456, 0,   SLICE_INIT("Sun, 22 Nov 2026 02:14:22 +0000"),
         SLICE_INIT("2026-11-22T02:14:22.123456+00:00"), SLICE_INIT("Nov 22 02:14:22")},
        {1795313662123456, 330, SLICE_INIT("Sun, 22 Nov 2026 07:44:22 +0530"),
         SLICE_INIT("2026-11-22T07:44:22.123456+05:30"), SLICE_INIT("Nov 22 07:44:22")},
        {951782400000000,  0,   SLICE_INIT("Tue, 29 Feb 2000 00:00:00 +0000"),
         SLICE_INIT("2000-02-29T00:00:00.000000+00:00"), SLICE_INIT("Feb 29 00:00:00")},
        {4107542399999999, 0,   SLICE_INIT("Sun, 28 Feb 2100 23:59:59 +0000"),
         SLICE_INIT("2100-02-28T23:59:59.999999+00:00"), SLICE_INIT("Feb 28 23:59:59")},
        {4107542400000000, 0,   SLICE_INIT("Mon, 1 Mar 2100 00:00:00 +0000"),
         SLICE_INIT("2100-03-01T00:00:00.000000+00:00"), SLICE_INIT("Mar  1 00:00:00")},
    };

    (void)state;
    CHECK_ROWS (i, rows) {
        struct buf out;
        buf_init(&out, 40);
        check(date_write_rfc5322(&out, rows[i].wall_us, rows[i].offset_min));
        check_slice(buf_slice(&out), rows[i].rfc5322);
        buf_clear(&out);
        check(date_write_iso(&out, rows[i].wall_us, rows[i].offset_min));
        check_slice(buf_slice(&out), rows[i].iso);
        check(!date_write_iso(&out, rows[i].wall_us, rows[i].offset_min)); /* full */
        check_slice(buf_slice(&out), rows[i].iso);
        buf_clear(&out);
        check(date_write_syslog(&out, rows[i].wall_us, rows[i].offset_min));
        check_slice(buf_slice(&out), rows[i].syslog);
        buf_done(&out);
    }
}

static void writes_rfc3339(void **state)
{
    struct buf out;

    (void)state;
    buf_init(&out, 24);
    check(date_write_rfc3339(&out, 1795313662999999));
    check_slice(buf_slice(&out), SLICE("2026-11-22T02:14:22Z"));
    check(!date_write_rfc3339(&out, 0)); /* full */
    buf_done(&out);
}

static void parses(void **state)
{
    static const struct {
        struct slice text;
        bool ok;
        uint64_t wall_s;
        int offset_min;
    } rows[] = {
        {SLICE_INIT("Sun, 22 Nov 2026 02:14:22 +0000"),                  GOOD, 1795313662, 0   },
        {SLICE_INIT("22 Nov 2026 02:14:22 +0000"),                       GOOD, 1795313662, 0   },
        {SLICE_INIT("Sun, 22 Nov 2026 02:14 +0000"),                     GOOD, 1795313640, 0   },
        {SLICE_INIT("Sat, 21 Nov 2026 21:14:22 -0500"),                  GOOD, 1795313662, -300},
        {SLICE_INIT("Sun, 22 Nov 2026 07:44:22 +0530"),                  GOOD, 1795313662, 330 },
        {SLICE_INIT("Thu, 1 Jan 1970 00:00:00 +0000"),                   GOOD, 0,          0   },
        {SLICE_INIT("Tue, 29 Feb 2000 00:00:00 -0000"),                  GOOD, 951782400,  0   },
        {SLICE_INIT("Sat, 31 Dec 2016 23:59:60 +0000"),                  GOOD, 1483228800, 0   },
 /* 4.3: blanks, folds and comments anywhere */
        {SLICE_INIT(" Sun ,\r\n 22 Nov\t2026 02 : 14 : 22 +0000 (UTC)"), GOOD, 1795313662, 0   },
        {SLICE_INIT("Sun(a(b\\)c)d), 22(x)Nov(y)2026(z)02:14:22(w)GMT"), GOOD, 1795313662, 0   },
        {SLICE_INIT("Sun, 22 Nov 2026 02:14:22 +0000 (open"),            GOOD, 1795313662, 0   },
 /* 4.3: years and zones */
        {SLICE_INIT("Sun, 22 Nov 26 02:14:22 UT"),                       GOOD, 1795313662, 0   },
        {SLICE_INIT("Sun, 22 Nov 126 02:14:22 Z"),                       GOOD, 1795313662, 0   },
        {SLICE_INIT("Mon, 22 Nov 99 02:14:22 gmt"),                      GOOD, 943236862,  0   },
        {SLICE_INIT("Sat, 21 Nov 2026 21:14:22 EST"),                    GOOD, 1795313662, -300},
        {SLICE_INIT("Sat, 21 Nov 2026 19:14:22 pdt"),                    GOOD, 1795313662, -420},
        {SLICE_INIT("Sun, 22 Nov 2026 02:14:22 CEST"),                   GOOD, 1795313662, 0   },
        {SLICE_INIT("Sun, 22 Nov 2026 02:14:22 A"),                      GOOD, 1795313662, 0   },
        {SLICE_INIT("Sun, 22 Nov 2026 02:14:22"),                        GOOD, 1795313662, 0   },
        {SLICE_INIT("sunday 22 november 2026 2:14:22 +0000"),            GOOD, 1795313662, 0   },
 /* what is no date */
        {SLICE_INIT(""),                                                 BAD,  0,          0   },
        {SLICE_INIT("Sun, 22"),                                          BAD,  0,          0   },
        {SLICE_INIT("Sun, 22 Nov"),                                      BAD,  0,          0   },
        {SLICE_INIT("Sun, 22 Nov 2026"),                                 BAD,  0,          0   },
        {SLICE_INIT("Sun, 22 Nov 2026 02"),                              BAD,  0,          0   },
        {SLICE_INIT("Sun, 22 Nov 2026 02:14:22 +000"),                   BAD,  0,          0   },
        {SLICE_INIT("Sun, 22 Nov 2026 02:14:22 +2460"),                  BAD,  0,          0   },
        {SLICE_INIT("Sun, 22 Nov 2026 02:14:22 +0000 x"),                BAD,  0,          0   },
        {SLICE_INIT("Sun, 22 Nov 2026 24:00:00 +0000"),                  BAD,  0,          0   },
        {SLICE_INIT("Sun, 22 Nov 2026 02:60:00 +0000"),                  BAD,  0,          0   },
        {SLICE_INIT("Sun, 22 Nov 2026 02:14:61 +0000"),                  BAD,  0,          0   },
        {SLICE_INIT("Sun, 0 Nov 2026 02:14:22 +0000"),                   BAD,  0,          0   },
        {SLICE_INIT("Sun, 31 Nov 2026 02:14:22 +0000"),                  BAD,  0,          0   },
        {SLICE_INIT("Sun, 29 Feb 2100 02:14:22 +0000"),                  BAD,  0,          0   },
        {SLICE_INIT("Sun, 22 Foo 2026 02:14:22 +0000"),                  BAD,  0,          0   },
        {SLICE_INIT("Sun, 22 No 2026 02:14:22 +0000"),                   BAD,  0,          0   },
        {SLICE_INIT("Sun, 22 Nov 2 02:14:22 +0000"),                     BAD,  0,          0   },
        {SLICE_INIT("Sun, 22 Nov 20266 02:14:22 +0000"),                 BAD,  0,          0   },
        {SLICE_INIT("Sun, 22 Nov 99999999999999999999 02:14:22 +0000"),  BAD,  0,          0   },
        {SLICE_INIT("Wed, 31 Dec 1969 23:59:59 +0000"),                  BAD,  0,          0   },
        {SLICE_INIT("Thu, 1 Jan 1970 00:00:00 +0001"),                   BAD,  0,          0   },
    };

    (void)state;
    CHECK_ROWS (i, rows) {
        struct slice text = guarded(rows[i].text);
        uint64_t wall_us = 77;
        int offset_min = 77;
        check_int(date_parse_rfc5322(text, &wall_us, &offset_min), rows[i].ok);
        check_int(wall_us, rows[i].ok ? rows[i].wall_s * 1000000 : 77);
        check_int(offset_min, rows[i].ok ? rows[i].offset_min : 77);
        guarded_free(text);
    }
}

/* The day's name is checked too: it goes on by one each day. */
static void every_day(void **state)
{
    static const struct slice days[7] = {
        SLICE_INIT("Thu"), SLICE_INIT("Fri"), SLICE_INIT("Sat"), SLICE_INIT("Sun"),
        SLICE_INIT("Mon"), SLICE_INIT("Tue"), SLICE_INIT("Wed"),
    };

    (void)state;
    for (uint64_t day = 0; day < 146097; day++) {
        uint64_t wall_us = (day * 86400 + day % 86400) * 1000000, back;
        int offset_min = (int)(day % 2800) - 1400, offset_back;
        struct buf out;

        check_row = day;
        buf_init(&out, 40);
        check(date_write_rfc5322(&out, wall_us, 0));
        check_slice(slice_head(buf_slice(&out), 3), days[day % 7]);
        buf_clear(&out);
        check(date_write_rfc5322(&out, wall_us, offset_min));
        if (day > 0) { /* a zone west of 1970 is before it */
            check(date_parse_rfc5322(buf_slice(&out), &back, &offset_back));
            check_int(back, wall_us);
            check_int(offset_back, offset_min);
        }
        buf_done(&out);
    }
}

static const struct {
    struct slice text;
    uint64_t seconds; /* UINT64_MAX: no time */
} iso_times[] = {
    {SLICE_INIT("1970-01-01T00:00:00Z"),        0         },
    {SLICE_INIT("2030-01-01T01:00:00+01:00"),   1893456000},
    {SLICE_INIT("2029-12-31t23:30:00-00:30"),   1893456000},
    {SLICE_INIT("2030-01-01T00:00:00.987654z"), 1893456000},
    {SLICE_INIT("2024-02-29T00:00:00Z"),        1709164800},
    {SLICE_INIT("2016-12-31T23:59:60Z"),        1483228800}, /* a leap second */
    {SLICE_INIT("2023-02-29T00:00:00Z"),        UINT64_MAX},
    {SLICE_INIT("2030-13-01T00:00:00Z"),        UINT64_MAX},
    {SLICE_INIT("2030-01-00T00:00:00Z"),        UINT64_MAX},
    {SLICE_INIT("2030-01-01T24:00:00Z"),        UINT64_MAX},
    {SLICE_INIT("2030-01-01T00:00:00"),         UINT64_MAX},
    {SLICE_INIT("2030-01-01T00:00:00."),        UINT64_MAX},
    {SLICE_INIT("2030-01-01T00:00:00.Z"),       UINT64_MAX},
    {SLICE_INIT("2030-01-01T00:00:00+0100"),    UINT64_MAX},
    {SLICE_INIT("2030-01-01T00:00:00+24:00"),   UINT64_MAX},
    {SLICE_INIT("2030-01-01 00:00:00Z"),        UINT64_MAX},
    {SLICE_INIT("2030-1-1T0:0:0Z"),             UINT64_MAX},
    {SLICE_INIT("2030-01-01T00:00:00Z "),       UINT64_MAX},
    {SLICE_INIT("1970-01-01T00:00:00+00:01"),   UINT64_MAX}, /* before 1970 */
    {SLICE_INIT(""),                            UINT64_MAX},
};

static void iso_times_are_read(void **state)
{
    (void)state;
    CHECK_ROWS (i, iso_times) {
        struct slice text = guarded(iso_times[i].text);
        uint64_t wall_us = 77;
        bool good = date_parse_iso(text, &wall_us);

        check_int(good, iso_times[i].seconds != UINT64_MAX);
        check_int(wall_us, good ? iso_times[i].seconds * 1000000 : 77);
        guarded_free(text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(iso_times_are_read), cmocka_unit_test(writes),
        cmocka_unit_test(writes_rfc3339),     cmocka_unit_test(parses),
        cmocka_unit_test(every_day),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
