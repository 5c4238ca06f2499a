/*
 * bench_mail.h - a message of the bench: made so that it can be known again, and known again.
 *
 * Its first field is "X-Postroad-Bench: ID". Servers put fields on top and store LF for CRLF, so
 * the hash is SHA-256 of everything from that field on, with LF line ends. By hand:
 *
 *     sed -n '/^X-Postroad-Bench:/,$p' MAIL | sha256sum
 */
#ifndef CMD_BENCH_MAIL_H
#define CMD_BENCH_MAIL_H

#include "base/buf.h"
#include "wire/address.h"

enum {
    BENCH_ID_MAX = 64,
    BENCH_HASH_LEN = 64,
    BENCH_SIZE_MIN = 512,
    BENCH_SIZE_MAX = 64 * 1024 * 1024,
};

/* Appends the message: about `size` bytes, and at least BENCH_SIZE_MIN. Its text is a function of
 * `seed`, with dots at line starts. */
void bench_mail_make(struct buf *out, struct slice id, const struct address *from, uint64_t wall_us,
                     uint64_t seed, size_t size);

/* Reads a message in pieces of any size, with CRLF or LF. */
struct bench_mail;

struct bench_mail *bench_mail_new(void);
void bench_mail_free(struct bench_mail *m); /* NULL is fine */

void bench_mail_begin(struct bench_mail *m); /* the next one */
void bench_mail_feed(struct bench_mail *m, struct slice piece);

/* Both are "-" for a mail that is not of the bench; they live until the next begin. */
void bench_mail_end(struct bench_mail *m, struct slice *id, struct slice *hash);

#endif
