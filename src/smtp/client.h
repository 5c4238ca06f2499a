/*
 * client.h - the client's side of one SMTP session, as an engine.
 *
 * ARCHITECTURE section 4: the one client engine. It eats the server's bytes, emits commands and
 * the message, and stops with one need. It never waits and knows no socket, clock or disk; the
 * message is fed in pieces, so its size does not matter.
 *
 *     while ((need = client_step(c, &in, &out)) != CLIENT_DONE) { fulfil it }
 *
 * Whoever the server must know is proven to it before the first message: how is the caller's
 * affair, who knows the mechanisms and the secrets; the engine carries what both sides say (RFC
 * 4954).
 *
 * RFC 5321, 1870 SIZE, 2033 LMTP, 2034 ENHANCEDSTATUSCODES, 2920 PIPELINING, 3030 CHUNKING and
 * BINARYMIME, 3207 STARTTLS, 4954 AUTH, 6152 8BITMIME, 6531 SMTPUTF8, 9422 LIMITS. An extension is
 * used only where it was offered; what a message needs and the server lacks is refused here
 * (5.6.3, 5.6.7, 5.3.4), never sent raw.
 */
#ifndef SMTP_CLIENT_H
#define SMTP_CLIENT_H

#include "base/cursor.h"
#include "mail/envelope.h"
#include "smtp/transcript.h"
#include "wire/ehlo.h"

#include <stdint.h>

struct heard;

/* What the server answers. Rows of the table in client_steps.c. */
enum step {
    STEP_NONE,
    STEP_GREETING, /* nothing is sent: the server speaks first */
    STEP_EHLO,
    STEP_HELO,
    STEP_LHLO,
    STEP_STARTTLS,
    STEP_AUTH, /* and every response to a challenge */
    STEP_MAIL,
    STEP_RCPT,
    STEP_DATA,
    STEP_BDAT, /* a chunk of the message, but for the last */
    STEP_DOT,  /* the end of the message */
    STEP_RSET,
    STEP_QUIT,
    STEP_COUNT,
};

enum client_need {
    CLIENT_WANTS_INPUT, /* flush out; step again with more input, or when out has drained */
    CLIENT_WANTS_BODY,  /* client_body() with the next piece, or client_body_end() */
    CLIENT_WANTS_TLS,   /* flush out, make the connection TLS; then client_secured() or
                           client_fail(CLIENT_TLS_FAILED) */
    CLIENT_WANTS_AUTH,  /* flush out; client_auth() says what is the matter. Answer it, at once or
                           later: until then each step asks again and reads nothing */
    CLIENT_READY,       /* for a message: the server was greeted, or the outcomes of the last one
                           are final. client_message() or client_quit() */
    CLIENT_DONE,        /* write out, then close; outcomes of the message are final */
};

/* `out` needs this much; a need is never CLIENT_WANTS_BODY without room for a whole piece. `in`
 * must be able to hold a line of CLIENT_LINE_MAX. */
enum {
    CLIENT_OUT_MAX = 64 * 1024,
    CLIENT_PIECE_MAX = 16 * 1024,
    CLIENT_LINE_MAX = 4096,     /* of a reply, CRLF included; RFC 5321 asks for 512 */
    CLIENT_TEXT_MAX = 1024,     /* of a reply kept as an outcome */
    CLIENT_PARAMS_MAX = 1536,   /* ORCPT alone may have 500 characters, each written as three */
    CLIENT_RESPONSE_MAX = 9213, /* of AUTH: a line of 12288 octets, RFC 4954 4 */
};

enum client_protocol { CLIENT_SMTP, CLIENT_LMTP };

/* STARTTLS, of a connection that is in the clear. */
enum client_tls {
    CLIENT_TLS_NEVER,
    CLIENT_TLS_IF_OFFERED, /* and when the server then refuses it, go on without */
    CLIENT_TLS_ALWAYS,     /* or give up the connection, 4.7.4 */
};

/* Is the server to know who we are? If so there is no mail without. */
enum client_login {
    CLIENT_LOGIN_NEVER,
    CLIENT_LOGIN_SECURED, /* behind STARTTLS, or give up the connection, 4.7.11 */
    CLIENT_LOGIN_ANYHOW,  /* nobody listens: TLS from the first byte, or the caller said so */
};

/* Immutable, outlives the client. */
struct client_settings {
    enum client_protocol protocol;
    enum client_tls tls;
    enum client_login login;
    struct slice ehlo;             /* a domain or [literal] by ehlo_name_parse() */
    struct slice own_name;         /* who greets by it is us: 5.4.6. "": nobody is */
    enum step quit_after;          /* GREETING, EHLO, AUTH, MAIL or RCPT ends there; NONE: never */
    unsigned timeout_s;            /* for every wait; 0: those of RFC 5321 4.5.3.2 */
    struct transcript *transcript; /* NULL: none */
    struct heard *heard;           /* NULL: nobody keeps the replies (smtp/heard.h) */
};

/* Addresses and their slices are borrowed until the next client_message() or client_free(). A body
 * of BODY_BINARYMIME goes by BDAT, any other by DATA. */
struct client_message {
    struct address sender; /* ADDRESS_NULL for reports */
    const struct address *rcpts;
    unsigned rcpt_count;
    uint64_t size; /* for SIZE=; 0: unknown */
    enum body_type body;
    bool smtputf8; /* the header holds UTF-8; addresses are looked at besides */
    /* Further parameters that the server offers, as they are sent: " RET=HDRS ENVID=x". Printable
     * ASCII, at most CLIENT_PARAMS_MAX. mail/relay_params writes them. */
    struct slice mail_params;
    const struct slice *rcpt_params; /* one for each recipient; NULL: none */
    unsigned params_need;            /* a sum of enum ehlo_keyword: where one of them is not offered
                                        they are left out; 0: they are always sent */
    struct slice must_params; /* the same of MAIL, " HOLDFOR=60": where one of the keywords */
    unsigned must_need;       /* for them is not offered, the message does not go */
};

enum client_verdict {
    CLIENT_PENDING,   /* not decided; final only after quit_after */
    CLIENT_ACCEPTED,  /* the server has taken responsibility */
    CLIENT_TRY_AGAIN, /* 4xx, lost connection, timeout, broken protocol */
    CLIENT_REFUSED,   /* 5xx, or the server lacks what the message needs */
    CLIENT_LEFT_OUT,  /* not named: the server takes no more recipients in one transaction. Send
                         the message again for them. */
};

/* What became of one recipient. Lives until the next client_message() or client_free(). */
struct client_outcome {
    enum client_verdict verdict;
    enum step step;        /* whose answer decided */
    unsigned code;         /* of the reply; 0: the engine's own words, no reply */
    struct slice enhanced; /* "5.1.1", class as the code's first digit; "" when there was none */
    struct slice text;     /* raw, lines joined by '\n', enhanced code included; escape it */
};

/* Failures that do not come as a reply. */
enum client_failure {
    CLIENT_LOST,         /* the connection ended */
    CLIENT_TIMED_OUT,    /* client_timeout_s() passed */
    CLIENT_NOT_SMTP,     /* the peer broke the protocol */
    CLIENT_BAD_CONTENT,  /* the body holds a bare CR, LF or NUL */
    CLIENT_BODY_MISSING, /* the caller could not read its own body */
    CLIENT_TLS_FAILED,   /* no handshake, or no certificate as it should be */
};

/* At CLIENT_WANTS_AUTH: which answer is wanted. */
enum client_auth_stage {
    CLIENT_AUTH_CHOOSE,  /* client_auth_begin() with one of `mechanisms` */
    CLIENT_AUTH_RESPOND, /* client_auth_respond() to `challenge` */
    CLIENT_AUTH_BELIEVE, /* the server says that all is well: client_auth_believe() */
};

struct client_auth {
    enum client_auth_stage stage;
    struct slice mechanisms; /* as the server wrote them, "PLAIN LOGIN" */
    struct slice challenge;  /* decoded */
};

struct client;

struct client *client_new(const struct client_settings *settings);
void client_free(struct client *c); /* NULL is fine */

/* The message to send: before the first step (then a server that does not even greet decides over
 * its recipients, too), or at CLIENT_READY. */
void client_message(struct client *c, const struct client_message *message);

/* What the server offers, from CLIENT_READY on: what to convert before client_message(). */
const struct ehlo_offers *client_offers(const struct client *c);

/* At CLIENT_READY: may another message follow? (RFC 9422 MAILMAX) Not when the server said more
 * than it was asked: one that is given all the same fails. */
bool client_takes_more(const struct client *c);

/* Eats from `in`, appends to `out`. What remains in `in` (part of a line) must be presented
 * again, with more behind it. Any chunking of the input gives the same dialog. */
enum client_need client_step(struct client *c, struct cursor *in, struct buf *out);

/* At CLIENT_WANTS_TLS: the connection is secure now, the dialog begins anew. */
void client_secured(struct client *c);

/* At CLIENT_WANTS_AUTH. Slices live until it is answered. */
const struct client_auth *client_auth(const struct client *c);

/* The answers; the last one is right at every stage. Responses have at most CLIENT_RESPONSE_MAX
 * bytes; they are copied, wiped once they were said, and shown to no transcript. Whether the
 * initial response (NULL: there is none) goes with the command is for the engine to see. */
void client_auth_begin(struct client *c, struct slice mechanism, const struct slice *initial);
void client_auth_respond(struct client *c, struct slice response);
void client_auth_believe(struct client *c);

/* It cannot go on: "*", where the server waits for a response, and QUIT. The recipients get this
 * outcome, CLIENT_TRY_AGAIN, since it was no word about the mail. */
void client_auth_stop(struct client *c, struct slice enhanced, struct slice why);

/* At CLIENT_WANTS_BODY. Content that is not BODY_BINARYMIME has strict CRLF lines without NUL;
 * anything else ends the session without the final dot, so that the server drops what it has. At
 * most CLIENT_PIECE_MAX bytes a call. */
void client_body(struct client *c, struct slice piece, struct buf *out);
void client_body_end(struct client *c, struct buf *out);

/* At CLIENT_READY: RSET, so that the server forgets what quit_after left open. CLIENT_READY comes
 * again; outcomes stay, but for a pending one when the server does not answer. */
void client_reset(struct client *c);

/* At CLIENT_READY: say goodbye. */
void client_quit(struct client *c);

/* The session cannot go on; undecided recipients get this outcome and the next step is
 * CLIENT_DONE. Harmless when everything was decided. */
void client_fail(struct client *c, enum client_failure why);

/* client_fail(CLIENT_TLS_FAILED), with what was wrong: plain text. */
void client_no_tls(struct client *c, struct slice problem);

/* i < rcpt_count of the message. */
const struct client_outcome *client_outcome(const struct client *c, unsigned i);

/* It was said that we are not who we say: the next server would count it as one more guess. */
static inline bool client_is_no_user(const struct client_outcome *o)
{
    return o->step == STEP_AUTH && o->code / 100 == 5;
}

/* The answer that ended the message as a whole: to the final dot, or what stopped it before.
 * verdict is CLIENT_PENDING when nothing did. */
const struct client_outcome *client_final(const struct client *c);

/* How long to wait now, seconds. The wait begins anew whenever client_waits() changes, not with
 * every byte, so that a server that trickles does not hold us for ever. */
unsigned client_timeout_s(const struct client *c);
uint64_t client_waits(const struct client *c);

/* "greeting", "EHLO", ...; "end of data" for STEP_DOT. */
struct slice step_name(enum step step);

#endif
