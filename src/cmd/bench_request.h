/*
 * bench_request.h - what `postroad bench load` was asked to do: its command line, understood.
 */
#ifndef CMD_BENCH_REQUEST_H
#define CMD_BENCH_REQUEST_H

#include "base/arena.h"
#include "cmd/options.h"
#include "loop/net.h"
#include "wire/address.h"

struct bench_options {
    const char *server, *messages, *seconds, *sessions, *size, *rate, *each, *from, *ledger,
        *timeout, *slow;
    struct option_list rcpts;
    bool reuse, lmtp, json;
};

struct bench_request {
    struct bench_options options;
    struct arena arena; /* the addresses live here */
    struct net_address server;
    uint64_t messages; /* UINT64_MAX: as many as fit into the time */
    uint64_t seconds;  /* 0: no limit */
    uint64_t sessions;
    uint64_t size_min, size_max; /* bytes of a message, uniform between */
    uint64_t rate;               /* messages a second, all sessions together; 0: no limit */
    uint64_t each;               /* recipients of one message */
    uint64_t timeout_s;
    uint64_t slow_ms; /* pause before every KiB of a message */
    struct address from;
    struct address *rcpts; /* taken in turn */
    unsigned rcpt_count;
};

enum { BENCH_SESSIONS_MAX = 100000, BENCH_EACH_MAX = 100 };

/* False as options_parse(), or told what is wrong with a value. The request is zeroed before. */
bool bench_request_parse(struct bench_request *r, int argc, char **argv, int *status);
void bench_request_done(struct bench_request *r);

#endif
