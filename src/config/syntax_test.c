/*
 * syntax_test.c - the tree that a text becomes, printed back in one line.
 *
 * In the printed form a statement is WORD and its values in brackets, a list is joined by "+", a
 * quoted value has quotes, a block stands in braces.
 */
#include "config/syntax.h"

#include "check.h"

enum { PRINTED_MAX = 64 * 1024 };

static void print_word(struct buf *out, const struct syntax_word *word)
{
    buf_append(out, word->quoted ? SLICE("\"") : SLICE(""));
    buf_append(out, word->text);
    buf_append(out, word->quoted ? SLICE("\"") : SLICE(""));
}

static void print_statements(struct buf *out, const struct syntax_statement *s)
{
    for (; s != NULL; s = s->next) {
        buf_append_char(out, '(');
        print_word(out, &s->word);
        for (const struct syntax_word *v = s->values; v != NULL; v = v->next) {
            buf_append_char(out, v == s->values ? ' ' : '|');
            while (v->more && v->next != NULL) {
                print_word(out, v);
                buf_append_char(out, '+');
                v = v->next;
            }
            print_word(out, v);
        }
        if (s->brace.line > 0) {
            buf_append_char(out, '{');
            print_statements(out, s->block);
            buf_append_char(out, '}');
        }
        buf_append_char(out, ')');
    }
}

static const struct {
    const char *text;
    const char *tree;
    unsigned errors;
} trees[] = {
    {"",                            "",                              0},
    {"\n ;; # nothing\n",           "",                              0},
    {"a",                           "(a)",                           0},
    {"a b c",                       "(a b|c)",                       0},
    {"\xef\xbb\xbf"
     "a b\r\nc\r\n",           "(a b)(c)",                      0},
    {"a;b;c",                       "(a)(b)(c)",                     0},
    {"a b,c, d ,e f",               "(a b+c+d+e|f)",                 0},
    {"a { b; c d\n e } \n f",       "(a{(b)(c d)(e)})(f)",           0},
    {"a{b}",                        "(a{b})",                        0},
    {"a {b}",                       "(a{(b)})",                      0},
    {"a x { }; b",                  "(a x{})(b)",                    0},
    {"a { b { c { } } }",           "(a{(b{(c{})})})",               0},
    {"a /{b}/{c} {d /{e}}",         "(a /{b}/{c}{(d /{e})})",        0},
    {"a # { b\nc",                  "(a)(c)",                        0},
    {"a b#c",                       "(a b#c)",                       0},
    {"a \"b c\" \"\" \"\\\"\\\\\"", "(a \"b c\"|\"\"|\"\"\\\")",     0},
    {"a \"#;{},\"",                 "(a \"#;{},\")",                 0},
    {"a \"x\",y",                   "(a \"x\"+y)",                   0},
    {"a <b> 50M 600/m *.c unix:/d", "(a <b>|50M|600/m|*.c|unix:/d)", 0},
    {"a\tb\r\n",                    "(a b)",                         0},
 /* errors leave a tree that can be gone on with */
    {"a \"b\nc",                    "(a)(c)",                        1},
    {"a \"b",                       "(a)",                           1},
    {"a \"b\\n\" x; c",             "(a)(c)",                        1},
    {"a b\"c { d }\ne",             "(a{(d)})(e)",                   1},
    {"a \"b\"c\nd",                 "(a)(d)",                        1},
    {"a {b",                        "(a{(b)})",                      1},
    {"a }\nb",                      "(a)(b)",                        1},
    {"a\n{ b }\nc",                 "(a)(c)",                        1},
    {"a { } b\nc",                  "(a{})(c)",                      1},
    {"\"a\" { b }\nc",              "(c)",                           1},
    {"a ,\nb",                      "(a)(b)",                        1},
    {"a b,\nc",                     "(a b)(c)",                      1},
    {"a b,,c\nd",                   "(a b)(d)",                      1},
    {"a /{b\nc",                    "(a)(c)",                        1},
    {"a\x01",                       "",                              1},
    {"a\xff\xff\nb\xc0",            "",                              2},
    {"a\rb",                        "",                              1},
    {"a \xc2\x85",                  "",                              1},
};

static void test_trees(void **state)
{
    (void)state;
    CHECK_ROWS (i, trees) {
        struct arena arena = {0};
        struct slice text = guarded(slice_of(trees[i].text));
        struct source source = {.text = text, .complaints.arena = &arena};
        struct buf out;

        buf_init(&out, PRINTED_MAX);
        print_statements(&out, syntax_parse(&source, &arena).first);
        check_slice(buf_slice(&out), slice_of(trees[i].tree));
        check_int(source.complaints.errors, trees[i].errors);
        buf_done(&out);
        guarded_free(text);
        arena_done(&arena);
    }
}

static void check_place(struct place got, unsigned line, unsigned column, unsigned width)
{
    check_int(got.line, line);
    check_int(got.column, column);
    check_int(got.width, width);
}

/* Columns are characters: a tab is one, so is an umlaut. */
static void test_places(void **state)
{
    struct arena arena = {0};
    struct source source = {.text = SLICE("# c\n\t\xc3\xa4\xc3\xb6 \"b\\\"\",c {\n  d }"),
                            .complaints.arena = &arena};
    const struct syntax_statement *s = syntax_parse(&source, &arena).first;

    (void)state;
    check_int(source.complaints.errors, 0);
    check(s->word.place.source == &source);
    check_place(s->word.place, 2, 2, 2);
    check_place(s->values->place, 2, 5, 5);
    check_place(s->values->next->place, 2, 11, 1);
    check_place(s->brace, 2, 13, 1);
    check_place(s->block->word.place, 3, 3, 1);
    arena_done(&arena);
}

static unsigned errors_in(struct slice text)
{
    struct arena arena = {0};
    struct source source = {.text = text, .complaints.arena = &arena};
    unsigned errors;

    syntax_parse(&source, &arena);
    errors = source.complaints.errors;
    arena_done(&arena);
    return errors;
}

static void test_bounds(void **state)
{
    struct buf text;

    (void)state;
    buf_init(&text, PRINTED_MAX);
    for (unsigned i = 0; i < SYNTAX_DEPTH_MAX; i++)
        buf_append(&text, SLICE("a { "));
    for (unsigned i = 0; i < SYNTAX_DEPTH_MAX; i++)
        buf_append(&text, SLICE("} "));
    check_int(errors_in(buf_slice(&text)), 0);
    buf_append(&text, SLICE("\n"));
    for (unsigned i = 0; i < SYNTAX_DEPTH_MAX + 1; i++)
        buf_append(&text, SLICE("a { "));
    check_int(errors_in(buf_slice(&text)), 1);

    buf_clear(&text);
    for (unsigned i = 0; i <= SYNTAX_STATEMENTS_MAX; i++)
        buf_append(&text, SLICE("a;"));
    check_int(errors_in(slice_head(buf_slice(&text), 2 * SYNTAX_STATEMENTS_MAX)), 0);
    check_int(errors_in(buf_slice(&text)), 1);

    buf_clear(&text);
    buf_append(&text, SLICE("a "));
    for (unsigned i = 0; i < SYNTAX_WORD_MAX + 1; i++)
        buf_append_char(&text, 'x');
    check_int(errors_in(slice_head(buf_slice(&text), 2 + SYNTAX_WORD_MAX)), 0);
    check_int(errors_in(buf_slice(&text)), 1);
    buf_done(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_trees),
        cmocka_unit_test(test_places),
        cmocka_unit_test(test_bounds),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
