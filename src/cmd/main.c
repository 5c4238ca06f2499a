/*
 * main.c - one binary, one table of commands.
 */
#include "cmd/commands.h"

#include "base/slice.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/auxv.h>
#include <sysexits.h>

static const struct command {
    const char *name;
    int (*run)(int argc, char **argv);
    const char *help; /* NULL: not for people */
} commands[] = {
    {"dev",      cmd_dev,      "the mail system on this machine, with an inbox for everybody"    },
    {"serve",    cmd_serve,    "the mail system: serve -c FILE"                                  },
    {"config",   cmd_config,
     "check, show or diff: is it right, what does it say, what would a reload change?"           },
    {"explain",  cmd_explain,  "what would happen to a mail, and which line says so"             },
    {"send",     cmd_send,     "compose and send a mail, or send a file"                         },
    {"probe",    cmd_probe,    "look at any mail server: probe NAME, HOST:PORT or address"       },
    {"queue",    cmd_queue,    "what waits in the queue, and what to do with it"                 },
    {"mailq",    cmd_mailq,    "the same as queue list"                                          },
    {"sendmail", cmd_sendmail, "a mail on standard input, as programs call it; also by that name"},
    {"reload",   cmd_reload,   "a running server takes its configuration as it is now"           },
    {"status",   cmd_status,   "does the server run, and how much is there to do?"               },
    {"user",     cmd_user,     "accounts: user add, passwd, disable, enable, delete, list"       },
    {"oauth",    cmd_oauth,    "oauth login RELAY: the first token for a relay"                  },
    {"bench",    cmd_bench,    "load for any mail server, and a ledger of what became of it"     },
    {"role",     cmd_role,     NULL                                                              },
};

enum { COMMANDS = sizeof(commands) / sizeof(*commands) };

static void usage(FILE *to)
{
    fprintf(to, "postroad " POSTROAD_VERSION " - a complete SMTP mail system\n\n"
                "usage: postroad COMMAND [OPTION...]      postroad COMMAND --help\n\n");
    for (size_t i = 0; i < COMMANDS; i++)
        if (commands[i].help != NULL)
            fprintf(to, "  %-8s %s\n", commands[i].name, commands[i].help);
    fprintf(to, "\nTry it:  postroad dev                                  (in one terminal)\n"
                "         postroad send --server localhost:1025 --to you@example.org --body hi  "
                "(in another)\n");
}

/* A closed 0, 1 or 2 would become a socket or the queue's lock, and be written to as a terminal. */
static void keep_standard_files_open(void)
{
    for (int fd = 0; fd <= 2; fd++)
        if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", O_RDWR) != fd)
            abort();
}

/* By a link with such a name the program is another one. */
static const struct command *old_name(const char *called)
{
    static const struct command names[] = {
        {"sendmail",   cmd_sendmail,   NULL},
        {"mailq",      cmd_mailq,      NULL},
        {"newaliases", cmd_newaliases, NULL},
    };
    struct slice path = slice_of(called);
    size_t slash = slice_rfind(path, '/');
    struct slice name = slash < path.len ? slice_skip(path, slash + 1) : path;

    for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
        if (slice_equal(name, slice_of(names[i].name)))
            return &names[i];
    return NULL;
}

/* The link tells, since programs call themselves what they like in argv[0]: "send-mail". */
static const struct command *called_by_old_name(int argc, char **argv)
{
    const char *file = (const char *)getauxval(AT_EXECFN);
    const struct command *old = file == NULL ? NULL : old_name(file);

    return old == NULL && argc > 0 ? old_name(argv[0]) : old;
}

int main(int argc, char **argv)
{
    struct slice name = argc < 2 ? SLICE("") : slice_of(argv[1]);
    const struct command *old = called_by_old_name(argc, argv);

    keep_standard_files_open();
    if (old != NULL)
        return old->run(argc, argv);
    if (slice_equal(name, SLICE("--help")) || slice_equal(name, SLICE("-h")) ||
        slice_equal(name, SLICE("help"))) {
        usage(stdout);
        return EXIT_SUCCESS;
    }
    if (slice_equal(name, SLICE("--version"))) {
        puts("postroad " POSTROAD_VERSION);
        return EXIT_SUCCESS;
    }
    for (size_t i = 0; i < COMMANDS; i++)
        if (slice_equal(name, slice_of(commands[i].name)))
            return commands[i].run(argc - 1, argv + 1);
    if (argc >= 2)
        fprintf(stderr, "postroad: there is no command '%s'\n\n", argv[1]);
    usage(stderr);
    return EX_USAGE;
}
