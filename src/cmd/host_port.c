/*
 * host_port.c - "127.0.0.1:25" and its like, as typed on a command line.
 */
#include "cmd/host_port.h"

#include "base/cursor.h"
#include "wire/address.h"

enum host_port host_port_parse(struct slice text, uint16_t default_port, struct net_address *out)
{
    struct net_address got = {.port = default_port};
    struct slice host = text;
    size_t colon = slice_rfind(text, ':');

    /* One colon, or one behind a bracket, separates the port; others are IPv6. */
    if (colon < text.len &&
        (slice_find(text, ':') == colon || (colon > 0 && text.data[colon - 1] == ']'))) {
        struct cursor c = {slice_skip(text, colon + 1)};
        uint64_t port;

        if (!take_number(&c, &port) || !cursor_at_end(&c) || port == 0 || port > UINT16_MAX)
            return HOST_PORT_NO_PORT;
        got.port = (uint16_t)port;
        host = slice_head(text, colon);
    }
    if (slice_starts(host, SLICE("[")) && slice_ends(host, SLICE("]")))
        host = slice_skip(slice_head(host, host.len - 1), 1);
    if (slice_equal_nocase(host, SLICE("localhost")))
        host = SLICE("127.0.0.1");
    if (ipv4_parse(host, got.ip + 12))
        got.ip[10] = got.ip[11] = 0xff;
    else if (!ipv6_parse(host, got.ip))
        return HOST_PORT_NO_ADDRESS;
    *out = got;
    return HOST_PORT_OK;
}
