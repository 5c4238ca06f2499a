/*
 * guesses.h - how often may somebody be wrong about a password?
 *
 * Three counts, each a bucket of tokens that fills again with time: for the account, for the
 * address the guess comes from, and for the network around it (/24, /48). A guess takes one of
 * each before any hash is computed, so that a million guesses cost a million look-ups; who was
 * right gets them back. Who has logged in from this network before does not need the account's:
 * strangers cannot lock somebody out of his own account.
 *
 * Pure: time comes in. Memory is fixed; under more names than fit, the ones not seen for longest
 * are forgotten, which gives them a full bucket again.
 */
#ifndef MAIL_GUESSES_H
#define MAIL_GUESSES_H

#include "base/slice.h"

#include <stdint.h>

enum {
    GUESSES_USER_AT_ONCE = 20,
    GUESSES_USER_PER_HOUR = 60, /* SECURITY F11 */
    GUESSES_ADDRESS_AT_ONCE = 20,
    GUESSES_ADDRESS_PER_HOUR = 120,
    GUESSES_NETWORK_AT_ONCE = 100,
    GUESSES_NETWORK_PER_HOUR = 600,
    GUESSES_KNOWN_MS = 7 * 24 * 3600 * 1000, /* that somebody logged in from there */
};

struct guesses;

struct guesses *guesses_new(const uint64_t seed[2]);
void guesses_free(struct guesses *g); /* NULL is fine */

struct guess_by {
    struct slice user;    /* as he says he is called; ASCII case does not matter */
    struct slice address; /* "192.0.2.1", "2001:db8::1" */
};

/* False: one too many, it must not be looked at. */
bool guesses_take(struct guesses *g, const struct guess_by *by, uint64_t now_ms);

/* Has he logged in from this network before? */
bool guesses_knows(struct guesses *g, const struct guess_by *by, uint64_t now_ms);

/* It was right. */
void guesses_was_right(struct guesses *g, const struct guess_by *by, uint64_t now_ms);

/* It was neither right nor wrong: nobody looked. */
void guesses_give_back(struct guesses *g, const struct guess_by *by, uint64_t now_ms);

#endif
