/*
 * message_id_test.c - rows are sentences and examples of RFC 5322 3.6.4, 4.5.4 and appendix A, and
 * what programs write instead.
 *
 * What was read is written as "id;", with "?" in front when it is not regular.
 */
#include "check.h"

#include "base/buf.h"
#include "wire/message_id.h"

#define X16(s)  s s s s s s s s s s s s s s s s
#define X996(s) X16(X16(s) X16(s) X16(s)) X16(s s s s s s s s s s s s s s) s s s s

static const struct {
    struct slice raw, ids;
} rows[] = {
    {SLICE_INIT(""),                                                 SLICE_INIT("")                              },
    {SLICE_INIT(" <1234@local.machine.example>"),                    SLICE_INIT("1234@local.machine.example;")   },
    {SLICE_INIT("<1234@a.example>\r\n <3456@b.example>"),
     SLICE_INIT("1234@a.example;3456@b.example;")                                                                },
    {SLICE_INIT("<a@x><b@x>"),                                       SLICE_INIT("a@x;b@x;")                      },
    {SLICE_INIT("<a@[192.0.2.1]> <b@[no:address!]>"),                SLICE_INIT("a@[192.0.2.1];b@[no:address!];")},
    {SLICE_INIT("<j\xc3\xbc@b\xc3\xbc>"),                            SLICE_INIT("j\xc3\xbc@b\xc3\xbc;")          },
 /* case is part of it */
    {SLICE_INIT("<A@X> <a@x>"),                                      SLICE_INIT("A@X;a@x;")                      },
 /* 4.5.4: CFWS within the brackets is no part of it; the sides are a local-part and a domain */
    {SLICE_INIT("<1234   @   local(blah)  .machine .example>"),
     SLICE_INIT("1234@local.machine.example;")                                                                   },
    {SLICE_INIT("< (a) a . b (>) @\r\n [ 192.0 .2.1 ] (c) >"),       SLICE_INIT("a.b@[192.0.2.1];")              },
    {SLICE_INIT("<\"a\".\"b\"@x> <\"a>\\\"b\"@x>"),                  SLICE_INIT("a.b@x;\"a>\\\"b\"@x;")          },
    {SLICE_INIT("<\"\"@x>"),                                         SLICE_INIT("\"\"@x;")                       },
 /* 4.5.4: phrases are ignored, and with them what looks like an identifier in their quotes */
    {SLICE_INIT("Your message of \"Mon, 1 <no@x>\" <a@x> (<no@x>)"), SLICE_INIT("a@x;")                          },
    {SLICE_INIT("joe@example.org's letter <a@x> b@x"),               SLICE_INIT("a@x;")                          },
    {SLICE_INIT("<a@x>,<b@x>; <c@x>"),                               SLICE_INIT("a@x;b@x;c@x;")                  },
 /* what is no identifier by the grammar is one all the same */
    {SLICE_INIT("<a@b@c> <none> <a..b@x> <a@x.> < a b@x >"),
     SLICE_INIT("?a@b@c;?none;?a..b@x;?a@x.;?a b@x;")                                                            },
    {SLICE_INIT("<a:b@x> <@x> <a@> <a@[x> <a@[\\x]> <a@[x]y>"),
     SLICE_INIT("?a:b@x;?@x;?a@;?a@[x;?a@[\\x];?a@[x]y;")                                                        },
    {SLICE_INIT("<\"\t\"@x> <a\xff@x> <a\0@x>"),                     SLICE_INIT("?\"\t\"@x;?a\xff@x;?a\0@x;")    },
    {SLICE_INIT("<> < > <a@x>"),                                     SLICE_INIT("a@x;")                          },
 /* what never ends is none, and hides nothing */
    {SLICE_INIT("<a@x> <b@x"),                                       SLICE_INIT("a@x;")                          },
    {SLICE_INIT("<a@x <b@x> <c(d@x> \"<e@x>"),                       SLICE_INIT("b@x;?c(d@x;e@x;")               },
    {SLICE_INIT("Your \"message <a@x> (<b@x>"),                      SLICE_INIT("a@x;b@x;")                      },
    {SLICE_INIT("<\"a@x> <b@x>"),                                    SLICE_INIT("?\"a@x;b@x;")                   },
    {SLICE_INIT("<"),                                                SLICE_INIT("")                              },
    {SLICE_INIT("<a@(x>"),                                           SLICE_INIT("?a@(x;")                        },
 /* without brackets only a whole value, and one that looks like it */
    {SLICE_INIT("   malformed2@id.machine.example \t  "),
     SLICE_INIT("?malformed2@id.machine.example;")                                                               },
    {SLICE_INIT("a @ x (b)"),                                        SLICE_INIT("?a@x;")                         },
    {SLICE_INIT("a@x b@x"),                                          SLICE_INIT("")                              },
    {SLICE_INIT("none"),                                             SLICE_INIT("")                              },
 /* no longer than a line */
    {SLICE_INIT("<" X996("a") "> <" X996("b") "b>"),                 SLICE_INIT("?" X996("a") ";")               },
};

static void put_ids(struct buf *out, struct arena *arena, struct slice raw)
{
    struct message_id_list list;
    struct message_id id;

    message_id_list_init(&list, arena, raw);
    while (message_id_next(&list, &id)) {
        buf_append(out, id.regular ? SLICE("") : SLICE("?"));
        buf_append(out, id.text);
        buf_append_char(out, ';');
    }
    check(!message_id_next(&list, &id));
}

static void reads(void **state)
{
    (void)state;
    CHECK_ROWS (i, rows) {
        struct slice raw = guarded(rows[i].raw);
        struct arena arena = {0};
        struct buf out;

        buf_init(&out, 4096);
        put_ids(&out, &arena, raw);
        check_slice(buf_slice(&out), rows[i].ids);
        buf_done(&out);
        arena_done(&arena);
        guarded_free(raw);
    }
}

/* A megabyte of what might be looked through again and again; if it were, this would not end. */
static void long_values(void **state)
{
    static const struct slice units[] = {
        SLICE_INIT("<"),   SLICE_INIT("("),     SLICE_INIT("\""),   SLICE_INIT("<("),
        SLICE_INIT("<\""), SLICE_INIT("<a@x>"), SLICE_INIT("<a<"),  SLICE_INIT("<(>"),
        SLICE_INIT("()"),  SLICE_INIT("a@"),    SLICE_INIT("(<)>"), SLICE_INIT("\\"),
        SLICE_INIT("<[>"), SLICE_INIT("\"\""),  SLICE_INIT("a."),   SLICE_INIT("\r\n "),
    };

    enum { LONG = 1 << 20 };

    (void)state;
    CHECK_ROWS (i, units) {
        struct arena arena = {0};
        struct buf value, out;

        buf_init(&value, LONG);
        buf_init(&out, 2 * LONG);
        while (buf_append(&value, units[i]))
            ;
        put_ids(&out, &arena, buf_slice(&value));
        check(buf_len(&out) <= LONG);
        buf_done(&out);
        buf_done(&value);
        arena_done(&arena);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(reads), cmocka_unit_test(long_values)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
