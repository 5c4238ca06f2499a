/*
 * proxy_header.c - who is behind the proxy.
 *
 * The two versions begin differently within 12 bytes, and no header of either is shorter, so these
 * are read first. Version 2 then says how long it is. Of version 1 only CRLF tells the end: until
 * a CR is there, two bytes more are surely its own.
 *
 * Strict, because a proxy is a program: what it does not write as the document says, it did not
 * mean. What stands behind the addresses (TLVs) must fit together, and is not looked at.
 */
#include "wire/proxy_header.h"

#include "base/cursor.h"
#include "wire/network.h"

#include <string.h>

static const struct slice text_start = SLICE_INIT("PROXY ");
static const struct slice binary_start = SLICE_INIT("\r\n\r\n\0\r\nQUIT\n");

enum {
    START_LEN = 12, /* of binary_start; of version 1 the least is 15, "PROXY UNKNOWN\r\n" */
    BINARY_HEAD_LEN = 16,
    VERSION_2_LOCAL = 0x20,
    VERSION_2_PROXY = 0x21,
    TCP_IPV4 = 0x11,
    TCP_IPV6 = 0x21,
};

static enum proxy_speaks more(struct proxy_header *out, size_t wants)
{
    *out = (struct proxy_header){.wants = wants};
    return PROXY_MORE;
}

/* ---- version 1 ---- */

static bool take_port(struct cursor *c, uint16_t *out)
{
    struct slice before = c->rest;
    uint64_t number;

    if (!take_number(c, &number) || number > UINT16_MAX)
        return false;
    if (before.data[0] == '0' && before.len - c->rest.len > 1)
        return false;
    *out = (uint16_t)number;
    return true;
}

static bool take_ip(struct cursor *c, bool ipv4, unsigned char out[16])
{
    struct slice text;

    return take_until(c, ' ', &text) && take_char(c, ' ') &&
           (slice_find(text, ':') == text.len) == ipv4 && ip_parse(text, out);
}

/* "TCP4 192.0.2.1 192.0.2.25 40000 25", or "UNKNOWN" and whatever the proxy likes. */
static enum proxy_speaks read_line(struct slice line, struct proxy_header *out)
{
    struct cursor c = {slice_skip(line, text_start.len)};
    struct proxy_header got = {0};
    unsigned char own_ip[16];
    uint16_t own_port;
    bool ipv4;

    if (take_word(&c, SLICE("UNKNOWN")))
        return cursor_at_end(&c) || cursor_peek(&c) == ' ' ? PROXY_FOR_NOBODY : PROXY_IS_MALFORMED;
    ipv4 = slice_starts(c.rest, SLICE("TCP4 "));
    if (!ipv4 && !slice_starts(c.rest, SLICE("TCP6 ")))
        return PROXY_IS_MALFORMED;
    c.rest = slice_skip(c.rest, 5);
    if (!take_ip(&c, ipv4, got.ip) || !take_ip(&c, ipv4, own_ip) || !take_port(&c, &got.port) ||
        !take_char(&c, ' ') || !take_port(&c, &own_port) || !cursor_at_end(&c))
        return PROXY_IS_MALFORMED;
    *out = got;
    return PROXY_FOR_CLIENT;
}

static enum proxy_speaks read_text(struct slice so_far, struct proxy_header *out)
{
    size_t cr = slice_find(so_far, '\r');

    if (slice_find(so_far, '\n') < cr)
        return PROXY_IS_MALFORMED;
    if (cr == so_far.len)
        return cr + 2 > PROXY_TEXT_MAX ? PROXY_IS_MALFORMED : more(out, 2);
    if (cr + 1 == so_far.len)
        return more(out, 1);
    if (cr + 2 != so_far.len || so_far.data[cr + 1] != '\n')
        return PROXY_IS_MALFORMED;
    return read_line(slice_head(so_far, cr), out);
}

/* ---- version 2 ---- */

static bool get_big_endian(struct cursor *c, uint16_t *out)
{
    uint8_t high, low;

    if (!get_u8(c, &high) || !get_u8(c, &low))
        return false;
    *out = (uint16_t)(high << 8 | low);
    return true;
}

static bool are_tlvs(struct cursor c)
{
    struct slice value;
    uint16_t len;
    uint8_t type;

    while (!cursor_at_end(&c))
        if (!get_u8(&c, &type) || !get_big_endian(&c, &len) || !take_bytes(&c, len, &value))
            return false;
    return true;
}

static void copy_ip(unsigned char out[16], struct slice ip)
{
    static const unsigned char v4_mapped[16] = {[10] = 0xff, [11] = 0xff};

    memcpy(out, v4_mapped, sizeof(v4_mapped));
    memcpy(out + 16 - ip.len, ip.data, ip.len);
}

/* Source, destination, their ports, then TLVs. */
static enum proxy_speaks read_addresses(struct cursor c, size_t ip_len, struct proxy_header *out)
{
    struct proxy_header got = {0};
    struct slice ip, own_ip;
    uint16_t own_port;

    if (!take_bytes(&c, ip_len, &ip) || !take_bytes(&c, ip_len, &own_ip) ||
        !get_big_endian(&c, &got.port) || !get_big_endian(&c, &own_port) || !are_tlvs(c))
        return PROXY_IS_MALFORMED;
    copy_ip(got.ip, ip);
    *out = got;
    return PROXY_FOR_CLIENT;
}

static enum proxy_speaks read_binary(struct slice so_far, struct proxy_header *out)
{
    struct cursor c = {slice_skip(so_far, START_LEN)};
    uint8_t command, family;
    uint16_t len;

    if (!get_u8(&c, &command) || !get_u8(&c, &family) || !get_big_endian(&c, &len))
        return more(out, BINARY_HEAD_LEN - so_far.len);
    if ((command != VERSION_2_LOCAL && command != VERSION_2_PROXY) ||
        len > PROXY_HEADER_MAX - BINARY_HEAD_LEN || c.rest.len > len)
        return PROXY_IS_MALFORMED;
    if (c.rest.len < len)
        return more(out, len - c.rest.len);
    if (command == VERSION_2_LOCAL)
        return PROXY_FOR_NOBODY; /* whatever else it says is to be thrown away */
    if (family != TCP_IPV4 && family != TCP_IPV6)
        return PROXY_FOR_NOBODY;
    return read_addresses(c, family == TCP_IPV4 ? 4 : 16, out);
}

enum proxy_speaks proxy_header_read(struct slice so_far, struct proxy_header *out)
{
    struct slice head = slice_head(so_far, START_LEN);

    if (!slice_starts(binary_start, head) &&
        !slice_starts(text_start, slice_head(head, text_start.len)))
        return PROXY_IS_MALFORMED;
    if (so_far.len < START_LEN)
        return more(out, START_LEN - so_far.len);
    return slice_equal(head, binary_start) ? read_binary(so_far, out) : read_text(so_far, out);
}
