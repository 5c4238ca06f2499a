/*
 * convert.c - survey and conversion of one message, for tests that read it with other libraries.
 *
 *     convert mailbox|8bit|7bit <MESSAGE >CONVERTED
 *
 * Ends with status 2 when the message must stay as it is, and has no other bytes to say then.
 */
#include "wire/mime_convert.h"

#include <stdio.h>
#include <string.h>

enum { MESSAGE_MAX = 64 * 1024 * 1024, PIECE = 1000 };

static bool read_message(struct buf *message)
{
    char piece[PIECE];
    size_t n;

    while ((n = fread(piece, 1, sizeof(piece), stdin)) > 0)
        if (!buf_append(message, (struct slice){piece, n}))
            return false;
    return true;
}

static void write_out(struct buf *out)
{
    struct slice bytes = buf_slice(out);

    if (bytes.len > 0)
        fwrite(bytes.data, 1, bytes.len, stdout);
    buf_clear(out);
}

static void convert(struct slice message, enum mime_goal goal, const struct mime_survey *survey)
{
    struct mime_convert c;
    struct buf out;
    bool over = false;

    buf_init(&out, MIME_CONVERT_OUT_MAX);
    mime_convert_init(&c, goal, survey);
    while (message.len > 0) {
        struct cursor in = {slice_head(message, PIECE)};

        message = slice_skip(message, PIECE);
        while (!cursor_at_end(&in)) {
            mime_convert_step(&c, &in, &out);
            write_out(&out);
        }
    }
    while (!over) {
        over = mime_convert_end(&c, &out);
        write_out(&out);
    }
    mime_convert_done(&c);
    buf_done(&out);
}

static int run(enum mime_goal goal)
{
    struct mime_survey survey;
    struct buf message;
    bool can;

    buf_init(&message, MESSAGE_MAX);
    if (!read_message(&message))
        return 1;
    mime_survey_init(&survey);
    mime_survey_feed(&survey, buf_slice(&message));
    mime_survey_end(&survey);
    can = mime_facts_can_fit(&survey.facts, goal);
    if (can)
        convert(buf_slice(&message), goal, &survey);
    mime_survey_done(&survey);
    buf_done(&message);
    return can ? 0 : 2;
}

int main(int argc, char **argv)
{
    static const char *const goals[] = {
        [MIME_FOR_MAILBOX] = "mailbox", [MIME_FOR_8BIT] = "8bit", [MIME_FOR_7BIT] = "7bit"};

    for (unsigned i = 0; argc == 2 && i < sizeof(goals) / sizeof(*goals); i++)
        if (strcmp(argv[1], goals[i]) == 0)
            return run((enum mime_goal)i);
    fprintf(stderr, "convert: mailbox, 8bit or 7bit\n");
    return 1;
}
