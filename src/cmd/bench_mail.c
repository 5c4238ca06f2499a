/*
 * bench_mail.c - a message of the bench: made so that it can be known again, and known again.
 *
 * Sender, sink and Maildir reader use this one reader, and the test holds it against sha256sum. The
 * field is looked for in the header only: mail that quotes a bench message is a stranger.
 */
#include "cmd/bench_mail.h"

#include "base/codec.h"
#include "base/memory.h"
#include "wire/date.h"

#include <assert.h>
#include <openssl/evp.h>
#include <string.h>

static const struct slice field = SLICE_INIT("X-Postroad-Bench:");

enum { LINE_LEN = 76, FIRST_LINES_MAX = 1024, DATE_TEXT_MAX = 64 };

/* xorshift64*: fast, and no two seeds give the same text. */
static uint64_t next_number(uint64_t *state)
{
    *state ^= *state >> 12;
    *state ^= *state << 25;
    *state ^= *state >> 27;
    return *state * 0x2545f4914f6cdd1dull;
}

/* 64 letters, a dot among them: every 64th line begins with one, so that stuffing is tried. */
static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789 .";

static_assert(sizeof(letters) == 65, "an index is six bits");

static void fill_line(char *line, size_t len, uint64_t *state)
{
    for (size_t i = 0; i < len;) {
        uint64_t bits = next_number(state);

        for (unsigned n = 0; n < 10 && i < len; n++, bits >>= 6)
            line[i++] = letters[bits & 63];
    }
    if (line[len - 1] == ' ') /* some servers would take it off */
        line[len - 1] = 'x';
}

void bench_mail_make(struct buf *out, struct slice id, const struct address *from, uint64_t wall_us,
                     uint64_t seed, size_t size)
{
    uint64_t state = seed == 0 ? 1 : seed;
    size_t begin = buf_len(out), len;

    buf_append(out, field);
    buf_printf(out, " %.*s\r\nMessage-ID: <%.*s@bench.invalid>\r\nDate: ", SLICE_PRINTF(id),
               SLICE_PRINTF(id));
    date_write_rfc5322(out, wall_us, 0);
    buf_append(out, SLICE("\r\nFrom: "));
    if (from->kind == ADDRESS_NULL)
        buf_append(out, SLICE("mailer-daemon@bench.invalid"));
    else
        address_write(out, from);
    buf_append(out, SLICE("\r\nTo: undisclosed-recipients:;\r\nSubject: "));
    buf_append(out, id);
    buf_append(out, SLICE("\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset=us-ascii\r\n"
                          "\r\n"));
    do {
        size_t left = size > buf_len(out) - begin + 2 ? size - (buf_len(out) - begin) - 2 : 1;

        len = left < LINE_LEN ? left : LINE_LEN;
        fill_line(buf_reserve(out, LINE_LEN), len, &state);
        buf_commit(out, len);
        buf_append(out, SLICE("\r\n"));
    } while (buf_len(out) - begin + 2 < size);
}

enum bench_mail_state {
    MAIL_SEARCHING, /* the header, for the field */
    MAIL_SUMMING,
    MAIL_STRANGE, /* the header is over */
};

struct bench_mail {
    EVP_MD_CTX *sum;
    enum bench_mail_state state;
    bool after_cr;               /* held back while summing */
    char line[2 * BENCH_ID_MAX]; /* the beginning of the line, while searching */
    size_t line_len;
    char id[BENCH_ID_MAX];
    size_t id_len;
    struct buf hash;
};

struct bench_mail *bench_mail_new(void)
{
    struct bench_mail *m = MEMORY_NEW(struct bench_mail);

    m->sum = EVP_MD_CTX_new();
    assert(m->sum != NULL);
    buf_init(&m->hash, BENCH_HASH_LEN);
    return m;
}

void bench_mail_free(struct bench_mail *m)
{
    if (m == NULL)
        return;
    EVP_MD_CTX_free(m->sum);
    buf_done(&m->hash);
    memory_free(m);
}

void bench_mail_begin(struct bench_mail *m)
{
    m->state = MAIL_SEARCHING;
    m->after_cr = false;
    m->line_len = m->id_len = 0;
    buf_clear(&m->hash);
}

static void add(struct bench_mail *m, struct slice bytes)
{
    int good = EVP_DigestUpdate(m->sum, bytes.data, bytes.len);

    assert(good == 1);
}

static bool is_id(struct slice id)
{
    for (size_t i = 0; i < id.len; i++)
        if (id.data[i] <= ' ' || id.data[i] > '~')
            return false;
    return id.len > 0 && id.len <= BENCH_ID_MAX;
}

/* The line is whole, without its end. */
static void look_at_line(struct bench_mail *m)
{
    struct slice line = {m->line, m->line_len}, id;

    if (line.len > 0 && line.data[line.len - 1] == '\r')
        line.len--;
    m->line_len = 0;
    if (line.len == 0) {
        m->state = MAIL_STRANGE;
        return;
    }
    if (line.len >= sizeof(m->line) || !slice_starts_nocase(line, field))
        return;
    id = slice_trim(slice_skip(line, field.len));
    if (!is_id(id))
        return;
    memcpy(m->id, id.data, id.len);
    m->id_len = id.len;
    m->state = MAIL_SUMMING;
    int good = EVP_DigestInit_ex(m->sum, EVP_sha256(), NULL);
    assert(good == 1);
    add(m, line);
    add(m, SLICE("\n"));
}

static void search(struct bench_mail *m, struct slice *rest)
{
    while (rest->len > 0 && m->state == MAIL_SEARCHING) {
        char c = rest->data[0];

        *rest = slice_skip(*rest, 1);
        if (c == '\n') {
            look_at_line(m);
            continue;
        }
        if (m->line_len < sizeof(m->line))
            m->line[m->line_len++] = c;
    }
}

/* A CR is held back until it is known whether an LF follows, which swallows it. */
static void sum_up(struct bench_mail *m, struct slice rest)
{
    while (rest.len > 0) {
        size_t cr = slice_find(rest, '\r');

        if (m->after_cr && rest.data[0] != '\n')
            add(m, SLICE("\r"));
        m->after_cr = cr < rest.len;
        add(m, slice_head(rest, cr));
        rest = slice_skip(rest, cr + 1);
    }
}

void bench_mail_feed(struct bench_mail *m, struct slice piece)
{
    search(m, &piece);
    if (m->state == MAIL_SUMMING)
        sum_up(m, piece);
}

void bench_mail_end(struct bench_mail *m, struct slice *id, struct slice *hash)
{
    unsigned char sum[EVP_MAX_MD_SIZE];
    unsigned len = 0;

    *id = *hash = SLICE("-");
    if (m->state != MAIL_SUMMING)
        return;
    if (m->after_cr)
        add(m, SLICE("\r"));
    int good = EVP_DigestFinal_ex(m->sum, sum, &len);
    assert(good == 1);
    hex_encode(&m->hash, (struct slice){(const char *)sum, len});
    *id = (struct slice){m->id, m->id_len};
    *hash = buf_slice(&m->hash);
}
