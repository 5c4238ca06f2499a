/*
 * send_report.h - what became of the mail, for the person and for the exit status.
 */
#ifndef CMD_SEND_REPORT_H
#define CMD_SEND_REPORT_H

#include "cmd/send_dialog.h"
#include "cmd/send_route.h"

/* What one server decided, for good. */
struct send_result {
    const struct address *rcpts;
    const struct client_outcome *outcomes; /* one for each */
    unsigned count;
    const struct client_outcome *final;
    struct slice server; /* as people shall read it */
    bool without_dsn;    /* what was asked for by RFC 3461 could not be said */
};

/* The server could not be reached; error is a negative errno. Returns the exit status; 0 when it is
 * not the last one. */
int send_report_no_connection(struct send_request *r, const struct send_call *call,
                              struct slice server, int error, bool is_last);

/* It goes on in the clear. */
void send_report_no_tls(struct slice server, struct slice problem);

/* There are no servers, or nobody knows now. Returns the exit status. */
int send_report_no_route(struct send_request *r, const struct send_destination *d);

/* Prints the server's answer on stdout if anybody gets the mail, and a line on stderr for who
 * does not. Returns the exit status. */
int send_report(struct send_request *r, const struct send_result *result);

#endif
