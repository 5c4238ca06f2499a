/*
 * tls_sessions.c - a bounded list. It is walked once for each connection, which costs nothing
 * beside a handshake.
 */
#include "loop/tls_sessions.h"

#include "base/memory.h"

#include <string.h>

struct kept {
    struct list link;
    SSL_SESSION *session;
    uint64_t seen_ms, until_ms;
    size_t place_len;
    char place[];
};

static struct kept *kept_of(struct list *node)
{
    return LIST_ENTRY(node, struct kept, link);
}

static void drop(struct tls_sessions *s, struct kept *k)
{
    list_remove(&k->link);
    s->count--;
    SSL_SESSION_free(k->session);
    memory_free(k);
}

static bool is_at(const struct kept *k, struct slice place)
{
    return slice_equal((struct slice){k->place, k->place_len}, place);
}

void tls_sessions_init(struct tls_sessions *s)
{
    list_init(&s->all);
    s->count = 0;
}

void tls_sessions_done(struct tls_sessions *s)
{
    LIST_EACH (node, &s->all)
        drop(s, kept_of(node));
}

static void make_room(struct tls_sessions *s, struct slice place)
{
    struct kept *oldest = NULL;
    unsigned here = 0;

    LIST_EACH (node, &s->all) {
        if (!is_at(kept_of(node), place))
            continue;
        oldest = oldest == NULL ? kept_of(node) : oldest;
        here++;
    }
    if (here >= TLS_SESSIONS_PLACE_MAX)
        drop(s, oldest);
    else if (s->count >= TLS_SESSIONS_MAX)
        drop(s, kept_of(s->all.next));
}

/* RFC 8446 4.6.1: a lifetime of 0 means not at all. RFC 5077 3.3: in TLS 1.2, nothing was said. */
static uint64_t end_of(const SSL_SESSION *session, uint64_t seen_ms, uint64_t now_ms)
{
    uint64_t trust = seen_ms + TLS_SESSIONS_TRUST_MS;
    uint64_t life = now_ms + (uint64_t)SSL_SESSION_get_ticket_lifetime_hint(session) * 1000;

    if (life == now_ms && SSL_SESSION_get_protocol_version(session) < TLS1_3_VERSION)
        return trust;
    return life < trust ? life : trust;
}

void tls_sessions_put(struct tls_sessions *s, struct slice place, SSL_SESSION *session,
                      uint64_t seen_ms, uint64_t now_ms)
{
    struct kept *k = memory_new(sizeof(*k) + place.len);

    make_room(s, place);
    list_init(&k->link);
    k->session = session;
    k->seen_ms = seen_ms;
    k->until_ms = end_of(session, seen_ms, now_ms);
    k->place_len = place.len;
    memcpy(k->place, place.data, place.len);
    list_append(&s->all, &k->link);
    s->count++;
}

SSL_SESSION *tls_sessions_take(struct tls_sessions *s, struct slice place, uint64_t now_ms,
                               uint64_t *seen_ms)
{
    struct kept *found = NULL;
    SSL_SESSION *session;

    LIST_EACH (node, &s->all) {
        struct kept *k = kept_of(node);

        /* OpenSSL marks those of connections that came to a bad end. */
        if (now_ms >= k->until_ms || SSL_SESSION_is_resumable(k->session) != 1)
            drop(s, k);
        else if (is_at(k, place))
            found = k;
    }
    if (found == NULL || SSL_SESSION_up_ref(found->session) != 1)
        return NULL;
    session = found->session;
    *seen_ms = found->seen_ms;
    drop(s, found);
    return session;
}

void tls_sessions_forget(struct tls_sessions *s, struct slice place)
{
    LIST_EACH (node, &s->all)
        if (is_at(kept_of(node), place))
            drop(s, kept_of(node));
}
