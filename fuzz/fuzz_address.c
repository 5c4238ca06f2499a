/*
 * fuzz_address.c - addresses: parse, write, parse gives the same struct, in every kind of parser.
 *
 * First character: which parser. The rest: its text.
 */
#include "fuzz.h"

#include "wire/address.h"
#include "wire/utf8.h"

enum { TEXT_MAX = 1024 };

static bool same(const struct address *a, const struct address *b)
{
    return a->kind == b->kind && a->utf8 == b->utf8 && slice_equal(a->local, b->local) &&
           slice_equal(a->domain, b->domain);
}

/* What was written says the same, as a path too, and shows nothing that a log must hide. */
static void check_address(const struct address *a, struct arena *arena)
{
    struct slice text = address_text(arena, a);
    struct address again = {0};

    must(a->local.len <= LOCAL_PART_MAX && a->domain.len <= DOMAIN_MAX);
    must(utf8_printable(text));
    must((a->kind == ADDRESS_NULL) == (text.len == 0));
    if (a->kind != ADDRESS_NULL) {
        must(address_parse(text, arena, &again) && same(a, &again));
        must(address_equal(a, &again));
    }

    struct cursor path = {arena_printf(arena, "<%.*s>", SLICE_PRINTF(text))};

    /* address_parse() has no bound for the whole, a path does. */
    if (path.rest.len > PATH_MAX_BYTES)
        return;
    must(address_take_path(&path, arena, &again) && cursor_at_end(&path) && same(a, &again));
}

static void check_path(struct slice text, struct arena *arena)
{
    struct cursor c = {text};
    struct address a = {0};

    if (!address_take_path(&c, arena, &a)) {
        must(c.rest.len == text.len);
        return;
    }
    must(c.rest.len < text.len && text.data[text.len - c.rest.len - 1] == '>');
    check_address(&a, arena);
}

static void check_mailbox(struct slice text, struct arena *arena)
{
    struct address a = {0};

    if (!address_parse(text, arena, &a))
        return;
    must(a.kind != ADDRESS_NULL);
    check_address(&a, arena);
}

static void check_domain(struct slice text, struct arena *arena)
{
    struct slice domain, again, ascii;

    if (!domain_parse(text, arena, &domain))
        return;
    must(domain_parse(domain, arena, &again) && slice_equal(domain, again));
    must(domain.len <= DOMAIN_MAX && !slice_ends(domain, SLICE(".")));
    must(domain_to_ascii(domain, arena, &ascii) && utf8_is_ascii(ascii));
    must(domain_parse(ascii, arena, &again) && slice_equal(ascii, again));
}

static void check_literal(struct slice text, struct arena *arena)
{
    struct slice literal, again;

    if (literal_parse(text, arena, &literal))
        must(literal_parse(literal, arena, &again) && slice_equal(literal, again));
}

static void check_ehlo(struct slice text, struct arena *arena)
{
    struct slice name, again;

    if (!ehlo_name_parse(text, arena, &name))
        return;
    must(utf8_is_ascii(name) && utf8_printable(name));
    must(ehlo_name_parse(name, arena, &again) && slice_equal(name, again));
}

/* The C library is no witness here: it takes other forms. But IPv4 has one meaning in IPv6. */
static void check_ip(struct slice text, struct arena *arena)
{
    unsigned char four[4], six[16];

    if (!ipv4_parse(text, four))
        return;
    must(ipv6_parse(arena_printf(arena, "::ffff:%.*s", SLICE_PRINTF(text)), six));
    for (int i = 0; i < 4; i++)
        must(six[12 + i] == four[i]);
}

static void check_ascii(struct slice text, struct arena *arena)
{
    struct slice ascii;

    if (domain_to_ascii(text, arena, &ascii))
        must(utf8_is_ascii(ascii));
}

void fuzz_input(struct slice input)
{
    static void (*const checks[])(struct slice, struct arena *) = {
        check_path, check_mailbox, check_domain, check_literal,
        check_ehlo, check_ip,      check_ascii,  check_mailbox,
    };
    struct cursor c = {input};
    struct arena arena;

    arena_init(&arena);
    unsigned which = fuzz_choice(&c) % (sizeof(checks) / sizeof(*checks));
    checks[which](slice_head(c.rest, TEXT_MAX), &arena);
    arena_done(&arena);
}
