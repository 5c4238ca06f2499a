/*
 * report.h - delivery status notifications: what became of a message, for its sender.
 *
 * RFC 3461 6, RFC 3462/6522 multipart/report, RFC 3464, RFC 6533 for addresses in UTF-8. Three
 * parts: words for a person, fields for a program, and the message or its header. Everything in
 * it may be hostile: replies of remote servers and the message's own header included; no value
 * leaves its field or its part, no line is longer than 998 bytes. Pure: time and chance are passed
 * in.
 */
#ifndef WIRE_REPORT_H
#define WIRE_REPORT_H

#include "wire/address.h"

#include <stdint.h>

enum report_action {
    REPORT_FAILED,
    REPORT_DELAYED,   /* it is still tried */
    REPORT_DELIVERED, /* into the mailbox */
    REPORT_RELAYED,   /* to a server that gives no such reports */
    REPORT_EXPANDED,  /* to the members of a list, who are not reported */
};

struct report_rcpt {
    enum report_action action;
    struct slice original; /* ORCPT, decoded: "rfc822;bob@b.example"; "" when there was none */
    struct address final;
    struct address given;    /* as the sender wrote it, when `final` is another; or ADDRESS_NULL */
    struct slice status;     /* "5.1.1", RFC 3463; what does not fit the action is not said */
    struct slice remote_mta; /* name of the server that said so; "": nobody did */
    struct slice reply;      /* what it said, raw: "550 5.1.1 no such user"; or our own words
                                without a code, of that server */
    uint64_t tried_us;       /* wall clock; 0: never */
    uint64_t retry_until_us; /* REPORT_DELAYED; 0: not known */
};

/* Everything is borrowed. */
struct report {
    struct slice hostname; /* ours */
    struct slice unique;   /* 8-40 letters and digits, for Message-ID and boundary */
    uint64_t date_us;
    int utc_offset_min;
    struct address to;  /* the sender of the message; ADDRESS_NULL: our postmaster */
    bool to_postmaster; /* it is about a report of ours that could not be delivered */
    struct slice queue_id;
    struct slice envid; /* decoded; "" when there was none */
    uint64_t arrival_us;
    struct slice release; /* what was asked for, RFC 4865 5: "for;3600"; "": to go at once */
    const struct report_rcpt *rcpts;
    unsigned rcpt_count; /* at least 1 */
    struct slice header; /* of the message, without the empty line */
    struct slice body;   /* of the message, when `full` */
    bool full;           /* RET=FULL: the message comes back whole, if report_can_return() */
    bool utf8; /* SMTPUTF8 is there all the way: UTF-8 goes as it is, else it is encoded */
};

/* Must it be sent with SMTPUTF8? Then set `utf8`. Only who gets it decides: whoever has a plain
 * address may have a server that takes plain mail only. RFC 6533 4.5. */
bool report_needs_utf8(const struct report *r);

/* Can the message go back whole? Its lines end with CRLF, none is too long, none looks like a
 * delimiter of the report, and there is no NUL. */
bool report_can_return(const struct report *r);

/* Appends the whole report, header and body, strict CRLF. False, and out unchanged, when it does
 * not fit. */
bool report_write(struct buf *out, const struct report *r);

#endif
