/*
 * vestibule.c - reading a PROXY header off a connection, and not a byte more: what follows may be
 * TLS, which reads for itself.
 *
 * A header that is none is told, because only a wrong configuration of one side or the other makes
 * it. A proxy that hangs up before is not: that is how it looks whether anybody listens.
 *
 * A proxy speaks at once, and who waits takes a place like a session. So when an eighth of them is
 * taken by such, or there is no more room, who has been silent for longest makes way: somebody on
 * the proxy's machine who only connects does not keep those away for whom the proxy comes.
 */
#include "roles/vestibule.h"

#include "base/memory.h"
#include "wire/proxy_header.h"

#include <errno.h>
#include <string.h>

enum {
    HEADER_TIMEOUT_MS = 5000, /* "at least 3 seconds", section 2 */
    KEPT_FOR_VISITS = 8,      /* one part of so many sessions */
};

struct visit {
    struct watch watch;
    struct timer timer;
    struct list link;
    struct vestibule *vestibule;
    struct session_offer *offer;
    struct net_address proxy;
    struct buf header;
};

static void visit_end(struct visit *visit)
{
    struct loop *loop = visit->vestibule->sessions->role->loop;

    watch_close(loop, &visit->watch);
    timer_cancel(loop, &visit->timer);
    list_remove(&visit->link);
    visit->vestibule->count--;
    visit->vestibule->sessions->count--;
    visit->offer->sessions--;
    buf_done(&visit->header);
    memory_free(visit);
}

static void warn(const struct vestibule *v, const struct net_address *proxy, const char *what)
{
    struct arena scratch = {0};
    char text[64];
    size_t len = net_address_text(proxy, text);

    role_warn(v->sessions->role, SLICE("smtpd"),
              arena_printf(&scratch, "%.*s: %s", (int)len, text, what));
    arena_done(&scratch);
}

static bool is_proxy(const struct session_offer *offer, const struct net_address *peer)
{
    for (const struct rule_network *n = offer->proxies; n != NULL; n = n->next)
        if (!peer->local && network_has(&n->network, peer->ip))
            return true;
    return false;
}

/* The connection goes over to a session. */
static void let_in(struct visit *visit, const struct proxy_header *header, bool known)
{
    struct sessions *sessions = visit->vestibule->sessions;
    struct session_offer *offer = visit->offer;
    struct arrival arrival = {
        .handle = visit->watch.handle, .peer = visit->proxy, .nowhere = !known};

    if (known) {
        memcpy(arrival.peer.ip, header->ip, sizeof(arrival.peer.ip));
        arrival.peer.port = header->port;
    }
    (void)watch_set(sessions->role->loop, &visit->watch, 0);
    visit->watch.handle = -1;
    offer->sessions++; /* or the end of the visit might be that of the offer */
    visit_end(visit);
    session_open(sessions, offer, &arrival);
    offer->sessions--;
}

static void judge(struct visit *visit, enum proxy_speaks speaks, const struct proxy_header *header)
{
    switch (speaks) {
    case PROXY_FOR_CLIENT: let_in(visit, header, true); return;
    case PROXY_FOR_NOBODY: let_in(visit, header, false); return;
    case PROXY_IS_MALFORMED:
        warn(visit->vestibule, &visit->proxy,
             "no PROXY header, though its address is in 'proxy-from': connection closed. Let the "
             "proxy send one (haproxy: send-proxy-v2), or take the address out");
        visit_end(visit);
        return;
    case PROXY_MORE: return;
    }
}

static void on_ready(struct watch *w, unsigned events)
{
    struct visit *visit = LIST_ENTRY(w, struct visit, watch);
    struct net *net = visit->vestibule->sessions->role->doors->net;
    struct proxy_header header;
    enum proxy_speaks speaks;

    (void)events;
    while ((speaks = proxy_header_read(buf_slice(&visit->header), &header)) == PROXY_MORE) {
        char *room = buf_reserve(&visit->header, header.wants);
        int64_t count = net->ops->read(net, w->handle, room, header.wants);

        if (count == -EAGAIN)
            return;
        if (count <= 0) {
            visit_end(visit);
            return;
        }
        buf_commit(&visit->header, (size_t)count);
    }
    judge(visit, speaks, &header);
}

static void on_timeout(struct timer *t)
{
    struct visit *visit = LIST_ENTRY(t, struct visit, timer);

    warn(visit->vestibule, &visit->proxy,
         "no PROXY header within 5 seconds, though its address is in 'proxy-from': connection "
         "closed");
    visit_end(visit);
}

static bool finds_room(struct vestibule *v)
{
    const struct sessions *sessions = v->sessions;

    if (v->count <= sessions->max / KEPT_FOR_VISITS && sessions->count < sessions->max)
        return true;
    if (list_empty(&v->waiting))
        return false;
    visit_end(LIST_ENTRY(v->waiting.next, struct visit, link));
    return true;
}

void vestibule_init(struct vestibule *v, struct sessions *sessions)
{
    *v = (struct vestibule){.sessions = sessions};
    list_init(&v->waiting);
}

void vestibule_enter(struct vestibule *v, struct session_offer *offer, int handle,
                     const struct net_address *peer)
{
    struct visit *visit;

    if (!is_proxy(offer, peer)) {
        warn(v, peer, "not in 'proxy-from' of the listener that it came to: sent away");
        session_send_away(v->sessions, offer, handle, SLICE("4.7.0"),
                          SLICE("Error: this port is for proxies only"));
        return;
    }
    if (!finds_room(v)) {
        session_send_away(v->sessions, offer, handle, SLICE("4.3.2"), session_busy);
        return;
    }
    visit = MEMORY_NEW(struct visit);
    *visit = (struct visit){
        .watch = {.ready = on_ready, .handle = handle},
        .vestibule = v,
        .offer = offer,
        .proxy = *peer
    };
    timer_init(&visit->timer, on_timeout);
    buf_init(&visit->header, PROXY_HEADER_MAX);
    list_append(&v->waiting, &visit->link);
    v->count++;
    v->sessions->count++;
    offer->sessions++;
    timer_set(v->sessions->role->loop, &visit->timer, HEADER_TIMEOUT_MS);
    if (watch_set(v->sessions->role->loop, &visit->watch, NET_READABLE) < 0)
        visit_end(visit);
}

void vestibule_clear(struct vestibule *v)
{
    LIST_EACH (node, &v->waiting)
        visit_end(LIST_ENTRY(node, struct visit, link));
}
