/*
 * received_test.c - rows are sentences of RFC 5321 4.4, RFC 5322 3.6.7 and the RFCs of the
 * registered clauses, examples of theirs, and what servers write.
 *
 * What was read is written as "name=value;" for each thing that was told.
 */
#include "check.h"

#include "base/buf.h"
#include "wire/date.h"
#include "wire/received.h"

/* hop NULL: there is none. */
static const struct {
    struct slice raw;
    const char *hop;
} rows[] = {
  /* RFC 5321 appendix D */
    {SLICE_INIT(" from bar.com by foo.com ; Thu, 21 May 1998\r\n     05:33:29 -0700"),
     "from=bar.com;by=foo.com;Thu, 21 May 1998 05:33:29 -0700"                                                                            },
 /* every clause; names of clauses without case */
    {SLICE_INIT("FROM a.example (c.example [192.0.2.1]) BY b.example VIA tcp WITH esmtp\r\n"
                "\tID x1 FOR <u@d.example> TLS TLS_AES_256_GCM_SHA384 GROUP x25519\r\n"
                "\tSTATE held PRIORITY -2; 1 Jan 2024 00:00:00 +0100"),
     "from=a.example;by=b.example;via=tcp;with=esmtp;id=x1;for=u@d.example;"
     "tls=TLS_AES_256_GCM_SHA384;group=x25519;state=held;priority=-2;rcpt=u@d.example;"
     "address=192.0.2.1;dns=c.example;cipher=TLS_AES_256_GCM_SHA384;Mon, 1 Jan 2024 00:00:00 "
     "+0100"                                                                                                                              },
 /* Extended-Domain: literals */
    {SLICE_INIT(
         "from [IPv6:2001:db8::1] ([IPv6:2001:DB8:0::2]) by [192.0.2.1]; 1 Jan 2024 00:00 Z"),
     "from=[IPv6:2001:db8::1];by=[192.0.2.1];address=2001:db8::2;Mon, 1 Jan 2024 00:00:00 +0000"                                          },
 /* ID = Atom / msg-id; an atom holds more than letters */
    {SLICE_INIT("by b id <a.b@c> ; x"),                                                              "by=b;id=a.b@c;"                     },
    {SLICE_INIT("by b id EE/20-3_{}"),                                                               "by=b;id=EE/20-3_{};"                },
 /* For = Path / Mailbox; a local part alone is none */
    {SLICE_INIT("by b for <@r1,@r2:\"a b\"@D.example>"),
     "by=b;for=@r1,@r2:\"a b\"@D.example;rcpt=\"a b\"@d.example;"                                                                         },
    {SLICE_INIT("by b for \"a; b\"@[192.0.2.1]"),
     "by=b;for=\"a; b\"@[192.0.2.1];rcpt=\"a; b\"@[192.0.2.1];"                                                                           },
    {SLICE_INIT("by b for u@d, id 1"),                                                               "by=b;id=1;for=u@d;rcpt=u@d;"        },
    {SLICE_INIT("by b for <u>"),                                                                     "by=b;for=u;"                        },
    {SLICE_INIT("by b for <>"),                                                                      "by=b;"                              },
    {SLICE_INIT("by b for [x]"),                                                                     "by=b;for=[x];"                      },
    {SLICE_INIT("by b\xc3\xbc"
                "cher.example for <j\xc3\xbc@b\xc3\xbc"
                "cher.example>"),
     "by=b\xc3\xbc"
     "cher.example;for=j\xc3\xbc@b\xc3\xbc"
     "cher.example;rcpt=j\xc3\xbc@b\xc3\xbc"
     "cher.example;"                                                                                                                      },
 /* comments between any two tokens, with clauses in them that are none */
    {SLICE_INIT("(by x) from (with (y)) a (id \\) z) by b;(c) 1 Jan 2024 (d) 00:00:00 +0000 (UTC)"),
     "from=a;by=b;Mon, 1 Jan 2024 00:00:00 +0000"                                                                                         },
    {SLICE_INIT("from a(192.0.2.1)by b"),                                                            "from=a;by=b;address=192.0.2.1;"     },
 /* clauses in another order; the first of two */
    {SLICE_INIT("from a with SMTP by b id 1 by c id 2 with LMTP; x"),
     "from=a;by=b;with=SMTP;id=1;"                                                                                                        },
    {SLICE_INIT("from a ([192.0.2.1]) from b ([192.0.2.2] helo=c) by d"),
     "from=a;by=d;address=192.0.2.1;"                                                                                                     },
 /* with: the registered protocol among the words of a product */
    {SLICE_INIT("by b with Some SMTP Server (1.0) id 1"),                                            "by=b;with=SMTP;id=1;"               },
    {SLICE_INIT("by b with UTF8SMTPSA ESMTP"),                                                       "by=b;with=UTF8SMTPSA;"              },
    {SLICE_INIT("by b with Internet Mail"),                                                          "by=b;with=Internet;"                },
 /* words that belong to no clause */
    {SLICE_INIT("hello from a named x by <b>, ] ) > id 1"),                                          "from=a;by=b;id=1;"                  },
    {SLICE_INIT("by b tls group x"),                                                                 "by=b;tls=group;cipher=group;"       },
    {SLICE_INIT("from a group x by b tls c group d"),                                                "from=a;by=b;tls=c;group=d;cipher=c;"},
    {SLICE_INIT("from a [192.0.2.1] by b [192.0.2.2]"),                                              "from=a;by=b;address=192.0.2.1;"     },
    {SLICE_INIT("from [192.0.2.1]:25 by b"),                                                         "from=[192.0.2.1];by=b;"             },
    {SLICE_INIT("from ([192.0.2.1]) by b"),                                                          "by=b;address=192.0.2.1;"            },
 /* a client chooses its name: a clause's word is one when no value follows it */
    {SLICE_INIT("from by ([192.0.2.1]) by b"),                                                       "from=by;by=b;address=192.0.2.1;"    },
    {SLICE_INIT("from for (x) (y) with SMTP"),                                                       "from=for;with=SMTP;"                },
    {SLICE_INIT("from from by by"),                                                                  "from=from;by=by;"                   },
    {SLICE_INIT("from by b"),                                                                        "by=b;"                              },
    {SLICE_INIT("by b with id (x); y"),                                                              "by=b;with=id;"                      },
    {SLICE_INIT("by b with id 1"),                                                                   "by=b;id=1;"                         },
    {SLICE_INIT("by b id for <u@d>"),                                                                "by=b;for=u@d;rcpt=u@d;"             },
 /* TCP-info: the name belongs to its address; a server's words are no name */
    {SLICE_INIT("from a (helo=x) (m.example [192.0.2.1]) (n.example [192.0.2.2])"),
     "from=a;address=192.0.2.1;dns=m.example;helo=x;"                                                                                     },
    {SLICE_INIT("from a ([192.0.2.1]) (n.example [192.0.2.2])"),                                     "from=a;address=192.0.2.1;"          },
    {SLICE_INIT("from a by b (n.example [192.0.2.2] helo=x)"),                                       "from=a;by=b;"                       },
    {SLICE_INIT("from a (ident=u HELO x) by b (ident=v)"),                                           "from=a;by=b;helo=x;ident=u;"        },
 /* TLS: in any comment; the clause is surer */
    {SLICE_INIT("from a by b with ESMTPS (version=TLS1_2 cipher=A-B) id 1"),
     "from=a;by=b;with=ESMTPS;id=1;version=TLSv1.2;cipher=A-B;"                                                                           },
    {SLICE_INIT("by b with esmtps (TLS1.3) tls TLS_A (cipher=A-B)"),
     "by=b;with=esmtps;tls=TLS_A;version=TLSv1.3;cipher=TLS_A;"                                                                           },
 /* no date, or none that is one */
    {SLICE_INIT("by b; 14:47:44 +0000"),                                                             "by=b;"                              },
    {SLICE_INIT("by b; 1 Jan 2024 00:00:00 +0000; x"),                                               "by=b;"                              },
    {SLICE_INIT("; 1 Jan 2024 00:00:00 +0000"),                                                      "Mon, 1 Jan 2024 00:00:00 +0000"     },
    {SLICE_INIT("(invoked by uid 1); 1 Jan 2024 00:00:00 -0000"),                                    "Mon, 1 Jan 2024 00:00:00 +0000"     },
 /* what never ends takes the rest */
    {SLICE_INIT("from a (by b; 1 Jan 2024 00:00:00 +0000"),                                          "from=a;"                            },
    {SLICE_INIT("from a \"by b"),                                                                    "from=a;"                            },
    {SLICE_INIT("from a u@[x by b"),                                                                 "from=a;"                            },
    {SLICE_INIT("from a [x by b"),                                                                   "from=a;"                            },
    {SLICE_INIT("from a <x <y> by b"),                                                               "from=a;"                            },
 /* nothing */
    {SLICE_INIT(""),                                                                                 NULL                                 },
    {SLICE_INIT("hello (world)"),                                                                    NULL                                 },
    {SLICE_INIT("from"),                                                                             NULL                                 },
    {SLICE_INIT("; x"),                                                                              NULL                                 },
};

static void put(struct buf *out, const char *name, struct slice value)
{
    if (value.len > 0)
        buf_printf(out, "%s=%.*s;", name, SLICE_PRINTF(value));
}

static void put_hop(struct buf *out, struct arena *arena, const struct received *hop)
{
    static const char *const names[RECEIVED_CLAUSES] = {
        "from", "by", "via", "with", "id", "for", "tls", "group", "state", "priority"};

    for (unsigned i = 0; i < RECEIVED_CLAUSES; i++)
        put(out, names[i], hop->clauses[i]);
    put(out, "rcpt", address_text(arena, &hop->rcpt));
    put(out, "address", hop->from_address);
    put(out, "dns", hop->from_dns);
    put(out, "helo", hop->helo);
    put(out, "ident", hop->ident);
    put(out, "version", hop->tls_version);
    put(out, "cipher", hop->tls_cipher);
    if (hop->has_date)
        date_write_rfc5322(out, hop->wall_us, hop->offset_min);
}

static void reads(void **state)
{
    (void)state;
    CHECK_ROWS (i, rows) {
        struct slice raw = guarded(rows[i].raw);
        struct arena arena = {0};
        struct received hop = {.helo = SLICE("untouched")};
        struct buf out;

        buf_init(&out, 4096);
        check_int(received_parse(raw, &arena, &hop), rows[i].hop != NULL);
        put_hop(&out, &arena, &hop);
        check_slice(buf_slice(&out), slice_of(rows[i].hop ? rows[i].hop : "helo=untouched;"));
        buf_done(&out);
        arena_done(&arena);
        guarded_free(raw);
    }
}

/* A quarter of a megabyte of what might be looked through, or copied, again and again; if it were,
 * neither time nor memory would suffice. */
static void long_values(void **state)
{
    static const struct slice units[] = {
        SLICE_INIT("from "),  SLICE_INIT("by ()"),      SLICE_INIT("("),
        SLICE_INIT("()"),     SLICE_INIT("by((()))"),   SLICE_INIT("<"),
        SLICE_INIT("<a>"),    SLICE_INIT("<("),         SLICE_INIT("\""),
        SLICE_INIT("\"\""),   SLICE_INIT("["),          SLICE_INIT("[]"),
        SLICE_INIT("@["),     SLICE_INIT("@[]"),        SLICE_INIT(";"),
        SLICE_INIT("; ("),    SLICE_INIT("for <a@b>"),  SLICE_INIT("a@"),
        SLICE_INIT("id "),    SLICE_INIT("with SMTP "), SLICE_INIT("\\"),
        SLICE_INIT("[1::2]"), SLICE_INIT("(1::2)"),     SLICE_INIT("\r\n "),
    };
    static const struct slice begins[] = {SLICE_INIT(""), SLICE_INIT("from a "),
                                          SLICE_INIT("from a (")};

    enum { LONG = 1 << 18, ALL = sizeof(units) / sizeof(*units) };

    (void)state;
    for (size_t i = 0; i < ALL * (sizeof(begins) / sizeof(*begins)); i++) {
        struct arena arena = {0};
        struct received hop;
        struct buf value;

        check_row = i;
        buf_init(&value, LONG);
        buf_append(&value, begins[i / ALL]);
        while (buf_append(&value, units[i % ALL]))
            ;
        (void)received_parse(buf_slice(&value), &arena, &hop);
        buf_done(&value);
        arena_done(&arena);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(reads), cmocka_unit_test(long_values)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
