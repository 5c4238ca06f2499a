/*
 * suite.h - what the suites of conformance data that are written in C share.
 *
 * A suite is a main() that reads its cases from the folder in argv[1] and says one line for each
 * (see tests/conformance/conformance). Its files are trusted, its inputs are not: they go to the
 * parsers as they are.
 */
#ifndef TESTS_CONFORMANCE_SUITE_H
#define TESTS_CONFORMANCE_SUITE_H

#include "base/arena.h"

#include <jansson.h>

/* FOLDER/NAME; the program ends with a message when it cannot be read. */
json_t *suite_load(const char *folder, const char *name);

/* The bytes of FOLDER/NAME, with CRLF where a line ends with LF alone. */
struct slice suite_message(struct arena *arena, const char *folder, const char *name);

/* A member that is a string: every code point 0-255 is a byte. When a string has others, it stays
 * the UTF-8 that it is. Empty when there is no such member. */
struct slice suite_bytes(struct arena *arena, const json_t *object, const char *member);

/* A member that is a string, as UTF-8. Empty when there is no such member. */
struct slice suite_text(const json_t *object, const char *member);

/* What is no character: U+FFFD, as others mark it, and "?", as we do. */
struct slice suite_marked(struct arena *arena, struct slice text);

/* A member that is an array of strings holds this one. */
bool suite_has(const json_t *object, const char *member, const char *word);

/* printable ASCII as it is, all else as \xHH; also ':' before a blank, which ends a name. */
struct slice suite_escape(struct arena *arena, struct slice raw);

void suite_pass(struct slice name);
void suite_fail(struct slice name, const char *why, ...) __attribute__((format(printf, 2, 3)));
void suite_skip(struct slice name, const char *why);

#endif
