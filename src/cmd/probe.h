/*
 * probe.h - what the files of `postroad probe` share: everything that was found out.
 */
#ifndef CMD_PROBE_H
#define CMD_PROBE_H

#include "cmd/probe_intrusive.h"
#include "cmd/probe_verdict.h"

enum { PROBE_TRIES_MAX = 8 };

/* One server that was called. */
struct probe_try {
    const struct route_hop *hop;
    bool speaks;
    struct slice why; /* "220 mx ESMTP", or why not; may hold bytes of the server */
};

enum probe_answer { PROBE_NO, PROBE_YES, PROBE_UNKNOWN };

struct probe {
    struct probe_request request;
    struct arena arena;
    uint64_t now_s;

    enum route_outcome found;
    struct route route;
    struct probe_try tries[PROBE_TRIES_MAX];
    unsigned try_count;

    enum probe_answer speaks;
    struct slice why;               /* the same as of the try that counts, or of the route */
    const struct probe_try *chosen; /* NULL: nobody was called */
    struct probe_session session;   /* with the one that speaks */
    struct probe_session in_clear;  /* with the same one, after TLS failed; else all zero */
    struct probe_tricks smuggling;  /* --intrusive */
    struct probe_tricks downgrade;
};

/* Who tells about relaying: a session that broke off at TLS could not ask. */
const struct probe_session *probe_asker(const struct probe *p);

/* probe_route.c: where to. False: the resolver cannot be opened, told on stderr. */
bool probe_find_route(struct probe *p, struct loop *loop);

enum { PROBE_OUTPUT_MAX = 4 * 1024 * 1024 };

/* probe_report.c, probe_json.c: all of it, as text that is safe for a terminal, into a buf with
 * room for PROBE_OUTPUT_MAX. False: it did not fit. */
bool probe_report(struct probe *p, struct buf *out);
bool probe_json(struct probe *p, struct buf *out);

/* "mx1.example.org 192.0.2.1 port 25" */
struct slice probe_hop_text(const struct route_hop *hop, struct arena *arena);
struct slice probe_ip_text(const unsigned char ip[16], struct arena *arena);

#endif
