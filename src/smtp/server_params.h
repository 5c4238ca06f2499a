/*
 * server_params.h - the parameters of MAIL and RCPT, as one table.
 *
 * Part of the server engine. A parameter is accepted when its extension is offered, or belongs to
 * what every server of ours offers.
 */
#ifndef SMTP_SERVER_PARAMS_H
#define SMTP_SERVER_PARAMS_H

#include "mail/release.h"
#include "smtp/server_internal.h"

struct mail_params {
    enum body_type body;
    uint64_t size;
    bool smtputf8;
    struct envelope_wishes wishes;
};

struct rcpt_params {
    unsigned notify;
    struct slice orcpt;
};

/* As far as HOLDUNTIL may reach now; HOLD_MAX_S is how far HOLDFOR may. */
uint64_t server_hold_until_max_us(const struct server *s);

/* NULL when every parameter is known and sound; otherwise the refusal. Texts live in s->scratch.
 * A HELO client was offered no extension and may use none. */
const struct reply *server_mail_params(struct server *s, const struct smtp_command *cmd,
                                       struct mail_params *out);
const struct reply *server_rcpt_params(struct server *s, const struct smtp_command *cmd,
                                       struct rcpt_params *out);

#endif
