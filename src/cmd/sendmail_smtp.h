/*
 * sendmail_smtp.h - `sendmail -bs`: SMTP on standard input and output, for mail programs that speak
 * it to a process.
 */
#ifndef CMD_SENDMAIL_SMTP_H
#define CMD_SENDMAIL_SMTP_H

#include "base/arena.h"

/* Carries bytes between the two and the socket until the server has said goodbye. An exit status;
 * when nobody listens the program reads "421". */
int sendmail_smtp(struct slice socket, struct slice hostname, struct arena *arena);

#endif
