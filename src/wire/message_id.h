/*
 * message_id.h - the identifiers in Message-ID, In-Reply-To, References and Resent-Message-ID.
 *
 * RFC 5322 3.6.4, UTF-8 as in RFC 6532 3.3. Tolerant as 4.5.4 wants it: phrases between the
 * identifiers are ignored, blanks and comments in them are no part of them; and beyond: what
 * programs made up that is no identifier by the grammar is one all the same, and says so.
 *
 * A pull parser: identifiers come in their order, in time linear in the value's length.
 */
#ifndef WIRE_MESSAGE_ID_H
#define WIRE_MESSAGE_ID_H

#include "base/arena.h"
#include "base/cursor.h"

enum { MESSAGE_ID_MAX = 996 }; /* a line's 998 without "<" and ">"; what is longer is none */

struct message_id {
    struct slice text; /* without "<" and ">", in one spelling when regular: compare the bytes */
    bool regular;      /* by the grammar, and then clean UTF-8; else it may hold anything */
};

struct message_id_list {
    struct cursor rest; /* of the unfolded value */
    struct arena *arena;
    bool bare;  /* there is no "<" */
    bool plain; /* a quote or comment never ended: from there on they mean nothing */
};

/* Of a field's raw value, which is copied; identifiers live as long as the arena. */
void message_id_list_init(struct message_id_list *list, struct arena *arena,
                          struct slice raw_value);

/* The next identifier; false at the end. Without any "<" in it, a value is one identifier (not a
 * regular one) when it looks like one: some programs forget the brackets. */
bool message_id_next(struct message_id_list *list, struct message_id *out);

#endif
