/*
 * config.c - the configuration looked at: is it right, what does it say, does the server know it?
 *
 * What a server runs with is asked of it, as the text that it read; secrets lie in files of their
 * own and are not in it.
 */
#include "cmd/commands.h"
#include "cmd/config_words.h"
#include "cmd/line_diff.h"
#include "cmd/load_settings.h"
#include "cmd/options.h"
#include "cmd/running.h"
#include "config/settings_show.h"

#include <stdio.h>
#include <stdlib.h>
#include <sysexits.h>

enum { DIFF_MAX = 16 * 1024 * 1024, SHOWN_MAX = DIFF_MAX, DIFFERS = 1 };

static void put(struct slice text)
{
    fwrite(text.data, 1, text.len, stdout);
    if (text.len > 0 && !slice_ends(text, SLICE("\n")))
        putchar('\n');
}

/* What a verb is asked about. */
struct asked {
    const char *path;
    struct slice bundle;
    const struct settings *settings;
    bool defaults, json;
};

static int check(const struct asked *asked)
{
    printf("%s is right\n", asked->path);
    return EXIT_SUCCESS;
}

static int show_whole(const struct asked *asked)
{
    struct buf out;
    bool whole;

    buf_init(&out, SHOWN_MAX);
    whole = settings_show(asked->settings, asked->bundle, &out);
    put(buf_slice(&out));
    buf_done(&out);
    return whole ? EXIT_SUCCESS
                 : command_wrong("config", EX_SOFTWARE, "there is too much to be shown");
}

static int show(const struct asked *asked)
{
    const struct settings *s = asked->settings;

    if (asked->defaults)
        return show_whole(asked);
    for (const struct settings_file *file = s->files; file != NULL; file = file->next) {
        if (s->files->next != NULL)
            printf("# %.*s\n", SLICE_PRINTF(file->path));
        put(file->text);
    }
    return EXIT_SUCCESS;
}

/* ---- diff ---- */

/* What the server has, file by file. */
struct running_files {
    struct arena arena;
    struct settings_file *files, *last;
    struct buf text; /* of the last one, as far as it has come */
};

static void end_file(struct running_files *r)
{
    if (r->last != NULL)
        r->last->text = arena_copy(&r->arena, buf_slice(&r->text));
    buf_clear(&r->text);
}

static void on_line(void *ctx, const struct control_line *line)
{
    struct running_files *r = ctx;
    struct settings_file *file = ARENA_NEW(&r->arena, struct settings_file);

    end_file(r);
    file->path = arena_copy(&r->arena, control_value(line, SLICE("path")));
    if (r->last == NULL)
        r->files = file;
    else
        r->last->next = file;
    r->last = file;
}

static void on_content(void *ctx, struct slice bytes)
{
    struct running_files *r = ctx;

    (void)buf_append(&r->text, bytes);
}

static struct slice text_of(const struct settings_file *files, struct slice path)
{
    while (files != NULL && !slice_equal(files->path, path))
        files = files->next;
    return files == NULL ? SLICE("") : files->text;
}

static bool has(const struct settings_file *files, struct slice path)
{
    while (files != NULL && !slice_equal(files->path, path))
        files = files->next;
    return files != NULL;
}

static unsigned tell_file(struct slice path, struct slice running, struct slice now)
{
    struct buf out;
    unsigned told;

    buf_init(&out, DIFF_MAX);
    told = line_diff(running, now, &out);
    if (told > 0)
        printf("%.*s:\n%.*s", SLICE_PRINTF(path), SLICE_PRINTF(buf_slice(&out)));
    buf_done(&out);
    return told;
}

/* The first file is the first one, by whatever path a person named it; the others have one name. */
static int tell_differences(const struct settings *s, const struct settings_file *running)
{
    const struct settings_file *included = running->next;
    unsigned told = tell_file(s->files->path, running->text, s->files->text);

    for (const struct settings_file *file = s->files->next; file != NULL; file = file->next)
        told += tell_file(file->path, text_of(included, file->path), file->text);
    for (const struct settings_file *file = included; file != NULL; file = file->next)
        if (!has(s->files->next, file->path))
            told += tell_file(file->path, file->text, SLICE(""));
    if (told == 0)
        puts("the server runs with these lines");
    return told == 0 ? EXIT_SUCCESS : DIFFERS;
}

static int diff(const struct asked *asked)
{
    static const struct running_calls calls = {.line = on_line, .content = on_content};
    const struct running_options which = {.config = asked->path};
    struct running_files r = {0};
    char socket[RUNNING_PATH_MAX];
    int status = running_find("config", &which, socket);

    buf_init(&r.text, DIFF_MAX);
    if (status == EXIT_SUCCESS)
        status = running_ask("config", socket, SLICE("settings\n"), &calls, &r, NULL);
    end_file(&r);
    if (status == EXIT_SUCCESS)
        status = r.files != NULL
                     ? tell_differences(asked->settings, r.files)
                     : command_wrong("config", EX_PROTOCOL, "the server does not say its settings");
    buf_done(&r.text);
    arena_done(&r.arena);
    return status;
}

/* ---- the command ---- */

static int words(const struct asked *asked)
{
    config_words(asked->json);
    return EXIT_SUCCESS;
}

static const struct verb {
    const char *word;
    int (*run)(const struct asked *asked);
    bool needs_file;
} verbs[] = {
    {"check", check, true },
    {"show",  show,  true },
    {"diff",  diff,  true },
    {"words", words, false},
};

static const struct verb *verb_of(const char *word)
{
    for (size_t i = 0; i < sizeof(verbs) / sizeof(*verbs); i++)
        if (slice_equal(slice_of(word), slice_of(verbs[i].word)))
            return &verbs[i];
    return NULL;
}

static int run(const struct verb *verb, struct asked *asked)
{
    struct settings *settings;
    struct buf bundle;
    int status = load_settings_file(asked->path, &bundle, &settings);

    if (status == EXIT_SUCCESS) {
        asked->settings = settings;
        asked->bundle = buf_slice(&bundle);
        status = verb->run(asked);
        settings_free(settings);
    }
    buf_wipe(&bundle);
    return status;
}

int cmd_config(int argc, char **argv)
{
    struct asked asked = {.path = "/etc/postroad/postroad.conf"};
    const struct verb *verb = argc >= 2 ? verb_of(argv[1]) : NULL;
    int status;
    const struct option options[] = {
        {"--config",   "-c", OPTION_TEXT, &asked.path,     "FILE",
         "the configuration; default /etc/postroad/postroad.conf",                             NULL},
        {"--defaults", NULL, OPTION_FLAG, &asked.defaults, NULL,
         "show: with all that holds because nobody wrote anything else",                       NULL},
        {"--json",     NULL, OPTION_FLAG, &asked.json,     NULL,   "words: one object a line", NULL},
    };
    const struct usage usage = {
        "config",
        "check|show|diff|words [OPTION...]",
        "check: is it right? All errors at once, on stderr, those of its tables too.\n"
        "show:  what it says, with the files that it includes.\n"
        "diff:  what would a reload change? Lines that only the running server has (-), or only\n"
        "       the file (+).\n"
        "words: every word that a configuration may hold, and what it means.\n\n"
        "Exit status: 0 it is right, nothing differs; 1 something differs; 66 the file cannot be\n"
        "read; 69 no server runs; 78 it is wrong.",
        "  postroad config check -c /etc/postroad/postroad.conf\n"
        "  postroad config show --defaults | grep tls\n"
        "  postroad config diff && echo 'nothing to reload'\n",
        options,
        sizeof(options) / sizeof(*options)};

    if (!options_parse(&usage, verb != NULL ? argc - 1 : argc, verb != NULL ? argv + 1 : argv,
                       &status))
        return status;
    if (verb == NULL)
        return command_wrong("config", EX_USAGE,
                             "write: postroad config check, show, diff or words");
    return verb->needs_file ? run(verb, &asked) : verb->run(&asked);
}
