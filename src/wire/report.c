/*
 * report.c - delivery status notifications.
 *
 * A person reads the first part at a bad moment: it says in plain words what happened, to whom,
 * why, and what to do now. The second part says the same in fields, RFC 3464 2.2 (message) and
 * 2.3 (each recipient). The third is the message, or its header.
 *
 * One report speaks of several recipients, and of several fates; its subject is that of the
 * worst.
 *
 * It must arrive, since it is the last that is said about the message: it needs no more of the
 * servers on its way than the address it goes to. So without SMTPUTF8 all is 7-bit that can be:
 * UTF-8 in the words and in a header is quoted-printable, in addresses it is RFC 6533's \x{...},
 * and elsewhere "?". Only a whole message of 8-bit content stays as it is; whoever sends mail can
 * convert that.
 */
#include "wire/report.h"

#include "base/arena.h"
#include "base/codec.h"
#include "wire/chars.h"
#include "wire/date.h"
#include "wire/header.h"
#include "wire/report_words.h"
#include "wire/smtp_reply.h"
#include "wire/unitext.h"
#include "wire/utf8.h"

enum {
    VALUE_MAX = 2048,
    MARGIN = 76,
    LONG_WORD_MAX = 900,
    LINE_MAX = 998, /* RFC 5322 2.1.1 */
    MESSAGE_ID_LEN_MAX = 250,
};

enum coding { CODING_7BIT, CODING_8BIT, CODING_QUOTED };

static const struct slice coding_names[] = {
    [CODING_7BIT] = SLICE_INIT("7bit"),
    [CODING_8BIT] = SLICE_INIT("8bit"),
    [CODING_QUOTED] = SLICE_INIT("quoted-printable"),
};

/* The third part. */
struct returned {
    bool whole;
    struct slice type;
    enum coding coding;
};

struct sheet {
    struct buf *out;
    const struct report *report;
    struct returned returned;
    struct arena arena;
};

static const struct {
    struct slice action;  /* RFC 3464 2.3.3 */
    struct slice classes; /* of status codes: the first digit */
    struct slice status;  /* when none is known */
} fates[] = {
    [REPORT_FAILED] = {SLICE_INIT("failed"),    SLICE_INIT("54"), SLICE_INIT("5.0.0")},
    [REPORT_DELAYED] = {SLICE_INIT("delayed"),   SLICE_INIT("4"),  SLICE_INIT("4.0.0")},
    [REPORT_RELAYED] = {SLICE_INIT("relayed"),   SLICE_INIT("2"),  SLICE_INIT("2.0.0")},
    [REPORT_EXPANDED] = {SLICE_INIT("expanded"),  SLICE_INIT("2"),  SLICE_INIT("2.0.0")},
    [REPORT_DELIVERED] = {SLICE_INIT("delivered"), SLICE_INIT("2"),  SLICE_INIT("2.0.0")},
};

/* The worst first. */
static const enum report_action by_weight[] = {REPORT_FAILED, REPORT_DELAYED, REPORT_RELAYED,
                                               REPORT_EXPANDED, REPORT_DELIVERED};

enum { FATES = sizeof(by_weight) / sizeof(*by_weight) };

static bool address_is_utf8(const struct address *a)
{
    return a->utf8 || !utf8_is_ascii(a->local) || !utf8_is_ascii(a->domain);
}

bool report_needs_utf8(const struct report *r)
{
    return address_is_utf8(&r->to);
}

static bool is_line_end_or_blank(char c)
{
    return char_is(c, CHAR_BLANK) || c == '\r' || c == '\n';
}

/* One line of what somebody else said: controls and broken UTF-8 become "?", and so does all
 * outside ASCII where `utf8` is not set. */
static struct slice tame_to(struct sheet *s, struct slice raw, bool utf8)
{
    struct cursor c = {slice_head(raw, VALUE_MAX)};
    char *copy = arena_alloc(&s->arena, c.rest.len);
    size_t len = 0;

    while (!cursor_at_end(&c)) {
        struct slice before = c.rest, taken;
        uint32_t point;

        if (!take_utf8(&c, &point))
            c.rest = slice_skip(c.rest, 1);
        taken = slice_head(before, before.len - c.rest.len);
        if (utf8_printable(taken) && (utf8 || taken.len == 1)) {
            for (size_t i = 0; i < taken.len; i++)
                copy[len++] = taken.data[i];
        } else {
            copy[len++] = is_line_end_or_blank(*taken.data) ? ' ' : '?';
        }
    }
    return slice_trim((struct slice){copy, len});
}

/* For a field. */
static struct slice tame(struct sheet *s, struct slice raw)
{
    return tame_to(s, raw, s->report->utf8);
}

/* For people: the part has a character set. */
static struct slice tame_words(struct sheet *s, struct slice raw)
{
    return tame_to(s, raw, true);
}

static struct slice status_of(const struct report_rcpt *rcpt)
{
    struct slice classes = fates[rcpt->action].classes, status;
    struct cursor c = {rcpt->status};

    if (enhanced_code_take(&c, &status) && cursor_at_end(&c) &&
        slice_find(classes, status.data[0]) < classes.len)
        return status;
    return fates[rcpt->action].status;
}

/* Did a server say that, or do we say it of the server? */
static bool is_its_reply(const struct report_rcpt *rcpt)
{
    struct reply_line line;

    return rcpt->remote_mta.len > 0 &&
           reply_line_parse(slice_head(rcpt->reply, slice_find(rcpt->reply, '\n')), &line);
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

static struct report_words words_of(const struct report *r, enum report_action action)
{
    return r->to_postmaster ? report_notice_words : report_words(action);
}

static struct slice hostname(const struct sheet *s)
{
    return s->report->hostname;
}

static struct slice recipient_of_report(struct sheet *s)
{
    const struct address *to = &s->report->to;
    struct slice text =
        to->kind == ADDRESS_NULL ? SLICE("postmaster") : tame(s, address_text(&s->arena, to));

    if (to->kind == ADDRESS_NULL || to->kind == ADDRESS_BARE)
        text = arena_printf(&s->arena, "%.*s@%.*s", SLICE_PRINTF(text), SLICE_PRINTF(hostname(s)));
    return arena_printf(&s->arena, "<%.*s>", SLICE_PRINTF(text));
}

/* Of the message that is told of; "" when it has none that may be repeated. */
static struct slice message_id(struct sheet *s)
{
    struct header_field field;
    struct slice id, tamed;

    if (!header_find(s->report->header, SLICE("Message-ID"), &field) ||
        field.value.len > MESSAGE_ID_LEN_MAX)
        return SLICE("");
    id = header_unfold(&s->arena, field.value);
    tamed = tame(s, id);
    if (!slice_starts(id, SLICE("<")) || !slice_ends(id, SLICE(">")) || !slice_equal(id, tamed) ||
        slice_find(id, ' ') < id.len)
        return SLICE("");
    return id;
}

/* With these a reader shows the report beside the message. RFC 5322 3.6.4, RFC 3834 3.1.5. */
static bool put_references(struct sheet *s)
{
    struct slice id = message_id(s);

    return id.len == 0 || (put_field(s, "In-Reply-To", id) && put_field(s, "References", id));
}

static bool put_coding(struct sheet *s, enum coding coding)
{
    return put_field(s, "Content-Transfer-Encoding", coding_names[coding]);
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
    bool eight_bit = r->utf8 || s->returned.coding == CODING_8BIT;

    return put_date_field(s, "Date", r->date_us) && put_field(s, "From", from) &&
           put_field(s, "To", recipient_of_report(s)) &&
           put_field(s, "Subject", slice_of(words_of(r, worst(r)).subject)) &&
           put_field(s, "Message-ID", id) && put_references(s) &&
           put_field(s, "Auto-Submitted", SLICE("auto-replied")) &&
           put_field(s, "MIME-Version", SLICE("1.0")) && put_field(s, "Content-Type", type) &&
           put_coding(s, eight_bit ? CODING_8BIT : CODING_7BIT);
}

static bool put_part(struct sheet *s, struct slice type, enum coding coding)
{
    return put_words(s, "\r\n--=_") && put(s, s->report->unique) && put_words(s, "\r\n") &&
           put_field(s, "Content-Type", type) && put_coding(s, coding) && put_words(s, "\r\n");
}

/* --- for a person --- */

/* No character is torn. */
static size_t before_character(struct slice text, size_t end)
{
    while (end > 0 && ((unsigned char)text.data[end] & 0xc0) == 0x80)
        end--;
    return end;
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
        end = text.len < LONG_WORD_MAX ? text.len : before_character(text, LONG_WORD_MAX);
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
    struct slice reply = tame_words(s, rcpt->reply), mta = tame_words(s, rcpt->remote_mta);

    if (reply.len == 0)
        return true;
    if (mta.len == 0)
        return put_indented(s, reply);
    return put_indented(s, arena_printf(&s->arena, "%.*s%s %.*s", SLICE_PRINTF(mta),
                                        is_its_reply(rcpt) ? " said:" : ":", SLICE_PRINTF(reply)));
}

static bool put_address_words(struct sheet *s, const struct address *a)
{
    return put_words(s, "<") && put(s, tame_words(s, address_text(&s->arena, a))) &&
           put_words(s, ">");
}

/* An alias leads elsewhere than the sender knows. */
static bool put_given(struct sheet *s, const struct address *given)
{
    return given->kind == ADDRESS_NULL || (put_words(s, "\r\n    (you wrote to ") &&
                                           put_address_words(s, given) && put_words(s, ")"));
}

static bool put_rcpt_for_people(struct sheet *s, const struct report_rcpt *rcpt)
{
    const char *hint = NULL;

    if (rcpt->action == REPORT_FAILED && !s->report->to_postmaster)
        hint = report_advice(status_of(rcpt));
    return put_words(s, "\r\n") && put_address_words(s, &rcpt->final) &&
           put_given(s, &rcpt->given) && put_words(s, "\r\n") && put_reason(s, rcpt) &&
           (hint == NULL || put_indented(s, slice_of(hint)));
}

static bool put_fate(struct sheet *s, enum report_action action)
{
    const struct report *r = s->report;
    struct report_words words = words_of(r, action);
    bool any = false;

    for (unsigned i = 0; i < r->rcpt_count; i++) {
        if (r->rcpts[i].action != action)
            continue;
        if (!any && !(put_words(s, "\r\n") && put_paragraph(s, "", slice_of(words.first))))
            return false;
        any = true;
        if (!put_rcpt_for_people(s, &r->rcpts[i]))
            return false;
    }
    return !any || (put_words(s, "\r\n") && put_paragraph(s, "", slice_of(words.last)));
}

static bool put_people_words(struct sheet *s)
{
    bool good =
        put_words(s, "This is the mail system at ") && put(s, hostname(s)) && put_words(s, ".\r\n");

    for (size_t i = 0; i < FATES && good; i++)
        good = put_fate(s, by_weight[i]);
    return good && put_words(s, "\r\nThe mail's queue id here was ") &&
           put(s, s->report->queue_id) &&
           put_words(s, "; the administrator of this host can look it up.\r\n");
}

static bool put_text_part(struct sheet *s, struct slice words)
{
    if (s->report->utf8)
        return put_part(s, SLICE("text/plain; charset=utf-8"), CODING_8BIT) && put(s, words);
    if (utf8_is_ascii(words))
        return put_part(s, SLICE("text/plain; charset=us-ascii"), CODING_7BIT) && put(s, words);
    return put_part(s, SLICE("text/plain; charset=utf-8"), CODING_QUOTED) &&
           qp_encode(s->out, words);
}

/* Their encoding depends on what they are, so they are written apart. */
static bool put_people_part(struct sheet *s)
{
    struct buf *out = s->out, words;
    bool good;

    buf_init(&words, buf_room(out));
    s->out = &words;
    good = put_people_words(s);
    s->out = out;
    good = good && put_text_part(s, buf_slice(&words));
    buf_done(&words);
    return good;
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
           put_date_field(s, "Arrival-Date", r->arrival_us) &&
           put_optional(s, "Future-Release-Request", "", r->release);
}

/* An address of type utf-8 as this part may hold it. `coded`: as it came in ORCPT, where it may be
 * encoded; what is no address then stays as it is. RFC 6533 3 and 4.1. */
static struct slice utf8_form(struct sheet *s, struct slice text, bool coded)
{
    struct slice plain;
    struct address address;

    if (!coded || !unitext_decode(&s->arena, text, &plain))
        plain = text;
    if (!s->report->utf8)
        return coded && utf8_is_ascii(text) ? text : unitext_encode(&s->arena, plain);
    return address_parse(plain, &s->arena, &address) ? plain : text;
}

/* "rfc822;bob@b.example": the type is what the sender's system gave, RFC 3461 4.2. */
static bool put_original(struct sheet *s, struct slice original)
{
    struct slice type, address;

    if (!slice_cut(original, ';', &type, &address))
        return true;
    if (slice_equal_nocase(type, SLICE("rfc822")) && !utf8_is_ascii(address))
        type = SLICE("utf-8");
    if (slice_equal_nocase(type, SLICE("utf-8")))
        address = utf8_form(s, address, true);
    struct slice tamed_type = tame(s, type), tamed = tame(s, address);
    return put_field(
        s, "Original-Recipient",
        arena_printf(&s->arena, "%.*s; %.*s", SLICE_PRINTF(tamed_type), SLICE_PRINTF(tamed)));
}

static bool put_final(struct sheet *s, const struct address *a)
{
    struct slice address = address_text(&s->arena, a);
    bool utf8 = address_is_utf8(a);

    if (utf8)
        address = utf8_form(s, address, false);
    address = tame(s, address);
    return put_field(
        s, "Final-Recipient",
        arena_printf(&s->arena, "%s; %.*s", utf8 ? "utf-8" : "rfc822", SLICE_PRINTF(address)));
}

static bool put_rcpt_fields(struct sheet *s, const struct report_rcpt *rcpt)
{
    return put_words(s, "\r\n") && put_original(s, rcpt->original) && put_final(s, &rcpt->final) &&
           put_field(s, "Action", fates[rcpt->action].action) &&
           put_field(s, "Status", status_of(rcpt)) &&
           put_optional(s, "Remote-MTA", "dns; ", rcpt->remote_mta) &&
           put_optional(s, "Diagnostic-Code", is_its_reply(rcpt) ? "smtp; " : "x-postroad; ",
                        rcpt->reply) &&
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
                         r->utf8 ? CODING_8BIT : CODING_7BIT) &&
                put_message_fields(s);

    for (unsigned i = 0; i < r->rcpt_count && good; i++)
        good = put_rcpt_fields(s, &r->rcpts[i]);
    return good;
}

/* --- the message --- */

static bool is_plain_line(struct slice line, struct slice unique)
{
    struct slice mark = slice_skip(line, 4);

    return line.len <= LINE_MAX && slice_find(line, '\r') == line.len &&
           slice_find(line, '\0') == line.len &&
           !(slice_starts(line, SLICE("--=_")) && slice_starts(mark, unique));
}

/* CRLF may be missing at the end only: it belongs to the delimiter that follows. */
static bool is_plain(struct slice text, struct slice unique)
{
    struct slice line;

    while (slice_cut(text, '\n', &line, &text))
        if (!slice_ends(line, SLICE("\r")) ||
            !is_plain_line(slice_head(line, line.len - 1), unique))
            return false;
    return is_plain_line(text, unique);
}

bool report_can_return(const struct report *r)
{
    return is_plain(r->header, r->unique) && is_plain(r->body, r->unique);
}

/* The types of RFC 6533 say that the header is UTF-8, and may be encoded; message/rfc822 may not,
 * RFC 2046 5.2.1. A header alone is encoded as quoted-printable where it is not plain, RFC 6522 4:
 * nothing of it is lost. */
static struct returned returned_of(const struct report *r)
{
    bool ascii = utf8_is_ascii(r->header), global = !ascii && utf8_valid(r->header);
    struct returned got = {.whole = r->full && report_can_return(r), .coding = CODING_8BIT};

    if (got.whole) {
        got.type = global ? SLICE("message/global") : SLICE("message/rfc822");
        if (global && !r->utf8)
            got.coding = CODING_QUOTED;
        else if (ascii && utf8_is_ascii(r->body))
            got.coding = CODING_7BIT;
        return got;
    }
    got.type = global ? SLICE("message/global-headers") : SLICE("text/rfc822-headers");
    if (!is_plain(r->header, r->unique) || (!ascii && !(global && r->utf8)))
        got.coding = CODING_QUOTED;
    else if (ascii)
        got.coding = CODING_7BIT;
    return got;
}

static bool put_quoted_message(struct sheet *s)
{
    const struct report *r = s->report;
    struct slice text = r->header;

    if (s->returned.whole)
        text =
            arena_printf(&s->arena, "%.*s\r\n%.*s", SLICE_PRINTF(r->header), SLICE_PRINTF(r->body));
    return qp_encode(s->out, text);
}

static bool put_message_part(struct sheet *s)
{
    const struct report *r = s->report;

    if (!put_part(s, s->returned.type, s->returned.coding))
        return false;
    if (s->returned.coding == CODING_QUOTED)
        return put_quoted_message(s);
    return put(s, r->header) && (!s->returned.whole || (put_words(s, "\r\n") && put(s, r->body)));
}

static bool put_all(struct sheet *s)
{
    return put_head(s) && put_people_part(s) && put_program_part(s) && put_message_part(s) &&
           put_words(s, "\r\n--=_") && put(s, s->report->unique) && put_words(s, "--\r\n");
}

bool report_write(struct buf *out, const struct report *r)
{
    struct sheet s = {.out = out, .report = r, .returned = returned_of(r)};
    size_t start = buf_len(out);
    bool good = put_all(&s);

    arena_done(&s.arena);
    if (!good)
        buf_truncate(out, start);
    return good;
}
