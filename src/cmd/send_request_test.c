/*
 * send_request_test.c - the command line of `postroad send`: what it means, what is refused.
 */
#include "cmd/send_request.h"

#include "base/memory.h"
#include "check.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sysexits.h>

enum { ARGUMENTS = 12 };

static char home[] = "/tmp/send-request-XXXXXX";
static char home_file[sizeof(home) + 16];

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
    return arena_printf(&r->arena, "%.*s%.*s%.*s%.*s", SLICE_PRINTF(text),
                        SLICE_PRINTF(r->mail_params), SLICE_PRINTF(r->must_params),
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
        {{"--from", "a@x", "--to", "b@y", "--hold-for", "2d", "--requiretls"},
         "a@x -> b@y; to 1 cc 0; mx:25 HOLDFOR=172800 REQUIRETLS"                                                                  },
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
        {{NULL},                                                                         EX_USAGE  },
        {{"--to"},                                                                       EX_USAGE  },
        {{"--to", "bob"},                                                                EX_USAGE  },
        {{"--to", "<>"},                                                                 EX_USAGE  },
        {{"--to", "b@y\r\nDATA"},                                                        EX_USAGE  },
        {{"--to", "b@y", "--from", "a b"},                                               EX_USAGE  },
        {{"--to", "b@y", "--ehlo", "a b"},                                               EX_USAGE  },
        {{"--to", "b@y", "--server", "mx_.example:25"},                                  EX_USAGE  },
        {{"--to", "b@y", "--server", "/run/smtp"},                                       EX_USAGE  },
        {{"--to", "postmaster"},                                                         EX_USAGE  },
        {{"--quit-after", "ehlo"},                                                       EX_USAGE  },
        {{"--to", "b@y", "--tls", "maybe"},                                              EX_USAGE  },
        {{"--to", "b@y", "--port", "65536"},                                             EX_USAGE  },
        {{"--to", "b@y", "--resolver", "ns.example"},                                    EX_USAGE  },
        {{"--to", "b@y", "--hold-for", "soon"},                                          EX_USAGE  },
        {{"--to", "b@y", "--hold-for", "0"},                                             EX_USAGE  },
        {{"--to", "b@y", "--hold-for", "999999d"},                                       EX_USAGE  },
        {{"--to", "b@y", "--requiretls", "--tls", "required"},                           EX_USAGE  },
        {{"--to", "b@y", "--ret", "all"},                                                EX_USAGE  },
        {{"--to", "b@y", "--envid", ""},                                                 EX_USAGE  },
        {{"--to", "b@y", "--envid", "\303\274"},                                         EX_USAGE  },
        {{"--to", "b@y", "--notify", "never,success"},                                   EX_USAGE  },
        {{"--to", "b@y", "--notify", "always"},                                          EX_USAGE  },
        {{"--to", "b@y", "--notify", ""},                                                EX_USAGE  },
        {{"--to", "b@y", "--server", "127.0.0.1:0"},                                     EX_USAGE  },
        {{"--to", "b@y", "--server", ":"},                                               EX_USAGE  },
        {{"--to", "b@y", "--server", ""},                                                EX_USAGE  },
        {{"--to", "b@y", "--timeout", "0"},                                              EX_USAGE  },
        {{"--to", "b@y", "--quit-after", "data"},                                        EX_USAGE  },
        {{"--to", "b@y", "--quit-after", "rcpt", "word"},                                EX_USAGE  },
        {{"--to", "b@y", "--header", "no colon"},                                        EX_USAGE  },
        {{"--to", "b@y", "--header", "two words: x"},                                    EX_USAGE  },
        {{"--to", "b@y", "--header", "Content-Type: x"},                                 EX_USAGE  },
        {{"--to", "b@y", "--inline", "x.png"},                                           EX_USAGE  },
        {{"--to", "b@y", "--data", "x", "--subject", "y"},                               EX_USAGE  },
        {{"--to", "b@y", "--body", "-", "--attach", "-"},                                EX_USAGE  },
        {{"--to", "b@y", "--user", "me"},                                                EX_USAGE  }, /* where? */
        {{"--to", "b@y", "--auth", "PLAIN"},                                             EX_USAGE  }, /* who? */
        {{"--to", "b@y", "--password-stdin"},                                            EX_USAGE  },
        {{"--to", "b@y", "--server", "x.example", "--user", ""},                         EX_USAGE  },
        {{"--to", "b@y", "--server", "x.example", "--user", "me", "--auth", "EXTERNAL"}, EX_USAGE  },
        {{"--to", "b@y", "--server", "x.example", "--user", "me", "--auth", "NTLM"},     EX_USAGE  },
        {{"--to", "b@y", "--server", "x.example", "--account", "work"},                  EX_USAGE  },
        {{"--to", "b@y", "--account", "none"},                                           EX_CONFIG },
        {{"--to", "b@y", "--account", "command"},                                        EX_CONFIG },
        {{"--to", "b@y", "--account", "proxy"},                                          EX_CONFIG },
        {{"--to", "b@y", "--account", "nobody"},                                         EX_CONFIG },
        {{"--to", "b@y", "--account", "nowhere"},                                        EX_CONFIG },
        {{"--to", "b@y", "--account", "trust"},                                          EX_NOINPUT},
        {{"--to", "b@y", "--account", "trust-empty"},                                    EX_CONFIG },
        {{"--to", "b@y", "--account", "ntlm"},                                           EX_USAGE  },
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

/* An account fills in what was not typed. */
static void test_accounts(void **state)
{
    static const struct {
        const char *arguments[ARGUMENTS];
        const char *request; /* and how, as whom, with what */
    } table[] = {
        {{"--account", "work"},
         "ann@x -> b@y; to 1 cc 0; smtp.example:587 verified as ann with pencil"                                                   },
        {{"--account", "default"},
         "lee@x -> b@y; to 1 cc 0; smtp.example:465 verified at once as ann with pencil"                                           },
        {{"--account", "work", "--from", "c@z", "--port", "2525", "--tls", "required"},
         "c@z -> b@y; to 1 cc 0; smtp.example:2525 required as ann with pencil"                                                    },
        {{"--account", "open"},                                                         "ann@x -> b@y; to 1 cc 0; 127.0.0.1:25 off"},
        {{"--account", "unverified"},
         "ann@x -> b@y; to 1 cc 0; smtp.example:465 implicit at once by 64 as ann with p"                                          },
        {{"--account", "unverified2"},
         "ann@x -> b@y; to 1 cc 0; smtp.example:25 required by 8 token as ann with p"                                              },
    };

    static const char *const words[] = {"optional", "off", "required", "verified", "implicit"};

    (void)state;
    CHECK_ROWS (i, table) {
        struct send_request *r = MEMORY_NEW(struct send_request);
        char *argv[ARGUMENTS + 4] = {(char *)(uintptr_t) "send", (char *)(uintptr_t) "--to",
                                     (char *)(uintptr_t) "b@y"};
        int argc = 3, status;
        struct slice text;

        for (; table[i].arguments[argc - 3] != NULL; argc++)
            argv[argc] = (char *)(uintptr_t)table[i].arguments[argc - 3];
        check(send_request_parse(r, argc, argv, &status));
        text = arena_printf(&r->arena, "%.*s %s%s", SLICE_PRINTF(request_text(r)), words[r->tls],
                            r->tls_at_once ? " at once" : "");
        if (r->login.mechanisms != 0)
            text = arena_printf(&r->arena, "%.*s by %u%s", SLICE_PRINTF(text), r->login.mechanisms,
                                r->login.is_token ? " token" : "");
        if (r->login.user.len > 0)
            text = arena_printf(&r->arena, "%.*s as %.*s with %.*s", SLICE_PRINTF(text),
                                SLICE_PRINTF(r->login.user),
                                SLICE_PRINTF(buf_slice(&r->login.secret)));
        check_slice(text, slice_of(table[i].request));
        send_request_done(r);
        memory_free(r);
    }
}

/* Whose password lies open has it told, and not used. */
static void test_readable_for_all(void **state)
{
    struct send_request *r = MEMORY_NEW(struct send_request);
    char *argv[] = {(char *)(uintptr_t) "send", (char *)(uintptr_t) "--to",
                    (char *)(uintptr_t) "b@y",  (char *)(uintptr_t) "--account",
                    (char *)(uintptr_t) "work", NULL};
    int status;

    (void)state;
    assert_int_equal(chmod(home_file, 0644), 0);
    check(!send_request_parse(r, 5, argv, &status));
    check_int(status, EX_CONFIG);
    assert_int_equal(chmod(home_file, 0600), 0);
    send_request_done(r);
    memory_free(r);
}

static const char accounts[] =
    "defaults\nfrom ann@x\n"
    "account work\nhost smtp.example\nport 587\ntls on\nauth on\n"
    "user ann\npassword pencil\n"
    "account default : work\nfrom lee@x\nport 465\ntls_starttls off\n"
    "account open\nhost 127.0.0.1\nuser ann\npassword p\n"
    "account unverified\nhost smtp.example\ntls on\nuser ann\npassword p\n"
    "tls_certcheck off\ntls_starttls off\nauth login\n"
    "account unverified2 : unverified\ntls_starttls on\nauth oauthbearer\n"
    "account command : work\npassword\npasswordeval gpg -d x\n"
    "account proxy : work\nproxy_host 127.0.0.1\n"
    "account nobody : work\nuser\n"
    "account nowhere\n"
    "account trust : work\ntls_trust_file ~/none.pem\n"
    "account trust-empty : work\ntls_trust_file ~/.msmtprc\n"
    "account ntlm : work\nauth ntlm\n";

static int make_home(void **state)
{
    int file;

    (void)state;
    if (mkdtemp(home) == NULL || setenv("HOME", home, 1) != 0)
        return -1;
    (void)snprintf(home_file, sizeof(home_file), "%s/.msmtprc", home);
    file = open(home_file, O_CREAT | O_WRONLY, 0600);
    return file < 0 || write(file, accounts, strlen(accounts)) < 0 || close(file) < 0 ? -1 : 0;
}

static int drop_home(void **state)
{
    (void)state;
    return unlink(home_file) < 0 || rmdir(home) < 0 ? -1 : 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_understood),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_accounts),
        cmocka_unit_test(test_readable_for_all),
    };

    return cmocka_run_group_tests(tests, make_home, drop_home);
}
