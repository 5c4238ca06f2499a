/*
 * sendmail_wrong.c - "sendmail: what is wrong", as it has always been said.
 */
#include "cmd/sendmail_wrong.h"

#include <stdarg.h>
#include <stdio.h>

int sendmail_wrong(int status, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    fputs("sendmail: ", stderr);
    vfprintf(stderr, format, args);
    fputc('\n', stderr);
    va_end(args);
    return status;
}

struct slice sendmail_printable(struct arena *arena, struct slice text)
{
    char *out = arena_alloc(arena, text.len + 1);

    for (size_t i = 0; i < text.len; i++)
        out[i] = text.data[i] >= ' ' && text.data[i] <= '~' ? text.data[i]
                 : text.data[i] == '\n'                     ? ' '
                                                            : '?';
    return (struct slice){out, text.len};
}
