/*
 * named.c - a list in the order of the file.
 */
#include "config/named.h"

#include "config/advice.h"

void named_init(struct named_list *list, struct desk *desk, const char *kind, const char *form)
{
    *list = (struct named_list){.desk = desk, .kind = kind, .form = form, .last = &list->first};
}

static struct named *find(const struct named_list *list, struct slice name)
{
    struct named *one = list->first;

    while (one != NULL && !slice_equal(one->name, name))
        one = one->next;
    return one;
}

static struct named *append(struct named_list *list, struct place word, struct slice name)
{
    struct named *one = ARENA_NEW(list->desk->scratch, struct named);

    *one = (struct named){.name = name, .word = word};
    *list->last = one;
    list->last = &one->next;
    return one;
}

struct named *named_add(struct named_list *list, struct place word, const struct value *name)
{
    const struct named *earlier = find(list, name->text);

    if (earlier == NULL)
        return append(list, word, name->text);
    desk_error(list->desk, name->place,
               arena_printf(list->desk->scratch, "%s '%.*s' given twice, first at %.*s", list->kind,
                            SLICE_PRINTF(name->text),
                            SLICE_PRINTF(desk_where(list->desk, earlier->word, name->place))),
               SLICE("give one of them another name"));
    return NULL;
}

void named_add_broken(struct named_list *list, struct place word, struct slice name)
{
    if (find(list, name) == NULL)
        append(list, word, name)->broken = true;
}

static struct slice advise(const struct named_list *list, const struct value *name)
{
    struct guess guess = {.written = name->text};

    for (const struct named *one = list->first; one != NULL; one = one->next)
        guess_consider(&guess, one->name, list->desk->scratch);
    if (guess.nearest.len == 0)
        return arena_printf(list->desk->scratch, "write in a line of its own: %s", list->form);
    const struct named *near = find(list, guess.nearest);
    if (near != NULL && guess_is_typo(&guess))
        return arena_printf(list->desk->scratch, "did you mean '%.*s' (%.*s)?",
                            SLICE_PRINTF(near->name),
                            SLICE_PRINTF(desk_where(list->desk, near->word, name->place)));
    return guess_advice(&guess, list->desk->scratch);
}

const struct named *named_take(const struct named_list *list, const struct value *name)
{
    const struct named *one = find(list, name->text);

    if (one == NULL)
        desk_error(list->desk, name->place,
                   arena_printf(list->desk->scratch, "no %s named '%.*s'", list->kind,
                                SLICE_PRINTF(name->text)),
                   advise(list, name));
    return one != NULL && !one->broken ? one : NULL;
}
