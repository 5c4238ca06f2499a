/*
 * servers.h - the mail servers of others, each with its temper, and the DNS that leads to them.
 *
 * Like the clients they speak SMTP by themselves. What they took is compared at once with what was
 * sent, and counted in the ledger; a report is understood as far as it names its failed recipients.
 */
#ifndef SIM_SERVERS_H
#define SIM_SERVERS_H

#include "dns/resolver.h"
#include "fakes/net.h"
#include "sim/deliveries.h"
#include "sim/history.h"
#include "sim/ledger.h"

struct servers;

struct servers_options {
    struct fake_clock *clock;
    struct fake_network *network;
    struct random *chance;
    const struct history *history;
    struct ledger *ledger;
    const struct deliveries
        *deliveries; /* when something died: what comes twice then is explained */
    bool lossy;      /* the network loses connections by itself */
};

struct servers *servers_new(const struct servers_options *options);
void servers_free(struct servers *s);

/* Another mood for one of them, drawn by chance. */
void servers_change(struct servers *s);

/* From now on all of them behave. */
void servers_calm(struct servers *s);

/* DNS as one process sees it; freed by who asks. */
struct resolver *servers_resolver(struct servers *s, struct loop *loop);

/* As machine.h's. */
bool servers_step(struct servers *s);
bool servers_next_us(const struct servers *s, uint64_t *at_us);

/* Mail that came a second time: with and without a reason. What came torn, and to whom nobody
 * wrote.
 */
struct servers_count {
    unsigned explained, twice, torn, strangers;
};

struct servers_count servers_count(const struct servers *s);

#endif
