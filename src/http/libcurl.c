/*
 * libcurl.c - loaded when somebody wants to fetch, and by nobody else.
 *
 * With it come two dozen libraries (LDAP, Kerberos, SSH, ...). Linked in the usual way they doubled
 * the start of every command, cost each process 640 KiB of its own, and lay beside what strangers
 * send to the receivers.
 */
#include "http/libcurl.h"

#include "base/fail.h"

#include <dlfcn.h>
#include <errno.h>
#include <stddef.h>
#include <string.h>

#define ROW(name) {"curl_" #name, offsetof(struct libcurl, name)},

static const struct {
    const char *name;
    size_t at;
} calls[] = {LIBCURL_CALLS(ROW)};

static bool find_calls(void *library, struct libcurl *out)
{
    for (size_t i = 0; i < sizeof(calls) / sizeof(*calls); i++) {
        void *call = dlsym(library, calls[i].name);

        if (call == NULL)
            return false;
        memcpy((char *)out + calls[i].at, &call, sizeof(call));
    }
    return true;
}

bool libcurl_load(struct libcurl *out)
{
    static const char file[] = "libcurl.so.4";
    void *library = dlopen(file, RTLD_NOW | RTLD_LOCAL);

    if (library != NULL && find_calls(library, out))
        return true;
    fail_code(-ELIBACC, "load", slice_of(file));
    return false;
}
