/*
 * received_comment_test.c - comments as Postfix, Exim, Sendmail, qmail, Courier, Gmail and Exchange
 * write them.
 */
#include "check.h"

#include "base/buf.h"
#include "wire/received_comment.h"

static const struct {
    const char *text, *read;
} rows[] = {
  /* RFC 5321 4.4 TCP-info */
    {"[192.0.2.1]",                                                                         "address=192.0.2.1;"                        },
    {"c.example [192.0.2.1]",                                                               "address=192.0.2.1;dns=c.example;"          },
    {"c.example. [IPv6:2001:DB8::0:1]",                                                     "address=2001:db8::1;dns=c.example.;"       },
 /* other ways to write it */
    {"192.0.2.1",                                                                           "address=192.0.2.1;"                        },
    {"fe80::1",                                                                             "address=fe80::1;"                          },
    {"c.example[192.0.2.1]",                                                                "address=192.0.2.1;dns=c.example;"          },
    {"<c.example>[192.0.2.1]",                                                              "address=192.0.2.1;dns=c.example;"          },
    {"[192.0.2.1]:25",                                                                      "address=192.0.2.1;"                        },
    {"192.0.2.1:25",                                                                        "address=192.0.2.1;"                        },
    {" [(192.0.2.1)]",                                                                      "address=192.0.2.1;"                        },
    {"c.example [192.0.2.1] (may be forged)",                                               "address=192.0.2.1;dns=c.example;"          },
    {"[192.0.2.1] d.example [192.0.2.2]",                                                   "address=192.0.2.1;"                        },
 /* no name in the DNS, no address */
    {"unknown [192.0.2.1]",                                                                 "address=192.0.2.1;"                        },
    {"localhost [127.0.0.1]",                                                               "address=127.0.0.1;"                        },
    {"a.b=c [192.0.2.1]",                                                                   "address=192.0.2.1;"                        },
    {"a.b/c [192.0.2.1]",                                                                   "address=192.0.2.1;"                        },
    {"c.example",                                                                           ""                                          },
    {"[?.?.?.?] [192.0.2.1.25] [fe80::1%6] [[UNIX: localhost]] [] [",                       ""                                          },
    {"1::2::3",                                                                             ""                                          },
 /* users */
    {"u@[192.0.2.1]",                                                                       "address=192.0.2.1;ident=u;"                },
    {"u@192.0.2.1",                                                                         "address=192.0.2.1;ident=u;"                },
    {"u@c.example [192.0.2.1]",                                                             "address=192.0.2.1;dns=c.example;ident=u;"  },
    {"u@c.example",                                                                         ""                                          },
    {"ident=u [192.0.2.1] IDENT=v",                                                         "address=192.0.2.1;ident=u;"                },
 /* greetings */
    {"HELO c.example",                                                                      "helo=c.example;"                           },
    {"192.0.2.1, ehlo [192.0.2.2]",                                                         "address=192.0.2.1;helo=[192.0.2.2];"       },
    {"[192.0.2.1]:25 helo=c.example",                                                       "address=192.0.2.1;helo=c.example;"         },
    {"HELO HELO c.example [192.0.2.1]",                                                     "address=192.0.2.1;dns=c.example;helo=HELO;"},
    {"EHLO ",                                                                               ""                                          },
 /* TLS */
    {"using TLSv1.3 with cipher TLS_AES_256_GCM_SHA384 (256/256 bits) key-exchange X25519",
     "version=TLSv1.3;cipher=TLS_AES_256_GCM_SHA384;"                                                                                   },
    {"version=TLS1_2, cipher=TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384",
     "version=TLSv1.2;cipher=TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384;"                                                                    },
    {"version=TLSv1/SSLv3 cipher=OTHER",                                                    "version=TLSv1.0;"                          },
    {"TLS1.1:DHE-RSA-AES256-SHA:256",                                                       "version=TLSv1.1;cipher=DHE-RSA-AES256-SHA;"},
    {"Cipher TLS-1.0:DES_CBC3_SHA",                                                         "version=TLSv1.0;cipher=DES_CBC3_SHA;"      },
    {"AUTH: LOGIN u, TLS: SSLv3, 256bits, AES256-SHA",                                      "version=SSLv3;cipher=AES256-SHA;"          },
    {"TLS1.3 TLSv1.2",                                                                      "version=TLSv1.3;"                          },
    {"TLS TLS: TLSv TLSv1. TLS1.4 TLSv2 TLS13_AES TLSv1.2x cipher A-B! 8bit A-B",           ""                                          },
    {"",                                                                                    ""                                          },
    {" ,;()\"",                                                                             ""                                          },
};

static void put(struct buf *out, const char *name, struct slice value)
{
    if (value.len > 0)
        buf_printf(out, "%s=%.*s;", name, SLICE_PRINTF(value));
}

static void reads(void **state)
{
    (void)state;
    CHECK_ROWS (i, rows) {
        struct slice text = guarded(slice_of(rows[i].text));
        struct arena arena = {0};
        struct received_comment got;
        struct buf out;

        buf_init(&out, 4096);
        received_comment_read(text, &arena, &got);
        put(&out, "address", got.address);
        put(&out, "dns", got.dns_name);
        put(&out, "helo", got.helo);
        put(&out, "ident", got.ident);
        put(&out, "version", got.tls_version);
        put(&out, "cipher", got.tls_cipher);
        check_slice(buf_slice(&out), slice_of(rows[i].read));
        buf_done(&out);
        arena_done(&arena);
        guarded_free(text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(reads)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
