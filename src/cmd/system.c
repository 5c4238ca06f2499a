/*
 * system.c - check everything, then start.
 */
#include "cmd/system.h"

#include "cmd/load_settings.h"

#include <stdlib.h>
#include <sysexits.h>
#include <unistd.h>

enum { RECEIVERS_MAX = 64 };

static int run(const struct buf *bundle, struct settings *settings, unsigned receivers,
               void (*ready)(void *ctx), void *ctx)
{
    struct warden_options options = {.bundle = buf_slice(bundle),
                                     .settings = settings,
                                     .receivers = receivers,
                                     .ready = ready,
                                     .ctx = ctx};
    int status = warden_run(&options);

    settings_free(settings);
    return status;
}

int system_run_text(struct slice file, struct slice text, unsigned receivers,
                    void (*ready)(void *ctx), void *ctx)
{
    int status = EX_CONFIG;
    struct buf bundle;

    buf_init(&bundle, BUNDLE_MAX);
    bundle_add(&bundle, file, 0, text);
    struct settings *settings = load_settings(&bundle);
    if (settings != NULL)
        status = run(&bundle, settings, receivers, ready, ctx);
    buf_done(&bundle);
    return status;
}

/* One per core: each is one thread that never waits. */
static unsigned receivers_for_machine(void)
{
    long cores = sysconf(_SC_NPROCESSORS_ONLN);

    if (cores < 1)
        return 1;
    return cores < RECEIVERS_MAX ? (unsigned)cores : RECEIVERS_MAX;
}

int system_run_file(const char *file)
{
    struct settings *settings;
    struct buf bundle;
    int status = load_settings_file(file, &bundle, &settings);

    if (status == EXIT_SUCCESS)
        status = run(&bundle, settings, receivers_for_machine(), NULL, NULL);
    buf_done(&bundle);
    return status;
}
