/*
 * role.h - what every role has in common: its doors, its loop, its way to the warden and scribe.
 *
 * A role is one struct without static state, so that many of them can live in one test process.
 * It is made with its doors and its warden channel, is handed settings, listeners and peers by
 * messages, starts once everything is there, and ends when it drained or the warden is gone. When
 * it is handed settings and listeners once more, and a START behind them, it goes on with those.
 */
#ifndef ROLES_ROLE_H
#define ROLES_ROLE_H

#include "base/event.h"
#include "base/random.h"
#include "base/worker.h"
#include "config/settings.h"
#include "dns/resolver.h"
#include "http/fetch.h"
#include "ipc/channel.h"

#include <stdatomic.h>

/* Everything a role may use of the world. Real ones from role_doors_real(), fakes in tests. */
struct role_doors {
    struct clock *clock;
    struct random *random;
    struct disk *disk;
    struct net *net;
    struct worker *(*worker_new)(const struct role_doors *doors, unsigned threads,
                                 void (*wake)(void *ctx), void *ctx);
    /* NULL when there can be none (told). */
    struct resolver *(*resolver_new)(const struct role_doors *doors, struct loop *loop,
                                     const struct settings *settings);
    struct fetcher *(*fetcher_new)(const struct role_doors *doors,
                                   struct loop *loop);               /* the same */
    void (*log)(const struct role_doors *doors, struct slice lines); /* where the scribe writes */
    uint64_t segment_size; /* of the queue's journals; 0: the usual */
    size_t sessions_max;   /* of a receiver; 0: what its descriptors allow */
    unsigned offers;       /* enum ehlo_keyword that every listener has besides: the simulator's
                              clients do not log in */
};

struct role;

/* What a role does at the turns of its life; all are called from its own loop. */
struct role_calls {
    int (*start)(struct role *r); /* settings are there; 0 or negative errno: the role ends */
    /* NULL: whoever asks r->settings sees the new ones, and that is all. Else r->settings are the
     * new ones now; what was begun under `old` may hold them. Listeners follow. As start(). */
    int (*reload)(struct role *r, const struct settings *old);
    void (*peer)(struct role *r, enum role_kind kind, unsigned index, int handle);
    void (*listen)(struct role *r, unsigned number, int handle);
    void (*ticket_keys)(struct role *r, struct slice keys); /* NULL: no TLS for others */
    void (*tally)(struct role *r, struct disk_file *file);  /* closed behind it; NULL: no need */
    /* NULL: nothing needs to be done. The tables of the settings have other accounts now. */
    void (*accounts)(struct role *r);
    /* NULL: this role does not ask for a reload. What became of it: it serves, or nothing has
     * changed. */
    void (*reloaded)(struct role *r, bool serves);
    /* NULL: nobody hands it mail that was left; roles/pickup.h. The file is its own. */
    void (*dropped)(struct role *r, struct slice what, struct disk_file *file);
    void (*drain)(struct role *r); /* finish what runs, then role_end() */
    void (*before_sleep)(struct role *r);
    void (*done)(struct role *r); /* release what the role owns, not the role itself */
};

enum { ROLE_PENDING_MAX = 256, ROLE_EVENTS_MAX = 48 * 1024, ROLE_FAILURES_MAX = 64 };

struct failure;

struct role_pending {
    enum message_kind kind; /* MESSAGE_PEER or MESSAGE_LISTEN */
    enum role_kind peer;
    unsigned index;
    int handle;
};

struct role {
    enum role_kind kind;
    unsigned index; /* which receiver; 0 for the others */
    const struct role_doors *doors;
    const struct role_calls *calls;
    struct loop *loop;
    struct worker *worker;
    struct channel warden;
    struct channel scribe;
    struct settings *settings; /* the ones that count now */
    struct settings *next;     /* handed over, they count from the next START on; NULL: none */
    struct list older;         /* settings that somebody holds still */
    struct list folders;       /* that were handed over, and nobody took yet */
    unsigned receivers;        /* how many of them there are */
    struct buf events;         /* of this round, for the scribe */
    uint64_t events_in_buf;    /* without gap marks */
    uint64_t gap_in_buf;       /* lost events that its gap marks tell of */
    uint64_t events_lost;      /* since the last gap mark */
    struct failure *_Atomic failures; /* told by any thread, newest first */
    atomic_uint failures_waiting;
    _Atomic uint64_t failures_lost;                /* did not fit */
    struct role_pending pending[ROLE_PENDING_MAX]; /* handed over before the start */
    unsigned pending_count;
    bool started;
    bool draining;
    int failed; /* negative errno that ends the role */
};

/* `r` is embedded in the role's own struct. worker_threads 0: this role needs none. */
void role_init(struct role *r, enum role_kind kind, unsigned index, const struct role_doors *doors,
               const struct role_calls *calls, unsigned worker_threads, int warden_handle);
void role_done(struct role *r);

/* An event of this role, under the syslog name `tag`; finish it with event_end(). Sent before
 * the loop sleeps; dropped and counted when the scribe does not keep up. */
struct event_writer role_event(struct role *r, enum event_kind kind, struct slice tag);
void role_event_end(struct role *r, struct event_writer *w);

/* An address as text, "" for the null reverse-path. */
void role_event_address(struct event_writer *w, enum event_field field, const struct address *a);

/* "warning: TEXT" in the log. */
void role_warn(struct role *r, struct slice tag, struct slice text);

/* A sink for fail_set_sink(), ctx is the role: from any thread; the loop tells it to the scribe. Up
 * to ROLE_FAILURES_MAX wait, more are counted as lost events. */
void role_tell_failure(void *ctx, int code, const char *operation, struct slice name);

/* channel_open() to a peer, by its handle. Without it nobody would ever make another, since both
 * live: if it cannot be had, the role ends, and the warden makes all of its channels anew. */
void role_meet(struct role *r, struct channel *c, int handle, enum role_kind peer,
               void (*on_message)(struct channel *, enum message_kind, struct slice,
                                  struct disk_file *, int),
               void (*on_closed)(struct channel *));

/* First thing in on_closed of such a channel. Ends the role as well when the fault was ours. */
void role_parted(struct role *r, const struct channel *c);

/* The folder that the warden handed over under this path, the caller's from now on; false: it did
 * not. At the start and at a reload; what is not taken then is closed. */
bool role_take_folder(struct role *r, struct slice path, struct disk_dir **out);

/* The same, or the one that is there, made if it is missing: for those who could make it. 0 or a
 * negative errno. */
int role_folder(struct role *r, struct slice path, struct disk_dir **out);

/* Ends the loop after this round. code: 0, or the negative errno that is the reason. */
void role_end(struct role *r, int code);

/* The constructors; each returns its embedded struct role. role_free() calls the role's done. */
struct role *receiver_new(const struct role_doors *doors, unsigned index, int warden_handle);
struct role *courier_new(const struct role_doors *doors, int warden_handle);
struct role *postman_new(const struct role_doors *doors, int warden_handle);
struct role *vault_new(const struct role_doors *doors, int warden_handle);
struct role *scribe_new(const struct role_doors *doors, int warden_handle);
void role_free(struct role *r);

/* The life of a role's process: real doors, the warden at descriptor `warden_fd`. Returns the
 * exit status. */
int role_main(enum role_kind kind, unsigned index, int warden_fd);

#endif
