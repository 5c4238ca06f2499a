/*
 * fuzz_pickup.c - a file of the drop folder: what is said is its beginning, up to the end of one
 * mail; and whoever is refused, the report is a letter of its own that can be said whole.
 */
#include "fuzz.h"

#include "roles/pickup_letter.h"
#include "roles/pickup_order.h"

#include <string.h>

/* Returns whether it came to the end of the mail. */
static bool say(struct letter *l, struct buf *out)
{
    enum smtp_verb verb = VERB_UNKNOWN;

    while (verb != VERB_DATA)
        if (letter_command(l, out, &verb) != LETTER_OK)
            return false;
    while (!l->ended)
        if (letter_content(l, out) != LETTER_OK)
            return false;
    return true;
}

void fuzz_input(struct slice input)
{
    struct pickup_answer answer;
    struct pickup_order order;
    struct letter letter;
    struct buf said;

    (void)pickup_order_read(input, &order);
    (void)pickup_answer_read(input, &answer);
    letter_init(&letter, NULL);
    buf_init(&said, input.len + 1);
    must(buf_append(&letter.ahead, input));
    if (say(&letter, &said)) {
        must(letter.about.rcpt_count > 0);
        must(slice_ends(buf_slice(&said), SLICE("\r\n.\r\n")));
    }
    must(slice_equal(buf_slice(&said), slice_head(input, buf_len(&said))));
    must(slice_equal(buf_slice(&letter.ahead), slice_skip(input, buf_len(&said))));
    if (letter.about.rcpt_count > 0) {
        letter_fail_last(&letter, SLICE("5.1.1"), SLICE("550 5.1.1 no"), 1);
        letter_fail_all(&letter, SLICE("5.7.1"), SLICE("550 5.7.1 no"), 1);
        must(letter.failed_count == letter.about.rcpt_count);
    }
    buf_done(&said);
    letter_done(&letter);
}
