/*
 * desk.h - where a configuration is judged: what is kept, what passes, and whom to tell of faults.
 */
#ifndef CONFIG_DESK_H
#define CONFIG_DESK_H

#include "config/syntax.h"

/* Where checked things are kept, where passing ones, and which file faults without a place are
 * about: the configuration's first. */
struct desk {
    struct arena *keep;
    struct arena *scratch;
    struct source *main;
};

/* Always false, so that a check can end with it. */
bool desk_error(struct desk *desk, struct place where, struct slice message, struct slice hint);
void desk_warning(struct desk *desk, struct place where, struct slice message, struct slice hint);

/* So far, in the file of this place. */
unsigned desk_errors(const struct desk *desk, struct place where);

/* Was this file read, which is named there? False: it was told why not, with this hint. */
bool desk_was_read(struct desk *desk, struct place where, const struct source *source,
                   struct slice hint);

/* "line 12", or "line 12 of /etc/postroad/more.conf" where that is another file than `from` is in.
 */
struct slice desk_where(struct desk *desk, struct place where, struct place from);

/* "'WORD' is not in this version"; always false. */
bool desk_not_yet(struct desk *desk, const struct syntax_word *word);

#endif
