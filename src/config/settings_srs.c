/*
 * settings_srs.c - `srs`: the secrets of our return paths, one a line, as postsrsd keeps them.
 *
 * A new one is written above the old ones: what was signed with these comes home for three weeks.
 */
#include "config/settings_internal.h"

enum { SRS_SECRET_MIN = 8, SRS_SECRET_MAX = 1024, SRS_TEXT_MAX = SRS_SECRETS_MAX * 1026 };

static bool is_secret(struct slice line)
{
    for (size_t i = 0; i < line.len; i++)
        if ((unsigned char)line.data[i] < ' ' || line.data[i] == 127)
            return false;
    return line.len >= SRS_SECRET_MIN && line.len <= SRS_SECRET_MAX;
}

/* The slices are of the settings' own copy. */
static bool take_secrets(struct settings_srs *srs, struct slice text)
{
    struct slice line;

    buf_init(&srs->text, SRS_TEXT_MAX);
    if (!buf_append(&srs->text, text))
        return false;
    text = buf_slice(&srs->text);
    while (text.len > 0) {
        if (!slice_cut(text, '\n', &line, &text)) {
            line = text;
            text = SLICE("");
        }
        if (slice_ends(line, SLICE("\r")))
            line = slice_head(line, line.len - 1);
        if (!is_secret(line) || srs->count == SRS_SECRETS_MAX)
            return false;
        srs->list[srs->count++] = line;
    }
    return srs->count > 0;
}

bool parser_set_srs(struct parser *p, struct place word, const struct value *values)
{
    const struct value *path = &values[0];
    const struct source *source = sources_get(&p->sources, path->text);

    (void)word;
    p->settings->srs.path = path->text;
    if (source == NULL || (source->flags & SOURCE_WITHHELD) != 0)
        return true;
    if (!desk_was_read(&p->desk, path->place, source, SLICE("")))
        return false;
    if ((source->flags & SOURCE_FOR_ALL) != 0)
        desk_error(&p->desk, path->place, SLICE("everybody on this machine may read these secrets"),
                   arena_printf(p->desk.scratch, "type: chmod o-r %.*s", SLICE_PRINTF(path->text)));
    return take_secrets(&p->settings->srs, source->text) ||
           desk_error(&p->desk, path->place,
                      arena_printf(p->desk.scratch, "%.*s holds something that is no secret",
                                   SLICE_PRINTF(path->text)),
                      SLICE("write lines of 8 to 1024 bytes, up to 16 of them, and nothing else: "
                            "openssl rand -base64 24"));
}

bool settings_is_srs_secret(const struct settings *s, struct slice path)
{
    return s->srs.path.len > 0 && slice_equal(s->srs.path, path);
}
