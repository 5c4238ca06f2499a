/*
 * dnsbl.h - lists of bad clients, which are asked by DNS (RFC 5782).
 *
 * 192.0.2.1 is on the list "zone" if 1.2.0.192.zone has an address in 127.0.0.0/8; a TXT record
 * there says why. 127.255.255.x and addresses of elsewhere are no listing: so a list tells that it
 * answers nobody who asks as we do (a public resolver, too many questions), or its domain has new
 * owners.
 */
#ifndef MAIL_DNSBL_H
#define MAIL_DNSBL_H

#include "wire/facts.h"
#include "wire/smtp_reply.h"

enum { DNSBL_ZONES_MAX = 16, DNSBL_TEXT_MAX = 200 };

struct dnsbl_zone {
    struct dnsbl_zone *next; /* in the order of the file */
    struct slice name;
};

enum dnsbl_finding {
    DNSBL_UNKNOWN, /* facts want something: fetch it, call again */
    DNSBL_LISTED,
    DNSBL_NOT_LISTED,
};

struct dnsbl_result {
    struct slice zone;    /* LISTED: the first that lists it, */
    struct slice text;    /* and why; hostile, perhaps "" */
    struct slice trouble; /* not LISTED: "" or which one did not say, and why, for people */
};

/* All zones are asked at once. *out is set but for DNSBL_UNKNOWN; texts lie in the arena. Pure. */
enum dnsbl_finding dnsbl_find(const struct dnsbl_zone *zones, const unsigned char ip[16],
                              struct facts *facts, struct arena *arena, struct dnsbl_result *out);

/* What the client is told then, by the words of Postfix. Text in the arena. */
struct reply dnsbl_refusal(const struct dnsbl_result *r, struct slice client, struct arena *arena);

#endif
