/*
 * remote.h - one connection to a mail server: what carries bytes between the client engine and a
 * stream, keeps its deadlines, starts TLS and logs in. For relaying, LMTP and the commands that
 * send.
 *
 * The owner gives messages when the server is ready for one and is told what became of each.
 */
#ifndef ROLES_REMOTE_H
#define ROLES_REMOTE_H

#include "loop/stream.h"
#include "roles/proof.h"

enum remote_event {
    REMOTE_READY, /* for a message: greeted, or outcomes of the last one are final. remote_send(),
                     remote_quit(), or neither: then it idles, without a deadline */
    REMOTE_OVER,  /* outcomes of the message, if there was one, are final; nothing follows */
};

enum { REMOTE_PROBLEM_MAX = 160 };

enum remote_piece { REMOTE_PIECE, REMOTE_END, REMOTE_UNREADABLE };

struct remote;

struct remote_owner {
    /* May close the remote and free what embeds it. */
    void (*on_event)(struct remote *r, enum remote_event event);
    /* The next piece of the message, at most CLIENT_PIECE_MAX bytes, borrowed until the next call.
     */
    enum remote_piece (*next_piece)(struct remote *r, struct slice *piece);
    /* Something may have been said or heard: for who shows the dialog. NULL: nobody does. */
    void (*on_dialog)(struct remote *r);
    /* The server is to know who we are: remote_login() or remote_no_login(), from inside this call
     * or later; meanwhile the owner alone keeps time. NULL: client.login is CLIENT_LOGIN_NEVER. */
    void (*log_in)(struct remote *r);
};

/* All zero but for what the caller sets; borrowed until remote_close(). */
struct remote_options {
    struct client_settings client;
    struct tls_context *tls;        /* NULL: client.tls must be CLIENT_TLS_NEVER */
    struct slice tls_name;          /* the host to ask for */
    bool implicit_tls;              /* from the first byte on */
    uint64_t connect_timeout_ms;    /* until the connection stands */
    const struct net_address *from; /* NULL: the system chooses */
    const char *path;               /* a socket in the file system instead of an address; or NULL */
    struct random *random;          /* for log_in */
    struct worker *worker;          /* the same; NULL: what is slow stops the loop */
};

struct remote {
    struct loop *loop;
    const struct remote_owner *owner;
    const struct remote_options *options;
    struct stream stream;
    struct timer timer;
    struct client *client;
    uint64_t waits;    /* client_waits() that the timer was set for */
    int connect_error; /* negative errno: no connection was made, the client was not asked */
    bool connected;
    bool secured;
    bool stale; /* TLS failed while a session was to be resumed: without one it may go well */
    bool idle;  /* the server waits for us */
    struct proof proof;
    bool proving; /* the owner, or the worker, is to say how it goes on */
    bool over;
    bool *gone;
    char tls_problem[REMOTE_PROBLEM_MAX];
    size_t tls_problem_len;
};

/* Begins to connect; events follow, none from inside this call. The caller may look at client and
 * connect_error, and nothing else. */
void remote_open(struct remote *r, struct loop *loop, const struct net_address *to,
                 const struct remote_options *options, const struct remote_owner *owner);

/* Before the first event (then also a server that refuses to talk decides over its recipients), or
 * at REMOTE_READY. */
void remote_send(struct remote *r, const struct client_message *message);
void remote_quit(struct remote *r);
void remote_reset(struct remote *r); /* at REMOTE_READY, which comes again: client_reset() */

/* The answers to log_in; harmless when it is not waited for any more. Credentials are copied.
 * `why`: what is to be told instead of a login. */
void remote_login(struct remote *r, const struct credentials *who);
void remote_no_login(struct remote *r, struct slice enhanced, struct slice why);

/* After REMOTE_OVER with this outcome: would it perhaps have gone well in the clear? The handshake
 * failed, or what follows it did: with TLS 1.3 a client hears only then that it does not please. */
bool remote_tls_was_the_trouble(const struct remote *r, const struct client_outcome *o);

/* After REMOTE_OVER: why there is no TLS, for people; may hold words of the server. "": there was
 * no trouble with it. */
struct slice remote_tls_problem(const struct remote *r);

/* The owner's patience is over: as if the server had not answered. REMOTE_OVER follows at once. */
void remote_give_up(struct remote *r);

/* Safe inside on_event. What was not finished stays undecided. */
void remote_close(struct remote *r);

#endif
