/*
 * sendmail_place.c - four words of the configuration.
 */
#include "cmd/sendmail_place.h"

#include "cmd/dev_dir.h"
#include "cmd/load_settings.h"
#include "cmd/own_name.h"
#include "config/syntax.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <unistd.h>

#define CONFIG_FILE   "/etc/postroad/postroad.conf"
#define USUAL_SOCKET  "/run/postroad/sendmail"
#define USUAL_DROP    "/var/spool/postroad-drop"
#define DEV_DIR_VALUE "POSTROAD_DEV_DIR"

static struct slice value_of(const struct syntax_statement *s, unsigned n)
{
    const struct syntax_word *value = s->values;

    while (value != NULL && n-- > 0)
        value = value->next;
    return value != NULL ? value->text : SLICE("");
}

static void read_listener(const struct syntax_statement *s, struct arena *arena,
                          struct sendmail_place *out)
{
    struct slice at = value_of(s, 1);

    if (out->socket.len > 0 || !slice_equal(value_of(s, 0), SLICE("local")) ||
        !slice_starts(at, SLICE("unix:")))
        return;
    out->socket = arena_copy(arena, slice_skip(at, 5));
    for (const struct syntax_statement *word = s->block; word != NULL; word = word->next)
        if (slice_equal(word->word.text, SLICE("drop")))
            out->drop = arena_copy(arena, value_of(word, 0));
}

void sendmail_place_read(struct slice text, struct arena *arena, struct sendmail_place *out)
{
    struct arena scratch = {0};
    struct source source = {.text = text, .complaints = {.arena = &scratch}};
    struct slice origin = SLICE("");

    for (const struct syntax_statement *s = syntax_parse(&source, &scratch).first; s != NULL;
         s = s->next) {
        struct slice name = arena_copy(arena, value_of(s, 0));

        if (slice_equal(s->word.text, SLICE("listen")))
            read_listener(s, arena, out);
        else if (slice_equal(s->word.text, SLICE("hostname")) && name.len > 0)
            out->hostname = name;
        else if (slice_equal(s->word.text, SLICE("origin")) && name.len > 0)
            origin = name;
    }
    out->origin = origin.len > 0 ? origin : out->hostname;
    arena_done(&scratch);
}

/* A socket of somebody's `postroad dev`, if it runs. */
static bool find_dev(struct arena *arena, struct sendmail_place *out)
{
    char dir[PATH_MAX];
    struct slice path;

    if (!dev_dir(getenv(DEV_DIR_VALUE), dir, sizeof(dir)))
        return false;
    path = arena_printf(arena, "%s/" DEV_SENDMAIL "%c", dir, 0);
    if (access(path.data, W_OK) != 0)
        return false;
    out->socket = slice_head(path, path.len - 1);
    out->hostname = out->origin = SLICE("localhost");
    return true;
}

bool sendmail_place_find(const char *config, struct arena *arena, struct sendmail_place *out)
{
    struct slice own = own_name(arena);
    struct buf text = {0};
    unsigned flags;
    int code;

    *out = (struct sendmail_place){.hostname = own, .origin = own};
    if (config == NULL && getenv(DEV_DIR_VALUE) != NULL && find_dev(arena, out))
        return true;
    code = load_file(config != NULL ? config : CONFIG_FILE, SETTINGS_TEXT_MAX, &text, &flags);
    if (code == 0)
        sendmail_place_read(buf_slice(&text), arena, out);
    buf_done(&text);
    if (code == 0 || config != NULL)
        return code == 0;
    if (code == -ENOENT && access(USUAL_SOCKET, W_OK) != 0 && find_dev(arena, out))
        return true;
    out->socket = SLICE(USUAL_SOCKET);
    out->drop = SLICE(USUAL_DROP);
    return true;
}
