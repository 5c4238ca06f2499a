/*
 * sendmail_wrong.h - what sendmail tells whoever called it.
 */
#ifndef CMD_SENDMAIL_WRONG_H
#define CMD_SENDMAIL_WRONG_H

#include "base/arena.h"

/* A line on stderr. Returns the exit status. */
int sendmail_wrong(int status, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Somebody else's words, for a terminal. */
struct slice sendmail_printable(struct arena *arena, struct slice text);

#endif
