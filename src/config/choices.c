/*
 * choices.c - the table of choices, and the search in it.
 */
#include "config/choices.h"

#include "config/advice.h"
#include "config/shapes.h"

static const struct choice choices[] = {
    {SHAPE_LISTENER,     SLICE_INIT("mx"),            true,  LISTENER_MX,           SHAPE_NONE       },
    {SHAPE_LISTENER,     SLICE_INIT("submission"),    true,  LISTENER_SUBMISSION,   SHAPE_NONE       },
    {SHAPE_LISTENER,     SLICE_INIT("lmtp"),          true,  LISTENER_LMTP,         SHAPE_NONE       },
    {SHAPE_LISTENER,     SLICE_INIT("local"),         true,  LISTENER_LOCAL,        SHAPE_NONE       },
    {SHAPE_LINE_ENDS,    SLICE_INIT("strict"),        true,  LINE_ENDS_STRICT,      SHAPE_NONE       },
    {SHAPE_LINE_ENDS,    SLICE_INIT("repair"),        true,  LINE_ENDS_REPAIR,      SHAPE_NONE       },
    {SHAPE_LOG,          SLICE_INIT("text"),          true,  LOG_TEXT,              SHAPE_NONE       },
    {SHAPE_LOG,          SLICE_INIT("json"),          true,  LOG_JSON,              SHAPE_NONE       },
    {SHAPE_LISTENER_TLS, SLICE_INIT("off"),           true,  LISTENER_TLS_OFF,      SHAPE_NONE       },
    {SHAPE_LISTENER_TLS, SLICE_INIT("optional"),      true,  LISTENER_TLS_OPTIONAL, SHAPE_NONE       },
    {SHAPE_LISTENER_TLS, SLICE_INIT("required"),      true,  LISTENER_TLS_REQUIRED, SHAPE_NONE       },
    {SHAPE_LISTENER_TLS, SLICE_INIT("verified"),      false, 0,                     SHAPE_NONE       },
    {SHAPE_LISTENER_TLS, SLICE_INIT("implicit"),      true,  LISTENER_TLS_IMPLICIT, SHAPE_NONE       },
    {SHAPE_FROM,         SLICE_INIT("any"),           true,  FROM_ANY,              SHAPE_NONE       },
    {SHAPE_FROM,         SLICE_INIT("local"),         true,  FROM_LOCAL,            SHAPE_NONE       },
    {SHAPE_FROM,         SLICE_INIT("authenticated"), true,  FROM_AUTHENTICATED,    SHAPE_NONE       },
    {SHAPE_FROM,         SLICE_INIT("network"),       true,  FROM_NETWORK,          SHAPE_NETWORK    },
    {SHAPE_FROM,         SLICE_INIT("user"),          true,  FROM_USER,             SHAPE_MAILBOX    },
    {SHAPE_SENDER,       SLICE_INIT("domain"),        true,  MATCH_DOMAIN,          SHAPE_DOMAIN_SET },
    {SHAPE_SENDER,       SLICE_INIT("address"),       true,  MATCH_ADDRESS,         SHAPE_MAILBOX_SET},
    {SHAPE_TO,           SLICE_INIT("any"),           true,  MATCH_ANY,             SHAPE_NONE       },
    {SHAPE_TO,           SLICE_INIT("local"),         true,  MATCH_LOCAL,           SHAPE_NONE       },
    {SHAPE_TO,           SLICE_INIT("domain"),        true,  MATCH_DOMAIN,          SHAPE_DOMAIN_SET },
    {SHAPE_TO,           SLICE_INIT("address"),       true,  MATCH_ADDRESS,         SHAPE_MAILBOX_SET},
    {SHAPE_DELIVER,      SLICE_INIT("maildir"),       true,  ACTION_MAILDIR,        SHAPE_TEMPLATE   },
    {SHAPE_DELIVER,      SLICE_INIT("lmtp"),          true,  ACTION_LMTP,           SHAPE_LMTP_SERVER},
    {SHAPE_TABLE_TYPE,   SLICE_INIT("accounts"),      true,  TABLE_ACCOUNTS,        SHAPE_PATH       },
    {SHAPE_TABLE_TYPE,   SLICE_INIT("aliases"),       true,  TABLE_ALIASES,         SHAPE_PATH       },
    {SHAPE_TABLE_TYPE,   SLICE_INIT("list"),          true,  TABLE_LIST,            SHAPE_PATH       },
    {SHAPE_TABLE_TYPE,   SLICE_INIT("map"),           false, 0,                     SHAPE_NONE       },
    {SHAPE_TABLE_TYPE,   SLICE_INIT("cidr"),          true,  TABLE_CIDR,            SHAPE_PATH       },
    {SHAPE_TABLE_TYPE,   SLICE_INIT("regex"),         false, 0,                     SHAPE_NONE       },
    {SHAPE_TABLE_TYPE,   SLICE_INIT("sql"),           false, 0,                     SHAPE_NONE       },
    {SHAPE_TABLE_TYPE,   SLICE_INIT("ldap"),          false, 0,                     SHAPE_NONE       },
    {SHAPE_TABLE_TYPE,   SLICE_INIT("redis"),         false, 0,                     SHAPE_NONE       },
    {SHAPE_ACCESS,       SLICE_INIT("client"),        true,  ACCESS_CLIENT,         SHAPE_NONE       },
    {SHAPE_ACCESS,       SLICE_INIT("sender"),        true,  ACCESS_SENDER,         SHAPE_NONE       },
    {SHAPE_ACCESS,       SLICE_INIT("rcpt"),          true,  ACCESS_RCPT,           SHAPE_NONE       },
    {SHAPE_FAMILY,       SLICE_INIT("any"),           true,  FAMILY_BOTH,           SHAPE_NONE       },
    {SHAPE_FAMILY,       SLICE_INIT("ipv4-first"),    true,  FAMILY_IPV4_FIRST,     SHAPE_NONE       },
    {SHAPE_FAMILY,       SLICE_INIT("ipv6-first"),    true,  FAMILY_IPV6_FIRST,     SHAPE_NONE       },
    {SHAPE_FAMILY,       SLICE_INIT("ipv4"),          true,  FAMILY_IPV4_ONLY,      SHAPE_NONE       },
    {SHAPE_FAMILY,       SLICE_INIT("ipv6"),          true,  FAMILY_IPV6_ONLY,      SHAPE_NONE       },
    {SHAPE_RELAY_TLS,    SLICE_INIT("off"),           true,  RELAY_TLS_OFF,         SHAPE_NONE       },
    {SHAPE_RELAY_TLS,    SLICE_INIT("optional"),      true,  RELAY_TLS_OPTIONAL,    SHAPE_NONE       },
    {SHAPE_RELAY_TLS,    SLICE_INIT("required"),      true,  RELAY_TLS_REQUIRED,    SHAPE_NONE       },
    {SHAPE_RELAY_TLS,    SLICE_INIT("verified"),      true,  RELAY_TLS_VERIFIED,    SHAPE_NONE       },
    {SHAPE_RELAY_TLS,    SLICE_INIT("implicit"),      true,  RELAY_TLS_IMPLICIT,    SHAPE_NONE       },
    {SHAPE_YES_NO,       SLICE_INIT("yes"),           true,  true,                  SHAPE_NONE       },
    {SHAPE_YES_NO,       SLICE_INIT("no"),            true,  false,                 SHAPE_NONE       },
    {SHAPE_LIMIT,        SLICE_INIT("to"),            true,  0,                     SHAPE_NONE       },
    {SHAPE_LIMIT,        SLICE_INIT("from"),          true,  1,                     SHAPE_NONE       },
    {SHAPE_LIMITED,      SLICE_INIT("any"),           true,  LIMIT_ANY,             SHAPE_NONE       },
    {SHAPE_LIMITED,      SLICE_INIT("domain"),        true,  LIMIT_DOMAIN,          SHAPE_DOMAINS    },
    {SHAPE_LIMITED,      SLICE_INIT("mx"),            true,  LIMIT_MX,              SHAPE_DOMAINS    },
    {SHAPE_LIMITED,      SLICE_INIT("authenticated"), true,  LIMITED_AUTHENTICATED, SHAPE_NONE       },
    {SHAPE_LIMITED,      SLICE_INIT("user"),          true,  LIMITED_USER,          SHAPE_MAILBOX    },
    {SHAPE_LIMITED,      SLICE_INIT("network"),       true,  LIMITED_NETWORK,       SHAPE_NETWORK    },
    {SHAPE_OAUTH,        SLICE_INIT("google"),        true,  OAUTH_GOOGLE,          SHAPE_NONE       },
    {SHAPE_OAUTH,        SLICE_INIT("microsoft"),     true,  OAUTH_MICROSOFT,       SHAPE_NONE       },
    {SHAPE_OAUTH,        SLICE_INIT("custom"),        true,  OAUTH_CUSTOM,          SHAPE_NONE       },
    {SHAPE_ON_OFF,       SLICE_INIT("on"),            true,  true,                  SHAPE_NONE       },
    {SHAPE_ON_OFF,       SLICE_INIT("off"),           true,  false,                 SHAPE_NONE       },
    {SHAPE_WHOSE,        SLICE_INIT("sender"),        true,  REWRITE_SENDER,        SHAPE_NONE       },
    {SHAPE_WHOSE,        SLICE_INIT("rcpt"),          true,  REWRITE_RCPT,          SHAPE_NONE       },
    {SHAPE_CLAIM,        SLICE_INIT("username"),      true,  CLAIM_USERNAME,        SHAPE_NONE       },
    {SHAPE_CLAIM,        SLICE_INIT("email"),         true,  CLAIM_EMAIL,           SHAPE_NONE       },
};

enum { CHOICE_COUNT = sizeof(choices) / sizeof(*choices) };

struct slice choice_word(enum shape shape, uint64_t number)
{
    for (size_t i = 0; i < CHOICE_COUNT; i++)
        if (choices[i].shape == shape && choices[i].known && choices[i].number == number)
            return choices[i].word;
    return SLICE("");
}

const struct choice *choice_find(struct desk *desk, const struct syntax_word *word,
                                 enum shape shape)
{
    struct guess guess = {.written = word->text};

    for (size_t i = 0; i < CHOICE_COUNT; i++) {
        if (choices[i].shape != shape)
            continue;
        if (slice_equal(choices[i].word, word->text)) {
            if (choices[i].known)
                return &choices[i];
            desk_not_yet(desk, word);
            return NULL;
        }
        if (choices[i].known)
            guess_consider(&guess, choices[i].word, desk->scratch);
    }
    (void)shape_is_not(desk, word, shape, guess_advice(&guess, desk->scratch));
    return NULL;
}
