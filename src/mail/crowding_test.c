/*
 * crowding_test.c - one row, one moment: who leaves accepting to the others?
 */
#include "mail/crowding.h"

#include "base/memory.h"
#include "check.h"

enum { RECEIVERS = 3 };

static void test_rows(void **state)
{
    static const struct {
        enum crowding of[RECEIVERS];
        bool others_have_more_room[RECEIVERS];
    } rows[] = {
        {{CROWDING_NONE, CROWDING_NONE, CROWDING_NONE},                {false, false, false}},
        {{CROWDING_STRANGERS, CROWDING_NONE, CROWDING_NONE},           {true, false, false} },
        {{CROWDING_STRANGERS, CROWDING_NEIGHBOURS, CROWDING_NONE},     {true, true, false}  },
        {{CROWDING_STRANGERS, CROWDING_NEIGHBOURS, CROWDING_AWAY},     {true, false, false} },
        {{CROWDING_NEIGHBOURS, CROWDING_NEIGHBOURS, CROWDING_AWAY},    {false, false, false}},
        {{CROWDING_STRANGERS, CROWDING_STRANGERS, CROWDING_STRANGERS}, {false, false, false}},
        {{CROWDING_AWAY, CROWDING_STRANGERS, CROWDING_AWAY},           {false, false, false}},
        {{CROWDING_NONE, CROWDING_STRANGERS, (enum crowding)77},       {false, true, true}  },
    };

    void *memory = memory_new(crowdings_size(RECEIVERS));
    struct crowdings views[RECEIVERS], none = {0};

    (void)state;
    for (unsigned i = 0; i < RECEIVERS; i++)
        views[i] = crowdings_view(memory, RECEIVERS, i);
    CHECK_ROWS (i, rows) {
        for (unsigned k = 0; k < RECEIVERS; k++)
            crowdings_say(&views[k], rows[i].of[k]);
        for (unsigned k = 0; k < RECEIVERS; k++)
            check_int(crowdings_others_have_more_room(&views[k], rows[i].of[k]),
                      rows[i].others_have_more_room[k]);
        check_int(crowdings_said(&views[0]), rows[i].of[0]);
    }
    crowdings_say(&none, CROWDING_STRANGERS);
    check(!crowdings_others_have_more_room(&none, CROWDING_STRANGERS));
    memory_free(memory);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_rows)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
