/*
 * allowance.h - how much of this server somebody may have: what `limit from ... { ... }` says.
 *
 * Who has not logged in is known by his address: in IPv6 by its /64, which one customer has. The
 * network around it, in which one provider's customers are, has a limit of its own: /24, /56.
 * Who has logged in is known by his account, wherever he comes from.
 *
 * config fills these structs and owns them as long as the settings live. The first one that matches
 * holds; where none does there are usual ones, so that neither one address nor a stolen password
 * takes all (RFC 6409 4.3 leaves such limits to the site). A loopback address has none, unless its
 * network is named.
 */
#ifndef MAIL_ALLOWANCE_H
#define MAIL_ALLOWANCE_H

#include "mail/schedule.h"
#include "wire/network.h"

enum allowance_of {
    ALLOWANCE_OF_ANY,     /* strangers, all of them */
    ALLOWANCE_OF_NETWORK, /* those from there */
    ALLOWANCE_OF_AUTHENTICATED,
    ALLOWANCE_OF_USER,     /* this account only */
    ALLOWANCE_OF_LOOPBACK, /* programs of this machine: never written, holds where no network is */
};

/* A count of 0 everywhere: as many as they like. */
struct allowance {
    enum allowance_of of;
    struct slice user;
    struct network network;
    unsigned connections; /* at a time, of an address or an account */
    struct rate rate;     /* of connections; of an account's logins */
    unsigned network_connections;
    struct rate network_rate;
    struct rate recipients, messages; /* of an address or an account */
    unsigned errors;                  /* wrong commands in one session */
};

enum {
    ALLOWANCE_IPV4_BITS = 128, /* what is one address, and what is its network: of v4-mapped ones */
    ALLOWANCE_IPV4_NETWORK_BITS = 120,
    ALLOWANCE_IPV6_BITS = 64,
    ALLOWANCE_IPV6_NETWORK_BITS = 56,
};

/* What those have for whom no limit was written. */
extern const struct allowance allowance_usual_stranger; /* 50 connections, 600/m; 200, 2400/m */
extern const struct allowance allowance_usual_account; /* 100 connections, 500 recipients an hour */

/* What a user has at `listen local`, all his programs together: 100 connections. Who is not let in
 * leaves his mail in the drop folder. */
extern const struct allowance allowance_usual_program;

/* Of an account, by the name that it logged in by. Never NULL. */
const struct allowance *allowance_for(const struct allowance *list, size_t count,
                                      struct slice user);

/* Of who has not logged in. Never NULL. */
const struct allowance *allowance_for_client(const struct allowance *list, size_t count,
                                             const unsigned char ip[16]);

struct network allowance_address(const unsigned char ip[16]);
struct network allowance_network(const unsigned char ip[16]);

#endif
