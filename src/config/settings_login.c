/*
 * settings_login.c - `user`: who we are to the servers of a relay, and the secret that proves it.
 *
 * A password is worth as much as the way it goes: with a user the certificate is verified unless
 * another word stands there, and what would show it to whoever listens is an error. Servers that
 * are found by MX are anybody's, so nobody logs in there.
 */
#include "config/settings_internal.h"

#include <string.h>

enum { SECRET_MAX = 1024 };

/* ---- the secret ---- */

static struct slice first_line(struct slice text)
{
    struct slice line = slice_head(text, slice_find(text, '\n'));

    return slice_ends(line, SLICE("\r")) ? slice_head(line, line.len - 1) : line;
}

static bool is_secret(struct slice line)
{
    for (size_t i = 0; i < line.len; i++)
        if ((unsigned char)line.data[i] < ' ' || line.data[i] == 127)
            return false;
    return line.len > 0 && line.len <= SECRET_MAX;
}

bool parser_read_secret(struct parser *p, const struct value *path, const char *what,
                        struct buf *out)
{
    const struct source *source = sources_get(&p->sources, path->text);
    struct slice line;

    if (source == NULL || (source->flags & SOURCE_WITHHELD) != 0)
        return true;
    if (!desk_was_read(&p->desk, path->place, source, SLICE("")))
        return false;
    if ((source->flags & SOURCE_FOR_ALL) != 0)
        desk_error(
            &p->desk, path->place,
            arena_printf(p->desk.scratch, "everybody on this machine may read this %s", what),
            arena_printf(p->desk.scratch, "type: chmod o-r %.*s", SLICE_PRINTF(path->text)));
    line = first_line(source->text);
    if (!is_secret(line))
        return desk_error(
            &p->desk, path->place,
            arena_printf(p->desk.scratch, "the first line of %.*s is no %s",
                         SLICE_PRINTF(path->text), what),
            SLICE("write it there as text of up to 1024 bytes, and nothing before it"));
    buf_init(out, SECRET_MAX);
    (void)buf_reserve(out, SECRET_MAX); /* so that it never moves */
    return buf_append(out, line);
}

bool parser_set_user(struct parser *p, struct place word, const struct value *values)
{
    struct relay_login *login;

    p->draft.relay->user = values[0].text;
    p->draft.user = word;
    if (values[1].text.len == 0)
        return true;
    login = ARENA_NEW(&p->settings->arena, struct relay_login);
    *login = (struct relay_login){.next = p->settings->logins, .path = values[1].text};
    p->settings->logins = login;
    p->draft.relay->login = login;
    return parser_read_secret(p, &values[1], "password", &login->secret);
}

/* ---- the block as a whole ---- */

static bool stays_here(const struct relay *relay)
{
    for (size_t i = 0; i < relay->host_count; i++)
        if (!route_target_is_here(&relay->hosts[i]))
            return false;
    return true;
}

bool parser_relay_is_whole(const struct parser *p)
{
    return desk_errors(&p->desk, p->draft.word) == p->draft.errors;
}

static const char *proof_of(const struct relay *relay)
{
    return relay->oauth != NULL ? "token" : "password";
}

static void check_tls(struct parser *p)
{
    const char *what = proof_of(p->draft.relay);
    struct place tls = p->draft.tls;

    switch (p->draft.relay->tls) {
    case RELAY_TLS_OFF:
    case RELAY_TLS_OPTIONAL:
        desk_error(&p->desk, tls,
                   arena_printf(p->desk.scratch, "a %s goes to another machine by TLS only", what),
                   SLICE("write: tls verified"));
        break;
    case RELAY_TLS_REQUIRED:
    case RELAY_TLS_IMPLICIT:
        desk_warning(&p->desk, tls,
                     arena_printf(p->desk.scratch,
                                  "any certificate will do: the %s is shown to whoever stands "
                                  "between",
                                  what),
                     SLICE("write: tls verified"));
        break;
    case RELAY_TLS_VERIFIED: break;
    }
}

void parser_finish_login(struct parser *p)
{
    struct relay *relay = p->draft.relay;

    parser_finish_oauth(p);
    if (relay->user.len == 0)
        return;
    if (relay->login == NULL && relay->oauth == NULL && parser_relay_is_whole(p))
        desk_error(&p->desk, p->draft.user, SLICE("nothing proves that we are this user"),
                   SLICE("write: user NAME file:PATH, or add a block oauth2"));
    if (p->draft.tls.line == 0)
        relay->tls = RELAY_TLS_VERIFIED;
    if (relay->host_count == 0)
        desk_error(&p->desk, p->draft.user,
                   arena_printf(p->desk.scratch,
                                "servers found by MX are strangers: they get no %s",
                                proof_of(relay)),
                   SLICE("add: host NAME"));
    else if (!stays_here(relay))
        check_tls(p);
}

/* ---- who is told ---- */

bool settings_is_login_secret(const struct settings *s, struct slice path)
{
    for (const struct relay_login *one = s->logins; one != NULL; one = one->next)
        if (slice_equal(one->path, path))
            return true;
    return false;
}

bool settings_is_secret_file(const struct settings *s, struct slice path)
{
    return settings_is_login_secret(s, path) || settings_is_client_secret(s, path) ||
           settings_is_introspection_secret(s, path) || settings_is_srs_secret(s, path);
}
