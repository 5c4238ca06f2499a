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

/* What each kind of role is handed. */
struct handed {
    struct buf all, receivers, vault;
};

static bool any_logs_in(const struct settings *s)
{
    for (size_t i = 0; i < s->listener_count; i++)
        if (s->listeners[i].auth != NULL)
            return true;
    return false;
}

static bool hand_out(const struct settings *s, struct slice whole, struct handed *h)
{
    buf_init(&h->all, BUNDLE_MAX);
    buf_init(&h->receivers, BUNDLE_MAX);
    buf_init(&h->vault, BUNDLE_MAX);
    return settings_bundle_for_role(s, whole, SETTINGS_WITHOUT_SECRETS, &h->all) &&
           (s->certificates == NULL ||
            settings_bundle_for_role(s, whole, SETTINGS_WITH_KEYS, &h->receivers)) &&
           (!any_logs_in(s) ||
            settings_bundle_for_role(s, whole, SETTINGS_WITH_PASSWORDS, &h->vault));
}

struct renewal {
    const struct settings *settings;
    struct buf *with_keys;
};

static struct slice renew(void *ctx)
{
    struct renewal *r = ctx;
    struct buf fresh;

    buf_init(&fresh, BUNDLE_MAX);
    if (!load_certificates_again(r->settings, buf_slice(r->with_keys), &fresh)) {
        buf_wipe(&fresh);
        return (struct slice){0};
    }
    buf_wipe(r->with_keys);
    *r->with_keys = fresh;
    return buf_slice(r->with_keys);
}

/* The bundle is used up: the keys and passwords in it go on to those who need them. */
static int run(struct buf *bundle, struct settings *settings, unsigned receivers,
               void (*ready)(void *ctx), void *ctx)
{
    int status = EX_CONFIG;
    struct handed h;
    bool fits = hand_out(settings, buf_slice(bundle), &h);

    buf_wipe(bundle);
    struct renewal renewal = {settings, &h.receivers};
    struct warden_options options = {
        .bundle = buf_slice(&h.all),
        .receiver_bundle = buf_slice(settings->certificates != NULL ? &h.receivers : &h.all),
        .vault_bundle = buf_slice(&h.vault),
        .settings = settings,
        .receivers = receivers,
        .ready = ready,
        .ctx = ctx,
        .renew = settings->certificates != NULL ? renew : NULL,
        .renew_ctx = &renewal};
    if (fits)
        status = warden_run(&options);
    else
        fputs("postroad: the configuration and its tables are larger than 1 GiB\n", stderr);
    buf_done(&h.all);
    buf_wipe(&h.receivers);
    buf_wipe(&h.vault);
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
