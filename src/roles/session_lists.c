/*
 * session_lists.c - clients that lists in DNS name (`dnsbl`), and those that do not wait for our
 * greeting (`greet-delay`).
 *
 * The lists are asked when the client connects and judged at RCPT: so the answer has mostly come
 * by then, and the log tells who wanted to write to whom. Who has logged in is not judged, nor
 * what is for postmaster, or for whom `allow rcpt` opens the door.
 */
#include "roles/session_internal.h"

#include "base/memory.h"
#include "dns/lookup.h"

enum { WARN_EVERY_MS = 60 * 1000, EARLY_SHOWN_MAX = 100 };

static const struct slice tag_smtpd = SLICE_INIT("smtpd");

/* One client, and what the lists say of it. */
struct listing {
    struct session *session;
    struct lookup lookup;
    struct facts facts;
    enum dnsbl_finding finding;
    struct dnsbl_result result;
    struct arena arena;
};

/* Nobody whom we know well is asked for, or waits. */
static bool is_stranger(const struct session *s)
{
    const struct settings *settings = s->among->role->settings;

    return s->has_ip && !s->local &&
           !access_allows_client(settings->access, settings->access_count, s->ip);
}

/* ---- lists ---- */

/* A list that fails does so for everybody: once a minute is enough. */
static void warn_of(struct session *s, struct slice trouble)
{
    uint64_t now_ms = loop_now_ms(s->among->role->loop);
    struct arena scratch = {0};

    if (trouble.len == 0 || now_ms < s->among->lists_quiet_until_ms)
        return;
    s->among->lists_quiet_until_ms = now_ms + WARN_EVERY_MS;
    role_warn(s->among->role, tag_smtpd,
              arena_printf(&scratch, "dnsbl %.*s: unknown[%.*s] was let through",
                           SLICE_PRINTF(trouble), SLICE_PRINTF(session_client(s))));
    arena_done(&scratch);
}

static void judge(struct listing *l)
{
    struct session *s = l->session;

    l->finding = dnsbl_find(s->offer->zones, s->ip, &l->facts, &l->arena, &l->result);
    if (l->finding == DNSBL_UNKNOWN) {
        lookup_start(&l->lookup, s->offer->resolver, &l->facts);
        return;
    }
    warn_of(s, l->result.trouble);
    if (s->awaits_lists) {
        s->awaits_lists = false;
        session_lists_have_answered(s);
    }
}

static void on_answers(struct lookup *lookup)
{
    judge(LIST_ENTRY(lookup, struct listing, lookup));
}

void session_ask_lists(struct session *s)
{
    if (s->offer->resolver == NULL || s->offer->zones == NULL || !is_stranger(s))
        return;
    s->listing = MEMORY_NEW(struct listing);
    s->listing->session = s;
    s->listing->lookup.done = on_answers;
    facts_init(&s->listing->facts, &s->listing->arena);
    judge(s->listing);
}

void session_forget_lists(struct session *s)
{
    if (s->listing == NULL)
        return;
    lookup_cancel(&s->listing->lookup);
    arena_done(&s->listing->arena);
    memory_free(s->listing);
    s->listing = NULL;
}

static bool is_open_to(const struct session *s, const struct rules_query *query)
{
    const struct settings *settings = s->among->role->settings;
    struct arena scratch = {0};
    bool is = query->user.len > 0 || access_is_open(settings->access, settings->access_count,
                                                    &settings->rules, query, &scratch);

    arena_done(&scratch);
    return is;
}

bool session_is_listed(struct session *s, const struct rules_query *query)
{
    struct arena scratch = {0};
    struct reply r;

    if (s->listing == NULL || s->listing->finding == DNSBL_NOT_LISTED || is_open_to(s, query))
        return false;
    if (s->listing->finding == DNSBL_UNKNOWN) {
        s->awaits_lists = true;
        stream_pause(&s->stream);
        return true;
    }
    r = dnsbl_refusal(&s->listing->result, session_client(s), &scratch);
    server_answer_rcpt(s->server, &r, NULL, 0);
    arena_done(&scratch);
    return true;
}

/* ---- the greeting ---- */

bool session_waits_to_greet(struct session *s)
{
    if (s->offer->greet_delay_s == 0 || s->among->role->draining || !is_stranger(s))
        return false;
    s->greets_later = true;
    s->connected_ms = loop_now_ms(s->among->role->loop);
    timer_set(s->among->role->loop, &s->timer, (uint64_t)s->offer->greet_delay_s * 1000);
    return true;
}

/* By Postfix's word for it; the refusal is told as every other. */
void session_tell_early(struct session *s)
{
    uint64_t after_ms = loop_now_ms(s->among->role->loop) - s->connected_ms;
    struct slice said = buf_slice(&s->stream.in);
    struct arena scratch = {0};

    role_warn(s->among->role, tag_smtpd,
              arena_printf(&scratch, "PREGREET %zu after %llu.%llu from unknown[%.*s]: %.*s",
                           said.len, (unsigned long long)after_ms / 1000,
                           (unsigned long long)after_ms / 100 % 10, SLICE_PRINTF(session_client(s)),
                           SLICE_PRINTF(slice_head(said, EARLY_SHOWN_MAX))));
    arena_done(&scratch);
}
