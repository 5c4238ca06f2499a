/*
 * advice.h - what a person may have meant by a word that nobody knows.
 */
#ifndef CONFIG_ADVICE_H
#define CONFIG_ADVICE_H

#include "base/arena.h"

/* Start with .written alone; then consider each word that would be right there. */
struct guess {
    struct slice written;
    struct slice nearest; /* of the candidates so far */
    size_t distance;
    struct slice known; /* all candidates: "a, b, c" */
};

void guess_consider(struct guess *guess, struct slice candidate, struct arena *arena);

/* The nearest candidate is near enough to be what was meant. */
bool guess_is_typo(const struct guess *guess);

/* "did you mean 'a'?" or "known here: a, b, c". */
struct slice guess_advice(const struct guess *guess, struct arena *arena);

#endif
