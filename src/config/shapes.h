/*
 * shapes.h - of each shape: what it is called, how it is read, and what to write instead.
 */
#ifndef CONFIG_SHAPES_H
#define CONFIG_SHAPES_H

#include "config/values.h"

struct shape_info {
    struct slice what;
    struct slice hint;
    bool (*read)(struct desk *desk, const struct syntax_word *word, struct value *out);
    /* NULL: a choice */
};

extern const struct shape_info shapes[SHAPE_COUNT];

/* "'WORD' is not WHAT"; always false. */
bool shape_is_not(struct desk *desk, const struct syntax_word *word, enum shape shape,
                  struct slice hint);

#endif
