/*
 * send_content.h - the message of `postroad send`: where its bytes come from.
 *
 * Composed messages and standard input lie in memory, --data FILE is read in pieces, often:
 * once to learn what MAIL must say of it, once for each server that it is sent to. Line ends are
 * repaired on the way.
 */
#ifndef CMD_SEND_CONTENT_H
#define CMD_SEND_CONTENT_H

#include "base/buf.h"
#include "base/disk.h"
#include "cmd/send_request.h"
#include "wire/compose.h"

enum { SEND_MEMORY_MAX = 256 * 1024 * 1024 };

struct send_content {
    struct disk_file *file; /* NULL: memory */
    struct buf memory;
    uint64_t offset; /* of what is read next, in either */
    bool at_end;
    struct line_repair repair;
    struct buf piece;
    /* Known after send_content_make(). */
    uint64_t size;
    bool eight_bit;
    bool utf8_header;
};

enum send_piece {
    SEND_PIECE, /* *piece holds it, perhaps empty; valid until the next call */
    SEND_END,
    SEND_FAILED, /* the file could not be read; told on stderr */
};

void send_content_init(struct send_content *c);
void send_content_done(struct send_content *c);

/* Composes what was asked for, or opens --data, and reads it through once. 0, EX_NOINPUT, or
 * EX_DATAERR for what no mail may hold; told on stderr. */
int send_content_make(struct send_content *c, struct send_request *r);

/* From its beginning. */
void send_content_rewind(struct send_content *c);

/* At most CLIENT_PIECE_MAX bytes. */
enum send_piece send_content_next(struct send_content *c, struct slice *piece);

#endif
