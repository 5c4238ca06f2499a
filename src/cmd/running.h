/*
 * running.h - asks a running server over its control socket (ipc/control).
 */
#ifndef CMD_RUNNING_H
#define CMD_RUNNING_H

#include "ipc/control.h"

/* How a person says which server is meant; at most one of the two. Neither: the usual `dev` folder,
 * if a server runs there, else that of /etc/postroad/postroad.conf, if there is one. */
struct running_options {
    const char *config; /* -c FILE */
    const char *dir;    /* --dir D: a `dev` folder */
};

enum { RUNNING_PATH_MAX = 108 }; /* of a socket in the file system */

/* Each line of an answer before the last, and the bytes behind a line "content size=N". NULL: they
 * are not expected. */
struct running_calls {
    void (*line)(void *ctx, const struct control_line *line);
    void (*content)(void *ctx, struct slice bytes);
};

/* Where its socket is. An exit status; 0: *path is set. */
int running_find(const char *command, const struct running_options *options,
                 char path[RUNNING_PATH_MAX]);

/* Does anybody listen there? */
bool running_is_there(const char *path);

/* Asks one thing. An exit status: EX_UNAVAILABLE when nobody answers there, EX_DATAERR when the
 * server says "error"; both told on stderr. 0: *count is what "ok" said. */
int running_ask(const char *command, const char *path, struct slice request,
                const struct running_calls *calls, void *ctx, uint64_t *count);

#endif
