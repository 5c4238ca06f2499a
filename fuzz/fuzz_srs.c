/*
 * fuzz_srs.c - an address is brought home only if we signed it, and then goes out the same again;
 * what we sign fits and comes home.
 *
 * The input is an address; the fuzzer knows the secret, so it can forge.
 */
#include "fuzz.h"

#include "trust/srs.h"

enum { NOW_S = 1790000000 };

static const struct slice list[] = {SLICE_INIT("hush"), SLICE_INIT("older")};
static const struct srs_secrets secrets = {list, 2};

static void must_be_sound(const struct address *a, struct arena *arena)
{
    struct address again;
    struct slice text = address_text(arena, a);

    must(a->kind == ADDRESS_MAILBOX && a->local.len <= LOCAL_PART_MAX && text.len > 0);
    must(address_parse(text, arena, &again) && address_equal(a, &again));
}

void fuzz_input(struct slice input)
{
    struct arena arena = {0};
    struct address a, out, back;

    if (address_parse(input, &arena, &a)) {
        if (srs_reverse(&secrets, &a, NOW_S, &arena, &out) == SRS_GOOD)
            must_be_sound(&out, &arena);
        if (srs_forward(&secrets, &a, SLICE("us.example"), NOW_S, &arena, &out)) {
            must_be_sound(&out, &arena);
            must(srs_reverse(&secrets, &out, NOW_S, &arena, &back) != SRS_NONE);
        }
    }
    arena_done(&arena);
}
