/*
 * mime_survey.c - traits of a message and of each of its leaves.
 *
 * A header's traits are fixed, save for long lines with blanks to fold them at. A leaf's can be
 * mended as its encoding allows: identity by encoding it, quoted-printable by further soft breaks,
 * base64 by further line ends. Whatever the walk calls doubtful stays, since readers that see other
 * parts than we do would see them converted wrongly.
 */
#include "wire/mime_survey.h"

#include "wire/chars.h"
#include "wire/header.h"

unsigned mime_goal_bans(enum mime_goal goal)
{
    static const unsigned bans[] = {
        [MIME_FOR_MAILBOX] = MIME_WILD,
        [MIME_FOR_8BIT] = MIME_WILD | MIME_LONG,
        [MIME_FOR_7BIT] = MIME_WILD | MIME_LONG | MIME_HIGH,
    };

    return bans[goal];
}

bool mime_facts_fit(const struct mime_facts *f, enum mime_goal goal)
{
    return (f->traits & mime_goal_bans(goal)) == 0;
}

bool mime_facts_can_fit(const struct mime_facts *f, enum mime_goal goal)
{
    return (f->fixed & mime_goal_bans(goal)) == 0;
}

void mime_survey_init(struct mime_survey *s)
{
    *s = (struct mime_survey){.in_leaf = false};
    mime_init(&s->walk);
    buf_init(&s->parts, MIME_SURVEY_PARTS_MAX);
}

void mime_survey_done(struct mime_survey *s)
{
    mime_done(&s->walk);
    buf_done(&s->parts);
}

unsigned mime_survey_part(const struct mime_survey *s, size_t n)
{
    struct slice parts = buf_slice(&s->parts);

    return n < parts.len ? (unsigned char)parts.data[n] : 0;
}

/* --- bytes --- */

static unsigned watch(struct mime_survey *s, struct slice bytes)
{
    size_t column = s->column;
    bool after_cr = s->after_cr;
    unsigned traits = 0;

    for (size_t i = 0; i < bytes.len; i++) {
        unsigned char c = (unsigned char)bytes.data[i];

        if (c == '\n') {
            traits |= after_cr ? 0 : MIME_WILD;
            after_cr = false;
            column = 0;
            continue;
        }
        if (after_cr || c == '\0')
            traits |= MIME_WILD;
        if (c > 127)
            traits |= MIME_HIGH;
        after_cr = c == '\r';
        if (!after_cr && ++column > MIME_LINE_MAX)
            traits |= MIME_LONG;
    }
    s->column = column;
    s->after_cr = after_cr;
    return traits;
}

static bool is_base64(struct slice bytes)
{
    for (size_t i = 0; i < bytes.len; i++) {
        char c = bytes.data[i];

        if (!char_is(c, CHAR_LETDIG | CHAR_BLANK) && c != '+' && c != '/' && c != '=' &&
            c != '\r' && c != '\n')
            return false;
    }
    return true;
}

/* --- headers --- */

static unsigned count_fields(struct slice header, struct slice name)
{
    struct cursor c = {header};
    struct header_field field;
    unsigned count = 0;

    while (header_take_field(&c, &field))
        count += slice_equal_nocase(field.name, name) ? 1 : 0;
    return count;
}

/* Fields and nothing else, up to an empty line. */
static bool is_sound(struct slice header)
{
    struct cursor c = {header};
    struct header_field field;

    while (header_take_field(&c, &field))
        continue;
    return slice_equal(c.rest, SLICE("\r\n"));
}

bool mime_may_relabel(const struct mime *walk, struct slice header)
{
    return !walk->part.sealed && !walk->doubtful && is_sound(header) &&
           count_fields(header, SLICE("Content-Transfer-Encoding")) <= 1 &&
           count_fields(header, SLICE("Content-Type")) <= 1;
}

static bool can_fold(struct slice header)
{
    struct buf folded;
    bool can;

    buf_init(&folded, HEADER_FOLDED_MAX(header.len));
    can = header_fold_long(&folded, header);
    buf_done(&folded);
    return can;
}

static unsigned mendable_of(const struct mime_part *part)
{
    switch (part->encoding) {
    case MIME_7BIT:
    case MIME_8BIT:
    case MIME_BINARY: return part->encodable ? MIME_HIGH | MIME_WILD | MIME_LONG : 0;
    case MIME_QUOTED: return MIME_HIGH | MIME_LONG;
    case MIME_BASE64: return MIME_LONG;
    case MIME_OTHER: break;
    }
    return 0;
}

static void take_header(struct mime_survey *s, struct slice header)
{
    bool free = mime_may_relabel(&s->walk, header);
    unsigned traits, fixed;

    s->column = 0;
    s->after_cr = false;
    traits = fixed = watch(s, header);
    if ((traits & MIME_LONG) != 0 && free && can_fold(header))
        fixed &= ~(unsigned)MIME_LONG;
    s->facts.traits |= traits;
    s->facts.fixed |= fixed;
    s->facts.header_high = s->facts.header_high || (traits & MIME_HIGH) != 0;
    if (s->walk.part.depth == 0)
        s->facts.says_priority = count_fields(header, SLICE("MT-Priority")) > 0;
    s->in_leaf = s->walk.part.leaf;
    s->mendable = free ? mendable_of(&s->walk.part) : 0;
    s->traits = 0;
    s->alien = false;
    if (!s->in_leaf)
        (void)buf_append_char(&s->parts, 0);
}

/* --- parts --- */

static void end_leaf(struct mime_survey *s)
{
    if (!s->in_leaf)
        return;
    if (s->after_cr)
        s->traits |= MIME_WILD;
    s->after_cr = false;
    s->in_leaf = false;
    if (s->alien)
        s->mendable = 0;
    if (!buf_append_char(&s->parts, (char)(s->traits & s->mendable)))
        s->mendable = 0;
    s->facts.traits |= s->traits;
    s->facts.fixed |= s->traits & ~s->mendable;
}

static void take_content(struct mime_survey *s, struct slice bytes)
{
    s->traits |= watch(s, bytes);
    if (s->walk.part.encoding == MIME_BASE64 && !s->alien)
        s->alien = !is_base64(bytes);
}

static void take_outside(struct mime_survey *s, struct slice bytes)
{
    unsigned traits;

    end_leaf(s);
    traits = watch(s, bytes);
    s->facts.traits |= traits;
    s->facts.fixed |= traits;
}

static void run(struct mime_survey *s, struct cursor *in)
{
    for (;;) {
        struct slice bytes;

        switch (mime_next(&s->walk, in, &bytes)) {
        case MIME_MORE: return;
        case MIME_HEADER:
            end_leaf(s);
            take_header(s, bytes);
            break;
        case MIME_CONTENT: take_content(s, bytes); break;
        case MIME_OUTSIDE: take_outside(s, bytes); break;
        case MIME_END:
            end_leaf(s);
            if (s->after_cr)
                s->facts.fixed |= MIME_WILD;
            s->facts.traits |= s->facts.fixed;
            return;
        }
    }
}

void mime_survey_feed(struct mime_survey *s, struct slice bytes)
{
    struct cursor in = {bytes};

    run(s, &in);
}

void mime_survey_end(struct mime_survey *s)
{
    struct cursor nothing = {{0}};

    mime_end(&s->walk);
    run(s, &nothing);
}
