/*
 * ledger.c - what was sent.
 */
#include "sim/ledger.h"

#include "base/cursor.h"
#include "fakes/random.h"

#include <stdio.h>
#include <string.h>

enum {
    NAMED_MIN = 64,      /* a body of this size has its Subject */
    SUBMITTED_MIN = 256, /* and of this one all that a server would add */
    LETTERS = 64 * 1024,
    LINE_MAX_LEN = 1000,
};

/* Most mail is small; some spills to a file of its own. */
static size_t draw_size(struct random *chance)
{
    switch (random_below(chance, 32)) {
    case 0:
    case 1: return 0;
    case 2: return 128 * 1024 + random_below(chance, BODY_MAX - 128 * 1024);
    case 3: return 100 * 1024 + random_below(chance, 60 * 1024);
    case 4:
    case 5:
    case 6: return random_below(chance, 40 * 1024);
    default: return 1 + random_below(chance, 3000);
    }
}

static enum sent_wish draw_wish(struct random *chance)
{
    return random_below(chance, 2) == 0 ? WISH_UNSAID
                                        : (enum sent_wish)random_below(chance, WISH_COUNT);
}

static void draw_rcpt(struct sent *s, struct random *chance)
{
    struct sent_rcpt r = {.user = (unsigned)random_below(chance, SENT_USERS),
                          .wish = draw_wish(chance)};

    if (s->submitted && (r.wish == WISH_NEVER || r.wish == WISH_DELAY))
        r.wish = WISH_UNSAID; /* the log does not say of which copy it tells */
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
    if (random_below(chance, 80) == 0 && !s->deaf && !s->from_nobody) {
        r.fate = FATE_LOOP;
        r.wish = WISH_UNSAID; /* a ring forgets it */
    }
    for (unsigned i = 0; i < s->rcpt_count; i++)
        if (s->rcpts[i].fate == r.fate && (r.fate == FATE_DISCARD || r.fate == FATE_REJECT ||
                                           r.fate == FATE_LOOP || s->rcpts[i].user == r.user))
            return; /* each once: what a server does with the same twice is not asked here */
    s->rcpts[s->rcpt_count++] = r;
}

struct sent *ledger_add(struct ledger *l, struct random *chance, bool submitted)
{
    if (l->count == SENT_MAX)
        return NULL;
    struct sent *s = &l->sent[l->count];
    *s = (struct sent){.number = l->count, .size = draw_size(chance), .submitted = submitted};
    if (submitted && s->size < SUBMITTED_MIN)
        s->size = SUBMITTED_MIN;
    s->deaf = random_below(chance, 10) == 0;
    s->from_nobody = s->size >= NAMED_MIN && random_below(chance, 10) == 0 && !submitted;
    if (random_below(chance, 10) == 0)
        s->hold_for_s = 1 + (uint32_t)random_below(chance, HOLD_FOR_MAX_S);
    for (uint64_t wanted = 1 + random_below(chance, SENT_RCPTS_MAX); wanted > 0; wanted--)
        draw_rcpt(s, chance);
    l->count++;
    return s;
}

/* How one from nobody fails elsewhere could be known by its id only, which no reply names. */
static void keep_those_here(struct sent *s)
{
    unsigned kept = 0;

    for (unsigned i = 0; i < s->rcpt_count; i++)
        if (s->rcpts[i].fate == FATE_MAILDIR || s->rcpts[i].fate == FATE_DISCARD ||
            s->rcpts[i].fate == FATE_REJECT)
            s->rcpts[kept++] = s->rcpts[i];
    if (kept == 0)
        s->rcpts[kept++] = (struct sent_rcpt){.fate = FATE_REJECT};
    s->rcpt_count = kept;
}

struct sent *ledger_add_left(struct ledger *l, struct random *chance)
{
    struct sent *s = ledger_add(l, chance, true);

    if (s == NULL || random_below(chance, 6) != 0)
        return s;
    s->from_nobody = true;
    s->deaf = false;
    keep_those_here(s);
    return s;
}

unsigned sent_refused(const struct sent *s, bool *wanted)
{
    unsigned count = 0;

    *wanted = false;
    for (unsigned i = 0; i < s->rcpt_count; i++) {
        const struct sent_rcpt *r = &s->rcpts[i];

        if (r->fate != FATE_REJECT || r->refused)
            continue;
        count++;
        *wanted = *wanted || sent_wants(s, r, REPORT_OF_FAILURE);
    }
    return count;
}

bool sent_is_early(const struct ledger *l, const struct sent *s, uint64_t now_us)
{
    return s->whole && !s->in_hand && l->wall_set_us < s->whole_us &&
           now_us < s->whole_us + s->hold_for_s * UINT64_C(1000000);
}

/* Letters without a pattern, the same for ever. */
static const char *letters(void)
{
    static char table[LETTERS];
    struct fake_random words;

    if (table[0] != '\0')
        return table;
    fake_random_init(&words, 1);
    for (size_t i = 0; i < LETTERS; i++)
        table[i] = (char)('a' + (int)random_below(&words.random, 26));
    return table;
}

/* Lines of any length, some beginning with dots, some empty, with bytes of every value but those
 * that a text cannot hold; the first one is a header or the end of none. */
static void add_line(struct buf *out, struct fake_random *words, size_t room)
{
    static const char edges[] = {'.', '.', 'F', 'a', ' ', '\t', '=', '>', '\x7f'};
    size_t len = random_below(&words->random, 8) == 0 ? 0 : random_below(&words->random, 900);

    if (len > room)
        len = room;
    char *at = buf_reserve(out, len + 2);
    memcpy(at, letters() + random_below(&words->random, LETTERS - LINE_MAX_LEN), len);
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
    (void)buf_printf(out, "Subject: number %u\r\n", s->number);
    if (s->submitted)
        (void)buf_printf(out,
                         "From: m%u@client.example\r\nMessage-ID: <m%u@client.example>\r\n"
                         "Date: Fri, 21 Nov 1997 09:55:06 -0600\r\n",
                         s->number, s->number);
    (void)buf_append(out, SLICE("\r\n"));
    while (buf_len(out) - start + 2 < s->size)
        add_line(out, &words, s->size - (buf_len(out) - start) - 2);
}

/* RFC 5321 4.5.2. */
void sent_dotted(const struct sent *s, struct buf *out)
{
    struct slice rest;
    struct buf body;

    buf_init(&body, 2 * BODY_MAX);
    sent_body(s, &body);
    rest = buf_slice(&body);
    while (rest.len > 0) {
        size_t line = slice_find(rest, '\n') + 1;

        if (rest.data[0] == '.')
            (void)buf_append_char(out, '.');
        (void)buf_append(out, slice_head(rest, line));
        rest = slice_skip(rest, line);
    }
    (void)buf_append(out, SLICE(".\r\n"));
    buf_done(&body);
}

void sent_mail_command(const struct sent *s, struct buf *out)
{
    (void)buf_append(out, SLICE("MAIL FROM:<"));
    sent_sender(s, out);
    (void)buf_printf(out, "> SIZE=%zu", s->size + 100);
    if (s->hold_for_s > 0)
        (void)buf_printf(out, " HOLDFOR=%u", s->hold_for_s);
    (void)buf_append(out, SLICE("\r\n"));
}

void sent_rcpt_command(const struct sent_rcpt *r, struct buf *out)
{
    const char *wish = sent_wish_name(r->wish);

    (void)buf_append(out, SLICE("RCPT TO:<"));
    sent_rcpt_address(r, out);
    (void)buf_append(out, SLICE(">"));
    if (wish != NULL)
        (void)buf_printf(out, " NOTIFY=%s", wish);
    (void)buf_append(out, SLICE("\r\n"));
}

void sent_sender(const struct sent *s, struct buf *out)
{
    if (!s->from_nobody)
        (void)buf_printf(out, "%c%u@client.example", s->deaf ? 'x' : 'm', s->number);
}

static struct sent *numbered(struct ledger *l, struct slice text, struct slice behind)
{
    struct cursor c = {text};
    uint64_t n;

    if (!take_number(&c, &n) || !slice_starts(c.rest, behind) || n >= l->count)
        return NULL;
    return &l->sent[n];
}

struct sent *ledger_from(struct ledger *l, struct slice sender, struct slice content)
{
    static const struct slice subject = SLICE_INIT("Subject: number ");

    if (sender.len > 0)
        return numbered(l, slice_skip(sender, 1), SLICE("@client.example"));
    if (!slice_starts(content, subject))
        return NULL;
    struct sent *s = numbered(l, slice_skip(content, subject.len), SLICE(""));
    return s != NULL && s->from_nobody ? s : NULL;
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
    case FATE_LOOP: (void)buf_printf(out, "all@ring.example"); break;
    }
}

struct sent_rcpt *sent_rcpt_called(struct sent *s, struct slice address)
{
    for (unsigned i = 0; i < s->rcpt_count; i++) {
        char text[64];
        struct buf out;

        buf_init(&out, sizeof(text));
        sent_rcpt_address(&s->rcpts[i], &out);
        struct slice own = buf_slice(&out);
        bool same =
            slice_equal(own, address) || (s->rcpts[i].fate == FATE_MAILDIR && address.len > 0 &&
                                          slice_equal(slice_skip(own, 1), slice_skip(address, 1)));
        buf_done(&out);
        if (same)
            return &s->rcpts[i];
    }
    return NULL;
}

const char *sent_wish_name(enum sent_wish wish)
{
    switch (wish) {
    case WISH_NEVER: return "NEVER";
    case WISH_FAILURE: return "FAILURE";
    case WISH_DELAY: return "DELAY";
    case WISH_SUCCESS: return "SUCCESS,FAILURE";
    case WISH_UNSAID:
    case WISH_COUNT: break;
    }
    return NULL;
}

bool sent_wants(const struct sent *s, const struct sent_rcpt *r, enum sent_report report)
{
    if (s->from_nobody)
        return false;
    switch (report) {
    case REPORT_OF_FAILURE:
        return r->wish == WISH_UNSAID || r->wish == WISH_FAILURE || r->wish == WISH_SUCCESS;
    case REPORT_OF_DELAY: return r->wish == WISH_UNSAID || r->wish == WISH_DELAY;
    case REPORT_OF_SUCCESS: return r->wish == WISH_SUCCESS;
    case SENT_REPORTS: break;
    }
    return false;
}

/* ---- done ---- */

/* Of one that nobody hears about we know what the server said, or else the log. */
bool sent_is_settled(const struct sent *s, const struct sent_rcpt *r)
{
    bool failed = r->refused_us != 0 || r->given_up_us != 0;

    if (r->mail.count > 0 || s->deleted || s->perhaps_deleted)
        return true;
    if (s->from_nobody)
        return failed || r->untold || r->fate == FATE_BOUNCE; /* who refuses it cannot know what */
    if (!sent_wants(s, r, REPORT_OF_FAILURE))
        return failed;
    return r->notices.count + r->reports[REPORT_OF_FAILURE].count > 0;
}

static bool is_left(const struct sent *s, const struct sent_rcpt *r)
{
    if (!r->accepted || (r->fate != FATE_RELAY && r->fate != FATE_BOUNCE && r->fate != FATE_LOOP))
        return false;
    if (s->deaf && (s->tries > 1 || s->left))
        return false; /* that the first copy failed is told of an id that its client never heard */
    return r->mail.count == 0 && r->refused_us == 0 && r->given_up_us == 0 &&
           !sent_is_settled(s, r);
}

/* ---- once, or with a reason ---- */

void coming_doubt(struct coming *c)
{
    c->doubts++;
    c->doubted = true;
}

bool coming_came(struct coming *c, uint64_t now_us, bool answered)
{
    bool good = c->count == 0 || c->doubts > 0;

    if (c->count > 0 && c->doubts > 0)
        c->doubts--;
    c->count++;
    c->last_us = now_us;
    if (!answered)
        coming_doubt(c);
    return good;
}

void ledger_doubt_loop(struct sent_rcpt *r)
{
    if (r->fate != FATE_LOOP)
        return;
    r->reports[REPORT_OF_FAILURE].doubts += SENT_MAX;
    r->reports[REPORT_OF_FAILURE].doubted = true;
    r->notices.doubts += SENT_MAX; /* of those reports that cannot be delivered */
    r->notices.doubted = true;
}

static void unsure(struct coming *c, bool in_flight)
{
    if (in_flight)
        coming_doubt(c);
}

static bool is_since(uint64_t at_us, uint64_t since_us)
{
    return at_us != 0 && at_us >= since_us;
}

/* Where the disk had errors an outcome may have waited for long. What the log says of the last
 * moment goes with the machine: so of mailboxes and of patience that ended the time is not known.
 */
static void crash_at(struct ledger *l, struct sent *s, struct sent_rcpt *r, uint64_t since_us)
{
    bool all = l->disk_errors;
    bool mail = all || is_since(r->mail.last_us, since_us);
    bool failing = all || is_since(r->refused_us, since_us) || is_since(r->given_up_us, since_us) ||
                   (r->given_up_us == 0 && !sent_is_settled(s, r));

    ledger_doubt_loop(r);
    r->untold = true;
    r->unheard = r->unheard || (mail && r->mail.count > 0);
    unsure(&r->mail, mail);
    for (unsigned i = 0; i < SENT_REPORTS; i++)
        unsure(&r->reports[i], all || is_since(r->reports[i].last_us, since_us));
    unsure(&r->reports[REPORT_OF_FAILURE], failing);
    unsure(&r->notices, failing);
    unsure(&r->reports[REPORT_OF_SUCCESS], mail || r->fate == FATE_MAILDIR);
    unsure(&r->reports[REPORT_OF_DELAY], true);
    unsure(&r->notices, all || is_since(s->deafened_us, since_us));
    if (is_since(r->warn_us, since_us))
        r->warn_us = 0; /* its report was perhaps not durable: it is owed by the next attempt */
}

void ledger_crash(struct ledger *l, uint64_t since_us)
{
    for (unsigned i = 0; i < l->count; i++)
        for (unsigned k = 0; k < l->sent[i].rcpt_count; k++)
            crash_at(l, &l->sent[i], &l->sent[i].rcpts[k], since_us);
}

/* ---- as a whole ---- */

const struct sent *ledger_unsettled(const struct ledger *l)
{
    for (unsigned i = 0; i < l->count; i++) {
        const struct sent *s = &l->sent[i];

        for (unsigned k = 0; s->acked && k < s->rcpt_count; k++)
            if (is_left(s, &s->rcpts[k]))
                return s;
    }
    return NULL;
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
