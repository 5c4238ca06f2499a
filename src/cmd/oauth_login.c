/*
 * oauth_login.c - the page, the way back, the first refresh token.
 *
 * The whole of RFC 6749 4.1 with PKCE, by a program without a web server of its own (RFC 8252): it
 * waits on a port of this machine, and for a line that is typed, whichever comes first.
 *
 * What comes of it belongs to the owner of the queue, whoever types this: root becomes that owner
 * before anything is written.
 */
#include "cmd/oauth_login.h"

#include "cmd/options.h"
#include "cmd/pkce.h"
#include "cmd/way_back.h"

#include "base/codec.h"
#include "base/random.h"
#include "roles/errand.h"
#include "roles/grants.h"
#include "wire/date.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

enum {
    PATIENCE_S = 10 * 60,
    STATE_BYTES = 16,
    CHANCE_TEXT_MAX = 64,
    MADE_MAX = 64,
};

struct login {
    const struct settings *settings;
    const struct relay *relay;
    const char *config;
    struct loop *loop;
    struct arena arena;
    struct way_back way_back;
    struct slice redirect, state, verifier, challenge;
    struct resolver *resolver; /* NULL: not asked for yet */
    struct errand errand;
    struct oauth_answer answer;
};

/* ---- the question ---- */

static struct slice chance(struct login *l, size_t bytes)
{
    char raw[OAUTH_VERIFIER_BYTES];
    struct buf text;

    random_bytes(random_real(), raw, bytes);
    buf_init(&text, CHANCE_TEXT_MAX);
    (void)base64url_encode(&text, (struct slice){raw, bytes});
    struct slice kept = arena_copy(&l->arena, buf_slice(&text));
    buf_wipe(&text);
    return kept;
}

static void prepare(struct login *l)
{
    const struct oauth *o = l->relay->oauth;
    struct buf text;

    l->redirect = arena_printf(&l->arena, "%.*s%u%.*s", SLICE_PRINTF(o->way_back), l->way_back.port,
                               SLICE_PRINTF(o->way_back_path));
    l->state = chance(l, STATE_BYTES);
    l->verifier = chance(l, OAUTH_VERIFIER_BYTES);
    buf_init(&text, CHANCE_TEXT_MAX);
    (void)pkce_challenge(&text, l->verifier);
    l->challenge = arena_copy(&l->arena, buf_slice(&text));
    buf_done(&text);
}

static int show_page(const struct login *l)
{
    struct slice user = l->relay->user;
    struct oauth_login about = {l->redirect, l->state, l->challenge, user};
    struct buf url;

    buf_init(&url, OAUTH_URL_MAX);
    bool fits = oauth_write_page(&url, l->relay->oauth, &about);
    if (fits)
        fprintf(
            stderr,
            "Open this page in a browser and log in there as %.*s:\n\n  %.*s\n\n"
            "If the browser runs on another machine, it cannot show the last page, which begins\n"
            "with %.*s. Copy that page's address from the browser and paste it here.\n",
            SLICE_PRINTF(user), SLICE_PRINTF(buf_slice(&url)), SLICE_PRINTF(l->redirect));
    buf_done(&url);
    return fits ? 0
                : command_wrong("oauth", EX_CONFIG,
                                "the page's address would be too long: shorten scope or client");
}

/* ---- the way back ---- */

/* Words of a stranger, for a terminal. */
static struct slice tame(struct login *l, struct slice text)
{
    char *bytes = arena_alloc(&l->arena, text.len + 1);

    for (size_t i = 0; i < text.len; i++)
        bytes[i] = (char)(text.data[i] < ' ' || text.data[i] >= 0x7f ? '?' : text.data[i]);
    return (struct slice){bytes, text.len};
}

static int provider_said(struct login *l, int status, struct slice error, struct slice description)
{
    return command_wrong("oauth", status, "the provider says: %.*s%s%.*s",
                         SLICE_PRINTF(tame(l, error)), description.len > 0 ? ": " : "",
                         SLICE_PRINTF(tame(l, description)));
}

static int wait_for_person(struct login *l)
{
    switch (way_back_wait(&l->way_back, l->state, PATIENCE_S)) {
    case WAY_BACK_CODE: return 0;
    case WAY_BACK_ERROR:
        return provider_said(l, EX_NOPERM, l->way_back.got.error, l->way_back.got.description);
    case WAY_BACK_LATE:
        return command_wrong("oauth", EX_TEMPFAIL, "nobody logged in within ten minutes");
    case WAY_BACK_WAITS: break;
    }
    return EX_OSERR;
}

/* ---- the tokens ---- */

static void on_answer(struct errand *e)
{
    struct login *l = LIST_ENTRY(e, struct login, errand);
    const struct fetch_answer *a = e->answer;

    if (a->outcome == FETCH_ANSWERED)
        oauth_answer_read(a->status, arena_copy(&l->arena, a->body), &l->arena, &l->answer);
    else
        l->answer = (struct oauth_answer){.description = arena_copy(&l->arena, a->why)};
    loop_stop(l->loop);
}

static bool ask_provider(struct login *l, const struct slice *form)
{
    const struct settings *s = l->settings;
    struct resolver_options names = {.source = s->dns_source, .forwarder = s->dns_forwarder};

    l->resolver = resolver_new(l->loop, &names);
    l->errand = (struct errand){.done = on_answer,
                                .resolver = l->resolver,
                                .fetcher = fetcher_new(l->loop),
                                .loop = l->loop,
                                .url = l->relay->oauth->token,
                                .authorities = l->relay->oauth->ca,
                                .body = form,
                                .chance = random_u64(random_real())};
    if (l->errand.fetcher == NULL)
        return false;
    errand_start(&l->errand);
    bool ran = loop_run(l->loop) == 0;
    errand_cancel(&l->errand);
    fetcher_free(l->errand.fetcher);
    return ran;
}

static int judge(struct login *l)
{
    const struct oauth_answer *a = &l->answer;

    if (a->status == 0)
        return command_wrong("oauth", EX_UNAVAILABLE,
                             "the provider of tokens cannot be asked: %.*s",
                             SLICE_PRINTF(tame(l, a->description)));
    switch (oauth_judge(a)) {
    case OAUTH_GRANTED: break;
    case OAUTH_LOGIN_NEEDED: return provider_said(l, EX_NOPERM, a->error, a->description);
    case OAUTH_WRONG: return provider_said(l, EX_CONFIG, a->error, a->description);
    case OAUTH_LATER:
        return command_wrong("oauth", EX_UNAVAILABLE,
                             "the provider gave no token: HTTP status %u %.*s", a->status,
                             SLICE_PRINTF(tame(l, a->error)));
    }
    if (a->refresh_token.len > 0)
        return 0;
    return command_wrong("oauth", EX_CONFIG,
                         "the provider gave no refresh token: many give one only for the scope "
                         "offline_access");
}

static int exchange(struct login *l)
{
    struct slice form;
    struct buf text;
    bool asked = false;

    buf_init(&text, OAUTH_FORM_MAX);
    (void)buf_reserve(&text, OAUTH_FORM_MAX); /* so that it never moves */
    if (oauth_write_first(&text, l->relay->oauth, l->way_back.got.code, l->redirect, l->verifier)) {
        form = buf_slice(&text);
        asked = ask_provider(l, &form);
    }
    buf_wipe(&text);
    return asked ? judge(l) : EX_OSERR;
}

/* ---- keeping it ---- */

/* What root makes here is read by another user. */
static int become_owner(struct disk_dir *of)
{
    unsigned user = 0, group = 0;
    int code = geteuid() == 0 ? disk_dir_owner(of, &user, &group) : 0;

    if (code == 0 && user != 0 && (setegid(group) < 0 || seteuid(user) < 0))
        code = -errno;
    return code == 0 ? 0
                     : command_wrong("oauth", EX_OSERR, "cannot become the owner of the queue: %s",
                                     strerrordesc_np(-code));
}

static int open_below(struct slice queue_path, const char *name, struct disk_dir **out)
{
    struct arena scratch = {0};
    struct slice path = arena_printf(&scratch, "%.*s/%s", SLICE_PRINTF(queue_path), name);
    int code = disk_dir_open(disk_real(), arena_string(&scratch, path), out);

    arena_done(&scratch);
    return code;
}

/* The vault's folder is its own; a queue that has none yet says by its owner whose it will be. */
static int open_vault(struct slice queue_path, struct disk_dir **out)
{
    struct disk_dir *queue;
    int status = 0;

    if (open_below(queue_path, "vault", out) == 0) {
        status = become_owner(*out);
        if (status != 0)
            disk_dir_close(*out);
        return status;
    }
    if (open_below(queue_path, ".", &queue) == 0) {
        status = become_owner(queue);
        disk_dir_close(queue);
    }
    if (status == 0 && grants_open(disk_real(), queue_path, out) < 0)
        status = EX_CANTCREAT;
    return status;
}

static int keep(struct login *l)
{
    struct slice login = chance(l, STATE_BYTES);
    struct disk_dir *dir;
    struct buf made;
    int status = open_vault(l->settings->queue_path, &dir);

    if (status != 0)
        return status;
    buf_init(&made, MADE_MAX);
    (void)date_write_iso(&made, clock_wall_us(clock_real()), 0);
    struct grant g = {.login = login,
                      .token = l->relay->oauth->token,
                      .client = l->relay->oauth->client,
                      .user = l->relay->user,
                      .refresh_token = l->answer.refresh_token,
                      .made = buf_slice(&made)};
    int code = grants_login(dir, l->relay->name, &g);
    buf_done(&made);
    disk_dir_close(dir);
    return code < 0 ? EX_CANTCREAT : 0;
}

static void say_done(const struct login *l)
{
    printf("%.*s: logged in as %.*s. Mail that waits goes at its next try; at once with:\n"
           "  postroad queue retry --reason \"relay '%.*s'\"%s%s\n",
           SLICE_PRINTF(l->relay->name), SLICE_PRINTF(l->relay->user), SLICE_PRINTF(l->relay->name),
           l->config == NULL ? "" : " -c ", l->config == NULL ? "" : l->config);
}

/* ---- as a whole ---- */

static int run(struct login *l)
{
    int code = way_back_open(&l->way_back, l->loop, &l->arena), status;

    if (code < 0)
        return command_wrong("oauth", EX_OSERR, "cannot listen on this machine: %s",
                             strerrordesc_np(-code));
    prepare(l);
    status = show_page(l);
    if (status == 0)
        status = wait_for_person(l);
    if (status == 0)
        status = exchange(l);
    if (status == 0)
        status = keep(l);
    if (status == 0)
        say_done(l);
    return status;
}

int oauth_login(const struct settings *settings, const struct relay *relay, const char *config)
{
    struct login l = {.settings = settings, .relay = relay, .config = config};
    struct net *net = net_real_new();
    int status;

    if (net == NULL)
        return EX_OSERR;
    l.loop = loop_new(net, clock_real());
    status = run(&l);
    way_back_close(&l.way_back);
    resolver_free(l.resolver);
    loop_free(l.loop);
    net->ops->free(net);
    arena_done(&l.arena);
    return status;
}
