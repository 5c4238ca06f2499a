/*
 * content_type_test.c - Content-Type and Content-Disposition, as people and programs write them.
 */
#include "check.h"

#include "base/buf.h"
#include "wire/content_type.h"

static const struct {
    const char *raw;
    const char *read; /* "type/subtype;name=value[language]", NULL: none */
} rows[] = {
    {"text/plain",                                       "text/plain"                                      },
    {"TEXT/Plain; Charset=UTF-8",                        "text/plain;charset=UTF-8"                        },
    {"text/plain; charset=\"us-ascii\"",                 "text/plain;charset=us-ascii"                     },
    {" (a) text (b(c)\\)) / (d) plain ; (e) x = (f) y",  "text/plain;x=y"                                  },
    {"multipart/mixed;\r\n boundary=\"a\r\n b;c\\\"d\"", "multipart/mixed;boundary=a b;c\"d"               },
    {"attachment",                                       "attachment/"                                     },
    {"a/b; =x; ; y; z=1",                                "a/b;z=1"                                         },
    {"a/b; x=1; x=2",                                    "a/b;x=1"                                         },
 /* RFC 2231 3: pieces in the order of their numbers */
    {"a/b; t*1=two; t*0=one; t*2=\"three\"",             "a/b;t=onetwothree"                               },
 /* RFC 2231 4: language and percent form */
    {"a/b; t*=us-ascii'en-us'This%20is%20%2A%2A%2Afun",  "a/b;t=This is ***fun[en-us]"                     },
    {"a/b; t*0*=iso-8859-1'de'%FCber; t*1=all",          "a/b;t=\xc3\xbc"
                                                "berall[de]"},
    {"a/b; t*=utf-8''%zz%",                              "a/b;t=%zz%"                                      },
    {"a/b; t*=\"unknown-set'x'%ff\"",                    "a/b;t=\xff[x]"                                   },
    {"a/b; n=\"=?utf-8?q?=C3=BC?=.png\"",                "a/b;n=\xc3\xbc.png"                              },
    {"a/b; n=\"=?utf-8?q?a?= =?utf-8?q?b?= c\"",         "a/b;n=ab c"                                      },
    {"a/b; n=\"=?broken\"",                              "a/b;n==?broken"                                  },
    {"a/b; n=\"no end",                                  "a/b;n=no end"                                    },
    {"",                                                 NULL                                              },
    {" ; a=b",                                           NULL                                              },
    {"/plain",                                           NULL                                              },
    {"((((((",                                           NULL                                              },
};

static void types_are_read(void **state)
{
    (void)state;
    CHECK_ROWS (i, rows) {
        struct slice raw = guarded(slice_of(rows[i].raw));
        struct arena arena = {0};
        struct content_type t;
        struct buf read;

        buf_init(&read, 4096);
        bool good = content_type_parse(raw, &arena, &t);
        check_int(good, rows[i].read != NULL);
        if (good)
            buf_printf(&read, "%.*s/%.*s", SLICE_PRINTF(t.type), SLICE_PRINTF(t.subtype));
        for (unsigned k = 0; good && k < t.param_count; k++) {
            buf_printf(&read, ";%.*s=%.*s", SLICE_PRINTF(t.params[k].name),
                       SLICE_PRINTF(t.params[k].value));
            if (t.params[k].language.len > 0)
                buf_printf(&read, "[%.*s]", SLICE_PRINTF(t.params[k].language));
        }
        if (good)
            check_slice(buf_slice(&read), slice_of(rows[i].read));
        buf_done(&read);
        arena_done(&arena);
        guarded_free(raw);
    }
}

static void parameters_are_bounded(void **state)
{
    struct arena arena = {0};
    struct content_type t;
    struct buf raw;

    (void)state;
    buf_init(&raw, 1 << 20);
    buf_printf(&raw, "a/b");
    for (unsigned i = 0; i < 1000; i++)
        buf_printf(&raw, "; p%u=%u", i, i);
    check(content_type_parse(buf_slice(&raw), &arena, &t));
    check_int(t.param_count, CONTENT_PARAMS_MAX);
    check(content_type_param(&t, SLICE("p7")) != NULL);
    check(content_type_param(&t, SLICE("p999")) == NULL);
    check(content_type_is(&t, SLICE("a"), SLICE("")) &&
          !content_type_is(&t, SLICE("a"), SLICE("c")));
    buf_done(&raw);
    arena_done(&arena);
}

/* A megabyte of what might be looked through, or copied, again and again; if it were, neither time
 * nor memory would suffice. */
static void long_values(void **state)
{
    static const struct {
        struct slice begin, unit;
    } values[] = {
        {SLICE_INIT("a/b;"),      SLICE_INIT("x=\"\";")       },
        {SLICE_INIT("a/b;x=\"="), SLICE_INIT(" ")             },
        {SLICE_INIT("a/b;x=\"="), SLICE_INIT("=?")            },
        {SLICE_INIT("a/b;x=\"="), SLICE_INIT("=?utf-8?q?a?= ")},
        {SLICE_INIT("a/b;x=\""),  SLICE_INIT("\\")            },
        {SLICE_INIT("a/b"),       SLICE_INIT("(")             },
        {SLICE_INIT("a/b"),       SLICE_INIT("()")            },
        {SLICE_INIT("a/b"),       SLICE_INIT("\"")            },
    };

    enum { LONG = 1 << 20 };

    (void)state;
    CHECK_ROWS (i, values) {
        struct arena arena = {0};
        struct content_type t;
        struct buf raw;

        buf_init(&raw, LONG);
        buf_append(&raw, values[i].begin);
        while (buf_append(&raw, values[i].unit))
            ;
        check(content_type_parse(buf_slice(&raw), &arena, &t));
        buf_done(&raw);
        arena_done(&arena);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(types_are_read),
        cmocka_unit_test(parameters_are_bounded),
        cmocka_unit_test(long_values),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
