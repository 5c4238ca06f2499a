/*
 * allowance.h - how much people may send: what `limit from ... { ... }` says of those who have
 * logged in.
 *
 * config fills these structs and owns them as long as the settings live. The first one that matches
 * an account holds for it; where none does there is a usual one, so that a stolen password is no
 * open door (RFC 6409 4.3 leaves such limits to the site).
 */
#ifndef MAIL_ALLOWANCE_H
#define MAIL_ALLOWANCE_H

#include "base/slice.h"
#include "mail/schedule.h"

struct allowance {
    struct slice user;      /* of this account only; "": of all who have logged in */
    struct rate recipients; /* count 0: as many as they like */
};

/* 500 recipients an hour. */
extern const struct allowance allowance_usual;

/* Of an account, by the name that it logged in by. Never NULL. */
const struct allowance *allowance_for(const struct allowance *list, size_t count,
                                      struct slice user);

#endif
