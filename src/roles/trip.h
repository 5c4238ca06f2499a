/*
 * trip.h - one connection to a destination, for as many of its messages as it takes.
 *
 * Hops are tried in their order until one takes the mail (RFC 5321 5.1). The owner gives messages
 * and is told when there is room for the next.
 */
#ifndef ROLES_TRIP_H
#define ROLES_TRIP_H

#include "roles/cargo.h"
#include "roles/parcel.h"
#include "roles/pass.h"
#include "roles/remote.h"

/* Where a trip may go: copied, routes change. */
struct trip_hop {
    char name[256]; /* of the host */
    uint8_t name_len;
    struct net_address address;
    const char *path; /* of a socket in the file system, the destination's; or NULL */
};

enum { TRIP_HOPS_MAX = 8, TRIP_HOP_TEXT_MAX = 350 };

/* Of an MX group; borrowed, outlives its trips. */
struct trip_manner {
    struct role *role;
    struct slice hostname;   /* who we are, whatever we call ourselves there */
    struct disk_dir *spool;  /* for conversions */
    struct bearers *bearers; /* for tokens of the relay's user */
    enum client_protocol protocol;
    const struct relay *relay; /* NULL: LMTP */
    unsigned slot;             /* of the relay's sources */
    struct slice ehlo;
    const struct retry_plan *retry;
    bool report;       /* to senders */
    struct slice tag;  /* in the log */
    struct slice told; /* the hosts, and what became of each */
    struct tls_context *tls;
};

enum trip_news {
    TRIP_WELL,   /* a message was taken or refused in a sane dialog */
    TRIP_BADLY,  /* no hop answered, or the connection broke */
    TRIP_FREE,   /* it waits: trip_take() another message, or leave it */
    TRIP_UNUSED, /* the message could not go this way; as TRIP_FREE, but trip_take() only later */
    TRIP_ENDED,  /* the owner frees it */
};

struct trip {
    struct list link; /* the owner's */
    const struct trip_manner *manner;
    /* May give a message at TRIP_FREE, and must trip_free() at TRIP_ENDED. `why`, in the words of
     * the log, at TRIP_BADLY. */
    void (*on_news)(struct trip *t, enum trip_news news, struct slice why);
    struct trip_hop hops[TRIP_HOPS_MAX];
    unsigned hop_count, hop; /* hops[hop] is tried now */
    bool all_refused;        /* every hop so far said 5yz before it knew the mail */
    bool plain;              /* TLS failed here: once more without */
    bool used;               /* a message went before, over this connection */
    struct remote remote;
    struct pass pass;
    struct remote_options options;
    struct net_address from;
    struct parcel *parcel; /* NULL: none */
    bool sent;             /* the server knows of it */
    struct client_message message;
    struct cargo cargo;
    /* One for each recipient of `message`; they lie in the parcel's message. */
    struct address *rcpts;
    unsigned *places; /* in the envelope */
    struct slice *params;
    bool *relayed; /* a report is due when the server took it */
    struct timer idle;
    struct timer patience; /* until the server is ready, or has answered for the message */
    char piece[CLIENT_PIECE_MAX];
};

/* The first hops of a route; their number. `path` is that of a socket in the file system. */
unsigned trip_copy_hops(const struct route *route, const char *path, struct trip_hop *hops,
                        unsigned max);

/* "mx1.example.net[192.0.2.1]:25" */
struct slice trip_hop_text(const struct trip_hop *hop, char out[TRIP_HOP_TEXT_MAX]);

/* "host mx1.example.net[192.0.2.1]:25 said: 550 5.1.1 no (in reply to RCPT)": one line, whatever
 * was said. */
struct slice trip_words(const struct trip_hop *hop, const struct client_outcome *o,
                        struct arena *arena);

/* How a hop is called; `plain`: without TLS where that may be. `from` lives as long as the options.
 */
void trip_call_options(const struct trip_manner *m, const struct trip_hop *hop, bool plain,
                       struct remote_options *options, struct net_address *from);

/* The caller filled in hops, hop_count, manner and on_news of a zeroed trip. The parcel is the
 * trip's now, its due recipients are tried. */
void trip_begin(struct trip *t, struct parcel *parcel);

/* Inside or after TRIP_FREE, after TRIP_UNUSED. Events may follow from inside this call: the trip
 * may be gone when it returns. */
void trip_take(struct trip *t, struct parcel *parcel);

/* It is not needed any more; TRIP_ENDED follows, perhaps from inside this call. */
void trip_leave(struct trip *t);

/* At any time; what was under way is postponed, to be tried again with `repeat`. */
void trip_free(struct trip *t);

#endif
