/*
 * settings.h - the configuration language: text -> checked, immutable settings.
 *
 * PRODUCT.md "Configuration". One table (schema.c) names every word, its values and
 * what it does; words of later versions are known there too and answered with "not in this
 * version". All errors are found in one run, each with line, column and caret, those in the files
 * of tables too.
 *
 * Pure: no disk, no clock. Several threads of life: settings are immutable after parsing and
 * owned by who parsed them.
 */
#ifndef CONFIG_SETTINGS_H
#define CONFIG_SETTINGS_H

#include "base/list.h"
#include "mail/access.h"
#include "mail/allowance.h"
#include "mail/dnsbl.h"
#include "mail/etrn.h"
#include "mail/introspection.h"
#include "mail/limit.h"
#include "mail/rewrite.h"
#include "mail/rules.h"
#include "wire/dns_answer.h"
#include "wire/dots.h"

#include <stdint.h>

enum listener_kind {
    LISTENER_MX,
    LISTENER_SUBMISSION,
    LISTENER_LMTP,
    LISTENER_LOCAL, /* for programs of this machine, by a socket in the file system */
};

/* STARTTLS offered, without it no mail, TLS from the first byte (RFC 8314). */
enum listener_tls {
    LISTENER_TLS_OFF,
    LISTENER_TLS_OPTIONAL,
    LISTENER_TLS_REQUIRED,
    LISTENER_TLS_IMPLICIT,
};

struct settings_listener {
    enum listener_kind kind;
    struct slice address; /* "127.0.0.1:1025", "[::1]:25", "*:25", "unix:/run/postroad/lmtp" */
    struct slice path;    /* of a socket in the file system; "": ip and port say where */
    unsigned char ip[16]; /* IPv6 or v4-mapped; all zero for "*" */
    bool any;             /* "*": every address, both families */
    bool ipv4;
    uint16_t port;
    uint64_t max_size; /* bytes of one message */
    enum line_ends line_ends;
    enum listener_tls tls;  /* not off: there is a certificate */
    struct slice client_ca; /* who vouches for clients, in PEM; "": nobody is asked */
    struct slice client_ca_path;
    bool faults;                       /* some addresses behave badly on purpose */
    const struct settings_table *auth; /* who may log in, and must for submission; NULL: nobody */
    /* Who is asked about tokens; NULL: nobody logs in by one. */
    const struct introspection *introspection;
    bool auth_cleartext;                 /* without TLS as well */
    bool hide_client;                    /* Received says nothing of who logged in */
    const struct etrn_list *etrn;        /* whose mail goes when it is asked for; NULL: nobody's */
    const struct rule_network *proxies;  /* who names the client; NULL: it is who connects */
    const struct rule_network *speakers; /* who may speak for others by XCLIENT and XFORWARD */
    struct dnsbl_zone *zones;            /* asked whether a client is bad; NULL: nobody is */
    unsigned greet_delay_s;
    struct slice drop; /* where local programs leave mail while nobody listens; or "" */
    struct slice file; /* where it stands */
    unsigned line;
};

/* Where a mail begins: it may be completed. */
static inline bool listener_is_beginning(const struct settings_listener *l)
{
    return l->kind == LISTENER_SUBMISSION || l->kind == LISTENER_LOCAL;
}

/* A chain and the key that belongs to its first certificate, both in PEM. */
struct settings_certificate {
    struct settings_certificate *next;
    struct slice name; /* for clients that ask for this one; "*.example.org": or one below it; may
                          come again, of another kind (RSA, ECDSA) */
    struct slice chain, key;
    struct slice chain_path, key_path;
};

enum table_type { TABLE_ACCOUNTS, TABLE_ALIASES, TABLE_LIST, TABLE_CIDR };

/* A file that names are looked up in. */
struct settings_table {
    struct settings_table *next;
    struct slice name, path;
    enum table_type type;
    struct accounts *accounts; /* by its type */
    struct aliases *aliases;
    struct name_list *names;
    struct network_list *networks;
};

/* One of the files that the configuration is written in; its tables are not among them. */
struct settings_file {
    struct settings_file *next;
    struct slice path, text;
};

enum { SRS_SECRETS_MAX = 16 };

/* What our return paths of forwarded mail are signed with. They are wiped with the settings. */
struct settings_srs {
    struct slice path; /* of their file; "": there is none */
    struct buf text;
    struct slice list[SRS_SECRETS_MAX]; /* the first signs */
    unsigned count;                     /* 0: not for this role */
};

enum log_form { LOG_TEXT, LOG_JSON };

struct settings {
    struct settings_file *files; /* as they were read, the first one first */
    struct slice file;           /* its name, as a person gave it */
    struct slice hostname;
    struct slice queue_path; /* absolute */
    uint64_t queue_min_free; /* bytes; default 5 segments of 64 MiB */
    uint64_t max_size;       /* default 50M */
    const struct settings_listener *listeners;
    size_t listener_count;
    struct settings_certificate *certificates; /* the first is also for those who name none */
    enum dns_source dns_source;                /* default: the system's */
    struct slice dns_forwarder; /* DNS_FROM_FORWARDER: "192.0.2.53", "2001:db8::53@5300" */
    enum log_form log_form;     /* default: text */
    struct rules rules;
    const struct limit *limits; /* in the order of the file */
    size_t limit_count;
    const struct allowance *allowances; /* the same, of those who come here */
    size_t allowance_count;
    const struct access *access; /* the same, of who is turned away */
    size_t access_count;
    struct settings_table *tables;
    struct settings_srs srs;
    const struct relay *relays;           /* all of them, the last one first */
    struct relay_login *logins;           /* of all relays */
    struct oauth *oauths;                 /* the same */
    struct introspection *introspections; /* of all listeners */
    struct arena arena;                   /* owns all of it, save what the tables and logins hold */
    struct list link;                     /* for their owner */
    unsigned holders;
};

struct settings_errors {
    struct buf text; /* what the person sees: FILE:LINE:COL: error: ... with the caret */
    unsigned count;
    struct buf wanted; /* {u32 length, path} of files that are named and not in the bundle */
};

enum { SETTINGS_TEXT_MAX = 1024 * 1024 };

/* Who can look into certificates. NULL, or what is wrong with the chain, or with the key beside a
 * chain that is right: static text behind a file's name, "holds no certificate". */
struct settings_judge {
    const char *(*chain_fault)(struct slice chain);
    const char *(*key_fault)(struct slice chain, struct slice key);
    const char *(*authorities_fault)(struct slice authorities);
    bool (*is_same_kind)(struct slice chain, struct slice other);
};

/* The bundle (mail/sources.h) is the configuration's text and the files that it names. NULL when
 * errors->count > 0 or a file is wanted; then add it to the bundle and parse again, as long as
 * there are any: what is told before that may be less than all. errors is initialised here and must
 * be released either way. Warnings are appended to the text too but are not counted. Without a
 * judge certificates and keys are taken as they are. */
struct settings *settings_parse(struct slice bundle, const struct settings_judge *judge,
                                struct settings_errors *errors);

/* What a role is handed: the bundle without the passwords of its accounts, save for the vault,
 * without the keys of certificates, save for who does TLS, without what relays log in with, save
 * for the courier, and without what asks for their tokens, save for the vault. It gives the same
 * settings, less those. `s` came of the whole one. False when out is full. */
enum settings_secrets {
    SETTINGS_WITHOUT_SECRETS,
    SETTINGS_WITH_KEYS,
    SETTINGS_WITH_PASSWORDS,
    SETTINGS_WITH_LOGINS,
};

bool settings_bundle_for_role(const struct settings *s, struct slice bundle,
                              enum settings_secrets secrets, struct buf *out);

/* Is it a table of accounts? These can be read again while the rest stays. */
bool settings_is_accounts_file(const struct settings *s, struct slice path);

/* Is it what somebody logs in with? Which of them: for a relay's servers, for its provider of
 * tokens ... */
bool settings_is_secret_file(const struct settings *s, struct slice path);
bool settings_is_login_secret(const struct settings *s, struct slice path);
bool settings_is_client_secret(const struct settings *s, struct slice path);

/* ... or is it what return paths are signed with? */
bool settings_is_srs_secret(const struct settings *s, struct slice path);

/* ... or for the provider that listeners ask whose a token is. */
bool settings_is_introspection_secret(const struct settings *s, struct slice path);

/* NULL: there is none of that name. */
const struct relay *settings_relay(const struct settings *s, struct slice name);

/* The bundle with the tables of accounts that `from` has. False when out is full. */
bool settings_bundle_with_accounts(const struct settings *s, struct slice bundle, struct slice from,
                                   struct buf *out);
void settings_errors_done(struct settings_errors *errors);

/* One more who frees them; the last one does. Of the same thread. */
const struct settings *settings_hold(const struct settings *s);
void settings_free(const struct settings *s); /* NULL is fine */

#endif
