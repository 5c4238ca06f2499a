/*
 * control.h - what the command line tool and a running role say to each other: lines of text.
 *
 * A line is a word and fields: "list from=ann@a.example limit=100". Values are xtext (RFC 3461 4),
 * so that none ends its field or its line. A request is one line; the answer is any number of lines
 * and at last "ok" or "error text=...".
 */
#ifndef IPC_CONTROL_H
#define IPC_CONTROL_H

#include "base/arena.h"
#include "base/buf.h"

enum { CONTROL_LINE_MAX = 16 * 1024, CONTROL_FIELDS_MAX = 32 };

struct control_field {
    struct slice name;
    struct slice value; /* decoded */
};

struct control_line {
    struct slice word;
    struct control_field fields[CONTROL_FIELDS_MAX];
    unsigned count;
};

/* Without its line end. False: it is no such line. Values lie in the arena, the rest in `text`. */
bool control_parse(struct slice text, struct arena *arena, struct control_line *out);

/* "" when the line does not have it. */
struct slice control_value(const struct control_line *line, struct slice name);
bool control_number(const struct control_line *line, struct slice name, uint64_t *out);

/* A line is begun by its word, filled with fields and ended. */
void control_begin(struct buf *out, struct slice word);
void control_text(struct buf *out, const char *name, struct slice value);
void control_uint(struct buf *out, const char *name, uint64_t value);
void control_end(struct buf *out);

#endif
