/*
 * facts.h - DNS answers known so far, and questions wanted: ask and rerun.
 *
 * Straight-line code asks for what it needs as if everything were known. What is not is noted as
 * wanted, and the code returns its own UNKNOWN; who runs it fetches all that is wanted at once
 * (dns/lookup), and calls it again from the start. The facts do not change in between, so the
 * second run comes to the same place and further.
 *
 * One table serves one undertaking (a route, a sender's check) and lives in its arena. It is
 * bounded: a hostile zone that leads from name to name ends in FACT_FAILED, a temporary failure.
 */
#ifndef WIRE_FACTS_H
#define WIRE_FACTS_H

#include "wire/dns_answer.h"

enum facts_limits {
    FACTS_MAX = 128,               /* questions */
    FACTS_BYTES_MAX = 1024 * 1024, /* kept of answers */
};

enum fact {
    FACT_FOUND,
    FACT_NONE,     /* the name exists, such records do not */
    FACT_NXDOMAIN, /* also for what cannot be a name */
    FACT_FAILED,   /* no answer: temporary */
    FACT_BOGUS,    /* temporary too; DNSSEC says that somebody lies */
    FACT_UNKNOWN,  /* now wanted: fetch it, call again */
};

struct facts_entry;

struct facts {
    struct arena *arena; /* borrowed */
    struct facts_entry *entries;
    size_t count;
    size_t wanted; /* entries not yet answered */
    size_t bytes;
};

void facts_init(struct facts *f, struct arena *arena);

/* *out is set except with FACT_UNKNOWN and lives as long as the arena. Names are ASCII
 * (domain_to_ascii()), in any case, with or without a dot at the end. */
enum fact facts_ask(struct facts *f, enum dns_type type, struct slice name,
                    const struct dns_answer **out);

/* Walks what is wanted: start with *at = 0; false at the end. */
bool facts_next_wanted(const struct facts *f, size_t *at, struct dns_question *out);

/* The answer to a question, copied; the first one stays. For a question nobody asked too: then it
 * is known before it is wanted. */
void facts_learn(struct facts *f, const struct dns_question *question,
                 const struct dns_answer *answer);

#endif
