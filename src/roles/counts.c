/*
 * counts.c - two tables and a few words in one piece of memory.
 */
#include "roles/counts.h"

#include "base/shared.h"

/* Its cells are 8 bytes wide. */
static size_t tally_part(unsigned receivers)
{
    return (tally_size(receivers) + 63) / 64 * 64;
}

static size_t size_for(unsigned receivers)
{
    return tally_part(receivers) + gauges_size(receivers) + crowdings_size(receivers);
}

int counts_new(unsigned receivers, const uint64_t seed[2], struct disk_file **out)
{
    size_t size = size_for(receivers);
    void *memory = NULL;
    int code = shared_new(size, out);

    if (code == 0)
        code = shared_map(*out, size, &memory);
    if (code < 0)
        return code;
    tally_init(memory, seed);
    gauges_init((char *)memory + tally_part(receivers), seed);
    shared_unmap(memory, size);
    return 0;
}

int counts_open(struct counts *c, struct disk_file *file, unsigned receivers, unsigned index)
{
    size_t size = size_for(receivers);
    void *memory;
    int code = shared_map(file, size, &memory);

    if (code < 0)
        return code;
    *c = (struct counts){
        .memory = memory,
        .size = size,
        .tally = tally_view(memory, receivers, index),
        .gauges = gauges_view((char *)memory + tally_part(receivers), receivers, index),
        .crowdings = crowdings_view((char *)memory + tally_part(receivers) + gauges_size(receivers),
                                    receivers, index)};
    return 0;
}

void counts_clear(struct counts *c)
{
    crowdings_say(&c->crowdings, CROWDING_AWAY);
    gauges_clear(&c->gauges);
}

void counts_close(struct counts *c)
{
    shared_unmap(c->memory, c->size);
    *c = (struct counts){0};
}
