/*
 * pickup_letter.c - lines of a stranger's file, and what is written back to him.
 */
#include "roles/pickup_letter.h"

#include "base/fail.h"
#include "store/drop.h"

enum {
    PIECE = 32 * 1024,
    LINE_MAX_LEN = 2048,
    AHEAD_MAX = 2 * BOUNCE_MAX + 64 * 1024, /* a report is there as a whole, dots and all */
};

#define SIZE_UNKNOWN UINT64_MAX

static enum letter_fault unreadable(int code)
{
    (void)fail_code(code, "read", SLICE("mail in the drop folder"));
    return LETTER_UNREADABLE;
}

/* Its owner may go on writing, faster than anybody reads. */
enum letter_fault letter_look(struct letter *l)
{
    struct disk_facts facts;
    int code;

    if (l->size != SIZE_UNKNOWN)
        return LETTER_OK;
    code = disk_file_facts(l->file, &facts);
    if (code < 0)
        return unreadable(code);
    l->size = facts.size < DROP_FILE_MAX ? facts.size : DROP_FILE_MAX;
    l->about.arrival_us = facts.mtime_us;
    l->changed_us = facts.changed_us;
    return LETTER_OK;
}

void letter_init(struct letter *l, struct disk_file *file)
{
    *l = (struct letter){.file = file, .size = file != NULL ? SIZE_UNKNOWN : 0};
    buf_init(&l->ahead, AHEAD_MAX);
    dots_reader_init(&l->dots, LINE_ENDS_STRICT);
}

void letter_done(struct letter *l)
{
    disk_close(l->file);
    buf_done(&l->ahead);
    arena_done(&l->arena);
}

/* More of the file, if there is more. */
static enum letter_fault read_ahead(struct letter *l)
{
    enum letter_fault fault = letter_look(l);
    uint64_t left = l->size - l->offset;
    size_t wanted = left < PIECE ? (size_t)left : PIECE;
    int64_t got;

    if (fault != LETTER_OK)
        return fault;
    if (wanted == 0 || buf_len(&l->ahead) >= PIECE)
        return LETTER_OK;
    got = disk_read(l->file, buf_reserve(&l->ahead, wanted), wanted, l->offset);
    if (got < 0)
        return unreadable((int)got);
    buf_commit(&l->ahead, (size_t)got);
    l->offset += (uint64_t)got;
    return LETTER_OK;
}

/* ---- commands ---- */

static unsigned notify_of(const struct smtp_command *cmd)
{
    static const struct {
        struct slice word;
        enum notify notify;
    } words[] = {
        {SLICE_INIT("NEVER"),   NOTIFY_NEVER  },
        {SLICE_INIT("SUCCESS"), NOTIFY_SUCCESS},
        {SLICE_INIT("FAILURE"), NOTIFY_FAILURE},
        {SLICE_INIT("DELAY"),   NOTIFY_DELAY  },
    };
    const struct smtp_param *param = smtp_command_param(cmd, SLICE("NOTIFY"));
    struct slice rest = param != NULL ? param->value : SLICE("");
    unsigned sum = 0;

    while (rest.len > 0) {
        size_t comma = slice_find(rest, ',');

        for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++)
            if (slice_equal_nocase(slice_head(rest, comma), words[i].word))
                sum |= words[i].notify;
        rest = slice_skip(rest, comma + 1);
    }
    return sum;
}

static enum letter_fault note_sender(struct letter *l, const struct smtp_command *cmd)
{
    const struct smtp_param *ret = smtp_command_param(cmd, SLICE("RET"));

    if (l->about.rcpts != NULL)
        return LETTER_WRONG; /* it was said before */
    l->about.rcpts = ARENA_ARRAY(&l->arena, struct envelope_rcpt, ENVELOPE_RCPTS_MAX);
    l->failed = ARENA_ARRAY(&l->arena, struct bounce_rcpt, ENVELOPE_RCPTS_MAX);
    l->about.sender = cmd->path;
    if (ret != NULL && slice_equal_nocase(ret->value, SLICE("FULL")))
        l->about.wishes.ret = RETURN_FULL;
    return LETTER_OK;
}

static enum letter_fault note_rcpt(struct letter *l, const struct smtp_command *cmd)
{
    if (l->about.rcpts == NULL || l->about.rcpt_count == ENVELOPE_RCPTS_MAX)
        return LETTER_WRONG;
    l->about.rcpts[l->about.rcpt_count++] =
        (struct envelope_rcpt){.original = cmd->path, .final = cmd->path, .notify = notify_of(cmd)};
    return LETTER_OK;
}

static enum letter_fault note_command(struct letter *l, struct slice line, enum smtp_verb *verb)
{
    struct smtp_command cmd;

    if (smtp_command_parse(line, &l->arena, &cmd) != SMTP_COMMAND_OK)
        return LETTER_WRONG;
    *verb = cmd.verb;
    if (!l->greeted) {
        l->greeted = true;
        return cmd.verb == VERB_EHLO ? LETTER_OK : LETTER_WRONG;
    }
    switch ((unsigned)cmd.verb) {
    case VERB_MAIL: return note_sender(l, &cmd);
    case VERB_RCPT: return note_rcpt(l, &cmd);
    case VERB_DATA: return l->about.rcpt_count > 0 ? LETTER_OK : LETTER_WRONG;
    }
    return LETTER_WRONG;
}

enum letter_fault letter_command(struct letter *l, struct buf *out, enum smtp_verb *verb)
{
    enum letter_fault fault = read_ahead(l);
    struct slice text = buf_slice(&l->ahead), line;
    size_t end = slice_find(slice_head(text, LINE_MAX_LEN), '\n');

    if (fault != LETTER_OK)
        return fault;
    if (end == 0 || end >= text.len || end >= LINE_MAX_LEN || text.data[end - 1] != '\r')
        return LETTER_WRONG;
    line = arena_copy(&l->arena, slice_head(text, end - 1)); /* addresses stay in it */
    fault = note_command(l, line, verb);
    if (fault != LETTER_OK)
        return fault;
    if (!buf_append(out, slice_head(text, end + 1)))
        return LETTER_WRONG;
    buf_consume(&l->ahead, end + 1);
    l->content_at = l->offset - buf_len(&l->ahead);
    return LETTER_OK;
}

/* ---- content ---- */

enum letter_fault letter_content(struct letter *l, struct buf *out)
{
    enum letter_fault fault = read_ahead(l);
    struct slice text = slice_head(buf_slice(&l->ahead), PIECE), run;
    struct cursor c = {text};
    enum dots_progress progress;

    if (fault != LETTER_OK)
        return fault;
    if (text.len == 0)
        return LETTER_WRONG; /* it ends before the mail does */
    do
        progress = dots_read(&l->dots, &c, &run);
    while (progress == DOTS_RUN);
    text.len -= c.rest.len;
    l->ended = progress == DOTS_END;
    if (!buf_append(out, text))
        return LETTER_WRONG;
    buf_consume(&l->ahead, text.len);
    return LETTER_OK;
}

/* ---- who did not get it ---- */

static void fail_one(struct letter *l, unsigned rcpt, struct slice status, struct slice reply,
                     uint64_t now_us)
{
    l->failed[l->failed_count++] = (struct bounce_rcpt){
        .rcpt = rcpt, .event = BOUNCE_FAILED, .status = status, .reply = reply, .tried_us = now_us};
}

void letter_fail_last(struct letter *l, struct slice status, struct slice reply, uint64_t now_us)
{
    fail_one(l, l->about.rcpt_count - 1, arena_copy(&l->arena, status),
             arena_copy(&l->arena, reply), now_us);
}

/* Failures are in the order of recipients. */
void letter_fail_all(struct letter *l, struct slice status, struct slice reply, uint64_t now_us)
{
    struct slice kept_status = arena_copy(&l->arena, status),
                 kept_reply = arena_copy(&l->arena, reply);
    unsigned before = l->failed_count, at = 0;

    for (unsigned i = 0; i < l->about.rcpt_count; i++) {
        if (at < before && l->failed[at].rcpt == i)
            at++;
        else
            fail_one(l, i, kept_status, kept_reply, now_us);
    }
}

/* ---- the report ---- */

/* The start of the mail, as much as a report brings back. */
static enum letter_fault read_content(const struct letter *l, struct buf *out)
{
    struct dots_reader dots;
    uint64_t at = l->content_at;
    char piece[4096];

    dots_reader_init(&dots, LINE_ENDS_STRICT);
    for (;;) {
        int64_t got = disk_read(l->file, piece, sizeof(piece), at);
        struct cursor c = {
            {piece, got > 0 ? (size_t)got : 0}
        };
        enum dots_progress progress;
        struct slice run;

        if (got < 0)
            return unreadable((int)got);
        while ((progress = dots_read(&dots, &c, &run)) == DOTS_RUN)
            if (!buf_append(out, slice_head(run, buf_room(out))) || buf_room(out) == 0)
                return LETTER_OK; /* that much is enough */
        if (progress == DOTS_END || got == 0)
            return LETTER_OK;
        at += (uint64_t)got;
    }
}

static bool write_dialog(struct buf *out, const struct letter *about, struct slice hostname,
                         struct slice content, bool smtputf8, bool eight_bit)
{
    struct dots_writer dots;

    dots_writer_init(&dots);
    return buf_printf(out, "EHLO %.*s\r\nMAIL FROM:<>%s%s\r\nRCPT TO:<", SLICE_PRINTF(hostname),
                      eight_bit ? " BODY=8BITMIME" : "", smtputf8 ? " SMTPUTF8" : "") &&
           address_write(out, &about->about.sender) &&
           buf_append(out, SLICE("> NOTIFY=NEVER\r\nDATA\r\n")) &&
           dots_write(&dots, out, content) && dots_finish(&dots, out);
}

enum letter_fault letter_report(const struct letter *l, struct slice hostname, struct slice unique,
                                uint64_t now_us, struct letter *out)
{
    struct bounce_rcpt *owed;
    struct bounce_input input = {
        .about = &l->about, .hostname = hostname, .unique = unique, .now_us = now_us};
    struct buf content, report;
    bool smtputf8 = false, eight_bit = false, fits = false;
    enum letter_fault fault;

    letter_init(out, NULL);
    out->about.arrival_us = l->about.arrival_us;
    owed = ARENA_ARRAY(&out->arena, struct bounce_rcpt, ENVELOPE_RCPTS_MAX);
    for (unsigned i = 0; i < l->failed_count; i++)
        if (bounce_is_owed(&l->about, l->failed[i].rcpt, BOUNCE_FAILED))
            owed[input.count++] = l->failed[i];
    if (input.count == 0)
        return LETTER_WRONG;
    buf_init(&content, BOUNCE_FULL_MAX + 1);
    buf_init(&report, BOUNCE_MAX);
    fault = read_content(l, &content);
    input.rcpts = owed;
    input.content = buf_slice(&content);
    input.content_size = input.content.len;
    if (fault == LETTER_OK)
        fits = bounce_write(&report, &input, &smtputf8, &eight_bit) &&
               write_dialog(&out->ahead, l, hostname, buf_slice(&report), smtputf8, eight_bit);
    buf_done(&content);
    buf_done(&report);
    return fault == LETTER_OK && !fits ? LETTER_WRONG : fault;
}
