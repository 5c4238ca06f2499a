/*
 * fuzz_mailbox_path.c - no address leads out of the mailbox root or into another's mailbox.
 *
 * Lines: a template, then two addresses, which are also tried as "{domain}/{local}".
 */
#include "fuzz.h"

#include "mail/mailbox_path.h"
#include "wire/chars.h"

enum { COMPONENT_MAX = 200 };

static void check_component(struct slice s)
{
    must(s.len > 0 && s.len <= COMPONENT_MAX);
    must(!slice_equal(s, SLICE(".")) && !slice_equal(s, SLICE("..")));
    for (size_t i = 0; i < s.len; i++)
        must(!char_is(s.data[i], CHAR_CTL) && s.data[i] != '/');
}

static void check_safe(struct slice path)
{
    struct slice head;

    while (slice_cut(path, '/', &head, &path))
        check_component(head);
    check_component(path);
}

static bool expand(struct slice rest, const struct address *a, struct arena *arena,
                   struct slice *out)
{
    if (!mailbox_path_expand(rest, a, arena, out))
        return false;
    check_safe(*out);
    return true;
}

static void check_template(struct slice template, const struct address *a, struct arena *arena)
{
    struct slice root, rest, path;

    if (!mailbox_template_split(template, &root, &rest))
        return;
    must(slice_starts(root, SLICE("/")) && rest.len > 0);
    if (root.len > 1)
        check_safe(slice_skip(root, 1));
    (void)expand(rest, a, arena, &path);
}

static bool same_mailbox(const struct address *a, const struct address *b, struct arena *arena)
{
    struct slice x, y;

    if (!slice_equal(a->local, b->local))
        return false;
    /* A domain without A-labels has no mail; how it is stored is its own business. */
    if (!domain_to_ascii(a->domain, arena, &x) || !domain_to_ascii(b->domain, arena, &y))
        return true;
    return slice_equal_nocase(x, y);
}

static void check_apart(const struct address *a, const struct address *b, struct arena *arena)
{
    struct slice rest = SLICE("{domain}/{local}"), x, y;

    if (expand(rest, a, arena, &x) && expand(rest, b, arena, &y) && slice_equal(x, y))
        must(same_mailbox(a, b, arena));
}

void fuzz_input(struct slice input)
{
    struct cursor c = {input};
    struct slice template = fuzz_line(&c);
    struct address a, b;
    struct arena arena;

    arena_init(&arena);
    if (address_parse(fuzz_line(&c), &arena, &a)) {
        check_template(template, &a, &arena);
        if (address_parse(fuzz_line(&c), &arena, &b))
            check_apart(&a, &b, &arena);
    }
    arena_done(&arena);
}
