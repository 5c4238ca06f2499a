/*
 * transcript.c - the dialog of a session for people.
 *
 * Lines become visible in the order of the dialog, so the sum of the body's bytes is written
 * just before whatever comes after the body. Refusals stand out by "<**", as swaks users know
 * it. Bytes of the peer reach a terminal from here, hence the one escape function of the logs.
 */
#include "smtp/transcript.h"

#include "wire/log_line.h"

void transcript_init(struct transcript *t, enum transcript_detail detail, size_t text_max)
{
    *t = (struct transcript){.detail = detail};
    buf_init(&t->text, text_max);
}

void transcript_done(struct transcript *t)
{
    buf_done(&t->text);
}

static void add_line(struct transcript *t, struct slice mark, struct slice line)
{
    size_t before = buf_len(&t->text);

    if (buf_append(&t->text, mark) && log_escape(&t->text, line, TRANSCRIPT_LINE_MAX) &&
        buf_append_char(&t->text, '\n'))
        return;
    buf_truncate(&t->text, before);
    t->lost++;
}

static void add_body(struct transcript *t)
{
    if (t->body_bytes == 0)
        return;
    if (!buf_printf(&t->text, "-> (%llu bytes of message)\n", (unsigned long long)t->body_bytes))
        t->lost++;
    t->body_bytes = 0;
}

static struct slice without_line_end(struct slice line)
{
    while (line.len > 0 && (line.data[line.len - 1] == '\n' || line.data[line.len - 1] == '\r'))
        line.len--;
    return line;
}

void transcript_sent(struct transcript *t, struct slice line)
{
    if (t->detail != TRANSCRIPT_ALL)
        return;
    add_body(t);
    add_line(t, SLICE("-> "), line);
}

void transcript_received(struct transcript *t, struct slice line)
{
    bool refusal = line.len > 0 && (line.data[0] == '4' || line.data[0] == '5');

    add_body(t);
    if (refusal)
        add_line(t, SLICE("<** "), without_line_end(line));
    else if (t->detail == TRANSCRIPT_ALL)
        add_line(t, SLICE("<- "), without_line_end(line));
}

void transcript_body(struct transcript *t, uint64_t bytes)
{
    if (t->detail == TRANSCRIPT_ALL)
        t->body_bytes += bytes;
}
