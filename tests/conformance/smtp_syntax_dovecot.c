/*
 * smtp_syntax_dovecot.c - addresses, commands, replies and parameters, as Dovecot tests its own.
 *
 * Addresses, commands and replies go to our parsers, parameters through a session with the server
 * engine, since what is welcome depends on what it offers. The suite's flags are ways to parse of
 * Dovecot's; where we have none like it, the case is skipped. `capabilities` are what the server of
 * the case offers: none at all is what ours offers behind HELO.
 */
#include "suite.h"

#include "smtp/server.h"
#include "wire/smtp_command.h"
#include "wire/smtp_reply.h"

#include <string.h>

struct test {
    const json_t *json;
    struct arena *arena;
    struct slice kind, input, name;
    bool want; /* accept */
};

static bool has_flag(const struct test *t, const char *flag)
{
    return suite_has(t->json, "flags", flag);
}

static void judge(const struct test *t, bool got)
{
    if (got == t->want)
        suite_pass(t->name);
    else
        suite_fail(t->name, "%s", got ? "taken, the suite refuses it" : "refused");
}

/* The member, unless the case has none, is what we read. */
static bool same(const struct test *t, const char *member, struct slice got)
{
    struct slice want = suite_bytes(t->arena, t->json, member);

    if (json_object_get(t->json, member) == NULL || slice_equal(want, got))
        return true;
    struct slice shown = suite_escape(t->arena, got);
    suite_fail(t->name, "%s is '%.*s'", member, SLICE_PRINTF(shown));
    return false;
}

/* --- addresses ----------------------------------------------------------------------------- */

static void judge_address(const struct test *t, bool parsed, const struct address *a)
{
    bool got = parsed && (a->kind != ADDRESS_BARE || has_flag(t, "ALLOW_LOCALPART"));

    /* Refused by the suite without its flag for UTF-8 as by the server without SMTPUTF8. */
    if (got && a->utf8 && !t->want)
        got = false;
    if (!got || !t->want) {
        judge(t, got);
        return;
    }
    struct slice text = address_text(t->arena, a), domain = a->domain;
    if (a->kind == ADDRESS_LITERAL)
        domain = arena_printf(t->arena, "[%.*s]", SLICE_PRINTF(a->domain));
    if (slice_equal(t->kind, SLICE("path")))
        text = arena_printf(t->arena, "<%.*s>", SLICE_PRINTF(text));
    if (same(t, "localpart", a->local) && same(t, "domain", domain) && same(t, "canonical", text))
        suite_pass(t->name);
}

static void run_mailbox(const struct test *t)
{
    struct address a;

    judge_address(t, address_parse(t->input, t->arena, &a), &a);
}

static void run_path(const struct test *t)
{
    struct cursor c = {t->input};
    struct address a;
    bool parsed;

    if (t->want && json_is_null(json_object_get(t->json, "localpart"))) {
        suite_skip(t->name, "a way of Dovecot's: what is no path is read as <>");
        return;
    }
    if (has_flag(t, "BRACKETS_OPTIONAL") && !slice_starts(t->input, SLICE("<")))
        parsed = address_parse(t->input, t->arena, &a);
    else
        parsed = address_take_path(&c, t->arena, &a) && cursor_at_end(&c);
    judge_address(t, parsed, &a);
}

static void run_username(const struct test *t)
{
    suite_skip(t->name, "users have no names before there is AUTH");
}

/* --- replies ------------------------------------------------------------------------------- */

static void run_reply(const struct test *t)
{
    struct cursor c = {t->input};
    struct reply_reader r;

    reply_reader_init(&r, 4096);
    bool got = reply_read(&r, &c) == REPLY_COMPLETE && cursor_at_end(&c);
    if (got && t->want && json_integer_value(json_object_get(t->json, "status")) != r.code)
        suite_fail(t->name, "status is %u", r.code);
    else if (!got || !t->want || same(t, "enhanced", r.enhanced))
        judge(t, got);
    reply_reader_done(&r);
}

/* --- sessions ------------------------------------------------------------------------------ */

struct session {
    struct server *server;
    struct buf out;
};

static void session_say(struct session *s, struct slice bytes)
{
    struct cursor in = {bytes};
    const struct reply yes = {
        250, SLICE_INIT("2.1.0"), {NULL, 0}
    };
    const struct reply welcome = {
        220, {NULL, 0},
         {NULL, 0}
    };
    enum server_need need;

    buf_clear(&s->out);
    while ((need = server_step(s->server, &in, &s->out)) != SERVER_WANTS_INPUT) {
        if (need == SERVER_WANTS_CONNECT)
            server_answer(s->server, &welcome);
        else if (need == SERVER_WANTS_RCPT)
            server_answer_rcpt(s->server, &yes, NULL, 0);
        else if (need == SERVER_WANTS_MAIL)
            server_answer(s->server, &yes);
        else if (need == SERVER_DONE)
            break;
    }
}

static void session_open(struct session *s)
{
    static const struct server_settings settings = {.offers = EHLO_CHUNKING | EHLO_BINARYMIME |
                                                              EHLO_DSN | EHLO_AUTH,
                                                    .auth_cleartext = true,
                                                    .hostname = SLICE_INIT("mx.example.org"),
                                                    .max_size = 50 << 20,
                                                    .rcpt_max = 100,
                                                    .error_max = 20,
                                                    .received_max = 100};

    buf_init(&s->out, SERVER_OUT_MAX);
    s->server = server_new(&settings, SLICE("192.0.2.1"));
    server_offer_auth(s->server, SLICE("PLAIN"));
    session_say(s, SLICE(""));
}

static void session_close(struct session *s)
{
    server_free(s->server);
    buf_done(&s->out);
}

static bool session_taken(const struct session *s)
{
    return slice_starts(buf_slice(&s->out), SLICE("2"));
}

/* The reply to EHLO has a line that begins so. */
static bool offers(struct slice ehlo, struct slice keyword)
{
    struct slice line;

    while (slice_cut(ehlo, '\n', &line, &ehlo))
        if (slice_starts(slice_skip(line, 4), keyword))
            return true;
    return false;
}

/* Greets as the case's server wants it; false when ours does not offer what it does. */
static bool session_greet(struct session *s, const struct test *t)
{
    const json_t *wanted = json_object_get(t->json, "capabilities"), *word;
    size_t i;

    session_say(s, json_array_size(wanted) > 0 ? SLICE("EHLO c.example\r\n")
                                               : SLICE("HELO c.example\r\n"));
    json_array_foreach(wanted, i, word)
    {
        if (offers(buf_slice(&s->out), slice_of(json_string_value(word))))
            continue;
        struct slice why =
            arena_printf(t->arena, "%s is not offered here", json_string_value(word));
        suite_skip(t->name, arena_string(t->arena, why));
        return false;
    }
    if (suite_has(t->json, "capabilities", "BINARYMIME") &&
        !suite_has(t->json, "capabilities", "CHUNKING")) {
        suite_skip(t->name, "BINARYMIME is never offered without CHUNKING");
        return false;
    }
    return true;
}

static void run_params(const struct test *t)
{
    bool is_mail = slice_equal(t->kind, SLICE("mail-params"));
    const char *blank = t->input.len > 0 ? " " : "";
    struct session s;

    session_open(&s);
    if (session_greet(&s, t)) {
        session_say(&s, is_mail ? arena_printf(t->arena, "MAIL FROM:<a@c.example>%s%.*s\r\n", blank,
                                               SLICE_PRINTF(t->input))
                                : SLICE("MAIL FROM:<a@c.example>\r\n"));
        if (!is_mail)
            session_say(&s, arena_printf(t->arena, "RCPT TO:<b@example.org>%s%.*s\r\n", blank,
                                         SLICE_PRINTF(t->input)));
        judge(t, session_taken(&s));
    }
    session_close(&s);
}

/* What is no whole line must be waited for, whatever it holds; else the line is parsed. */
static void run_command(const struct test *t)
{
    struct smtp_command command;
    struct session s;

    session_open(&s);
    session_say(&s, t->input);
    bool answered = buf_len(&s.out) > 0;
    session_close(&s);
    if (!slice_ends(t->input, SLICE("\r\n"))) {
        judge(t, answered);
        return;
    }
    struct slice line = slice_head(t->input, t->input.len - 2);
    bool got = smtp_command_parse(line, t->arena, &command) == SMTP_COMMAND_OK;
    if (!answered)
        suite_fail(t->name, "no answer");
    else if (!got || !t->want ||
             (same(t, "name", command.name) && same(t, "params", command.argument)))
        judge(t, got);
}

static const struct {
    const char *kind;
    void (*run)(const struct test *t);
} kinds[] = {
    {"mailbox",     run_mailbox },
    {"path",        run_path    },
    {"username",    run_username},
    {"command",     run_command },
    {"reply",       run_reply   },
    {"mail-params", run_params  },
    {"rcpt-params", run_params  },
};

/* Kind, what the suite wants, input, what it depends on: the same input occurs with both. */
static struct slice name_of(const struct test *t)
{
    static const char *const lists[] = {"flags", "capabilities"};
    struct slice shown = suite_escape(t->arena, t->input);
    struct slice name = arena_printf(t->arena, "%.*s %s '%.*s'", SLICE_PRINTF(t->kind),
                                     t->want ? "accept" : "refuse", SLICE_PRINTF(shown));

    for (size_t l = 0; l < sizeof(lists) / sizeof(*lists); l++) {
        const json_t *word;
        size_t i;
        json_array_foreach(json_object_get(t->json, lists[l]), i, word) name = arena_printf(
            t->arena, "%.*s%s%s", SLICE_PRINTF(name), i > 0 ? "+" : " ", json_string_value(word));
    }
    return name;
}

static void run_case(const json_t *json)
{
    struct arena arena = {0};
    struct test t = {.json = json,
                     .arena = &arena,
                     .kind = suite_text(json, "kind"),
                     .input = suite_bytes(&arena, json, "input"),
                     .want = json_is_true(json_object_get(json, "accept"))};
    size_t i;

    t.name = name_of(&t);
    for (i = 0; i < sizeof(kinds) / sizeof(*kinds); i++)
        if (slice_equal(t.kind, slice_of(kinds[i].kind)))
            break;
    if (i < sizeof(kinds) / sizeof(*kinds))
        kinds[i].run(&t);
    else
        suite_fail(t.name, "no such kind is known here");
    arena_done(&arena);
}

int main(int argc, char **argv)
{
    json_t *tests = suite_load(argc > 1 ? argv[1] : ".", "cases.json"), *test;
    size_t i;

    json_array_foreach(tests, i, test) run_case(test);
    json_decref(tests);
    return 0;
}
