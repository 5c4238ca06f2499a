/*
 * dialog_test.c - plays the dialogs of this folder against the server engine.
 *
 * A dialog is a text file: what the client says, what the server must answer, and what a role
 * around the engine would see (README.md). Each is played three times: its input in batches as
 * large as possible, line by line, and byte by byte. The replies must be the same.
 *
 * Whatever the dialog says, the player also checks what every session must keep: a SERVER_REFUSED
 * behind each 4xx or 5xx and nowhere else, one SERVER_RESET for each accepted MAIL that was not
 * committed, and silence after SERVER_DONE.
 */
#include "smtp/server.h"

#include "base/arena.h"
#include "wire/address.h"

#include <dirent.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TIME_US UINT64_C(1893456000000000) /* 2030-01-01 */

enum { ITEMS_MAX = 1000, RULES_MAX = 16, FINALS_MAX = 1100, TEXT_MAX = 4 * 1024 * 1024 };

enum item_kind {
    ITEM_SEND,  /* bytes of the client */
    ITEM_REPLY, /* one line of the server */
    ITEM_REPLY_GLOB,
    ITEM_EVENT, /* one event for the role */
    ITEM_EVENT_GLOB,
    ITEM_BODY, /* bytes of the last committed message */
    ITEM_DIRECTIVE,
};

struct item {
    enum item_kind kind;
    struct slice text;
    unsigned line;
};

struct dialog {
    const char *name;
    struct arena arena;
    struct item items[ITEMS_MAX];
    size_t count;
    const char *broken; /* why it cannot be played */
    unsigned broken_line;
};

enum chunking { WHOLE, LINES, BYTES, CHUNKINGS };

static const char *const chunking_names[] = {"whole", "lines", "bytes"};

/* What the role is told to answer. */
struct rule {
    struct slice kind; /* "refuse-mail", "refuse-rcpt", "rewrite-rcpt" */
    struct slice address;
    struct reply reply;
    struct address *finals;
    size_t final_count;
};

struct play {
    const struct dialog *dialog;
    enum chunking chunking;
    struct server_settings settings;
    struct slice mechanisms; /* of AUTH */
    struct server *server;
    struct buf in, out;
    struct buf said;   /* every reply */
    struct buf events; /* one a line */
    struct buf body, committed;
    struct arena arena;

    struct rule rules[RULES_MAX];
    size_t rule_count;
    struct reply connect, tls, auth, etrn, xclient, commit, body_fails;
    struct slice challenge, user; /* auth.code 334 and 235 */
    size_t body_fails_after;
    bool early, shut_down_at_commit, implicit_tls, starting_tls, trusted;

    size_t said_checked;
    struct buf repeated; /* the refusal that may be said again */
    bool mail_accepted;
    bool done;
    bool failed;
};

static void fail_at(struct play *p, unsigned line, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static void fail_at(struct play *p, unsigned line, const char *format, ...)
{
    va_list args;

    p->failed = true;
    printf("# %s:%u (%s): ", p->dialog->name, line, chunking_names[p->chunking]);
    va_start(args, format);
    vprintf(format, args);
    va_end(args);
    printf("\n");
}

/* --- reading a dialog ---------------------------------------------------------------------- */

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return -1;
}

static bool take_escape(struct cursor *c, char *out)
{
    struct slice hex;

    if (take_char(c, 'r'))
        *out = '\r';
    else if (take_char(c, 'n'))
        *out = '\n';
    else if (take_char(c, 't'))
        *out = '\t';
    else if (take_char(c, '\\'))
        *out = '\\';
    else if (take_char(c, 'x') && take_bytes(c, 2, &hex) && hex_digit(hex.data[0]) >= 0 &&
             hex_digit(hex.data[1]) >= 0)
        *out = (char)(hex_digit(hex.data[0]) * 16 + hex_digit(hex.data[1]));
    else
        return false;
    return true;
}

static bool unescape(struct arena *arena, struct slice raw, struct slice *out)
{
    struct cursor c = {raw};
    char *bytes = arena_alloc(arena, raw.len + 1), byte;
    size_t n = 0;

    while (take_any(&c, &byte)) {
        if (byte == '\\' && !take_escape(&c, &byte))
            return false;
        bytes[n++] = byte;
    }
    *out = (struct slice){bytes, n};
    return true;
}

/* "N text": the text N times. */
static bool repeat(struct arena *arena, struct slice spec, struct slice *out)
{
    struct cursor c = {spec};
    uint64_t times;
    struct slice once;

    if (!take_number(&c, &times) || times > TEXT_MAX || !take_char(&c, ' ') ||
        !unescape(arena, c.rest, &once) || once.len * times > TEXT_MAX)
        return false;
    char *bytes = arena_alloc(arena, once.len * times + 1);

    for (uint64_t i = 0; i < times; i++)
        memcpy(bytes + i * once.len, once.data, once.len);
    *out = (struct slice){bytes, once.len * times};
    return true;
}

static struct slice with_crlf(struct arena *arena, struct slice text)
{
    char *bytes = arena_alloc(arena, text.len + 2);

    if (text.len > 0)
        memcpy(bytes, text.data, text.len);
    memcpy(bytes + text.len, "\r\n", 2);
    return (struct slice){bytes, text.len + 2};
}

enum text_form { FORM_PLAIN, FORM_CRLF, FORM_RAW, FORM_REPEAT };

static const struct prefix {
    struct slice word;
    enum item_kind kind;
    enum text_form form;
} prefixes[] = {
    {SLICE_INIT("C:"), ITEM_SEND,       FORM_CRLF  },
    {SLICE_INIT("C~"), ITEM_SEND,       FORM_RAW   },
    {SLICE_INIT("C*"), ITEM_SEND,       FORM_REPEAT},
    {SLICE_INIT("S:"), ITEM_REPLY,      FORM_PLAIN },
    {SLICE_INIT("S~"), ITEM_REPLY_GLOB, FORM_PLAIN },
    {SLICE_INIT("E:"), ITEM_EVENT,      FORM_PLAIN },
    {SLICE_INIT("E~"), ITEM_EVENT_GLOB, FORM_PLAIN },
    {SLICE_INIT("M:"), ITEM_BODY,       FORM_CRLF  },
    {SLICE_INIT("M~"), ITEM_BODY,       FORM_RAW   },
    {SLICE_INIT("M*"), ITEM_BODY,       FORM_REPEAT},
    {SLICE_INIT("!"),  ITEM_DIRECTIVE,  FORM_PLAIN },
};

static bool item_text(struct arena *arena, enum text_form form, struct slice text,
                      struct slice *out)
{
    switch (form) {
    case FORM_PLAIN: *out = text; return true;
    case FORM_CRLF: *out = with_crlf(arena, text); return true;
    case FORM_RAW: return unescape(arena, text, out);
    case FORM_REPEAT: return repeat(arena, text, out);
    }
    return false;
}

static bool read_item(struct dialog *d, struct slice line, unsigned number)
{
    struct cursor c = {line};
    struct item item = {.line = number};

    if (line.len == 0 || line.data[0] == '#')
        return true;
    if (d->count == ITEMS_MAX)
        return false;
    for (size_t i = 0; i < sizeof(prefixes) / sizeof(*prefixes); i++) {
        if (!take_word(&c, prefixes[i].word))
            continue;
        take_char(&c, ' ');
        item.kind = prefixes[i].kind;
        if (!item_text(&d->arena, prefixes[i].form, c.rest, &item.text))
            return false;
        d->items[d->count++] = item;
        return true;
    }
    return false;
}

static void read_dialog(struct dialog *d, struct slice text)
{
    struct slice line;
    unsigned number = 1;

    for (; slice_cut(text, '\n', &line, &text); number++) {
        if (!read_item(d, line, number)) {
            d->broken = "not a line of a dialog";
            d->broken_line = number;
            return;
        }
    }
    if (text.len > 0) {
        d->broken = "the last line has no end";
        d->broken_line = number;
    }
}

/* --- directives ---------------------------------------------------------------------------- */

static bool take_token(struct cursor *c, struct slice *out)
{
    struct slice rest = c->rest;

    if (rest.len == 0)
        return false;
    *out = slice_head(rest, slice_find(rest, ' '));
    c->rest = slice_skip(rest, out->len + 1);
    return out->len > 0;
}

/* "550 5.1.1 text"; "-" is an empty enhanced code. */
static bool take_reply(struct cursor *c, struct reply *out)
{
    struct slice enhanced;

    if (!take_digits(c, 3, &out->code) || !take_char(c, ' ') || !take_token(c, &enhanced))
        return false;
    out->enhanced = slice_equal(enhanced, SLICE("-")) ? SLICE("") : enhanced;
    out->text = c->rest;
    return true;
}

static bool set_number(struct play *p, struct slice name, uint64_t n)
{
    if (slice_equal(name, SLICE("max-size")))
        p->settings.max_size = n;
    else if (slice_equal(name, SLICE("rcpt-max")))
        p->settings.rcpt_max = (unsigned)n;
    else if (slice_equal(name, SLICE("error-max")))
        p->settings.error_max = (unsigned)n;
    else if (slice_equal(name, SLICE("received-max")))
        p->settings.received_max = (unsigned)n;
    else
        return false;
    return true;
}

/* "a@example.org b@example.org", or "1000*list@example.org": list1@example.org and so on. */
static bool take_finals(struct play *p, struct cursor *c, struct rule *r)
{
    struct slice text;
    uint64_t times;

    r->finals = ARENA_ARRAY(&p->arena, struct address, FINALS_MAX);
    for (r->final_count = 0; r->final_count < FINALS_MAX && take_token(c, &text);) {
        struct cursor many = {text};
        if (!take_number(&many, &times) || !take_char(&many, '*')) {
            if (!address_parse(text, &p->arena, &r->finals[r->final_count++]))
                return false;
            continue;
        }
        for (uint64_t i = 1; i <= times && r->final_count < FINALS_MAX; i++) {
            struct address *final = &r->finals[r->final_count++];
            if (!address_parse(many.rest, &p->arena, final))
                return false;
            final->local = arena_printf(&p->arena, "%.*s%llu", SLICE_PRINTF(final->local),
                                        (unsigned long long)i);
        }
    }
    return r->final_count > 0;
}

static bool add_rule(struct play *p, struct slice kind, struct cursor *c)
{
    struct rule r = {.kind = kind};

    if (p->rule_count == RULES_MAX || !take_token(c, &r.address))
        return false;
    if (slice_equal(kind, SLICE("rewrite-rcpt"))) {
        if (!take_finals(p, c, &r))
            return false;
    } else if (!take_reply(c, &r.reply)) {
        return false;
    }
    p->rules[p->rule_count++] = r;
    return true;
}

static bool body_fails(struct play *p, struct cursor *c)
{
    uint64_t after;

    if (!take_number(c, &after) || !take_char(c, ' ') || !take_reply(c, &p->body_fails))
        return false;
    p->body_fails_after = after;
    return true;
}

static bool event(struct play *p, struct slice what)
{
    if (slice_equal(what, SLICE("shutdown")))
        server_shut_down(p->server);
    else if (slice_equal(what, SLICE("timeout")))
        server_time_out(p->server);
    else if (slice_equal(what, SLICE("shutdown-at-commit")))
        p->shut_down_at_commit = true;
    else
        return false;
    return true;
}

static void secure(struct play *p)
{
    static const struct envelope_tls tls = {
        SLICE_INIT("TLSv1.3"), SLICE_INIT("TLS_AES_256_GCM_SHA384"), 256, 256, SLICE_INIT("")};

    server_secured(p->server, &tls);
    buf_append(&p->events, SLICE("secured\n"));
    p->starting_tls = false;
}

static bool shake_hands(struct play *p)
{
    if (!p->starting_tls)
        return false;
    secure(p);
    return true;
}

static bool answer_auth_by(struct play *p, struct slice how, struct slice text)
{
    bool login = slice_equal(how, SLICE("login"));

    p->auth.code = login ? 235 : 334;
    *(login ? &p->user : &p->challenge) = text;
    return true;
}

static bool obey(struct play *p, struct slice directive)
{
    struct cursor c = {directive};
    struct slice name;
    uint64_t n;

    if (!take_token(&c, &name))
        return false;
    if (slice_equal(name, SLICE("early")))
        return p->early = true;
    if (slice_equal(name, SLICE("lmtp"))) {
        p->settings.protocol = SERVER_LMTP;
        return cursor_at_end(&c);
    }
    if (slice_equal(name, SLICE("offer"))) {
        struct slice line = arena_printf(&p->arena, "mx\n%.*s", SLICE_PRINTF(c.rest));

        p->settings.offers |= ehlo_offers_read(line).keywords;
        return c.rest.len > 0;
    }
    if (slice_equal(name, SLICE("line-ends"))) {
        p->settings.line_ends = LINE_ENDS_REPAIR;
        return slice_equal(c.rest, SLICE("repair"));
    }
    if (slice_equal(name, SLICE("require-tls")))
        return p->settings.requires_tls = true;
    if (slice_equal(name, SLICE("implicit-tls")))
        return p->implicit_tls = true;
    if (slice_equal(name, SLICE("tls")))
        return shake_hands(p);
    if (slice_equal(name, SLICE("refuse-tls")))
        return take_reply(&c, &p->tls);
    if (slice_equal(name, SLICE("refuse-auth")))
        return take_reply(&c, &p->auth);
    if (slice_equal(name, SLICE("challenge")) || slice_equal(name, SLICE("login")))
        return answer_auth_by(p, name, c.rest);
    if (slice_equal(name, SLICE("auth"))) {
        p->settings.offers |= EHLO_AUTH;
        p->mechanisms = c.rest;
        return c.rest.len > 0;
    }
    if (slice_equal(name, SLICE("auth-cleartext")))
        return p->settings.auth_cleartext = true;
    if (slice_equal(name, SLICE("require-auth")))
        return p->settings.requires_auth = true;
    if (slice_equal(name, SLICE("refuse-etrn")))
        return take_reply(&c, &p->etrn);
    if (slice_equal(name, SLICE("trusted")))
        return p->trusted = true;
    if (slice_equal(name, SLICE("refuse-xclient")))
        return take_reply(&c, &p->xclient);
    if (slice_equal(name, SLICE("refuse-connect")))
        return take_reply(&c, &p->connect);
    if (slice_equal(name, SLICE("commit")))
        return take_reply(&c, &p->commit);
    if (slice_equal(name, SLICE("body-fails")))
        return body_fails(p, &c);
    if (slice_equal(name, SLICE("event")))
        return p->server != NULL && event(p, c.rest);
    if (slice_starts(name, SLICE("refuse-")) || slice_starts(name, SLICE("rewrite-")))
        return add_rule(p, name, &c);
    return take_number(&c, &n) && set_number(p, name, n);
}

/* --- the role ------------------------------------------------------------------------------ */

static struct slice bracketed(struct play *p, const struct address *a)
{
    return arena_printf(&p->arena, "<%.*s>", SLICE_PRINTF(address_text(&p->arena, a)));
}

static const struct rule *find_rule(struct play *p, struct slice kind, const struct address *a)
{
    struct slice text = a->kind == ADDRESS_NULL ? SLICE("<>") : address_text(&p->arena, a);

    for (size_t i = 0; i < p->rule_count; i++)
        if (slice_equal(p->rules[i].kind, kind) && slice_equal(p->rules[i].address, text))
            return &p->rules[i];
    return NULL;
}

static void answer_mail(struct play *p)
{
    const struct envelope *e = server_envelope(p->server);
    const struct rule *r = find_rule(p, SLICE("refuse-mail"), &e->sender);

    if (p->mail_accepted)
        fail_at(p, 0, "a second MAIL before the first was committed or reset");
    p->mail_accepted = r == NULL;
    server_answer(p->server, r != NULL ? &r->reply : &REPLY(250, "", ""));
}

static void answer_rcpt(struct play *p)
{
    const struct address *rcpt = server_rcpt(p->server);
    const struct rule *refusal = find_rule(p, SLICE("refuse-rcpt"), rcpt);
    const struct rule *rewrite = find_rule(p, SLICE("rewrite-rcpt"), rcpt);

    if (refusal != NULL)
        server_answer_rcpt(p->server, &refusal->reply, NULL, 0);
    else if (rewrite != NULL)
        server_answer_rcpt(p->server, &REPLY(250, "", ""), rewrite->finals, rewrite->final_count);
    else
        server_answer_rcpt(p->server, &REPLY(250, "", ""), NULL, 0);
}

static void keep_body(struct play *p)
{
    buf_append(&p->body, server_body(p->server));
    if (p->body_fails.code != 0 && buf_len(&p->body) > p->body_fails_after)
        server_body_failed(p->server, &p->body_fails);
}

static void note_text(struct play *p, const char *name, struct slice text)
{
    if (text.len > 0)
        buf_printf(&p->events, " %s=%.*s", name, SLICE_PRINTF(text));
}

static void note_number(struct play *p, const char *name, int64_t number)
{
    if (number != 0)
        buf_printf(&p->events, " %s=%lld", name, (long long)number);
}

static void note_rcpt(struct play *p, const struct envelope_rcpt *r)
{
    buf_printf(&p->events, " to=%.*s", SLICE_PRINTF(bracketed(p, &r->original)));
    if (!address_equal(&r->original, &r->final))
        buf_printf(&p->events, "=%.*s", SLICE_PRINTF(bracketed(p, &r->final)));
    note_number(p, "notify", r->notify);
    note_text(p, "orcpt", r->orcpt);
}

static void note_wishes(struct play *p, const struct envelope_wishes *w)
{
    static const char *const returns[] = {"", "FULL", "HDRS"};
    static const char *const modes[] = {"", "R", "N"};

    note_text(p, "ret", slice_of(returns[w->ret]));
    note_text(p, "envid", w->envid);
    note_number(p, "priority", w->priority);
    if (w->by != BY_UNSAID)
        buf_printf(&p->events, " by=%lld%s%s", (long long)w->by_s, modes[w->by],
                   w->by_trace ? "T" : "");
    note_text(p, "solicit", w->solicit);
    note_number(p, "hold-for", w->hold_for_s);
    note_number(p, "hold-until", (int64_t)(w->hold_until_us / 1000000));
    note_number(p, "requiretls", w->require_tls);
}

static void commit(struct play *p)
{
    static const char *const bodies[] = {"7BIT", "8BITMIME", "BINARYMIME"};
    const struct envelope *e = server_envelope(p->server);

    buf_printf(&p->events, "commit from=%.*s", SLICE_PRINTF(bracketed(p, &e->sender)));
    note_wishes(p, &e->wishes);
    for (unsigned i = 0; i < e->rcpt_count; i++)
        note_rcpt(p, &e->rcpts[i]);
    if (server_xforward(p->server) != NULL)
        note_text(p, "orig-id", server_xforward(p->server)->ident);
    buf_printf(&p->events, " proto=%.*s helo=%.*s client=%.*s body=%s size=%llu id=%.*s\n",
               SLICE_PRINTF(e->proto), SLICE_PRINTF(e->helo), SLICE_PRINTF(e->client_address),
               bodies[e->body], (unsigned long long)server_body_size(p->server),
               SLICE_PRINTF(server_message_id(p->server)));
    if (server_body_size(p->server) != buf_len(&p->body))
        fail_at(p, 0, "the body's size is not what was kept");
    buf_clear(&p->committed);
    buf_append(&p->committed, buf_slice(&p->body));
    buf_clear(&p->body);
    if (p->shut_down_at_commit)
        server_shut_down(p->server);
    if (p->commit.code < 300)
        p->mail_accepted = false;
    server_answer(p->server, &p->commit);
}

static void answer_auth(struct play *p)
{
    const struct server_auth *a = server_auth(p->server);

    buf_printf(&p->events, "auth %.*s %s%.*s\n", SLICE_PRINTF(a->mechanism),
               a->begins ? "begins " : "", SLICE_PRINTF(a->response));
    if (p->auth.code == 334)
        server_challenge(p->server, p->challenge);
    else if (p->auth.code == 235)
        server_authenticated(p->server, p->user);
    else
        server_answer(p->server, &p->auth);
}

static void answer_etrn(struct play *p)
{
    const struct etrn_node *node = server_etrn(p->server);

    buf_printf(&p->events, "etrn %s%.*s\n", node->below ? "@" : "", SLICE_PRINTF(node->domain));
    server_answer(p->server, &p->etrn);
}

static void answer_xclient(struct play *p)
{
    const struct forwarded *f = server_xclient(p->server);
    struct slice address =
        (f->known & FORWARDED_ADDR) != 0 && f->ip[10] == 0xff
            ? arena_printf(&p->arena, "%u.%u.%u.%u", f->ip[12], f->ip[13], f->ip[14], f->ip[15])
            : SLICE("unknown");

    buf_printf(&p->events, "xclient %.*s", SLICE_PRINTF(address));
    note_text(p, "name", f->name);
    note_text(p, "login", f->login);
    buf_append(&p->events, SLICE("\n"));
    if (p->xclient.code == 220)
        server_client_is(p->server, address, f->login);
    server_answer(p->server, &p->xclient);
}

static void note_refusal(struct play *p)
{
    const struct server_refusal *r = server_refusal(p->server);

    buf_printf(&p->events, "refused %.*s %u", SLICE_PRINTF(r->stage), r->reply.code);
    if (r->reply.enhanced.len > 0)
        buf_printf(&p->events, " %.*s", SLICE_PRINTF(r->reply.enhanced));
    if (r->has_sender)
        buf_printf(&p->events, " from=%.*s", SLICE_PRINTF(bracketed(p, &r->sender)));
    if (r->has_rcpt)
        buf_printf(&p->events, " to=%.*s", SLICE_PRINTF(bracketed(p, &r->rcpt)));
    buf_append(&p->events, SLICE("\n"));
}

static void reset(struct play *p)
{
    if (!p->mail_accepted)
        fail_at(p, 0, "SERVER_RESET without a transaction");
    p->mail_accepted = false;
    buf_clear(&p->body);
    buf_append(&p->events, SLICE("reset\n"));
}

static void end(struct play *p)
{
    if (!p->done)
        buf_append(&p->events, SLICE("done\n"));
    if (p->mail_accepted)
        fail_at(p, 0, "SERVER_DONE without SERVER_RESET");
    p->done = true;
}

static bool is_refusal(struct slice line)
{
    return (line.data[0] == '4' || line.data[0] == '5') && line.len > 3 && line.data[3] == ' ';
}

static bool is_of_message(const struct server_refusal *r)
{
    return slice_equal(r->stage, SLICE("DATA")) || slice_equal(r->stage, SLICE("BDAT"));
}

/* Refusals are told one by one, each right behind its reply. LMTP says the refusal of a message to
 * each recipient, and tells it once: what is the same and follows at once, is not told again. */
static void check_told(struct play *p, enum server_need need)
{
    struct slice fresh = slice_skip(buf_slice(&p->said), p->said_checked), line;
    unsigned refusals = 0, told = need == SERVER_REFUSED;

    while (slice_cut(fresh, '\n', &line, &fresh)) {
        if (slice_equal(line, buf_slice(&p->repeated)))
            continue;
        buf_clear(&p->repeated);
        if (!is_refusal(line))
            continue;
        refusals++;
        if (p->settings.protocol == SERVER_LMTP && told && is_of_message(server_refusal(p->server)))
            buf_append(&p->repeated, line);
    }
    p->said_checked = buf_len(&p->said);
    if (refusals != told)
        fail_at(p, 0, "%u refusals were said, %u told", refusals, told);
}

static void fulfil(struct play *p, enum server_need need)
{
    switch (need) {
    case SERVER_WANTS_INPUT:
    case SERVER_WANTS_ROOM: break;
    case SERVER_WANTS_CONNECT: server_answer(p->server, &p->connect); break;
    case SERVER_WANTS_MAIL: answer_mail(p); break;
    case SERVER_WANTS_RCPT: answer_rcpt(p); break;
    case SERVER_BODY: keep_body(p); break;
    case SERVER_WANTS_TLS: server_answer(p->server, &p->tls); break;
    case SERVER_START_TLS: p->starting_tls = true; break;
    case SERVER_WANTS_AUTH: answer_auth(p); break;
    case SERVER_WANTS_ETRN: answer_etrn(p); break;
    case SERVER_WANTS_XCLIENT: answer_xclient(p); break;
    case SERVER_WANTS_COMMIT: commit(p); break;
    case SERVER_RESET: reset(p); break;
    case SERVER_REFUSED: note_refusal(p); break;
    case SERVER_DONE: end(p); break;
    }
}

/* Steps until the engine wants input. */
static void pump(struct play *p)
{
    struct cursor in = {buf_slice(&p->in)};
    enum server_need need;

    do {
        need = server_step(p->server, &in, &p->out);
        buf_append(&p->said, buf_slice(&p->out));
        buf_clear(&p->out);
        check_told(p, need);
        fulfil(p, need);
    } while (need != SERVER_WANTS_INPUT && need != SERVER_DONE);
    buf_consume(&p->in, buf_len(&p->in) - in.rest.len);
    if (need == SERVER_WANTS_INPUT && buf_len(&p->in) > SERVER_AUTH_LINE_MAX)
        fail_at(p, 0, "input was left over");
}

/* --- playing ------------------------------------------------------------------------------- */

static void play_init(struct play *p, const struct dialog *d, enum chunking chunking)
{
    *p = (struct play){.dialog = d, .chunking = chunking};
    p->settings = (struct server_settings){
        .hostname = SLICE("mx.example.org"),
        .max_size = 10000,
        .line_ends = LINE_ENDS_STRICT,
        .rcpt_max = 100,
        .error_max = 20,
        .received_max = 100,
    };
    p->connect = p->tls = p->xclient = REPLY(220, "", "");
    p->etrn = REPLY(250, "", "");
    p->auth = REPLY(535, "5.7.8", "Error: authentication failed");
    p->commit = REPLY(250, "2.0.0", "Ok: queued as ID");
    buf_init(&p->in, TEXT_MAX);
    buf_init(&p->out, SERVER_OUT_MAX);
    buf_init(&p->said, TEXT_MAX);
    buf_init(&p->repeated, TEXT_MAX);
    buf_init(&p->events, TEXT_MAX);
    buf_init(&p->body, TEXT_MAX);
    buf_init(&p->committed, TEXT_MAX);
}

static void play_done(struct play *p)
{
    server_free(p->server);
    buf_done(&p->in);
    buf_done(&p->out);
    buf_done(&p->said);
    buf_done(&p->repeated);
    buf_done(&p->events);
    buf_done(&p->body);
    buf_done(&p->committed);
    arena_done(&p->arena);
}

/* The server begins when the directives at the top are over. */
static void start(struct play *p)
{
    if (p->server != NULL)
        return;
    p->server = server_new(&p->settings, SLICE("192.0.2.7"));
    server_offer_auth(p->server, p->mechanisms);
    server_time_is(p->server, TIME_US);
    if (p->trusted)
        server_trust(p->server);
    if (p->implicit_tls)
        secure(p);
    if (!p->early)
        pump(p);
}

static void send_bytes(struct play *p, struct slice bytes)
{
    for (size_t i = 0; i < bytes.len && !p->done; i++) {
        buf_append(&p->in, slice_head(slice_skip(bytes, i), 1));
        pump(p);
    }
}

static void send_item(struct play *p, struct slice text)
{
    start(p);
    switch (p->chunking) {
    case WHOLE: buf_append(&p->in, text); break;
    case LINES:
        buf_append(&p->in, text);
        pump(p);
        break;
    case BYTES: send_bytes(p, text); break;
    case CHUNKINGS: break;
    }
}

static void direct(struct play *p, const struct item *item)
{
    if (p->server != NULL)
        pump(p); /* what was sent before was sent before */
    if (!obey(p, item->text))
        fail_at(p, item->line, "not a directive here: %.*s", SLICE_PRINTF(item->text));
    if (p->server != NULL)
        pump(p);
}

static size_t count_lines(struct slice text)
{
    size_t n = 0;
    struct slice line;

    while (slice_cut(text, '\n', &line, &text))
        n++;
    return n;
}

/* A client that waits for a reply before it goes on must get it. */
static void expect_in_time(struct play *p, const struct item *item, size_t lines)
{
    start(p);
    if (p->chunking != WHOLE && !p->failed && count_lines(buf_slice(&p->said)) < lines)
        fail_at(p, item->line, "nothing was said yet, wanted: %.*s", SLICE_PRINTF(item->text));
}

static void perform(struct play *p)
{
    size_t replies = 0;

    for (size_t i = 0; i < p->dialog->count; i++) {
        const struct item *item = &p->dialog->items[i];

        switch (item->kind) {
        case ITEM_SEND: send_item(p, item->text); break;
        case ITEM_DIRECTIVE: direct(p, item); break;
        case ITEM_REPLY:
        case ITEM_REPLY_GLOB: expect_in_time(p, item, ++replies); break;
        case ITEM_EVENT:
        case ITEM_EVENT_GLOB:
        case ITEM_BODY: break;
        }
    }
    start(p);
    pump(p);
}

/* --- comparing ----------------------------------------------------------------------------- */

/* "*" matches any run of bytes. */
static bool glob_match(struct slice pattern, struct slice text)
{
    struct slice head, tail;

    if (!slice_cut(pattern, '*', &head, &tail))
        return slice_equal(pattern, text);
    if (!slice_starts(text, head))
        return false;
    text = slice_skip(text, head.len);
    while (slice_cut(tail, '*', &head, &tail)) {
        while (text.len > 0 && !slice_starts(text, head))
            text = slice_skip(text, 1);
        if (!slice_starts(text, head))
            return false;
        text = slice_skip(text, head.len);
    }
    return slice_ends(text, tail);
}

static bool take_line(struct slice *rest, struct slice *line)
{
    if (!slice_cut(*rest, '\n', line, rest))
        return false;
    if (slice_ends(*line, SLICE("\r")))
        *line = slice_head(*line, line->len - 1);
    return true;
}

static void compare(struct play *p, struct slice got, enum item_kind exact, enum item_kind glob)
{
    struct slice line;

    for (size_t i = 0; i < p->dialog->count; i++) {
        const struct item *item = &p->dialog->items[i];

        if (item->kind != exact && item->kind != glob)
            continue;
        if (!take_line(&got, &line)) {
            fail_at(p, item->line, "nothing came, wanted: %.*s", SLICE_PRINTF(item->text));
            return;
        }
        if (item->kind == exact ? !slice_equal(item->text, line) : !glob_match(item->text, line)) {
            fail_at(p, item->line, "wanted: %.*s", SLICE_PRINTF(item->text));
            fail_at(p, item->line, "   got: %.*s", SLICE_PRINTF(line));
            return;
        }
    }
    if (take_line(&got, &line))
        fail_at(p, 0, "came unwanted: %.*s", SLICE_PRINTF(line));
}

static bool mentions(const struct dialog *d, enum item_kind a, enum item_kind b)
{
    for (size_t i = 0; i < d->count; i++)
        if (d->items[i].kind == a || d->items[i].kind == b)
            return true;
    return false;
}

static void compare_body(struct play *p)
{
    struct buf want;

    buf_init(&want, TEXT_MAX);
    for (size_t i = 0; i < p->dialog->count; i++)
        if (p->dialog->items[i].kind == ITEM_BODY)
            buf_append(&want, p->dialog->items[i].text);
    if (!slice_equal(buf_slice(&want), buf_slice(&p->committed)))
        fail_at(p, 0, "the committed message is: %.*s", SLICE_PRINTF(buf_slice(&p->committed)));
    buf_done(&want);
}

static bool play(const struct dialog *d, enum chunking chunking)
{
    struct play p;

    play_init(&p, d, chunking);
    perform(&p);
    compare(&p, buf_slice(&p.said), ITEM_REPLY, ITEM_REPLY_GLOB);
    if (mentions(d, ITEM_EVENT, ITEM_EVENT_GLOB))
        compare(&p, buf_slice(&p.events), ITEM_EVENT, ITEM_EVENT_GLOB);
    if (mentions(d, ITEM_BODY, ITEM_BODY))
        compare_body(&p);
    play_done(&p);
    return !p.failed;
}

/* --- the program --------------------------------------------------------------------------- */

static bool read_file(const char *folder, const char *name, struct buf *out)
{
    char path[4096];

    snprintf(path, sizeof(path), "%s/%s", folder, name);
    FILE *f = fopen(path, "rb");

    if (f == NULL)
        return false;
    for (size_t n = 1; n > 0;) {
        char *room = buf_reserve(out, 4096);

        n = room != NULL ? fread(room, 1, 4096, f) : 0;
        buf_commit(out, n);
    }
    return fclose(f) == 0;
}

/* Returns how many of its three plays failed. */
static int play_file(const char *folder, const char *name, int *number)
{
    struct dialog *d = calloc(1, sizeof(*d));
    struct buf text;
    int failed = 0;

    d->name = name;
    buf_init(&text, TEXT_MAX);
    if (!read_file(folder, name, &text))
        d->broken = "cannot be read";
    read_dialog(d, buf_slice(&text));
    if (d->broken != NULL)
        printf("# %s:%u: %s\n", name, d->broken_line, d->broken);
    for (enum chunking c = WHOLE; c < CHUNKINGS; c++) {
        bool good = d->broken == NULL && play(d, c);

        printf("%s %d - %s, %s\n", good ? "ok" : "not ok", ++*number, name, chunking_names[c]);
        failed += !good;
    }
    buf_done(&text);
    arena_done(&d->arena);
    free(d);
    return failed;
}

static int is_dialog(const struct dirent *entry)
{
    return slice_ends(slice_of(entry->d_name), SLICE(".smtp"));
}

int main(int argc, char **argv)
{
    struct dirent **files;
    int number = 0, failed = 0;
    int n = argc == 2 ? scandir(argv[1], &files, is_dialog, alphasort) : -1;

    if (n <= 0) {
        printf("Bail out! usage: dialog_test FOLDER-WITH-DIALOGS\n");
        return 1;
    }
    for (int i = 0; i < n; i++) {
        failed += play_file(argv[1], files[i]->d_name, &number);
        free(files[i]);
    }
    free(files);
    printf("1..%d\n", number);
    return failed > 0;
}
