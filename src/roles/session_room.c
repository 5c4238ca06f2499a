/*
 * session_room.c - when sessions run short, strangers make room.
 *
 * A stranger has neither logged in nor had a mail taken in this session, and there is a limit to
 * how many connections he may have. Strangers may have seven eighths of a receiver's sessions, so
 * there is room for who is known. For one more of them another goes: of the next few in their list,
 * by turns, the one whose network has the most connections; or the newcomer is sent away, if there
 * are more of his. So a crowd makes room for single ones, and a crowd of single ones (each from a
 * network of its own) is turned over: who does something meanwhile is known before his turn comes.
 * It costs a few look-ups for a connection, however many there are.
 */
#include "roles/session_internal.h"

enum { KEPT_FOR_KNOWN = 8 /* one part of so many */, LOOKED_AT = 16 };

void session_becomes_stranger(struct session *s)
{
    list_append(&s->among->strangers, &s->stranger);
    s->among->stranger_count++;
}

void session_becomes_known(struct session *s)
{
    if (list_empty(&s->stranger))
        return;
    list_remove(&s->stranger);
    s->among->stranger_count--;
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

bool session_finds_room(struct sessions *among, const struct turn *newcomer)
{
    struct session *goes;

    if (among->stranger_count < among->max - among->max / KEPT_FOR_KNOWN)
        return true;
    goes = who_goes(among, newcomer);
    if (goes != NULL)
        session_make_way(goes);
    return goes != NULL;
}
