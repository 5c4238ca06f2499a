/*
 * ledger.h - what was sent, by whom, and what the server said to it.
 *
 * Kept on the clients' side, outside of the simulated machine: nothing of the product is asked.
 * A body is a function of its number, so it is made again wherever it is compared.
 */
#ifndef SIM_LEDGER_H
#define SIM_LEDGER_H

#include "base/buf.h"
#include "base/random.h"

enum {
    SENT_MAX = 512,
    SENT_RCPTS_MAX = 3,
    SENT_USERS = 6,
    SENT_DOMAINS = 3,
    BODY_MAX = 300 * 1024
};

enum sent_fate {
    FATE_MAILDIR,
    FATE_DISCARD,
    FATE_REJECT,
    FATE_RELAY,  /* to another server */
    FATE_BOUNCE, /* that server refuses it: the sender gets a report */
};

struct sent_rcpt {
    unsigned user; /* of SENT_USERS; when it is elsewhere, of SENT_DOMAINS */
    enum sent_fate fate;
    bool by_alias;     /* "a3", which stands for u3 */
    bool accepted;     /* 250 to RCPT was read */
    unsigned copies;   /* found in the end (check.c), or that came there (servers.c); of reports */
    uint64_t taken_us; /* elsewhere: the last copy */
    uint64_t refused_us; /* the same, where it is refused */
    bool unanswered;     /* it was perhaps not heard, or not kept, that a copy was taken */
};

struct sent {
    unsigned number;
    size_t size; /* of the body */
    unsigned rcpt_count;
    struct sent_rcpt rcpts[SENT_RCPTS_MAX];
    bool whole;  /* the end of the body may have left */
    bool acked;  /* 250 to the body was read */
    char id[16]; /* as told with the 250 */
};

struct ledger {
    struct sent sent[SENT_MAX];
    unsigned count;
    unsigned acked;
};

/* NULL: full. */
struct sent *ledger_add(struct ledger *l, struct random *chance);

/* As it travels before dot-stuffing: lines with CRLF. */
void sent_body(const struct sent *s, struct buf *out);

/* "m17@client.example": the sender's address names the message wherever it turns up. */
void sent_sender(const struct sent *s, struct buf *out);
bool ledger_number(struct slice sender, unsigned *number);

void sent_rcpt_address(const struct sent_rcpt *r, struct buf *out);

/* "far1.example"; SENT_DOMAINS: that of the senders. */
void ledger_domain(unsigned number, char *out, size_t size);

/* The Maildir of a user, below the root: "/mail/sim.example/u3". */
void ledger_maildir(unsigned user, char *out, size_t size);

#endif
