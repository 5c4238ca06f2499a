/*
 * fetches_test.c - what the vault is told when nobody is asked: the answers, and how often a
 * fetcher is looked for.
 */
#include "roles/fetches.h"

#include "check.h"
#include "roles/outbound_internal.h"

static const struct oauth oauth = {.token = SLICE_INIT("https://id.example/token"),
                                   .client = SLICE_INIT("app")};
static const struct relay smart = {.name = SLICE_INIT("smart"), .oauth = &oauth};

struct world {
    struct net *net;
    struct loop *loop;
    struct channel courier, vault;
    struct settings settings;
    struct role_doors doors;
    struct role role;
    struct outbound outbound;
    struct fetches *all;
    unsigned sought;
    char why[FETCHED_TEXT_MAX];
};

static struct world *the_world; /* of this test */

static struct fetcher *no_fetcher(const struct role_doors *doors, struct loop *loop)
{
    (void)doors, (void)loop;
    the_world->sought++;
    return NULL;
}

static void on_message(struct channel *channel, enum message_kind kind, struct slice body,
                       struct disk_file *file, int handle)
{
    struct cursor in = {body};
    struct fetched f = {0};

    (void)channel, (void)file, (void)handle;
    check(kind == MESSAGE_FETCHED && fetched_read(&in, &f) && f.status == 0);
    (void)snprintf(the_world->why, sizeof(the_world->why), "%.*s", SLICE_PRINTF(f.why));
}

static void on_closed(struct channel *channel)
{
    (void)channel;
}

static void begin(struct world *w)
{
    int ends[2];

    *w = (struct world){.settings = {.relays = &smart}, .doors = {.fetcher_new = no_fetcher}};
    the_world = w;
    w->net = net_real_new();
    w->loop = loop_new(w->net, clock_real());
    check_int(w->net->ops->pair(w->net, ends), 0);
    check_int(channel_open(&w->courier, w->loop, ends[0], ROLE_COURIER, ROLE_VAULT, on_message,
                           on_closed),
              0);
    check_int(
        channel_open(&w->vault, w->loop, ends[1], ROLE_VAULT, ROLE_COURIER, on_message, on_closed),
        0);
    w->role = (struct role){.doors = &w->doors, .loop = w->loop, .settings = &w->settings};
    w->outbound = (struct outbound){.role = &w->role};
    w->all = fetches_new(&w->outbound, &w->courier);
}

static void end(struct world *w)
{
    fetches_free(w->all);
    channel_close(&w->courier);
    channel_close(&w->vault);
    loop_free(w->loop);
    w->net->ops->free(w->net);
}

static void check_refused(struct world *w, const char *relay, const char *url, const char *why)
{
    struct fetching f = {.kind = FETCHING_REFRESH, .relay = slice_of(relay), .url = slice_of(url)};
    struct buf body;

    buf_init(&body, FETCHING_BODY_MAX);
    check(fetching_write(&body, &f));
    fetches_take(w->all, buf_slice(&body));
    buf_done(&body);
    w->why[0] = '\0';
    while (w->why[0] == '\0')
        check_int(loop_round(w->loop, true), 0);
    check(slice_starts(slice_of(w->why), slice_of(why)));
}

static void nobody_is_asked(void **state)
{
    struct world w;

    (void)state;
    begin(&w);
    check_refused(&w, "other", "https://id.example/token", "the configuration names no provider");
    check_refused(&w, "smart", "https://id.example/old", "the settings are being read again");
    check_int(w.sought, 0);
    check_refused(&w, "smart", "https://id.example/token", "HTTPS cannot be had");
    end(&w);
}

/* Looking for it reads the disk, and is told when it fails. */
static void a_fetcher_is_looked_for_once(void **state)
{
    struct world w;

    (void)state;
    begin(&w);
    for (unsigned i = 0; i < 3; i++)
        check_refused(&w, "smart", "https://id.example/token", "HTTPS cannot be had");
    check_int(w.sought, 1);
    fetches_halt(w.all);
    fetches_go_on(w.all); /* a reload: somebody may have installed it */
    for (unsigned i = 0; i < 3; i++)
        check_refused(&w, "smart", "https://id.example/token", "HTTPS cannot be had");
    check_int(w.sought, 2);
    end(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nobody_is_asked),
        cmocka_unit_test(a_fetcher_is_looked_for_once),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
