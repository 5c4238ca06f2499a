/*
 * send_dialog.h - one connection of `postroad send`: a message for some recipients, and goodbye.
 */
#ifndef CMD_SEND_DIALOG_H
#define CMD_SEND_DIALOG_H

#include "cmd/send_content.h"
#include "cmd/send_request.h"
#include "roles/remote.h"

/* Whom to call, and how. */
struct send_call {
    const struct route_hop *hop;
    struct slice tls_name; /* whom the server is taken for; "": it has no name */
    enum send_tls how;
    struct tls_context *tls;
    const struct address *rcpts;
    unsigned rcpt_count;
};

/* After the run remote.client has the outcomes; connect_error (negative errno) says that nobody was
 * asked. */
struct send_dialog {
    struct send_request *request;
    struct send_content *content;
    struct loop *loop;
    struct remote remote;
    struct remote_options options;
    struct transcript transcript;
    int connect_error;
};

/* Runs the loop until it is over. What is given is borrowed until send_dialog_done(). */
void send_dialog_run(struct send_dialog *d, struct loop *loop, struct send_request *r,
                     struct send_content *content, const struct send_call *call);
void send_dialog_done(struct send_dialog *d); /* harmless when it is all zero */

/* TLS came to nothing, and the server may be called again without. */
bool send_dialog_failed_at_tls(const struct send_dialog *d);

#endif
