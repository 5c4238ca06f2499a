/*
 * shared.h - what the shim and the driver tell each other: one small file, mapped by every process
 * of the tested system and by the driver (faults), which has its own copy of this layout.
 *
 * The driver fills in role, call, kind and nth, clears seen and hits, and sets armed last. The
 * shim counts the calls of that role, makes the nth fail, and says where. Armed again, it serves
 * the next fault in the same processes.
 *
 * The clocks of the tested system may be shifted: both for all, so that a day is over at once, and
 * the warden's monotonic one, so that it forgets that a role ended before and does not make a
 * longer pause.
 */
#ifndef TESTS_FAULTS_SHARED_H
#define TESTS_FAULTS_SHARED_H

#include <stdatomic.h>
#include <stdint.h>

enum faulty_call {

#define CALL(name, errors) CALL_##name,
#include "calls.def"
#undef CALL
    CALLS
};

enum { WHO_NOBODY, WHO_WARDEN, WHO_RECEIVER, WHO_COURIER, WHO_POSTMAN, WHO_SCRIBE, WHO_COUNT };

enum { KIND_SHORT = -1, KIND_CTRUNC = -2 }; /* else an errno */

enum { FRAMES = 12, PATH_LEN = 128 };

struct faults_shared {
    _Atomic uint32_t armed;
    uint32_t role;
    uint32_t call;
    int32_t kind;
    uint32_t nth;
    _Atomic uint32_t seen;
    _Atomic uint32_t hits;
    uint32_t hit_pid;
    uint64_t frames[FRAMES];   /* the callers, innermost first, as offsets in the program */
    char path[PATH_LEN];       /* what it was about, where that has a name */
    _Atomic int64_t wall_us;   /* added to the clock on the wall, of all */
    _Atomic int64_t run_us;    /* added to everybody's monotonic clock */
    _Atomic int64_t warden_us; /* added to the warden's as well */
    _Atomic uint64_t lost;     /* bytes that failed syncs lost */
    _Atomic uint32_t signals;  /* processes that a signal of their own ended ... */
    uint32_t last_signal;      /* ... and by which */
    _Atomic uint32_t counts[WHO_COUNT][CALLS];
};

#endif
