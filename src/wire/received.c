/*
 * received.c - the value of a Received field.
 *
 * A value is a run of words, and some of the words begin a clause. Which do is not obvious: a
 * client chooses its EHLO name, so "from by (mx [192.0.2.1]) by example.org" must not make it the
 * server. A clause's word that stands where a value is due begins a clause only when a value of its
 * own follows; or else it is the value.
 *
 * What never ends (a comment, a quote, an angle) takes all the rest, as in an address list, so that
 * nothing is looked through twice.
 */
#include "wire/received.h"

#include "wire/chars.h"
#include "wire/date.h"
#include "wire/header.h"
#include "wire/header_token.h"
#include "wire/received_comment.h"

enum { NO_CLAUSE = RECEIVED_CLAUSES };

static const struct slice clause_words[RECEIVED_CLAUSES] = {
    [RECEIVED_FROM] = SLICE_INIT("from"),   [RECEIVED_BY] = SLICE_INIT("by"),
    [RECEIVED_VIA] = SLICE_INIT("via"),     [RECEIVED_WITH] = SLICE_INIT("with"),
    [RECEIVED_ID] = SLICE_INIT("id"),       [RECEIVED_FOR] = SLICE_INIT("for"),
    [RECEIVED_TLS] = SLICE_INIT("tls"),     [RECEIVED_GROUP] = SLICE_INIT("group"),
    [RECEIVED_STATE] = SLICE_INIT("state"), [RECEIVED_PRIORITY] = SLICE_INIT("priority"),
};

/* --- tokens --- */

enum token_kind {
    TOKEN_WORD,      /* an atom, domain or addr-spec */
    TOKEN_ANGLE,     /* text: what is between "<" and ">" */
    TOKEN_LITERAL,   /* text: with its brackets */
    TOKEN_COMMENT,   /* text: what is between "(" and ")" */
    TOKEN_SEPARATOR, /* a comma, or a stray delimiter */
    TOKEN_SEMICOLON,
    TOKEN_END,
};

struct token {
    enum token_kind kind;
    struct slice text;
    struct slice whole;
};

static bool is_word_byte(char c)
{
    struct slice delimiters = SLICE(" \t()<>[]\",;");

    return slice_find(delimiters, c) == delimiters.len;
}

/* Quoted strings and a literal behind "@" belong to their word. False: one never ends. */
static bool take_word_bytes(struct cursor *c)
{
    struct slice start = c->rest, inside;

    for (;;) {
        size_t before = c->rest.len;
        take_while(c, is_word_byte);
        bool after_at = c->rest.len < start.len && start.data[start.len - c->rest.len - 1] == '@';
        if (cursor_peek(c) == '"' && !take_enclosed(c, '"', '"', &inside))
            return false;
        if (cursor_peek(c) == '[' && after_at && !take_enclosed(c, '[', ']', &inside))
            return false;
        if (c->rest.len == before)
            return true;
    }
}

/* False: it never ends. */
static bool take_token_of(struct cursor *c, struct token *t)
{
    switch (cursor_peek(c)) {
    case -1: t->kind = TOKEN_END; return true;
    case '(': t->kind = TOKEN_COMMENT; return take_enclosed(c, '(', ')', &t->text);
    case '<': t->kind = TOKEN_ANGLE; return take_angle(c, &t->text);
    case '[': t->kind = TOKEN_LITERAL; return take_enclosed(c, '[', ']', &t->text);
    case ';': t->kind = TOKEN_SEMICOLON; return take_char(c, ';');
    case ',':
    case ')':
    case '>':
    case ']':
        t->kind = TOKEN_SEPARATOR;
        c->rest = slice_skip(c->rest, 1);
        return true;
    default: t->kind = TOKEN_WORD; return take_word_bytes(c);
    }
}

static struct token take_token(struct cursor *c)
{
    struct token t = {0};

    take_blanks(c);
    t.whole = c->rest;
    if (!take_token_of(c, &t)) {
        c->rest.len = 0;
        return (struct token){.kind = TOKEN_END};
    }
    t.whole.len -= c->rest.len;
    if (t.kind == TOKEN_WORD || t.kind == TOKEN_LITERAL)
        t.text = t.whole;
    return t;
}

/* --- clauses --- */

struct reading {
    struct cursor c;
    struct arena *arena;
    struct received *out;
    unsigned clause; /* at hand, or NO_CLAUSE */
    bool has_value;  /* it has one */
    bool seen[RECEIVED_CLAUSES];
};

/* The clause that the word begins, or NO_CLAUSE. */
static unsigned clause_of(const struct token *t)
{
    for (unsigned i = 0; t->kind == TOKEN_WORD && i < RECEIVED_CLAUSES; i++)
        if (slice_equal_nocase(t->text, clause_words[i]))
            return i;
    return NO_CLAUSE;
}

/* The next token that is no comment may be a clause's value, and begins no clause. */
static bool value_follows(const struct reading *r)
{
    struct cursor c = r->c;
    struct token t;

    do
        t = take_token(&c);
    while (t.kind == TOKEN_COMMENT);
    return (t.kind == TOKEN_WORD && clause_of(&t) == NO_CLAUSE) || t.kind == TOKEN_ANGLE ||
           t.kind == TOKEN_LITERAL;
}

static bool begins_clause(const struct reading *r, unsigned clause)
{
    if (clause == NO_CLAUSE || (clause == RECEIVED_GROUP && r->out->clauses[RECEIVED_TLS].len == 0))
        return false;
    return r->clause == NO_CLAUSE || r->has_value || value_follows(r);
}

static void begin_clause(struct reading *r, unsigned clause)
{
    r->clause = r->seen[clause] ? (unsigned)NO_CLAUSE : clause;
    r->seen[clause] = true;
    r->has_value = false;
}

/* RFC 5321 4.4 "Protocol", as registered: RFC 3848, RFC 4954, RFC 6531. */
static bool is_registered_protocol(struct slice word)
{
    static const struct slice names[] = {
        SLICE_INIT("SMTP"),      SLICE_INIT("ESMTP"),      SLICE_INIT("ESMTPA"),
        SLICE_INIT("ESMTPS"),    SLICE_INIT("ESMTPSA"),    SLICE_INIT("LMTP"),
        SLICE_INIT("LMTPA"),     SLICE_INIT("LMTPS"),      SLICE_INIT("LMTPSA"),
        SLICE_INIT("MMS"),       SLICE_INIT("UTF8SMTP"),   SLICE_INIT("UTF8SMTPA"),
        SLICE_INIT("UTF8SMTPS"), SLICE_INIT("UTF8SMTPSA"), SLICE_INIT("UTF8LMTP"),
        SLICE_INIT("UTF8LMTPA"), SLICE_INIT("UTF8LMTPS"),  SLICE_INIT("UTF8LMTPSA"),
    };

    for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
        if (slice_equal_nocase(word, names[i]))
            return true;
    return false;
}

/* For = ( Path / Mailbox ): not a local part alone. */
static void read_rcpt(struct reading *r, const struct token *t)
{
    struct cursor c = {t->whole};
    struct address got;
    bool good = t->kind == TOKEN_ANGLE ? address_take_path(&c, r->arena, &got) && cursor_at_end(&c)
                                       : address_parse(t->text, r->arena, &got);

    if (good && got.kind != ADDRESS_BARE)
        r->out->rcpt = got;
}

static void put_if_empty(struct slice *field, struct slice value)
{
    if (field->len == 0)
        *field = value;
}

/* Only what stands behind "from" tells of the client. */
static void read_comment(struct reading *r, struct slice text)
{
    struct received_comment got;
    struct received *out = r->out;

    received_comment_read(text, r->arena, &got);
    put_if_empty(&out->tls_version, got.tls_version);
    put_if_empty(&out->tls_cipher, got.tls_cipher);
    if (r->clause != RECEIVED_FROM)
        return;
    if (out->from_address.len == 0)
        out->from_dns = got.dns_name; /* of this address, or "" */
    put_if_empty(&out->from_address, got.address);
    put_if_empty(&out->helo, got.helo);
    put_if_empty(&out->ident, got.ident);
}

/* A word, angle or literal that begins no clause. */
static void read_value(struct reading *r, const struct token *t)
{
    if (r->clause == NO_CLAUSE)
        return;
    struct slice *value = &r->out->clauses[r->clause];
    if (!r->has_value) {
        *value = t->text;
        r->has_value = true;
        if (r->clause == RECEIVED_FOR)
            read_rcpt(r, t);
    } else if (r->clause == RECEIVED_FROM && t->kind == TOKEN_LITERAL) {
        read_comment(r, t->text); /* TCP-info whose parentheses are missing */
    } else if (r->clause == RECEIVED_WITH && is_registered_protocol(t->text) &&
               !is_registered_protocol(*value)) {
        *value = t->text; /* "with Some Product's SMTP Server" */
    }
}

/* What is in front of the ";", which is taken. */
static void read_clauses(struct reading *r)
{
    for (;;) {
        struct token t = take_token(&r->c);
        unsigned clause = clause_of(&t);

        switch (t.kind) {
        case TOKEN_END:
        case TOKEN_SEMICOLON: return;
        case TOKEN_SEPARATOR: break;
        case TOKEN_COMMENT: read_comment(r, t.text); break;
        case TOKEN_WORD:
        case TOKEN_ANGLE:
        case TOKEN_LITERAL:
            if (begins_clause(r, clause))
                begin_clause(r, clause);
            else
                read_value(r, &t);
        }
    }
}

static bool has_clause(const struct received *hop)
{
    for (unsigned i = 0; i < RECEIVED_CLAUSES; i++)
        if (hop->clauses[i].len > 0)
            return true;
    return hop->from_address.len > 0;
}

bool received_parse(struct slice raw_value, struct arena *arena, struct received *out)
{
    struct received got = {0};
    struct reading r = {
        .c = {header_unfold(arena, raw_value)}, .arena = arena, .out = &got, .clause = NO_CLAUSE};

    read_clauses(&r);
    got.has_date = date_parse_rfc5322(r.c.rest, &got.wall_us, &got.offset_min);
    if (got.clauses[RECEIVED_TLS].len > 0)
        got.tls_cipher = got.clauses[RECEIVED_TLS];
    if (!has_clause(&got) && !got.has_date)
        return false;
    *out = got;
    return true;
}
