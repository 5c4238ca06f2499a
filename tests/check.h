/*
 * check.h - what cmocka lacks: slices, table rows that report their index, guard pages.
 */
#ifndef TESTS_CHECK_H
#define TESTS_CHECK_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/slice.h"

/* In a table test: set at the top of each row, so that a failure names its row. */
static size_t check_row __attribute__((unused));

#define CHECK_ROWS(i, table)                                                                       \
    for (size_t i = check_row = 0; i < sizeof(table) / sizeof(*(table)); check_row = ++i)

#define check(condition)                                                                           \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            print_error("row %zu: %s\n", check_row, #condition);                                   \
            _fail(__FILE__, __LINE__);                                                             \
        }                                                                                          \
    } while (0)

#define check_int(got, want)                                                                       \
    do {                                                                                           \
        long long check_got = (long long)(got), check_want = (long long)(want);                    \
        if (check_got != check_want) {                                                             \
            print_error("row %zu: %s is %lld, not %lld\n", check_row, #got, check_got,             \
                        check_want);                                                               \
            _fail(__FILE__, __LINE__);                                                             \
        }                                                                                          \
    } while (0)

#define check_slice(got, want)                                                                     \
    do {                                                                                           \
        struct slice check_got = (got), check_want = (want);                                       \
        if (!slice_equal(check_got, check_want)) {                                                 \
            print_error("row %zu: %s is \"%.*s\" (%zu), not \"%.*s\" (%zu)\n", check_row, #got,    \
                        SLICE_PRINTF(check_got), check_got.len, SLICE_PRINTF(check_want),          \
                        check_want.len);                                                           \
            _fail(__FILE__, __LINE__);                                                             \
        }                                                                                          \
    } while (0)

/* A copy that ends exactly at an unmapped page: reading one byte too far crashes. Released by
 * guarded_free(). */
static inline struct slice guarded(struct slice s)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE), room = (s.len / page + 1) * page;
    char *p = mmap(NULL, room + page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    assert_true(p != MAP_FAILED);
    assert_int_equal(mprotect(p + room, page, PROT_NONE), 0);
    char *start = p + room - s.len;
    if (s.len > 0)
        memcpy(start, s.data, s.len);
    return (struct slice){start, s.len};
}

static inline void guarded_free(struct slice s)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE), room = (s.len / page + 1) * page;

    munmap((void *)(uintptr_t)(s.data + s.len - room), room + page);
}

#endif
