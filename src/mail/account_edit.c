/*
 * account_edit.c - what is before the line, the line anew, what is behind it.
 *
 * "Disabled" is Dovecot's extra field nologin, not a "!" before the hash as in shadow: Dovecot, who
 * may read the same file, would take that for a hash of a scheme that it does not know.
 */
#include "mail/account_edit.h"

#include "mail/account_line.h"
#include "mail/table.h"

static bool name_key(struct slice name, struct table_key *key, struct arena *scratch)
{
    struct address who;

    return address_parse(name, scratch, &who) && table_key_of(key, &who, scratch);
}

/* A name with a colon would end too early; "#" begins a comment. */
static bool name_fits(struct slice name)
{
    return slice_find(name, ':') == name.len && !slice_starts(name, SLICE("#"));
}

static bool find_line(struct slice text, const struct table_key *key, struct slice *out)
{
    struct arena scratch = {0}, told = {0};
    struct complaints ignored = {.arena = &told};
    struct table_reader r = table_reader_of(text, &ignored);
    struct table_line line;
    struct table_key other;
    bool found = false;

    while (!found && table_next_line(&r, &line)) {
        found = name_key(account_line_of(line.text).name, &other, &scratch) &&
                slice_equal(table_key_slice(&other), table_key_slice(key));
        *out = line.text;
        arena_reset(&scratch);
    }
    arena_done(&scratch);
    arena_done(&told);
    return found;
}

/* ---- the line ---- */

static bool put_fields(struct buf *out, struct slice extra, struct slice added)
{
    return buf_append(out, extra) &&
           (extra.len == 0 || slice_ends(extra, SLICE(" ")) || buf_append_char(out, ' ')) &&
           buf_append(out, added);
}

/* Every field of that name, with the space before it, or behind it where it is the first. */
static bool put_without(struct buf *out, struct slice extra, struct slice name)
{
    struct slice rest = extra, field, before;

    while (account_field_find(rest, name, &field)) {
        before = slice_head(rest, (size_t)(field.data - rest.data));
        rest = slice_skip(rest, before.len + field.len);
        if (slice_ends(before, SLICE(" ")))
            before.len--;
        else if (before.len == 0 && slice_starts(rest, SLICE(" ")))
            rest = slice_skip(rest, 1);
        if (!buf_append(out, before))
            return false;
    }
    return buf_append(out, rest);
}

static bool put_colons(struct buf *out, unsigned count)
{
    while (count-- > 0)
        if (!buf_append_char(out, ':'))
            return false;
    return true;
}

/* uid to shell, with the colons on both sides. */
static bool put_middle(struct buf *out, const struct account_line *l, struct slice line)
{
    size_t begin = l->name.len + (l->colons > 0 ? 1 : 0) + l->password.len;

    return buf_append(out, slice_head(slice_skip(line, begin), line.len - begin - l->extra.len)) &&
           put_colons(out, l->colons == 0 ? ACCOUNT_COLONS - 1 : ACCOUNT_COLONS - l->colons);
}

static bool put_scram(struct buf *out, struct slice extra, struct slice keys)
{
    struct buf others, field;
    bool fits;

    buf_init(&others, extra.len + 1);
    buf_init(&field, account_field_scram.len + keys.len + 2);
    fits = put_without(&others, extra, account_field_scram);
    if (fits && keys.len > 0)
        fits = buf_append(&field, account_field_scram) && buf_append_char(&field, '=') &&
               buf_append(&field, keys) && put_fields(out, buf_slice(&others), buf_slice(&field));
    else if (fits)
        fits = buf_append(out, buf_slice(&others));
    buf_wipe(&others);
    buf_wipe(&field);
    return fits;
}

/* Without its line end. */
static bool put_line(struct buf *out, struct slice line, const struct account_edit *e)
{
    struct account_line l = account_line_of(line);
    bool secret = e->change == ACCOUNT_ADD || e->change == ACCOUNT_PASSWORD;

    if (!buf_append(out, l.name) || !buf_append_char(out, ':') ||
        !buf_append(out, secret ? e->password : l.password) || !put_middle(out, &l, line))
        return false;
    if (secret)
        return put_scram(out, l.extra, e->scram);
    if (e->change == ACCOUNT_DISABLE)
        return put_fields(out, l.extra, account_field_nologin);
    return put_without(out, l.extra, account_field_nologin);
}

/* ---- the text ---- */

static enum account_edited add(struct slice text, const struct account_edit *e, struct buf *out)
{
    /* As the others' line ends are. */
    struct slice end = slice_ends(text, SLICE("\r\n")) ? SLICE("\r\n") : SLICE("\n");
    bool open = text.len > 0 && !slice_ends(text, SLICE("\n"));

    return buf_append(out, text) && (!open || buf_append(out, end)) && put_line(out, e->name, e) &&
                   buf_append(out, end)
               ? ACCOUNT_EDITED
               : ACCOUNT_TOO_LONG;
}

static enum account_edited change(struct slice text, struct slice line,
                                  const struct account_edit *e, struct buf *out)
{
    size_t begin = (size_t)(line.data - text.data);
    struct slice behind = slice_skip(text, begin + line.len), field;
    bool disabled = account_field_find(account_line_of(line).extra, account_field_nologin, &field);
    bool same =
        (e->change == ACCOUNT_DISABLE && disabled) || (e->change == ACCOUNT_ENABLE && !disabled);
    bool fits;

    if (same)
        return buf_append(out, text) ? ACCOUNT_SAME : ACCOUNT_TOO_LONG;
    fits = buf_append(out, slice_head(text, begin));
    if (e->change == ACCOUNT_DELETE)
        behind = slice_skip(behind, slice_find(behind, '\n') + 1);
    else
        fits = fits && put_line(out, line, e);
    return fits && buf_append(out, behind) ? ACCOUNT_EDITED : ACCOUNT_TOO_LONG;
}

enum account_edited account_edit(struct slice text, const struct account_edit *edit,
                                 struct buf *out)
{
    struct arena scratch = {0};
    struct table_key key;
    struct slice line;
    bool named = name_fits(edit->name) && name_key(edit->name, &key, &scratch);
    bool found = named && find_line(text, &key, &line);
    enum account_edited result = ACCOUNT_MISSING;

    if (!named)
        result = ACCOUNT_BAD_NAME;
    else if (found && edit->change == ACCOUNT_ADD)
        result = ACCOUNT_EXISTS;
    else if (edit->change == ACCOUNT_ADD)
        result = add(text, edit, out);
    else if (found)
        result = change(text, line, edit, out);
    arena_done(&scratch);
    return result;
}
