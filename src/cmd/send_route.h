/*
 * send_route.h - where the mail of `postroad send` goes: destinations, and the servers of each.
 */
#ifndef CMD_SEND_ROUTE_H
#define CMD_SEND_ROUTE_H

#include "cmd/send_request.h"
#include "loop/loop.h"

/* Recipients that share their servers. All of it lies in the request's arena. */
struct send_destination {
    struct slice name;     /* their domain; the server as it was named */
    struct address *rcpts; /* nothing has become of them yet */
    unsigned rcpt_count;
    bool over; /* nothing is left to be done; with no recipients (--quit-after) the only sign */
    enum route_outcome found;
    struct route route;
};

/* One for --server, else one for each domain, in the order in which they were named first. Returns
 * their number. */
unsigned send_destinations_make(struct send_request *r, struct send_destination **out);

/* Looks up; runs the loop. *resolver is opened with the first question and stays open. False: the
 * resolver cannot be had, told on stderr. */
bool send_route_find(struct send_request *r, struct loop *loop, struct resolver **resolver,
                     struct send_destination *d);

#endif
