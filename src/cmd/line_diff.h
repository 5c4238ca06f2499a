/*
 * line_diff.h - what differs between two texts, line by line.
 *
 *     - a line of the first text only
 *     + a line of the second text only
 *
 * Lines that both have are passed over. Pure.
 */
#ifndef CMD_LINE_DIFF_H
#define CMD_LINE_DIFF_H

#include "base/buf.h"

/* Appends what differs; how many lines that are. Texts of more than some thousand lines that differ
 * throughout are told as wholly different. */
unsigned line_diff(struct slice from, struct slice to, struct buf *out);

#endif
