/*
 * vault_courier.c - wishes in, forms out.
 *
 * A captured courier learns all that passes through it: for each relay that it wishes a token for,
 * the token, and in the form that it posts the refresh token and the secret of the client; the
 * tokens that people log in with, while their provider is asked. And since it is who reads the
 * answers, it may call any token good, and whoever shows it is in by the name that it says.
 * Passwords of accounts and their hashes never come its way.
 */
#include "roles/vault_courier.h"

/* ---- for tokens ---- */

static const struct relay *find_relay(void *ctx, struct slice name)
{
    const struct vault_courier *c = ctx;
    const struct relay *relay = settings_relay(c->role->settings, name);

    return relay == NULL || relay->oauth == NULL ? NULL : relay;
}

static void send_answer(void *ctx, const struct token_answer *a)
{
    struct vault_courier *c = ctx;
    struct buf body;

    buf_init(&body, TOKEN_BODY_MAX);
    if (channel_is_open(&c->channel) && token_answer_write(&body, a))
        (void)channel_send(&c->channel, MESSAGE_TOKEN_ANSWER, buf_slice(&body), NULL, -1);
    buf_wipe(&body);
}

static bool fetch_token(void *ctx, uint64_t number, const struct relay *relay, struct slice form)
{
    struct fetching f = {.number = number,
                         .kind = FETCHING_REFRESH,
                         .relay = relay->name,
                         .url = relay->oauth->token,
                         .form = form};

    return vault_courier_fetch(ctx, &f);
}

static void alarm(void *ctx, struct slice text)
{
    role_warn(((struct vault_courier *)ctx)->role, SLICE("vault"), text);
}

/* ---- whose a token is ---- */

static bool fetch_whose(void *ctx, const struct fetching *f)
{
    return vault_courier_fetch(ctx, f);
}

/* ---- the courier ---- */

bool vault_courier_fetch(struct vault_courier *c, const struct fetching *f)
{
    struct buf body;

    if (!channel_is_open(&c->channel))
        return false;
    buf_init(&body, FETCHING_BODY_MAX);
    (void)buf_reserve(&body, FETCHING_BODY_MAX); /* so that it never moves */
    bool sent = fetching_write(&body, f) &&
                channel_send(&c->channel, MESSAGE_FETCH, buf_slice(&body), NULL, -1) == 0;
    buf_wipe(&body);
    return sent;
}

static void take_wish(struct vault_courier *c, struct cursor *in)
{
    struct token_wish w;

    if (token_wish_read(in, &w))
        tokens_wish(c->tokens, &w);
}

static void take_fetched(struct vault_courier *c, struct cursor *in)
{
    struct fetched f;

    if (!fetched_read(in, &f))
        return;
    switch (f.kind) {
    case FETCHING_REFRESH:
        if (f.status == 0)
            f.token.description = f.why;
        tokens_fetched(c->tokens, f.number, &f.token);
        break;
    case FETCHING_INTROSPECTION: introspector_answered(c->introspector, &f); break;
    }
}

static void on_message(struct channel *channel, enum message_kind kind, struct slice body,
                       struct disk_file *file, int handle)
{
    struct vault_courier *c = LIST_ENTRY(channel, struct vault_courier, channel);
    struct cursor in = {body};

    (void)file, (void)handle; /* the matrix allows TOKEN and FETCHED only */
    if (kind == MESSAGE_TOKEN)
        take_wish(c, &in);
    else
        take_fetched(c, &in);
}

static void on_closed(struct channel *channel)
{
    struct vault_courier *c = LIST_ENTRY(channel, struct vault_courier, channel);

    role_parted(c->role, channel);
    tokens_courier_gone(c->tokens);
    introspector_courier_gone(c->introspector);
}

void vault_courier_meet(struct vault_courier *c, int handle)
{
    channel_close(&c->channel); /* its end was not noticed yet */
    tokens_courier_gone(c->tokens);
    introspector_courier_gone(c->introspector);
    role_meet(c->role, &c->channel, handle, ROLE_COURIER, on_message, on_closed);
}

/* ---- as a whole ---- */

void vault_courier_init(struct vault_courier *c, struct role *role)
{
    c->role = role;
    c->channel.watch.handle = -1;
}

void vault_courier_start(struct vault_courier *c)
{
    static const struct tokens_calls calls = {find_relay, send_answer, fetch_token, alarm};
    const struct role_doors *doors = c->role->doors;
    struct arena scratch = {0};
    struct slice path =
        arena_printf(&scratch, "%.*s/vault", SLICE_PRINTF(c->role->settings->queue_path));
    struct disk_dir *dir = NULL;

    (void)role_take_folder(c->role, path, &dir);
    arena_done(&scratch);
    c->tokens = tokens_new(&(struct tokens_options){.calls = &calls,
                                                    .ctx = c,
                                                    .clock = doors->clock,
                                                    .random = doors->random,
                                                    .disk = doors->disk,
                                                    .dir = dir,
                                                    .queue_path = c->role->settings->queue_path,
                                                    .config = c->role->settings->file});
    c->introspector = introspector_new(&(struct introspector_options){
        .loop = c->role->loop,
        .clock = doors->clock,
        .seed = {random_u64(doors->random), random_u64(doors->random)},
        .send = fetch_whose,
        .ctx = c
    });
}

void vault_courier_reload(struct vault_courier *c)
{
    tokens_reload(c->tokens);
}

void vault_courier_done(struct vault_courier *c)
{
    channel_close(&c->channel);
    tokens_free(c->tokens);
    introspector_free(c->introspector);
}
