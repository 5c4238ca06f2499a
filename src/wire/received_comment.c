/*
 * received_comment.c - what servers write into the comments of a Received field.
 *
 * Nested comments are no different from the one around them: words are words, and parentheses end
 * them as blanks do. A word is understood by its form, or by the word in front of it. Nothing is
 * taken for a name in the DNS that has no dot: there stand words such as "unknown", "unverified"
 * and "localhost", too.
 */
#include "wire/received_comment.h"

#include "base/cursor.h"
#include "wire/address.h"
#include "wire/chars.h"

/* What the word at hand is, because of the one in front of it. */
enum due {
    DUE_NOTHING,
    DUE_HELO,
    DUE_CIPHER,
};

struct scan {
    struct received_comment *out;
    struct arena *arena;
    struct slice before; /* the word in front, if it may be a host */
    enum due due;
};

static void put_if_empty(struct slice *field, struct slice value)
{
    if (field->len == 0)
        *field = value;
}

static bool is_gap(char c)
{
    return char_is(c, CHAR_BLANK) || c == '(' || c == ')' || c == ',' || c == ';' || c == '"';
}

static bool is_no_gap(char c)
{
    return !is_gap(c);
}

/* --- TLS --- */

static bool is_cipher_byte(char c)
{
    return char_is(c, CHAR_LETDIG) || c == '-' || c == '_';
}

/* Names of ciphers have parts; "OTHER" is none. */
static void put_cipher(struct scan *s, struct slice word)
{
    struct cursor c = {word};

    take_while(&c, is_cipher_byte);
    if (cursor_at_end(&c) && (slice_find(word, '-') < word.len || slice_find(word, '_') < word.len))
        put_if_empty(&s->out->tls_cipher, word);
}

/* "TLSv1.3", "TLS1_2", "TLS-1.0", "TLSv1", "SSLv3" at the beginning. */
static bool take_version(struct cursor *c, struct slice *out)
{
    static const struct slice minors[] = {SLICE_INIT("TLSv1.0"), SLICE_INIT("TLSv1.1"),
                                          SLICE_INIT("TLSv1.2"), SLICE_INIT("TLSv1.3")};
    unsigned minor = 0;

    if (take_word(c, SLICE("SSLv3"))) {
        *out = SLICE("SSLv3");
        return true;
    }
    if (!take_word(c, SLICE("TLS")))
        return false;
    if (!take_word(c, SLICE("v")))
        take_char(c, '-');
    if (!take_char(c, '1'))
        return false;
    if ((take_char(c, '.') || take_char(c, '_')) && (!take_digits(c, 1, &minor) || minor > 3))
        return false;
    *out = minors[minor];
    return true;
}

/* Alone, with what else it might be behind "/", or as "VERSION:CIPHER:BITS". */
static bool read_version(struct scan *s, struct slice word)
{
    struct cursor c = {word};
    struct slice version, cipher;

    if (!take_version(&c, &version))
        return false;
    if (take_char(&c, ':')) {
        if (!take_until(&c, ':', &cipher))
            cipher = c.rest;
        put_cipher(s, cipher);
    } else if (!cursor_at_end(&c) && cursor_peek(&c) != '/') {
        return false;
    }
    put_if_empty(&s->out->tls_version, version);
    return true;
}

/* --- the client --- */

static bool is_name_byte(char c)
{
    return char_is(c, CHAR_LETDIG | CHAR_HIGH) || c == '-' || c == '.' || c == '_';
}

static bool is_dns_name(struct slice word)
{
    struct cursor c = {word};

    take_while(&c, is_name_byte);
    return cursor_at_end(&c) && word.len <= DOMAIN_MAX && slice_find(word, '.') < word.len;
}

/* An address as it is written, or with the port behind it. */
static bool ip_parse(struct slice text, struct arena *arena, struct slice *out)
{
    unsigned char ipv4[4], ipv6[16];
    struct slice head, port;
    struct cursor c = {text};

    if (slice_cut(text, ':', &head, &port) && ipv4_parse(head, ipv4))
        text = head;
    if (ipv4_parse(text, ipv4))
        return literal_parse(text, arena, out);
    take_word(&c, SLICE("IPv6:"));
    if (!ipv6_parse(c.rest, ipv6) ||
        !literal_parse(arena_printf(arena, "IPv6:%.*s", SLICE_PRINTF(c.rest)), arena, out))
        return false;
    *out = slice_skip(*out, sizeof("IPv6:") - 1);
    return true;
}

/* The word in front of an address: "name", "<name>", "user@name" or "user@". */
static void put_owner(struct scan *s, struct slice word)
{
    struct slice name = word;
    size_t at = slice_rfind(word, '@');

    if (at < word.len) {
        put_if_empty(&s->out->ident, slice_head(word, at));
        name = slice_skip(word, at + 1);
    }
    if (slice_starts(name, SLICE("<")) && slice_ends(name, SLICE(">")))
        name = slice_head(slice_skip(name, 1), name.len - 2);
    if (is_dns_name(name))
        s->out->dns_name = name;
}

/* "192.0.2.1", "[192.0.2.1]", "name[192.0.2.1]:25", "user@192.0.2.1", ...: it is the first. */
static bool read_address(struct scan *s, struct slice word)
{
    struct slice owner = s->before, text = word;
    size_t open = slice_find(word, '['), at = slice_rfind(word, '@');

    if (s->out->address.len > 0)
        return false;
    if (open < word.len) {
        text = slice_skip(word, open + 1);
        text = slice_head(text, slice_find(text, ']'));
        owner = open > 0 ? slice_head(word, open) : owner;
    } else if (at < word.len) {
        text = slice_skip(word, at + 1);
        owner = slice_head(word, at + 1);
    }
    if (!ip_parse(text, s->arena, &s->out->address))
        return false;
    put_owner(s, owner);
    return true;
}

/* --- words --- */

/* "name=value" */
static void read_attribute(struct scan *s, struct slice name, struct slice value)
{
    if (slice_equal_nocase(name, SLICE("helo")))
        put_if_empty(&s->out->helo, value);
    else if (slice_equal_nocase(name, SLICE("ident")))
        put_if_empty(&s->out->ident, value);
    else if (slice_equal_nocase(name, SLICE("version")))
        (void)read_version(s, value);
    else if (slice_equal_nocase(name, SLICE("cipher")))
        put_cipher(s, value);
}

/* "128bits" in front of a cipher */
static bool is_bits(struct slice word)
{
    struct cursor c = {word};
    uint64_t bits;

    return take_number(&c, &bits) && take_word(&c, SLICE("bits")) && cursor_at_end(&c);
}

static enum due due_behind(struct slice word)
{
    if (slice_equal_nocase(word, SLICE("HELO")) || slice_equal_nocase(word, SLICE("EHLO")))
        return DUE_HELO;
    if (slice_equal_nocase(word, SLICE("cipher")) || is_bits(word))
        return DUE_CIPHER;
    return DUE_NOTHING;
}

static void read_word(struct scan *s, struct slice word)
{
    enum due due = s->due;
    struct slice name, value;

    s->due = due_behind(word);
    if (due == DUE_HELO) {
        put_if_empty(&s->out->helo, word);
        s->due = DUE_NOTHING;
    } else if (slice_cut(word, '=', &name, &value)) {
        read_attribute(s, name, value);
    } else if (!read_version(s, word)) {
        if (due == DUE_CIPHER)
            put_cipher(s, word);
        else if (!read_address(s, word))
            s->before = word;
    }
}

void received_comment_read(struct slice text, struct arena *arena, struct received_comment *out)
{
    struct scan s = {.out = out, .arena = arena};
    struct cursor c = {text};

    *out = (struct received_comment){0};
    for (take_while(&c, is_gap); !cursor_at_end(&c); take_while(&c, is_gap))
        read_word(&s, take_while(&c, is_no_gap));
}
