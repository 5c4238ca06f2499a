/*
 * parcel.h - one claimed message under way, and what becomes of each of its recipients.
 *
 * Who tries a recipient says here how it went: it is told to the log, recorded in the queue, and
 * when the sender is to know (RFC 3461), reported. An outcome that a report tells is recorded only
 * when the report is durable (roles/reports): at worst it comes twice, never not at all.
 *
 * A parcel lives as long as somebody holds it; then its message goes back to the queue.
 */
#ifndef ROLES_PARCEL_H
#define ROLES_PARCEL_H

#include "mail/relay.h"
#include "mail/rules.h"
#include "queue/queue.h"
#include "roles/reports.h"

/* How an attempt went. Texts are borrowed. */
struct verdict {
    struct slice tag;   /* the syslog name: local, lmtp, smtp */
    struct slice relay; /* where it went: "mx1.example.net[192.0.2.1]:25", "local", "none" */
    struct slice dsn;   /* "2.0.0", RFC 3463 */
    struct slice text;  /* for the log and for who asks: the reply and whose, or our own words */
    struct slice reply; /* the reply alone, raw, with its code; "": there was none */
    struct slice remote_mta; /* who replied; "": nobody did */
    struct slice tls;        /* "TLSv1.3", "TLSv1.3/verified"; "": in the clear */
    struct slice route;      /* every host of the route, and what became of it; "": there is none */
};

/* How far the mail came. */
enum sent {
    SENT_HOME,    /* into the mailbox */
    SENT_ON,      /* to a server that gives no reports */
    SENT_ON_TOLD, /* to one that reports what becomes of it */
};

/* For who started parcels and wants to know when all of them have ended. */
struct parcel_watch {
    unsigned open;
    unsigned undone; /* recipients whose report could not be written: they stay in the queue */
};

struct parcels {
    struct role *role;
    struct queue *queue;
    struct reports *reports;
    struct list open;
    size_t count;
};

struct parcel {
    struct list link;
    struct parcels *all;
    struct queue_message *message;
    uint64_t began_ms;
    unsigned holds;
    struct list events; /* that the report tells */
    unsigned event_count;
    struct report_request report;
    struct parcel_watch *watch; /* NULL: nobody's */
    bool way_is_proved;         /* nobody but the configuration, or DNSSEC, says where it goes */
};

void parcels_init(struct parcels *all, struct role *role, struct queue *queue,
                  struct reports *reports);

/* Gives all messages back; what was under way is forgotten. */
void parcels_done(struct parcels *all);

/* Takes the message over; held once, by the caller. */
struct parcel *parcel_new(struct parcels *all, struct queue_message *message);
void parcel_hold(struct parcel *p);

/* The watch is told of its end, unless it is forgotten before. */
void parcel_be_watched(struct parcel *p, struct parcel_watch *watch);
void parcels_forget_watch(struct parcels *all, const struct parcel_watch *watch);
void parcel_drop(struct parcel *p);

/* One of them for each due recipient. */
void parcel_sent(struct parcel *p, unsigned rcpt, enum sent how, const struct verdict *v);
void parcel_discarded(struct parcel *p, unsigned rcpt, const struct verdict *v);
void parcel_deleted(struct parcel *p, unsigned rcpt, const struct verdict *v); /* nobody hears */
void parcel_failed(struct parcel *p, unsigned rcpt, bool report, const struct verdict *v);

/* Later again, unless that was the last time. */
void parcel_deferred(struct parcel *p, unsigned rcpt, const struct retry_plan *plan, bool report,
                     const struct verdict *v);

/* `rule` holds it until a person lets it go. Nothing was tried. */
void parcel_held(struct parcel *p, unsigned rcpt, const struct rule *rule);

/* Nothing was tried. */
void parcel_postponed(struct parcel *p, unsigned rcpt, uint64_t in_ms);

#endif
