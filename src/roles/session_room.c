/*
 * session_room.c - when sessions run short, strangers make room.
 *
 * A stranger has neither logged in nor had a mail taken in this session, and there is a limit to
 * how many connections he may have. A neighbour comes by loopback, where there is none. Both
 * together may have seven eighths of a receiver's sessions, so there is room for who is known. For
 * one more stranger another goes: of the next few in their list, by turns, the one whose network
 * has the most connections; or the newcomer is sent away, if there are more of his. So a crowd
 * makes room for single ones, and a crowd of single ones (each from a network of its own) is turned
 * over: who does something meanwhile is known before his turn comes. It costs a few look-ups for a
 * connection, however many there are.
 *
 * Neighbours may have half of the sessions, whatever they do in them, and none of theirs is ever
 * cut off: a program of this machine is no attacker for being busy. But one user of it can open as
 * many as there are, from 2^24 addresses, and hand in a mail by each. If neighbours came in as long
 * as there is room, nobody would be left whose place a stranger could take.
 */
#include "roles/session_internal.h"

enum {
    KEPT_FOR_KNOWN = 8, /* one part of so many */
    KEPT_FROM_NEIGHBOURS = 2,
    LOOKED_AT = 16,
};

void session_takes_standing(struct session *s, enum standing standing)
{
    switch (standing) {
    case STANDING_STRANGER:
        list_append(&s->among->strangers, &s->stranger);
        s->among->stranger_count++;
        break;
    case STANDING_NEIGHBOUR:
        s->neighbour = true;
        s->among->neighbour_count++;
        break;
    case STANDING_TRUSTED: break;
    }
}

void session_becomes_known(struct session *s)
{
    if (list_empty(&s->stranger))
        return;
    list_remove(&s->stranger);
    s->among->stranger_count--;
}

void session_leaves_standing(struct session *s)
{
    session_becomes_known(s);
    s->among->neighbour_count -= s->neighbour;
    s->neighbour = false;
}

/* How many come from where he comes from. */
static unsigned crowd_of(const struct sessions *among, const struct turn *turn)
{
    return among->counts->memory == NULL ? 0 : gauges_read(&among->counts->gauges, &turn->network);
}

/* NULL: nobody is among those looked at whose crowd is larger. */
static struct session *who_goes(struct sessions *among, const struct turn *newcomer)
{
    struct session *goes = NULL;
    unsigned most = crowd_of(among, newcomer);

    for (unsigned i = 0; i < LOOKED_AT && !list_empty(&among->strangers); i++) {
        struct session *s = LIST_ENTRY(among->strangers.next, struct session, stranger);
        unsigned crowd = crowd_of(among, &s->turn);

        list_remove(&s->stranger);
        list_append(&among->strangers, &s->stranger);
        if (s->committing || crowd < most || (crowd == most && (goes != NULL || most > 1)))
            continue;
        goes = s;
        most = crowd;
    }
    return goes;
}

/* What is left of all sessions without one part of so many. */
static size_t all_but(const struct sessions *among, size_t part)
{
    return among->max - among->max / part;
}

static bool has_room_for_strangers(const struct sessions *among)
{
    return among->count < among->max &&
           among->stranger_count + among->neighbour_count < all_but(among, KEPT_FOR_KNOWN);
}

static bool has_room_for_neighbours(const struct sessions *among)
{
    return among->neighbour_count < all_but(among, KEPT_FROM_NEIGHBOURS);
}

enum crowding sessions_crowding(const struct sessions *among)
{
    if (!has_room_for_strangers(among))
        return CROWDING_STRANGERS;
    return has_room_for_neighbours(among) ? CROWDING_NONE : CROWDING_NEIGHBOURS;
}

bool sessions_others_have_more_room(const struct sessions *among)
{
    return crowdings_others_have_more_room(&among->counts->crowdings, sessions_crowding(among));
}

static bool makes_room(struct sessions *among, const struct turn *newcomer)
{
    struct session *goes = who_goes(among, newcomer);

    if (goes != NULL)
        session_make_way(goes);
    return goes != NULL;
}

bool session_finds_room(struct sessions *among, enum standing standing, const struct turn *newcomer)
{
    switch (standing) {
    case STANDING_STRANGER: return has_room_for_strangers(among) || makes_room(among, newcomer);
    case STANDING_NEIGHBOUR: return has_room_for_neighbours(among);
    case STANDING_TRUSTED: return true;
    }
    return true;
}
