/*
 * send_content.c - the message of `postroad send`: where its bytes come from.
 *
 * MAIL announces size and 8-bit before the first byte of the message leaves, and a NUL or a lone
 * CR must be found before the server has half of it. So a file is read through once before; a
 * pipe cannot be, hence standard input is kept in memory.
 */
#include "cmd/send_content.h"

#include "cmd/open_path.h"
#include "cmd/own_name.h"

#include "base/clock.h"
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
    return command_wrong("send", EX_NOINPUT, "cannot read %s: %s", path, strerrordesc_np(-code));
}

/* The disk follows no links; a person's file may well be one. */
static int open_file(const char *path, struct disk_file **out)
{
    char real[PATH_MAX];

    if (realpath(path, real) == NULL)
        return -errno;
    return open_path(real, DISK_READ, 0, out);
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

static int read_file(const char *path, struct buf *out)
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

static int open_data(struct send_content *c, const char *path)
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

void send_content_rewind(struct send_content *c)
{
    c->offset = 0;
    c->at_end = false;
    line_repair_init(&c->repair);
}

static int check(struct send_content *c)
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
    send_content_rewind(c);
    if (nul || bare_cr)
        return command_wrong("send", EX_DATAERR,
                             "the message holds %s, which no mail may; send it with --attach",
                             nul ? "a NUL byte" : "a CR without LF");
    return 0;
}

/* A copy in the arena, so that it lives as long as the composing. */
static int read_part(struct send_request *r, const char *path, struct slice *out)
{
    struct buf bytes;
    int status;

    buf_init(&bytes, SEND_MEMORY_MAX);
    status = read_file(path, &bytes);
    *out = arena_copy(&r->arena, buf_slice(&bytes));
    if (out->data == NULL)
        *out = SLICE("");
    buf_done(&bytes);
    return status;
}

/* Text as given, or "-". */
static int read_text(struct send_request *r, const char *text, struct slice *out)
{
    if (text == NULL)
        return 0;
    if (slice_equal(slice_of(text), SLICE("-")))
        return read_part(r, "-", out);
    *out = slice_of(text);
    return 0;
}

static int read_files(struct send_request *r, const struct option_list *paths,
                      const struct compose_file **out)
{
    struct compose_file *files = ARENA_ARRAY(&r->arena, struct compose_file, paths->count);
    int status = 0;

    for (unsigned i = 0; status == 0 && i < paths->count; i++) {
        struct slice path = slice_of(paths->values[i]);
        size_t slash = slice_rfind(path, '/');

        files[i].name = slash < path.len ? slice_skip(path, slash + 1) : path;
        status = read_part(r, paths->values[i], &files[i].bytes);
    }
    *out = files;
    return status;
}

static int fill_message(struct send_request *r, struct compose *m)
{
    const struct send_options *o = &r->options;
    int status = read_text(r, o->body, &m->text);

    if (status == 0)
        status = read_text(r, o->html, &m->html);
    if (status == 0)
        status = read_files(r, &o->attachments, &m->attachments);
    if (status == 0)
        status = read_files(r, &o->inlines, &m->inlines);
    m->attachment_count = o->attachments.count;
    m->inline_count = o->inlines.count;
    if (m->text.data == NULL && m->html.data == NULL)
        m->text = SLICE("");
    return status;
}

static int compose(struct send_content *c, struct send_request *r)
{
    struct clock *clock = clock_real();
    struct compose m = {
        .date_us = clock_wall_us(clock),
        .unique = random_name(&r->arena),
        .id_domain = r->ehlo,
        .from = r->from,
        .to = r->to,
        .to_count = r->to_count,
        .cc = r->cc,
        .cc_count = r->cc_count,
        .fields = r->fields,
        .field_count = r->field_count,
    };
    int status;

    m.utc_offset_min = clock->utc_offset_min(clock, m.date_us);
    if (r->options.subject != NULL)
        m.subject = slice_of(r->options.subject);
    if (r->from.address.kind == ADDRESS_NULL)
        m.from.address = (struct address){
            .kind = ADDRESS_MAILBOX, .local = SLICE("MAILER-DAEMON"), .domain = r->ehlo};
    status = fill_message(r, &m);
    if (status != 0)
        return status;
    if (!compose_write(&c->memory, &r->arena, &m))
        return command_wrong("send", EX_DATAERR,
                             "the message is larger than %d MiB; send the files apart",
                             SEND_MEMORY_MAX / 1024 / 1024);
    return 0;
}

int send_content_make(struct send_content *c, struct send_request *r)
{
    int status = r->options.data != NULL ? open_data(c, r->options.data) : compose(c, r);

    return status != 0 ? status : check(c);
}
