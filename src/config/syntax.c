/*
 * syntax.c - one production, blocks everywhere.
 *
 * One pass over the characters with a small stack of open blocks instead of recursion. The text
 * is first checked to be clean UTF-8, so that the reader proper has no bytes to distrust. After
 * an error the rest of the statement is left out, but not a block behind it: forgetting its "{"
 * would make its "}" the next error, which is not one.
 */
#include "config/syntax.h"

#include "base/cursor.h"
#include "wire/utf8.h"

struct block {
    struct syntax_statement *owner; /* NULL: the text itself */
    struct syntax_statement **tail; /* where the next statement is linked */
};

struct reader {
    struct cursor in;
    unsigned line, column; /* of the next character */
    struct arena *arena;
    struct source *source;
    struct block blocks[SYNTAX_DEPTH_MAX + 1];
    unsigned depth;
    struct syntax_statement *current; /* being read, NULL between statements */
    struct syntax_word **value_tail;
    struct syntax_word *last; /* the item before, for a comma */
    bool after_block;         /* "}" was read on this line: a statement cannot go on */
    bool skipped;             /* the start of this statement was left out */
    unsigned statements;
    bool stopped;
};

/* ---- characters ---- */

static struct place place_here(const struct reader *r)
{
    return (struct place){r->line, r->column, 1, r->source};
}

static char advance(struct reader *r)
{
    char byte = '\0';

    take_any(&r->in, &byte);
    if (byte == '\n') {
        r->line++;
        r->column = 1;
    } else if (((unsigned char)byte & 0xc0) != 0x80) {
        r->column++; /* not for the later bytes of a character */
    }
    return byte;
}

static bool is_blank(int c)
{
    return c == ' ' || c == '\t' || c == '\r';
}

static void skip_blanks(struct reader *r)
{
    while (is_blank(cursor_peek(&r->in)))
        advance(r);
}

/* To where the statement seems to end. */
static void skip_rest(struct reader *r)
{
    int next = cursor_peek(&r->in);

    while (next >= 0 && next != '\n' && next != ';' && next != '{' && next != '}') {
        advance(r);
        next = cursor_peek(&r->in);
    }
}

static void tell(struct reader *r, struct place where, struct slice message, struct slice hint)
{
    complain(&r->source->complaints, SEVERITY_ERROR, where, message, hint);
}

/* Tells it and leaves the rest of the statement out. */
static void fault(struct reader *r, struct place where, struct slice message, struct slice hint)
{
    tell(r, where, message, hint);
    if (r->current != NULL)
        r->current->broken = true;
    r->last = NULL;
    r->skipped = true;
    skip_rest(r);
}

/* ---- clean text ---- */

static bool is_clean(uint32_t code, const struct cursor *behind)
{
    if (code == '\r')
        return cursor_peek(behind) == '\n';
    return code == '\n' || code == '\t' || (code >= 0x20 && code < 0x7f) || code >= 0xa0;
}

/* At most one error a line. */
static bool check_clean(struct source *source)
{
    struct place at = {.line = 1, .column = 1, .width = 1};
    unsigned line_with_error = 0;
    struct cursor c = {source->text};
    uint32_t code;
    char byte;

    while (!cursor_at_end(&c)) {
        bool valid = take_utf8(&c, &code);
        if (!valid)
            take_any(&c, &byte);
        if ((!valid || !is_clean(code, &c)) && line_with_error != at.line) {
            complain(&source->complaints, SEVERITY_ERROR, at,
                     valid ? SLICE("a control character") : SLICE("bytes that are not UTF-8"),
                     SLICE("write plain UTF-8 text"));
            line_with_error = at.line;
        }
        at.column++;
        if (valid && code == '\n')
            at = (struct place){.line = at.line + 1, .column = 1, .width = 1};
    }
    return line_with_error == 0;
}

/* ---- words ---- */

static bool ends_word(int next)
{
    return next < 0 || is_blank(next) || next == '\n' || next == ';' || next == ',';
}

static bool take_plain(struct reader *r, struct syntax_word *word)
{
    struct slice from = r->in.rest;
    unsigned open = 0;

    for (int next = cursor_peek(&r->in); !ends_word(next); next = cursor_peek(&r->in)) {
        if (next == '"') {
            fault(r, place_here(r), SLICE("a quote inside a word"),
                  SLICE("leave a blank before it"));
            return false;
        }
        if (next == '}' && open == 0)
            break;
        if (next == '{')
            open++;
        if (next == '}')
            open--;
        advance(r);
    }
    word->text = slice_head(from, from.len - r->in.rest.len);
    word->place.width = r->column - word->place.column;
    if (open > 0) {
        fault(r, word->place, SLICE("a '{' inside a word has no '}'"),
              SLICE("leave a blank before a '{' that opens a block"));
        return false;
    }
    return true;
}

static bool take_escape(struct reader *r, char *out)
{
    struct place at = place_here(r);
    int next;

    advance(r);
    next = cursor_peek(&r->in);
    if (next != '"' && next != '\\') {
        at.width = 2;
        fault(r, at, SLICE("an unknown escape"), SLICE("only \\\" and \\\\ exist"));
        return false;
    }
    *out = advance(r);
    return true;
}

static bool take_quoted(struct reader *r, struct syntax_word *word)
{
    struct buf text;
    bool whole = false;

    buf_init(&text, SYNTAX_WORD_MAX + 1);
    word->quoted = true;
    advance(r);
    for (;;) {
        int next = cursor_peek(&r->in);
        char byte;
        if (next < 0 || next == '\n') {
            fault(r, word->place, SLICE("this text has no closing quote"), SLICE("end it with \""));
            break;
        }
        if (next == '\\') {
            if (!take_escape(r, &byte))
                break;
        } else {
            byte = advance(r);
            if (byte == '"') {
                whole = true;
                break;
            }
        }
        buf_append_char(&text, byte); /* too much of it is told by take_word() */
    }
    word->text = arena_copy(r->arena, buf_slice(&text));
    word->place.width = r->column - word->place.column;
    buf_done(&text);
    if (whole && !ends_word(cursor_peek(&r->in)) && cursor_peek(&r->in) != '}') {
        fault(r, place_here(r), SLICE("a text ends here, but something follows at once"),
              SLICE("leave a blank before it"));
        return false;
    }
    return whole;
}

static bool take_item(struct reader *r, struct syntax_word *word)
{
    word->place = place_here(r);
    if (!(cursor_peek(&r->in) == '"' ? take_quoted(r, word) : take_plain(r, word)))
        return false;
    if (word->text.len > SYNTAX_WORD_MAX) {
        fault(r, word->place, SLICE("this word is too long"), SLICE("at most 1024 bytes"));
        return false;
    }
    return true;
}

/* ---- statements and blocks ---- */

static void end_statement(struct reader *r)
{
    if (r->current != NULL && r->last != NULL && r->last->more) {
        tell(r, r->last->place, SLICE("a value must follow the comma"),
             SLICE("write a,b,c on one line"));
        r->current->broken = true;
    }
    r->current = NULL;
    r->last = NULL;
}

static void stop(struct reader *r, struct slice message)
{
    tell(r, place_here(r), message, SLICE(""));
    r->stopped = true;
}

static void begin_statement(struct reader *r, struct syntax_word *word)
{
    struct block *block = &r->blocks[r->depth];
    struct syntax_statement *s;

    if (++r->statements > SYNTAX_STATEMENTS_MAX) {
        stop(r, SLICE("too many statements"));
        return;
    }
    s = ARENA_NEW(r->arena, struct syntax_statement);
    s->word = *word;
    *block->tail = s;
    block->tail = &s->next;
    r->current = s;
    r->value_tail = &s->values;
    r->last = NULL;
}

static void read_item(struct reader *r)
{
    struct syntax_word *word = ARENA_NEW(r->arena, struct syntax_word);

    if (r->after_block) {
        fault(r, place_here(r), SLICE("a new statement begins on the line of a '}'"),
              SLICE("put ';' or a new line before it"));
        return;
    }
    if (!take_item(r, word))
        return;
    if (r->current != NULL) {
        *r->value_tail = word;
        r->value_tail = &word->next;
        r->last = word;
    } else if (word->quoted) {
        fault(r, word->place, SLICE("a statement begins with a word, not with a text"), SLICE(""));
    } else {
        begin_statement(r, word);
    }
}

static void read_comma(struct reader *r)
{
    if (r->last == NULL || r->last->more) {
        fault(r, place_here(r), SLICE("a comma without a value before it"),
              SLICE("a list looks like a,b,c"));
        return;
    }
    r->last->more = true;
    advance(r);
}

static void open_block(struct reader *r)
{
    struct syntax_statement *owner = r->current;
    struct place brace = place_here(r);

    if (owner == NULL || r->after_block) {
        if (!r->skipped)
            tell(r, brace, SLICE("a block without a statement"),
                 SLICE("write it on the line of its statement: WORD {"));
        owner = ARENA_NEW(r->arena, struct syntax_statement); /* outside the tree */
    }
    if (r->depth == SYNTAX_DEPTH_MAX) {
        stop(r, SLICE("blocks are nested too deeply"));
        return;
    }
    end_statement(r);
    r->after_block = false;
    advance(r);
    owner->brace = brace;
    r->blocks[++r->depth] = (struct block){owner, &owner->block};
}

static void close_block(struct reader *r)
{
    end_statement(r);
    if (r->depth == 0) {
        tell(r, place_here(r), SLICE("a '}' without a '{'"), SLICE("remove it"));
    } else {
        r->depth--;
        r->after_block = true;
    }
    advance(r);
}

static void read_next(struct reader *r)
{
    switch (cursor_peek(&r->in)) {
    case '#':
        while (cursor_peek(&r->in) >= 0 && cursor_peek(&r->in) != '\n')
            advance(r);
        return;
    case '\n':
    case ';':
        end_statement(r);
        r->after_block = r->skipped = false;
        advance(r);
        return;
    case '{': open_block(r); return;
    case '}': close_block(r); return;
    case ',': read_comma(r); return;
    default: read_item(r); return;
    }
}

struct syntax_tree syntax_parse(struct source *source, struct arena *arena)
{
    struct slice text = source->text, bom = SLICE("\xef\xbb\xbf");
    struct syntax_tree tree = {0};
    struct reader r = {.line = 1, .column = 1, .arena = arena, .source = source};

    if (!check_clean(source))
        return tree;
    r.in.rest = slice_starts(text, bom) ? slice_skip(text, bom.len) : text;
    r.blocks[0].tail = &tree.first;
    for (skip_blanks(&r); !cursor_at_end(&r.in) && !r.stopped; skip_blanks(&r))
        read_next(&r);
    end_statement(&r);
    for (; r.depth > 0 && !r.stopped; r.depth--) {
        r.blocks[r.depth].owner->unclosed = true;
        tell(&r, r.blocks[r.depth].owner->brace, SLICE("this block is never closed"),
             SLICE("add a '}' behind its last statement"));
    }
    tree.count = r.statements;
    return tree;
}
