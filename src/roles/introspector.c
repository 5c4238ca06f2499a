/*
 * introspector.c - one question at a provider for each token.
 *
 * What a provider says is kept for a minute, or until the token ends: the same program that opens
 * four connections is asked about once. Only good tokens are kept; a bad one is asked about again,
 * so that one which was given a moment ago is not refused for long.
 */
#include "roles/introspector.h"

#include "base/memory.h"
#include "sasl/token_cache.h"

enum { TOKEN_MAX = 12288, ISSUER_MAX = 64 * 1024 };

struct introspector {
    struct introspector_options options;
    struct token_cache *cache;
    struct list waiting;
    unsigned count;
    uint64_t numbers;
};

static uint64_t now_ms(const struct introspector *all)
{
    return loop_now_ms(all->options.loop);
}

static uint64_t wall_s(const struct introspector *all)
{
    return clock_wall_us(all->options.clock) / 1000000;
}

/* Whose word counts, and what it was asked: what one listener's block takes, that of another with
 * the same URL may not. */
static struct slice issuer_of(const struct introspection *i, struct buf *out)
{
    buf_init(out, ISSUER_MAX);
    (void)(put_bytes(out, i->url) && put_bytes(out, i->client) &&
           put_bytes(out, i->terms.audience) && put_u8(out, (uint8_t)i->terms.claim));
    return buf_slice(out);
}

/* ---- who waits ---- */

void token_question_cancel(struct token_question *q)
{
    if (q->all == NULL)
        return;
    timer_cancel(q->all->options.loop, &q->patience);
    list_remove(&q->link);
    q->all->count--;
    buf_wipe(&q->token);
    q->all = NULL;
}

static void conclude(struct token_question *q, enum token_verdict verdict, struct slice text)
{
    struct token_judgement j = {verdict, text};

    token_question_cancel(q);
    q->done(q, &j);
}

static void on_patience(struct timer *t)
{
    conclude(LIST_ENTRY(t, struct token_question, patience), TOKEN_UNJUDGED,
             SLICE("its provider does not answer in time"));
}

/* ---- asking ---- */

static bool send(struct introspector *all, const struct token_question *q, struct slice listener)
{
    struct fetching f = {.number = q->number,
                         .kind = FETCHING_INTROSPECTION,
                         .listener = listener,
                         .url = q->provider->url,
                         .terms = q->provider->terms};
    struct buf header, form;
    bool sent;

    buf_init(&header, FETCHING_HEADER_MAX);
    buf_init(&form, OAUTH_FORM_MAX);
    (void)buf_reserve(&header, FETCHING_HEADER_MAX); /* so that they never move */
    (void)buf_reserve(&form, OAUTH_FORM_MAX);
    sent = introspection_write_header(&header, q->provider) &&
           introspection_write_form(&form, buf_slice(&q->token));
    f.header = buf_slice(&header);
    f.form = buf_slice(&form);
    sent = sent && all->options.send(all->options.ctx, &f);
    buf_wipe(&header);
    buf_wipe(&form);
    return sent;
}

bool introspector_knows(struct introspector *all, const struct introspection *provider,
                        struct slice token, struct slice *user)
{
    struct buf issuer;
    bool knows =
        token_cache_get(all->cache, issuer_of(provider, &issuer), token, now_ms(all), user);

    buf_done(&issuer);
    return knows;
}

void introspector_ask(struct introspector *all, struct token_question *q, struct slice listener,
                      const struct introspection *provider, struct slice token,
                      void (*done)(struct token_question *q, const struct token_judgement *j))
{
    bool crowded = all->count >= INTROSPECTOR_WAITING_MAX;

    *q = (struct token_question){
        .all = all, .number = ++all->numbers, .provider = provider, .done = done};
    buf_init(&q->token, TOKEN_MAX);
    (void)buf_reserve(&q->token, token.len);
    (void)buf_append(&q->token, token);
    timer_init(&q->patience, on_patience);
    timer_set(all->options.loop, &q->patience, INTROSPECTOR_PATIENCE_MS);
    list_append(&all->waiting, &q->link);
    all->count++;
    if (crowded)
        conclude(q, TOKEN_UNJUDGED, SLICE("its provider is being asked about too many tokens"));
    else if (!send(all, q, listener))
        conclude(q, TOKEN_UNJUDGED, SLICE("its provider cannot be asked now"));
}

/* ---- answers ---- */

static void keep(struct introspector *all, const struct token_question *q,
                 const struct introspection_answer *a)
{
    uint64_t for_ms = INTROSPECTOR_KEEP_MS;
    struct buf issuer;

    if (a->expires_s > 0 && a->expires_s - wall_s(all) < for_ms / 1000)
        for_ms = (a->expires_s - wall_s(all)) * 1000;
    token_cache_put(all->cache, issuer_of(q->provider, &issuer), buf_slice(&q->token), a->user,
                    now_ms(all) + for_ms);
    buf_done(&issuer);
}

static void judge(struct introspector *all, struct token_question *q,
                  const struct introspection_answer *a)
{
    switch (a->verdict) {
    case INTROSPECTION_ACTIVE:
        if (a->expires_s > 0 && a->expires_s <= wall_s(all)) {
            conclude(q, TOKEN_IS_BAD, SLICE(""));
            return;
        }
        keep(all, q, a);
        conclude(q, TOKEN_IS_GOOD, a->user);
        return;
    case INTROSPECTION_INACTIVE: conclude(q, TOKEN_IS_BAD, SLICE("")); return;
    case INTROSPECTION_ELSEWHERE:
        conclude(q, TOKEN_IS_BAD, SLICE("the token was not given for this server"));
        return;
    case INTROSPECTION_GARBAGE:
        conclude(q, TOKEN_UNJUDGED, SLICE("its provider's answer is not that of RFC 7662"));
        return;
    }
}

static void take_answer(struct introspector *all, struct token_question *q, const struct fetched *f)
{
    struct arena scratch = {0};

    if (f->status == 200)
        judge(all, q, &f->whose);
    else if (f->status == 401)
        conclude(q, TOKEN_UNJUDGED,
                 SLICE("its provider does not take our client name and secret: status 401"));
    else
        conclude(q, TOKEN_UNJUDGED,
                 f->status > 0
                     ? arena_printf(&scratch, "its provider answered with status %u", f->status)
                     : arena_printf(&scratch, "its provider cannot be asked: %.*s",
                                    SLICE_PRINTF(f->why)));
    arena_done(&scratch);
}

void introspector_answered(struct introspector *all, const struct fetched *f)
{
    LIST_EACH (node, &all->waiting) {
        struct token_question *q = LIST_ENTRY(node, struct token_question, link);

        if (q->number == f->number) {
            take_answer(all, q, f);
            return;
        }
    }
}

void introspector_courier_gone(struct introspector *all)
{
    struct list lost;

    list_init(&lost);
    list_splice(&lost, &all->waiting); /* one that is asked from now on waits for the next one */
    while (!list_empty(&lost))
        conclude(LIST_ENTRY(lost.next, struct token_question, link), TOKEN_UNJUDGED,
                 SLICE("its provider's answer is lost: the courier has just ended"));
}

struct introspector *introspector_new(const struct introspector_options *options)
{
    struct introspector *all = MEMORY_NEW(struct introspector);

    all->options = *options;
    all->cache = token_cache_new(options->seed);
    list_init(&all->waiting);
    return all;
}

void introspector_free(struct introspector *all)
{
    if (all == NULL)
        return;
    LIST_EACH (node, &all->waiting)
        token_question_cancel(LIST_ENTRY(node, struct token_question, link));
    token_cache_free(all->cache);
    memory_free(all);
}
