/*
 * fuzz_accounts.c - every line of a passwd-file has an account or a fault with a place; and the
 * names alone, written back, are the same table.
 */
#include "fuzz.h"

#include "mail/accounts.h"

struct reading {
    struct arena arena;
    struct complaints complaints;
    struct accounts *accounts;
};

static void read_table(struct reading *r, struct slice text)
{
    *r = (struct reading){0};
    r->complaints.arena = &r->arena;
    r->accounts = accounts_parse(text, &r->complaints);
}

static void reading_done(struct reading *r)
{
    accounts_free(r->accounts);
    arena_done(&r->arena);
}

/* Of a table without faults: who is named has an account, with a detail too. Returns the names. */
static size_t check_names(struct reading *r, struct slice text, struct buf *names)
{
    struct table_reader lines = table_reader_of(text, &r->complaints);
    struct table_line line;
    size_t count = 0;

    for (; table_next_line(&lines, &line); count++) {
        struct slice name = slice_head(line.text, slice_find(line.text, ':'));
        struct address who;

        must(address_parse(name, &r->arena, &who));
        if (who.kind == ADDRESS_MAILBOX)
            must(domain_to_ascii(who.domain, &r->arena, &who.domain));
        must(accounts_have(r->accounts, &who));
        bool plain = slice_find(who.local, '+') == who.local.len && who.local.len > 0;
        who.local = arena_printf(&r->arena, "%.*s+x", SLICE_PRINTF(who.local));
        must(!plain || accounts_have(r->accounts, &who));
        must(buf_append(names, name) && buf_append_char(names, '\n'));
    }
    return count;
}

static void check_written_back(struct slice names, size_t count)
{
    struct reading again;

    read_table(&again, names);
    must(again.complaints.errors == 0 && accounts_count(again.accounts) == count);
    reading_done(&again);
}

void fuzz_input(struct slice input)
{
    struct reading r;
    struct buf names, told;

    buf_init(&names, 2 * input.len + 16);
    buf_init(&told, 1024 * 1024);
    read_table(&r, input);
    if (r.complaints.errors == 0) {
        size_t count = check_names(&r, input, &names);

        must(accounts_count(r.accounts) == count);
        check_written_back(buf_slice(&names), count);
        buf_clear(&names);
        must(accounts_write_without_passwords(&names, input));
        check_written_back(buf_slice(&names), count);
    } else {
        complaints_write(&r.complaints, SLICE("f"), input, &told);
        must(buf_len(&told) > 0);
    }
    reading_done(&r);
    buf_done(&names);
    buf_done(&told);
}
