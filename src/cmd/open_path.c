/*
 * open_path.c - a file by the path that a person typed.
 *
 * The disk opens names in folders; a path is cut at its last slash, "mail.conf" lies in ".".
 */
#include "cmd/open_path.h"

#include <errno.h>
#include <limits.h>
#include <string.h>

int open_path(const char *path, enum disk_open how, unsigned mode, struct disk_file **out)
{
    char folder[PATH_MAX] = ".";
    struct slice whole = slice_of(path);
    size_t cut = slice_rfind(whole, '/');
    const char *name = path;
    struct disk_dir *dir;

    if (whole.len >= sizeof(folder))
        return -ENAMETOOLONG;
    if (cut != whole.len) {
        memcpy(folder, path, cut + 1);
        folder[cut + 1] = '\0';
        name = path + cut + 1;
    }
    if (*name == '\0')
        return whole.len == 0 ? -ENOENT : -EISDIR;
    int code = disk_dir_open(disk_real(), folder, &dir);
    if (code < 0)
        return code;
    code = disk_open(dir, name, how, mode, out);
    disk_dir_close(dir);
    return code;
}
