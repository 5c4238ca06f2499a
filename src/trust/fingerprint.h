/*
 * fingerprint.h - by what a mail is known again that a client submits a second time.
 *
 * A client that heard no 250 sends its mail once more. The same mail is: the same account, reverse-
 * path, set of recipients and Message-ID, the same wishes about when and how it goes, and the same
 * content to the byte, as the client sent it. (Who resends without REQUIRETLS what came back for
 * its sake, or at once what was to go later, means it.) Who chooses all of it can only make two
 * mails of his own look alike, and even that takes a collision of 128 bits of SHA-256.
 */
#ifndef TRUST_FINGERPRINT_H
#define TRUST_FINGERPRINT_H

#include "wire/address.h"

enum { FINGERPRINT_LEN = 16 };

/* The content while it arrives. */
struct fingerprint;

struct fingerprint *fingerprint_new(void);
void fingerprint_free(struct fingerprint *f); /* NULL is fine */

/* In pieces of any size. */
void fingerprint_add(struct fingerprint *f, struct slice content);

/* What else makes it the same mail. */
struct fingerprint_of {
    struct slice account;
    struct slice message_id;
    struct slice wishes; /* as the caller writes them; "": to go at once, in any way */
    const struct address *sender;
    const struct address **rcpts; /* in any order, any of them more than once; sorted here */
    size_t rcpt_count;
};

/* After the last piece; once. */
void fingerprint_finish(struct fingerprint *f, struct fingerprint_of *of,
                        unsigned char out[FINGERPRINT_LEN]);

#endif
