/*
 * report_words.h - what reports say to people. Read by wire/report.
 */
#ifndef WIRE_REPORT_WORDS_H
#define WIRE_REPORT_WORDS_H

#include "wire/report.h"

struct report_words {
    const char *subject;
    const char *first; /* in front of the recipients */
    const char *last;  /* behind them */
};

/* To the sender of the message. */
struct report_words report_words(enum report_action action);

/* To postmaster, about a report of ours that could not be delivered. */
extern const struct report_words report_notice_words;

/* What can be done about a failure with that status; NULL: there is nothing to say. */
const char *report_advice(struct slice status);

#endif
