/*
 * sendmail_message.h - what a program gave to sendmail, made into a mail.
 *
 * Line ends of any kind become CRLF, a NUL becomes "?": no mail may hold one, and a report of cron
 * with a progress bar in it must not be lost for its sake. From and Message-ID are added when they
 * are missing: Message-ID here and not by the server, so that a mail which is handed in twice is
 * known again.
 */
#ifndef CMD_SENDMAIL_MESSAGE_H
#define CMD_SENDMAIL_MESSAGE_H

#include "base/arena.h"
#include "base/buf.h"
#include "wire/address.h"

enum { SENDMAIL_MESSAGE_MAX = 256 * 1024 * 1024, SENDMAIL_RCPTS_MAX = 1000 };

/* ---- reading ---- */

/* Where a mail that somebody types ends: at a line with nothing but a dot. */
struct dot_watch {
    enum { DOT_LINE_START, DOT_ALONE, DOT_CR, DOT_IN_LINE } at;
};

/* How much of the bytes belongs to the mail; *ended: the dot's line came, it is not counted, but
 * for what an earlier piece had of it. */
size_t dot_watch_feed(struct dot_watch *w, struct slice bytes, bool *ended);

/* ---- the form that is sent ---- */

/* Appends the content with CRLF. A first line "From ann Sat Nov ..." of a mailbox file goes. False:
 * out is full. */
bool sendmail_repair(struct buf *out, struct slice content);

/* ---- people ---- */

struct sendmail_people {
    struct address *list;
    unsigned count;
    struct slice *wrong; /* of a header: what is no address there; the first so many */
    unsigned wrong_count;
};

/* All that stand in a list as a header has it: "ann, Bob <bob@example.org>"; bare names are
 * completed with the origin. NULL, or the one that is no address, or is too much. */
const char *sendmail_add_people(struct sendmail_people *p, struct arena *arena, struct slice list,
                                struct slice origin);

/* The same of To, Cc and Bcc, or of their Resent- kin where there are any. What is no address does
 * not keep the mail from the others; it is noted. */
const char *sendmail_add_from_header(struct sendmail_people *p, struct arena *arena,
                                     struct slice message, struct slice origin);

/* ---- what is missing ---- */

struct sendmail_writer {
    struct address sender;  /* who runs the program, if the reverse-path is null */
    struct slice full_name; /* "": nobody knows */
    struct slice unique;    /* of the Message-ID */
    struct slice hostname;
};

/* The message; an empty Message-ID is none, and goes. */
bool sendmail_append(struct buf *out, struct slice message);

/* What goes in front of the message, with an empty line behind it if that has no header. */
bool sendmail_complete(struct buf *out, struct slice message, const struct sendmail_writer *w,
                       struct arena *arena);

#endif
