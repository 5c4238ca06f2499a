/*
 * mailbox_path.c - hostile names made into safe path components.
 *
 * Letters, digits and "._+-" stand for themselves; every other byte becomes %XX, and so does a
 * dot where a component or a replaced name begins. That keeps "/", NUL, "." and ".." out, and it
 * is one-to-one: what arrives for one address can never land in another's mailbox. For the same
 * reason a component that grows over COMPONENT_MAX is not cut or hashed but goes on in a further
 * one; the first then ends in a lone "%", which no name can produce, so no mailbox is ever the
 * folder of another.
 */
#include "mail/mailbox_path.h"

#include "wire/chars.h"

enum {
    COMPONENT_MAX = 200, /* file systems allow 255; Maildir tools want some of it */
    PATH_LEN_MAX = 4096,
};

/* The path so far. Once something did not fit, the rest is dropped and `fits` stays false. */
struct path_writer {
    struct buf out;
    size_t component_len;
    bool continued; /* the component is the second or later part of a long one */
    bool fits;
};

static void add(struct path_writer *w, struct slice text)
{
    w->fits = w->fits && buf_append(&w->out, text);
    w->component_len += text.len;
}

static void next_component(struct path_writer *w, bool continued)
{
    add(w, SLICE("/"));
    w->component_len = 0;
    w->continued = continued;
}

/* One character of a component: a byte, or its %XX. */
static void add_unit(struct path_writer *w, char c, bool encoded)
{
    static const char hex[] = "0123456789ABCDEF";
    unsigned char byte = (unsigned char)c;
    char quoted[3] = {'%', hex[byte >> 4], hex[byte & 15]};

    if (w->component_len + sizeof(quoted) >= COMPONENT_MAX) {
        add(w, SLICE("%"));
        next_component(w, true);
    }
    if (w->continued && w->component_len == 0 && c == '.')
        encoded = true;
    add(w, encoded ? (struct slice){quoted, sizeof(quoted)} : (struct slice){&c, 1});
}

static bool is_plain(char c)
{
    return char_is(c, CHAR_LETDIG) || c == '.' || c == '_' || c == '+' || c == '-';
}

/* An empty name ("\"\"@example.org" is legal) becomes a lone "%". */
static void add_name(struct path_writer *w, struct slice name)
{
    if (name.len == 0)
        add(w, SLICE("%"));
    for (size_t i = 0; i < name.len; i++)
        add_unit(w, name.data[i], !is_plain(name.data[i]) || (i == 0 && name.data[i] == '.'));
}

/* ---- the names in braces ---- */

static void add_domain(struct path_writer *w, const struct address *rcpt, struct arena *arena)
{
    struct slice ascii;

    if (rcpt->kind == ADDRESS_LITERAL) { /* "192.0.2.1" may also be the name of a domain */
        add_name(w, SLICE("["));
        add_name(w, arena_lower(arena, rcpt->domain));
        add_name(w, SLICE("]"));
        return;
    }
    if (!domain_to_ascii(rcpt->domain, arena, &ascii))
        ascii = rcpt->domain;
    add_name(w, arena_lower(arena, ascii));
}

static void add_user(struct path_writer *w, const struct address *rcpt, struct arena *arena)
{
    size_t plus = slice_find(rcpt->local, '+');

    add_name(w, arena_lower(arena, plus > 0 ? slice_head(rcpt->local, plus) : rcpt->local));
}

static void add_local(struct path_writer *w, const struct address *rcpt, struct arena *arena)
{
    (void)arena;
    add_name(w, rcpt->local);
}

static const struct {
    struct slice name;
    void (*add)(struct path_writer *w, const struct address *rcpt, struct arena *arena);
} names[] = {
    {SLICE_INIT("domain"), add_domain},
    {SLICE_INIT("user"),   add_user  },
    {SLICE_INIT("local"),  add_local },
};

static bool add_named(struct path_writer *w, struct slice name, const struct address *rcpt,
                      struct arena *arena)
{
    for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
        if (slice_equal(name, names[i].name)) {
            names[i].add(w, rcpt, arena);
            return true;
        }
    }
    return false;
}

static bool add_template(struct path_writer *w, struct slice rest, const struct address *rcpt,
                         struct arena *arena)
{
    struct cursor c = {rest};
    struct slice name;
    char byte;

    while (take_any(&c, &byte)) {
        if (byte == '}')
            return false;
        if (byte == '/')
            next_component(w, false);
        else if (byte != '{')
            add_unit(w, byte, false);
        else if (!take_until(&c, '}', &name) || !take_char(&c, '}') ||
                 !add_named(w, name, rcpt, arena))
            return false;
    }
    return w->fits;
}

/* ---- templates ---- */

static bool component_is_safe(struct slice component)
{
    if (component.len == 0 || component.len > COMPONENT_MAX)
        return false;
    for (size_t i = 0; i < component.len; i++) {
        if (char_is(component.data[i], CHAR_CTL))
            return false;
    }
    return !slice_equal(component, SLICE(".")) && !slice_equal(component, SLICE(".."));
}

static bool components_are_safe(struct slice path)
{
    struct slice component;

    while (slice_cut(path, '/', &component, &path)) {
        if (!component_is_safe(component))
            return false;
    }
    return component_is_safe(path);
}

bool mailbox_template_split(struct slice path, struct slice *root, struct slice *rest)
{
    size_t cut;

    if (!slice_starts(path, SLICE("/")) || !components_are_safe(slice_skip(path, 1)))
        return false;
    cut = slice_rfind(slice_head(path, slice_find(path, '{')), '/');
    *root = slice_head(path, cut > 0 ? cut : 1);
    *rest = slice_skip(path, cut + 1);
    return true;
}

bool mailbox_path_expand(struct slice rest, const struct address *rcpt, struct arena *arena,
                         struct slice *out)
{
    struct path_writer w = {.fits = true};
    bool whole;

    if (rcpt->domain.len == 0 || !components_are_safe(rest))
        return false;
    buf_init(&w.out, PATH_LEN_MAX);
    whole = add_template(&w, rest, rcpt, arena);
    if (whole)
        *out = arena_copy(arena, buf_slice(&w.out));
    buf_done(&w.out);
    return whole;
}
