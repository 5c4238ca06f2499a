/*
 * phrase_list.h - words and phrases with commas between them: Keywords, and fields like it.
 *
 * RFC 5322 3.6.5 and the obsolete form of 4.1 (empty elements), encoded words (RFC 2047), UTF-8
 * (RFC 6532). A pull parser, in time linear in the value's length.
 */
#ifndef WIRE_PHRASE_LIST_H
#define WIRE_PHRASE_LIST_H

#include "base/arena.h"
#include "base/cursor.h"

struct phrase_list {
    struct cursor rest; /* of the unfolded value */
    struct arena *arena;
};

/* Of a field's raw value, which is copied; phrases live as long as the arena. */
void phrase_list_init(struct phrase_list *list, struct arena *arena, struct slice raw_value);

/* The next phrase, decoded, clean UTF-8 and not empty; false at the end. A quote or comment that
 * never ends takes all the rest into its phrase. */
bool phrase_list_next(struct phrase_list *list, struct slice *out);

#endif
