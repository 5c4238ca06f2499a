/*
 * header_token.h - what structured header fields are made of. RFC 5322 3.2, UTF-8 as in RFC 6532.
 *
 * For the parsers of such fields; all work on a value that header_unfold() has put on one line.
 * Time is linear in what is taken or looked through. Something that never ends is looked through
 * to the end of the value: a caller that then goes on behind its first byte is quadratic.
 */
#ifndef WIRE_HEADER_TOKEN_H
#define WIRE_HEADER_TOKEN_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/cursor.h"

/* atext, and what is outside ASCII. */
bool is_header_atext(char c);

/* Text between two delimiters with quoted pairs, from the opening one on; comments and brackets
 * nest. False: it never ends. */
bool take_enclosed(struct cursor *c, char open, char close, struct slice *inside);

/* The same without the backslashes of its quoted pairs. */
struct slice enclosed_unescape(struct arena *arena, struct slice inside);

/* "<" ... ">", in which quoted strings, comments and literals may hold ">". False: there is none,
 * it never ends, or another "<" comes first. */
bool take_angle(struct cursor *c, struct slice *inside);

/* Blanks and comments, which may be none; the comments' texts are appended to `comments`, unless
 * that is NULL, a blank behind each. False: a comment never ends. */
bool take_cfws(struct cursor *c, struct buf *comments);

/* word *("." word), blanks and comments around each (4.4: obs-local-part); appended to out without
 * quotes. On failure the cursor and out hold what was read so far. */
bool take_local_part(struct cursor *c, struct arena *arena, struct buf *out, struct buf *comments);

/* atom *("." atom), blanks and comments around each (4.4: obs-domain); the same. */
bool take_dotted_atoms(struct cursor *c, struct buf *out, struct buf *comments);

/* The words of a phrase as UTF-8, one blank between two; an encoded word inside quotes is none
 * (RFC 2047 5). False when s holds what no phrase may: *text is set all the same. */
bool phrase_decode(struct slice s, struct arena *arena, struct slice *text, struct buf *comments);

#endif
