/*
 * expand_test.c - one row, one recipient: whom it stands for, or how it is refused. And each of
 * those has, asked later, the home that it had at RCPT.
 */
#include "mail/expand.h"

#include "check.h"
#include "mail/alias_check.h"
#include "mail/envelope.h"

#define DOMAIN(name)                                                                               \
    {                                                                                              \
        .match = MATCH_DOMAIN, .domain = SLICE_INIT(name)                                          \
    }
#define MAILBOX(l, d)                                                                              \
    {                                                                                              \
        ADDRESS_MAILBOX, SLICE_INIT(l), SLICE_INIT(d), false                                       \
    }

static const char accounts_text[] = "ann@example.org:x\n"
                                    "bob:x\n"
                                    "cid@example.org:x\n"
                                    "dan+exact@example.org:x\n"
                                    "postmaster@own.example:x\n";

static const char aliases_text[] = "root: ann@example.org\n"
                                   "team: ann@example.org, bob@example.org, ann@example.org\n"
                                   "all: team@example.org, cid@example.org\n"
                                   "bob@own.example: bob@own.example, ann@example.org\n"
                                   "cid+exact: ann@example.org\n"
                                   "some: ann@example.org, gone@example.org\n"
                                   "none: gone@example.org\n"
                                   "outside: ann@example.org, x@elsewhere.example\n"
                                   "far: x@far.example, ann@example.org\n"
                                   "closed: x@closed.example\n"
                                   "later: x@later.example\n"
                                   "sink: void@discard.example, ann@example.org\n"
                                   "bare: root\n"
                                   "partner: x@partner.example\n"
                                   "@own.example: all@example.org\n"
                                   "a: b@example.org\n"
                                   "b: c@example.org, ann@example.org\n"
                                   "c: a@example.org\n"
                                   "diamond: left@example.org, right@example.org\n"
                                   "left: deep@example.org\n"
                                   "right: deep@example.org\n"
                                   "deep: bob@example.org\n"
                                   "list: quiet@any.example\n"
                                   "\"o'neil\"@example.org: ann@example.org\n"
                                   "mutual1: mutual2@example.org\n"
                                   "mutual2: mutual1@example.org\n"
                                   "admin: mutual1@example.org\n";

static const struct route_target lmtp_server = {.kind = TARGET_PATH};
static const struct relay somewhere = {.line = 1};

/* The tables, and rules that use them. */
struct world {
    struct arena arena;
    struct buf bundle;
    struct sources sources;
    struct accounts *accounts;
    struct aliases *aliases;
    struct rule list[20];
    struct rules rules;
};

static void world_rules(struct world *w)
{
    const struct rule list[] = {
        {.line = 1,                            .verdict = RULE_REJECT,        .sender = DOMAIN("spam.example")           },
        {                                                                                 .line = 2,                                                      .verdict = RULE_REJECT,                                   .to = DOMAIN("closed.example")                                   },
        {                                                                                                                                                                             .line = 3,
         .verdict = RULE_REJECT,
         .to = DOMAIN("later.example"),
         .refusal = {450, SLICE_INIT("4.2.1"), SLICE_INIT("on Monday")}},
        {                                                                                                                       .line = 4,                                                              .verdict = RULE_DISCARD, .to = DOMAIN("discard.example")},
        { .line = 5,                                                                                                                                                                                                                                        .to = {.match = MATCH_LOCAL},                                            .aliases = w->aliases                                                                        },
        {                                                                                                                                                         .line = 6,
         .to = DOMAIN("example.org"),
         .users = w->accounts,
         .aliases = w->aliases,
         .action = ACTION_MAILDIR,
         .path = SLICE_INIT("/v/{domain}/{user}")},
        {                                                                                                                                                                         .line = 7,
         .to = DOMAIN("own.example"),
         .users = w->accounts,
         .aliases = w->aliases,
         .action = ACTION_MAILDIR,
         .path = SLICE_INIT("/own")},
        {                                                                                                                                                        .line = 8,
         .to = DOMAIN("catch.example"),
         .users = w->accounts,
         .catch_all = MAILBOX("team", "example.org"),
         .action = ACTION_MAILDIR,
         .path = SLICE_INIT("/catch")},
        {                                                                                                                                                                             .line = 9,
         .to = DOMAIN("copied.example"),
         .copy = MAILBOX("root",                                                                "mx.example.org"),
         .action = ACTION_MAILDIR,
         .path = SLICE_INIT("/copied/{user}")},
        {                                                                                                                                                                       .line = 10,
         .to = DOMAIN("self.example"),
         .copy = MAILBOX("archive",                                                                                    "self.example"),
         .action = ACTION_MAILDIR,
         .path = SLICE_INIT("/self")},
        {                                                                                                                                                           .line = 11,
         .sender = DOMAIN("partner.example"),
         .to = DOMAIN("partner.example"),
         .action = ACTION_MAILDIR,
         .path = SLICE_INIT("/partner")},
        {                                                                                                                                                        .line = 12,
         .to = {.match = MATCH_ADDRESS, .address = MAILBOX("caught", "self2.example")},
         .catch_all = MAILBOX("caught",                                                                                   "self2.example")},
        {                                                                                                                                                                                 .line = 13,
         .from = FROM_LOCAL,
         .to = DOMAIN("any.example"),
         .action = ACTION_MAILDIR,
         .path = SLICE_INIT("/any")},
        {                                                                                                   .line = 14, .to = DOMAIN("lists.example"),                                         .aliases = w->aliases                                                                                            },
        {                                                                                                                                                                              .line = 15,
         .to = DOMAIN("hub.example"),
         .users = w->accounts,
         .aliases = w->aliases,
         .action = ACTION_RELAY,
         .relay = &somewhere},
        {                                                                                                                                                                               .line = 16,
         .to = DOMAIN("boxes.example"),
         .users = w->accounts,
         .copy = MAILBOX("x", "far.example"),
         .action = ACTION_LMTP,
         .lmtp = &lmtp_server},
        {                                                                                                                                                                  .line = 17,
         .from = FROM_LOCAL,
         .to = DOMAIN("far.example"),
         .action = ACTION_RELAY,
         .relay = &somewhere},
    };

    memcpy(w->list, list, sizeof(list));
    w->rules = (struct rules){.rules = w->list,
                              .count = sizeof(list) / sizeof(*list),
                              .hostname = SLICE("mx.example.org"),
                              .origin = SLICE("mx.example.org"),
                              .postmaster = MAILBOX("cid", "example.org")};
}

static void world_init(struct world *w, const char *aliases)
{
    *w = (struct world){0};
    buf_init(&w->bundle, BUNDLE_MAX);
    bundle_add(&w->bundle, SLICE("conf"), 0, SLICE(""));
    bundle_add(&w->bundle, SLICE("accounts"), 0, slice_of(accounts_text));
    bundle_add(&w->bundle, SLICE("aliases"), 0, slice_of(aliases));
    check(sources_open(&w->sources, buf_slice(&w->bundle), &w->arena));

    struct source *accounts = w->sources.first->next;
    w->accounts = accounts_parse(accounts->text, &accounts->complaints);
    w->aliases = aliases_parse(accounts->next, &w->sources);
    check_int(sources_errors(&w->sources), 0);
    world_rules(w);
}

static void world_done(struct world *w)
{
    accounts_free(w->accounts);
    aliases_free(w->aliases);
    buf_done(&w->bundle);
    arena_done(&w->arena);
}

static struct slice answer_text(struct world *w, const struct expansion *x)
{
    struct slice text = SLICE("");

    if (x->refusal.code != 0)
        return arena_printf(&w->arena, "%u %.*s %.*s", x->refusal.code,
                            SLICE_PRINTF(x->refusal.enhanced), SLICE_PRINTF(x->refusal.text));
    for (unsigned i = 0; i < x->count; i++)
        text = arena_printf(&w->arena, "%.*s%s%.*s:%u", SLICE_PRINTF(text), i > 0 ? " " : "",
                            SLICE_PRINTF(address_text(&w->arena, &x->finals[i])),
                            x->homes[i].rule->line);
    return text;
}

static void check_homes(struct world *w, const struct rules_query *query, const struct expansion *x)
{
    for (unsigned i = 0; i < x->count; i++) {
        struct decision later = rules_decide(&w->rules, query, &x->finals[i], &w->arena);

        check_int(later.kind, x->homes[i].kind);
        check(later.rule == x->homes[i].rule);
        check_slice(later.path, x->homes[i].path);
        check(later.relay == x->homes[i].relay);
        check(later.lmtp == x->homes[i].lmtp);
    }
}

#define UNKNOWN(who) "550 5.1.1 <" who ">: Recipient address rejected: User unknown"

static const struct {
    const char *sender, *rcpt, *answer; /* "final:line of its rule ..." */
} rows[] = {
  /* users: who has an account, with any detail; nobody else, and no later rule */
    {"s@x.example",       "ann@example.org",          "ann@example.org:6"                                    },
    {"s@x.example",       "Ann+list@Example.org",     "Ann+list@example.org:6"                               },
    {"s@x.example",       "bob@example.org",          "bob@example.org:6"                                    },
    {"s@x.example",       "dan+exact@example.org",    "dan+exact@example.org:6"                              },
    {"s@x.example",       "dan@example.org",          UNKNOWN("dan@example.org")                             },
    {"s@x.example",       "gone@example.org",         UNKNOWN("gone@example.org")                            },
 /* aliases: by name before the mailbox of that name, everybody once */
    {"s@x.example",       "root@mx.example.org",      "ann@example.org:6"                                    },
    {"s@x.example",       "ROOT@localhost",           "ann@example.org:6"                                    },
    {"s@x.example",       "team@example.org",         "ann@example.org:6 bob@example.org:6"                  },
    {"s@x.example",       "all@example.org",          "ann@example.org:6 bob@example.org:6 cid@example.org:6"},
    {"s@x.example",       "diamond@example.org",      "bob@example.org:6"                                    },
    {"s@x.example",       "o'neil@example.org",       "ann@example.org:6"                                    },
    {"s@x.example",       "bare@example.org",         "ann@example.org:6"                                    },
 /* an alias for itself leaves the mailbox */
    {"s@x.example",       "bob@own.example",          "bob@own.example:7 ann@example.org:6"                  },
 /* a whole domain: only who is not known otherwise */
    {"s@x.example",       "who@own.example",          "ann@example.org:6 bob@example.org:6 cid@example.org:6"},
    {"s@x.example",       "root@own.example",         "ann@example.org:6"                                    },
 /* without an action only aliases answer */
    {"s@x.example",       "ann@lists.example",        UNKNOWN("ann@lists.example")                           },
    {"s@x.example",       "root@lists.example",       "ann@example.org:6"                                    },
    {"s@x.example",       "ann@mx.example.org",       UNKNOWN("ann@mx.example.org")                          },
 /* the detail stays where it can be delivered, unless an alias is named by it */
    {"s@x.example",       "root+x@mx.example.org",    "ann+x@example.org:6"                                  },
    {"s@x.example",       "team+x@example.org",       "ann+x@example.org:6 bob+x@example.org:6"              },
    {"s@x.example",       "cid+exact@example.org",    "ann@example.org:6"                                    },
    {"s@x.example",       "cid+other@example.org",    "cid+other@example.org:6"                              },
    {"s@x.example",       "who+x@catch.example",      "ann@example.org:6 bob@example.org:6"                  },
 /* members: the unknown are passed by, but an address outside refuses the whole */
    {"s@x.example",       "some@example.org",         "ann@example.org:6"                                    },
    {"s@x.example",       "none@example.org",         UNKNOWN("none@example.org")                            },
    {"s@x.example",       "outside@example.org",
     "550 5.1.1 <outside@example.org>: Recipient address rejected: Alias of an address not served "
     "here"                                                                                                  },
    {"s@x.example",       "closed@example.org",
     "554 5.7.1 <closed@example.org>: Recipient address rejected: Access denied"                             },
    {"s@x.example",       "later@example.org",
     "450 4.2.1 <later@example.org>: Recipient address rejected: on Monday"                                  },
    {"s@x.example",       "sink@example.org",         "void@discard.example:4 ann@example.org:6"             },
 /* yielded addresses are local mail, of the same sender */
    {"s@x.example",       "list@example.org",         "quiet@any.example:13"                                 },
    {"s@x.example",       "quiet@any.example",        "554 5.7.1 <quiet@any.example>: Relay access denied"   },
    {"s@partner.example", "partner@example.org",      "x@partner.example:11"                                 },
    {"s@x.example",       "partner@example.org",
     "550 5.1.1 <partner@example.org>: Recipient address rejected: Alias of an address not served "
     "here"                                                                                                  },
    {"s@spam.example",    "team@example.org",
     "554 5.7.1 <s@spam.example>: Sender address rejected: Access denied"                                    },
 /* other servers are homes as good as mailboxes, and have their own users; details go along */
    {"s@x.example",       "bob@hub.example",          "bob@hub.example:15"                                   },
    {"s@x.example",       "gone@hub.example",         UNKNOWN("gone@hub.example")                            },
    {"s@x.example",       "postmaster@hub.example",   "cid@example.org:6"                                    },
    {"s@x.example",       "bob+x@boxes.example",      "bob+x@boxes.example:16 x@far.example:17"              },
    {"s@x.example",       "gone@boxes.example",       UNKNOWN("gone@boxes.example")                          },
    {"s@x.example",       "far@example.org",          "x@far.example:17 ann@example.org:6"                   },
    {"s@x.example",       "far+list@hub.example",     "x@far.example:17 ann+list@example.org:6"              },
    {"s@x.example",       "x@far.example",            "554 5.7.1 <x@far.example>: Relay access denied"       },
 /* catch-all: after the users */
    {"s@x.example",       "bob@catch.example",        "bob@catch.example:8"                                  },
    {"s@x.example",       "who@catch.example",        "ann@example.org:6 bob@example.org:6"                  },
    {"s@x.example",       "caught@self2.example",     UNKNOWN("caught@self2.example")                        },
 /* copies: one more, itself an alias; and not of itself */
    {"s@x.example",       "who@copied.example",       "who@copied.example:9 ann@example.org:6"               },
    {"s@x.example",       "who@self.example",         "who@self.example:10 archive@self.example:10"          },
    {"s@x.example",       "archive@self.example",     "archive@self.example:10"                              },
 /* loops are ours to mend: come again */
    {"s@x.example",       "a@example.org",
     "451 4.3.5 <a@example.org>: Recipient address rejected: this alias leads back to itself"                },
 /* postmaster never bounces; who names it gives it a home */
    {"s@x.example",       "postmaster",               "cid@example.org:6"                                    },
    {"s@spam.example",    "Postmaster@example.org",   "cid@example.org:6"                                    },
    {"s@x.example",       "postmaster@own.example",   "postmaster@own.example:7"                             },
    {"s@x.example",       "postmaster@catch.example", "cid@example.org:6"                                    },
    {"s@x.example",       "postmaster@lists.example", "cid@example.org:6"                                    },
 /* abuse, unless it is known, goes to postmaster */
    {"s@x.example",       "abuse@example.org",        "cid@example.org:6"                                    },
    {"s@x.example",       "abuse@catch.example",      "ann@example.org:6 bob@example.org:6"                  },
    {"s@spam.example",    "abuse@example.org",
     "554 5.7.1 <s@spam.example>: Sender address rejected: Access denied"                                    },
};

static void test_rows(void **state)
{
    struct world w;

    (void)state;
    world_init(&w, aliases_text);
    CHECK_ROWS (i, rows) {
        struct rules_query query = {.from_local = false};

        check(address_parse(slice_of(rows[i].sender), &w.arena, &query.sender));
        check(address_parse(slice_of(rows[i].rcpt), &w.arena, &query.rcpt));
        struct expansion x = rules_expand(&w.rules, &query, &w.arena);

        check_slice(answer_text(&w, &x), slice_of(rows[i].answer));
        check_homes(&w, &query, &x);
    }
    world_done(&w);
}

static struct expansion expand_of(struct world *w, const char *rcpt)
{
    struct rules_query query = {.from_local = false};

    check(address_parse(slice_of(rcpt), &w->arena, &query.rcpt));
    return rules_expand(&w->rules, &query, &w->arena);
}

/* postmaster is an alias, and the alias leads nowhere. */
static void test_postmaster_of_last_resort(void **state)
{
    struct world w;

    (void)state;
    world_init(&w, "postmaster: gone@example.org\nabuse: abuse@example.org, ann@example.org\n");
    struct expansion x = expand_of(&w, "postmaster@example.org");
    check_slice(answer_text(&w, &x), SLICE("cid@example.org:6"));
    x = expand_of(&w, "abuse@lists.example"); /* an alias of its own name goes before */
    check_slice(answer_text(&w, &x), SLICE("cid@example.org:6 ann@example.org:6"));
    world_done(&w);
}

/* A chain of n aliases, the last for ann; the first, or the last, stands at the top of the table.
 */
static char *chain(struct buf *text, unsigned n, bool backwards)
{
    buf_init(text, 1024 * 1024);
    if (backwards)
        buf_printf(text, "c%u: ann@example.org\n", n);
    for (unsigned k = 1; k < n; k++) {
        unsigned i = backwards ? n - k : k;
        buf_printf(text, "c%u: c%u@example.org\n", i, i + 1);
    }
    if (!backwards)
        buf_printf(text, "c%u: ann@example.org\n", n);
    buf_append_char(text, '\0');
    return text->data;
}

static void check_chains(bool backwards)
{
    struct buf text;
    struct world w;

    world_init(&w, chain(&text, ALIAS_DEPTH_MAX, backwards));
    check_int(expand_of(&w, "c1@example.org").refusal.code, 0);
    alias_check(&w.rules);
    check_int(sources_errors(&w.sources), 0);
    world_done(&w);
    buf_done(&text);

    world_init(&w, chain(&text, ALIAS_DEPTH_MAX + 1, backwards));
    check_int(expand_of(&w, "c2@example.org").refusal.code, 0);
    check_int(expand_of(&w, "c1@example.org").refusal.code, 451);
    alias_check(&w.rules);
    check_int(sources_errors(&w.sources), 1);
    world_done(&w);
    buf_done(&text);
}

static void test_depth(void **state)
{
    (void)state;
    check_chains(false);
    check_chains(true);
}

/* Each of 40 names two of the next: 2^40 ways, 40 steps. */
static void test_many_ways(void **state)
{
    struct buf text;
    struct world w;

    (void)state;
    buf_init(&text, 1024 * 1024);
    for (unsigned i = 0; i < 40; i++)
        buf_printf(&text,
                   "l%u: l%u@example.org, r%u@example.org\nr%u: r%u@example.org, "
                   "l%u@example.org\n",
                   i, i + 1, i + 1, i, i + 1, i + 1);
    buf_printf(&text, "l40: ann@example.org\nr40: bob@example.org\n%c", '\0');
    world_init(&w, text.data);
    alias_check(&w.rules);
    check_int(sources_errors(&w.sources), 0);
    struct expansion x = expand_of(&w, "l0@example.org");
    check_slice(answer_text(&w, &x), SLICE("ann@example.org:6 bob@example.org:6"));
    world_done(&w);
    buf_done(&text);
}

/* Two lists of 600 each are more than one mail can have. */
static void test_too_many(void **state)
{
    struct buf text;
    struct world w;

    (void)state;
    buf_init(&text, 1024 * 1024);
    buf_printf(&text, "both: one@example.org, two@example.org\none: x@self.example");
    for (unsigned i = 1; i < 600; i++)
        buf_printf(&text, ", x%u@self.example", i);
    buf_printf(&text, "\ntwo: y@self.example");
    for (unsigned i = 1; i < 600; i++)
        buf_printf(&text, ", y%u@self.example", i);
    buf_printf(&text, "%c", '\0');
    world_init(&w, text.data);
    check_int(expand_of(&w, "one@example.org").count, 601); /* and a copy */
    struct expansion x = expand_of(&w, "both@example.org");
    check_slice(answer_text(&w, &x), SLICE("451 4.3.5 <both@example.org>: Recipient address "
                                           "rejected: this alias stands for too many"));
    world_done(&w);
    buf_done(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows),     cmocka_unit_test(test_postmaster_of_last_resort),
        cmocka_unit_test(test_depth),    cmocka_unit_test(test_many_ways),
        cmocka_unit_test(test_too_many),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
