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

/* A configuration that was checked. */
struct loaded {
    struct settings *settings;
    struct handed handed;
};

struct running {
    const char *file; /* NULL: it is `text`, called `name` */
    struct slice name, text;
    struct loaded now, next; /* next: read again, not yet adopted */
    void (*ready)(void *ctx);
    void *ctx;
};

static bool any_logs_in(const struct settings *s)
{
    if (s->oauths != NULL) /* we do, with tokens */
        return true;
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
           ((s->certificates == NULL && s->srs.path.len == 0) ||
            settings_bundle_for_role(s, whole, SETTINGS_WITH_KEYS, &h->receivers)) &&
           ((s->logins == NULL && s->srs.path.len == 0) ||
            settings_bundle_for_role(s, whole, SETTINGS_WITH_LOGINS, &h->courier)) &&
           (!any_logs_in(s) ||
            settings_bundle_for_role(s, whole, SETTINGS_WITH_PASSWORDS, &h->vault));
}

/* The tables of `from`, which has them as they are now, with passwords or without. */
static bool hand_out_again(const struct settings *fresh, const struct buf *before,
                           struct slice from, struct buf *out)
{
    return buf_len(before) == 0 ||
           settings_bundle_with_accounts(fresh, buf_slice(before), from, out);
}

static bool hand_out_accounts(const struct settings *fresh, struct slice whole,
                              const struct handed *before, struct handed *h)
{
    if (!settings_bundle_for_role(fresh, whole, SETTINGS_WITHOUT_SECRETS, &h->all))
        return false;

    struct slice all = buf_slice(&h->all);

    return hand_out_again(fresh, &before->receivers, all, &h->receivers) &&
           hand_out_again(fresh, &before->courier, all, &h->courier) &&
           hand_out_again(fresh, &before->vault, whole, &h->vault);
}

static bool reread(void *ctx, struct bundles *out)
{
    struct running *r = ctx;
    struct handed next;
    struct buf whole;

    handed_init(&next);
    buf_init(&whole, BUNDLE_MAX);
    struct settings *fresh =
        load_accounts_again(r->now.settings, buf_slice(&r->now.handed.all), &whole);
    bool good = fresh != NULL && hand_out_accounts(fresh, buf_slice(&whole), &r->now.handed, &next);
    struct handed over = good ? r->now.handed : next;

    if (good)
        r->now.handed = next;
    handed_done(&over);
    buf_wipe(&whole);
    settings_free(fresh);
    *out = bundles_of(&r->now.handed);
    return good;
}

static void loaded_done(struct loaded *l)
{
    handed_done(&l->handed);
    settings_free(l->settings);
    *l = (struct loaded){0};
}

/* The whole bundle is used up: the keys and passwords in it go on to those who need them. */
static int hand_out_all(struct buf *whole, struct loaded *l)
{
    handed_init(&l->handed);
    bool fits = hand_out(l->settings, buf_slice(whole), &l->handed);

    buf_wipe(whole);
    if (fits)
        return EXIT_SUCCESS;
    fputs("postroad: the configuration and its tables are larger than 1 GiB\n", stderr);
    loaded_done(l);
    return EX_CONFIG;
}

/* An exit status; what is wrong was told. */
static int load(const struct running *r, struct loaded *l)
{
    struct buf whole;
    int status = EXIT_SUCCESS;

    *l = (struct loaded){0};
    if (r->file != NULL) {
        status = load_settings_file(r->file, &whole, &l->settings);
    } else {
        buf_init(&whole, BUNDLE_MAX);
        bundle_add(&whole, r->name, 0, r->text);
        l->settings = load_settings(&whole);
        if (l->settings == NULL)
            status = EX_CONFIG;
    }
    if (status == EXIT_SUCCESS)
        return hand_out_all(&whole, l);
    buf_wipe(&whole);
    return status;
}

static bool reload(void *ctx, struct bundles *out, const struct settings **settings)
{
    struct running *r = ctx;

    loaded_done(&r->next);
    if (load(r, &r->next) != EXIT_SUCCESS)
        return false;
    if (!slice_equal(r->next.settings->queue_path, r->now.settings->queue_path)) {
        fprintf(stderr,
                "postroad: the queue cannot move from %.*s to %.*s while it is served: restart\n",
                SLICE_PRINTF(r->now.settings->queue_path),
                SLICE_PRINTF(r->next.settings->queue_path));
        return false;
    }
    *out = bundles_of(&r->next.handed);
    *settings = r->next.settings;
    return true;
}

static void adopt(void *ctx)
{
    struct running *r = ctx;

    loaded_done(&r->now);
    r->now = r->next;
    r->next = (struct loaded){0};
}

static void serves(void *ctx)
{
    const struct running *r = ctx;

    if (r->ready != NULL)
        r->ready(r->ctx);
}

static int run(struct running *r, unsigned receivers, bool as_caller)
{
    int status = load(r, &r->now);

    if (status != EXIT_SUCCESS)
        return status;
    struct warden_options options = {.bundles = bundles_of(&r->now.handed),
                                     .settings = r->now.settings,
                                     .receivers = receivers,
                                     .as_caller = as_caller,
                                     .ctx = r,
                                     .ready = serves,
                                     .reload = reload,
                                     .adopt = adopt,
                                     .reread = reread};
    status = warden_run(&options);
    loaded_done(&r->now);
    loaded_done(&r->next);
    return status;
}

int system_run_text(struct slice name, struct slice text, unsigned receivers,
                    void (*ready)(void *ctx), void *ctx)
{
    struct running r = {.name = name, .text = text, .ready = ready, .ctx = ctx};

    return run(&r, receivers, true);
}

/* One per core: each is one thread that never waits. */
static unsigned receivers_for_machine(void)
{
    long cores = sysconf(_SC_NPROCESSORS_ONLN);

    if (cores < 1)
        return 1;
    return cores < RECEIVERS_MAX ? (unsigned)cores : RECEIVERS_MAX;
}

int system_run_file(const char *file, bool as_caller)
{
    struct running r = {.file = file};

    return run(&r, receivers_for_machine(), as_caller);
}
