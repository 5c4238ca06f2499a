/*
 * password_prompt.h - a password from a person, never from the command line.
 */
#ifndef CMD_PASSWORD_PROMPT_H
#define CMD_PASSWORD_PROMPT_H

#include "base/buf.h"

enum { PASSWORD_TYPED_MAX = 1000 };

/* A new one. Asks for it twice on the terminal, without echo; or takes the first line of stdin, to
 * which the program's caller says yes by `from_stdin`. `command` is for what is told. An exit
 * status; 0: out, initialised here either way, has it; wipe it. Never empty. */
int password_prompt(const char *command, const char *name, bool from_stdin, struct buf *out);

/* One that is known: once. Appends to out, which has room for PASSWORD_TYPED_MAX. */
int password_ask(const char *command, const char *name, bool from_stdin, struct buf *out);

#endif
