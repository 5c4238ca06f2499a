/*
 * fuzz_encoded_word.c - RFC 2047: results are clean and bounded; what our encoder wrote is read
 * back.
 */
#include "fuzz.h"

#include "wire/encoded_word.h"
#include "wire/header.h"
#include "wire/utf8.h"

void fuzz_input(struct slice input)
{
    struct slice text;
    struct arena arena = {0};

    input = slice_head(input, 4096);
    text = encoded_text_decode(&arena, input);
    must(utf8_printable(text) && text.len <= 3 * input.len);
    must(slice_equal(slice_trim(text), text));
    /* Text with something to encode comes back, unless it looks like a word itself. */
    if (!utf8_is_ascii(text))
        must(slice_equal(encoded_text_decode(&arena, header_encode_text(&arena, text)), text));
    arena_done(&arena);
}
