#include "trust/fingerprint.h"

#include "check.h"

#include <string.h>

enum { RCPTS_MAX = 4 };

struct mail {
    const char *account, *sender, *message_id, *content;
    const char *rcpts[RCPTS_MAX];
};

static const struct mail original = {
    "ann",
    "ann@a.example",
    "<1@a.example>",
    "Subject: x\r\n\r\nhello\r\n",
    {"bob@b.example", "eve@e.example"}
};

/* One row differs from the original in one thing. */
static const struct {
    const char *what;
    struct mail mail;
    bool same;
} rows[] = {
    {"nothing",
     {"ann",
      "ann@a.example",
      "<1@a.example>",
      "Subject: x\r\n\r\nhello\r\n",
      {"bob@b.example", "eve@e.example"}},
     true },
    {"order of recipients",
     {"ann",
      "ann@a.example",
      "<1@a.example>",
      "Subject: x\r\n\r\nhello\r\n",
      {"eve@e.example", "bob@b.example"}},
     true },
    {"a recipient named twice",
     {"ann",
      "ann@a.example",
      "<1@a.example>",
      "Subject: x\r\n\r\nhello\r\n",
      {"eve@e.example", "bob@b.example", "eve@e.example"}},
     true },
    {"case of a domain",
     {"ann",
      "ann@A.Example",
      "<1@a.example>",
      "Subject: x\r\n\r\nhello\r\n",
      {"bob@B.EXAMPLE", "eve@e.example"}},
     true },
    {"case of a local part",
     {"ann",
      "ann@a.example",
      "<1@a.example>",
      "Subject: x\r\n\r\nhello\r\n",
      {"Bob@b.example", "eve@e.example"}},
     false},
    {"account",
     {"amy",
      "ann@a.example",
      "<1@a.example>",
      "Subject: x\r\n\r\nhello\r\n",
      {"bob@b.example", "eve@e.example"}},
     false},
    {"reverse-path",
     {"ann",
      "amy@a.example",
      "<1@a.example>",
      "Subject: x\r\n\r\nhello\r\n",
      {"bob@b.example", "eve@e.example"}},
     false},
    {"Message-ID",
     {"ann",
      "ann@a.example",
      "<2@a.example>",
      "Subject: x\r\n\r\nhello\r\n",
      {"bob@b.example", "eve@e.example"}},
     false},
    {"a recipient less",
     {"ann", "ann@a.example", "<1@a.example>", "Subject: x\r\n\r\nhello\r\n", {"bob@b.example"}},
     false},
    {"another recipient",
     {"ann",
      "ann@a.example",
      "<1@a.example>",
      "Subject: x\r\n\r\nhello\r\n",
      {"bob@b.example", "eva@e.example"}},
     false},
    {"a byte of the content",
     {"ann",
      "ann@a.example",
      "<1@a.example>",
      "Subject: x\r\n\r\nhellO\r\n",
      {"bob@b.example", "eve@e.example"}},
     false},
    {"where parts end",
     {"an",
      "ann@a.example",
      "n<1@a.example>",
      "Subject: x\r\n\r\nhello\r\n",
      {"bob@b.example", "eve@e.example"}},
     false},
};

static void fingerprint_with(const struct mail *mail, struct slice wishes, size_t piece,
                             unsigned char out[FINGERPRINT_LEN])
{
    struct fingerprint *f = fingerprint_new();
    struct slice content = slice_of(mail->content);
    struct address sender, rcpts[RCPTS_MAX];
    const struct address *pointers[RCPTS_MAX];
    struct arena arena = {0};
    size_t count = 0;

    check(address_parse(slice_of(mail->sender), &arena, &sender));
    for (; count < RCPTS_MAX && mail->rcpts[count] != NULL; count++) {
        check(address_parse(slice_of(mail->rcpts[count]), &arena, &rcpts[count]));
        pointers[count] = &rcpts[count];
    }
    for (; content.len > 0; content = slice_skip(content, piece))
        fingerprint_add(f, slice_head(content, piece));
    struct fingerprint_of of = {.account = slice_of(mail->account),
                                .message_id = slice_of(mail->message_id),
                                .wishes = wishes,
                                .sender = &sender,
                                .rcpts = pointers,
                                .rcpt_count = count};
    fingerprint_finish(f, &of, out);
    fingerprint_free(f);
    arena_done(&arena);
}

static void fingerprint_of_mail(const struct mail *mail, size_t piece,
                                unsigned char out[FINGERPRINT_LEN])
{
    fingerprint_with(mail, SLICE(""), piece, out);
}

static void test_what_makes_a_mail_the_same(void **state)
{
    unsigned char expected[FINGERPRINT_LEN], got[FINGERPRINT_LEN];

    (void)state;
    fingerprint_of_mail(&original, SIZE_MAX, expected);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        fingerprint_of_mail(&rows[i].mail, SIZE_MAX, got);
        if ((memcmp(got, expected, sizeof(got)) == 0) != rows[i].same)
            fail_msg("row %zu: %s", i, rows[i].what);
    }
}

/* The same at once, or later, or another way: who says that now means it. */
static void test_when_and_how_it_goes_counts(void **state)
{
    static const struct slice wishes[] = {SLICE_INIT(""), SLICE_INIT("for;60"),
                                          SLICE_INIT("for;61"), SLICE_INIT(" REQUIRETLS")};
    unsigned char got[2][FINGERPRINT_LEN];

    (void)state;
    for (size_t i = 0; i < sizeof(wishes) / sizeof(*wishes); i++)
        for (size_t k = 0; k < sizeof(wishes) / sizeof(*wishes); k++) {
            fingerprint_with(&original, wishes[i], SIZE_MAX, got[0]);
            fingerprint_with(&original, wishes[k], SIZE_MAX, got[1]);
            check((memcmp(got[0], got[1], FINGERPRINT_LEN) == 0) == (i == k));
        }
}

static void test_pieces_do_not_matter(void **state)
{
    unsigned char expected[FINGERPRINT_LEN], got[FINGERPRINT_LEN];

    (void)state;
    fingerprint_of_mail(&original, SIZE_MAX, expected);
    for (size_t piece = 1; piece < 8; piece++) {
        fingerprint_of_mail(&original, piece, got);
        check(memcmp(got, expected, sizeof(got)) == 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_makes_a_mail_the_same),
        cmocka_unit_test(test_when_and_how_it_goes_counts),
        cmocka_unit_test(test_pieces_do_not_matter),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
