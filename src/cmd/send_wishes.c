/*
 * send_wishes.c - what is asked for beside the mail.
 */
#include "cmd/send_wishes.h"

#include "cmd/send_route.h"

#include "mail/release.h"

#include <sysexits.h>

static int parse_hold_for(struct send_request *r)
{
    const char *text = r->options.hold_for;
    uint64_t seconds;

    if (text == NULL)
        return 0;
    if (!option_seconds(text, &seconds) || seconds == 0 || seconds > HOLD_FOR_MAX_S)
        return command_wrong("send", EX_USAGE, "--hold-for '%s' is no time, as 90s, 15m, 4h or 2d",
                             text);
    r->must_params = arena_printf(&r->arena, " HOLDFOR=%llu", (unsigned long long)seconds);
    r->must_need |= EHLO_FUTURERELEASE;
    return 0;
}

static int parse_require_tls(struct send_request *r)
{
    if (!r->options.require_tls)
        return 0;
    if (r->options.tls == NULL)
        r->tls = SEND_TLS_VERIFIED;
    if (r->tls != SEND_TLS_VERIFIED)
        return command_wrong("send", EX_USAGE, "--requiretls goes with --tls verified only");
    r->must_params = arena_printf(&r->arena, "%.*s REQUIRETLS", SLICE_PRINTF(r->must_params));
    r->must_need |= EHLO_REQUIRETLS;
    return 0;
}

int send_wishes_parse(struct send_request *r)
{
    int status = parse_hold_for(r);

    return status == 0 ? parse_require_tls(r) : status;
}

int send_wishes_check(struct send_request *r, const struct send_destination *d)
{
    if (!r->options.require_tls || !r->by_mx || d->route.mx_secure)
        return 0;
    return command_wrong("send", EX_UNAVAILABLE,
                         "nothing sent to %.*s: --requiretls, but DNSSEC does not prove its MX "
                         "records; name the server: --server",
                         SLICE_PRINTF(d->route.domain));
}
