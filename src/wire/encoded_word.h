/*
 * encoded_word.h - RFC 2047: text outside ASCII in a header, decoded.
 *
 * Strict where RFC 2047 is: an encoded word holds no blank and stands between blanks or at an end.
 * What is none stays as it is. Results are valid UTF-8 without controls, fit for a log or a page.
 */
#ifndef WIRE_ENCODED_WORD_H
#define WIRE_ENCODED_WORD_H

#include "base/arena.h"

/* The text of an unstructured field's value or of a comment (raw, folded or not): unfolded,
 * trimmed, encoded words decoded, blanks between two of them dropped. At most 3 times as long. */
struct slice encoded_text_decode(struct arena *arena, struct slice raw);

/* A copy with controls and broken UTF-8 as "?", a tab as a blank. */
struct slice text_clean(struct arena *arena, struct slice s);

#endif
