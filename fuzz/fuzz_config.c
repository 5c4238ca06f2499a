/*
 * fuzz_config.c - a configuration is understood or its faults are told, in clean text; and what
 * was understood decides about every recipient.
 */
#include "fuzz.h"

#include "config/settings.h"
#include "mail/mailbox_path.h"
#include "wire/utf8.h"

static void check_told(const struct settings_errors *errors)
{
    struct slice rest = buf_slice(&errors->text), line;

    while (slice_cut(rest, '\n', &line, &rest))
        must(utf8_printable(line));
    must(rest.len == 0);
}

static void check_listeners(const struct settings *s)
{
    for (size_t i = 0; i < s->listener_count; i++)
        must(s->listeners[i].port != 0 && s->listeners[i].max_size > 0 && s->listeners[i].line > 0);
}

/* Where a mail goes must be a place that the postman would write to. */
static void check_path(struct slice template, const struct address *rcpt, struct arena *arena)
{
    struct slice root, rest, path;

    must(mailbox_template_split(template, &root, &rest));
    must(mailbox_path_expand(rest, rcpt, arena, &path) && path.len > 0);
}

static void check_decisions(const struct settings *s, struct arena *arena)
{
    static const struct slice rcpts[] = {
        SLICE_INIT("postmaster"),
        SLICE_INIT("postmaster@example.org"),
        SLICE_INIT("ann@example.org"),
        SLICE_INIT("ann+list@sub.example.org"),
        SLICE_INIT("\"a b\"@[192.0.2.1]"),
        SLICE_INIT("\"\"@example.org"),
        SLICE_INIT(
            "\"//////////////////////////////////////////////////////////////\"@example.org"),
    };

    for (size_t i = 0; i < sizeof(rcpts) / sizeof(*rcpts); i++) {
        struct rules_query query = {.from_local = i % 2, .sender = {.kind = ADDRESS_NULL}};

        must(address_parse(rcpts[i], arena, &query.rcpt));
        struct decision d = rules_decide(&s->rules, &query, arena);

        switch (d.kind) {
        case DECIDE_MAILDIR: check_path(d.path, &d.final, arena); break;
        case DECIDE_REFUSE: must(d.refusal.code >= 400 && d.refusal.code <= 599); break;
        case DECIDE_DISCARD: must(d.rule != NULL); break;
        }
    }
}

void fuzz_input(struct slice input)
{
    struct settings_errors errors;
    struct settings *s = settings_parse(SLICE("postroad.conf"), input, &errors);

    must((s == NULL) == (errors.count > 0));
    check_told(&errors);
    buf_done(&errors.text);
    if (s == NULL)
        return;

    struct arena arena;

    arena_init(&arena);
    must(s->hostname.len > 0 && slice_starts(s->queue_path, SLICE("/")));
    check_listeners(s);
    check_decisions(s, &arena);
    arena_done(&arena);
    settings_free(s);
}
