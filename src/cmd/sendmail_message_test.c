/* What programs write, and what is sent. */
#include "cmd/sendmail_message.h"

#include "check.h"

static const struct {
    const char *in;
    const char *mail; /* what belongs to it */
    bool ended;
} dots[] = {
    {"hi\n.\nrest",      "hi\n",             true },
    {".\nrest",          "",                 true },
    {"hi\r\n.\r\nrest",  "hi\r\n",           true },
    {"hi\n..\n.x\n. \n", "hi\n..\n.x\n. \n", false},
    {"hi.\n",            "hi.\n",            false},
    {"hi\n.",            "hi\n.",            false},
    {".\r\r\nx",         ".\r\r\nx",         false},
    {"",                 "",                 false},
};

static void test_where_a_mail_ends(void **state)
{
    (void)state;
    CHECK_ROWS (i, dots) {
        struct dot_watch w = {0};
        bool ended;
        struct slice in = slice_of(dots[i].in);

        check_slice(slice_head(in, dot_watch_feed(&w, in, &ended)), slice_of(dots[i].mail));
        check_int(ended, dots[i].ended);
        w = (struct dot_watch){0};
        ended = false;
        for (size_t at = 0; at < in.len && !ended; at++)
            (void)dot_watch_feed(&w, slice_head(slice_skip(in, at), 1), &ended);
        check_int(ended, dots[i].ended);
    }
}

static const struct {
    const char *in, *out;
    size_t len; /* of in; 0: up to the NUL */
} repairs[] = {
    {"a\nb\n",                                     "a\r\nb\r\n",             0},
    {"a\r\nb",                                     "a\r\nb\r\n",             0},
    {"10%\r20%\rdone\n",                           "10%\r\n20%\r\ndone\r\n", 0},
    {"a\r\r\nb\n",                                 "a\r\n\r\nb\r\n",         0},
    {"a\0b\n",                                     "a?b\r\n",                4},
    {"From ann Sat Nov 28 08:00:00 2026\nTo: x\n", "To: x\r\n",              0},
    {"From: ann\n",                                "From: ann\r\n",          0},
    {"From ann",                                   "From ann\r\n",           0},
    {"",                                           "",                       0},
};

static void test_line_ends(void **state)
{
    (void)state;
    CHECK_ROWS (i, repairs) {
        struct slice in = slice_of(repairs[i].in);
        struct buf out;

        if (repairs[i].len > 0)
            in.len = repairs[i].len;
        buf_init(&out, 100);
        check(sendmail_repair(&out, in));
        check_slice(buf_slice(&out), slice_of(repairs[i].out));
        buf_done(&out);
    }
}

static const struct {
    const char *list, *people; /* people with a blank behind each; NULL: refused */
} lists[] = {
    {"ann",                            "ann@a.example "              },
    {"ann, bob@b.example",             "ann@a.example bob@b.example "},
    {"Ann <ann>, Bob <bob@b.example>", "ann@a.example bob@b.example "},
    {"team: ann, bob;",                "ann@a.example bob@a.example "},
    {"ann,ann@a.example",              "ann@a.example "              },
    {"undisclosed-recipients:;",       ""                            },
    {"|/bin/sh",                       "|/bin/sh@a.example "         },
    {"-bob@b.example",                 "-bob@b.example "             },
    {"\"a b\"",                        "\"a b\"@a.example "          },
    {"ann@",                           NULL                          },
    {"a b",                            NULL                          },
    {"<>",                             NULL                          },
    {"a\r\nRCPT TO:<x@y>",             "x@y "                        },
};

static void write_people(const struct sendmail_people *p, struct buf *out)
{
    for (unsigned i = 0; i < p->count; i++) {
        address_write(out, &p->list[i]);
        buf_append_char(out, ' ');
    }
}

static void test_people(void **state)
{
    (void)state;
    CHECK_ROWS (i, lists) {
        struct arena arena = {0};
        struct sendmail_people p = {0};
        struct buf out;
        const char *problem =
            sendmail_add_people(&p, &arena, slice_of(lists[i].list), SLICE("a.example"));

        buf_init(&out, 1000);
        check_int(problem == NULL, lists[i].people != NULL);
        if (problem == NULL) {
            write_people(&p, &out);
            check_slice(buf_slice(&out), slice_of(lists[i].people));
        }
        buf_done(&out);
        arena_done(&arena);
    }
}

static const struct {
    const char *message, *people;
    const char *wrong; /* with a bar behind each */
} headers[] = {
    {"To: ann\r\nCC: bob\r\nBcc: eve\r\nX-To: no\r\n\r\nTo: no\r\n",
     "ann@a.example bob@a.example eve@a.example ",                                                   ""     },
    {"To: ann,\r\n bob\r\n\r\n",                                     "ann@a.example bob@a.example ", ""     },
    {"To: ann\r\nResent-To: bob\r\nResent-Bcc: eve\r\n\r\n",         "bob@a.example eve@a.example ", ""     },
    {"Resent-From: ann\r\nTo: bob\r\n\r\n",                          "bob@a.example ",               ""     },
    {"no header\r\nTo: ann\r\n",                                     "",                             ""     },
    {"To: ann@, bob\r\nCc: a b, eve\r\nBcc: x@y@z\r\n\r\n",          "bob@a.example eve@a.example ",
     "ann@|a b|x@y@z|"                                                                                      },
    {"To: ann@\r\n\r\n",                                             "",                             "ann@|"},
};

static void test_recipients_of_a_header(void **state)
{
    (void)state;
    CHECK_ROWS (i, headers) {
        struct arena arena = {0};
        struct sendmail_people p = {0};
        struct buf out;

        buf_init(&out, 1000);
        check(sendmail_add_from_header(&p, &arena, slice_of(headers[i].message),
                                       SLICE("a.example")) == NULL);
        write_people(&p, &out);
        check_slice(buf_slice(&out), slice_of(headers[i].people));
        buf_clear(&out);
        for (unsigned k = 0; k < p.wrong_count; k++)
            buf_printf(&out, "%.*s|", SLICE_PRINTF(p.wrong[k]));
        check_slice(buf_slice(&out), slice_of(headers[i].wrong));
        buf_done(&out);
        arena_done(&arena);
    }
}

#define ID "Message-ID: <u@h.example>\r\n"

static const struct {
    const char *message, *name, *added;
} missing[] = {
    {"Message-ID:\r\nFrom: b\r\n\r\n",                       "",            ID                                                },
    {"Message-ID: \r\nmessage-id: <1@x>\r\nFrom: b\r\n\r\n", "",            ""                                                },
    {"Subject: x\r\n\r\nhi\r\n",                             "",            ID "From: ann@a.example\r\n"                      },
    {"Subject: x\r\n\r\nhi\r\n",                             "Ann E",       ID "From: Ann E <ann@a.example>\r\n"              },
    {"Subject: x\r\n\r\nhi\r\n",                             "E., \"Ann\"", ID "From: \"E., \\\"Ann\\\"\" <ann@a.example>\r\n"},
    {"Subject: x\r\n\r\nhi\r\n",                             "a\r\nBcc: x", ID "From: \"a??Bcc: x\" <ann@a.example>\r\n"      },
    {"from: b\r\nmessage-id: <1@x>\r\n\r\nhi\r\n",           "Ann",         ""                                                },
    {"just text\r\n",                                        "",            ID "From: ann@a.example\r\n\r\n"                  },
    {"\r\nan empty header\r\n",                              "",            ID "From: ann@a.example\r\n"                      },
    {"",                                                     "",            ID "From: ann@a.example\r\n\r\n"                  },
};

static void test_what_is_missing(void **state)
{
    (void)state;
    CHECK_ROWS (i, missing) {
        struct arena arena = {0};
        struct sendmail_people p = {0};
        struct buf out;

        (void)sendmail_add_people(&p, &arena, SLICE("ann"), SLICE("a.example"));
        struct sendmail_writer w = {p.list[0], slice_of(missing[i].name), SLICE("u"),
                                    SLICE("h.example")};
        buf_init(&out, 1000);
        check(sendmail_complete(&out, slice_of(missing[i].message), &w, &arena));
        check_slice(buf_slice(&out), slice_of(missing[i].added));
        buf_done(&out);
        arena_done(&arena);
    }
}

static void test_what_says_nothing(void **state)
{
    static const struct {
        const char *message, *sent;
    } rows[] = {
        {"To: a\r\nMessage-Id: \r\nFrom: b\r\n\r\nMessage-ID:\r\n",
         "To: a\r\nFrom: b\r\n\r\nMessage-ID:\r\n"                                                   },
        {"Message-ID: <1@x>\r\n\r\nhi\r\n",                         "Message-ID: <1@x>\r\n\r\nhi\r\n"},
        {"just text\r\n",                                           "just text\r\n"                  },
        {"",                                                        ""                               },
    };

    (void)state;
    CHECK_ROWS (i, rows) {
        struct buf out;

        buf_init(&out, 1000);
        check(sendmail_append(&out, slice_of(rows[i].message)));
        check_slice(buf_slice(&out), slice_of(rows[i].sent));
        buf_done(&out);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_where_a_mail_ends),
        cmocka_unit_test(test_line_ends),
        cmocka_unit_test(test_people),
        cmocka_unit_test(test_recipients_of_a_header),
        cmocka_unit_test(test_what_is_missing),
        cmocka_unit_test(test_what_says_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
