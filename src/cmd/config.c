/*
 * config.c - the configuration looked at without starting anything.
 */
#include "cmd/commands.h"
#include "cmd/load_settings.h"
#include "cmd/options.h"

#include <stdio.h>
#include <stdlib.h>
#include <sysexits.h>

static int check(const char *file)
{
    struct settings *settings;
    struct buf bundle;
    int status = load_settings_file(file, &bundle, &settings);

    if (status == EXIT_SUCCESS) {
        printf("%s is right\n", file);
        settings_free(settings);
    }
    buf_done(&bundle);
    return status;
}

int cmd_config(int argc, char **argv)
{
    const char *file = NULL;
    int status;
    const struct option options[] = {
        {"--config", "-c", OPTION_TEXT, &file, "FILE", "the configuration", NULL},
    };
    const struct usage usage = {
        "config",
        "check -c FILE",
        "Checks a configuration and the tables that it names: all errors at once, on stderr.\n\n"
        "Exit status: 0 it is right; 66 the file cannot be read; 78 it is wrong.",
        "  postroad config check -c /etc/postroad/postroad.conf\n",
        options,
        1};
    bool named = argc >= 2 && slice_equal(slice_of(argv[1]), SLICE("check"));

    if (!options_parse(&usage, named ? argc - 1 : argc, named ? argv + 1 : argv, &status))
        return status;
    if (named && file != NULL)
        return check(file);
    return command_wrong("config", EX_USAGE, "write: postroad config check -c FILE");
}
