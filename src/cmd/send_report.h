/*
 * send_report.h - what became of the mail, for the person and for the exit status.
 */
#ifndef CMD_SEND_REPORT_H
#define CMD_SEND_REPORT_H

#include "cmd/send_request.h"

/* The server could not be reached; error is a negative errno. Returns the exit status. */
int send_report_no_connection(const struct send_request *r, int error);

/* Prints the server's answer on stdout if anybody gets the mail, and a line on stderr for who
 * does not. Returns the exit status. */
int send_report(struct send_request *r, const struct client *client);

#endif
