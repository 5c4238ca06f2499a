/*
 * reports.h - what a delivery report says, as far as the ledger needs it.
 */
#ifndef SIM_REPORTS_H
#define SIM_REPORTS_H

#include "sim/ledger.h"

/* Calls for each recipient of the message whom the report names, in the order of the report; what
 * it says of others is passed over. Lines end with LF or CRLF. */
void report_read(struct sent *s, struct slice text,
                 void (*each)(void *ctx, struct sent_rcpt *r, enum sent_report what), void *ctx);

/* The sender of the message that the report to postmaster is about: in the end that of a report
 * that could not be delivered. */
struct slice report_receiver(struct slice text);

#endif
