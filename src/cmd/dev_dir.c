/*
 * dev_dir.c - where `postroad dev` keeps what it has.
 */
#include "cmd/dev_dir.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static int write_dir(const char *wanted, char *out, size_t size)
{
    const char *state = getenv("XDG_STATE_HOME"), *home = getenv("HOME");
    char cwd[PATH_MAX] = "";

    if (wanted != NULL && wanted[0] != '/' && getcwd(cwd, sizeof(cwd)) != NULL)
        return snprintf(out, size, "%s/%s", cwd, wanted);
    if (wanted != NULL)
        return snprintf(out, size, "%s", wanted);
    if (state != NULL && state[0] == '/')
        return snprintf(out, size, "%s/postroad/dev", state);
    return snprintf(out, size, "%s/.local/state/postroad/dev", home == NULL ? "/tmp" : home);
}

bool dev_dir(const char *wanted, char *out, size_t size)
{
    int len = write_dir(wanted, out, size);

    return len >= 0 && (size_t)len < size;
}
