/*
 * server_commands.c - the verb table and its handlers.
 *
 * One row a verb: in which phases it may stand, who handles it, which counters it moves, what to
 * say about bad syntax. A command passes the checks in one order (phase, form), so every handler
 * starts from a command that is well-formed and in its place, and says or asks exactly one
 * thing.
 *
 * A line ends with CRLF. LF alone is told to a person at a terminal in words that help, and ends
 * the session at the third: a mail server never sends it, a smuggled message often does.
 */
#include "smtp/server_params.h"

#include "base/memory.h"
#include "wire/chars.h"
#include "wire/date.h"

#include <stddef.h>
#include <string.h>

/* --- refusals that have a fixed wording ---------------------------------------------------- */

#define TEXT(code, enhanced, text)                                                                 \
    {                                                                                              \
        (code), SLICE_INIT(enhanced), SLICE_INIT(text)                                             \
    }

static const struct reply ok = TEXT(250, "2.0.0", "Ok");
static const struct reply line_too_long = TEXT(500, "5.5.2", "Error: line too long");
static const struct reply bare_lf = TEXT(500, "5.5.2", "end lines with CRLF: telnet or nc -C");
static const struct reply bad_bytes = TEXT(500, "5.5.2", "Error: bad characters in the command");
static const struct reply bad_syntax = TEXT(500, "5.5.2", "Error: bad syntax");
static const struct reply no_such_verb = TEXT(500, "5.5.2", "Error: command not recognized");
static const struct reply bad_sender = TEXT(501, "5.1.7", "Bad sender address syntax");
static const struct reply bad_rcpt =
    TEXT(501, "5.1.3", "Bad recipient address syntax; write RCPT TO:<user@example.org>");
static const struct reply bad_param = TEXT(501, "5.5.4", "Error: malformed or repeated parameter");
static const struct reply wants_smtputf8 =
    TEXT(553, "5.6.7", "Error: this address needs MAIL with SMTPUTF8");
static const struct reply too_big = TEXT(552, "5.3.4", "Message size exceeds fixed limit");
static const struct reply no_valid_rcpts = TEXT(554, "5.5.1", "Error: no valid recipients");
static const struct reply wants_tls = TEXT(530, "5.7.0", "Must issue a STARTTLS command first");

static const struct reply wants_auth = TEXT(530, "5.7.0", "Authentication required");
static const struct reply under_way = TEXT(503, "5.5.1", "Error: a mail is under way; RSET first");

#define EHLO_FIRST "Error: send EHLO/HELO first"

static const struct reply wants_ehlo = TEXT(503, "5.5.1", EHLO_FIRST);

struct command {
    unsigned phases; /* where it may stand */
    void (*run)(struct server *s, const struct smtp_command *cmd, struct buf *out);
    struct slice stage;
    size_t accepted, tried; /* offsets of the counters */
    struct reply syntax;    /* to a bad form; code 0: run() says the same whatever the form */
};

static const struct command commands[VERB_COUNT]; /* below, behind its handlers */

static unsigned rcpt_max(const struct server *s)
{
    unsigned wanted = s->settings->rcpt_max;

    return wanted < ENVELOPE_RCPTS_MAX ? wanted : (unsigned)ENVELOPE_RCPTS_MAX;
}

/* --- handlers ------------------------------------------------------------------------------ */

static void cmd_unknown(struct server *s, const struct smtp_command *cmd, struct buf *out)
{
    server_say_wrong(s, out, cmd->name.len > 0 ? &no_such_verb : &bad_syntax);
}

static void cmd_not_here(struct server *s, const struct smtp_command *cmd, struct buf *out)
{
    (void)cmd;
    server_say_wrong(s, out, &REPLY(502, "5.5.1", "Error: command not implemented here"));
}

static bool greeted_by_name(struct server *s, const struct smtp_command *cmd)
{
    struct slice name;

    if (!ehlo_name_parse(cmd->argument, &s->scratch, &name))
        return false;
    server_transaction_reset(s);
    memory_free(s->helo);
    s->helo = memory_new(name.len);
    memcpy(s->helo, name.data, name.len);
    s->helo_len = name.len;
    s->mail_refused = false;
    server_phase_set(s, PHASE_READY);
    return true;
}

/* Those that a listener may offer or not. */
static const struct {
    enum ehlo_keyword keyword;
    const char *line;
} offered[] = {
    {EHLO_CHUNKING,      "\nCHUNKING"     },
    {EHLO_BINARYMIME,    "\nBINARYMIME"   },
    {EHLO_DSN,           "\nDSN"          },
    {EHLO_MT_PRIORITY,   "\nMT-PRIORITY"  },
    {EHLO_DELIVERBY,     "\nDELIVERBY"    },
    {EHLO_NO_SOLICITING, "\nNO-SOLICITING"},
    {EHLO_REQUIRETLS,    "\nREQUIRETLS"   }, /* only under TLS */
    {EHLO_ETRN,          "\nETRN"         },
};

enum { OFFERS_TEXT_MAX = 1024 };

static bool offers_tls(const struct server *s)
{
    return (s->settings->offers & EHLO_STARTTLS) != 0 && !server_is_secure(s);
}

/* Announced is only what works; RFC 5321 4.1.1.1: the name first. */
static void say_offers(struct server *s, struct buf *out)
{
    struct buf text;

    s->esmtp = true;
    buf_init(&text, OFFERS_TEXT_MAX);
    buf_append(&text, s->settings->hostname);
    buf_printf(&text, "\nPIPELINING\nSIZE %llu\n8BITMIME\nSMTPUTF8\nENHANCEDSTATUSCODES",
               (unsigned long long)s->settings->max_size);
    for (size_t i = 0; i < sizeof(offered) / sizeof(*offered); i++)
        if ((server_offers(s) & offered[i].keyword) != 0)
            buf_append(&text, slice_of(offered[i].line));
    if ((server_offers(s) & EHLO_XCLIENT) != 0)
        buf_printf(&text, "\nXCLIENT%.*s", SLICE_PRINTF(forwarded_words_xclient));
    if ((server_offers(s) & EHLO_XFORWARD) != 0)
        buf_printf(&text, "\nXFORWARD%.*s", SLICE_PRINTF(forwarded_words_xforward));
    if ((s->settings->offers & EHLO_FUTURERELEASE) != 0) {
        buf_printf(&text, "\nFUTURERELEASE %d ", HOLD_MAX_S);
        date_write_rfc3339(&text, server_hold_until_max_us(s));
    }
    if (offers_tls(s))
        buf_append(&text, SLICE("\nSTARTTLS"));
    if (server_offers_auth(s) && s->user_len == 0)
        buf_printf(&text, "\nAUTH %.*s", SLICE_PRINTF(s->mechanisms));
    buf_printf(&text, "\nLIMITS RCPTMAX=%u", rcpt_max(s)); /* RFC 9422 */
    server_say(s, out, &(struct reply){250, SLICE(""), buf_slice(&text)});
    buf_done(&text);
}

static bool speaks_lmtp(struct server *s, const struct smtp_command *cmd, struct buf *out)
{
    if (s->settings->protocol == SERVER_LMTP)
        cmd_unknown(s, cmd, out); /* RFC 2033 4.1: 500 */
    return s->settings->protocol == SERVER_LMTP;
}

static void cmd_ehlo(struct server *s, const struct smtp_command *cmd, struct buf *out)
{
    if (speaks_lmtp(s, cmd, out))
        return;
    if (!greeted_by_name(s, cmd)) {
        server_say_wrong(s, out, &commands[VERB_EHLO].syntax);
        return;
    }
    say_offers(s, out);
}

static void cmd_lhlo(struct server *s, const struct smtp_command *cmd, struct buf *out)
{
    if (s->settings->protocol != SERVER_LMTP) {
        cmd_not_here(s, cmd, out);
        return;
    }
    if (cmd->argument.len == 0 || !greeted_by_name(s, cmd)) {
        server_say_wrong(s, out, &commands[VERB_LHLO].syntax);
        return;
    }
    say_offers(s, out);
}

static void cmd_helo(struct server *s, const struct smtp_command *cmd, struct buf *out)
{
    if (speaks_lmtp(s, cmd, out))
        return;
    if (!greeted_by_name(s, cmd)) {
        server_say_wrong(s, out, &commands[VERB_HELO].syntax);
        return;
    }
    s->esmtp = false;
    server_say(s, out, &(struct reply){250, SLICE(""), s->settings->hostname});
}

/* RFC 6531 4.3. */
static struct slice utf8_proto(const struct server *s)
{
    static const struct slice words[2][4] = {
        {SLICE_INIT("UTF8SMTP"), SLICE_INIT("UTF8SMTPA"), SLICE_INIT("UTF8SMTPS"),
         SLICE_INIT("UTF8SMTPSA")},
        {SLICE_INIT("UTF8LMTP"), SLICE_INIT("UTF8LMTPA"), SLICE_INIT("UTF8LMTPS"),
         SLICE_INIT("UTF8LMTPSA")},
    };

    return words[s->settings->protocol == SERVER_LMTP][server_manner(s)];
}

static void transaction_begin(struct server *s, const struct mail_params *params)
{
    struct envelope *e = ARENA_NEW(&s->tx, struct envelope);

    e->sender_given = address_copy(&s->tx, &s->path);
    e->sender = e->sender_given;
    e->body = params->body;
    e->smtputf8 = params->smtputf8;
    e->wishes = params->wishes;
    e->wishes.envid = arena_copy(&s->tx, params->wishes.envid);
    e->wishes.solicit = arena_copy(&s->tx, params->wishes.solicit);
    e->helo = (struct slice){s->helo, s->helo_len};
    e->client_address = (struct slice){s->client_address, s->client_address_len};
    e->user = server_user(s);
    e->proto = params->smtputf8 ? utf8_proto(s) : server_proto(s);
    e->tls = s->tls;
    s->envelope = e;
}

static void cmd_mail(struct server *s, const struct smtp_command *cmd, struct buf *out)
{
    struct mail_params params = {.body = BODY_7BIT};
    const struct reply *refusal = server_mail_params(s, cmd, &params);

    if (refusal != NULL) {
        server_say_wrong(s, out, refusal);
        return;
    }
    if (s->path.utf8 && !params.smtputf8) {
        server_say_wrong(s, out, &wants_smtputf8);
        return;
    }
    if (params.size > s->settings->max_size) {
        server_say_excused(s, out, &too_big);
        return;
    }
    transaction_begin(s, &params);
    server_ask(s, SERVER_WANTS_MAIL);
}

static void cmd_rcpt(struct server *s, const struct smtp_command *cmd, struct buf *out)
{
    struct rcpt_params params = {0};
    const struct reply *refusal;

    if (s->path.kind == ADDRESS_NULL) {
        server_say_wrong(s, out, &bad_rcpt);
        return;
    }
    refusal = server_rcpt_params(s, cmd, &params);
    if (refusal != NULL) {
        server_say_wrong(s, out, refusal);
        return;
    }
    if (s->path.utf8 && !s->envelope->smtputf8) {
        s->rcpts_refused++;
        server_say_wrong(s, out, &wants_smtputf8);
        return;
    }
    if (s->rcpts_accepted >= rcpt_max(s)) {
        server_say_excused(s, out, &server_too_many_rcpts);
        return;
    }
    s->notify = params.notify;
    s->orcpt = params.orcpt;
    server_ask(s, SERVER_WANTS_RCPT);
}

static void cmd_data(struct server *s, const struct smtp_command *cmd, struct buf *out)
{
    (void)cmd;
    if (s->envelope->body == BODY_BINARYMIME) {
        server_say_wrong(s, out, &REPLY(503, "5.5.1", "Error: BODY=BINARYMIME wants BDAT"));
        return;
    }
    server_data_begin(s, out);
}

static void cmd_bdat(struct server *s, const struct smtp_command *cmd, struct buf *out)
{
    if ((s->settings->offers & EHLO_CHUNKING) == 0)
        cmd_not_here(s, cmd, out);
    else
        server_bdat_begin(s, cmd, out);
}

/* RFC 3207 4. Not within a transaction: nobody would know what became of it. */
static void cmd_starttls(struct server *s, const struct smtp_command *cmd, struct buf *out)
{
    if ((s->settings->offers & EHLO_STARTTLS) == 0)
        cmd_not_here(s, cmd, out);
    else if (cmd->argument.len > 0)
        server_say_wrong(s, out, &REPLY(501, "5.5.4", "Syntax: STARTTLS"));
    else if (server_is_secure(s))
        server_say_wrong(s, out, &REPLY(503, "5.5.1", "Error: TLS has begun already"));
    else if (s->envelope != NULL)
        server_say_wrong(s, out, &under_way);
    else
        server_ask(s, SERVER_WANTS_TLS);
}

/* RFC 4954 4. Not within a transaction, once, and not where others listen. */
static void cmd_auth(struct server *s, const struct smtp_command *cmd, struct buf *out)
{
    if ((s->settings->offers & EHLO_AUTH) == 0)
        cmd_not_here(s, cmd, out);
    else if (s->envelope != NULL)
        server_say_wrong(s, out, &under_way);
    else if (s->phase == PHASE_GREETED || !s->esmtp)
        server_say_wrong(s, out, &wants_ehlo);
    else if (s->user_len > 0)
        server_say_wrong(s, out, &REPLY(503, "5.5.1", "Error: already authenticated"));
    else if (!server_offers_auth(s))
        server_say_wrong(s, out, &REPLY(538, "5.7.11", "Encryption required: STARTTLS first"));
    else
        server_auth_begin(s, cmd->argument, out);
}

/* RFC 1985 5: at any time, but not within a transaction. */
static void cmd_etrn(struct server *s, const struct smtp_command *cmd, struct buf *out)
{
    if ((s->settings->offers & EHLO_ETRN) == 0) {
        cmd_not_here(s, cmd, out);
        return;
    }
    if (s->envelope != NULL || s->phase == PHASE_GREETED) {
        server_say_wrong(s, out, s->envelope != NULL ? &under_way : &wants_ehlo);
        return;
    }
    switch (etrn_parse(cmd->argument, &s->scratch, &s->node)) {
    case ETRN_NODE: server_ask(s, SERVER_WANTS_ETRN); return;
    case ETRN_QUEUE:
        server_say_wrong(s, out, &REPLY(458, "4.5.4", "No queue has a name here"));
        return;
    case ETRN_MALFORMED:
        server_say_wrong(s, out, &REPLY(501, "5.5.4", "Syntax: ETRN domain"));
        return;
    }
}

static void speak_for(struct server *s, const struct smtp_command *cmd, struct buf *out,
                      enum ehlo_keyword keyword,
                      void (*run)(struct server *, struct slice, struct buf *))
{
    if ((s->settings->offers & keyword) == 0)
        cmd_not_here(s, cmd, out);
    else if (!s->trusted)
        server_say_wrong(s, out, &REPLY(550, "5.7.0", "Error: insufficient authorization"));
    else if (s->envelope != NULL)
        server_say_wrong(s, out, &under_way);
    else
        run(s, cmd->argument, out);
}

static void cmd_xclient(struct server *s, const struct smtp_command *cmd, struct buf *out)
{
    speak_for(s, cmd, out, EHLO_XCLIENT, server_xclient_begin);
}

static void cmd_xforward(struct server *s, const struct smtp_command *cmd, struct buf *out)
{
    speak_for(s, cmd, out, EHLO_XFORWARD, server_xforward_take);
}

static void cmd_rset(struct server *s, const struct smtp_command *cmd, struct buf *out)
{
    (void)cmd;
    server_transaction_reset(s);
    s->mail_refused = false;
    server_say(s, out, &ok);
}

static void cmd_noop(struct server *s, const struct smtp_command *cmd, struct buf *out)
{
    (void)cmd;
    server_say(s, out, &ok);
}

#define HELP(next)                                                                                 \
    TEXT(214, "2.0.0",                                                                             \
         "Commands: EHLO HELO MAIL RCPT DATA RSET NOOP HELP VRFY QUIT\n"                           \
         "Next: " next)

/* The next sensible step, by phase. */
static const struct reply helps[] = {
    [PHASE_GREETED] = HELP("EHLO your.host.name"),
    [PHASE_READY] = HELP("MAIL FROM:<you@example.org>"),
    [PHASE_MAIL] = HELP("RCPT TO:<somebody@example.org>"),
    [PHASE_RCPT] = HELP("DATA, or one more RCPT TO:<somebody@example.org>"),
    [PHASE_CHUNKS] = HELP("BDAT length LAST, or RSET"),
};

static void cmd_help(struct server *s, const struct smtp_command *cmd, struct buf *out)
{
    (void)cmd;
    server_say(s, out, &helps[s->phase]);
}

/* RFC 5321 7.3: whether a mailbox exists is nobody's business before RCPT. */
static void cmd_vrfy(struct server *s, const struct smtp_command *cmd, struct buf *out)
{
    (void)cmd;
    server_say(s, out, &REPLY(252, "2.0.0", "Cannot verify; RCPT will tell"));
}

static void cmd_expn(struct server *s, const struct smtp_command *cmd, struct buf *out)
{
    (void)cmd;
    server_say_wrong(s, out, &REPLY(502, "5.5.1", "Error: EXPN is not available"));
}

static void cmd_quit(struct server *s, const struct smtp_command *cmd, struct buf *out)
{
    (void)cmd;
    server_say(s, out, &REPLY(221, "2.0.0", "Bye"));
    server_transaction_reset(s);
    server_phase_set(s, PHASE_DONE);
}

/* A browser that was sent here by a hostile page must not speak SMTP in its headers. */
static void cmd_http(struct server *s, const struct smtp_command *cmd, struct buf *out)
{
    (void)cmd;
    server_say_goodbye(s, out, SLICE("4.7.0"), SLICE("Error: this is a mail server"));
}

/* --- the table ----------------------------------------------------------------------------- */

#define TRANSACTION (IN(PHASE_MAIL) | IN(PHASE_RCPT))
#define ANY         (IN(PHASE_GREETED) | IN(PHASE_READY) | TRANSACTION | IN(PHASE_CHUNKS))
#define LAST        (ANY | IN(PHASE_REFUSED))

#define COUNTED(field)                                                                             \
    offsetof(struct server_counts, field), offsetof(struct server_counts, field##_tried)
#define SYNTAX(text)       TEXT(501, "5.5.4", "Syntax: " text)
#define PLAIN_SYNTAX(text) TEXT(501, "", "Syntax: " text) /* RFC 2034 4: none for EHLO */
#define COMMAND            SLICE_INIT("COMMAND")
#define NO_SYNTAX          TEXT(0, "", "")

/* clang-format off */
static const struct command commands[VERB_COUNT] = {
    [VERB_EHLO] = {ANY, cmd_ehlo, SLICE_INIT("EHLO"), COUNTED(ehlo), PLAIN_SYNTAX("EHLO hostname")},
    [VERB_HELO] = {ANY, cmd_helo, SLICE_INIT("EHLO"), COUNTED(helo), PLAIN_SYNTAX("HELO hostname")},
    [VERB_MAIL] = {IN(PHASE_READY), cmd_mail, SLICE_INIT("MAIL"), COUNTED(mail),
                   SYNTAX("MAIL FROM:<address>")},
    [VERB_RCPT] = {TRANSACTION, cmd_rcpt, SLICE_INIT("RCPT"), COUNTED(rcpt),
                   SYNTAX("RCPT TO:<address>")},
    [VERB_DATA] = {IN(PHASE_RCPT), cmd_data, SLICE_INIT("DATA"), COUNTED(data), SYNTAX("DATA")},
    [VERB_RSET] = {ANY, cmd_rset, COMMAND, COUNTED(rset), SYNTAX("RSET")},
    [VERB_NOOP] = {ANY, cmd_noop, COMMAND, COUNTED(noop), NO_SYNTAX},
    [VERB_HELP] = {ANY, cmd_help, COMMAND, COUNTED(other), NO_SYNTAX},
    [VERB_VRFY] = {ANY, cmd_vrfy, COMMAND, COUNTED(other), SYNTAX("VRFY address")},
    [VERB_EXPN] = {ANY, cmd_expn, COMMAND, COUNTED(other), NO_SYNTAX},
    [VERB_QUIT] = {LAST, cmd_quit, COMMAND, COUNTED(quit), SYNTAX("QUIT")},
    [VERB_HTTP] = {LAST, cmd_http, COMMAND, COUNTED(unknown), NO_SYNTAX},
    [VERB_LHLO] = {ANY, cmd_lhlo, SLICE_INIT("LHLO"), COUNTED(ehlo), PLAIN_SYNTAX("LHLO hostname")},
    [VERB_BDAT] = {ANY, cmd_bdat, SLICE_INIT("BDAT"), COUNTED(bdat), SYNTAX("BDAT length [LAST]")},
    [VERB_STARTTLS] = {ANY, cmd_starttls, COMMAND, COUNTED(starttls), NO_SYNTAX},
    [VERB_AUTH] = {ANY, cmd_auth, SLICE_INIT("AUTH"), COUNTED(auth), NO_SYNTAX},
    [VERB_ETRN] = {ANY, cmd_etrn, SLICE_INIT("ETRN"), COUNTED(other), NO_SYNTAX},
    [VERB_XCLIENT] = {ANY, cmd_xclient, SLICE_INIT("XCLIENT"), COUNTED(other), NO_SYNTAX},
    [VERB_XFORWARD] = {ANY, cmd_xforward, SLICE_INIT("XFORWARD"), COUNTED(other), NO_SYNTAX},
    [VERB_UNKNOWN] = {ANY, cmd_unknown, COMMAND, COUNTED(unknown), NO_SYNTAX},
};

/* clang-format on */

struct slice server_stage(const struct server *s)
{
    if (s->phase == PHASE_CONNECT)
        return SLICE("CONNECT");
    if (s->phase == PHASE_BODY)
        return SLICE("DATA");
    return commands[s->verb].stage;
}

struct slice server_last_stage(const struct server *s)
{
    if (s->counts.commands_tried == 0)
        return SLICE("CONNECT");
    if (s->phase == PHASE_BODY)
        return SLICE("DATA");
    return s->verb == VERB_UNKNOWN ? SLICE("UNKNOWN") : smtp_verb_name(s->verb);
}

static void count(struct server_counts *counts, size_t offset)
{
    unsigned *counter = (unsigned *)(void *)((char *)counts + offset);

    ++*counter;
}

void server_count_tried(struct server *s)
{
    s->counts.commands_tried++;
    count(&s->counts, commands[s->verb].tried);
}

void server_count_accepted(struct server *s)
{
    s->counts.commands++;
    count(&s->counts, commands[s->verb].accepted);
}

/* --- one command --------------------------------------------------------------------------- */

/* The text says what is missing, so that a person at a terminal can go on. */
static struct reply out_of_order(const struct server *s)
{
    static const struct slice missing[] = {
        [PHASE_REFUSED] = SLICE_INIT("Error: refused; only QUIT is left"),
        [PHASE_GREETED] = SLICE_INIT(EHLO_FIRST),
        [PHASE_READY] = SLICE_INIT("Error: need MAIL command"),
        [PHASE_MAIL] = SLICE_INIT("Error: need RCPT command"),
        [PHASE_RCPT] = SLICE_INIT(""),
        [PHASE_CHUNKS] = SLICE_INIT("Error: BDAT has begun; one more BDAT, or RSET"),
    };
    struct reply r = {503, SLICE("5.5.1"), missing[s->phase]};

    if (s->verb == VERB_MAIL && s->envelope != NULL)
        r.text = SLICE("Error: nested MAIL command");
    return r;
}

/* In a pipelined group the rest is on its way when MAIL or all RCPT are refused: that is the
 * price of pipelining (RFC 2920 3.1), not a mistake. */
static void say_out_of_order(struct server *s, struct buf *out)
{
    struct reply r = out_of_order(s);

    if (s->phase == PHASE_MAIL && s->verb == VERB_DATA && s->rcpts_refused > 0)
        server_say_excused(s, out, &no_valid_rcpts);
    else if (s->phase == PHASE_READY && s->mail_refused)
        server_say_excused(s, out, &r);
    else
        server_say_wrong(s, out, &r);
    if (s->phase == PHASE_CHUNKS && s->verb == VERB_DATA)
        server_transaction_reset(s); /* RFC 3030 4.2: never mixed */
}

static bool lacks_tls(const struct server *s)
{
    return s->settings->requires_tls && !server_is_secure(s);
}

/* RFC 3207 4. What is no command of ours gets its usual answer; BDAT is refused elsewhere, since
 * its bytes must be swallowed. */
static bool needs_no_tls(enum smtp_verb verb)
{
    static const unsigned verbs = 1u << VERB_NOOP | 1u << VERB_EHLO | 1u << VERB_LHLO |
                                  1u << VERB_STARTTLS | 1u << VERB_QUIT | 1u << VERB_UNKNOWN |
                                  1u << VERB_HTTP | 1u << VERB_BDAT;

    return (verbs & 1u << verb) != 0;
}

static bool lacks_auth(const struct server *s)
{
    return s->settings->requires_auth && s->user_len == 0;
}

/* RFC 4954 6, RFC 6409 4.3. */
static bool needs_no_auth(enum smtp_verb verb)
{
    static const unsigned verbs =
        1u << VERB_HELO | 1u << VERB_AUTH | 1u << VERB_RSET | 1u << VERB_HELP | 1u << VERB_XCLIENT;

    return needs_no_tls(verb) || (verbs & 1u << verb) != 0;
}

const struct reply *server_bdat_misplaced(struct server *s, bool *excused)
{
    struct reply *r = ARENA_NEW(&s->scratch, struct reply);

    if (s->phase == PHASE_RCPT || s->phase == PHASE_CHUNKS)
        return NULL;
    if (lacks_tls(s)) {
        *excused = true;
        return &wants_tls;
    }
    if (lacks_auth(s)) {
        *excused = true;
        return &wants_auth;
    }
    *excused = (s->phase == PHASE_MAIL && s->rcpts_refused > 0) ||
               (s->phase == PHASE_READY && s->mail_refused);
    *r = out_of_order(s);
    return r;
}

/* What is wrong with the form of a verb that is in its place; NULL: nothing. */
static const struct reply *form_refusal(const struct server *s, enum smtp_command_fault fault)
{
    const struct reply *syntax = &commands[s->verb].syntax;

    switch (fault) {
    case SMTP_COMMAND_OK:
    case SMTP_COMMAND_UNKNOWN: return NULL;
    case SMTP_COMMAND_BAD_BYTES: return &bad_bytes;
    case SMTP_COMMAND_BAD_FORM: return syntax->code != 0 ? syntax : NULL;
    case SMTP_COMMAND_BAD_PATH: return s->verb == VERB_MAIL ? &bad_sender : &bad_rcpt;
    case SMTP_COMMAND_BAD_PARAM: return &bad_param;
    }
    return NULL;
}

static void command_run(struct server *s, const struct smtp_command *cmd,
                        enum smtp_command_fault fault, struct buf *out)
{
    const struct command *row = &commands[s->verb];

    if (lacks_tls(s) && !needs_no_tls(s->verb) && s->phase != PHASE_REFUSED) {
        server_say_excused(s, out, &wants_tls);
        return;
    }
    if (lacks_auth(s) && !needs_no_auth(s->verb) && s->phase != PHASE_REFUSED) {
        server_say_excused(s, out, &wants_auth);
        return;
    }
    if ((row->phases & IN(s->phase)) == 0) {
        say_out_of_order(s, out);
        return;
    }
    const struct reply *refusal = form_refusal(s, fault);

    if (refusal != NULL) {
        server_say_wrong(s, out, refusal);
        return;
    }
    row->run(s, cmd, out);
}

static size_t word_end(struct slice line, size_t at)
{
    while (at < line.len && line.data[at] <= ' ')
        at++;
    while (at < line.len && line.data[at] > ' ')
        at++;
    return at;
}

/* What may stand in a log. Behind AUTH and its mechanism comes a password, wherever it is said. */
static struct slice shown_of(struct slice line)
{
    struct slice verb = SLICE("AUTH");

    if (slice_starts_nocase(line, verb))
        line = slice_head(line, word_end(line, verb.len));
    return slice_head(line, SERVER_LINE_SHOWN_MAX);
}

/* Forgets the command before; whatever it left in scratch was told. */
static void command_begin(struct server *s, struct slice line)
{
    arena_reset(&s->scratch);
    s->line = arena_copy(&s->scratch, shown_of(line));
    s->verb = VERB_UNKNOWN;
    s->has_path = false;
}

static void command_line(struct server *s, struct slice line, struct buf *out)
{
    struct smtp_command cmd = {0};

    command_begin(s, line);
    enum smtp_command_fault fault = smtp_command_parse(line, &s->scratch, &cmd);

    s->verb = cmd.verb;
    s->has_path = (fault == SMTP_COMMAND_OK || fault == SMTP_COMMAND_BAD_PARAM) &&
                  (cmd.verb == VERB_MAIL || cmd.verb == VERB_RCPT);
    if (s->has_path)
        s->path = cmd.path;
    server_count_tried(s);
    command_run(s, &cmd, fault, out);
}

static void line_without_cr(struct server *s, struct slice line, struct buf *out)
{
    command_begin(s, line);
    server_count_tried(s);
    if (++s->bare_lfs >= SERVER_BARE_LF_MAX)
        server_say_goodbye(s, out, SLICE("4.7.0"), SLICE("Error: end lines with CRLF"));
    else
        server_say_wrong(s, out, &bare_lf);
}

/* The rest of a line that was too long; false while its end is not in sight. */
static bool swallow_line(struct server *s, struct cursor *in, struct buf *out)
{
    size_t lf = slice_find(in->rest, '\n');

    if (lf == in->rest.len) {
        in->rest = slice_skip(in->rest, lf);
        return false;
    }
    in->rest = slice_skip(in->rest, lf + 1);
    s->swallowing = false;
    server_count_tried(s);
    server_say_wrong(s, out, s->swallow_reply != NULL ? s->swallow_reply : &line_too_long);
    s->swallow_reply = NULL;
    return true;
}

/* An initial response may be long. */
static size_t line_max(struct slice line)
{
    return slice_starts_nocase(line, SLICE("AUTH ")) ? SERVER_AUTH_LINE_MAX : SERVER_COMMAND_MAX;
}

bool server_command_step(struct server *s, struct cursor *in, struct buf *out)
{
    if (s->swallowing)
        return swallow_line(s, in, out);

    size_t max = line_max(in->rest);
    struct slice head = slice_head(in->rest, max);
    size_t lf = slice_find(head, '\n');

    if (lf == head.len && head.len < max)
        return false;
    if (lf == head.len) {
        command_begin(s, head);
        s->swallowing = true;
        return swallow_line(s, in, out);
    }
    struct slice line = slice_head(head, lf);

    in->rest = slice_skip(in->rest, lf + 1);
    if (slice_ends(line, SLICE("\r")))
        command_line(s, slice_head(line, lf - 1), out);
    else if (s->settings->line_ends == LINE_ENDS_REPAIR)
        command_line(s, line, out);
    else
        line_without_cr(s, line, out);
    return true;
}
