/*
 * slice.h - borrowed bytes.
 *
 * A slice points into memory that somebody else owns; it is never freed and never
 * NUL-terminated. Valid as long as its owner is. An empty slice may have data == NULL.
 * Everything that came from outside is handled as slices; C strings exist only at the
 * system-call edge.
 */
#ifndef BASE_SLICE_H
#define BASE_SLICE_H

#include <stdbool.h>
#include <stddef.h>

struct slice {
    const char *data;
    size_t len;
};

/* A slice of a string literal; SLICE_INIT is the same for static tables. */
#define SLICE(literal) ((struct slice){"" literal, sizeof(literal) - 1})
#define SLICE_INIT(literal)                                                                        \
    {                                                                                              \
        "" literal, sizeof(literal) - 1                                                            \
    }

/* For printf: printf("%.*s", SLICE_PRINTF(s)). Only for bytes that are known to be clean. */
#define SLICE_PRINTF(s) (int)(s).len, (s).data

/* From our own NUL-terminated text (argv, strerror); never for bytes from outside. */
struct slice slice_of(const char *text);

bool slice_equal(struct slice a, struct slice b);

/* ASCII case is folded; bytes above 0x7f are compared as they are. */
bool slice_equal_nocase(struct slice a, struct slice b);

bool slice_starts(struct slice s, struct slice prefix);
bool slice_starts_nocase(struct slice s, struct slice prefix);
bool slice_ends(struct slice s, struct slice suffix);
bool slice_ends_nocase(struct slice s, struct slice suffix);

/* <0, 0, >0 as memcmp, a shorter one first when equal so far. */
int slice_compare(struct slice a, struct slice b);

/* The first n bytes, or everything behind them; n beyond the end is cut to it. */
struct slice slice_head(struct slice s, size_t n);
struct slice slice_skip(struct slice s, size_t n);

/* Without spaces and tabs at both ends. */
struct slice slice_trim(struct slice s);

/* Index of the first (last) such byte, or s.len when there is none. */
size_t slice_find(struct slice s, char byte);
size_t slice_rfind(struct slice s, char byte);

/* Cut s at the first `byte`: *head is what precedes it, *tail what follows. False (and both
 * untouched) when there is none. */
bool slice_cut(struct slice s, char byte, struct slice *head, struct slice *tail);

/* ASCII lower case of one byte. */
char byte_lower(char c);

#endif
