/*
 * own_name.h - what this machine calls itself, for commands that speak to mail servers.
 */
#ifndef CMD_OWN_NAME_H
#define CMD_OWN_NAME_H

#include "base/arena.h"

/* Its host name where that may follow EHLO, else "localhost". */
struct slice own_name(struct arena *arena);

#endif
