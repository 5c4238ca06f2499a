/*
 * fetch.h - the door to the web: one bounded request over HTTPS.
 *
 * Real: libcurl on our loop (curl.c). Fake: tests/fakes/fetch.c, a table with delays and faults.
 * One thread, one loop, no callback from inside a call of ours.
 *
 * The server's certificate must be trusted and have the host's name. No redirect is followed, no
 * proxy asked, nothing unpacked, and no more is read than FETCH_BODY_MAX. Names are looked up by
 * who asks (dns/resolver), so they mean here what they mean everywhere else.
 */
#ifndef HTTP_FETCH_H
#define HTTP_FETCH_H

#include "loop/loop.h"

enum {
    FETCH_LIMIT_MS = 60 * 1000, /* of one request, all in all */
    FETCH_BODY_MAX = 64 * 1024,
    FETCH_HEAD_MAX = 32 * 1024, /* all header lines of an answer */
    FETCH_PATH_MAX = 2048,
    FETCH_ADDRESSES_MAX = 16, /* more are not tried */
};

enum fetch_outcome {
    FETCH_ANSWERED,
    FETCH_FAILED, /* not reached, not trusted, too slow, too long: `why` */
};

struct fetch_answer {
    enum fetch_outcome outcome;
    unsigned status; /* 200; of a redirect 302 */
    struct slice body;
    struct slice why; /* FETCH_FAILED: for people, printable ASCII */
};

/* Embedded in who waits; must stay until done() or fetch_cancel(). All zero but for what the owner
 * sets; all of that is borrowed while it runs. */
struct fetch_request {
    /* Once for each start, from the loop. May start again, cancel others and free the owner. */
    void (*done)(struct fetch_request *r);
    struct slice host; /* a name in ASCII, or an IPv4 address */
    uint16_t port;
    struct slice path;                   /* "/token?x=1" */
    const struct net_address *addresses; /* the host's, tried in turn; their ports say nothing */
    size_t address_count;
    /* The host may be in a network that is not the world's, or this machine. Only for an address
     * that our own settings name, never for one that somebody else chose. */
    bool private_allowed;
    struct slice authorities; /* who vouches for the server, in PEM; "": whom this machine trusts */
    const struct slice *headers; /* "Authorization: Basic ..." */
    size_t header_count;
    const struct slice *body;          /* of a POST; NULL: it is a GET */
    uint64_t limit_ms;                 /* 0: FETCH_LIMIT_MS */
    const struct fetch_answer *answer; /* inside of done() only */
    void *running;                     /* the fetcher's; NULL: not started */
};

struct fetcher {
    void (*start)(struct fetcher *f, struct fetch_request *r);
    void (*cancel)(struct fetcher *f, struct fetch_request *r);
    void (*free)(struct fetcher *f);
};

/* An answer comes in any case, after limit_ms at last. */
void fetch_start(struct fetcher *f, struct fetch_request *r);

/* No done() follows. Harmless when the request does not run. */
void fetch_cancel(struct fetcher *f, struct fetch_request *r);

/* Requests that run are forgotten: no done() follows. Not from inside of done(). NULL is fine. */
void fetcher_free(struct fetcher *f);

/* NULL: told through fail. */
struct fetcher *fetcher_new(struct loop *loop);

/* ---- for who stands behind the door ---- */

/* Why it must not be sent; "": it may be. */
struct slice fetch_fault(const struct fetch_request *r);

/* Of loopback, of networks that nobody reaches from elsewhere, of no host at all. RFC 6890. */
bool fetch_address_is_private(const unsigned char ip[16]);

#endif
