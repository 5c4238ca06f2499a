/*
 * reasons.c - why mail waits.
 */
#include "queue/reasons.h"

#include "base/memory.h"

#include <assert.h>
#include <string.h>

struct reason {
    struct reasons *all;
    size_t uses;
    size_t len;
    char text[];
};

void reasons_init(struct reasons *all, const uint64_t seed[2])
{
    map_init(&all->texts, seed);
    all->count = 0;
}

void reasons_done(struct reasons *all)
{
    assert(all->count == 0);
    map_done(&all->texts);
}

struct reason *reasons_take(struct reasons *all, struct slice text)
{
    struct reason *r = map_get(&all->texts, text);

    if (r != NULL) {
        r->uses++;
        return r;
    }
    if (text.len == 0 || all->count == REASONS_MAX)
        return NULL;
    r = memory_new(sizeof(*r) + text.len);
    *r = (struct reason){.all = all, .uses = 1, .len = text.len};
    memcpy(r->text, text.data, text.len);
    (void)map_put(&all->texts, text, r);
    all->count++;
    return r;
}

struct slice reason_text(const struct reason *r)
{
    return r == NULL ? SLICE("") : (struct slice){r->text, r->len};
}

void reason_drop(struct reason *r)
{
    if (r == NULL || --r->uses > 0)
        return;
    (void)map_remove(&r->all->texts, reason_text(r));
    r->all->count--;
    memory_free(r);
}
