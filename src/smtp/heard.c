/*
 * heard.c - what a server answered, kept whole.
 *
 * The engine keeps of a reply what decides over mail, and forgets the rest with the next one. Here
 * it stays: the greeting's words, the parameters of extensions that nobody uses, the line that was
 * no reply at all.
 */
#include "smtp/heard.h"

#include <string.h>

void heard_init(struct heard *h)
{
    *h = (struct heard){0};
}

void heard_done(struct heard *h)
{
    arena_done(&h->arena);
}

void heard_line(struct heard *h, struct slice line)
{
    while (line.len > 0 && (line.data[line.len - 1] == '\n' || line.data[line.len - 1] == '\r'))
        line.len--;
    line = slice_head(line, HEARD_LINE_MAX);
    if (line.len > 0)
        memcpy(h->line, line.data, line.len);
    h->line_len = line.len;
}

void heard_reply(struct heard *h, enum step step, bool secured, const struct reply_reader *reply)
{
    if (h->count == HEARD_MAX)
        return;
    h->replies[h->count++] = (struct heard_reply){
        .step = step,
        .secured = secured,
        .cut = reply->cut,
        .code = reply->code,
        .text = arena_copy(&h->arena, buf_slice(&reply->text)),
    };
}

const struct heard_reply *heard_find(const struct heard *h, enum step step, bool secured)
{
    for (unsigned i = 0; i < h->count; i++)
        if (h->replies[i].step == step && h->replies[i].secured == secured)
            return &h->replies[i];
    return NULL;
}

struct slice heard_last_line(const struct heard *h)
{
    return (struct slice){h->line, h->line_len};
}
