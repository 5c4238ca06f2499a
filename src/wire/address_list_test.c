/*
 * address_list_test.c - rows are sentences and examples of RFC 5322 3.4, 4.4 and appendix A.
 *
 * What was read is written as "name|address|comment", groups as "name{...}", what is broken as "!".
 */
#include "check.h"

#include "wire/address_list.h"

static const struct {
    struct slice raw, entries;
    bool irregular;
} rows[] = {
    {SLICE_INIT(""),                                                               SLICE_INIT(""),                       false},
    {SLICE_INIT("joe@example.org"),                                                SLICE_INIT("|joe@example.org|;"),     false},
    {SLICE_INIT("\"Joe Q. \\\"P\\\"\" <Joe@Example.ORG>"),
     SLICE_INIT("Joe Q. \"P\"|Joe@example.org|;"),                                                                       false},
    {SLICE_INIT("Mary <m@x.test>, j@y.test, Who? <one@z.test>"),
     SLICE_INIT("Mary|m@x.test|;|j@y.test|;Who?|one@z.test|;"),                                                          false},
    {SLICE_INIT("\"a, b: c; <d>\" <e@x>"),                                         SLICE_INIT("a, b: c; <d>|e@x|;"),     false},
    {SLICE_INIT("\"a@b\"@x"),                                                      SLICE_INIT("|\"a@b\"@x|;"),           false},
    {SLICE_INIT("a@[192.0.2.1], b@[IPv6:2001:DB8::1]"),
     SLICE_INIT("|a@[192.0.2.1]|;|b@[IPv6:2001:db8::1]|;"),                                                              false},
 /* comments and folds, appendix A.5 */
    {SLICE_INIT("Pete(A nice \\) chap) <pete(his account)@silly.test(his host)>"),
     SLICE_INIT("Pete|pete@silly.test|A nice ) chap his account his host;"),                                             false},
    {SLICE_INIT("joe@x (Joe\r\n (the) Man)"),                                      SLICE_INIT("|joe@x|Joe (the) Man;"),  false},
 /* groups */
    {SLICE_INIT("Nobody:;"),                                                       SLICE_INIT("Nobody{}"),               false},
    {SLICE_INIT("Nobody (x) : (y) ;"),                                             SLICE_INIT("Nobody{}"),               false},
    {SLICE_INIT("G:a@x,B <b@x>;,c@x"),                                             SLICE_INIT("G{|a@x|;B|b@x|;}|c@x|;"), false},
    {SLICE_INIT("G:a@x"),                                                          SLICE_INIT("G{|a@x|;}"),              true },
    {SLICE_INIT("G:H:a@x;"),                                                       SLICE_INIT("G{!|a@x|;}"),             true },
    {SLICE_INIT("a@x; b@x"),                                                       SLICE_INIT("|a@x|;|b@x|;"),           true },
 /* 4.4: routes, blanks between words, empty elements */
    {SLICE_INIT("M <@node.test,@b:m@x>, , j . k@test  . example,"),
     SLICE_INIT("M|m@x|;|j.k@test.example|;"),                                                                           false},
    {SLICE_INIT("Joe Q. Public <j@x>"),                                            SLICE_INIT("Joe Q. Public|j@x|;"),    false},
    {SLICE_INIT("\"a\".b.\"c d\"@x"),                                              SLICE_INIT("|\"a.b.c d\"@x|;"),       false},
 /* RFC 2047 in phrases and comments, not in quotes; RFC 6532 */
    {SLICE_INIT("=?iso-8859-1?Q?a=E9?=\r\n =?utf-8?Q?_b?= <c@x> (=?utf-8?Q?d?=)"),
     SLICE_INIT("a\xc3\xa9 b|c@x|d;"),                                                                                   false},
    {SLICE_INIT("\"=?utf-8?Q?a?=\" <c@x>"),                                        SLICE_INIT("=?utf-8?Q?a?=|c@x|;"),    false},
    {SLICE_INIT("=?utf-8?Q?=3Cevil=40y=3E=2C?= <c@x>"),                            SLICE_INIT("<evil@y>,|c@x|;"),        false},
    {SLICE_INIT("J\xc3\xbcrgen <j\xc3\xbc@b\xc3\xbc"
                "cher.example>"),
     SLICE_INIT("J\xc3\xbcrgen|j\xc3\xbc@b\xc3\xbc"
                "cher.example|;"),
     false                                                                                                                    },
 /* what is not allowed costs its own element only, and is told */
    {SLICE_INIT("p@x <q@y>"),                                                      SLICE_INIT("p@x|q@y|;"),              true },
    {SLICE_INIT("<q@y> p@x"),                                                      SLICE_INIT("|q@y|;"),                 true },
    {SLICE_INIT("<q@y> <p@x>, r@x"),                                               SLICE_INIT("!|r@x|;"),                true },
    {SLICE_INIT("postmaster, a@x"),                                                SLICE_INIT("!|a@x|;"),                true },
    {SLICE_INIT("a@b@c, d@x"),                                                     SLICE_INIT("!|d@x|;"),                true },
    {SLICE_INIT("<>, d@x"),                                                        SLICE_INIT("!|d@x|;"),                true },
    {SLICE_INIT("<mailto:a@x>, d@x"),                                              SLICE_INIT("!|d@x|;"),                true },
    {SLICE_INIT("a@x\0y, b@x"),                                                    SLICE_INIT("!|b@x|;"),                true },
    {SLICE_INIT("\"open <a@x>, b@x"),                                              SLICE_INIT("!"),                      true },
    {SLICE_INIT("(open <a@x>, b@x"),                                               SLICE_INIT("!"),                      true },
    {SLICE_INIT("a@x, <b@x"),                                                      SLICE_INIT("|a@x|;!"),                true },
};

static void put_entry(struct buf *out, struct arena *arena, const struct list_entry *e)
{
    switch (e->kind) {
    case ENTRY_MAILBOX:
        buf_append(out, e->name);
        buf_append_char(out, '|');
        buf_append(out, address_text(arena, &e->address));
        buf_append_char(out, '|');
        buf_append(out, e->comment);
        buf_append_char(out, ';');
        break;
    case ENTRY_GROUP:
        buf_append(out, e->name);
        buf_append_char(out, '{');
        break;
    case ENTRY_GROUP_END: buf_append_char(out, '}'); break;
    case ENTRY_BROKEN: buf_append_char(out, '!'); break;
    }
}

static void reads(void **state)
{
    (void)state;
    CHECK_ROWS (i, rows) {
        struct slice raw = guarded(rows[i].raw);
        struct arena arena = {0};
        struct address_list list;
        struct list_entry entry;
        struct buf out;

        buf_init(&out, 4096);
        address_list_init(&list, &arena, raw);
        while (address_list_next(&list, &entry))
            put_entry(&out, &arena, &entry);
        check_slice(buf_slice(&out), rows[i].entries);
        check_int(list.irregular, rows[i].irregular);
        buf_done(&out);
        arena_done(&arena);
        guarded_free(raw);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(reads)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
