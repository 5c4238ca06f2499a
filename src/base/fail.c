/*
 * fail.c - one place where operating failures are told.
 *
 * The sink belongs to the process: it is set once, before any thread starts, and only read
 * afterwards. It is the one deliberate exception to "no static state", since a failure must be
 * tellable from any depth without every function carrying a logger.
 */
#include "base/fail.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static void (*sink)(void *ctx, int code, const char *operation, struct slice name);
static void *sink_ctx;

void fail_set_sink(void (*tell)(void *ctx, int code, const char *operation, struct slice name),
                   void *ctx)
{
    sink = tell;
    sink_ctx = ctx;
}

int fail_code(int code, const char *operation, struct slice name)
{
    int saved = errno;

    if (sink != NULL)
        sink(sink_ctx, code, operation, name);
    else
        fprintf(stderr, "postroad: cannot %s %.*s: %s\n", operation, SLICE_PRINTF(name),
                strerrordesc_np(-code));
    errno = saved;
    return code;
}

int fail_errno(const char *operation, struct slice name)
{
    return fail_code(errno == 0 ? -EIO : -errno, operation, name);
}
