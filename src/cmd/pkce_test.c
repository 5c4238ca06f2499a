/*
 * pkce_test.c - the example of RFC 7636 appendix B.
 */
#include "cmd/pkce.h"

#include "check.h"

static void test_challenge(void **state)
{
    struct buf out;

    (void)state;
    buf_init(&out, 43);
    check(pkce_challenge(&out, SLICE("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk")));
    check_slice(buf_slice(&out), SLICE("E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"));
    buf_done(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_challenge)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
