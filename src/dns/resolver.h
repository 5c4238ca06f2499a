/*
 * resolver.h - the door to DNS.
 *
 * Real: libunbound on our loop, which validates DNSSEC itself (unbound.c). Fake: tests/fakes/dns.c,
 * a table with delays and faults. One thread, one loop, no callback from inside a call of ours.
 */
#ifndef DNS_RESOLVER_H
#define DNS_RESOLVER_H

#include "loop/loop.h"
#include "wire/dns_answer.h"

/* Embedded in who waits; must stay until done() or resolver_cancel(). All zero but for what the
 * owner sets: `done`, and the question before each asking. */
struct resolver_request {
    /* Once for each asking, from the loop. May ask again, cancel others and free the owner. */
    void (*done)(struct resolver_request *r);
    struct dns_question question;    /* as dns_question_make() gives it; borrowed while it runs */
    const struct dns_answer *answer; /* inside of done() only */
    void *running;                   /* the resolver's; NULL: not asked */
};

struct resolver {
    void (*ask)(struct resolver *resolver, struct resolver_request *r);
    void (*cancel)(struct resolver *resolver, struct resolver_request *r);
    void (*free)(struct resolver *resolver);
};

/* An answer comes in any case, the deadline's DNS_FAILED at last. */
void resolver_ask(struct resolver *resolver, struct resolver_request *r);

/* No done() follows. Harmless when the request does not run. */
void resolver_cancel(struct resolver *resolver, struct resolver_request *r);

/* Requests that run are forgotten: no done() follows. Not from inside of done(). NULL is fine. */
void resolver_free(struct resolver *resolver);

enum { RESOLVER_DEADLINE_MS = 30 * 1000 };

struct resolver_setting {
    const char *name;  /* "do-not-query-localhost:", of unbound.conf(5) */
    const char *value; /* "no" */
};

/* All zero: the usual. */
struct resolver_options {
    enum dns_source source;
    struct slice forwarder; /* "192.0.2.53" or "2001:db8::53@5300" */
    /* What DNSSEC is trusted from; NULL: the root's key as Debian has it. */
    const char *anchor_path;
    uint64_t deadline_ms; /* 0: RESOLVER_DEADLINE_MS */
    /* For networks of their own (tests, namespaces): what else libunbound shall know. */
    const struct resolver_setting *settings;
    size_t setting_count;
};

/* NULL: told through fail what cannot be read or is wrong. Files are read here, none later. */
struct resolver *resolver_new(struct loop *loop, const struct resolver_options *options);

#endif
