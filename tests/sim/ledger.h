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
    SENT_SERVERS = 3,
    SENT_DOMAINS = 4,    /* the last one shares the server of the first */
    SENT_HAS_BACKUP = 2, /* this domain has the server before its own, too */
    BODY_MAX = 300 * 1024,
    HOLD_FOR_MAX_S = 3600
};

/* How long a thing that was done is not yet noted durably: the outcome is synced within 100 ms of
 * virtual time, the sync takes a worker's turn, the reply its way. A crash later than that explains
 * nothing. */
#define IN_FLIGHT_US UINT64_C(1000000)

enum sent_fate {
    FATE_MAILDIR,
    FATE_DISCARD,
    FATE_REJECT,
    FATE_RELAY,  /* to another server */
    FATE_BOUNCE, /* that server refuses it: the sender gets a report */
    FATE_LOOP,   /* that server brings it back: the sender gets a report */
};

/* NOTIFY of RFC 3461. */
enum sent_wish { WISH_UNSAID, WISH_NEVER, WISH_FAILURE, WISH_DELAY, WISH_SUCCESS, WISH_COUNT };

/* Something that is to come once. */
struct coming {
    unsigned count;
    uint64_t last_us;
    unsigned doubts; /* crashes and lost answers that left open whether it came, or will: after each
                        of them, once more is nobody's fault */
    bool doubted;    /* ever */
};

enum sent_report { REPORT_OF_FAILURE, REPORT_OF_DELAY, REPORT_OF_SUCCESS, SENT_REPORTS };

struct sent_rcpt {
    unsigned user; /* of SENT_USERS; when it is elsewhere, of SENT_DOMAINS */
    enum sent_fate fate;
    enum sent_wish wish;
    bool by_alias;      /* "a3", which stands for u3 */
    bool accepted;      /* 250 to RCPT was read, or it was left for him */
    bool refused;       /* 5yz to RCPT was read: nothing is left for him */
    unsigned copies;    /* found in a Maildir in the end (check.c) */
    struct coming mail; /* elsewhere: what came there (servers.c) */
    struct coming reports[SENT_REPORTS];
    struct coming notices; /* to postmaster, that a report of a failure could not be delivered */
    bool untold;           /* a crash may have taken what the log says of it */
    bool unheard;          /* elsewhere: a copy was taken, and that was perhaps never heard */
    uint64_t refused_us;   /* the last 5yz to it; 0: none */
    uint64_t tried_us;     /* the first attempt that somebody noticed; 0: none yet */
    uint64_t warn_us;      /* since then a report of the delay is owed; 0: none is */
    uint64_t given_up_us;  /* when the log said that it has failed; 0: it did not */
};

struct sent {
    unsigned number;
    size_t size; /* of the body */
    unsigned rcpt_count;
    struct sent_rcpt rcpts[SENT_RCPTS_MAX];
    uint32_t hold_for_s;  /* HOLDFOR: not earlier than that; 0: at once */
    uint64_t whole_us;    /* when the end of the body left */
    bool submitted;       /* by somebody who is known: he tries again when he hears no 250 */
    bool left;            /* in the drop folder, or perhaps: who is refused is told by a report */
    unsigned tries;       /* the end of the body has left so often */
    bool from_nobody;     /* MAIL FROM:<> */
    bool deaf;            /* its sender takes no reports */
    uint64_t deafened_us; /* the last time that his server refused one */
    bool in_hand;         /* a person did something with it */
    bool held;            /* a person was told that it is held, and nobody released it since */
    bool deleted;         /* a person was told that it is gone */
    bool perhaps_deleted; /* a person was told nothing */
    bool whole;           /* the end of the body may have left */
    bool acked;           /* 250 to the body was read */
    uint64_t acked_us;
    char id[16]; /* as told with the 250 */
};

struct ledger {
    struct sent sent[SENT_MAX];
    unsigned count;
    unsigned acked;
    uint64_t wall_set_us; /* when the clock on the wall was last set; 0: never */
    bool disk_errors;     /* what a courier had to note could not always be written */
};

/* NULL: full. One that is submitted has a sender, who wants to hear of its failure. */
struct sent *ledger_add(struct ledger *l, struct random *chance, bool submitted);

/* One that will be left; some of these are from nobody, and for here only. */
struct sent *ledger_add_left(struct ledger *l, struct random *chance);

/* Those who are refused, when it is picked up; and does its sender want to hear of one of them? If
 * not, it is set aside. */
unsigned sent_refused(const struct sent *s, bool *wanted);

/* As it travels before dot-stuffing: lines with CRLF; and as it travels, to its end. */
void sent_body(const struct sent *s, struct buf *out);
void sent_dotted(const struct sent *s, struct buf *out);

/* "MAIL FROM:<m17@client.example> SIZE=..." and "RCPT TO:<...> NOTIFY=...", with CRLF. */
void sent_mail_command(const struct sent *s, struct buf *out);
void sent_rcpt_command(const struct sent_rcpt *r, struct buf *out);

/* Its sender wants it held for longer, and nothing that happened lets it go before. A clock on the
 * wall that is set may: a courier that starts believes it. */
bool sent_is_early(const struct ledger *l, const struct sent *s, uint64_t now_us);

/* "m17@client.example": the sender's address names the message wherever it turns up. "x17" does
 * not take reports. "" of one from nobody, which its Subject names. */
void sent_sender(const struct sent *s, struct buf *out);

/* The message of that sender, or else of that content; NULL: none. */
struct sent *ledger_from(struct ledger *l, struct slice sender, struct slice content);

void sent_rcpt_address(const struct sent_rcpt *r, struct buf *out);
struct sent_rcpt *sent_rcpt_called(struct sent *s, struct slice address);
const char *sent_wish_name(enum sent_wish wish); /* a value of NOTIFY; NULL: unsaid */

/* Is it the sender's wish to be told of that? */
bool sent_wants(const struct sent *s, const struct sent_rcpt *r, enum sent_report report);

/* It came. False: once more than it should have, without a reason. */
bool coming_came(struct coming *c, uint64_t now_us, bool answered);
void coming_doubt(struct coming *c);

/* More than one copy of a mail in a loop may be on its way. */
void ledger_doubt_loop(struct sent_rcpt *r);

/* The courier died, or the machine: what happened since that time was in flight and may come again.
 */
void ledger_crash(struct ledger *l, uint64_t since_us);

/* Elsewhere: it came there, or it is known to have failed by whoever was to know. */
bool sent_is_settled(const struct sent *s, const struct sent_rcpt *r);

/* The first acknowledged message that is not done with elsewhere; NULL: there is none. */
const struct sent *ledger_unsettled(const struct ledger *l);

/* "far1.example"; SENT_DOMAINS: that of the senders. */
void ledger_domain(unsigned number, char *out, size_t size);

/* The Maildir of a user, below the root: "/mail/sim.example/u3". */
void ledger_maildir(unsigned user, char *out, size_t size);

#endif
