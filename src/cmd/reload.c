/*
 * reload.c - a running server takes its configuration as it is now.
 *
 * The file is checked here first, so that its errors stand on the terminal; the server checks it
 * once more, and answers when the new settings serve.
 */
#include "cmd/commands.h"
#include "cmd/load_settings.h"
#include "cmd/options.h"
#include "cmd/running.h"

#include <stdio.h>
#include <stdlib.h>
#include <sysexits.h>

static int check(const char *file)
{
    struct settings *settings = NULL;
    struct buf bundle;
    int status = load_settings_file(file, &bundle, &settings);

    settings_free(settings);
    buf_wipe(&bundle);
    return status;
}

static int reload(const struct running_options *which)
{
    static const struct running_calls calls = {0};
    char path[RUNNING_PATH_MAX];
    int status = which->config == NULL ? EXIT_SUCCESS : check(which->config);

    if (status == EXIT_SUCCESS)
        status = running_find("reload", which, path);
    if (status == EXIT_SUCCESS)
        status = running_ask("reload", path, SLICE("reload\n"), &calls, NULL, NULL);
    if (status == EXIT_SUCCESS)
        puts("the new settings serve");
    return status;
}

int cmd_reload(int argc, char **argv)
{
    struct running_options which = {0};
    int status;
    const struct option options[] = {
        {"--config", "-c", OPTION_TEXT, &which.config, "FILE",
         "its configuration; default /etc/postroad/postroad.conf",                                  NULL},
        {"--dir",    NULL, OPTION_TEXT, &which.dir,    "DIR",  "the `postroad dev` of this folder",
         "POSTROAD_DEV_DIR"                                                                             },
    };
    const struct usage usage = {
        "reload",
        "[-c FILE | --dir DIR]",
        "Tells a running server to read its configuration again, with the tables, certificates\n"
        "and files that it names. Returns when the new settings serve. Nobody is refused\n"
        "meanwhile, sessions go on, mail in the queue takes the new ways. Errors are told here,\n"
        "and change nothing. The path of the queue takes a restart.\n\n"
        "Exit status: 0 the new settings serve; 65 the server cannot take them, its log says why;\n"
        "66 the file cannot be read; 69 no server runs; 77 not permitted; 78 the configuration is "
        "wrong.",
        "  postroad reload\n"
        "  postroad config check -c /etc/postroad/postroad.conf && postroad reload\n",
        options,
        sizeof(options) / sizeof(*options)};

    if (!options_parse(&usage, argc, argv, &status))
        return status;
    if (which.config == NULL && which.dir == NULL)
        which.config = "/etc/postroad/postroad.conf";
    return reload(&which);
}
