/*
 * suite.c - what the suites of conformance data that are written in C share.
 */
#include "suite.h"

#include "base/buf.h"
#include "base/cursor.h"
#include "wire/utf8.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

enum { FILE_MAX = 64 << 20 };

json_t *suite_load(const char *folder, const char *name)
{
    char path[4096];
    json_error_t error;

    snprintf(path, sizeof(path), "%s/%s", folder, name);
    json_t *tree = json_load_file(path, JSON_ALLOW_NUL, &error);
    if (tree == NULL) {
        fprintf(stderr, "%s:%d: %s\n", path, error.line, error.text);
        exit(1);
    }
    return tree;
}

/* Exits when it cannot be read. */
static void read_file(const char *folder, const char *name, struct buf *out)
{
    char path[4096], piece[4096];
    size_t len;

    snprintf(path, sizeof(path), "%s/%s", folder, name);
    FILE *file = fopen(path, "rb");
    if (file == NULL) {
        perror(path);
        exit(1);
    }
    while ((len = fread(piece, 1, sizeof(piece), file)) > 0)
        buf_append(out, (struct slice){piece, len});
    fclose(file);
}

struct slice suite_message(struct arena *arena, const char *folder, const char *name)
{
    struct buf bytes, strict;

    buf_init(&bytes, FILE_MAX);
    buf_init(&strict, 2 * FILE_MAX);
    read_file(folder, name, &bytes);
    struct slice raw = buf_slice(&bytes);
    for (size_t i = 0; i < raw.len; i++) {
        if (raw.data[i] == '\n' && (i == 0 || raw.data[i - 1] != '\r'))
            buf_append_char(&strict, '\r');
        buf_append_char(&strict, raw.data[i]);
    }
    struct slice message = arena_copy(arena, buf_slice(&strict));
    buf_done(&bytes);
    buf_done(&strict);
    return message;
}

struct slice suite_text(const json_t *object, const char *member)
{
    const json_t *value = json_object_get(object, member);

    return (struct slice){json_string_value(value), json_string_length(value)};
}

struct slice suite_marked(struct arena *arena, struct slice text)
{
    char *out = arena_alloc(arena, text.len + 1);
    size_t len = 0;

    while (text.len > 0) {
        bool marked = slice_starts(text, SLICE("\xef\xbf\xbd"));

        out[len++] = marked ? '?' : text.data[0];
        text = slice_skip(text, marked ? 3 : 1);
    }
    return (struct slice){out, len};
}

struct slice suite_bytes(struct arena *arena, const json_t *object, const char *member)
{
    struct slice text = suite_text(object, member);
    struct cursor c = {text};
    char *bytes = arena_alloc(arena, text.len + 1);
    size_t len = 0;
    uint32_t point;

    while (!cursor_at_end(&c)) {
        if (!take_utf8(&c, &point) || point > 255)
            return text;
        bytes[len++] = (char)point;
    }
    return (struct slice){bytes, len};
}

bool suite_has(const json_t *object, const char *member, const char *word)
{
    const json_t *array = json_object_get(object, member), *item;
    size_t i;

    json_array_foreach(array, i, item) if (slice_equal(slice_of(json_string_value(item)),
                                                       slice_of(word))) return true;
    return false;
}

struct slice suite_escape(struct arena *arena, struct slice raw)
{
    char *text = arena_alloc(arena, 4 * raw.len + 1);
    size_t len = 0;

    for (size_t i = 0; i < raw.len; i++) {
        unsigned char c = (unsigned char)raw.data[i];
        bool ends_a_name = c == ':' && i + 1 < raw.len && raw.data[i + 1] == ' ';
        if (c >= 0x20 && c < 0x7f && c != '\\' && !ends_a_name)
            text[len++] = (char)c;
        else
            len += (size_t)snprintf(text + len, sizeof("\\xff"), "\\x%02x", c);
    }
    return (struct slice){text, len};
}

void suite_pass(struct slice name)
{
    printf("pass %.*s\n", SLICE_PRINTF(name));
}

void suite_fail(struct slice name, const char *why, ...)
{
    va_list args;

    printf("fail %.*s: ", SLICE_PRINTF(name));
    va_start(args, why);
    vprintf(why, args);
    va_end(args);
    putchar('\n');
}

void suite_skip(struct slice name, const char *why)
{
    printf("skip %.*s: %s\n", SLICE_PRINTF(name), why);
}
