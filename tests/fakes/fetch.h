/*
 * fetch.h - a web that is a table, on the loop's clock, with delays and faults that come from the
 * seed.
 *
 * Where the table has nothing, nobody listens. Certificates are right.
 */
#ifndef FAKES_FETCH_H
#define FAKES_FETCH_H

#include "base/random.h"
#include "http/fetch.h"

struct fake_web_options {
    uint32_t delay_max_ms;       /* of each answer */
    uint32_t faults_per_million; /* chance of each request to fail, or never to be answered until
                                    its limit */
    const bool *calm;            /* once true, nothing fails by itself; NULL: never */
};

struct fake_web;

struct fake_web *fake_web_new(struct loop *loop, struct random *random,
                              const struct fake_web_options *options);

/* fetcher_free() frees the fake. */
struct fetcher *fake_web_fetcher(struct fake_web *w);

/* From now on this is answered there, to who sends the body `asked`; "": to everybody. Copied. */
void fake_web_page(struct fake_web *w, struct slice host, struct slice path, struct slice asked,
                   unsigned status, struct slice body);

/* How many requests were made. */
unsigned fake_web_asked(const struct fake_web *w);

#endif
