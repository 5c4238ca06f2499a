/*
 * drops.h - the folders of mail that was left (store/drop), as their keeper sees them.
 *
 * Round by round all folders of the settings are looked through. Each file goes, opened and with
 * the number of whose it is, to a receiver (roles/pickup); its name goes when the answer says that
 * its mail is durable elsewhere. What a receiver had when it ended is handed out again. What cannot
 * go now is tried a minute later, and nothing else waits for it.
 *
 * The keeper is the warden, who alone may open what any user left; he reads none of it.
 */
#ifndef ROLES_DROPS_H
#define ROLES_DROPS_H

#include "config/settings.h"
#include "ipc/channel.h"
#include "roles/drops_told.h"
#include "store/drop.h"

enum { DROPS_AT_ONCE = 8 };

struct drops;

struct drops_keeper {
    /* Those that count, for as long as they do; NULL: nothing is handed out now. */
    const struct settings *(*settings)(struct drops *d);
    /* To one that serves, by turns; NULL: none does. */
    struct channel *(*receiver)(struct drops *d);
    /* A line of the log. */
    void (*tell)(struct drops *d, struct slice text);
};

/* At a receiver, or back and still in the folder. */
struct handed_drop {
    struct channel *to; /* NULL: at none */
    uint32_t told;      /* why it waits; drops_told */
    bool stuck;         /* taken, and its name could not be taken away yet */
    char name[DROP_NAME_MAX];
};

/* Embedded in the keeper. */
struct drops {
    const struct drops_keeper *keeper;
    struct loop *loop;
    struct clock *clock;
    struct disk *disk;
    struct timer next;
    const struct settings *settings; /* of this round; perhaps not those that count any more */
    size_t listener, next_listener;
    struct disk_dir *folder; /* that listener's */
    uint64_t position;       /* in it, of what was not listed yet; 0: there is no more */
    char (*names)[DROP_NAME_MAX];
    unsigned count, at;
    uint64_t since_us;    /* of what came or changed from then, by the wall clock, ... */
    uint64_t until_us;    /* ... to then. since_us 0: all is tried */
    uint64_t all_from_ms; /* from then on all is */
    bool missed;          /* something was not tried, or got no answer */
    unsigned pieces;      /* of names, in this round */
    bool changed;         /* the folder, not durably yet */
    struct handed_drop handed[DROPS_AT_ONCE];
    struct drops_told *told;
    const struct settings *told_for; /* that there is no folder */
};

void drops_init(struct drops *d, struct loop *loop, struct clock *clock, struct disk *disk,
                const struct drops_keeper *keeper);
void drops_done(struct drops *d);

/* Now, not only in a while, and what waits, too. */
void drops_look(struct drops *d);

/* MESSAGE_DROPPED came from there. */
void drops_answered(struct drops *d, const struct channel *from, struct slice body);

/* The receiver at its other end is no more. */
void drops_lost(struct drops *d, const struct channel *to);

#endif
