/*
 * compose.c - build a new MIME message; bring outside text into the form that is sent.
 *
 * Parts nest in one fixed order, from outside: mixed (attachments), alternative (text and
 * html), related (html and what it shows). Each writer writes its Content- fields, the empty
 * line and its content; the line end that a multipart needs before its delimiter belongs to the
 * delimiter (RFC 2046 5.1.1), so contents keep theirs exactly.
 *
 * Text leaves as it came when it is plain ASCII with short lines, else quoted-printable; files
 * are base64. So no server on the way has a reason to convert anything.
 */
#include "wire/compose.h"

#include "base/codec.h"
#include "wire/chars.h"
#include "wire/date.h"
#include "wire/header.h"
#include "wire/utf8.h"

#include <assert.h>

enum { LINE_BYTES_MAX = 998, ADDRESS_LIST_MAX = 1024 * 1024, FILE_NAME_MAX = 255 };

/* --- line ends --- */

void line_repair_init(struct line_repair *r)
{
    *r = (struct line_repair){0};
}

static bool all_are(struct slice s, unsigned classes)
{
    for (size_t i = 0; i < s.len; i++)
        if (!char_is(s.data[i], classes))
            return false;
    return true;
}

/* A run without LF; CRs in it are bare, save the last one, which the next byte decides. */
static void note_run(struct line_repair *r, struct slice run)
{
    if (run.len == 0)
        return;
    r->bare_cr = r->bare_cr || r->after_cr || slice_find(run, '\r') < run.len - 1;
    r->after_cr = run.data[run.len - 1] == '\r';
    r->in_line = true;
    r->nul = r->nul || slice_find(run, '\0') < run.len;
    r->eight_bit = r->eight_bit || !utf8_is_ascii(run);
}

bool line_repair_write(struct line_repair *r, struct buf *out, struct slice piece)
{
    size_t before = buf_len(out);
    bool fits = true;

    while (fits && piece.len > 0) {
        struct slice run = slice_head(piece, slice_find(piece, '\n'));
        bool ended = run.len < piece.len;

        note_run(r, run);
        fits = buf_append(out, run);
        if (fits && ended) {
            fits = r->after_cr ? buf_append_char(out, '\n') : buf_append(out, SLICE("\r\n"));
            r->after_cr = r->in_line = false;
        }
        piece = slice_skip(piece, run.len + 1);
    }
    r->size += buf_len(out) - before;
    return fits;
}

bool line_repair_finish(struct line_repair *r, struct buf *out)
{
    size_t before = buf_len(out);
    bool fits = true;

    r->bare_cr = r->bare_cr || r->after_cr;
    if (r->in_line)
        fits = buf_append(out, SLICE("\r\n"));
    r->after_cr = r->in_line = false;
    r->size += buf_len(out) - before;
    return fits;
}

/* --- header --- */

static bool is_given(const struct compose *m, struct slice name)
{
    for (unsigned i = 0; i < m->field_count; i++)
        if (slice_equal_nocase(m->fields[i].name, name))
            return true;
    return false;
}

static bool write_generated(struct buf *out, const struct compose *m, struct slice name,
                            struct slice value)
{
    return is_given(m, name) || header_write(out, name, value);
}

static bool write_quoted(struct buf *out, struct slice text)
{
    bool fits = buf_append_char(out, '"');

    for (size_t i = 0; fits && i < text.len; i++) {
        if (text.data[i] == '"' || text.data[i] == '\\')
            fits = buf_append_char(out, '\\');
        fits = fits && buf_append_char(out, text.data[i]);
    }
    return fits && buf_append_char(out, '"');
}

static bool write_display(struct buf *out, struct arena *arena, struct slice name)
{
    if (!utf8_is_ascii(name))
        return buf_append(out, header_encode_text(arena, name));
    if (all_are(name, CHAR_ATEXT | CHAR_BLANK))
        return buf_append(out, name);
    return write_quoted(out, name);
}

bool compose_write_mailbox(struct buf *out, struct arena *arena, const struct compose_mailbox *m)
{
    if (m->display.len == 0)
        return address_write(out, &m->address);
    return write_display(out, arena, m->display) && buf_append(out, SLICE(" <")) &&
           address_write(out, &m->address) && buf_append_char(out, '>');
}

static bool write_mailboxes(struct buf *out, struct arena *arena, const struct compose *m,
                            struct slice name, const struct compose_mailbox *list, unsigned count)
{
    struct buf value;
    bool fits = true;

    if (count == 0)
        return true;
    buf_init(&value, ADDRESS_LIST_MAX);
    for (unsigned i = 0; fits && i < count; i++)
        fits = (i == 0 || buf_append(&value, SLICE(", "))) &&
               compose_write_mailbox(&value, arena, &list[i]);
    fits = fits && write_generated(out, m, name, buf_slice(&value));
    buf_done(&value);
    return fits;
}

static bool write_date(struct buf *out, const struct compose *m)
{
    struct buf value;
    bool fits;

    buf_init(&value, 64);
    fits = date_write_rfc5322(&value, m->date_us, m->utc_offset_min) &&
           write_generated(out, m, SLICE("Date"), buf_slice(&value));
    buf_done(&value);
    return fits;
}

static bool write_given(struct buf *out, struct arena *arena, const struct compose *m)
{
    bool fits = true;

    for (unsigned i = 0; fits && i < m->field_count; i++)
        fits = header_write(out, m->fields[i].name, header_encode_text(arena, m->fields[i].value));
    return fits;
}

static bool write_header(struct buf *out, struct arena *arena, const struct compose *m)
{
    struct slice id =
        arena_printf(arena, "<%.*s@%.*s>", SLICE_PRINTF(m->unique), SLICE_PRINTF(m->id_domain));

    return write_date(out, m) && write_mailboxes(out, arena, m, SLICE("From"), &m->from, 1) &&
           write_mailboxes(out, arena, m, SLICE("To"), m->to, m->to_count) &&
           write_mailboxes(out, arena, m, SLICE("Cc"), m->cc, m->cc_count) &&
           (m->subject.len == 0 ||
            write_generated(out, m, SLICE("Subject"), header_encode_text(arena, m->subject))) &&
           write_generated(out, m, SLICE("Message-ID"), id) && write_given(out, arena, m) &&
           header_write(out, SLICE("MIME-Version"), SLICE("1.0"));
}

/* --- parts --- */

/* May leave as it is: ASCII, no control but tab, lines that every server takes. */
static bool is_plain(struct slice canonical)
{
    struct slice line, rest = canonical;
    bool more = true;

    while (more) {
        more = slice_cut(rest, '\n', &line, &rest);
        if (!more)
            line = rest;
        else if (line.len > 0)
            line.len--; /* the CR of our own line end */
        if (line.len > LINE_BYTES_MAX || !all_are(line, CHAR_PRINT | CHAR_BLANK))
            return false;
    }
    return true;
}

static bool write_text_part(struct buf *out, struct slice type, struct slice text)
{
    struct line_repair repair;
    struct buf canonical;
    struct slice content;
    bool plain, fits;

    line_repair_init(&repair);
    buf_init(&canonical, 2 * text.len + 2);
    line_repair_write(&repair, &canonical, text);
    content = buf_slice(&canonical);
    plain = is_plain(content);
    fits = header_write(out, SLICE("Content-Type"), type) &&
           header_write(out, SLICE("Content-Transfer-Encoding"),
                        plain ? SLICE("7bit") : SLICE("quoted-printable")) &&
           buf_append(out, SLICE("\r\n")) &&
           (plain ? buf_append(out, content) : qp_encode(out, content));
    buf_done(&canonical);
    return fits;
}

static const struct {
    struct slice ending;
    struct slice type;
} file_types[] = {
    {SLICE_INIT(".csv"),  SLICE_INIT("text/csv")        },
    {SLICE_INIT(".gif"),  SLICE_INIT("image/gif")       },
    {SLICE_INIT(".gz"),   SLICE_INIT("application/gzip")},
    {SLICE_INIT(".htm"),  SLICE_INIT("text/html")       },
    {SLICE_INIT(".html"), SLICE_INIT("text/html")       },
    {SLICE_INIT(".ics"),  SLICE_INIT("text/calendar")   },
    {SLICE_INIT(".jpeg"), SLICE_INIT("image/jpeg")      },
    {SLICE_INIT(".jpg"),  SLICE_INIT("image/jpeg")      },
    {SLICE_INIT(".json"), SLICE_INIT("application/json")},
    {SLICE_INIT(".pdf"),  SLICE_INIT("application/pdf") },
    {SLICE_INIT(".png"),  SLICE_INIT("image/png")       },
    {SLICE_INIT(".svg"),  SLICE_INIT("image/svg+xml")   },
    {SLICE_INIT(".txt"),  SLICE_INIT("text/plain")      },
    {SLICE_INIT(".webp"), SLICE_INIT("image/webp")      },
    {SLICE_INIT(".xml"),  SLICE_INIT("application/xml") },
    {SLICE_INIT(".zip"),  SLICE_INIT("application/zip") },
};

static struct slice type_of_file(struct slice name)
{
    for (size_t i = 0; i < sizeof(file_types) / sizeof(*file_types); i++)
        if (slice_ends_nocase(name, file_types[i].ending))
            return file_types[i].type;
    return SLICE("application/octet-stream");
}

/* RFC 2231 4: every byte that is not an attribute-char as %HH. */
static bool write_extended_value(struct buf *out, struct slice name)
{
    bool fits = buf_append(out, SLICE("UTF-8''"));

    for (size_t i = 0; fits && i < name.len; i++) {
        char c = name.data[i];
        bool same = char_is(c, CHAR_LETDIG) || c == '.' || c == '-' || c == '_';

        fits = same ? buf_append_char(out, c) : buf_printf(out, "%%%02X", (unsigned char)c);
    }
    return fits;
}

static bool write_disposition(struct buf *out, struct slice kind, struct slice name)
{
    struct buf value;
    bool fits;

    name = slice_head(name, FILE_NAME_MAX);
    buf_init(&value, 1024);
    fits = buf_append(&value, kind);
    if (all_are(name, CHAR_PRINT))
        fits = fits && buf_append(&value, SLICE("; filename=")) && write_quoted(&value, name);
    else
        fits =
            fits && buf_append(&value, SLICE("; filename*=")) && write_extended_value(&value, name);
    fits = fits && header_write(out, SLICE("Content-Disposition"), buf_slice(&value));
    buf_done(&value);
    return fits;
}

static bool write_file_part(struct buf *out, struct slice kind, const struct compose_file *file)
{
    return header_write(out, SLICE("Content-Type"), type_of_file(file->name)) &&
           write_disposition(out, kind, file->name) &&
           header_write(out, SLICE("Content-Transfer-Encoding"), SLICE("base64")) &&
           buf_append(out, SLICE("\r\n")) && base64_encode_lines(out, file->bytes);
}

struct slice compose_content_id(struct arena *arena, struct slice name)
{
    struct buf id;
    struct slice copy;

    name = slice_head(name, FILE_NAME_MAX);
    buf_init(&id, FILE_NAME_MAX);
    for (size_t i = 0; i < name.len; i++) {
        char c = name.data[i];
        bool same = char_is(c, CHAR_LETDIG) || c == '.' || c == '-' || c == '_' || c == '@';

        buf_append_char(&id, same ? c : '_');
    }
    copy = arena_copy(arena, buf_slice(&id));
    buf_done(&id);
    return copy;
}

static bool begin_multipart(struct buf *out, const struct compose *m, const char *kind)
{
    return buf_printf(out, "Content-Type: multipart/%s;\r\n boundary=\"=_%.*s_%s\"\r\n", kind,
                      SLICE_PRINTF(m->unique), kind);
}

static bool next_part(struct buf *out, const struct compose *m, const char *kind)
{
    return buf_printf(out, "\r\n--=_%.*s_%s\r\n", SLICE_PRINTF(m->unique), kind);
}

static bool end_multipart(struct buf *out, const struct compose *m, const char *kind)
{
    return buf_printf(out, "\r\n--=_%.*s_%s--", SLICE_PRINTF(m->unique), kind);
}

static bool write_html(struct buf *out, const struct compose *m)
{
    return write_text_part(out, SLICE("text/html; charset=utf-8"), m->html);
}

static bool write_related(struct buf *out, struct arena *arena, const struct compose *m)
{
    bool fits;

    if (m->inline_count == 0)
        return write_html(out, m);
    fits = begin_multipart(out, m, "related") && next_part(out, m, "related") && write_html(out, m);
    for (unsigned i = 0; fits && i < m->inline_count; i++) {
        struct slice id = compose_content_id(arena, m->inlines[i].name);

        fits = next_part(out, m, "related") &&
               buf_printf(out, "Content-ID: <%.*s>\r\n", SLICE_PRINTF(id)) &&
               write_file_part(out, SLICE("inline"), &m->inlines[i]);
    }
    return fits && end_multipart(out, m, "related");
}

static bool write_alternative(struct buf *out, struct arena *arena, const struct compose *m)
{
    struct slice plain = SLICE("text/plain; charset=utf-8");

    if (m->html.data == NULL)
        return write_text_part(out, plain, m->text);
    if (m->text.data == NULL)
        return write_related(out, arena, m);
    return begin_multipart(out, m, "alternative") && next_part(out, m, "alternative") &&
           write_text_part(out, plain, m->text) && next_part(out, m, "alternative") &&
           write_related(out, arena, m) && end_multipart(out, m, "alternative");
}

static bool write_mixed(struct buf *out, struct arena *arena, const struct compose *m)
{
    bool fits;

    if (m->attachment_count == 0)
        return write_alternative(out, arena, m);
    fits = begin_multipart(out, m, "mixed") && next_part(out, m, "mixed") &&
           write_alternative(out, arena, m);
    for (unsigned i = 0; fits && i < m->attachment_count; i++)
        fits = next_part(out, m, "mixed") &&
               write_file_part(out, SLICE("attachment"), &m->attachments[i]);
    return fits && end_multipart(out, m, "mixed");
}

bool compose_write(struct buf *out, struct arena *arena, const struct compose *m)
{
    assert(m->inline_count == 0 || m->html.data != NULL);
    return write_header(out, arena, m) && write_mixed(out, arena, m) &&
           (slice_ends(buf_slice(out), SLICE("\r\n")) || buf_append(out, SLICE("\r\n")));
}
