/*
 * probe_verdict.h - what a session says about a server. Pure; texts may hold bytes of the server:
 * escape them.
 */
#ifndef CMD_PROBE_VERDICT_H
#define CMD_PROBE_VERDICT_H

#include "cmd/probe_session.h"

/* Does it speak SMTP, and is it willing to? *why: "220 mx ESMTP", or why not. */
bool probe_speaks(const struct probe_session *s, struct arena *arena, struct slice *why);

/* STARTTLS was agreed on and came to nothing. */
bool probe_tls_failed(const struct probe_session *s);

enum probe_tls_state {
    TLS_NOT_OFFERED,
    TLS_NOT_TRIED, /* --tls off */
    TLS_REFUSED,
    TLS_FAILED,
    TLS_ON,
};

/* *why: the refusal or the failure, else "". */
enum probe_tls_state probe_tls_state(const struct probe_session *s, struct arena *arena,
                                     struct slice *why);

enum probe_relay {
    RELAY_UNTESTED,
    RELAY_NO,
    RELAY_YES,
    RELAY_UNDECIDED, /* 4xx */
};

/* Does it take mail from strangers for strangers? *why: the reply that tells, or why there is none.
 */
enum probe_relay probe_relay(const struct probe_session *s, struct arena *arena, struct slice *why);

struct probe_extension {
    struct slice name;
    struct slice params;
    bool clear;   /* announced before STARTTLS */
    bool secured; /* announced under TLS */
};

enum { PROBE_EXTENSIONS_MAX = 100 };

/* In the order of the reply; *left_out: beyond PROBE_EXTENSIONS_MAX. */
struct probe_extension *probe_extensions(const struct probe_session *s, struct arena *arena,
                                         size_t *count, size_t *left_out);

/* The first line of the reply to the last EHLO or HELO that was answered with yes: what it calls
 * itself. "": there was none. */
struct slice probe_hello_name(const struct probe_session *s);

/* "554 5.7.1 go away", its lines joined by blanks. */
struct slice probe_reply_text(const struct heard_reply *reply, struct arena *arena);

#endif
