/*
 * relief.c - when to stop accepting, and when to begin again.
 *
 * It is done before the loop sleeps, never when a connection comes: the kernel may have woken
 * nobody else for it, so who was woken accepts. Within a round a listener stops behind the
 * connection that took the last room (entrances.c); those that came with it woke others, too.
 *
 * Meanwhile the others' room is looked at ten times a second. One of them may have been stopped, or
 * have died just now, and its word still promises room. So a client who was seen waiting at two
 * looks in a row is taken here, whatever that one says: he waits for a fifth of a second at most.
 * With one look only, a busy server would show somebody waiting whom another is about to take.
 *
 * It costs nothing while there is room: three numbers are compared in a round.
 */
#include "roles/relief.h"

enum { LOOK_MS = 100 };

static struct loop *loop_of(const struct relief *r)
{
    return r->sessions->role->loop;
}

static void others_accept(struct relief *r)
{
    r->others_accept = true;
    entrances_pause(*r->now);
    timer_set(loop_of(r), &r->look, LOOK_MS);
}

static void all_accept(struct relief *r)
{
    r->others_accept = false;
    timer_cancel(loop_of(r), &r->look);
    entrances_resume(*r->now);
}

/* relief_check() follows in the same round. */
static void on_look(struct timer *t)
{
    struct relief *r = LIST_ENTRY(t, struct relief, look);

    entrances_look(*r->now);
    timer_set(loop_of(r), &r->look, LOOK_MS);
}

void relief_init(struct relief *r, struct sessions *sessions, struct entrances *const *now)
{
    *r = (struct relief){.sessions = sessions, .now = now};
    timer_init(&r->look, on_look);
}

void relief_check(struct relief *r)
{
    enum crowding own = sessions_crowding(r->sessions);

    if (own != r->said)
        crowdings_say(&r->sessions->counts->crowdings, own);
    r->said = own;
    bool leave = sessions_others_have_more_room(r->sessions);
    if (leave && !r->others_accept)
        others_accept(r);
    else if (!leave && r->others_accept)
        all_accept(r);
}

void relief_begin_anew(struct relief *r)
{
    r->said = CROWDING_AWAY;
    r->others_accept = false;
    timer_cancel(loop_of(r), &r->look);
}

void relief_end(struct relief *r)
{
    relief_begin_anew(r);
    crowdings_say(&r->sessions->counts->crowdings, CROWDING_AWAY);
}
