/*
 * network.h - a network of addresses as people write it: 192.0.2.0/24, 2001:db8::/32 (RFC 4632 3.1,
 * RFC 4291 2.3), or one address alone.
 *
 * Addresses are IPv6, or v4-mapped ::ffff:a.b.c.d, so that one comparison serves both families:
 * 192.0.2.0/24 is a prefix of 120 bits.
 */
#ifndef WIRE_NETWORK_H
#define WIRE_NETWORK_H

#include "base/slice.h"

enum { NETWORK_BITS_MAX = 128, NETWORK_IPV4_BITS = 96 /* of the prefix that all of IPv4 has */ };

struct network {
    unsigned char ip[16]; /* 0 behind the prefix */
    unsigned bits;        /* of the prefix: 0 to 128 */
};

/* "192.0.2.1", "2001:db8::1": 16 bytes. */
bool ip_parse(struct slice text, unsigned char out[16]);
bool ip_is_ipv4(const unsigned char ip[16]);

/* False, too, when there are bits behind the prefix: 192.0.2.1/24 may mean either. */
bool network_parse(struct slice text, struct network *out);

/* The network of so many bits around an address: cuts the rest off. */
struct network network_around(const unsigned char ip[16], unsigned bits);

bool network_has(const struct network *n, const unsigned char ip[16]);

/* Everything in `inner` is in `outer`. */
bool network_covers(const struct network *outer, const struct network *inner);

/* Nobody owns as much: wider than 10.0.0.0/8 and fc00::/7, it is a part of the Internet itself. */
bool network_is_world(const struct network *n);

#endif
