/*
 * smtp_command.h - one SMTP command line into verb, argument, path and parameters.
 *
 * RFC 5321 4.1.1; parameters by 4.1.2 (esmtp-keyword ["=" esmtp-value]). The line comes without
 * its CRLF. The parser is strict about structure and knows no state: whether a verb or a
 * parameter is welcome now is the engine's business (smtp/server_commands).
 */
#ifndef WIRE_SMTP_COMMAND_H
#define WIRE_SMTP_COMMAND_H

#include "wire/address.h"

enum smtp_verb {
    VERB_UNKNOWN,
    VERB_EHLO,
    VERB_HELO,
    VERB_LHLO,
    VERB_MAIL,
    VERB_RCPT,
    VERB_DATA,
    VERB_BDAT,
    VERB_RSET,
    VERB_NOOP,
    VERB_HELP,
    VERB_VRFY,
    VERB_EXPN,
    VERB_QUIT,
    VERB_STARTTLS,
    VERB_AUTH,
    VERB_ETRN,
    VERB_XCLIENT,
    VERB_XFORWARD,
    VERB_HTTP, /* GET, POST, CONNECT ... : another protocol is talking to us */
    VERB_COUNT,
};

struct smtp_param {
    struct slice name;  /* as given; compare without case */
    struct slice value; /* behind "=", empty when there is none */
    bool has_value;
};

enum { SMTP_PARAMS_MAX = 16 };

struct smtp_command {
    enum smtp_verb verb;
    struct slice name;     /* the verb as given, for messages and logs */
    struct slice argument; /* everything behind the verb, trimmed */
    struct address path;   /* MAIL and RCPT */
    struct smtp_param params[SMTP_PARAMS_MAX];
    unsigned param_count;
};

enum smtp_command_fault {
    SMTP_COMMAND_OK,
    SMTP_COMMAND_UNKNOWN,   /* 500: no such verb */
    SMTP_COMMAND_BAD_BYTES, /* 500: NUL, control characters, or 8-bit that is not UTF-8 */
    SMTP_COMMAND_BAD_FORM,  /* 501: MAIL without "FROM:", RCPT without "TO:", too many parameters */
    SMTP_COMMAND_BAD_PATH,  /* 501 5.1.7 (MAIL) or 5.1.3 (RCPT): the address is not one */
    SMTP_COMMAND_BAD_PARAM, /* 501 5.5.4: a parameter is malformed */
};

/* Slices in out point into line or the arena. verb, name and argument are set whenever they
 * could be read, so that a fault can be told precisely. */
enum smtp_command_fault smtp_command_parse(struct slice line, struct arena *arena,
                                           struct smtp_command *out);

/* The first parameter of that name, case folded, or NULL. */
const struct smtp_param *smtp_command_param(const struct smtp_command *cmd, struct slice name);

struct slice smtp_verb_name(enum smtp_verb verb);

#endif
