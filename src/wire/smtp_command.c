/*
 * smtp_command.c - one SMTP command line into verb, argument, path and parameters.
 *
 * Bytes are judged first: no control character and no broken UTF-8 gets any further, so later
 * code may quote every part of a command in a reply or a log. The form is then read by the
 * verb's row in one table. Tolerated, since many clients do it and nothing is ambiguous: any
 * case, trailing blanks, a blank behind "FROM:". Refused, since readers would differ about it:
 * paths without brackets, text glued to a path, the same parameter twice.
 */
#include "wire/smtp_command.h"
#include "wire/chars.h"
#include "wire/utf8.h"

enum form {
    FORM_ALONE,     /* no argument */
    FORM_ANY,       /* free text or none */
    FORM_TEXT,      /* free text */
    FORM_FROM_PATH, /* "FROM:" path parameters */
    FORM_TO_PATH,   /* "TO:" path parameters */
};

struct verb_row {
    struct slice name;
    enum smtp_verb verb;
    enum form form;
};

static const struct verb_row verbs[] = {
    {SLICE_INIT("EHLO"),     VERB_EHLO,     FORM_TEXT     },
    {SLICE_INIT("HELO"),     VERB_HELO,     FORM_TEXT     },
    {SLICE_INIT("LHLO"),     VERB_LHLO,     FORM_TEXT     },
    {SLICE_INIT("MAIL"),     VERB_MAIL,     FORM_FROM_PATH},
    {SLICE_INIT("RCPT"),     VERB_RCPT,     FORM_TO_PATH  },
    {SLICE_INIT("DATA"),     VERB_DATA,     FORM_ALONE    },
    {SLICE_INIT("BDAT"),     VERB_BDAT,     FORM_TEXT     },
    {SLICE_INIT("RSET"),     VERB_RSET,     FORM_ALONE    },
    {SLICE_INIT("NOOP"),     VERB_NOOP,     FORM_ANY      },
    {SLICE_INIT("HELP"),     VERB_HELP,     FORM_ANY      },
    {SLICE_INIT("VRFY"),     VERB_VRFY,     FORM_TEXT     },
    {SLICE_INIT("EXPN"),     VERB_EXPN,     FORM_TEXT     },
    {SLICE_INIT("QUIT"),     VERB_QUIT,     FORM_ALONE    },
    {SLICE_INIT("STARTTLS"), VERB_STARTTLS, FORM_ALONE    },
    {SLICE_INIT("AUTH"),     VERB_AUTH,     FORM_TEXT     },
    {SLICE_INIT("ETRN"),     VERB_ETRN,     FORM_TEXT     },
    {SLICE_INIT("XCLIENT"),  VERB_XCLIENT,  FORM_TEXT     },
    {SLICE_INIT("XFORWARD"), VERB_XFORWARD, FORM_TEXT     },
    {SLICE_INIT("GET"),      VERB_HTTP,     FORM_ANY      },
    {SLICE_INIT("POST"),     VERB_HTTP,     FORM_ANY      },
    {SLICE_INIT("PUT"),      VERB_HTTP,     FORM_ANY      },
    {SLICE_INIT("HEAD"),     VERB_HTTP,     FORM_ANY      },
    {SLICE_INIT("OPTIONS"),  VERB_HTTP,     FORM_ANY      },
    {SLICE_INIT("CONNECT"),  VERB_HTTP,     FORM_ANY      },
};

enum { VERB_ROWS = sizeof(verbs) / sizeof(*verbs) };

static const struct verb_row *verb_find(struct slice name)
{
    for (size_t i = 0; i < VERB_ROWS; i++)
        if (slice_equal_nocase(verbs[i].name, name))
            return &verbs[i];
    return NULL;
}

static bool is_not_blank(char c)
{
    return !char_is(c, CHAR_BLANK);
}

static bool is_keyword_byte(char c)
{
    return char_is(c, CHAR_LETDIG) || c == '-';
}

/* UTF-8 in values: RFC 6531 3.3. */
static bool is_value_byte(char c)
{
    return char_is(c, CHAR_ESMTP | CHAR_HIGH);
}

/* An empty value is let through, since "ENVID=" is good (RFC 3461 4: xtext may be empty). */
static bool take_param(struct cursor *c, struct smtp_param *out)
{
    struct smtp_param got = {.name = take_while(c, is_keyword_byte)};

    if (got.name.len == 0 || got.name.data[0] == '-')
        return false;
    got.has_value = take_char(c, '=');
    if (got.has_value)
        got.value = take_while(c, is_value_byte);
    *out = got;
    return true;
}

static enum smtp_command_fault take_params(struct cursor *c, struct smtp_command *cmd)
{
    struct smtp_param param;

    while (!cursor_at_end(c)) {
        if (!take_blanks(c) || !take_param(c, &param))
            return SMTP_COMMAND_BAD_PARAM;
        if (cmd->param_count == SMTP_PARAMS_MAX)
            return SMTP_COMMAND_BAD_FORM;
        if (smtp_command_param(cmd, param.name) != NULL)
            return SMTP_COMMAND_BAD_PARAM;
        cmd->params[cmd->param_count++] = param;
    }
    return SMTP_COMMAND_OK;
}

static enum smtp_command_fault parse_path(struct smtp_command *cmd, struct slice prefix,
                                          struct arena *arena)
{
    struct cursor c = {cmd->argument};

    if (!take_word(&c, prefix))
        return SMTP_COMMAND_BAD_FORM;
    take_blanks(&c);
    if (!address_take_path(&c, arena, &cmd->path))
        return SMTP_COMMAND_BAD_PATH;
    if (!cursor_at_end(&c) && is_not_blank(c.rest.data[0]))
        return SMTP_COMMAND_BAD_PATH;
    return take_params(&c, cmd);
}

static enum smtp_command_fault parse_argument(struct smtp_command *cmd, enum form form,
                                              struct arena *arena)
{
    bool empty = cmd->argument.len == 0;

    switch (form) {
    case FORM_ALONE: return empty ? SMTP_COMMAND_OK : SMTP_COMMAND_BAD_FORM;
    case FORM_ANY: return SMTP_COMMAND_OK;
    case FORM_TEXT: return empty ? SMTP_COMMAND_BAD_FORM : SMTP_COMMAND_OK;
    case FORM_FROM_PATH: return parse_path(cmd, SLICE("FROM:"), arena);
    case FORM_TO_PATH: return parse_path(cmd, SLICE("TO:"), arena);
    }
    return SMTP_COMMAND_BAD_FORM;
}

enum smtp_command_fault smtp_command_parse(struct slice line, struct arena *arena,
                                           struct smtp_command *out)
{
    struct cursor c = {line};

    *out = (struct smtp_command){.verb = VERB_UNKNOWN};
    out->name = take_while(&c, is_not_blank);
    out->argument = slice_trim(c.rest);
    const struct verb_row *row = verb_find(out->name);
    if (row != NULL)
        out->verb = row->verb;
    if (!utf8_printable(line))
        return SMTP_COMMAND_BAD_BYTES;
    if (row == NULL)
        return SMTP_COMMAND_UNKNOWN;
    return parse_argument(out, row->form, arena);
}

const struct smtp_param *smtp_command_param(const struct smtp_command *cmd, struct slice name)
{
    for (unsigned i = 0; i < cmd->param_count; i++)
        if (slice_equal_nocase(cmd->params[i].name, name))
            return &cmd->params[i];
    return NULL;
}

struct slice smtp_verb_name(enum smtp_verb verb)
{
    if (verb == VERB_HTTP)
        return SLICE("HTTP");
    for (size_t i = 0; i < VERB_ROWS; i++)
        if (verbs[i].verb == verb)
            return verbs[i].name;
    return SLICE("UNKNOWN");
}
