/*
 * options_test.c - a command line against a table: what is set, what ends the command.
 */
#include "cmd/options.h"

#include "check.h"

#include <stdlib.h>
#include <sysexits.h>

enum { ARGUMENTS = 6 };

struct given {
    bool loud;
    const char *file;
    struct option_list names, words;
};

static bool parse(struct given *given, const char *const *arguments, int *status)
{
    const struct option options[] = {
        {"--loud", "-l", OPTION_FLAG,  &given->loud,  NULL,   "", NULL          },
        {"--file", "-f", OPTION_TEXT,  &given->file,  "FILE", "", "OPTIONS_TEST"},
        {"--name", NULL, OPTION_LIST,  &given->names, "NAME", "", NULL          },
        {"WORD",   NULL, OPTION_WORDS, &given->words, NULL,   "", NULL          },
    };
    const struct usage usage = {"test", "", "", NULL, options, sizeof(options) / sizeof(*options)};
    char *argv[ARGUMENTS + 2] = {(char *)(uintptr_t) "test"};
    int argc = 1;

    for (; arguments[argc - 1] != NULL; argc++)
        argv[argc] = (char *)(uintptr_t)arguments[argc - 1];
    return options_parse(&usage, argc, argv, status);
}

static void test_taken(void **state)
{
    static const struct {
        const char *arguments[ARGUMENTS];
        bool loud;
        const char *file, *last_name, *last_word;
        unsigned names, words;
    } table[] = {
        {{NULL},                                   false, "",    "",  "",  0, 0},
        {{"-l", "-f", "a", "b"},                   true,  "a",   "",  "b", 0, 1},
        {{"--file=a=b", "--name=", "--name", "x"}, false, "a=b", "x", "",  2, 0},
        {{"--file", "a", "--file", "-l"},          false, "-l",  "",  "",  0, 0}, /* a value, not an option */
        {{"b", "-l", "c"},                         true,  "",    "",  "c", 0, 2},
    };

    (void)state;
    CHECK_ROWS (i, table) {
        struct given given = {.file = ""};
        int status = EX_USAGE;

        check(parse(&given, table[i].arguments, &status));
        check_int(status, EXIT_SUCCESS);
        check_int(given.loud, table[i].loud);
        check_slice(slice_of(given.file), slice_of(table[i].file));
        check_int(given.names.count, table[i].names);
        check_int(given.words.count, table[i].words);
        if (given.names.count > 0)
            check_slice(slice_of(given.names.values[given.names.count - 1]),
                        slice_of(table[i].last_name));
        if (given.words.count > 0)
            check_slice(slice_of(given.words.values[given.words.count - 1]),
                        slice_of(table[i].last_word));
    }
}

static void test_wrong(void **state)
{
    static const struct {
        const char *arguments[ARGUMENTS];
    } table[] = {
        {{"--quiet"}},    {{"-q"}}, {{"--file"}}, {{"word", "-f"}},
        {{"--loud=yes"}}, {{"--"}}, {{"--name"}},
    };

    (void)state;
    CHECK_ROWS (i, table) {
        struct given given = {0};
        int status = EXIT_SUCCESS;

        check(!parse(&given, table[i].arguments, &status));
        check_int(status, EX_USAGE);
    }
}

static void test_too_many(void **state)
{
    static const char *const one[ARGUMENTS] = {"--name", "x"};
    struct given given = {.names = {.count = OPTION_LIST_MAX}};
    int status = EXIT_SUCCESS;

    (void)state;
    assert_false(parse(&given, one, &status));
    assert_int_equal(status, EX_USAGE);
}

static void test_environment(void **state)
{
    static const char *const none[ARGUMENTS] = {NULL}, *const file[ARGUMENTS] = {"-f", "typed"};
    struct given given = {0};
    int status;

    (void)state;
    assert_int_equal(setenv("OPTIONS_TEST", "exported", 1), 0);
    assert_true(parse(&given, none, &status));
    assert_string_equal(given.file, "exported");
    assert_true(parse(&given, file, &status));
    assert_string_equal(given.file, "typed");
    unsetenv("OPTIONS_TEST");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_taken),
        cmocka_unit_test(test_wrong),
        cmocka_unit_test(test_too_many),
        cmocka_unit_test(test_environment),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
