/*
 * send_request_test.c - the command line of `postroad send`: what it means, what is refused.
 */
#include "cmd/send_request.h"

#include "base/memory.h"
#include "check.h"

#include <sysexits.h>

enum { ARGUMENTS = 12 };

/* The request as text: "FROM -> RCPT RCPT; to N cc N; SERVER:PORT PARAMETERS". */
static struct slice request_text(struct send_request *r)
{
    struct slice text = address_text(&r->arena, &r->from.address);

    text = arena_printf(&r->arena, "%.*s ->", SLICE_PRINTF(text));
    for (unsigned i = 0; i < r->rcpt_count; i++) {
        struct slice rcpt = address_text(&r->arena, &r->rcpts[i]);

        text = arena_printf(&r->arena, "%.*s %.*s", SLICE_PRINTF(text), SLICE_PRINTF(rcpt));
    }
    text =
        arena_printf(&r->arena, "%.*s; to %u cc %u;", SLICE_PRINTF(text), r->to_count, r->cc_count);
    if (r->by_mx)
        text = arena_printf(&r->arena, "%.*s mx:%u", SLICE_PRINTF(text), r->port);
    else
        text = arena_printf(&r->arena, "%.*s %.*s:%u", SLICE_PRINTF(text),
                            SLICE_PRINTF(r->server.name), r->server.port);
    return arena_printf(&r->arena, "%.*s%.*s%.*s", SLICE_PRINTF(text), SLICE_PRINTF(r->mail_params),
                        SLICE_PRINTF(r->rcpt_params));
}

static void test_understood(void **state)
{
    static const struct {
        const char *arguments[ARGUMENTS];
        const char *request;
    } table[] = {
        {{"--from", "a@x", "--to", "b@y"},                                                   "a@x -> b@y; to 1 cc 0; mx:25"        },
        {{"--from=a@x", "--to=b@y,c@z", "--to", "d@z"},                                      "a@x -> b@y c@z d@z; to 3 cc 0; mx:25"},
        {{"--from", "<>", "--to", "\"Lee, Ann\" <b@y>, Bob <c@z>"},
         " -> b@y c@z; to 2 cc 0; mx:25"                                                                                           },
        {{"--from", "a@x", "--to", "b@y", "--cc", "b@Y", "--bcc", "e@z"},
         "a@x -> b@y e@z; to 1 cc 1; mx:25"                                                                                        }, /* each once */
        {{"--from", "a@x", "--to", "postmaster", "--server", "localhost"},
         "a@x -> postmaster; to 1 cc 0; 127.0.0.1:25"                                                                              },
        {{"--from", "a@x", "--to", "b@y", "--server", "localhost"},
         "a@x -> b@y; to 1 cc 0; 127.0.0.1:25"                                                                                     },
        {{"--from", "a@x", "--to", "b@y", "--server", "[2001:db8::1]:587"},
         "a@x -> b@y; to 1 cc 0; 2001:db8::1:587"                                                                                  },
        {{"--from", "a@x", "--to", "b@y", "--server", "2001:db8::1"},
         "a@x -> b@y; to 1 cc 0; 2001:db8::1:25"                                                                                   },
        {{"--from", "a@g\303\274.de", "--to", "\303\244@g\303\274.de"},
         "a@xn--g-eha.de -> \303\244@xn--g-eha.de; to 1 cc 0; mx:25"                                                               },
        {{"--from", "a@x", "--quit-after", "EHLO", "--server", "localhost"},
         "a@x ->; to 0 cc 0; 127.0.0.1:25"                                                                                         },
        {{"--from", "a@x", "--to", "b@y", "--server", "MX.example", "--port", "26"},
         "a@x -> b@y; to 1 cc 0; mx.example:26"                                                                                    },
        {{"--from", "a@x", "--to", "b@y", "--server", "mx.example:27", "--tls", "implicit"},
         "a@x -> b@y; to 1 cc 0; mx.example:27"                                                                                    },
        {{"--from", "a@x", "--to", "b@y", "--tls", "implicit"},                              "a@x -> b@y; to 1 cc 0; mx:465"       },
        {{"--from", "a@x", "--to", "b@y", "--ret", "HDRS", "--envid", "a+b = c", "--notify",
          "delay,Success"},
         "a@x -> b@y; to 1 cc 0; mx:25 RET=HDRS ENVID=a+2Bb+20+3D+20c NOTIFY=SUCCESS,DELAY"                                        },
        {{"--from", "a@x", "--to", "b@y", "--ret", "full", "--notify", "never"},
         "a@x -> b@y; to 1 cc 0; mx:25 RET=FULL NOTIFY=NEVER"                                                                      },
    };

    (void)state;
    CHECK_ROWS (i, table) {
        struct send_request *r = MEMORY_NEW(struct send_request);
        char *argv[ARGUMENTS + 1] = {(char *)(uintptr_t) "send"};
        int argc = 1, status;

        for (; table[i].arguments[argc - 1] != NULL; argc++)
            argv[argc] = (char *)(uintptr_t)table[i].arguments[argc - 1];
        check(send_request_parse(r, argc, argv, &status));
        check_slice(request_text(r), slice_of(table[i].request));
        send_request_done(r);
        memory_free(r);
    }
}

static void test_refused(void **state)
{
    static const struct {
        const char *arguments[ARGUMENTS];
        int status;
    } table[] = {
        {{NULL},                                           EX_USAGE},
        {{"--to"},                                         EX_USAGE},
        {{"--to", "bob"},                                  EX_USAGE},
        {{"--to", "<>"},                                   EX_USAGE},
        {{"--to", "b@y\r\nDATA"},                          EX_USAGE},
        {{"--to", "b@y", "--from", "a b"},                 EX_USAGE},
        {{"--to", "b@y", "--ehlo", "a b"},                 EX_USAGE},
        {{"--to", "b@y", "--server", "mx_.example:25"},    EX_USAGE},
        {{"--to", "b@y", "--server", "/run/smtp"},         EX_USAGE},
        {{"--to", "postmaster"},                           EX_USAGE},
        {{"--quit-after", "ehlo"},                         EX_USAGE},
        {{"--to", "b@y", "--tls", "maybe"},                EX_USAGE},
        {{"--to", "b@y", "--port", "65536"},               EX_USAGE},
        {{"--to", "b@y", "--resolver", "ns.example"},      EX_USAGE},
        {{"--to", "b@y", "--ret", "all"},                  EX_USAGE},
        {{"--to", "b@y", "--envid", ""},                   EX_USAGE},
        {{"--to", "b@y", "--envid", "\303\274"},           EX_USAGE},
        {{"--to", "b@y", "--notify", "never,success"},     EX_USAGE},
        {{"--to", "b@y", "--notify", "always"},            EX_USAGE},
        {{"--to", "b@y", "--notify", ""},                  EX_USAGE},
        {{"--to", "b@y", "--server", "127.0.0.1:0"},       EX_USAGE},
        {{"--to", "b@y", "--server", ":"},                 EX_USAGE},
        {{"--to", "b@y", "--server", ""},                  EX_USAGE},
        {{"--to", "b@y", "--timeout", "0"},                EX_USAGE},
        {{"--to", "b@y", "--quit-after", "data"},          EX_USAGE},
        {{"--to", "b@y", "--quit-after", "rcpt", "word"},  EX_USAGE},
        {{"--to", "b@y", "--header", "no colon"},          EX_USAGE},
        {{"--to", "b@y", "--header", "two words: x"},      EX_USAGE},
        {{"--to", "b@y", "--header", "Content-Type: x"},   EX_USAGE},
        {{"--to", "b@y", "--inline", "x.png"},             EX_USAGE},
        {{"--to", "b@y", "--data", "x", "--subject", "y"}, EX_USAGE},
        {{"--to", "b@y", "--body", "-", "--attach", "-"},  EX_USAGE},
    };

    (void)state;
    CHECK_ROWS (i, table) {
        struct send_request *r = MEMORY_NEW(struct send_request);
        char *argv[ARGUMENTS + 1] = {(char *)(uintptr_t) "send"};
        int argc = 1, status;

        for (; table[i].arguments[argc - 1] != NULL; argc++)
            argv[argc] = (char *)(uintptr_t)table[i].arguments[argc - 1];
        check(!send_request_parse(r, argc, argv, &status));
        check_int(status, table[i].status);
        send_request_done(r);
        memory_free(r);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_understood),
        cmocka_unit_test(test_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
