/*
 * relay_test.c - sources and slots.
 */
#include "mail/relay.h"

#include "check.h"

#include <stdio.h>

/* "4" and "6" for the families, in the order of the configuration. */
static struct relay relay_with(const char *families, struct relay_source *sources, char (*names)[4])
{
    struct relay r = {.sources = sources};

    for (; families[r.source_count] != 0; r.source_count++) {
        size_t i = r.source_count;
        bool v4 = families[i] == '4';

        (void)snprintf(names[i], sizeof(names[i]), "s%u", (unsigned)i);
        sources[i] = (struct relay_source){.name = slice_of(names[i])};
        sources[i].ip[10] = sources[i].ip[11] = v4 ? 0xff : 0;
    }
    return r;
}

static void a_message_keeps_its_sources(void **state)
{
    static const struct {
        const char *families;
        uint64_t id;
        unsigned slot;
        const char *v4, *v6; /* NULL: none */
    } rows[] = {
        {"",     7, 0, NULL, NULL},
        {"4",    7, 0, "s0", NULL},
        {"46",   7, 0, "s0", "s1"},
        {"46",   8, 0, "s0", "s1"},
        {"6464", 4, 0, "s1", "s0"},
        {"6464", 5, 1, "s3", "s2"},
        {"444",  5, 2, "s2", NULL},
        {"4446", 4, 1, "s1", "s3"},
        {"4446", 5, 2, "s2", "s3"},
        {"66",   3, 1, NULL, "s1"},
    };

    (void)state;
    CHECK_ROWS (i, rows) {
        struct relay_source sources[4] = {0};
        char names[4][4];
        struct relay r = relay_with(rows[i].families, sources, names);
        unsigned slot = relay_slot(&r, rows[i].id);
        const struct relay_source *v4 = relay_source(&r, slot, true);
        const struct relay_source *v6 = relay_source(&r, slot, false);

        check_int(slot, rows[i].slot);
        check_slice(v4 == NULL ? SLICE("-") : v4->name,
                    rows[i].v4 == NULL ? SLICE("-") : slice_of(rows[i].v4));
        check_slice(v6 == NULL ? SLICE("-") : v6->name,
                    rows[i].v6 == NULL ? SLICE("-") : slice_of(rows[i].v6));
        check(relay_slot_has(&r, slot, v4 == NULL ? SLICE("?") : v4->name) == (v4 != NULL));
        check(relay_slot_has(&r, slot, v6 == NULL ? SLICE("?") : v6->name) == (v6 != NULL));
        check(!relay_slot_has(&r, slot, SLICE("s9")));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(a_message_keeps_its_sources)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
