/*
 * network.c - prefixes of addresses.
 */
#include "wire/network.h"

#include "base/cursor.h"
#include "wire/address.h"

#include <string.h>

enum { WIDEST_IPV4 = NETWORK_IPV4_BITS + 8, WIDEST_IPV6 = 7 };

static const unsigned char v4_mapped[12] = {[10] = 0xff, [11] = 0xff};

bool ip_is_ipv4(const unsigned char ip[16])
{
    return memcmp(ip, v4_mapped, sizeof(v4_mapped)) == 0;
}

bool ip_parse(struct slice text, unsigned char out[16])
{
    unsigned char ip[16];

    if (ipv4_parse(text, ip + sizeof(v4_mapped)))
        memcpy(ip, v4_mapped, sizeof(v4_mapped));
    else if (!ipv6_parse(text, ip))
        return false;
    memcpy(out, ip, sizeof(ip));
    return true;
}

/* The bits of byte i that belong to the prefix. */
static unsigned mask_of(unsigned i, unsigned bits)
{
    unsigned before = i * 8;

    if (bits >= before + 8)
        return 0xff;
    return bits <= before ? 0 : 0xff00u >> (bits - before) & 0xff;
}

struct network network_around(const unsigned char ip[16], unsigned bits)
{
    struct network n = {.bits = bits};

    for (unsigned i = 0; i < sizeof(n.ip); i++)
        n.ip[i] = ip[i] & (unsigned char)mask_of(i, bits);
    return n;
}

bool network_parse(struct slice text, struct network *out)
{
    struct slice address = text, length;
    bool has_length = slice_cut(text, '/', &address, &length);
    uint64_t bits = NETWORK_BITS_MAX;
    unsigned char ip[16];

    if (!ip_parse(address, ip))
        return false;
    if (has_length) {
        struct cursor c = {length};
        bool ipv4 = slice_find(address, ':') == address.len;

        if (!take_number(&c, &bits) || !cursor_at_end(&c) ||
            bits > (ipv4 ? NETWORK_BITS_MAX - NETWORK_IPV4_BITS : NETWORK_BITS_MAX))
            return false;
        bits += ipv4 ? NETWORK_IPV4_BITS : 0;
    }
    struct network n = network_around(ip, (unsigned)bits);
    if (memcmp(n.ip, ip, sizeof(ip)) != 0)
        return false;
    *out = n;
    return true;
}

bool network_has(const struct network *n, const unsigned char ip[16])
{
    struct network same = network_around(ip, n->bits);

    return memcmp(same.ip, n->ip, sizeof(n->ip)) == 0;
}

bool network_covers(const struct network *outer, const struct network *inner)
{
    return outer->bits <= inner->bits && network_has(outer, inner->ip);
}

bool network_is_world(const struct network *n)
{
    bool ipv4 = n->bits >= NETWORK_IPV4_BITS && ip_is_ipv4(n->ip);

    return n->bits < (ipv4 ? (unsigned)WIDEST_IPV4 : (unsigned)WIDEST_IPV6);
}
