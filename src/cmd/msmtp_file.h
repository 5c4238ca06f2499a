/*
 * msmtp_file.h - the accounts of ~/.msmtprc and /etc/msmtprc, for who has one already.
 *
 *     defaults
 *     tls on
 *     account work
 *     host smtp.example.org
 *     user ann
 *     account home : work
 *
 * One statement a line: a word and its value, which may stand in quotes; "#" begins a comment line.
 * An account has what `defaults` said above it, then what the accounts said that it names. Nothing
 * is run. Words that are not here are passed over: the others change nothing for us.
 */
#ifndef CMD_MSMTP_FILE_H
#define CMD_MSMTP_FILE_H

#include "base/slice.h"

enum { MSMTP_TEXT_MAX = 256 * 1024, MSMTP_ACCOUNTS_MAX = 200 };

enum msmtp_word {
    MSMTP_HOST,
    MSMTP_PORT,
    MSMTP_FROM,
    MSMTP_USER,
    MSMTP_PASSWORD,
    MSMTP_AUTH, /* "off", "on" or a mechanism */
    MSMTP_TRUST_FILE,
    MSMTP_TLS,      /* from here on "on" or "off" */
    MSMTP_STARTTLS, /* before TLS */
    MSMTP_CERTCHECK,
    MSMTP_PASSWORDEVAL, /* a command that prints it */
    MSMTP_PROTOCOL,     /* from here on: what we do not do, and must not pass over */
    MSMTP_PROXY_HOST,
    MSMTP_SOCKET,
    MSMTP_SOURCE_IP,
    MSMTP_FINGERPRINT,
    MSMTP_HOST_OVERRIDE,
    MSMTP_WORDS,
};

/* A value is "" where the word was not said, or without one; of a switch it is never "". */
struct msmtp_account {
    struct slice name;
    struct slice values[MSMTP_WORDS];
    unsigned said; /* 1u << enum msmtp_word */
};

enum msmtp_result {
    MSMTP_FOUND,
    MSMTP_NO_ACCOUNT,
    MSMTP_BROKEN, /* *fault */
};

struct msmtp_fault {
    unsigned line;
    struct slice word;
    const char *what; /* static text: "is neither on nor off" */
};

/* Slices point into the text. */
enum msmtp_result msmtp_file_find(struct slice text, struct slice name, struct msmtp_account *out,
                                  struct msmtp_fault *fault);

/* "tls_starttls" */
struct slice msmtp_word_name(enum msmtp_word word);

/* The first word that changes where the mail goes, or whom we trust, in a way that we do not know.
 * MSMTP_WORDS: none. */
enum msmtp_word msmtp_account_obstacle(const struct msmtp_account *account);

#endif
