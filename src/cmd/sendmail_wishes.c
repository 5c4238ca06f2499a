/*
 * sendmail_wishes.c - the same wish for every recipient: a command line has no others.
 */
#include "cmd/sendmail_wishes.h"

#include "base/codec.h"

static bool is_notify(struct slice wanted)
{
    struct slice word;

    if (slice_equal_nocase(wanted, SLICE("never")))
        return true;
    while (wanted.len > 0) {
        size_t comma = slice_find(wanted, ',');

        word = slice_head(wanted, comma);
        wanted = slice_skip(wanted, comma + 1);
        if (!slice_equal_nocase(word, SLICE("success")) &&
            !slice_equal_nocase(word, SLICE("failure")) &&
            !slice_equal_nocase(word, SLICE("delay")))
            return false;
    }
    return true;
}

static const char *problem_of(const struct sendmail_options *o, struct slice returned,
                              struct arena *arena)
{
    struct slice said;

    if (o->notify != NULL && !is_notify(slice_of(o->notify))) {
        said = arena_printf(arena, "-N %s: write never, or some of success,failure,delay%c",
                            o->notify, 0);
        return said.data;
    }
    if (returned.len > 0 && !slice_equal_nocase(returned, SLICE("full")) &&
        !slice_equal_nocase(returned, SLICE("hdrs"))) {
        said = arena_printf(arena, "-R %s: write full or hdrs%c", o->returned, 0);
        return said.data;
    }
    if (o->envid != NULL && slice_of(o->envid).len > ENVID_MAX) {
        said = arena_printf(arena, "-V: at most %d characters%c", ENVID_MAX, 0);
        return said.data;
    }
    return NULL;
}

static struct slice mail_params(const struct sendmail_options *o, struct slice returned,
                                struct arena *arena)
{
    struct slice params;
    struct buf text;

    buf_init(&text, CLIENT_PARAMS_MAX);
    if (returned.len > 0)
        buf_printf(&text, " RET=%.*s", SLICE_PRINTF(returned));
    if (o->envid != NULL && buf_append(&text, SLICE(" ENVID=")))
        xtext_encode(&text, slice_of(o->envid));
    params = arena_copy(arena, buf_slice(&text));
    buf_done(&text);
    return params;
}

const char *sendmail_wishes_write(const struct sendmail_options *o, struct arena *arena,
                                  struct client_message *m)
{
    struct slice returned = slice_of(o->returned != NULL ? o->returned : ""), notify = SLICE("");
    struct slice *params = ARENA_ARRAY(arena, struct slice, m->rcpt_count);
    const char *problem = problem_of(o, returned, arena);

    if (problem != NULL)
        return problem;
    if (o->notify != NULL)
        notify = arena_printf(arena, " NOTIFY=%s", o->notify);
    for (unsigned i = 0; i < m->rcpt_count; i++)
        params[i] = notify;
    m->mail_params = mail_params(o, returned, arena);
    m->rcpt_params = params;
    m->params_need = EHLO_DSN;
    return NULL;
}
