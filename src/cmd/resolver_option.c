/*
 * resolver_option.c - `--resolver WORD` of commands that ask the DNS.
 */
#include "cmd/resolver_option.h"

#include "cmd/options.h"

#include "base/cursor.h"
#include "wire/address.h"

#include <sysexits.h>

static bool is_name_server(struct slice text)
{
    struct slice ip = text, port;
    unsigned char bytes[16];
    uint64_t number;

    if (slice_cut(text, '@', &ip, &port)) {
        struct cursor c = {port};

        if (!take_number(&c, &number) || !cursor_at_end(&c) || number == 0 || number > UINT16_MAX)
            return false;
    }
    return ipv4_parse(ip, bytes) || ipv6_parse(ip, bytes);
}

int resolver_option_parse(const char *command, const char *text, struct resolver_options *out)
{
    struct slice word = text == NULL ? SLICE("system") : slice_of(text);

    if (slice_equal(word, SLICE("system"))) {
        out->source = DNS_FROM_SYSTEM;
    } else if (slice_equal(word, SLICE("recursive"))) {
        out->source = DNS_FROM_ROOT;
    } else if (is_name_server(word)) {
        out->source = DNS_FROM_FORWARDER;
        out->forwarder = word;
    } else {
        return command_wrong(
            command, EX_USAGE,
            "--resolver '%s': write system, recursive, or a name server: 192.0.2.53, "
            "2001:db8::53@5300",
            text);
    }
    return 0;
}
