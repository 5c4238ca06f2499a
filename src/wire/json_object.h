/*
 * json_object.h - one JSON object from outside, and its members by name. RFC 8259.
 *
 * For answers of the web, which are small and flat: strings, arrays of them, whole numbers and true
 * or false are at hand; whatever else a member holds is only known to be there. A name that comes
 * twice, text behind the object and broken UTF-8 are errors, for others may read them differently.
 */
#ifndef WIRE_JSON_OBJECT_H
#define WIRE_JSON_OBJECT_H

#include "base/arena.h"

#include <stdint.h>

enum { JSON_OBJECT_TEXT_MAX = 64 * 1024, JSON_OBJECT_MEMBERS_MAX = 256 };

enum json_kind {
    JSON_IS_TEXT,
    JSON_IS_TEXTS, /* an array of nothing else */
    JSON_IS_NUMBER,
    JSON_IS_TRUE,
    JSON_IS_FALSE,
    JSON_IS_OTHER,
};

struct json_member {
    struct slice name;
    enum json_kind kind;
    struct slice text; /* UTF-8 without NUL */
    const struct slice *texts;
    size_t text_count;
    uint64_t number; /* without its fraction; other ones than 0 to 2^53 are JSON_IS_OTHER */
};

struct json_object {
    const struct json_member *members;
    size_t count;
};

/* False: it is none, or larger than it may be. Everything lies in the arena. */
bool json_object_read(struct slice text, struct arena *arena, struct json_object *out);

/* The member's value; "", or false and *out unchanged, when it is absent or of another kind. */
struct slice json_object_text(const struct json_object *o, struct slice name);
bool json_object_number(const struct json_object *o, struct slice name, uint64_t *out);
bool json_object_bool(const struct json_object *o, struct slice name, bool *out);

/* Is the member this text, or are there texts in it of which this is one? */
bool json_object_names(const struct json_object *o, struct slice name, struct slice text);

#endif
