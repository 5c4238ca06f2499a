/*
 * dots.c - where a message ends.
 *
 * Only CRLF "." CRLF ends DATA: servers that disagree about line ends can be made to see two
 * messages in one (SMTP smuggling). So LF alone or CR alone is an ordinary byte here; it is
 * noted, for the caller to refuse the message, and a dot behind it is just a dot.
 *
 * The reader looks at whole lines with memchr and lets the run grow over them; it steps byte by
 * byte only through a dot at a line's start. Of all bytes only such a dot, and the CR behind
 * it, are ever held back: everything before them is already known to be content.
 */
#include "wire/dots.h"

#include <stdint.h>
#include <string.h>

void dots_reader_init(struct dots_reader *r, enum line_ends line_ends)
{
    *r = (struct dots_reader){.line_ends = line_ends, .state = DOTS_LINE_START};
}

static void count_line_bytes(struct dots_reader *r, size_t n)
{
    r->line_len += n;
    if (r->line_len > r->line_len_max)
        r->line_len_max = r->line_len;
}

static void note_bare_cr(struct dots_reader *r)
{
    r->bare_cr = true;
    count_line_bytes(r, 1);
    r->state = DOTS_IN_LINE;
}

static void end_line(struct dots_reader *r)
{
    r->line_len = 0;
    r->state = DOTS_LINE_START;
}

/* From `at` to behind the next LF, or to the end. Returns the place of a bare LF itself where it
 * is to be repaired, and where the scan began if it is the first byte. */
static const char *scan_line(struct dots_reader *r, const char *at, const char *end)
{
    if (r->state == DOTS_AFTER_CR) {
        if (*at == '\n') {
            end_line(r);
            return at + 1;
        }
        note_bare_cr(r);
    }

    const char *lf = memchr(at, '\n', (size_t)(end - at));
    const char *stop = lf != NULL ? lf : end;
    bool cr = stop > at && stop[-1] == '\r';
    size_t text_len = (size_t)(stop - at) - cr;

    r->bare_cr = r->bare_cr || memchr(at, '\r', text_len) != NULL;
    count_line_bytes(r, text_len);
    if (cr && lf != NULL) {
        end_line(r);
        return lf + 1;
    }
    r->state = cr ? DOTS_AFTER_CR : DOTS_IN_LINE;
    if (lf == NULL)
        return end;
    r->bare_lf = true;
    if (r->line_ends == LINE_ENDS_REPAIR)
        return lf;
    count_line_bytes(r, 1);
    return lf + 1;
}

/* Whether the run may grow over the byte at `at`, where scan_line() stopped. */
static bool run_goes_on(const struct dots_reader *r, char at)
{
    if (r->state == DOTS_LINE_START)
        return at != '.';
    return r->line_ends == LINE_ENDS_STRICT || at != '\n';
}

static bool has_eight_bit(struct slice s)
{
    const uint64_t high_bits = 0x8080808080808080U;
    uint64_t seen = 0, word;
    size_t i = 0;

    for (; i + sizeof(word) <= s.len; i += sizeof(word)) {
        memcpy(&word, s.data + i, sizeof(word));
        seen |= word;
    }
    for (; i < s.len; i++)
        seen |= (unsigned char)s.data[i];
    return (seen & high_bits) != 0;
}

/* The longest run that begins here, in a line or at the start of one without a dot. */
static struct slice take_run(struct dots_reader *r, struct cursor *in)
{
    const char *from = in->rest.data, *end = from + in->rest.len, *at = from;

    do
        at = scan_line(r, at, end);
    while (at < end && run_goes_on(r, *at));

    if (at == from) { /* a bare LF to be repaired */
        in->rest = slice_skip(in->rest, 1);
        r->line_len = 0;
        return SLICE("\r\n");
    }
    struct slice run = slice_head(in->rest, (size_t)(at - from));
    in->rest = slice_skip(in->rest, run.len);
    r->nul = r->nul || slice_find(run, '\0') < run.len;
    r->eight_bit = r->eight_bit || has_eight_bit(run);
    return run;
}

enum dots_progress dots_read(struct dots_reader *r, struct cursor *in, struct slice *run)
{
    while (in->rest.len > 0) {
        switch (r->state) {
        case DOTS_LINE_START:
            if (!take_char(in, '.')) {
                *run = take_run(r, in);
                return DOTS_RUN;
            }
            r->state = DOTS_AFTER_DOT;
            break;
        case DOTS_AFTER_DOT: /* more on this line: the dot was stuffed, 4.5.2 */
            r->state = take_char(in, '\r') ? DOTS_AFTER_DOT_CR : DOTS_IN_LINE;
            break;
        case DOTS_AFTER_DOT_CR:
            if (take_char(in, '\n')) {
                end_line(r);
                return DOTS_END;
            }
            note_bare_cr(r);
            *run = SLICE("\r");
            return DOTS_RUN;
        case DOTS_IN_LINE:
        case DOTS_AFTER_CR: *run = take_run(r, in); return DOTS_RUN;
        }
    }
    return DOTS_MORE;
}

void dots_writer_init(struct dots_writer *w)
{
    w->state = DOTS_LINE_START;
}

/* Writes one line, or what is there of it, and moves *rest behind it. */
static bool write_line(enum dots_state *state, struct buf *out, struct slice *rest)
{
    if (*state == DOTS_AFTER_CR) {
        if (rest->data[0] != '\n')
            return false;
        *rest = slice_skip(*rest, 1);
        *state = DOTS_LINE_START;
        return buf_append(out, SLICE("\r\n"));
    }

    size_t lf = slice_find(*rest, '\n');
    bool ended = lf < rest->len;
    bool cr = lf > 0 && rest->data[lf - 1] == '\r';
    struct slice text = slice_head(*rest, lf - cr);
    bool stuff = *state == DOTS_LINE_START && rest->data[0] == '.';

    if (ended && !cr)
        return false;
    if (slice_find(text, '\r') < text.len)
        return false;
    if (stuff && !buf_append_char(out, '.'))
        return false;
    if (!buf_append(out, ended ? slice_head(*rest, lf + 1) : text))
        return false;
    if (ended)
        *state = DOTS_LINE_START;
    else
        *state = cr ? DOTS_AFTER_CR : DOTS_IN_LINE;
    *rest = slice_skip(*rest, lf + 1);
    return true;
}

bool dots_write(struct dots_writer *w, struct buf *out, struct slice content)
{
    enum dots_state state = w->state;
    size_t before = buf_len(out);

    if (slice_find(content, '\0') < content.len)
        return false;
    while (content.len > 0) {
        if (!write_line(&state, out, &content)) {
            buf_truncate(out, before);
            return false;
        }
    }
    w->state = state;
    return true;
}

bool dots_finish(struct dots_writer *w, struct buf *out)
{
    if (w->state == DOTS_AFTER_CR)
        return false;
    return buf_append(out, w->state == DOTS_LINE_START ? SLICE(".\r\n") : SLICE("\r\n.\r\n"));
}
