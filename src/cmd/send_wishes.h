/*
 * send_wishes.h - what `postroad send` asks of a server beside the mail, and goes nowhere without:
 * to go later (RFC 4865), and never unprotected (RFC 8689).
 *
 * Reports (RFC 3461) are less than that: a server without DSN gets the mail all the same.
 */
#ifndef CMD_SEND_WISHES_H
#define CMD_SEND_WISHES_H

struct send_request;
struct send_destination;

/* From the options; 0, or a status of sysexits.h when it was told what is wrong. After --tls. */
int send_wishes_parse(struct send_request *r);

/* The same, of a way that is found: REQUIRETLS wants it proved, RFC 8689 4.2.1. */
int send_wishes_check(struct send_request *r, const struct send_destination *d);

#endif
