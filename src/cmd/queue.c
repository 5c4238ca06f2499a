/*
 * queue.c - what waits in the queue, and what to do with it.
 *
 * The list has Postfix's columns, because fingers and scripts know them. An act on messages chosen
 * by a filter tells first how many they are and asks; named ones are taken at their word.
 */
#include "cmd/commands.h"
#include "cmd/options.h"
#include "cmd/running.h"

#include "base/clock.h"
#include "base/cursor.h"
#include "mail/envelope.h"
#include "wire/date.h"
#include "wire/json.h"
#include "wire/utf8.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

/* A request has room for whatever a command line can hold: one that was cut on its way would choose
 * other messages. */
enum { FLUSH_AT = 8 * 1024, TEXT_MAX = 4 * 1024 * 1024, REQUEST_MAX = 16 * 1024 * 1024 };

struct queue_options {
    struct running_options running;
    const char *from, *user, *to, *domain, *status, *reason, *older, *limit, *pause;
    struct option_list words;
    bool json, yes;
};

struct listing {
    bool json;
    struct json j;
    struct buf text;
    uint64_t messages, bytes;
    bool in_message;
    bool headed;
};

/* ---- the list ---- */

/* Whatever a sender wrote: nothing of it reaches the terminal's ear. */
static void put_safe(struct buf *out, struct slice text)
{
    struct cursor c = {text};
    uint32_t point;

    while (c.rest.len > 0) {
        struct slice one = c.rest;

        if (take_utf8(&c, &point))
            one = slice_head(one, one.len - c.rest.len);
        else
            one = slice_head(one, 0);
        if (utf8_printable(one) && one.len > 0) {
            (void)buf_append(out, one);
            continue;
        }
        (void)buf_append_char(out, '?');
        if (one.len == 0)
            c.rest = slice_skip(c.rest, 1);
    }
}

static void flush(struct listing *l)
{
    struct slice text = buf_slice(&l->text);

    if (text.len > 0) /* an empty buf has no bytes to point at */
        fwrite(text.data, 1, text.len, stdout);
    buf_clear(&l->text);
}

static struct slice plural_of(uint64_t count)
{
    return count == 1 ? SLICE("message waits") : SLICE("messages wait");
}

/* "14:05"; with its day when that is not within one. */
static void put_time(struct buf *out, uint64_t at_s)
{
    struct clock *clock = clock_real();
    uint64_t at_us = at_s * 1000000;
    struct buf text;

    buf_init(&text, 64);
    (void)date_write_syslog(&text, at_us,
                            clock->utc_offset_min(clock, at_us)); /* Nov 22 02:14:22 */
    if (at_us < clock_wall_us(clock) + 24ull * 3600 * 1000000)
        (void)buf_append(out, slice_head(slice_skip(buf_slice(&text), 7), 5));
    else
        (void)buf_append(out, slice_head(buf_slice(&text), 12));
    buf_done(&text);
}

static void put_pause(struct listing *l, const struct control_line *line)
{
    uint64_t until, messages = 0;

    (void)control_number(line, SLICE("messages"), &messages);
    (void)buf_append(&l->text, SLICE("paused: "));
    put_safe(&l->text, control_value(line, SLICE("domain")));
    if (control_number(line, SLICE("until"), &until)) {
        (void)buf_append(&l->text, SLICE(" until "));
        put_time(&l->text, until);
    }
    (void)buf_printf(&l->text, " (%llu %.*s)\n", (unsigned long long)messages,
                     SLICE_PRINTF(plural_of(messages)));
}

/* What comes behind the pauses. */
static void put_heading(struct listing *l)
{
    if (!l->headed)
        (void)buf_append(
            &l->text, SLICE("-Queue ID-  --Size--- --Arrival Time-  -Sender/Recipient-------\n"));
    l->headed = true;
}

static void put_message(struct listing *l, const struct control_line *line)
{
    struct clock *clock = clock_real();
    uint64_t size = 0, arrived = 0;
    struct slice from = control_value(line, SLICE("from"));

    (void)control_number(line, SLICE("size"), &size);
    (void)control_number(line, SLICE("arrived"), &arrived);
    put_heading(l);
    l->messages++;
    l->bytes += size;
    (void)buf_printf(&l->text, "%s%-12.*s %9llu ", l->messages > 1 ? "\n" : "",
                     SLICE_PRINTF(control_value(line, SLICE("id"))), (unsigned long long)size);
    (void)date_write_syslog(&l->text, arrived * 1000000,
                            clock->utc_offset_min(clock, arrived * 1000000));
    (void)buf_append(&l->text, SLICE("  "));
    put_safe(&l->text, from.len == 0 ? SLICE("MAILER-DAEMON") : from);
    (void)buf_append_char(&l->text, '\n');
}

/* "deferred", "held for later: until Nov 29 09:00". */
static void put_status(struct listing *l, const struct control_line *line)
{
    struct slice status = control_value(line, SLICE("status"));
    uint64_t number;

    if (control_number(line, SLICE("release"), &number)) {
        (void)buf_append(&l->text, SLICE("held for later: until "));
        put_time(&l->text, number);
        return;
    }
    (void)buf_append(&l->text, status);
}

static void put_next(struct listing *l, const struct control_line *line)
{
    uint64_t next;

    if (control_number(line, SLICE("next"), &next))
        (void)buf_printf(&l->text, ", next try in %llu s", (unsigned long long)next);
}

static void put_rcpt(struct listing *l, const struct control_line *line)
{
    struct slice reason = control_value(line, SLICE("reason"));

    if (reason.len > 0) {
        (void)buf_printf(&l->text, "%*s(", 24, "");
        put_safe(&l->text, reason);
        (void)buf_append(&l->text, SLICE(")\n"));
    }
    (void)buf_printf(&l->text, "%*s", 40, "");
    put_safe(&l->text, control_value(line, SLICE("to")));
    (void)buf_append(&l->text, SLICE("  ["));
    put_status(l, line);
    put_next(l, line);
    (void)buf_append(&l->text, SLICE("]\n"));
}

static void put_fact(struct listing *l, const char *what, struct slice text)
{
    if (text.len == 0)
        return;
    (void)buf_printf(&l->text, "  %-13s ", what);
    put_safe(&l->text, text);
    (void)buf_append_char(&l->text, '\n');
}

static void put_delays(struct listing *l, const struct control_line *line)
{
    uint64_t seconds;

    if (control_number(line, SLICE("down"), &seconds)) {
        (void)buf_printf(&l->text, "  %-13s for %llu s more: ", "down",
                         (unsigned long long)seconds);
        put_safe(&l->text, control_value(line, SLICE("down-reason")));
        (void)buf_append_char(&l->text, '\n');
    }
    if (control_value(line, SLICE("paused")).len == 0)
        return;
    (void)buf_printf(&l->text, "  %-13s ", "paused");
    if (control_number(line, SLICE("until"), &seconds)) {
        (void)buf_append(&l->text, SLICE("until "));
        put_time(&l->text, seconds);
    } else {
        (void)buf_append(&l->text, SLICE("until it is resumed"));
    }
    (void)buf_append_char(&l->text, '\n');
}

/* One recipient in full. */
static void put_why(struct listing *l, const struct control_line *line)
{
    uint64_t attempts = 0;

    (void)control_number(line, SLICE("attempts"), &attempts);
    (void)buf_append_char(&l->text, '\n');
    put_safe(&l->text, control_value(line, SLICE("to")));
    (void)buf_append(&l->text, SLICE(": "));
    put_status(l, line);
    (void)buf_printf(&l->text, ", %llu attempt%s failed", (unsigned long long)attempts,
                     attempts == 1 ? "" : "s");
    put_next(l, line);
    (void)buf_append_char(&l->text, '\n');
    put_fact(l, "last failure", control_value(line, SLICE("reason")));
    put_delays(l, line);
    put_fact(l, "goes by", control_value(line, SLICE("way")));
    put_fact(l, "rule", control_value(line, SLICE("rule")));
    put_fact(l, "to", control_value(line, SLICE("hosts")));
    put_fact(l, "MX", control_value(line, SLICE("mx")));
}

static void close_message(struct listing *l)
{
    if (!l->in_message)
        return;
    json_close(&l->j, ']');
    json_close(&l->j, '}');
    (void)buf_append_char(&l->text, '\n');
    l->j.follows = false;
    l->in_message = false;
}

static void put_json_field(struct listing *l, const struct control_line *line, const char *name)
{
    uint64_t number;

    if (control_number(line, slice_of(name), &number))
        json_number(&l->j, name, (int64_t)number);
}

static void put_json_text(struct listing *l, const struct control_line *line, const char *name)
{
    struct slice text = control_value(line, slice_of(name));

    if (text.len > 0)
        json_text(&l->j, name, text);
}

/* What only `why` tells. */
static void put_json_way(struct listing *l, const struct control_line *line)
{
    put_json_text(l, line, "way");
    put_json_text(l, line, "rule");
    put_json_text(l, line, "hosts");
    put_json_text(l, line, "mx");
    put_json_field(l, line, "connections");
    put_json_field(l, line, "down");
    put_json_text(l, line, "down-reason");
    put_json_text(l, line, "paused");
    put_json_field(l, line, "until");
}

/* One object a line. */
static void put_json(struct listing *l, const struct control_line *line)
{
    if (slice_equal(line->word, SLICE("message"))) {
        close_message(l);
        json_open(&l->j, NULL, '{');
        json_text(&l->j, "id", control_value(line, SLICE("id")));
        put_json_field(l, line, "size");
        put_json_field(l, line, "arrived");
        json_text(&l->j, "from", control_value(line, SLICE("from")));
        json_text(&l->j, "client", control_value(line, SLICE("client")));
        json_open(&l->j, "rcpts", '[');
        l->in_message = true;
        l->messages++;
        return;
    }
    if (slice_equal(line->word, SLICE("paused"))) {
        json_open(&l->j, NULL, '{');
        json_text(&l->j, "paused", control_value(line, SLICE("domain")));
        put_json_field(l, line, "until");
        put_json_field(l, line, "messages");
        json_close(&l->j, '}');
        (void)buf_append_char(&l->text, '\n');
        l->j.follows = false;
        return;
    }
    json_open(&l->j, NULL, '{');
    json_text(&l->j, "to", control_value(line, SLICE("to")));
    json_text(&l->j, "status", control_value(line, SLICE("status")));
    put_json_field(l, line, "attempts");
    put_json_field(l, line, "next");
    put_json_field(l, line, "release");
    json_text(&l->j, "reason", control_value(line, SLICE("reason")));
    put_json_way(l, line);
    json_close(&l->j, '}');
}

static void on_line(void *ctx, const struct control_line *line)
{
    struct listing *l = ctx;

    if (l->json)
        put_json(l, line);
    else if (slice_equal(line->word, SLICE("message")))
        put_message(l, line);
    else if (slice_equal(line->word, SLICE("paused")))
        put_pause(l, line);
    else if (control_value(line, SLICE("way")).len > 0)
        put_why(l, line);
    else
        put_rcpt(l, line);
    if (!l->in_message || buf_len(&l->text) > FLUSH_AT)
        flush(l);
}

static void on_content(void *ctx, struct slice bytes)
{
    (void)ctx;
    fwrite(bytes.data, 1, bytes.len, stdout);
}

/* ---- requests ---- */

/* An empty one, as of a script's unset variable, would choose everything. */
static bool put_option(struct buf *out, const char *name, const char *value)
{
    if (value == NULL)
        return true;
    if (*value == '\0') {
        (void)command_wrong("queue", EX_USAGE, "--%s is given, but empty", name);
        return false;
    }
    control_text(out, name, slice_of(value));
    return true;
}

static bool put_ids(struct buf *out, const struct queue_options *o)
{
    struct buf ids;
    bool good = true;

    buf_init(&ids, CONTROL_LINE_MAX);
    for (unsigned i = 0; good && i < o->words.count; i++) {
        struct slice word = slice_of(o->words.values[i]);
        uint64_t id;

        good = queue_id_parse(word, &id) && (i == 0 || buf_append_char(&ids, ',')) &&
               buf_append(&ids, word);
        if (!good)
            (void)command_wrong("queue", EX_DATAERR, "'%.*s' is no queue id, or there are too many",
                                SLICE_PRINTF(word));
    }
    if (good && o->words.count > 0)
        control_text(out, "id", buf_slice(&ids));
    buf_done(&ids);
    return good;
}

static bool put_time_option(struct buf *out, const char *name, const char *text)
{
    uint64_t seconds;

    if (text == NULL)
        return true;
    if (!option_seconds(text, &seconds)) {
        (void)command_wrong("queue", EX_USAGE, "--%s '%s' is no time, as 90s, 15m, 4h or 2d", name,
                            text);
        return false;
    }
    control_uint(out, name, seconds);
    return true;
}

static bool end_request(struct buf *out)
{
    control_end(out);
    if (buf_len(out) <= CONTROL_LINE_MAX)
        return true;
    (void)command_wrong("queue", EX_USAGE, "that is too much for one request");
    return false;
}

/* Else it was told what is wrong. */
static int write_request(const char *verb, const struct queue_options *o, uint64_t limit,
                         struct buf *out)
{
    control_begin(out, slice_of(verb));
    if (!put_option(out, "from", o->from) || !put_option(out, "user", o->user) ||
        !put_option(out, "to", o->to) || !put_option(out, "domain", o->domain) ||
        !put_option(out, "status", o->status) || !put_option(out, "reason", o->reason) ||
        !put_time_option(out, "older", o->older) || !put_time_option(out, "for", o->pause))
        return EX_USAGE;
    if (!put_ids(out, o))
        return EX_DATAERR;
    if (limit > 0)
        control_uint(out, "limit", limit);
    return end_request(out) ? 0 : EX_USAGE;
}

static int ask(const char *verb, const struct queue_options *o, uint64_t limit, struct listing *l,
               uint64_t *count)
{
    const struct running_calls calls = {l == NULL ? NULL : on_line, on_content};
    struct buf request;
    char path[RUNNING_PATH_MAX];
    int status;

    buf_init(&request, REQUEST_MAX);
    status = running_find("queue", &o->running, path);
    if (status == 0)
        status = write_request(verb, o, limit, &request);
    if (status == 0)
        status = running_ask("queue", path, buf_slice(&request), &calls, l, count);
    buf_done(&request);
    return status;
}

static int limit_of(const struct queue_options *o, uint64_t *limit)
{
    struct cursor c = {slice_of(o->limit == NULL ? "1000" : o->limit)};

    if (take_number(&c, limit) && cursor_at_end(&c) && *limit > 0)
        return 0;
    return command_wrong("queue", EX_USAGE, "--limit '%s' is no number", o->limit);
}

static bool is_filtered(const struct queue_options *o)
{
    return o->from != NULL || o->user != NULL || o->to != NULL || o->domain != NULL ||
           o->status != NULL || o->reason != NULL || o->older != NULL;
}

static int list(const struct queue_options *o)
{
    struct listing l = {.json = o->json};
    uint64_t limit;
    int status = limit_of(o, &limit);

    if (status != 0)
        return status;
    buf_init(&l.text, TEXT_MAX);
    l.j.out = &l.text;
    status = ask("list", o, limit, &l, NULL);
    close_message(&l);
    if (status == 0 && !o->json && l.messages == 0)
        (void)buf_printf(&l.text, is_filtered(o) ? "No mail in the queue is such\n"
                                                 : "Mail queue is empty\n");
    else if (status == 0 && !o->json)
        (void)buf_printf(&l.text, "\n-- %llu Kbytes in %llu Request%s.%s\n",
                         (unsigned long long)(l.bytes + 1023) / 1024,
                         (unsigned long long)l.messages, l.messages == 1 ? "" : "s",
                         l.messages == limit ? " There may be more: --limit N." : "");
    flush(&l);
    buf_done(&l.text);
    return status;
}

/* ---- acts ---- */

static bool says_yes(void)
{
    char answer[16] = "";

    fflush(stdout);
    return fgets(answer, sizeof(answer), stdin) != NULL && (answer[0] == 'y' || answer[0] == 'Y');
}

/* By filter: how many, and is that meant? */
static int confirm(const char *verb, const struct queue_options *o)
{
    uint64_t count = 0;
    int status;

    if (o->words.count > 0 || o->yes)
        return 0;
    status = ask("count", o, 0, NULL, &count);
    if (status != 0)
        return status;
    if (!isatty(STDIN_FILENO))
        return command_wrong("queue", EX_USAGE,
                             "this would %s %llu messages; without a terminal say --yes", verb,
                             (unsigned long long)count);
    printf("%s %llu message%s? [y/N] ", verb, (unsigned long long)count, count == 1 ? "" : "s");
    return says_yes() ? 0 : command_wrong("queue", EX_USAGE, "nothing was done");
}

static int act(const char *verb, const struct queue_options *o)
{
    uint64_t count = 0;
    int status;

    if (o->words.count == 0 && !is_filtered(o))
        return command_wrong(
            "queue", EX_USAGE,
            "%s which messages? Name queue ids, or choose with --from, --user, --to, "
            "--domain, --status, --reason, --older",
            verb);
    status = confirm(verb, o);
    if (status == 0)
        status = ask(verb, o, 0, NULL, &count);
    if (status != 0)
        return status;
    printf("%s: %llu message%s\n", verb, (unsigned long long)count, count == 1 ? "" : "s");
    return count == 0 && o->words.count > 0 ? EX_DATAERR : EXIT_SUCCESS;
}

static int why(const struct queue_options *o)
{
    struct listing l = {.json = o->json, .headed = true};
    int status;

    if (o->words.count == 0)
        return command_wrong("queue", EX_USAGE, "write: postroad queue why ID");
    buf_init(&l.text, TEXT_MAX);
    l.j.out = &l.text;
    status = ask("why", o, 0, &l, NULL);
    close_message(&l);
    flush(&l);
    buf_done(&l.text);
    if (status == 0 && l.messages == 0)
        return command_wrong("queue", EX_DATAERR, "there is no such message in the queue");
    return status;
}

/* Tells how it is now, or was. */
static int pause_or_resume(const char *verb, const struct queue_options *o)
{
    struct listing l = {.json = o->json};
    int status;

    if (o->domain == NULL || o->words.count > 0)
        return command_wrong("queue", EX_USAGE, "write: postroad queue %s --domain example.net",
                             verb);
    buf_init(&l.text, TEXT_MAX);
    l.j.out = &l.text;
    if (!o->json && strcmp(verb, "resume") == 0)
        (void)buf_append(&l.text, SLICE("no longer "));
    status = ask(verb, o, 0, &l, NULL);
    if (status == 0)
        flush(&l);
    buf_done(&l.text);
    return status;
}

static int cat(const struct queue_options *o)
{
    if (o->words.count != 1)
        return command_wrong("queue", EX_USAGE, "write: postroad queue cat ID");
    return ask("cat", o, 0, NULL, NULL);
}

static int run(const char *verb, const struct queue_options *o)
{
    static const char *const acts[] = {"hold", "release", "retry", "bounce", "delete"};

    if (strcmp(verb, "list") == 0 || strcmp(verb, "show") == 0)
        return list(o);
    if (strcmp(verb, "cat") == 0)
        return cat(o);
    if (strcmp(verb, "why") == 0)
        return why(o);
    if (strcmp(verb, "pause") == 0 || strcmp(verb, "resume") == 0)
        return pause_or_resume(verb, o);
    for (size_t i = 0; i < sizeof(acts) / sizeof(*acts); i++)
        if (strcmp(verb, acts[i]) == 0)
            return act(verb, o);
    return command_wrong(
        "queue", EX_USAGE,
        "'%s' is none of list, show, cat, why, hold, release, retry, bounce, delete, pause, "
        "resume",
        verb);
}

static int queue(int argc, char **argv, const char *verb)
{
    struct queue_options o = {0};
    int status;
    const struct option options[] = {
        {"--config", "-c", OPTION_TEXT,  &o.running.config, "FILE",
         "the server of this configuration; default your `dev`, else /etc/postroad",                           NULL},
        {"--dir",    NULL, OPTION_TEXT,  &o.running.dir,    "DIR",     "the `postroad dev` of this folder",
         "POSTROAD_DEV_DIR"                                                                                        },
        {"--from",   NULL, OPTION_TEXT,  &o.from,           "ADDRESS",
         "of this sender; @domain: of any there; <>: reports",                                                 NULL},
        {"--user",   NULL, OPTION_TEXT,  &o.user,           "ACCOUNT", "sent by who logged in by this name",
         NULL                                                                                                      },
        {"--to",     NULL, OPTION_TEXT,  &o.to,             "ADDRESS", "for this recipient, or @domain",       NULL},
        {"--domain", NULL, OPTION_TEXT,  &o.domain,         "DOMAIN",  "for recipients in this domain",        NULL},
        {"--status", NULL, OPTION_TEXT,  &o.status,         "STATUS",
         "active, deferred, held, later or paused",                                                            NULL},
        {"--reason", NULL, OPTION_TEXT,  &o.reason,         "TEXT",    "deferred for a reason with this text",
         NULL                                                                                                      },
        {"--older",  NULL, OPTION_TEXT,  &o.older,          "TIME",
         "arrived at least so long ago: 90s, 15m, 4h, 2d",                                                     NULL},
        {"--for",    NULL, OPTION_TEXT,  &o.pause,          "TIME",    "pause for so long: 90s, 15m, 4h, 2d",  NULL},
        {"--limit",  NULL, OPTION_TEXT,  &o.limit,          "N",       "list at most so many (default 1000)",  NULL},
        {"--json",   NULL, OPTION_FLAG,  &o.json,           NULL,      "one JSON object a line",               NULL},
        {"--yes",    NULL, OPTION_FLAG,  &o.yes,            NULL,      "do not ask",                           NULL},
        {"ID...",    NULL, OPTION_WORDS, &o.words,          NULL,      "queue ids",                            NULL},
    };
    const struct usage usage = {
        "queue",
        "list|show|cat|why|hold|release|retry|bounce|delete|pause|resume [OPTION...] [ID...]",
        "What waits in the queue of a running server, and what to do with it.\n\n"
        "  list     what waits, for whom, why, and when it is tried again; show ID for one "
        "message\n"
        "  cat      the message itself\n"
        "  why      why it waits, and what the next attempt will do\n"
        "  hold     do not try it until it is released\n"
        "  release  try it again, now; what its sender wants held for later, too\n"
        "  retry    try now what waits for its next try\n"
        "  bounce   give it up: the sender gets a report\n"
        "  delete   give it up: nobody hears of it\n"
        "  pause    send nothing to --domain, new mail neither, until resume or --for a time\n"
        "  resume   send to --domain again\n\n"
        "Exit status: 0 done; 64 wrong usage; 65 there is no such message; 69 no server answers;\n"
        "77 not permitted; 78 the configuration is wrong. An act concerns a message as a whole,\n"
        "all its recipients but those that are being tried at this moment.",
        "  postroad queue list --domain example.net\n"
        "  postroad queue retry --reason 'Connection refused' --yes\n"
        "  postroad queue bounce 0FKd6ycwdPSK\n"
        "  postroad queue pause --domain example.net --for 2h\n",
        options,
        sizeof(options) / sizeof(*options)};

    if (!options_parse(&usage, argc, argv, &status))
        return status;
    return run(verb, &o);
}

int cmd_mailq(int argc, char **argv)
{
    return queue(argc, argv, "list");
}

int cmd_queue(int argc, char **argv)
{
    bool named = argc >= 2 && argv[1][0] != '-';

    return queue(named ? argc - 1 : argc, named ? argv + 1 : argv, named ? argv[1] : "list");
}
