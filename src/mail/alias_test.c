/*
 * alias_test.c - one row, one table, who is asked for and what that yields; and each fault with its
 * place.
 */
#include "mail/alias.h"

#include "check.h"

/* A table and up to two files that it may include, "/one" and "/two"; NULL: not at hand. */
struct reading {
    struct arena arena;
    struct buf bundle, told;
    struct sources sources;
    struct aliases *aliases;
};

static void read_table(struct reading *r, const char *table, const char *one, const char *two)
{
    *r = (struct reading){0};
    buf_init(&r->bundle, BUNDLE_MAX);
    buf_init(&r->told, 64 * 1024);
    bundle_add(&r->bundle, SLICE("conf"), 0, SLICE(""));
    bundle_add(&r->bundle, SLICE("t"), 0, slice_of(table));
    if (one != NULL)
        bundle_add(&r->bundle, SLICE("/one"), 0, slice_of(one));
    if (two != NULL)
        bundle_add(&r->bundle, SLICE("/two"), 0, slice_of(two));
    bundle_add(&r->bundle, SLICE("/bad"), SOURCE_UNREADABLE, SLICE("Permission denied"));
    check(sources_open(&r->sources, buf_slice(&r->bundle), &r->arena));
    r->aliases = aliases_parse(r->sources.first->next, &r->sources);
    sources_write_complaints(&r->sources, &r->told);
}

static void reading_done(struct reading *r)
{
    aliases_free(r->aliases);
    buf_done(&r->bundle);
    buf_done(&r->told);
    arena_done(&r->arena);
}

/* "a, b" or "-". */
static struct slice yielded(struct reading *r, const struct alias_entry *entry)
{
    struct slice list = SLICE("");

    if (entry == NULL)
        return SLICE("-");
    for (uint32_t i = 0; i < entry->count; i++) {
        struct address to = aliases_target(r->aliases, entry->first + i, &r->arena);
        list = arena_printf(&r->arena, "%.*s%s%.*s", SLICE_PRINTF(list), i > 0 ? ", " : "",
                            SLICE_PRINTF(address_text(&r->arena, &to)));
    }
    return list;
}

static const struct {
    const char *table, *who, *list; /* who "@..." asks for the whole domain */
} rows[] = {
    {"root: ann@example.org",              "root@mx.example",        "ann@example.org"       },
    {"Root:ann@Example.ORG",               "rOOt@mx.example",        "ann@example.org"       },
    {"root: ann@example.org",              "roo@mx.example",         "-"                     },
    {"a: b, c,d ,  e@f",                   "a@x",                    "b, c, d, e@f"          },
    {"a:b\n\n# x\n  # y\n\tc,\n d",        "a@x",                    "b, c, d"               },
    {"a:\n b,\n c",                        "a@x",                    "b, c"                  },
    {"a: b\r\n c\r\nd: e\r\n",             "a@x",                    "b, c"                  },
    {"a : b",                              "a@x",                    "b"                     },
    {"a: ,b,, c,",                         "a@x",                    "b, c"                  },
    {"a: b\nc: d",                         "c@x",                    "d"                     },
 /* more particular keys come first */
    {"a@x: one\na: any",                   "a@x",                    "one"                   },
    {"a@x: one\na: any",                   "a@y",                    "any"                   },
    {"a+b: detail\na@x: one",              "a+b@x",                  "one"                   },
    {"a+b@x: detail\na@x: one",            "a+b@x",                  "detail"                },
    {"a: any",                             "a+b@x",                  "any"                   },
    {"a+b: detail",                        "a@x",                    "-"                     },
    {"+a: b",                              "+a@x",                   "b"                     },
 /* a whole domain is asked for apart */
    {"@x: all",                            "a@x",                    "-"                     },
    {"@x: all",                            "@x",                     "all"                   },
    {"@x: all",                            "@y",                     "-"                     },
    {"@B\xc3\xbc"
     "cher.Example: all",             "@xn--bcher-kva.example", "all"                   },
    {"@b\xc3\xbc"
     "cher.example: all",             "@xn--bcher-kva.example", "all"                   },
 /* quotes */
    {"\"my friends\": ann",                "\"my friends\"@x",       "ann"                   },
    {"\"a:b\"@x: ann",                     "\"a:b\"@x",              "ann"                   },
    {"a: \"b c\"@x, \"d, e\"",             "a@x",                    "\"b c\"@x, \"d, e\""   },
    {"a: \"b\\\"c\"",                      "a@x",                    "\"b\\\"c\""            },
    {"a: bob@[IPv6:2001:db8::1]",          "a@x",                    "bob@[IPv6:2001:db8::1]"},
    {"bob@[IPv6:2001:db8::1]: c",          "bob@[IPv6:2001:db8::1]", "c"                     },
    {"\xef\xbb\xbf"
     "a: b",                          "a@x",                    "b"                     },
 /* included files */
    {"a: b, :include:/one, c",             "a@x",                    "b, p, q@x, c"          },
    {"a: \":include:/one\"",               "a@x",                    "p, q@x"                },
    {"a: :Include:/one\nb: :include:/one", "b@x",                    "p, q@x"                },
    {"a: :include:/two",                   "a@x",                    "r, p, q@x, s"          },
};

static void test_rows(void **state)
{
    (void)state;
    CHECK_ROWS (i, rows) {
        bool domain = rows[i].who[0] == '@';
        struct address who = {.kind = ADDRESS_MAILBOX, .domain = slice_of(rows[i].who + 1)};
        struct reading r;

        read_table(&r, rows[i].table, "# friends\np\n\n\tq@x\n", "r, :include:/one\n s");
        check_slice(buf_slice(&r.told), SLICE(""));
        if (!domain)
            check(address_parse(slice_of(rows[i].who), &r.arena, &who));
        check_slice(yielded(&r, domain ? aliases_find_domain(r.aliases, &who)
                                       : aliases_find(r.aliases, &who)),
                    slice_of(rows[i].list));
        reading_done(&r);
    }
}

/* Each with one fault; the text from the place on, and what is told of it. */
static const struct {
    const char *table, *at, *told;
} faults[] = {
    {"a: b\nc",               "t:2:1",    "no ':' behind this name"                   },
    {"  a: b",                "t:1:3",    "this line goes on, but nothing precedes it"},
    {"a b: c",                "t:1:1",    "no ':' behind this name"                   },
    {"<a>: b",                "t:1:1",    "'<a>' is no name for an alias"             },
    {"@: b",                  "t:1:1",    "'@' is no name for an alias"               },
    {": b",                   "t:1:1",    "'' is no name for an alias"                },
    {"a: b\nA: c",            "t:2:1",    "'A' is an alias already, in line 1"        },
    {"\"a: b",                "t:1:1",    "a quote without its end"                   },
    {"a: b, \"c",             "t:1:7",    "a quote without its end"                   },
    {"a: b c",                "t:1:6",    "a comma is missing before this"            },
    {"a: b # c",              "t:1:6",    "a comment behind something else"           },
    {"a: b, c@@d, e",         "t:1:7",    "'c@@d' is no address"                      },
    {"a: @x",                 "t:1:4",    "'@x' is no address"                        },
    {"a: \"|/usr/bin/x -y\"", "t:1:4",    "commands are off"                          },
    {"a: |/usr/bin/x -y, z",  "t:1:4",    "commands are off"                          },
    {"a: b,\n  /var/mail/a",  "t:2:3",    "files are off"                             },
    {"a: \"/dev/null\"",      "t:1:4",    "files are off"                             },
    {"a:\nb: c",              "t:1:1",    "this alias yields nobody"                  },
    {"a: ,",                  "t:1:1",    "this alias yields nobody"                  },
    {"a: :include:one",       "t:1:4",    "an included file needs an absolute path"   },
    {"a: b, :include:/bad",   "t:1:7",    "cannot read /bad: Permission denied"       },
    {"a: :include:/one",      "/one:2:4", "this file would include itself"            },
    {"a: :include:/two",      "/two:1:1", "'@' is no address"                         },
    {"\xc3\xa4: b\x01",       "t:1:5",    "a control character"                       },
};

static void test_faults(void **state)
{
    (void)state;
    CHECK_ROWS (i, faults) {
        struct reading r;

        read_table(&r, faults[i].table, "p\nq, :include:/one", "@");
        struct slice line = slice_head(buf_slice(&r.told), slice_find(buf_slice(&r.told), '\n'));
        struct slice want = arena_printf(&r.arena, "%s: error: %s", faults[i].at, faults[i].told);

        check_slice(line, want);
        check_int(sources_errors(&r.sources), 1);
        reading_done(&r);
    }
}

/* What is wanted is named, all of it in one run; nothing is complained of yet. */
static void test_wanted(void **state)
{
    struct reading r;

    (void)state;
    read_table(&r, "a: :include:/one\nb: :include:/two, :include:/one", NULL, NULL);
    check_slice(buf_slice(&r.told), SLICE(""));
    check_int(r.sources.wanted_count, 2);
    check_slice(r.sources.wanted->path, SLICE("/one"));
    check_slice(r.sources.wanted->next->path, SLICE("/two"));
    reading_done(&r);
}

/* A list that is empty for now is no mistake, but worth a word. */
static void test_empty_include(void **state)
{
    struct reading r;

    (void)state;
    read_table(&r, "a: :include:/one", "# nobody yet\n", NULL);
    check_int(sources_errors(&r.sources), 0);
    check(slice_starts(buf_slice(&r.told),
                       SLICE("t:1:1: warning: this alias yields nobody\n   1 | a: :incl")));
    reading_done(&r);
}

static void test_bounds(void **state)
{
    struct buf table, file;
    struct reading r;

    (void)state;
    buf_init(&table, 1024 * 1024);
    buf_init(&file, 1024 * 1024);
    buf_printf(&table, "a: x0");
    for (int i = 1; i < ALIAS_TARGETS_MAX; i++)
        buf_printf(&table, ", x%d", i);
    buf_append_char(&table, '\0');
    read_table(&r, table.data, NULL, NULL);
    check_int(buf_len(&r.told), 0);
    reading_done(&r);

    buf_truncate(&table, buf_len(&table) - 1);
    buf_append(&table, (struct slice){"\n y, z\nb: c\0", 12});
    read_table(&r, table.data, NULL, NULL);
    check_int(sources_errors(&r.sources), 1);
    check(slice_starts(buf_slice(&r.told), SLICE("t:2:2: error: too many addresses")));
    reading_done(&r);

    /* each file includes the next, ten of them: a file that is not at hand ends it */
    read_table(&r, "a: :include:/one", ":include:/two", ":include:/one");
    check_int(sources_errors(&r.sources), 1);
    reading_done(&r);
    buf_done(&table);
    buf_done(&file);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows),   cmocka_unit_test(test_faults),
        cmocka_unit_test(test_wanted), cmocka_unit_test(test_empty_include),
        cmocka_unit_test(test_bounds),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
