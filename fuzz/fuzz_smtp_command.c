/*
 * fuzz_smtp_command.c - one command line: what is understood can be said again.
 *
 * First character: what stands before the line, so that the search need not find "MAIL FROM:"
 * itself.
 */
#include "fuzz.h"

#include "wire/smtp_command.h"
#include "wire/utf8.h"

static const struct slice openings[] = {
    SLICE_INIT(""),
    SLICE_INIT("MAIL FROM:"),
    SLICE_INIT("RCPT TO:"),
    SLICE_INIT("MAIL FROM:<a@b.example> "),
};

static bool within(struct slice part, struct slice whole)
{
    return part.len == 0 ||
           (part.data >= whole.data && part.data + part.len <= whole.data + whole.len);
}

static void check_param(const struct smtp_param *p, struct slice line)
{
    must(p->name.len > 0 && within(p->name, line) && within(p->value, line));
    must(utf8_printable(p->name) && utf8_printable(p->value));
    must(p->has_value || p->value.len == 0);
    must(slice_find(p->name, ' ') == p->name.len && slice_find(p->value, ' ') == p->value.len);
}

/* MAIL or RCPT, told again from the struct. */
static void check_said_again(const struct smtp_command *cmd, struct arena *arena)
{
    struct smtp_command again = {0};
    struct slice path = address_text(arena, &cmd->path);
    struct slice line = arena_printf(
        arena, "%s:<%.*s>", cmd->verb == VERB_MAIL ? "MAIL FROM" : "RCPT TO", SLICE_PRINTF(path));

    for (unsigned i = 0; i < cmd->param_count; i++) {
        const struct smtp_param *p = &cmd->params[i];

        line = arena_printf(arena, "%.*s %.*s%s%.*s", SLICE_PRINTF(line), SLICE_PRINTF(p->name),
                            p->has_value ? "=" : "", SLICE_PRINTF(p->value));
    }
    must(smtp_command_parse(line, arena, &again) == SMTP_COMMAND_OK);
    must(again.verb == cmd->verb && again.param_count == cmd->param_count);
    must(again.path.kind == cmd->path.kind && address_equal(&again.path, &cmd->path));
    for (unsigned i = 0; i < cmd->param_count; i++)
        must(slice_equal(again.params[i].name, cmd->params[i].name) &&
             slice_equal(again.params[i].value, cmd->params[i].value));
}

static void check_line(struct slice line, struct arena *arena)
{
    struct smtp_command cmd = {0};
    enum smtp_command_fault fault = smtp_command_parse(line, arena, &cmd);

    must(cmd.param_count <= SMTP_PARAMS_MAX);
    must(within(cmd.name, line) && within(cmd.argument, line));
    must((unsigned)cmd.verb < VERB_COUNT);
    if (fault != SMTP_COMMAND_OK)
        return;
    must(utf8_printable(line) && cmd.verb != VERB_UNKNOWN);
    for (unsigned i = 0; i < cmd.param_count; i++)
        check_param(&cmd.params[i], line);
    if (cmd.verb == VERB_MAIL || cmd.verb == VERB_RCPT)
        check_said_again(&cmd, arena);
}

void fuzz_input(struct slice input)
{
    struct cursor c = {input};
    struct slice opening = openings[fuzz_choice(&c) % (sizeof(openings) / sizeof(*openings))];
    struct arena arena;
    struct buf line;

    arena_init(&arena);
    buf_init(&line, 4096);
    if (opening.len == 0)
        check_line(c.rest, &arena); /* in place: the fence is behind it */
    else if (buf_append(&line, opening) && buf_append(&line, c.rest))
        check_line(buf_slice(&line), &arena);
    buf_done(&line);
    arena_done(&arena);
}
