/*
 * codec.h - base64, hex, quoted-printable, xtext, CRC32C.
 *
 * Encoders append to a buf and return false when its maximum would be passed. Decoders take one
 * whole slice and accept the strict form only. Both leave the buf as it was on failure. The
 * input must not lie in the buf.
 */
#ifndef BASE_CODEC_H
#define BASE_CODEC_H

#include "base/buf.h"

#include <stdint.h>

bool base64_encode(struct buf *out, struct slice in);       /* one line */
bool base64_encode_lines(struct buf *out, struct slice in); /* 76 columns, each with CRLF */
bool base64_decode(struct buf *out, struct slice in);       /* one line, padded, RFC 4648 4 */
bool base64url_encode(struct buf *out, struct slice in);    /* unpadded, RFC 4648 5 */

bool hex_encode(struct buf *out, struct slice in); /* lower case */
bool hex_decode(struct buf *out, struct slice in); /* both cases */

/* Quoted-printable of text with CRLF line ends, RFC 2045 6.7; lines of at most 76 columns. A CR
 * or LF alone is encoded like any other control. Decoding drops blanks at a line's end, refuses
 * controls, 8-bit bytes and lower case hex, and does not mind long lines. */
bool qp_encode(struct buf *out, struct slice in);
bool qp_decode(struct buf *out, struct slice in);

/* RFC 3461 4. Decoding refuses anything that is not xtext. */
bool xtext_encode(struct buf *out, struct slice in);
bool xtext_decode(struct buf *out, struct slice in);

/* CRC32C (Castagnoli). Start with the seed (0 for the plain checksum) and feed pieces:
 * crc32c(crc32c(seed, a), b) == crc32c(seed, ab). */
uint32_t crc32c(uint32_t seed, struct slice in);

/* The same sum by table, for machines without the instruction (and to test against). */
uint32_t crc32c_portable(uint32_t seed, struct slice in);

#endif
