/*
 * forwarding.h - mail that an alias leads to a server elsewhere leaves with a sender of ours (SRS),
 * and what comes back to that goes on to the old one.
 *
 * The queue keeps the sender as it came: our own reports need no detour. Without a secret in the
 * settings nothing of this happens.
 */
#ifndef ROLES_FORWARDING_H
#define ROLES_FORWARDING_H

#include "config/settings.h"
#include "trust/srs.h"

enum forwarding {
    FORWARDING_NOT,  /* the sender stays: nobody passes it on, or it is ours, or nobody's */
    FORWARDING_AS,   /* with this one */
    FORWARDING_LONG, /* it stays because it does not fit; SPF may turn it away, but no report is
                        lost */
};

/* Of a recipient as the client gave it, which stands for `final`, at a relay; *sender, in the
 * arena, is changed by FORWARDING_AS. */
enum forwarding forwarding_sender(const struct settings *s, const struct relay *relay,
                                  const struct address *given, const struct address *final,
                                  uint64_t now_us, struct arena *arena, struct address *sender);

/* A recipient that is a return path of ours: by SRS_GOOD *q asks for whom it stands for, as what an
 * alias yields does. */
enum srs_verdict forwarding_back(const struct settings *s, struct rules_query *q, uint64_t now_us,
                                 struct arena *arena);

/* What the rules said, in words that fit: who has a return path that is none wants to know. */
struct reply forwarding_refusal(enum srs_verdict verdict, const struct rules_query *q,
                                struct reply refusal, struct arena *arena);

#endif
