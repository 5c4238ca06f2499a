/*
 * control.c - lines for people's tools.
 */
#include "ipc/control.h"

#include "base/codec.h"
#include "base/cursor.h"

static bool decode(struct slice text, struct arena *arena, struct slice *out)
{
    struct buf bytes;

    buf_init(&bytes, CONTROL_LINE_MAX);
    bool good = xtext_decode(&bytes, text);
    *out = arena_copy(arena, buf_slice(&bytes));
    buf_done(&bytes);
    return good;
}

static bool take_field(struct slice text, struct arena *arena, struct control_line *line)
{
    struct slice name, value;

    if (line->count == CONTROL_FIELDS_MAX || !slice_cut(text, '=', &name, &value) ||
        name.len == 0 || !decode(value, arena, &value))
        return false;
    line->fields[line->count++] = (struct control_field){name, value};
    return true;
}

bool control_parse(struct slice text, struct arena *arena, struct control_line *out)
{
    struct control_line got = {0};
    struct slice part, rest = text;

    if (!slice_cut(text, ' ', &got.word, &rest)) {
        got.word = text;
        rest = SLICE("");
    }
    while (rest.len > 0) {
        if (!slice_cut(rest, ' ', &part, &rest)) {
            part = rest;
            rest = SLICE("");
        }
        if (!take_field(part, arena, &got))
            return false;
    }
    *out = got;
    return got.word.len > 0;
}

struct slice control_value(const struct control_line *line, struct slice name)
{
    for (unsigned i = 0; i < line->count; i++)
        if (slice_equal(line->fields[i].name, name))
            return line->fields[i].value;
    return SLICE("");
}

bool control_number(const struct control_line *line, struct slice name, uint64_t *out)
{
    struct cursor c = {control_value(line, name)};

    return take_number(&c, out) && cursor_at_end(&c);
}

void control_begin(struct buf *out, struct slice word)
{
    (void)buf_append(out, word);
}

void control_text(struct buf *out, const char *name, struct slice value)
{
    (void)buf_printf(out, " %s=", name);
    (void)xtext_encode(out, value);
}

void control_uint(struct buf *out, const char *name, uint64_t value)
{
    (void)buf_printf(out, " %s=%llu", name, (unsigned long long)value);
}

void control_end(struct buf *out)
{
    (void)buf_append_char(out, '\n');
}
