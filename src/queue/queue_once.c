/*
 * queue_once.c - a message that a client sent twice is sent once.
 *
 * Judged when a message is claimed. Who comes first is noted in a journal (queue/once), and goes
 * when that is durable: a crash must not let the other one go first afterwards, since this one may
 * have been delivered by then. Receivers, restarts and clocks may bring copies in any order.
 *
 * A later copy is closed only when nothing can be lost by it any more:
 *
 *   the first one is settled                     duplicate, whatever became of it
 *   it is queued, and durable                    duplicate
 *   it is queued, and a crash may take it        the copy waits: it may be all that is left
 *   its place was not read yet                   the copy waits
 *   none of these                                it was lost, or never durable: the copy is the
 * first
 *
 * Nobody is closed for the sake of one that was closed for his: who is closed is never noted.
 */
#include "queue/queue_internal.h"

#include <string.h>

enum { UNSURE_RETRY_MS = 2000 };

static struct once_mail *begin(struct queue *q, const struct queue_message *m)
{
    const struct queue_entry *e = m->entry;
    struct once_mail mail = {.id = e->id,
                             .segment = e->segment->number,
                             .offset = (uint32_t)e->offset,
                             .receiver = (uint16_t)e->segment->from->number,
                             .safe = arrivals_is_durable(e)};

    memcpy(mail.fingerprint, m->envelope.fingerprint.data, sizeof(mail.fingerprint));
    return once_begin(q->once, &mail);
}

enum judgement {
    THE_FIRST,
    A_COPY,
    A_COPY_PERHAPS, /* nobody knows yet */
};

/* Of one whose fingerprint another message has. */
static enum judgement judge_copy(struct queue *q, struct once_mail *first)
{
    if (first->settled || first->safe)
        return A_COPY;
    switch (
        arrivals_look(&q->arrivals, first->id, first->receiver, first->segment, first->offset)) {
    case ARRIVAL_QUEUED: first->safe = true; return A_COPY;
    case ARRIVAL_UNSURE:
    case ARRIVAL_UNREAD: return A_COPY_PERHAPS;
    case ARRIVAL_ABSENT: break;
    }
    return THE_FIRST;
}

static enum judgement judge(struct queue *q, const struct queue_message *m,
                            struct once_mail **first)
{
    enum judgement judgement = THE_FIRST;

    *first = once_find(q->once, m->envelope.fingerprint);
    if (*first != NULL && (*first)->id == m->entry->id)
        return THE_FIRST;
    if (*first != NULL)
        judgement = judge_copy(q, *first);
    if (judgement == THE_FIRST)
        *first = begin(q, m);
    return judgement;
}

static void put_off(struct queue *q, struct queue_message *m, uint64_t until_ms)
{
    for (unsigned i = 0; i < m->envelope.rcpt_count; i++)
        if (m->rcpts[i].due)
            queue_postpone(q, m, i, until_ms);
    (void)queue_release(q, m);
}

struct queue_message *queue_once(struct queue *q, struct queue_message *m, uint64_t now_ms)
{
    struct once_mail *first;

    if (m->envelope.fingerprint.len == 0)
        return m;
    switch (judge(q, m, &first)) {
    case THE_FIRST:
        if (first->durable)
            return m;
        list_append(&q->begun, &m->link);
        return NULL;
    case A_COPY: m->duplicate_of = first->id; return m;
    case A_COPY_PERHAPS: break;
    }
    put_off(q, m, now_ms + UNSURE_RETRY_MS);
    return NULL;
}

struct queue_message *queue_once_ready(struct queue *q)
{
    if (list_empty(&q->ready))
        return NULL;
    struct queue_message *m = LIST_ENTRY(q->ready.next, struct queue_message, link);
    list_remove(&m->link);
    return m;
}

void queue_once_collect(struct queue *q)
{
    LIST_EACH (node, &q->begun) {
        struct queue_message *m = LIST_ENTRY(node, struct queue_message, link);
        const struct once_mail *first = once_find(q->once, m->envelope.fingerprint);

        if (first != NULL && first->id == m->entry->id && !first->durable)
            continue;
        list_remove(node);
        list_append(&q->ready, node);
    }
}

void queue_once_forget(struct queue *q)
{
    list_splice(&q->begun, &q->ready);
    LIST_EACH (node, &q->begun) {
        list_remove(node);
        queue_message_free(LIST_ENTRY(node, struct queue_message, link));
    }
}
