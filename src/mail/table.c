/*
 * table.c - lines with places, and keys.
 *
 * Keys begin with the domain: "example.org@bob", "@bob" for the bare name, "example.org" for the
 * domain as a whole. A domain holds no "@", so no two names share a key, whatever a quoted local
 * part is made of.
 */
#include "mail/table.h"

#include "wire/chars.h"
#include "wire/utf8.h"

#include <string.h>

/* ---- lines ---- */

static bool is_plain(struct slice text)
{
    for (size_t i = 0; i < text.len; i++)
        if (!char_is(text.data[i], CHAR_PRINT | CHAR_BLANK))
            return false;
    return true;
}

/* A byte order mark in the middle would be a part of a name that nobody sees. */
static bool is_clean(uint32_t code)
{
    return code == '\t' || (code >= 0x20 && code < 0x7f) || (code >= 0xa0 && code != 0xfeff);
}

/* The first character that is not clean text; false: all are. */
static bool find_dirt(struct slice text, struct slice *out, bool *is_control)
{
    struct cursor c = {text};
    uint32_t code;

    while (!cursor_at_end(&c)) {
        struct slice before = c.rest;
        bool valid = take_utf8(&c, &code);

        if (valid && is_clean(code))
            continue;
        *out = slice_head(before, 1);
        *is_control = valid;
        return true;
    }
    return false;
}

static bool check_clean(struct table_reader *r, const struct table_line *line)
{
    struct slice dirt;
    bool is_control;

    if (is_plain(line->text) || !find_dirt(line->text, &dirt, &is_control))
        return true;
    complain(r->complaints, SEVERITY_ERROR, table_place(line, dirt),
             is_control ? SLICE("a control character") : SLICE("bytes that are not UTF-8"),
             SLICE("write plain UTF-8 text"));
    return false;
}

static void take_line(struct table_reader *r, struct table_line *out)
{
    if (!slice_cut(r->rest, '\n', &out->text, &r->rest)) {
        out->text = r->rest;
        r->rest = slice_skip(r->rest, r->rest.len);
    }
    if (slice_ends(out->text, SLICE("\r")))
        out->text = slice_head(out->text, out->text.len - 1);
    out->number = ++r->number;
}

struct table_reader table_reader_of(struct slice text, struct complaints *complaints)
{
    struct slice bom = SLICE("\xef\xbb\xbf");

    return (struct table_reader){slice_skip(text, slice_starts(text, bom) ? bom.len : 0), 0,
                                 complaints};
}

bool table_next_line(struct table_reader *r, struct table_line *out)
{
    while (r->rest.len > 0) {
        take_line(r, out);

        struct slice content = slice_trim(out->text);
        if (content.len > 0 && content.data[0] != '#' && check_clean(r, out))
            return true;
    }
    return false;
}

static unsigned count_chars(struct slice text)
{
    unsigned count = 0;

    for (size_t i = 0; i < text.len; i++)
        count += ((unsigned char)text.data[i] & 0xc0) != 0x80;
    return count;
}

struct slice table_line_word(const struct table_line *line)
{
    struct slice text = slice_trim(line->text);

    for (size_t i = 1; i < text.len; i++)
        if (text.data[i] == '#' && (text.data[i - 1] == ' ' || text.data[i - 1] == '\t'))
            return slice_trim(slice_head(text, i));
    return text;
}

struct place table_place(const struct table_line *line, struct slice part)
{
    struct slice before = slice_head(line->text, (size_t)(part.data - line->text.data));
    unsigned width = count_chars(part);

    return (struct place){
        .line = line->number, .column = count_chars(before) + 1, .width = width > 0 ? width : 1};
}

/* ---- keys ---- */

static void put(struct table_key *key, struct slice text)
{
    for (size_t i = 0; i < text.len && key->len < TABLE_KEY_MAX; i++)
        key->bytes[key->len++] = byte_lower(text.data[i]);
}

static void put_domain(struct table_key *key, const struct address *a)
{
    bool literal = a->kind == ADDRESS_LITERAL;

    put(key, literal ? SLICE("[") : SLICE(""));
    put(key, a->domain);
    put(key, literal ? SLICE("]") : SLICE(""));
}

static void make_key(struct table_key *key, const struct address *a, struct slice local)
{
    key->len = 0;
    if (a->kind != ADDRESS_BARE)
        put_domain(key, a);
    put(key, SLICE("@"));
    put(key, local);
}

bool table_key_of(struct table_key *key, const struct address *a, struct arena *scratch)
{
    struct address form = *a;

    if (a->kind == ADDRESS_MAILBOX && !domain_to_ascii(a->domain, scratch, &form.domain))
        return false;
    make_key(key, &form, a->local);
    return key->len < TABLE_KEY_MAX;
}

void table_key_of_domain(struct table_key *key, const struct address *a)
{
    key->len = 0;
    put_domain(key, a);
}

struct slice table_key_slice(const struct table_key *key)
{
    return (struct slice){key->bytes, key->len};
}

struct slice without_detail(struct slice local)
{
    size_t plus = slice_find(local, '+');

    return plus > 0 ? slice_head(local, plus) : local;
}

static bool find_as(const struct names *names, const struct address *a, struct slice local,
                    uint32_t *number)
{
    struct table_key key;

    make_key(&key, a, local);
    return names_find(names, table_key_slice(&key), number);
}

bool table_find(const struct names *names, const struct address *a, uint32_t *number)
{
    const struct address bare = {.kind = ADDRESS_BARE};
    struct slice name = without_detail(a->local);
    bool detail = name.len < a->local.len;

    return find_as(names, a, a->local, number) || (detail && find_as(names, a, name, number)) ||
           find_as(names, &bare, a->local, number) ||
           (detail && find_as(names, &bare, name, number));
}
