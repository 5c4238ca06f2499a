/*
 * account_file.h - a file of accounts: which one is meant, and one change of it.
 */
#ifndef CMD_ACCOUNT_FILE_H
#define CMD_ACCOUNT_FILE_H

#include "mail/account_edit.h"

#include <limits.h>

/* How a person says which file is meant: by one of config, dir and file. */
struct account_file_options {
    const char *config; /* -c FILE; NULL: /etc/postroad/postroad.conf */
    const char *table;  /* --table NAME: of several in the configuration */
    const char *dir;    /* --dir D: a `dev` folder */
    const char *file;   /* --file PATH: no configuration is looked at */
};

/* Whom it is about. */
struct account_file {
    char path[PATH_MAX];
    char queue[PATH_MAX]; /* of who has these accounts; "": nobody was looked for */
};

/* An exit status; 0: *out is set, its links followed. A file that --file names need not be there:
 * `add` makes it. */
int account_file_find(const struct account_file_options *o, struct account_file *out);

/* What is in it; text is initialised here, and "" when there is no such file. An exit status:
 * EX_DATAERR when it has errors, which are told on stderr. */
int account_file_read(const char *path, struct buf *text);

/* Whether an edit can be made, before anybody types a password for it. An exit status. */
int account_file_try(const char *path, const struct account_edit *edit);

/* Makes it, durably, nobody else writing meanwhile. *changed false: it was so already. */
int account_file_edit(const char *path, const struct account_edit *edit, bool *changed);

#endif
