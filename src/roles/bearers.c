/*
 * bearers.c - wishes on their way.
 */
#include "roles/bearers.h"

enum { PATIENCE_MS = 60 * 1000 };

void bearers_init(struct bearers *all, struct loop *loop,
                  bool (*send)(void *ctx, const struct token_wish *wish), void *ctx)
{
    *all = (struct bearers){.loop = loop, .send = send, .ctx = ctx};
    list_init(&all->waiting);
}

void bearer_cancel(struct bearer *b)
{
    if (b->all == NULL)
        return;
    timer_cancel(b->all->loop, &b->patience);
    list_remove(&b->link);
    b->all = NULL;
}

void bearers_done(struct bearers *all)
{
    LIST_EACH (node, &all->waiting)
        bearer_cancel(LIST_ENTRY(node, struct bearer, link));
}

static void conclude(struct bearer *b, const struct token_answer *answer)
{
    bearer_cancel(b);
    b->done(b, answer);
}

static void on_patience(struct timer *t)
{
    static const struct token_answer late = {
        .result = TOKEN_LATER,
        .text = SLICE_INIT("no token came in time: the vault does not answer")};

    conclude(LIST_ENTRY(t, struct bearer, patience), &late);
}

void bearers_wish(struct bearers *all, struct bearer *b, const struct relay *relay,
                  uint64_t refused,
                  void (*done)(struct bearer *b, const struct token_answer *answer))
{
    *b = (struct bearer){
        .all = all,
        .wish = {.number = ++all->numbers,
                 .relay = relay->name,
                 .provider = relay->oauth->token,
                 .client = relay->oauth->client,
                 .user = relay->user,
                 .refused = refused},
        .done = done
    };
    timer_init(&b->patience, on_patience);
    timer_set(all->loop, &b->patience, PATIENCE_MS);
    list_append(&all->waiting, &b->link);
    (void)all->send(all->ctx, &b->wish); /* else when the vault is back, or not at all */
}

void bearers_answered(struct bearers *all, const struct token_answer *answer)
{
    LIST_EACH (node, &all->waiting) {
        struct bearer *b = LIST_ENTRY(node, struct bearer, link);

        if (b->wish.number == answer->number) {
            conclude(b, answer);
            return;
        }
    }
}

void bearers_vault_is_back(struct bearers *all)
{
    LIST_EACH (node, &all->waiting)
        (void)all->send(all->ctx, &LIST_ENTRY(node, struct bearer, link)->wish);
}
