/*
 * turnstile.h - how many may come in, and how often: what `limit from` says, held against what all
 * receivers count.
 *
 * Who connects counts for his address and for the network around it, who logs in for his account
 * as well, until the session is over. Messages and recipients count for the account, or where there
 * is none for the address.
 */
#ifndef ROLES_TURNSTILE_H
#define ROLES_TURNSTILE_H

#include "mail/allowance.h"
#include "roles/counts.h"

/* What one session counts for; zeroed: for nothing. */
struct turn {
    struct gauge_place address, network, account;
};

/* Somebody; user "": he has not logged in. */
struct comer {
    const unsigned char *ip; /* NULL: he has none */
    struct slice user;
};

enum turn_verdict {
    TURN_FREE,
    TURN_TOO_MANY, /* at a time, and he was counted nowhere; the same for the rest: */
    TURN_TOO_OFTEN,
    TURN_NETWORK_TOO_MANY,
    TURN_NETWORK_TOO_OFTEN,
};

/* He connects. */
enum turn_verdict turnstile_connect(struct counts *c, const struct allowance *a,
                                    const unsigned char ip[16], uint64_t now_ms, struct turn *turn);

/* A program of this machine, of that user: "userid 1000". Its network are all of them. */
enum turn_verdict turnstile_program(struct counts *c, const struct allowance *a, struct slice user,
                                    struct turn *turn);

/* He has logged in. */
enum turn_verdict turnstile_login(struct counts *c, const struct allowance *a, struct slice user,
                                  uint64_t now_ms, struct turn *turn);

/* One more of them. */
enum tally_verdict turnstile_message(struct counts *c, const struct allowance *a,
                                     const struct comer *who, uint64_t now_ms);
enum tally_verdict turnstile_rcpt(struct counts *c, const struct allowance *a,
                                  const struct comer *who, uint64_t now_ms);

/* Was nobody told of him in this minute? True for one receiver. */
bool turnstile_is_news(struct counts *c, const struct comer *who, uint64_t now_ms);

/* The session is over. */
void turnstile_leave(struct counts *c, struct turn *turn);

#endif
