/*
 * report_words.c - what reports say to people.
 *
 * Plain words of short sentences, since half of the world reads them in a foreign language: what
 * happened, whether anything has to be done, and what that is. No word of the protocol's.
 */
#include "wire/report_words.h"

static const struct report_words failed = {
    .subject = "Undelivered mail",
    .first = "Your message could not be delivered to these recipients. It will not be tried again.",
    .last = "It was accepted here for delivery; now it, or its header, comes back to you with this "
            "report.",
};

static const struct report_words delayed = {
    .subject = "Delayed mail (still being tried)",
    .first = "Your message has not yet been delivered to these recipients.",
    .last = "There is nothing you need to do: it is tried again by itself, and you will hear if "
            "that fails for good.",
};

static const struct report_words relayed = {
    .subject = "Mail relayed",
    .first = "Your message was handed to the next server for these recipients.",
    .last = "That server gives no reports of success: this is the last you will hear, unless it "
            "fails.",
};

static const struct report_words expanded = {
    .subject = "Mail expanded",
    .first = "Your message was sent on to the members behind these addresses.",
    .last = "You get no report for each of them, unless it fails.",
};

static const struct report_words delivered = {
    .subject = "Mail delivered",
    .first = "Your message was delivered to these recipients.",
    .last = "All is well.",
};

const struct report_words report_notice_words = {
    .subject = "Undelivered report (notice for postmaster)",
    .first = "A report of this mail system could not be delivered to the sender of a message:",
    .last = "Often the address of such a sender is forged. The report comes with this notice; "
            "nothing more is done with it, and nobody else is told.",
};

static const struct {
    struct slice status; /* or its beginning */
    const char *advice;
} advice[] = {
    {SLICE_INIT("5.1.1"),  "There is no such mailbox: check the spelling of the address."            },
    {SLICE_INIT("5.1.2"),  "There is no such mail domain: check what stands behind the @."           },
    {SLICE_INIT("5.1.3"),  "This is no valid address: check it."                                     },
    {SLICE_INIT("5.1.6"),  "The mailbox has moved: ask for the new address in another way."          },
    {SLICE_INIT("5.1.10"), "This domain takes no mail at all: check what stands behind the @."       },
    {SLICE_INIT("5.2.1"),  "The mailbox is closed: reach the person in another way."                 },
    {SLICE_INIT("5.2.2"),
     "The mailbox is full: try again later, or reach the person in another way."                     },
    {SLICE_INIT("5.2.3"),  "The message is too large for the mailbox: send a smaller one."           },
    {SLICE_INIT("5.3.4"),  "The message is too large for that server: send a smaller one."           },
    {SLICE_INIT("5.4.6"),  "The mail went in a circle: tell the administrator of that domain."       },
    {SLICE_INIT("5.4"),    "That server could not be reached for a long time: check the domain, or "
                        "try again later."                                    },
    {SLICE_INIT("5.6.7"),  "That server takes no addresses or headers outside ASCII: use another "
                          "address."                                        },
    {SLICE_INIT("5.6"),    "That server cannot take this kind of content: send it in a plainer form."},
    {SLICE_INIT("5.7"),    "That server refuses the message by its rules: its administrator can tell "
                        "why."                                                },
    {SLICE_INIT("4"),      "Nothing was wrong with your message, but the time for it ran out: try "
                      "again later."                                            },
};

struct report_words report_words(enum report_action action)
{
    switch (action) {
    case REPORT_FAILED: return failed;
    case REPORT_DELAYED: return delayed;
    case REPORT_DELIVERED: return delivered;
    case REPORT_RELAYED: return relayed;
    case REPORT_EXPANDED: return expanded;
    }
    return failed;
}

const char *report_advice(struct slice status)
{
    for (size_t i = 0; i < sizeof(advice) / sizeof(*advice); i++) {
        struct slice rest = slice_skip(status, advice[i].status.len);

        if (slice_starts(status, advice[i].status) && (rest.len == 0 || rest.data[0] == '.'))
            return advice[i].advice;
    }
    return NULL;
}
