/*
 * account_edit_test.c - one row, one edit of a passwd-file.
 */
#include "mail/account_edit.h"

#include "check.h"

static const struct {
    enum account_change change;
    const char *name, *before;
    enum account_edited result;
    const char *after;
} rows[] = {
    {ACCOUNT_ADD,      "ann@example.org",     "",                                                                 ACCOUNT_EDITED,
     "ann@example.org:{P}p::::::postroad_scram={S}k\n"                                                                                                                                                                     },
    {ACCOUNT_ADD,      "ann",                 "# c\n\nbob:x",                                                     ACCOUNT_EDITED,
     "# c\n\nbob:x\nann:{P}p::::::postroad_scram={S}k\n"                                                                                                                                                                   },
    {ACCOUNT_ADD,      "ann",                 "bob:x\r\n",                                                        ACCOUNT_EDITED,
     "bob:x\r\nann:{P}p::::::postroad_scram={S}k\r\n"                                                                                                                                                                      },
    {ACCOUNT_ADD,      "Ann@EXAMPLE.org",     "ann@example.org\n",                                                ACCOUNT_EXISTS,   ""                                                                                     },
 /* a bare name is another account */
    {ACCOUNT_ADD,      "ann",                 "ann@example.org\n",                                                ACCOUNT_EDITED,
     "ann@example.org\nann:{P}p::::::postroad_scram={S}k\n"                                                                                                                                                                },
    {ACCOUNT_ADD,      "",                    "",                                                                 ACCOUNT_BAD_NAME, ""                                                                                     },
    {ACCOUNT_ADD,      "ann bob",             "",                                                                 ACCOUNT_BAD_NAME, ""                                                                                     },
    {ACCOUNT_ADD,      "ann\nroot",           "",                                                                 ACCOUNT_BAD_NAME, ""                                                                                     },
    {ACCOUNT_ADD,      "ann@",                "",                                                                 ACCOUNT_BAD_NAME, ""                                                                                     },
    {ACCOUNT_ADD,      "\"a:b\"@example.org", "",                                                                 ACCOUNT_BAD_NAME, ""                                                                                     },
    {ACCOUNT_ADD,      "#ann",                "",                                                                 ACCOUNT_BAD_NAME, ""                                                                                     },
 /* comments, spaces, line ends and others' lines stay */
    {ACCOUNT_PASSWORD, "bob",                 "\xef\xbb\xbf# c \r\nbob:old:1:2:Bob B.:/h:/s:a=b:c  d\r\n\r\neve",
     ACCOUNT_EDITED,                                                                                                                "\xef\xbb\xbf# c \r\nbob:{P}p:1:2:Bob B.:/h:/s:a=b:c  d postroad_scram={S}k\r\n\r\neve"},
    {ACCOUNT_PASSWORD, "bob",                 "bob:old::::::postroad_scram={S}old nologin\n",                     ACCOUNT_EDITED,
     "bob:{P}p::::::nologin postroad_scram={S}k\n"                                                                                                                                                                         },
    {ACCOUNT_PASSWORD, "bob",                 "bob",                                                              ACCOUNT_EDITED,   "bob:{P}p::::::postroad_scram={S}k"                                                    },
    {ACCOUNT_PASSWORD, "bob",                 "bob:x:1\n",                                                        ACCOUNT_EDITED,   "bob:{P}p:1:::::postroad_scram={S}k\n"                                                 },
    {ACCOUNT_PASSWORD, "bob",                 "#bob:x\n",                                                         ACCOUNT_MISSING,  ""                                                                                     },
    {ACCOUNT_PASSWORD,
     "Bob@B\xc3\xbc"
     "cher.example",                          "bob@xn--bcher-kva.example:x\n",                                    ACCOUNT_EDITED,
     "bob@xn--bcher-kva.example:{P}p::::::postroad_scram={S}k\n"                                                                                                                                                           },
    {ACCOUNT_DISABLE,  "bob",                 "bob:x",                                                            ACCOUNT_EDITED,   "bob:x::::::nologin"                                                                   },
    {ACCOUNT_DISABLE,  "bob",                 "bob:x:::::::\n",                                                   ACCOUNT_EDITED,   "bob:x::::::: nologin\n"                                                               },
    {ACCOUNT_DISABLE,  "bob",                 "bob:x::::::a=b\n",                                                 ACCOUNT_EDITED,   "bob:x::::::a=b nologin\n"                                                             },
    {ACCOUNT_DISABLE,  "bob",                 "bob:x::::::nologin=y a\n",                                         ACCOUNT_SAME,     "bob:x::::::nologin=y a\n"                                                             },
    {ACCOUNT_DISABLE,  "ann",                 "bob:x\n",                                                          ACCOUNT_MISSING,  ""                                                                                     },
    {ACCOUNT_ENABLE,   "bob",                 "bob:x::::::nologin\n",                                             ACCOUNT_EDITED,   "bob:x::::::\n"                                                                        },
    {ACCOUNT_ENABLE,   "bob",                 "bob:x::::::a nologin=x b  c\n",                                    ACCOUNT_EDITED,   "bob:x::::::a b  c\n"                                                                  },
    {ACCOUNT_ENABLE,   "bob",                 "bob:x::::::nologin nologin b\n",                                   ACCOUNT_EDITED,   "bob:x::::::b\n"                                                                       },
    {ACCOUNT_ENABLE,   "bob",                 "bob:x::::::a nologin\n",                                           ACCOUNT_EDITED,   "bob:x::::::a\n"                                                                       },
    {ACCOUNT_ENABLE,   "bob",                 "bob:x::::::nologins\n",                                            ACCOUNT_SAME,     "bob:x::::::nologins\n"                                                                },
    {ACCOUNT_DELETE,   "bob",                 "ann\nbob:x\r\neve\n",                                              ACCOUNT_EDITED,   "ann\neve\n"                                                                           },
    {ACCOUNT_DELETE,   "bob",                 "ann\nbob:x",                                                       ACCOUNT_EDITED,   "ann\n"                                                                                },
    {ACCOUNT_DELETE,   "bob",                 "bob@example.org\n",                                                ACCOUNT_MISSING,  ""                                                                                     },
};

static enum account_edited edit(size_t i, struct buf *out)
{
    struct slice text = guarded(slice_of(rows[i].before));
    const struct account_edit e = {rows[i].change, slice_of(rows[i].name), SLICE("{P}p"),
                                   SLICE("{S}k")};
    enum account_edited result = account_edit(text, &e, out);

    guarded_free(text);
    return result;
}

static void test_rows(void **state)
{
    (void)state;
    CHECK_ROWS (i, rows) {
        struct buf out;

        buf_init(&out, 1024);
        check_int(edit(i, &out), rows[i].result);
        check_slice(buf_slice(&out), slice_of(rows[i].after));
        buf_done(&out);
    }
}

/* However little room there is: never a cut text that is called whole. */
static void test_full(void **state)
{
    (void)state;
    CHECK_ROWS (i, rows) {
        for (size_t room = 0; room < slice_of(rows[i].after).len; room++) {
            struct buf out;

            buf_init(&out, room);
            check_int(edit(i, &out), ACCOUNT_TOO_LONG);
            buf_done(&out);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows),
        cmocka_unit_test(test_full),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
