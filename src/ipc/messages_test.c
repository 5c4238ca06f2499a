/*
 * messages_test.c - the matrix, held against what messages.h says.
 */
#include "ipc/messages.h"

#include "check.h"

#define ALL       ((1u << ROLE_COUNT) - 1)
#define ONE(role) (1u << (role))
#define CHILDREN  (ALL & ~ONE(ROLE_WARDEN))

static void test_matrix(void **state)
{
    static const struct {
        enum message_kind kind;
        unsigned from, to;
        enum message_cargo cargo;
    } rows[] = {
        {MESSAGE_SETTINGS,     ONE(ROLE_WARDEN),        CHILDREN,                               CARGO_FILE  },
        {MESSAGE_PEER,         ONE(ROLE_WARDEN),        CHILDREN,                               CARGO_HANDLE},
        {MESSAGE_LISTEN,       ONE(ROLE_WARDEN),        ONE(ROLE_RECEIVER) | ONE(ROLE_COURIER), CARGO_HANDLE},
        {MESSAGE_FOLDER,       ONE(ROLE_WARDEN),        CHILDREN & ~ONE(ROLE_SCRIBE),           CARGO_HANDLE},
        {MESSAGE_TICKET_KEYS,  ONE(ROLE_WARDEN),        ONE(ROLE_RECEIVER),                     CARGO_NONE  },
        {MESSAGE_TALLY,        ONE(ROLE_WARDEN),        ONE(ROLE_RECEIVER),                     CARGO_FILE  },
        {MESSAGE_REREAD,       ONE(ROLE_COURIER),       ONE(ROLE_WARDEN),                       CARGO_NONE  },
        {MESSAGE_RELOAD,       ONE(ROLE_COURIER),       ONE(ROLE_WARDEN),                       CARGO_NONE  },
        {MESSAGE_RELOADED,     ONE(ROLE_WARDEN),        ONE(ROLE_COURIER),                      CARGO_NONE  },
        {MESSAGE_ACCOUNTS,     ONE(ROLE_WARDEN),        CHILDREN,                               CARGO_FILE  },
        {MESSAGE_DROP,         ONE(ROLE_WARDEN),        ONE(ROLE_RECEIVER),                     CARGO_FILE  },
        {MESSAGE_DROPPED,      ONE(ROLE_RECEIVER),      ONE(ROLE_WARDEN),                       CARGO_NONE  },
        {MESSAGE_START,        ONE(ROLE_WARDEN),        CHILDREN,                               CARGO_NONE  },
        {MESSAGE_READY,        CHILDREN,                ONE(ROLE_WARDEN),                       CARGO_NONE  },
        {MESSAGE_DRAIN,        ONE(ROLE_WARDEN),        CHILDREN,                               CARGO_NONE  },
        {MESSAGE_DURABLE,      ONE(ROLE_RECEIVER),      ONE(ROLE_COURIER),                      CARGO_NONE  },
        {MESSAGE_LAST_GOOD,    ONE(ROLE_RECEIVER),      ONE(ROLE_COURIER),                      CARGO_NONE  },
        {MESSAGE_ETRN,         ONE(ROLE_RECEIVER),      ONE(ROLE_COURIER),                      CARGO_NONE  },
        {MESSAGE_ASK,          ONE(ROLE_RECEIVER),      ONE(ROLE_COURIER),                      CARGO_NONE  },
        {MESSAGE_ASKED,        ONE(ROLE_COURIER),       ONE(ROLE_RECEIVER),                     CARGO_NONE  },
        {MESSAGE_LOGIN,        ONE(ROLE_RECEIVER),      ONE(ROLE_VAULT),                        CARGO_NONE  },
        {MESSAGE_LOGIN_ANSWER, ONE(ROLE_VAULT),         ONE(ROLE_RECEIVER),                     CARGO_NONE  },
        {MESSAGE_FETCH,        ONE(ROLE_VAULT),         ONE(ROLE_COURIER),                      CARGO_NONE  },
        {MESSAGE_FETCHED,      ONE(ROLE_COURIER),       ONE(ROLE_VAULT),                        CARGO_NONE  },
        {MESSAGE_TOKEN,        ONE(ROLE_COURIER),       ONE(ROLE_VAULT),                        CARGO_NONE  },
        {MESSAGE_TOKEN_ANSWER, ONE(ROLE_VAULT),         ONE(ROLE_COURIER),                      CARGO_NONE  },
        {MESSAGE_DELIVER,      ONE(ROLE_COURIER),       ONE(ROLE_POSTMAN),                      CARGO_FILE  },
        {MESSAGE_DELIVERED,    ONE(ROLE_POSTMAN),       ONE(ROLE_COURIER),                      CARGO_NONE  },
        {MESSAGE_EVENTS,       ALL & ~ONE(ROLE_SCRIBE), ONE(ROLE_SCRIBE),                       CARGO_NONE  },
    };

    (void)state;
    assert_int_equal(sizeof(rows) / sizeof(*rows), MESSAGE_KIND_COUNT - 1);
    CHECK_ROWS (i, rows) {
        for (unsigned from = 0; from < ROLE_COUNT; from++)
            for (unsigned to = 0; to < ROLE_COUNT; to++)
                check_int(message_allowed(rows[i].kind, (enum role_kind)from, (enum role_kind)to),
                          (rows[i].from & ONE(from)) && (rows[i].to & ONE(to)));
        check_int(message_cargo(rows[i].kind), rows[i].cargo);
    }
}

/* A number from outside may be any. */
static void test_unknown(void **state)
{
    static const unsigned numbers[] = {0, MESSAGE_KIND_COUNT, 0x7fff, 0xffff, 0xffffffff};

    (void)state;
    CHECK_ROWS (i, numbers)
        for (unsigned role = 0; role < ROLE_COUNT; role++)
            check(
                !message_allowed((enum message_kind)numbers[i], ROLE_WARDEN, (enum role_kind)role));
    assert_false(message_allowed(MESSAGE_START, ROLE_WARDEN, ROLE_COUNT));
    assert_false(message_allowed(MESSAGE_READY, (enum role_kind)40, ROLE_WARDEN));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_matrix),
        cmocka_unit_test(test_unknown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
