/*
 * session_internal.h - one session, for the files of roles/session only.
 */
#ifndef ROLES_SESSION_INTERNAL_H
#define ROLES_SESSION_INTERNAL_H

#include "loop/stream.h"
#include "mail/rewrite.h"
#include "roles/session.h"
#include "trust/fingerprint.h"
#include "wire/header_drop.h"

enum { SESSION_ASK_TIMEOUT_MS = 60 * 1000 /* somebody else's answer */ };

struct session {
    struct list link;
    struct sessions *among;
    struct session_offer *offer;
    struct stream stream;
    struct timer timer;
    struct server *server;
    struct queue_ticket put;
    struct draft draft;
    struct header_drop bcc;
    struct rewrite_reader rewriting;
    struct fingerprint *print; /* of what arrives; NULL: nobody wants it */
    unsigned char fingerprint[FINGERPRINT_LEN];
    struct buf header; /* our Received field, until the put finished */
    char client[64];   /* address as text */
    size_t client_len;
    bool has_ip; /* false: by a socket in the file system; by a proxy that knows none */
    unsigned char ip[16];
    struct turn turn;     /* what it counts for */
    struct list stranger; /* in among->strangers, or alone: he is known */
    bool neighbour;       /* counted in among->neighbour_count */
    uint64_t id;          /* queue id of the message that is arriving, or 0 */
    bool drafting;
    bool committing;
    struct list asking; /* in among->asking, among->delayed, or alone */
    bool delayed;
    uint64_t question;
    struct list logging_in; /* in among->logging_in, or alone */
    uint64_t login;
    bool login_open; /* the vault has an exchange of that number */
    struct arena arena;
    struct net_address peer;  /* who connects, or whom the proxy names */
    struct slice client_name; /* as XCLIENT has it; "": nobody said */
    unsigned xclients;        /* that were taken */
    struct listing *listing;  /* what lists say of the client; NULL: they were not asked */
    bool awaits_lists;        /* to answer its RCPT */
    bool greets_later;        /* the client says nothing yet, if it is a good one */
    uint64_t connected_ms;    /* set with it */
    bool has_binding;
    unsigned char binding[TLS_EXPORTER_LEN]; /* of this connection, for SCRAM-SHA-256-PLUS */
    bool securing; /* from the 220 of STARTTLS, or the start, until the handshake is done */
    bool local;
    struct slice left; /* the file that is said to it; "": none */
    bool reports;      /* or our report on it */
    char user[16];     /* offer->by_user: "1000" */
    size_t user_len;
    unsigned timed_commands; /* what there was when the deadline was set */
    uint64_t timed_body;
    unsigned etrns;   /* that were taken */
    bool ended_by_us; /* timeout, shutdown: told as that, not as a refusal */
};

struct slice session_client(const struct session *s);

/* Local, or logged in: its sender is ours to rewrite. What comes by LMTP began elsewhere. */
bool session_begins_here(const struct session *s);
/* Of a program on this machine: whose it is. "": the client came another way. */
struct slice session_local_user(const struct session *s);

/* Of those who may log in, as they are now: the settings may be newer than what was offered. NULL:
 * nobody may. */
const struct accounts *session_accounts(const struct session *s);

/* RCPT can be answered now. */
void session_lists_have_answered(struct session *s);

/* Its client hears 421 4.3.2, and it is freed. Not while it commits. */
void session_make_way(struct session *s);

/* ---- session_log.c: what the log is told ---- */

void session_tell_connect(struct session *s);
void session_tell_disconnect(struct session *s);
void session_tell_broken(struct session *s, struct slice how);

/* The certificate did not please, there was no common cipher, it was no TLS at all. */
void session_tell_no_handshake(struct session *s);
void session_tell_refusal(struct session *s);
void session_tell_etrn(struct session *s, const struct etrn_node *node);
void session_tell_message(struct session *s, struct slice id_text);
void session_tell_no_login(struct session *s, const struct login_answer *a);

/* ---- session_message.c: a message that arrives ---- */

extern const struct reply session_reply_full;
const struct reply *session_reply_of_error(int code);
void session_keep_body(struct session *s);
void session_drop_draft(struct session *s);

/* session_put_finished() follows, or the client was answered. */
void session_commit(struct session *s);

/* ---- session_answers.c: from the settings, or, for a recipient, from the courier ---- */

void session_answer_connect(struct session *s);
void session_answer_tls(struct session *s);
void session_answer_etrn(struct session *s);
void session_answer_mail(struct session *s);
void session_answer_rcpt(struct session *s);

/* It waits for what the next hop says, or for the end of a delay. */
bool session_is_asking(const struct session *s);
void session_accept_known(struct session *s);
void session_refuse_asked(struct session *s, const struct answer *a);
extern const struct answer session_no_answer, session_delay_over;

/* ---- session_limits.c: who comes too often, stays too much, sends too much ---- */

/* Before there is a session. False: the client was sent away, the handle is closed. */
bool session_may_come(struct sessions *among, const struct session_offer *offer, int handle,
                      const struct net_address *peer, struct turn *turn);

/* Of who has not logged in, once its address is known. */
void session_take_allowance(struct session *s, const struct net_address *peer);

/* False: it was answered. */
bool session_may_log_in(struct session *s, struct slice user);

/* True: it was answered. */
bool session_is_one_message_too_many(struct session *s);
bool session_is_one_rcpt_too_many(struct session *s);

/* ---- session_room.c: when sessions run short ---- */

enum standing {
    STANDING_STRANGER,
    STANDING_NEIGHBOUR, /* by loopback, whose programs have no limit of their own */
    STANDING_TRUSTED,   /* by whom the settings let have as many connections as he likes */
};

/* Perhaps somebody else has to go. */
bool session_finds_room(struct sessions *among, enum standing standing,
                        const struct turn *newcomer);

/* It counts as one of those until it is another client's, or over. */
void session_takes_standing(struct session *s, enum standing standing);
void session_leaves_standing(struct session *s);

/* A stranger no more; a neighbour stays one. */
void session_becomes_known(struct session *s);

/* May the session be that of this address? False: it was answered. */
bool session_may_become(struct session *s, const unsigned char ip[16]);

/* ---- session_forwarded.c: a client that speaks for another one ---- */

enum { SESSION_XCLIENTS_MAX = 1000 };

bool session_may_speak_for_others(const struct session *s);
void session_answer_xclient(struct session *s);

/* ---- session_lists.c: bad clients, as lists know them or by their manners ---- */

void session_ask_lists(struct session *s);
void session_forget_lists(struct session *s);

/* True: RCPT was answered, or will be once the lists have answered. */
bool session_is_listed(struct session *s, const struct rules_query *query);
bool session_waits_to_greet(struct session *s);
void session_tell_early(struct session *s);

/* ---- session_login.c: who the client is, as the vault says ---- */

/* What suits this connection, as far as it has come. */
void session_offer_mechanisms(struct session *s);
void session_answer_auth(struct session *s);
bool session_is_logging_in(const struct session *s);
void session_login_answered(struct session *s, const struct login_answer *a);
void session_end_login(struct session *s); /* the client gave up, or is gone */
extern const struct login_answer session_no_vault;

/* The refusal at hand was told already, with its reason. */
bool session_was_no_login(const struct session *s);

#endif
