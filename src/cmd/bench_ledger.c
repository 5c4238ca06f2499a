/*
 * bench_ledger.c - the file in which a tool of the bench notes what it did or saw.
 *
 * Lines of one round of the loop leave with one write. That is early enough: what is noted as
 * sent goes out only after the server's 354, which is read in a later round. A plain write is
 * enough as well, since it is the tested server that gets killed, not the machine.
 */
#include "cmd/bench_ledger.h"

#include "cmd/bench.h"
#include "cmd/open_path.h"
#include "cmd/options.h"

#include "base/codec.h"

#include <errno.h>
#include <string.h>
#include <sysexits.h>

enum { READ_PIECE = 256 * 1024, WORD_MAX = 4096 };

static const struct slice kinds[] = {
    [LEDGER_SENT] = SLICE_INIT("sent"),
    [LEDGER_ACKED] = SLICE_INIT("acked"),
    [LEDGER_FAILED] = SLICE_INIT("failed"),
    [LEDGER_ARRIVED] = SLICE_INIT("arrived"),
};

bool ledger_open(struct ledger *l, const char *path)
{
    *l = (struct ledger){.path = path};
    buf_init(&l->lines, 64 * 1024 * 1024);
    if (path == NULL)
        return true;
    int code = open_path(path, DISK_CREATE, 0600, &l->file);
    if (code == -EEXIST)
        code = open_path(path, DISK_WRITE, 0600, &l->file);
    if (code == 0)
        code = disk_size(l->file, &l->offset);
    if (code == 0)
        return true;
    command_wrong("bench", EX_CANTCREAT, "cannot open the ledger %s: %s", path,
                  strerrordesc_np(-code));
    return false;
}

void ledger_close(struct ledger *l)
{
    disk_close(l->file);
    l->file = NULL;
    buf_done(&l->lines);
}

void ledger_note(struct ledger *l, enum ledger_kind kind, uint64_t wall_us, struct slice id)
{
    buf_printf(&l->lines, "%.*s %llu %.*s", SLICE_PRINTF(kinds[kind]), (unsigned long long)wall_us,
               SLICE_PRINTF(id));
}

void ledger_word(struct ledger *l, struct slice clean)
{
    buf_append_char(&l->lines, ' ');
    buf_append(&l->lines, clean);
}

void ledger_number(struct ledger *l, uint64_t number)
{
    buf_printf(&l->lines, " %llu", (unsigned long long)number);
}

void ledger_text(struct ledger *l, struct slice text)
{
    buf_append_char(&l->lines, ' ');
    if (text.len == 0 || !xtext_encode(&l->lines, text))
        buf_append_char(&l->lines, '-');
}

void ledger_address(struct ledger *l, const struct address *a)
{
    struct buf text;

    buf_init(&text, WORD_MAX);
    address_write(&text, a);
    ledger_text(l, buf_slice(&text));
    buf_done(&text);
}

void ledger_end(struct ledger *l)
{
    buf_append_char(&l->lines, '\n');
    if (l->file == NULL)
        buf_clear(&l->lines);
}

bool ledger_write(struct ledger *l)
{
    struct slice lines = buf_slice(&l->lines);

    if (l->file == NULL || lines.len == 0)
        return true;
    int code = disk_write(l->file, lines, l->offset);
    if (code < 0) {
        command_wrong("bench", EX_IOERR, "cannot write the ledger %s: %s", l->path,
                      strerrordesc_np(-code));
        return false;
    }
    l->offset += lines.len;
    buf_clear(&l->lines);
    return true;
}

bool ledger_word_take(struct slice *rest, struct slice *word)
{
    struct slice tail = SLICE(""), head = *rest;

    if (rest->len == 0)
        return false;
    (void)slice_cut(*rest, ' ', &head, &tail);
    *word = head;
    *rest = tail;
    return head.len > 0;
}

static bool take_kind(struct slice *rest, enum ledger_kind *kind)
{
    struct slice word;

    if (!ledger_word_take(rest, &word))
        return false;
    for (size_t i = 0; i < sizeof(kinds) / sizeof(*kinds); i++)
        if (slice_equal(word, kinds[i])) {
            *kind = (enum ledger_kind)i;
            return true;
        }
    return false;
}

static bool take_number_word(struct slice *rest, uint64_t *out)
{
    struct slice word;
    struct cursor c;

    if (!ledger_word_take(rest, &word))
        return false;
    c = (struct cursor){word};
    return take_number(&c, out) && cursor_at_end(&c);
}

bool ledger_line_parse(struct slice line, struct ledger_line *out)
{
    struct ledger_line got = {.rest = line};

    if (!take_kind(&got.rest, &got.kind) || !take_number_word(&got.rest, &got.time_us) ||
        !ledger_word_take(&got.rest, &got.id))
        return false;
    switch (got.kind) {
    case LEDGER_SENT:
    case LEDGER_ARRIVED:
        if (!ledger_word_take(&got.rest, &got.hash))
            return false;
        break;
    case LEDGER_FAILED:
        if (!take_number_word(&got.rest, &got.code))
            return false;
        break;
    case LEDGER_ACKED: break;
    }
    *out = got;
    return true;
}

struct reading {
    const char *path;
    uint64_t line;
    bool stopped;
};

/* Eats the whole lines of `text`. */
static int read_lines(struct reading *r, struct buf *text,
                      bool (*each)(void *ctx, const struct ledger_line *line), void *ctx)
{
    struct slice rest = buf_slice(text), line;

    while (!r->stopped && slice_cut(rest, '\n', &line, &rest)) {
        struct ledger_line parsed;

        r->line++;
        if (!ledger_line_parse(line, &parsed))
            return command_wrong("bench", EX_DATAERR, "%s:%llu: this is no line of a ledger",
                                 r->path, (unsigned long long)r->line);
        r->stopped = !each(ctx, &parsed);
    }
    buf_consume(text, buf_len(text) - rest.len);
    return 0;
}

int ledger_read(const char *path, bool (*each)(void *ctx, const struct ledger_line *line),
                void *ctx)
{
    struct reading r = {.path = path};
    struct disk_file *file;
    struct buf text;
    uint64_t offset = 0;
    int64_t count = 1;
    int status = 0, code = open_path(path, DISK_READ, 0, &file);

    if (code < 0)
        return command_wrong("bench", EX_NOINPUT, "cannot read %s: %s", path,
                             strerrordesc_np(-code));
    buf_init(&text, LEDGER_LINE_MAX + READ_PIECE);
    while (status == 0 && !r.stopped && count > 0) {
        char *space = buf_reserve(&text, READ_PIECE);

        count = space == NULL ? -EFBIG : disk_read(file, space, READ_PIECE, offset);
        if (count < 0)
            status = command_wrong("bench", EX_NOINPUT, "cannot read %s: %s", path,
                                   strerrordesc_np((int)-count));
        if (count <= 0)
            break;
        buf_commit(&text, (size_t)count);
        offset += (uint64_t)count;
        status = read_lines(&r, &text, each, ctx);
    }
    buf_done(&text);
    disk_close(file);
    return status;
}
