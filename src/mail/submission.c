/*
 * submission.c - three fields.
 *
 * From is whoever the mail comes back to, or, with a null reverse-path, whoever has logged in; with
 * neither it stays away: nobody's name is better than a wrong one.
 */
#include "mail/submission.h"

#include "wire/date.h"

struct slice submission_message_id(const struct envelope *e, struct slice hostname,
                                   struct arena *arena)
{
    char id[QUEUE_ID_LEN];

    queue_id_write(e->id, id);
    return arena_printf(arena, "<%.*s.%llu@%.*s>", QUEUE_ID_LEN, id,
                        (unsigned long long)(e->arrival_us / 1000000), SLICE_PRINTF(hostname));
}

static bool put_date(struct buf *out, const struct envelope *e, int offset_min)
{
    struct buf date;
    bool fits;

    buf_init(&date, 64);
    fits = date_write_rfc5322(&date, e->arrival_us, offset_min) &&
           header_write(out, SLICE("Date"), buf_slice(&date));
    buf_done(&date);
    return fits;
}

static bool put_from(struct buf *out, const struct envelope *e, struct arena *arena)
{
    struct address user;

    if (e->sender.kind == ADDRESS_MAILBOX)
        return header_write(out, SLICE("From"), address_text(arena, &e->sender));
    if (address_parse(e->user, arena, &user) && user.kind == ADDRESS_MAILBOX)
        return header_write(out, SLICE("From"), address_text(arena, &user));
    return true;
}

bool submission_complete(struct buf *out, const struct header_watch *seen, const struct envelope *e,
                         struct slice hostname, int offset_min)
{
    struct arena arena = {0};
    size_t before = buf_len(out);
    bool fits =
        (seen->has_date || put_date(out, e, offset_min)) &&
        (seen->has_message_id ||
         header_write(out, SLICE("Message-ID"), submission_message_id(e, hostname, &arena))) &&
        (seen->has_from || put_from(out, e, &arena));

    if (!fits)
        buf_truncate(out, before);
    arena_done(&arena);
    return fits;
}
