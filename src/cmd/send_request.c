/*
 * send_request.c - what `postroad send` was asked to do: its command line, understood.
 *
 * Everything that can be wrong with it is found here, before a file is read or a server is
 * called, and told with the words that were typed. Addresses are structs from here on.
 */
#include "cmd/send_request.h"

#include "cmd/host_port.h"
#include "cmd/own_name.h"
#include "cmd/resolver_option.h"
#include "cmd/send_wishes.h"

#include "base/codec.h"
#include "wire/chars.h"
#include "wire/utf8.h"

#include <stdio.h>
#include <stdlib.h>
#include <sysexits.h>

enum { SMTP_PORT = 25, SUBMISSIONS_PORT = 465, SUBMISSION_PORT = 587 };

/* As A-labels, the form of a domain that every server takes, SMTPUTF8 or not (RFC 5891 5). One that
 * has none stays as it is typed. */
static void use_ascii_domain(struct address *a, struct arena *arena)
{
    if (a->kind == ADDRESS_MAILBOX && a->utf8 && domain_to_ascii(a->domain, arena, &a->domain))
        a->utf8 = !utf8_is_ascii(a->local) || !utf8_is_ascii(a->domain);
}

/* "ann@a.example", "Ann Lee <ann@a.example>", "<>". */
static bool parse_mailbox(struct slice text, struct arena *arena, struct compose_mailbox *out)
{
    size_t open = slice_rfind(text, '<');
    struct slice inner = text, display = {0};

    if (open < text.len && slice_ends(text, SLICE(">"))) {
        display = slice_trim(slice_head(text, open));
        inner = slice_skip(slice_head(text, text.len - 1), open + 1);
    }
    if (display.len >= 2 && display.data[0] == '"' && slice_ends(display, SLICE("\"")))
        display = slice_skip(slice_head(display, display.len - 1), 1);
    out->display = display;
    if (inner.len == 0 && open < text.len) {
        out->address = (struct address){.kind = ADDRESS_NULL};
        return true;
    }
    if (!address_parse(slice_trim(inner), arena, &out->address))
        return false;
    use_ascii_domain(&out->address, arena);
    return out->address.kind != ADDRESS_BARE || address_is_postmaster(&out->address);
}

static bool number_between(const char *text, uint64_t least, uint64_t most, uint64_t *out)
{
    struct cursor c = {slice_of(text)};

    return take_number(&c, out) && cursor_at_end(&c) && *out >= least && *out <= most;
}

/* Cuts at commas that stand neither in quotes nor in <>. False at the end. */
static bool take_item(struct slice *rest, struct slice *item)
{
    bool quoted = false, angled = false;
    size_t i = 0;

    if (rest->len == 0)
        return false;
    for (; i < rest->len; i++) {
        char c = rest->data[i];

        if (c == '"')
            quoted = !quoted;
        else if (c == '<' || c == '>')
            angled = c == '<';
        else if (c == ',' && !quoted && !angled)
            break;
    }
    *item = slice_trim(slice_head(*rest, i));
    *rest = slice_skip(*rest, i + 1);
    return true;
}

/* Each once, however often it is named. */
static bool add_rcpt(struct send_request *r, const struct address *rcpt)
{
    for (unsigned i = 0; i < r->rcpt_count; i++)
        if (address_equal(&r->rcpts[i], rcpt))
            return true;
    if (r->rcpt_count == ENVELOPE_RCPTS_MAX)
        return false;
    r->rcpts[r->rcpt_count++] = *rcpt;
    return true;
}

static int parse_rcpts(struct send_request *r, const char *option, const struct option_list *list,
                       struct compose_mailbox **out, unsigned *count)
{
    *out = ARENA_ARRAY(&r->arena, struct compose_mailbox, ENVELOPE_RCPTS_MAX);
    for (unsigned i = 0; i < list->count; i++) {
        struct slice rest = slice_of(list->values[i]), item;

        while (take_item(&rest, &item)) {
            struct compose_mailbox *m = &(*out)[*count];

            if (item.len == 0)
                continue;
            if (*count == ENVELOPE_RCPTS_MAX)
                return command_wrong("send", EX_USAGE,
                                     "more than %d recipients; send several mails",
                                     ENVELOPE_RCPTS_MAX);
            if (!parse_mailbox(item, &r->arena, m) || m->address.kind == ADDRESS_NULL)
                return command_wrong("send", EX_USAGE, "%s '%.*s' is no address; write user@domain",
                                     option, SLICE_PRINTF(item));
            if (!add_rcpt(r, &m->address))
                return command_wrong("send", EX_USAGE,
                                     "more than %d recipients; send several mails",
                                     ENVELOPE_RCPTS_MAX);
            ++*count;
        }
    }
    return 0;
}

static int parse_all_rcpts(struct send_request *r)
{
    const struct send_options *o = &r->options;
    int status;

    r->rcpts = ARENA_ARRAY(&r->arena, struct address, ENVELOPE_RCPTS_MAX);
    status = parse_rcpts(r, "--to", &o->to, &r->to, &r->to_count);
    if (status == 0)
        status = parse_rcpts(r, "--cc", &o->cc, &r->cc, &r->cc_count);
    if (status == 0)
        status = parse_rcpts(r, "--bcc", &o->bcc, &r->bcc, &r->bcc_count);
    if (status == 0 && r->rcpt_count == 0 &&
        (r->by_mx || r->quit_after == STEP_NONE || r->quit_after == STEP_RCPT))
        return command_wrong("send", EX_USAGE, "to whom? Add --to user@domain");
    for (unsigned i = 0; status == 0 && r->by_mx && i < r->rcpt_count; i++)
        if (r->rcpts[i].kind == ADDRESS_BARE)
            return command_wrong("send", EX_USAGE,
                                 "whose postmaster? Add a domain to it, or --server");
    return status;
}

/* An address is one also without brackets, unlike in a configuration. */
static void take_ip(struct send_request *r, const struct net_address *address)
{
    char text[64];

    r->server = (struct route_target){.kind = TARGET_IP, .port = address->port};
    for (size_t i = 0; i < sizeof(r->server.ip); i++)
        r->server.ip[i] = address->ip[i];
    r->server.name = arena_copy(&r->arena, (struct slice){text, net_address_text(address, text)});
}

static int parse_server(struct send_request *r)
{
    struct net_address address;

    r->by_mx = r->options.server == NULL;
    if (r->by_mx)
        return 0;
    r->server_text = slice_of(r->options.server);
    switch (host_port_parse(r->server_text, r->port, &address)) {
    case HOST_PORT_OK: take_ip(r, &address); return 0;
    case HOST_PORT_NO_PORT:
        return command_wrong("send", EX_USAGE, "--server '%s' has no port from 1 to 65535",
                             r->options.server);
    case HOST_PORT_NO_ADDRESS: break;
    }
    if (!route_target_parse(r->server_text, r->port, &r->arena, &r->server) ||
        r->server.kind == TARGET_PATH)
        return command_wrong("send", EX_USAGE,
                             "--server '%s' is no host; write mx.example.org:25 or 192.0.2.1:25",
                             r->options.server);
    return 0;
}

static int parse_tls(struct send_request *r)
{
    static const struct {
        struct slice word;
        enum send_tls tls;
    } words[] = {
        {SLICE_INIT("off"),      SEND_TLS_OFF     },
        {SLICE_INIT("optional"), SEND_TLS_OPTIONAL},
        {SLICE_INIT("required"), SEND_TLS_REQUIRED},
        {SLICE_INIT("verified"), SEND_TLS_VERIFIED},
        {SLICE_INIT("implicit"), SEND_TLS_IMPLICIT},
    };

    if (r->options.tls == NULL) {
        r->tls = r->login.user.len > 0 ? SEND_TLS_VERIFIED : SEND_TLS_OPTIONAL;
        return 0;
    }
    for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++)
        if (slice_equal(slice_of(r->options.tls), words[i].word)) {
            r->tls = words[i].tls;
            return 0;
        }
    return command_wrong("send", EX_USAGE,
                         "--tls '%s' is none of off, optional, required, verified, implicit",
                         r->options.tls);
}

/* Who logs in sends as a user of the server: RFC 6409 3.1. */
static uint64_t usual_port(const struct send_request *r)
{
    if (r->tls == SEND_TLS_IMPLICIT)
        return SUBMISSIONS_PORT;
    return r->login.user.len > 0 ? SUBMISSION_PORT : SMTP_PORT;
}

static int parse_port(struct send_request *r)
{
    uint64_t port = usual_port(r);

    if (r->options.port != NULL && !number_between(r->options.port, 1, UINT16_MAX, &port))
        return command_wrong("send", EX_USAGE, "--port '%s' is no port from 1 to 65535",
                             r->options.port);
    r->port = (uint16_t)port;
    return 0;
}

static int parse_resolver(struct send_request *r)
{
    r->resolver.anchor_path = r->options.anchor;
    return resolver_option_parse("send", r->options.resolver, &r->resolver);
}

static int choose_ehlo(struct send_request *r)
{
    if (r->options.ehlo != NULL) {
        if (!ehlo_name_parse(slice_of(r->options.ehlo), &r->arena, &r->ehlo))
            return command_wrong("send", EX_USAGE,
                                 "--ehlo '%s' is neither a domain nor an [address]",
                                 r->options.ehlo);
        return 0;
    }
    r->ehlo = own_name(&r->arena);
    return 0;
}

static int choose_from(struct send_request *r)
{
    const char *user = getenv("USER");
    struct slice own;

    if (r->options.from != NULL) {
        if (!parse_mailbox(slice_trim(slice_of(r->options.from)), &r->arena, &r->from))
            return command_wrong("send", EX_USAGE,
                                 "--from '%s' is no address; write user@domain or <>",
                                 r->options.from);
        return 0;
    }
    if (slice_find(r->login.user, '@') < r->login.user.len &&
        parse_mailbox(r->login.user, &r->arena, &r->from))
        return 0;
    own =
        arena_printf(&r->arena, "%s@%.*s", user == NULL ? "postroad" : user, SLICE_PRINTF(r->ehlo));
    if (!parse_mailbox(own, &r->arena, &r->from))
        return command_wrong("send", EX_USAGE,
                             "'%.*s' is no address to send from; add --from user@domain",
                             SLICE_PRINTF(own));
    return 0;
}

static int parse_quit_after(struct send_request *r)
{
    static const struct {
        struct slice word;
        enum step step;
    } words[] = {
        {SLICE_INIT("connect"), STEP_GREETING},
        {SLICE_INIT("ehlo"),    STEP_EHLO    },
        {SLICE_INIT("auth"),    STEP_AUTH    },
        {SLICE_INIT("mail"),    STEP_MAIL    },
        {SLICE_INIT("rcpt"),    STEP_RCPT    },
    };

    if (r->options.quit_after == NULL)
        return 0;
    for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++)
        if (slice_equal_nocase(slice_of(r->options.quit_after), words[i].word)) {
            r->quit_after = words[i].step;
            return 0;
        }
    return command_wrong("send", EX_USAGE,
                         "--quit-after '%s' is none of connect, ehlo, auth, mail, rcpt",
                         r->options.quit_after);
}

static int parse_timeout(struct send_request *r)
{
    uint64_t seconds;

    if (r->options.timeout == NULL)
        return 0;
    if (!number_between(r->options.timeout, 1, 3600, &seconds))
        return command_wrong("send", EX_USAGE,
                             "--timeout '%s' is no number of seconds from 1 to 3600",
                             r->options.timeout);
    r->timeout_s = (unsigned)seconds;
    r->resolver.deadline_ms = seconds * 1000;
    return 0;
}

static bool may_be_given(struct slice name)
{
    for (size_t i = 0; i < name.len; i++)
        if (!char_is(name.data[i], CHAR_FTEXT))
            return false;
    return name.len > 0;
}

static int parse_fields(struct send_request *r)
{
    const struct option_list *list = &r->options.headers;
    struct compose_field *fields = ARENA_ARRAY(&r->arena, struct compose_field, list->count);

    for (unsigned i = 0; i < list->count; i++) {
        struct slice text = slice_of(list->values[i]), name, value;

        if (!slice_cut(text, ':', &name, &value) || !may_be_given(name))
            return command_wrong("send", EX_USAGE, "--header '%s' is not 'Name: value'",
                                 list->values[i]);
        if (slice_starts_nocase(name, SLICE("Content-")) ||
            slice_equal_nocase(name, SLICE("MIME-Version")))
            return command_wrong(
                "send", EX_USAGE,
                "--header '%s': the parts decide that; use --data for a message of your "
                "own making",
                list->values[i]);
        fields[i] = (struct compose_field){name, slice_trim(value)};
    }
    r->fields = fields;
    r->field_count = list->count;
    return 0;
}

static int parse_ret(struct send_request *r, struct buf *out)
{
    const char *ret = r->options.ret;

    if (ret == NULL)
        return 0;
    if (slice_equal_nocase(slice_of(ret), SLICE("full")))
        buf_append(out, SLICE(" RET=FULL"));
    else if (slice_equal_nocase(slice_of(ret), SLICE("hdrs")))
        buf_append(out, SLICE(" RET=HDRS"));
    else
        return command_wrong("send", EX_USAGE, "--ret '%s' is neither full nor hdrs", ret);
    return 0;
}

/* RFC 3461 4.4: printable ASCII, and no longer than 100 once it is written as xtext. */
static int parse_envid(struct send_request *r, struct buf *out)
{
    struct slice envid = r->options.envid == NULL ? SLICE("") : slice_of(r->options.envid);
    size_t before;

    if (r->options.envid == NULL)
        return 0;
    buf_append(out, SLICE(" ENVID="));
    before = buf_len(out);
    for (size_t i = 0; i < envid.len; i++)
        if (envid.data[i] < ' ' || envid.data[i] > '~')
            envid.len = 0;
    if (envid.len == 0 || envid.len > ENVID_MAX || !xtext_encode(out, envid) ||
        buf_len(out) - before > ENVID_MAX)
        return command_wrong("send", EX_USAGE,
                             "--envid is 1 to %d printable ASCII characters, each + and = counted "
                             "as three",
                             ENVID_MAX);
    return 0;
}

/* RFC 3461 4.1: "never" stands alone. */
static int parse_notify(struct send_request *r, struct buf *out)
{
    static const struct {
        struct slice word;
        struct slice said;
        enum notify flag;
    } words[] = {
        {SLICE_INIT("never"),   SLICE_INIT("NEVER"),   NOTIFY_NEVER  },
        {SLICE_INIT("success"), SLICE_INIT("SUCCESS"), NOTIFY_SUCCESS},
        {SLICE_INIT("failure"), SLICE_INIT("FAILURE"), NOTIFY_FAILURE},
        {SLICE_INIT("delay"),   SLICE_INIT("DELAY"),   NOTIFY_DELAY  },
    };

    enum { WORDS = sizeof(words) / sizeof(*words) };
    struct slice rest, item;
    unsigned flags = 0, flag;

    if (r->options.notify == NULL)
        return 0;
    rest = slice_of(r->options.notify);
    while (take_item(&rest, &item)) {
        flag = 0;
        for (size_t i = 0; i < WORDS; i++)
            if (slice_equal_nocase(item, words[i].word))
                flag = words[i].flag;
        flags |= flag == 0 ? ~0U : flag;
    }
    if (flags == 0 || (flags > NOTIFY_NEVER && flags % 2 == 1))
        return command_wrong("send", EX_USAGE,
                             "--notify '%s' is neither never nor some of success,failure,delay",
                             r->options.notify);
    for (size_t i = 0; i < WORDS; i++)
        if (flags & words[i].flag)
            buf_printf(out, "%s%.*s", buf_len(out) == 0 ? " NOTIFY=" : ",",
                       SLICE_PRINTF(words[i].said));
    return 0;
}

static int parse_dsn(struct send_request *r)
{
    struct buf out;
    int status;

    buf_init(&out, CLIENT_PARAMS_MAX);
    status = parse_ret(r, &out);
    if (status == 0)
        status = parse_envid(r, &out);
    r->mail_params = arena_copy(&r->arena, buf_slice(&out));
    buf_clear(&out);
    if (status == 0)
        status = parse_notify(r, &out);
    r->rcpt_params = arena_copy(&r->arena, buf_slice(&out));
    buf_done(&out);
    return status;
}

static int check_combination(const struct send_request *r)
{
    const struct send_options *o = &r->options;
    int stdins = 0;

    if (o->data != NULL && (o->subject != NULL || o->body != NULL || o->html != NULL ||
                            o->headers.count + o->attachments.count + o->inlines.count > 0))
        return command_wrong("send", EX_USAGE,
                             "--data is a whole message; --subject, --body, --html, --header, "
                             "--attach and --inline have no place in it");
    if (o->inlines.count > 0 && o->html == NULL)
        return command_wrong("send", EX_USAGE,
                             "--inline needs --html that shows it: <img src=\"cid:NAME\">");
    stdins += o->body != NULL && slice_equal(slice_of(o->body), SLICE("-"));
    stdins += o->html != NULL && slice_equal(slice_of(o->html), SLICE("-"));
    for (unsigned i = 0; i < o->attachments.count; i++)
        stdins += slice_equal(slice_of(o->attachments.values[i]), SLICE("-"));
    if (stdins > 1)
        return command_wrong("send", EX_USAGE,
                             "standard input can be only one of --body, --html and --attach");
    return 0;
}

static int understand(struct send_request *r)
{
    int (*const steps[])(struct send_request *) = {send_login_take_account,
                                                   send_login_parse,
                                                   parse_quit_after,
                                                   parse_timeout,
                                                   parse_tls,
                                                   parse_port,
                                                   parse_resolver,
                                                   parse_server,
                                                   choose_ehlo,
                                                   choose_from,
                                                   parse_all_rcpts,
                                                   parse_fields,
                                                   parse_dsn,
                                                   send_wishes_parse,
                                                   send_login_ask};
    int status = check_combination(r);

    for (size_t i = 0; status == 0 && i < sizeof(steps) / sizeof(*steps); i++)
        status = steps[i](r);
    return status;
}

static bool parse_options(struct send_options *o, int argc, char **argv, int *status)
{
    const struct option options[] = {
        {"--to",             NULL, OPTION_LIST, &o->to,             "ADDRESS",   "recipient; several, or a,b",        NULL},
        {"--cc",             NULL, OPTION_LIST, &o->cc,             "ADDRESS",   "the same, shown as Cc",             NULL},
        {"--bcc",            NULL, OPTION_LIST, &o->bcc,            "ADDRESS",   "the same, not shown",               NULL},
        {"--from",           NULL, OPTION_TEXT, &o->from,           "ADDRESS",
         "sender, envelope and header; <> for none (default you@this host)",                                          NULL},
        {"--subject",        NULL, OPTION_TEXT, &o->subject,        "TEXT",      "subject line",                      NULL},
        {"--body",           NULL, OPTION_TEXT, &o->body,           "TEXT",      "the text; - reads standard input",  NULL},
        {"--html",           NULL, OPTION_TEXT, &o->html,           "HTML",      "the same as HTML; - as above",      NULL},
        {"--attach",         NULL, OPTION_LIST, &o->attachments,    "FILE",      "attach a file",                     NULL},
        {"--inline",         NULL, OPTION_LIST, &o->inlines,        "FILE",
         "a file that the HTML shows as <img src=\"cid:FILE\">",                                                      NULL},
        {"--header",         NULL, OPTION_LIST, &o->headers,        "'N: V'",
         "a header field, instead of ours of that name",                                                              NULL},
        {"--data",           NULL, OPTION_TEXT, &o->data,           "FILE",
         "send this message as it is (LF becomes CRLF); - reads standard input",                                      NULL},
        {"--server",         NULL, OPTION_TEXT, &o->server,         "HOST:PORT",
         "where to (default each recipient's own, by MX)",                                                            NULL},
        {"--port",           NULL, OPTION_TEXT, &o->port,           "PORT",      "where none is named (default 25)",  NULL},
        {"--tls",            NULL, OPTION_TEXT, &o->tls,            "WORD",
         "off, optional, required, verified, implicit (default optional)",                                            NULL},
        {"--user",           NULL, OPTION_TEXT, &o->user,           "NAME",
         "log in by this name; the password is asked for (verified TLS, port 587)",                                   NULL},
        {"--auth",           NULL, OPTION_TEXT, &o->auth,           "MECHANISM",
         "by this one only; OAUTHBEARER and XOAUTH2 take a token (default the best)",                                 NULL},
        {"--password-stdin", NULL, OPTION_FLAG, &o->password_stdin, NULL,
         "the password is the first line of standard input",                                                          NULL},
        {"--account",        NULL, OPTION_TEXT, &o->account,        "NAME",
         "server and login as ~/.msmtprc or /etc/msmtprc has them",                                                   NULL},
        {"--ret",            NULL, OPTION_TEXT, &o->ret,            "WORD",
         "what a report of failure brings back: full or hdrs",                                                        NULL},
        {"--envid",          NULL, OPTION_TEXT, &o->envid,          "TEXT",      "what reports shall call this mail",
         NULL                                                                                                             },
        {"--notify",         NULL, OPTION_TEXT, &o->notify,         "WORDS",
         "when to report: never, or some of success,failure,delay",                                                   NULL},
        {"--hold-for",       NULL, OPTION_TEXT, &o->hold_for,       "TIME",
         "the server is to hold it for so long: 90s, 15m, 4h, 2d",                                                    NULL},
        {"--requiretls",     NULL, OPTION_FLAG, &o->require_tls,    NULL,
         "never without verified TLS, all the way",                                                                   NULL},
        {"--resolver",       NULL, OPTION_TEXT, &o->resolver,       "WORD",
         "system, recursive, or a name server ADDR[@PORT]",                                                           NULL},
        {"--anchor",         NULL, OPTION_TEXT, &o->anchor,         "FILE",
         "what DNSSEC is trusted from (default the root's key)",                                                      NULL},
        {"--ehlo",           NULL, OPTION_TEXT, &o->ehlo,           "NAME",      "our name (default this host's)",    NULL},
        {"--timeout",        NULL, OPTION_TEXT, &o->timeout,        "SECONDS",
         "for every wait (default as RFC 5321 says)",                                                                 NULL},
        {"--quit-after",     NULL, OPTION_TEXT, &o->quit_after,     "STEP",
         "stop after connect, ehlo, auth, mail or rcpt; sends nothing",                                               NULL},
        {"--verbose",        "-v", OPTION_FLAG, &o->verbose,        NULL,
         "show the dialog; refusals (<**) are always shown",                                                          NULL},
    };
    const struct usage usage = {
        "send",
        "--to ADDRESS [OPTION...]",
        "Composes a mail and sends it, or sends a file, straight to the recipients' servers or to "
        "--server.\nPrints the server's answer.",
        "  postroad send --to ann@example.org --subject Hi --body 'How are you?'\n"
        "  postroad send --to ann@example.org --body - --attach report.pdf < letter.txt\n"
        "  postroad send --to ann@example.org --data message.eml --server mx.example.org -v\n"
        "  postroad send --to ann@example.org --quit-after rcpt -v\n"
        "  postroad send --to ann@example.org --server smtp.example.net --user me@example.net\n"
        "  pass mail/me | postroad send --to ann@example.org --account work --password-stdin\n"
        "Exit: 0 sent, 64 usage, 65 message refused, 66 unreadable file, 67 no such user, 68 no\n"
        "such host, 69 no connection, 75 try again, 77 not permitted, 78 account wrong.\n",
        options,
        sizeof(options) / sizeof(*options)};

    return options_parse(&usage, argc, argv, status);
}

bool send_request_parse(struct send_request *r, int argc, char **argv, int *status)
{
    if (!parse_options(&r->options, argc, argv, status))
        return false;
    *status = understand(r);
    return *status == 0;
}

void send_request_done(struct send_request *r)
{
    send_login_done(&r->login);
    arena_done(&r->arena);
}
