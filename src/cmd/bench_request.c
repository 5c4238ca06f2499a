/*
 * bench_request.c - what `postroad bench load` was asked to do: its command line, understood.
 */
#include "cmd/bench_request.h"

#include "cmd/bench.h"
#include "cmd/bench_mail.h"
#include "cmd/host_port.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

static bool parse_server(struct bench_request *r)
{
    const char *text = r->options.server == NULL ? "127.0.0.1:1025" : r->options.server;

    if (host_port_parse(slice_of(text), 25, &r->server) == HOST_PORT_OK)
        return true;
    command_wrong("bench", EX_USAGE,
                  "--server '%s' is no IP address with a port, as 127.0.0.1:1025", text);
    return false;
}

/* "4K" or "1K-300K". */
static bool parse_size(struct bench_request *r)
{
    const char *text = r->options.size, *dash = text == NULL ? NULL : strchr(text, '-');
    struct slice low;

    if (dash == NULL) {
        if (!bench_number("--size", text, BENCH_SIZE_MAX, &r->size_min))
            return false;
        r->size_max = r->size_min;
    } else {
        low = arena_copy(&r->arena, (struct slice){text, (size_t)(dash - text)});
        if (!bench_number("--size", arena_string(&r->arena, low), BENCH_SIZE_MAX, &r->size_min) ||
            !bench_number("--size", dash + 1, BENCH_SIZE_MAX, &r->size_max))
            return false;
    }
    if (r->size_min >= BENCH_SIZE_MIN && r->size_max >= r->size_min)
        return true;
    command_wrong("bench", EX_USAGE, "--size '%s': from %d bytes on, and the smaller one first",
                  text, BENCH_SIZE_MIN);
    return false;
}

static bool parse_address(struct bench_request *r, const char *option, const char *text,
                          struct address *out)
{
    if (slice_equal(slice_of(text), SLICE("<>"))) {
        *out = (struct address){.kind = ADDRESS_NULL};
        return true;
    }
    if (address_parse(slice_of(text), &r->arena, out) && out->kind != ADDRESS_BARE)
        return true;
    command_wrong("bench", EX_USAGE, "%s '%s' is no address; write user@domain", option, text);
    return false;
}

static bool parse_rcpts(struct bench_request *r)
{
    const struct option_list *given = &r->options.rcpts;

    r->rcpt_count = given->count == 0 ? 1 : given->count;
    r->rcpts = ARENA_ARRAY(&r->arena, struct address, r->rcpt_count);
    if (given->count == 0)
        return parse_address(r, "--rcpt", "bench@example.org", &r->rcpts[0]);
    for (unsigned i = 0; i < given->count; i++) {
        if (!parse_address(r, "--rcpt", given->values[i], &r->rcpts[i]))
            return false;
        if (r->rcpts[i].kind == ADDRESS_NULL) {
            command_wrong("bench", EX_USAGE, "--rcpt '<>' is nobody; write user@domain");
            return false;
        }
    }
    return true;
}

static bool understand(struct bench_request *r)
{
    const struct bench_options *o = &r->options;

    r->messages = o->messages == NULL && o->seconds != NULL ? UINT64_MAX : 1000;
    r->sessions = 10;
    r->size_min = 4096;
    r->each = 1;
    r->timeout_s = 60;
    if (!bench_number("--messages", o->messages, UINT32_MAX, &r->messages) ||
        !bench_number("--seconds", o->seconds, 86400ull * 365, &r->seconds) ||
        !bench_number("--sessions", o->sessions, BENCH_SESSIONS_MAX, &r->sessions) ||
        !bench_number("--rate", o->rate, 1000000, &r->rate) ||
        !bench_number("--each", o->each, BENCH_EACH_MAX, &r->each) ||
        !bench_number("--timeout", o->timeout, 3600, &r->timeout_s) ||
        !bench_number("--slow", o->slow, 60000, &r->slow_ms))
        return false;
    if (!parse_server(r) || !parse_size(r) || !parse_rcpts(r) ||
        !parse_address(r, "--from", o->from == NULL ? "bench@client.example" : o->from, &r->from))
        return false;
    if (r->each <= r->rcpt_count)
        return true;
    command_wrong("bench", EX_USAGE, "--each %llu needs as many --rcpt",
                  (unsigned long long)r->each);
    return false;
}

static bool parse_options(struct bench_options *o, int argc, char **argv, int *status)
{
    const struct option options[] = {
        {"--server",   NULL, OPTION_TEXT, &o->server,   "HOST:PORT",
         "where to (default 127.0.0.1:1025)",                                                                 NULL},
        {"--lmtp",     NULL, OPTION_FLAG, &o->lmtp,     NULL,        "speak LMTP",                            NULL},
        {"--messages", NULL, OPTION_TEXT, &o->messages, "N",         "how many (default 1000)",               NULL},
        {"--seconds",  NULL, OPTION_TEXT, &o->seconds,  "N",
         "for so long; then whatever --messages says",                                                        NULL},
        {"--sessions", NULL, OPTION_TEXT, &o->sessions, "N",         "at the same time (default 10)",         NULL},
        {"--reuse",    NULL, OPTION_FLAG, &o->reuse,    NULL,
         "many messages over one connection; else each has its own",                                          NULL},
        {"--size",     NULL, OPTION_TEXT, &o->size,     "N[-M]",
         "bytes of a message: 4K, 1K-300K (default 4K)",                                                      NULL},
        {"--rate",     NULL, OPTION_TEXT, &o->rate,     "N",
         "messages a second; latency then counts from when one was due",                                      NULL},
        {"--slow",     NULL, OPTION_TEXT, &o->slow,     "MS",        "a pause before every KiB of a message",
         NULL                                                                                                     },
        {"--from",     NULL, OPTION_TEXT, &o->from,     "ADDRESS",   "sender; <> for none",                   NULL},
        {"--rcpt",     NULL, OPTION_LIST, &o->rcpts,    "ADDRESS",
         "recipient (default bench@example.org); several are taken in turn",                                  NULL},
        {"--each",     NULL, OPTION_TEXT, &o->each,     "N",         "recipients of one message (default 1)", NULL},
        {"--timeout",  NULL, OPTION_TEXT, &o->timeout,  "SECONDS",
         "for every wait, and for a server that is away (default 60)",                                        NULL},
        {"--ledger",   NULL, OPTION_TEXT, &o->ledger,   "FILE",      "note every message, for `bench check`",
         NULL                                                                                                     },
        {"--json",     NULL, OPTION_FLAG, &o->json,     NULL,        "one JSON object instead of text",       NULL},
    };
    const struct usage usage = {
        "bench load",
        "[OPTION...]",
        "Sends messages that are all different, by many sessions at once, to any SMTP or LMTP\n"
        "server. A server that goes away is called again until it is back; a message whose answer\n"
        "was lost is noted as unknown, and never sent again. Ctrl-C ends it in good order.\n\n"
        "Exit status: 0 every message was acknowledged; 75 some were refused or are unknown; 69 "
        "the\n"
        "server cannot be reached; 64 wrong usage; 73, 74 the ledger cannot be made or written.",
        "  postroad bench load --messages 20000 --sessions 50 --reuse\n"
        "  postroad bench load --server 192.0.2.7:25 --rate 100 --seconds 600 --ledger "
        "load.ledger\n"
        "  postroad bench load --size 1K-2M --each 3 --rcpt a@x.example --rcpt b@x.example \\\n"
        "      --rcpt c@x.example\n",
        options,
        sizeof(options) / sizeof(*options)};

    return options_parse(&usage, argc, argv, status);
}

bool bench_request_parse(struct bench_request *r, int argc, char **argv, int *status)
{
    if (!parse_options(&r->options, argc, argv, status))
        return false;
    if (understand(r))
        return true;
    *status = EX_USAGE;
    return false;
}

void bench_request_done(struct bench_request *r)
{
    arena_done(&r->arena);
}
