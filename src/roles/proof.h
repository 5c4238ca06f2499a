/*
 * proof.h - who we are, proven to a mail server: a SASL client for the client engine's needs.
 *
 * It picks the best mechanism that the server offers and the credentials allow, and answers
 * CLIENT_WANTS_AUTH until the server is content, or gives up with a reason for people.
 */
#ifndef ROLES_PROOF_H
#define ROLES_PROOF_H

#include "base/random.h"
#include "base/worker.h"
#include "loop/tls.h"
#include "sasl/client.h"
#include "smtp/client.h"

struct credentials {
    struct slice user;
    struct slice secret;
    bool is_token;       /* of OAuth; else it is a password */
    unsigned mechanisms; /* those that may be taken, a set as in sasl/mechanism.h; 0: any */
};

/* The connection, and what the exchange needs besides. */
struct proof_place {
    struct client *client;
    const struct tls *tls; /* NULL: in the clear */
    struct slice host;     /* the server as it is called; for OAUTHBEARER */
    unsigned port;
    struct random *random;
    struct worker *worker; /* for what is slow; NULL: it is done at once */
};

/* Zeroed: none. */
struct proof {
    struct sasl_client *sasl; /* NULL: not begun */
    struct client *client;
    struct worker *worker;
    struct worker_job job;
    void (*ready)(struct proof *p);
};

/* At CLIENT_AUTH_CHOOSE: answers it. Credentials are copied, and wiped by proof_done(). */
void proof_begin(struct proof *p, const struct credentials *who, const struct proof_place *place);

/* At the other stages. True: it is answered. False: it will be, then `ready` is called on the loop.
 */
bool proof_go_on(struct proof *p, void (*ready)(struct proof *p));

/* At any time; waits for what is slow. */
void proof_done(struct proof *p);

#endif
