/*
 * grants.h - what people granted at providers of tokens, for each relay: the folder `vault` below
 * that of the queue.
 *
 * Two files a relay, so that each has one writer: RELAY.login is what `postroad oauth login`
 * brought home, RELAY.renewed what the provider gave the vault instead of it since. Both replace
 * their file as a whole, durably, and block.
 */
#ifndef ROLES_GRANTS_H
#define ROLES_GRANTS_H

#include "mail/grant.h"
#include "store/small_file.h"

/* Made when it is missing, for the owner only. 0 or a negative errno, which was told. */
int grants_open(struct disk *disk, struct slice queue_path, struct disk_dir **out);

/* The refresh token that counts now; slices lie in the arena. 0, -ENOENT: nobody logged in, or a
 * negative errno, which was told (-EBADMSG: what lies there is none). */
int grants_read(struct disk_dir *dir, struct slice relay, struct arena *arena, struct grant *out);

int grants_login(struct disk_dir *dir, struct slice relay, const struct grant *g);
int grants_renew(struct disk_dir *dir, struct slice relay, const struct grant *g);

#endif
