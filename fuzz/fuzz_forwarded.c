/*
 * fuzz_forwarded.c - attributes of XCLIENT and XFORWARD: what is taken can be told to the log.
 */
#include "fuzz.h"

#include "wire/forwarded.h"
#include "wire/utf8.h"

static void read_as(struct slice input, unsigned attributes)
{
    struct arena arena = {0};
    struct forwarded got = {0};

    if (forwarded_read(input, attributes, &arena, &got)) {
        must(got.said != 0 && (got.said & ~attributes) == 0 && (got.known & ~got.said) == 0);
        must(utf8_printable(got.name) && utf8_printable(got.login) && utf8_printable(got.ident));
        must((got.name.len > 0) == ((got.known & FORWARDED_NAME) != 0));
        must((got.login.len > 0) == ((got.known & FORWARDED_LOGIN) != 0));
    }
    arena_done(&arena);
}

void fuzz_input(struct slice input)
{
    read_as(input, FORWARDED_BY_XCLIENT);
    read_as(input, FORWARDED_BY_XFORWARD);
}
