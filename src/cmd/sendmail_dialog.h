/*
 * sendmail_dialog.h - a mail said to the server, or left for it.
 */
#ifndef CMD_SENDMAIL_DIALOG_H
#define CMD_SENDMAIL_DIALOG_H

#include "base/arena.h"
#include "base/buf.h"
#include "smtp/client.h"

/* What is to be said. Borrowed. */
struct sendmail_mail {
    struct client_message message; /* its body is `content` */
    struct slice content;          /* strict CRLF */
    struct slice ehlo;
};

/* What became of it. Slices in the arena. */
struct sendmail_outcome {
    int connect_error; /* negative errno: nobody listens, nothing was said */
    struct client_outcome *rcpts;
};

/* Speaks to the socket. `out` gets the dialog, for people, when it is not NULL. False: the system
 * has no room; told. */
bool sendmail_say(const struct sendmail_mail *mail, struct slice socket, struct buf *out,
                  struct arena *arena, struct sendmail_outcome *outcome);

/* The same dialog as text, as if somebody had taken all of it: what is left in the drop folder.
 * False: out is full. */
bool sendmail_write_down(const struct sendmail_mail *mail, struct buf *out);

#endif
