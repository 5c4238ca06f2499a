/*
 * dns.h - a resolver that answers from a table, on the loop's clock, with delays and faults that
 * come from the seed.
 *
 * What the table does not name does not exist; a name it has under another type has no data.
 */
#ifndef FAKES_DNS_H
#define FAKES_DNS_H

#include "base/random.h"
#include "dns/resolver.h"

struct fake_dns_options {
    uint32_t delay_max_ms;       /* of each answer */
    uint32_t faults_per_million; /* chance of each question to fail, or never to be answered until
                                    the deadline */
    const bool *calm;            /* once true, nothing fails by itself; NULL: never */
    uint64_t deadline_ms;        /* 0: RESOLVER_DEADLINE_MS */
};

struct fake_dns;

struct fake_dns *fake_dns_new(struct loop *loop, struct random *random,
                              const struct fake_dns_options *options);

/* resolver_free() frees the fake. */
struct resolver *fake_dns_resolver(struct fake_dns *f);

/* One more record. Names are canonical and copied. */
void fake_dns_mx(struct fake_dns *f, struct slice name, uint16_t preference, struct slice host);
void fake_dns_address(struct fake_dns *f, struct slice name, const unsigned char ip[16]);
void fake_dns_txt(struct fake_dns *f, struct slice name, struct slice text);
void fake_dns_record(struct fake_dns *f, enum dns_type type, struct slice name,
                     const struct dns_record *record);
void fake_dns_alias(struct fake_dns *f, struct slice name, struct slice target);

/* From now on this question fails (DNS_FAILED, DNS_BOGUS) or, with DNS_FOUND, works again. */
void fake_dns_outcome(struct fake_dns *f, enum dns_type type, struct slice name,
                      enum dns_outcome outcome);

/* All names below this one, and itself, are signed. */
void fake_dns_secure(struct fake_dns *f, struct slice zone);

/* How many questions were asked. */
unsigned fake_dns_asked(const struct fake_dns *f);

#endif
