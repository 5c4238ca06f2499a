/*
 * probe_request.h - what `postroad probe` was asked to look at: its command line, understood.
 *
 *     example.org             the domain: its mail servers, by MX
 *     mx.example.org:587      the host, whatever the MX records say; [mx.example.org] likewise
 *     192.0.2.1, 2001:db8::1, [2001:db8::1]:25, localhost
 */
#ifndef CMD_PROBE_REQUEST_H
#define CMD_PROBE_REQUEST_H

#include "cmd/options.h"
#include "dns/resolver.h"
#include "mail/route.h"

/* As given; NULL: not given. */
struct probe_options {
    struct option_list what;
    const char *port, *tls, *from, *to, *ehlo, *timeout, *resolver, *anchor;
    bool json, verbose, intrusive;
};

enum probe_kind { PROBE_DOMAIN, PROBE_HOST };

enum probe_tls {
    PROBE_TLS_OPTIONAL, /* STARTTLS where it is offered */
    PROBE_TLS_OFF,
    PROBE_TLS_IMPLICIT,
    PROBE_TLS_BY_PORT, /* implicit on 465, optional elsewhere */
};

struct probe_request {
    struct probe_options options;
    struct arena arena; /* everything below lives here or in argv */
    struct slice what;
    enum probe_kind kind;
    struct address domain;    /* PROBE_DOMAIN */
    struct route_target host; /* PROBE_HOST */
    uint16_t port;            /* where no other is named */
    enum probe_tls tls;
    struct address from; /* of the question whether it relays */
    struct address to;
    struct address receiver; /* of the mail of --intrusive: --to, or postmaster */
    struct slice ehlo;
    unsigned connect_timeout_s;
    unsigned timeout_s;
    struct resolver_options resolver;
};

/* True: go on. False: told, on stderr or as help; the command ends with *status. The request is
 * zeroed before. */
bool probe_request_parse(struct probe_request *r, int argc, char **argv, int *status);
void probe_request_done(struct probe_request *r);

/* One word alone, for the above and for tests: sets what, kind, domain and host; port is set
 * before. NULL, or what is wrong with it. */
const char *probe_request_target(struct probe_request *r, struct slice word);

#endif
