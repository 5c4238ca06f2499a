/*
 * queue_test.c - "250 means durable", under every failure that a disk can have.
 *
 * The world (world.h) breaks or keeps its promises; here are only the plans, and the proof that
 * it would notice: each planted bug must be found.
 */
#include "check.h"
#include "crash/world.h"

#include <errno.h>
#include <stdlib.h>

/* A longer hunt by hand: QUEUE_SEEDS=10000. */
static uint64_t seeds(uint64_t usual)
{
    const char *wanted = getenv("QUEUE_SEEDS");

    return wanted == NULL ? usual : strtoull(wanted, NULL, 10);
}

static void must_hold(const struct world_plan *plan)
{
    const char *broken = world_run(plan, NULL);

    if (broken != NULL)
        fail_msg("seed %llu, call %llu, code %d: %s", (unsigned long long)plan->seed,
                 (unsigned long long)plan->fail_call, plan->fail_code, broken);
}

static void test_fair_weather(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= seeds(20); seed++)
        must_hold(&(struct world_plan){.seed = seed, .steps = 600});
}

static void test_roles_die(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= seeds(60); seed++)
        must_hold(&(struct world_plan){.seed = seed, .steps = 900, .deaths = true});
}

static void test_power_cuts(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= seeds(150); seed++)
        must_hold(
            &(struct world_plan){.seed = seed, .steps = 900, .deaths = true, .power_cuts = true});
}

static void test_disk_full(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= seeds(60); seed++)
        must_hold(&(struct world_plan){
            .seed = seed, .steps = 600, .space = 20000 + seed * 7919 % 900000});
}

/* Each call to the disk in turn fails once: for the disk's reasons, then for the system's. */
static void test_every_call_fails(void **state)
{
    static const int codes[][4] = {
        {-EIO,    -EIO,    -EIO,    -EIO   },
        {-ENOSPC, -ENOSPC, -ENOSPC, -EDQUOT},
        {-EMFILE, -ENOMEM, -EINTR,  -ENFILE},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(codes) / sizeof(*codes); i++) {
        struct world_plan plan = {.seed = 7 + i, .steps = 300, .deaths = true};
        uint64_t calls;

        must_hold(&plan);
        (void)world_run(&plan, &calls);
        for (plan.fail_call = 1; plan.fail_call <= calls; plan.fail_call++) {
            plan.fail_code = codes[i][plan.fail_call % 4];
            must_hold(&plan);
        }
    }
}

static void must_be_found(enum planted_bug bug)
{
    for (uint64_t seed = 1; seed <= 100; seed++) {
        struct world_plan plan = {
            .seed = seed, .steps = 900, .deaths = true, .power_cuts = true, .bug = bug};

        if (world_run(&plan, NULL) != NULL)
            return;
    }
    fail_msg("the planted bug %d was not found", (int)bug);
}

static void test_reply_before_sync_is_found(void **state)
{
    (void)state;
    must_be_found(BUG_REPLY_BEFORE_SYNC);
}

static void test_directory_not_synced_is_found(void **state)
{
    (void)state;
    must_be_found(BUG_DIRECTORY_NOT_SYNCED);
}

static void test_outcome_before_delivery_is_found(void **state)
{
    (void)state;
    must_be_found(BUG_OUTCOME_BEFORE_DELIVERY);
}

static void test_stale_bytes_are_found(void **state)
{
    (void)state;
    must_be_found(BUG_SAME_GENERATION);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_fair_weather),
        cmocka_unit_test(test_roles_die),
        cmocka_unit_test(test_power_cuts),
        cmocka_unit_test(test_disk_full),
        cmocka_unit_test(test_every_call_fails),
        cmocka_unit_test(test_reply_before_sync_is_found),
        cmocka_unit_test(test_directory_not_synced_is_found),
        cmocka_unit_test(test_outcome_before_delivery_is_found),
        cmocka_unit_test(test_stale_bytes_are_found),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
