/*
 * codec.h - base64, hex, quoted-printable, xtext, CRC32C, queue-id digits.
 *
 * Encoders append to a buf and return false when its maximum is reached. Decoders take one
 * whole slice, accept the strict form only and leave the buf as it was on failure.
 */
#ifndef BASE_CODEC_H
#define BASE_CODEC_H

#include "base/buf.h"
#include "base/slice.h"

#include <stdint.h>

bool base64_encode(struct buf *out, struct slice in);                    /* one line */
bool base64_encode_lines(struct buf *out, struct slice in);              /* 76 columns, CRLF */
bool base64_decode(struct buf *out, struct slice in);                    /* RFC 4648 4, padded */

bool hex_encode(struct buf *out, struct slice in);                       /* lower case */
bool hex_decode(struct buf *out, struct slice in);

/* Quoted-printable of text with CRLF line ends, RFC 2045 6.7; lines of at most 76 columns. */
bool qp_encode(struct buf *out, struct slice in);
bool qp_decode(struct buf *out, struct slice in);

/* RFC 3461 4. Decoding refuses anything that is not xtext. */
bool xtext_encode(struct buf *out, struct slice in);
bool xtext_decode(struct buf *out, struct slice in);

/* CRC32C (Castagnoli). Start with the seed (0 for the plain checksum) and feed pieces:
 * crc32c(crc32c(seed, a), b) == crc32c(seed, ab). */
uint32_t crc32c(uint32_t seed, struct slice in);

#endif
