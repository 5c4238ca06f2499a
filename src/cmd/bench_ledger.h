/*
 * bench_ledger.h - the file in which a tool of the bench notes what it did or saw.
 *
 * Text, one event a line, words separated by one blank; TIME is microseconds of wall time, RCPT
 * an address as xtext, "-" where it is not known:
 *
 *     sent TIME ID SHA256 RCPT...       before the first byte of the message left
 *     acked TIME ID RCPT...             the server answered 2xx for these
 *     failed TIME ID CODE               it answered CODE; 0: the answer was lost, who knows
 *     arrived TIME ID SHA256 RCPT FILE  seen by a sink or in a Maildir
 *
 * One writer per file, which only appends. A last line without its end was cut short by the death
 * of its writer and does not count.
 */
#ifndef CMD_BENCH_LEDGER_H
#define CMD_BENCH_LEDGER_H

#include "base/buf.h"
#include "base/cursor.h"
#include "base/disk.h"
#include "wire/address.h"

enum ledger_kind { LEDGER_SENT, LEDGER_ACKED, LEDGER_FAILED, LEDGER_ARRIVED };

enum { LEDGER_LINE_MAX = 512 * 1024 };

struct ledger {
    struct disk_file *file; /* NULL: nothing is kept */
    const char *path;
    uint64_t offset;
    struct buf lines; /* noted, not yet written */
};

/* Makes the file, or appends to it. path NULL: a ledger that keeps nothing. False: told. */
bool ledger_open(struct ledger *l, const char *path);
void ledger_close(struct ledger *l); /* writes nothing; harmless when not open */

/* A line is begun by ledger_note(), words follow, and the line is ended; the kernel has it after
 * ledger_write(), which returns false when it could not be written (told). */
void ledger_note(struct ledger *l, enum ledger_kind kind, uint64_t wall_us, struct slice id);
void ledger_word(struct ledger *l, struct slice clean);
void ledger_number(struct ledger *l, uint64_t number);
void ledger_text(struct ledger *l, struct slice text); /* as xtext; "-" when empty */
void ledger_address(struct ledger *l, const struct address *a);
void ledger_end(struct ledger *l);
bool ledger_write(struct ledger *l);

struct ledger_line {
    enum ledger_kind kind;
    uint64_t time_us;
    struct slice id;
    struct slice hash; /* SENT, ARRIVED */
    uint64_t code;     /* FAILED */
    struct slice rest; /* the words behind; for ledger_word_take() */
};

/* One line without its LF; *out, set on success only, points into it. */
bool ledger_line_parse(struct slice line, struct ledger_line *out);
bool ledger_word_take(struct slice *rest, struct slice *word);

/* Calls `each` for every line until it returns false. 0 or an exit status, told. */
int ledger_read(const char *path, bool (*each)(void *ctx, const struct ledger_line *line),
                void *ctx);

#endif
