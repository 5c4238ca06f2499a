/*
 * doorman.h - who asks a client of the servers of others who he is. RFC 4954.
 *
 * The account is "sim" with "pencil". The vault's own SASL engine answers, since SCRAM needs one.
 */
#ifndef SIM_DOORMAN_H
#define SIM_DOORMAN_H

#include "base/random.h"
#include "sasl/server.h"

/* Zeroed: nobody was asked yet. */
struct doorman {
    struct sasl_server *sasl; /* an exchange is under way */
    bool known;
};

/* SCRAM costs time, so it is offered now and then only. */
struct slice doorman_offers(struct random *chance);

/* What came behind "AUTH ", or in answer to a challenge: the reply, without CRLF. */
void doorman_begin(struct doorman *d, struct slice words, struct buf *reply);
void doorman_go_on(struct doorman *d, struct slice line, struct buf *reply);

void doorman_done(struct doorman *d);

#endif
