/*
 * turnstile.c - the names that things are counted by.
 */
#include "roles/turnstile.h"

#include <string.h>

/* What is counted: the first byte of a name. */
enum counted {
    COUNTED_CONNECTIONS = 'c',
    COUNTED_OF_NETWORK = 'n',
    COUNTED_LOGINS = 'l',
    COUNTED_MESSAGES = 'm',
    COUNTED_RCPTS = 'r',
    COUNTED_WARNINGS = 'w',
};

enum { USER_MAX = 512 /* bytes that tell accounts apart */ };

struct name {
    char bytes[2 + USER_MAX];
    size_t len;
};

static void name_add(struct name *n, const void *bytes, size_t len)
{
    size_t room = sizeof(n->bytes) - n->len;

    len = len < room ? len : room;
    if (len > 0)
        memcpy(n->bytes + n->len, bytes, len);
    n->len += len;
}

static struct slice name_slice(const struct name *n)
{
    return (struct slice){n->bytes, n->len};
}

static struct name name_of_network(enum counted what, const struct network *network)
{
    struct name n = {
        .bytes = {(char)what, 'i'},
          .len = 2
    };

    name_add(&n, network->ip, sizeof(network->ip));
    return n;
}

static struct name name_of_user(enum counted what, struct slice user)
{
    struct name n = {
        .bytes = {(char)what, 'u'},
          .len = 2
    };

    name_add(&n, user.data, user.len);
    return n;
}

static struct name name_of(enum counted what, const struct comer *who)
{
    struct network address;

    if (who->user.len > 0)
        return name_of_user(what, who->user);
    address = allowance_address(who->ip);
    return name_of_network(what, &address);
}

static bool is_counted(const struct counts *c, const struct comer *who)
{
    return c->memory != NULL && (who->user.len > 0 || who->ip != NULL);
}

static enum tally_verdict count(struct counts *c, const struct name *name, struct rate rate,
                                uint64_t now_ms)
{
    return rate.count == 0 ? TALLY_COUNTED : tally_count(&c->tally, name_slice(name), rate, now_ms);
}

static enum turn_verdict connect_free(struct counts *c, const struct allowance *a,
                                      const unsigned char ip[16], uint64_t now_ms,
                                      struct turn *turn)
{
    struct network address = allowance_address(ip), network = allowance_network(ip);
    struct name own = name_of_network(COUNTED_CONNECTIONS, &address),
                around = name_of_network(COUNTED_OF_NETWORK, &network);

    if (!gauges_enter(&c->gauges, name_slice(&own), a->connections, &turn->address))
        return TURN_TOO_MANY;
    if (!gauges_enter(&c->gauges, name_slice(&around), a->network_connections, &turn->network))
        return TURN_NETWORK_TOO_MANY;
    if (count(c, &own, a->rate, now_ms) != TALLY_COUNTED)
        return TURN_TOO_OFTEN;
    if (count(c, &around, a->network_rate, now_ms) != TALLY_COUNTED)
        return TURN_NETWORK_TOO_OFTEN;
    return TURN_FREE;
}

enum turn_verdict turnstile_connect(struct counts *c, const struct allowance *a,
                                    const unsigned char ip[16], uint64_t now_ms, struct turn *turn)
{
    if (c->memory == NULL)
        return TURN_FREE;
    enum turn_verdict verdict = connect_free(c, a, ip, now_ms, turn);
    if (verdict != TURN_FREE)
        turnstile_leave(c, turn);
    return verdict;
}

enum turn_verdict turnstile_program(struct counts *c, const struct allowance *a, struct slice user,
                                    struct turn *turn)
{
    struct name own = name_of_user(COUNTED_CONNECTIONS, user),
                all = name_of_user(COUNTED_OF_NETWORK, SLICE(""));

    if (c->memory == NULL)
        return TURN_FREE;
    if (!gauges_enter(&c->gauges, name_slice(&own), a->connections, &turn->address))
        return TURN_TOO_MANY;
    (void)gauges_enter(&c->gauges, name_slice(&all), 0, &turn->network);
    return TURN_FREE;
}

enum turn_verdict turnstile_login(struct counts *c, const struct allowance *a, struct slice user,
                                  uint64_t now_ms, struct turn *turn)
{
    struct name sessions = name_of_user(COUNTED_CONNECTIONS, user),
                logins = name_of_user(COUNTED_LOGINS, user);

    if (c->memory == NULL)
        return TURN_FREE;
    gauges_leave(&c->gauges, &turn->account);
    if (!gauges_enter(&c->gauges, name_slice(&sessions), a->connections, &turn->account))
        return TURN_TOO_MANY;
    if (count(c, &logins, a->rate, now_ms) == TALLY_COUNTED)
        return TURN_FREE;
    gauges_leave(&c->gauges, &turn->account);
    return TURN_TOO_OFTEN;
}

static enum tally_verdict count_of(struct counts *c, enum counted what, const struct comer *who,
                                   struct rate rate, uint64_t now_ms)
{
    if (!is_counted(c, who) || rate.count == 0)
        return TALLY_COUNTED;
    struct name name = name_of(what, who);
    return tally_count(&c->tally, name_slice(&name), rate, now_ms);
}

enum tally_verdict turnstile_message(struct counts *c, const struct allowance *a,
                                     const struct comer *who, uint64_t now_ms)
{
    return count_of(c, COUNTED_MESSAGES, who, a->messages, now_ms);
}

enum tally_verdict turnstile_rcpt(struct counts *c, const struct allowance *a,
                                  const struct comer *who, uint64_t now_ms)
{
    return count_of(c, COUNTED_RCPTS, who, a->recipients, now_ms);
}

bool turnstile_is_news(struct counts *c, const struct comer *who, uint64_t now_ms)
{
    return is_counted(c, who) &&
           count_of(c, COUNTED_WARNINGS, who, (struct rate){1, 60}, now_ms) == TALLY_COUNTED;
}

void turnstile_leave(struct counts *c, struct turn *turn)
{
    if (c->memory == NULL)
        return;
    gauges_leave(&c->gauges, &turn->address);
    gauges_leave(&c->gauges, &turn->network);
    gauges_leave(&c->gauges, &turn->account);
}
