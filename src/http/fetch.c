/*
 * fetch.c - what is the same for everybody behind the door: what may be asked for, and where.
 *
 * A URL may come from somebody else (a domain's policy), and then must not lead into our own
 * network: what answers there trusts its neighbours. The address is looked at, not the name, and it
 * is the very address that will be connected to.
 */
#include "http/fetch.h"

#include <assert.h>
#include <string.h>

enum { HOST_MAX = 253 };

struct network {
    unsigned char prefix[16];
    unsigned bits;
};

#define V4(a, b, c, d)                                                                             \
    {                                                                                              \
        [10] = 0xff, 0xff, (a), (b), (c), (d)                                                      \
    }

/* The registries of RFC 6890 as far as they are not global, and multicast. */
static const struct network not_global[] = {
    {V4(0,   0,     0, 0), 96 + 8},
    {V4(10,    0,   0, 0), 96 + 8},
    {V4(100,  64,   0, 0), 96 + 10},
    {V4(127,    0,   0, 0), 96 + 8},
    {V4(169, 254,   0, 0), 96 + 16},
    {V4(172,    16,  0, 0), 96 + 12},
    {V4(192, 0,  0, 0), 96 + 24},
    {V4(192,    0,   2, 0), 96 + 24},
    {V4(192, 168,   0, 0), 96 + 16},
    {V4(198,    18,  0, 0), 96 + 15},
    {V4(198, 51, 100, 0), 96 + 24},
    {V4(203,    0,  113, 0), 96 + 24},
    {V4(224, 0,     0, 0), 96 + 3},
    {{0},    80 }, /* unspecified, loopback, IPv4 in forms nobody uses */
    {{0x00, 0x64, 0xff, 0x9b, 0x00, 0x01}, 48 }, /* NAT64 of one's own network: RFC 8215 */
    {{0x01},    64 }, /* discard */
    {{0x20, 0x01}, 23  }, /* Teredo, benchmarks, ORCHID */
    {{0x20, 0x01, 0x0d, 0xb8},    32 },
    {{0x20, 0x02}, 16}, /* 6to4: leads to an IPv4 address */
    {{0xfc},    7 },
    {{0xfe, 0x80}, 10   },
    {{0xfe, 0xc0},    10 },
    {{0xff}, 8 },
};

static const struct network v4_mapped = {V4(0, 0, 0, 0), 96};
static const struct network nat64 = {
    {0x00, 0x64, 0xff, 0x9b},
    96
};

static bool network_has(const struct network *n, const unsigned char ip[16])
{
    unsigned whole = n->bits / 8, rest = n->bits % 8;

    if (memcmp(n->prefix, ip, whole) != 0)
        return false;
    return rest == 0 || (n->prefix[whole] ^ ip[whole]) >> (8 - rest) == 0;
}

bool fetch_address_is_private(const unsigned char ip[16])
{
    unsigned char meant[16];

    memcpy(meant, ip, sizeof(meant));
    if (network_has(&nat64, ip)) /* RFC 6052: the last four bytes are where it goes */
        memcpy(meant, v4_mapped.prefix, 12);
    for (size_t i = 0; i < sizeof(not_global) / sizeof(*not_global); i++)
        if (network_has(&not_global[i], meant) &&
            !(not_global[i].bits == 80 && network_has(&v4_mapped, meant)))
            return true;
    return false;
}

static bool is_host(struct slice s)
{
    for (size_t i = 0; i < s.len; i++)
        if (!((byte_lower(s.data[i]) >= 'a' && byte_lower(s.data[i]) <= 'z') ||
              (s.data[i] >= '0' && s.data[i] <= '9') || s.data[i] == '-' || s.data[i] == '.'))
            return false;
    return s.len > 0 && s.len <= HOST_MAX && s.data[0] != '.' && s.data[s.len - 1] != '.';
}

static bool is_visible(struct slice s)
{
    for (size_t i = 0; i < s.len; i++)
        if (s.data[i] <= ' ' || s.data[i] > '~')
            return false;
    return true;
}

/* One line each: a second one would be a header, or a request, that nobody meant. */
static bool headers_are_lines(const struct fetch_request *r)
{
    for (size_t i = 0; i < r->header_count; i++)
        for (size_t at = 0; at < r->headers[i].len; at++)
            if (r->headers[i].data[at] < ' ' || r->headers[i].data[at] > '~')
                return false;
    return true;
}

struct slice fetch_fault(const struct fetch_request *r)
{
    if (!is_host(r->host) || r->port == 0 || r->path.len == 0 || r->path.len > FETCH_PATH_MAX ||
        r->path.data[0] != '/' || !is_visible(r->path) || !headers_are_lines(r))
        return SLICE("malformed request");
    if (r->address_count == 0)
        return SLICE("the host has no address");
    for (size_t i = 0; i < r->address_count && !r->private_allowed; i++)
        if (fetch_address_is_private(r->addresses[i].ip))
            return SLICE("the host is in a private network");
    return SLICE("");
}

void fetch_start(struct fetcher *f, struct fetch_request *r)
{
    assert(r->running == NULL && r->done != NULL);
    r->answer = NULL;
    f->start(f, r);
}

void fetch_cancel(struct fetcher *f, struct fetch_request *r)
{
    if (r->running != NULL)
        f->cancel(f, r);
}

void fetcher_free(struct fetcher *f)
{
    if (f != NULL)
        f->free(f);
}
