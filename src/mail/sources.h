/*
 * sources.h - the files of a configuration: those at hand, and those that are wanted.
 *
 * Ask and rerun, as with facts: parsers read no files. One that meets the name of a table or of an
 * included file asks for it here; what is not at hand is noted as wanted, whoever has the disk
 * supplies it, and all is parsed again. What was supplied is one sequence of bytes, the bundle,
 * which is also what the warden seals and hands to every role:
 *
 *     {u32 length, path} {u8 flags} {u32 length, text}    for each file; the configuration first
 */
#ifndef MAIL_SOURCES_H
#define MAIL_SOURCES_H

#include "mail/complaints.h"

enum {
    SOURCES_MAX = 256,
    SOURCE_TEXT_MAX = 256 * 1024 * 1024,
    BUNDLE_MAX = 1024 * 1024 * 1024,
};

enum source_flag {
    SOURCE_UNREADABLE = 1, /* the text says why, instead */
    SOURCE_FOR_ALL = 2,    /* every user of the machine may read the file */
    SOURCE_CHANGEABLE = 4, /* every user may change it */
    SOURCE_WITHHELD = 8,   /* a secret that is not for this role; there is no text */
    SOURCE_FLAGS_MAX = 15,
};

struct source {
    struct source *next;
    struct slice path;
    struct slice text;
    unsigned flags; /* a sum of enum source_flag */
    struct complaints complaints;
};

struct sources {
    struct arena *arena;
    struct source *first, **last;         /* the configuration, then what it names */
    struct source *wanted, **last_wanted; /* only their paths */
    unsigned count, wanted_count;
};

/* Appends one file; false, and unchanged, when the bundle is full. */
bool bundle_add(struct buf *bundle, struct slice path, unsigned flags, struct slice text);

/* The slices of the sources point into the bundle. False when it is none. */
bool sources_open(struct sources *s, struct slice bundle, struct arena *arena);

/* NULL: not at hand, and wanted from now on; or one too many, which was told. */
struct source *sources_get(struct sources *s, struct slice path);

/* Such a path, with * or ?, stands for the files that match: its text is their paths, each with LF
 * behind it. */
bool sources_is_pattern(struct slice path);

/* All faults in all sources so far. */
unsigned sources_errors(const struct sources *s);

/* What a person is to read, source by source. */
void sources_write_complaints(const struct sources *s, struct buf *out);

#endif
