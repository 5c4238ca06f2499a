/*
 * status.c - does it run, and how much is there to do?
 */
#include "cmd/commands.h"
#include "cmd/options.h"
#include "cmd/running.h"

#include <stdio.h>
#include <stdlib.h>

static void on_line(void *ctx, const struct control_line *line)
{
    uint64_t messages = 0, under_way = 0, connections = 0;

    (void)ctx;
    (void)control_number(line, SLICE("messages"), &messages);
    (void)control_number(line, SLICE("underway"), &under_way);
    (void)control_number(line, SLICE("connections"), &connections);
    printf("running: %llu messages in the queue, %llu under way, %llu connections out\n",
           (unsigned long long)messages, (unsigned long long)under_way,
           (unsigned long long)connections);
}

int cmd_status(int argc, char **argv)
{
    static const struct running_calls calls = {.line = on_line};
    struct running_options which = {0};
    char path[RUNNING_PATH_MAX];
    int status;
    const struct option options[] = {
        {"--config", "-c", OPTION_TEXT, &which.config, "FILE",
         "the server of this configuration; default your `dev`, else /etc/postroad",                NULL},
        {"--dir",    NULL, OPTION_TEXT, &which.dir,    "DIR",  "the `postroad dev` of this folder",
         "POSTROAD_DEV_DIR"                                                                             },
    };
    const struct usage usage = {"status",
                                "[-c FILE | --dir DIR]",
                                "Does the server run, and what has it to do?\n\n"
                                "Exit status: 0 it runs; 69 it does not; 77 not permitted.",
                                "  postroad status\n  postroad status --dir /tmp/mail\n",
                                options,
                                sizeof(options) / sizeof(*options)};

    if (!options_parse(&usage, argc, argv, &status))
        return status;
    status = running_find("status", &which, path);
    return status == 0 ? running_ask("status", path, SLICE("status\n"), &calls, NULL, NULL)
                       : status;
}
