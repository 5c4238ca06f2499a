/*
 * pickup.h - mail that a program left in the drop folder (store/drop) while nobody listened.
 *
 * A file there is the dialog that its writer would have had. It is said to a session like any
 * other, of the listener that the folder belongs to, as the user whose file it is; nothing in it
 * has more rights than that user has at the socket. Nobody waits for an answer any more, so who is
 * refused for good is reported to the sender.
 *
 * The warden keeps the folder: it hands over the file (MESSAGE_DROP) and hears what became of it
 * (MESSAGE_DROPPED). If either ends in between it is said again, and the session knows the mail by
 * its fingerprint: nothing is lost, and nothing comes twice. Nor does the report.
 */
#ifndef ROLES_PICKUP_H
#define ROLES_PICKUP_H

#include "roles/entrances.h"

/* Embedded in the receiver. */
struct pickups {
    struct sessions *sessions;
    struct entrances *const *now;
    struct list all;
};

/* `now`: the entrances that count, whichever they are by then. Both are borrowed. */
void pickups_init(struct pickups *all, struct sessions *sessions, struct entrances *const *now);

/* The body of MESSAGE_DROP; the file is its own from here on. */
void pickups_take(struct pickups *all, struct slice body, struct disk_file *file);

/* They are forgotten, and come again. */
void pickups_done(struct pickups *all);

#endif
