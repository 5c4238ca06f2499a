/*
 * config_words.c - the table of the configuration's words, printed.
 */
#include "cmd/config_words.h"

#include "config/schema.h"
#include "wire/json.h"

#include <stdio.h>

enum { OBJECT_MAX = 4096 };

/* Where it stands: "" outside of blocks, "relay" in that block, "rule" in the line of one. */
static struct slice place_of(const struct schema_row *row)
{
    bool in_line;
    const struct schema_row *home = schema_home(row, &in_line);

    if (home == NULL)
        return SLICE("");
    return home->clauses == IN_RULE ? SLICE("rule") : home->word;
}

static void print_object(const struct schema_row *row)
{
    struct buf out;
    struct json j = {.out = &out};

    buf_init(&out, OBJECT_MAX);
    json_open(&j, NULL, '{');
    json_text(&j, "in", place_of(row));
    json_text(&j, "word", row->word);
    json_text(&j, "form", slice_of(row->form));
    json_text(&j, "help", slice_of(row->help));
    if (row->initial != NULL)
        json_text(&j, "default", slice_of(row->initial));
    json_bool(&j, "repeats", row->repeats);
    json_close(&j, '}');
    printf("%.*s\n", SLICE_PRINTF(buf_slice(&out)));
    buf_done(&out);
}

static void print_row(const struct schema_row *row)
{
    printf("  %s\n      %s\n", row->form, row->help);
    if (row->initial != NULL)
        printf("      default: %s\n", row->initial);
}

static void print_title(const struct schema_row *row)
{
    bool in_line;
    const struct schema_row *home = schema_home(row, &in_line);

    if (home == NULL)
        printf("In the file:\n");
    else if (home->clauses == IN_RULE)
        printf("\nIn the line of a rule:\n");
    else
        printf("\nIn the %s of %.*s:\n", in_line ? "line" : "block", SLICE_PRINTF(home->word));
}

void config_words(bool json)
{
    for (unsigned where = 1; where <= IN_LAST; where <<= 1) {
        bool titled = false;

        for (size_t i = 0; i < schema_count; i++) {
            const struct schema_row *row = &schema[i];

            if (row->where != where || row->apply == NULL)
                continue;
            if (!titled && !json)
                print_title(row);
            titled = true;
            if (json)
                print_object(row);
            else
                print_row(row);
        }
    }
}
