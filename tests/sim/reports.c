/*
 * reports.c - what a delivery report says.
 *
 * A notice to postmaster holds the report that could not be delivered, whole: its fields are found
 * the same way.
 */
#include "sim/reports.h"

static const struct slice final = SLICE_INIT("Final-Recipient: ");
static const struct slice action = SLICE_INIT("Action: ");

/* Without its end. */
static struct slice whole_line(struct slice line)
{
    return slice_ends(line, SLICE("\r")) ? slice_head(line, line.len - 1) : line;
}

static struct slice address_of(struct slice line)
{
    struct slice before, address;

    return slice_cut(line, ';', &before, &address) ? slice_trim(address) : SLICE("");
}

static bool action_named(struct slice name, enum sent_report *out)
{
    if (slice_equal(name, SLICE("failed")))
        *out = REPORT_OF_FAILURE;
    else if (slice_equal(name, SLICE("delayed")))
        *out = REPORT_OF_DELAY;
    else if (slice_equal(name, SLICE("delivered")) || slice_equal(name, SLICE("relayed")))
        *out = REPORT_OF_SUCCESS;
    else
        return false;
    return true;
}

void report_read(struct sent *s, struct slice text,
                 void (*each)(void *ctx, struct sent_rcpt *r, enum sent_report what), void *ctx)
{
    struct sent_rcpt *last = NULL;
    enum sent_report what;
    struct slice line;

    while (slice_cut(text, '\n', &line, &text)) {
        line = whole_line(line);
        if (slice_starts(line, final)) {
            last = sent_rcpt_called(s, address_of(line));
        } else if (last != NULL && slice_starts(line, action) &&
                   action_named(slice_trim(slice_skip(line, action.len)), &what)) {
            each(ctx, last, what);
            last = NULL;
        }
    }
}

struct slice report_receiver(struct slice text)
{
    struct slice line;

    while (slice_cut(text, '\n', &line, &text))
        if (slice_starts(line, final))
            return address_of(whole_line(line));
    return SLICE("");
}
