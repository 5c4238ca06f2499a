/*
 * url.h - where something is on the web: https://HOST[:PORT][/PATH][?QUERY]. RFC 3986, RFC 9110
 * 4.2.2.
 */
#ifndef WIRE_URL_H
#define WIRE_URL_H

#include "base/slice.h"

#include <stdint.h>

enum { URL_MAX = 2048, URL_HTTPS_PORT = 443 };

struct url {
    struct slice host; /* a domain name in ASCII, or an IPv4 address */
    uint16_t port;
    struct slice path; /* with the query; "" means "/" */
};

/* Slices point into text. False: it is none, or has what nobody may put there: another scheme, a
 * user, a fragment, a character that must be encoded. */
bool url_parse_https(struct slice text, struct url *out);

#endif
