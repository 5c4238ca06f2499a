/*
 * sendmail_hand_in.c - said, or left.
 *
 * Whoever calls sendmail does not come again: what is not refused for good is never given back.
 */
#include "cmd/sendmail_hand_in.h"

#include "cmd/sendmail_wrong.h"

#include "base/random.h"
#include "store/drop.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

enum { DIALOG_TEXT_MAX = 1024 * 1024 };

static int leave_file(const struct sendmail_mail *mail, const struct sendmail_place *place,
                      struct arena *arena)
{
    unsigned char unique[16];
    struct disk_dir *folder;
    struct buf text;
    int code = disk_dir_enter(disk_real(), arena_string(arena, place->drop), &folder);

    if (code < 0)
        return code;
    buf_init(&text, DROP_FILE_MAX);
    random_bytes(random_real(), unique, sizeof(unique));
    code = sendmail_write_down(mail, &text) ? drop_put(folder, buf_slice(&text), unique) : -EFBIG;
    buf_done(&text);
    disk_dir_close(folder);
    return code;
}

/* Nobody took it now. */
static int leave(const struct sendmail_mail *mail, const struct sendmail_place *place,
                 struct arena *arena, const char *why)
{
    int code = place->drop.len > 0 ? leave_file(mail, place, arena) : -ENOENT;

    if (code == 0)
        return EXIT_SUCCESS;
    if (place->drop.len == 0)
        return sendmail_wrong(EX_TEMPFAIL, "the mail was not taken: %s", why);
    return sendmail_wrong(EX_TEMPFAIL,
                          "the mail was not taken: %s; and it cannot be left in %.*s: %s", why,
                          SLICE_PRINTF(place->drop), strerrordesc_np(-code));
}

static int status_of(const struct client_outcome *o)
{
    if (o->step == STEP_RCPT && slice_starts(o->enhanced, SLICE("5.1.")))
        return EX_NOUSER;
    return o->step == STEP_DOT ? EX_DATAERR : EX_UNAVAILABLE;
}

static int tell_refused(struct arena *arena, const struct address *rcpt,
                        const struct client_outcome *o)
{
    struct slice who = address_text(arena, rcpt), why = sendmail_printable(arena, o->text);

    if (o->code == 0)
        return sendmail_wrong(status_of(o), "%.*s: %.*s", SLICE_PRINTF(who), SLICE_PRINTF(why));
    return sendmail_wrong(status_of(o), "%.*s: %u %.*s", SLICE_PRINTF(who), o->code,
                          SLICE_PRINTF(why));
}

int sendmail_settle(struct sendmail_mail *mail, const struct sendmail_place *place,
                    const struct sendmail_outcome *outcome, struct arena *arena)
{
    struct address *later = ARENA_ARRAY(arena, struct address, mail->message.rcpt_count);
    struct slice why = SLICE("");
    unsigned count = 0;
    int status = EXIT_SUCCESS;

    for (unsigned i = 0; i < mail->message.rcpt_count; i++) {
        const struct client_outcome *o = &outcome->rcpts[i];

        if (o->verdict == CLIENT_REFUSED)
            status = tell_refused(arena, &mail->message.rcpts[i], o);
        else if (o->verdict != CLIENT_ACCEPTED) {
            later[count++] = mail->message.rcpts[i];
            why = o->text;
        }
    }
    if (count == 0)
        return status;
    mail->message.rcpts = later;
    mail->message.rcpt_count = count;
    int left = leave(mail, place, arena, arena_string(arena, sendmail_printable(arena, why)));
    return left != EXIT_SUCCESS ? left : status;
}

int sendmail_hand_in(struct sendmail_mail *mail, const struct sendmail_place *place, bool verbose,
                     struct arena *arena)
{
    struct sendmail_outcome outcome;
    struct buf dialog;
    int status;

    buf_init(&dialog, DIALOG_TEXT_MAX);
    if (!sendmail_say(mail, place->socket, verbose ? &dialog : NULL, arena, &outcome))
        status = EX_OSERR;
    else if (outcome.connect_error != 0)
        status = leave(mail, place, arena, "the mail system does not run");
    else
        status = sendmail_settle(mail, place, &outcome, arena);
    if (buf_len(&dialog) > 0) /* an empty buf has no bytes to point at */
        fwrite(buf_slice(&dialog).data, 1, buf_len(&dialog), stderr);
    buf_done(&dialog);
    return status;
}
