/*
 * send_request.h - what `postroad send` was asked to do: its command line, understood.
 */
#ifndef CMD_SEND_REQUEST_H
#define CMD_SEND_REQUEST_H

#include "base/arena.h"
#include "cmd/options.h"
#include "cmd/send_login.h"
#include "dns/resolver.h"
#include "mail/route.h"
#include "smtp/client.h"
#include "wire/compose.h"

/* As given; "" and NULL (not given) are different. */
struct send_options {
    struct option_list to, cc, bcc, headers, attachments, inlines;
    const char *from, *subject, *body, *html, *data, *server, *ehlo, *timeout, *quit_after;
    const char *port, *tls, *resolver, *anchor, *ret, *envid, *notify;
    const char *user, *auth, *account;
    const char *hold_for;
    bool password_stdin, require_tls, verbose;
};

enum send_tls {
    SEND_TLS_OPTIONAL, /* STARTTLS where it is offered; any certificate will do */
    SEND_TLS_OFF,
    SEND_TLS_REQUIRED, /* no TLS, no mail */
    SEND_TLS_VERIFIED, /* ... and a certificate that is trusted and has the server's name; on port
                          465 from the first byte */
    SEND_TLS_IMPLICIT, /* from the first byte: RFC 8314 */
};

struct send_request {
    struct send_options options;
    struct arena arena; /* everything below lives here or in argv */
    bool by_mx;         /* no server was named: each domain's own */
    struct slice server_text;
    struct route_target server; /* not by_mx */
    uint16_t port;              /* where no other is named */
    enum send_tls tls;
    bool tls_at_once; /* verified, and from the first byte at any port */
    struct send_login login;
    struct resolver_options resolver;
    /* What is asked for by RFC 3461, as MAIL and RCPT say it: " RET=HDRS ENVID=x"; "": nothing. */
    struct slice mail_params;
    struct slice rcpt_params;
    struct slice must_params; /* of MAIL, without which it does not go: " HOLDFOR=60" */
    unsigned must_need;       /* the keywords for them, a sum of enum ehlo_keyword */
    struct slice ehlo;
    unsigned timeout_s; /* 0: as RFC 5321 says */
    enum step quit_after;
    struct compose_mailbox from;
    struct compose_mailbox *to, *cc, *bcc;
    unsigned to_count, cc_count, bcc_count;
    struct address *rcpts; /* of all three, each once */
    unsigned rcpt_count;
    struct compose_field *fields;
    unsigned field_count;
};

/* False as options_parse(), or told what is wrong with a value. The request is zeroed before. */
bool send_request_parse(struct send_request *r, int argc, char **argv, int *status);
void send_request_done(struct send_request *r);

#endif
