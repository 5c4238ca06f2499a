/*
 * hash_turns.h - whose password is hashed next.
 *
 * A slow hash keeps a processor busy for tens of milliseconds, and whoever guesses from many
 * places, under many names, has enough tries to fill a line of hundreds. So there are two lines:
 * who has logged in from his network before (mail/guesses) goes first, and no more hashes are begun
 * than threads run them. Who hangs up before his turn costs nothing.
 */
#ifndef ROLES_HASH_TURNS_H
#define ROLES_HASH_TURNS_H

#include "base/list.h"
#include "base/worker.h"

enum { HASH_TURNS_MAX = 400 /* in each line; half a dozen seconds of work */ };

struct hash_line {
    struct list turns;
    unsigned count;
};

struct hash_turns {
    struct hash_line familiar, strangers;
    unsigned running, threads;
};

/* Embedded in who wants a hash. */
struct hash_turn {
    struct worker_job job; /* made by worker_job_init() */
    struct list link;
    struct hash_line *line; /* NULL: it does not wait */
    bool running;
};

void hash_turns_init(struct hash_turns *all, unsigned threads);

/* It is hashed when its turn comes. False: too many wait. */
bool hash_turns_take(struct hash_turns *all, struct worker *w, struct hash_turn *turn,
                     bool familiar);

/* Nobody wants it any more. False: it runs already, and must stay until it is done. */
bool hash_turns_leave(struct hash_turn *turn);

/* To be called by the `done` of each job: the next one begins. */
void hash_turns_ended(struct hash_turns *all, struct worker *w, struct hash_turn *turn);

#endif
