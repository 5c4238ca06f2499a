/*
 * way_back.h - how a person's browser finds back to this program: a port of this machine that it is
 * sent to (RFC 8252 7.3), or, when it runs on another one, the address that it could not open,
 * copied here by hand.
 */
#ifndef CMD_WAY_BACK_H
#define CMD_WAY_BACK_H

#include "loop/listener.h"
#include "mail/oauth.h"

enum way_back_result {
    WAY_BACK_WAITS, /* nobody came yet */
    WAY_BACK_CODE,  /* `got.code` */
    WAY_BACK_ERROR, /* the provider refused: `got.error` */
    WAY_BACK_LATE,  /* nobody came in time */
};

struct way_back {
    struct loop *loop;
    struct listener listener;
    struct watch keyboard; /* stdin */
    struct buf typed;
    struct list visitors;
    unsigned visitor_count;
    struct timer patience;
    struct slice state; /* what must come back with a code; borrowed */
    struct arena *arena;
    uint16_t port;
    enum way_back_result result;
    struct oauth_return got; /* in the arena */
};

/* Listens on 127.0.0.1; w->port is where. `w` is zeroed. 0 or a negative errno. */
int way_back_open(struct way_back *w, struct loop *loop, struct arena *arena);
void way_back_close(struct way_back *w);

/* Runs the loop until somebody came, or patience_s are over. */
enum way_back_result way_back_wait(struct way_back *w, struct slice state, unsigned patience_s);

#endif
