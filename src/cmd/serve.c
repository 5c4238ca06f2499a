/*
 * serve.c - the mail system in the foreground, from one configuration file.
 */
#include "cmd/commands.h"
#include "cmd/options.h"
#include "cmd/system.h"

#include <stdio.h>
#include <stdlib.h>
#include <sysexits.h>
#include <unistd.h>

#define USUAL_CONFIG "/etc/postroad/postroad.conf"

static void no_file(void)
{
    fputs("postroad serve: no configuration file given, and there is no " USUAL_CONFIG ".\n"
          "Write one, for example mail.conf:\n\n"
          "    hostname   mx1.example.org\n"
          "    queue      /var/spool/postroad\n"
          "    listen mx  *:25\n"
          "    accept to domain example.org deliver maildir /var/vmail/{domain}/{user}\n"
          "    postmaster admin@example.org\n\n"
          "then:  postroad serve -c mail.conf\n",
          stderr);
}

int cmd_serve(int argc, char **argv)
{
    const char *file = NULL;
    bool as_caller = false;
    int status;
    const struct option options[] = {
        {"--config",    "-c", OPTION_TEXT, &file,      "FILE",
         "the configuration; default /etc/postroad/postroad.conf",            NULL},
        {"--as-caller", NULL, OPTION_FLAG, &as_caller, NULL,
         "as root: no users for the processes, all are root (to try it out)", NULL},
    };
    const struct usage usage = {
        "serve",
        "[-c FILE] [--as-caller]",
        "Runs the mail system in the foreground until SIGTERM or SIGINT; log lines on stderr.\n\n"
        "Started by root, each process becomes a user of its own (docs/install.md).\n\n"
        "Exit status: 0 ended by a signal; 66 the file cannot be read; 67 there are no such users; "
        "69 an address is taken;\n"
        "71 the system refused something; 73 a folder cannot be made; 75 the queue is in use;\n"
        "78 the configuration is wrong, nothing was started.",
        "  postroad serve -c /etc/postroad/postroad.conf\n",
        options,
        2};

    if (!options_parse(&usage, argc, argv, &status))
        return status;
    if (file == NULL && access(USUAL_CONFIG, F_OK) == 0)
        file = USUAL_CONFIG;
    if (file == NULL) {
        no_file();
        return EX_CONFIG;
    }
    return system_run_file(file, as_caller);
}
