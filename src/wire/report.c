/*
 * report.c - delivery status notifications.
 *
 * A person reads the first part at a bad moment: it says in plain words what happened, to whom,
 * why, and what to do now. The second part says the same in fields, RFC 3464 2.2 (message) and
 * 2.3 (each recipient). The third is the message, or its header.
 *
 * One report speaks of several recipients, and of several fates; its subject is that of the
 * worst.
 */
#include "wire/report.h"

#include "base/arena.h"
#include "wire/chars.h"
#include "wire/date.h"
#include "wire/header.h"
#include "wire/utf8.h"

enum { VALUE_MAX = 2048, MARGIN = 76, LONG_WORD_MAX = 900 };

struct sheet {
    struct buf *out;
    const struct report *report;
    struct arena arena;
};

static const struct {
    struct slice action; /* RFC 3464 2.3.3 */
    const char *subject;
    const char *first;
    const char *last;
} fates[] = {
    [REPORT_FAILED] = {SLICE_INIT("failed"),    "Undelivered mail",
                       "Your message could not be delivered to these recipients. It will not be "
                       "tried again.",                                                     "The message was accepted here for delivery and is now returned to you."},
    [REPORT_DELAYED] = {SLICE_INIT("delayed"),   "Delayed mail (still being tried)",
                       "Your message has not yet been delivered to these recipients.",     "There is nothing you need to do: it is tried again by itself, and you "
                        "will hear if that fails for good."                  },
    [REPORT_RELAYED] = {SLICE_INIT("relayed"),   "Mail relayed",
                       "Your message was handed to the next server for these recipients.", "That server gives no reports of success: this is the last you will hear, "
                        "unless it fails."                               },
    [REPORT_EXPANDED] = {SLICE_INIT("expanded"),  "Mail expanded",
                       "Your message was sent on to the members behind these addresses.",  "You get no report for each of them, unless it fails."                  },
    [REPORT_DELIVERED] = {SLICE_INIT("delivered"), "Mail delivered",
                       "Your message was delivered to these recipients.",                  "All is well."                                                          },
};

/* The worst first. */
static const enum report_action by_weight[] = {REPORT_FAILED, REPORT_DELAYED, REPORT_RELAYED,
                                               REPORT_EXPANDED, REPORT_DELIVERED};

enum { FATES = sizeof(by_weight) / sizeof(*by_weight) };

/* What a person can do about a failure, by the beginning of its status. */
static const struct {
    struct slice status;
    const char *advice;
} advice[] = {
    {SLICE_INIT("5.1.1"),  "There is no such mailbox: check the spelling of the address."            },
    {SLICE_INIT("5.1.2"),  "There is no such mail domain: check what stands behind the @."           },
    {SLICE_INIT("5.1.3"),  "This is no valid address: check it."                                     },
    {SLICE_INIT("5.1.6"),  "The mailbox has moved: ask for the new address in another way."          },
    {SLICE_INIT("5.1.10"), "This domain takes no mail at all: check what stands behind the @."       },
    {SLICE_INIT("5.2.1"),  "The mailbox is closed: reach the person in another way."                 },
    {SLICE_INIT("5.2.2"),
     "The mailbox is full: try again later, or reach the person in another way."                     },
    {SLICE_INIT("5.2.3"),  "The message is too large for the mailbox: send a smaller one."           },
    {SLICE_INIT("5.3.4"),  "The message is too large for that server: send a smaller one."           },
    {SLICE_INIT("5.4.6"),  "The mail went in a circle: tell the administrator of that domain."       },
    {SLICE_INIT("5.4"),    "That server could not be reached for a long time: check the domain, or "
                        "try again later."                                    },
    {SLICE_INIT("5.6.7"),  "That server takes no addresses or headers outside ASCII: use another "
                          "address."                                        },
    {SLICE_INIT("5.6"),    "That server cannot take this kind of content: send it in a plainer form."},
    {SLICE_INIT("5.7"),    "That server refuses the message by its rules: its administrator can tell "
                        "why."                                                },
    {SLICE_INIT("4"),      "Nothing was wrong with your message, but the time for it ran out: try "
                      "again later."                                            },
};

static bool address_is_utf8(const struct address *a)
{
    return a->utf8 || !utf8_is_ascii(a->local) || !utf8_is_ascii(a->domain);
}

bool report_needs_utf8(const struct report *r)
{
    bool needs = address_is_utf8(&r->to);

    for (unsigned i = 0; i < r->rcpt_count && !needs; i++)
        needs = address_is_utf8(&r->rcpts[i].final) || !utf8_is_ascii(r->rcpts[i].original);
    return needs;
}

/* One line of what somebody else said: controls and broken UTF-8 become "?", and so does all
 * outside ASCII where the report must do without. */
static struct slice tame(struct sheet *s, struct slice raw)
{
    struct slice in = slice_head(raw, VALUE_MAX);
    char *copy = arena_alloc(&s->arena, in.len);
    bool utf8 = s->report->utf8 && utf8_valid(in);

    for (size_t i = 0; i < in.len; i++) {
        char c = in.data[i];

        if (c == '\n' || c == '\r' || c == '\t')
            c = ' ';
        else if (char_is(c, CHAR_CTL) || (char_is(c, CHAR_HIGH) && !utf8))
            c = '?';
        copy[i] = c;
    }
    return slice_trim((struct slice){copy, in.len});
}

static struct slice tame_address(struct sheet *s, const struct address *a)
{
    return tame(s, address_text(&s->arena, a));
}

static bool put(struct sheet *s, struct slice text)
{
    return buf_append(s->out, text);
}

static bool put_words(struct sheet *s, const char *text)
{
    return put(s, slice_of(text));
}

static bool put_field(struct sheet *s, const char *name, struct slice value)
{
    return header_write(s->out, slice_of(name), value);
}

static bool put_date_field(struct sheet *s, const char *name, uint64_t wall_us)
{
    struct buf date;
    bool good;

    buf_init(&date, 64);
    good = date_write_rfc5322(&date, wall_us, s->report->utc_offset_min) &&
           put_field(s, name, buf_slice(&date));
    buf_done(&date);
    return good;
}

/* --- the head --- */

static enum report_action worst(const struct report *r)
{
    for (size_t i = 0; i < FATES; i++)
        for (unsigned k = 0; k < r->rcpt_count; k++)
            if (r->rcpts[k].action == by_weight[i])
                return by_weight[i];
    return REPORT_FAILED;
}

static struct slice hostname(const struct sheet *s)
{
    return s->report->hostname;
}

static struct slice recipient_of_report(struct sheet *s)
{
    struct slice to =
        s->report->to.kind == ADDRESS_NULL ? SLICE("postmaster") : tame_address(s, &s->report->to);

    return arena_printf(&s->arena, "<%.*s>", SLICE_PRINTF(to));
}

static bool put_head(struct sheet *s)
{
    const struct report *r = s->report;
    struct slice from = arena_printf(&s->arena, "Mail Delivery System <MAILER-DAEMON@%.*s>",
                                     SLICE_PRINTF(hostname(s)));
    struct slice id = arena_printf(&s->arena, "<%.*s.report@%.*s>", SLICE_PRINTF(r->unique),
                                   SLICE_PRINTF(hostname(s)));
    struct slice type = arena_printf(
        &s->arena, "multipart/report; report-type=%sdelivery-status; boundary=\"=_%.*s\"",
        r->utf8 ? "global-" : "", SLICE_PRINTF(r->unique));
    bool eight_bit = r->utf8 || (r->full && !utf8_is_ascii(r->body)) || !utf8_is_ascii(r->header);

    return put_date_field(s, "Date", r->date_us) && put_field(s, "From", from) &&
           put_field(s, "To", recipient_of_report(s)) &&
           put_field(s, "Subject", slice_of(fates[worst(r)].subject)) &&
           put_field(s, "Message-ID", id) &&
           put_field(s, "Auto-Submitted", SLICE("auto-replied")) &&
           put_field(s, "MIME-Version", SLICE("1.0")) && put_field(s, "Content-Type", type) &&
           put_field(s, "Content-Transfer-Encoding", eight_bit ? SLICE("8bit") : SLICE("7bit"));
}

static bool put_part(struct sheet *s, struct slice type, bool eight_bit)
{
    return put_words(s, "\r\n--=_") && put(s, s->report->unique) && put_words(s, "\r\n") &&
           put_field(s, "Content-Type", type) &&
           put_field(s, "Content-Transfer-Encoding", eight_bit ? SLICE("8bit") : SLICE("7bit")) &&
           put_words(s, "\r\n");
}

/* --- for a person --- */

static const char *advice_for(struct slice status)
{
    for (size_t i = 0; i < sizeof(advice) / sizeof(*advice); i++) {
        struct slice rest = slice_skip(status, advice[i].status.len);

        if (slice_starts(status, advice[i].status) && (rest.len == 0 || rest.data[0] == '.'))
            return advice[i].advice;
    }
    return NULL;
}

/* How much of the text goes on this line: up to a blank before the margin, or a whole long word. */
static size_t line_of(struct slice text)
{
    size_t end;

    if (text.len <= MARGIN)
        return text.len;
    if (slice_rfind(slice_head(text, MARGIN), ' ') < MARGIN)
        end = slice_rfind(slice_head(text, MARGIN), ' ');
    else if (slice_find(text, ' ') < LONG_WORD_MAX)
        end = slice_find(text, ' ');
    else
        end = text.len < LONG_WORD_MAX ? text.len : LONG_WORD_MAX;
    return end;
}

static bool put_paragraph(struct sheet *s, const char *indent, struct slice text)
{
    bool good = true;

    while (text.len > 0 && good) {
        size_t len = line_of(text);

        good = put_words(s, indent) && put(s, slice_trim(slice_head(text, len))) &&
               put_words(s, "\r\n");
        text = slice_trim(slice_skip(text, len));
    }
    return good;
}

static bool put_indented(struct sheet *s, struct slice text)
{
    return put_paragraph(s, "    ", text);
}

static bool put_reason(struct sheet *s, const struct report_rcpt *rcpt)
{
    struct slice reply = tame(s, rcpt->reply), mta = tame(s, rcpt->remote_mta);

    if (reply.len == 0)
        return true;
    if (mta.len == 0)
        return put_indented(s, reply);
    return put_indented(
        s, arena_printf(&s->arena, "%.*s said: %.*s", SLICE_PRINTF(mta), SLICE_PRINTF(reply)));
}

static bool put_rcpt_for_people(struct sheet *s, const struct report_rcpt *rcpt)
{
    const char *hint = rcpt->action == REPORT_FAILED ? advice_for(rcpt->status) : NULL;
    struct slice address = tame_address(s, &rcpt->final);

    return put_words(s, "\r\n<") && put(s, address) && put_words(s, ">\r\n") &&
           put_reason(s, rcpt) && (hint == NULL || put_indented(s, slice_of(hint)));
}

static bool put_fate(struct sheet *s, enum report_action action)
{
    const struct report *r = s->report;
    bool any = false;

    for (unsigned i = 0; i < r->rcpt_count; i++) {
        if (r->rcpts[i].action != action)
            continue;
        if (!any && !(put_words(s, "\r\n") && put_paragraph(s, "", slice_of(fates[action].first))))
            return false;
        any = true;
        if (!put_rcpt_for_people(s, &r->rcpts[i]))
            return false;
    }
    return !any || (put_words(s, "\r\n") && put_paragraph(s, "", slice_of(fates[action].last)));
}

static bool put_people_part(struct sheet *s)
{
    bool good = put_part(s,
                         s->report->utf8 ? SLICE("text/plain; charset=utf-8")
                                         : SLICE("text/plain; charset=us-ascii"),
                         s->report->utf8) &&
                put_words(s, "This is the mail system at ") && put(s, hostname(s)) &&
                put_words(s, ".\r\n");

    for (size_t i = 0; i < FATES && good; i++)
        good = put_fate(s, by_weight[i]);
    return good && put_words(s, "\r\nThe mail's queue id here was ") &&
           put(s, s->report->queue_id) &&
           put_words(s, "; the administrator of this host can look it up.\r\n");
}

/* --- for a program --- */

static bool put_optional(struct sheet *s, const char *name, const char *prefix, struct slice value)
{
    struct slice tamed = tame(s, value);

    return tamed.len == 0 ||
           put_field(s, name, arena_printf(&s->arena, "%s%.*s", prefix, SLICE_PRINTF(tamed)));
}

static bool put_message_fields(struct sheet *s)
{
    const struct report *r = s->report;

    return put_optional(s, "Original-Envelope-Id", "", r->envid) &&
           put_optional(s, "Reporting-MTA", "dns; ", hostname(s)) &&
           put_optional(s, "X-Postroad-Queue-ID", "", r->queue_id) &&
           put_date_field(s, "Arrival-Date", r->arrival_us);
}

/* "rfc822;bob@b.example": the type is what the sender's system gave, RFC 3461 4.2. */
static bool put_original(struct sheet *s, struct slice original)
{
    struct slice type, address;

    if (!slice_cut(original, ';', &type, &address))
        return true;
    struct slice tamed_type = tame(s, type), tamed = tame(s, address);
    return put_field(
        s, "Original-Recipient",
        arena_printf(&s->arena, "%.*s; %.*s", SLICE_PRINTF(tamed_type), SLICE_PRINTF(tamed)));
}

static bool put_final(struct sheet *s, const struct address *a)
{
    struct slice address = tame_address(s, a);
    const char *type = address_is_utf8(a) && s->report->utf8 ? "utf-8" : "rfc822";

    return put_field(s, "Final-Recipient",
                     arena_printf(&s->arena, "%s; %.*s", type, SLICE_PRINTF(address)));
}

static bool put_rcpt_fields(struct sheet *s, const struct report_rcpt *rcpt)
{
    bool remote = rcpt->remote_mta.len > 0;

    return put_words(s, "\r\n") && put_original(s, rcpt->original) && put_final(s, &rcpt->final) &&
           put_field(s, "Action", fates[rcpt->action].action) &&
           put_optional(s, "Status", "", rcpt->status) &&
           put_optional(s, "Remote-MTA", "dns; ", rcpt->remote_mta) &&
           put_optional(s, "Diagnostic-Code", remote ? "smtp; " : "x-postroad; ", rcpt->reply) &&
           (rcpt->tried_us == 0 || put_date_field(s, "Last-Attempt-Date", rcpt->tried_us)) &&
           (rcpt->retry_until_us == 0 ||
            put_date_field(s, "Will-Retry-Until", rcpt->retry_until_us));
}

static bool put_program_part(struct sheet *s)
{
    const struct report *r = s->report;
    bool good = put_part(s,
                         r->utf8 ? SLICE("message/global-delivery-status")
                                 : SLICE("message/delivery-status"),
                         r->utf8) &&
                put_message_fields(s);

    for (unsigned i = 0; i < r->rcpt_count && good; i++)
        good = put_rcpt_fields(s, &r->rcpts[i]);
    return good;
}

/* --- the message --- */

/* It is given back as it came, and could hold our boundary only if it had guessed `unique`. */
static bool put_message_part(struct sheet *s)
{
    const struct report *r = s->report;
    bool eight_bit = !utf8_is_ascii(r->header) || (r->full && !utf8_is_ascii(r->body));
    bool global = r->utf8 && !utf8_is_ascii(r->header);
    struct slice type;

    if (r->full)
        type = global ? SLICE("message/global") : SLICE("message/rfc822");
    else
        type = global ? SLICE("message/global-headers") : SLICE("text/rfc822-headers");
    return put_part(s, type, eight_bit) && put(s, r->header) &&
           (!r->full || (put_words(s, "\r\n") && put(s, r->body)));
}

static bool put_all(struct sheet *s)
{
    return put_head(s) && put_people_part(s) && put_program_part(s) && put_message_part(s) &&
           put_words(s, "\r\n--=_") && put(s, s->report->unique) && put_words(s, "--\r\n");
}

bool report_write(struct buf *out, const struct report *r)
{
    struct sheet s = {.out = out, .report = r};
    size_t start = buf_len(out);
    bool good = put_all(&s);

    arena_done(&s.arena);
    if (!good)
        buf_truncate(out, start);
    return good;
}
