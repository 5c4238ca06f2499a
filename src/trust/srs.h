/*
 * srs.h - the Sender Rewriting Scheme: return paths of ours for mail that we pass on.
 *
 * A mail that an alias leads elsewhere leaves from us, and the SPF record of its sender does not
 * know us. So it goes with a sender of ours that holds the old one, and a report finds its way
 * back:
 *
 *     SRS0=HHHH=TT=a.example=ann@us.example         for ann@a.example
 *     SRS1=HHHH=b.example==XXXX=TT=a.example=ann@us.example    for
 * SRS0=XXXX=TT=a.example=ann@b.example
 *
 * HHHH is a keyed hash of what follows, without which anybody could send through us; TT is the day,
 * so that one that was seen does not work for ever. As in the paper of M. S. Wong (2004),
 * Mail::SRS, libsrs2 and postsrsd, byte for byte, so that who had one of these may come with its
 * secret: HMAC with SHA-1, 4 characters of base64, case ignored. Pure.
 *
 * 24 bits are few. Whoever guesses them, by some million RCPTs, may send to one address for 21
 * days.
 */
#ifndef TRUST_SRS_H
#define TRUST_SRS_H

#include "wire/address.h"

#include <stdint.h>

enum { SRS_DAYS_MAX = 21 };

/* The first signs, all verify. */
struct srs_secrets {
    const struct slice *list;
    unsigned count; /* 0: nothing is signed or known again */
};

/* A sender of `domain`; *out in the arena. Without case where that could matter: the hash bears
 * that somebody on the way changes it. False: it would not fit into a local part (RFC
 * 5321 4.5.3.1.1), or the sender is no mailbox of a domain. */
bool srs_forward(const struct srs_secrets *secrets, const struct address *sender,
                 struct slice domain, uint64_t now_s, struct arena *arena, struct address *out);

enum srs_verdict {
    SRS_NONE,    /* it looks different */
    SRS_GOOD,    /* *out, in the arena, is who it stands for: of SRS1 the SRS0 of somebody else */
    SRS_FORGED,  /* or of another server, or cut, or of a secret that is gone */
    SRS_EXPIRED, /* it was ours */
};

/* Whose return path is it? The domain is not looked at. */
enum srs_verdict srs_reverse(const struct srs_secrets *secrets, const struct address *a,
                             uint64_t now_s, struct arena *arena, struct address *out);

#endif
