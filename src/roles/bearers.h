/*
 * bearers.h - the courier's side of tokens: who needs one waits here until the vault has answered.
 *
 * A vault that dies meanwhile is asked again when it is back; nobody waits longer than a mail
 * server would.
 */
#ifndef ROLES_BEARERS_H
#define ROLES_BEARERS_H

#include "base/list.h"
#include "loop/loop.h"
#include "mail/relay.h"
#include "roles/token.h"

/* Embedded in who needs a token. */
struct bearer {
    struct list link;
    struct bearers *all; /* NULL: it waits for nothing */
    struct token_wish wish;
    struct timer patience;
    /* With the answer, from inside bearers_wish() or later. May wish again, or free what embeds it.
     */
    void (*done)(struct bearer *b, const struct token_answer *answer);
};

struct bearers {
    struct loop *loop;
    /* False: the vault cannot be told now. */
    bool (*send)(void *ctx, const struct token_wish *wish);
    void *ctx;
    struct list waiting;
    uint64_t numbers;
};

void bearers_init(struct bearers *all, struct loop *loop,
                  bool (*send)(void *ctx, const struct token_wish *wish), void *ctx);
void bearers_done(struct bearers *all); /* whoever waits hears nothing more */

/* `b` does not wait; the relay has tokens, and is borrowed until it is answered. */
void bearers_wish(struct bearers *all, struct bearer *b, const struct relay *relay,
                  uint64_t refused,
                  void (*done)(struct bearer *b, const struct token_answer *answer));
void bearer_cancel(struct bearer *b); /* harmless when it does not wait, or was never used */

void bearers_answered(struct bearers *all, const struct token_answer *answer);

/* There is a vault, perhaps another one. */
void bearers_vault_is_back(struct bearers *all);

#endif
