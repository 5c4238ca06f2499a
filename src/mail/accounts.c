/*
 * accounts.c - one pass over the lines of a passwd-file.
 *
 * What belongs to others (hashes, homes, Dovecot's extra fields) is passed over unread, so that one
 * file serves both programs. Our own fields are checked, because a misspelt right is one that
 * nobody has, or that nobody lost.
 */
#include "mail/accounts.h"

#include "base/memory.h"

struct accounts {
    struct names names; /* number: the line */
    bool bare_names;
};

enum { FIELDS_BEFORE_EXTRA = 6 }; /* password, uid, gid, gecos, home, shell */

static const struct slice our_fields[] = {
    SLICE_INIT("postroad_send"),
    SLICE_INIT("postroad_console"),
};

static bool is_our_field(struct slice name)
{
    for (size_t i = 0; i < sizeof(our_fields) / sizeof(*our_fields); i++)
        if (slice_equal(name, our_fields[i]))
            return true;
    return false;
}

static void check_field(struct table_reader *r, const struct table_line *line, struct slice field)
{
    struct slice name = slice_head(field, slice_find(field, '='));

    if (!slice_starts(name, SLICE("postroad_")) || is_our_field(name))
        return;
    complain_printf(r->complaints, SEVERITY_ERROR, table_place(line, name),
                    SLICE("known: postroad_send, postroad_console"), "unknown field '%.*s'",
                    SLICE_PRINTF(name));
}

/* Extra fields may hold colons, as addresses do. */
static void check_extra(struct table_reader *r, const struct table_line *line, struct slice rest)
{
    struct slice field;

    for (unsigned i = 0; i < FIELDS_BEFORE_EXTRA; i++)
        if (!slice_cut(rest, ':', &field, &rest))
            return;
    while (slice_cut(rest, ' ', &field, &rest))
        check_field(r, line, field);
    check_field(r, line, rest);
}

static void add_name(struct accounts *a, struct table_reader *r, const struct table_line *line,
                     struct slice name, struct arena *scratch)
{
    uint32_t number = line->number;
    struct table_key key;
    struct address who;

    if (!address_parse(name, scratch, &who) || !table_key_of(&key, &who, scratch)) {
        complain_printf(r->complaints, SEVERITY_ERROR, table_place(line, name),
                        SLICE("a line begins with bob@example.org: or, for every domain, bob:"),
                        "'%.*s' is no address and no name", SLICE_PRINTF(name));
        return;
    }
    a->bare_names = a->bare_names || who.kind == ADDRESS_BARE;
    if (!names_add(&a->names, table_key_slice(&key), &number))
        complain_printf(r->complaints, SEVERITY_ERROR, table_place(line, name),
                        SLICE("keep one of them"), "'%.*s' has an account already, in line %u",
                        SLICE_PRINTF(name), number);
}

struct accounts *accounts_parse(struct slice text, struct complaints *c)
{
    struct accounts *a = MEMORY_NEW(struct accounts);
    struct table_reader r = table_reader_of(text, c);
    struct arena scratch = {0};
    struct table_line line;

    names_init(&a->names, text);
    while (table_next_line(&r, &line)) {
        struct slice name = slice_head(line.text, slice_find(line.text, ':'));

        add_name(a, &r, &line, name, &scratch);
        check_extra(&r, &line, slice_skip(line.text, name.len + 1));
        arena_reset(&scratch);
    }
    arena_done(&scratch);
    return a;
}

/* "name:password:rest" -> "name::rest" */
static bool write_line(struct buf *out, struct slice line)
{
    struct slice name = slice_head(line, slice_find(line, ':'));
    struct slice behind = slice_skip(line, name.len + 1);
    struct slice rest = slice_skip(behind, slice_find(behind, ':'));

    return buf_append(out, name) && buf_append(out, rest.len > 0 ? SLICE(":") : SLICE("")) &&
           buf_append(out, rest) && buf_append_char(out, '\n');
}

bool accounts_write_without_passwords(struct buf *out, struct slice text)
{
    struct arena scratch = {0};
    struct complaints ignored = {.arena = &scratch};
    struct table_reader r = table_reader_of(text, &ignored);
    struct table_line line;
    bool fits = true;

    while (fits && table_next_line(&r, &line))
        fits = write_line(out, line.text);
    arena_done(&scratch);
    return fits;
}

void accounts_free(struct accounts *a)
{
    if (a == NULL)
        return;
    names_done(&a->names);
    memory_free(a);
}

size_t accounts_count(const struct accounts *a)
{
    return a->names.used;
}

bool accounts_have_bare_names(const struct accounts *a)
{
    return a->bare_names;
}

bool accounts_have(const struct accounts *a, const struct address *who)
{
    uint32_t line;

    return table_find(&a->names, who, &line);
}
