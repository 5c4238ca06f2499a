/*
 * chars_test.c - the table against the ABNF of each grammar, byte by byte.
 */
#include "check.h"

#include "wire/chars.h"

/* A class spelled as the RFC spells it: ranges and single bytes, up to a {0, 0} behind. */
struct rule {
    unsigned class;

    struct {
        int from, to;
    } ranges[20];
};

#define RULE(class, ...)                                                                           \
    {                                                                                              \
        class,                                                                                     \
        {                                                                                          \
            __VA_ARGS__                                                                            \
        }                                                                                          \
    }

static const struct rule rules[] = {
    /* RFC 5234 B.1 */
    RULE(CHAR_ALPHA, {0x41, 0x5a}, {0x61, 0x7a}),
    RULE(CHAR_DIGIT, {0x30, 0x39}),
    RULE(CHAR_HEXDIG, {0x30, 0x39}, {'A', 'F'}, {'a', 'f'}),
    RULE(CHAR_LETDIG, {0x30, 0x39}, {0x41, 0x5a}, {0x61, 0x7a}),
    RULE(CHAR_CTL, {0x00, 0x1f}, {0x7f, 0x7f}),
    RULE(CHAR_BLANK, {' ', ' '}, {'\t', '\t'}),
    RULE(CHAR_PRINT, {0x20, 0x7e}),
    RULE(CHAR_HIGH, {0x80, 0xff}),
    /* RFC 5322 3.2.3 */
    RULE(CHAR_ATEXT, {'A', 'Z'}, {'a', 'z'}, {'0', '9'}, {'!', '!'}, {'#', '#'}, {'$', '$'},
         {'%', '%'}, {'&', '&'}, {'\'', '\''}, {'*', '*'}, {'+', '+'}, {'-', '-'}, {'/', '/'},
         {'=', '='}, {'?', '?'}, {'^', '^'}, {'_', '_'}, {'`', '`'}, {'{', '~'}),
    /* RFC 5322 3.6.8 */
    RULE(CHAR_FTEXT, {33, 57}, {59, 126}),
    /* RFC 5321 4.1.2, 4.1.3 */
    RULE(CHAR_QTEXT, {32, 33}, {35, 91}, {93, 126}),
    RULE(CHAR_ESMTP, {33, 60}, {62, 126}),
    RULE(CHAR_DTEXT, {33, 90}, {94, 126}),
    /* RFC 3461 4 */
    RULE(CHAR_XCHAR, {33, '+' - 1}, {'+' + 1, '=' - 1}, {'=' + 1, 126}),
};

static bool rule_has(const struct rule *rule, int byte)
{
    for (size_t i = 0; rule->ranges[i].to != 0; i++)
        if (byte >= rule->ranges[i].from && byte <= rule->ranges[i].to)
            return true;
    return false;
}

static void classes_follow_the_abnf(void **state)
{
    (void)state;
    CHECK_ROWS (i, rules)
        for (int byte = 0; byte < 256; byte++)
            if (char_is((char)byte, rules[i].class) != rule_has(&rules[i], byte))
                fail_msg("class 0x%x, byte %d", rules[i].class, byte);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(classes_follow_the_abnf),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
