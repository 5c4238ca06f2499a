/*
 * smtp_command_test.c - one row per form of RFC 5321 4.1.1, good and bad.
 */
#include "check.h"

#include "wire/smtp_command.h"

struct row {
    struct slice line;
    enum smtp_command_fault fault;
    enum smtp_verb verb;
    struct slice argument;
};

#define OK(line, verb, argument)                                                                   \
    {                                                                                              \
        SLICE_INIT(line), SMTP_COMMAND_OK, verb, SLICE_INIT(argument)                              \
    }
#define BAD(line, fault, verb, argument)                                                           \
    {                                                                                              \
        SLICE_INIT(line), SMTP_COMMAND_##fault, verb, SLICE_INIT(argument)                         \
    }

static const struct row rows[] = {
    OK("EHLO mx.example.org", VERB_EHLO, "mx.example.org"),
    OK("ehlo [192.0.2.1]", VERB_EHLO, "[192.0.2.1]"),
    OK("EhLo what ever  ", VERB_EHLO, "what ever"),
    OK("HELO x", VERB_HELO, "x"),
    OK("LHLO x", VERB_LHLO, "x"),
    BAD("EHLO", BAD_FORM, VERB_EHLO, ""),
    BAD("HELO ", BAD_FORM, VERB_HELO, ""),
    OK("DATA", VERB_DATA, ""),
    OK("data  ", VERB_DATA, ""),
    BAD("DATA now", BAD_FORM, VERB_DATA, "now"),
    OK("RSET", VERB_RSET, ""),
    BAD("RSET x", BAD_FORM, VERB_RSET, "x"),
    OK("QUIT", VERB_QUIT, ""),
    BAD("QUIT x", BAD_FORM, VERB_QUIT, "x"),
    OK("STARTTLS", VERB_STARTTLS, ""),
    BAD("STARTTLS x", BAD_FORM, VERB_STARTTLS, "x"),
    OK("BDAT 100 LAST", VERB_BDAT, "100 LAST"),
    BAD("BDAT", BAD_FORM, VERB_BDAT, ""),
    OK("NOOP", VERB_NOOP, ""),
    OK("NOOP gr\xc3\xbc\xc3\x9f", VERB_NOOP, "gr\xc3\xbc\xc3\x9f"),
    OK("HELP", VERB_HELP, ""),
    OK("HELP MAIL", VERB_HELP, "MAIL"),
    OK("VRFY \"Sherlock Holmes\"", VERB_VRFY, "\"Sherlock Holmes\""),
    BAD("VRFY", BAD_FORM, VERB_VRFY, ""),
    OK("EXPN staff", VERB_EXPN, "staff"),
    OK("AUTH PLAIN =", VERB_AUTH, "PLAIN ="),
    BAD("AUTH", BAD_FORM, VERB_AUTH, ""),
    OK("ETRN example.org", VERB_ETRN, "example.org"),
    OK("GET / HTTP/1.1", VERB_HTTP, "/ HTTP/1.1"),
    OK("CONNECT mx:25 HTTP/1.0", VERB_HTTP, "mx:25 HTTP/1.0"),
    BAD("", UNKNOWN, VERB_UNKNOWN, ""),
    BAD(" ", UNKNOWN, VERB_UNKNOWN, ""),
    BAD(" NOOP", UNKNOWN, VERB_UNKNOWN, "NOOP"),
    BAD("NOO", UNKNOWN, VERB_UNKNOWN, ""),
    BAD("NOOPS", UNKNOWN, VERB_UNKNOWN, ""),
    BAD("TURN now", UNKNOWN, VERB_UNKNOWN, "now"),
    /* bytes: told before anything else */
    BAD("NOOP a\0b", BAD_BYTES, VERB_NOOP, "a\0b"),
    BAD("RSET\rQUIT", BAD_BYTES, VERB_UNKNOWN, ""),
    BAD("NOOP \x7f", BAD_BYTES, VERB_NOOP, "\x7f"),
    BAD("NOOP a\tb", BAD_BYTES, VERB_NOOP, "a\tb"),
    BAD("NOOP \xc2\x9bm", BAD_BYTES, VERB_NOOP, "\xc2\x9bm"),
    BAD("NOOP \xfc", BAD_BYTES, VERB_NOOP, "\xfc"),
    BAD("BELL\b", BAD_BYTES, VERB_UNKNOWN, ""),
    BAD("MAIL FROM:<a\nb@x>", BAD_BYTES, VERB_MAIL, "FROM:<a\nb@x>"),
    /* paths */
    OK("MAIL FROM:<>", VERB_MAIL, "FROM:<>"),
    OK("mail from:<a@x>", VERB_MAIL, "from:<a@x>"),
    OK("MAIL FROM: <a@x>", VERB_MAIL, "FROM: <a@x>"),
    OK("RCPT TO:<a@x>  ", VERB_RCPT, "TO:<a@x>"),
    OK("RCPT TO:<Postmaster>", VERB_RCPT, "TO:<Postmaster>"),
    OK("RCPT TO:<\"a b> c\"@x>", VERB_RCPT, "TO:<\"a b> c\"@x>"),
    BAD("MAIL", BAD_FORM, VERB_MAIL, ""),
    BAD("MAIL <a@x>", BAD_FORM, VERB_MAIL, "<a@x>"),
    BAD("MAIL TO:<a@x>", BAD_FORM, VERB_MAIL, "TO:<a@x>"),
    BAD("RCPT FROM:<a@x>", BAD_FORM, VERB_RCPT, "FROM:<a@x>"),
    BAD("MAIL FROM <a@x>", BAD_FORM, VERB_MAIL, "FROM <a@x>"),
    BAD("MAIL FROM :<a@x>", BAD_FORM, VERB_MAIL, "FROM :<a@x>"),
    BAD("MAILFROM:<a@x>", UNKNOWN, VERB_UNKNOWN, ""),
    BAD("MAIL FROM:", BAD_PATH, VERB_MAIL, "FROM:"),
    BAD("MAIL FROM:a@x", BAD_PATH, VERB_MAIL, "FROM:a@x"),
    BAD("MAIL FROM:<a@x", BAD_PATH, VERB_MAIL, "FROM:<a@x"),
    BAD("RCPT TO:<a@x>>", BAD_PATH, VERB_RCPT, "TO:<a@x>>"),
    BAD("RCPT TO:<a@x>,<b@x>", BAD_PATH, VERB_RCPT, "TO:<a@x>,<b@x>"),
    BAD("MAIL FROM:<a@x>SIZE=1", BAD_PATH, VERB_MAIL, "FROM:<a@x>SIZE=1"),
    BAD("RCPT TO:Joe <a@x>", BAD_PATH, VERB_RCPT, "TO:Joe <a@x>"),
    /* parameters */
    OK("MAIL FROM:<a@x> SIZE=1  BODY=8BITMIME SMTPUTF8", VERB_MAIL,
       "FROM:<a@x> SIZE=1  BODY=8BITMIME SMTPUTF8"),
    OK("MAIL FROM:<a@x> ENVID=", VERB_MAIL, "FROM:<a@x> ENVID="),
    OK("MAIL FROM:<a@x> AUTH=<>", VERB_MAIL, "FROM:<a@x> AUTH=<>"),
    OK("MAIL FROM:<a@x> 8-X=1", VERB_MAIL, "FROM:<a@x> 8-X=1"),
    OK("RCPT TO:<a@x> ORCPT=utf-8;j\xc3\xbcrgen@x", VERB_RCPT,
       "TO:<a@x> ORCPT=utf-8;j\xc3\xbcrgen@x"),
    BAD("MAIL FROM:<a@x> (Joe)", BAD_PARAM, VERB_MAIL, "FROM:<a@x> (Joe)"),
    BAD("MAIL FROM:<a@x> =1", BAD_PARAM, VERB_MAIL, "FROM:<a@x> =1"),
    BAD("MAIL FROM:<a@x> -A=1", BAD_PARAM, VERB_MAIL, "FROM:<a@x> -A=1"),
    BAD("MAIL FROM:<a@x> SIZE=1=2", BAD_PARAM, VERB_MAIL, "FROM:<a@x> SIZE=1=2"),
    BAD("MAIL FROM:<a@x> SIZE = 1", BAD_PARAM, VERB_MAIL, "FROM:<a@x> SIZE = 1"),
    BAD("MAIL FROM:<a@x> SIZE=1 size=2", BAD_PARAM, VERB_MAIL, "FROM:<a@x> SIZE=1 size=2"),
    OK("MAIL FROM:<a@x> A B C D E F G H I J K L M N O P", VERB_MAIL,
       "FROM:<a@x> A B C D E F G H I J K L M N O P"),
    BAD("MAIL FROM:<a@x> A B C D E F G H I J K L M N O P Q", BAD_FORM, VERB_MAIL,
        "FROM:<a@x> A B C D E F G H I J K L M N O P Q"),
};

static void lines(void **state)
{
    struct arena arena = {0};
    struct smtp_command got;

    (void)state;
    CHECK_ROWS (i, rows) {
        struct slice line = guarded(rows[i].line);
        check_int(smtp_command_parse(line, &arena, &got), rows[i].fault);
        check_int(got.verb, rows[i].verb);
        check_slice(got.argument, rows[i].argument);
        guarded_free(line);
        arena_reset(&arena);
    }
    arena_done(&arena);
}

static void path_and_parameters(void **state)
{
    struct arena arena = {0};
    struct smtp_command got;
    const struct smtp_param *p;

    (void)state;
    check_int(
        smtp_command_parse(SLICE("mail FROM:<@r:\"joe\"@X> Size=42 SMTPUTF8 ENVID="), &arena, &got),
        SMTP_COMMAND_OK);
    check_slice(got.name, SLICE("mail"));
    check_int(got.path.kind, ADDRESS_MAILBOX);
    check_slice(address_text(&arena, &got.path), SLICE("joe@x"));
    check_int(got.param_count, 3);

    p = smtp_command_param(&got, SLICE("SIZE"));
    check(p != NULL && p->has_value);
    check_slice(p->name, SLICE("Size"));
    check_slice(p->value, SLICE("42"));
    p = smtp_command_param(&got, SLICE("smtputf8"));
    check(p != NULL && !p->has_value && p->value.len == 0);
    p = smtp_command_param(&got, SLICE("ENVID"));
    check(p != NULL && p->has_value && p->value.len == 0);
    check(smtp_command_param(&got, SLICE("SIZ")) == NULL);
    arena_done(&arena);
}

static void every_verb_has_a_name_that_parses(void **state)
{
    struct arena arena = {0};
    struct smtp_command got;

    (void)state;
    for (enum smtp_verb verb = VERB_EHLO; verb < VERB_HTTP; verb++) {
        smtp_command_parse(smtp_verb_name(verb), &arena, &got);
        check_int(got.verb, verb);
    }
    check(smtp_verb_name(VERB_HTTP).len > 0 && smtp_verb_name(VERB_UNKNOWN).len > 0);
    arena_done(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lines),
        cmocka_unit_test(path_and_parameters),
        cmocka_unit_test(every_verb_has_a_name_that_parses),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
