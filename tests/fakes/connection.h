/*
 * connection.h - a connection to play with: both of its ends and the listener between them, in one
 * loop, over the real net or the fake one. For tests of what lies on a stream.
 *
 * Who includes it includes "check.h" as well.
 */
#ifndef FAKES_CONNECTION_H
#define FAKES_CONNECTION_H

#include "fakes/net.h"
#include "loop/listener.h"
#include "loop/stream.h"

enum { CONNECTION_BUFFER = 64 * 1024 }; /* of each stream, each way */

struct connection_end {
    struct stream stream;
    unsigned events[STREAM_FAILED + 1]; /* how often each came */
    struct buf got;
    bool keeps; /* leaves what arrived in `in` */
    bool echoes;
    bool frees;     /* at the first event closes itself and fills itself with 0xee */
    size_t to_send; /* bytes of the pattern, fed as `out` has room */
    size_t sent;
    bool in_call; /* the test is inside a call of the stream: no event may come */
};

struct connection {
    struct fake_clock clock;
    struct fake_network *network; /* NULL: the real net */
    struct net *net;
    struct loop *loop;
    struct listener listener;
    struct timer guard;
    struct connection_end server, client;
    bool late; /* 20 s have gone: what was waited for does not come */
};

/* Listens; seed 0 takes the real net, another one decides how the fake one behaves. */
void connection_init(struct connection *c, uint64_t seed);
/* The same with these options; NULL: the real net. */
void connection_init_over(struct connection *c, const struct fake_network_options *options);
/* Sees that no handle was forgotten. */
void connection_done(struct connection *c);

struct net_address connection_address(struct connection *c); /* where the listener is */
void connection_start(struct connection *c);                 /* the client connects */
void connection_open(struct connection *c);                  /* ... and both know it */

/* As many rounds as anything that might still come could take. */
void connection_settle(struct connection *c);

void connection_end_init(struct connection_end *e);
void connection_feed(struct connection_end *e); /* from to_send, what goes in */
char connection_pattern(size_t at);             /* the byte that is sent there */

/* The stream's handler: for who connects by himself. */
void connection_event(struct stream *s, enum stream_event event);

#define CONNECTION_RUN_UNTIL(c, condition)                                                         \
    do {                                                                                           \
        while (!(condition) && !(c)->late)                                                         \
            assert_int_equal(loop_round((c)->loop, true), 0);                                      \
        check(condition);                                                                          \
    } while (0)

/* The real net, then the fake one with so many seeds; a failure names its seed as its row. */
#define CONNECTION_EVERY_NET(seeds)                                                                \
    for (uint64_t seed = check_row = 0; seed <= (seeds); check_row = ++seed)

#endif
