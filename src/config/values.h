/*
 * values.h - the shapes that a value of the configuration can have, and the words of a statement
 * taken as values.
 *
 * One table (shapes.c) says of each shape what it is called, how it is read and what to write
 * instead; a second one (choices.c) lists the choices, values that are words themselves.
 */
#ifndef CONFIG_VALUES_H
#define CONFIG_VALUES_H

#include "config/desk.h"
#include "config/settings.h"

enum shape {
    SHAPE_NONE,
    SHAPE_MORE, /* as many as there are of the shape before it */
    SHAPE_LIST, /* the same, as a list: a,b,c */
    SHAPE_HOST,
    SHAPE_DOMAINS,
    SHAPE_DOMAIN_SET, /* <NAME> is a table */
    SHAPE_MAILBOX_SET,
    SHAPE_MAILBOX,
    SHAPE_REWRITTEN, /* address, and in number what of the old one it keeps */
    SHAPE_SOCKET,
    SHAPE_PATH,
    SHAPE_USER,
    SHAPE_SECRET,    /* the path of its file, */
    SHAPE_SECRET_IF, /* if there is one */
    SHAPE_URL,
    SHAPE_SCOPE,
    SHAPE_CLIENT,
    SHAPE_AUDIENCE,
    SHAPE_CERTIFICATE, /* its path; or the name it is for, and then its path */
    SHAPE_TEMPLATE,
    SHAPE_SIZE,
    SHAPE_RESOLVER,
    SHAPE_REFUSAL,
    SHAPE_NAME,
    SHAPE_TABLE,
    SHAPE_RELAY,
    SHAPE_SOURCE,
    SHAPE_SERVER,
    SHAPE_LMTP_SERVER,
    SHAPE_IP,
    SHAPE_NETWORK,
    SHAPE_DURATION,
    SHAPE_DELAY,
    SHAPE_AT_MOST,  /* a number; 0: unlimited */
    SHAPE_RATE,     /* count 0: unlimited */
    SHAPE_LISTENER, /* from here on: a choice */
    SHAPE_LINE_ENDS,
    SHAPE_LOG,
    SHAPE_LISTENER_TLS,
    SHAPE_FROM,
    SHAPE_SENDER,
    SHAPE_TO,
    SHAPE_DELIVER,
    SHAPE_TABLE_TYPE,
    SHAPE_ACCESS,
    SHAPE_FAMILY,
    SHAPE_RELAY_TLS,
    SHAPE_YES_NO,
    SHAPE_LIMIT,
    SHAPE_LIMITED,
    SHAPE_OAUTH,
    SHAPE_CLAIM,
    SHAPE_WHOSE,
    SHAPE_ON_OFF,
    SHAPE_COUNT,
};

/* One checked value; which fields are set depends on the shape. */
struct value {
    struct place place;
    enum shape then;   /* of a further value, which belongs to this one */
    struct slice text; /* in canonical form */
    bool is_table;     /* text is its name */
    uint64_t number;   /* a size, seconds, an enum, or what the choice stands for */
    struct rate rate;
    struct address address;
    struct network network;
    struct reply refusal;
    struct settings_listener socket;
    struct route_target server; /* port 0: none was given; of an IP alone only .ip */
};

enum { VALUES_MAX = 4 }; /* two, each with a further value */

/* What a `limit from` is about, beside enum limit_match. */
enum { LIMITED_AUTHENTICATED = 100, LIMITED_USER, LIMITED_NETWORK };

/* Takes the values of up to two shapes from *words, which moves behind them; some take a further
 * one. Of SHAPE_MORE and SHAPE_LIST only the first is taken: come again for each other one.
 * `before` is the word they stand behind, `form` how the whole is written. False: it was told what
 * is wrong. */
bool values_take(struct desk *desk, const enum shape wanted[2], const char *form,
                 const struct syntax_word *before, const struct syntax_word **words,
                 struct value values[VALUES_MAX]);

#endif
