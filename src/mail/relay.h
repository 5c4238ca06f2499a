/*
 * relay.h - how mail leaves for other servers: what `relay NAME { ... }` says.
 *
 * config fills these structs and owns them as long as the settings live; rules point at them, the
 * courier asks them at every attempt. Who may relay is the rules' business alone.
 */
#ifndef MAIL_RELAY_H
#define MAIL_RELAY_H

#include "mail/oauth.h"
#include "mail/route.h"
#include "mail/schedule.h"

enum { RELAY_HOSTS_MAX = ROUTE_HOSTS_MAX, RELAY_SOURCES_MAX = 64 };

enum relay_tls {
    RELAY_TLS_OFF,
    RELAY_TLS_OPTIONAL, /* STARTTLS where it is offered; any certificate will do */
    RELAY_TLS_REQUIRED, /* no TLS, no mail */
    RELAY_TLS_VERIFIED, /* ... and a certificate that is trusted and has the host's name; on port
                           465 from the first byte */
    RELAY_TLS_IMPLICIT, /* from the first byte: RFC 8314; any certificate will do */
};

enum { RELAY_SUBMISSIONS_PORT = 465 };

/* An own address to connect from. */
struct relay_source {
    struct slice name;
    unsigned char ip[16]; /* IPv6 or v4-mapped */
    struct slice helo;    /* "": the relay's */
};

/* A password. It is wiped with the settings. */
struct relay_login {
    struct relay_login *next; /* of another relay */
    struct slice path;        /* of its file */
    struct buf secret;        /* "" where it is withheld: only the courier has it */
};

struct relay {
    struct slice name;                /* as the rules call it */
    const struct route_target *hosts; /* in the order to try; none: by MX */
    size_t host_count;
    const struct relay_source *sources; /* none: the system chooses the address */
    size_t source_count;
    struct slice helo; /* "": the hostname */
    enum route_family family;
    enum relay_tls tls;        /* default: optional; verified where there is a user */
    struct retry_plan retry;   /* default: retry_plan_default */
    struct slice user;         /* who we are there; "": nobody asks */
    struct relay_login *login; /* we prove it with a password; NULL: we do not */
    const struct oauth *oauth; /* we prove it with a token of his; NULL: we do not */
    bool report;               /* of failures to the sender; default: yes */
    bool srs;                  /* a sender of ours for what an alias leads here; default: yes */
    const struct relay *next;  /* of the same configuration */
    bool loopback;             /* see route_options.loopback_allowed; no word sets it yet */
    unsigned line;
};

/* Which of the relay's sources a message leaves from, the same at each attempt: greylisting servers
 * want to see the one that came before. */
unsigned relay_slot(const struct relay *relay, uint64_t id);

/* For a next hop of this family. NULL: the system chooses, as there is none. */
const struct relay_source *relay_source(const struct relay *relay, unsigned slot, bool v4);

/* Is it one of the slot's? */
bool relay_slot_has(const struct relay *relay, unsigned slot, struct slice name);

#endif
