/*
 * rules_test.c - one row, one sentence: this client, sender and recipient meet this decision.
 */
#include "mail/expand.h"

#include "check.h"

#define DOMAIN(name)                                                                               \
    {                                                                                              \
        .match = MATCH_DOMAIN, .domain = SLICE_INIT(name)                                          \
    }
#define ADDRESS(l, d)                                                                              \
    {                                                                                              \
        .match = MATCH_ADDRESS, .address = {                                                       \
            ADDRESS_MAILBOX,                                                                       \
            SLICE_INIT(l),                                                                         \
            SLICE_INIT(d),                                                                         \
            false                                                                                  \
        }                                                                                          \
    }

static const struct rule some_rules[] = {
    {.line = 1,                  .verdict = RULE_REJECT,        .sender = DOMAIN("spam.example")},
    {                                                                  .line = 2,
     .verdict = RULE_REJECT,
     .to = ADDRESS("old",                                                         "example.org"),
     .refusal = {450, SLICE_INIT("4.7.1"), SLICE_INIT("ask again in June")}},
    {                                                                                         .line = 3,                  .verdict = RULE_DISCARD,       .to = ADDRESS("devnull",          "example.org")},
    {.line = 4,                  .to = DOMAIN("example.org"),   .action = ACTION_MAILDIR,         .path = SLICE_INIT("/o")},
    {                                                                               .line = 5,                  .to = DOMAIN("*.example.net"), .action = ACTION_MAILDIR,         .path = SLICE_INIT("/n")},
    {.line = 6,
     .to = ADDRESS("Info",                                      "b\xc3\xbc"
                           "cher.example"),
     .action = ACTION_MAILDIR,
     .path = SLICE_INIT("/b")},
    {                                                                                                                                       .line = 7,                          .to = {.match = MATCH_LOCAL}                                              },
    {.line = 8,   .to = ADDRESS("tag+one",               "tags.example"),                          .action = ACTION_MAILDIR},
    {                                                 .line = 9,
     .to = ADDRESS("postmaster",                "own.example"),
     .action = ACTION_MAILDIR,
     .path = SLICE_INIT("/own")},
    {                                                                                                                                     .line = 10,                 .verdict = RULE_REJECT,        .to = DOMAIN("closed.example")                                                                   },
    {.line = 11,      .to = ADDRESS("root",                  "192.0.2.1"),   .action = ACTION_MAILDIR},
    {                                                                        .line = 12,        .from = FROM_LOCAL,      .action = ACTION_MAILDIR,       .path = SLICE_INIT("/l")},
};

static struct rules rules_of(const struct rule *rules, size_t count)
{
    return (struct rules){
        .rules = rules,
        .count = count,
        .hostname = SLICE("mx1.example.org"),
        .origin = SLICE("example.org"),
        .postmaster = {ADDRESS_MAILBOX, SLICE("admin"), SLICE("example.org"), false},
    };
}

static const struct {
    bool from_local;
    const char *sender, *rcpt; /* paths with their brackets */
    enum decision_kind kind;
    unsigned line;      /* 0: no rule */
    const char *answer; /* final address, or the refusal */
} decisions[] = {
  /* the first match wins, and only from, sender and to decide a match */
    {false, "<a@b.example>",        "<bob@example.org>",                  DECIDE_MAILDIR, 4,  "bob@example.org"                       },
    {false, "<>",                   "<bob@example.org>",                  DECIDE_MAILDIR, 4,  "bob@example.org"                       },
    {false, "<a@b.example>",        "<bob@EXAMPLE.org>",                  DECIDE_MAILDIR, 4,  "bob@example.org"                       },
    {false, "<a@spam.example>",     "<bob@example.org>",                  DECIDE_REFUSE,  1,
     "554 5.7.1 <a@spam.example>: Sender address rejected: Access denied"                                                             },
    {false, "<a@not-spam.example>", "<bob@example.org>",                  DECIDE_MAILDIR, 4,  "bob@example.org"                       },
    {false, "<a@b.example>",        "<old@example.org>",                  DECIDE_REFUSE,  2,
     "450 4.7.1 <old@example.org>: Recipient address rejected: ask again in June"                                                     },
    {false, "<a@b.example>",        "<OLD@example.org>",                  DECIDE_REFUSE,  2,
     "450 4.7.1 <OLD@example.org>: Recipient address rejected: ask again in June"                                                     },
    {false, "<a@b.example>",        "<devnull@example.org>",              DECIDE_DISCARD, 3,  "devnull@example.org"                   },
    {false, "<a@b.example>",        "<x@closed.example>",                 DECIDE_REFUSE,  10,
     "554 5.7.1 <x@closed.example>: Recipient address rejected: Access denied"                                                        },
    {false, "<a@b.example>",        "<bob@gmail.example>",                DECIDE_REFUSE,  0,
     "554 5.7.1 <bob@gmail.example>: Relay access denied"                                                                             },
    {true,  "<a@b.example>",        "<bob@gmail.example>",                DECIDE_MAILDIR, 12, "bob@gmail.example"                     },
    {true,  "<>",                   "<bob@gmail.example>",                DECIDE_MAILDIR, 12, "bob@gmail.example"                     },
 /* accept without an action */
    {false, "<a@b.example>",        "<x@mx1.example.org>",                DECIDE_REFUSE,  7,
     "550 5.1.1 <x@mx1.example.org>: Recipient address rejected: User unknown"                                                        },
    {false, "<a@b.example>",        "<x@localhost>",                      DECIDE_REFUSE,  7,
     "550 5.1.1 <x@localhost>: Recipient address rejected: User unknown"                                                              },
 /* suffixes match below only */
    {false, "<>",                   "<x@a.example.net>",                  DECIDE_MAILDIR, 5,  "x@a.example.net"                       },
    {false, "<>",                   "<x@a.b.Example.Net>",                DECIDE_MAILDIR, 5,  "x@a.b.example.net"                     },
    {false, "<>",                   "<x@example.net>",                    DECIDE_REFUSE,  0,
     "554 5.7.1 <x@example.net>: Relay access denied"                                                                                 },
    {false, "<>",                   "<x@badexample.net>",                 DECIDE_REFUSE,  0,
     "554 5.7.1 <x@badexample.net>: Relay access denied"                                                                              },
 /* U-label and A-label name the same domain; detail is ignored where the rule has none */
    {false, "<>",                   "<info@xn--bcher-kva.example>",       DECIDE_MAILDIR, 6,  "info@xn--bcher-kva.example"            },
    {false, "<>",
     "<info@b\xc3\xbc"
     "cher.example>",                                                     DECIDE_MAILDIR, 6,
     "info@b\xc3\xbc"
     "cher.example"                                                                                                                   },
    {false, "<>",                   "<INFO+x@xn--bcher-kva.example>",     DECIDE_MAILDIR, 6,
     "INFO+x@xn--bcher-kva.example"                                                                                                   },
    {false, "<>",                   "<infos@xn--bcher-kva.example>",      DECIDE_REFUSE,  0,
     "554 5.7.1 <infos@xn--bcher-kva.example>: Relay access denied"                                                                   },
    {false, "<>",                   "<tag+one@tags.example>",             DECIDE_MAILDIR, 8,  "tag+one@tags.example"                  },
    {false, "<>",                   "<tag@tags.example>",                 DECIDE_REFUSE,  0,
     "554 5.7.1 <tag@tags.example>: Relay access denied"                                                                              },
    {false, "<>",                   "<tag+two@tags.example>",             DECIDE_REFUSE,  0,
     "554 5.7.1 <tag+two@tags.example>: Relay access denied"                                                                          },
 /* bare names are completed with the origin */
    {false, "<>",                   "<bob>",                              DECIDE_MAILDIR, 4,  "bob@example.org"                       },
    {false, "<bare>",               "<bob@example.org>",                  DECIDE_MAILDIR, 4,  "bob@example.org"                       },
 /* literals are no domains */
    {false, "<>",                   "<root@[192.0.2.1]>",                 DECIDE_REFUSE,  0,
     "554 5.7.1 <root@[192.0.2.1]>: Relay access denied"                                                                              },
    {false, "<>",                   "<>",                                 DECIDE_REFUSE,  0,  "501 5.1.3 Bad recipient address syntax"},
 /* RFC 5321 4.5.1: postmaster is never refused where we take mail */
    {false, "<a@b.example>",        "<postmaster>",                       DECIDE_MAILDIR, 4,  "admin@example.org"                     },
    {false, "<a@b.example>",        "<PostMaster>",                       DECIDE_MAILDIR, 4,  "admin@example.org"                     },
    {false, "<a@spam.example>",     "<postmaster>",                       DECIDE_MAILDIR, 4,  "admin@example.org"                     },
    {false, "<a@b.example>",        "<postmaster@mx1.example.org>",       DECIDE_MAILDIR, 4,
     "admin@example.org"                                                                                                              },
    {false, "<a@b.example>",        "<POSTMASTER@localhost>",             DECIDE_MAILDIR, 4,  "admin@example.org"                     },
    {false, "<a@b.example>",        "<postmaster@example.org>",           DECIDE_MAILDIR, 4,  "admin@example.org"                     },
    {false, "<>",                   "<postmaster@x.example.net>",         DECIDE_MAILDIR, 4,  "admin@example.org"                     },
    {false, "<>",                   "<postmaster@xn--bcher-kva.example>", DECIDE_MAILDIR, 4,  "admin@example.org"                     },
    {false, "<>",                   "<postmaster@tags.example>",          DECIDE_MAILDIR, 4,  "admin@example.org"                     },
    {false, "<>",                   "<postmaster@own.example>",           DECIDE_MAILDIR, 9,  "postmaster@own.example"                },
    {false, "<>",                   "<postmaster@closed.example>",        DECIDE_REFUSE,  10,
     "554 5.7.1 <postmaster@closed.example>: Recipient address rejected: Access denied"                                               },
    {false, "<>",                   "<postmaster@gmail.example>",         DECIDE_REFUSE,  0,
     "554 5.7.1 <postmaster@gmail.example>: Relay access denied"                                                                      },
    {true,  "<>",                   "<postmaster@gmail.example>",         DECIDE_MAILDIR, 12, "postmaster@gmail.example"              },
};

static struct address path_of(const char *text, struct arena *arena)
{
    struct cursor c = {slice_of(text)};
    struct address a = {0};

    check(address_take_path(&c, arena, &a));
    check(cursor_at_end(&c));
    return a;
}

/* At RCPT; and at each attempt the same. */
static struct decision decide(const struct rules *rules, const struct rules_query *query,
                              struct arena *arena)
{
    struct expansion x = rules_expand(rules, query, arena);

    check_int(x.count, x.refusal.code == 0);
    if (x.count == 0)
        return (struct decision){.kind = DECIDE_REFUSE, .refusal = x.refusal, .rule = x.rule};

    struct decision later = rules_decide(rules, query, &x.finals[0], arena);

    check_int(later.kind, x.homes[0].kind);
    check(later.rule == x.homes[0].rule);
    check(address_equal(&later.final, &x.homes[0].final));
    check(address_equal(&later.final, &x.finals[0]));
    return x.homes[0];
}

static void test_decisions(void **state)
{
    struct rules rules = rules_of(some_rules, sizeof(some_rules) / sizeof(*some_rules));
    struct arena arena = {0};

    (void)state;
    CHECK_ROWS (i, decisions) {
        struct rules_query query = {.from_local = decisions[i].from_local,
                                    .sender = path_of(decisions[i].sender, &arena),
                                    .rcpt = path_of(decisions[i].rcpt, &arena)};
        struct decision d = decide(&rules, &query, &arena);
        struct slice answer =
            d.kind == DECIDE_REFUSE
                ? arena_printf(&arena, "%u %.*s %.*s", d.refusal.code,
                               SLICE_PRINTF(d.refusal.enhanced), SLICE_PRINTF(d.refusal.text))
                : address_text(&arena, &d.final);

        check_slice(answer, slice_of(decisions[i].answer));
        check_int(d.kind, decisions[i].kind);
        check_int(d.rule == NULL ? 0 : d.rule->line, decisions[i].line);
        if (d.kind == DECIDE_MAILDIR)
            check_slice(d.path, d.rule->path);
    }
    arena_done(&arena);
}

/* Mail that relays for two networks: who is in one of them, nobody else. */
static void test_networks(void **state)
{
    static const struct rule_network inside = {
        NULL, {{[10] = 0xff, [11] = 0xff, [12] = 10}, 104}
    };
    static const struct rule_network both = {
        &inside, {{0x20, 0x01, 0x0d, 0xb8}, 32}
    };
    static const struct rule rule[] = {
        {.line = 1, .from = FROM_NETWORK, .networks = &both, .action = ACTION_MAILDIR}
    };

    static const struct {
        const char *client;
        bool taken;
    } rows[] = {
        {"10.0.0.1",    true },
        {"10.255.0.1",  true },
        {"2001:db8::1", true },
        {"11.0.0.1",    false},
        {"2001:db9::1", false},
        {"127.0.0.1",   false}, /* local, but not in it */
        {"local",       false},
        {"",            false},
    };
    struct rules rules = rules_of(rule, 1);
    struct arena arena = {0};

    (void)state;
    CHECK_ROWS (i, rows) {
        struct rules_query query = {.rcpt = path_of("<bob@far.example>", &arena),
                                    .client = slice_of(rows[i].client)};

        check_int(decide(&rules, &query, &arena).kind,
                  rows[i].taken ? DECIDE_MAILDIR : DECIDE_REFUSE);
    }
    arena_done(&arena);
}

/* Rules whose domains and addresses stand in a table. */
static void test_lists(void **state)
{
    static const struct {
        const char *sender, *rcpt;
        enum decision_kind kind;
        unsigned line;
    } rows[] = {
        {"<a@b.example>",      "<bob@example.org>",        DECIDE_MAILDIR, 2},
        {"<a@b.example>",      "<bob@sub.example.net>",    DECIDE_MAILDIR, 2},
        {"<a@b.example>",      "<bob@example.net>",        DECIDE_REFUSE,  0},
        {"<a@b.example>",
         "<ann@b\xc3\xbc"
         "cher.example>",                                  DECIDE_MAILDIR, 2},
        {"<a@b.example>",      "<joe+x@other.example>",    DECIDE_MAILDIR, 2},
        {"<a@b.example>",      "<postmaster@example.org>", DECIDE_MAILDIR, 2},
        {"<x@spam.example>",   "<bob@example.org>",        DECIDE_REFUSE,  1},
        {"<x@a.spam.example>", "<bob@example.org>",        DECIDE_MAILDIR, 2},
        {"<>",                 "<bob@example.org>",        DECIDE_MAILDIR, 2},
    };
    struct arena arena = {0};
    struct complaints c = {.arena = &arena};
    struct name_list *bad = name_list_parse(SLICE("spam.example\n"), &c);
    struct name_list *ours = name_list_parse(SLICE("example.org\n*.example.net\nb\xc3\xbc"
                                                   "cher.example\njoe@other.example\n"),
                                             &c);
    struct rule some[] = {
        {.line = 1,                                     .verdict = RULE_REJECT, .sender = {.match = MATCH_DOMAINS, .names = bad}},
        { .line = 2,
         .to = {.match = MATCH_DOMAINS, .names = ours},
         .action = ACTION_MAILDIR,
         .path = SLICE("/o")},
    };
    struct rules rules = rules_of(some, 2);

    (void)state;
    CHECK_ROWS (i, rows) {
        struct rules_query q = {.sender = path_of(rows[i].sender, &arena),
                                .rcpt = path_of(rows[i].rcpt, &arena)};
        struct decision d = decide(&rules, &q, &arena);
        check_int(d.kind, rows[i].kind);
        check_int(d.rule == NULL ? 0 : d.rule->line, rows[i].line);
    }
    name_list_free(bad);
    name_list_free(ours);
    arena_done(&arena);
}

static void test_no_rules(void **state)
{
    struct rules rules = {.hostname = SLICE("h")};
    struct arena arena = {0};
    struct rules_query query = {.rcpt = path_of("<postmaster>", &arena)};
    struct decision d = decide(&rules, &query, &arena);

    (void)state;
    assert_int_equal(d.kind, DECIDE_REFUSE);
    assert_int_equal(d.refusal.code, 554);
    arena_done(&arena);
}

/* What only local mail may reach is home enough for postmaster. */
static void test_postmaster_at_home_for_local_mail(void **state)
{
    const struct rule rule = {
        .from = FROM_LOCAL, .to = DOMAIN("example.org"), .action = ACTION_MAILDIR};
    struct rules rules = rules_of(&rule, 1);
    struct arena arena = {0};
    struct rules_query query = {.rcpt = path_of("<postmaster@example.org>", &arena)};

    (void)state;
    assert_int_equal(decide(&rules, &query, &arena).kind, DECIDE_MAILDIR);
    query.rcpt = path_of("<admin@example.org>", &arena);
    assert_int_equal(decide(&rules, &query, &arena).kind, DECIDE_REFUSE);
    arena_done(&arena);
}

/* postmaster lives under its own name, and is found there whoever writes; later, too. */
static void test_postmaster_under_its_own_name(void **state)
{
    const struct rule list[] = {
        {.line = 1,                    .verdict = RULE_DISCARD,  .sender = DOMAIN("spam.example")},
        { .line = 2, .to = DOMAIN("example.org"), .action = ACTION_MAILDIR,              .path = SLICE("/o")},
    };
    struct rules rules = rules_of(list, 2);
    struct arena arena = {0};
    struct rules_query query = {.sender = path_of("<a@spam.example>", &arena),
                                .rcpt = path_of("<postmaster@example.org>", &arena)};

    (void)state;
    rules.postmaster.local = SLICE("postmaster");
    struct decision d = decide(&rules, &query, &arena);
    check_int(d.kind, DECIDE_MAILDIR);
    check_int(d.rule->line, 2);
    arena_done(&arena);
}

/* Mail leaves for other servers; what an alias or postmaster yields, as local mail. */
static const struct route_target lmtp_server = {.kind = TARGET_PATH};
static const struct relay smart = {.line = 1}, direct = {.line = 2};

static const struct rule ways_out[] = {
    {.line = 1,           .to = DOMAIN("boxes.example"),  .action = ACTION_LMTP,         .lmtp = &lmtp_server},
    {.line = 2,           .to = DOMAIN("backup.example"), .action = ACTION_RELAY,        .relay = &smart     },
    {.line = 3,           .verdict = RULE_REJECT,         .to = DOMAIN("never.example")},
    {.line = 4, .from = FROM_LOCAL,         .action = ACTION_RELAY,              .relay = &direct                    },
};

static const struct {
    bool from_local;
    const char *rcpt, *final;
    enum decision_kind kind;
    unsigned line;
} ways[] = {
    {false, "<bob@boxes.example>",         "bob@boxes.example",         DECIDE_LMTP,   1},
    {true,  "<bob@boxes.example>",         "bob@boxes.example",         DECIDE_LMTP,   1},
    {false, "<bob@backup.example>",        "bob@backup.example",        DECIDE_RELAY,  2},
    {true,  "<bob@far.example>",           "bob@far.example",           DECIDE_RELAY,  4},
    {false, "<bob@far.example>",           "",                          DECIDE_REFUSE, 0},
    {true,  "<bob@never.example>",         "",                          DECIDE_REFUSE, 3},
 /* what is delivered here is ours, what is only passed on has a postmaster of its own */
    {false, "<postmaster@boxes.example>",  "admin@far.example",         DECIDE_RELAY,  4},
    {false, "<postmaster@backup.example>", "postmaster@backup.example", DECIDE_RELAY,  2},
    {false, "<postmaster>",                "admin@far.example",         DECIDE_RELAY,  4},
};

static void test_ways_out(void **state)
{
    struct rules rules = rules_of(ways_out, sizeof(ways_out) / sizeof(*ways_out));
    struct arena arena = {0};

    (void)state;
    rules.postmaster.domain = SLICE("far.example");
    CHECK_ROWS (i, ways) {
        struct rules_query query = {.from_local = ways[i].from_local,
                                    .rcpt = path_of(ways[i].rcpt, &arena)};
        struct decision d = decide(&rules, &query, &arena);

        check_int(d.kind, ways[i].kind);
        check_int(d.rule == NULL ? 0 : d.rule->line, ways[i].line);
        check_slice(address_text(&arena, &d.final), slice_of(ways[i].final));
        check(d.lmtp == (d.kind == DECIDE_LMTP ? d.rule->lmtp : NULL));
        check(d.relay == (d.kind == DECIDE_RELAY ? d.rule->relay : NULL));
    }
    arena_done(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_decisions),
        cmocka_unit_test(test_networks),
        cmocka_unit_test(test_lists),
        cmocka_unit_test(test_no_rules),
        cmocka_unit_test(test_postmaster_at_home_for_local_mail),
        cmocka_unit_test(test_postmaster_under_its_own_name),
        cmocka_unit_test(test_ways_out),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
