/*
 * probe_wire.h - a session that is played from a script, byte for byte.
 *
 * For what the client engine never says, and must not be able to: line ends that are none, commands
 * behind STARTTLS. Nothing is decided here; what came back is written down.
 */
#ifndef CMD_PROBE_WIRE_H
#define CMD_PROBE_WIRE_H

#include "base/arena.h"
#include "loop/stream.h"
#include "smtp/transcript.h"
#include "wire/smtp_reply.h"

enum wire_verb {
    WIRE_SAY,      /* `bytes`, at once */
    WIRE_HEAR,     /* one reply; when its code begins with another digit than `wanted` (0: any), it
                      ends here */
    WIRE_HEAR_OUT, /* all replies, until a 221 or the end */
    WIRE_SECURE,   /* the TLS handshake */
};

struct wire_line {
    enum wire_verb verb;
    struct slice bytes;
    unsigned wanted;
};

enum wire_end {
    WIRE_PLAYED,
    WIRE_UNWANTED, /* the last reply was none of those wanted */
    WIRE_LOST,     /* the server hung up */
    WIRE_SILENT,
    WIRE_NOT_SMTP,
    WIRE_NO_TLS,
    WIRE_NO_CONNECTION,
};

enum { WIRE_REPLIES_MAX = 16, WIRE_LINES_MAX = 24 };

struct wire_reply {
    size_t line; /* of the script, that it answers */
    unsigned code;
    struct slice
        text; /* "250 2.0.0 Ok", its lines joined by blanks; may hold bytes of the server */
};

/* All borrowed until wire_done(). */
struct wire_options {
    struct net_address to;
    struct tls_context *tls;
    struct slice tls_name;
    bool implicit_tls;
    unsigned timeout_s; /* for every wait */
    bool verbose;       /* the dialog goes to stderr */
};

struct wire {
    struct loop *loop;
    struct arena *arena; /* of the texts */
    const struct wire_options *options;
    struct wire_line script[WIRE_LINES_MAX];
    size_t count;
    size_t at; /* the line where it ended; count: it was played whole */
    enum wire_end end;
    struct wire_reply replies[WIRE_REPLIES_MAX];
    size_t reply_count;
    /* While it runs. */
    struct stream stream;
    struct timer timer;
    struct reply_reader reader;
    struct transcript transcript;
};

/* An empty script. */
void wire_init(struct wire *w, struct loop *loop, struct arena *arena,
               const struct wire_options *options);
void wire_add(struct wire *w, enum wire_verb verb, struct slice bytes, unsigned wanted);

/* Runs the loop until it is over; then nothing is open any more. */
void wire_play(struct wire *w);

#endif
