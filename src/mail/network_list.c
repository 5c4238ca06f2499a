/*
 * network_list.c - networks in order, none in another: two either lie apart or one in the other, so
 * once the inner ones are gone the last that begins at or before an address is the only candidate.
 */
#include "mail/network_list.h"

#include "base/memory.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

struct network_list {
    struct buf bytes; /* struct network, one behind the other */
    size_t count;
};

static const struct network *all(const struct network_list *l)
{
    return (const struct network *)(const void *)buf_slice(&l->bytes).data;
}

/* By their beginning, wider ones first. */
static int compare(const void *a, const void *b)
{
    const struct network *one = a, *other = b;
    int order = memcmp(one->ip, other->ip, sizeof(one->ip));

    if (order != 0)
        return order;
    return one->bits < other->bits ? -1 : one->bits > other->bits;
}

static void keep_outer(struct network_list *l)
{
    struct network *list = (struct network *)(uintptr_t)all(l);
    size_t kept = 0;

    if (l->count > 0)
        qsort(list, l->count, sizeof(*list), compare);
    for (size_t i = 0; i < l->count; i++)
        if (kept == 0 || !network_covers(&list[kept - 1], &list[i]))
            list[kept++] = list[i];
    l->count = kept;
}

struct network_list *network_list_parse(struct slice text, struct complaints *c)
{
    struct network_list *l = MEMORY_NEW(struct network_list);
    struct table_reader r = table_reader_of(text, c);
    struct table_line line;
    struct network n;

    buf_init(&l->bytes, UINT32_MAX);
    while (table_next_line(&r, &line)) {
        struct slice word = table_line_word(&line);

        if (network_parse(word, &n)) {
            bool fits = buf_append(&l->bytes, (struct slice){(const char *)&n, sizeof(n)});

            assert(fits); /* sources are smaller: a line of 3 bytes gives 20 */
            l->count++;
        } else {
            complain_printf(c, SEVERITY_ERROR, table_place(&line, word),
                            SLICE("write 192.0.2.0/24 or 2001:db8::/32, without bits behind the "
                                  "prefix, or one address"),
                            "'%.*s' is not a network", SLICE_PRINTF(word));
        }
    }
    keep_outer(l);
    return l;
}

void network_list_free(struct network_list *l)
{
    if (l == NULL)
        return;
    buf_done(&l->bytes);
    memory_free(l);
}

size_t network_list_count(const struct network_list *l)
{
    return l->count;
}

bool network_list_has(const struct network_list *l, const unsigned char ip[16])
{
    const struct network *list = all(l);
    size_t low = 0, high = l->count; /* the first that begins behind the address */

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (memcmp(list[middle].ip, ip, sizeof(list[middle].ip)) <= 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low > 0 && network_has(&list[low - 1], ip);
}
