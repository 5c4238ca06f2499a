/*
 * servers.h - the mail servers of others, each with its temper, and the DNS that leads to them.
 *
 * Like the clients they speak SMTP by themselves. What they took goes to sim/intake.
 */
#ifndef SIM_SERVERS_H
#define SIM_SERVERS_H

#include "dns/resolver.h"
#include "fakes/net.h"
#include "sim/intake.h"

struct servers;

struct servers_options {
    struct fake_clock *clock;
    struct fake_network *network;
    struct random *chance;
    const struct history *history;
    struct intake *intake;
    struct net_address machine; /* where mail of a loop comes back to */
};

struct servers *servers_new(const struct servers_options *options);
void servers_free(struct servers *s);

/* Another mood for one of them, drawn by chance. */
void servers_change(struct servers *s);

/* A courier dies: what it was told so far it may have acted upon just now. */
void servers_visitor_died(struct servers *s);

/* From now on all of them behave. */
void servers_calm(struct servers *s);

/* DNS as one process sees it; freed by who asks. */
struct resolver *servers_resolver(struct servers *s, struct loop *loop);

/* In the end; NULL: all is well. */
const char *servers_complaint(const struct servers *s);

/* As machine.h's. */
bool servers_step(struct servers *s);
bool servers_next_us(const struct servers *s, uint64_t *at_us);

#endif
