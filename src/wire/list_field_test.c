/*
 * list_field_test.c - rows are examples and rules of RFC 2369 and RFC 2919, by their sections.
 *
 * URLs are written as "scheme url|comment;".
 */
#include "check.h"

#include "base/buf.h"
#include "wire/list_field.h"

static const struct {
    struct slice raw, urls;
} rows[] = {
  /* 3.1 - 3.6, examples */
    {SLICE_INIT("<mailto:list@host.com?subject=help> (List Instructions)"),
     SLICE_INIT("mailto mailto:list@host.com?subject=help|List Instructions;")                                                             },
    {SLICE_INIT("<ftp://ftp.host.com/list.txt> (FTP),\r\n    <mailto:list@host.com?subject=help>"),
     SLICE_INIT("ftp ftp://ftp.host.com/list.txt|FTP;"
                "mailto mailto:list@host.com?subject=help|;")                                                                              },
    {SLICE_INIT(" (Use this command to get off the list)\r\n"
                "     <mailto:list-manager@host.com?body=unsubscribe%20list>"),
     SLICE_INIT("mailto mailto:list-manager@host.com?body=unsubscribe%20list|"
                "Use this command to get off the list;")                                                                                   },
    {SLICE_INIT("<http://www.host.com/list.cgi?cmd=unsub&lst=list>,<mailto:r@host.com>"),
     SLICE_INIT(
         "http http://www.host.com/list.cgi?cmd=unsub&lst=list|;mailto mailto:r@host.com|;")                                               },
    {SLICE_INIT("(a) <x:y> (=?utf-8?Q?b=C3=BC?=) , (c)<HTTPS:z>"),
     SLICE_INIT("x x:y|a b\xc3\xbc;https HTTPS:z|c;")                                                                                      },
 /* 2: internal whitespace is ignored; a comma is a character as others are */
    {SLICE_INIT("< http://host\r\n\t.example/a,\r\n b > , <x:y>"),
     SLICE_INIT("http http://host.example/a,b|;x x:y|;")                                                                                   },
    {SLICE_INIT("<x:a(b>, <x:(>, <x:{}|>"),                                                         SLICE_INIT("x x:a(b|;x x:(|;x x:{}||;")},
 /* 2 (1): what begins with another character is ignored */
    {SLICE_INIT("NO"),                                                                              SLICE_INIT("")                         },
    {SLICE_INIT("mailto:a@x"),                                                                      SLICE_INIT("")                         },
    {SLICE_INIT("a <mailto:a@x>"),                                                                  SLICE_INIT("")                         },
    {SLICE_INIT(", <mailto:a@x>"),                                                                  SLICE_INIT("")                         },
    {SLICE_INIT(""),                                                                                SLICE_INIT("")                         },
    {SLICE_INIT("(open <x:y>"),                                                                     SLICE_INIT("")                         },
 /* 2 (2): what follows a URL is ignored unless it is a comma */
    {SLICE_INIT("<x:1> <x:2>, <x:3>"),                                                              SLICE_INIT("x x:1|;")                  },
    {SLICE_INIT("<x:1>; <x:2>"),                                                                    SLICE_INIT("x x:1|;")                  },
    {SLICE_INIT("<x:1> (open, <x:2>"),                                                              SLICE_INIT("x x:1|;")                  },
 /* 2 (3): an item that is no URL in brackets ends the field */
    {SLICE_INIT("<x:1>, x:2, <x:3>"),                                                               SLICE_INIT("x x:1|;")                  },
    {SLICE_INIT("<x:1>,, <x:3>"),                                                                   SLICE_INIT("x x:1|;")                  },
    {SLICE_INIT("<x:1>, <x:2"),                                                                     SLICE_INIT("x x:1|;")                  },
    {SLICE_INIT("<x:1>,"),                                                                          SLICE_INIT("x x:1|;")                  },
    {SLICE_INIT("<>, <x:1>"),                                                                       SLICE_INIT("")                         },
    {SLICE_INIT("<a@x>, <x:1>"),                                                                    SLICE_INIT("")                         },
    {SLICE_INIT("<x:>"),                                                                            SLICE_INIT("")                         },
    {SLICE_INIT("<:x>"),                                                                            SLICE_INIT("")                         },
    {SLICE_INIT("<1:x>"),                                                                           SLICE_INIT("")                         },
    {SLICE_INIT("<a_b:x>"),                                                                         SLICE_INIT("")                         },
 /* no bytes that would end a link, or mean another one, where it is shown */
    {SLICE_INIT("<x:a\"b>"),                                                                        SLICE_INIT("")                         },
    {SLICE_INIT("<x:a<b>"),                                                                         SLICE_INIT("")                         },
    {SLICE_INIT("<x:\xc3\xbc>"),                                                                    SLICE_INIT("")                         },
    {SLICE_INIT("<x:\x01>"),                                                                        SLICE_INIT("")                         },
    {SLICE_INIT("<x:a\0b>"),                                                                        SLICE_INIT("")                         },
};

static void put_urls(struct buf *out, struct arena *arena, struct slice raw)
{
    struct list_urls urls;
    struct list_url url;

    list_urls_init(&urls, arena, raw);
    while (list_urls_next(&urls, &url)) {
        buf_append(out, url.scheme);
        buf_append_char(out, ' ');
        buf_append(out, url.text);
        buf_append_char(out, '|');
        buf_append(out, url.comment);
        buf_append_char(out, ';');
    }
    check(!list_urls_next(&urls, &url));
}

static void urls_are_read(void **state)
{
    (void)state;
    CHECK_ROWS (i, rows) {
        struct slice raw = guarded(rows[i].raw);
        struct arena arena = {0};
        struct buf out;

        buf_init(&out, 4096);
        put_urls(&out, &arena, raw);
        check_slice(buf_slice(&out), rows[i].urls);
        buf_done(&out);
        arena_done(&arena);
        guarded_free(raw);
    }
}

static const struct {
    struct slice raw;
    bool is_no;
    struct slice comment;
} posts[] = {
    {SLICE_INIT("NO (posting not allowed on this list)"), true,
     SLICE_INIT("posting not allowed on this list")                               },
    {SLICE_INIT(" no"),                                   true,  SLICE_INIT("")   },
    {SLICE_INIT("(a) NO\r\n (b)"),                        true,  SLICE_INIT("a b")},
    {SLICE_INIT("NOBODY"),                                false, SLICE_INIT("-")  },
    {SLICE_INIT("NO, <mailto:a@x>"),                      false, SLICE_INIT("-")  },
    {SLICE_INIT("NO (open"),                              false, SLICE_INIT("-")  },
    {SLICE_INIT("<mailto:NO>"),                           false, SLICE_INIT("-")  },
    {SLICE_INIT(""),                                      false, SLICE_INIT("-")  },
};

/* RFC 2369 3.4 */
static void no_posting(void **state)
{
    (void)state;
    CHECK_ROWS (i, posts) {
        struct slice raw = guarded(posts[i].raw), comment = SLICE("-");
        struct arena arena = {0};

        check_int(list_post_is_no(raw, &arena, &comment), posts[i].is_no);
        check_slice(comment, posts[i].comment);
        arena_done(&arena);
        guarded_free(raw);
    }
}

#define X15(s)  s s s s s s s s s s s s s s s
#define X255(s) X15(s s s s s s s s s s s s s s s s s)

/* id "-": there is none. */
static const struct {
    struct slice raw, id, description;
} ids[] = {
  /* RFC 2919 3, examples */
    {SLICE_INIT("List Header Mailing List <list-header.nisto.com>"),
     SLICE_INIT("list-header.nisto.com"),                                                                                              SLICE_INIT("List Header Mailing List") },
    {SLICE_INIT("<commonspace-users.list-id.within.com>"),
     SLICE_INIT("commonspace-users.list-id.within.com"),                                                                               SLICE_INIT("")                         },
    {SLICE_INIT("\"Lena's Personal Joke List\"\r\n         <lenas-jokes.da39.021999.localhost>"),
     SLICE_INIT("lenas-jokes.da39.021999.localhost"),                                                                                  SLICE_INIT("Lena's Personal Joke List")},
 /* 3: any encoded strings or other legal phrase components */
    {SLICE_INIT("=?utf-8?Q?J=C3=BCrgens?= \"<no.list>\" (<no.list>) <a.b>"),                      SLICE_INIT("a.b"),
     SLICE_INIT("J\xc3\xbcrgens <no.list>")                                                                                                                                   },
 /* 3: whitespace within the brackets is ignored; 6: so is case */
    {SLICE_INIT("< Some-List .Example.\r\n Com >"),                                               SLICE_INIT("some-list.example.com"),
     SLICE_INIT("")                                                                                                                                                           },
    {SLICE_INIT("<j\xc3\xbc.x> other <c.d>"),                                                     SLICE_INIT("j\xc3\xbc.x"),           SLICE_INIT("")                         },
 /* 2: list-label "." list-id-namespace, at most 255 octets */
    {SLICE_INIT("<list>"),                                                                        SLICE_INIT("-"),                     SLICE_INIT("-")                        },
    {SLICE_INIT("<>"),                                                                            SLICE_INIT("-"),                     SLICE_INIT("-")                        },
    {SLICE_INIT("<a..b>"),                                                                        SLICE_INIT("-"),                     SLICE_INIT("-")                        },
    {SLICE_INIT("<a.b.>"),                                                                        SLICE_INIT("-"),                     SLICE_INIT("-")                        },
    {SLICE_INIT("<a@b.c>"),                                                                       SLICE_INIT("-"),                     SLICE_INIT("-")                        },
    {SLICE_INIT("<a.(b)c>"),                                                                      SLICE_INIT("-"),                     SLICE_INIT("-")                        },
    {SLICE_INIT("<a.\xff>"),                                                                      SLICE_INIT("-"),                     SLICE_INIT("-")                        },
    {SLICE_INIT("<a.b\0>"),                                                                       SLICE_INIT("-"),                     SLICE_INIT("-")                        },
    {SLICE_INIT("<.b." X255("a") ">"),                                                            SLICE_INIT("-"),                     SLICE_INIT("-")                        },
    {SLICE_INIT("<a.b." X255("a") ">"),                                                           SLICE_INIT("-"),                     SLICE_INIT("-")                        },
    {SLICE_INIT("a.b"),                                                                           SLICE_INIT("-"),                     SLICE_INIT("-")                        },
    {SLICE_INIT("<a.b"),                                                                          SLICE_INIT("-"),                     SLICE_INIT("-")                        },
    {SLICE_INIT("\"open <a.b>"),                                                                  SLICE_INIT("-"),                     SLICE_INIT("-")                        },
    {SLICE_INIT(""),                                                                              SLICE_INIT("-"),                     SLICE_INIT("-")                        },
};

static void ids_are_read(void **state)
{
    (void)state;
    CHECK_ROWS (i, ids) {
        struct slice raw = guarded(ids[i].raw);
        struct list_id id = {SLICE("-"), SLICE("-")};
        struct arena arena = {0};

        check_int(list_id_parse(raw, &arena, &id), !slice_equal(ids[i].id, SLICE("-")));
        check_slice(id.id, ids[i].id);
        check_slice(id.description, ids[i].description);
        arena_done(&arena);
        guarded_free(raw);
    }
}

/* A megabyte of what might be looked through, or copied, again and again; if it were, neither time
 * nor memory would suffice. */
static void long_values(void **state)
{
    static const struct slice units[] = {
        SLICE_INIT("<x:y>,"), SLICE_INIT("<x:y>"), SLICE_INIT("<"),    SLICE_INIT("("),
        SLICE_INIT("()"),     SLICE_INIT("\""),    SLICE_INIT("\"\""), SLICE_INIT("<x:y>(),"),
        SLICE_INIT("<x:y>("), SLICE_INIT("a."),    SLICE_INIT("a "),   SLICE_INIT("\r\n "),
    };

    enum { LONG = 1 << 20 };

    (void)state;
    CHECK_ROWS (i, units) {
        struct arena arena = {0};
        struct slice comment;
        struct list_id id;
        struct buf value, out;

        buf_init(&value, LONG);
        buf_init(&out, 2 * LONG);
        while (buf_append(&value, units[i]))
            ;
        put_urls(&out, &arena, buf_slice(&value));
        check(!list_post_is_no(buf_slice(&value), &arena, &comment));
        check(!list_id_parse(buf_slice(&value), &arena, &id));
        buf_done(&out);
        buf_done(&value);
        arena_done(&arena);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(urls_are_read),
                                       cmocka_unit_test(no_posting), cmocka_unit_test(ids_are_read),
                                       cmocka_unit_test(long_values)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
