/*
 * client_steps.h - inside the client engine: its state and its table of steps.
 *
 * Only client.c (the machine), client_steps.c (what is said and what answers mean) and
 * client_auth.c include this.
 */
#ifndef SMTP_CLIENT_STEPS_H
#define SMTP_CLIENT_STEPS_H

#include "base/arena.h"
#include "smtp/client.h"
#include "wire/dots.h"
#include "wire/smtp_reply.h"

/* A step that was sent and whose reply is still to come. */
struct sent_step {
    enum step step;
    unsigned rcpt; /* index, for STEP_RCPT */
};

/* No command line is longer than half of STEP_ROOM, so a lone dot fits behind any batch. */
enum { SENT_MAX = 64, STEP_ROOM = 4096, AUTH_ROOM = 16 * 1024 };

enum client_state {
    CLIENT_TALKING,  /* commands and replies; with nothing to say or hear the message is over */
    CLIENT_SECURING, /* STARTTLS was answered 220: no word more in the clear */
    CLIENT_PROVING,  /* who we are: the caller is to say how */
    CLIENT_IN_BODY,  /* 354 was said, the dot was not; or chunks go out, the last one did not */
    CLIENT_IDLE,     /* between messages: the caller decides */
    CLIENT_ENDED,    /* the connection is of no more use */
};

/* One message; everything in it goes with the arena. */
struct client_transaction {
    struct arena arena;
    struct client_message message;
    struct client_outcome *outcomes; /* one per recipient */
    struct client_outcome final;
    bool given;         /* there is a message */
    unsigned pending;   /* recipients without a verdict */
    unsigned accepted;  /* of those: said yes to at RCPT */
    unsigned rcpt_next; /* to be sent next */
    unsigned rcpt_end;  /* the server takes none from here on */
    bool open;          /* the server accepted MAIL and waits for its end */
    bool forgotten;     /* client_reset(): nothing follows RSET */
    struct dots_writer dots;
};

/* AUTH. What the caller is told, and what it answered. */
struct client_proof {
    struct client_auth told;
    struct buf mechanisms, challenge; /* what is told */
    struct slice mechanism;           /* of the caller's, static: said by the next AUTH; or "" */
    struct buf response;              /* in base64, to be said next; wiped behind it */
    bool has_response;
    bool stopping; /* "*" is to be said, or was: whatever the answer is, it is over */
};

struct client {
    struct client_settings settings;
    struct ehlo_offers offers;
    bool secured;
    unsigned mails; /* transactions so far */
    bool babbles;   /* it said more than it was asked: its replies cannot be told apart */
    enum client_state state;
    enum step next;                  /* to be sent as soon as that is allowed */
    struct sent_step sent[SENT_MAX]; /* a ring: replies come in the order of commands */
    unsigned sent_first;
    unsigned sent_count;
    struct reply_reader reply; /* being read; whole when on_reply is called */
    uint64_t waits;
    struct client_proof proof;
    struct client_transaction tx;
};

struct step_row {
    struct slice name;
    /* Appends the command without CRLF and says what follows in c->next. NULL: never sent. */
    void (*send)(struct client *c, struct buf *out);
    /* c->reply is the answer; rcpt is the index for STEP_RCPT. */
    void (*on_reply)(struct client *c, struct buf *out, unsigned rcpt);
    unsigned timeout_s; /* RFC 5321 4.5.3.2 */
    bool ends_batch;    /* nothing is sent behind it before its reply, RFC 2920 3.1 */
};

extern const struct step_row step_rows[STEP_COUNT];

/* client.c, for the steps. */
void client_expect(struct client *c, enum step step, unsigned rcpt);
struct client_outcome client_judge(struct client *c, enum step step);
void client_settle(struct client *c, unsigned rcpt, struct client_outcome outcome);
void client_settle_all(struct client *c, struct client_outcome outcome);

/* Is the recipient still to get its verdict, and was RCPT said yes to? */
bool client_is_accepted(const struct client *c, unsigned rcpt);

/* client_auth.c: the connection is as secure as it will be, and the server is to know us. */
void client_auth_init(struct client *c);
void client_auth_done(struct client *c);
void client_auth_offered(struct client *c, struct slice mechanisms);
void client_auth_ask(struct client *c);
void client_send_auth(struct client *c, struct buf *out);
void client_on_auth(struct client *c, struct buf *out, unsigned rcpt);

/* A line of AUTH as others may see it. */
void client_show_auth(struct client *c, struct slice line);

/* client_steps.c: greeted, secured, known. */
void client_go_on(struct client *c, enum step behind);

/* client_steps.c: the first command of a message on a connection that is ready for one. */
void client_begin_message(struct client *c);

#endif
