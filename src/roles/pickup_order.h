/*
 * pickup_order.h - what warden and receiver say to each other about mail that was left.
 */
#ifndef ROLES_PICKUP_ORDER_H
#define ROLES_PICKUP_ORDER_H

#include "base/buf.h"
#include "base/cursor.h"

enum pickup_verdict {
    PICKUP_TAKEN, /* all that could be done is done; the file may go */
    PICKUP_BAD,   /* it cannot be used, ever (told): for a person to look at */
    PICKUP_LATER,
};

/* The body of MESSAGE_DROP. */
struct pickup_order {
    uint32_t listener; /* its number in the settings */
    uint32_t user;     /* whose file it is */
    uint32_t told;     /* why it waits, as it was told last; 0: it was not */
    struct slice name; /* drop_is_name() */
};

bool pickup_order_write(struct buf *out, const struct pickup_order *o);
bool pickup_order_read(struct slice body, struct pickup_order *out);

/* The body of MESSAGE_DROPPED. */
struct pickup_answer {
    enum pickup_verdict verdict;
    uint32_t reason; /* of what was not taken: a number for its words; 0: none */
    struct slice name;
};

bool pickup_answer_write(struct buf *out, const struct pickup_answer *a);
bool pickup_answer_read(struct slice body, struct pickup_answer *out);

#endif
