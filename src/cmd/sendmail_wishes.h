/*
 * sendmail_wishes.h - what -N, -R and -V ask for (RFC 3461), as parameters of MAIL and RCPT.
 */
#ifndef CMD_SENDMAIL_WISHES_H
#define CMD_SENDMAIL_WISHES_H

#include "cmd/sendmail_options.h"

#include "base/arena.h"
#include "smtp/client.h"

/* Of a message that has its recipients. NULL, or what is wrong with a flag. */
const char *sendmail_wishes_write(const struct sendmail_options *o, struct arena *arena,
                                  struct client_message *m);

#endif
