/*
 * server.h - the server's side of one SMTP session, as an engine.
 *
 * ARCHITECTURE section 4: the engine eats bytes, emits bytes, and stops with one need; the role
 * fulfils the need, answers, and steps again. It never waits, knows no socket, no clock and no
 * disk, so dialogs are tested from plain text files (tests/dialogs).
 *
 *     while ((need = server_step(s, &in, out)) != SERVER_WANTS_INPUT) { fulfil it }
 *
 * RFC 5321, 1870 SIZE, 1985 ETRN, 2033 LMTP, 2034 ENHANCEDSTATUSCODES, 2920 PIPELINING, 3030
 * CHUNKING and BINARYMIME, 3207 STARTTLS, 4954 AUTH, 6152 8BITMIME, 6531 SMTPUTF8, 9422 LIMITS;
 * read and kept for the courier: 2852 DELIVERBY, 3461 DSN, 3865 NO-SOLICITING, 4865 FUTURERELEASE,
 * 6710 MT-PRIORITY, 8689 REQUIRETLS. Memory: one arena per session, one per transaction; a session
 * that idles between mails holds little more than its struct.
 */
#ifndef SMTP_SERVER_H
#define SMTP_SERVER_H

#include "base/cursor.h"
#include "mail/envelope.h"
#include "mail/etrn.h"
#include "wire/dots.h"
#include "wire/ehlo.h"
#include "wire/forwarded.h"
#include "wire/header.h"
#include "wire/smtp_reply.h"

#include <stdint.h>

enum server_need {
    SERVER_WANTS_INPUT,   /* the input is used up; flush out, then feed more */
    SERVER_WANTS_ROOM,    /* out is nearly full: write it out before the next step, read nothing */
    SERVER_WANTS_CONNECT, /* first of all: may this client talk? -> server_answer(220 or refusal);
                             what waits in `in` at the step behind a 220 came too early: 554 */
    SERVER_WANTS_MAIL,    /* server_envelope()->sender -> server_answer() */
    SERVER_WANTS_RCPT,    /* server_rcpt() -> server_answer_rcpt() */
    SERVER_BODY,          /* server_body(): keep these bytes (borrowed until the next step) */
    SERVER_WANTS_TLS,     /* STARTTLS: can there be TLS? -> server_answer(220 or 454); what waits
                             in `in` at the step behind a 220 was said by nobody knows whom: 554 */
    SERVER_START_TLS,     /* the 220 was said: write out, shake hands -> server_secured(). No step
                             meanwhile; when it fails there is nobody to talk to any more */
    SERVER_WANTS_AUTH,    /* server_auth() -> server_challenge(), server_authenticated(), or
                             server_answer(535 or another refusal) */
    SERVER_WANTS_ETRN,    /* the mail of server_etrn() shall go now -> server_answer(); 459: not for
                             this name, 458: not now, both with our usual words if without text */
    SERVER_WANTS_XCLIENT, /* the client is another one: server_xclient() -> server_client_is(), and
                             then server_answer(220 or a refusal) */
    SERVER_WANTS_COMMIT,  /* the message is whole: make it durable -> server_answer() */
    SERVER_RESET,         /* the transaction ended without a commit: drop what was kept for it;
                             once per transaction whose MAIL was accepted */
    SERVER_REFUSED,       /* a 4xx or 5xx was just said: server_refusal() tells it to the log */
    SERVER_DONE,          /* write out, then close the connection */
};

/* LMTP: LHLO instead of EHLO, and one reply for each accepted RCPT to the end of a message. */
enum server_protocol { SERVER_SMTP, SERVER_LMTP };

/* Limits of RFC 5321 4.5.3; what a listener offers. Immutable, outlives the sessions. */
struct server_settings {
    enum server_protocol protocol;
    unsigned offers; /* a sum of enum ehlo_keyword, of those that not every server of ours offers:
                        CHUNKING, BINARYMIME, DSN, MT_PRIORITY, DELIVERBY, NO_SOLICITING,
                        FUTURERELEASE, REQUIRETLS (under TLS only), STARTTLS, ETRN, AUTH, XCLIENT
                        and XFORWARD (to who is trusted). What is not offered is not accepted. */
    bool auth_cleartext; /* AUTH without TLS as well */
    bool requires_auth;  /* no mail without: 530 5.7.0 */
    bool requires_tls;   /* no mail without: 530 5.7.0 */
    struct slice hostname;
    uint64_t max_size; /* bytes of one message; announced by SIZE */
    enum line_ends line_ends;
    unsigned rcpt_max;     /* accepted RCPT of one message; then 452 4.5.3. At least 100 */
    unsigned error_max;    /* wrong commands before 421 4.7.0 */
    unsigned received_max; /* Received fields before 554 5.4.6 */
};

enum {
    SERVER_COMMAND_MAX = 2048,
    SERVER_OUT_MAX = 64 * 1024,
    SERVER_AUTH_LINE_MAX = 12288 + 2, /* RFC 4954 4 */
    SERVER_CHALLENGE_MAX = 4096,
    SERVER_HANDSHAKE_S = 30, /* for all of it: what the role lets TLS take */
};

struct server;

/* What the log is told about a refusal; borrowed until the next step. */
struct server_refusal {
    struct slice stage; /* CONNECT, EHLO, AUTH, MAIL, RCPT, DATA, BDAT, COMMAND */
    struct reply reply;
    struct slice command; /* the offending line's beginning, raw */
    bool has_sender;
    struct address sender; /* of the transaction or the refused MAIL */
    bool has_rcpt;
    struct address rcpt;
};

/* Counts for the disconnect line: accepted / tried, in Postfix's form. */
struct server_counts {
    unsigned ehlo, helo, starttls, auth, mail, rcpt, data, bdat, rset, noop, quit, unknown,
        commands;
    unsigned ehlo_tried, helo_tried, starttls_tried, auth_tried, mail_tried, rcpt_tried, data_tried,
        bdat_tried, rset_tried, noop_tried, quit_tried, unknown_tried, commands_tried;
    unsigned other, other_tried; /* known verbs without a count of their own; in commands, too */
};

/* client_address is text without brackets; copied. */
struct server *server_new(const struct server_settings *settings, struct slice client_address);

/* A connection may break anywhere: then nothing is yielded any more, the role drops by itself
 * what it kept for an open transaction. NULL is fine. */
void server_free(struct server *s);

/* The client may speak for others, where that is offered. Before the first step. */
void server_trust(struct server *s);

/* Eats from `in`, appends replies to `out`. Stops at the first need. With SERVER_WANTS_INPUT
 * everything that can be eaten was; what remains in `in` (part of a line) must be presented
 * again, with more behind it. `out` was born with SERVER_OUT_MAX; SERVER_WANTS_ROOM holds back
 * a client that sends commands and reads no replies. A step while a need is unanswered eats
 * nothing and returns SERVER_WANTS_INPUT. */
enum server_need server_step(struct server *s, struct cursor *in, struct buf *out);

/* Fulfil CONNECT, MAIL, TLS, ETRN, COMMIT (in LMTP for every recipient); the reply is copied. 2xx
 * accepts, all else refuses; 421 and 521 also end the session. To accept with our usual words
 * ("2.1.0 Ok") leave the text empty; the greeting always has them. For COMMIT the 250's text names
 * the id. A client refused at CONNECT by another code than 421 or 521 may still say QUIT (RFC
 * 5321 3.1). */
void server_answer(struct server *s, const struct reply *reply);

/* The handshake is done: behind START_TLS, where all that was learned before is forgotten (RFC 3207
 * 4.2), or before the first step, where TLS comes first. The texts outlive the session. */
void server_secured(struct server *s, const struct envelope_tls *tls);

/* What the client says of itself; borrowed until it is answered. */
struct server_auth {
    struct slice mechanism; /* one of those offered */
    struct slice response;  /* decoded */
    bool begins;            /* a new exchange: the one before is over, if it was not answered */
};

const struct server_auth *server_auth(const struct server *s);

/* What the clock on the wall says, microseconds: what FUTURERELEASE is measured by. Before a step,
 * where it is offered. */
void server_time_is(struct server *s, uint64_t wall_us);

/* The mechanisms of EHLO_AUTH that suit this connection, upper case, with a blank between them.
 * Outlives the server. */
void server_offer_auth(struct server *s, struct slice mechanisms);

/* Fulfil AUTH: one more round; the client is who it says. Copied. */
void server_challenge(struct server *s, struct slice bytes);
void server_authenticated(struct server *s, struct slice user);

struct slice server_user(const struct server *s); /* "": not authenticated */

/* Another sender in the place of the one that the client gave, which stays in the envelope's
 * `sender_given`: at MAIL, before the next step. Copied. */
void server_rewrite_sender(struct server *s, const struct address *sender);

/* Fulfil RCPT; `finals` (copied) are the recipients to store when the reply is 2xx; count 0: the
 * one that the client gave. Whom the transaction has already is stored once. More than
 * ENVELOPE_RCPTS_MAX of them in all: the client hears 452 4.5.3, and none of these is stored. */
void server_answer_rcpt(struct server *s, const struct reply *reply, const struct address *finals,
                        size_t count);

/* The role could not keep the body (disk full): the rest is swallowed unkept and `reply` is the
 * answer to the final dot. */
void server_body_failed(struct server *s, const struct reply *reply);

struct slice server_body(const struct server *s);
const struct address *server_rcpt(const struct server *s);
const struct etrn_node *server_etrn(const struct server *s);

/* The transaction so far; the role fills id, arrival_us before it stores it. NULL outside one,
 * so also at RESET and at the REFUSED of what ended it. `body` tells the truth at COMMIT: 8-bit
 * content sent without BODY=8BITMIME is BODY_8BITMIME there. */
struct envelope *server_envelope(struct server *s);

/* At COMMIT: the Message-ID field's value, "" when there was none. */
struct slice server_message_id(const struct server *s);
uint64_t server_body_size(const struct server *s);

/* At COMMIT: a bare LF became CRLF. */
bool server_was_repaired(const struct server *s);

/* At COMMIT: what its header has. */
const struct header_watch *server_header(const struct server *s);

/* At COMMIT: the message begins with a blank, as if it went on with a field. What is put in front
 * of it must end with an empty line, or the sender writes into our fields. */
bool server_message_is_folded(const struct server *s);

const struct server_refusal *server_refusal(const struct server *s);
const struct server_counts *server_counts(const struct server *s);

/* For "lost connection after ...": CONNECT, DATA in the middle of a message, or the last verb. */
struct slice server_last_stage(const struct server *s);

struct slice server_helo(const struct server *s);  /* "" before EHLO */
struct slice server_proto(const struct server *s); /* SMTP, ESMTP, ESMTPSA, LMTP, LMTPS */

/* Its version is "" in the clear. */
const struct envelope_tls *server_tls(const struct server *s);

/* How long the role lets the client be silent now, seconds (RFC 5321 4.5.3.2). */
unsigned server_timeout_s(const struct server *s);

/* What XCLIENT says; until it is answered. */
const struct forwarded *server_xclient(const struct server *s);

/* Fulfil XCLIENT, besides the answer: where the client is, as text without brackets, and who it is;
 * "": nobody knows. Copied. */
void server_client_is(struct server *s, struct slice client_address, struct slice user);

/* What XFORWARD has said of the coming or the present message, for the log alone; NULL: nothing. */
const struct forwarded *server_xforward(const struct server *s);

/* Other than its settings say. */
void server_allow_errors(struct server *s, unsigned error_max);

/* The ends that do not come from the client. The next step says 421 and is DONE, but not
 * between the final dot and its reply: then the reply goes out first. */
void server_shut_down(struct server *s); /* 421 4.3.2 */
void server_dismiss(struct server *s);   /* 421 4.7.0: this client has no right to be here now */
void server_time_out(struct server *s);  /* 421 4.4.2 */

/* Between mails, with no partial line: the role may end it without harm. */
bool server_is_idle(const struct server *s);

#endif
