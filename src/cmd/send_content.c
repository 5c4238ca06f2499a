/*
 * send_content.c - the message of `postroad send`: where its bytes come from.
 *
 * MAIL announces size and 8-bit before the first byte of the message leaves, and a NUL or a lone
 * CR must be found before the server has half of it. So a file is read through once before; a
 * pipe cannot be, hence standard input is kept in memory.
 */
#include "cmd/send_content.h"

#include "smtp/client.h"
#include "wire/header.h"
#include "wire/utf8.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

/* Repairing line ends at most doubles a piece. */
enum { RAW_PIECE = CLIENT_PIECE_MAX / 2 };

void send_content_init(struct send_content *c)
{
    *c = (struct send_content){0};
    buf_init(&c->memory, SEND_MEMORY_MAX);
    buf_init(&c->piece, CLIENT_PIECE_MAX);
    line_repair_init(&c->repair);
}

void send_content_done(struct send_content *c)
{
    disk_close(c->file);
    buf_done(&c->memory);
    buf_done(&c->piece);
}

static int cannot_read(const char *path, int code)
{
    fprintf(stderr, "postroad send: cannot read %s: %s\n", path, strerrordesc_np(-code));
    return EX_NOINPUT;
}

/* The disk follows no links; a person's file may well be one. */
static int open_file(const char *path, struct disk_file **out)
{
    char real[PATH_MAX];
    struct slice whole;
    struct disk_dir *dir;
    int code;

    if (realpath(path, real) == NULL)
        return -errno;
    whole = slice_of(real);
    size_t slash = slice_rfind(whole, '/');
    if (slash + 1 >= whole.len)
        return -EISDIR;
    real[slash] = '\0';
    code = disk_dir_open(disk_real(), slash == 0 ? "/" : real, &dir);
    if (code < 0)
        return code;
    code = disk_open(dir, real + slash + 1, DISK_READ, 0, out);
    disk_dir_close(dir);
    return code;
}

static int read_stdin(struct buf *out)
{
    char raw[RAW_PIECE];
    size_t count;

    while ((count = fread(raw, 1, sizeof(raw), stdin)) > 0)
        if (!buf_append(out, (struct slice){raw, count}))
            return cannot_read("standard input", -EFBIG);
    return ferror(stdin) ? cannot_read("standard input", -EIO) : 0;
}

int send_read_file(const char *path, struct buf *out)
{
    struct disk_file *file;
    uint64_t offset = 0;
    int64_t count = 0;
    int code;

    if (slice_equal(slice_of(path), SLICE("-")))
        return read_stdin(out);
    code = open_file(path, &file);
    while (code == 0) {
        char *space = buf_reserve(out, RAW_PIECE);

        count = space == NULL ? -EFBIG : disk_read(file, space, RAW_PIECE, offset);
        if (count <= 0)
            break;
        buf_commit(out, (size_t)count);
        offset += (uint64_t)count;
    }
    if (code == 0)
        disk_close(file);
    if (code < 0 || count < 0)
        return cannot_read(path, code < 0 ? code : (int)count);
    return 0;
}

int send_content_open(struct send_content *c, const char *path)
{
    int code;

    if (slice_equal(slice_of(path), SLICE("-")))
        return read_stdin(&c->memory);
    code = open_file(path, &c->file);
    return code < 0 ? cannot_read(path, code) : 0;
}

static int64_t read_raw(struct send_content *c, char *raw)
{
    struct slice rest;

    if (c->file != NULL)
        return disk_read(c->file, raw, RAW_PIECE, c->offset);
    rest = slice_head(slice_skip(buf_slice(&c->memory), c->offset), RAW_PIECE);
    if (rest.len > 0)
        memcpy(raw, rest.data, rest.len);
    return (int64_t)rest.len;
}

enum send_piece send_content_next(struct send_content *c, struct slice *piece)
{
    char raw[RAW_PIECE];
    int64_t count;

    if (c->at_end)
        return SEND_END;
    count = read_raw(c, raw);
    if (count < 0) {
        cannot_read("the message", (int)count);
        return SEND_FAILED;
    }
    buf_clear(&c->piece);
    if (count == 0) {
        c->at_end = true;
        line_repair_finish(&c->repair, &c->piece);
    } else {
        line_repair_write(&c->repair, &c->piece, (struct slice){raw, (size_t)count});
    }
    c->offset += (uint64_t)count;
    *piece = buf_slice(&c->piece);
    return SEND_PIECE;
}

int send_content_check(struct send_content *c)
{
    struct header_watch watch;
    enum send_piece got;
    struct slice piece;
    bool nul, bare_cr;

    header_watch_init(&watch);
    while ((got = send_content_next(c, &piece)) == SEND_PIECE) {
        uint64_t before = watch.header_bytes;

        header_watch_feed(&watch, piece);
        if (!utf8_is_ascii(slice_head(piece, watch.header_bytes - before)))
            c->utf8_header = true;
    }
    if (got == SEND_FAILED)
        return EX_NOINPUT;
    c->size = c->repair.size;
    c->eight_bit = c->repair.eight_bit;
    nul = c->repair.nul;
    bare_cr = c->repair.bare_cr;
    c->offset = 0;
    c->at_end = false;
    line_repair_init(&c->repair);
    if (nul || bare_cr) {
        fprintf(stderr,
                "postroad send: the message holds %s, which no mail may; send it with --attach\n",
                nul ? "a NUL byte" : "a CR without LF");
        return EX_DATAERR;
    }
    return 0;
}
