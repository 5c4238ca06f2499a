/*
 * msmtp_file.c - lines, each of which says something about the account above it.
 *
 * What an account says is a value for each word and the set of words that were said, so that
 * another one which builds upon it takes over those and no others.
 */
#include "cmd/msmtp_file.h"

#include "base/arena.h"
#include "base/cursor.h"

static const struct slice words[MSMTP_WORDS] = {
    [MSMTP_HOST] = SLICE_INIT("host"),
    [MSMTP_PORT] = SLICE_INIT("port"),
    [MSMTP_FROM] = SLICE_INIT("from"),
    [MSMTP_USER] = SLICE_INIT("user"),
    [MSMTP_PASSWORD] = SLICE_INIT("password"),
    [MSMTP_AUTH] = SLICE_INIT("auth"),
    [MSMTP_TRUST_FILE] = SLICE_INIT("tls_trust_file"),
    [MSMTP_TLS] = SLICE_INIT("tls"),
    [MSMTP_STARTTLS] = SLICE_INIT("tls_starttls"),
    [MSMTP_CERTCHECK] = SLICE_INIT("tls_certcheck"),
    [MSMTP_PASSWORDEVAL] = SLICE_INIT("passwordeval"),
    [MSMTP_PROTOCOL] = SLICE_INIT("protocol"),
    [MSMTP_PROXY_HOST] = SLICE_INIT("proxy_host"),
    [MSMTP_SOCKET] = SLICE_INIT("socket"),
    [MSMTP_SOURCE_IP] = SLICE_INIT("source_ip"),
    [MSMTP_FINGERPRINT] = SLICE_INIT("tls_fingerprint"),
    [MSMTP_HOST_OVERRIDE] = SLICE_INIT("tls_host_override"),
};

struct reading {
    struct msmtp_account *accounts; /* the first one is what `defaults` says */
    unsigned count;
    struct msmtp_account *current;
    const char *fault;
};

static bool is_wrong(struct reading *r, const char *fault)
{
    r->fault = fault;
    return false;
}

/* ---- what a line says ---- */

static enum msmtp_word find_word(struct slice text)
{
    enum msmtp_word word = MSMTP_HOST;

    while (word < MSMTP_WORDS && !slice_equal(words[word], text))
        word++;
    return word;
}

static bool set(struct reading *r, enum msmtp_word word, struct slice value)
{
    bool is_switch = word >= MSMTP_TLS && word <= MSMTP_CERTCHECK;

    if (value.len == 0 && (is_switch || word == MSMTP_AUTH))
        value = SLICE("on");
    if (is_switch && !slice_equal(value, SLICE("on")) && !slice_equal(value, SLICE("off")))
        return is_wrong(r, "is neither on nor off");
    r->current->values[word] = value;
    r->current->said |= 1u << word;
    return true;
}

static struct msmtp_account *find_account(const struct reading *r, struct slice name)
{
    for (unsigned i = 1; i < r->count; i++)
        if (slice_equal(r->accounts[i].name, name))
            return &r->accounts[i];
    return NULL;
}

static void inherit(struct msmtp_account *a, const struct msmtp_account *from)
{
    for (unsigned word = 0; word < MSMTP_WORDS; word++)
        if (from->said & 1u << word)
            a->values[word] = from->values[word];
    a->said |= from->said;
}

/* "work, other": they stand above. */
static bool inherit_all(struct reading *r, struct msmtp_account *a, struct slice names)
{
    const struct msmtp_account *from;
    struct slice name;

    while (names.len > 0) {
        if (!slice_cut(names, ',', &name, &names)) {
            name = names;
            names = SLICE("");
        }
        from = find_account(r, slice_trim(name));
        if (from == NULL)
            return is_wrong(r, "names one that does not stand above it");
        inherit(a, from);
    }
    return true;
}

static bool begin_account(struct reading *r, struct slice value)
{
    struct slice name = value, others = SLICE("");

    (void)slice_cut(value, ':', &name, &others);
    name = slice_trim(name);
    if (name.len == 0)
        return is_wrong(r, "needs a name");
    if (find_account(r, name) != NULL)
        return is_wrong(r, "stands here twice");
    if (r->count > MSMTP_ACCOUNTS_MAX)
        return is_wrong(r, "is one too many");
    r->current = &r->accounts[r->count];
    *r->current = r->accounts[0];
    r->current->name = name;
    if (!inherit_all(r, r->current, others))
        return false;
    r->count++;
    return true;
}

static struct slice unquoted(struct slice value)
{
    if (value.len >= 2 && value.data[0] == '"' && slice_ends(value, SLICE("\"")))
        return slice_skip(slice_head(value, value.len - 1), 1);
    return value;
}

static bool take_statement(struct reading *r, struct slice name, struct slice value)
{
    enum msmtp_word word = find_word(name);

    if (word < MSMTP_WORDS)
        return set(r, word, value);
    if (slice_equal(name, SLICE("account")))
        return begin_account(r, value);
    if (slice_equal(name, SLICE("defaults")))
        r->current = &r->accounts[0];
    return !slice_equal(name, SLICE("eval")) || is_wrong(r, "is not run here");
}

/* ---- the file ---- */

static bool is_no_blank(char c)
{
    return c != ' ' && c != '\t';
}

static bool read_all(struct reading *r, struct slice text, struct msmtp_fault *fault)
{
    struct slice line;
    bool more = true;

    for (unsigned number = 1; more; number++) {
        more = slice_cut(text, '\n', &line, &text);
        struct cursor c = {slice_trim(more ? line : text)};
        struct slice word = take_while(&c, is_no_blank);

        if (word.len == 0 || word.data[0] == '#' ||
            take_statement(r, word, unquoted(slice_trim(c.rest))))
            continue;
        *fault = (struct msmtp_fault){number, word, r->fault};
        return false;
    }
    return true;
}

enum msmtp_result msmtp_file_find(struct slice text, struct slice name, struct msmtp_account *out,
                                  struct msmtp_fault *fault)
{
    enum msmtp_result result = MSMTP_BROKEN;
    const struct msmtp_account *found;
    struct arena scratch = {0};
    struct reading r = {
        .accounts = ARENA_ARRAY(&scratch, struct msmtp_account, MSMTP_ACCOUNTS_MAX + 1),
        .count = 1,
    };

    r.current = r.accounts;
    *fault = (struct msmtp_fault){.word = SLICE("the file"), .what = "is larger than 256 KiB"};
    if (text.len <= MSMTP_TEXT_MAX && read_all(&r, text, fault)) {
        found = find_account(&r, name);
        result = found == NULL ? MSMTP_NO_ACCOUNT : MSMTP_FOUND;
        if (found != NULL)
            *out = *found;
    }
    arena_done(&scratch);
    return result;
}

struct slice msmtp_word_name(enum msmtp_word word)
{
    return words[word];
}

enum msmtp_word msmtp_account_obstacle(const struct msmtp_account *account)
{
    enum msmtp_word word = MSMTP_PROTOCOL;

    while (word < MSMTP_WORDS &&
           (account->values[word].len == 0 ||
            (word == MSMTP_PROTOCOL && slice_equal(account->values[word], SLICE("smtp")))))
        word++;
    return word;
}
