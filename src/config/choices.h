/*
 * choices.h - the values that are words themselves: `tls required`, `from local`.
 */
#ifndef CONFIG_CHOICES_H
#define CONFIG_CHOICES_H

#include "config/values.h"

struct choice {
    enum shape shape;
    struct slice word;
    bool known; /* false: it belongs to a later version */
    unsigned number;
    enum shape then; /* of a further value */
};

/* NULL: it was told that the word is none of this shape, and which one may have been meant. */
const struct choice *choice_find(struct desk *desk, const struct syntax_word *word,
                                 enum shape shape);

/* The word that stands for this number; "": there is none. */
struct slice choice_word(enum shape shape, uint64_t number);

#endif
