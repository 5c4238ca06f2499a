/*
 * relay_params_test.c - what a message asks for, against what the next server offers: cell by cell.
 */
#include "check.h"

#include "mail/relay_params.h"

enum {
    H = MIME_HIGH,
    W = MIME_WILD,
    L = MIME_LONG,
    EVERYTHING = (1 << 17) - 1,
};

static struct address mailbox(const char *local, bool utf8)
{
    return (struct address){ADDRESS_MAILBOX, slice_of(local), SLICE("b.example"), utf8};
}

/* A message from a@ to bob@; what is not said is not asked for. */
struct cell {
    struct envelope_wishes wishes;
    enum body_type body;
    bool smtputf8, sender_utf8, rcpt_utf8, null_sender;
    unsigned notify;
    const char *orcpt;
    const char *given; /* the original recipient's name; NULL: bob */
    bool given_utf8;
    struct mime_facts facts;
    unsigned offers;
    bool unverified;
    uint64_t by_min_s, passed_s;
    /* what is expected */
    const char *params, *rcpt_params, *header, *refused; /* NULL: "" */
    bool converts;
    enum mime_goal goal;
    enum body_type sent;
    bool sent_utf8, relayed;
};

static void check_cell(const struct cell *c)
{
    struct envelope_rcpt rcpt = {
        .original = mailbox(c->given == NULL ? "bob" : c->given, c->given_utf8),
        .final = mailbox("bob", c->rcpt_utf8),
        .notify = c->notify,
        .orcpt = c->orcpt == NULL ? SLICE("") : slice_of(c->orcpt),
    };
    struct envelope e = {.id = 1,
                         .sender = mailbox("a", c->sender_utf8),
                         .body = c->body,
                         .smtputf8 = c->smtputf8,
                         .wishes = c->wishes,
                         .rcpts = &rcpt,
                         .rcpt_count = 1};
    struct ehlo_offers offers = {.keywords = c->offers, .by_min_s = c->by_min_s};
    unsigned first = 0;
    struct relay_question q = {&e, &first, 1, &c->facts, &offers, !c->unverified, c->passed_s};
    struct arena arena = {0};
    struct relay_answer got;

    if (c->null_sender)
        e.sender = (struct address){0};
    relay_params_answer(&q, &arena, &got);
    check_slice(got.rcpts[0].refusal.enhanced, slice_of(c->refused == NULL ? "" : c->refused));
    check_int(got.rcpts[0].refusal.code / 100, c->refused != NULL ? 5 : 0);
    if (c->refused == NULL) {
        check_slice(got.params, slice_of(c->params == NULL ? "" : c->params));
        check_slice(got.rcpts[0].params, slice_of(c->rcpt_params == NULL ? "" : c->rcpt_params));
        check_slice(got.header, slice_of(c->header == NULL ? "" : c->header));
        check_int(got.convert, c->converts);
        if (c->converts)
            check_int(got.goal, c->goal);
        check_int(got.body, c->sent);
        check_int(got.smtputf8, c->sent_utf8);
        check_int(got.rcpts[0].relayed, c->relayed);
    }
    arena_done(&arena);
}

#define TEST(name, ...)                                                                            \
    static void name(void **state)                                                                 \
    {                                                                                              \
        static const struct cell cells[] = {__VA_ARGS__};                                          \
                                                                                                   \
        (void)state;                                                                               \
        CHECK_ROWS (i, cells)                                                                      \
            check_cell(&cells[i]);                                                                 \
    }

#define FACTS(t, f) .facts.traits = (t), .facts.fixed = (f)

/* clang-format off */
TEST(a_plain_message_asks_for_nothing,
    {.offers = EVERYTHING},
    {.offers = 0},
    /* to be held: our own queue did it, RFC 4865 */
    {.wishes.hold_for_s = 60, .offers = EVERYTHING},
)

/* RFC 6152 3, behaviour 18. */
TEST(eight_bit_is_passed_or_converted,
    {.body = BODY_8BITMIME, FACTS(H, 0), .offers = EHLO_8BITMIME, .sent = BODY_8BITMIME},
    {.body = BODY_8BITMIME, FACTS(H, 0), .offers = 0, .converts = true,
     .goal = MIME_FOR_7BIT},
    {.body = BODY_8BITMIME, FACTS(H, H), .offers = 0, .refused = "5.6.3"},
    {.body = BODY_8BITMIME, FACTS(H, H), .offers = EHLO_8BITMIME, .sent = BODY_8BITMIME},
    /* declared, but there is none */
    {.body = BODY_8BITMIME, .offers = EHLO_8BITMIME, .sent = BODY_8BITMIME},
    {.body = BODY_8BITMIME, .offers = 0},
    /* there, but not declared */
    {.body = BODY_7BIT, FACTS(H, 0), .offers = EHLO_8BITMIME, .sent = BODY_8BITMIME},
    {.body = BODY_7BIT, FACTS(H, 0), .offers = 0, .converts = true, .goal = MIME_FOR_7BIT},
    /* a server that takes binary content only needs to be told in its words */
    {.body = BODY_8BITMIME, FACTS(H, 0), .offers = EHLO_CHUNKING | EHLO_BINARYMIME,
     .converts = true, .goal = MIME_FOR_7BIT},
)

/* RFC 3030 3, behaviours 18 and 31. */
TEST(binary_is_passed_or_converted,
    {.body = BODY_BINARYMIME, FACTS(H | W | L, 0), .offers = EVERYTHING,
     .sent = BODY_BINARYMIME},
    {.body = BODY_BINARYMIME, FACTS(H | W | L, H | W | L),
     .offers = EHLO_CHUNKING | EHLO_BINARYMIME, .sent = BODY_BINARYMIME},
    {.body = BODY_BINARYMIME, FACTS(H | W, 0), .offers = EHLO_8BITMIME | EHLO_CHUNKING,
     .converts = true, .goal = MIME_FOR_8BIT, .sent = BODY_8BITMIME},
    {.body = BODY_BINARYMIME, FACTS(H | W, 0), .offers = EHLO_8BITMIME | EHLO_BINARYMIME,
     .converts = true, .goal = MIME_FOR_8BIT, .sent = BODY_8BITMIME},
    {.body = BODY_BINARYMIME, FACTS(H | W, 0), .offers = 0, .converts = true,
     .goal = MIME_FOR_7BIT},
    {.body = BODY_BINARYMIME, FACTS(H | W, W), .offers = EHLO_8BITMIME, .refused = "5.6.3"},
    {.body = BODY_BINARYMIME, FACTS(H | W, H), .offers = 0, .refused = "5.6.3"},
    {.body = BODY_BINARYMIME, FACTS(H | W, H), .offers = EHLO_8BITMIME, .converts = true,
     .goal = MIME_FOR_8BIT, .sent = BODY_8BITMIME},
    {.body = BODY_BINARYMIME, FACTS(W | L, L), .offers = EHLO_8BITMIME, .refused = "5.6.0"},
    /* labels say binary, although nothing is */
    {.body = BODY_BINARYMIME, .offers = 0, .converts = true, .goal = MIME_FOR_7BIT},
    /* behaviour 31: NUL outside BINARYMIME */
    {.body = BODY_8BITMIME, FACTS(W, 0), .offers = EVERYTHING, .refused = "5.6.0"},
    {.body = BODY_7BIT, FACTS(W, 0), .offers = 0, .refused = "5.6.0"},
)

/* Behaviours 29 and 31. */
TEST(long_lines_are_re_encoded,
    {FACTS(L, 0), .offers = EVERYTHING, .converts = true, .goal = MIME_FOR_8BIT},
    {FACTS(L, 0), .offers = 0, .converts = true, .goal = MIME_FOR_7BIT},
    {.body = BODY_8BITMIME, FACTS(H | L, 0), .offers = EHLO_8BITMIME, .converts = true,
     .goal = MIME_FOR_8BIT, .sent = BODY_8BITMIME},
    {.body = BODY_8BITMIME, FACTS(H | L, H), .offers = EHLO_8BITMIME, .converts = true,
     .goal = MIME_FOR_8BIT, .sent = BODY_8BITMIME},
    {FACTS(L, L), .offers = EVERYTHING, .refused = "5.6.0"},
    {FACTS(H | L, H | L), .offers = 0, .refused = "5.6.3"},
)

/* RFC 6531 3.4, behaviour 19. */
#define UTF8 (EHLO_SMTPUTF8 | EHLO_8BITMIME)
TEST(utf8_is_passed_or_refused,
    {.smtputf8 = true, .sender_utf8 = true, .offers = UTF8, .sent_utf8 = true},
    {.smtputf8 = true, .sender_utf8 = true, .offers = EHLO_8BITMIME, .refused = "5.6.7"},
    {.smtputf8 = true, .rcpt_utf8 = true, .offers = UTF8, .sent_utf8 = true},
    {.smtputf8 = true, .rcpt_utf8 = true, .offers = EHLO_8BITMIME, .refused = "5.6.7"},
    {.smtputf8 = true, FACTS(H, H), .facts.header_high = true, .offers = UTF8, .sent_utf8 = true,
     .sent = BODY_8BITMIME},
    {.smtputf8 = true, FACTS(H, H), .facts.header_high = true, .offers = EHLO_8BITMIME,
     .refused = "5.6.7"},
    {.smtputf8 = true, FACTS(H, H), .facts.header_high = true, .offers = 0, .refused = "5.6.7"},
    /* it must offer 8BITMIME, too: RFC 6531 3.1 */
    {.smtputf8 = true, .sender_utf8 = true, .offers = EHLO_SMTPUTF8, .refused = "5.6.7"},
    /* not asked for by RCPT, but an alias led there */
    {.rcpt_utf8 = true, .offers = UTF8, .sent_utf8 = true},
    {.rcpt_utf8 = true, .offers = 0, .refused = "5.6.7"},
    /* declared, but there is none: it goes anywhere */
    {.smtputf8 = true, .offers = UTF8},
    {.smtputf8 = true, .offers = 0},
    {.smtputf8 = true, FACTS(H, 0), .offers = 0, .converts = true, .goal = MIME_FOR_7BIT},
    /* 8-bit in a header, and nobody said that it was UTF-8 */
    {FACTS(H, H), .facts.header_high = true, .offers = UTF8, .sent = BODY_8BITMIME},
    {FACTS(H, H), .facts.header_high = true, .offers = 0, .refused = "5.6.3"},
)

/* RFC 3461 5.2, behaviour 20. */
TEST(notifications_are_passed_or_told,
    {.wishes = {.ret = RETURN_HEADERS, .envid = SLICE_INIT("a+b c=d")}, .offers = EHLO_DSN,
     .params = " RET=HDRS ENVID=a+2Bb+20c+3Dd"},
    {.wishes = {.ret = RETURN_FULL}, .offers = EHLO_DSN, .params = " RET=FULL"},
    {.wishes = {.ret = RETURN_HEADERS, .envid = SLICE_INIT("x")}, .offers = ~EHLO_DSN & EVERYTHING},
    {.notify = NOTIFY_NEVER, .offers = EHLO_DSN, .rcpt_params = " NOTIFY=NEVER"},
    {.notify = NOTIFY_NEVER, .offers = 0},
    {.notify = NOTIFY_SUCCESS | NOTIFY_FAILURE | NOTIFY_DELAY, .offers = EHLO_DSN,
     .rcpt_params = " NOTIFY=SUCCESS,FAILURE,DELAY"},
    {.notify = NOTIFY_SUCCESS | NOTIFY_FAILURE | NOTIFY_DELAY, .offers = 0, .relayed = true},
    {.notify = NOTIFY_SUCCESS, .offers = ~EHLO_DSN & EVERYTHING, .relayed = true},
    {.notify = NOTIFY_FAILURE | NOTIFY_DELAY, .offers = EHLO_DSN,
     .rcpt_params = " NOTIFY=FAILURE,DELAY"},
    {.notify = NOTIFY_FAILURE | NOTIFY_DELAY, .offers = 0},
    {.notify = NOTIFY_SUCCESS, .null_sender = true, .offers = 0},
    {.orcpt = "rfc822;b=o@b.example", .offers = EHLO_DSN,
     .rcpt_params = " ORCPT=rfc822;b+3Do@b.example"},
    {.orcpt = "rfc822;b=o@b.example", .offers = 0},
    {.orcpt = "utf-8;\\x{FC}@b.example", .offers = EHLO_DSN,
     .rcpt_params = " ORCPT=utf-8;\\x{FC}@b.example"},
    {.orcpt = "rfc822;given@b.example", .given = "other", .offers = EHLO_DSN,
     .rcpt_params = " ORCPT=rfc822;given@b.example"},
    /* an alias: 5.2.1 (c) lets us say what the sender wrote */
    {.given = "list", .offers = EHLO_DSN, .rcpt_params = " ORCPT=rfc822;list@b.example"},
    {.given = "a b", .offers = EHLO_DSN, .rcpt_params = " ORCPT=rfc822;\"a+20b\"@b.example"},
    {.given = "list", .offers = 0},
    {.given = "l\xc3\xa4st", .given_utf8 = true, .offers = EHLO_DSN},
)

/* RFC 2852 4. */
#define BY(mode, seconds) .wishes = {.by = (mode), .by_s = (seconds)}
#define TRACED(mode, seconds) .wishes = {.by = (mode), .by_s = (seconds), .by_trace = true}
TEST(deadlines_are_passed_told_or_refused,
    {BY(BY_RETURN, 600), .offers = EHLO_DELIVERBY, .params = " BY=600;R"},
    {BY(BY_RETURN, 600), .offers = ~EHLO_DELIVERBY & EVERYTHING, .refused = "5.3.3"},
    {BY(BY_NOTIFY, 600), .offers = EHLO_DELIVERBY, .params = " BY=600;N"},
    {BY(BY_NOTIFY, 600), .offers = 0, .relayed = true},
    {BY(BY_NOTIFY, 600), .notify = NOTIFY_NEVER, .offers = 0},
    {BY(BY_NOTIFY, 600), .null_sender = true, .offers = 0},
    /* what is left of it */
    {BY(BY_RETURN, 600), .passed_s = 599, .offers = EHLO_DELIVERBY, .params = " BY=1;R"},
    {BY(BY_RETURN, 600), .passed_s = 600, .offers = EHLO_DELIVERBY, .refused = "5.4.7"},
    {BY(BY_RETURN, 600), .passed_s = 600, .offers = 0, .refused = "5.4.7"},
    {BY(BY_RETURN, 600), .passed_s = 900, .by_min_s = 1, .offers = EVERYTHING, .refused = "5.4.7"},
    {BY(BY_NOTIFY, 600), .passed_s = 700, .offers = EHLO_DELIVERBY, .params = " BY=-100;N"},
    {BY(BY_NOTIFY, -999999990), .passed_s = 60, .offers = EHLO_DELIVERBY,
     .params = " BY=-999999999;N"},
    {BY(BY_NOTIFY, 1), .passed_s = UINT32_MAX, .offers = EHLO_DELIVERBY,
     .params = " BY=-999999999;N"},
    /* the shortest time that it takes */
    {BY(BY_RETURN, 600), .by_min_s = 600, .offers = EHLO_DELIVERBY, .params = " BY=600;R"},
    {BY(BY_RETURN, 600), .by_min_s = 601, .offers = EVERYTHING, .refused = "5.4.7"},
    {BY(BY_NOTIFY, 600), .by_min_s = 601, .offers = EHLO_DELIVERBY, .params = " BY=600;N"},
    /* every hop tells of itself */
    {TRACED(BY_RETURN, 600), .offers = EHLO_DELIVERBY | EHLO_DSN, .params = " BY=600;RT",
     .relayed = true},
    {TRACED(BY_NOTIFY, 600), .notify = NOTIFY_NEVER, .offers = EHLO_DELIVERBY,
     .params = " BY=600;NT"},
)

/* RFC 6710 and RFC 6758. */
TEST(priority_is_passed_or_written,
    {.wishes.priority = 3, .offers = EHLO_MT_PRIORITY, .params = " MT-PRIORITY=3"},
    {.wishes.priority = -9, .offers = EHLO_MT_PRIORITY, .params = " MT-PRIORITY=-9"},
    {.wishes.priority = -9, .offers = ~EHLO_MT_PRIORITY & EVERYTHING,
     .header = "MT-Priority: -9\r\n"},
    {.wishes.priority = 3, .facts.says_priority = true, .offers = 0},
)

/* RFC 3865 and RFC 8689. */
TEST(solicitation_is_passed_or_left_out,
    {.wishes.solicit = SLICE_INIT("org.example:ADV"), .offers = EHLO_NO_SOLICITING,
     .params = " SOLICIT=org.example:ADV"},
    {.wishes.solicit = SLICE_INIT("org.example:ADV"), .offers = 0},
)

TEST(required_tls_is_passed_or_refused,
    {.wishes.require_tls = true, .offers = EHLO_REQUIRETLS, .params = " REQUIRETLS"},
    {.wishes.require_tls = true, .offers = ~EHLO_REQUIRETLS & EVERYTHING, .refused = "5.7.30"},
    {.wishes.require_tls = true, .offers = EHLO_REQUIRETLS, .unverified = true,
     .refused = "5.7.30"},
)

TEST(all_at_once,
    {.wishes = {RETURN_FULL, SLICE_INIT("id"), 4, BY_NOTIFY, true, 60, SLICE_INIT("a.b:C"), 0, 0,
                true},
     .body = BODY_BINARYMIME, .smtputf8 = true, .sender_utf8 = true, .notify = NOTIFY_DELAY,
     .orcpt = "rfc822;x@y.example", FACTS(H | W | L, H), .facts.header_high = true,
     .offers = EVERYTHING,
     .params = " REQUIRETLS BY=60;NT RET=FULL ENVID=id MT-PRIORITY=4 SOLICIT=a.b:C",
     .rcpt_params = " NOTIFY=DELAY ORCPT=rfc822;x@y.example", .sent = BODY_BINARYMIME,
     .sent_utf8 = true, .relayed = true},
    /* the first reason is told */
    {.wishes = {.by = BY_RETURN, .by_s = 60, .require_tls = true}, .sender_utf8 = true,
     .body = BODY_8BITMIME, FACTS(H, H), .offers = 0, .refused = "5.6.7"},
)

/* clang-format on */

/* One cannot go; the other does, and without what only the first one needed. */
static void recipients_are_judged_apart(void **state)
{
    struct envelope_rcpt rcpts[] = {
        {mailbox("left-out",  true),  mailbox("left-out",  true),  NOTIFY_SUCCESS, SLICE("")},
        {mailbox("b\xc3\xbc", true),  mailbox("b\xc3\xbc", true),  NOTIFY_SUCCESS, SLICE("")},
        {mailbox("bob",       false), mailbox("bob",       false), NOTIFY_SUCCESS, SLICE("")},
    };
    struct envelope e = {
        .sender = mailbox("a", false),
        .smtputf8 = true,
        .wishes = {.priority = 1, .by = BY_NOTIFY, .by_s = 60},
        .rcpts = rcpts,
        .rcpt_count = 3
    };
    const unsigned two[] = {2, 1};
    struct mime_facts facts = {0};
    struct ehlo_offers offers = {.keywords = EHLO_MT_PRIORITY};
    struct relay_question q = {&e, two, 2, &facts, &offers, false, 0};
    struct arena arena = {0};
    struct relay_answer got;

    (void)state;
    relay_params_answer(&q, &arena, &got);
    check_int(got.rcpts[0].refusal.code, 0);
    check_slice(got.rcpts[1].refusal.enhanced, SLICE("5.6.7"));
    check(!got.smtputf8);
    check(got.rcpts[0].relayed && !got.rcpts[1].relayed);
    check_slice(got.params, SLICE(" MT-PRIORITY=1"));
    offers.keywords = UTF8 | EHLO_DSN;
    relay_params_answer(&q, &arena, &got);
    check(got.smtputf8);
    check_int(got.rcpts[1].refusal.code, 0);
    check_slice(got.rcpts[1].params, SLICE(" NOTIFY=SUCCESS"));
    arena_done(&arena);
}

/* Every parameter as long as it can be. */
static void the_longest_parameters_fit(void **state)
{
    char envid[ENVID_MAX], solicit[SOLICIT_MAX], orcpt[ORCPT_MAX];

    (void)state;
    memset(envid, '=', sizeof(envid));
    memset(solicit, 'a', sizeof(solicit));
    memset(orcpt, 'a', sizeof(orcpt));
    memcpy(orcpt, "rfc822;", 7);
    struct envelope_rcpt rcpt = {
        mailbox("bob", false),
        mailbox("bob", false),
        NOTIFY_SUCCESS | NOTIFY_FAILURE | NOTIFY_DELAY,
        {orcpt, sizeof(orcpt)}
    };
    struct envelope e = {
        .sender = mailbox("a", false),
        .wishes = {RETURN_FULL,
                   {envid, sizeof(envid)},
                   -9,
                   BY_NOTIFY, true,
                   -BY_SECONDS_MAX,
                   {solicit, sizeof(solicit)},
                   0, 0,
                   true},
        .rcpts = &rcpt,
        .rcpt_count = 1
    };
    const unsigned first = 0;
    struct mime_facts facts = {0};
    struct ehlo_offers offers = {.keywords = EVERYTHING};
    struct relay_question q = {&e, &first, 1, &facts, &offers, true, 0};
    struct arena arena = {0};
    struct relay_answer got;

    relay_params_answer(&q, &arena, &got);
    check(slice_ends(got.params, SLICE("a")));
    check_int(got.params.len, 11 + 17 + 9 + 7 + 300 + 15 + 9 + 1000);
    check_int(got.rcpts[0].params.len, 29 + 7 + 500);
    orcpt[100] = '+'; /* now it would be too long: RFC 3461 4.2 */
    relay_params_answer(&q, &arena, &got);
    check_slice(got.rcpts[0].params, SLICE(" NOTIFY=SUCCESS,FAILURE,DELAY"));
    arena_done(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_plain_message_asks_for_nothing),
        cmocka_unit_test(eight_bit_is_passed_or_converted),
        cmocka_unit_test(binary_is_passed_or_converted),
        cmocka_unit_test(long_lines_are_re_encoded),
        cmocka_unit_test(utf8_is_passed_or_refused),
        cmocka_unit_test(notifications_are_passed_or_told),
        cmocka_unit_test(deadlines_are_passed_told_or_refused),
        cmocka_unit_test(priority_is_passed_or_written),
        cmocka_unit_test(solicitation_is_passed_or_left_out),
        cmocka_unit_test(required_tls_is_passed_or_refused),
        cmocka_unit_test(all_at_once),
        cmocka_unit_test(recipients_are_judged_apart),
        cmocka_unit_test(the_longest_parameters_fit),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
