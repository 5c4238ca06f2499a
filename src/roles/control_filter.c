/*
 * control_filter.c - which messages a request means.
 */
#include "roles/control_internal.h"

/* A name has two spellings, and people type either; that of a mail is its sender's. */
static bool same_domain(struct caller *c, struct slice one, struct slice other)
{
    struct slice a, b;

    if (slice_equal_nocase(one, other))
        return true;
    return domain_to_ascii(one, &c->scratch, &a) && domain_to_ascii(other, &c->scratch, &b) &&
           slice_equal_nocase(a, b);
}

static bool address_fits(struct caller *c, const struct address *a, struct slice wanted)
{
    struct slice text = address_text(&c->scratch, a);

    if (slice_starts(wanted, SLICE("@")))
        return slice_ends_nocase(text, wanted) || same_domain(c, a->domain, slice_skip(wanted, 1));
    return slice_equal_nocase(text, slice_equal(wanted, SLICE("<>")) ? SLICE("") : wanted);
}

static bool contains_nocase(struct slice text, struct slice wanted)
{
    for (; text.len >= wanted.len; text = slice_skip(text, 1))
        if (slice_equal_nocase(slice_head(text, wanted.len), wanted))
            return true;
    return false;
}

/* Is there a recipient to whom all of it applies? */
static bool rcpt_fits(struct caller *c, const struct queue_message *m, unsigned i)
{
    const struct filter *f = &c->filter;
    const struct address *a = &m->envelope.rcpts[i].final;
    const struct queue_rcpt *r = &m->rcpts[i];

    return r->state != QUEUE_DONE && (f->to.len == 0 || address_fits(c, a, f->to)) &&
           (f->domain.len == 0 || same_domain(c, a->domain, f->domain)) &&
           (f->status.len == 0 || slice_equal(control_status(c, m, i), f->status)) &&
           (f->reason.len == 0 || contains_nocase(r->reason, f->reason));
}

bool control_filter_fits(struct caller *c, const struct queue_message *m)
{
    const struct filter *f = &c->filter;
    const struct envelope *e = &m->envelope;

    if (f->from.len > 0 && !address_fits(c, &e->sender, f->from))
        return false;
    if (f->user.len > 0 && !slice_equal_nocase(e->user, f->user))
        return false;
    /* By its age, not by the clock on the wall: one that is set wrong must not choose too much. */
    if (queue_age_ms(m, loop_now_ms(c->control->role->loop)) < f->older_ms)
        return false;
    for (unsigned i = 0; i < e->rcpt_count; i++)
        if (rcpt_fits(c, m, i))
            return true;
    return false;
}

/* ---- reading a request ---- */

/* False: it is none. */
bool control_take_id(struct slice *ids, uint64_t *id)
{
    struct slice one;

    if (!slice_cut(*ids, ',', &one, ids)) {
        one = *ids;
        *ids = SLICE("");
    }
    return queue_id_parse(one, id);
}

static bool are_ids(struct slice ids)
{
    uint64_t id;

    do {
        if (!control_take_id(&ids, &id))
            return false;
    } while (ids.len > 0);
    return true;
}

/* What cannot be understood is not left out: the rest would choose more than was meant. */
static bool read_older(struct slice text, struct filter *f)
{
    struct cursor in = {text};
    uint64_t older_s;

    if (!take_number(&in, &older_s) || !cursor_at_end(&in))
        return false;
    f->older_ms = older_s > UINT64_MAX / 1000 ? UINT64_MAX : older_s * 1000;
    return true;
}

static bool read_limit(struct slice text, struct filter *f)
{
    struct cursor in = {text};

    return take_number(&in, &f->limit) && cursor_at_end(&in);
}

static bool read_status(struct slice text, struct filter *f)
{
    f->status = text;
    return slice_equal(text, SLICE("active")) || slice_equal(text, SLICE("deferred")) ||
           slice_equal(text, SLICE("held")) || slice_equal(text, SLICE("later")) ||
           slice_equal(text, SLICE("paused"));
}

static bool read_ids(struct slice text, struct filter *f)
{
    f->named = true;
    f->ids = text;
    return are_ids(text);
}

static bool read_from(struct slice text, struct filter *f)
{
    f->from = text;
    return true;
}

static bool read_user(struct slice text, struct filter *f)
{
    f->user = text;
    return true;
}

static bool read_to(struct slice text, struct filter *f)
{
    f->to = text;
    return true;
}

static bool read_domain(struct slice text, struct filter *f)
{
    f->domain = text;
    return true;
}

static bool read_reason(struct slice text, struct filter *f)
{
    f->reason = text;
    return true;
}

static const struct {
    struct slice name;
    bool (*read)(struct slice text, struct filter *f);
    const char *wrong;
    bool chooses;
} filters[] = {
    {SLICE_INIT("id"),     read_ids,    "a queue id has 12 letters and digits",                true },
    {SLICE_INIT("from"),   read_from,   "no sender is named",                                  true },
    {SLICE_INIT("user"),   read_user,   "no account is named",                                 true },
    {SLICE_INIT("to"),     read_to,     "no recipient is named",                               true },
    {SLICE_INIT("domain"), read_domain, "no domain is named",                                  true },
    {SLICE_INIT("status"), read_status, "a status is active, deferred, held, later or paused",
     true                                                                                           },
    {SLICE_INIT("reason"), read_reason, "no reason is named",                                  true },
    {SLICE_INIT("older"),  read_older,  "an age is a number of seconds",                       true },
    {SLICE_INIT("limit"),  read_limit,  "a limit is a number",                                 false},
};

/* NULL: it was read; else what is wrong. */
static const char *read_field(const struct control_field *field, struct filter *f, bool *chosen)
{
    for (size_t i = 0; i < sizeof(filters) / sizeof(*filters); i++) {
        if (!slice_equal(field->name, filters[i].name))
            continue;
        *chosen = *chosen || filters[i].chooses;
        return field->value.len > 0 && filters[i].read(field->value, f) ? NULL : filters[i].wrong;
    }
    return "there is no such filter";
}

const char *control_filter_read(const struct control_line *line, bool must_choose, struct filter *f)
{
    const char *wrong = NULL;
    bool chosen = false;

    *f = (struct filter){.limit = UINT64_MAX};
    for (unsigned i = 0; i < line->count && wrong == NULL; i++)
        wrong = read_field(&line->fields[i], f, &chosen);
    if (wrong == NULL && must_choose && !chosen)
        wrong = "it is not said which messages";
    return wrong;
}
