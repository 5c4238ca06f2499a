/*
 * sendmail_dialog.c - one client engine, two ends: a socket, and a sheet of paper.
 *
 * For the paper the engine hears what a friendly server would say to each command, so that what is
 * read from it later is what would have come over the socket.
 */
#include "cmd/sendmail_dialog.h"

#include "roles/remote.h"
#include "smtp/transcript.h"

#include <errno.h>

enum { CONNECT_TIMEOUT_MS = 30 * 1000, DIALOG_MAX = 1024 * 1024 };

/* ---- the socket ---- */

struct call {
    struct remote remote;
    struct loop *loop;
    struct slice rest; /* of the content */
};

static struct call *call_of(struct remote *r)
{
    return LIST_ENTRY(r, struct call, remote);
}

static void on_event(struct remote *r, enum remote_event event)
{
    switch (event) {
    case REMOTE_READY: remote_quit(r); break;
    case REMOTE_OVER: loop_stop(call_of(r)->loop); break;
    }
}

static enum remote_piece next_piece(struct remote *r, struct slice *piece)
{
    struct call *c = call_of(r);

    if (c->rest.len == 0)
        return REMOTE_END;
    *piece = slice_head(c->rest, CLIENT_PIECE_MAX);
    c->rest = slice_skip(c->rest, piece->len);
    return REMOTE_PIECE;
}

static void keep_outcomes(const struct remote *r, unsigned count, struct arena *arena,
                          struct sendmail_outcome *out)
{
    out->rcpts = ARENA_ARRAY(arena, struct client_outcome, count);
    for (unsigned i = 0; i < count; i++) {
        out->rcpts[i] = *client_outcome(r->client, i);
        out->rcpts[i].enhanced = arena_copy(arena, out->rcpts[i].enhanced);
        out->rcpts[i].text = arena_copy(arena, out->rcpts[i].text);
    }
}

static void converse(struct call *c, const struct sendmail_mail *mail,
                     const struct remote_options *options, struct sendmail_outcome *outcome)
{
    static const struct remote_owner owner = {on_event, next_piece, NULL, NULL};
    static const struct net_address nowhere;

    c->rest = mail->content;
    remote_open(&c->remote, c->loop, &nowhere, options, &owner);
    remote_send(&c->remote, &mail->message);
    if (loop_run(c->loop) < 0)
        outcome->connect_error = -EIO;
    if (c->remote.connect_error != 0)
        outcome->connect_error = c->remote.connect_error;
}

bool sendmail_say(const struct sendmail_mail *mail, struct slice socket, struct buf *out,
                  struct arena *arena, struct sendmail_outcome *outcome)
{
    struct net *net = net_real_new();
    struct transcript transcript;
    struct remote_options options = {
        .client = {.ehlo = mail->ehlo, .transcript = out != NULL ? &transcript : NULL},
        .connect_timeout_ms = CONNECT_TIMEOUT_MS,
        .path = arena_string(arena, socket)
    };
    struct call c = {0};

    if (net == NULL)
        return false;
    transcript_init(&transcript, TRANSCRIPT_ALL, DIALOG_MAX);
    c.loop = loop_new(net, clock_real());
    *outcome = (struct sendmail_outcome){0};
    converse(&c, mail, &options, outcome);
    if (outcome->connect_error == 0)
        keep_outcomes(&c.remote, mail->message.rcpt_count, arena, outcome);
    if (out != NULL)
        (void)buf_append(out, buf_slice(&transcript.text));
    remote_close(&c.remote);
    transcript_done(&transcript);
    loop_free(c.loop);
    net->ops->free(net);
    return true;
}

/* ---- the paper ---- */

/* To a command, or to the end of the message. */
static struct slice friendly(struct slice said, bool was_body)
{
    if (was_body)
        return SLICE("250 Ok\r\n");
    if (slice_starts(said, SLICE("EHLO ")))
        return SLICE("250-postroad\r\n250-8BITMIME\r\n250-SMTPUTF8\r\n250 DSN\r\n");
    if (slice_starts(said, SLICE("DATA")))
        return SLICE("354 Go on\r\n");
    return slice_starts(said, SLICE("QUIT")) ? SLICE("221 Bye\r\n") : SLICE("250 Ok\r\n");
}

static void give_body(struct client *client, struct slice *rest, struct buf *out)
{
    struct slice piece = slice_head(*rest, CLIENT_PIECE_MAX);

    *rest = slice_skip(*rest, piece.len);
    if (piece.len > 0)
        client_body(client, piece, out);
    else
        client_body_end(client, out);
}

bool sendmail_write_down(const struct sendmail_mail *mail, struct buf *out)
{
    const struct client_settings settings = {.ehlo = mail->ehlo};
    struct client *client = client_new(&settings);
    struct cursor reply = {SLICE("220 postroad\r\n")};
    struct slice rest = mail->content;
    size_t answered = buf_len(out);
    bool fits = true, was_body = false;
    enum client_need need;
    struct buf said;

    buf_init(&said, CLIENT_OUT_MAX);
    client_message(client, &mail->message);
    do {
        need = client_step(client, &reply, &said);
        if (need == CLIENT_WANTS_BODY) {
            give_body(client, &rest, &said);
            was_body = true;
        } else if (need == CLIENT_READY) {
            client_quit(client);
        }
        fits = buf_append(out, buf_slice(&said));
        buf_clear(&said);
        if (need == CLIENT_WANTS_INPUT) {
            reply.rest = friendly(slice_skip(buf_slice(out), answered), was_body);
            answered = buf_len(out);
            was_body = false;
        }
    } while (fits && need != CLIENT_DONE);
    buf_done(&said);
    client_free(client);
    return fits;
}
