/*
 * system.c - check everything, then start.
 */
#include "cmd/system.h"

#include "cmd/load_settings.h"

#include <stdio.h>
#include <stdlib.h>
#include <sysexits.h>
#include <unistd.h>

enum { RECEIVERS_MAX = 64 };

/* The bundle is used up: what was read with its passwords is not kept while the system runs. */
static int run(struct buf *bundle, struct settings *settings, unsigned receivers,
               void (*ready)(void *ctx), void *ctx)
{
    bool has_keys = settings->certificates != NULL, fits;
    struct slice whole = buf_slice(bundle);
    int status = EX_CONFIG;
    struct buf handed, with_keys;

    buf_init(&handed, BUNDLE_MAX);
    buf_init(&with_keys, BUNDLE_MAX);
    fits = settings_bundle_for_role(settings, whole, SETTINGS_WITHOUT_KEYS, &handed) &&
           (!has_keys || settings_bundle_for_role(settings, whole, SETTINGS_WITH_KEYS, &with_keys));
    buf_clear(bundle);
    buf_release(bundle);
    struct warden_options options = {.bundle = buf_slice(&handed),
                                     .receiver_bundle = buf_slice(has_keys ? &with_keys : &handed),
                                     .settings = settings,
                                     .receivers = receivers,
                                     .ready = ready,
                                     .ctx = ctx};
    if (fits)
        status = warden_run(&options);
    else
        fputs("postroad: the configuration and its tables are larger than 1 GiB\n", stderr);
    buf_done(&handed);
    buf_done(&with_keys);
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
