/*
 * list_field.h - what a mailing list says about itself: List-Help, List-Unsubscribe,
 * List-Subscribe, List-Post, List-Owner, List-Archive (RFC 2369) and List-Id (RFC 2919).
 *
 * Only what the RFCs' rules for readers let through; all in time linear in the value's length. What
 * these fields say is the sender's word: a URL is to be shown, and used when a person asks for it.
 */
#ifndef WIRE_LIST_FIELD_H
#define WIRE_LIST_FIELD_H

#include "base/arena.h"
#include "base/cursor.h"

enum { LIST_ID_MAX = 255 }; /* RFC 2919 2 */

struct list_url {
    struct slice text;    /* scheme:rest, printable ASCII without blanks, "<", ">" and '"' */
    struct slice scheme;  /* lower case: "mailto", "https", ... */
    struct slice comment; /* text of the comments around it, clean UTF-8 */
};

/* A pull parser: URLs come in the sender's order of preference. Nothing comes from a field, or the
 * rest of one, that RFC 2369 2 says to ignore. */
struct list_urls {
    struct cursor rest; /* of the unfolded value */
    struct arena *arena;
};

/* Of a field's raw value, which is copied; URLs live as long as the arena. */
void list_urls_init(struct list_urls *urls, struct arena *arena, struct slice raw_value);

/* The next URL; false at the end. */
bool list_urls_next(struct list_urls *urls, struct list_url *out);

/* The value of List-Post is "NO": nobody may post. RFC 2369 3.4. *comment is set on success. */
bool list_post_is_no(struct slice raw_value, struct arena *arena, struct slice *comment);

struct list_id {
    struct slice id;          /* lower case: the same bytes are the same list, RFC 2919 6 */
    struct slice description; /* decoded, clean UTF-8, may be empty */
};

/* The value of List-Id. False: there is none by the grammar; *out is then untouched. */
bool list_id_parse(struct slice raw_value, struct arena *arena, struct list_id *out);

#endif
