/*
 * release_test.c - when mail that is to go later goes.
 */
#include "mail/release.h"

#include "check.h"

#define S UINT64_C(1000000)

enum { ARRIVAL_S = 1795313662 }; /* 2026-11-22T02:14:22Z */

static const struct {
    struct envelope_wishes wishes;
    bool later;
    uint64_t release_s;
    int64_t by_s;
    struct slice request;
} rows[] = {
    {{.by_s = 60},                                         false, ARRIVAL_S,                60,  SLICE_INIT("")                          },
    {{.hold_for_s = 3600, .by_s = 3700},                   true,  ARRIVAL_S + 3600,         100, SLICE_INIT("for;3600")                  },
    {{.hold_for_s = 999999999},
     true,                                                        ARRIVAL_S + 999999999ull,
     -999999999,
     SLICE_INIT("for;999999999")                                                                                                         },
    {{.hold_until_us = (ARRIVAL_S + 38) * S, .by_s = 100},
     true,                                                        ARRIVAL_S + 38,
     62,                                                                                         SLICE_INIT("until;2026-11-22T02:15:00Z")},
 /* Over when the message was whole: it goes at once. */
    {{.hold_until_us = (ARRIVAL_S - 22) * S, .by_s = 100},
     true,                                                        ARRIVAL_S,
     100,                                                                                        SLICE_INIT("until;2026-11-22T02:14:00Z")},
};

static void test_release(void **state)
{
    (void)state;
    CHECK_ROWS (i, rows) {
        struct envelope e = {.arrival_us = ARRIVAL_S * S, .wishes = rows[i].wishes};
        struct buf out;

        check(release_is_later(&e.wishes) == rows[i].later);
        check_int(release_us(&e) / S, rows[i].release_s);
        check_int(release_by_s(&e), rows[i].by_s);
        buf_init(&out, 32);
        check(release_write_request(&out, &e.wishes));
        check_slice(buf_slice(&out), rows[i].request);
        buf_done(&out);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_release)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
