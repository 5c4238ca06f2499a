/*
 * proxy_header.h - for whom a proxy speaks: the header of the PROXY protocol, versions 1 and 2.
 *
 * HAProxy's doc/proxy-protocol.txt, sections 2.1 (text) and 2.2 (binary). The header stands before
 * everything else, before TLS too, and what follows it belongs to the client: so it is read in
 * steps that never reach behind it.
 */
#ifndef WIRE_PROXY_HEADER_H
#define WIRE_PROXY_HEADER_H

#include "base/slice.h"

#include <stdint.h>

enum {
    PROXY_TEXT_MAX = 107,    /* a line of version 1 with its CRLF */
    PROXY_HEADER_MAX = 4096, /* whatever is said besides addresses (TLVs) must fit, too */
};

enum proxy_speaks {
    PROXY_MORE,         /* as many bytes as `wants` are still to come, or more */
    PROXY_FOR_CLIENT,   /* ip and port are the client's */
    PROXY_FOR_NOBODY,   /* it looks whether we are well (LOCAL), or does not know (UNKNOWN), or the
                           client has no address of IP */
    PROXY_IS_MALFORMED, /* this is no such header; nothing that follows can be believed */
};

struct proxy_header {
    size_t wants;         /* PROXY_MORE: at least 1, and never more than what is the header's */
    unsigned char ip[16]; /* IPv6 or v4-mapped */
    uint16_t port;
};

/* `so_far`: all of it from its first byte on. *out is set with PROXY_MORE and PROXY_FOR_CLIENT. */
enum proxy_speaks proxy_header_read(struct slice so_far, struct proxy_header *out);

#endif
