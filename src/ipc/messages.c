/*
 * messages.c - the matrix.
 *
 * One row a kind, a set of roles for each side. Whoever wants to know what a captured role could
 * say to the others reads this table and nothing else.
 */
#include "ipc/messages.h"

#include <assert.h>
#include <stddef.h>

enum role_set {
    WARDEN = 1 << ROLE_WARDEN,
    RECEIVER = 1 << ROLE_RECEIVER,
    COURIER = 1 << ROLE_COURIER,
    POSTMAN = 1 << ROLE_POSTMAN,
    VAULT = 1 << ROLE_VAULT,
    SCRIBE = 1 << ROLE_SCRIBE,
    CHILDREN = RECEIVER | COURIER | POSTMAN | VAULT | SCRIBE,
    TELLERS = WARDEN | RECEIVER | COURIER | POSTMAN | VAULT,
};

struct row {
    enum role_set from;
    enum role_set to;
    enum message_cargo cargo;
};

static const struct row matrix[MESSAGE_KIND_COUNT] = {
    [MESSAGE_SETTINGS] = {WARDEN,   CHILDREN,                             CARGO_FILE  },
    [MESSAGE_PEER] = {WARDEN,   CHILDREN,                             CARGO_HANDLE},
    [MESSAGE_LISTEN] = {WARDEN,   RECEIVER | COURIER,                   CARGO_HANDLE},
    [MESSAGE_FOLDER] = {WARDEN,   RECEIVER | COURIER | POSTMAN | VAULT, CARGO_HANDLE},
    [MESSAGE_START] = {WARDEN,   CHILDREN,                             CARGO_NONE  },
    [MESSAGE_READY] = {CHILDREN, WARDEN,                               CARGO_NONE  },
    [MESSAGE_DRAIN] = {WARDEN,   CHILDREN,                             CARGO_NONE  },
    [MESSAGE_DURABLE] = {RECEIVER, COURIER,                              CARGO_NONE  },
    [MESSAGE_LAST_GOOD] = {RECEIVER, COURIER,                              CARGO_NONE  },
    [MESSAGE_ETRN] = {RECEIVER, COURIER,                              CARGO_NONE  },
    [MESSAGE_ASK] = {RECEIVER, COURIER,                              CARGO_NONE  },
    [MESSAGE_ASKED] = {COURIER,  RECEIVER,                             CARGO_NONE  },
    [MESSAGE_LOGIN] = {RECEIVER, VAULT,                                CARGO_NONE  },
    [MESSAGE_LOGIN_ANSWER] = {VAULT,    RECEIVER,                             CARGO_NONE  },
    [MESSAGE_FETCH] = {VAULT,    COURIER,                              CARGO_NONE  },
    [MESSAGE_FETCHED] = {COURIER,  VAULT,                                CARGO_NONE  },
    [MESSAGE_TOKEN] = {COURIER,  VAULT,                                CARGO_NONE  },
    [MESSAGE_TOKEN_ANSWER] = {VAULT,    COURIER,                              CARGO_NONE  },
    [MESSAGE_DELIVER] = {COURIER,  POSTMAN,                              CARGO_FILE  },
    [MESSAGE_DELIVERED] = {POSTMAN,  COURIER,                              CARGO_NONE  },
    [MESSAGE_EVENTS] = {TELLERS,  SCRIBE,                               CARGO_NONE  },
    [MESSAGE_TICKET_KEYS] = {WARDEN,   RECEIVER,                             CARGO_NONE  },
    [MESSAGE_TALLY] = {WARDEN,   RECEIVER,                             CARGO_FILE  },
    [MESSAGE_REREAD] = {COURIER,  WARDEN,                               CARGO_NONE  },
    [MESSAGE_RELOAD] = {COURIER,  WARDEN,                               CARGO_NONE  },
    [MESSAGE_RELOADED] = {WARDEN,   COURIER,                              CARGO_NONE  },
    [MESSAGE_ACCOUNTS] = {WARDEN,   CHILDREN,                             CARGO_FILE  },
    [MESSAGE_DROP] = {WARDEN,   RECEIVER,                             CARGO_FILE  },
    [MESSAGE_DROPPED] = {RECEIVER, WARDEN,                               CARGO_NONE  },
};

static bool has_role(enum role_set set, enum role_kind role)
{
    return (unsigned)role < ROLE_COUNT && ((unsigned)set >> (unsigned)role & 1u) != 0;
}

bool message_allowed(enum message_kind kind, enum role_kind from, enum role_kind to)
{
    if ((unsigned)kind >= MESSAGE_KIND_COUNT)
        return false;
    return has_role(matrix[kind].from, from) && has_role(matrix[kind].to, to);
}

enum message_cargo message_cargo(enum message_kind kind)
{
    assert((unsigned)kind < MESSAGE_KIND_COUNT);
    return matrix[kind].cargo;
}

const char *role_name(enum role_kind role)
{
    switch (role) {
    case ROLE_WARDEN: return "warden";
    case ROLE_RECEIVER: return "receiver";
    case ROLE_COURIER: return "courier";
    case ROLE_POSTMAN: return "postman";
    case ROLE_VAULT: return "vault";
    case ROLE_SCRIBE: return "scribe";
    case ROLE_COUNT: break;
    }
    return "nobody";
}
