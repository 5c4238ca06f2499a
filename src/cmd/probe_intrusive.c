/*
 * probe_intrusive.c - tricks that fooled mail servers.
 *
 * Where a message ends: each row of `endings` is sent in the middle of a message, and behind it the
 * line "NOOP". To a server that knows where messages end that is a line of text; it answers once,
 * to the message. One that takes the row for the end of the message answers to it, and to NOOP, and
 * to the dot that ends the message in truth. So nothing needs to be smuggled to see that it could
 * be, and nobody has to guess how long a silence means no.
 *
 * TLS: a command in the same packet as STARTTLS came in the clear. A server that answers it behind
 * the handshake lets whoever sits on the line speak in the client's name.
 */
#include "cmd/probe_intrusive.h"

#include "wire/address.h"
#include "wire/date.h"
#include "wire/utf8.h"

enum {
    MESSAGE_MAX = 4096,
    STARTTLS_BEFORE = 3, /* lines from its answer to the first one under TLS */
};

/* The first one is honest. CVE-2023-51764 (Postfix), -51765 (sendmail), -51766 (Exim), Cisco ESA.
 */
static const struct {
    const char *name;
    struct slice bytes;
} endings[] = {
    {"(nothing special)", SLICE_INIT("\r\n")         },
    {"CRLF .. CRLF",      SLICE_INIT("\r\n..\r\n")   },
    {"LF . LF",           SLICE_INIT("\n.\n")        },
    {"LF . CRLF",         SLICE_INIT("\n.\r\n")      },
    {"LF . CR",           SLICE_INIT("\n.\r")        },
    {"CR . LF",           SLICE_INIT("\r.\n")        },
    {"CR . CR",           SLICE_INIT("\r.\r")        },
    {"CR . CRLF",         SLICE_INIT("\r.\r\n")      },
    {"CRLF . LF",         SLICE_INIT("\r\n.\n")      },
    {"CRLF . CR",         SLICE_INIT("\r\n.\r")      },
    {"CRLF . CRCRLF",     SLICE_INIT("\r\n.\r\r\n")  },
    {"CRCRLF . CRCRLF",   SLICE_INIT("\r\r\n.\r\r\n")},
    {"CRLF NUL . CRLF",   SLICE_INIT("\r\n\0.\r\n")  },
    {"CRLF . NUL CRLF",   SLICE_INIT("\r\n.\0\r\n")  },
    {"CRLF . blank CRLF", SLICE_INIT("\r\n. \r\n")   },
};

enum { ENDING_COUNT = sizeof(endings) / sizeof(*endings) };

_Static_assert((int)ENDING_COUNT <= (int)PROBE_TRICKS_MAX, "struct probe_tricks has room for each");

/* ---- verdicts ---- */

static struct probe_trick verdict(const char *name, enum probe_trick_verdict v, struct slice why)
{
    return (struct probe_trick){name, v, why};
}

static struct slice silence(const struct wire *w)
{
    switch (w->end) {
    case WIRE_NO_CONNECTION: return SLICE("it could not be called again");
    case WIRE_NO_TLS: return SLICE("the TLS handshake fails");
    case WIRE_NOT_SMTP: return SLICE("what it says is no SMTP");
    case WIRE_SILENT: return SLICE("it does not answer");
    case WIRE_LOST:
    case WIRE_PLAYED:
    case WIRE_UNWANTED: break;
    }
    return SLICE("it hangs up");
}

static const struct wire_reply *reply_to(const struct wire *w, size_t line)
{
    for (size_t i = 0; i < w->reply_count; i++)
        if (w->replies[i].line == line)
            return &w->replies[i];
    return NULL;
}

/* Why it did not come to that line. */
static struct probe_trick untested(const char *name, const struct wire *w)
{
    return verdict(name, TRICK_UNTESTED,
                   w->end == WIRE_UNWANTED ? w->replies[w->reply_count - 1].text : silence(w));
}

/* Replies behind the one to that line, but for goodbyes; *yes: one of them was 2xx. */
static unsigned more_replies(const struct wire *w, size_t line, struct slice *told, bool *yes,
                             struct arena *arena)
{
    unsigned count = 0;

    *yes = false;
    for (size_t i = 0; i < w->reply_count; i++) {
        const struct wire_reply *r = &w->replies[i];

        if (r->line <= line || r->code == 221 || r->code == 421)
            continue;
        *told = arena_printf(arena, "%.*s; then %.*s", SLICE_PRINTF(*told), SLICE_PRINTF(r->text));
        *yes = *yes || r->code / 100 == 2;
        count++;
    }
    return count;
}

struct probe_trick probe_judge_ending(const char *name, const struct wire *w, size_t line,
                                      struct arena *arena)
{
    const struct wire_reply *first = reply_to(w, line);
    struct slice told;
    bool taken, yes;

    if (w->at < line)
        return untested(name, w);
    if (first == NULL)
        return verdict(name, w->end == WIRE_LOST ? TRICK_SAFE : TRICK_UNCLEAR, silence(w));
    told = first->text;
    taken = first->code / 100 == 2;
    if (more_replies(w, line, &told, &yes, arena) > 0)
        return verdict(name, taken || yes ? TRICK_FOOLED : TRICK_UNCLEAR, told);
    return verdict(
        name, TRICK_SAFE,
        arena_printf(arena, "%s: %.*s", taken ? "kept as text" : "refused", SLICE_PRINTF(told)));
}

struct probe_trick probe_judge_downgrade(const char *name, const struct wire *w, size_t line,
                                         enum probe_injected what, struct arena *arena)
{
    const struct wire_reply *first = reply_to(w, line);
    struct slice told;
    bool yes;

    if (w->at < line - STARTTLS_BEFORE)
        return untested(name, w);
    if (w->end == WIRE_UNWANTED) /* it refuses STARTTLS */
        return verdict(name, TRICK_SAFE, w->replies[w->reply_count - 1].text);
    if (first == NULL)
        return verdict(name, w->end == WIRE_SILENT ? TRICK_UNCLEAR : TRICK_SAFE, silence(w));
    told = first->text;
    if (what == INJECTED_HALF && first->code / 100 == 2)
        return verdict(name, TRICK_FOOLED, told);
    if (more_replies(w, line, &told, &yes, arena) > 0)
        return verdict(name, what == INJECTED_WHOLE ? TRICK_FOOLED : TRICK_UNCLEAR, told);
    return verdict(name, TRICK_SAFE, SLICE("forgotten when TLS begins"));
}

size_t probe_tricks_count(const struct probe_tricks *t, enum probe_trick_verdict wanted)
{
    size_t count = 0;

    for (size_t i = 0; i < t->count; i++)
        count += t->tricks[i].verdict == wanted;
    return count;
}

enum probe_trick_verdict probe_tricks_verdict(const struct probe_tricks *t)
{
    enum probe_trick_verdict worst = TRICK_UNTESTED;

    for (size_t i = 0; i < t->count; i++)
        if (t->tricks[i].verdict > worst)
            worst = t->tricks[i].verdict;
    return worst;
}

/* ---- scripts ---- */

static struct slice ehlo_line(const struct probe_reach *reach, struct arena *arena)
{
    return arena_printf(arena, "EHLO %.*s\r\n", SLICE_PRINTF(reach->request->ehlo));
}

static void greet(struct wire *w, const struct probe_reach *reach, struct arena *arena)
{
    wire_add(w, WIRE_HEAR, SLICE(""), 2);
    wire_add(w, WIRE_SAY, ehlo_line(reach, arena), 0);
    wire_add(w, WIRE_HEAR, SLICE(""), 2);
}

static void goodbye(struct wire *w)
{
    wire_add(w, WIRE_SAY, SLICE("QUIT\r\n"), 0);
    wire_add(w, WIRE_HEAR_OUT, SLICE(""), 0);
}

static void ask(struct wire *w, struct slice line, unsigned wanted)
{
    wire_add(w, WIRE_SAY, line, 0);
    wire_add(w, WIRE_HEAR, SLICE(""), wanted);
}

static void begin_tls(struct wire *w, const struct probe_reach *reach, struct arena *arena)
{
    ask(w, SLICE("STARTTLS\r\n"), 2);
    wire_add(w, WIRE_SECURE, SLICE(""), 0);
    ask(w, ehlo_line(reach, arena), 2);
}

/* It says to whoever finds it what it is. */
static struct slice message_of(const struct probe_reach *reach, size_t ending, struct arena *arena)
{
    struct slice ehlo = reach->request->ehlo, text;
    struct buf out;

    buf_init(&out, MESSAGE_MAX);
    (void)buf_append(&out, SLICE("Date: "));
    (void)date_write_rfc5322(&out, reach->now_us, reach->utc_offset_min);
    (void)buf_printf(&out,
                     "\r\nFrom: postroad probe <postmaster@%.*s>\r\n"
                     "To: whom it may concern:;\r\n"
                     "Subject: postroad probe: does \"%s\" end a message?\r\n"
                     "Message-ID: <probe.%llu.%zu@%.*s>\r\n"
                     "Auto-Submitted: auto-generated\r\n"
                     "\r\n"
                     "Somebody at %.*s tests this mail server (postroad probe --intrusive).\r\n"
                     "A server that takes the bytes behind this line for the end of the message\r\n"
                     "can be made to accept forged mail. This message can be deleted.\r\n"
                     "-",
                     SLICE_PRINTF(ehlo), endings[ending].name, (unsigned long long)reach->now_us,
                     ending, SLICE_PRINTF(ehlo), SLICE_PRINTF(ehlo));
    (void)buf_append(&out, endings[ending].bytes);
    (void)buf_append(&out, SLICE("NOOP\r\n.\r\n"));
    text = arena_copy(arena, buf_slice(&out));
    buf_done(&out);
    return text;
}

static struct probe_trick try_ending(const struct probe_reach *reach, struct loop *loop, size_t i,
                                     struct arena *arena)
{
    const struct probe_request *r = reach->request;
    struct slice from = address_text(arena, &r->from), to = address_text(arena, &r->receiver);
    struct wire w;
    size_t line;

    wire_init(&w, loop, arena, &reach->wire);
    greet(&w, reach, arena);
    if (reach->starttls)
        begin_tls(&w, reach, arena);
    ask(&w, arena_printf(arena, "MAIL FROM:<%.*s>\r\n", SLICE_PRINTF(from)), 2);
    ask(&w, arena_printf(arena, "RCPT TO:<%.*s>\r\n", SLICE_PRINTF(to)), 2);
    ask(&w, SLICE("DATA\r\n"), 3);
    ask(&w, message_of(reach, i, arena), 0);
    line = w.count - 1;
    goodbye(&w);
    wire_play(&w);
    return probe_judge_ending(endings[i].name, &w, line, arena);
}

/* A server that cannot be judged by an honest message cannot be by others. */
void probe_smuggle(struct probe_tricks *out, const struct probe_reach *reach, struct loop *loop,
                   struct arena *arena)
{
    const struct probe_request *r = reach->request;
    struct slice to = address_text(arena, &r->receiver), from = address_text(arena, &r->from);
    struct probe_trick plain;

    *out = (struct probe_tricks){.count = 1};
    out->tricks[0] = verdict(endings[0].name, TRICK_UNTESTED, SLICE("its address is not in ASCII"));
    if (!utf8_is_ascii(to) || !utf8_is_ascii(from))
        return;
    plain = try_ending(reach, loop, 0, arena);
    if (plain.verdict != TRICK_SAFE) {
        plain.verdict = TRICK_UNTESTED;
        out->tricks[0] = plain;
        return;
    }
    out->count = 0;
    for (size_t i = 1; i < ENDING_COUNT; i++)
        out->tricks[out->count++] = try_ending(reach, loop, i, arena);
}

/* ---- STARTTLS ---- */

static struct probe_trick try_downgrade(const char *name, const struct probe_reach *reach,
                                        struct loop *loop, enum probe_injected what,
                                        struct arena *arena)
{
    bool whole = what == INJECTED_WHOLE;
    struct wire w;
    size_t line;

    wire_init(&w, loop, arena, &reach->wire);
    greet(&w, reach, arena);
    ask(&w, whole ? SLICE("STARTTLS\r\nNOOP\r\n") : SLICE("STARTTLS\r\nNO"), 2);
    wire_add(&w, WIRE_SECURE, SLICE(""), 0);
    ask(&w, whole ? ehlo_line(reach, arena) : SLICE("OP\r\n"), 0);
    line = w.count - 1;
    goodbye(&w);
    wire_play(&w);
    return probe_judge_downgrade(name, &w, line, what, arena);
}

void probe_downgrade(struct probe_tricks *out, const struct probe_reach *reach, struct loop *loop,
                     struct arena *arena)
{
    static const char *const names[] = {[INJECTED_WHOLE] = "a command behind STARTTLS",
                                        [INJECTED_HALF] = "half a command behind it"};

    *out = (struct probe_tricks){0};
    for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
        out->tricks[out->count++] =
            try_downgrade(names[i], reach, loop, (enum probe_injected)i, arena);
}
