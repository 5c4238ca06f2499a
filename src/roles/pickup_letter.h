/*
 * pickup_letter.h - what a file of the drop folder says: the commands of its dialog, one by one,
 * then the mail; and the report for its sender about who did not get it.
 *
 * The file is a stranger's. One mail is all that is taken of it: EHLO, MAIL, RCPT, DATA.
 */
#ifndef ROLES_PICKUP_LETTER_H
#define ROLES_PICKUP_LETTER_H

#include "base/disk.h"
#include "mail/bounce.h"
#include "wire/dots.h"
#include "wire/smtp_command.h"

struct letter {
    struct disk_file *file; /* owned; NULL: all of it is in `ahead` */
    uint64_t size;          /* that it had when it was first read; more is not */
    uint64_t changed_us;    /* that it was then */
    uint64_t offset;        /* of what was not read yet */
    struct buf ahead;       /* read, not said yet */
    struct dots_reader dots;
    bool greeted; /* once: each command that may come again costs memory */
    bool ended;   /* the mail was said to its end */
    struct arena arena;
    struct envelope
        about;           /* when it was written; sender and recipients, as far as they were said */
    uint64_t content_at; /* where the mail begins in the file */
    struct bounce_rcpt *failed;
    unsigned failed_count;
};

void letter_init(struct letter *l, struct disk_file *file);
void letter_done(struct letter *l);

enum letter_fault {
    LETTER_OK,
    LETTER_UNREADABLE, /* the disk says so (told) */
    LETTER_WRONG,      /* no such dialog */
};

/* What the disk knows of the file; reading it asks, too. */
enum letter_fault letter_look(struct letter *l);

/* Appends the next command with its CRLF. *verb: which; VERB_DATA: letter_content() is next. */
enum letter_fault letter_command(struct letter *l, struct buf *out, enum smtp_verb *verb);

/* Appends the next piece of the mail, dots and all; at its end l->ended is set. */
enum letter_fault letter_content(struct letter *l, struct buf *out);

/* The reply refuses the recipient that was said last, or all who were not refused yet. `reply`:
 * with its code; copied. */
void letter_fail_last(struct letter *l, struct slice status, struct slice reply, uint64_t now_us);
void letter_fail_all(struct letter *l, struct slice status, struct slice reply, uint64_t now_us);

/* Of the failures that its sender wants to hear of; LETTER_WRONG: there are none. *out becomes a
 * letter of its own, from nobody to the sender. The envelope's id is the caller's to
 * set before. */
enum letter_fault letter_report(const struct letter *l, struct slice hostname, struct slice unique,
                                uint64_t now_us, struct letter *out);

#endif
