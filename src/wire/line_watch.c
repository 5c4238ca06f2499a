/*
 * line_watch.c - line ends, NULs and 8-bit bytes of content.
 */
#include "wire/line_watch.h"

static void watch_byte(struct line_watch *w, unsigned char c)
{
    bool after_cr = w->after_cr;

    w->after_cr = c == '\r';
    if (after_cr && c != '\n')
        w->bare_cr = true;
    if (c == '\n' && !after_cr)
        w->bare_lf = true;
    if (c == '\0')
        w->nul = true;
    if (c > 0x7f)
        w->eight_bit = true;
}

void line_watch_feed(struct line_watch *w, struct slice bytes)
{
    for (size_t i = 0; i < bytes.len; i++)
        watch_byte(w, (unsigned char)bytes.data[i]);
}

void line_watch_end(struct line_watch *w)
{
    w->bare_cr = w->bare_cr || w->after_cr;
    w->after_cr = false;
}
