/*
 * send_request.c - what `postroad send` was asked to do: its command line, understood.
 *
 * Everything that can be wrong with it is found here, before a file is read or a server is
 * called, and told with the words that were typed. Addresses are structs from here on.
 */
#include "cmd/send_request.h"

#include "cmd/host_port.h"
#include "cmd/own_name.h"

#include "wire/chars.h"
#include "wire/utf8.h"

#include <stdio.h>
#include <stdlib.h>
#include <sysexits.h>

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
        (r->quit_after == STEP_NONE || r->quit_after == STEP_RCPT))
        return command_wrong("send", EX_USAGE, "to whom? Add --to user@domain");
    return status;
}

static int parse_server(struct send_request *r)
{
    switch (host_port_parse(r->server_text, 25, &r->server)) {
    case HOST_PORT_OK: return 0;
    case HOST_PORT_NO_PORT:
        return command_wrong("send", EX_USAGE, "--server '%s' has no port from 1 to 65535",
                             r->options.server);
    case HOST_PORT_NO_ADDRESS: break;
    }
    return command_wrong(
        "send", EX_NOHOST,
        "cannot look up '%s': this version connects to localhost and to IP addresses",
        r->options.server);
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
    return command_wrong("send", EX_USAGE, "--quit-after '%s' is none of connect, ehlo, mail, rcpt",
                         r->options.quit_after);
}

static int parse_timeout(struct send_request *r)
{
    struct cursor c;
    uint64_t seconds;

    if (r->options.timeout == NULL)
        return 0;
    c = (struct cursor){slice_of(r->options.timeout)};
    if (!take_number(&c, &seconds) || !cursor_at_end(&c) || seconds == 0 || seconds > 3600)
        return command_wrong("send", EX_USAGE,
                             "--timeout '%s' is no number of seconds from 1 to 3600",
                             r->options.timeout);
    r->timeout_s = (unsigned)seconds;
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
    int (*const steps[])(struct send_request *) = {parse_quit_after, parse_timeout, parse_server,
                                                   choose_ehlo,      choose_from,   parse_all_rcpts,
                                                   parse_fields};
    int status = check_combination(r);

    r->server_text = slice_of(r->options.server);
    for (size_t i = 0; status == 0 && i < sizeof(steps) / sizeof(*steps); i++)
        status = steps[i](r);
    return status;
}

static bool parse_options(struct send_options *o, int argc, char **argv, int *status)
{
    const struct option options[] = {
        {"--to",         NULL, OPTION_LIST, &o->to,          "ADDRESS",   "recipient; several, or a,b",       NULL},
        {"--cc",         NULL, OPTION_LIST, &o->cc,          "ADDRESS",   "the same, shown as Cc",            NULL},
        {"--bcc",        NULL, OPTION_LIST, &o->bcc,         "ADDRESS",   "the same, not shown",              NULL},
        {"--from",       NULL, OPTION_TEXT, &o->from,        "ADDRESS",
         "sender, envelope and header; <> for none (default you@this host)",                                  NULL},
        {"--subject",    NULL, OPTION_TEXT, &o->subject,     "TEXT",      "subject line",                     NULL},
        {"--body",       NULL, OPTION_TEXT, &o->body,        "TEXT",      "the text; - reads standard input", NULL},
        {"--html",       NULL, OPTION_TEXT, &o->html,        "HTML",      "the same as HTML; - as above",     NULL},
        {"--attach",     NULL, OPTION_LIST, &o->attachments, "FILE",      "attach a file",                    NULL},
        {"--inline",     NULL, OPTION_LIST, &o->inlines,     "FILE",
         "a file that the HTML shows as <img src=\"cid:FILE\">",                                              NULL},
        {"--header",     NULL, OPTION_LIST, &o->headers,     "'N: V'",
         "a header field, instead of ours of that name",                                                      NULL},
        {"--data",       NULL, OPTION_TEXT, &o->data,        "FILE",
         "send this message as it is (LF becomes CRLF); - reads standard input",                              NULL},
        {"--server",     NULL, OPTION_TEXT, &o->server,      "HOST:PORT",
         "where to (default 127.0.0.1:1025)",                                                                 NULL},
        {"--ehlo",       NULL, OPTION_TEXT, &o->ehlo,        "NAME",      "our name (default this host's)",   NULL},
        {"--timeout",    NULL, OPTION_TEXT, &o->timeout,     "SECONDS",
         "for every wait (default as RFC 5321 says)",                                                         NULL},
        {"--quit-after", NULL, OPTION_TEXT, &o->quit_after,  "STEP",
         "stop after connect, ehlo, mail or rcpt; sends nothing",                                             NULL},
        {"--verbose",    "-v", OPTION_FLAG, &o->verbose,     NULL,
         "show the dialog; refusals (<**) are always shown",                                                  NULL},
    };
    const struct usage usage = {
        "send",
        "--to ADDRESS [OPTION...]",
        "Composes a mail and sends it, or sends a file. Prints the server's answer.",
        "  postroad send --to ann@example.org --subject Hi --body 'How are you?'\n"
        "  postroad send --to ann@example.org --body - --attach report.pdf < letter.txt\n"
        "  postroad send --to ann@example.org --data message.eml --server 192.0.2.1:25 -v\n"
        "  postroad send --to ann@example.org --quit-after rcpt -v\n"
        "Exit: 0 sent, 64 usage, 65 message refused, 66 unreadable file, 67 no such user, 68 no\n"
        "such host, 69 no connection, 75 try again, 77 not permitted.\n",
        options,
        sizeof(options) / sizeof(*options)};

    return options_parse(&usage, argc, argv, status);
}

bool send_request_parse(struct send_request *r, int argc, char **argv, int *status)
{
    r->options.server = "127.0.0.1:1025";
    if (!parse_options(&r->options, argc, argv, status))
        return false;
    *status = understand(r);
    return *status == 0;
}

void send_request_done(struct send_request *r)
{
    arena_done(&r->arena);
}
