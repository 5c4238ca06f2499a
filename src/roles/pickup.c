/*
 * pickup.c - a client of our own, for who cannot speak for himself.
 *
 * It is polite: one command, one reply. So it knows of each recipient what became of him, and a
 * mail that not all can have now waits as a whole, for five days.
 *
 * It may be said more than once: a role ends, or the report on who was refused has to wait. Then
 * those who have it do not get it again, nor the sender his report, since the session knows both:
 * by the Message-ID, or by the file's name and the time that the kernel noted with it. For the same
 * reason what somebody has is never set aside, where a person would mend it and name it anew.
 */
#include "roles/pickup.h"

#include "base/codec.h"
#include "base/fail.h"
#include "base/memory.h"
#include "loop/stream.h"
#include "roles/pickup_letter.h"
#include "roles/pickup_order.h"
#include "store/drop.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { IN_MAX = 16 * 1024, OUT_MAX = 128 * 1024, REPLY_TEXT_MAX = 1024, UNIQUE_BYTES = 12 };

static const struct slice tag_pickup = SLICE_INIT("pickup");

struct pickup {
    struct list link;
    struct pickups *among;
    struct stream stream;
    struct letter letter; /* what is said now */
    struct reply_reader reply;
    enum smtp_verb said; /* what the next reply is to; UNKNOWN: nothing, it is the greeting */
    bool in_content;
    bool reports;      /* the letter is our report about the one that was left */
    bool some_have_it; /* which is about the others */
    uint32_t listener, user, told;
    size_t name_len, left_len;
    char name[DROP_NAME_MAX];
    char left[DROP_NAME_MAX + 64]; /* which file, as the session knows it */
};

/* ---- the end of one ---- */

static struct role *role_of(const struct pickup *p)
{
    return p->among->sessions->role;
}

static uint64_t now_us(const struct pickup *p)
{
    return clock_wall_us(role_of(p)->doors->clock);
}

static void answer(struct pickups *all, const struct pickup_answer *a)
{
    struct buf body;

    buf_init(&body, 1 + 4 + DROP_NAME_MAX);
    pickup_answer_write(&body, a);
    (void)channel_send(&all->sessions->role->warden, MESSAGE_DROPPED, buf_slice(&body), NULL, -1);
    buf_done(&body);
}

/* In good order, or the log would tell of a client that was lost. */
static void hang_up(struct pickup *p)
{
    if (!stream_is_open(&p->stream))
        return;
    if ((!p->in_content || p->letter.ended) && buf_append(&p->stream.out, SLICE("QUIT\r\n")))
        stream_flush(&p->stream);
    stream_close(&p->stream);
}

static void pickup_free(struct pickup *p)
{
    hang_up(p);
    letter_done(&p->letter);
    reply_reader_done(&p->reply);
    list_remove(&p->link);
    memory_free(p);
}

static void end_as(struct pickup *p, enum pickup_verdict verdict, uint32_t reason)
{
    answer(p->among, &(struct pickup_answer){
                         verdict, reason, {p->name, p->name_len}
    });
    pickup_free(p);
}

static void end(struct pickup *p, enum pickup_verdict verdict)
{
    end_as(p, verdict, 0);
}

static void tell(struct pickup *p, enum pickup_verdict verdict, struct slice why)
{
    static const char *const words[] = {[PICKUP_TAKEN] = "has reached only some",
                                        [PICKUP_BAD] = "cannot be sent and is set aside",
                                        [PICKUP_LATER] = "waits"};
    struct arena scratch = {0};

    role_warn(role_of(p), tag_pickup,
              arena_printf(&scratch, "%.*s, left by userid %u, %s: %.*s", (int)p->name_len, p->name,
                           p->user, words[verdict], SLICE_PRINTF(why)));
    arena_done(&scratch);
}

/* Once for each reason: it is tried again and again. */
static void end_told(struct pickup *p, enum pickup_verdict verdict, struct slice why)
{
    uint32_t reason = crc32c((uint32_t)verdict, why) | 1;

    if (p->told != reason)
        tell(p, verdict, why);
    end_as(p, verdict, reason);
}

static void end_for(struct pickup *p, enum letter_fault fault)
{
    end_told(p, fault == LETTER_UNREADABLE ? PICKUP_LATER : PICKUP_BAD,
             fault == LETTER_UNREADABLE ? SLICE("the file cannot be read")
                                        : SLICE("it is not the dialog of one mail"));
}

/* The sender cannot hear of who did not get it. */
static enum pickup_verdict verdict_untold(const struct pickup *p)
{
    return p->some_have_it ? PICKUP_TAKEN : PICKUP_BAD;
}

/* "550 5.1.1 no", as it was said. */
static struct slice reply_text(const struct pickup *p, struct arena *arena)
{
    return arena_printf(arena, "%u %.*s", p->reply.code, SLICE_PRINTF(buf_slice(&p->reply.text)));
}

static void end_by_reply(struct pickup *p, enum pickup_verdict verdict)
{
    struct arena scratch = {0};
    struct slice why = reply_text(p, &scratch);

    end_told(p, verdict, why);
    arena_done(&scratch);
}

/* ---- saying it ---- */

static void on_event(struct stream *s, enum stream_event event);

/* A report on others is another one. */
static void note_which(struct pickup *p)
{
    const struct letter *l = &p->letter;
    uint32_t sum = 0;
    int len;

    for (unsigned i = 0; i < l->failed_count; i++)
        sum = crc32c(sum,
                     (struct slice){(const char *)&l->failed[i].rcpt, sizeof(l->failed[i].rcpt)});
    len = snprintf(p->left, sizeof(p->left), "%.*s %" PRIu64 " %08" PRIx32, (int)p->name_len,
                   p->name, l->changed_us, sum);
    p->left_len = (size_t)len;
}

/* 0 or a negative errno. */
static int begin_session(struct pickup *p)
{
    struct net *net = role_of(p)->doors->net;
    struct session_offer *offer = entrances_local(*p->among->now, p->listener);
    struct arrival arrival = {
        .local = true, .peer = {.local = true, .user = p->user}
    };
    int ends[2], code;

    if (offer == NULL)
        return -ENOENT; /* other settings meanwhile */
    code = net->ops->stream_pair(net, ends);
    if (code < 0)
        return fail_code(code, "connect", SLICE("the drop folder"));
    code = stream_open(&p->stream, role_of(p)->loop, ends[0], IN_MAX, OUT_MAX, on_event);
    if (code < 0) {
        net->ops->close(net, ends[1]);
        return code;
    }
    p->said = VERB_UNKNOWN;
    p->in_content = false;
    reply_reader_reset(&p->reply);
    arrival.handle = ends[1];
    arrival.left = (struct slice){p->left, p->left_len};
    arrival.reports = p->reports;
    session_open(p->among->sessions, offer, &arrival);
    return 0;
}

/* As much of the mail as goes now; STREAM_DRAINED brings us back. */
static void say_content(struct pickup *p)
{
    while (!p->letter.ended && buf_len(&p->stream.out) == 0) {
        enum letter_fault fault = letter_content(&p->letter, &p->stream.out);

        if (fault != LETTER_OK) {
            end_for(p, fault);
            return;
        }
        stream_flush(&p->stream);
    }
}

static void begin_content(struct pickup *p)
{
    reply_reader_reset(&p->reply);
    p->in_content = true;
    say_content(p);
}

/* The sender hears of who did not get it. */
static void report(struct pickup *p)
{
    const struct role *role = role_of(p);
    struct slice hostname = (*p->among->now)->settings->hostname;
    unsigned char bytes[UNIQUE_BYTES];
    enum letter_fault fault;
    struct letter written;
    struct buf unique;

    p->some_have_it = p->letter.failed_count < p->letter.about.rcpt_count;
    p->letter.about.id = queue_in_next_id(p->among->sessions->queue);
    if (p->letter.about.id == 0) {
        end_told(p, PICKUP_LATER, SLICE("its report cannot be written now"));
        return;
    }
    random_bytes(role->doors->random, bytes, sizeof(bytes));
    buf_init(&unique, 2 * sizeof(bytes));
    hex_encode(&unique, (struct slice){(const char *)bytes, sizeof(bytes)});
    fault = letter_report(&p->letter, hostname, buf_slice(&unique), now_us(p), &written);
    buf_done(&unique);
    if (fault != LETTER_OK)
        letter_done(&written);
    if (fault == LETTER_UNREADABLE)
        end_for(p, fault);
    if (fault == LETTER_WRONG)
        end_told(p, verdict_untold(p), SLICE("nobody wants to hear who was refused"));
    if (fault != LETTER_OK)
        return;
    hang_up(p);
    note_which(p);
    letter_done(&p->letter);
    p->letter = written;
    p->reports = true;
    if (begin_session(p) < 0)
        end(p, PICKUP_LATER);
}

/* All of it was answered. */
static void finish(struct pickup *p)
{
    if (p->letter.failed_count == 0)
        end(p, PICKUP_TAKEN);
    else
        report(p);
}

static void say_next(struct pickup *p)
{
    enum letter_fault fault = letter_command(&p->letter, &p->stream.out, &p->said);

    reply_reader_reset(&p->reply);
    if (fault != LETTER_OK) {
        end_for(p, fault);
        return;
    }
    if (p->said == VERB_DATA && p->letter.failed_count == p->letter.about.rcpt_count) {
        finish(p);
        return;
    }
    stream_flush(&p->stream);
}

/* ---- replies ---- */

/* Whoever left it is told by nobody else that it does not go. */
static bool waits_too_long(const struct pickup *p)
{
    uint64_t now = now_us(p), left = p->letter.about.arrival_us;

    return left < now && retry_is_over(&retry_plan_default, (now - left) / 1000);
}

/* RFC 3463: 5.4.7, delivery time expired. */
static void refused(struct pickup *p)
{
    struct arena scratch = {0};
    struct slice text = reply_text(p, &scratch),
                 status = p->reply.code < 500 ? SLICE("5.4.7") : p->reply.enhanced;

    if (p->said == VERB_RCPT)
        letter_fail_last(&p->letter, status, text, now_us(p));
    else
        letter_fail_all(&p->letter, status, text, now_us(p));
    arena_done(&scratch);
    if (p->said == VERB_RCPT)
        say_next(p);
    else
        finish(p);
}

static void on_reply(struct pickup *p)
{
    unsigned kind = p->reply.code / 100;
    bool names_nobody = p->said != VERB_RCPT && p->said != VERB_DATA;

    if (kind == 4 && !names_nobody && waits_too_long(p))
        kind = 5;
    if (kind == 4)
        end_by_reply(p, PICKUP_LATER);
    else if (kind == 5 && (names_nobody || p->reports))
        end_by_reply(p, verdict_untold(p));
    else if (kind == 5)
        refused(p);
    else if (kind == 3)
        begin_content(p);
    else if (p->letter.ended)
        finish(p);
    else
        say_next(p);
}

static void on_readable(struct pickup *p)
{
    struct cursor in = {buf_slice(&p->stream.in)};
    size_t had = in.rest.len;
    enum reply_progress progress;

    /* Nothing was said behind what this answers: there is one reply at most. */
    progress = reply_read(&p->reply, &in);
    buf_consume(&p->stream.in, had - in.rest.len);
    if (progress == REPLY_BROKEN)
        end_told(p, PICKUP_LATER, SLICE("no reply was understood"));
    if (progress != REPLY_COMPLETE)
        return;
    on_reply(p);
}

static void on_event(struct stream *s, enum stream_event event)
{
    struct pickup *p = LIST_ENTRY(s, struct pickup, stream);

    switch (event) {
    case STREAM_READABLE: on_readable(p); return;
    case STREAM_DRAINED:
        if (p->in_content)
            say_content(p);
        return;
    case STREAM_EOF:
    case STREAM_FAILED: end_told(p, PICKUP_LATER, SLICE("the session ended")); return;
    case STREAM_CONNECTED:
    case STREAM_SECURED: return;
    }
}

/* ---- all of them ---- */

void pickups_init(struct pickups *all, struct sessions *sessions, struct entrances *const *now)
{
    *all = (struct pickups){.sessions = sessions, .now = now};
    list_init(&all->all);
}

void pickups_take(struct pickups *all, struct slice body, struct disk_file *file)
{
    struct pickup_order order;
    struct pickup *p;

    if (!pickup_order_read(body, &order)) {
        disk_close(file);
        return;
    }
    p = MEMORY_NEW(struct pickup);
    p->among = all;
    p->listener = order.listener;
    p->user = order.user;
    p->told = order.told;
    p->name_len = order.name.len;
    memcpy(p->name, order.name.data, order.name.len);
    p->stream.watch.handle = -1;
    letter_init(&p->letter, file);
    reply_reader_init(&p->reply, REPLY_TEXT_MAX);
    list_append(&all->all, &p->link);
    if (letter_look(&p->letter) != LETTER_OK) {
        end_for(p, LETTER_UNREADABLE);
        return;
    }
    note_which(p);
    if (begin_session(p) < 0)
        end(p, PICKUP_LATER);
}

void pickups_done(struct pickups *all)
{
    LIST_EACH (node, &all->all)
        pickup_free(LIST_ENTRY(node, struct pickup, link));
}
