/*
 * sendmail_place.h - where mail of this machine is handed in.
 *
 * Anybody may run sendmail, and not everybody may read what the configuration names: keys, tables.
 * So a few words of its text are all that is looked at; what else may be wrong with it is not said
 * here. Without a configuration there are the places of an installed server, or `postroad dev`.
 */
#ifndef CMD_SENDMAIL_PLACE_H
#define CMD_SENDMAIL_PLACE_H

#include "base/arena.h"

struct sendmail_place {
    struct slice hostname;
    struct slice origin; /* completes bare names */
    struct slice socket; /* "": nobody takes mail of this machine's programs */
    struct slice drop;   /* for when nobody listens; "": there is none */
};

/* `config`: the file that was named, or NULL. False: it cannot be read. */
bool sendmail_place_find(const char *config, struct arena *arena, struct sendmail_place *out);

/* From a configuration's text; hostname and origin stay what they are where it does not name them.
 */
void sendmail_place_read(struct slice text, struct arena *arena, struct sendmail_place *out);

#endif
