/*
 * postfix_refs.c - what Postfix's own tests print, against what we do with the same input.
 *
 * Its references are debug output, so each part here says what in it is meaning: which lines of a
 * message are header fields, what text a conversion to quoted-printable keeps, which names and
 * addresses are valid, which mailboxes a field holds. The rest tests what only Postfix has; those
 * files are skipped by name.
 */
#include "suite.h"

#include "base/buf.h"
#include "base/codec.h"
#include "wire/address_list.h"
#include "wire/header.h"
#include "wire/mime.h"
#include "wire/transfer_encoder.h"

#include <stdlib.h>
#include <string.h>

enum { TEXT_MAX = 4 << 20 };

/* The next line without its end. */
static bool take_line(struct slice *text, struct slice *line)
{
    struct slice rest;

    if (text->len == 0)
        return false;
    if (!slice_cut(*text, '\n', line, &rest)) {
        *line = *text;
        rest = SLICE("");
    }
    if (slice_ends(*line, SLICE("\r")))
        line->len--;
    *text = rest;
    return true;
}

static struct slice file_of(struct arena *arena, const char *folder, const char *stem,
                            const char *ending)
{
    struct slice name = arena_printf(arena, "%s.%s", stem, ending);

    return suite_message(arena, folder, arena_string(arena, name));
}

static bool take_prefix(struct slice *line, struct slice prefix)
{
    if (!slice_starts(*line, prefix))
        return false;
    *line = slice_skip(*line, prefix.len);
    return true;
}

/* --- which lines are header fields --- */

/* "MAIN 0\t|text": a field of the message's header, MULT and NEST of a part's and of a message
 * within; BODY is all else. What follows the first line of a folded field has no such mark. Where a
 * message's header ends without an empty line, Postfix adds one. */
static void put_wanted_lines(struct buf *out, struct slice reference)
{
    struct slice line, text, mark;
    bool in_field = false, added = false;

    while (take_line(&reference, &line)) {
        bool blank = slice_starts(line, SLICE(" ")) || slice_starts(line, SLICE("\t"));

        if (slice_cut(line, '|', &mark, &text) && slice_ends(mark, SLICE("\t"))) {
            in_field = !slice_starts(mark, SLICE("BODY"));
            if (!added)
                buf_printf(out, "%c %.*s\n", in_field ? 'H' : 'B', SLICE_PRINTF(text));
            added = false;
        } else if (in_field && blank) {
            buf_printf(out, "H %.*s\n", SLICE_PRINTF(line));
        } else if (slice_equal(line, SLICE("mime_state: garbage in primary header"))) {
            added = true;
        }
    }
}

/* Marks the bytes of the fields in a header. */
static void mark_fields(char *marks, struct slice header)
{
    struct cursor c = {header};
    struct header_field field;

    while (header_take_field(&c, &field))
        memset(marks + (field.whole.data - header.data), 'H', field.whole.len);
}

/* Postfix leaves blanks in front of a colon out. */
static void put_line(struct buf *out, char mark, struct slice line)
{
    struct slice name, value;

    if (mark == 'H' && slice_cut(line, ':', &name, &value) && slice_trim(name).data == name.data)
        buf_printf(out, "H %.*s:%.*s\n", SLICE_PRINTF(slice_trim(name)), SLICE_PRINTF(value));
    else
        buf_printf(out, "%c %.*s\n", mark, SLICE_PRINTF(line));
}

static void put_lines(struct buf *out, struct slice message)
{
    char *marks = malloc(message.len + 1);
    struct cursor in = {message};
    struct slice bytes, line, rest = message;
    struct mime mime;
    enum mime_event event;
    size_t at = 0;

    memset(marks, 'B', message.len + 1);
    mime_init(&mime);
    while ((event = mime_next(&mime, &in, &bytes)) != MIME_END) {
        if (event == MIME_MORE)
            mime_end(&mime);
        if (event == MIME_HEADER)
            mark_fields(marks + at, bytes);
        at += bytes.len;
    }
    mime_done(&mime);
    while (take_line(&rest, &line))
        put_line(out, marks[line.data - message.data], line);
    free(marks);
}

/* The first line in which they differ, if they do. */
static void judge_lines(struct arena *arena, struct slice name, struct slice got, struct slice want)
{
    struct slice a, b;

    for (unsigned number = 1;; number++) {
        bool more = take_line(&got, &a), wanted = take_line(&want, &b);

        if (!more && !wanted) {
            suite_pass(name);
            return;
        }
        if (more && wanted && slice_equal(a, b))
            continue;
        a = suite_escape(arena, more ? a : SLICE("the end"));
        b = suite_escape(arena, wanted ? b : SLICE("the end"));
        suite_fail(name, "line %u is '%.*s', not '%.*s'", number, SLICE_PRINTF(a), SLICE_PRINTF(b));
        return;
    }
}

static void run_mime(const char *folder, const char *stem)
{
    struct arena arena = {0};
    struct buf got, want;

    buf_init(&got, TEXT_MAX);
    buf_init(&want, TEXT_MAX);
    put_lines(&got, file_of(&arena, folder, stem, "in"));
    put_wanted_lines(&want, file_of(&arena, folder, stem, "ref"));
    judge_lines(&arena, slice_of(stem), buf_slice(&got), buf_slice(&want));
    buf_done(&got);
    buf_done(&want);
    arena_done(&arena);
}

/* --- conversion --- */

/* The message with CRLF that a reference shows. */
static void put_wanted_message(struct buf *out, struct slice reference)
{
    struct slice line, text, mark;

    while (take_line(&reference, &line))
        if (slice_cut(line, '|', &mark, &text) && slice_ends(mark, SLICE("\t")))
            buf_printf(out, "%.*s\r\n", SLICE_PRINTF(text));
}

/* What is in plain ASCII we would leave alone; so the text itself is encoded. */
static bool encode(struct slice message, struct buf *out)
{
    struct transfer_encoder e;
    struct slice header, body;

    if (!header_split(message, &header, &body))
        return false;
    buf_append(out, SLICE("Content-Transfer-Encoding: quoted-printable\r\n\r\n"));
    transfer_encoder_begin(&e, TRANSFER_QUOTED);
    transfer_encoder_write(&e, out, body);
    transfer_encoder_end(&e, out);
    transfer_encoder_end_line(&e, out);
    return true;
}

/* The text, when it is said to be quoted-printable and its lines are short enough. */
static bool read_quoted(struct slice message, struct buf *out)
{
    struct slice header, body, line, rest;
    struct header_field field;

    rest = message;
    while (take_line(&rest, &line))
        if (line.len > 76)
            return false;
    return header_split(message, &header, &body) &&
           header_find(header, SLICE("Content-Transfer-Encoding"), &field) &&
           slice_equal(slice_trim(field.value), SLICE("quoted-printable")) && qp_decode(out, body);
}

static void run_convert(const char *folder, const char *number)
{
    struct arena arena = {0};
    struct slice name = arena_printf(&arena, "global-mime_cvt%s", number);
    struct slice in = arena_printf(&arena, "in%s", number);
    struct slice ref = arena_printf(&arena, "ref%s", number);
    struct buf ours, theirs, got, want;

    buf_init(&ours, TEXT_MAX);
    buf_init(&theirs, TEXT_MAX);
    buf_init(&got, TEXT_MAX);
    buf_init(&want, TEXT_MAX);
    put_wanted_message(&theirs,
                       file_of(&arena, folder, "global-mime_cvt", arena_string(&arena, ref)));
    bool good = encode(file_of(&arena, folder, "global-mime_cvt", arena_string(&arena, in)), &ours);
    if (!good || !read_quoted(buf_slice(&ours), &got))
        suite_fail(name, "ours is not quoted-printable");
    else if (!read_quoted(buf_slice(&theirs), &want))
        suite_fail(name, "the reference is not quoted-printable");
    else
        judge_lines(&arena, name, buf_slice(&got), buf_slice(&want));
    buf_done(&ours);
    buf_done(&theirs);
    buf_done(&got);
    buf_done(&want);
    arena_done(&arena);
}

/* --- names and addresses --- */

static void judge_valid(struct arena *arena, const char *what, struct slice text, bool got,
                        bool want)
{
    struct slice shown = suite_escape(arena, text);
    struct slice name = arena_printf(arena, "%s '%.*s'", what, SLICE_PRINTF(shown));

    if (got == want)
        suite_pass(name);
    else
        suite_fail(name, got ? "accepted" : "refused");
}

static void judge_host(struct slice text, bool is_name, bool is_address)
{
    struct arena arena = {0};
    unsigned char ip[16];
    struct slice domain;

    judge_valid(&arena, "hostname", text, domain_parse(text, &arena, &domain), is_name);
    if (slice_find(text, '*') == text.len) /* its names with "*" it tests only as names */
        judge_valid(&arena, "address", text, ipv4_parse(text, ip) || ipv6_parse(text, ip),
                    is_address);
    arena_done(&arena);
}

/* Complaints follow the text that they are about. */
static void run_hosts(const char *folder)
{
    struct arena arena = {0};
    struct slice reference = file_of(&arena, folder, "util-valid_hostname", "ref"), line;
    struct slice text = {0};
    bool is_name = true, is_address = true, begun = false;

    while (take_line(&reference, &line)) {
        take_prefix(&line, SLICE("./valid_hostname: "));
        if (take_prefix(&line, SLICE("testing: \""))) {
            if (begun)
                judge_host(text, is_name, is_address);
            text = slice_head(line, line.len - 1);
            begun = is_name = is_address = true;
        } else if (slice_starts(line, SLICE("warning: valid_hostname: "))) {
            is_name = false;
        } else {
            is_address = false;
        }
    }
    judge_host(text, is_name, is_address);
    arena_done(&arena);
}

/* A domain as it is asked for, or "(error)". */
static struct slice ascii_of(struct arena *arena, struct slice text)
{
    struct slice ascii, domain;

    if (!domain_to_ascii(text, arena, &ascii) || !domain_parse(ascii, arena, &domain))
        return SLICE("(error)");
    return domain;
}

static void judge_ascii(struct slice text, struct slice want)
{
    struct arena arena = {0};
    struct slice got = ascii_of(&arena, text);
    struct slice shown = suite_escape(&arena, slice_head(text, 100));
    struct slice name = arena_printf(&arena, "ascii '%.*s'", SLICE_PRINTF(shown));

    if (slice_equal(got, want))
        suite_pass(name);
    else
        suite_fail(name, "becomes %.*s", SLICE_PRINTF(got));
    arena_done(&arena);
}

/* '"name" ->ascii "result"', the first of each name. */
static void run_idna(const char *folder)
{
    struct arena arena = {0};
    struct slice reference = file_of(&arena, folder, "util-midna_domain_test", "ref"), line;

    while (take_line(&reference, &line)) {
        struct slice text, rest;

        if (!take_prefix(&line, SLICE("./midna_domain: \"")) ||
            !slice_cut(line, '"', &text, &rest) || !take_prefix(&rest, SLICE(" ->ascii \"")) ||
            !slice_ends(rest, SLICE("\"")) || slice_find(rest, '"') != rest.len - 1)
            continue;
        judge_ascii(text, slice_head(rest, rest.len - 1));
    }
    arena_done(&arena);
}

/* --- quoting of local parts --- */

static void judge_quoted(const char *stem, struct slice from, struct slice got, struct slice want)
{
    struct arena arena = {0};
    struct slice name = arena_printf(&arena, "%s '%.*s'", stem, SLICE_PRINTF(from));

    if (slice_equal(got, want))
        suite_pass(name);
    else
        suite_fail(name, "becomes %.*s", SLICE_PRINTF(got));
    arena_done(&arena);
}

/* local@domain without quotes, and with them. */
static void run_quote(const char *folder)
{
    struct arena arena = {0};
    struct slice reference = file_of(&arena, folder, "global-quote_822_local", "ref"), line;

    while (take_line(&reference, &line)) {
        struct slice from, rest, to;
        struct address a = {.kind = ADDRESS_MAILBOX};
        size_t at;

        if (!take_prefix(&line, SLICE("'")) || !slice_cut(line, '\'', &from, &rest) ||
            !slice_ends(rest, SLICE("'")))
            continue;
        rest.len--;
        if (take_prefix(&rest, SLICE(" quoted '"))) {
            at = slice_rfind(from, '@');
            a.local = slice_head(from, at);
            a.domain = slice_skip(from, at + 1);
            if (at == from.len)
                a.kind = ADDRESS_BARE;
            judge_quoted("quote", from, address_text(&arena, &a), rest);
        } else if (take_prefix(&rest, SLICE(" unquoted '"))) {
            to = SLICE("(refused)");
            if (address_parse(from, &arena, &a))
                to = arena_printf(&arena, "%.*s%s%.*s", SLICE_PRINTF(a.local),
                                  a.kind == ADDRESS_BARE ? "" : "@", SLICE_PRINTF(a.domain));
            judge_quoted("unquote", from, to, rest);
        } else {
            suite_skip(arena_printf(&arena, "quote_with_flags '%.*s'", SLICE_PRINTF(from)),
                       "local parts that are not quoted and not strict");
        }
    }
    arena_done(&arena);
}

/* --- mailboxes in a field --- */

static void put_mailboxes(struct buf *out, struct arena *arena, struct slice value)
{
    struct address_list list;
    struct list_entry e;

    address_list_init(&list, arena, value);
    while (address_list_next(&list, &e))
        if (e.kind == ENTRY_MAILBOX) {
            struct slice text = address_text(arena, &e.address);
            buf_printf(out, "%.*s\n", SLICE_PRINTF(text));
        }
}

/* The reference has the value as it was and, rewritten, in its one strict form: the same mailboxes
 * are in both. */
static void judge_mailboxes(unsigned number, struct slice value, struct slice rewritten)
{
    struct arena arena = {0};
    struct slice name = arena_printf(&arena, "global-tok822_parse %u", number);
    struct buf got, want;

    buf_init(&got, TEXT_MAX);
    buf_init(&want, TEXT_MAX);
    put_mailboxes(&got, &arena, value);
    put_mailboxes(&want, &arena, rewritten);
    judge_lines(&arena, name, buf_slice(&got), buf_slice(&want));
    buf_done(&got);
    buf_done(&want);
    arena_done(&arena);
}

static bool take_until_text(struct slice *text, struct slice mark, struct slice *before)
{
    for (size_t i = 0; i + mark.len <= text->len; i++) {
        if (slice_starts(slice_skip(*text, i), mark)) {
            *before = slice_head(*text, i);
            *text = slice_skip(*text, i + mark.len);
            return true;
        }
    }
    return false;
}

static void run_mailboxes(const char *folder)
{
    struct arena arena = {0};
    struct slice reference = file_of(&arena, folder, "global-tok822_parse", "ref");
    struct slice skipped, value, rewritten;

    for (unsigned number = 1;
         take_until_text(&reference, SLICE(">>>"), &skipped) &&
         take_until_text(&reference, SLICE("<<<"), &value) &&
         take_until_text(&reference, SLICE("no newlines inserted:\r\n"), &skipped) &&
         take_until_text(&reference, SLICE("\r\n\r\n"), &rewritten);
         number++)
        judge_mailboxes(number, value, rewritten);
    arena_done(&arena);
}

int main(int argc, char **argv)
{
    static const struct {
        const char *name, *why;
    } skipped[] = {
        {"dns-dns_rr_to_sa",      "asks the real DNS"                                                 },
        {"smtpd-smtpd_nullmx",    "no check of names in the DNS while receiving"                      },
        {"global-fold_addr_test", "local parts are folded in ASCII only, domains as IDNA does"        },
        {"global-mime_global",    "it has no reference"                                               },
        {"global-mime_trunc",     "a limit of Postfix on the length of a header"                      },
        {"util-host_port",        "a configuration names its servers otherwise, with numbers as ports"},
        {"util-ip_match",         "a language of patterns that only Postfix has"                      },
    };

    static const char *const mime[] = {"global-mime_test",  "global-mime_nest",
                                       "global-mime_dom",   "global-mime_garb1",
                                       "global-mime_garb2", "global-mime_garb3"};
    const char *folder = argc > 1 ? argv[1] : ".";

    for (size_t i = 0; i < sizeof(mime) / sizeof(*mime); i++)
        run_mime(folder, mime[i]);
    run_convert(folder, "");
    run_convert(folder, "2");
    run_convert(folder, "3");
    run_hosts(folder);
    run_idna(folder);
    run_quote(folder);
    run_mailboxes(folder);
    for (size_t i = 0; i < sizeof(skipped) / sizeof(*skipped); i++)
        suite_skip(slice_of(skipped[i].name), skipped[i].why);
    return 0;
}
