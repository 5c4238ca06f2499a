/*
 * fuzz_phrase_list.c - lists of phrases: none is empty, all are clean; and written as quoted
 * strings they are read again as the same.
 */
#include "fuzz.h"

#include "base/buf.h"
#include "wire/phrase_list.h"
#include "wire/utf8.h"

enum { TEXT_MAX = 4096 };

static void put_quoted(struct buf *out, struct slice phrase)
{
    must(buf_append_char(out, '"'));
    for (size_t i = 0; i < phrase.len; i++) {
        must(buf_append_char(out, '\\'));
        must(buf_append_char(out, phrase.data[i]));
    }
    must(buf_append(out, SLICE("\",")));
}

/* Writes the phrases to `out` as a field. */
static void read_phrases(struct arena *arena, struct slice raw, struct buf *out)
{
    struct phrase_list list;
    struct slice phrase;

    phrase_list_init(&list, arena, raw);
    while (phrase_list_next(&list, &phrase)) {
        must(phrase.len > 0 && utf8_printable(phrase));
        put_quoted(out, phrase);
    }
    must(cursor_at_end(&list.rest));
}

void fuzz_input(struct slice input)
{
    struct arena arena = {0};
    struct buf first, second;

    buf_init(&first, 16 * TEXT_MAX);
    buf_init(&second, 16 * TEXT_MAX);
    read_phrases(&arena, slice_head(input, TEXT_MAX), &first);
    read_phrases(&arena, buf_slice(&first), &second);
    must(slice_equal(buf_slice(&first), buf_slice(&second)));
    buf_done(&first);
    buf_done(&second);
    arena_done(&arena);
}
