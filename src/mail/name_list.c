/*
 * name_list.c - names by hash. An address has an '@' in its key and a domain has none, so both lie
 * in one table.
 */
#include "mail/name_list.h"

#include "base/memory.h"

struct name_list {
    struct names names; /* number: the line */
};

static const struct slice null_sender = SLICE_INIT("<>"), below = SLICE_INIT("*.");

static void put(struct table_key *key, struct slice text)
{
    for (size_t i = 0; i < text.len && key->len < TABLE_KEY_MAX; i++)
        key->bytes[key->len++] = byte_lower(text.data[i]);
}

static bool domain_key(struct table_key *key, struct slice text, struct arena *scratch)
{
    bool is_below = slice_starts(text, below);
    struct slice name, ascii;

    if (!domain_parse(slice_skip(text, is_below ? below.len : 0), scratch, &name) ||
        !domain_to_ascii(name, scratch, &ascii))
        return false;
    put(key, is_below ? below : SLICE(""));
    put(key, ascii);
    return true;
}

/* "bob@": an address without a domain. */
static bool address_key(struct table_key *key, struct slice text, struct arena *scratch)
{
    bool everywhere = slice_ends(text, SLICE("@"));
    struct address a;

    return address_parse(slice_head(text, text.len - everywhere), scratch, &a) &&
           (a.kind == ADDRESS_BARE) == everywhere && a.kind != ADDRESS_NULL &&
           table_key_of(key, &a, scratch);
}

static bool key_of(struct table_key *key, struct slice text, struct arena *scratch)
{
    key->len = 0;
    if (slice_starts(text, SLICE("@")))
        return domain_key(key, slice_skip(text, 1), scratch);
    if (slice_equal(text, null_sender))
        put(key, text);
    else if (slice_find(text, '@') == text.len)
        return domain_key(key, text, scratch);
    else
        return address_key(key, text, scratch);
    return true;
}

struct name_list *name_list_parse(struct slice text, struct complaints *c)
{
    struct name_list *l = MEMORY_NEW(struct name_list);
    struct table_reader r = table_reader_of(text, c);
    struct arena scratch = {0};
    struct table_line line;

    names_init(&l->names, text);
    while (table_next_line(&r, &line)) {
        struct slice word = table_line_word(&line);
        uint32_t number = line.number;
        struct table_key key;

        if (key_of(&key, word, &scratch))
            (void)names_add(&l->names, table_key_slice(&key), &number);
        else
            complain_printf(c, SEVERITY_ERROR, table_place(&line, word),
                            SLICE("write bob@example.org, example.org, *.example.org, bob@ (in "
                                  "every domain) or <> (nobody)"),
                            "'%.*s' is neither an address nor a domain", SLICE_PRINTF(word));
        arena_reset(&scratch);
    }
    arena_done(&scratch);
    return l;
}

void name_list_free(struct name_list *l)
{
    if (l == NULL)
        return;
    names_done(&l->names);
    memory_free(l);
}

size_t name_list_count(const struct name_list *l)
{
    return l->names.used;
}

static bool has_domain(const struct name_list *l, struct slice domain)
{
    struct table_key key = {.len = 0};
    struct slice rest;
    uint32_t number;

    put(&key, domain);
    if (names_find(&l->names, table_key_slice(&key), &number))
        return true;
    while (slice_cut(domain, '.', &rest, &domain)) {
        key.len = 0;
        put(&key, below);
        put(&key, domain);
        if (names_find(&l->names, table_key_slice(&key), &number))
            return true;
    }
    return false;
}

bool name_list_has(const struct name_list *l, const struct address *a)
{
    uint32_t number;

    if (a->kind == ADDRESS_NULL)
        return names_find(&l->names, null_sender, &number);
    return table_find(&l->names, a, &number) ||
           (a->kind == ADDRESS_MAILBOX && has_domain(l, a->domain));
}
