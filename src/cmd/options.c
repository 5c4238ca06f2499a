/*
 * options.c - the command line against a table.
 */
#include "cmd/options.h"

#include "base/cursor.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sysexits.h>

static void help(const struct usage *u)
{
    printf("usage: postroad %s %s\n\n%s\n\n", u->command, u->synopsis, u->summary);
    for (size_t i = 0; i < u->option_count; i++) {
        const struct option *o = &u->options[i];
        char left[64];

        snprintf(left, sizeof(left), "%s%s%s%s%s", o->brief == NULL ? "" : o->brief,
                 o->brief == NULL ? "" : ", ", o->name, o->value == NULL ? "" : " ",
                 o->value == NULL ? "" : o->value);
        printf("  %-24s %s\n", left, o->help);
        if (o->environment != NULL)
            printf("  %-24s (or the environment's %s)\n", "", o->environment);
    }
    if (u->examples != NULL)
        printf("\nExamples:\n%s", u->examples);
}

/* A line an option, fields by tabs: for completion in a shell, and for pages of the manual. */
static void list_options(const struct usage *u)
{
    for (size_t i = 0; i < u->option_count; i++) {
        const struct option *o = &u->options[i];

        printf("%s\t%s\t%s\t%s\t%s\n", o->name, o->brief == NULL ? "" : o->brief,
               o->value == NULL ? "" : o->value, o->environment == NULL ? "" : o->environment,
               o->help);
    }
}

int command_wrong(const char *command, int status, const char *format, ...)
{
    va_list args;

    fprintf(stderr, "postroad %s: ", command);
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fputc('\n', stderr);
    return status;
}

static int wrong(const struct usage *u, const char *what, const char *which)
{
    return command_wrong(u->command, EX_USAGE, "%s '%s'; see: postroad %s --help", what, which,
                         u->command);
}

static bool set(const struct option *o, const char *value)
{
    switch (o->kind) {
    case OPTION_FLAG: *(bool *)o->target = true; return true;
    case OPTION_TEXT: *(const char **)o->target = value; return true;
    case OPTION_LIST:
    case OPTION_WORDS: {
        struct option_list *list = o->target;

        if (list->count == OPTION_LIST_MAX)
            return false;
        list->values[list->count++] = value;
        return true;
    }
    }
    return false;
}

static bool names(const struct option *o, struct slice word)
{
    if (o->kind == OPTION_WORDS)
        return !slice_starts(word, SLICE("-"));
    return slice_equal(word, slice_of(o->name)) ||
           (o->brief != NULL && slice_equal(word, slice_of(o->brief)));
}

static const struct option *find(const struct usage *u, struct slice word)
{
    for (size_t i = 0; i < u->option_count; i++)
        if (names(&u->options[i], word))
            return &u->options[i];
    return NULL;
}

static void set_from_environment(const struct usage *u)
{
    for (size_t i = 0; i < u->option_count; i++) {
        const struct option *o = &u->options[i];
        const char *value = o->environment == NULL ? NULL : getenv(o->environment);

        if (value != NULL)
            set(o, value);
    }
}

/* Takes argv[*i], and its value if that is the next word; 0 or an exit status. */
static int take_option(const struct usage *u, char **argv, int *i)
{
    struct slice word = slice_of(argv[*i]), rest;
    const char *given = argv[*i], *value = NULL;

    if (slice_starts(word, SLICE("--")) && slice_cut(word, '=', &word, &rest))
        value = rest.data; /* it ends where argv[*i] ends */
    const struct option *o = find(u, word);
    if (o == NULL)
        return wrong(u, "there is no option", given);
    if (o->kind == OPTION_FLAG && value != NULL)
        return wrong(u, "no value belongs to", o->name);
    if (o->kind == OPTION_WORDS)
        value = given;
    if (o->kind != OPTION_FLAG && value == NULL) {
        if (argv[*i + 1] == NULL)
            return wrong(u, "a value is missing after", given);
        value = argv[++*i];
    }
    return set(o, value) ? EXIT_SUCCESS : wrong(u, "too many of", o->name);
}

bool options_parse(const struct usage *u, int argc, char **argv, int *status)
{
    set_from_environment(u);
    *status = EXIT_SUCCESS;
    for (int i = 1; i < argc; i++) {
        struct slice word = slice_of(argv[i]);

        if (slice_equal(word, SLICE("--help")) || slice_equal(word, SLICE("-h"))) {
            help(u);
            return false;
        }
        if (slice_equal(word, SLICE("--list-options"))) {
            list_options(u);
            return false;
        }
        *status = take_option(u, argv, &i);
        if (*status != EXIT_SUCCESS)
            return false;
    }
    return true;
}

bool option_seconds(const char *text, uint64_t *out)
{
    static const char units[] = "smhd";
    static const uint64_t factors[] = {1, 60, 3600, 86400};
    struct cursor c = {slice_of(text)};
    uint64_t factor = 1;

    if (!take_number(&c, out))
        return false;
    for (size_t i = 0; i < sizeof(factors) / sizeof(*factors); i++)
        if (take_char(&c, units[i]))
            factor = factors[i];
    return cursor_at_end(&c) && !__builtin_mul_overflow(*out, factor, out);
}
