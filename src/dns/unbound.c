/*
 * unbound.c - libunbound behind the door.
 *
 * A query is ours, not libunbound's: it has its own deadline, and libunbound may call back while
 * it is still being asked, or from its own timers and sockets in the middle of its work. So what
 * comes is read into the query at once (the message lies in a buffer of libunbound's), and told
 * from a timer of our own: done() never runs inside of libunbound, and may do what it likes.
 *
 * A query that is cancelled or too late is cancelled in libunbound too, which then finishes it for
 * its cache without calling back.
 */
#include "dns/events.h"
#include "dns/resolver.h"

#include "base/fail.h"
#include "base/memory.h"
#include "wire/chars.h"

#include <errno.h>

enum { SECURITY_BOGUS = 1, SECURITY_SECURE = 2, WHY_MAX = 200, CLASS_IN = 1 };

static const char root_anchor[] = "/usr/share/dns/root.key";

struct unbound {
    struct resolver resolver;
    struct events events;
    struct loop *loop;
    struct ub_ctx *ctx;
    uint64_t deadline_ms;
    struct list running;
    struct list answered;
    struct timer tell;
};

struct query {
    struct list link; /* running or answered */
    struct unbound *unbound;
    struct resolver_request *request;
    struct timer deadline;
    int id; /* libunbound's; 0: it called back at once */
    struct arena arena;
    struct dns_question question;
    struct dns_answer answer;
};

static struct unbound *unbound_of(struct resolver *resolver)
{
    return LIST_ENTRY(resolver, struct unbound, resolver);
}

static void query_free(struct query *q)
{
    list_remove(&q->link);
    timer_cancel(q->unbound->loop, &q->deadline);
    arena_done(&q->arena);
    memory_free(q);
}

/* ---- answers ---- */

static void query_answer(struct query *q, const struct dns_answer *answer)
{
    q->answer = *answer;
    timer_cancel(q->unbound->loop, &q->deadline);
    list_remove(&q->link);
    list_append(&q->unbound->answered, &q->link);
    if (!timer_is_set(&q->unbound->tell))
        timer_set(q->unbound->loop, &q->unbound->tell, 0);
}

static void query_fail(struct query *q, struct slice why)
{
    struct dns_answer failed = dns_answer_failed(&q->question, why);

    query_answer(q, &failed);
}

static void tell_answered(struct timer *t)
{
    struct unbound *u = LIST_ENTRY(t, struct unbound, tell);
    struct list now;

    /* What done() asks for and is answered at once has its turn in the next round. */
    list_init(&now);
    list_splice(&now, &u->answered);
    while (!list_empty(&now)) {
        struct query *q = LIST_ENTRY(now.next, struct query, link);
        struct resolver_request *r = q->request;

        list_remove(&q->link);
        r->running = NULL;
        r->answer = &q->answer;
        r->done(r); /* r may be gone now */
        query_free(q);
    }
}

/* libunbound's words hold names from outside. */
static struct slice why_bogus_text(struct arena *arena, const char *why)
{
    char *text = arena_alloc(arena, WHY_MAX);
    size_t len = 0;

    for (; why != NULL && why[len] != '\0' && len < WHY_MAX; len++)
        text[len] = char_is(why[len], CHAR_PRINT) ? why[len] : '?';
    return len > 0 ? (struct slice){text, len} : SLICE("DNSSEC validation failed");
}

static void on_answer(void *arg, int rcode, void *packet, int len, int security, char *why_bogus,
                      int was_ratelimited)
{
    struct query *q = arg;
    struct dns_answer answer;

    (void)was_ratelimited;
    if (security == SECURITY_BOGUS) {
        answer = dns_answer_failed(&q->question, why_bogus_text(&q->arena, why_bogus));
        answer.outcome = DNS_BOGUS;
    } else if (rcode != 0 || packet == NULL || len < 0) {
        answer = dns_answer_failed(&q->question, SLICE("SERVFAIL, or no name server answers"));
    } else {
        answer = dns_answer_read((struct slice){packet, (size_t)len}, &q->question, &q->arena);
        answer.secure = security == SECURITY_SECURE && answer.outcome != DNS_FAILED;
    }
    query_answer(q, &answer);
}

static void on_deadline(struct timer *t)
{
    struct query *q = LIST_ENTRY(t, struct query, deadline);

    ub_cancel(q->unbound->ctx, q->id);
    query_fail(q, arena_printf(&q->arena, "no answer within %u s",
                               (unsigned)(q->unbound->deadline_ms / 1000)));
}

/* ---- the door's calls ---- */

/* For libunbound a backslash quotes, as in a zone file. */
static const char *quoted_name(struct slice name, struct arena *arena)
{
    struct slice text = SLICE("");
    struct slice head;

    while (slice_cut(name, '\\', &head, &name))
        text = arena_printf(arena, "%.*s%.*s\\\\", SLICE_PRINTF(text), SLICE_PRINTF(head));
    return arena_string(arena,
                        arena_printf(arena, "%.*s%.*s.", SLICE_PRINTF(text), SLICE_PRINTF(name)));
}

static void unbound_ask(struct resolver *resolver, struct resolver_request *r)
{
    struct unbound *u = unbound_of(resolver);
    struct query *q = MEMORY_NEW(struct query);

    q->unbound = u;
    q->request = r;
    q->question = (struct dns_question){r->question.type, arena_copy(&q->arena, r->question.name)};
    timer_init(&q->deadline, on_deadline);
    list_init(&q->link);
    list_append(&u->running, &q->link);
    r->running = q;
    timer_set(u->loop, &q->deadline, u->deadline_ms);
    int code = ub_resolve_event(u->ctx, quoted_name(q->question.name, &q->arena),
                                (int)q->question.type, CLASS_IN, q, on_answer, &q->id);
    if (code != 0)
        query_fail(q, slice_of(ub_strerror(code)));
}

static void unbound_cancel(struct resolver *resolver, struct resolver_request *r)
{
    struct query *q = r->running;

    (void)resolver;
    r->running = NULL;
    if (timer_is_set(&q->deadline)) /* not yet answered */
        ub_cancel(q->unbound->ctx, q->id);
    query_free(q);
}

static void forget_all(struct list *queries)
{
    LIST_EACH (node, queries) {
        struct query *q = LIST_ENTRY(node, struct query, link);
        unbound_cancel(&q->unbound->resolver, q->request);
    }
}

static void unbound_free(struct resolver *resolver)
{
    struct unbound *u = unbound_of(resolver);

    forget_all(&u->running);
    forget_all(&u->answered);
    timer_cancel(u->loop, &u->tell);
    ub_ctx_delete(u->ctx);
    memory_free(u);
}

/* ---- opening ---- */

static bool said_no(int code, const char *operation, const char *what)
{
    if (code == 0)
        return false;
    /* libunbound has codes of its own; of a file it says only that it cannot be used. */
    fail_code(code == UB_READFILE || code == UB_INITFAIL ? -ENOENT : -EINVAL, operation,
              slice_of(what));
    return true;
}

static bool set_options(struct ub_ctx *ctx, const struct resolver_setting *settings, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (said_no(ub_ctx_set_option(ctx, settings[i].name, settings[i].value),
                    "set the resolver's", settings[i].name))
            return false;
    return true;
}

/* The library's own sizes are those of a program that asks now and then. */
static const struct resolver_setting for_a_mail_server[] = {
    {"msg-cache-size:",         "32m" },
    {"rrset-cache-size:",       "64m" },
    {"neg-cache-size:",         "4m"  },
    {"num-queries-per-thread:", "1024"},
    {"outgoing-range:",         "256" },
    {"outgoing-num-tcp:",       "32"  },
    {"qname-minimisation:",     "yes" },
};

/* A name server of ours may be on this machine, and may know names that the world does not. */
static const struct resolver_setting for_a_forwarder[] = {
    {"do-not-query-localhost:", "no" },
    {"unblock-lan-zones:",      "yes"},
    {"insecure-lan-zones:",     "yes"},
};

#define COUNT(array) (sizeof(array) / sizeof(*(array)))

static bool set_forwarder(struct ub_ctx *ctx, struct slice forwarder)
{
    struct arena arena = {0};
    const char *text = arena_string(&arena, forwarder);
    bool set = !said_no(ub_ctx_set_fwd(ctx, text), "use the resolver", text);

    arena_done(&arena);
    return set;
}

static bool set_source(struct ub_ctx *ctx, const struct resolver_options *options)
{
    switch (options->source) {
    case DNS_FROM_ROOT: return true;
    case DNS_FROM_SYSTEM:
        return set_options(ctx, for_a_forwarder, COUNT(for_a_forwarder)) &&
               !said_no(ub_ctx_resolvconf(ctx, NULL), "read", "/etc/resolv.conf");
    case DNS_FROM_FORWARDER:
        return set_options(ctx, for_a_forwarder, COUNT(for_a_forwarder)) &&
               set_forwarder(ctx, options->forwarder);
    }
    return false;
}

/* Finalises the context, so that a file that cannot be read is known now. test. is answered by
 * libunbound itself unless told otherwise; whose name servers know it shall have it. */
static bool finish_opening(struct ub_ctx *ctx, const char *anchor)
{
    return !said_no(ub_ctx_zone_remove(ctx, "test."), "open the resolver with", anchor);
}

static bool unbound_configure(struct ub_ctx *ctx, const struct resolver_options *options)
{
    const char *anchor = options->anchor_path != NULL ? options->anchor_path : root_anchor;

    ub_ctx_debugout(ctx, NULL); /* it would write to stderr */
    return set_options(ctx, for_a_mail_server, COUNT(for_a_mail_server)) &&
           set_source(ctx, options) &&
           set_options(ctx, options->settings, options->setting_count) &&
           !said_no(ub_ctx_add_ta_file(ctx, anchor), "read", anchor) && finish_opening(ctx, anchor);
}

struct resolver *resolver_new(struct loop *loop, const struct resolver_options *options)
{
    struct unbound *u = MEMORY_NEW(struct unbound);

    u->resolver = (struct resolver){unbound_ask, unbound_cancel, unbound_free};
    u->loop = loop;
    u->deadline_ms = options->deadline_ms != 0 ? options->deadline_ms : RESOLVER_DEADLINE_MS;
    list_init(&u->running);
    list_init(&u->answered);
    timer_init(&u->tell, tell_answered);
    events_init(&u->events, loop);
    u->ctx = ub_ctx_create_ub_event(&u->events.base);
    if (u->ctx == NULL) {
        fail_code(-ENOMEM, "open", SLICE("the resolver"));
        memory_free(u);
        return NULL;
    }
    if (!unbound_configure(u->ctx, options)) {
        ub_ctx_delete(u->ctx);
        memory_free(u);
        return NULL;
    }
    return &u->resolver;
}
