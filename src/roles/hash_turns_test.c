/*
 * hash_turns_test.c - in which order hashes are begun.
 */
#include "roles/hash_turns.h"

#include "check.h"
#include "fakes/random.h"
#include "fakes/worker.h"

enum { TURNS = HASH_TURNS_MAX + 3, THREADS = 2 };

struct world {
    struct hash_turns all;
    struct fake_random random;
    struct fake_worker worker;
    struct hash_turn turns[TURNS];
    unsigned begun[TURNS + 1], count; /* one of them comes twice */
};

static struct world world;

static enum worker_next run(struct worker_job *job)
{
    struct hash_turn *turn = LIST_ENTRY(job, struct hash_turn, job);

    world.begun[world.count++] = (unsigned)(turn - world.turns);
    return WORKER_IDLE;
}

static void done(struct worker_job *job)
{
    hash_turns_ended(&world.all, &world.worker.worker, LIST_ENTRY(job, struct hash_turn, job));
}

static void begin(unsigned threads)
{
    world = (struct world){.count = 0};
    fake_random_init(&world.random, 1);
    fake_worker_init(&world.worker, &world.random.random);
    hash_turns_init(&world.all, threads);
    for (unsigned i = 0; i < TURNS; i++)
        worker_job_init(&world.turns[i].job, run, done);
}

static bool take(unsigned number, bool familiar)
{
    return hash_turns_take(&world.all, &world.worker.worker, &world.turns[number], familiar);
}

static void run_all(void)
{
    while (fake_worker_step(&world.worker))
        worker_collect(&world.worker.worker);
}

/* One thread, so that the order is a single one: a stranger is at it, and all others wait for who
 * is known. */
static void familiar_ones_first(void **state)
{
    (void)state;
    begin(1);
    for (unsigned i = 0; i < 20; i++)
        check(take(i, false));
    check(take(20, true));
    check(take(21, true));
    run_all();
    check_int(world.count, 22);
    check_int(world.begun[0], 0);
    check_int(world.begun[1], 20);
    check_int(world.begun[2], 21);
    for (unsigned i = 3; i < 22; i++)
        check_int(world.begun[i], i - 2);
}

static void a_full_line(void **state)
{
    (void)state;
    begin(THREADS);
    for (unsigned i = 0; i < HASH_TURNS_MAX + THREADS; i++)
        check(take(i, false));
    check(!take(TURNS - 1, false));
    check(take(TURNS - 1, true)); /* that line is another's */
    run_all();
    check_int(world.count, TURNS);
    check(take(0, false));
    run_all();
}

static void who_hangs_up(void **state)
{
    (void)state;
    begin(THREADS);
    for (unsigned i = 0; i < 4; i++)
        check(take(i, false));
    check(!hash_turns_leave(&world.turns[0])); /* it is under way */
    check(hash_turns_leave(&world.turns[2]));
    check(hash_turns_leave(&world.turns[2])); /* it is gone, and stays so */
    run_all();
    check_int(world.count, 3);
    for (unsigned i = 0; i < world.count; i++)
        check(world.begun[i] != 2);
    check(hash_turns_leave(&world.turns[0]));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(familiar_ones_first),
        cmocka_unit_test(a_full_line),
        cmocka_unit_test(who_hangs_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
