/*
 * fuzz_address_list.c - address lists: entries nest, hold canonical addresses and clean names, and
 * the addresses written as a list of their own are read again as the same, without a complaint.
 */
#include "fuzz.h"

#include "wire/address_list.h"
#include "wire/utf8.h"

enum { TEXT_MAX = 4096 };

static void check_mailbox(const struct list_entry *e, struct arena *arena)
{
    struct slice text = address_text(arena, &e->address);
    struct address_list list;
    struct address again;
    struct list_entry same;

    must(e->address.kind == ADDRESS_MAILBOX || e->address.kind == ADDRESS_LITERAL);
    must(address_parse(text, arena, &again) && address_equal(&again, &e->address));
    address_list_init(&list, arena, text);
    must(address_list_next(&list, &same) && same.kind == ENTRY_MAILBOX);
    must(address_equal(&same.address, &e->address) &&
         slice_equal(same.address.local, e->address.local));
    must(!address_list_next(&list, &same) && !list.irregular);
}

static void check_entry(const struct list_entry *e, const struct address_list *list, bool *in_group)
{
    must(utf8_printable(e->name) && utf8_printable(e->comment));
    switch (e->kind) {
    case ENTRY_MAILBOX: check_mailbox(e, list->arena); return;
    case ENTRY_BROKEN: must(list->irregular); return;
    case ENTRY_GROUP:
    case ENTRY_GROUP_END: must(*in_group == (e->kind == ENTRY_GROUP_END)); *in_group = !*in_group;
    }
}

void fuzz_input(struct slice input)
{
    struct arena arena = {0};
    struct address_list list;
    struct list_entry e;
    bool in_group = false;
    size_t left;

    address_list_init(&list, &arena, slice_head(input, TEXT_MAX));
    for (left = list.rest.rest.len; address_list_next(&list, &e); left = list.rest.rest.len) {
        must(list.rest.rest.len < left || e.kind == ENTRY_GROUP_END);
        check_entry(&e, &list, &in_group);
    }
    must(!in_group && cursor_at_end(&list.rest));
    arena_done(&arena);
}
