/*
 * session.h - the SMTP sessions of one receiver.
 *
 * A session is born with an accepted connection and frees itself when the client is gone and no
 * put is under way. While the role drains, the last one to go ends the role. TLS begins where the
 * client or the listener wants it; a handshake has one deadline, and one that fails ends the
 * session, since nothing more can be said.
 */
#ifndef ROLES_SESSION_H
#define ROLES_SESSION_H

#include "loop/tls.h"
#include "queue/queue_in.h"
#include "roles/bad_addresses.h"
#include "roles/login.h"
#include "roles/question.h"
#include "roles/role.h"
#include "roles/turnstile.h"
#include "smtp/server.h"

/* What all sessions of a receiver share; embedded in it. */
struct sessions {
    struct role *role;
    struct queue_in *queue;  /* set before the first session */
    struct channel *courier; /* asked who is known elsewhere, told of ETRN; perhaps away */
    struct list all;
    size_t count;          /* with those who come by a proxy, and it did not say for whom yet */
    size_t max;            /* one more is answered 421 */
    struct list strangers; /* who have neither logged in nor sent anything yet */
    size_t stranger_count;
    size_t neighbour_count; /* who came from this machine, where nobody has a limit of his own */
    struct list asking;     /* sessions that wait for the courier's answer */
    uint64_t questions;
    struct channel *vault;  /* asked who a client is; perhaps away */
    struct list logging_in; /* sessions that wait for its answer */
    uint64_t logins;
    struct counts *counts;         /* of all receivers */
    struct list delayed;           /* sessions whose RCPT is answered later, on purpose */
    uint64_t lists_quiet_until_ms; /* of a dnsbl that fails is told once in a while */
};

/* What a listener offers to all its sessions; outlives them. */
struct session_offer {
    size_t sessions; /* that go by it */
    struct server_settings server;
    struct tls_context *tls;             /* may change; NULL: STARTTLS is answered 454 */
    bool implicit_tls;                   /* before the greeting */
    struct slice listener;               /* its address */
    bool submission;                     /* mail begins here: it is completed, and Bcc goes */
    bool by_user;                        /* the kernel says whose mail it is */
    bool hide_client;                    /* who has logged in leaves no trace in Received */
    bool scram;                          /* all accounts have its keys */
    bool tokens;                         /* somebody can be asked whose they are */
    const struct settings_table *people; /* who may log in; NULL: nobody */
    const struct etrn_list *etrn;
    struct bad_addresses *faults;        /* NULL: no address behaves badly on purpose */
    const struct rule_network *proxies;  /* who names the client (vestibule.h); NULL: nobody */
    const struct rule_network *speakers; /* who may speak for others by XCLIENT and XFORWARD */
    const struct dnsbl_zone *zones;      /* who else knows bad clients; NULL: nobody is asked */
    struct resolver *resolver;           /* NULL: there can be none (told) */
    unsigned greet_delay_s;              /* how long who says something is a bad client */
};

/* Who came in. */
struct arrival {
    int handle;              /* becomes the session's */
    struct net_address peer; /* the client; behind a proxy, as that one says */
    bool local;              /* from this machine to this machine: it may relay, if rules say so */
    bool nowhere;            /* peer is but the proxy: the client is in no network */
    struct slice left;       /* of a file that was left: which; borrowed. "": nobody left it */
    bool reports;            /* it is our report on that file */
};

void sessions_init(struct sessions *among, struct role *role);

/* Takes over the connection. */
void session_open(struct sessions *among, struct session_offer *offer,
                  const struct arrival *arrival);

/* How crowded are they, and do other receivers have more room? */
enum crowding sessions_crowding(const struct sessions *among);
bool sessions_others_have_more_room(const struct sessions *among);

/* Without a session: 421 ENHANCED HOSTNAME TEXT, unless TLS comes first, and the end. */
void session_send_away(struct sessions *among, const struct session_offer *offer, int handle,
                       struct slice enhanced, struct slice text);
extern const struct slice session_busy;

/* A ticket that queue_in_collect() returned, unlinked: answers the client, and goes on with what
 * it sent meanwhile. */
void session_put_finished(struct list *ticket);

/* To a question of one of them, or of one that is gone. */
void sessions_answered(struct sessions *among, const struct answer *a);

/* Who would answer is gone. */
void sessions_unanswered(struct sessions *among);

/* The same, of the vault. */
void sessions_login_answered(struct sessions *among, const struct login_answer *a);
void sessions_login_unanswered(struct sessions *among);

/* 421 for each session, but for those that wait for their 250: they get that first. */
void sessions_shut_down(struct sessions *among);

/* 421 for each session of an account that may not log in any more, as above. */
void sessions_check_users(struct sessions *among);

/* The end, in two steps: drafts need the queue's folder, and the queue's end needs the tickets in
 * the sessions. */
void sessions_drop_drafts(struct sessions *among);
void sessions_free(struct sessions *among);

#endif
