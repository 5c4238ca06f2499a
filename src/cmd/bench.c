/*
 * bench.c - load for any mail server, and an honest ledger of what became of it.
 *
 * Four tools that know each other only by the files they write. `load` notes each message before
 * it sends it and each answer when it has come; `sink` and `maildir` note what arrived; `check`
 * joins them. The ledger lies outside the tested system, so nothing that dies there takes it along,
 * and no tool asks the tested server what it believes to have done.
 */
#include "cmd/bench.h"

#include "cmd/commands.h"
#include "cmd/options.h"

#include "base/cursor.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sysexits.h>

bool bench_number(const char *option, const char *text, uint64_t max, uint64_t *out)
{
    struct cursor c = {text == NULL ? SLICE("") : slice_of(text)};
    uint64_t number, factor = 1;

    if (text == NULL)
        return true;
    if (take_number(&c, &number)) {
        if (take_word(&c, SLICE("K")))
            factor = 1024;
        else if (take_word(&c, SLICE("M")))
            factor = 1024 * 1024;
        if (cursor_at_end(&c) && number > 0 && number <= max / factor) {
            *out = number * factor;
            return true;
        }
    }
    command_wrong("bench", EX_USAGE, "%s '%s' is no number from 1 to %llu", option, text,
                  (unsigned long long)max);
    return false;
}

void bench_open_many_files(void)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
        return;
    limit.rlim_cur = limit.rlim_max;
    (void)setrlimit(RLIMIT_NOFILE, &limit);
}

static const struct mode {
    const char *name;
    int (*run)(int argc, char **argv);
    const char *help;
} modes[] = {
    {"load",    bench_load,    "sends many messages by many sessions, and notes them in a ledger"},
    {"sink",    bench_sink,    "takes mail by SMTP, notes it in a ledger and forgets it"         },
    {"maildir", bench_maildir, "notes every mail below a folder of Maildirs in a ledger"         },
    {"check",   bench_check,   "joins ledgers: what was lost, damaged, or came twice"            },
};

enum { MODES = sizeof(modes) / sizeof(*modes) };

static void usage(FILE *to)
{
    fputs("usage: postroad bench MODE [OPTION...]      postroad bench MODE --help\n\n"
          "Load for any mail server, and an honest ledger of what became of it.\n\n",
          to);
    for (size_t i = 0; i < MODES; i++)
        fprintf(to, "  %-8s %s\n", modes[i].name, modes[i].help);
    fputs(
        "\nExamples:\n"
        "  postroad bench load --server 127.0.0.1:1025 --messages 10000 --sessions 50 --ledger L\n"
        "  postroad bench maildir ~/.local/state/postroad/dev/mail --ledger M\n"
        "  postroad bench check L M\n",
        to);
}

int cmd_bench(int argc, char **argv)
{
    struct slice name = argc < 2 ? SLICE("") : slice_of(argv[1]);

    if (slice_equal(name, SLICE("--help")) || slice_equal(name, SLICE("-h"))) {
        usage(stdout);
        return EXIT_SUCCESS;
    }
    for (size_t i = 0; i < MODES; i++)
        if (slice_equal(name, slice_of(modes[i].name)))
            return modes[i].run(argc - 1, argv + 1);
    if (argc >= 2)
        command_wrong("bench", EX_USAGE, "there is no mode '%s'\n", argv[1]);
    usage(stderr);
    return EX_USAGE;
}
