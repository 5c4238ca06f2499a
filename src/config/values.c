/*
 * values.c - the words behind a word of the configuration, taken as values of the shapes it wants.
 */
#include "config/values.h"

#include "config/choices.h"
#include "config/shapes.h"

/* Where the words are taken from, and what to tell when they are wrong. */
struct taking {
    const char *form;
    const struct syntax_word *before;
    const struct syntax_word *next;
    bool list; /* of values */
};

static struct slice write_form(struct desk *desk, const char *form)
{
    return arena_printf(desk->scratch, "write: %s", form);
}

static bool check_single(struct desk *desk, const struct taking *t)
{
    return t->list || !t->next->more ||
           desk_error(desk, t->next->place, SLICE("a list cannot stand here"),
                      write_form(desk, t->form));
}

static void step(struct taking *t)
{
    t->before = t->next;
    t->next = t->next->next;
}

static bool take_plain(struct desk *desk, struct taking *t, enum shape shape, struct value *out,
                       enum shape *then)
{
    if (!shapes[shape].read(desk, t->next, out))
        return shape_is_not(desk, t->next, shape, shapes[shape].hint);
    if (!check_single(desk, t))
        return false;
    *then = out->then;
    step(t);
    return true;
}

static bool take_choice(struct desk *desk, struct taking *t, enum shape shape, struct value *out,
                        enum shape *then)
{
    const struct choice *choice = choice_find(desk, t->next, shape);

    if (choice == NULL || !check_single(desk, t))
        return false;
    out->number = choice->number;
    *then = choice->then;
    step(t);
    return true;
}

/* *then: the shape that is to follow it. */
static bool take_one(struct desk *desk, struct taking *t, enum shape shape, struct value *out,
                     enum shape *then)
{
    if (t->next == NULL)
        return desk_error(desk, t->before->place,
                          arena_printf(desk->scratch, "'%.*s' needs %.*s behind it",
                                       SLICE_PRINTF(t->before->text),
                                       SLICE_PRINTF(shapes[shape].what)),
                          write_form(desk, t->form));
    out->place = t->next->place;
    *then = SHAPE_NONE;
    return shapes[shape].read != NULL ? take_plain(desk, t, shape, out, then)
                                      : take_choice(desk, t, shape, out, then);
}

/* Not a word on how many there are. */
static bool is_value(enum shape shape)
{
    return shape > SHAPE_LIST;
}

bool values_take(struct desk *desk, const enum shape wanted[2], const char *form,
                 const struct syntax_word *before, const struct syntax_word **words,
                 struct value values[VALUES_MAX])
{
    struct taking t = {form, before, *words, wanted[1] == SHAPE_LIST};
    enum shape then = SHAPE_NONE;

    for (size_t i = 0; i < 2 && is_value(wanted[i]); i++) {
        if (t.next == NULL && wanted[i] == SHAPE_SECRET_IF)
            break;
        if (!take_one(desk, &t, wanted[i], values++, &then))
            return false;
        if (then != SHAPE_NONE && !take_one(desk, &t, then, values++, &then))
            return false;
    }
    *words = t.next;
    return true;
}
