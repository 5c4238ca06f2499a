/*
 * user.c - who may log in: added, changed and listed in the table of accounts.
 *
 * A new password is stored twice: as a yescrypt hash, and as keys for SCRAM-SHA-256, by which a
 * client can log in without sending it. Who steals the file will guess at the keys, which are
 * cheaper to try; who may not have that leaves out postroad_scram.
 */
#include "cmd/account_file.h"
#include "cmd/commands.h"
#include "cmd/options.h"
#include "cmd/password_prompt.h"
#include "cmd/running.h"
#include "cmd/user_list.h"

#include "base/random.h"
#include "sasl/password.h"
#include "sasl/scram.h"

#include <stdio.h>
#include <stdlib.h>
#include <sysexits.h>

struct user_options {
    struct account_file_options file;
    struct option_list words;
    bool password_stdin, json;
};

/* What a verb does. */
struct verb {
    const char *word;
    enum account_change change;
    const char *done, *same; /* what is told */
    bool holds;              /* what waits of him in the queue */
};

static const struct verb verbs[] = {
    {"add",     ACCOUNT_ADD,      "added",        "",                     false},
    {"passwd",  ACCOUNT_PASSWORD, "new password", "",                     false},
    {"disable", ACCOUNT_DISABLE,  "disabled",     "was disabled already", true },
    {"enable",  ACCOUNT_ENABLE,   "enabled",      "was enabled already",  false},
    {"delete",  ACCOUNT_DELETE,   "deleted",      "",                     true },
};

/* ---- secrets ---- */

static bool make_secrets(struct slice password, struct buf *hash, struct buf *keys)
{
    char bytes[PASSWORD_SALT_BYTES], others[PASSWORD_SALT_BYTES];

    random_bytes(random_real(), bytes, sizeof(bytes));
    random_bytes(random_real(), others, sizeof(others));
    return password_make(hash, password, (struct slice){bytes, sizeof(bytes)}) &&
           password_make_scram(keys, password, (struct slice){others, sizeof(others)},
                               SCRAM_ITERATIONS_MIN);
}

static int edit_with_password(const char *path, struct account_edit *edit, const char *name,
                              bool from_stdin, bool *changed)
{
    struct buf password, hash, keys;
    int status = password_prompt("user", name, from_stdin, &password);

    buf_init(&hash, PASSWORD_STORED_MAX);
    buf_init(&keys, PASSWORD_STORED_MAX);
    if (status == 0 && !make_secrets(buf_slice(&password), &hash, &keys))
        status = command_wrong("user", EX_DATAERR,
                               "this password cannot be kept: it is too long, no UTF-8 text, or "
                               "has characters that no login can carry");
    buf_wipe(&password);
    edit->password = buf_slice(&hash);
    edit->scram = buf_slice(&keys);
    if (status == 0)
        status = account_file_edit(path, edit, changed);
    buf_wipe(&hash);
    buf_wipe(&keys);
    return status;
}

/* ---- who should know ---- */

static int ask(const char *path, const char *verb, const char *name, uint64_t *count)
{
    const struct running_calls calls = {NULL, NULL};
    struct buf request;

    buf_init(&request, CONTROL_LINE_MAX);
    control_begin(&request, slice_of(verb));
    if (name != NULL)
        control_text(&request, "user", slice_of(name));
    control_end(&request);
    int status = running_ask("user", path, buf_slice(&request), &calls, NULL, count);
    buf_done(&request);
    return status;
}

/* A server that does not run reads the file when it starts. What waits of somebody who was shut out
 * is held behind the news, when no more of it comes. */
static int tell_server(const struct account_file *file, const struct verb *verb, const char *name)
{
    char path[RUNNING_PATH_MAX];
    uint64_t held = 0;
    int len = snprintf(path, sizeof(path), "%s/courier.sock", file->queue);

    if (file->queue[0] == '\0' || len >= (int)sizeof(path) || !running_is_there(path))
        return 0;
    int status = ask(path, "accounts", NULL, NULL);
    if (status == 0 && verb->holds)
        status = ask(path, "hold", name, &held);
    if (held > 0)
        printf(
            "%s: %llu message%s in the queue now held: postroad queue release|delete --user %s\n",
            name, (unsigned long long)held, held == 1 ? "" : "s", name);
    return status;
}

/* ---- verbs ---- */

static int change(const struct user_options *o, const struct verb *verb)
{
    const char *name = o->words.count == 1 ? o->words.values[0] : NULL;
    struct account_edit edit = {.change = verb->change};
    struct account_file file;
    bool secret = verb->change == ACCOUNT_ADD || verb->change == ACCOUNT_PASSWORD;
    bool changed = false;

    if (name == NULL)
        return command_wrong("user", EX_USAGE, "%s whom? Type: postroad user %s ann@example.org",
                             verb->word, verb->word);
    edit.name = slice_of(name);
    int status = account_file_find(&o->file, &file);
    if (status == 0)
        status = account_file_try(file.path, &edit);
    if (status == 0 && secret)
        status = edit_with_password(file.path, &edit, name, o->password_stdin, &changed);
    else if (status == 0)
        status = account_file_edit(file.path, &edit, &changed);
    if (status == 0)
        printf("%s: %s\n", name, changed ? verb->done : verb->same);
    return status == 0 ? tell_server(&file, verb, name) : status;
}

static int list(const struct user_options *o)
{
    struct account_file file;
    struct buf text = {0};
    int status = o->words.count == 0 ? account_file_find(&o->file, &file)
                                     : command_wrong("user", EX_USAGE, "list takes no name");

    if (status == 0)
        status = account_file_read(file.path, &text);
    if (status == 0)
        user_list(buf_slice(&text), o->json);
    buf_wipe(&text);
    return status;
}

static int run(const struct user_options *o, const char *word)
{
    if (slice_equal(slice_of(word), SLICE("list")))
        return list(o);
    for (size_t i = 0; i < sizeof(verbs) / sizeof(*verbs); i++)
        if (slice_equal(slice_of(word), slice_of(verbs[i].word)))
            return change(o, &verbs[i]);
    return command_wrong("user", EX_USAGE,
                         "what about '%s'? add, passwd, disable, enable, delete, list", word);
}

static int user(int argc, char **argv, const char *word)
{
    struct user_options o = {0};
    int status;
    const struct option options[] = {
        {"--config",         "-c", OPTION_TEXT,  &o.file.config,    "FILE",
         "the configuration; default /etc/postroad/postroad.conf",                                                       NULL},
        {"--dir",            NULL, OPTION_TEXT,  &o.file.dir,       "DIR",
         "the accounts of the `postroad dev` of this folder",                                                            NULL},
        {"--table",          NULL, OPTION_TEXT,  &o.file.table,     "NAME",
         "which of its tables of accounts, if there are several",                                                        NULL},
        {"--file",           NULL, OPTION_TEXT,  &o.file.file,      "PATH",
         "this file of accounts, whatever is configured; add makes it",                                                  NULL},
        {"--password-stdin", NULL, OPTION_FLAG,  &o.password_stdin, NULL,
         "add, passwd: the first line of stdin, not a question",                                                         NULL},
        {"--json",           NULL, OPTION_FLAG,  &o.json,           NULL,   "list: one object a line",                   NULL},
        {"NAME",             NULL, OPTION_WORDS, &o.words,          NULL,   "ann@example.org; or ann, for every domain",
         NULL                                                                                                                },
    };
    const struct usage usage = {
        "user",
        "add|passwd|disable|enable|delete NAME, or list [OPTION...]",
        "Changes a table of accounts, a passwd-file as Dovecot's. A password is asked for twice\n"
        "and kept as a yescrypt hash and as keys for SCRAM-SHA-256. Who is disabled cannot log in\n"
        "and gets mail as before. All other lines of the file stay as they are. A server that is\n"
        "running is told at once: sessions of who is disabled or deleted end, his mail in the\n"
        "queue is held.\n\n"
        "Exit status: 0 done; 64 usage; 65 a name, password or file that is wrong, or the account\n"
        "is there already; 66 a file cannot be read; 67 no such account; 69 the server was not\n"
        "told; 74 the disk failed; 75 somebody else changes the file just now; 77 not permitted;\n"
        "78 the configuration is wrong.",
        "  postroad user add ann@example.org\n"
        "  pass show mail/ann | postroad user passwd ann@example.org --password-stdin\n"
        "  postroad user disable ann@example.org\n"
        "  postroad user list --json\n"
        "  postroad user add ann --dir ~/.local/state/postroad/dev\n",
        options,
        sizeof(options) / sizeof(*options)};

    if (!options_parse(&usage, argc, argv, &status))
        return status;
    return run(&o, word);
}

int cmd_user(int argc, char **argv)
{
    bool named = argc >= 2 && argv[1][0] != '-';

    return user(named ? argc - 1 : argc, named ? argv + 1 : argv, named ? argv[1] : "list");
}
