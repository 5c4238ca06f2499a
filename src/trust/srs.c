/*
 * srs.c - signing and knowing again.
 *
 * The hash is of the parts in lower case, one behind the other without anything between: so the
 * others do it. Whoever has one for ann@a.example may say that it is for eann@a.exampl. It is the
 * price of the common form; what he gains is mail to somebody whom he could not choose.
 */
#include "trust/srs.h"

#include "base/codec.h"
#include "wire/utf8.h"

#include <assert.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

enum {
    HASH_LEN = 4,
    HASH_LEN_MAX = 27, /* of all of it, which others may have taken */
    SUM_LEN = 20,      /* SHA-1 */
    TAG_LEN = 4,       /* "SRS0" */
    DAY_S = 24 * 60 * 60,
    DAYS = 1024, /* what two digits count */
};

static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

/* ---- the hash ---- */

static struct slice lower(struct slice s, struct arena *arena)
{
    char *bytes = arena_alloc(arena, s.len + 1);

    for (size_t i = 0; i < s.len; i++)
        bytes[i] = byte_lower(s.data[i]);
    return (struct slice){bytes, s.len};
}

/* All of it, in base64. */
static struct slice hash(struct slice secret, struct slice text, struct arena *arena)
{
    unsigned char sum[SUM_LEN];
    unsigned len = 0;
    struct buf out;

    text = lower(text, arena);
    const void *done = HMAC(EVP_sha1(), secret.data, (int)secret.len,
                            (const unsigned char *)text.data, text.len, sum, &len);
    assert(done != NULL && len == SUM_LEN);
    buf_init(&out, 64);
    (void)base64_encode(&out, (struct slice){(const char *)sum, len});
    struct slice all = arena_copy(arena, slice_head(buf_slice(&out), HASH_LEN_MAX));
    buf_done(&out);
    return all;
}

static bool hash_is(const struct srs_secrets *secrets, struct slice given, struct slice text,
                    struct arena *arena)
{
    bool right = false;

    if (given.len < HASH_LEN || given.len > HASH_LEN_MAX)
        return false;
    given = lower(given, arena);
    for (unsigned i = 0; i < secrets->count; i++) {
        struct slice ours = lower(hash(secrets->list[i], text, arena), arena);

        right = CRYPTO_memcmp(ours.data, given.data, given.len) == 0 || right;
    }
    return right;
}

/* ---- the day ---- */

static unsigned day_of(uint64_t now_s)
{
    return (unsigned)(now_s / DAY_S % DAYS);
}

static bool take_digit(struct cursor *c, unsigned *number)
{
    char byte;

    if (!take_any(c, &byte))
        return false;
    for (unsigned i = 0; i < sizeof(digits) - 1; i++)
        if (byte_lower(digits[i]) == byte_lower(byte)) {
            *number = *number * 32 + i;
            return true;
        }
    return false;
}

/* One day ahead is the clock of another machine of ours. */
static bool is_fresh(unsigned day, uint64_t now_s)
{
    return (day_of(now_s) + DAYS + 1 - day) % DAYS <= SRS_DAYS_MAX + 1;
}

/* ---- addresses ---- */

static bool is_tagged(struct slice local, struct slice tag)
{
    return slice_starts_nocase(local, tag) && local.len > TAG_LEN &&
           (local.data[TAG_LEN] == '=' || local.data[TAG_LEN] == '+' || local.data[TAG_LEN] == '-');
}

static bool fits_as_written(struct slice local)
{
    struct buf out;
    bool fits;

    buf_init(&out, LOCAL_PART_MAX);
    fits = local_part_write(&out, local);
    buf_done(&out);
    return fits;
}

static struct address mailbox(struct slice local, struct slice domain)
{
    return (struct address){ADDRESS_MAILBOX, local, domain,
                            !utf8_is_ascii(local) || !utf8_is_ascii(domain)};
}

/* `hashed` behind a hash of it. */
static struct slice sign(const struct srs_secrets *secrets, struct slice hashed,
                         struct arena *arena)
{
    return slice_head(hash(secrets->list[0], hashed, arena), HASH_LEN);
}

/* Somebody else has signed it: his hash goes on, so that he gets it back, and ours says by whom. */
static struct slice forward_again(const struct srs_secrets *secrets, struct slice host,
                                  struct slice rest, struct arena *arena)
{
    struct slice hashed = arena_printf(arena, "%.*s%.*s", SLICE_PRINTF(host), SLICE_PRINTF(rest));

    return arena_printf(arena, "SRS1=%.*s=%.*s=%.*s", SLICE_PRINTF(sign(secrets, hashed, arena)),
                        SLICE_PRINTF(host), SLICE_PRINTF(rest));
}

static struct slice forward_first(const struct srs_secrets *secrets, struct slice host,
                                  struct slice user, uint64_t now_s, struct arena *arena)
{
    unsigned day = day_of(now_s);
    struct slice hashed = arena_printf(arena, "%c%c%.*s%.*s", digits[day / 32], digits[day % 32],
                                       SLICE_PRINTF(host), SLICE_PRINTF(user));

    return arena_printf(arena, "SRS0=%.*s=%c%c=%.*s=%.*s",
                        SLICE_PRINTF(sign(secrets, hashed, arena)), digits[day / 32],
                        digits[day % 32], SLICE_PRINTF(host), SLICE_PRINTF(user));
}

bool srs_forward(const struct srs_secrets *secrets, const struct address *sender,
                 struct slice domain, uint64_t now_s, struct arena *arena, struct address *out)
{
    struct slice host, signed_by, rest, local = sender->local;

    if (secrets->count == 0 || sender->kind != ADDRESS_MAILBOX ||
        !domain_to_ascii(sender->domain, arena, &host) || !domain_to_ascii(domain, arena, &domain))
        return false;
    if (is_tagged(local, SLICE("SRS0")))
        local = forward_again(secrets, host, slice_skip(local, TAG_LEN), arena);
    else if (is_tagged(local, SLICE("SRS1")) &&
             slice_cut(slice_skip(local, TAG_LEN + 1), '=', &signed_by, &rest) &&
             slice_cut(rest, '=', &host, &rest))
        local = forward_again(secrets, host, rest, arena); /* past whoever was between */
    else
        local = forward_first(secrets, host, local, now_s, arena);
    if (!fits_as_written(local))
        return false;
    *out = mailbox(local, arena_copy(arena, domain));
    return true;
}

/* ---- back ---- */

static enum srs_verdict reverse_first(const struct srs_secrets *secrets, struct slice text,
                                      uint64_t now_s, struct arena *arena, struct address *out)
{
    struct slice given, day_text, host, user;
    unsigned day = 0;

    if (!slice_cut(text, '=', &given, &text) || !slice_cut(text, '=', &day_text, &text) ||
        !slice_cut(text, '=', &host, &user))
        return SRS_FORGED;
    struct slice hashed = arena_printf(arena, "%.*s%.*s%.*s", SLICE_PRINTF(day_text),
                                       SLICE_PRINTF(host), SLICE_PRINTF(user));
    struct cursor c = {day_text};
    if (!hash_is(secrets, given, hashed, arena) || !domain_parse(host, arena, &host) ||
        !take_digit(&c, &day) || !take_digit(&c, &day) || !cursor_at_end(&c))
        return SRS_FORGED;
    if (!is_fresh(day, now_s))
        return SRS_EXPIRED;
    *out = mailbox(arena_copy(arena, user), host);
    return SRS_GOOD;
}

/* Its day is for the one who signed the SRS0 to look at. */
static enum srs_verdict reverse_again(const struct srs_secrets *secrets, struct slice text,
                                      struct arena *arena, struct address *out)
{
    struct slice given, host, rest;

    if (!slice_cut(text, '=', &given, &text) || !slice_cut(text, '=', &host, &rest))
        return SRS_FORGED;
    struct slice hashed = arena_printf(arena, "%.*s%.*s", SLICE_PRINTF(host), SLICE_PRINTF(rest));
    if (!hash_is(secrets, given, hashed, arena) || !domain_parse(host, arena, &host))
        return SRS_FORGED;
    *out = mailbox(arena_printf(arena, "SRS0%.*s", SLICE_PRINTF(rest)), host);
    return SRS_GOOD;
}

enum srs_verdict srs_reverse(const struct srs_secrets *secrets, const struct address *a,
                             uint64_t now_s, struct arena *arena, struct address *out)
{
    if (a->kind != ADDRESS_MAILBOX || secrets->count == 0)
        return SRS_NONE;
    if (is_tagged(a->local, SLICE("SRS0")))
        return reverse_first(secrets, slice_skip(a->local, TAG_LEN + 1), now_s, arena, out);
    if (is_tagged(a->local, SLICE("SRS1")))
        return reverse_again(secrets, slice_skip(a->local, TAG_LEN + 1), arena, out);
    return SRS_NONE;
}
