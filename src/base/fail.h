/*
 * fail.h - note an operating failure once, where it starts.
 *
 *     if (disk_datasync(seg->file) < 0)
 *         return fail_errno("datasync", seg->name);
 *
 * The failure is told once to the sink and travels up unchanged as a negative errno. The sink
 * is the process's, not a role's: by default one line on stderr; a role points it at the
 * scribe. Callable from worker threads.
 */
#ifndef BASE_FAIL_H
#define BASE_FAIL_H

#include "base/slice.h"

/* Tells "cannot <operation> <name>: <strerror>"; returns -errno (never 0). */
int fail_errno(const char *operation, struct slice name);

/* The same for an error code that is already at hand (negative errno), returned unchanged. */
int fail_code(int code, const char *operation, struct slice name);

/* Where failures are told. `tell` may be called from any thread. Pass NULL for stderr. */
void fail_set_sink(void (*tell)(void *ctx, int code, const char *operation, struct slice name),
                   void *ctx);

#endif
