/*
 * load_settings.h - a configuration and all the files that it names, from the disk.
 */
#ifndef CMD_LOAD_SETTINGS_H
#define CMD_LOAD_SETTINGS_H

#include "config/settings.h"

/* One file that a person named, links followed; *flags: enum source_flag. text is initialised here.
 * 0 or a negative errno; -EFBIG: more than max bytes. */
int load_file(const char *path, size_t max, struct buf *text, unsigned *flags);

/* Checks a bundle that holds only the configuration, and adds the files that it names. What is
 * wrong, and warnings, go to stderr; NULL when something is wrong. */
struct settings *load_settings(struct buf *bundle);

/* The same for a file. Returns an exit status: EX_NOINPUT (it cannot be read), EX_CONFIG, or 0 with
 * the settings in *out. The bundle is initialised here and must be released either way. */
int load_settings_file(const char *file, struct buf *bundle, struct settings **out);

/* The same for commands that ask something of it and do not judge it: warnings, which are told at
 * each check, start and reload, are left out. */
int load_settings_to_use(const char *file, struct buf *bundle, struct settings **out);

/* The bundle of all but the keys and passwords of the running settings `s`, with its tables of
 * accounts and what relays log in with as they are now, passwords and all, appended to out. NULL:
 * there are errors; they are told on stderr. The settings are for a look at them. */
struct settings *load_accounts_again(const struct settings *s, struct slice bundle,
                                     struct buf *out);

#endif
