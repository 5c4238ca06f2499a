/*
 * ledger.c - what was sent.
 */
#include "sim/ledger.h"

#include "base/cursor.h"
#include "fakes/random.h"

#include <stdio.h>
#include <string.h>

/* Most mail is small; some spills to a file of its own. */
static size_t draw_size(struct random *chance)
{
    switch (random_below(chance, 16)) {
    case 0: return 0;
    case 1: return 128 * 1024 + random_below(chance, BODY_MAX - 128 * 1024);
    case 2: return 100 * 1024 + random_below(chance, 60 * 1024);
    case 3:
    case 4: return random_below(chance, 40 * 1024);
    default: return 1 + random_below(chance, 3000);
    }
}

static void draw_rcpt(struct sent *s, struct random *chance)
{
    struct sent_rcpt r = {.user = (unsigned)random_below(chance, SENT_USERS)};

    r.by_alias = (s->number + r.user) % 3 == 0;

    switch (random_below(chance, 10)) {
    case 0: r.fate = FATE_DISCARD; break;
    case 1: r.fate = FATE_REJECT; break;
    case 2:
    case 3:
    case 4: r.fate = FATE_RELAY; break;
    case 5: r.fate = FATE_BOUNCE; break;
    default: r.fate = FATE_MAILDIR;
    }
    if (r.fate == FATE_RELAY || r.fate == FATE_BOUNCE)
        r.user %= SENT_DOMAINS;
    for (unsigned i = 0; i < s->rcpt_count; i++)
        if (s->rcpts[i].fate == r.fate &&
            (r.fate == FATE_DISCARD || r.fate == FATE_REJECT || s->rcpts[i].user == r.user))
            return; /* each once: what a server does with the same twice is not asked here */
    s->rcpts[s->rcpt_count++] = r;
}

struct sent *ledger_add(struct ledger *l, struct random *chance)
{
    if (l->count == SENT_MAX)
        return NULL;
    struct sent *s = &l->sent[l->count];
    *s = (struct sent){.number = l->count, .size = draw_size(chance)};
    for (uint64_t wanted = 1 + random_below(chance, SENT_RCPTS_MAX); wanted > 0; wanted--)
        draw_rcpt(s, chance);
    l->count++;
    return s;
}

/* Lines of any length, some beginning with dots, some empty, with bytes of every value but those
 * that a text cannot hold; the first one is a header or the end of none. */
static void add_line(struct buf *out, struct fake_random *words, size_t room)
{
    static const char edges[] = {'.', '.', 'F', 'R', '\xc3', '-', ':'};
    size_t len = random_below(&words->random, 8) == 0 ? 0 : random_below(&words->random, 200);

    if (len > room)
        len = room;
    char *at = buf_reserve(out, len + 2);
    for (size_t i = 0; i < len; i++)
        at[i] = (char)('a' + (int)((words->state >> (i % 13)) + i) % 26);
    if (len > 0)
        at[0] = edges[random_below(&words->random, sizeof(edges))];
    if (len > 1 && random_below(&words->random, 4) == 0)
        at[1] = '.';
    memcpy(at + len, "\r\n", 2);
    buf_commit(out, len + 2);
}

void sent_body(const struct sent *s, struct buf *out)
{
    struct fake_random words;
    size_t start = buf_len(out);

    fake_random_init(&words, s->number * 7919 + s->size);
    if (s->size == 0)
        return;
    (void)buf_printf(out, "Subject: number %u\r\n\r\n", s->number);
    while (buf_len(out) - start + 2 < s->size)
        add_line(out, &words, s->size - (buf_len(out) - start) - 2);
}

void sent_sender(const struct sent *s, struct buf *out)
{
    (void)buf_printf(out, "m%u@client.example", s->number);
}

bool ledger_number(struct slice sender, unsigned *number)
{
    struct cursor c = {sender};
    uint64_t n;

    if (!take_char(&c, 'm') || !take_number(&c, &n) ||
        !slice_equal(c.rest, SLICE("@client.example")) || n >= SENT_MAX)
        return false;
    *number = (unsigned)n;
    return true;
}

void sent_rcpt_address(const struct sent_rcpt *r, struct buf *out)
{
    switch (r->fate) {
    case FATE_MAILDIR:
        (void)buf_printf(out, "%c%u@sim.example", r->by_alias ? 'a' : 'u', r->user);
        break;
    case FATE_DISCARD: (void)buf_printf(out, "void@sim.example"); break;
    case FATE_REJECT: (void)buf_printf(out, "nobody@sim.example"); break;
    case FATE_RELAY: (void)buf_printf(out, "good@far%u.example", r->user); break;
    case FATE_BOUNCE: (void)buf_printf(out, "bad@far%u.example", r->user); break;
    }
}

void ledger_domain(unsigned number, char *out, size_t size)
{
    if (number == SENT_DOMAINS)
        (void)snprintf(out, size, "client.example");
    else
        (void)snprintf(out, size, "far%u.example", number);
}

void ledger_maildir(unsigned user, char *out, size_t size)
{
    (void)snprintf(out, size, "/mail/sim.example/u%u", user);
}
