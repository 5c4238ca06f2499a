/*
 * bad_addresses.c - addresses that behave badly on purpose.
 *
 * What is remembered of greylisting is forgotten all at once when it becomes too much: it is for
 * tests, and a test that was forgotten is refused once more.
 */
#include "roles/bad_addresses.h"

#include "base/cursor.h"
#include "base/map.h"
#include "base/memory.h"

enum kind { GOOD, REFUSE, DEFER, GREYLIST, DELAY, DROP };

struct bad_addresses {
    struct clock *clock;
    struct map first_ms; /* of each (client, sender, recipient): uint64_t */
    struct arena arena;  /* keys and values */
    uint64_t seed[2];
};

struct bad_addresses *bad_addresses_new(struct clock *clock, struct random *random)
{
    struct bad_addresses *b = MEMORY_NEW(struct bad_addresses);

    b->clock = clock;
    b->seed[0] = random_u64(random);
    b->seed[1] = random_u64(random);
    map_init(&b->first_ms, b->seed);
    return b;
}

void bad_addresses_free(struct bad_addresses *b)
{
    if (b == NULL)
        return;
    map_done(&b->first_ms);
    arena_done(&b->arena);
    memory_free(b);
}

/* "delay-30s" */
static bool is_delay(struct slice local, unsigned *delay_s)
{
    struct slice prefix = SLICE("delay-"), unit = SLICE("s");
    struct cursor c = {slice_skip(local, prefix.len)};
    uint64_t seconds;

    if (!slice_starts_nocase(local, prefix) || !take_number(&c, &seconds) ||
        !slice_equal_nocase(c.rest, unit) || seconds == 0 || seconds > BAD_DELAY_MAX_S)
        return false;
    *delay_s = (unsigned)seconds;
    return true;
}

static enum kind kind_of(const struct address *a, unsigned *delay_s)
{
    static const struct {
        struct slice local;
        enum kind kind;
    } names[] = {
        {SLICE_INIT("refuse"),          REFUSE  },
        {SLICE_INIT("defer"),           DEFER   },
        {SLICE_INIT("greylist"),        GREYLIST},
        {SLICE_INIT("drop-after-data"), DROP    },
    };

    for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
        if (slice_equal_nocase(a->local, names[i].local))
            return names[i].kind;
    return is_delay(a->local, delay_s) ? DELAY : GOOD;
}

static bool is_too_early(struct bad_addresses *b, struct slice key)
{
    uint64_t now = clock_monotonic_ms(b->clock);
    uint64_t *first = map_get(&b->first_ms, key);

    if (first != NULL)
        return now - *first < (uint64_t)BAD_GREY_S * 1000;
    if (b->first_ms.used == BAD_GREY_MAX) {
        map_done(&b->first_ms);
        map_init(&b->first_ms, b->seed);
        arena_reset(&b->arena);
    }
    first = ARENA_NEW(&b->arena, uint64_t);
    *first = now;
    (void)map_put(&b->first_ms, arena_copy(&b->arena, key), first);
    return true;
}

static struct reply refusal(unsigned code, const char *enhanced, const struct address *rcpt,
                            const char *why, struct arena *arena)
{
    return (struct reply){code, slice_of(enhanced),
                          arena_printf(arena, "<%.*s>: Recipient address rejected: %s",
                                       SLICE_PRINTF(address_text(arena, rcpt)), why)};
}

struct bad_manners bad_addresses_at_rcpt(struct bad_addresses *b, struct slice client,
                                         const struct address *sender, const struct address *rcpt,
                                         struct arena *arena)
{
    struct bad_manners m = {0};
    struct slice from, to;

    switch (kind_of(rcpt, &m.delay_s)) {
    case GOOD:
    case DROP:
    case DELAY: break;
    case REFUSE: m.refusal = refusal(550, "5.1.1", rcpt, "User unknown", arena); break;
    case DEFER: m.refusal = refusal(450, "4.2.1", rcpt, "try again later, in vain", arena); break;
    case GREYLIST:
        from = address_text(arena, sender);
        to = address_text(arena, rcpt);
        if (is_too_early(b, arena_printf(arena, "%.*s %.*s %.*s", SLICE_PRINTF(client),
                                         SLICE_PRINTF(from), SLICE_PRINTF(to))))
            m.refusal = refusal(450, "4.2.0", rcpt, "Greylisted: try again in 5 seconds", arena);
        break;
    }
    return m;
}

bool bad_addresses_drop(const struct envelope *e)
{
    unsigned delay_s;

    for (unsigned i = 0; i < e->rcpt_count; i++)
        if (kind_of(&e->rcpts[i].original, &delay_s) == DROP)
            return true;
    return false;
}
