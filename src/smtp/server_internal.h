/*
 * server_internal.h - what the files of the server engine share.
 *
 * Nobody else includes this, save server_test.c, which looks at the memory of idle sessions.
 *
 * Two arenas: `tx` lives as long as a transaction (envelope, recipients, state of the body),
 * `scratch` as long as one command and its reply (parsed path, the role's answer, what the log
 * is told). A refusal is copied into scratch, so the transaction can end before it is told.
 */
#ifndef SMTP_SERVER_INTERNAL_H
#define SMTP_SERVER_INTERNAL_H

#include "smtp/server.h"
#include "wire/header.h"
#include "wire/line_watch.h"
#include "wire/smtp_command.h"

enum server_phase {
    PHASE_CONNECT, /* nothing was said yet */
    PHASE_REFUSED, /* greeted with a refusal: only QUIT is left, RFC 5321 3.1 */
    PHASE_GREETED, /* no EHLO or HELO yet */
    PHASE_READY,   /* between mails */
    PHASE_MAIL,    /* a sender, no recipient */
    PHASE_RCPT,    /* at least one recipient */
    PHASE_BODY,    /* behind 354, until the final dot is answered */
    PHASE_CHUNKS,  /* behind the first BDAT, until the last one is answered */
    PHASE_DONE,    /* the last reply was said */
};

/* A set of phases is a sum of these. */
#define IN(phase) (1u << (phase))

/* How far a need is: the role is asked, works on it, has answered. */
enum server_ask { ASK_NOTHING, ASK_NEW, ASK_WAITING, ASK_ANSWERED };

enum server_closing { CLOSING_NOT, CLOSING_SHUT_DOWN, CLOSING_DISMISSED, CLOSING_TIME_OUT };

enum {
    SERVER_LINE_SHOWN_MAX = 128, /* of an offending line, kept for the log */
    SERVER_CLIENT_ADDRESS_MAX = 64,
    SERVER_MECHANISM_MAX = 32,
    SERVER_BARE_LF_MAX = 3, /* the third command that ends with LF alone ends the session */
};

/* A message while it arrives; lives in the transaction's arena. */
struct server_data {
    bool chunked;            /* by BDAT */
    struct dots_reader dots; /* of DATA */
    struct line_watch lines; /* of chunks */
    struct header_watch header;
    uint64_t size;        /* bytes so far, kept or swallowed */
    struct reply failure; /* of the role; code 0: none */
    struct slice run;     /* what SERVER_BODY offers */
};

/* The chunk of a BDAT, from its command to its reply. */
struct server_chunk {
    bool active;
    bool last;
    uint64_t left;               /* bytes still to come */
    const struct reply *refusal; /* NULL: its bytes belong to the message */
    bool told;                   /* the refusal was said already */
    bool excused;                /* it is not the client's fault */
};

struct server {
    const struct server_settings *settings;
    enum server_phase phase;
    enum server_need asked; /* meaningless with ASK_NOTHING */
    enum server_ask ask;
    enum server_closing closing;
    bool esmtp;
    uint64_t wall_us;
    struct envelope_tls tls;
    bool swallowing;                   /* within a command line that is too long */
    const struct reply *swallow_reply; /* to it; NULL: the usual one */
    bool partial_line;                 /* input was left over at the last step */
    bool mail_refused;                 /* what follows a refused MAIL is not the client's fault */
    bool refusal_owed;                 /* SERVER_REFUSED is still to be told */
    bool reset_owed;                   /* SERVER_RESET, too */
    unsigned error_max;
    unsigned wrong;   /* commands, since the last accepted message */
    unsigned excused; /* refusals that are not the client's fault, since then */
    unsigned bare_lfs;

    char *helo; /* owned */
    size_t helo_len;
    char client_address[SERVER_CLIENT_ADDRESS_MAX];
    size_t client_address_len;

    struct arena scratch;
    enum smtp_verb verb; /* the command that is being answered */
    struct slice line;   /* its beginning */
    bool has_path;
    struct address path; /* MAIL's or RCPT's */
    struct reply answer;
    struct address *finals; /* of the accepted RCPT */
    size_t final_count;
    unsigned notify; /* of the RCPT, and its ORCPT */
    struct slice orcpt;
    struct etrn_node node;      /* of the ETRN */
    bool trusted;               /* it may speak for others */
    struct forwarded xclient;   /* of the XCLIENT */
    struct arena forward;       /* of xforward; as long as a transaction, but begun before it */
    struct forwarded *xforward; /* NULL: nothing was said */

    char *user; /* who the client is; owned, NULL: nobody knows */
    size_t user_len;
    struct slice mechanisms; /* offered */
    char auth_name[SERVER_MECHANISM_MAX];
    struct server_auth auth;
    struct buf auth_bytes; /* the client's, wiped when answered */
    struct slice auth_challenge;
    bool auth_waits; /* the next line belongs to the exchange */
    unsigned auth_failures;

    struct arena tx;
    struct envelope *envelope; /* NULL outside a transaction */
    bool keeps;                /* MAIL was accepted: the role may keep something */
    unsigned rcpts_room;
    unsigned rcpts_accepted; /* RCPT commands; an alias makes more recipients of one */
    unsigned rcpts_refused;
    unsigned replies_owed; /* to the end of a message, in LMTP: as out has room */
    struct reply owed;     /* each of them; in scratch */
    struct server_chunk chunk;
    struct server_data *data; /* from 354 to the answer of the final dot */

    struct server_refusal refusal;
    struct server_counts counts;
};

/* server.c */

/* Says the one reply of a command: writes, counts, and notes it for the log when it refuses.
 * A 421 or 521 ends the session. */
void server_say(struct server *s, struct buf *out, const struct reply *reply);

/* The same for a wrong command; more than error_max of them get 421 instead. */
void server_say_wrong(struct server *s, struct buf *out, const struct reply *reply);

/* The same for a refusal that is no mistake of the client: by the rules, or because of an
 * earlier refusal in the same pipelined group. Only after rcpt_max of them without a delivered
 * message they count as wrong commands. */
void server_say_excused(struct server *s, struct buf *out, const struct reply *reply);

/* The reply to the end of a message: in LMTP one for each accepted RCPT. A thousand of them do not
 * fit into out: the first is said, the others are owed. */
void server_say_of_message(struct server *s, struct buf *out, const struct reply *reply,
                           void (*say)(struct server *, struct buf *, const struct reply *));

/* 421 ENHANCED HOSTNAME TEXT, and the end. */
void server_say_goodbye(struct server *s, struct buf *out, struct slice enhanced,
                        struct slice text);

void server_ask(struct server *s, enum server_need need);

bool server_is_secure(const struct server *s);

/* What is offered now: REQUIRETLS only under TLS, RFC 8689 4.1. */
unsigned server_offers(const struct server *s);

/* Of the words of RFC 3848 and 6531: none, A, S, SA. */
unsigned server_manner(const struct server *s);

extern const struct reply server_too_many_rcpts;

/* 220 and our name. */
void server_greet(struct server *s, struct buf *out);

/* What was learnt of the client: its name, who it is, the transaction. */
void server_forget_greeting(struct server *s);

/* The one function that changes the phase. */
void server_phase_set(struct server *s, enum server_phase next);

/* The one way out of a transaction; owes SERVER_RESET when something may have been kept. */
void server_transaction_reset(struct server *s);

/* server_commands.c */

/* Takes and answers one command line; false when the input holds no whole one. */
bool server_command_step(struct server *s, struct cursor *in, struct buf *out);

/* The refusal's stage, by phase and verb. */
struct slice server_stage(const struct server *s);

/* Counts the current command as tried or accepted. */
void server_count_tried(struct server *s);
void server_count_accepted(struct server *s);

/* Why BDAT has no place here; NULL: it has. *excused: it is not the client's mistake. */
const struct reply *server_bdat_misplaced(struct server *s, bool *excused);

/* server_auth.c */

/* Now, to this client? */
bool server_offers_auth(const struct server *s);
void server_auth_begin(struct server *s, struct slice argument, struct buf *out);

/* Takes a line of the exchange; false when the input holds no whole one. */
bool server_auth_step(struct server *s, struct cursor *in, struct buf *out);
void server_auth_answered(struct server *s, struct buf *out);
void server_forget_user(struct server *s);

/* server_forwarded.c */

void server_xclient_begin(struct server *s, struct slice argument, struct buf *out);
void server_xclient_answered(struct server *s, struct buf *out);
void server_xforward_take(struct server *s, struct slice argument, struct buf *out);
void server_forget_xforward(struct server *s);

/* server_data.c */

void server_data_begin(struct server *s, struct buf *out);

/* Eats of the body; false when nothing is to be returned to the role yet. */
bool server_data_step(struct server *s, struct cursor *in, struct buf *out, enum server_need *need);

/* A message begins to arrive, by DATA or chunks. */
void server_content_begin(struct server *s, bool chunked);

/* Bytes of it: true when the role shall keep them. */
bool server_content_run(struct server *s, struct slice run, enum server_need *need);

/* What is wrong with it so far; NULL: nothing. */
const struct reply *server_content_fault(const struct server *s);

/* It is whole: refused, or to be committed. */
void server_content_end(struct server *s, struct buf *out);

/* server_bdat.c */

void server_bdat_begin(struct server *s, const struct smtp_command *cmd, struct buf *out);

/* Eats of the chunk; as server_data_step(). */
bool server_bdat_step(struct server *s, struct cursor *in, struct buf *out, enum server_need *need);

#endif
