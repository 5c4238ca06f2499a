/*
 * fingerprint.c - SHA-256 of the content, and SHA-256 of that with the rest.
 *
 * Each part is written with its length, so no two mails give the same bytes. Addresses are in
 * canonical form (wire/address); that their order says nothing is what sorting them is for.
 */
#include "trust/fingerprint.h"

#include "base/memory.h"

#include <assert.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

enum { SUM_LEN = 32 };

struct fingerprint {
    EVP_MD_CTX *sum;
};

/* libcrypto fails here only without memory, which ends a role anyway (ARCHITECTURE.md 7). */
static void begin(struct fingerprint *f)
{
    int done = EVP_DigestInit_ex(f->sum, EVP_sha256(), NULL);

    assert(done == 1);
}

struct fingerprint *fingerprint_new(void)
{
    struct fingerprint *f = MEMORY_NEW(struct fingerprint);

    f->sum = EVP_MD_CTX_new();
    assert(f->sum != NULL);
    begin(f);
    return f;
}

void fingerprint_free(struct fingerprint *f)
{
    if (f == NULL)
        return;
    EVP_MD_CTX_free(f->sum);
    memory_free(f);
}

void fingerprint_add(struct fingerprint *f, struct slice content)
{
    int done = EVP_DigestUpdate(f->sum, content.data, content.len);

    assert(done == 1);
}

static void end(struct fingerprint *f, unsigned char out[SUM_LEN])
{
    int done = EVP_DigestFinal_ex(f->sum, out, NULL);

    assert(done == 1);
}

static void add_part(struct fingerprint *f, struct slice part)
{
    uint64_t len = part.len;

    fingerprint_add(f, (struct slice){(const char *)&len, sizeof(len)});
    fingerprint_add(f, part);
}

static void add_address(struct fingerprint *f, const struct address *a)
{
    char kind = (char)a->kind;

    add_part(f, (struct slice){&kind, 1});
    add_part(f, a->local);
    add_part(f, a->domain);
}

static int compare_bytes(struct slice a, struct slice b)
{
    size_t both = a.len < b.len ? a.len : b.len;
    int order = both == 0 ? 0 : memcmp(a.data, b.data, both);

    return order != 0 ? order : (a.len > b.len) - (a.len < b.len);
}

static int compare_addresses(const void *a, const void *b)
{
    const struct address *x = *(const struct address *const *)a;
    const struct address *y = *(const struct address *const *)b;
    int order = compare_bytes(x->domain, y->domain);

    if (order == 0)
        order = compare_bytes(x->local, y->local);
    return order != 0 ? order : (x->kind > y->kind) - (x->kind < y->kind);
}

static void add_rcpts(struct fingerprint *f, const struct address **rcpts, size_t count)
{
    if (count > 0)
        qsort(rcpts, count, sizeof(struct address *), compare_addresses);
    for (size_t i = 0; i < count; i++)
        if (i == 0 || compare_addresses(&rcpts[i - 1], &rcpts[i]) != 0)
            add_address(f, rcpts[i]);
}

void fingerprint_finish(struct fingerprint *f, struct fingerprint_of *of,
                        unsigned char out[FINGERPRINT_LEN])
{
    unsigned char content[SUM_LEN], all[SUM_LEN];

    end(f, content);
    begin(f);
    fingerprint_add(f, (struct slice){(const char *)content, sizeof(content)});
    add_part(f, of->account);
    add_part(f, of->message_id);
    add_part(f, of->wishes);
    add_address(f, of->sender);
    add_rcpts(f, of->rcpts, of->rcpt_count);
    end(f, all);
    memcpy(out, all, FINGERPRINT_LEN);
}
