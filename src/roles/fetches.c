/*
 * fetches.c - one errand for each question of the vault.
 *
 * The vault names a listener or a relay; the URL must be what our settings have there. So a
 * captured vault cannot send us anywhere else, and an answer comes from who was meant. What came is
 * read here, where hostile bytes are nothing new.
 */
#include "roles/fetches.h"

#include "base/memory.h"
#include "roles/errand.h"
#include "roles/outbound_internal.h"

enum { FETCHES_MAX = 200 };

struct fetches {
    struct outbound *outbound;
    struct channel *vault;
    struct fetcher *fetcher; /* NULL: not asked for yet, or cannot be had, */
    bool sought;             /* which is told once, until a reload */
    struct list running;
    unsigned count;
};

struct fetch {
    struct list link;
    struct fetches *all;
    struct errand errand;
    struct arena arena;
    struct fetching asked;
};

/* What the settings know of who is to be asked. */
struct endpoint {
    struct slice url, ca;
};

static struct role *role_of(const struct fetches *all)
{
    return all->outbound->role;
}

static const struct introspection *introspection_of(const struct settings *s, struct slice listener)
{
    for (size_t i = 0; i < s->listener_count; i++)
        if (slice_equal(s->listeners[i].address, listener))
            return s->listeners[i].introspection;
    return NULL;
}

static const struct oauth *oauth_of(const struct settings *s, struct slice name)
{
    const struct relay *relay = settings_relay(s, name);

    return relay != NULL ? relay->oauth : NULL;
}

static bool find_endpoint(const struct settings *s, const struct fetching *f, struct endpoint *out)
{
    const struct introspection *i;
    const struct oauth *o;

    switch (f->kind) {
    case FETCHING_INTROSPECTION:
        i = introspection_of(s, f->listener);
        if (i != NULL)
            *out = (struct endpoint){i->url, i->ca};
        return i != NULL;
    case FETCHING_REFRESH:
        o = oauth_of(s, f->relay);
        if (o != NULL)
            *out = (struct endpoint){.url = o->token, .ca = o->ca};
        return o != NULL;
    }
    return false;
}

/* ---- answers ---- */

/* One that cannot be sent is lost: the vault's patience has an end. */
static void send_answer(const struct fetches *all, const struct fetched *f)
{
    struct buf body;

    buf_init(&body, FETCHED_BODY_MAX);
    if (fetched_write(&body, f))
        (void)channel_send(all->vault, MESSAGE_FETCHED, buf_slice(&body), NULL, -1);
    buf_wipe(&body);
}

static void refuse(const struct fetches *all, const struct fetching *asked, struct slice why)
{
    send_answer(all, &(struct fetched){.number = asked->number, .kind = asked->kind, .why = why});
}

static void fetch_free(struct fetch *f)
{
    f->all->count--;
    list_remove(&f->link);
    errand_cancel(&f->errand);
    arena_done(&f->arena);
    memory_free(f);
}

static void on_done(struct errand *e)
{
    struct fetch *f = LIST_ENTRY(e, struct fetch, errand);
    struct fetched answer = {.number = f->asked.number, .kind = f->asked.kind};

    switch (e->answer->outcome) {
    case FETCH_FAILED: answer.why = e->answer->why; break;
    case FETCH_ANSWERED:
        answer.status = e->answer->status;
        if (f->asked.kind == FETCHING_REFRESH)
            oauth_answer_read(answer.status, e->answer->body, &f->arena, &answer.token);
        else
            introspection_read(e->answer->body, &f->asked.terms, &f->arena, &answer.whose);
        break;
    }
    send_answer(f->all, &answer);
    fetch_free(f);
}

/* ---- questions ---- */

static bool has_fetcher(struct fetches *all)
{
    const struct role_doors *doors = role_of(all)->doors;

    if (all->fetcher == NULL && !all->sought && doors->fetcher_new != NULL)
        all->fetcher = doors->fetcher_new(doors, role_of(all)->loop);
    all->sought = true;
    return all->fetcher != NULL;
}

/* The settings may be replaced before the answer is there: all is copied. */
static void begin(struct fetches *all, const struct fetching *asked, const struct endpoint *to)
{
    struct fetch *f = MEMORY_NEW(struct fetch);
    struct slice *texts = ARENA_ARRAY(&f->arena, struct slice, 2);

    texts[0] = arena_copy(&f->arena, asked->header);
    texts[1] = arena_copy(&f->arena, asked->form);
    f->all = all;
    f->asked = (struct fetching){
        .number = asked->number,
        .kind = asked->kind,
        .terms = {asked->terms.claim, arena_copy(&f->arena, asked->terms.audience)}
    };
    f->errand = (struct errand){.done = on_done,
                                .resolver = outbound_resolver(all->outbound),
                                .fetcher = all->fetcher,
                                .loop = role_of(all)->loop,
                                .url = arena_copy(&f->arena, to->url),
                                .authorities = arena_copy(&f->arena, to->ca),
                                .headers = &texts[0],
                                .header_count = asked->header.len > 0 ? 1 : 0,
                                .body = &texts[1],
                                .chance = random_u64(role_of(all)->doors->random)};
    list_append(&all->running, &f->link);
    all->count++;
    errand_start(&f->errand);
}

void fetches_take(struct fetches *all, struct slice body)
{
    struct cursor in = {body};
    struct endpoint to = {0};
    struct fetching asked;

    if (!fetching_read(&in, &asked))
        return;
    if (!find_endpoint(role_of(all)->settings, &asked, &to))
        refuse(all, &asked, SLICE("the configuration names no provider for that"));
    else if (!slice_equal(asked.url, to.url))
        refuse(all, &asked, SLICE("the settings are being read again"));
    else if (all->count >= FETCHES_MAX)
        refuse(all, &asked, SLICE("too many providers are being asked"));
    else if (!has_fetcher(all))
        refuse(all, &asked,
               SLICE("HTTPS cannot be had; the log says why. When it can be: postroad reload"));
    else
        begin(all, &asked, &to);
}

void fetches_halt(struct fetches *all)
{
    LIST_EACH (node, &all->running)
        errand_halt(&LIST_ENTRY(node, struct fetch, link)->errand);
}

void fetches_go_on(struct fetches *all)
{
    all->sought = false;
    LIST_EACH (node, &all->running)
        errand_go_on(&LIST_ENTRY(node, struct fetch, link)->errand,
                     outbound_resolver(all->outbound));
}

void fetches_forget(struct fetches *all)
{
    LIST_EACH (node, &all->running)
        fetch_free(LIST_ENTRY(node, struct fetch, link));
}

struct fetches *fetches_new(struct outbound *outbound, struct channel *vault)
{
    struct fetches *all = MEMORY_NEW(struct fetches);

    all->outbound = outbound;
    all->vault = vault;
    list_init(&all->running);
    return all;
}

void fetches_free(struct fetches *all)
{
    if (all == NULL)
        return;
    fetches_forget(all);
    fetcher_free(all->fetcher);
    memory_free(all);
}
