/*
 * send_report.c - what became of the mail, for the person and for the exit status.
 *
 * A line says what happened to which mail, why, and what to do next. Server's words pass the
 * same escape as log lines on their way to the terminal.
 */
#include "cmd/send_report.h"

#include "wire/log_line.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>

enum { SHOWN_MAX = 500 };

/* What a refusal means for the exit status, and what to do about it. */
static const struct refusal_row {
    struct slice enhanced; /* "": any */
    enum step step;        /* STEP_NONE: any */
    int status;
    const char *advice;
} refusal_rows[] = {
    {SLICE_INIT("5.1.1"), STEP_NONE,     EX_NOUSER,      "check the address"                  },
    {SLICE_INIT("5.1.2"), STEP_NONE,     EX_NOHOST,      "check the domain"                   },
    {SLICE_INIT("5.1.3"), STEP_NONE,     EX_NOUSER,      "check the address"                  },
    {SLICE_INIT("5.3.4"), STEP_NONE,     EX_DATAERR,     "send a smaller message"             },
    {SLICE_INIT("5.6.3"), STEP_NONE,     EX_DATAERR,     "encode the message as 7-bit"        },
    {SLICE_INIT("5.6.7"), STEP_NONE,     EX_DATAERR,     "use ASCII addresses and headers"    },
    {SLICE_INIT("5.7.1"), STEP_RCPT,     EX_NOPERM,      "is this the server for that domain?"},
    {SLICE_INIT("5.7.1"), STEP_NONE,     EX_NOPERM,      "ask the server's administrator"     },
    {SLICE_INIT(""),      STEP_GREETING, EX_UNAVAILABLE, "use another server"                 },
    {SLICE_INIT(""),      STEP_EHLO,     EX_UNAVAILABLE, "try another --ehlo"                 },
    {SLICE_INIT(""),      STEP_HELO,     EX_UNAVAILABLE, "try another --ehlo"                 },
    {SLICE_INIT(""),      STEP_RCPT,     EX_NOUSER,      "check the address"                  },
    {SLICE_INIT(""),      STEP_NONE,     EX_DATAERR,     "change the message"                 },
};

static const struct refusal_row later = {SLICE_INIT(""), STEP_NONE, EX_TEMPFAIL, "try again later"};
static const struct refusal_row no_user = {SLICE_INIT(""), STEP_AUTH, EX_NOPERM,
                                           "are --user and the password right?"};
static const struct refusal_row in_clear = {SLICE_INIT(""), STEP_AUTH, EX_NOPERM,
                                            "take --tls verified, or --tls off to do it all the "
                                            "same"};
static const struct refusal_row no_login = {SLICE_INIT(""), STEP_AUTH, EX_UNAVAILABLE,
                                            "is this the server, and the port, for users?"};

/* Nothing was said of the mail; only a 4yz may be another tomorrow. */
static const struct refusal_row *row_of_login(const struct client_outcome *o)
{
    if (client_is_no_user(o))
        return &no_user;
    if (o->code != 0)
        return &later;
    return slice_equal(o->enhanced, SLICE("4.7.11")) ? &in_clear : &no_login;
}

static const struct refusal_row *row_of(const struct client_outcome *o)
{
    const struct refusal_row *row = refusal_rows;

    if (o->step == STEP_AUTH)
        return row_of_login(o);
    if (o->verdict != CLIENT_REFUSED)
        return &later;
    while ((row->enhanced.len > 0 && !slice_equal(row->enhanced, o->enhanced)) ||
           (row->step != STEP_NONE && row->step != o->step))
        row++;
    return row;
}

/* One line for people, whatever the server wrote. Code 0: none. */
static struct slice shown_text(struct arena *arena, unsigned code, struct slice text)
{
    struct slice shown, rest = text, line;
    struct buf out;

    buf_init(&out, 8 * SHOWN_MAX);
    if (code != 0)
        buf_printf(&out, "%u ", code);
    while (slice_cut(rest, '\n', &line, &rest)) {
        log_escape(&out, line, SHOWN_MAX);
        buf_append_char(&out, ' ');
    }
    log_escape(&out, rest, SHOWN_MAX);
    shown = arena_copy(arena, buf_slice(&out));
    buf_done(&out);
    return shown;
}

static struct slice shown_reply(struct send_request *r, const struct client_outcome *o)
{
    return shown_text(&r->arena, o->code, o->text);
}

/* "bob@example.org", "bob@example.org and 3 more", "nobody". */
static struct slice shown_rcpts(struct send_request *r, const struct address *rcpts, unsigned count)
{
    struct slice name;

    if (r->rcpt_count == 0)
        return SLICE("nobody");
    name = address_text(&r->arena, rcpts);
    if (count <= 1)
        return name;
    return arena_printf(&r->arena, "%.*s and %u more", SLICE_PRINTF(name), count - 1);
}

int send_report_no_connection(struct send_request *r, const struct send_call *call,
                              struct slice server, int error, bool is_last)
{
    struct net_address to = {0};
    int code = -error;
    const char *advice = "is the address right?";

    if (!is_last)
        return command_wrong("send", 0, "cannot connect to %.*s: %s; trying the next one",
                             SLICE_PRINTF(server), strerrordesc_np(code));
    memcpy(to.ip, call->hop->ip, sizeof(to.ip));
    if (code == ECONNREFUSED && net_address_is_loopback(&to) && call->hop->port >= 1024)
        advice = "is `postroad dev` running?";
    else if (code == ECONNREFUSED)
        advice = "is a mail server running there?";
    else if (code == ETIMEDOUT)
        advice = "is the port blocked on the way?";
    return command_wrong(
        "send", EX_UNAVAILABLE, "nothing sent%s%.*s: cannot connect to %.*s: %s; %s",
        r->by_mx ? " to " : "",
        SLICE_PRINTF(r->by_mx ? shown_rcpts(r, call->rcpts, call->rcpt_count) : SLICE("")),
        SLICE_PRINTF(server), strerrordesc_np(code), advice);
}

void send_report_no_tls(struct slice server, struct slice problem)
{
    struct arena arena;
    struct slice shown;

    arena_init(&arena);
    shown = shown_text(&arena, 0, problem);
    command_wrong("send", 0, "no TLS with %.*s: %.*s; trying without", SLICE_PRINTF(server),
                  SLICE_PRINTF(shown));
    arena_done(&arena);
}

/* A relay's words (4.4.4) would be those of an administrator's file. RFC 3463: 5.1.2 there is no
 * such domain; anything else says that it takes no mail. */
int send_report_no_route(struct send_request *r, const struct send_destination *d)
{
    const struct reply *why = &d->route.refusal;
    struct slice text = shown_text(&r->arena, 0, why->text);
    struct slice rcpts;

    if (slice_equal(why->enhanced, SLICE("4.4.4")))
        return command_wrong("send", EX_NOHOST,
                             "nothing sent: host %.*s does not exist, or has no address",
                             SLICE_PRINTF(r->server.name));
    if (!r->by_mx)
        return command_wrong("send", EX_TEMPFAIL, "nothing sent: %.*s; try again later",
                             SLICE_PRINTF(text));
    rcpts = shown_rcpts(r, d->rcpts, d->rcpt_count);
    if (d->found == ROUTE_TEMPORARY)
        return command_wrong("send", EX_TEMPFAIL, "nothing sent to %.*s: %.*s; try again later",
                             SLICE_PRINTF(rcpts), SLICE_PRINTF(text));
    return command_wrong(
        "send", slice_equal(why->enhanced, SLICE("5.1.2")) ? EX_NOHOST : EX_UNAVAILABLE,
        "nothing sent to %.*s: %.*s; check the domain", SLICE_PRINTF(rcpts), SLICE_PRINTF(text));
}

static int report_failure(struct send_request *r, const struct client_outcome *o,
                          struct slice server, struct slice rcpts)
{
    const struct refusal_row *row = row_of(o);
    struct slice reply = shown_reply(r, o), name = step_name(o->step);
    const char *what = o->verdict == CLIENT_REFUSED ? "refused" : "not taken now";

    if (o->step == STEP_AUTH)
        return command_wrong("send", row->status,
                             "mail to %.*s not sent: no login at %.*s as %.*s: %.*s; %s",
                             SLICE_PRINTF(rcpts), SLICE_PRINTF(server), SLICE_PRINTF(r->login.user),
                             SLICE_PRINTF(reply), row->advice);

    return command_wrong("send", row->status, "mail to %.*s %s%s%.*s by %.*s: %.*s; %s",
                         SLICE_PRINTF(rcpts), what, o->code == 0 ? "" : " at ",
                         o->code == 0 ? 0 : (int)name.len, name.data, SLICE_PRINTF(server),
                         SLICE_PRINTF(reply), row->advice);
}

static bool is_failure(const struct client_outcome *o)
{
    return o->verdict == CLIENT_REFUSED || o->verdict == CLIENT_TRY_AGAIN;
}

static void report_success(struct send_request *r, const struct send_result *result)
{
    struct slice reply = shown_reply(r, result->final);

    if (result->without_dsn)
        command_wrong("send", 0, "%.*s offers no DSN: --ret, --envid and --notify were not told it",
                      SLICE_PRINTF(result->server));
    if (r->by_mx)
        printf("%.*s: ", SLICE_PRINTF(result->server));
    printf("%.*s\n", SLICE_PRINTF(reply));
}

/* Refusals of single recipients one by one, what hit all the others in one line. A refusal
 * outweighs a "later" in the exit status, since repeating the command will not help. */
int send_report(struct send_request *r, const struct send_result *result)
{
    const struct client_outcome *final = result->final;
    unsigned others = 0, first_other = 0, accepted = 0;
    int status = 0, got;

    for (unsigned i = 0; i < result->count; i++) {
        const struct client_outcome *o = &result->outcomes[i];

        accepted += o->verdict == CLIENT_ACCEPTED;
        if (is_failure(o) && o->step != STEP_RCPT && others++ == 0)
            first_other = i;
        if (!is_failure(o) || o->step != STEP_RCPT)
            continue;
        got = report_failure(r, o, result->server, shown_rcpts(r, &result->rcpts[i], 1));
        if (status == 0 || status == EX_TEMPFAIL)
            status = got;
    }
    if (is_failure(final) && (others > 0 || r->rcpt_count == 0)) {
        got = report_failure(r, final, result->server,
                             shown_rcpts(r, &result->rcpts[first_other], others));
        if (status == 0 || status == EX_TEMPFAIL)
            status = got;
    }
    if (accepted > 0)
        report_success(r, result);
    else if (status == 0 && r->quit_after != STEP_NONE)
        printf("quit after %s; no mail was sent\n", r->options.quit_after);
    return status;
}
