/*
 * session_limits.c - who comes too often, stays too much, or sends too much, as `limit from` says.
 * Programs of this machine have a limit for each user where the kernel says whose they are, and one
 * for all of them where it does not (session_room.c), so that none keeps mail from outside away.
 *
 * Replies and log lines have Postfix's words, so that its tools read them. Who is refused at the
 * door gets one line and no session; that he came is told once a minute, whatever he does.
 */
#include "roles/session_internal.h"

#include <limits.h>
#include <string.h>

static const struct slice tag_smtpd = SLICE_INIT("smtpd");

static uint64_t now_of(const struct sessions *among)
{
    return clock_monotonic_ms(among->role->doors->clock);
}

static struct comer comer_of(const struct session *s)
{
    return (struct comer){s->has_ip ? s->ip : NULL, server_user(s->server)};
}

static const struct allowance *stranger_allowance(const struct sessions *among,
                                                  const unsigned char *ip)
{
    const struct settings *settings = among->role->settings;

    return allowance_for_client(settings->allowances, settings->allowance_count, ip);
}

static const struct allowance *account_allowance(const struct sessions *among, struct slice user)
{
    const struct settings *settings = among->role->settings;

    return allowance_for(settings->allowances, settings->allowance_count, user);
}

/* NULL: nobody to be limited. */
static const struct allowance *allowance_of(const struct session *s)
{
    struct slice user = server_user(s->server);

    if (user.len > 0)
        return account_allowance(s->among, user);
    return s->has_ip ? stranger_allowance(s->among, s->ip) : NULL;
}

static void allow_errors(struct session *s, const struct allowance *a)
{
    server_allow_errors(s->server, a->errors == 0 ? UINT_MAX : a->errors);
}

/* ---- at the door ---- */

static struct slice net_text(const unsigned char ip[16], struct arena *arena)
{
    struct net_address a = {.port = 0};
    char text[64];

    memcpy(a.ip, ip, sizeof(a.ip));
    size_t len = net_address_text(&a, text);
    return arena_copy(arena, (struct slice){text, len});
}

/* "unknown[192.0.2.1]", "the network of unknown[192.0.2.1]" */
static void tell_turn(struct sessions *among, enum turn_verdict verdict, const struct allowance *a,
                      const struct comer *who, struct slice name)
{
    const struct {
        const char *what, *whose;
        unsigned max;
    } words[] = {
        [TURN_TOO_MANY] = {"concurrency", "",                a->connections        },
        [TURN_TOO_OFTEN] = {"rate",        "",                a->rate.count         },
        [TURN_NETWORK_TOO_MANY] = {"concurrency", "the network of ", a->network_connections},
        [TURN_NETWORK_TOO_OFTEN] = {"rate",        "the network of ", a->network_rate.count },
    };
    struct arena scratch = {0};

    if (turnstile_is_news(among->counts, who, now_of(among)))
        role_warn(among->role, tag_smtpd,
                  arena_printf(&scratch,
                               "Connection %s limit exceeded: %u from %s%.*s for service smtpd",
                               words[verdict].what, words[verdict].max + 1, words[verdict].whose,
                               SLICE_PRINTF(name)));
    arena_done(&scratch);
}

const struct slice session_busy = SLICE_INIT("All server ports are busy: try again later");

/* A client that speaks TLS first would not understand it. */
void session_send_away(struct sessions *among, const struct session_offer *offer, int handle,
                       struct slice enhanced, struct slice text)
{
    struct net *net = among->role->doors->net;
    struct arena scratch = {0};
    struct slice line = arena_printf(&scratch, "421 %.*s %.*s %.*s\r\n", SLICE_PRINTF(enhanced),
                                     SLICE_PRINTF(offer->server.hostname), SLICE_PRINTF(text));
    struct iovec iov = {(void *)(uintptr_t)line.data, line.len};

    if (!offer->implicit_tls)
        (void)net->ops->write(net, handle, &iov, 1);
    net->ops->close(net, handle);
    arena_done(&scratch);
}

/* The text of a refusal; "": he may come. */
static struct slice check_turn(struct sessions *among, const unsigned char ip[16],
                               struct turn *turn, struct arena *arena)
{
    const struct allowance *a = stranger_allowance(among, ip);
    enum turn_verdict verdict = turnstile_connect(among->counts, a, ip, now_of(among), turn);
    struct comer who = {ip, SLICE("")};
    struct slice client;

    if (verdict == TURN_FREE)
        return SLICE("");
    client = net_text(ip, arena);
    tell_turn(among, verdict, a, &who, arena_printf(arena, "unknown[%.*s]", SLICE_PRINTF(client)));
    return arena_printf(arena, "Error: too many connections from %.*s", SLICE_PRINTF(client));
}

static struct slice check_program(struct sessions *among, uint32_t number, struct turn *turn,
                                  struct arena *arena)
{
    const struct allowance *a = &allowance_usual_program;
    struct slice user = arena_printf(arena, "userid %u", number);
    enum turn_verdict verdict = turnstile_program(among->counts, a, user, turn);
    struct comer who = {NULL, user};

    if (verdict == TURN_FREE)
        return SLICE("");
    tell_turn(among, verdict, a, &who, user);
    return arena_printf(arena, "Error: too many connections from %.*s", SLICE_PRINTF(user));
}

static enum standing standing_of_address(const struct sessions *among, const unsigned char *ip)
{
    const struct allowance *a = stranger_allowance(among, ip);

    if (a->connections > 0)
        return STANDING_STRANGER;
    return a->of == ALLOWANCE_OF_LOOPBACK ? STANDING_NEIGHBOUR : STANDING_TRUSTED;
}

static enum standing standing_of(const struct sessions *among, const struct session_offer *offer,
                                 const struct net_address *peer)
{
    if (!peer->local)
        return standing_of_address(among, peer->ip);
    /* the group of a socket is chosen by hand */
    return offer->by_user ? STANDING_STRANGER : STANDING_TRUSTED;
}

bool session_may_come(struct sessions *among, const struct session_offer *offer, int handle,
                      const struct net_address *peer, struct turn *turn)
{
    struct arena scratch = {0};
    struct slice refusal = SLICE(""), enhanced = SLICE("4.7.0");

    if (offer->by_user)
        refusal = check_program(among, peer->user, turn, &scratch);
    else if (!peer->local)
        refusal = check_turn(among, peer->ip, turn, &scratch);
    if (refusal.len == 0 && !session_finds_room(among, standing_of(among, offer, peer), turn)) {
        turnstile_leave(among->counts, turn);
        enhanced = SLICE("4.3.2");
        refusal = session_busy;
    }
    if (refusal.len > 0)
        session_send_away(among, offer, handle, enhanced, refusal);
    arena_done(&scratch);
    return refusal.len == 0;
}

bool session_may_become(struct session *s, const unsigned char ip[16])
{
    struct turn turn = {0};
    struct arena scratch = {0};
    struct slice refusal = check_turn(s->among, ip, &turn, &scratch);

    if (refusal.len == 0) {
        turnstile_leave(s->among->counts, &s->turn);
        s->turn = turn;
        session_leaves_standing(s);
        session_takes_standing(s, standing_of_address(s->among, ip));
        allow_errors(s, stranger_allowance(s->among, ip));
    } else {
        server_answer(s->server,
                      &(struct reply){421, SLICE("4.7.0"),
                                      arena_printf(&scratch, "%.*s %.*s",
                                                   SLICE_PRINTF(s->offer->server.hostname),
                                                   SLICE_PRINTF(refusal))});
    }
    arena_done(&scratch);
    return refusal.len == 0;
}

/* ---- of an account ---- */

bool session_may_log_in(struct session *s, struct slice user)
{
    const struct allowance *a = account_allowance(s->among, user);
    enum turn_verdict verdict =
        turnstile_login(s->among->counts, a, user, now_of(s->among), &s->turn);
    struct comer who = {NULL, user};
    struct arena scratch = {0};

    if (verdict == TURN_FREE) {
        allow_errors(s, a);
        return true;
    }
    struct slice name = arena_printf(&scratch, "account %.*s", SLICE_PRINTF(user));
    tell_turn(s->among, verdict, a, &who, name);
    struct slice text = arena_printf(&scratch, "%.*s Error: too many connections from %.*s",
                                     SLICE_PRINTF(s->offer->server.hostname), SLICE_PRINTF(name));
    server_answer(s->server, &(struct reply){421, SLICE("4.7.0"), text});
    arena_done(&scratch);
    return false;
}

/* ---- what is sent ---- */

static const char *a_while(struct rate rate)
{
    return rate.per_s == 1      ? "a second"
           : rate.per_s == 60   ? "a minute"
           : rate.per_s == 3600 ? "an hour"
                                : "a day";
}

static void tell_limit(struct session *s, const char *what, struct rate rate)
{
    struct arena scratch = {0};
    struct slice user = server_user(s->server), client = session_client(s);

    role_warn(s->among->role, tag_smtpd,
              user.len > 0
                  ? arena_printf(&scratch,
                                 "account %.*s has reached its limit of %u %s in %u s: more are "
                                 "deferred. If that is not his doing, type: postroad user disable "
                                 "%.*s",
                                 SLICE_PRINTF(user), rate.count, what, rate.per_s,
                                 SLICE_PRINTF(user))
                  : arena_printf(&scratch,
                                 "unknown[%.*s] has reached its limit of %u %s in %u s: more are "
                                 "deferred",
                                 SLICE_PRINTF(client), rate.count, what, rate.per_s));
    arena_done(&scratch);
}

bool session_is_one_message_too_many(struct session *s)
{
    const struct allowance *a = allowance_of(s);
    struct comer who = comer_of(s);
    struct arena scratch = {0};
    enum tally_verdict verdict =
        a == NULL ? TALLY_COUNTED : turnstile_message(s->among->counts, a, &who, now_of(s->among));

    if (verdict == TALLY_COUNTED)
        return false;
    if (verdict == TALLY_TOO_MANY_FIRST)
        tell_limit(s, "messages", a->messages);
    struct slice text = arena_printf(
        &scratch, "Error: too much mail from %.*s: the limit is %u messages %s; try again later",
        SLICE_PRINTF(who.user.len > 0 ? who.user : session_client(s)), a->messages.count,
        a_while(a->messages));
    server_answer(s->server, &(struct reply){450, SLICE("4.7.1"), text});
    arena_done(&scratch);
    return true;
}

static void refuse_rcpt(struct session *s, const struct comer *who, struct rate rate)
{
    struct arena scratch = {0};
    struct reply r = REPLY(450, "4.7.1", "");
    struct rules_query query = {.rcpt = *server_rcpt(s->server)};

    r.text = arena_printf(
        &scratch, "%.*s has reached the limit of %u recipients %s; try again later",
        SLICE_PRINTF(who->user.len > 0 ? who->user : session_client(s)), rate.count, a_while(rate));
    r = rules_refusal(&query, r, &scratch);
    server_answer_rcpt(s->server, &r, NULL, 0);
    arena_done(&scratch);
}

bool session_is_one_rcpt_too_many(struct session *s)
{
    const struct allowance *a = allowance_of(s);
    struct comer who = comer_of(s);
    enum tally_verdict verdict =
        a == NULL ? TALLY_COUNTED : turnstile_rcpt(s->among->counts, a, &who, now_of(s->among));

    if (verdict == TALLY_COUNTED)
        return false;
    if (verdict == TALLY_TOO_MANY_FIRST)
        tell_limit(s, "recipients", a->recipients);
    refuse_rcpt(s, &who, a->recipients);
    return true;
}

void session_take_allowance(struct session *s, const struct net_address *peer)
{
    const struct allowance *a = allowance_of(s);

    if (a != NULL)
        allow_errors(s, a);
    session_takes_standing(s, standing_of(s->among, s->offer, peer));
}
