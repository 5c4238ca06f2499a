/*
 * dns_answer.h - DNS questions, and answers read from messages.
 *
 * The resolver checks who sent a message and what its signatures are worth; what lies in the
 * records is read and checked here, every length of it. RFC 1035 4, RFC 2181, RFC 6698, RFC 7505.
 */
#ifndef WIRE_DNS_ANSWER_H
#define WIRE_DNS_ANSWER_H

#include "base/arena.h"

#include <stdint.h>

/* The values of the protocol. */
enum dns_type {
    DNS_A = 1,
    DNS_CNAME = 5, /* seen in answers, never asked for */
    DNS_PTR = 12,
    DNS_MX = 15,
    DNS_TXT = 16,
    DNS_AAAA = 28,
    DNS_TLSA = 52,
};

enum dns_limits {
    DNS_NAME_MAX = 253,
    DNS_ALIASES_MAX = 10,
    DNS_RECORDS_MAX = 256, /* kept of one answer; more are dropped and noted */
};

/* Where answers come from: `resolver system|ADDR|recursive`. */
enum dns_source {
    DNS_FROM_SYSTEM,    /* the name servers of /etc/resolv.conf; the root, if there is none */
    DNS_FROM_FORWARDER, /* one name server */
    DNS_FROM_ROOT,
};

/* Name: printable ASCII in lower case, labels of 1 to 63 bytes, no dot at the end. */
struct dns_question {
    enum dns_type type;
    struct slice name;
};

/* False when no such name can exist. The copy lives in the arena; a dot at the end is dropped. */
bool dns_question_make(enum dns_type type, struct slice name, struct arena *arena,
                       struct dns_question *out);

/* The name to ask for PTR records of an address (IPv6 or v4-mapped). */
struct slice dns_reverse_name(const unsigned char ip[16], struct arena *arena);

enum dns_outcome {
    DNS_FOUND,    /* there are records of this type; if none is usable, count is 0 */
    DNS_NODATA,   /* the name exists, such records do not */
    DNS_NXDOMAIN, /* the name does not exist */
    DNS_FAILED,   /* no answer, or one that says nothing: temporary */
    DNS_BOGUS,    /* signatures are missing or wrong: as good as no answer, and suspect */
};

/* One record; what is set depends on the type. */
struct dns_record {
    uint16_t preference;  /* MX */
    unsigned char ip[16]; /* A (v4-mapped), AAAA */
    uint8_t usage;        /* TLSA ... */
    uint8_t selector;
    uint8_t matching;
    struct slice data; /* MX, PTR: a host name in lower case, "" for the root; TXT: its strings
                          joined; TLSA: the association data */
};

struct dns_answer {
    enum dns_outcome outcome;
    bool secure;            /* proved by DNSSEC, aliases and denials included */
    bool cut;               /* there were more records than DNS_RECORDS_MAX */
    uint32_t ttl_s;         /* the smallest of all records used; 0 where nothing was found */
    struct slice canonical; /* where the aliases ended; the name asked for when there were none */
    const struct dns_record *records; /* no two alike */
    size_t count;
    size_t unusable;  /* records left out: wrong length, or a host name that cannot be one */
    struct slice why; /* DNS_FAILED, DNS_BOGUS: for people, printable */
};

/* Reads a whole message that answers the question. `secure` is left false: the caller knows. A
 * message that cannot be read is DNS_FAILED. All slices lie in the arena. */
struct dns_answer dns_answer_read(struct slice message, const struct dns_question *question,
                                  struct arena *arena);

struct dns_answer dns_answer_failed(const struct dns_question *question, struct slice why);

/* A deep copy into another arena. */
struct dns_answer dns_answer_copy(struct arena *arena, const struct dns_answer *a);

/* May it be the name of a host: letters, digits, hyphens and (they exist) underscores, and not an
 * address written as a name. */
bool dns_host_is_valid(struct slice name);

#endif
