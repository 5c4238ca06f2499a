/*
 * msmtp_file_test.c - what an account of ~/.msmtprc says, and which files are no such thing.
 */
#include "cmd/msmtp_file.h"

#include "base/arena.h"
#include "check.h"

/* "host=a tls=on": all that was said and has a value. */
static struct slice account_text(const struct msmtp_account *a, struct arena *arena)
{
    struct slice text = SLICE("");

    for (unsigned i = 0; i < MSMTP_WORDS; i++) {
        struct slice word = msmtp_word_name((enum msmtp_word)i);

        check(a->values[i].len == 0 || (a->said & 1u << i) != 0);
        if (a->values[i].len > 0)
            text =
                arena_printf(arena, "%.*s%s%.*s=%.*s", SLICE_PRINTF(text), text.len == 0 ? "" : " ",
                             SLICE_PRINTF(word), SLICE_PRINTF(a->values[i]));
    }
    return text;
}

static void accounts_are_found(void **state)
{
    static const struct {
        const char *text, *name, *account; /* NULL: there is none */
    } rows[] = {
        {"account a\nhost h",                                                         "a",       "host=h"                         },
        {"",                                                                          "a",       NULL                             },
        {"account a\nhost h",                                                         "b",       NULL                             },
        {"account a",                                                                 "a",       ""                               },
        {"# c\n\n \t# d\naccount a # e\nhost h",                                      "a # e",   "host=h"                         },
        {" account\ta \n\thost \"h i\" \n",                                           "a",       "host=h i"                       },
        {"account a\npassword \"  p#\"q \"\n",                                        "a",       "password=  p#\"q "              },
        {"account a\npassword \"\nuser \"\"",                                         "a",       "password=\""                    },
        {"account a\ntls\ntls_starttls off\nauth",                                    "a",       "auth=on tls=on tls_starttls=off"},
        {"account a\nauth SCRAM-SHA-256\nfrom a@b.example\nport 587",                 "a",
         "port=587 from=a@b.example auth=SCRAM-SHA-256"                                                                           },
        {"account a\nlogfile ~/x\nhost h\nsyslog on\ndomain d",                       "a",       "host=h"                         },
 /* what comes later goes before */
        {"account a\nhost h\nhost i",                                                 "a",       "host=i"                         },
        {"account a\nuser u\nuser",                                                   "a",       ""                               },
 /* defaults are those above */
        {"defaults\ntls on\naccount a\nhost h\ndefaults\nport 1\naccount b\nhost i",  "a",
         "host=h tls=on"                                                                                                          },
        {"defaults\ntls on\naccount a\nhost h\ndefaults\nport 1\naccount b\nhost i",  "b",
         "host=i port=1 tls=on"                                                                                                   },
        {"defaults\ntls on\naccount a\ntls off",                                      "a",       "tls=off"                        },
        {"tls on\naccount a\nhost h",                                                 "a",       "host=h tls=on"                  },
 /* accounts that build upon others: what those said, and no more */
        {"account a\nhost h\nuser u\naccount b : a\nuser v",                          "b",       "host=h user=v"                  },
        {"account a\nhost h\naccount b:a",                                            "b",       "host=h"                         },
        {"account a\nhost h\nport 1\naccount b\nuser u\nport 2\naccount c : a , b\n", "c",
         "host=h port=2 user=u"                                                                                                   },
        {"account a\nhost h\ndefaults\nport 5\naccount b : a",                        "b",       "host=h port=5"                  },
        {"account a\nuser u\naccount b : a\nuser\naccount c : b",                     "c",       ""                               },
        {"account a\ntls on\naccount default : a",                                    "default", "tls=on"                         },
    };

    (void)state;
    CHECK_ROWS (i, rows) {
        struct slice text = guarded(slice_of(rows[i].text));
        struct arena arena = {0};
        struct msmtp_account account;
        struct msmtp_fault fault;
        enum msmtp_result got = msmtp_file_find(text, slice_of(rows[i].name), &account, &fault);

        check_int(got, rows[i].account == NULL ? MSMTP_NO_ACCOUNT : MSMTP_FOUND);
        if (got == MSMTP_FOUND)
            check_slice(account_text(&account, &arena), slice_of(rows[i].account));
        guarded_free(text);
        arena_done(&arena);
    }
}

static void faults_have_a_line(void **state)
{
    static const struct {
        const char *text;
        unsigned line;
        const char *word, *what;
    } rows[] = {
        {"account a\ntls maybe",         2, "tls",     "is neither on nor off"                 },
        {"account",                      1, "account", "needs a name"                          },
        {"account : b",                  1, "account", "needs a name"                          },
        {"account a\naccount a",         2, "account", "stands here twice"                     },
        {"account a : b\naccount b",     1, "account", "names one that does not stand above it"},
        {"account a : a",                1, "account", "names one that does not stand above it"},
        {"account a\n\neval gpg -d x\n", 3, "eval",    "is not run here"                       },
    };

    (void)state;
    CHECK_ROWS (i, rows) {
        struct msmtp_account account;
        struct msmtp_fault fault;

        check_int(msmtp_file_find(slice_of(rows[i].text), SLICE("a"), &account, &fault),
                  MSMTP_BROKEN);
        check_int(fault.line, rows[i].line);
        check_slice(fault.word, slice_of(rows[i].word));
        check_slice(slice_of(fault.what), slice_of(rows[i].what));
    }
}

static void files_are_bounded(void **state)
{
    struct arena arena = {0};
    struct slice text = SLICE("");
    struct msmtp_account account;
    struct msmtp_fault fault;
    char *large = arena_alloc(&arena, MSMTP_TEXT_MAX + 1);

    (void)state;
    for (unsigned i = 0; i < MSMTP_ACCOUNTS_MAX; i++)
        text = arena_printf(&arena, "%.*saccount n%u\n", SLICE_PRINTF(text), i);
    check_int(msmtp_file_find(text, SLICE("n0"), &account, &fault), MSMTP_FOUND);
    text = arena_printf(&arena, "%.*saccount more\n", SLICE_PRINTF(text));
    check_int(msmtp_file_find(text, SLICE("n0"), &account, &fault), MSMTP_BROKEN);
    check_int(fault.line, MSMTP_ACCOUNTS_MAX + 1);
    memset(large, '\n', MSMTP_TEXT_MAX + 1);
    text = (struct slice){large, MSMTP_TEXT_MAX};
    check_int(msmtp_file_find(text, SLICE("a"), &account, &fault), MSMTP_NO_ACCOUNT);
    text.len++;
    check_int(msmtp_file_find(text, SLICE("a"), &account, &fault), MSMTP_BROKEN);
    arena_done(&arena);
}

static void obstacles_are_seen(void **state)
{
    static const struct {
        const char *text;
        enum msmtp_word word;
    } rows[] = {
        {"account a\nhost h",                                     MSMTP_WORDS        },
        {"account a\nprotocol smtp",                              MSMTP_WORDS        },
        {"account a\nprotocol lmtp",                              MSMTP_PROTOCOL     },
        {"account a\nproxy_host",                                 MSMTP_WORDS        },
        {"defaults\nproxy_host 127.0.0.1\naccount a",             MSMTP_PROXY_HOST   },
        {"defaults\nproxy_host 127.0.0.1\naccount a\nproxy_host", MSMTP_WORDS        },
        {"account a\npasswordeval gpg",                           MSMTP_WORDS        },
        {"account a\ntls_fingerprint 00:11",                      MSMTP_FINGERPRINT  },
        {"account a\ntls_host_override b",                        MSMTP_HOST_OVERRIDE},
    };

    (void)state;
    CHECK_ROWS (i, rows) {
        struct msmtp_account account;
        struct msmtp_fault fault;

        check_int(msmtp_file_find(slice_of(rows[i].text), SLICE("a"), &account, &fault),
                  MSMTP_FOUND);
        check_int(msmtp_account_obstacle(&account), rows[i].word);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(accounts_are_found),
        cmocka_unit_test(faults_have_a_line),
        cmocka_unit_test(files_are_bounded),
        cmocka_unit_test(obstacles_are_seen),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
