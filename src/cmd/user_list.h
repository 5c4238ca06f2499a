/*
 * user_list.h - accounts for people to read, and for programs.
 */
#ifndef CMD_USER_LIST_H
#define CMD_USER_LIST_H

#include "base/slice.h"

/* A table, or with `json` one object a line, on stdout. Of a password only its scheme is told. */
void user_list(struct slice text, bool json);

#endif
