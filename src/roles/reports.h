/*
 * reports.h - our own reports enter the queue here, as mail of a receiver that the courier is
 * itself: spool/in/255.
 *
 * The courier is the only writer and reader of that directory; everything else about it is as for
 * any receiver. It is made when the first report is.
 */
#ifndef ROLES_REPORTS_H
#define ROLES_REPORTS_H

#include "mail/bounce.h"
#include "queue/queue.h"
#include "queue/queue_in.h"

struct role;

enum { REPORTS_RECEIVER = 255 };

struct reports {
    struct role *role;
    struct queue *queue;
    struct disk_dir *spool;
    struct disk_dir *dir;
    struct queue_in *in; /* NULL: none was written yet */
    struct list waiting; /* requests under way */
    uint64_t told_segment, told_offset;
};

/* Embedded in who waits. */
struct report_request {
    void (*done)(struct report_request *r, int result); /* 0: it is durable */
    struct list link;
    struct queue_ticket put;
    struct draft draft;
    bool under_way;
};

void reports_init(struct reports *all, struct role *role, struct queue *queue,
                  struct disk_dir *spool);
void reports_done(struct reports *all); /* requests are forgotten */

/* What is to be told about the message to whom `fate` says; the content is read for it. 0: done()
 * follows, never from in here. -EADDRNOTAVAIL: nobody takes mail for its sender; or another
 * negative errno: none was made. */
int reports_send(struct reports *all, struct report_request *r, struct queue_message *about,
                 const struct bounce_rcpt *rcpts, unsigned count, enum bounce_fate fate);

/* In each round before the loop sleeps. */
void reports_flush(struct reports *all);
void reports_collect(struct reports *all);

/* Negative errno: a sync failed; end the role. */
int reports_broken(const struct reports *all);
bool reports_busy(const struct reports *all);

/* Is it one of ours? */
bool report_is_own(uint64_t id);

#endif
