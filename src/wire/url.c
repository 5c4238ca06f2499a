/*
 * url.c - addresses of the web, strict: what a browser would mend is refused, since two readers
 * might mend it in two ways.
 */
#include "wire/url.h"

#include "base/cursor.h"
#include "wire/chars.h"

enum { HOST_MAX = 253 };

static bool is_in_host(char c)
{
    return char_is(c, CHAR_LETDIG) || c == '-' || c == '.';
}

/* RFC 3986 3.3 and 3.4: pchar, "/" and "?". */
static bool is_in_path(char c)
{
    struct slice never = SLICE("\"#<>[\\]^`{|}");

    return char_is(c, CHAR_PRINT) && c != ' ' && slice_find(never, c) == never.len;
}

static bool is_host(struct slice s)
{
    return s.len > 0 && s.len <= HOST_MAX && s.data[0] != '.' && s.data[s.len - 1] != '.';
}

static bool take_port(struct cursor *c, uint16_t *out)
{
    uint64_t port;

    if (!take_char(c, ':')) {
        *out = URL_HTTPS_PORT;
        return true;
    }
    if (!take_number(c, &port) || port == 0 || port > UINT16_MAX)
        return false;
    *out = (uint16_t)port;
    return true;
}

bool url_parse_https(struct slice text, struct url *out)
{
    struct cursor c = {text};
    struct url got;

    if (text.len > URL_MAX || !take_word(&c, SLICE("https://")))
        return false;
    got.host = take_while(&c, is_in_host);
    if (!is_host(got.host) || !take_port(&c, &got.port) ||
        (!cursor_at_end(&c) && cursor_peek(&c) != '/'))
        return false;
    got.path = take_while(&c, is_in_path);
    if (!cursor_at_end(&c))
        return false;
    *out = got;
    return true;
}
