/*
 * form.c - names and values as a form sends them.
 *
 * What may stand as it is, is the small set that every reader of forms agrees about; a blank is
 * "+". Reading takes what others leave unencoded as it is, but refuses a broken "%": nobody knows
 * what was meant.
 */
#include "wire/form.h"

#include "wire/chars.h"

static bool is_safe(char c)
{
    return char_is(c, CHAR_LETDIG) || c == '-' || c == '.' || c == '_' || c == '*';
}

static void put(struct form *f, struct slice text)
{
    f->full = f->full || !buf_append(f->out, text);
}

static void put_byte(struct form *f, char c)
{
    if (c == ' ')
        put(f, SLICE("+"));
    else
        f->full = f->full || !buf_printf(f->out, "%%%02X", (unsigned)(unsigned char)c);
}

void form_encode(struct form *f, struct slice value)
{
    struct cursor c = {value};
    char byte;

    while (!cursor_at_end(&c)) {
        put(f, take_while(&c, is_safe));
        if (take_any(&c, &byte))
            put_byte(f, byte);
    }
}

void form_add(struct form *f, const char *name, struct slice value)
{
    f->full = f->full || !buf_printf(f->out, "%s%s=", f->follows ? "&" : "", name);
    f->follows = true;
    form_encode(f, value);
}

static int hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

static bool decode(struct slice text, struct arena *arena, struct slice *out)
{
    struct cursor c = {text};
    char *bytes = arena_alloc(arena, text.len + 1), byte, high, low;
    size_t len = 0;

    while (take_any(&c, &byte)) {
        if (byte == '%') {
            if (!take_any(&c, &high) || !take_any(&c, &low) || hex_value(high) < 0 ||
                hex_value(low) < 0)
                return false;
            byte = (char)(hex_value(high) << 4 | hex_value(low));
        } else if (byte == '+') {
            byte = ' ';
        }
        bytes[len++] = byte;
    }
    *out = (struct slice){bytes, len};
    return true;
}

static bool is_in_pair(char c)
{
    return c != '&';
}

static bool is_in_name(char c)
{
    return c != '=';
}

bool form_take(struct cursor *c, struct arena *arena, struct form_pair *out)
{
    struct cursor at = *c;
    struct form_pair got;

    if (cursor_at_end(&at))
        return false;
    struct cursor pair = {take_while(&at, is_in_pair)};
    (void)take_char(&at, '&');
    struct slice name = take_while(&pair, is_in_name);
    (void)take_char(&pair, '=');
    if (!decode(name, arena, &got.name) || !decode(pair.rest, arena, &got.value))
        return false;
    *c = at;
    *out = got;
    return true;
}

bool form_find(struct slice text, struct slice name, struct arena *arena, struct slice *out)
{
    struct cursor c = {text};
    struct form_pair pair;

    while (form_take(&c, arena, &pair))
        if (slice_equal(pair.name, name)) {
            *out = pair.value;
            return true;
        }
    return false;
}
