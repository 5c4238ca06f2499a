/*
 * event.h - one typed event for every thing worth telling.
 *
 * A role builds an event field by field into its outgoing buffer; the scribe reads it and
 * renders log lines (wire/log_line) and history from it. Values are raw bytes, hostile ones
 * included: escaping is the renderer's duty and happens nowhere else.
 *
 *     struct event_writer w = event_begin(out, EVENT_REJECT, clock_wall_us(clock));
 *     event_text(&w, FIELD_QUEUE_ID, id);
 *     event_number(&w, FIELD_CODE, 550);
 *     event_end(&w);
 *
 * Encoded: u32 length of what follows, u16 kind, u64 wall time in us, u64 pid of the writer,
 * then fields {u8 name, u32 length, bytes}; numbers are 8 bytes little-endian.
 */
#ifndef BASE_EVENT_H
#define BASE_EVENT_H

#include "base/buf.h"
#include "base/cursor.h"

#include <stdint.h>

enum event_kind {
    EVENT_CONNECT = 1, /* client_name, client_address */
    EVENT_DISCONNECT,  /* the same, and counts as text: "ehlo=1 mail=2 ..." */
    EVENT_CLIENT, /* queue_id, client, tls, user, name: by which mechanism, orig_id, orig_client: a
                     message begins */
    EVENT_MESSAGE_ID, /* queue_id, message_id */
    EVENT_QUEUED,     /* queue_id, sender, size, nrcpt: durable, 250 is on its way */
    EVENT_REJECT,     /* stage, code, enhanced, text, sender, rcpt, proto, helo */
    EVENT_ATTEMPT,    /* queue_id, rcpt, orig_rcpt, relay, delays, dsn, status, text */
    EVENT_REMOVED,    /* queue_id */
    EVENT_WARNING,    /* text, with client when there is one */
    EVENT_FAILURE,    /* operation, name, code: an operating failure, from fail.h */
    EVENT_ROLE,       /* role, text: started, ended, restarted */
    EVENT_LOST,       /* count: events that were dropped before this one */
    EVENT_BROKEN,     /* client, stage, text: "timeout" or "lost connection" after the stage */
    EVENT_REPORT,     /* queue_id, name: the queue id of our report about it */
    EVENT_NO_LOGIN,   /* client, name: the mechanism, user: who was tried, text: why not */
    EVENT_ETRN, /* name: the node, with client: it was asked for; or count of messages that go */
    EVENT_HELD, /* queue_id, client, sender, rcpt, proto, helo, rule: it waits for a person */
    EVENT_REWRITTEN, /* queue_id, sender: as it was, name: as it is now, rule */
    EVENT_PICKUP,    /* queue_id, user: the number of whose program it was, sender */
};

enum event_field {
    FIELD_ROLE = 1,       /* text: the syslog name: smtpd, qmgr, local, warden ... */
    FIELD_QUEUE_ID,       /* text, 12 characters */
    FIELD_CLIENT_NAME,    /* text, "unknown" when not looked up */
    FIELD_CLIENT_ADDRESS, /* text, without brackets */
    FIELD_HELO,           /* text */
    FIELD_PROTO,          /* text: SMTP, ESMTP, LMTP */
    FIELD_SENDER,         /* text, "" for the null reverse-path */
    FIELD_RCPT,           /* text, the final recipient */
    FIELD_ORIG_RCPT,      /* text, as the client gave it, only when different */
    FIELD_NRCPT,          /* number */
    FIELD_SIZE,           /* number, bytes */
    FIELD_MESSAGE_ID,     /* text */
    FIELD_STAGE,          /* text: CONNECT, EHLO, MAIL, RCPT, DATA ... */
    FIELD_CODE,           /* number: reply code, or errno of EVENT_FAILURE */
    FIELD_ENHANCED,       /* text: 5.1.1 */
    FIELD_TEXT,           /* text */
    FIELD_RELAY,          /* text: where an attempt went */
    FIELD_DELAY_US,       /* number: since arrival */
    FIELD_DELAY_QUEUE_US, /* number: arrival until this attempt began */
    FIELD_DELAY_SEND_US,  /* number: the attempt itself */
    FIELD_STATUS,         /* text: sent, deferred, bounced, discarded */
    FIELD_RULE,           /* text: the configuration line that decided, FILE:LINE */
    FIELD_OPERATION,      /* text */
    FIELD_NAME,           /* text */
    FIELD_COUNT,          /* number */
    FIELD_TLS,            /* text: TLSv1.3/TLS_AES_256_GCM_SHA384, absent in the clear */
    FIELD_ROUTE,   /* text: 10:mx1.example/20:mx2.example(no-address); where there is a choice */
    FIELD_USER,    /* text: the account that logged in, or was tried */
    FIELD_ORIG_ID, /* text: the queue id that the client had for it, as XFORWARD says */
    FIELD_ORIG_CLIENT, /* text: from whom the client had it: name[192.0.2.1] */
    FIELD_MAX,         /* one behind the last */
};

enum {
    EVENT_TEXT_MAX = 4096,     /* a longer text is cut */
    EVENT_LEN_MAX = 64 * 1024, /* of an encoded event */
    EVENT_KIND_MAX = EVENT_PICKUP,
};

struct event_writer {
    struct buf *out;
    size_t start; /* of the event in out */
    bool whole;   /* false once something did not fit */
};

/* Until event_end() nothing else may touch out. A field's name says whether it takes a text or
 * a number. */
struct event_writer event_begin(struct buf *out, enum event_kind kind, uint64_t wall_us);
void event_text(struct event_writer *w, enum event_field field, struct slice text);
void event_number(struct event_writer *w, enum event_field field, uint64_t number);

/* False when the event did not fit: out is as it was before event_begin(). */
bool event_end(struct event_writer *w);

struct event {
    enum event_kind kind;
    uint64_t wall_us;
    uint64_t pid;
    bool has[FIELD_MAX];
    struct slice text[FIELD_MAX]; /* borrowed from the encoded bytes */
    uint64_t number[FIELD_MAX];
};

/* Takes one event from the cursor; false (nothing taken) when the bytes are not one. A later field
 * of the same name replaces an earlier one; unknown names are skipped. */
bool event_parse(struct cursor *c, struct event *out);

#endif
