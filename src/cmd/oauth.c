/*
 * oauth.c - tokens for relays that take no password.
 */
#include "cmd/commands.h"
#include "cmd/load_settings.h"
#include "cmd/oauth_login.h"
#include "cmd/options.h"

#include <stdio.h>
#include <sysexits.h>

struct oauth_options {
    const char *config;
    struct option_list words;
};

static int no_such(const struct settings *s, const char *name, const char *config)
{
    int status = command_wrong("oauth", EX_DATAERR, "%s has no relay '%s' with the word oauth2",
                               config, name);

    for (const struct relay *one = s->relays; one != NULL; one = one->next)
        if (one->oauth != NULL)
            fprintf(stderr, "  it has '%.*s'\n", SLICE_PRINTF(one->name));
    return status;
}

static int log_in(const struct oauth_options *o, const char *name)
{
    const char *config = o->config == NULL ? "/etc/postroad/postroad.conf" : o->config;
    const struct relay *relay;
    struct settings *settings;
    struct buf bundle;
    int status = load_settings_to_use(config, &bundle, &settings);

    if (status == 0) {
        relay = settings_relay(settings, slice_of(name));
        status = relay == NULL || relay->oauth == NULL ? no_such(settings, name, config)
                                                       : oauth_login(settings, relay, o->config);
        settings_free(settings);
    }
    buf_wipe(&bundle);
    return status;
}

static int run(const struct oauth_options *o)
{
    if (o->words.count == 0 || !slice_equal(slice_of(o->words.values[0]), SLICE("login")))
        return command_wrong("oauth", EX_USAGE, "type: postroad oauth login RELAY");
    if (o->words.count != 2)
        return command_wrong("oauth", EX_USAGE,
                             "log in for which relay? Type: postroad oauth login RELAY");
    return log_in(o, o->words.values[1]);
}

int cmd_oauth(int argc, char **argv)
{
    struct oauth_options o = {0};
    int status;
    const struct option options[] = {
        {"--config", "-c", OPTION_TEXT,  &o.config, "FILE",
         "the configuration; default /etc/postroad/postroad.conf",                                NULL},
        {"RELAY",    NULL, OPTION_WORDS, &o.words,  NULL,   "a relay of it with the word oauth2", NULL},
    };
    const struct usage usage = {
        "oauth",
        "login RELAY [OPTION...]",
        "Logs in at the provider of tokens by which a relay knows us, as its `user`. A page is\n"
        "opened in a browser, on this machine or another one; what comes of it is kept below the\n"
        "queue's folder, and the server gets itself new tokens for it from then on. One that runs\n"
        "needs no restart. Needed once, and again when the log says so.\n\n"
        "Exit status: 0 done; 64 usage; 65 no such relay; 66 the configuration cannot be read; 69\n"
        "the provider does not answer; 73 what it gave cannot be kept; 75 nobody logged in within\n"
        "ten minutes; 77 it was refused; 78 the configuration is wrong.",
        "  postroad oauth login smart\n"
        "  postroad oauth login smart -c /etc/postroad/postroad.conf\n"
        "  sudo postroad oauth login smart    (what it keeps belongs to the owner of the queue)\n",
        options,
        sizeof(options) / sizeof(*options)};

    if (!options_parse(&usage, argc, argv, &status))
        return status;
    return run(&o);
}
