/*
 * scram_test.c - keys from a password (RFC 7677 3), as text, and made up.
 */
#include "check.h"

#include "base/codec.h"
#include "sasl/scram.h"

#define SALT   "W22ZaJ0SNY7soEsUEjb6gQ=="
#define STORED "WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY="
#define SERVER "wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU="
#define TEXT   "4096," SALT "," STORED "," SERVER

/* 64 and 65 bytes */
#define SALT_64                                                                                    \
    "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=="
#define SALT_65                                                                                    \
    "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="

static void keys_are_made(void **state)
{
    struct scram_keys keys;
    struct buf salt, out;

    (void)state;
    buf_init(&salt, SCRAM_SALT_MAX);
    buf_init(&out, SCRAM_KEYS_TEXT_MAX);
    check(base64_decode(&salt, SLICE(SALT)));
    check(scram_keys_make(SLICE("pencil"), buf_slice(&salt), 4096, &keys));
    check(scram_keys_write(&out, &keys));
    check_slice(buf_slice(&out), SLICE(TEXT));
    buf_clear(&out);
    /* prepared: the soft hyphen is nothing */
    check(scram_keys_make(SLICE("pen\u00adcil"), buf_slice(&salt), 4096, &keys));
    check(scram_keys_write(&out, &keys));
    check_slice(buf_slice(&out), SLICE(TEXT));
    check(!scram_keys_make(SLICE("pen\ncil"), buf_slice(&salt), 4096, &keys));
    check(!scram_keys_make(SLICE("\U0001f511"), buf_slice(&salt), 4096, &keys));
    buf_done(&salt);
    buf_done(&out);
    buf_init(&out, sizeof(TEXT) - 2);
    check(!scram_keys_write(&out, &keys));
    check_int(buf_len(&out), 0);
    buf_done(&out);
}

static const struct {
    struct slice text;
    bool good;
} texts[] = {
    {SLICE_INIT(TEXT),                                               true },
    {SLICE_INIT("1000000," SALT_64 "," STORED "," SERVER),           true },
    {SLICE_INIT("1000001," SALT "," STORED "," SERVER),              false},
    {SLICE_INIT("99999999999999999999," SALT "," STORED "," SERVER), false},
    {SLICE_INIT("4294971392," SALT "," STORED "," SERVER),           false},
    {SLICE_INIT("0," SALT "," STORED "," SERVER),                    false},
    {SLICE_INIT("04096," SALT "," STORED "," SERVER),                false},
    {SLICE_INIT("-1," SALT "," STORED "," SERVER),                   false},
    {SLICE_INIT("," SALT "," STORED "," SERVER),                     false},
    {SLICE_INIT("4096,," STORED "," SERVER),                         false},
    {SLICE_INIT("4096," SALT_65 "," STORED "," SERVER),              false},
    {SLICE_INIT("4096," SALT "," SALT "," SERVER),                   false},
    {SLICE_INIT("4096," SALT "," STORED "," SALT),                   false},
    {SLICE_INIT("4096," SALT "," SALT_64 "," SERVER),                false},
    {SLICE_INIT("4096," SALT "," STORED),                            false},
    {SLICE_INIT("4096," SALT "," STORED ","),                        false},
    {SLICE_INIT(TEXT ","),                                           false},
    {SLICE_INIT("4096," SALT "," STORED "," SERVER "x"),             false},
    {SLICE_INIT("4096,W22*," STORED "," SERVER),                     false},
    {SLICE_INIT(""),                                                 false},
};

static void keys_are_text(void **state)
{
    (void)state;
    CHECK_ROWS (i, texts) {
        struct slice text = guarded(texts[i].text);
        struct scram_keys keys = {.iterations = 7};
        struct buf out;

        buf_init(&out, SCRAM_KEYS_TEXT_MAX);
        check_int(scram_keys_parse(text, &keys), texts[i].good);
        if (texts[i].good) {
            check(scram_keys_write(&out, &keys));
            check_slice(buf_slice(&out), texts[i].text);
        } else {
            check_int(keys.iterations, 7);
        }
        buf_done(&out);
        guarded_free(text);
    }
}

static bool same_salt(const struct scram_keys *a, const struct scram_keys *b)
{
    return a->salt_len == b->salt_len && memcmp(a->salt, b->salt, a->salt_len) == 0;
}

static void fakes_stay_the_same(void **state)
{
    struct scram_keys a, b;
    struct slice secret = SLICE("a secret of the vault");

    (void)state;
    scram_keys_fake(secret, SLICE("ann@example.org"), 4096, &a);
    scram_keys_fake(secret, SLICE("Ann@Example.ORG"), 4096, &b);
    check_int(a.salt_len, SCRAM_SALT_BYTES);
    check_int(a.iterations, 4096);
    check(same_salt(&a, &b) && memcmp(a.stored_key, b.stored_key, SCRAM_HASH) == 0);
    check(memcmp(a.stored_key, a.server_key, SCRAM_HASH) != 0);
    check(memcmp(a.stored_key, a.salt, SCRAM_SALT_BYTES) != 0);
    scram_keys_fake(secret, SLICE("bob@example.org"), 4096, &b);
    check(!same_salt(&a, &b));
    scram_keys_fake(SLICE("another secret"), SLICE("ann@example.org"), 4096, &b);
    check(!same_salt(&a, &b));
    scram_keys_fake(SLICE(""), SLICE(""), 4096, &b);
    check(!same_salt(&a, &b));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keys_are_made),
        cmocka_unit_test(keys_are_text),
        cmocka_unit_test(fakes_stay_the_same),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
