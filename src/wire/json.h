/*
 * json.h - JSON text, written member by member. RFC 8259.
 *
 * The text is ASCII, whatever the values hold: other characters are written as \uXXXX, bytes that
 * are no UTF-8 as U+FFFD. So it is valid JSON, and harmless on a terminal.
 *
 *     struct json j = {.out = &out};
 *     json_open(&j, NULL, '{');
 *     json_text(&j, "name", name);
 *     json_close(&j, '}');
 *     if (!j.full) ...
 */
#ifndef WIRE_JSON_H
#define WIRE_JSON_H

#include "base/buf.h"

struct json {
    struct buf *out;
    bool follows; /* a comma comes before the next one */
    bool full;    /* something did not fit: the text is worthless */
};

/* The key is our own word, printable ASCII without quotes; NULL inside of arrays and at the top. */
void json_open(struct json *j, const char *key, char bracket); /* '{' or '[' */
void json_close(struct json *j, char bracket);
void json_text(struct json *j, const char *key, struct slice text);
void json_number(struct json *j, const char *key, int64_t number);
void json_bool(struct json *j, const char *key, bool value);
void json_null(struct json *j, const char *key);

#endif
