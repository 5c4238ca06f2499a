/*
 * net.h - a network inside one process, on the virtual clock.
 *
 * One fake_network is the world: listeners, connections, pairs and what is in flight. Each role
 * gets its own struct net (fake_net_new), as each process has its own epoll. All chance comes from
 * the seed: how writes and reads are cut, how long bytes travel, which connection breaks.
 *
 * wait() with nothing to hand over moves the clock to the next arrival or the time limit; when
 * neither exists nothing can ever happen, and it says -EDEADLK.
 */
#ifndef FAKES_NET_H
#define FAKES_NET_H

#include "fakes/clock.h"
#include "loop/net.h"

struct fake_network_options {
    uint64_t seed;
    bool splits;               /* reads and writes take less than they could */
    uint32_t delay_max_us;     /* of each piece, one way */
    uint32_t loss_per_million; /* chance of each write to break its connection */
    /* A second owner of a file that travels and is none of the real disk; NULL: all are. */
    int (*file_dup)(struct disk_file *file, struct disk_file **out);
};

struct fake_network;

struct fake_network *fake_network_new(struct fake_clock *clock,
                                      const struct fake_network_options *options);
void fake_network_free(struct fake_network *w); /* after all of its nets */

/* From now on no connection breaks by itself. */
void fake_network_lose_nothing(struct fake_network *w);

/* When the next thing in flight arrives; false when nothing is. For who runs several loops. */
bool fake_network_next_us(const struct fake_network *w, uint64_t *at_us);

/* `host`: where its connections come from. */
struct net *fake_net_new(struct fake_network *w, const struct net_address *host);

/* Once *dead, the process of this net can only close what it has: what it still says is lost. */
void fake_net_dies_with(struct net *n, const bool *dead);

/* The n-th call from now (0: none) that may find the system short of memory, buffers or descriptors
 * does: a watch, an accept, a connection, a message or descriptor that is sent, taken or doubled.
 * Nothing has happened then. */
void fake_net_short_at(struct net *n, uint64_t call);

/* wait() would return at once. For who runs several loops. */
bool fake_net_is_ready(const struct net *n);

/* Handles that are open, to find those forgotten. */
unsigned fake_network_open(const struct fake_network *w);

#endif
