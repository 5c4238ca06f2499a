/*
 * options.h - one table per command drives parsing, environment and --help.
 */
#ifndef CMD_OPTIONS_H
#define CMD_OPTIONS_H

#include "base/slice.h"

#include <stdint.h>

enum option_kind {
    OPTION_FLAG,  /* target: bool, set to true */
    OPTION_TEXT,  /* target: const char *, the last one given wins */
    OPTION_LIST,  /* target: struct option_list, all in order */
    OPTION_WORDS, /* the same, of bare words; the name is what --help calls them: "LEDGER..." */
};

struct option {
    const char *name;  /* "--dir" */
    const char *brief; /* "-c", or NULL */
    enum option_kind kind;
    void *target;
    const char *value; /* what --help calls the value: "FILE"; NULL for flags */
    const char *help;
    const char *environment; /* variable that sets it when the command line does not, or NULL */
};

enum { OPTION_LIST_MAX = 1000 };

struct option_list {
    const char *values[OPTION_LIST_MAX];
    unsigned count;
};

/* What a command is, for --help and messages. */
struct usage {
    const char *command;  /* "send" */
    const char *synopsis; /* "[OPTION...]" */
    const char *summary;  /* one sentence */
    const char *examples; /* whole lines, or NULL */
    const struct option *options;
    size_t option_count;
};

/* "--name value", "--name=value", "-c value". "--" and anything that is no option end with an
 * error, bare words too unless the table has a row for them. Values point into argv.
 * True: go on, *status is 0. False: --help (or, for programs, --list-options) was answered, or what
 * is wrong was told on stderr; the command ends with *status. */
bool options_parse(const struct usage *usage, int argc, char **argv, int *status);

/* "90", "90s", "15m", "4h", "2d". */
bool option_seconds(const char *text, uint64_t *out);

/* Tells "postroad COMMAND: ..." on stderr; returns status. */
int command_wrong(const char *command, int status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#endif
