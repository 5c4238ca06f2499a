/*
 * route_target.c - how a configuration names a server.
 *
 * An IPv6 address needs brackets, since its colons would be taken for a port's. A name is kept as
 * A-labels, ready to be asked for.
 */
#include "mail/route.h"

#include <string.h>

static const unsigned char mapped_prefix[12] = {[10] = 0xff, [11] = 0xff};

static bool take_port(struct cursor *c, uint16_t *out)
{
    uint64_t port;

    if (!take_char(c, ':') || !take_number(c, &port) || port == 0 || port > UINT16_MAX)
        return false;
    *out = (uint16_t)port;
    return true;
}

static bool parse_path(struct slice text, struct arena *arena, struct route_target *out)
{
    if (slice_starts(text, SLICE("unix:")))
        text = slice_skip(text, 5);
    /* sun_path of unix(7), with its NUL. */
    if (text.len < 2 || text.len > 107 || text.data[0] != '/' || slice_find(text, 0) != text.len)
        return false;
    *out = (struct route_target){.kind = TARGET_PATH, .name = arena_copy(arena, text)};
    return true;
}

static bool parse_name(struct slice host, struct arena *arena, struct route_target *out)
{
    struct slice name;

    if (ipv4_parse(host, out->ip + 12)) {
        memcpy(out->ip, mapped_prefix, sizeof(mapped_prefix));
        out->kind = TARGET_IP;
        out->name = arena_copy(arena, host);
        return true;
    }
    out->kind = TARGET_NAME;
    return domain_parse(host, arena, &name) && domain_to_ascii(name, arena, &out->name) &&
           dns_host_is_valid(out->name);
}

bool route_target_parse(struct slice text, uint16_t default_port, struct arena *arena,
                        struct route_target *out)
{
    struct cursor c = {text};
    struct route_target got = {.port = default_port};
    struct slice host;

    if (slice_starts(text, SLICE("/")) || slice_starts(text, SLICE("unix:")))
        return parse_path(text, arena, out);
    if (take_char(&c, '[')) {
        if (!take_until(&c, ']', &host) || !take_char(&c, ']') || !ipv6_parse(host, got.ip))
            return false;
        got.kind = TARGET_IP;
        got.name = arena_copy(arena, host);
    } else {
        if (!take_until(&c, ':', &host)) {
            host = c.rest;
            c.rest.len = 0;
        }
        if (!parse_name(host, arena, &got))
            return false;
    }
    if (!cursor_at_end(&c) && !take_port(&c, &got.port))
        return false;
    if (!cursor_at_end(&c) || got.port == 0)
        return false;
    *out = got;
    return true;
}

bool route_target_is_here(const struct route_target *t)
{
    static const unsigned char one[16] = {[15] = 1};

    switch (t->kind) {
    case TARGET_PATH: return true;
    case TARGET_NAME: return slice_equal_nocase(t->name, SLICE("localhost"));
    case TARGET_IP: break;
    }
    return memcmp(t->ip, one, sizeof(one)) == 0 ||
           (memcmp(t->ip, mapped_prefix, sizeof(mapped_prefix)) == 0 && t->ip[12] == 127);
}
