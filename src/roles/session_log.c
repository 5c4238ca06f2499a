/*
 * session_log.c - what the log is told of a session.
 */
#include "roles/session_internal.h"

#include "mail/submission.h"

#include <string.h>

static const struct slice tag_smtpd = SLICE_INIT("smtpd");

static void client_fields(struct session *s, struct event_writer *w)
{
    event_text(w, FIELD_CLIENT_NAME, s->client_name.len > 0 ? s->client_name : SLICE("unknown"));
    event_text(w, FIELD_CLIENT_ADDRESS, session_client(s));
}

/* A program on this machine comes and goes unseen: only its mail is worth a line. */
void session_tell_connect(struct session *s)
{
    if (s->offer->by_user)
        return;
    struct event_writer w = role_event(s->among->role, EVENT_CONNECT, tag_smtpd);

    client_fields(s, &w);
    role_event_end(s->among->role, &w);
}

static void count_text(struct buf *out, const char *name, unsigned accepted, unsigned tried)
{
    if (tried == 0)
        return;
    if (accepted == tried)
        buf_printf(out, " %s=%u", name, tried);
    else
        buf_printf(out, " %s=%u/%u", name, accepted, tried);
}

void session_tell_disconnect(struct session *s)
{
    const struct server_counts *c = server_counts(s->server);

    if (s->offer->by_user)
        return;
    struct event_writer w = role_event(s->among->role, EVENT_DISCONNECT, tag_smtpd);
    struct buf text;

    buf_init(&text, 512);
    count_text(&text, "ehlo", c->ehlo, c->ehlo_tried);
    count_text(&text, "helo", c->helo, c->helo_tried);
    count_text(&text, "starttls", c->starttls, c->starttls_tried);
    count_text(&text, "auth", c->auth, c->auth_tried);
    count_text(&text, "mail", c->mail, c->mail_tried);
    count_text(&text, "rcpt", c->rcpt, c->rcpt_tried);
    count_text(&text, "data", c->data, c->data_tried);
    count_text(&text, "bdat", c->bdat, c->bdat_tried);
    count_text(&text, "rset", c->rset, c->rset_tried);
    count_text(&text, "noop", c->noop, c->noop_tried);
    count_text(&text, "quit", c->quit, c->quit_tried);
    count_text(&text, "unknown", c->unknown, c->unknown_tried);
    if (c->commands_tried == 0)
        buf_printf(&text, " commands=0/0");
    count_text(&text, "commands", c->commands, c->commands_tried);
    client_fields(s, &w);
    event_text(&w, FIELD_TEXT, slice_trim(buf_slice(&text)));
    role_event_end(s->among->role, &w);
    buf_done(&text);
}

void session_tell_broken(struct session *s, struct slice how)
{
    if (s->offer->by_user)
        return;
    struct event_writer w = role_event(s->among->role, EVENT_BROKEN, tag_smtpd);

    client_fields(s, &w);
    event_text(&w, FIELD_STAGE, server_last_stage(s->server));
    event_text(&w, FIELD_TEXT, how);
    role_event_end(s->among->role, &w);
}

/* The certificate did not please, there was no common cipher, it was no TLS at all. */
void session_tell_no_handshake(struct session *s)
{
    const struct tls *tls = stream_tls(&s->stream);
    struct slice problem = tls == NULL ? SLICE("") : tls_problem(tls);
    struct arena scratch = {0};

    if (problem.len == 0)
        session_tell_broken(s, SLICE("lost connection"));
    else
        session_tell_broken(
            s, arena_printf(&scratch, "TLS handshake failed (%.*s)", SLICE_PRINTF(problem)));
    arena_done(&scratch);
}

void session_tell_refusal(struct session *s)
{
    const struct server_refusal *why = server_refusal(s->server);

    if (s->left.len > 0 && why->reply.code < 500)
        return; /* it is tried again and again: pickup tells it, once */
    struct event_writer w = role_event(s->among->role, EVENT_REJECT, tag_smtpd);

    client_fields(s, &w);
    event_text(&w, FIELD_STAGE, why->stage);
    event_number(&w, FIELD_CODE, why->reply.code);
    event_text(&w, FIELD_ENHANCED, why->reply.enhanced);
    event_text(&w, FIELD_TEXT, why->reply.text);
    event_text(&w, FIELD_NAME, slice_head(why->command, 128));
    if (why->has_sender)
        role_event_address(&w, FIELD_SENDER, &why->sender);
    if (why->has_rcpt)
        role_event_address(&w, FIELD_RCPT, &why->rcpt);
    event_text(&w, FIELD_PROTO, server_proto(s->server));
    event_text(&w, FIELD_HELO, server_helo(s->server));
    role_event_end(s->among->role, &w);
}

void session_tell_etrn(struct session *s, const struct etrn_node *node)
{
    struct event_writer w = role_event(s->among->role, EVENT_ETRN, tag_smtpd);
    struct arena scratch = {0};

    client_fields(s, &w);
    event_text(&w, FIELD_NAME, etrn_text(node, &scratch));
    role_event_end(s->among->role, &w);
    arena_done(&scratch);
}

static void tls_field(struct session *s, struct event_writer *w)
{
    const struct envelope_tls *tls = server_tls(s->server);
    struct buf text;

    if (tls->version.len == 0)
        return;
    buf_init(&text, 256);
    buf_printf(&text, "%.*s/%.*s%s", SLICE_PRINTF(tls->version), SLICE_PRINTF(tls->cipher),
               tls->client.len > 0 ? "/verified" : "");
    event_text(w, FIELD_TLS, buf_slice(&text));
    buf_done(&text);
}

/* Its own, or the one that we gave it. */
static struct slice message_id_of(struct session *s, struct arena *scratch)
{
    if (s->offer->submission && !server_header(s->server)->has_message_id)
        return submission_message_id(server_envelope(s->server), s->among->role->settings->hostname,
                                     scratch);
    return server_message_id(s->server);
}

static void tell_rewriting(struct session *s, struct slice id_text)
{
    struct role *r = s->among->role;
    const struct envelope *e = server_envelope(s->server);
    struct arena scratch = {0};
    struct address sender = e->sender_given;
    const struct rewrite *by = NULL;

    if (!address_equal(&e->sender, &e->sender_given))
        by = rewrite_address(&r->settings->rules, REWRITE_SENDER, &sender, &scratch);
    if (by != NULL) {
        struct event_writer w = role_event(r, EVENT_REWRITTEN, SLICE("cleanup"));

        event_text(&w, FIELD_QUEUE_ID, id_text);
        role_event_address(&w, FIELD_SENDER, &e->sender_given);
        role_event_address(&w, FIELD_NAME, &e->sender);
        event_text(&w, FIELD_RULE,
                   arena_printf(&scratch, "%.*s:%u", SLICE_PRINTF(by->file), by->line));
        role_event_end(r, &w);
    }
    arena_done(&scratch);
}

/* The program that sent it would be refused elsewhere. */
static void tell_repair(struct session *s, struct slice id_text)
{
    struct event_writer w = role_event(s->among->role, EVENT_WARNING, SLICE("cleanup"));

    event_text(&w, FIELD_QUEUE_ID, id_text);
    event_text(&w, FIELD_TEXT, SLICE("bare LF became CRLF: line-ends repair"));
    role_event_end(s->among->role, &w);
}

/* Who wrote it, as XFORWARD has it. */
static void orig_fields(const struct session *s, struct event_writer *w)
{
    const struct forwarded *f = server_xforward(s->server);
    struct net_address a = {.port = 0};
    struct arena scratch = {0};
    char text[64] = "unknown";
    size_t len = sizeof("unknown") - 1;

    if (f == NULL)
        return;
    if ((f->known & FORWARDED_ADDR) != 0) {
        memcpy(a.ip, f->ip, sizeof(a.ip));
        len = net_address_text(&a, text);
    }
    if (f->ident.len > 0)
        event_text(w, FIELD_ORIG_ID, f->ident);
    if ((f->known & (FORWARDED_NAME | FORWARDED_ADDR)) != 0)
        event_text(w, FIELD_ORIG_CLIENT,
                   arena_printf(&scratch, "%.*s[%.*s]",
                                SLICE_PRINTF(f->name.len > 0 ? f->name : SLICE("unknown")),
                                (int)len, text));
    arena_done(&scratch);
}

static void tell_client(struct session *s, struct slice id_text)
{
    struct role *r = s->among->role;
    struct event_writer w = role_event(r, EVENT_CLIENT, tag_smtpd);

    event_text(&w, FIELD_QUEUE_ID, id_text);
    client_fields(s, &w);
    if (server_user(s->server).len > 0) {
        event_text(&w, FIELD_NAME, server_auth(s->server)->mechanism);
        event_text(&w, FIELD_USER, server_user(s->server));
    }
    tls_field(s, &w);
    orig_fields(s, &w);
    role_event_end(r, &w);
}

static void tell_pickup(struct session *s, struct slice id_text)
{
    struct event_writer w = role_event(s->among->role, EVENT_PICKUP, SLICE("pickup"));

    event_text(&w, FIELD_QUEUE_ID, id_text);
    event_text(&w, FIELD_USER, session_local_user(s));
    role_event_address(&w, FIELD_SENDER, &server_envelope(s->server)->sender);
    role_event_end(s->among->role, &w);
}

void session_tell_message(struct session *s, struct slice id_text)
{
    struct role *r = s->among->role;
    const struct envelope *e = server_envelope(s->server);
    struct arena scratch = {0};

    if (s->offer->by_user)
        tell_pickup(s, id_text);
    else
        tell_client(s, id_text);
    struct event_writer w = role_event(r, EVENT_MESSAGE_ID, SLICE("cleanup"));
    event_text(&w, FIELD_QUEUE_ID, id_text);
    event_text(&w, FIELD_MESSAGE_ID, message_id_of(s, &scratch));
    role_event_end(r, &w);
    tell_rewriting(s, id_text);
    if (server_was_repaired(s->server))
        tell_repair(s, id_text);
    w = role_event(r, EVENT_QUEUED, SLICE("qmgr"));
    event_text(&w, FIELD_QUEUE_ID, id_text);
    role_event_address(&w, FIELD_SENDER, &e->sender);
    event_number(&w, FIELD_SIZE, s->draft.size + buf_len(&s->header));
    event_number(&w, FIELD_NRCPT, e->rcpt_count);
    role_event_end(r, &w);
    arena_done(&scratch);
}

void session_tell_no_login(struct session *s, const struct login_answer *a)
{
    struct event_writer w = role_event(s->among->role, EVENT_NO_LOGIN, tag_smtpd);

    client_fields(s, &w);
    event_text(&w, FIELD_NAME, server_auth(s->server)->mechanism);
    event_text(&w, FIELD_TEXT, a->text);
    event_text(&w, FIELD_USER, a->user);
    role_event_end(s->among->role, &w);
}
