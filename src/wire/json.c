/*
 * json.c - JSON text, written member by member.
 *
 * The one thing that can be got wrong by the caller is the pairing of brackets; everything that
 * depends on the values is here.
 */
#include "wire/json.h"

#include "wire/utf8.h"

enum { REPLACEMENT = 0xfffd, FIRST_PAIR = 0x10000 };

static void put(struct json *j, struct slice text)
{
    j->full = j->full || !buf_append(j->out, text);
}

static void put_unit(struct json *j, unsigned unit)
{
    j->full = j->full || !buf_printf(j->out, "\\u%04x", unit);
}

/* What is no ASCII, and controls: RFC 8259 7, by pairs of surrogates beyond 16 bits. */
static void put_point(struct json *j, uint32_t point)
{
    if (point < FIRST_PAIR) {
        put_unit(j, point);
        return;
    }
    put_unit(j, 0xd800 + ((point - FIRST_PAIR) >> 10));
    put_unit(j, 0xdc00 + ((point - FIRST_PAIR) & 0x3ff));
}

static bool is_plain(char c)
{
    return c >= ' ' && c < 0x7f && c != '"' && c != '\\';
}

static void put_string(struct json *j, struct slice text)
{
    struct cursor c = {text};
    uint32_t point;
    char byte;

    put(j, SLICE("\""));
    while (!cursor_at_end(&c)) {
        put(j, take_while(&c, is_plain));
        if (take_utf8(&c, &point))
            put_point(j, point);
        else if (take_any(&c, &byte))
            put_point(j, REPLACEMENT);
    }
    put(j, SLICE("\""));
}

static void begin_member(struct json *j, const char *key)
{
    if (j->follows)
        put(j, SLICE(", "));
    j->follows = true;
    if (key != NULL)
        j->full = j->full || !buf_printf(j->out, "\"%s\": ", key);
}

void json_open(struct json *j, const char *key, char bracket)
{
    begin_member(j, key);
    put(j, (struct slice){&bracket, 1});
    j->follows = false;
}

void json_close(struct json *j, char bracket)
{
    put(j, (struct slice){&bracket, 1});
    j->follows = true;
}

void json_text(struct json *j, const char *key, struct slice text)
{
    begin_member(j, key);
    put_string(j, text);
}

void json_number(struct json *j, const char *key, int64_t number)
{
    begin_member(j, key);
    j->full = j->full || !buf_printf(j->out, "%lld", (long long)number);
}

void json_bool(struct json *j, const char *key, bool value)
{
    begin_member(j, key);
    put(j, value ? SLICE("true") : SLICE("false"));
}

void json_null(struct json *j, const char *key)
{
    begin_member(j, key);
    put(j, SLICE("null"));
}
