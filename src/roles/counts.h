/*
 * counts.h - what all receivers count together: rates (mail/tally), what there is at a time
 * (mail/gauges), and which of them has room (mail/crowding), in one piece of memory that the warden
 * makes and all of them map.
 */
#ifndef ROLES_COUNTS_H
#define ROLES_COUNTS_H

#include "base/disk.h"
#include "mail/crowding.h"
#include "mail/gauges.h"
#include "mail/tally.h"

struct counts {
    void *memory; /* NULL: nothing is counted, and nobody limited */
    size_t size;
    struct tally tally;
    struct gauges gauges;
    struct crowdings crowdings;
};

/* For so many receivers; 0 or a negative errno. */
int counts_new(unsigned receivers, const uint64_t seed[2], struct disk_file **out);

/* As receiver `index` sees it; the file may be closed before counts_close(). 0 or a negative errno.
 */
int counts_open(struct counts *c, struct disk_file *file, unsigned receivers, unsigned index);
void counts_close(struct counts *c);

/* That receiver is dead: what it had open is closed, and it has no room. */
void counts_clear(struct counts *c);

#endif
