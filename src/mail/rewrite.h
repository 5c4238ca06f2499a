/*
 * rewrite.h - other addresses in the place of some: `rewrite sender|rcpt ... to ADDRESS`.
 *
 * Done once, when a mail arrives: the first statement that matches, and what it yields is not
 * looked at again. The rules are asked about the new address. A recipient is rewritten whoever
 * sends; a sender only in mail that begins here (local, or logged in), and then in its header as
 * well: others' mail is signed by them. Never the null reverse-path.
 */
#ifndef MAIL_REWRITE_H
#define MAIL_REWRITE_H

#include "mail/rules.h"
#include "wire/header.h"

enum rewrite_whose { REWRITE_SENDER, REWRITE_RCPT };

enum rewrite_local {
    REWRITE_TO_LOCAL,    /* that of `to` */
    REWRITE_KEEPS_LOCAL, /* "@example.org": the one it had */
    REWRITE_KEEPS_USER,  /* "{user}@example.org": the same, without +detail */
};

struct rewrite {
    enum rewrite_whose whose;
    struct rule_target match;
    enum rewrite_local local;
    struct address to; /* ADDRESS_MAILBOX, ASCII; local "" where one is kept */
    struct slice file; /* where it stands */
    unsigned line;
};

/* The statement that did it, and *a is the new address, in the arena; NULL, and *a is as it was:
 * none matches. */
const struct rewrite *rewrite_address(const struct rules *rules, enum rewrite_whose whose,
                                      struct address *a, struct arena *arena);

enum { REWRITE_HEADER_MAX = 256 * 1024 };

/* From, Sender, Reply-To and their Resent- kin, with each mailbox in them as if it were a sender,
 * and a bare name completed; all other bytes as they are. `header` is the beginning of a message.
 * False, and out unchanged, when it does not fit. */
bool rewrite_header(struct buf *out, const struct rules *rules, struct slice header);

/* The same while a message arrives: what comes of its header comes when that has ended. A header
 * that is too large, or would become so, passes as it is. */
struct rewrite_reader {
    bool rewrites; /* false: everything passes as it is */
    struct header_watch watch;
    struct buf held, given;
};

void rewrite_reader_init(struct rewrite_reader *r, bool rewrites);
void rewrite_reader_done(struct rewrite_reader *r); /* all zero is fine */

/* True: a run to keep, in `in` or in *r until the next call. False: the piece is used up. */
bool rewrite_reader_next(struct rewrite_reader *r, const struct rules *rules, struct cursor *in,
                         struct slice *run);

/* Behind the last piece: what is still held. */
struct slice rewrite_reader_end(struct rewrite_reader *r, const struct rules *rules);

#endif
