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
    struct buf all, receivers, vault, courier;
};

struct running {
    const struct settings *settings;
    struct handed handed;
    void (*ready)(void *ctx);
    void *ctx;
};

static bool any_logs_in(const struct settings *s)
{
    for (size_t i = 0; i < s->listener_count; i++)
        if (s->listeners[i].auth != NULL)
            return true;
    return false;
}

static void handed_init(struct handed *h)
{
    buf_init(&h->all, BUNDLE_MAX);
    buf_init(&h->receivers, BUNDLE_MAX);
    buf_init(&h->vault, BUNDLE_MAX);
    buf_init(&h->courier, BUNDLE_MAX);
}

static void handed_done(struct handed *h)
{
    buf_done(&h->all);
    buf_wipe(&h->receivers);
    buf_wipe(&h->vault);
    buf_wipe(&h->courier);
}

static struct bundles bundles_of(const struct handed *h)
{
    return (struct bundles){.receivers = buf_slice(&h->receivers),
                            .vault = buf_slice(&h->vault),
                            .courier = buf_slice(&h->courier),
                            .all = buf_slice(&h->all)};
}

static bool hand_out(const struct settings *s, struct slice whole, struct handed *h)
{
    return settings_bundle_for_role(s, whole, SETTINGS_WITHOUT_SECRETS, &h->all) &&
           (s->certificates == NULL ||
            settings_bundle_for_role(s, whole, SETTINGS_WITH_KEYS, &h->receivers)) &&
           (s->logins == NULL ||
            settings_bundle_for_role(s, whole, SETTINGS_WITH_LOGINS, &h->courier)) &&
           (!any_logs_in(s) ||
            settings_bundle_for_role(s, whole, SETTINGS_WITH_PASSWORDS, &h->vault));
}

static bool any_to_reread(const struct settings *s)
{
    if (s->logins != NULL)
        return true;
    for (const struct settings_table *one = s->tables; one != NULL; one = one->next)
        if (one->type == TABLE_ACCOUNTS)
            return true;
    return false;
}

static bool hand_out_accounts(const struct settings *fresh, struct slice whole,
                              const struct handed *before, struct handed *h)
{
    return settings_bundle_for_role(fresh, whole, SETTINGS_WITHOUT_SECRETS, &h->all) &&
           (buf_len(&before->receivers) == 0 ||
            settings_bundle_with_accounts(fresh, buf_slice(&before->receivers), buf_slice(&h->all),
                                          &h->receivers)) &&
           (fresh->logins == NULL ||
            settings_bundle_for_role(fresh, whole, SETTINGS_WITH_LOGINS, &h->courier)) &&
           (buf_len(&before->vault) == 0 ||
            settings_bundle_for_role(fresh, whole, SETTINGS_WITH_PASSWORDS, &h->vault));
}

static bool reread(void *ctx, struct bundles *out)
{
    struct running *r = ctx;
    struct handed next;
    struct buf whole;

    handed_init(&next);
    buf_init(&whole, BUNDLE_MAX);
    struct settings *fresh = load_accounts_again(r->settings, buf_slice(&r->handed.all), &whole);
    bool good = fresh != NULL && hand_out_accounts(fresh, buf_slice(&whole), &r->handed, &next);
    struct handed over = good ? r->handed : next;

    if (good)
        r->handed = next;
    handed_done(&over);
    buf_wipe(&whole);
    settings_free(fresh);
    *out = bundles_of(&r->handed);
    return good;
}

static struct slice renew(void *ctx)
{
    struct running *r = ctx;
    struct buf fresh;

    buf_init(&fresh, BUNDLE_MAX);
    if (!load_certificates_again(r->settings, buf_slice(&r->handed.receivers), &fresh)) {
        buf_wipe(&fresh);
        return (struct slice){0};
    }
    buf_wipe(&r->handed.receivers);
    r->handed.receivers = fresh;
    return buf_slice(&fresh);
}

static void serves(void *ctx)
{
    const struct running *r = ctx;

    if (r->ready != NULL)
        r->ready(r->ctx);
}

/* The bundle is used up: the keys and passwords in it go on to those who need them. */
static int run(struct buf *bundle, struct settings *settings, unsigned receivers,
               void (*ready)(void *ctx), void *ctx)
{
    struct running r = {.settings = settings, .ready = ready, .ctx = ctx};
    int status = EX_CONFIG;

    handed_init(&r.handed);
    bool fits = hand_out(settings, buf_slice(bundle), &r.handed);

    buf_wipe(bundle);
    struct warden_options options = {.bundles = bundles_of(&r.handed),
                                     .settings = settings,
                                     .receivers = receivers,
                                     .ctx = &r,
                                     .ready = serves,
                                     .renew = settings->certificates != NULL ? renew : NULL,
                                     .reread = any_to_reread(settings) ? reread : NULL};
    if (fits)
        status = warden_run(&options);
    else
        fputs("postroad: the configuration and its tables are larger than 1 GiB\n", stderr);
    handed_done(&r.handed);
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
