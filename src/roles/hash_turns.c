/*
 * hash_turns.c - two lines before a few threads.
 *
 * The line is here and not the worker's own, because what the worker has it runs in the order in
 * which it came.
 */
#include "roles/hash_turns.h"

static void line_init(struct hash_line *line)
{
    *line = (struct hash_line){.count = 0};
    list_init(&line->turns);
}

void hash_turns_init(struct hash_turns *all, unsigned threads)
{
    *all = (struct hash_turns){.threads = threads};
    line_init(&all->familiar);
    line_init(&all->strangers);
}

bool hash_turns_leave(struct hash_turn *turn)
{
    if (turn->line != NULL) {
        turn->line->count--;
        list_remove(&turn->link);
        turn->line = NULL;
    }
    return !turn->running;
}

static struct hash_line *next_line(struct hash_turns *all)
{
    return all->familiar.count > 0 ? &all->familiar : &all->strangers;
}

static void begin_next(struct hash_turns *all, struct worker *w)
{
    struct hash_line *line = next_line(all);

    if (line->count == 0 || all->running >= all->threads)
        return;
    struct hash_turn *turn = LIST_ENTRY(line->turns.next, struct hash_turn, link);

    (void)hash_turns_leave(turn);
    turn->running = true;
    all->running++;
    worker_submit(w, &turn->job);
}

bool hash_turns_take(struct hash_turns *all, struct worker *w, struct hash_turn *turn,
                     bool familiar)
{
    struct hash_line *line = familiar ? &all->familiar : &all->strangers;

    if (line->count >= HASH_TURNS_MAX)
        return false;
    list_append(&line->turns, &turn->link);
    turn->line = line;
    line->count++;
    begin_next(all, w);
    return true;
}

void hash_turns_ended(struct hash_turns *all, struct worker *w, struct hash_turn *turn)
{
    turn->running = false;
    all->running--;
    begin_next(all, w);
}
