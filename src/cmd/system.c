/*
 * system.c - check everything, then start.
 */
#include "cmd/system.h"

#include "cmd/open_path.h"

#include "base/disk.h"
#include "base/memory.h"

#include <stdio.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

enum { RECEIVERS_MAX = 64 };

int system_run_text(struct slice file, struct slice text, unsigned receivers,
                    void (*ready)(void *ctx), void *ctx)
{
    struct settings_errors errors;
    struct settings *settings = settings_parse(file, text, &errors);
    struct slice said = buf_slice(&errors.text);

    if (said.len > 0)
        fwrite(said.data, 1, said.len, stderr);
    buf_done(&errors.text);
    if (settings == NULL)
        return EX_CONFIG;
    struct warden_options options = {.file = file,
                                     .text = text,
                                     .settings = settings,
                                     .receivers = receivers,
                                     .ready = ready,
                                     .ctx = ctx};
    int status = warden_run(&options);
    settings_free(settings);
    return status;
}

/* One per core: each is one thread that never waits. */
static unsigned receivers_for_machine(void)
{
    long cores = sysconf(_SC_NPROCESSORS_ONLN);

    if (cores < 1)
        return 1;
    return cores < RECEIVERS_MAX ? (unsigned)cores : RECEIVERS_MAX;
}

static int read_text(const char *path, struct buf *text)
{
    struct disk_file *file;
    int code = open_path(path, DISK_READ, 0, &file);

    if (code < 0)
        return code;
    int64_t got = disk_read(file, buf_reserve(text, SETTINGS_TEXT_MAX), SETTINGS_TEXT_MAX, 0);
    disk_close(file);
    if (got >= 0)
        buf_commit(text, (size_t)got);
    return got < 0 ? (int)got : 0;
}

int system_run_file(const char *file)
{
    struct buf text;

    buf_init(&text, SETTINGS_TEXT_MAX);
    int code = read_text(file, &text);
    if (code < 0) {
        fprintf(stderr, "postroad: cannot read %s: %s\n", file, strerrordesc_np(-code));
        buf_done(&text);
        return EX_NOINPUT;
    }
    int status =
        system_run_text(slice_of(file), buf_slice(&text), receivers_for_machine(), NULL, NULL);
    buf_done(&text);
    return status;
}
