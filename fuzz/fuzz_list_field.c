/*
 * fuzz_list_field.c - List- fields: URLs that are safe to show, list identifiers in one form; and
 * what was read, written as a field of its own, is read again as the same.
 */
#include "fuzz.h"

#include "base/buf.h"
#include "wire/list_field.h"
#include "wire/utf8.h"

enum { TEXT_MAX = 4096 };

static void check_url(const struct list_url *url)
{
    must(url->scheme.len > 0 && slice_starts_nocase(url->text, url->scheme));
    must(url->text.len > url->scheme.len + 1 && url->text.data[url->scheme.len] == ':');
    for (size_t i = 0; i < url->text.len; i++)
        must(url->text.data[i] > ' ' && url->text.data[i] < 0x7f && url->text.data[i] != '<' &&
             url->text.data[i] != '>' && url->text.data[i] != '"');
    must(utf8_printable(url->comment));
}

/* Writes the URLs to `out` as a field, and counts them. */
static unsigned read_urls(struct arena *arena, struct slice raw, struct buf *out)
{
    struct list_urls urls;
    struct list_url url;
    unsigned count = 0;

    list_urls_init(&urls, arena, raw);
    for (; list_urls_next(&urls, &url); count++) {
        check_url(&url);
        must(buf_printf(out, "%s<%.*s>", count > 0 ? ", " : "", SLICE_PRINTF(url.text)));
    }
    must(cursor_at_end(&urls.rest));
    return count;
}

static void check_urls(struct arena *arena, struct slice raw)
{
    struct buf first, second;

    buf_init(&first, 2 * TEXT_MAX);
    buf_init(&second, 2 * TEXT_MAX);
    unsigned count = read_urls(arena, raw, &first);
    must(read_urls(arena, buf_slice(&first), &second) == count);
    must(slice_equal(buf_slice(&first), buf_slice(&second)));
    buf_done(&first);
    buf_done(&second);
}

static void check_id(struct arena *arena, struct slice raw)
{
    struct list_id got, again;

    if (!list_id_parse(raw, arena, &got))
        return;
    must(got.id.len > 0 && got.id.len <= LIST_ID_MAX && utf8_printable(got.id));
    must(utf8_printable(got.description));
    struct slice written = arena_printf(arena, "<%.*s>", SLICE_PRINTF(got.id));
    must(list_id_parse(written, arena, &again) && slice_equal(got.id, again.id));
}

void fuzz_input(struct slice input)
{
    struct arena arena = {0};
    struct slice raw = slice_head(input, TEXT_MAX), comment;

    check_urls(&arena, raw);
    check_id(&arena, raw);
    if (list_post_is_no(raw, &arena, &comment))
        must(utf8_printable(comment));
    arena_done(&arena);
}
