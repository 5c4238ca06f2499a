/*
 * phrase_list.c - words and phrases with commas between them.
 *
 * Elements are cut out before they are decoded, so that a comma that comes out of an encoded word
 * separates nothing.
 */
#include "wire/phrase_list.h"

#include "wire/encoded_word.h"
#include "wire/header.h"
#include "wire/header_token.h"

void phrase_list_init(struct phrase_list *list, struct arena *arena, struct slice raw_value)
{
    *list = (struct phrase_list){.rest = {header_unfold(arena, raw_value)}, .arena = arena};
}

static bool is_element_byte(char c)
{
    return c != ',' && c != '"' && c != '(';
}

/* Up to the next comma, which is taken too; false when something never ends, with all the rest. */
static bool take_element(struct cursor *c, struct slice *out)
{
    struct slice start = c->rest, skipped;

    for (;;) {
        take_while(c, is_element_byte);
        int byte = cursor_peek(c);
        if (byte == ',' || byte == -1) {
            *out = slice_head(start, start.len - c->rest.len);
            take_char(c, ',');
            return true;
        }
        if (!take_enclosed(c, (char)byte, byte == '(' ? ')' : '"', &skipped)) {
            *out = start;
            c->rest.len = 0;
            return false;
        }
    }
}

bool phrase_list_next(struct phrase_list *list, struct slice *out)
{
    struct slice element, text;

    while (!cursor_at_end(&list->rest)) {
        if (take_element(&list->rest, &element))
            (void)phrase_decode(element, list->arena, &text, NULL);
        else
            text = encoded_text_decode(list->arena, element);
        if (text.len > 0) {
            *out = text;
            return true;
        }
    }
    return false;
}
