/*
 * sendmail_hand_in.h - a mail is said to the server; who does not take it now finds it in the drop
 * folder.
 */
#ifndef CMD_SENDMAIL_HAND_IN_H
#define CMD_SENDMAIL_HAND_IN_H

#include "cmd/sendmail_dialog.h"
#include "cmd/sendmail_place.h"

/* Exit status; what else there is to tell is on stderr, and the dialog if it is wanted. */
int sendmail_hand_in(struct sendmail_mail *mail, const struct sendmail_place *place, bool verbose,
                     struct arena *arena);

/* The part of it behind the dialog: who was not decided about is left for later, everybody else
 * hears it now. mail->message becomes what is left. */
int sendmail_settle(struct sendmail_mail *mail, const struct sendmail_place *place,
                    const struct sendmail_outcome *outcome, struct arena *arena);

#endif
