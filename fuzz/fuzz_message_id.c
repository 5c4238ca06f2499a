/*
 * fuzz_message_id.c - identifiers of messages: none is empty or longer than a line, and the regular
 * ones, written between brackets one behind the other, are read again as the same.
 */
#include "fuzz.h"

#include "base/buf.h"
#include "wire/message_id.h"
#include "wire/utf8.h"

enum { TEXT_MAX = 4096 };

/* Every identifier; the regular ones are also appended to `again` unless that is NULL. */
static void read_all(struct arena *arena, struct slice raw, struct buf *regular, struct buf *again)
{
    struct message_id_list list;
    struct message_id id;

    message_id_list_init(&list, arena, raw);
    while (message_id_next(&list, &id)) {
        must(id.text.len > 0 && id.text.len <= MESSAGE_ID_MAX);
        must(again != NULL || id.regular);
        if (!id.regular)
            continue;
        must(utf8_printable(id.text));
        must(buf_printf(regular, "<%.*s> ", SLICE_PRINTF(id.text)));
        must(again == NULL || buf_printf(again, "word <%.*s> ", SLICE_PRINTF(id.text)));
    }
    must(cursor_at_end(&list.rest));
}

void fuzz_input(struct slice input)
{
    struct arena arena = {0};
    struct buf first, second, text;

    buf_init(&first, 4 * TEXT_MAX);
    buf_init(&second, 4 * TEXT_MAX);
    buf_init(&text, 8 * TEXT_MAX);
    read_all(&arena, slice_head(input, TEXT_MAX), &first, &text);
    read_all(&arena, buf_slice(&text), &second, NULL);
    must(slice_equal(buf_slice(&first), buf_slice(&second)));
    buf_done(&first);
    buf_done(&second);
    buf_done(&text);
    arena_done(&arena);
}
