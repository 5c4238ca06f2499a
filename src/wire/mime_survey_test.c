/*
 * mime_survey_test.c - traits of whole messages, in any chunking.
 *
 * In the rows '@' stands for a line's 990 letters and '^' for NUL.
 */
#include "check.h"

#include "wire/mime_survey.h"

#define MIXED  "Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n"
#define SIGNED "Content-Type: multipart/signed; boundary=b\r\n\r\n--b\r\n"

enum { H = MIME_HIGH, W = MIME_WILD, L = MIME_LONG };

static const struct {
    const char *message;
    unsigned traits;
    unsigned fixed;
} rows[] = {
    {"",                                                                                 0,         0    },
    {"S: x\r\n\r\nx\r\n",                                                                0,         0    },
    {"S: x\r\n\r\nf\xc3\xbcr\r\n",                                                       H,         0    },
    {"S: x\r\n\r\na\n\r\n",                                                              W,         0    },
    {"S: x\r\n\r\na\rb\r\n",                                                             W,         0    },
    {"S: x\r\n\r\n^\r\n",                                                                W,         0    },
    {"S: x\r\n\r\nx\r",                                                                  W,         0    },
 /* 998 bytes and CRLF: RFC 5321 4.5.3.1.6 */
    {"S: x\r\n\r\n@12345678\r\n",                                                        0,         0    },
    {"S: x\r\n\r\n@123456789\r\n",                                                       L,         0    },
    {"S: x\r\n\r\n@123456789",                                                           L,         0    },
 /* a CR in front of the delimiter's CRLF is the part's, and bare */
    {MIXED "\r\nx\r\r\n--b--\r\n",                                                       W,         0    },
    {MIXED "\r\n\xff\r\n--b\r\n\r\n@@\r\n--b--\r\n",                                     H | L,     0    },
 /* a header stays, but for lines with a blank to fold at */
    {"S: \xc3\xbc\r\n\r\nx\r\n",                                                         H,         H    },
    {"S: @@\r\n\r\nx\r\n",                                                               L,         L    },
    {"S: @ @ @\r\n\r\nx\r\n",                                                            L,         0    },
    {"S: a\n\r\n\r\nx\r\n",                                                              W,         W    },
    {"S: a\r",                                                                           W,         W    },
 /* so does what stands outside of parts */
    {MIXED "\r\nx\r\n--b--\r\n\xff\r\n",                                                 H,         H    },
    {MIXED "\r\nx\r\n--b--\r\n\r",                                                       W,         W    },
 /* signed and encrypted: RFC 1847 2.1 */
    {SIGNED "\r\n\xff\r\n--b--\r\n",                                                     H,         H    },
    {SIGNED "S: @ @\r\n\r\n\r\n--b--\r\n",                                               L,         L    },
    {MIXED
     "Content-Type: multipart/encrypted; boundary=c\r\n\r\n--c\r\n\r\n@@\r\n--c--\r\n--b\r\n\r\n"
     "\xff\r\n--b--\r\n",                                                           H | L,     L    },
 /* RFC 2046 5.2: messages are walked into, pieces and references are 7-bit */
    {"Content-Type: message/rfc822\r\n\r\nS: x\r\n\r\n\xff\r\n",                         H,         0    },
    {"Content-Type: message/rfc822\r\n\r\nS: \xff\r\n\r\nx\r\n",                         H,         H    },
    {"Content-Type: message/partial; id=x; number=1\r\n\r\n\xff\r\n",                    H,         H    },
    {"Content-Type: message/external-body\r\n\r\n\xff\r\n",                              H,         H    },
    {"Content-Type: message/delivery-status\r\n\r\n\xff\r\n",                            H,         H    },
 /* RFC 6532 3.7 */
    {"Content-Type: message/global-headers\r\n\r\n\xff\r\n",                             H,         0    },
 /* encoded already */
    {"Content-Transfer-Encoding: quoted-printable\r\n\r\n\xff @@\r\n",                   H | L,     0    },
    {"Content-Transfer-Encoding: quoted-printable\r\n\r\n\n\r\n",                        W,         W    },
    {"Content-Transfer-Encoding: base64\r\n\r\n@@\r\n",                                  L,         0    },
    {"Content-Transfer-Encoding: base64\r\n\r\n@@\r\n\xff\r\n",                          H | L,     H | L},
    {"Content-Transfer-Encoding: base64\r\n\r\n@@\r\n.\r\n",                             L,         L    },
    {"Content-Transfer-Encoding: x-uue\r\n\r\n\xff\r\n",                                 H,         H    },
 /* readers may differ */
    {"Content-Type: multipart/mixed\r\n\r\n\xff\r\n",                                    H,         H    },
    {"From a at noon\r\nS: x\r\n\r\n\xff\r\n",                                           H,         H    },
    {"\r\n\xff\r\n",                                                                     H,         0    },
    {"Content-Transfer-Encoding: 8bit\r\nContent-Transfer-Encoding: base64\r\n\r\n\xff", H,         H    },
    {"Content-Type: text/plain\r\nContent-Type: image/x\r\n\r\n\xff",                    H,         H    },
    {"S: x\r\n\r\n^\xff\n@@\r\n",                                                        H | W | L, 0    },
};

static void write_row(struct buf *out, const char *text)
{
    for (; *text != '\0'; text++) {
        if (*text == '^')
            buf_append_char(out, '\0');
        else if (*text != '@')
            buf_append_char(out, *text);
        for (unsigned i = 0; *text == '@' && i < 990; i++)
            buf_append_char(out, 'a');
    }
}

static struct mime_facts survey(struct slice message, size_t cut)
{
    struct mime_survey s;

    mime_survey_init(&s);
    mime_survey_feed(&s, slice_head(message, cut));
    mime_survey_feed(&s, slice_skip(message, cut));
    mime_survey_end(&s);
    mime_survey_done(&s);
    return s.facts;
}

static void traits_are_found(void **state)
{
    (void)state;
    CHECK_ROWS (i, rows) {
        struct buf text;

        buf_init(&text, 1 << 16);
        write_row(&text, rows[i].message);
        struct slice message = guarded(buf_slice(&text));
        for (size_t cut = 0; cut <= message.len;
             cut += cut > 200 && cut + 200 < message.len ? 7 : 1) {
            struct mime_facts f = survey(message, cut);

            check_int(f.traits, rows[i].traits);
            check_int(f.fixed, rows[i].fixed);
        }
        guarded_free(message);
        buf_done(&text);
    }
}

static void goals_ban_traits(void **state)
{
    static const struct {
        unsigned traits;
        bool mailbox, eight_bit, seven_bit; /* may have it */
    } goals[] = {
        {0,         true,  true,  true },
        {MIME_HIGH, true,  true,  false},
        {MIME_LONG, true,  false, false},
        {MIME_WILD, false, false, false},
    };

    (void)state;
    CHECK_ROWS (i, goals) {
        struct mime_facts f = {.traits = goals[i].traits};
        struct mime_facts fixed = {.traits = goals[i].traits, .fixed = goals[i].traits};

        check_int(mime_facts_fit(&f, MIME_FOR_MAILBOX), goals[i].mailbox);
        check_int(mime_facts_fit(&f, MIME_FOR_8BIT), goals[i].eight_bit);
        check_int(mime_facts_fit(&f, MIME_FOR_7BIT), goals[i].seven_bit);
        check(mime_facts_can_fit(&f, MIME_FOR_7BIT));
        check_int(mime_facts_can_fit(&fixed, MIME_FOR_MAILBOX), goals[i].mailbox);
        check_int(mime_facts_can_fit(&fixed, MIME_FOR_8BIT), goals[i].eight_bit);
        check_int(mime_facts_can_fit(&fixed, MIME_FOR_7BIT), goals[i].seven_bit);
    }
}

static void headers_are_looked_into(void **state)
{
    static const struct {
        struct slice message;
        bool high, priority;
    } headers[] = {
        {SLICE_INIT("S: x\r\n\r\n\xff"),                                       false, false},
        {SLICE_INIT("S: \xc3\xbc\r\n\r\n"),                                    true,  false},
        {SLICE_INIT(MIXED "X: \xc3\xbc\r\n\r\n\r\n--b--"),                     true,  false},
        {SLICE_INIT("mt-priority: 3\r\n\r\n"),                                 false, true },
        {SLICE_INIT("A: b\r\n\r\nMT-Priority: 3\r\n"),                         false, false},
        {SLICE_INIT("Content-Type: message/rfc822\r\n\r\nMT-Priority: 3\r\n"), false, false},
    };

    (void)state;
    CHECK_ROWS (i, headers) {
        struct mime_facts f = survey(headers[i].message, 0);

        check_int(f.header_high, headers[i].high);
        check_int(f.says_priority, headers[i].priority);
    }
}

static void parts_are_told_apart(void **state)
{
    struct mime_survey s;

    (void)state;
    mime_survey_init(&s);
    mime_survey_feed(&s, SLICE(MIXED "\r\nx\r\n--b\r\n\r\n\xff\r\n--b\r\n\r\n\n\r\n--b--"));
    mime_survey_end(&s);
    check_int(mime_survey_part(&s, 0), 0);
    check_int(mime_survey_part(&s, 1), 0);
    check_int(mime_survey_part(&s, 2), MIME_HIGH);
    check_int(mime_survey_part(&s, 3), MIME_WILD);
    check_int(mime_survey_part(&s, 4), 0);
    mime_survey_done(&s);
}

/* More parts than are remembered: those behind are not converted. */
static void parts_without_end_are_fixed(void **state)
{
    struct mime_survey s;

    (void)state;
    mime_survey_init(&s);
    mime_survey_feed(&s, SLICE(MIXED));
    for (unsigned i = 0; i < 9000; i++)
        mime_survey_feed(&s, SLICE("Content-Type: message/rfc822\r\n\r\n"
                                   "Content-Type: message/rfc822\r\n\r\n"
                                   "Content-Type: message/rfc822\r\n\r\n"
                                   "Content-Type: message/rfc822\r\n\r\n"
                                   "Content-Type: message/rfc822\r\n\r\n"
                                   "Content-Type: message/rfc822\r\n\r\n"
                                   "Content-Type: message/rfc822\r\n\r\n"
                                   "\r\n\r\n--b\r\n"));
    mime_survey_feed(&s, SLICE("\r\n\xff\r\n--b--"));
    mime_survey_end(&s);
    check(!s.walk.doubtful);
    check_int(s.facts.fixed, MIME_HIGH);
    mime_survey_done(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(traits_are_found),
        cmocka_unit_test(goals_ban_traits),
        cmocka_unit_test(headers_are_looked_into),
        cmocka_unit_test(parts_are_told_apart),
        cmocka_unit_test(parts_without_end_are_fixed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
