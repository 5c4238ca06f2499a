/*
 * route.h - where a recipient's mail goes next: next hops in the order to try them.
 *
 * Pure, ask and rerun over wire/facts: ROUTE_UNKNOWN means that questions are wanted now; answer
 * them and call again with the same arguments, chance included. RFC 5321 5.1, RFC 7505.
 *
 * The result also tells every alternative and what became of it, for the attempt's event, for
 * `probe` and for a person who asks why.
 */
#ifndef MAIL_ROUTE_H
#define MAIL_ROUTE_H

#include "wire/address.h"
#include "wire/facts.h"
#include "wire/smtp_reply.h"

enum route_limits {
    ROUTE_HOSTS_MAX = 20, /* whose addresses are asked for */
    ROUTE_HOPS_MAX = 100,
    ROUTE_HOST_HOPS_MAX = 16, /* one host cannot push the others out */
    ROUTE_TOLD_MAX = 256,     /* alternatives told */
};

enum route_family {
    FAMILY_BOTH, /* in turns, beginning with IPv6: the first two attempts differ */
    FAMILY_IPV4_FIRST,
    FAMILY_IPV6_FIRST,
    FAMILY_IPV4_ONLY,
    FAMILY_IPV6_ONLY,
};

struct route_ip {
    unsigned char ip[16]; /* IPv6, or v4-mapped */
};

struct route_options {
    const struct slice *own_names; /* ASCII, lower case */
    size_t own_name_count;
    const struct route_ip *own_ips;
    size_t own_ip_count;
    enum route_family family;
    /* Mail for the world found at an address of this machine's loopback comes back to us; only a
     * demonstration or a test, with both servers on one machine, wants it so. */
    bool loopback_allowed;
    uint16_t port; /* of servers found by MX: 25 */
    uint64_t chance;
};

enum route_fate {
    HOST_USED,        /* its addresses are among the hops */
    HOST_LAST_RESORT, /* the same; being an alias (RFC 5321 5.1), behind all others */
    HOST_IGNORED,     /* "." among others (RFC 7505 3), an alias that nobody needs */
    HOST_OWN,         /* it is us: here the list is cut */
    HOST_BEHIND_OWN,  /* as far from the destination as we are, or farther */
    HOST_NO_ADDRESS,  /* there is no such host, or none in a family we may use */
    HOST_FAILED,      /* its addresses cannot be had now */
    HOST_LOOPBACK,    /* only addresses that lead back to this machine */
    HOST_TOO_MANY,    /* more than ROUTE_HOSTS_MAX */
};

struct route_host {
    struct slice name; /* ASCII; a literal or a path where there is no name */
    uint16_t preference;
    enum route_fate fate;
    bool secure;      /* its addresses are proved by DNSSEC */
    struct slice why; /* HOST_FAILED: for people */
};

struct route_hop {
    const struct route_host *host;
    unsigned char ip[16]; /* IPv6 or v4-mapped; all zero with a path */
    uint16_t port;
    struct slice path; /* of a unix socket; "": an IP */
    bool secure;       /* the address is proved */
};

enum route_outcome {
    ROUTE_FOUND,
    ROUTE_UNKNOWN,   /* questions are wanted */
    ROUTE_TEMPORARY, /* refusal says why, 4yz */
    ROUTE_PERMANENT, /* refusal says why, 5yz */
};

struct route {
    struct route_host *hosts; /* every alternative, by preference */
    size_t host_count;
    struct route_hop *hops; /* ROUTE_FOUND: at least one */
    size_t hop_count;
    struct slice domain; /* what was looked up, ASCII; where its aliases ended in `canonical` */
    struct slice canonical;
    bool by_mx;     /* false: the domain's own address, a literal, or a relay's host list */
    bool mx_secure; /* the MX records (or their absence) are proved */
    struct reply refusal;
};

/* Direct delivery for a recipient's domain or literal (ADDRESS_MAILBOX, ADDRESS_LITERAL). All of
 * *out lies in the arena or in the facts'. */
enum route_outcome route_direct(struct facts *facts, const struct address *rcpt,
                                const struct route_options *options, struct arena *arena,
                                struct route *out);

/* For one more connection over the same route: among hosts of equal preference another one may be
 * the first, so that they share the mail (RFC 5321 5.1). */
void route_turn(struct route *route, uint64_t chance);

/* A server that the configuration names: `host NAME:PORT` of a relay, `deliver lmtp ADDR`. Its
 * name is looked up as a host, never by MX. */
enum route_target_kind { TARGET_NAME, TARGET_IP, TARGET_PATH };

struct route_target {
    enum route_target_kind kind;
    struct slice name; /* TARGET_NAME; TARGET_PATH: the path; TARGET_IP: its text */
    unsigned char ip[16];
    uint16_t port;
};

/* "smtp.example.net:587", "192.0.2.1:25", "[2001:db8::1]:25", "unix:/run/x" or "/run/x". Without a
 * port default_port is meant; 0: then it is an error. Slices in the arena. */
bool route_target_parse(struct slice text, uint16_t default_port, struct arena *arena,
                        struct route_target *out);

/* Is it on this machine, whatever DNS says? */
bool route_target_is_here(const struct route_target *t);

/* In the given order, the addresses of each shuffled. Loopback is fine here. */
enum route_outcome route_targets(struct facts *facts, const struct route_target *targets,
                                 size_t count, const struct route_options *options,
                                 struct arena *arena, struct route *out);

/* Are its addresses among the hops? */
bool route_host_is_used(const struct route_host *host);

/* "used", "own name", ...: for logs and people. */
struct slice route_fate_text(enum route_fate fate);

/* Every host that was considered, by preference, as one word of a log line:
 * "10:mx1.example.net/20:mx2.example.net(no-address)". Cut at the end of a host when there are too
 * many. "" where there was nothing to choose: one host, which is used. */
struct slice route_alternatives(const struct route *route, char *out, size_t size);

#endif
