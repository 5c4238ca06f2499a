/*
 * own_name.h - names that commands give: what this machine calls itself when it speaks to mail
 * servers, and what nothing else is called.
 */
#ifndef CMD_OWN_NAME_H
#define CMD_OWN_NAME_H

#include "base/arena.h"

/* Its host name where that may follow EHLO, else "localhost". */
struct slice own_name(struct arena *arena);

/* For Message-ID and the like: 24 characters that nobody can guess. */
struct slice random_name(struct arena *arena);

#endif
