/*
 * guard_test.c - what is handed to a child is what it becomes; nobody becomes root.
 *
 * That a role really is another user is seen in tests/interop/test_users_of_roles.py, as root.
 */
#include "guard/guard.h"

#include "check.h"

#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static const char *const roles[GUARD_ROLES] = {"receiver", "courier", "postman", "vault", "scribe"};

static void test_written(void **state)
{
    struct guard g = {.separate = true};
    char text[GUARD_TEXT_MAX];

    (void)state;
    for (unsigned i = 0; i < GUARD_ROLES; i++) {
        g.users[i] = (struct guard_user){100 + i, 200 + i, 300 + i};
        assert_ptr_equal(guard_user(&g, roles[i]), &g.users[i]);
    }
    guard_write(&g, "courier", text);
    assert_string_equal(text, "101:201:301");
    guard_write(&g, "scribe", text);
    assert_string_equal(text, "104:204:304");
}

/* The exit status of a child that enters; 0: it may go on. */
static int entered(const char *who, mode_t *mask)
{
    int ends[2], status;

    assert_int_equal(pipe(ends), 0);
    pid_t pid = fork();
    if (pid == 0) {
        assert_int_equal(dup2(ends[1], 5), 5);
        int code = guard_enter("receiver", who, 6);
        mode_t now = umask(0);
        (void)!write(5, &now, sizeof(now));
        _exit(code < 0                                      ? 1
              : prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) != 1 ? 2
              : prctl(PR_GET_DUMPABLE) != 0                 ? 3
                                                            : 0);
    }
    (void)close(ends[1]);
    (void)!read(ends[0], mask, sizeof(*mask));
    (void)close(ends[0]);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static void test_the_caller_stays(void **state)
{
    mode_t mask = 0;

    (void)state;
    assert_int_equal(entered(NULL, &mask), 0);
    assert_int_equal(mask, 0077);
}

static void test_nonsense_ends_it(void **state)
{
    static const char *const wrong[] = {"",        "1",     "1:2",    "1:2:",   "0:1:1",
                                        "1:2:3:4", "1:2:x", "-1:2:3", " 1:2:3", "4294967295:1:1"};
    mode_t mask;

    (void)state;
    for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++)
        assert_int_equal(entered(wrong[i], &mask), 1);
}

/* For good: there is no way back, and no half of it. */
static void test_another_user(void **state)
{
    mode_t mask = 0;

    (void)state;
    if (geteuid() != 0) {
        assert_int_equal(entered("1001:1002:1003", &mask), 1);
        return;
    }
    assert_int_equal(entered("1001:1002:1003", &mask), 0);
    assert_int_equal(mask, 0407);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_written),
        cmocka_unit_test(test_the_caller_stays),
        cmocka_unit_test(test_nonsense_ends_it),
        cmocka_unit_test(test_another_user),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
