/*
 * alias_check_test.c - one row, one table: what is told of it before there is any mail.
 */
#include "mail/alias_check.h"

#include "check.h"

#define DOMAIN(name)                                                                               \
    {                                                                                              \
        .match = MATCH_DOMAIN, .domain = SLICE_INIT(name)                                          \
    }

static const struct {
    const char *aliases;
    const char *told; /* the first line of each complaint, joined by LF */
} rows[] = {
    {"root: ann@example.org\nall: root@example.org, bob@example.org", ""                                                                   },
    {"a: a@example.org\n@example.org: ann@example.org",               ""                                                                   },
 /* loops, from whatever entry they are met */
    {"a: b@example.org\nb: a@example.org",
     "t:2:4: error: alias loop: a@example.org -> b@example.org -> a@example.org\n"                                                         },
    {"x: a@example.org\na: ann@example.org, b@example.org\nb: c@example.org\nc: bob@example.org, "
     "a@example.org",                                            "t:4:21: error: alias loop: a@example.org -> b@example.org -> c@example.org -> "
     "a@example.org\n"                                                                                           },
    {"a: b+x@example.org\nb: a@example.org",
     "t:2:4: error: alias loop: a@example.org -> b+x@example.org -> a@example.org\n"                                                       },
    {"a: b\nb: a",
     "t:2:4: error: alias loop: a@mx.example.org -> b@mx.example.org -> a@mx.example.org\n"                                                },
    {"@example.org: a@example.org\na: b@example.org",
     "t:2:4: error: alias loop: b@example.org -> a@example.org -> b@example.org\n"                                                         },
 /* by way of postmaster's own address */
    {"admin: postmaster@closed.example",
     "t:1:8: warning: the rule in line 2 of conf rejects postmaster@closed.example\n"                                                      },
    {"cid: postmaster@other.example",
     "t:1:6: error: alias loop: postmaster@other.example -> postmaster@other.example\n"                                                    },
 /* dead ends */
    {"a: x@elsewhere.example",                                        "t:1:4: error: no rule takes mail for x@elsewhere.example\n"         },
    {"a: ann",                                                        "t:1:4: warning: nobody is known as ann@mx.example.org\n"            },
    {"a: gone@example.org",                                           "t:1:4: warning: nobody is known as gone@example.org\n"              },
    {"a: root\nb: root\nc: gone@example.org, root",
     "t:1:4: warning: nobody is known as root@mx.example.org\n"
     "t:3:4: warning: nobody is known as gone@example.org\n"                                                                               },
    {"a: x@closed.example",
     "t:1:4: warning: the rule in line 2 of conf rejects x@closed.example\n"                                                               },
    {"a: ann@[192.0.2.1]",                                            "t:1:4: error: no rule takes mail for ann@[192.0.2.1]\n"             },
 /* what only local mail may reach can be reached */
    {"a: x@inside.example",                                           ""                                                                   },
 /* what depends on the sender is not judged */
    {"a: x@partner.example",                                          ""                                                                   },
 /* by a catch-all that names an alias, and one that leads on for ever */
    {"a: x@catch.example",                                            ""                                                                   },
    {"cid: x@catch.example",                                          "t:1:6: error: alias loop: x@catch.example -> x@catch.example\n"     },
    {"a: x@round.example",                                            "t:1:4: error: this leads from one catch-all to the next, for ever\n"},
};

struct world {
    struct arena arena;
    struct buf bundle, told;
    struct sources sources;
    struct accounts *accounts;
    struct aliases *aliases;
};

static void check_table(struct world *w)
{
    const struct rule list[] = {
        {.line = 1,                       .verdict = RULE_REJECT,   .sender = DOMAIN("spam.example")},
        {.file = SLICE("conf"),                               .line = 2,                                   .verdict = RULE_REJECT, .to = DOMAIN("closed.example")},
        {.line = 3,         .to = {.match = MATCH_LOCAL},.aliases = w->aliases},
        {.line = 4,
         .to = DOMAIN("example.org"),
         .aliases = w->aliases,
         .users = w->accounts,
         .action = ACTION_MAILDIR},
        {.line = 5,                               .from = FROM_LOCAL,                                               .to = DOMAIN("inside.example"), .action = ACTION_MAILDIR},
        {.line = 6,
         .sender = DOMAIN("partner.example"),
         .to = DOMAIN("partner.example"),
         .action = ACTION_MAILDIR},
        {.line = 7,
         .to = DOMAIN("catch.example"),
         .catch_all = {ADDRESS_MAILBOX, SLICE_INIT("cid"), SLICE_INIT("example.org"), false}},
        {.line = 8,
         .to = DOMAIN("round.example"),
         .catch_all = {ADDRESS_MAILBOX, SLICE_INIT("x"), SLICE_INIT("round2.example"), false}},
        {.line = 9,
         .to = DOMAIN("round2.example"),
         .catch_all = {ADDRESS_MAILBOX, SLICE_INIT("x"), SLICE_INIT("round.example"), false}},
        {.line = 10,        .to = DOMAIN("other.example")                               },
    };
    const struct rules rules = {
        .rules = list,
        .count = sizeof(list) / sizeof(*list),
        .hostname = SLICE("mx.example.org"),
        .origin = SLICE("mx.example.org"),
        .postmaster = {ADDRESS_MAILBOX, SLICE("cid"), SLICE("example.org"), false}
    };

    alias_check(&rules);
}

/* Of each complaint the line that says what is wrong. */
static struct slice first_lines(struct world *w, struct slice told)
{
    struct slice lines = SLICE(""), line;

    while (slice_cut(told, '\n', &line, &told))
        if (!slice_starts(line, SLICE(" ")))
            lines = arena_printf(&w->arena, "%.*s%.*s\n", SLICE_PRINTF(lines), SLICE_PRINTF(line));
    return lines;
}

static void test_rows(void **state)
{
    (void)state;
    CHECK_ROWS (i, rows) {
        struct world w = {0};

        buf_init(&w.bundle, BUNDLE_MAX);
        buf_init(&w.told, 64 * 1024);
        bundle_add(&w.bundle, SLICE("conf"), 0, SLICE(""));
        bundle_add(&w.bundle, SLICE("accounts"), 0,
                   SLICE("ann@example.org\nbob@example.org\ncid@example.org"));
        bundle_add(&w.bundle, SLICE("t"), 0, slice_of(rows[i].aliases));
        check(sources_open(&w.sources, buf_slice(&w.bundle), &w.arena));
        struct source *accounts = w.sources.first->next;
        w.accounts = accounts_parse(accounts->text, &accounts->complaints);
        w.aliases = aliases_parse(accounts->next, &w.sources);
        check_int(sources_errors(&w.sources), 0);

        check_table(&w);
        sources_write_complaints(&w.sources, &w.told);
        check_slice(first_lines(&w, buf_slice(&w.told)), slice_of(rows[i].told));
        accounts_free(w.accounts);
        aliases_free(w.aliases);
        buf_done(&w.bundle);
        buf_done(&w.told);
        arena_done(&w.arena);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
