/*
 * sendmail_options.h - the flags of `sendmail`, as programs have given them for forty years.
 *
 * Single letters, some with a value that follows at once or as the next word; "-oi" is a flag of
 * two letters. What says how mail is sent elsewhere (-q, -O, -h ...) is taken and left alone, since
 * the configuration says it here. Pure: values point into argv.
 */
#ifndef CMD_SENDMAIL_OPTIONS_H
#define CMD_SENDMAIL_OPTIONS_H

#include "base/slice.h"

enum sendmail_mode {
    SENDMAIL_MAIL,    /* -bm: a mail on standard input */
    SENDMAIL_SMTP,    /* -bs: SMTP on standard input and output */
    SENDMAIL_QUEUE,   /* -bp: what waits */
    SENDMAIL_ALIASES, /* -bi, -I: tables are read again */
    SENDMAIL_VERIFY,  /* -bv: what would happen to it? */
    SENDMAIL_RETRY,   /* -q: what waits is tried now */
    SENDMAIL_DAEMON,  /* -bd: of other programs' kind; refused */
};

struct sendmail_options {
    enum sendmail_mode mode;
    bool from_header;                    /* -t: recipients stand in the header, too */
    bool dot_is_text;                    /* -i, -oi: a lone dot does not end the mail */
    bool verbose;                        /* -v */
    const char *sender;                  /* -f, -r; NULL: who runs it */
    const char *full_name;               /* -F; NULL: the system knows it */
    const char *notify;                  /* -N */
    const char *returned;                /* -R */
    const char *envid;                   /* -V */
    const char *config;                  /* -C */
    const char *retry_id, *retry_domain; /* -qI, -qR */
    const char *const *words;            /* recipients */
    int word_count;
};

/* False: *problem is the flag that is wrong, and *why what is wrong with it. */
bool sendmail_options_parse(struct sendmail_options *o, int argc, const char *const *argv,
                            const char **problem, const char **why);

#endif
