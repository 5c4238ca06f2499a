/*
 * form.h - names and values as a form sends them: application/x-www-form-urlencoded, in the body of
 * a POST or behind the "?" of a URL. RFC 6749 appendix B.
 *
 *     struct form f = {.out = &body};
 *     form_add(&f, "grant_type", SLICE("refresh_token"));
 *     form_add(&f, "refresh_token", token);
 *     if (!f.full) ...
 */
#ifndef WIRE_FORM_H
#define WIRE_FORM_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/cursor.h"

struct form {
    struct buf *out;
    bool follows; /* an ampersand comes before the next one */
    bool full;    /* something did not fit: the text is worthless */
};

/* The name is our own word: letters, digits, "_". The value may be any bytes. */
void form_add(struct form *f, const char *name, struct slice value);

/* The value alone, encoded in the same way. */
void form_encode(struct form *f, struct slice value);

struct form_pair {
    struct slice name, value; /* decoded, in the arena */
};

/* Takes one pair and the ampersand behind it. False: at the end, or at "%" without two hex digits.
 */
bool form_take(struct cursor *c, struct arena *arena, struct form_pair *out);

/* The value of the first pair of that name. False: there is none, or the text is malformed before
 * it. */
bool form_find(struct slice text, struct slice name, struct arena *arena, struct slice *out);

#endif
