/*
 * send.c - compose and send one mail, or send a file.
 *
 * Three steps, top to bottom: understand the command line, make the message, talk to the
 * server. Everything wrong with the first two is told before anything is sent. The dialog is
 * the client engine's (smtp/client), all waiting is the loop's; what is left here is to carry
 * bytes between them and to tell the person what happened to which mail, why, and what to do.
 */
#include "cmd/commands.h"
#include "cmd/options.h"
#include "cmd/send_content.h"

#include "base/arena.h"
#include "base/clock.h"
#include "base/codec.h"
#include "base/cursor.h"
#include "base/memory.h"
#include "base/random.h"
#include "loop/stream.h"
#include "smtp/client.h"
#include "wire/chars.h"
#include "wire/log_line.h"

#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

enum { IN_MAX = 16 * 1024, CONNECT_TIMEOUT_S = 30, TRANSCRIPT_MAX = 1024 * 1024, SHOWN_MAX = 500 };

/* As given on the command line; "" and NULL are different. */
struct send_options {
    struct option_list to, cc, bcc, headers, attachments, inlines;
    const char *from, *subject, *body, *html, *data, *server, *ehlo, *timeout, *quit_after;
    bool verbose;
};

struct send {
    struct send_options options;
    struct arena arena;
    /* understood */
    struct slice server_text;
    struct net_address server;
    struct slice ehlo;
    unsigned timeout_s;
    enum step quit_after;
    struct compose_mailbox from;
    struct compose_mailbox *to, *cc, *bcc;
    unsigned to_count, cc_count, bcc_count;
    struct address *rcpts; /* of all three, each once */
    unsigned rcpt_count;
    /* made */
    struct send_content content;
    /* the connection */
    struct loop *loop;
    struct stream stream;
    struct timer timer;
    struct client *client;
    struct transcript transcript;
    uint64_t waits;    /* client_waits() that the timer was set for */
    int connect_error; /* negative errno */
    bool connected;
};

__attribute__((format(printf, 2, 3))) static int wrong(int status, const char *format, ...)
{
    va_list args;

    fputs("postroad send: ", stderr);
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fputc('\n', stderr);
    return status;
}

/* --- the command line --- */

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
    return address_parse(slice_trim(inner), arena, &out->address) &&
           (out->address.kind != ADDRESS_BARE || address_is_postmaster(&out->address));
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
static bool add_rcpt(struct send *s, const struct address *rcpt)
{
    for (unsigned i = 0; i < s->rcpt_count; i++)
        if (address_equal(&s->rcpts[i], rcpt))
            return true;
    if (s->rcpt_count == ENVELOPE_RCPTS_MAX)
        return false;
    s->rcpts[s->rcpt_count++] = *rcpt;
    return true;
}

static int parse_rcpts(struct send *s, const char *option, const struct option_list *list,
                       struct compose_mailbox **out, unsigned *count)
{
    *out = ARENA_ARRAY(&s->arena, struct compose_mailbox, ENVELOPE_RCPTS_MAX);
    for (unsigned i = 0; i < list->count; i++) {
        struct slice rest = slice_of(list->values[i]), item;

        while (take_item(&rest, &item)) {
            struct compose_mailbox *m = &(*out)[*count];

            if (item.len == 0)
                continue;
            if (*count == ENVELOPE_RCPTS_MAX)
                return wrong(EX_USAGE, "more than %d recipients; send several mails",
                             ENVELOPE_RCPTS_MAX);
            if (!parse_mailbox(item, &s->arena, m) || m->address.kind == ADDRESS_NULL)
                return wrong(EX_USAGE, "%s '%.*s' is no address; write user@domain", option,
                             SLICE_PRINTF(item));
            if (!add_rcpt(s, &m->address))
                return wrong(EX_USAGE, "more than %d recipients; send several mails",
                             ENVELOPE_RCPTS_MAX);
            ++*count;
        }
    }
    return 0;
}

static int parse_all_rcpts(struct send *s)
{
    const struct send_options *o = &s->options;
    int status;

    s->rcpts = ARENA_ARRAY(&s->arena, struct address, ENVELOPE_RCPTS_MAX);
    status = parse_rcpts(s, "--to", &o->to, &s->to, &s->to_count);
    if (status == 0)
        status = parse_rcpts(s, "--cc", &o->cc, &s->cc, &s->cc_count);
    if (status == 0)
        status = parse_rcpts(s, "--bcc", &o->bcc, &s->bcc, &s->bcc_count);
    if (status == 0 && s->rcpt_count == 0 &&
        (s->quit_after == STEP_NONE || s->quit_after == STEP_RCPT))
        return wrong(EX_USAGE, "to whom? Add --to user@domain");
    return status;
}

static int parse_server(struct send *s)
{
    struct slice host = s->server_text, port_text = SLICE("25");
    size_t colon = slice_rfind(host, ':');
    struct cursor c;
    uint64_t port;
    unsigned char *ip = s->server.ip;

    /* One colon, or one behind a bracket, separates the port; others are IPv6. */
    if (colon < host.len && (slice_find(host, ':') == colon || host.data[colon - 1] == ']')) {
        port_text = slice_skip(host, colon + 1);
        host = slice_head(host, colon);
    }
    c = (struct cursor){port_text};
    if (!take_number(&c, &port) || !cursor_at_end(&c) || port == 0 || port > UINT16_MAX)
        return wrong(EX_USAGE, "--server '%s' has no port from 1 to 65535", s->options.server);
    s->server.port = (uint16_t)port;
    if (slice_starts(host, SLICE("[")) && slice_ends(host, SLICE("]")))
        host = slice_skip(slice_head(host, host.len - 1), 1);
    if (slice_equal_nocase(host, SLICE("localhost")))
        host = SLICE("127.0.0.1");
    if (ipv4_parse(host, ip + 12)) {
        ip[10] = ip[11] = 0xff;
        return 0;
    }
    if (ipv6_parse(host, ip))
        return 0;
    return wrong(EX_NOHOST,
                 "cannot look up '%.*s': this version connects to localhost and to IP addresses",
                 SLICE_PRINTF(host));
}

/* This machine's name, if it is one that may follow EHLO. */
static int choose_ehlo(struct send *s)
{
    char name[HOST_NAME_MAX + 1] = "";

    if (s->options.ehlo != NULL) {
        if (!ehlo_name_parse(slice_of(s->options.ehlo), &s->arena, &s->ehlo))
            return wrong(EX_USAGE, "--ehlo '%s' is neither a domain nor an [address]",
                         s->options.ehlo);
        return 0;
    }
    gethostname(name, sizeof(name) - 1);
    if (!ehlo_name_parse(slice_of(name), &s->arena, &s->ehlo))
        s->ehlo = SLICE("localhost");
    return 0;
}

static int choose_from(struct send *s)
{
    const char *user = getenv("USER");
    struct slice own;

    if (s->options.from != NULL) {
        if (!parse_mailbox(slice_trim(slice_of(s->options.from)), &s->arena, &s->from))
            return wrong(EX_USAGE, "--from '%s' is no address; write user@domain or <>",
                         s->options.from);
        return 0;
    }
    own =
        arena_printf(&s->arena, "%s@%.*s", user == NULL ? "postroad" : user, SLICE_PRINTF(s->ehlo));
    if (!parse_mailbox(own, &s->arena, &s->from))
        return wrong(EX_USAGE, "'%.*s' is no address to send from; add --from user@domain",
                     SLICE_PRINTF(own));
    return 0;
}

static int parse_quit_after(struct send *s)
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

    if (s->options.quit_after == NULL)
        return 0;
    for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++)
        if (slice_equal_nocase(slice_of(s->options.quit_after), words[i].word)) {
            s->quit_after = words[i].step;
            return 0;
        }
    return wrong(EX_USAGE, "--quit-after '%s' is none of connect, ehlo, mail, rcpt",
                 s->options.quit_after);
}

static int parse_timeout(struct send *s)
{
    struct cursor c;
    uint64_t seconds;

    if (s->options.timeout == NULL)
        return 0;
    c = (struct cursor){slice_of(s->options.timeout)};
    if (!take_number(&c, &seconds) || !cursor_at_end(&c) || seconds == 0 || seconds > 3600)
        return wrong(EX_USAGE, "--timeout '%s' is no number of seconds from 1 to 3600",
                     s->options.timeout);
    s->timeout_s = (unsigned)seconds;
    return 0;
}

static int check_combination(const struct send *s)
{
    const struct send_options *o = &s->options;
    int stdins = 0;

    if (o->data != NULL && (o->subject != NULL || o->body != NULL || o->html != NULL ||
                            o->headers.count + o->attachments.count + o->inlines.count > 0))
        return wrong(EX_USAGE, "--data is a whole message; --subject, --body, --html, --header, "
                               "--attach and --inline have no place in it");
    if (o->inlines.count > 0 && o->html == NULL)
        return wrong(EX_USAGE, "--inline needs --html that shows it: <img src=\"cid:NAME\">");
    stdins += o->body != NULL && slice_equal(slice_of(o->body), SLICE("-"));
    stdins += o->html != NULL && slice_equal(slice_of(o->html), SLICE("-"));
    for (unsigned i = 0; i < o->attachments.count; i++)
        stdins += slice_equal(slice_of(o->attachments.values[i]), SLICE("-"));
    if (stdins > 1)
        return wrong(EX_USAGE, "standard input can be only one of --body, --html and --attach");
    return 0;
}

static int understand(struct send *s)
{
    int (*const steps[])(struct send *) = {parse_quit_after, parse_timeout, parse_server,
                                           choose_ehlo,      choose_from,   parse_all_rcpts};
    int status = check_combination(s);

    s->server_text = slice_of(s->options.server);
    for (size_t i = 0; status == 0 && i < sizeof(steps) / sizeof(*steps); i++)
        status = steps[i](s);
    return status;
}

/* --- the message --- */

/* A copy in the arena, so that it lives as long as the composing. */
static int read_part(struct send *s, const char *path, struct slice *out)
{
    struct buf bytes;
    int status;

    buf_init(&bytes, SEND_MEMORY_MAX);
    status = send_read_file(path, &bytes);
    *out = arena_copy(&s->arena, buf_slice(&bytes));
    if (out->data == NULL)
        *out = SLICE("");
    buf_done(&bytes);
    return status;
}

/* Text as given, or "-". */
static int read_text(struct send *s, const char *text, struct slice *out)
{
    if (text == NULL)
        return 0;
    if (slice_equal(slice_of(text), SLICE("-")))
        return read_part(s, "-", out);
    *out = slice_of(text);
    return 0;
}

static int read_files(struct send *s, const struct option_list *paths,
                      const struct compose_file **out)
{
    struct compose_file *files = ARENA_ARRAY(&s->arena, struct compose_file, paths->count);
    int status = 0;

    for (unsigned i = 0; status == 0 && i < paths->count; i++) {
        struct slice path = slice_of(paths->values[i]);
        size_t slash = slice_rfind(path, '/');

        files[i].name = slash < path.len ? slice_skip(path, slash + 1) : path;
        status = read_part(s, paths->values[i], &files[i].bytes);
    }
    *out = files;
    return status;
}

static bool may_be_given(struct slice name)
{
    for (size_t i = 0; i < name.len; i++)
        if (!char_is(name.data[i], CHAR_FTEXT))
            return false;
    return name.len > 0;
}

static int parse_fields(struct send *s, struct compose *m)
{
    const struct option_list *list = &s->options.headers;
    struct compose_field *fields = ARENA_ARRAY(&s->arena, struct compose_field, list->count);

    for (unsigned i = 0; i < list->count; i++) {
        struct slice text = slice_of(list->values[i]), name, value;

        if (!slice_cut(text, ':', &name, &value) || !may_be_given(name))
            return wrong(EX_USAGE, "--header '%s' is not 'Name: value'", list->values[i]);
        if (slice_starts_nocase(name, SLICE("Content-")) ||
            slice_equal_nocase(name, SLICE("MIME-Version")))
            return wrong(EX_USAGE,
                         "--header '%s': the parts decide that; use --data for a message of your "
                         "own making",
                         list->values[i]);
        fields[i] = (struct compose_field){name, slice_trim(value)};
    }
    m->fields = fields;
    m->field_count = list->count;
    return 0;
}

static struct slice random_name(struct send *s)
{
    unsigned char bytes[12];
    struct slice name;
    struct buf hex;

    random_bytes(random_real(), bytes, sizeof(bytes));
    buf_init(&hex, 2 * sizeof(bytes));
    hex_encode(&hex, (struct slice){(const char *)bytes, sizeof(bytes)});
    name = arena_copy(&s->arena, buf_slice(&hex));
    buf_done(&hex);
    return name;
}

static int fill_message(struct send *s, struct compose *m)
{
    const struct send_options *o = &s->options;
    int status = parse_fields(s, m);

    if (status == 0)
        status = read_text(s, o->body, &m->text);
    if (status == 0)
        status = read_text(s, o->html, &m->html);
    if (status == 0)
        status = read_files(s, &o->attachments, &m->attachments);
    if (status == 0)
        status = read_files(s, &o->inlines, &m->inlines);
    m->attachment_count = o->attachments.count;
    m->inline_count = o->inlines.count;
    if (m->text.data == NULL && m->html.data == NULL)
        m->text = SLICE("");
    return status;
}

static int compose(struct send *s)
{
    struct clock *clock = clock_real();
    struct compose m = {
        .date_us = clock_wall_us(clock),
        .unique = random_name(s),
        .id_domain = s->ehlo,
        .from = s->from,
        .to = s->to,
        .to_count = s->to_count,
        .cc = s->cc,
        .cc_count = s->cc_count,
    };
    int status;

    m.utc_offset_min = clock->utc_offset_min(clock, m.date_us);
    if (s->options.subject != NULL)
        m.subject = slice_of(s->options.subject);
    if (s->from.address.kind == ADDRESS_NULL)
        m.from.address = (struct address){
            .kind = ADDRESS_MAILBOX, .local = SLICE("MAILER-DAEMON"), .domain = s->ehlo};
    status = fill_message(s, &m);
    if (status != 0)
        return status;
    if (!compose_write(&s->content.memory, &s->arena, &m))
        return wrong(EX_DATAERR, "the message is larger than %d MiB; send the files apart",
                     SEND_MEMORY_MAX / 1024 / 1024);
    return 0;
}

static int make_message(struct send *s)
{
    int status;

    if (s->options.data != NULL)
        status = send_content_open(&s->content, s->options.data);
    else
        status = compose(s);
    return status != 0 ? status : send_content_check(&s->content);
}

/* --- the dialog --- */

static void show_transcript(struct transcript *t)
{
    struct slice text = buf_slice(&t->text);

    if (text.len > 0)
        fwrite(text.data, 1, text.len, stderr);
    buf_clear(&t->text);
}

static void feed_body(struct send *s)
{
    struct slice piece;

    switch (send_content_next(&s->content, &piece)) {
    case SEND_PIECE: client_body(s->client, piece, &s->stream.out); break;
    case SEND_END: client_body_end(s->client, &s->stream.out); break;
    case SEND_FAILED: client_fail(s->client, CLIENT_BODY_MISSING); break;
    }
}

static enum client_need step_client(struct send *s)
{
    struct cursor in = {buf_slice(&s->stream.in)};
    enum client_need need = client_step(s->client, &in, &s->stream.out);

    buf_consume(&s->stream.in, buf_len(&s->stream.in) - in.rest.len);
    show_transcript(&s->transcript);
    return need;
}

static void hang_up(struct send *s)
{
    timer_cancel(s->loop, &s->timer);
    stream_close(&s->stream);
    loop_stop(s->loop);
}

/* True when all of it left at once, so that the engine may go on. */
static bool flush_all(struct send *s)
{
    bool some = buf_len(&s->stream.out) > 0;

    stream_flush(&s->stream);
    return some && buf_len(&s->stream.out) == 0;
}

static void wait_for_server(struct send *s)
{
    if (client_waits(s->client) != s->waits) {
        s->waits = client_waits(s->client);
        timer_set(s->loop, &s->timer, (uint64_t)client_timeout_s(s->client) * 1000);
    }
    stream_resume(&s->stream);
}

static void talk(struct send *s)
{
    for (;;) {
        switch (step_client(s)) {
        case CLIENT_WANTS_BODY: feed_body(s); break;
        case CLIENT_MESSAGE_DONE: client_quit(s->client); break;
        case CLIENT_DONE: hang_up(s); return;
        case CLIENT_WANTS_INPUT:
            if (flush_all(s))
                break;
            wait_for_server(s);
            return;
        }
    }
}

static void give_up(struct send *s, enum client_failure why, int code)
{
    if (!s->connected) {
        s->connect_error = code;
        hang_up(s);
        return;
    }
    client_fail(s->client, why);
    talk(s);
}

static void on_stream(struct stream *stream, enum stream_event event)
{
    struct send *s = LIST_ENTRY(stream, struct send, stream);

    switch (event) {
    case STREAM_CONNECTED:
        s->connected = true;
        talk(s);
        break;
    case STREAM_READABLE:
    case STREAM_DRAINED: talk(s); break;
    case STREAM_EOF: give_up(s, CLIENT_LOST, -ECONNRESET); break;
    case STREAM_FAILED: give_up(s, CLIENT_LOST, -stream->error); break;
    }
}

static void on_timer(struct timer *timer)
{
    give_up(LIST_ENTRY(timer, struct send, timer), CLIENT_TIMED_OUT, -ETIMEDOUT);
}

static struct client *new_client(struct send *s)
{
    struct client_settings settings = {
        .ehlo = s->ehlo,
        .quit_after = s->quit_after,
        .timeout_s = s->timeout_s,
        .transcript = &s->transcript,
    };
    struct client_message message = {
        .sender = s->from.address,
        .rcpts = s->rcpts,
        .rcpt_count = s->rcpt_count,
        .size = s->content.size,
        .body = s->content.eight_bit ? BODY_8BITMIME : BODY_7BIT,
        .smtputf8 = s->content.utf8_header,
    };
    struct client *client = client_new(&settings);

    client_message(client, &message);
    return client;
}

static int run_dialog(struct send *s)
{
    struct net *net = net_real_new();
    unsigned timeout_s = s->timeout_s == 0 ? CONNECT_TIMEOUT_S : s->timeout_s;
    int code;

    if (net == NULL)
        return EX_OSERR;
    s->loop = loop_new(net, clock_real());
    transcript_init(&s->transcript, s->options.verbose ? TRANSCRIPT_ALL : TRANSCRIPT_REFUSALS,
                    TRANSCRIPT_MAX);
    s->client = new_client(s);
    timer_init(&s->timer, on_timer);
    code = stream_connect(&s->stream, s->loop, &s->server, IN_MAX, CLIENT_OUT_MAX, on_stream);
    if (code < 0) {
        s->connect_error = code;
    } else {
        timer_set(s->loop, &s->timer, (uint64_t)timeout_s * 1000);
        code = loop_run(s->loop);
    }
    loop_free(s->loop);
    net->ops->free(net);
    return code < 0 && s->connect_error == 0 ? EX_OSERR : 0;
}

/* --- the report --- */

static int report_no_connection(const struct send *s)
{
    int code = -s->connect_error;
    const char *advice = "is the address right?";

    if (code == ECONNREFUSED && net_address_is_loopback(&s->server))
        advice = "is `postroad dev` running?";
    else if (code == ECONNREFUSED)
        advice = "is a mail server running there?";
    else if (code == ETIMEDOUT)
        advice = "is the port blocked on the way?";
    return wrong(EX_UNAVAILABLE, "nothing sent: cannot connect to %.*s: %s; %s",
                 SLICE_PRINTF(s->server_text), strerrordesc_np(code), advice);
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
    {SLICE_INIT("5.7.1"), STEP_NONE,     EX_NOPERM,      "is this the server for that domain?"},
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
static struct slice shown_reply(struct send *s, const struct client_outcome *o)
{
    struct slice text = arena_copy(&s->arena, o->text), shown, rest = text, line;
    struct buf out;

    buf_init(&out, 8 * SHOWN_MAX);
    if (o->code != 0)
        buf_printf(&out, "%u ", o->code);
    while (slice_cut(rest, '\n', &line, &rest)) {
        log_escape(&out, line, SHOWN_MAX);
        buf_append_char(&out, ' ');
    }
    log_escape(&out, rest, SHOWN_MAX);
    shown = arena_copy(&s->arena, buf_slice(&out));
    buf_done(&out);
    return shown;
}

/* "bob@example.org", "bob@example.org and 3 more", "nobody". */
static struct slice shown_rcpts(struct send *s, unsigned first, unsigned count)
{
    struct slice name;

    if (s->rcpt_count == 0)
        return SLICE("nobody");
    name = address_text(&s->arena, &s->rcpts[first]);
    if (count <= 1)
        return name;
    return arena_printf(&s->arena, "%.*s and %u more", SLICE_PRINTF(name), count - 1);
}

static int report_failure(struct send *s, const struct client_outcome *o, struct slice rcpts)
{
    const struct refusal_row *row = row_of(o);
    struct slice reply = shown_reply(s, o), name = step_name(o->step);
    const char *what = o->verdict == CLIENT_REFUSED ? "refused" : "not taken now";

    return wrong(row->status, "mail to %.*s %s%s%.*s by %.*s: %.*s; %s", SLICE_PRINTF(rcpts), what,
                 o->code == 0 ? "" : " at ", o->code == 0 ? 0 : (int)name.len, name.data,
                 SLICE_PRINTF(s->server_text), SLICE_PRINTF(reply), row->advice);
}

static bool is_failure(const struct client_outcome *o)
{
    return o->verdict == CLIENT_REFUSED || o->verdict == CLIENT_TRY_AGAIN;
}

/* Refusals of single recipients one by one, what hit all the others in one line. A refusal
 * outweighs a "later" in the exit status, since repeating the command will not help. */
static int report(struct send *s)
{
    const struct client_outcome *final = client_final(s->client);
    unsigned others = 0, first_other = 0, accepted = 0;
    int status = 0, got;

    for (unsigned i = 0; i < s->rcpt_count; i++) {
        const struct client_outcome *o = client_outcome(s->client, i);

        accepted += o->verdict == CLIENT_ACCEPTED;
        if (is_failure(o) && o->step != STEP_RCPT && others++ == 0)
            first_other = i;
        if (!is_failure(o) || o->step != STEP_RCPT)
            continue;
        got = report_failure(s, o, shown_rcpts(s, i, 1));
        if (status == 0 || status == EX_TEMPFAIL)
            status = got;
    }
    if (is_failure(final) && (others > 0 || s->rcpt_count == 0)) {
        got = report_failure(s, final, shown_rcpts(s, first_other, others));
        if (status == 0 || status == EX_TEMPFAIL)
            status = got;
    }
    if (accepted > 0) {
        struct slice reply = shown_reply(s, final);

        printf("%.*s\n", SLICE_PRINTF(reply));
    } else if (status == 0 && s->quit_after != STEP_NONE) {
        printf("quit after %s; no mail was sent\n", s->options.quit_after);
    }
    return status;
}

/* --- all of it --- */

static int send_mail(struct send *s)
{
    int status = understand(s);

    if (status == 0)
        status = make_message(s);
    if (status == 0)
        status = run_dialog(s);
    if (status == 0 && s->connect_error != 0)
        return report_no_connection(s);
    return status == 0 ? report(s) : status;
}

static enum options_result parse_options(struct send_options *o, int argc, char **argv)
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

    return options_parse(&usage, argc, argv);
}

int cmd_send(int argc, char **argv)
{
    struct send *s = MEMORY_NEW(struct send);
    int status = EX_USAGE;

    s->options.server = "127.0.0.1:1025";
    send_content_init(&s->content);
    switch (parse_options(&s->options, argc, argv)) {
    case OPTIONS_OK: status = send_mail(s); break;
    case OPTIONS_HELP: status = EXIT_SUCCESS; break;
    case OPTIONS_WRONG: break;
    }
    client_free(s->client);
    transcript_done(&s->transcript);
    send_content_done(&s->content);
    arena_done(&s->arena);
    memory_free(s);
    return status;
}
