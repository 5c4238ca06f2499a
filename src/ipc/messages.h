/*
 * messages.h - every message kind and who may send it to whom, on one screen.
 *
 * If a message could be a file, it is a file: mail itself never travels here. Bodies are written
 * with put_* and read with get_*; both ends distrust each other.
 */
#ifndef IPC_MESSAGES_H
#define IPC_MESSAGES_H

#include <stdbool.h>

enum role_kind {
    ROLE_WARDEN,
    ROLE_RECEIVER,
    ROLE_COURIER,
    ROLE_POSTMAN,
    ROLE_VAULT,
    ROLE_SCRIBE,
    ROLE_COUNT
};

enum message_kind {
    MESSAGE_SETTINGS = 1, /* warden -> any: u32 number of receivers, + the role's sealed bundle;
                             again when they change, then LISTEN and START as well */
    MESSAGE_PEER,         /* warden -> any: u8 role, u32 index, + channel end */
    MESSAGE_LISTEN,       /* warden -> receiver: u32 listener number, + listening socket;
                             -> courier: the same, 0, of people's tools */
    MESSAGE_START,        /* warden -> any: everything was handed over */
    MESSAGE_READY,        /* any -> warden: serving */
    MESSAGE_DRAIN,        /* warden -> any: finish what runs, then end */
    MESSAGE_DURABLE,      /* receiver -> courier: u64 segment, u64 offset: records up to here */
    MESSAGE_LAST_GOOD,    /* receiver -> courier: the same, its last word before it ends */
    MESSAGE_ETRN,         /* receiver -> courier: u8 with all below it, domain: its mail goes now */
    MESSAGE_ASK,          /* receiver -> courier: is a recipient known there? (roles/question.h) */
    MESSAGE_ASKED,        /* courier -> receiver: the answer */
    MESSAGE_LOGIN,        /* receiver -> vault: what a client says of itself (roles/login.h) */
    MESSAGE_LOGIN_ANSWER, /* vault -> receiver: a challenge, a name, or no */
    MESSAGE_FETCH,        /* vault -> courier: ask a provider of tokens (roles/fetching.h) */
    MESSAGE_FETCHED,      /* courier -> vault: what it answered */
    MESSAGE_TOKEN, /* courier -> vault: an access token for a relay, please (roles/token.h) */
    MESSAGE_TOKEN_ANSWER, /* vault -> courier: here it is, or why not */
    MESSAGE_DELIVER,      /* courier -> postman: u32 count, deliveries (roles/delivery.h), + file */
    MESSAGE_DELIVERED,    /* postman -> courier: u32 count, {u64 tag, i32 result} */
    MESSAGE_EVENTS,       /* any -> scribe: encoded events (base/event.h) */
    MESSAGE_TICKET_KEYS,  /* warden -> receiver: one or two keys (loop/tls.h), the newer first */
    MESSAGE_TALLY,        /* warden -> receiver: + memory that all of them share (roles/counts.h) */
    MESSAGE_REREAD,       /* courier -> warden: somebody changed a table of accounts */
    MESSAGE_RELOAD,       /* courier -> warden: somebody changed the configuration */
    MESSAGE_RELOADED,     /* warden -> courier: u8: does it serve? */
    MESSAGE_ACCOUNTS,     /* warden -> any: + its bundle, of which it takes accounts only */
    MESSAGE_FOLDER,       /* warden -> any but scribe: a path, + the folder there, opened */
    MESSAGE_DROP,    /* warden -> receiver: mail that was left (roles/pickup_order.h), + file */
    MESSAGE_DROPPED, /* receiver -> warden: what became of it */
    MESSAGE_KIND_COUNT,
};

/* What a kind carries beside its body: always, and nothing else. */
enum message_cargo { CARGO_NONE, CARGO_FILE, CARGO_HANDLE };

/* The matrix. A kind or role from outside may be anything; unknown ones are not allowed. */
bool message_allowed(enum message_kind kind, enum role_kind from, enum role_kind to);

/* Only of an allowed kind. */
enum message_cargo message_cargo(enum message_kind kind);

const char *role_name(enum role_kind role); /* "receiver" */

#endif
