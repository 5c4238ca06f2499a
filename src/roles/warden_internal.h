/*
 * warden_internal.h - the warden and its children, for the files of roles/warden only.
 */
#ifndef ROLES_WARDEN_INTERNAL_H
#define ROLES_WARDEN_INTERNAL_H

#include "base/event.h"
#include "base/fail.h"
#include "base/memory.h"
#include "guard/guard.h"
#include "ipc/channel.h"
#include "loop/signals.h"
#include "loop/tls.h"
#include "roles/drops.h"
#include "roles/inherited.h"
#include "roles/service.h"
#include "roles/sockets.h"
#include "roles/warden.h"

#include <sys/types.h>

struct child {
    struct warden *warden;
    enum role_kind kind;
    unsigned index;
    pid_t pid; /* 0: not running */
    struct channel channel;
    struct timer restart;
    uint64_t started_ms;
    unsigned backoff_ms;
    unsigned awaited; /* READYs, one for each START that it was given */
};

struct warden {
    const struct warden_options *options;
    struct net *net;
    struct clock *clock;
    struct loop *loop;
    struct signals signals;
    struct service service;
    struct inherited inherited;
    struct sealed_bundles bundles;
    struct guard guard;
    struct disk_dir *spool;
    struct list folders; /* opened, for the roles */
    int control;         /* where people's tools connect; negative: nowhere */
    struct timer control_again;
    struct disk_file *lock;
    struct timer lock_retry;
    uint64_t lock_deadline_ms;
    int status; /* of the program, once the loop has stopped */
    struct sockets sockets;
    struct child *children;
    size_t child_count;
    struct channel scribe;
    struct disk_file *tally; /* NULL: it could not be made */
    struct drops drops;
    size_t drops_turn; /* of the receivers */
    struct tls_ticket_keys ticket_keys;
    struct timer next_ticket_key;
    struct timer drain_deadline;
    size_t drain_stage; /* index into drain_order */
    bool draining;
    bool serving;    /* all roles do, under the settings that count */
    bool told_ready; /* they did once */
    bool asked;      /* the courier wants to know */
    bool told_waiting;
};

/* ---- warden.c: the lives of the children ---- */

/* "postroad/master" in the log. */
void warden_tell(struct warden *w, enum event_kind kind, struct slice text);
void warden_add_child(struct warden *w, enum role_kind kind, unsigned index);
void warden_start_child(struct child *c);

/* ---- warden_folders.c: whose is what in the file system ---- */

/* Before any role looks: one that finds half of it would end. 0 or a negative errno, told. */
int warden_make_spool(struct warden *w);
int warden_make_mailbox_roots(struct warden *w, const struct settings *settings);
void warden_send_folders(struct warden *w, struct child *c);
void warden_close_folders(struct warden *w);

/* ---- warden_hand.c: what they are handed ---- */

/* A child that did not get all it needs ends, as its channel does, and is started again. */
void warden_give(struct child *c, enum message_kind kind, struct slice body, struct disk_file *file,
                 int handle);
void warden_close_handle(struct warden *w, int handle);

/* Channels to all that it may talk to; the warden's own to the scribe. */
void warden_wire(struct warden *w, struct child *c);
void warden_wire_scribe(struct warden *w, struct child *scribe);

void warden_send_settings(struct warden *w, struct child *c);
void warden_send_listeners(struct warden *w, struct child *c);

/* People's tools talk to the courier. Without it (told) mail goes on, and it is tried again. */
void warden_open_control(struct warden *w);
void warden_on_control_again(struct timer *t);
void warden_send_control(struct warden *w, struct child *c);

/* Counts that the receivers share; without them nobody is limited. */
void warden_make_tally(struct warden *w);
void warden_send_tally(struct warden *w, struct child *c);

/* Its connections are gone with it. */
void warden_clear_gauges(struct warden *w, const struct child *dead);

/* A new key makes tickets from now on, the one before is still taken. */
void warden_make_ticket_key(struct warden *w);
void warden_send_ticket_keys(struct warden *w, struct child *c);
void warden_on_ticket_key(struct timer *t);

/* ---- warden_drops.c: mail that was left while nobody listened ---- */

void warden_keep_drops(struct warden *w);

/* ---- warden_reload.c: other settings ---- */

/* For who starts or is told from now on. 0 or a negative errno, told. */
int warden_seal(struct warden *w, const struct bundles *b, struct slice what);
void warden_reread_accounts(struct warden *w);

/* sockets_open(): those in the file system are for the group of the administrators, too. */
int warden_open_sockets(struct warden *w, const struct settings *settings,
                        const struct sockets *old, struct sockets *out);

/* All that is wrong changes nothing. */
void warden_reload(struct warden *w);

/* The courier hears what became of the reload that it asked for. */
void warden_tell_courier(struct warden *w, bool serves);

#endif
