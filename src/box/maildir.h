/*
 * maildir.h - deliver through tmp to new, durable and once.
 *
 * RFC.md items 30, 31; ARCHITECTURE section 5; SECURITY.md threat 23. Files are written with LF
 * line ends. A group is delivered together: write all into tmp, push and wait for the data,
 * rename all into new, then one syncfs for files and directories; only then is any result 0. So
 * the whole tree must lie on the file system of its root.
 *
 * Directories on the way are made when missing, and symbolic links are never followed.
 *
 * Blocking: runs on a worker thread. One group at a time per root.
 */
#ifndef BOX_MAILDIR_H
#define BOX_MAILDIR_H

#include "base/disk.h"

struct maildir_delivery {
    struct slice path;      /* components below the root, "example.org/ann"; safe (mailbox_path) */
    struct slice name;      /* base name "<s>.M<usec>Q<id>R<hash>.<host>"; ",S=<size>" is added */
    struct slice prefix;    /* Return-Path and our header block, CRLF line ends */
    struct disk_file *file; /* where the message lies; borrowed */
    uint64_t offset;
    uint64_t length; /* CRLF line ends; an older Return-Path in its header is left out */
    bool repeat;     /* may have been delivered before a crash: what is in cur/ counts as
                            delivered, what is in new/ is replaced */
    int result;      /* out: 0, or negative errno */
};

/* Delivers all; sets each result. A failed delivery leaves nothing in new/: when the sync fails,
 * all of the group fail with its error and are taken back. What failed is told once by fail. The
 * next attempt must say repeat, for a reader may have moved the file already. */
void maildir_deliver(struct disk_dir *root, struct maildir_delivery *items, size_t count);

#endif
