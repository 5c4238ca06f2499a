/*
 * probe_session.h - one connection to a server that is looked at: greeting, EHLO, TLS, and one
 * recipient asked for and taken back. Never DATA.
 */
#ifndef CMD_PROBE_SESSION_H
#define CMD_PROBE_SESSION_H

#include "cmd/probe_request.h"
#include "roles/remote.h"
#include "smtp/heard.h"

enum probe_stage {
    PROBE_GREETS,  /* nothing was asked yet */
    PROBE_ASKED,   /* MAIL and RCPT */
    PROBE_FORGETS, /* RSET */
    PROBE_LEAVES,  /* QUIT */
};

struct probe_session {
    const struct probe_request *request;
    struct loop *loop;
    struct arena arena; /* what is told below */
    struct remote remote;
    struct remote_options options;
    struct transcript transcript;
    enum probe_stage stage;

    /* What came of it. */
    struct heard heard;
    bool implicit;
    int connect_error;           /* negative errno: there was no connection */
    struct client_outcome end;   /* what ended it before its time; CLIENT_PENDING: nothing did */
    struct client_outcome asked; /* of the recipient; CLIENT_PENDING without a code: not asked */
    bool secured;
    struct slice tls_version;
    struct slice tls_cipher;
    bool has_peer;
    struct tls_peer peer;
    struct slice tls_problem;
};

/* Runs the loop until the session is over. tls is borrowed until probe_session_done(); `name` is
 * whom the server is taken for, "" for none. */
void probe_session_run(struct probe_session *s, struct loop *loop,
                       const struct probe_request *request, enum probe_tls how,
                       struct tls_context *tls, const struct route_hop *hop, struct slice name);
void probe_session_done(struct probe_session *s); /* harmless when it is all zero */

#endif
