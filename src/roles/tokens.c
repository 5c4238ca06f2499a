/*
 * tokens.c - one token a relay, and who waits for it.
 *
 * A provider may give a new refresh token with each access token, and take it that the old one was
 * stolen when it comes again. So the new one is durable before the access token is used: if it
 * cannot be written, nobody gets the access token, and the next wish tries to write it again.
 *
 * Whether somebody logged in since is seen on the disk at each refresh, so `oauth login` has nobody
 * to tell. What a provider refused once it is not asked again: for the same login it would say the
 * same. That is told as one alarm, and to each mail that waits as its reason.
 *
 * A reload may give a relay another server and another provider. What is being asked at that moment
 * is for those who waited then, and for nobody else. Who comes later waits until it is over: two
 * refreshes at a time would show one refresh token twice.
 */
#include "roles/tokens.h"

#include "base/list.h"
#include "base/memory.h"
#include "roles/grants.h"
#include "sasl/secret.h"
#include "wire/date.h"

#include <errno.h>
#include <string.h>

enum {
    MARGIN_MAX_MS = 60 * 1000, /* a token that is used up to here is not begun with */
    USUAL_LIFE_S = 5 * 60,     /* of one whose provider does not say */
    LIFE_MAX_S = 24 * 60 * 60, /* whatever it says */
    YOUNG_MS = 10 * 1000,      /* a server that does not take one like this takes none */
    WRONG_MS = 5 * 60 * 1000,  /* a provider is asked again after this */
    LATER_MS = 10 * 1000,
    FETCH_MAX_MS = 2 * 60 * 1000, /* then its answer is lost: the courier takes less */
    DESCRIPTION_MAX = 160,
};

/* Of a relay. */
struct held {
    struct list link;
    struct slice name; /* owned; the relay itself may be another one after a reload */
    struct secret access;
    uint64_t serial, born_ms, good_until_ms;
    uint64_t fetch; /* the number of the one under way; 0: none is */
    uint64_t fetch_until_ms;
    bool stale;               /* it was begun before a reload */
    struct arena arena;       /* of the grant, */
    struct grant grant;       /* with which it was got; empty: nobody logged in */
    bool unsaved;             /* the grant is not on the disk yet */
    struct list waiters;      /* for what is under way, */
    struct list later;        /* for what is asked when a stale one is over */
    enum token_result failed; /* TOKEN_GIVEN: it did not */
    uint64_t failed_until_ms;
    char why[TOKEN_TEXT_MAX];
    size_t why_len;
    bool alarmed;
};

struct waiter {
    struct list link;
    uint64_t number;
};

struct tokens {
    struct tokens_options options;
    struct disk_dir *dir; /* NULL: not opened yet */
    struct list held;
    uint64_t serials, fetches;
};

static uint64_t now_ms(const struct tokens *t)
{
    return clock_monotonic_ms(t->options.clock);
}

/* ---- one relay ---- */

static struct slice own(struct slice text)
{
    char *bytes = memory_new(text.len + 1);

    memcpy(bytes, text.data, text.len);
    return (struct slice){bytes, text.len};
}

static void disown(struct slice text)
{
    memory_free((void *)(uintptr_t)text.data);
}

static struct held *held_of(struct tokens *t, struct slice name)
{
    struct held *h;

    LIST_EACH (node, &t->held) {
        h = LIST_ENTRY(node, struct held, link);
        if (slice_equal(h->name, name))
            return h;
    }
    h = MEMORY_NEW(struct held);
    h->name = own(name);
    list_init(&h->waiters);
    list_init(&h->later);
    list_append(&t->held, &h->link);
    return h;
}

static void forget_waiters(struct list *waiters)
{
    LIST_EACH (node, waiters) {
        list_remove(node);
        memory_free(LIST_ENTRY(node, struct waiter, link));
    }
}

static void held_free(struct held *h)
{
    forget_waiters(&h->waiters);
    forget_waiters(&h->later);
    list_remove(&h->link);
    secret_wipe(&h->access);
    arena_done(&h->arena);
    disown(h->name);
    memory_free(h);
}

static void add_waiter(struct list *waiters, uint64_t number)
{
    struct waiter *w = MEMORY_NEW(struct waiter);

    w->number = number;
    list_append(waiters, &w->link);
}

/* ---- answers ---- */

static void answer(struct tokens *t, uint64_t number, enum token_result result, uint64_t serial,
                   struct slice text)
{
    struct token_answer a = {number, result, serial, text};

    t->options.calls->answer(t->options.ctx, &a);
}

static void answer_list(struct tokens *t, struct list *waiters, enum token_result result,
                        uint64_t serial, struct slice text)
{
    LIST_EACH (node, waiters)
        answer(t, LIST_ENTRY(node, struct waiter, link)->number, result, serial, text);
    forget_waiters(waiters);
}

static void answer_all(struct tokens *t, struct held *h, enum token_result result,
                       struct slice text)
{
    answer_list(t, &h->waiters, result, result == TOKEN_GIVEN ? h->serial : 0, text);
}

static struct slice why(const struct held *h)
{
    return (struct slice){h->why, h->why_len};
}

static uint64_t failed_for_ms(enum token_result result)
{
    return result == TOKEN_LATER ? LATER_MS : WRONG_MS;
}

/* Nobody can do anything about a provider that is away; all else a person must hear, once. What was
 * asked by older settings is asked again by those that count. */
static void fail(struct tokens *t, struct held *h, enum token_result result, struct slice text)
{
    struct slice kept = slice_head(text, sizeof(h->why));

    memcpy(h->why, kept.data, kept.len);
    h->why_len = kept.len;
    h->failed = result;
    h->failed_until_ms = now_ms(t) + failed_for_ms(result);
    if (result != TOKEN_LATER && !h->alarmed && !h->stale) {
        h->alarmed = true;
        t->options.calls->alarm(t->options.ctx, why(h));
    }
    answer_all(t, h, result, why(h));
}

/* ---- texts ---- */

static void fail_for_login(struct tokens *t, struct held *h, struct slice because)
{
    struct arena scratch = {0};
    struct slice name = h->name;

    fail(t, h, TOKEN_LOGIN_NEEDED,
         arena_printf(&scratch,
                      "relay '%.*s' %.*s; its mail waits until you type: postroad oauth login %.*s "
                      "-c %.*s",
                      SLICE_PRINTF(name), SLICE_PRINTF(because), SLICE_PRINTF(name),
                      SLICE_PRINTF(t->options.config)));
    arena_done(&scratch);
}

static struct slice words_of(const struct oauth_answer *a, struct arena *arena)
{
    struct slice error = slice_head(a->error, DESCRIPTION_MAX);
    struct slice text = slice_head(a->description, DESCRIPTION_MAX);

    if (a->status == 0)
        return arena_printf(arena, "cannot be asked: %.*s", SLICE_PRINTF(text));
    if (error.len > 0)
        return arena_printf(arena, "said %.*s%s%.*s", SLICE_PRINTF(error), text.len > 0 ? ": " : "",
                            SLICE_PRINTF(text));
    if (a->status == 200)
        return SLICE("gave none that can be used");
    return arena_printf(arena, "answered with HTTP status %u", a->status);
}

/* What the provider did, in words of a stranger that may stand in a line. */
static struct slice said(const struct oauth_answer *a, struct arena *arena)
{
    struct slice words = words_of(a, arena);
    char *bytes = arena_alloc(arena, words.len + 1);

    for (size_t i = 0; i < words.len; i++)
        bytes[i] = (char)(words.data[i] < ' ' || words.data[i] >= 0x7f ? '?' : words.data[i]);
    return (struct slice){bytes, words.len};
}

static void fail_as_said(struct tokens *t, struct held *h, enum token_result result,
                         const struct oauth_answer *a)
{
    struct arena scratch = {0};
    struct slice words = said(a, &scratch), name = h->name;

    if (result == TOKEN_LOGIN_NEEDED)
        fail_for_login(
            t, h,
            arena_printf(&scratch, "must log in again, its provider %.*s", SLICE_PRINTF(words)));
    else if (result == TOKEN_WRONG)
        fail(t, h, result,
             arena_printf(&scratch,
                          "relay '%.*s': its provider does not take the settings of `oauth2`, it "
                          "%.*s",
                          SLICE_PRINTF(name), SLICE_PRINTF(words)));
    else
        fail(t, h, result,
             arena_printf(&scratch, "relay '%.*s': no token now, its provider %.*s",
                          SLICE_PRINTF(name), SLICE_PRINTF(words)));
    arena_done(&scratch);
}

/* ---- what lies on the disk ---- */

static int open_dir(struct tokens *t)
{
    return t->dir != NULL ? 0 : grants_open(t->options.disk, t->options.queue_path, &t->dir);
}

static struct grant copy_grant(struct arena *arena, const struct grant *g)
{
    return (struct grant){.login = arena_copy(arena, g->login),
                          .token = arena_copy(arena, g->token),
                          .client = arena_copy(arena, g->client),
                          .user = arena_copy(arena, g->user),
                          .refresh_token = arena_copy(arena, g->refresh_token),
                          .made = arena_copy(arena, g->made)};
}

static bool is_same(const struct grant *a, const struct grant *b)
{
    return slice_equal(a->login, b->login) && slice_equal(a->refresh_token, b->refresh_token);
}

/* g may lie in the arena that goes. */
static void set_grant(struct held *h, const struct grant *g)
{
    struct arena old = h->arena;

    arena_init(&h->arena);
    h->grant = copy_grant(&h->arena, g);
    arena_done(&old);
}

/* What was said about another login says nothing about this one. */
static void take_grant(struct held *h, const struct grant *g)
{
    if (is_same(&h->grant, g))
        return;
    set_grant(h, g);
    h->unsaved = false;
    h->failed = TOKEN_GIVEN;
    h->alarmed = false;
}

/* Is there a login? Else the disk failed, and nobody knows. */
static bool can_be_told(int code)
{
    return code == 0 || code == -ENOENT || code == -EBADMSG;
}

/* The one in memory is newer when it could not be written, unless somebody logged in since. */
static int load(struct tokens *t, struct held *h)
{
    struct arena scratch = {0};
    struct grant g = {0};
    int code = open_dir(t);

    if (code == 0)
        code = grants_read(t->dir, h->name, &scratch, &g);
    if (can_be_told(code) && !(h->unsaved && slice_equal(g.login, h->grant.login)))
        take_grant(h, &g);
    arena_done(&scratch);
    return code;
}

static bool save(struct tokens *t, struct held *h)
{
    if (h->unsaved && grants_renew(t->dir, h->name, &h->grant) == 0)
        h->unsaved = false;
    return !h->unsaved;
}

static void keep_rotated(struct tokens *t, struct held *h, struct slice refresh_token)
{
    struct grant g = h->grant;
    struct buf made;

    if (refresh_token.len == 0 || slice_equal(refresh_token, h->grant.refresh_token))
        return;
    buf_init(&made, 64);
    (void)date_write_iso(&made, clock_wall_us(t->options.clock), 0);
    g.made = buf_slice(&made);
    g.refresh_token = refresh_token;
    set_grant(h, &g);
    h->unsaved = true;
    buf_done(&made);
}

/* ---- getting one ---- */

static bool is_good(const struct tokens *t, const struct held *h)
{
    return h->access.len > 0 && now_ms(t) < h->good_until_ms;
}

static void give(struct tokens *t, struct held *h)
{
    if (save(t, h))
        answer_all(t, h, TOKEN_GIVEN, secret_slice(&h->access));
    else
        answer_all(t, h, TOKEN_LATER,
                   SLICE("the new refresh token cannot be written; the log says why"));
}

static void ask_provider(struct tokens *t, struct held *h, const struct relay *relay)
{
    struct buf form;

    buf_init(&form, OAUTH_FORM_MAX);
    (void)buf_reserve(&form, OAUTH_FORM_MAX); /* so that it never moves */
    h->fetch = ++t->fetches;
    h->fetch_until_ms = now_ms(t) + FETCH_MAX_MS;
    if (!oauth_write_refresh(&form, relay->oauth, h->grant.refresh_token) ||
        !t->options.calls->fetch(t->options.ctx, h->fetch, relay, buf_slice(&form))) {
        h->fetch = 0;
        answer_all(t, h, TOKEN_LATER, SLICE("the provider of tokens cannot be asked now"));
    }
    buf_wipe(&form);
}

static void refresh(struct tokens *t, struct held *h, const struct relay *relay)
{
    int code = load(t, h);

    if (!can_be_told(code))
        answer_all(t, h, TOKEN_LATER, SLICE("its refresh token cannot be read; the log says why"));
    else if (h->failed == TOKEN_LOGIN_NEEDED ||
             (h->failed != TOKEN_GIVEN && now_ms(t) < h->failed_until_ms))
        answer_all(t, h, h->failed, why(h));
    else if (code < 0)
        fail_for_login(t, h, SLICE("has no login"));
    else if (!grant_is_for(&h->grant, relay->oauth, relay->user))
        fail_for_login(t, h, SLICE("has a login for another user or provider than it is set to"));
    else
        ask_provider(t, h, relay);
}

/* A token that the server did not take is not given out again. When it was just made, another one
 * would fare no better, and each costs the provider's patience. */
static void replace_refused(struct tokens *t, struct held *h, const struct relay *relay)
{
    if (now_ms(t) - h->born_ms < YOUNG_MS) {
        answer_all(t, h, TOKEN_LATER,
                   SLICE("the server does not take a token that is new: may this user send there, "
                         "and is it he who logged in?"));
        return;
    }
    secret_wipe(&h->access);
    refresh(t, h, relay);
}

/* One of us has the settings of before. */
static bool means_another(const struct token_wish *w, const struct relay *relay)
{
    return !slice_equal(w->provider, relay->oauth->token) ||
           !slice_equal(w->client, relay->oauth->client) || !slice_equal(w->user, relay->user);
}

static bool is_fetching(const struct tokens *t, const struct held *h)
{
    return h->fetch != 0 && now_ms(t) < h->fetch_until_ms;
}

/* Its answer is lost. */
static void give_up_stale(struct tokens *t, struct held *h)
{
    if (!h->stale)
        return;
    h->fetch = 0;
    h->stale = false;
    answer_all(t, h, TOKEN_LATER, SLICE("its provider did not answer before the reload"));
    list_splice(&h->waiters, &h->later);
}

void tokens_wish(struct tokens *t, const struct token_wish *w)
{
    const struct relay *relay = t->options.calls->relay(t->options.ctx, w->relay);
    struct held *h;

    if (relay == NULL) {
        answer(t, w->number, TOKEN_WRONG, 0, SLICE("this relay has no tokens"));
        return;
    }
    if (means_another(w, relay)) {
        answer(t, w->number, TOKEN_LATER, 0, SLICE("the settings are being read again"));
        return;
    }
    h = held_of(t, relay->name);
    if (is_fetching(t, h)) {
        add_waiter(h->stale ? &h->later : &h->waiters, w->number);
        return;
    }
    give_up_stale(t, h);
    add_waiter(&h->waiters, w->number);
    if (!is_good(t, h))
        refresh(t, h, relay);
    else if (w->refused == h->serial)
        replace_refused(t, h, relay);
    else
        give(t, h);
}

static void keep(struct tokens *t, struct held *h, const struct oauth_answer *a)
{
    uint64_t life_s = a->expires_in_s == 0 ? USUAL_LIFE_S : a->expires_in_s;
    uint64_t life_ms = (life_s < LIFE_MAX_S ? life_s : LIFE_MAX_S) * 1000;
    uint64_t margin_ms = life_ms / 10 < MARGIN_MAX_MS ? life_ms / 10 : MARGIN_MAX_MS;

    secret_set(&h->access, a->access_token);
    h->serial = ++t->serials;
    h->born_ms = now_ms(t);
    h->good_until_ms = h->born_ms + life_ms - margin_ms;
    h->failed = TOKEN_GIVEN;
    h->alarmed = false;
    keep_rotated(t, h, a->refresh_token);
}

static struct held *find_fetch(const struct tokens *t, uint64_t number)
{
    LIST_EACH (node, &t->held) {
        struct held *h = LIST_ENTRY(node, struct held, link);

        if (h->fetch == number)
            return h;
    }
    return NULL;
}

static void take_answer(struct tokens *t, struct held *h, const struct oauth_answer *a)
{
    switch (oauth_judge(a)) {
    case OAUTH_GRANTED:
        keep(t, h, a);
        give(t, h);
        break;
    case OAUTH_LOGIN_NEEDED: fail_as_said(t, h, TOKEN_LOGIN_NEEDED, a); break;
    case OAUTH_WRONG: fail_as_said(t, h, TOKEN_WRONG, a); break;
    case OAUTH_LATER: fail_as_said(t, h, TOKEN_LATER, a); break;
    }
}

/* Nothing that was said counts any more. */
static void forget_answer(struct held *h)
{
    secret_wipe(&h->access);
    h->failed = TOKEN_GIVEN;
    h->alarmed = false;
}

/* Whoever waited before the reload was answered. */
static void begin_anew(struct tokens *t, struct held *h)
{
    const struct relay *relay = t->options.calls->relay(t->options.ctx, h->name);

    forget_answer(h);
    h->stale = false;
    list_splice(&h->waiters, &h->later);
    if (relay == NULL)
        answer_all(t, h, TOKEN_WRONG, SLICE("this relay has no tokens"));
    else if (!list_empty(&h->waiters))
        refresh(t, h, relay);
}

void tokens_fetched(struct tokens *t, uint64_t number, const struct oauth_answer *a)
{
    struct held *h = number == 0 ? NULL : find_fetch(t, number);

    if (h == NULL)
        return;
    h->fetch = 0;
    take_answer(t, h, a);
    if (h->stale)
        begin_anew(t, h);
}

void tokens_courier_gone(struct tokens *t)
{
    LIST_EACH (node, &t->held) {
        struct held *h = LIST_ENTRY(node, struct held, link);

        h->fetch = 0;
        h->stale = false;
        forget_waiters(&h->waiters);
        forget_waiters(&h->later);
    }
}

void tokens_reload(struct tokens *t)
{
    LIST_EACH (node, &t->held) {
        struct held *h = LIST_ENTRY(node, struct held, link);

        forget_answer(h);
        h->stale = h->fetch != 0;
        answer_list(t, &h->later, TOKEN_LATER, 0, SLICE("the settings have just been read again"));
    }
}

/* Serials of a vault that lived before must mean nothing now. */
struct tokens *tokens_new(const struct tokens_options *options)
{
    struct tokens *t = MEMORY_NEW(struct tokens);

    t->options = *options;
    t->options.queue_path = own(options->queue_path);
    t->options.config = own(options->config);
    t->dir = options->dir;
    t->serials = random_u64(options->random) >> 1;
    list_init(&t->held);
    return t;
}

void tokens_free(struct tokens *t)
{
    if (t == NULL)
        return;
    LIST_EACH (node, &t->held)
        held_free(LIST_ENTRY(node, struct held, link));
    disk_dir_close(t->dir);
    disown(t->options.queue_path);
    disown(t->options.config);
    memory_free(t);
}
