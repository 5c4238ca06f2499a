/*
 * bundles.h - what each role is handed: the checked configuration with its tables, as sealed files.
 *
 * Keys of certificates are in that of the receivers only, passwords of accounts in that of the
 * vault only, what relays log in with in that of the courier only.
 */
#ifndef ROLES_BUNDLES_H
#define ROLES_BUNDLES_H

#include "base/disk.h"
#include "ipc/messages.h"

/* "": those have what all others have. Without one of its own there is no need of a vault. */
struct bundles {
    struct slice receivers, vault, courier, all;
};

/* Zeroed: none yet. */
struct sealed_bundles {
    struct disk_file *receivers, *vault, *courier, *all;
};

/* All of them, or none: nothing changes at a negative errno. */
int bundles_seal(struct sealed_bundles *s, const struct bundles *b);

/* Borrowed until the next bundles_seal(). */
struct disk_file *bundles_for(const struct sealed_bundles *s, enum role_kind role);

void bundles_close(struct sealed_bundles *s);

#endif
