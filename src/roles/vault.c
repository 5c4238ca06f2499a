/*
 * vault.c - the only one who has passwords.
 *
 * A receiver forwards what a client says, one exchange of SASL after the other, and is told a
 * challenge, a name, or no. So whoever captures a receiver learns the passwords of those who log in
 * meanwhile, and nobody else's.
 *
 * Slow hashes run on workers. Before each, the guess is counted (mail/guesses): an attack costs
 * look-ups, not hashes; and who is known there waits for no stranger's (roles/hash_turns). Who is
 * unknown costs the same hash as somebody who is known.
 *
 * Whose a token is, its provider says, whom the courier asks for us (roles/introspector). Whether
 * he may have mail here is said by the accounts, as of everybody.
 */
#include "roles/role.h"

#include "base/codec.h"
#include "base/memory.h"
#include "mail/guesses.h"
#include "roles/hash_turns.h"
#include "roles/login.h"
#include "roles/vault_courier.h"
#include "sasl/password.h"
#include "sasl/server.h"

#include <string.h>

enum {
    RECEIVERS_MAX = 255,
    WORKER_THREADS = 2,
    EXCHANGES_MAX = 20000, /* of one receiver */
    NONCE_BYTES = 24,
    SECRET_BYTES = 32,
    PATIENCE_MS = 5 * 60 * 1000, /* for a client's next word, RFC 5321 4.5.3.2.7 */
};

struct receiver_end {
    struct channel channel;
    struct vault *vault;
    struct list exchanges;
    unsigned count;
};

struct vault {
    struct role role;
    struct receiver_end receivers[RECEIVERS_MAX];
    struct vault_courier courier;
    struct list orphans; /* exchanges whose hash still runs, for nobody */
    struct guesses *guesses;
    char secret[SECRET_BYTES]; /* for what unknown users are shown */
    struct hash_turns turns;
};

struct exchange {
    struct list link; /* in the receiver's, or in orphans */
    bool orphan;
    struct receiver_end *from;
    uint64_t number;
    const struct settings *settings; /* held: under which it began */
    struct slice listener;           /* theirs */
    const struct accounts *accounts;
    const struct introspection *introspection; /* NULL: none is asked about tokens */
    struct sasl_server *sasl;
    struct arena arena; /* texts of a guess */
    struct slice client;
    struct timer patience;
    bool counted; /* a guess was taken, */
    struct guess_by guess;
    struct token_question question; /* at a provider */
    struct slice why;               /* it took the token, and we do not */
    /* One hash. */
    struct hash_turn turn;
    bool hashing; /* or waiting for it */
    bool known;
    struct slice stored;
    char *password;
    size_t password_len;
    bool good;
};

static struct vault *vault_of(struct role *r)
{
    return LIST_ENTRY(r, struct vault, role);
}

static uint64_t now_ms(const struct vault *v)
{
    return loop_now_ms(v->role.loop);
}

/* ---- exchanges ---- */

static void wipe_password(struct exchange *x)
{
    if (x->password != NULL)
        explicit_bzero(x->password, x->password_len);
    memory_free(x->password);
    x->password = NULL;
}

static void exchange_free(struct exchange *x)
{
    if (!x->orphan)
        x->from->count--;
    list_remove(&x->link);
    timer_cancel(x->from->vault->role.loop, &x->patience);
    wipe_password(x);
    token_question_cancel(&x->question);
    sasl_server_free(x->sasl);
    settings_free(x->settings);
    arena_done(&x->arena);
    memory_free(x);
}

/* A hash that runs cannot be called off: what it finds is for nobody. */
static void exchange_drop(struct exchange *x)
{
    if (hash_turns_leave(&x->turn)) {
        exchange_free(x);
        return;
    }
    x->from->count--;
    list_remove(&x->link);
    list_append(&x->from->vault->orphans, &x->link);
    x->orphan = true;
}

static struct exchange *exchange_find(const struct receiver_end *from, uint64_t number)
{
    LIST_EACH (node, &from->exchanges) {
        struct exchange *x = LIST_ENTRY(node, struct exchange, link);

        if (x->number == number)
            return x;
    }
    return NULL;
}

/* ---- answers ---- */

static void send_answer(struct receiver_end *to, const struct login_answer *a)
{
    struct buf body;

    if (!channel_is_open(&to->channel))
        return;
    buf_init(&body, LOGIN_BODY_MAX);
    if (login_answer_write(&body, a))
        (void)channel_send(&to->channel, MESSAGE_LOGIN_ANSWER, buf_slice(&body), NULL, -1);
    buf_wipe(&body);
}

static void answer(const struct exchange *x, enum login_result result, struct slice text)
{
    struct login_answer a = {.number = x->number, .result = result, .text = text};

    if (result == LOGIN_FAILED || result == LOGIN_LATER)
        a.user = sasl_server_user(x->sasl);
    send_answer(x->from, &a);
}

/* ---- guesses ---- */

/* False: too many. Once in an exchange. A token may come without a name: then it is a guess of its
 * address alone, since nobody's account shall be locked by it. */
static bool may_guess(struct exchange *x)
{
    struct vault *v = x->from->vault;
    struct slice user = sasl_server_user(x->sasl);

    if (x->counted)
        return true;
    x->guess = (struct guess_by){user.len > 0 ? arena_copy(&x->arena, user) : x->client, x->client};
    x->counted = guesses_take(v->guesses, &x->guess, now_ms(v));
    return x->counted;
}

static void settle_guess(struct exchange *x)
{
    struct vault *v = x->from->vault;

    if (x->counted)
        guesses_was_right(v->guesses, &x->guess, now_ms(v));
}

/* Nobody looked whether it is right. */
static void end_unjudged(struct exchange *x, struct slice why)
{
    struct vault *v = x->from->vault;

    if (x->counted)
        guesses_give_back(v->guesses, &x->guess, now_ms(v));
    answer(x, LOGIN_LATER, why);
    exchange_free(x);
}

/* ---- going on ---- */

static void step(struct exchange *x, struct slice response);

static struct slice password_of(const struct exchange *x)
{
    return (struct slice){x->password, x->password_len};
}

static enum worker_next hash(struct worker_job *job)
{
    struct exchange *x = LIST_ENTRY(job, struct exchange, turn.job);

    if (x->known)
        x->good = password_verify(x->stored, password_of(x));
    else
        password_burn(x->stored, password_of(x));
    return WORKER_IDLE;
}

static void hashed(struct worker_job *job)
{
    struct exchange *x = LIST_ENTRY(job, struct exchange, turn.job);
    struct vault *v = x->from->vault;

    x->hashing = false;
    hash_turns_ended(&v->turns, v->role.worker, &x->turn);
    wipe_password(x);
    if (x->orphan) {
        exchange_free(x);
        return;
    }
    sasl_server_password(x->sasl, x->known && x->good);
    step(x, SLICE(""));
}

/* Whose hash an unknown user is measured by. */
static struct slice stand_in_for(const struct exchange *x)
{
    const struct vault *v = x->from->vault;
    size_t count = accounts_password_count(x->accounts);
    struct slice secret = {v->secret, sizeof(v->secret)};

    return count == 0
               ? SLICE("")
               : accounts_password_at(x->accounts,
                                      password_stand_in(secret, sasl_server_user(x->sasl), count));
}

/* Who is disabled costs what anybody does. The hash is a copy: the accounts may be replaced while a
 * worker looks at it. */
static void find_password(struct exchange *x)
{
    struct account found;
    bool has = accounts_login(x->accounts, sasl_server_user(x->sasl), &x->arena, &found) &&
               found.password.len > 0;

    x->known = has && !found.disabled;
    x->stored = arena_copy(&x->arena, has ? found.password : stand_in_for(x));
}

static void check_password(struct exchange *x)
{
    struct vault *v = x->from->vault;
    struct slice password = sasl_server_secret(x->sasl);
    bool familiar = guesses_knows(v->guesses, &x->guess, now_ms(v));

    find_password(x);
    x->password = memory_new(password.len);
    memcpy(x->password, password.data, password.len);
    x->password_len = password.len;
    if (!hash_turns_take(&v->turns, v->role.worker, &x->turn, familiar)) {
        end_unjudged(x, SLICE("too many people log in just now"));
        return;
    }
    timer_cancel(v->role.loop, &x->patience); /* it is not for the client to speak */
    x->hashing = true;
}

static void give_keys(struct exchange *x)
{
    struct slice scheme = SLICE("{SCRAM-SHA-256}");
    struct scram_keys keys;
    struct account found;
    bool has = accounts_login(x->accounts, sasl_server_user(x->sasl), &x->arena, &found) &&
               !found.disabled && slice_starts_nocase(found.scram, scheme) &&
               scram_keys_parse(slice_skip(found.scram, scheme.len), &keys);

    sasl_server_keys(x->sasl, has ? &keys : NULL);
    explicit_bzero(&keys, sizeof(keys));
}

static void on_judged(struct token_question *q, const struct token_judgement *j)
{
    struct exchange *x = LIST_ENTRY(q, struct exchange, question);

    switch (j->verdict) {
    case TOKEN_IS_GOOD: sasl_server_token(x->sasl, &j->text); break;
    case TOKEN_IS_BAD:
        x->why = arena_copy(&x->arena, j->text);
        sasl_server_token(x->sasl, NULL);
        break;
    case TOKEN_UNJUDGED: end_unjudged(x, j->text); return;
    }
    step(x, SLICE(""));
}

static void ask_provider(struct exchange *x)
{
    struct vault *v = x->from->vault;

    timer_cancel(v->role.loop, &x->patience); /* it is not for the client to speak */
    introspector_ask(v->courier.introspector, &x->question, x->listener, x->introspection,
                     sasl_server_secret(x->sasl), on_judged);
}

static void refuse_guess(struct exchange *x)
{
    answer(x, LOGIN_LATER, SLICE("too many wrong passwords"));
    exchange_free(x);
}

/* The name of the account, not the one that was typed. Those who come with a certificate are asked
 * about here for the first time. */
static void finish(struct exchange *x)
{
    struct account found;

    settle_guess(x);
    if (accounts_login(x->accounts, sasl_server_user(x->sasl), &x->arena, &found) &&
        !found.disabled)
        answer(x, LOGIN_DONE, found.name);
    else
        answer(x, LOGIN_FAILED, SLICE("there is no such account"));
    exchange_free(x);
}

static void go_on(struct exchange *x, enum sasl_need need, struct slice challenge)
{
    switch (need) {
    case SASL_SEND:
        timer_set(x->from->vault->role.loop, &x->patience, PATIENCE_MS);
        answer(x, LOGIN_CHALLENGE, challenge);
        return;
    case SASL_WANTS_PASSWORD:
        if (may_guess(x))
            check_password(x);
        else
            refuse_guess(x);
        return;
    case SASL_WANTS_TOKEN:
        if (may_guess(x))
            ask_provider(x);
        else
            refuse_guess(x);
        return;
    case SASL_WANTS_KEYS: refuse_guess(x); return; /* else they had been given */
    case SASL_DONE: finish(x); return;
    case SASL_FAILED:
        answer(x, LOGIN_FAILED,
               x->why.len > 0 ? x->why : sasl_failure_text(sasl_server_failure(x->sasl)));
        exchange_free(x);
        return;
    }
}

/* A token that was good a moment ago is no guess. */
static bool knows_token(struct exchange *x)
{
    struct slice user;

    if (!introspector_knows(x->from->vault->courier.introspector, x->introspection,
                            sasl_server_secret(x->sasl), &user))
        return false;
    sasl_server_token(x->sasl, &user);
    return true;
}

/* Is what is needed at hand? */
static bool fulfil(struct exchange *x, enum sasl_need need)
{
    if (need == SASL_WANTS_TOKEN)
        return knows_token(x);
    if (need != SASL_WANTS_KEYS || !may_guess(x))
        return false;
    give_keys(x);
    return true;
}

static void step(struct exchange *x, struct slice response)
{
    struct buf challenge;

    buf_init(&challenge, SASL_MESSAGE_MAX);
    enum sasl_need need = sasl_server_step(x->sasl, response, &challenge);
    while (fulfil(x, need))
        need = sasl_server_step(x->sasl, SLICE(""), &challenge);
    go_on(x, need, buf_slice(&challenge));
    buf_done(&challenge);
}

static void on_patience(struct timer *t)
{
    exchange_free(LIST_ENTRY(t, struct exchange, patience));
}

/* ---- receivers ---- */

static void draw(struct vault *v, char *out, size_t len)
{
    random_bytes(v->role.doors->random, out, len);
}

/* NULL: there is none, or nobody logs in there. Sessions may come from a listener that is no more.
 */
static const struct settings_listener *listener_at(const struct settings *s, struct slice address)
{
    for (size_t i = 0; i < s->listener_count; i++)
        if (s->listeners[i].auth != NULL && slice_equal(s->listeners[i].address, address))
            return &s->listeners[i];
    return NULL;
}

static bool is_offered(const struct settings_listener *l, struct slice name,
                       enum sasl_mechanism *mechanism)
{
    return sasl_mechanism_parse(name, mechanism) &&
           (l->introspection != NULL || !sasl_mechanism_takes_token(*mechanism));
}

static struct exchange *exchange_new(struct receiver_end *from, const struct login *l,
                                     const struct settings_listener *listener,
                                     enum sasl_mechanism mechanism)
{
    struct exchange *x = MEMORY_NEW(struct exchange);
    struct vault *v = from->vault;
    char bytes[NONCE_BYTES];
    struct buf nonce;

    draw(v, bytes, sizeof(bytes));
    buf_init(&nonce, SASL_NONCE_MAX);
    (void)base64_encode(&nonce, (struct slice){bytes, sizeof(bytes)});
    struct sasl_server_settings settings = {
        .channel_binding = l->channel_binding,
        .plus_offered = l->channel_binding.len > 0,
        .certificate_user = l->certificate,
        .nonce = buf_slice(&nonce),
        .fake_secret = {v->secret, sizeof(v->secret)}
    };

    x->from = from;
    x->number = l->number;
    x->settings = settings_hold(v->role.settings);
    x->listener = listener->address;
    x->accounts = listener->auth->accounts;
    x->introspection = listener->introspection;
    x->client = arena_copy(&x->arena, l->client);
    x->sasl = sasl_server_new(mechanism, &settings);
    worker_job_init(&x->turn.job, hash, hashed);
    timer_init(&x->patience, on_patience);
    list_append(&from->exchanges, &x->link);
    from->count++;
    buf_done(&nonce);
    return x;
}

static void refuse(struct receiver_end *from, uint64_t number, struct slice why)
{
    send_answer(from, &(struct login_answer){.number = number, .result = LOGIN_LATER, .text = why});
}

/* LOGIN alone has its first word from us; the others' empty challenge was sent already. */
static void begin(struct receiver_end *from, const struct login *l)
{
    enum sasl_mechanism mechanism;
    const struct settings_listener *listener = listener_at(from->vault->role.settings, l->listener);
    struct buf challenge;

    if (listener == NULL || !is_offered(listener, l->mechanism, &mechanism) ||
        exchange_find(from, l->number) != NULL || from->count >= EXCHANGES_MAX) {
        refuse(from, l->number, SLICE("nobody can log in here"));
        return;
    }
    struct exchange *x = exchange_new(from, l, listener, mechanism);

    if (mechanism != SASL_LOGIN || l->response.len > 0) {
        step(x, l->response);
        return;
    }
    buf_init(&challenge, SASL_MESSAGE_MAX);
    enum sasl_need need = sasl_server_begin(x->sasl, &challenge);
    go_on(x, need, buf_slice(&challenge));
    buf_done(&challenge);
}

static void receiver_message(struct channel *channel, enum message_kind kind, struct slice body,
                             struct disk_file *file, int handle)
{
    struct receiver_end *from = LIST_ENTRY(channel, struct receiver_end, channel);
    struct cursor in = {body};
    struct login l;

    (void)kind, (void)file, (void)handle; /* the matrix allows LOGIN only */
    if (!login_read(&in, &l))
        return;
    struct exchange *x = l.word == LOGIN_BEGINS ? NULL : exchange_find(from, l.number);

    if (l.word == LOGIN_BEGINS)
        begin(from, &l);
    else if (x == NULL && l.word == LOGIN_GOES_ON)
        refuse(from, l.number, SLICE("that took too long"));
    else if (x != NULL && l.word == LOGIN_ENDS)
        exchange_drop(x);
    else if (x != NULL && !x->hashing && x->question.all == NULL)
        step(x, l.response);
}

static void drop_all(struct receiver_end *from)
{
    LIST_EACH (node, &from->exchanges)
        exchange_drop(LIST_ENTRY(node, struct exchange, link));
}

static void receiver_closed(struct channel *channel)
{
    struct receiver_end *from = LIST_ENTRY(channel, struct receiver_end, channel);

    role_parted(&from->vault->role, channel);
    drop_all(from);
}

static void vault_peer(struct role *role, enum role_kind kind, unsigned index, int handle)
{
    struct vault *v = vault_of(role);

    if (kind == ROLE_COURIER) {
        vault_courier_meet(&v->courier, handle);
        return;
    }
    if (kind != ROLE_RECEIVER || index >= RECEIVERS_MAX) {
        role->doors->net->ops->close(role->doors->net, handle);
        return;
    }
    channel_close(&v->receivers[index].channel);
    drop_all(&v->receivers[index]);
    role_meet(role, &v->receivers[index].channel, handle, ROLE_RECEIVER, receiver_message,
              receiver_closed);
}

/* ---- the role ---- */

static int vault_start(struct role *role)
{
    struct vault *v = vault_of(role);
    uint64_t seed[2] = {random_u64(role->doors->random), random_u64(role->doors->random)};

    v->guesses = guesses_new(seed);
    draw(v, v->secret, sizeof(v->secret));
    vault_courier_start(&v->courier);
    return 0;
}

static int vault_reload(struct role *role, const struct settings *old)
{
    (void)old; /* an exchange that is under way holds them */
    vault_courier_reload(&vault_of(role)->courier);
    return 0;
}

static void vault_before_sleep(struct role *role)
{
    if (role->draining) /* receivers and courier ended first: nobody waits */
        role_end(role, 0);
}

static void vault_drain(struct role *role)
{
    (void)role;
}

static void free_all(struct vault *v, struct list *exchanges)
{
    LIST_EACH (node, exchanges) {
        struct exchange *x = LIST_ENTRY(node, struct exchange, link);

        if (!hash_turns_leave(&x->turn))
            worker_forget(v->role.worker, &x->turn.job);
        exchange_free(x);
    }
}

static void vault_done(struct role *role)
{
    struct vault *v = vault_of(role);

    for (unsigned i = 0; i < RECEIVERS_MAX; i++) {
        channel_close(&v->receivers[i].channel);
        free_all(v, &v->receivers[i].exchanges);
    }
    free_all(v, &v->orphans);
    vault_courier_done(&v->courier);
    explicit_bzero(v->secret, sizeof(v->secret));
    guesses_free(v->guesses);
}

struct role *vault_new(const struct role_doors *doors, int warden_handle)
{
    static const struct role_calls calls = {.start = vault_start,
                                            .reload = vault_reload,
                                            .peer = vault_peer,
                                            .drain = vault_drain,
                                            .before_sleep = vault_before_sleep,
                                            .done = vault_done};
    struct vault *v = MEMORY_NEW(struct vault);

    list_init(&v->orphans);
    hash_turns_init(&v->turns, WORKER_THREADS);
    vault_courier_init(&v->courier, &v->role);
    for (unsigned i = 0; i < RECEIVERS_MAX; i++) {
        v->receivers[i].channel.watch.handle = -1;
        v->receivers[i].vault = v;
        list_init(&v->receivers[i].exchanges);
    }
    role_init(&v->role, ROLE_VAULT, 0, doors, &calls, WORKER_THREADS, warden_handle);
    return &v->role;
}
