/*
 * fuzz_bounce.c - a message goes back in its part, as it was, and nothing else comes of it.
 *
 * First character: RET=FULL, UTF-8 sender, to postmaster, LF means CRLF, the event. Then lines:
 * reply, name of the server, status, ORCPT. The rest is the message.
 */
#include "fuzz.h"

#include "base/codec.h"
#include "mail/bounce.h"
#include "wire/header.h"
#include "wire/utf8.h"

enum { FULL = 1, UTF8 = 2, POSTMASTER = 4, CRLF = 8, EVENTS = 16, DELIMITERS = 4 };

enum { LINE_MAX = 998, DECODED_MAX = 1024 * 1024 };

static const struct address root = {
    .kind = ADDRESS_BARE, .local = SLICE_INIT("root"), .domain = SLICE_INIT("")};

/* Its parts: what stands between the four delimiters. Lines are those of SMTP. */
static void split(struct slice text, bool eight_bit, struct slice parts[DELIMITERS])
{
    struct slice line, rest = text, begin = text;
    unsigned count = 0;

    while (slice_cut(rest, '\n', &line, &rest)) {
        must(slice_ends(line, SLICE("\r")) && line.len - 1 <= LINE_MAX);
        must(slice_find(line, '\r') == line.len - 1 && slice_find(line, '\0') == line.len);
        must(eight_bit || utf8_is_ascii(line));
        if (!slice_starts(line, SLICE("--=_unique99")))
            continue;
        must(count < DELIMITERS);
        must(slice_equal(slice_skip(line, 12),
                         count == DELIMITERS - 1 ? SLICE("--\r") : SLICE("\r")));
        parts[count++] = slice_head(begin, (size_t)(line.data - begin.data) - 2);
        begin = rest;
    }
    must(rest.len == 0 && begin.len == 0 && count == DELIMITERS);
}

static void check_fields(struct slice block, unsigned rcpts)
{
    struct cursor c = {block};
    struct header_field f;
    unsigned actions = 0, blocks = 0;

    while (!cursor_at_end(&c)) {
        if (header_take_field(&c, &f))
            actions += slice_equal_nocase(f.name, SLICE("Action"));
        else
            must(take_word(&c, SLICE("\r\n")) && ++blocks);
    }
    must(actions == rcpts && blocks == rcpts);
}

static bool is_whole(struct slice back, struct slice content)
{
    struct slice header, body;

    header_split(content, &header, &body);
    return back.len == header.len + 2 + body.len && slice_starts(back, header) &&
           slice_starts(slice_skip(back, header.len), SLICE("\r\n")) && slice_ends(back, body);
}

/* The third part, without its encoding. */
static void check_returned(struct slice part, struct slice content, bool may_be_whole)
{
    struct slice header, back;
    struct header_field coding;
    struct buf decoded;

    buf_init(&decoded, DECODED_MAX);
    must(header_split(part, &header, &back));
    must(header_find(header, SLICE("Content-Transfer-Encoding"), &coding));
    if (slice_equal(slice_trim(coding.value), SLICE("quoted-printable"))) {
        must(qp_decode(&decoded, back));
        back = buf_slice(&decoded);
    }
    must(slice_equal(back, bounce_header_of(content)) || (may_be_whole && is_whole(back, content)));
    buf_done(&decoded);
}

static void put_content(struct buf *out, struct slice text, bool crlf)
{
    for (size_t i = 0; i < text.len; i++) {
        if (text.data[i] == '\n' && crlf)
            buf_append_char(out, '\r');
        buf_append_char(out, text.data[i]);
    }
}

void fuzz_input(struct slice input)
{
    struct cursor c = {input};
    unsigned choice = fuzz_choice(&c);
    struct envelope_rcpt rcpt = {.original = root, .final = root};
    struct envelope e = {.id = 1, .rcpts = &rcpt, .rcpt_count = 1};
    struct bounce_rcpt told = {.event = (enum bounce_event)(choice / EVENTS % 4)};
    struct bounce_input in = {.about = &e,
                              .rcpts = &told,
                              .count = 1,
                              .hostname = SLICE("mx.a.example"),
                              .unique = SLICE("unique99"),
                              .postmaster = (choice & POSTMASTER) != 0 ? &root : NULL};
    struct slice parts[DELIMITERS];
    bool smtputf8, eight_bit;
    struct buf out, content;

    e.sender = (struct address){.kind = ADDRESS_MAILBOX,
                                .local = (choice & UTF8) != 0 ? SLICE("\xc3\xbc") : SLICE("ann"),
                                .domain = SLICE_INIT("a.example")};
    e.wishes.ret = (choice & FULL) != 0 ? RETURN_FULL : RETURN_UNSAID;
    told.reply = fuzz_line(&c);
    told.remote_mta = fuzz_line(&c);
    told.status = fuzz_line(&c);
    rcpt.orcpt = fuzz_line(&c);
    buf_init(&content, 2 * input.len + 1);
    put_content(&content, c.rest, (choice & CRLF) != 0);
    in.content = buf_slice(&content);
    in.content_size = in.content.len;
    buf_init(&out, BOUNCE_MAX);
    must(bounce_write(&out, &in, &smtputf8, &eight_bit));
    must(smtputf8 == ((choice & (UTF8 | POSTMASTER)) == UTF8));
    split(buf_slice(&out), eight_bit, parts);
    must(smtputf8 || (utf8_is_ascii(parts[0]) && utf8_is_ascii(parts[1])));
    must(smtputf8 || utf8_is_ascii(parts[2]));
    struct slice head, fields;
    must(header_split(parts[2], &head, &fields));
    check_fields(fields, 1);
    check_returned(parts[3], in.content,
                   in.postmaster != NULL || ((choice & FULL) != 0 && told.event == BOUNCE_FAILED));
    buf_done(&content);
    buf_done(&out);
}
