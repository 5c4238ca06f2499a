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

int send_report_no_connection(const struct send_request *r, int error)
{
    int code = -error;
    const char *advice = "is the address right?";

    if (code == ECONNREFUSED && net_address_is_loopback(&r->server))
        advice = "is `postroad dev` running?";
    else if (code == ECONNREFUSED)
        advice = "is a mail server running there?";
    else if (code == ETIMEDOUT)
        advice = "is the port blocked on the way?";
    return command_wrong("send", EX_UNAVAILABLE, "nothing sent: cannot connect to %.*s: %s; %s",
                         SLICE_PRINTF(r->server_text), strerrordesc_np(code), advice);
}

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

static const struct refusal_row *row_of(const struct client_outcome *o)
{
    const struct refusal_row *row = refusal_rows;

    if (o->verdict != CLIENT_REFUSED)
        return &later;
    while ((row->enhanced.len > 0 && !slice_equal(row->enhanced, o->enhanced)) ||
           (row->step != STEP_NONE && row->step != o->step))
        row++;
    return row;
}

/* One line for people, whatever the server wrote. */
static struct slice shown_reply(struct send_request *r, const struct client_outcome *o)
{
    struct slice text = arena_copy(&r->arena, o->text), shown, rest = text, line;
    struct buf out;

    buf_init(&out, 8 * SHOWN_MAX);
    if (o->code != 0)
        buf_printf(&out, "%u ", o->code);
    while (slice_cut(rest, '\n', &line, &rest)) {
        log_escape(&out, line, SHOWN_MAX);
        buf_append_char(&out, ' ');
    }
    log_escape(&out, rest, SHOWN_MAX);
    shown = arena_copy(&r->arena, buf_slice(&out));
    buf_done(&out);
    return shown;
}

/* "bob@example.org", "bob@example.org and 3 more", "nobody". */
static struct slice shown_rcpts(struct send_request *r, unsigned first, unsigned count)
{
    struct slice name;

    if (r->rcpt_count == 0)
        return SLICE("nobody");
    name = address_text(&r->arena, &r->rcpts[first]);
    if (count <= 1)
        return name;
    return arena_printf(&r->arena, "%.*s and %u more", SLICE_PRINTF(name), count - 1);
}

static int report_failure(struct send_request *r, const struct client_outcome *o,
                          struct slice rcpts)
{
    const struct refusal_row *row = row_of(o);
    struct slice reply = shown_reply(r, o), name = step_name(o->step);
    const char *what = o->verdict == CLIENT_REFUSED ? "refused" : "not taken now";

    return command_wrong("send", row->status, "mail to %.*s %s%s%.*s by %.*s: %.*s; %s",
                         SLICE_PRINTF(rcpts), what, o->code == 0 ? "" : " at ",
                         o->code == 0 ? 0 : (int)name.len, name.data, SLICE_PRINTF(r->server_text),
                         SLICE_PRINTF(reply), row->advice);
}

static bool is_failure(const struct client_outcome *o)
{
    return o->verdict == CLIENT_REFUSED || o->verdict == CLIENT_TRY_AGAIN;
}

/* Refusals of single recipients one by one, what hit all the others in one line. A refusal
 * outweighs a "later" in the exit status, since repeating the command will not help. */
int send_report(struct send_request *r, const struct client *client)
{
    const struct client_outcome *final = client_final(client);
    unsigned others = 0, first_other = 0, accepted = 0;
    int status = 0, got;

    for (unsigned i = 0; i < r->rcpt_count; i++) {
        const struct client_outcome *o = client_outcome(client, i);

        accepted += o->verdict == CLIENT_ACCEPTED;
        if (is_failure(o) && o->step != STEP_RCPT && others++ == 0)
            first_other = i;
        if (!is_failure(o) || o->step != STEP_RCPT)
            continue;
        got = report_failure(r, o, shown_rcpts(r, i, 1));
        if (status == 0 || status == EX_TEMPFAIL)
            status = got;
    }
    if (is_failure(final) && (others > 0 || r->rcpt_count == 0)) {
        got = report_failure(r, final, shown_rcpts(r, first_other, others));
        if (status == 0 || status == EX_TEMPFAIL)
            status = got;
    }
    if (accepted > 0) {
        struct slice reply = shown_reply(r, final);

        printf("%.*s\n", SLICE_PRINTF(reply));
    } else if (status == 0 && r->quit_after != STEP_NONE) {
        printf("quit after %s; no mail was sent\n", r->options.quit_after);
    }
    return status;
}
