/*
 * bounce.h - reports of what became of recipients: who is owed one, and the message.
 *
 * RFC 3461 5 and 6, RFC 5321 4.5.5 and 6.1; the form is wire/report's. Pure: the courier says what
 * happened, gets a fate for each recipient, gathers those with the same fate into one report, and
 * queues it. Nothing here is remembered, so whoever calls takes care that nothing is told twice.
 *
 * The report's own envelope: sender <>, one recipient (the sender of the message, or postmaster)
 * with NOTIFY=NEVER, no RET, no ENVID (RFC 3461 6.2); SMTPUTF8 and BODY as bounce_write() says;
 * REQUIRETLS where the message wants it (RFC 8689 5).
 */
#ifndef MAIL_BOUNCE_H
#define MAIL_BOUNCE_H

#include "mail/envelope.h"

enum bounce_event {
    BOUNCE_FAILED,    /* for good */
    BOUNCE_DELAYED,   /* it is still tried; the warning is due */
    BOUNCE_DELIVERED, /* into the mailbox */
    BOUNCE_RELAYED,   /* to a server that does not offer DSN: no more will be heard */
};

enum bounce_limits {
    BOUNCE_HEADER_MAX = 32 * 1024, /* of the message's header that comes back */
    BOUNCE_FULL_MAX = 64 * 1024,   /* of a message that comes back whole */
    BOUNCE_MAX = 8 * 1024 * 1024,  /* of a report: `out` needs no more */
};

/* Does the sender want to hear of that? Never with the null reverse-path. NOTIFY, RFC 3461 4.1; not
 * said: failures and delays. BY= with N wants to hear of a delay and of the next hop, with T of the
 * next hop, unless NOTIFY=NEVER; RFC 2852 4. `rcpt` is an index in the envelope. */
bool bounce_is_owed(const struct envelope *e, unsigned rcpt, enum bounce_event event);

enum bounce_fate { BOUNCE_SILENT, BOUNCE_TO_SENDER, BOUNCE_TO_POSTMASTER };

/* Who is told. Mail from <> is nobody's, but for a report of our own that fails for good: then
 * postmaster gets a notice, and when that fails, or postmaster's report did, nobody.
 * `our_own_report`: e is a report or a notice of bounce_write()'s. */
enum bounce_fate bounce_fate(const struct envelope *e, unsigned rcpt, enum bounce_event event,
                             bool our_own_report, const struct address *postmaster);

struct bounce_rcpt {
    unsigned rcpt; /* index in the envelope */
    enum bounce_event event;
    struct slice status;     /* "5.1.1"; "" or a wrong class: x.0.0 */
    struct slice remote_mta; /* name of the server that decided; "": nobody did */
    struct slice reply;      /* its reply, raw, with the code: "550 5.1.1 no\n5.1.1 here"; or what
                                we say of it, without a code: "connection timed out" */
    uint64_t tried_us;       /* wall clock, the last attempt; 0: not said */
    uint64_t retry_until_us; /* BOUNCE_DELAYED; 0: not said */
};

/* Everything is borrowed. */
struct bounce_input {
    const struct envelope *about;
    const struct bounce_rcpt *rcpts;  /* all of one fate, any mix of events */
    unsigned count;                   /* 1 to about->rcpt_count */
    const struct address *postmaster; /* BOUNCE_TO_POSTMASTER: whose it is; NULL: to the sender */
    struct slice hostname;
    struct slice unique; /* 8-40 letters and digits; the same for a report that is written again */
    uint64_t now_us;
    int utc_offset_min;
    struct slice content;  /* the message from its start: BOUNCE_FULL_MAX bytes, or all of it */
    uint64_t content_size; /* of the whole message */
};

/* Appends the report, header and body, strict CRLF. False, and out unchanged, when it does not fit;
 * with BOUNCE_MAX bytes of room it does. *smtputf8: it must be sent with SMTPUTF8; *eight_bit: with
 * BODY=8BITMIME.
 *
 * The message comes back whole with RET=FULL when a failure is told of, and to postmaster; else,
 * and where it is too large or MIME cannot carry it, or wants REQUIRETLS, its header does. RFC 3461
 * 4.3, RFC 8689 5. */
bool bounce_write(struct buf *out, const struct bounce_input *in, bool *smtputf8, bool *eight_bit);

/* The header at the start of a message, without the empty line, cut behind the last whole field
 * within BOUNCE_HEADER_MAX. A start that is not the whole message is longer than that. */
struct slice bounce_header_of(struct slice start);

#endif
