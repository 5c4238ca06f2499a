/*
 * control_internal.h - what control.c, control_acts.c and control_filter.c share.
 */
#ifndef ROLES_CONTROL_INTERNAL_H
#define ROLES_CONTROL_INTERNAL_H

#include "base/cursor.h"
#include "ipc/control.h"
#include "loop/listener.h"
#include "loop/stream.h"
#include "roles/control.h"
#include "roles/role.h"
#include "roles/way.h"

struct caller;

/* What happens to a message that was asked for. False: nothing; it does not count. */
typedef bool act_fn(struct caller *c, struct queue_message *m);

struct control_act {
    struct slice word;
    act_fn *run;
    bool chooses; /* a request that names nothing means nothing */
    bool takes;   /* it wants what waits, claimed */
    bool keeps;   /* and takes it over */
};

struct filter {
    bool named; /* by `ids`, "A,B,C", those that are left; else it is a walk */
    struct slice ids;
    struct slice from, user, to, domain, status, reason;
    uint64_t older_ms;
    uint64_t limit;
};

struct caller {
    struct list link;
    struct control *control;
    struct stream stream;
    struct arena arena;            /* of the request */
    struct arena scratch;          /* of one message */
    const struct control_act *act; /* NULL: no walk is under way */
    struct filter filter;
    struct queue_walk *walk; /* NULL: it named messages */
    bool still;              /* the queue keeps still for it */
    uint64_t count;
    uint64_t since_ms;             /* when the act was asked for */
    struct queue_message *content; /* that is shown whole; NULL: none */
    uint64_t content_at;
    bool reloading; /* until the new settings serve */
    bool recording; /* all is done, and not yet durable */
    bool marked;    /* it is when the queue reaches `mark` */
    uint64_t mark;
    struct parcel_watch acted; /* parcels of its acts */
    bool finishing;            /* it hears no more than what `out` holds */
    uint64_t touched_ms;       /* when it last got on */
    struct timer deadline;
};

struct control {
    struct role *role;
    struct queue *queue;
    struct parcels *parcels;
    struct pauses *pauses;
    struct outbound *outbound;
    struct listener listener;
    struct list callers;
    unsigned caller_count;
};

/* ---- control_acts.c ---- */

/* NULL: there is no such act. */
const struct control_act *control_act_named(struct slice word);
act_fn act_list, act_retry;

/* Every pause, before a list. */
void control_tell_pauses(struct caller *c);
void control_tell_pause(struct caller *c, const struct pause *pause);
struct slice control_status(struct caller *c, const struct queue_message *m, unsigned i);

/* ---- control_filter.c ---- */

/* NULL: it was read; else what is wrong. must_choose: it is no request for all messages. */
const char *control_filter_read(const struct control_line *line, bool must_choose,
                                struct filter *f);
bool control_filter_fits(struct caller *c, const struct queue_message *m);

/* The next of the ids that are left. */
bool control_take_id(struct slice *ids, uint64_t *id);

#endif
