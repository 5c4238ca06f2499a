/*
 * load_settings.c - parse, read what is wanted, parse again.
 *
 * A path that a person gave is followed through symbolic links, as cp and cat would; below the door
 * to the disk nothing is.
 */
#include "cmd/load_settings.h"

#include "cmd/open_path.h"

#include "base/cursor.h"
#include "base/memory.h"
#include "loop/tls.h"

#include <errno.h>
#include <glob.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

enum { PATH_WANTED_MAX = 4096, READ_BY_ALL = 04, WRITTEN_BY_ALL = 02 };

static int read_open(struct disk_file *file, size_t max, struct buf *text)
{
    uint64_t size;
    int code = disk_size(file, &size);

    if (code < 0)
        return code;
    if (size > max)
        return -EFBIG;
    buf_init(text, max + 1);
    /* One byte more than there is tells that it grew beyond all bounds meanwhile. */
    int64_t got = disk_read(file, buf_reserve(text, (size_t)size + 1), (size_t)size + 1, 0);
    if (got >= 0)
        buf_commit(text, (size_t)got);
    return got < 0 ? (int)got : 0;
}

int load_file(const char *path, size_t max, struct buf *text, unsigned *flags)
{
    char real[PATH_MAX];
    struct disk_file *file;
    unsigned mode;

    *flags = 0;
    if (realpath(path, real) == NULL)
        return -errno;
    int code = open_path(real, DISK_READ, 0, &file);
    if (code < 0)
        return code;
    code = disk_mode(file, &mode);
    if (code == 0)
        code = read_open(file, max, text);
    disk_close(file);
    if (code == 0 && (mode & READ_BY_ALL) != 0)
        *flags |= SOURCE_FOR_ALL;
    if (code == 0 && (mode & WRITTEN_BY_ALL) != 0)
        *flags |= SOURCE_CHANGEABLE;
    return code;
}

/* The names of the files that match, one a line. There may be none. */
static bool add_names(struct buf *bundle, struct slice path, const char *pattern)
{
    struct buf names;
    glob_t found;
    int code = glob(pattern, GLOB_ERR, NULL, &found);
    bool fits = true;

    if (code != 0 && code != GLOB_NOMATCH)
        return bundle_add(bundle, path, SOURCE_UNREADABLE, SLICE("the folder cannot be read"));
    buf_init(&names, SOURCE_TEXT_MAX);
    for (size_t i = 0; code == 0 && i < found.gl_pathc; i++)
        fits = fits && buf_printf(&names, "%s\n", found.gl_pathv[i]);
    if (code == 0)
        globfree(&found);
    fits = fits && bundle_add(bundle, path, 0, buf_slice(&names));
    buf_done(&names);
    return fits;
}

/* False when the bundle is full. */
static bool add_file(struct buf *bundle, struct slice path)
{
    char name[PATH_WANTED_MAX + 1] = "";
    struct buf text = {0};
    unsigned flags;
    bool fits;

    memcpy(name, path.data, path.len < PATH_WANTED_MAX ? path.len : PATH_WANTED_MAX);
    if (sources_is_pattern(path))
        return add_names(bundle, path, name);
    int code = load_file(name, SOURCE_TEXT_MAX, &text, &flags);
    if (code < 0)
        fits = bundle_add(bundle, path, SOURCE_UNREADABLE, slice_of(strerrordesc_np(-code)));
    else
        fits =
            bundle_add(bundle, path, flags, buf_slice(&text)) ||
            bundle_add(bundle, path, SOURCE_UNREADABLE, SLICE("all files are larger than 1 GiB"));
    buf_wipe(&text);
    return fits;
}

static void say(const struct settings_errors *errors)
{
    struct slice said = buf_slice(&errors->text);

    if (said.len > 0)
        fwrite(said.data, 1, said.len, stderr);
}

static const struct settings_judge judge = {tls_chain_fault, tls_key_fault, tls_authorities_fault,
                                            tls_is_same_kind};

/* What was said last is the caller's to release. */
static struct settings *parse_whole(struct buf *bundle, struct settings_errors *errors)
{
    for (;;) {
        struct settings *settings = settings_parse(buf_slice(bundle), &judge, errors);
        struct cursor wanted = {buf_slice(&errors->wanted)};
        bool again = !cursor_at_end(&wanted), fits = true;
        struct slice path;

        while (fits && get_bytes(&wanted, PATH_WANTED_MAX, &path))
            fits = add_file(bundle, path);
        if (!again || !fits)
            return settings;
        settings_errors_done(errors);
    }
}

struct settings *load_settings(struct buf *bundle)
{
    struct settings_errors errors;
    struct settings *settings = parse_whole(bundle, &errors);

    say(&errors);
    settings_errors_done(&errors);
    return settings;
}

static int begin_bundle(const char *file, struct buf *bundle)
{
    struct buf text = {0};
    unsigned flags;
    int code = load_file(file, SETTINGS_TEXT_MAX + 1, &text, &flags);

    buf_init(bundle, BUNDLE_MAX);
    if (code < 0)
        fprintf(stderr, "postroad: cannot read %s: %s\n", file, strerrordesc_np(-code));
    else
        bundle_add(bundle, slice_of(file), flags, buf_slice(&text));
    buf_done(&text);
    return code < 0 ? EX_NOINPUT : EXIT_SUCCESS;
}

int load_settings_file(const char *file, struct buf *bundle, struct settings **out)
{
    int status = begin_bundle(file, bundle);

    if (status != EXIT_SUCCESS)
        return status;
    *out = load_settings(bundle);
    return *out == NULL ? EX_CONFIG : EXIT_SUCCESS;
}

int load_settings_to_use(const char *file, struct buf *bundle, struct settings **out)
{
    struct settings_errors errors;
    int status = begin_bundle(file, bundle);

    if (status != EXIT_SUCCESS)
        return status;
    *out = parse_whole(bundle, &errors);
    if (*out == NULL)
        say(&errors);
    settings_errors_done(&errors);
    return *out == NULL ? EX_CONFIG : EXIT_SUCCESS;
}

/* The other files as they were. The bundle has no keys, so nobody can judge certificates. */
struct settings *load_accounts_again(const struct settings *s, struct slice bundle, struct buf *out)
{
    struct arena scratch = {0};
    struct sources sources;
    struct settings_errors errors;
    struct settings *fresh = NULL;
    bool fits = sources_open(&sources, bundle, &scratch);

    for (const struct source *one = sources.first; fits && one != NULL; one = one->next)
        fits = settings_is_accounts_file(s, one->path)
                   ? add_file(out, one->path)
                   : bundle_add(out, one->path, one->flags, one->text);
    arena_done(&scratch);
    if (fits) {
        fresh = settings_parse(buf_slice(out), NULL, &errors);
        say(&errors);
        settings_errors_done(&errors);
    }
    return fresh;
}
