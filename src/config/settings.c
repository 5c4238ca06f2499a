/*
 * settings.c - what the words of the configuration mean.
 *
 * Two tables say everything. `rows` names each word: where it may stand, the shapes of its
 * values, whose words may follow it in the line or in its block, and the function that takes the
 * checked values. `choices` names the values that are words themselves. A row or choice without a
 * function or number belongs to a later version and is answered as such. The tables also answer
 * what to write instead: the nearest word, or the list of those known.
 *
 * Checking never stops at the first error, so that one run tells everything; what concerns the
 * whole file (a missing word, postmaster's mailbox, rules that can never match) is looked at only
 * when it would not merely repeat an earlier error. Nothing is published unless all is right.
 */
#include "config/settings.h"

#include "base/memory.h"
#include "config/syntax.h"
#include "mail/mailbox_path.h"

enum {
    ERRORS_TEXT_MAX = 512 * 1024,
    VALUES_MAX = 3,
    WORD_COMPARED_MAX = 32, /* bytes; longer ones resemble no word of ours */
    TYPOS_MAX = 2,
};

#define MIB (1024ull * 1024)

static const uint64_t default_max_size = 50 * MIB;
static const uint64_t default_min_free = 5 * 64 * MIB; /* five segments */
static const uint64_t smallest_max_size = 64 * 1024;   /* RFC 5321 4.5.3.1.7 */

/* ---- the tables ---- */

enum context {
    IN_FILE = 1 << 0,
    IN_LISTEN = 1 << 1,
    IN_QUEUE = 1 << 2,
    IN_RULE = 1 << 3, /* behind accept, reject, discard in the same line */
};

enum shape {
    SHAPE_NONE,
    SHAPE_HOST,
    SHAPE_DOMAINS,
    SHAPE_MAILBOX,
    SHAPE_SOCKET,
    SHAPE_PATH,
    SHAPE_TEMPLATE,
    SHAPE_SIZE,
    SHAPE_REFUSAL,
    SHAPE_LISTENER, /* from here on: a choice */
    SHAPE_LINE_ENDS,
    SHAPE_FROM,
    SHAPE_SENDER,
    SHAPE_TO,
    SHAPE_DELIVER,
    SHAPE_COUNT,
};

/* One checked value. */
struct value {
    struct place place;
    struct slice text; /* in canonical form, in the settings' arena */
    uint64_t number;   /* a size, or what the choice stands for */
    struct address address;
    struct reply refusal;
    struct settings_listener socket;
};

struct parser;

struct choice {
    enum shape shape;
    struct slice word;
    bool known;
    unsigned number;
    enum shape then; /* of a further value */
};

static const struct choice choices[] = {
    {SHAPE_LISTENER,  SLICE_INIT("mx"),            true,  0,                SHAPE_NONE    },
    {SHAPE_LISTENER,  SLICE_INIT("submission"),    false, 0,                SHAPE_NONE    },
    {SHAPE_LISTENER,  SLICE_INIT("lmtp"),          false, 0,                SHAPE_NONE    },
    {SHAPE_LINE_ENDS, SLICE_INIT("strict"),        true,  LINE_ENDS_STRICT, SHAPE_NONE    },
    {SHAPE_LINE_ENDS, SLICE_INIT("repair"),        true,  LINE_ENDS_REPAIR, SHAPE_NONE    },
    {SHAPE_FROM,      SLICE_INIT("any"),           true,  FROM_ANY,         SHAPE_NONE    },
    {SHAPE_FROM,      SLICE_INIT("local"),         true,  FROM_LOCAL,       SHAPE_NONE    },
    {SHAPE_FROM,      SLICE_INIT("authenticated"), false, 0,                SHAPE_NONE    },
    {SHAPE_FROM,      SLICE_INIT("network"),       false, 0,                SHAPE_NONE    },
    {SHAPE_FROM,      SLICE_INIT("user"),          false, 0,                SHAPE_NONE    },
    {SHAPE_SENDER,    SLICE_INIT("domain"),        true,  MATCH_DOMAIN,     SHAPE_DOMAINS },
    {SHAPE_SENDER,    SLICE_INIT("address"),       true,  MATCH_ADDRESS,    SHAPE_MAILBOX },
    {SHAPE_TO,        SLICE_INIT("any"),           true,  MATCH_ANY,        SHAPE_NONE    },
    {SHAPE_TO,        SLICE_INIT("local"),         true,  MATCH_LOCAL,      SHAPE_NONE    },
    {SHAPE_TO,        SLICE_INIT("domain"),        true,  MATCH_DOMAIN,     SHAPE_DOMAINS },
    {SHAPE_TO,        SLICE_INIT("address"),       true,  MATCH_ADDRESS,    SHAPE_MAILBOX },
    {SHAPE_DELIVER,   SLICE_INIT("maildir"),       true,  ACTION_MAILDIR,   SHAPE_TEMPLATE},
    {SHAPE_DELIVER,   SLICE_INIT("lmtp"),          false, 0,                SHAPE_NONE    },
};

enum { CHOICE_COUNT = sizeof(choices) / sizeof(*choices) };

typedef bool apply_fn(struct parser *p, struct place word, const struct value *values);

static apply_fn set_hostname, set_origin, set_postmaster, set_max_size, add_listener, set_queue;
static apply_fn set_listener_max_size, set_line_ends, set_min_free;
static apply_fn begin_accept, begin_reject, begin_discard;
static apply_fn set_from, set_sender, set_to, set_action, set_refusal;

struct row {
    struct slice word;
    unsigned where;
    apply_fn *apply; /* NULL: a word of a later version */
    enum shape shapes[2];
    unsigned clauses; /* context of the words that follow in the line */
    unsigned opens;   /* context of its block */
    bool repeats;
    const char *form; /* how it is written */
};

/* clang-format off */
#define NOT_YET(name, contexts) {.word = SLICE_INIT(name), .where = (contexts)}

static const struct row rows[] = {
    {SLICE_INIT("hostname"), IN_FILE, set_hostname, {SHAPE_HOST}, 0, 0, false,
     "hostname NAME"},
    {SLICE_INIT("origin"), IN_FILE, set_origin, {SHAPE_HOST}, 0, 0, false,
     "origin NAME"},
    {SLICE_INIT("postmaster"), IN_FILE, set_postmaster, {SHAPE_MAILBOX}, 0, 0, false,
     "postmaster ADDRESS"},
    {SLICE_INIT("max-size"), IN_FILE, set_max_size, {SHAPE_SIZE}, 0, 0, false,
     "max-size SIZE"},
    {SLICE_INIT("listen"), IN_FILE, add_listener, {SHAPE_LISTENER, SHAPE_SOCKET}, 0, IN_LISTEN, true,
     "listen mx ADDRESS:PORT"},
    {SLICE_INIT("queue"), IN_FILE, set_queue, {SHAPE_PATH}, 0, IN_QUEUE, false,
     "queue PATH"},
    {SLICE_INIT("accept"), IN_FILE, begin_accept, {SHAPE_NONE}, IN_RULE, 0, true,
     "accept [from ...] [sender ...] [to ...] deliver maildir PATH"},
    {SLICE_INIT("reject"), IN_FILE, begin_reject, {SHAPE_NONE}, IN_RULE, 0, true,
     "reject [from ...] [sender ...] [to ...] \"5.7.1 text\""},
    {SLICE_INIT("discard"), IN_FILE, begin_discard, {SHAPE_NONE}, IN_RULE, 0, true,
     "discard [from ...] [sender ...] [to ...]"},

    {SLICE_INIT("max-size"), IN_LISTEN, set_listener_max_size, {SHAPE_SIZE}, 0, 0, false,
     "max-size SIZE"},
    {SLICE_INIT("line-ends"), IN_LISTEN, set_line_ends, {SHAPE_LINE_ENDS}, 0, 0, false,
     "line-ends strict|repair"},
    {SLICE_INIT("min-free"), IN_QUEUE, set_min_free, {SHAPE_SIZE}, 0, 0, false,
     "min-free SIZE"},

    {SLICE_INIT("from"), IN_RULE, set_from, {SHAPE_FROM}, 0, 0, false,
     "from any|local"},
    {SLICE_INIT("sender"), IN_RULE, set_sender, {SHAPE_SENDER}, 0, 0, false,
     "sender domain NAME|address ADDRESS"},
    {SLICE_INIT("to"), IN_RULE, set_to, {SHAPE_TO}, 0, 0, false,
     "to any|local|domain NAME|address ADDRESS"},
    {SLICE_INIT("deliver"), IN_RULE, set_action, {SHAPE_DELIVER}, 0, 0, false,
     "deliver maildir PATH"},
    {SLICE_INIT("\"text\""), IN_RULE, set_refusal, {SHAPE_REFUSAL}, 0, 0, false,
     "\"5.7.1 text\""},

    NOT_YET("acme", IN_FILE),
    NOT_YET("allow", IN_FILE),
    NOT_YET("cluster", IN_FILE),
    NOT_YET("console", IN_FILE),
    NOT_YET("deny", IN_FILE),
    NOT_YET("events", IN_FILE),
    NOT_YET("filter", IN_FILE),
    NOT_YET("hold", IN_FILE),
    NOT_YET("include", IN_FILE),
    NOT_YET("limit", IN_FILE),
    NOT_YET("log", IN_FILE),
    NOT_YET("lua", IN_FILE),
    NOT_YET("relay", IN_FILE | IN_RULE),
    NOT_YET("resolver", IN_FILE),
    NOT_YET("rewrite", IN_FILE),
    NOT_YET("sign", IN_FILE),
    NOT_YET("source", IN_FILE),
    NOT_YET("table", IN_FILE),
    NOT_YET("tls", IN_FILE | IN_LISTEN),
    NOT_YET("verify", IN_FILE),
    NOT_YET("auth", IN_LISTEN),
    NOT_YET("auth-cleartext", IN_LISTEN),
    NOT_YET("client-ca", IN_LISTEN),
    NOT_YET("dnsbl", IN_LISTEN),
    NOT_YET("etrn", IN_LISTEN),
    NOT_YET("greet-delay", IN_LISTEN),
    NOT_YET("proxy-from", IN_LISTEN),
    NOT_YET("xclient-from", IN_LISTEN),
    NOT_YET("aliases", IN_RULE),
    NOT_YET("catch-all", IN_RULE),
    NOT_YET("copy", IN_RULE),
    NOT_YET("users", IN_RULE),
};

/* clang-format on */

enum { ROW_COUNT = sizeof(rows) / sizeof(*rows) };

struct parser {
    struct settings *settings;
    struct slice file; /* in the settings' arena */
    struct arena *scratch;
    struct complaints complaints;
    unsigned seen[ROW_COUNT]; /* line of each word of the file's own statements */
    bool meant[ROW_COUNT];    /* probably misspelt: not to be called missing as well */
    struct settings_listener *listeners;
    struct settings_listener *listener; /* whose block is read */
    struct settings_listener nowhere;   /* takes the block of a broken line, read for its errors */
    struct rule *rules;
    struct place *rule_places;
    struct rule *rule; /* whose clauses are read */
    struct place postmaster_place;
};

/* ---- telling ---- */

/* Always false, so that a check can end with it. */
static bool wrong(struct parser *p, struct place where, struct slice message, struct slice hint)
{
    complain(&p->complaints, SEVERITY_ERROR, where, message, hint);
    return false;
}

static void warn(struct parser *p, struct place where, struct slice message, struct slice hint)
{
    complain(&p->complaints, SEVERITY_WARNING, where, message, hint);
}

static struct slice write_form(struct parser *p, const struct row *row)
{
    return arena_printf(p->scratch, "write: %s", row->form);
}

static size_t least(size_t a, size_t b, size_t c)
{
    size_t ab = a < b ? a : b;

    return ab < c ? ab : c;
}

/* Letters to insert, remove or change to make a into b. */
static size_t edit_distance(struct slice a, struct slice b)
{
    size_t row[WORD_COMPARED_MAX + 1];

    if (a.len > WORD_COMPARED_MAX || b.len > WORD_COMPARED_MAX)
        return WORD_COMPARED_MAX;
    for (size_t j = 0; j <= b.len; j++)
        row[j] = j;
    for (size_t i = 1; i <= a.len; i++) {
        size_t diagonal = row[0];
        row[0] = i;
        for (size_t j = 1; j <= b.len; j++) {
            size_t change = diagonal + (byte_lower(a.data[i - 1]) != b.data[j - 1]);
            diagonal = row[j];
            row[j] = least(row[j] + 1, row[j - 1] + 1, change);
        }
    }
    return row[b.len];
}

/* Gathers what could have been meant. */
struct guess {
    struct slice written;
    struct slice nearest;
    size_t distance;
    struct slice known; /* all candidates, "a, b, c" */
};

static void consider(struct parser *p, struct guess *guess, struct slice candidate)
{
    size_t distance = edit_distance(guess->written, candidate);

    if (guess->nearest.len == 0 || distance < guess->distance) {
        guess->nearest = candidate;
        guess->distance = distance;
    }
    guess->known = guess->known.len == 0
                       ? candidate
                       : arena_printf(p->scratch, "%.*s, %.*s", SLICE_PRINTF(guess->known),
                                      SLICE_PRINTF(candidate));
}

/* A word of which more than half would have to change is no typo. */
static bool is_typo(const struct guess *guess)
{
    return guess->distance <= TYPOS_MAX && guess->distance * 2 <= guess->nearest.len;
}

static struct slice advice(struct parser *p, const struct guess *guess)
{
    if (is_typo(guess))
        return arena_printf(p->scratch, "did you mean '%.*s'?", SLICE_PRINTF(guess->nearest));
    return arena_printf(p->scratch, "known here: %.*s", SLICE_PRINTF(guess->known));
}

static bool not_yet(struct parser *p, const struct syntax_word *word)
{
    return wrong(
        p, word->place,
        arena_printf(p->scratch, "'%.*s' is not in this version", SLICE_PRINTF(word->text)),
        SLICE("remove it; a later version will know it"));
}

/* ---- the shapes of values ---- */

typedef bool read_fn(struct parser *p, const struct syntax_word *word, struct value *out);

static bool read_host(struct parser *p, const struct syntax_word *word, struct value *out)
{
    unsigned char ip[4];
    struct slice name, ascii;

    if (ipv4_parse(word->text, ip) || !domain_parse(word->text, p->scratch, &name) ||
        !domain_to_ascii(name, p->scratch, &ascii))
        return false;
    out->text = arena_copy(&p->settings->arena, ascii);
    return true;
}

static bool read_domains(struct parser *p, const struct syntax_word *word, struct value *out)
{
    bool below = slice_starts(word->text, SLICE("*."));
    struct slice name, ascii;

    if (!domain_parse(slice_skip(word->text, below ? 2 : 0), p->scratch, &name) ||
        !domain_to_ascii(name, p->scratch, &ascii))
        return false;
    out->text = arena_printf(&p->settings->arena, "%s%.*s", below ? "*." : "", SLICE_PRINTF(ascii));
    return true;
}

static bool read_mailbox(struct parser *p, const struct syntax_word *word, struct value *out)
{
    return address_parse(word->text, &p->settings->arena, &out->address) &&
           out->address.kind != ADDRESS_NULL;
}

static bool take_ip(struct cursor *c, struct settings_listener *out)
{
    static const unsigned char v4_mapped[12] = {[10] = 0xff, [11] = 0xff};
    struct slice text;

    if (take_char(c, '*')) {
        out->any = true;
        return true;
    }
    if (take_char(c, '['))
        return take_until(c, ']', &text) && take_char(c, ']') && ipv6_parse(text, out->ip);
    if (!take_until(c, ':', &text) || !ipv4_parse(text, out->ip + 12))
        return false;
    for (size_t i = 0; i < sizeof(v4_mapped); i++)
        out->ip[i] = v4_mapped[i];
    out->ipv4 = true;
    return true;
}

static bool read_socket(struct parser *p, const struct syntax_word *word, struct value *out)
{
    struct cursor c = {word->text};
    uint64_t port;

    if (!take_ip(&c, &out->socket) || !take_char(&c, ':') || !take_number(&c, &port) ||
        !cursor_at_end(&c) || port == 0 || port > UINT16_MAX)
        return false;
    out->socket.port = (uint16_t)port;
    out->socket.address = arena_copy(&p->settings->arena, word->text);
    return true;
}

static bool read_path(struct parser *p, const struct syntax_word *word, struct value *out)
{
    out->text = arena_copy(&p->settings->arena, word->text);
    return slice_starts(word->text, SLICE("/")) && word->text.len > 1;
}

static bool read_template(struct parser *p, const struct syntax_word *word, struct value *out)
{
    const struct address sample = {ADDRESS_MAILBOX, SLICE("user"), SLICE("example.org"), false};
    struct slice root, rest, path;

    out->text = arena_copy(&p->settings->arena, word->text);
    return mailbox_template_split(word->text, &root, &rest) &&
           mailbox_path_expand(rest, &sample, p->scratch, &path);
}

static const struct {
    char letter;
    uint64_t factor;
} size_units[] = {
    {'K', 1024      },
    {'M', MIB       },
    {'G', 1024 * MIB}
};

static bool read_size(struct parser *p, const struct syntax_word *word, struct value *out)
{
    struct cursor c = {word->text};

    (void)p;
    if (!take_number(&c, &out->number))
        return false;
    for (size_t i = 0; i < sizeof(size_units) / sizeof(*size_units); i++) {
        if (take_char(&c, size_units[i].letter) &&
            __builtin_mul_overflow(out->number, size_units[i].factor, &out->number))
            return false;
    }
    return cursor_at_end(&c) && out->number > 0;
}

/* "5.7.1 text", or text alone. A 4.x.x asks the client to come again: 450. */
static bool read_refusal(struct parser *p, const struct syntax_word *word, struct value *out)
{
    struct cursor c = {word->text};
    struct slice enhanced = SLICE("5.7.1");

    enhanced_code_take(&c, &enhanced);
    if (enhanced.data[0] != '4' && enhanced.data[0] != '5')
        return false;
    out->refusal = (struct reply){
        .code = enhanced.data[0] == '4' ? 450 : 554,
        .enhanced = arena_copy(&p->settings->arena, enhanced),
        .text = arena_copy(&p->settings->arena, slice_trim(c.rest)),
    };
    return true;
}

static const struct {
    struct slice what;
    struct slice hint;
    read_fn *read; /* NULL: a choice */
} shapes[SHAPE_COUNT] = {
    [SHAPE_HOST] = {SLICE_INIT("a host name"),              SLICE_INIT("write a full name: mx1.example.org"),
                    read_host                                                                                            },
    [SHAPE_DOMAINS] = {SLICE_INIT("a domain"),
                    SLICE_INIT("write example.org, or *.example.org for all names below it"),
                    read_domains                                                                                         },
    [SHAPE_MAILBOX] = {SLICE_INIT("an address"),
                    SLICE_INIT("write it without brackets: "
                                  "bob@example.org"),
                    read_mailbox                                                                                         },
    [SHAPE_SOCKET] = {SLICE_INIT("an address to listen on"),
                    SLICE_INIT("write 192.0.2.1:25, [2001:db8::1]:25 or *:25"),                               read_socket},
    [SHAPE_PATH] = {SLICE_INIT("an absolute path"),         SLICE_INIT("begin it with '/'"),                  read_path  },
    [SHAPE_TEMPLATE] = {SLICE_INIT("a path for mailboxes"),
                    SLICE_INIT("begin it with '/', without '//', '.', '..' or a '/' at the "
                                   "end; in braces: {domain}, {user}, {local}"),
                    read_template                                                                                        },
    [SHAPE_SIZE] = {SLICE_INIT("a size"),
                    SLICE_INIT("write bytes, or a number with K, M or G: "
                               "50M"),
                    read_size                                                                                            },
    [SHAPE_REFUSAL] = {SLICE_INIT("a refusal"),
                    SLICE_INIT("its code begins with 5, or with 4 for \"try again later\""),
                    read_refusal                                                                                         },
    [SHAPE_LISTENER] = {SLICE_INIT("a kind of listener"),       SLICE_INIT(""),                                   NULL       },
    [SHAPE_LINE_ENDS] = {SLICE_INIT("a way to treat line ends"), SLICE_INIT(""),                                   NULL       },
    [SHAPE_FROM] = {SLICE_INIT("a kind of client"),         SLICE_INIT(""),                                   NULL       },
    [SHAPE_SENDER] = {SLICE_INIT("a kind of sender"),         SLICE_INIT(""),                                   NULL       },
    [SHAPE_TO] = {SLICE_INIT("a kind of recipient"),      SLICE_INIT(""),                                   NULL       },
    [SHAPE_DELIVER] = {SLICE_INIT("a way to deliver"),         SLICE_INIT(""),                                   NULL       },
};

static bool is_no(struct parser *p, const struct syntax_word *word, enum shape shape,
                  struct slice hint)
{
    return wrong(p, word->place,
                 arena_printf(p->scratch, "'%.*s' is not %.*s", SLICE_PRINTF(word->text),
                              SLICE_PRINTF(shapes[shape].what)),
                 hint);
}

static const struct choice *find_choice(struct parser *p, const struct syntax_word *word,
                                        enum shape shape)
{
    struct guess guess = {.written = word->text};

    for (size_t i = 0; i < CHOICE_COUNT; i++) {
        if (choices[i].shape != shape)
            continue;
        if (slice_equal(choices[i].word, word->text)) {
            if (choices[i].known)
                return &choices[i];
            not_yet(p, word);
            return NULL;
        }
        if (choices[i].known)
            consider(p, &guess, choices[i].word);
    }
    is_no(p, word, shape, advice(p, &guess));
    return NULL;
}

/* ---- taking values ---- */

static bool take_value(struct parser *p, const struct row *row, enum shape shape,
                       const struct syntax_word *before, const struct syntax_word **words,
                       struct value *out)
{
    const struct syntax_word *word = *words;

    if (word == NULL)
        return wrong(p, before->place,
                     arena_printf(p->scratch, "'%.*s' needs %.*s behind it",
                                  SLICE_PRINTF(before->text), SLICE_PRINTF(shapes[shape].what)),
                     write_form(p, row));
    out->place = word->place;
    if (shapes[shape].read != NULL && !shapes[shape].read(p, word, out))
        return is_no(p, word, shape, shapes[shape].hint);
    if (word->more && shapes[shape].read != NULL)
        return wrong(p, word->place, SLICE("a list cannot stand here"), write_form(p, row));
    *words = word->next;
    return true;
}

/* Takes what the row wants behind its word; *words moves behind it. */
static bool take_values(struct parser *p, const struct row *row, const struct syntax_word *before,
                        const struct syntax_word **words, struct value values[VALUES_MAX])
{
    size_t count = 0;

    for (size_t i = 0; i < 2 && row->shapes[i] != SHAPE_NONE; i++) {
        enum shape shape = row->shapes[i];
        const struct syntax_word *word = *words;
        if (!take_value(p, row, shape, before, words, &values[count]))
            return false;
        if (shapes[shape].read == NULL) {
            const struct choice *choice = find_choice(p, word, shape);
            if (choice == NULL)
                return false;
            if (word->more)
                return wrong(p, word->place, SLICE("a list cannot stand here"), write_form(p, row));
            values[count].number = choice->number;
            if (choice->then != SHAPE_NONE &&
                !take_value(p, row, choice->then, word, words, &values[++count]))
                return false;
        }
        before = word;
        count++;
    }
    return true;
}

/* ---- statements ---- */

static struct slice home_of(struct parser *p, const struct row *stray)
{
    for (size_t i = 0; i < ROW_COUNT; i++) {
        if ((rows[i].opens & stray->where) != 0)
            return arena_printf(p->scratch, "it stands in the block of '%.*s'",
                                SLICE_PRINTF(rows[i].word));
        if ((rows[i].clauses & stray->where) != 0)
            return SLICE("it stands in the line of accept, reject or discard");
    }
    return SLICE("it stands in a line of its own, outside of blocks");
}

static void tell_unknown(struct parser *p, const struct syntax_word *word, unsigned where,
                         const struct guess *guess)
{
    for (size_t i = 0; i < ROW_COUNT; i++) {
        if (slice_equal(rows[i].word, guess->written)) {
            wrong(p, word->place,
                  arena_printf(p->scratch, "'%.*s' does not belong here", SLICE_PRINTF(word->text)),
                  home_of(p, &rows[i]));
            return;
        }
        if (where == IN_FILE && is_typo(guess) && slice_equal(rows[i].word, guess->nearest))
            p->meant[i] = true;
    }
    wrong(p, word->place, arena_printf(p->scratch, "unknown word '%.*s'", SLICE_PRINTF(word->text)),
          advice(p, guess));
}

static const struct row *find_row(struct parser *p, const struct syntax_word *word, unsigned where)
{
    struct slice name = word->quoted ? SLICE("\"text\"") : word->text;
    struct guess guess = {.written = name};

    for (size_t i = 0; i < ROW_COUNT; i++) {
        if ((rows[i].where & where) == 0)
            continue;
        if (slice_equal(rows[i].word, name)) {
            if (rows[i].apply != NULL)
                return &rows[i];
            not_yet(p, word);
            return NULL;
        }
        if (rows[i].apply != NULL)
            consider(p, &guess, rows[i].word);
    }
    tell_unknown(p, word, where, &guess);
    return NULL;
}

static bool check_first(struct parser *p, const struct row *row, const struct syntax_word *word,
                        unsigned *seen)
{
    unsigned *line = &seen[row - rows];

    if (*line > 0 && !row->repeats)
        return wrong(p, word->place,
                     arena_printf(p->scratch, "'%.*s' given twice, first at line %u",
                                  SLICE_PRINTF(word->text), *line),
                     SLICE("keep one of them"));
    *line = word->place.line;
    return true;
}

static bool read_clauses(struct parser *p, const struct row *row, const struct syntax_word **words)
{
    unsigned *seen = ARENA_ARRAY(p->scratch, unsigned, ROW_COUNT);

    while (*words != NULL) {
        const struct syntax_word *word = *words;
        const struct row *clause = find_row(p, word, row->clauses);
        struct value values[VALUES_MAX] = {0};

        if (clause == NULL || !check_first(p, clause, word, seen))
            return false;
        if (!word->quoted) /* a text is its own value */
            *words = word->next;
        if (!take_values(p, clause, word, words, values) || !clause->apply(p, word->place, values))
            return false;
    }
    return true;
}

/* The statement's own line; false when it is not to be used. */
static bool read_line(struct parser *p, const struct row *row, const struct syntax_statement *s)
{
    const struct syntax_word *words = s->values;
    struct value values[VALUES_MAX] = {0};

    if (!take_values(p, row, &s->word, &words, values) || !row->apply(p, s->word.place, values))
        return false;
    if (row->clauses != 0)
        return read_clauses(p, row, &words);
    if (words != NULL)
        return wrong(
            p, words->place,
            arena_printf(p->scratch, "'%.*s' is one value too many", SLICE_PRINTF(words->text)),
            write_form(p, row));
    return true;
}

static void finish_rule(struct parser *p);

static void read_block(struct parser *p, const struct syntax_statement *first, unsigned where,
                       unsigned *seen);

/* NOLINTNEXTLINE(misc-no-recursion): at most SYNTAX_DEPTH_MAX deep */
static void read_statement(struct parser *p, const struct syntax_statement *s, unsigned where,
                           unsigned *seen)
{
    const struct row *row = find_row(p, &s->word, where);
    bool usable;

    if (row == NULL || !check_first(p, row, &s->word, seen))
        return;
    if ((row->where & IN_FILE) != 0)
        p->listener = &p->nowhere;
    usable = !s->broken && read_line(p, row, s);
    if (usable && row->clauses != 0)
        finish_rule(p);
    if (s->brace.line == 0 || (s->broken && row->opens == 0))
        return;
    if (row->opens == 0)
        wrong(p, s->brace,
              arena_printf(p->scratch, "'%.*s' takes no block", SLICE_PRINTF(s->word.text)),
              write_form(p, row));
    else if (s->unclosed) /* the file goes on in it */
        read_block(p, s->block, row->opens | IN_FILE, p->seen);
    else
        read_block(p, s->block, row->opens, ARENA_ARRAY(p->scratch, unsigned, ROW_COUNT));
}

/* NOLINTNEXTLINE(misc-no-recursion): as above */
static void read_block(struct parser *p, const struct syntax_statement *first, unsigned where,
                       unsigned *seen)
{
    for (const struct syntax_statement *s = first; s != NULL; s = s->next)
        read_statement(p, s, where, seen);
}

/* ---- what each word does ---- */

static bool set_hostname(struct parser *p, struct place word, const struct value *values)
{
    (void)word;
    p->settings->hostname = values[0].text;
    return true;
}

static bool set_origin(struct parser *p, struct place word, const struct value *values)
{
    (void)word;
    p->settings->rules.origin = values[0].text;
    return true;
}

static bool set_postmaster(struct parser *p, struct place word, const struct value *values)
{
    (void)word;
    p->settings->rules.postmaster = values[0].address;
    p->postmaster_place = values[0].place;
    return true;
}

static void check_max_size(struct parser *p, const struct value *value)
{
    if (value->number < smallest_max_size)
        warn(p, value->place, SLICE("less than 64K, which every mail server must take"),
             SLICE("RFC 5321 section 4.5.3.1.7"));
}

static bool set_max_size(struct parser *p, struct place word, const struct value *values)
{
    (void)word;
    check_max_size(p, &values[0]);
    p->settings->max_size = values[0].number;
    return true;
}

static bool set_listener_max_size(struct parser *p, struct place word, const struct value *values)
{
    (void)word;
    check_max_size(p, &values[0]);
    p->listener->max_size = values[0].number;
    return true;
}

static bool set_line_ends(struct parser *p, struct place word, const struct value *values)
{
    (void)word;
    p->listener->line_ends = (enum line_ends)values[0].number;
    return true;
}

static bool sockets_clash(const struct settings_listener *a, const struct settings_listener *b)
{
    struct slice ip_a = {(const char *)a->ip, sizeof(a->ip)};
    struct slice ip_b = {(const char *)b->ip, sizeof(b->ip)};

    return a->port == b->port && (a->any || b->any || slice_equal(ip_a, ip_b));
}

static bool add_listener(struct parser *p, struct place word, const struct value *values)
{
    struct settings *s = p->settings;
    const struct value *socket = &values[1];

    for (size_t i = 0; i < s->listener_count; i++) {
        if (sockets_clash(&p->listeners[i], &socket->socket))
            return wrong(p, socket->place,
                         arena_printf(p->scratch, "line %u already listens there, on %.*s",
                                      p->listeners[i].line, SLICE_PRINTF(p->listeners[i].address)),
                         SLICE("remove one, or take another port"));
    }
    p->listener = &p->listeners[s->listener_count++];
    *p->listener = socket->socket;
    p->listener->line_ends = LINE_ENDS_STRICT;
    p->listener->line = word.line;
    return true;
}

static bool set_queue(struct parser *p, struct place word, const struct value *values)
{
    (void)word;
    p->settings->queue_path = values[0].text;
    return true;
}

static bool set_min_free(struct parser *p, struct place word, const struct value *values)
{
    (void)word;
    p->settings->queue_min_free = values[0].number;
    return true;
}

/* ---- rules ---- */

/* The rule counts only from finish_rule() on. */
static bool begin_rule(struct parser *p, struct place word, enum rule_verdict verdict)
{
    p->rule = &p->rules[p->settings->rules.count];
    p->rule_places[p->settings->rules.count] = word;
    *p->rule = (struct rule){.verdict = verdict, .file = p->file, .line = word.line};
    return true;
}

static bool begin_accept(struct parser *p, struct place word, const struct value *values)
{
    (void)values;
    return begin_rule(p, word, RULE_ACCEPT);
}

static bool begin_reject(struct parser *p, struct place word, const struct value *values)
{
    (void)values;
    return begin_rule(p, word, RULE_REJECT);
}

static bool begin_discard(struct parser *p, struct place word, const struct value *values)
{
    (void)values;
    return begin_rule(p, word, RULE_DISCARD);
}

static void finish_rule(struct parser *p)
{
    p->settings->rules.count++;
}

static bool set_from(struct parser *p, struct place word, const struct value *values)
{
    (void)word;
    p->rule->from = (enum rule_from)values[0].number;
    return true;
}

static struct rule_target target_of(const struct value *values)
{
    return (struct rule_target){
        .match = (enum rule_match)values[0].number,
        .domain = values[1].text,
        .address = values[1].address,
    };
}

static bool set_sender(struct parser *p, struct place word, const struct value *values)
{
    (void)word;
    p->rule->sender = target_of(values);
    return true;
}

static bool set_to(struct parser *p, struct place word, const struct value *values)
{
    (void)word;
    p->rule->to = target_of(values);
    return true;
}

static bool set_action(struct parser *p, struct place word, const struct value *values)
{
    if (p->rule->verdict != RULE_ACCEPT)
        return wrong(p, word, SLICE("only 'accept' delivers"),
                     SLICE("remove it, or make the rule an 'accept'"));
    p->rule->action = (enum rule_action)values[0].number;
    p->rule->path = values[1].text;
    return true;
}

static bool set_refusal(struct parser *p, struct place word, const struct value *values)
{
    if (p->rule->verdict != RULE_REJECT)
        return wrong(p, word, SLICE("only 'reject' answers with a text"),
                     SLICE("remove it, or make the rule a 'reject'"));
    p->rule->refusal = values[0].refusal;
    return true;
}

/* ---- the file as a whole ---- */

static bool domain_is_local(const struct rules *rules, struct slice domain)
{
    return slice_equal(domain, SLICE("localhost")) || slice_equal(domain, rules->hostname) ||
           slice_equal(domain, rules->origin);
}

/* Every domain that the inner pattern matches, the outer one matches too. */
static bool domains_cover(struct slice outer, struct slice inner)
{
    return slice_equal(outer, inner) ||
           (slice_starts(outer, SLICE("*.")) && inner.len > outer.len - 1 &&
            slice_ends(inner, slice_skip(outer, 1)));
}

static struct slice domain_of(const struct parser *p, const struct rule_target *target)
{
    struct slice ascii;

    if (target->match == MATCH_DOMAIN)
        return target->domain;
    if (target->address.kind == ADDRESS_BARE)
        return p->settings->rules.origin;
    return domain_to_ascii(target->address.domain, p->scratch, &ascii) ? ascii
                                                                       : target->address.domain;
}

static bool address_covers(const struct parser *p, const struct rule_target *outer,
                           const struct rule_target *inner)
{
    struct slice local = inner->address.local;
    struct slice name = slice_head(local, slice_find(local, '+'));

    return outer->address.kind == inner->address.kind &&
           slice_equal(domain_of(p, outer), domain_of(p, inner)) &&
           (slice_equal_nocase(outer->address.local, local) ||
            slice_equal_nocase(outer->address.local, name));
}

static bool target_covers(const struct parser *p, const struct rule_target *outer,
                          const struct rule_target *inner)
{
    bool inner_is_name = inner->match == MATCH_DOMAIN ||
                         (inner->match == MATCH_ADDRESS && inner->address.kind != ADDRESS_LITERAL);

    switch (outer->match) {
    case MATCH_ANY: return true;
    case MATCH_LOCAL:
        return inner->match == MATCH_LOCAL ||
               (inner_is_name && domain_is_local(&p->settings->rules, domain_of(p, inner)));
    case MATCH_DOMAIN: return inner_is_name && domains_cover(outer->domain, domain_of(p, inner));
    case MATCH_ADDRESS: break;
    }
    return inner->match == MATCH_ADDRESS && address_covers(p, outer, inner);
}

static void warn_of_dead_rule(struct parser *p, size_t at)
{
    const struct rule *rule = &p->rules[at];

    for (size_t i = 0; i < at; i++) {
        const struct rule *earlier = &p->rules[i];
        if ((earlier->from != FROM_ANY && earlier->from != rule->from) ||
            !target_covers(p, &earlier->sender, &rule->sender) ||
            !target_covers(p, &earlier->to, &rule->to))
            continue;
        warn(p, p->rule_places[at], SLICE("this rule can never match"),
             arena_printf(p->scratch, "line %u comes first and takes all of it", earlier->line));
        return;
    }
}

/* RFC 5321 4.5.1: every server must take mail for postmaster. */
static void check_postmaster(struct parser *p)
{
    struct rules_query query = {
        .rcpt = {.kind = ADDRESS_BARE, .local = SLICE("postmaster")}
    };
    struct decision d = rules_decide(&p->settings->rules, &query, p->scratch);
    struct slice home = address_text(p->scratch, &d.final);

    if (d.kind == DECIDE_MAILDIR)
        return;
    wrong(p, p->postmaster_place,
          arena_printf(p->scratch, "postmaster's mail goes to %.*s, but no rule delivers that",
                       SLICE_PRINTF(home)),
          p->postmaster_place.line > 0
              ? SLICE("name an address that an 'accept ... deliver' rule takes")
              : SLICE("write: postmaster ADDRESS, one that an 'accept ... deliver' rule takes"));
}

static bool was_seen(const struct parser *p, struct slice word)
{
    for (size_t i = 0; i < ROW_COUNT; i++) {
        if (rows[i].where == IN_FILE && slice_equal(rows[i].word, word))
            return p->seen[i] > 0 || p->meant[i];
    }
    return false;
}

static const struct {
    struct slice word;
    struct slice message;
    struct slice hint;
} required[] = {
    {SLICE_INIT("hostname"), SLICE_INIT("no 'hostname': by what name greets this server?"),
     SLICE_INIT("write: hostname mx1.example.org") },
    {SLICE_INIT("listen"),   SLICE_INIT("no 'listen': mail cannot come in"),
     SLICE_INIT("write: listen mx *:25")           },
    {SLICE_INIT("queue"),    SLICE_INIT("no 'queue': mail has no place to wait"),
     SLICE_INIT("write: queue /var/spool/postroad")},
};

static void check_required(struct parser *p)
{
    for (size_t i = 0; i < sizeof(required) / sizeof(*required); i++) {
        if (!was_seen(p, required[i].word))
            wrong(p, (struct place){0}, required[i].message, required[i].hint);
    }
}

static void set_defaults(struct parser *p)
{
    struct settings *s = p->settings;

    s->listeners = p->listeners;
    s->rules.rules = p->rules;
    s->rules.hostname = s->hostname;
    if (s->rules.origin.len == 0)
        s->rules.origin = s->hostname;
    if (s->rules.postmaster.kind == ADDRESS_NULL)
        s->rules.postmaster =
            (struct address){ADDRESS_MAILBOX, SLICE("postmaster"), s->rules.origin, false};
    if (s->max_size == 0)
        s->max_size = default_max_size;
    if (s->queue_min_free == 0)
        s->queue_min_free = default_min_free;
    for (size_t i = 0; i < s->listener_count; i++) {
        if (p->listeners[i].max_size == 0)
            p->listeners[i].max_size = s->max_size;
    }
}

static void parse(struct parser *p, struct slice text)
{
    struct syntax_tree tree = syntax_parse(text, p->scratch, &p->complaints);
    bool readable = p->complaints.errors == 0;
    size_t count = tree.count + 1; /* no more listeners or rules than statements */

    p->listeners = ARENA_ARRAY(&p->settings->arena, struct settings_listener, count);
    p->rules = ARENA_ARRAY(&p->settings->arena, struct rule, count);
    p->rule_places = ARENA_ARRAY(p->scratch, struct place, count);
    read_block(p, tree.first, IN_FILE, p->seen);
    if (readable)
        check_required(p);
    set_defaults(p);
    if (p->complaints.errors > 0)
        return;
    check_postmaster(p);
    for (size_t i = 0; i < p->settings->rules.count; i++)
        warn_of_dead_rule(p, i);
}

struct settings *settings_parse(struct slice file, struct slice text,
                                struct settings_errors *errors)
{
    struct settings *s = MEMORY_NEW(struct settings);
    struct arena scratch = {0};
    struct parser p = {.settings = s, .scratch = &scratch, .complaints.arena = &scratch};

    p.file = arena_copy(&s->arena, file);
    if (text.len > SETTINGS_TEXT_MAX)
        wrong(&p, (struct place){0}, SLICE("the file is larger than 1 MiB"), SLICE(""));
    else
        parse(&p, text);
    errors->count = p.complaints.errors;
    buf_init(&errors->text, ERRORS_TEXT_MAX);
    complaints_write(&p.complaints, file, text, &errors->text);
    arena_done(&scratch);
    if (errors->count == 0)
        return s;
    settings_free(s);
    return NULL;
}

void settings_free(struct settings *s)
{
    if (s == NULL)
        return;
    arena_done(&s->arena);
    memory_free(s);
}
