/*
 * client.h - the rest of the world: SMTP clients, polite and rude.
 *
 * They speak SMTP by themselves, without the product's own engine, so that a mistake in that
 * cannot hide itself. Each one has a plan drawn from the seed: how many messages, pipelined or
 * not, whole or in drips, hanging up or falling silent at any byte.
 */
#ifndef SIM_CLIENT_H
#define SIM_CLIENT_H

#include "fakes/net.h"
#include "sim/attempts.h"
#include "sim/history.h"
#include "sim/ledger.h"

struct internet;

struct internet_options {
    struct fake_clock *clock;
    struct fake_network *network;
    struct random *chance;
    const struct history *history;
    struct ledger *ledger;
    struct attempts *attempts;
    struct net_address server, submission;
    const char *local;                        /* the socket of programs of the same machine */
    void (*leave)(void *ctx, struct sent *s); /* nobody took it there */
    void *ctx;
};

struct internet *internet_new(const struct internet_options *options);
void internet_free(struct internet *n); /* whoever is still there goes */

/* One more client connects. polite: it does everything right and to the end. */
void internet_add_client(struct internet *n, bool polite);

unsigned internet_clients(const struct internet *n);

/* As machine.h's. */
bool internet_step(struct internet *n);
bool internet_next_us(const struct internet *n, uint64_t *at_us);

/* A promise of SMTP that the server broke; NULL: none. */
const char *internet_complaint(const struct internet *n);

#endif
