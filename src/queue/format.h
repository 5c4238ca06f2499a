/*
 * format.h - what receiver and courier say to each other on disk: ids and record bodies.
 *
 * The bytes are specified in docs/formats/queue.md.
 */
#ifndef QUEUE_FORMAT_H
#define QUEUE_FORMAT_H

#include "base/buf.h"
#include "base/cursor.h"
#include "mail/envelope.h"
#include "store/segment.h"

/* A queue id: number of the newest segment when it was drawn (34 bits), receiver (8), counter
 * (22). Segment numbers rise and never come back, so neither do ids. They are times, the same at
 * servers that start together: where the counter of a segment begins is chance, up to
 * ID_START_MAX. */
enum { ID_COUNTER_BITS = 22, ID_RECEIVER_BITS = 8, RECEIVER_MAX = 255 };

/* Where a record speaks of a receiver's segment, this stands for the courier's own. */
enum { PLACE_OUT = RECEIVER_MAX + 1 };

#define ID_COUNTER_MAX ((UINT64_C(1) << ID_COUNTER_BITS) - 1)
#define ID_START_MAX   (ID_COUNTER_MAX / 2)

uint64_t id_make(uint64_t segment, unsigned receiver, uint64_t counter);
uint64_t id_segment(uint64_t id);
unsigned id_receiver(uint64_t id);

/* RECORD_MESSAGE. */
enum body_place { BODY_INLINE, BODY_FILE };

struct message_record {
    struct slice envelope;
    struct slice header_block;
    enum body_place place;
    uint64_t length; /* of the body */
    uint64_t offset; /* BODY_INLINE: of the body in the record's body */
};

/* What surrounds the header block in the record: everything up to it, and what follows it; an
 * inline body comes last. */
bool message_record_front(struct buf *out, const struct envelope *e, size_t header_block_len);
bool message_record_middle(struct buf *out, enum body_place place, uint64_t length);

/* Slices point into body. */
bool message_record_parse(struct slice body, struct message_record *out);

/* The same in the table of a seal: all that the index needs. */
uint32_t message_note(uint32_t rcpt_count, enum body_place place);
uint32_t note_rcpt_count(uint32_t note);
enum body_place note_place(uint32_t note);

/* RECORD_OUTCOME. The message's id is in the record's head. */
struct outcome_record {
    uint32_t receiver; /* whose segment the message lies in */
    uint64_t segment;
    uint32_t rcpt;     /* index in the envelope */
    uint8_t outcome;   /* enum queue_outcome */
    struct slice text; /* why, for people; cut to OUTCOME_TEXT_MAX */
};

enum { OUTCOME_TEXT_MAX = 1024, OUTCOME_RECORD_MAX = 21 + OUTCOME_TEXT_MAX };

bool outcome_record_write(struct buf *out, const struct outcome_record *o);
bool outcome_record_parse(struct slice body, struct outcome_record *out);

/* What is left to do for a recipient. */
struct rcpt_rest {
    bool open;            /* else it has an outcome */
    bool warned;          /* the sender was told of the delay */
    bool held;            /* a person or a rule said so: there is no next attempt */
    bool passed;          /* a person let it go: no rule holds it again */
    bool released;        /* a person said so: it goes before its sender's time */
    uint16_t attempts;    /* so far */
    uint32_t wait_s;      /* until the next one, when this was written ... */
    uint64_t due_wall_us; /* ... and by the clock on the wall, which may step */
    bool aged;            /* the next one is known: records that were written earlier lack it */
    uint32_t age_s;       /* of the message, when this was written */
};

bool rcpt_rest_write(struct buf *out, const struct rcpt_rest *r);
bool rcpt_rest_read(struct cursor *c, struct rcpt_rest *out);

/* RECORD_DEFERRED. */
struct deferred_record {
    uint32_t receiver; /* as in struct outcome_record */
    uint64_t segment;
    uint32_t rcpt;
    struct rcpt_rest rest;
    struct slice reason; /* for people; cut to REASON_MAX */
};

enum { REASON_MAX = 200, DEFERRED_RECORD_MAX = 39 + REASON_MAX };

bool deferred_record_write(struct buf *out, const struct deferred_record *d);
bool deferred_record_parse(struct slice body, struct deferred_record *out);

/* RECORD_CARRIED: where the message lay, what is left of it, and the body of its RECORD_MESSAGE. */
struct carried_record {
    uint32_t receiver; /* of the old place, or PLACE_OUT */
    uint64_t segment;
    uint32_t rcpt_count;
    struct cursor rcpts;  /* rcpt_count times: rcpt_rest_read() */
    struct slice message; /* the old record's body */
    uint64_t offset;      /* of `message` in the record's body */
};

enum { CARRIED_FRONT_MAX = 16 + 19 * ENVELOPE_RCPTS_MAX };

/* What precedes the message: place and number of recipients, then rcpt_rest_write() of each. */
bool carried_front_write(struct buf *out, uint32_t receiver, uint64_t segment, uint32_t rcpt_count);

/* Slices point into body. Recipients are whole; the message is not looked into. */
bool carried_record_parse(struct slice body, struct carried_record *out);

/* RECORD_BEGUN. The message's id is in the record's head, as it is in that of RECORD_SETTLED, which
 * has no body. */
struct begun_record {
    unsigned char fingerprint[ENVELOPE_FINGERPRINT];
    uint32_t receiver; /* where the message lies, as in struct outcome_record */
    uint64_t segment;
    uint32_t offset;
    uint64_t at_s;    /* by the journal's own clock ... */
    uint64_t wall_us; /* ... and by that on the wall */
};

enum { BEGUN_RECORD_LEN = 48 };

bool begun_record_write(struct buf *out, const struct begun_record *b);
bool begun_record_parse(struct slice body, struct begun_record *out);

#endif
