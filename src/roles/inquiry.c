/*
 * inquiry.c - who is known where.
 *
 * An inquiry has connections of its own, not those of the mail: they are short, and mail must not
 * wait behind strangers' guesses. Only a 5yz in answer to RCPT says that somebody is unknown;
 * whatever else goes wrong says nothing about the recipient, and the client is to come again.
 */
#include "roles/inquiry.h"

#include "base/memory.h"
#include "roles/outbound_internal.h"

#include <stdio.h>
#include <string.h>

enum {
    OPEN_MAX = 200, /* inquiries at a time */
    HOPS_MAX = 3,
    PATIENCE_MS = 30 * 1000, /* for one, however many hops it tries */
    CONNECT_TIMEOUT_MS = 10 * 1000,
    KNOWN_MS = 60 * 60 * 1000,
    LATER_MS = 10 * 1000,
    REMEMBERED_MAX = 10000,
    KEY_MAX = 600,
};

/* What was answered. */
struct remembered {
    struct list link; /* the oldest first */
    struct slice key; /* owned */
    enum answer_kind kind;
    uint64_t until_ms;
    size_t text_len;
    char text[ANSWER_TEXT_MAX];
};

/* Who waits for it, and then, which answer is to be sent. */
struct asker {
    struct list link;
    unsigned receiver;
    struct answer answer; /* without text, until it is taken */
    size_t text_len;
    char text[ANSWER_TEXT_MAX];
};

struct inquiry {
    struct list link;
    struct inquiries *all;
    struct slice key; /* owned */
    struct list askers;
    struct address to; /* owned */
    struct trip_manner manner;
    const struct route_target *lmtp;
    char *path; /* of an LMTP server in the file system; or NULL */
    struct facts facts;
    struct lookup lookup;
    struct arena arena;
    struct route route;
    uint64_t chance;
    struct trip_hop hops[HOPS_MAX];
    unsigned hop_count, hop;
    bool plain; /* TLS failed here: once more without */
    bool called;
    struct remote remote;
    struct pass pass;
    struct remote_options options;
    struct net_address from;
    struct client_message message;
    struct timer patience;
};

struct inquiries {
    struct outbound *outbound;
    struct map by_key;
    struct list open;
    unsigned open_count;
    struct map remembered;
    struct list remembered_list;
    unsigned remembered_count;
    struct list answered; /* askers */
    struct asker *taken;  /* whose text is borrowed */
};

static struct loop *loop_of(const struct inquiries *all)
{
    return all->outbound->role->loop;
}

/* ---- what is remembered ---- */

static void forget(struct inquiries *all, struct remembered *r)
{
    (void)map_remove(&all->remembered, r->key);
    list_remove(&r->link);
    all->remembered_count--;
    memory_free((void *)(uintptr_t)r->key.data);
    memory_free(r);
}

static struct remembered *recall(struct inquiries *all, struct slice key)
{
    struct remembered *r = map_get(&all->remembered, key);

    if (r == NULL || r->until_ms > outbound_now_ms(all->outbound))
        return r;
    forget(all, r);
    return NULL;
}

static void remember(struct inquiries *all, struct slice key, const struct answer *a)
{
    struct remembered *r = MEMORY_NEW(struct remembered);
    struct slice text = slice_head(a->text, ANSWER_TEXT_MAX);

    if (all->remembered_count == REMEMBERED_MAX)
        forget(all, LIST_ENTRY(all->remembered_list.next, struct remembered, link));
    r->key = outbound_copy(key);
    r->kind = a->kind;
    r->until_ms = outbound_now_ms(all->outbound) + (a->kind == ANSWER_LATER ? LATER_MS : KNOWN_MS);
    memcpy(r->text, text.data, text.len);
    r->text_len = text.len;
    list_append(&all->remembered_list, &r->link);
    all->remembered_count++;
    (void)map_put(&all->remembered, r->key, r);
}

/* ---- answers ---- */

static void answer_asker(struct inquiries *all, struct asker *k, const struct answer *a)
{
    struct slice text = slice_head(a->text, ANSWER_TEXT_MAX);

    k->answer.kind = a->kind;
    memcpy(k->text, text.data, text.len);
    k->text_len = text.len;
    list_append(&all->answered, &k->link);
    loop_wake(loop_of(all));
}

bool inquiries_next(struct inquiries *all, unsigned *receiver, struct answer *out)
{
    struct asker *k;

    memory_free(all->taken);
    all->taken = NULL;
    if (list_empty(&all->answered))
        return false;
    k = LIST_ENTRY(all->answered.next, struct asker, link);
    list_remove(&k->link);
    k->answer.text = (struct slice){k->text, k->text_len};
    *receiver = k->receiver;
    *out = k->answer;
    all->taken = k;
    return true;
}

static void inquiry_free(struct inquiry *q)
{
    struct inquiries *all = q->all;

    timer_cancel(loop_of(all), &q->patience);
    lookup_cancel(&q->lookup);
    pass_drop(&q->pass);
    if (q->called)
        remote_close(&q->remote);
    LIST_EACH (node, &q->askers)
        memory_free(LIST_ENTRY(node, struct asker, link));
    if (map_get(&all->by_key, q->key) == q)
        (void)map_remove(&all->by_key, q->key);
    list_remove(&q->link);
    all->open_count--;
    arena_done(&q->arena);
    memory_free((void *)(uintptr_t)q->key.data);
    memory_free((void *)(uintptr_t)q->to.local.data);
    memory_free((void *)(uintptr_t)q->to.domain.data);
    memory_free(q->path);
    memory_free(q);
}

/* Everybody who waits is told, and whoever asks from now on. Goodbyes may follow. */
static void conclude(struct inquiry *q, enum answer_kind kind, struct slice text)
{
    struct answer a = {.kind = kind, .text = text};

    (void)map_remove(&q->all->by_key, q->key);
    remember(q->all, q->key, &a);
    LIST_EACH (node, &q->askers) {
        list_remove(node);
        answer_asker(q->all, LIST_ENTRY(node, struct asker, link), &a);
    }
}

static void give_up(struct inquiry *q, struct slice why)
{
    if (!list_empty(&q->askers))
        conclude(q, ANSWER_LATER, why);
    inquiry_free(q);
}

/* ---- the dialog ---- */

static const struct remote_owner owner;

static void call_hop(struct inquiry *q)
{
    trip_call_options(&q->manner, &q->hops[q->hop], q->plain, &q->options, &q->from);
    q->options.client.quit_after = STEP_RCPT;
    q->options.connect_timeout_ms = CONNECT_TIMEOUT_MS;
    q->message = (struct client_message){.rcpts = &q->to, .rcpt_count = 1};
    q->called = true;
    remote_open(&q->remote, loop_of(q->all), &q->hops[q->hop].address, &q->options, &owner);
    remote_send(&q->remote, &q->message);
}

static struct slice words_of(struct inquiry *q, const struct client_outcome *o)
{
    return trip_words(&q->hops[q->hop], o, &q->arena);
}

/* Did it come as far as to ask? False: another hop may know. */
static bool conclude_from(struct inquiry *q, const struct client_outcome *o)
{
    bool asked = o->step == STEP_RCPT || (o->verdict == CLIENT_REFUSED && o->code == 0);

    if (!asked)
        return false;
    if (o->verdict == CLIENT_PENDING || o->verdict == CLIENT_ACCEPTED)
        conclude(q, ANSWER_KNOWN, SLICE(""));
    else if (o->verdict == CLIENT_REFUSED)
        conclude(q, ANSWER_UNKNOWN, words_of(q, o));
    else
        conclude(q, ANSWER_LATER, words_of(q, o));
    return true;
}

static void try_elsewhere(struct inquiry *q, struct slice why, bool in_the_clear)
{
    pass_drop(&q->pass);
    remote_close(&q->remote);
    q->called = false;
    q->plain = in_the_clear;
    if (!in_the_clear && ++q->hop == q->hop_count)
        give_up(q, why);
    else
        call_hop(q);
}

static void on_over(struct inquiry *q)
{
    const struct client_outcome *o;

    if (list_empty(&q->askers)) { /* it was answered before */
        inquiry_free(q);
        return;
    }
    if (q->remote.connect_error != 0) {
        char bytes[TRIP_HOP_TEXT_MAX];
        struct slice host = trip_hop_text(&q->hops[q->hop], bytes);

        try_elsewhere(q,
                      arena_printf(&q->arena, "host %.*s: cannot connect: %s", SLICE_PRINTF(host),
                                   strerrordesc_np(-q->remote.connect_error)),
                      false);
        return;
    }
    o = client_outcome(q->remote.client, 0);
    if (conclude_from(q, o))
        inquiry_free(q);
    else if (client_is_no_user(o))
        give_up(q, words_of(q, o));
    else
        try_elsewhere(q, words_of(q, o), !q->plain && remote_tls_was_the_trouble(&q->remote, o));
}

static void on_event(struct remote *r, enum remote_event event)
{
    struct inquiry *q = LIST_ENTRY(r, struct inquiry, remote);

    switch (event) {
    case REMOTE_READY:
        (void)conclude_from(q, client_outcome(r->client, 0));
        remote_quit(r);
        break;
    case REMOTE_OVER: on_over(q); break;
    }
}

/* The engine asks for none: it stops after RCPT. */
static enum remote_piece next_piece(struct remote *r, struct slice *piece)
{
    (void)r, (void)piece;
    return REMOTE_UNREADABLE;
}

static void log_in(struct remote *r)
{
    struct inquiry *q = LIST_ENTRY(r, struct inquiry, remote);

    pass_show(&q->pass, q->manner.bearers, q->manner.relay, r);
}

static const struct remote_owner owner = {
    .on_event = on_event, .next_piece = next_piece, .log_in = log_in};

/* ---- the way ---- */

static void on_known(struct lookup *l);

static void ask_or_call(struct inquiry *q)
{
    struct outbound *all = q->all->outbound;
    enum route_outcome outcome = destination_route(all, &q->manner, q->lmtp, &q->to, q->chance,
                                                   &q->facts, &q->arena, &q->route);
    struct resolver *resolver;

    switch (outcome) {
    case ROUTE_FOUND:
        q->hop_count = trip_copy_hops(&q->route, q->path, q->hops, HOPS_MAX);
        call_hop(q);
        return;
    case ROUTE_UNKNOWN: break;
    case ROUTE_TEMPORARY: /* a mail is put off, or comes back: that is not the recipient's fault */
    case ROUTE_PERMANENT: give_up(q, q->route.refusal.text); return;
    }
    resolver = outbound_resolver(all);
    if (resolver == NULL) {
        give_up(q, SLICE("the resolver for DNS cannot be started"));
        return;
    }
    lookup_start(&q->lookup, resolver, &q->facts);
}

static void on_known(struct lookup *l)
{
    ask_or_call(LIST_ENTRY(l, struct inquiry, lookup));
}

static void on_patience(struct timer *t)
{
    give_up(LIST_ENTRY(t, struct inquiry, patience), SLICE("its server does not answer in time"));
}

/* ---- questions ---- */

static struct slice key_of(const struct question *q, char out[KEY_MAX])
{
    int len = snprintf(out, KEY_MAX, "%u %.*s@%.*s", q->rule, SLICE_PRINTF(q->rcpt.local),
                       SLICE_PRINTF(q->rcpt.domain));

    return (struct slice){out, len < 0 ? 0 : (size_t)len < KEY_MAX ? (size_t)len : KEY_MAX - 1};
}

static void begin(struct inquiries *all, struct slice key, struct asker *k,
                  const struct decision *d)
{
    struct inquiry *q = MEMORY_NEW(struct inquiry);

    q->all = all;
    q->key = outbound_copy(key);
    q->to = d->final;
    q->to.local = outbound_copy(d->final.local);
    q->to.domain = outbound_copy(d->final.domain);
    q->manner = destination_manner(all->outbound, d, 0);
    q->lmtp = d->kind == DECIDE_LMTP ? d->lmtp : NULL;
    if (q->lmtp != NULL && q->lmtp->kind == TARGET_PATH)
        q->path = (char *)(uintptr_t)outbound_copy(q->lmtp->name).data;
    q->chance = random_u64(all->outbound->role->doors->random);
    q->lookup.done = on_known;
    facts_init(&q->facts, &q->arena);
    timer_init(&q->patience, on_patience);
    timer_set(loop_of(all), &q->patience, PATIENCE_MS);
    list_init(&q->askers);
    list_append(&q->askers, &k->link);
    list_append(&all->open, &q->link);
    all->open_count++;
    (void)map_put(&all->by_key, q->key, q);
    ask_or_call(q);
}

/* A captured receiver may name any rule and anybody; all it gains is one RCPT. */
static bool decision_of(const struct inquiries *all, const struct question *q, struct decision *out)
{
    const struct rules *rules = &all->outbound->settings->rules;
    const struct rule *rule = q->rule < rules->count ? &rules->rules[q->rule] : NULL;

    if (rule == NULL || !rule->asks || q->rcpt.kind == ADDRESS_BARE)
        return false;
    *out = (struct decision){.kind = rule->action == ACTION_LMTP ? DECIDE_LMTP : DECIDE_RELAY,
                             .final = q->rcpt,
                             .lmtp = rule->lmtp,
                             .relay = rule->relay,
                             .rule = rule};
    return true;
}

void inquiries_ask(struct inquiries *all, unsigned receiver, const struct question *q)
{
    static const struct answer crowd = {
        .kind = ANSWER_LATER, .text = SLICE_INIT("too many recipients are being asked for")};
    char text[KEY_MAX];
    struct slice key = key_of(q, text);
    struct decision d;
    struct inquiry *open;
    struct remembered *r;
    struct asker *k;

    if (!decision_of(all, q, &d))
        return;
    k = MEMORY_NEW(struct asker);
    k->receiver = receiver;
    k->answer.number = q->number;
    r = recall(all, key);
    open = map_get(&all->by_key, key);
    if (r != NULL) {
        struct answer a = {
            .kind = r->kind, .text = {r->text, r->text_len}
        };

        answer_asker(all, k, &a);
    } else if (open != NULL) {
        list_append(&open->askers, &k->link);
    } else if (all->open_count >= OPEN_MAX) {
        answer_asker(all, k, &crowd);
    } else {
        begin(all, key, k, &d);
    }
}

static void forget_askers(struct list *askers, unsigned receiver)
{
    LIST_EACH (node, askers) {
        struct asker *k = LIST_ENTRY(node, struct asker, link);

        if (k->receiver != receiver)
            continue;
        list_remove(node);
        memory_free(k);
    }
}

/* The next one of that number counts its questions from the beginning. */
void inquiries_receiver_ended(struct inquiries *all, unsigned receiver)
{
    LIST_EACH (node, &all->open)
        forget_askers(&LIST_ENTRY(node, struct inquiry, link)->askers, receiver);
    forget_askers(&all->answered, receiver);
}

void inquiries_forget(struct inquiries *all)
{
    LIST_EACH (node, &all->open)
        give_up(LIST_ENTRY(node, struct inquiry, link), SLICE("the settings change just now"));
    LIST_EACH (node, &all->remembered_list)
        forget(all, LIST_ENTRY(node, struct remembered, link));
}

struct inquiries *inquiries_new(struct outbound *outbound)
{
    struct inquiries *all = MEMORY_NEW(struct inquiries);
    struct random *random = outbound->role->doors->random;
    uint64_t seed[2] = {random_u64(random), random_u64(random)};

    all->outbound = outbound;
    map_init(&all->by_key, seed);
    map_init(&all->remembered, seed);
    list_init(&all->open);
    list_init(&all->remembered_list);
    list_init(&all->answered);
    return all;
}

void inquiries_free(struct inquiries *all)
{
    if (all == NULL)
        return;
    LIST_EACH (node, &all->open)
        inquiry_free(LIST_ENTRY(node, struct inquiry, link));
    LIST_EACH (node, &all->remembered_list)
        forget(all, LIST_ENTRY(node, struct remembered, link));
    LIST_EACH (node, &all->answered)
        memory_free(LIST_ENTRY(node, struct asker, link));
    memory_free(all->taken);
    map_done(&all->by_key);
    map_done(&all->remembered);
    memory_free(all);
}
