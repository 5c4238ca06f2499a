/*
 * accounts.c - one pass over the lines of a passwd-file.
 *
 * What belongs to others (hashes, homes, Dovecot's extra fields) is passed over unread, so that one
 * file serves both programs. Our own fields are checked, because a misspelt right is one that
 * nobody has, or that nobody lost.
 */
#include "mail/accounts.h"

#include "base/cursor.h"
#include "base/memory.h"
#include "mail/account_line.h"

struct accounts {
    struct names names;   /* number: the line */
    struct names able;    /* those with postroad_send; number: where its text begins in `rights` */
    struct buf rights;    /* {u32 length, bytes} */
    struct names closed;  /* those with a password or keys, the same in `passwords` */
    struct buf passwords; /* {u32 length, bytes} of the password, the same of the keys */
    struct buf places;    /* {u32} of each password in `passwords` */
    struct names disabled;
    size_t scram_count;
    bool bare_names;
};

static const struct slice our_fields[] = {
    SLICE_INIT("postroad_send"),
    SLICE_INIT("postroad_console"),
    SLICE_INIT("postroad_scram"),
};

static const struct slice scram = SLICE_INIT("{SCRAM-SHA-256}");

static bool is_our_field(struct slice name)
{
    for (size_t i = 0; i < sizeof(our_fields) / sizeof(*our_fields); i++)
        if (slice_equal(name, our_fields[i]))
            return true;
    return false;
}

/* ---- who may write as whom ---- */

static bool pattern_is_sound(struct slice pattern, struct arena *scratch)
{
    struct address a;

    if (slice_equal(pattern, SLICE("*")))
        return true;
    if (slice_starts(pattern, SLICE("*@")))
        pattern = arena_printf(scratch, "x%.*s", SLICE_PRINTF(slice_skip(pattern, 1)));
    return address_parse(pattern, scratch, &a) && a.kind == ADDRESS_MAILBOX;
}

/* The next one of a list with commas between. */
static bool next_pattern(struct slice *rest, struct slice *pattern)
{
    if (rest->len == 0)
        return false;
    if (!slice_cut(*rest, ',', pattern, rest)) {
        *pattern = *rest;
        *rest = SLICE("");
    }
    return true;
}

static void keep_rights(struct accounts *a, struct table_reader *r, const struct table_line *line,
                        struct slice patterns, const struct table_key *key)
{
    struct arena scratch = {0};
    struct slice pattern, rest = patterns;
    uint32_t at = (uint32_t)buf_len(&a->rights);

    while (next_pattern(&rest, &pattern))
        if (!pattern_is_sound(pattern, &scratch))
            complain_printf(
                r->complaints, SEVERITY_ERROR, table_place(line, pattern),
                SLICE("write postroad_send=ann@example.org,*@example.net, or * for all"),
                "'%.*s' is no address", SLICE_PRINTF(pattern));
    if (put_bytes(&a->rights, patterns))
        (void)names_add(&a->able, table_key_slice(key), &at);
    arena_done(&scratch);
}

/* ---- the other fields ---- */

static void check_field(struct accounts *a, struct table_reader *r, const struct table_line *line,
                        struct slice field, const struct table_key *key)
{
    struct slice name = account_field_name(field), value = account_field_value(field);

    if (slice_equal(name, SLICE("postroad_send")))
        keep_rights(a, r, line, value, key);
    if (slice_equal(name, account_field_scram) && !slice_starts_nocase(value, scram))
        complain(r->complaints, SEVERITY_ERROR, table_place(line, name),
                 SLICE("no keys of {SCRAM-SHA-256}"), SLICE("type: postroad user passwd NAME"));
    if (!slice_starts(name, SLICE("postroad_")) || is_our_field(name))
        return;
    complain_printf(r->complaints, SEVERITY_ERROR, table_place(line, name),
                    SLICE("known: postroad_send, postroad_console, postroad_scram"),
                    "unknown field '%.*s'", SLICE_PRINTF(name));
}

static void check_extra(struct accounts *a, struct table_reader *r, const struct table_line *line,
                        struct slice extra, const struct table_key *key)
{
    struct slice field;
    uint32_t number = line->number;

    if (account_field_find(extra, account_field_nologin, &field))
        (void)names_add(&a->disabled, table_key_slice(key), &number);
    while (account_field_next(&extra, &field))
        check_field(a, r, line, field, key);
}

static void add_name(struct accounts *a, struct table_reader *r, const struct table_line *line,
                     struct slice name, struct table_key *key, struct arena *scratch)
{
    uint32_t number = line->number;
    struct address who;

    key->len = 0;
    if (!address_parse(name, scratch, &who) || !table_key_of(key, &who, scratch)) {
        complain_printf(r->complaints, SEVERITY_ERROR, table_place(line, name),
                        SLICE("a line begins with bob@example.org: or, for every domain, bob:"),
                        "'%.*s' is no address and no name", SLICE_PRINTF(name));
        return;
    }
    a->bare_names = a->bare_names || who.kind == ADDRESS_BARE;
    if (!names_add(&a->names, table_key_slice(key), &number))
        complain_printf(r->complaints, SEVERITY_ERROR, table_place(line, name),
                        SLICE("keep one of them"), "'%.*s' has an account already, in line %u",
                        SLICE_PRINTF(name), number);
}

static struct slice scram_of(const struct account_line *l)
{
    struct slice field;

    if (account_field_find(l->extra, account_field_scram, &field))
        return account_field_value(field);
    return slice_starts_nocase(l->password, scram) ? l->password : SLICE("");
}

static void keep_password(struct accounts *a, const struct account_line *l,
                          const struct table_key *key)
{
    uint32_t at = (uint32_t)buf_len(&a->passwords);
    struct slice keys = scram_of(l);

    a->scram_count += keys.len > 0;
    if (l->password.len == 0 && keys.len == 0)
        return;
    if (put_bytes(&a->passwords, l->password) && put_bytes(&a->passwords, keys) &&
        (l->password.len == 0 || put_u32(&a->places, at)))
        (void)names_add(&a->closed, table_key_slice(key), &at);
}

struct accounts *accounts_parse(struct slice text, struct complaints *c)
{
    struct accounts *a = MEMORY_NEW(struct accounts);
    struct table_reader r = table_reader_of(text, c);
    struct arena scratch = {0};
    struct table_line line;
    struct table_key key;

    names_init(&a->names, text);
    names_init(&a->able, text);
    names_init(&a->closed, text);
    names_init(&a->disabled, text);
    buf_init(&a->rights, UINT32_MAX);
    buf_init(&a->passwords, UINT32_MAX);
    buf_init(&a->places, UINT32_MAX);
    while (table_next_line(&r, &line)) {
        struct account_line l = account_line_of(line.text);

        add_name(a, &r, &line, l.name, &key, &scratch);
        keep_password(a, &l, &key);
        check_extra(a, &r, &line, l.extra, &key);
        arena_reset(&scratch);
    }
    arena_done(&scratch);
    return a;
}

/* All of the extra fields but the keys, of which the scheme stays. */
static bool write_extra(struct buf *out, struct slice extra)
{
    struct slice field;

    while (account_field_find(extra, account_field_scram, &field)) {
        if (!buf_append(out, slice_head(extra, (size_t)(field.data - extra.data))) ||
            !buf_append(out, account_field_scram) || !buf_append_char(out, '=') ||
            !buf_append(out, scram))
            return false;
        extra = slice_skip(extra, (size_t)(field.data - extra.data) + field.len);
    }
    return buf_append(out, extra);
}

/* "name:password:rest" -> "name::rest". That it has SCRAM keys is no secret, and decides what is
 * offered. */
static bool write_line(struct buf *out, struct slice line)
{
    struct account_line l = account_line_of(line);
    struct slice behind = slice_skip(line, l.name.len + 1 + l.password.len);
    struct slice middle = slice_head(behind, behind.len - l.extra.len);
    bool has_scram = slice_starts_nocase(l.password, scram);

    return buf_append(out, l.name) &&
           buf_append(out, has_scram || behind.len > 0 ? SLICE(":") : SLICE("")) &&
           buf_append(out, has_scram ? scram : SLICE("")) && buf_append(out, middle) &&
           write_extra(out, l.extra) && buf_append_char(out, '\n');
}

bool accounts_write_without_passwords(struct buf *out, struct slice text)
{
    struct arena scratch = {0};
    struct complaints ignored = {.arena = &scratch};
    struct table_reader r = table_reader_of(text, &ignored);
    struct table_line line;
    bool fits = true;

    while (fits && table_next_line(&r, &line))
        fits = write_line(out, line.text);
    arena_done(&scratch);
    return fits;
}

void accounts_free(struct accounts *a)
{
    if (a == NULL)
        return;
    names_done(&a->names);
    names_done(&a->able);
    names_done(&a->closed);
    names_done(&a->disabled);
    buf_done(&a->rights);
    buf_wipe(&a->passwords);
    buf_done(&a->places);
    memory_free(a);
}

void accounts_swap(struct accounts *a, struct accounts *b)
{
    struct accounts first = *a;

    *a = *b;
    *b = first;
}

size_t accounts_count(const struct accounts *a)
{
    return a->names.used;
}

bool accounts_have_bare_names(const struct accounts *a)
{
    return a->bare_names;
}

bool accounts_have(const struct accounts *a, const struct address *who)
{
    uint32_t line;

    return table_find(&a->names, who, &line);
}

/* ---- sending ---- */

static struct slice to_ascii(struct slice domain, struct arena *scratch)
{
    struct slice ascii;

    return domain_to_ascii(domain, scratch, &ascii) ? ascii : domain;
}

static bool same_domain(struct slice a, struct slice b, struct arena *scratch)
{
    return slice_equal_nocase(to_ascii(a, scratch), to_ascii(b, scratch));
}

static bool is_own(const struct address *user, const struct address *sender, struct arena *scratch)
{
    return (slice_equal_nocase(user->local, sender->local) ||
            slice_equal_nocase(user->local, without_detail(sender->local))) &&
           (user->kind == ADDRESS_BARE || same_domain(user->domain, sender->domain, scratch));
}

static bool pattern_allows(struct slice pattern, const struct address *sender,
                           struct arena *scratch)
{
    struct address a;

    if (slice_equal(pattern, SLICE("*")))
        return true;
    if (slice_starts(pattern, SLICE("*@")))
        return same_domain(slice_skip(pattern, 2), sender->domain, scratch);
    return address_parse(pattern, scratch, &a) && is_own(&a, sender, scratch);
}

static struct slice text_at(const struct buf *texts, uint32_t at)
{
    struct cursor c = {slice_skip(buf_slice(texts), at)};
    struct slice text = SLICE("");

    (void)get_bytes(&c, UINT32_MAX, &text);
    return text;
}

static bool rights_allow(const struct accounts *a, const struct address *user,
                         const struct address *sender, struct arena *scratch)
{
    struct slice rest, pattern;
    struct table_key key;
    uint32_t at;

    if (!table_key_of(&key, user, scratch) || !names_find(&a->able, table_key_slice(&key), &at))
        return false;
    rest = text_at(&a->rights, at);
    while (next_pattern(&rest, &pattern))
        if (pattern_allows(pattern, sender, scratch))
            return true;
    return false;
}

bool accounts_may_send_as(const struct accounts *a, struct slice user, const struct address *sender)
{
    struct arena scratch = {0};
    struct address who;
    bool may = address_parse(user, &scratch, &who) &&
               (is_own(&who, sender, &scratch) || rights_allow(a, &who, sender, &scratch));

    arena_done(&scratch);
    return may;
}

/* ---- logging in ---- */

struct slice account_name(const struct address *who, struct arena *arena)
{
    struct address form = *who;

    if (who->kind == ADDRESS_MAILBOX)
        form.domain = to_ascii(who->domain, arena);
    struct slice name = address_text(arena, &form);
    char *lower = arena_alloc(arena, name.len);

    for (size_t i = 0; i < name.len; i++)
        lower[i] = byte_lower(name.data[i]);
    return (struct slice){lower, name.len};
}

static bool take_account(const struct accounts *a, const struct address *who, struct arena *arena,
                         struct account *out)
{
    struct table_key key;
    uint32_t line, at;

    if (!table_key_of(&key, who, arena) || !names_find(&a->names, table_key_slice(&key), &line))
        return false;
    out->name = account_name(who, arena);
    out->password = out->scram = SLICE("");
    if (names_find(&a->closed, table_key_slice(&key), &at)) {
        out->password = text_at(&a->passwords, at);
        out->scram = text_at(&a->passwords, at + (uint32_t)(sizeof(at) + out->password.len));
    }
    out->disabled = names_find(&a->disabled, table_key_slice(&key), &line);
    return true;
}

bool accounts_login(const struct accounts *a, struct slice name, struct arena *arena,
                    struct account *out)
{
    struct address who, bare;

    if (!address_parse(name, arena, &who) || who.kind == ADDRESS_LITERAL)
        return false;
    bare = (struct address){.kind = ADDRESS_BARE, .local = who.local};
    return take_account(a, &who, arena, out) || take_account(a, &bare, arena, out);
}

size_t accounts_password_count(const struct accounts *a)
{
    return buf_len(&a->places) / sizeof(uint32_t);
}

struct slice accounts_password_at(const struct accounts *a, size_t i)
{
    struct cursor c = {slice_skip(buf_slice(&a->places), i * sizeof(uint32_t))};
    uint32_t at = 0;

    (void)get_u32(&c, &at);
    return text_at(&a->passwords, at);
}

bool accounts_all_have_scram(const struct accounts *a)
{
    return a->scram_count > 0 && a->scram_count == accounts_count(a);
}
