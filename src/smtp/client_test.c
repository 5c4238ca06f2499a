/*
 * client_test.c - the client engine against scripted servers.
 *
 * A dialog is text: "S:" lines are fed to the engine, "C:" lines must come out of it, "R:" lines,
 * too, but end with LF alone. At each
 * S: line everything that the engine said so far must have been expected, so the dialogs state
 * where it waits (lockstep) and where it does not (pipelining). Every row runs three ways: a
 * server's lines together, byte by byte, and with the message fed byte by byte. Outcomes are
 * written as text, one per recipient, and compared.
 *
 * Where a row logs in, `proof` is what its caller answers, in words: the mechanism, the initial
 * response ("-": none, "" by two blanks), the responses; "!" stops.
 */
#include "smtp/client.h"

#include "base/arena.h"
#include "check.h"
#include "smtp/heard.h"
#include "smtp/server.h"

struct row {
    const char *name;
    unsigned rcpts;
    const char *body;
    const char *dialog;
    const char *outcomes;
    enum step quit_after;
    const char *own_name;
    bool eight_bit;
    bool smtputf8;
    bool null_sender;
    uint64_t size;
    bool lost; /* after the dialog the server is gone */
    bool lmtp;
    bool binary;
    enum client_tls tls;
    enum client_login login;
    const char *proof;
};

#define GREETING "S: 220 mx.example ESMTP\n"
#define LOCKSTEP GREETING "C: EHLO me.example\nS: 250 mx.example\n"
#define PIPELINE                                                                                   \
    GREETING "C: EHLO me.example\n"                                                                \
             "S: 250-mx.example hello\nS: 250-pipelining\nS: 250-SIZE 1000\nS: 250 8BITMIME\n"
#define LHLO GREETING "C: LHLO me.example\nS: 250 mx.example\n"
#define CHUNKING                                                                                   \
    GREETING                                                                                       \
    "C: EHLO me.example\nS: 250-mx\nS: 250-PIPELINING\nS: 250-CHUNKING\nS: 250 BINARYMIME\n"
#define OFFERS_TLS GREETING "C: EHLO me.example\nS: 250-mx\nS: 250 STARTTLS\n"
#define OFFERS_AUTH                                                                                \
    GREETING "C: EHLO me.example\nS: 250-mx\nS: 250-PIPELINING\nS: 250 AUTH PLAIN LOGIN\n"
#define QUIT      "C: QUIT\nS: 221 bye\n"
#define MAIL      "C: MAIL FROM:<ann@a.example>\n"
#define RCPT0     "C: RCPT TO:<r0@b.example>\n"
#define RCPT1     "C: RCPT TO:<r1@b.example>\n"
#define RCPT2     "C: RCPT TO:<r2@b.example>\n"
#define TEN(text) text text text text text text text text text text
#define LONG      TEN(TEN("aaaaaa"))
#define LONG64    TEN(TEN("YWFhYWFh"))
#define BODY      "Subject: x\r\n\r\n.hi\r\n"
#define BODY_SENT "C: Subject: x\nC: \nC: ..hi\nC: .\n"

/* A macro, because clang-format 14 crashes on rows of designated initializers. */
#define ROW(is, to, content, script, result, ...)                                                  \
    {                                                                                              \
        .name = is, .rcpts = to, .body = content, .dialog = script,                                \
        .outcomes = result __VA_OPT__(, ) __VA_ARGS__                                              \
    }

static const struct row rows[] = {
    ROW("lockstep waits for every reply", 2, BODY,
        LOCKSTEP MAIL "S: 250 2.1.0 Ok\n" RCPT0 "S: 250 2.1.5 Ok\n" RCPT1 "S: 250 2.1.5 Ok\n"
                      "C: DATA\nS: 354 go\n" BODY_SENT "S: 250 2.0.0 queued as 1\n" QUIT,
        "accepted end of data 250 2.0.0 [2.0.0 queued as 1]\n"
        "accepted end of data 250 2.0.0 [2.0.0 queued as 1]\n"),
    ROW("pipelining sends all up to DATA at once", 2, BODY,
        PIPELINE MAIL RCPT0 RCPT1 "C: DATA\nS: 250 Ok\nS: 250 Ok\nS: 250 Ok\nS: 354 go\n" BODY_SENT
                                  "S: 250 done\n" QUIT,
        "accepted end of data 250  [done]\naccepted end of data 250  [done]\n"),
    ROW("each recipient has its own outcome", 3, BODY,
        PIPELINE MAIL RCPT0 RCPT1 RCPT2
        "C: DATA\nS: 250 Ok\nS: 550-5.1.1 no such\nS: 550 5.1.1 user\nS: 250 Ok\n"
        "S: 451 4.2.0 busy\nS: 354 go\n" BODY_SENT "S: 250 2.0.0 ok\n" QUIT,
        "refused RCPT 550 5.1.1 [5.1.1 no such\n5.1.1 user]\n"
        "accepted end of data 250 2.0.0 [2.0.0 ok]\n"
        "again RCPT 451 4.2.0 [4.2.0 busy]\n"),
    ROW("552 at RCPT means later, RFC 5321 4.5.3.1.10", 1, NULL,
        LOCKSTEP MAIL "S: 250 ok\n" RCPT0 "S: 552 too many recipients\n" QUIT,
        "again RCPT 552  [too many recipients]\n"),
    ROW("no recipient left: no DATA in lockstep", 2, NULL,
        LOCKSTEP MAIL "S: 250 ok\n" RCPT0 "S: 550 no\n" RCPT1 "S: 450 no\n" QUIT,
        "refused RCPT 550  [no]\nagain RCPT 450  [no]\n"),
    ROW("no recipient left but DATA was on its way and is refused", 1, NULL,
        PIPELINE MAIL RCPT0 "C: DATA\nS: 250 ok\nS: 550 no\nS: 554 no rcpts\n" QUIT,
        "refused RCPT 550  [no]\n"),
    ROW("no recipient left and 354: a lone dot, RFC 2920 3.1", 1, BODY,
        PIPELINE MAIL RCPT0 "C: DATA\nS: 250 ok\nS: 550 no\nS: 354 go\nC: .\n"
                            "S: 554 no rcpts\n" QUIT,
        "refused RCPT 550  [no]\n"),
    ROW("a refused MAIL is the reason, not the 503 behind it", 1, NULL,
        PIPELINE MAIL RCPT0 "C: DATA\nS: 550 5.7.1 go away\nS: 503 need MAIL\n"
                            "S: 503 need RCPT\n" QUIT,
        "refused MAIL 550 5.7.1 [5.7.1 go away]\n"),
    ROW("a refused MAIL in lockstep ends the message", 2, NULL,
        LOCKSTEP MAIL "S: 451 4.3.0 later\n" QUIT,
        "again MAIL 451 4.3.0 [4.3.0 later]\nagain MAIL 451 4.3.0 [4.3.0 later]\n"),
    ROW("DATA refused", 1, NULL,
        LOCKSTEP MAIL "S: 250 ok\n" RCPT0 "S: 250 ok\nC: DATA\nS: 554 5.7.1 no\n" QUIT,
        "refused DATA 554 5.7.1 [5.7.1 no]\n"),
    ROW("250 to DATA is no SMTP", 1, NULL,
        LOCKSTEP MAIL "S: 250 ok\n" RCPT0 "S: 250 ok\nC: DATA\nS: 250 ok\n",
        "again - 0 4.5.0 [the server broke the protocol]\n"),
    ROW("the final dot refused", 1, BODY,
        LOCKSTEP MAIL "S: 250 ok\n" RCPT0 "S: 250 ok\nC: DATA\nS: 354 go\n" BODY_SENT
                      "S: 550 5.6.0 bad\n" QUIT,
        "refused end of data 550 5.6.0 [5.6.0 bad]\n"),
    ROW("EHLO answered 500: HELO, and no extension is used", 1, BODY,
        GREETING "C: EHLO me.example\nS: 500 what\nC: HELO me.example\nS: 250 hi\n" MAIL
                 "S: 250 ok\n" RCPT0 "S: 250 ok\nC: DATA\nS: 354 go\n" BODY_SENT "S: 250 ok\n" QUIT,
        "accepted end of data 250  [ok]\n", .size = 99),
    ROW("EHLO answered 502: HELO", 1, NULL,
        GREETING "C: EHLO me.example\nS: 502 what\nC: HELO me.example\nS: 550 no\n" QUIT,
        "refused HELO 550  [no]\n"),
    ROW("EHLO answered 550: no HELO", 1, NULL,
        GREETING "C: EHLO me.example\nS: 550 5.7.1 not you\n" QUIT,
        "refused EHLO 550 5.7.1 [5.7.1 not you]\n"),
    ROW("EHLO answered 451: no HELO", 1, NULL, GREETING "C: EHLO me.example\nS: 451 later\n" QUIT,
        "again EHLO 451  [later]\n"),
    ROW("521 greeting is permanent, RFC 7504", 1, NULL, "S: 521 no mail here\n" QUIT,
        "refused greeting 521  [no mail here]\n"),
    ROW("421 greeting closes without QUIT", 1, NULL, "S: 421 4.3.2 busy\n",
        "again greeting 421 4.3.2 [4.3.2 busy]\n"),
    ROW("421 instead of a reply to RCPT keeps what was decided", 3, NULL,
        PIPELINE MAIL RCPT0 RCPT1 RCPT2 "C: DATA\nS: 250 ok\nS: 550 no\nS: 421 4.3.2 leaving\n",
        "refused RCPT 550  [no]\nagain RCPT 421 4.3.2 [4.3.2 leaving]\n"
        "again RCPT 421 4.3.2 [4.3.2 leaving]\n"),
    ROW("an unknown code counts by its first digit", 1, NULL,
        LOCKSTEP MAIL "S: 299 fine\n" RCPT0 "S: 599 odd\n" QUIT, "refused RCPT 599  [odd]\n"),
    ROW("an enhanced code of another class is none", 1, NULL,
        LOCKSTEP MAIL "S: 550 4.7.1 odd\n" QUIT, "refused MAIL 550  [4.7.1 odd]\n"),
    ROW("the code changes within a reply", 1, NULL, LOCKSTEP MAIL "S: 250-ok\nS: 550 no\n",
        "again MAIL 0 4.5.0 [the server broke the protocol (waiting for: MAIL)]\n"),
    ROW("garbage instead of a greeting", 1, NULL, "S: HTTP/1.1 400 Bad Request\n",
        "again greeting 0 4.5.0 "
        "[the server broke the protocol (waiting for: greeting)]\n"),
    ROW("the server vanishes after the dot", 1, BODY,
        LOCKSTEP MAIL "S: 250 ok\n" RCPT0 "S: 250 ok\nC: DATA\nS: 354 go\n" BODY_SENT,
        "again end of data 0 4.4.2 "
        "[the server closed the connection (waiting for: end of data)]\n",
        .lost = true),
    ROW("the server vanishes instead of answering QUIT: no harm", 1, BODY,
        LOCKSTEP MAIL "S: 250 ok\n" RCPT0 "S: 250 ok\nC: DATA\nS: 354 go\n" BODY_SENT
                      "S: 250 ok\nC: QUIT\n",
        "accepted end of data 250  [ok]\n", .lost = true),
    ROW("SIZE, BODY and SMTPUTF8 where offered and needed", 1, NULL,
        GREETING "C: EHLO me.example\nS: 250-mx\nS: 250-SIZE\nS: 250-8BITMIME\n"
                 "S: 250 SMTPUTF8\n"
                 "C: MAIL FROM:<ann@a.example> SIZE=77 BODY=8BITMIME SMTPUTF8\n"
                 "S: 550 no\n" QUIT,
        "refused MAIL 550  [no]\n", .size = 77, .eight_bit = true, .smtputf8 = true),
    ROW("SIZE is said, 8BITMIME not when not needed", 1, NULL,
        PIPELINE "C: MAIL FROM:<ann@a.example> SIZE=77\n" RCPT0
                 "C: DATA\nS: 550 no\nS: 550 no\nS: 550 no\n" QUIT,
        "refused MAIL 550  [no]\n", .size = 77),
    ROW("too large for what SIZE says: not even tried", 1, NULL, PIPELINE QUIT,
        "refused MAIL 0 5.3.4 [the message has 1001 bytes, the server takes 1000]\n", .size = 1001),
    ROW("8-bit is never sent to a 7-bit server", 1, NULL, LOCKSTEP QUIT,
        "refused MAIL 0 5.6.3 "
        "[the message is 8-bit and the server does not offer 8BITMIME]\n",
        .eight_bit = true),
    ROW("SMTPUTF8 is never downgraded", 1, NULL, PIPELINE QUIT,
        "refused MAIL 0 5.6.7 "
        "[the message needs SMTPUTF8, which the server does not offer]\n",
        .smtputf8 = true),
    ROW("the null reverse-path", 1, NULL, LOCKSTEP "C: MAIL FROM:<>\nS: 550 no\n" QUIT,
        "refused MAIL 550  [no]\n", .null_sender = true),
    ROW("quit after the greeting", 1, NULL, GREETING QUIT, "pending - 0  []\n",
        .quit_after = STEP_GREETING),
    ROW("quit after EHLO", 1, NULL, PIPELINE QUIT, "pending - 0  []\n", .quit_after = STEP_EHLO),
    ROW("quit after MAIL", 1, NULL, PIPELINE MAIL "S: 250 ok\n" QUIT, "pending - 0  []\n",
        .quit_after = STEP_MAIL),
    ROW("quit after RCPT tells what RCPT said, and a 421 to QUIT changes nothing", 2, NULL,
        PIPELINE MAIL RCPT0 RCPT1 "S: 250 ok\nS: 250 2.1.5 yes\nS: 550 no\n"
                                  "C: QUIT\nS: 421 whatever\n",
        "pending RCPT 250 2.1.5 [2.1.5 yes]\nrefused RCPT 550  [no]\n", .quit_after = STEP_RCPT),
    ROW("a body without a last line end gets one", 1, "x",
        LOCKSTEP MAIL "S: 250 ok\n" RCPT0 "S: 250 ok\nC: DATA\nS: 354 go\nC: x\nC: .\n"
                      "S: 250 ok\n" QUIT,
        "accepted end of data 250  [ok]\n"),
    ROW("LMTP: a reply for each accepted recipient, RFC 2033 4.2", 3, BODY,
        LHLO MAIL "S: 250 ok\n" RCPT0 "S: 250 ok\n" RCPT1 "S: 550 5.1.1 no\n" RCPT2 "S: 250 ok\n"
                  "C: DATA\nS: 354 go\n" BODY_SENT
                  "S: 250 2.0.0 in\nS: 452 4.2.2 over quota\n" QUIT,
        "accepted end of data 250 2.0.0 [2.0.0 in]\n"
        "refused RCPT 550 5.1.1 [5.1.1 no]\n"
        "again end of data 452 4.2.2 [4.2.2 over quota]\n",
        .lmtp = true),
    ROW("LMTP: the server vanishes between two replies", 2, BODY,
        LHLO MAIL "S: 250 ok\n" RCPT0 "S: 250 ok\n" RCPT1 "S: 250 ok\n"
                  "C: DATA\nS: 354 go\n" BODY_SENT "S: 250 2.0.0 in\n",
        "accepted end of data 250 2.0.0 [2.0.0 in]\n"
        "again end of data 0 4.4.2 "
        "[the server closed the connection (waiting for: end of data)]\n",
        .lmtp = true, .lost = true),
    ROW("LMTP: there is no HELO to fall back to", 1, NULL,
        GREETING "C: LHLO me.example\nS: 500 what\n" QUIT, "refused LHLO 500  [what]\n",
        .lmtp = true),
    ROW("LMTP: 354 for no recipient is no protocol", 1, NULL,
        GREETING "C: LHLO me.example\nS: 250-mx\nS: 250 PIPELINING\n" MAIL RCPT0
                 "C: DATA\nS: 250 ok\nS: 550 no\nS: 354 go\n",
        "refused RCPT 550  [no]\n", .lmtp = true),
    ROW("a binary message goes in chunks and is not touched, RFC 3030", 2, "a\n.\n",
        CHUNKING "C: MAIL FROM:<ann@a.example> BODY=BINARYMIME\n" RCPT0 RCPT1
                 "S: 250 ok\nS: 250 ok\nS: 550 no\nC: BDAT 4\nR: a\nR: .\n"
                 "C: BDAT 0 LAST\nS: 250 ok\nS: 250 2.0.0 in\n" QUIT,
        "accepted end of data 250 2.0.0 [2.0.0 in]\nrefused RCPT 550  [no]\n", .binary = true),
    ROW("no recipient left: no chunk", 1, "a\n",
        CHUNKING "C: MAIL FROM:<ann@a.example> BODY=BINARYMIME\n" RCPT0
                 "S: 250 ok\nS: 550 no\n" QUIT,
        "refused RCPT 550  [no]\n", .binary = true),
    ROW("a binary message is never sent by DATA", 1, NULL, PIPELINE QUIT,
        "refused MAIL 0 5.6.3 [the message is binary and the server does not offer BINARYMIME]\n",
        .binary = true),
    ROW("RCPTMAX is obeyed, RFC 9422", 3, BODY,
        GREETING "C: EHLO me.example\nS: 250-mx\nS: 250 LIMITS RCPTMAX=2 MAILMAX=5\n" MAIL
                 "S: 250 ok\n" RCPT0 "S: 250 ok\n" RCPT1 "S: 250 ok\nC: DATA\nS: 354 go\n" BODY_SENT
                 "S: 250 ok\n" QUIT,
        "accepted end of data 250  [ok]\naccepted end of data 250  [ok]\nleft out - 0  []\n"),
    ROW("STARTTLS where it is offered, and everything anew behind it", 1, BODY,
        OFFERS_TLS "C: STARTTLS\nS: 220 go\nC: EHLO me.example\nS: 250 mx\n" MAIL
                   "S: 250 ok\n" RCPT0 "S: 250 ok\nC: DATA\nS: 354 go\n" BODY_SENT
                   "S: 250 ok\n" QUIT,
        "accepted end of data 250  [ok]\n", .tls = CLIENT_TLS_IF_OFFERED),
    ROW("STARTTLS is not asked for when it must not be", 1, NULL,
        OFFERS_TLS MAIL "S: 550 no\n" QUIT, "refused MAIL 550  [no]\n"),
    ROW("STARTTLS refused and not needed: in the clear", 1, NULL,
        OFFERS_TLS "C: STARTTLS\nS: 454 4.7.0 not now\n" MAIL "S: 550 no\n" QUIT,
        "refused MAIL 550  [no]\n", .tls = CLIENT_TLS_IF_OFFERED),
    ROW("STARTTLS refused and needed: later, even after 5xx", 1, NULL,
        OFFERS_TLS "C: STARTTLS\nS: 554 5.7.0 never\n" QUIT,
        "again STARTTLS 554 5.7.0 [5.7.0 never]\n", .tls = CLIENT_TLS_ALWAYS),
    ROW("the server is us", 1, NULL,
        GREETING "C: EHLO me.example\nS: 250-US.example Hello\nS: 250 SIZE\n" QUIT,
        "refused EHLO 0 5.4.6 [the server greets with our own name: mail loops back to myself]\n",
        .own_name = "us.example"),
    ROW("the server is us, by HELO", 1, NULL,
        GREETING "C: EHLO me.example\nS: 502 what\nC: HELO me.example\nS: 250 us.example\n" QUIT,
        "refused EHLO 0 5.4.6 [the server greets with our own name: mail loops back to myself]\n",
        .own_name = "us.example"),
    ROW("the server is not us, its name is longer", 1, NULL,
        GREETING "C: EHLO me.example\nS: 250 us.example.net\n" MAIL "S: 550 no\n" QUIT,
        "refused MAIL 550  [no]\n", .own_name = "us.example"),
    ROW("nor is it with half of our name", 1, NULL,
        GREETING "C: EHLO me.example\nS: 250 us\n" MAIL "S: 550 no\n" QUIT,
        "refused MAIL 550  [no]\n", .own_name = "us.example"),
    ROW("no STARTTLS and needed", 1, NULL, LOCKSTEP QUIT,
        "again STARTTLS 0 4.7.4 [TLS is required and the server does not offer it]\n",
        .tls = CLIENT_TLS_ALWAYS),
    ROW("no EHLO and TLS needed", 1, NULL,
        GREETING "C: EHLO me.example\nS: 502 what\nC: HELO me.example\nS: 250 hi\n" QUIT,
        "again STARTTLS 0 4.7.4 [TLS is required and the server does not offer it]\n",
        .tls = CLIENT_TLS_ALWAYS),
    ROW("AUTH behind STARTTLS, and no word more before its reply", 1, BODY,
        OFFERS_TLS "C: STARTTLS\nS: 220 go\nC: EHLO me.example\nS: 250-mx\nS: 250-PIPELINING\n"
                   "S: 250 AUTH PLAIN\nC: AUTH PLAIN AWFubgFv\nS: 235 2.7.0 ok\n" MAIL RCPT0
                   "C: DATA\nS: 250 ok\nS: 250 ok\nS: 354 go\n" BODY_SENT "S: 250 ok\n" QUIT,
        "accepted end of data 250  [ok]\n", .tls = CLIENT_TLS_ALWAYS, .login = CLIENT_LOGIN_SECURED,
        .proof = "PLAIN \1ann\1o"),
    ROW("never in the clear", 1, NULL, OFFERS_AUTH QUIT,
        "again AUTH 0 4.7.11 [we are to log in, which is not done without TLS]\n",
        .tls = CLIENT_TLS_IF_OFFERED, .login = CLIENT_LOGIN_SECURED, .proof = "PLAIN x"),
    ROW("what was offered before TLS is not what is offered behind it", 1, NULL,
        GREETING "C: EHLO me.example\nS: 250-mx\nS: 250-AUTH PLAIN\nS: 250 STARTTLS\n"
                 "C: STARTTLS\nS: 220 go\nC: EHLO me.example\nS: 250 mx\n" QUIT,
        "again AUTH 0 4.7.4 [the server does not offer AUTH, and we are to log in]\n",
        .tls = CLIENT_TLS_ALWAYS, .login = CLIENT_LOGIN_SECURED, .proof = "PLAIN x"),
    ROW("no EHLO, no AUTH", 1, NULL,
        GREETING "C: EHLO me.example\nS: 502 what\nC: HELO me.example\nS: 250 hi\n" QUIT,
        "again AUTH 0 4.7.4 [the server does not offer AUTH, and we are to log in]\n",
        .login = CLIENT_LOGIN_ANYHOW, .proof = "PLAIN x"),
    ROW("one challenge after the other", 1, NULL,
        OFFERS_AUTH "C: AUTH LOGIN\nS: 334 VXNlcm5hbWU6\nC: YW5u\nS: 334 UGFzc3dvcmQ6\nC: bw==\n"
                    "S: 235 ok\n" MAIL RCPT0 "C: DATA\nS: 550 no\nS: 503 no\nS: 503 no\n" QUIT,
        "refused MAIL 550  [no]\n", .login = CLIENT_LOGIN_ANYHOW, .proof = "LOGIN - ann o"),
    ROW("an initial response that is empty, RFC 4954 4", 1, NULL,
        OFFERS_AUTH "C: AUTH EXTERNAL =\nS: 235 ok\n" MAIL RCPT0
                    "C: DATA\nS: 550 no\nS: 503 no\nS: 503 no\n" QUIT,
        "refused MAIL 550  [no]\n", .login = CLIENT_LOGIN_ANYHOW, .proof = "EXTERNAL "),
    ROW("an empty response", 1, NULL,
        OFFERS_AUTH "C: AUTH X\nS: 334\nC: \nS: 454 4.7.0 later\n" QUIT,
        "again AUTH 454 4.7.0 [4.7.0 later]\n", .login = CLIENT_LOGIN_ANYHOW, .proof = "X - "),
    ROW("an initial response that is too long for a command", 1, NULL,
        OFFERS_AUTH "C: AUTH X\nS: 334 \nC: " LONG64 "\nS: 235 ok\n" MAIL RCPT0
                    "C: DATA\nS: 550 no\nS: 503 no\nS: 503 no\n" QUIT,
        "refused MAIL 550  [no]\n", .login = CLIENT_LOGIN_ANYHOW, .proof = "X " LONG),
    ROW("a wrong password is no word about the mail", 1, NULL,
        OFFERS_AUTH "C: AUTH PLAIN eA==\nS: 535 5.7.8 wrong\n" QUIT,
        "again AUTH 535 5.7.8 [5.7.8 wrong]\n", .login = CLIENT_LOGIN_ANYHOW, .proof = "PLAIN x"),
    ROW("421 to AUTH", 1, NULL, OFFERS_AUTH "C: AUTH PLAIN eA==\nS: 421 4.7.0 gone\n",
        "again AUTH 421 4.7.0 [4.7.0 gone]\n", .login = CLIENT_LOGIN_ANYHOW, .proof = "PLAIN x"),
    ROW("the server vanishes at AUTH", 1, NULL, OFFERS_AUTH "C: AUTH PLAIN eA==\n",
        "again AUTH 0 4.4.2 [the server closed the connection (waiting for: AUTH)]\n",
        .login = CLIENT_LOGIN_ANYHOW, .proof = "PLAIN x", .lost = true),
    ROW("a challenge that is no base64", 1, NULL,
        OFFERS_AUTH "C: AUTH X\nS: 334 what is it?\nC: *\nS: 501 5.7.0 aborted\n" QUIT,
        "again AUTH 0 4.5.0 [the server's challenge is no base64, or too long]\n",
        .login = CLIENT_LOGIN_ANYHOW, .proof = "X -"),
    ROW("none of the mechanisms will do", 1, NULL, OFFERS_AUTH QUIT,
        "again AUTH 0 4.7.0 [stopped]\n", .login = CLIENT_LOGIN_ANYHOW, .proof = "!"),
    ROW("a challenge that will not do, and a server that goes on nevertheless", 1, NULL,
        OFFERS_AUTH "C: AUTH X\nS: 334 eA==\nC: *\nS: 334 eA==\n" QUIT,
        "again AUTH 0 4.7.0 [stopped]\n", .login = CLIENT_LOGIN_ANYHOW, .proof = "X - !"),
    ROW("the reason stays, whatever the server answers to *", 1, NULL,
        OFFERS_AUTH "C: AUTH X\nS: 334 eA==\nC: *\nS: 421 4.7.0 too many errors\n",
        "again AUTH 0 4.7.0 [stopped]\n", .login = CLIENT_LOGIN_ANYHOW, .proof = "X - !"),
    ROW("a server that says yes and is not believed", 1, NULL,
        OFFERS_AUTH "C: AUTH X eA==\nS: 235 ok\n" QUIT, "again AUTH 0 4.7.0 [stopped]\n",
        .login = CLIENT_LOGIN_ANYHOW, .proof = "X x !"),
    ROW("quit after EHLO proves nothing", 1, NULL, OFFERS_AUTH QUIT, "pending - 0  []\n",
        .quit_after = STEP_EHLO, .login = CLIENT_LOGIN_ANYHOW, .proof = "PLAIN x"),
    ROW("quit after AUTH", 1, NULL, OFFERS_AUTH "C: AUTH PLAIN eA==\nS: 235 ok\n" QUIT,
        "pending - 0  []\n", .quit_after = STEP_AUTH, .login = CLIENT_LOGIN_ANYHOW,
        .proof = "PLAIN x"),
};

/* One running dialog. */
struct play {
    struct client *client;
    struct transcript transcript;
    struct arena arena;
    struct buf in, out;
    struct slice body; /* still to be fed */
    size_t piece;      /* bytes of the body at a time */
    struct slice proof;
    enum client_need need;
};

static struct slice next_word(struct slice *words)
{
    struct slice word;

    if (!slice_cut(*words, ' ', &word, words)) {
        word = *words;
        *words = SLICE("");
    }
    return word;
}

static void prove(struct play *p)
{
    enum client_auth_stage stage = client_auth(p->client)->stage;
    struct slice word = next_word(&p->proof), initial;

    if (slice_equal(word, SLICE("!"))) {
        client_auth_stop(p->client, SLICE("4.7.0"), SLICE("stopped"));
        return;
    }
    switch (stage) {
    case CLIENT_AUTH_CHOOSE:
        initial = next_word(&p->proof);
        client_auth_begin(p->client, word, slice_equal(initial, SLICE("-")) ? NULL : &initial);
        break;
    case CLIENT_AUTH_RESPOND: client_auth_respond(p->client, word); break;
    case CLIENT_AUTH_BELIEVE: client_auth_believe(p->client); break;
    }
}

static void step_until_blocked(struct play *p)
{
    for (;;) {
        struct cursor in = {buf_slice(&p->in)};

        p->need = client_step(p->client, &in, &p->out);
        buf_consume(&p->in, buf_len(&p->in) - in.rest.len);
        switch (p->need) {
        case CLIENT_WANTS_INPUT:
        case CLIENT_DONE: return;
        case CLIENT_READY: client_quit(p->client); break;
        case CLIENT_WANTS_TLS: client_secured(p->client); break;
        case CLIENT_WANTS_AUTH: prove(p); break;
        case CLIENT_WANTS_BODY:
            if (p->body.len == 0) {
                client_body_end(p->client, &p->out);
                break;
            }
            client_body(p->client, slice_head(p->body, p->piece), &p->out);
            p->body = slice_skip(p->body, p->piece);
            break;
        }
    }
}

static void play_start(struct play *p, const struct client_settings *settings,
                       const struct client_message *message, const char *body, size_t piece)
{
    struct client_settings with = *settings;

    transcript_init(&p->transcript, TRANSCRIPT_ALL, 64 * 1024);
    with.transcript = &p->transcript;
    with.ehlo = SLICE("me.example");
    buf_init(&p->in, 1 << 20);
    buf_init(&p->out, CLIENT_OUT_MAX);
    p->client = client_new(&with);
    p->body = body == NULL ? (struct slice){0} : slice_of(body);
    p->piece = piece;
    client_message(p->client, message);
    step_until_blocked(p);
}

static void play_end(struct play *p)
{
    client_free(p->client);
    transcript_done(&p->transcript);
    buf_done(&p->in);
    buf_done(&p->out);
    arena_done(&p->arena);
}

static void feed(struct play *p, struct slice bytes, size_t chunk)
{
    while (bytes.len > 0) {
        assert_true(buf_append(&p->in, slice_head(bytes, chunk)));
        bytes = slice_skip(bytes, chunk);
        step_until_blocked(p);
    }
}

static void expect_line(struct play *p, struct slice line, struct slice end)
{
    struct slice out = buf_slice(&p->out), said = slice_head(out, line.len);

    check_slice(said, line);
    check_slice(slice_head(slice_skip(out, line.len), end.len), end);
    buf_consume(&p->out, line.len + end.len);
}

/* Plays one dialog; chunk is how many of the server's bytes come at a time. */
static void play_dialog(struct play *p, const char *dialog, size_t chunk)
{
    struct slice rest = slice_of(dialog), line;
    struct buf batch;

    buf_init(&batch, 1 << 20);
    while (slice_cut(rest, '\n', &line, &rest)) {
        struct slice text = slice_skip(line, 3);

        if (!slice_starts(line, SLICE("S:"))) {
            feed(p, buf_slice(&batch), chunk == 0 ? buf_len(&batch) : chunk);
            buf_clear(&batch);
            expect_line(p, text, slice_starts(line, SLICE("C:")) ? SLICE("\r\n") : SLICE("\n"));
            continue;
        }
        if (buf_len(&batch) == 0)
            check_slice(buf_slice(&p->out), SLICE(""));
        assert_true(buf_append(&batch, text) && buf_append(&batch, SLICE("\r\n")));
    }
    feed(p, buf_slice(&batch), chunk == 0 ? buf_len(&batch) : chunk);
    buf_done(&batch);
    check_slice(buf_slice(&p->out), SLICE(""));
}

static struct slice verdict_word(enum client_verdict v)
{
    switch (v) {
    case CLIENT_PENDING: return SLICE("pending");
    case CLIENT_ACCEPTED: return SLICE("accepted");
    case CLIENT_TRY_AGAIN: return SLICE("again");
    case CLIENT_REFUSED: return SLICE("refused");
    case CLIENT_LEFT_OUT: return SLICE("left out");
    }
    return SLICE("?");
}

static struct slice outcomes_text(struct play *p, unsigned count)
{
    struct slice text = SLICE("");

    for (unsigned i = 0; i < count; i++) {
        const struct client_outcome *o = client_outcome(p->client, i);
        struct slice step = o->step == STEP_NONE ? SLICE("-") : step_name(o->step);
        struct slice word = verdict_word(o->verdict);

        text = arena_printf(&p->arena, "%.*s%.*s %.*s %u %.*s [%.*s]\n", SLICE_PRINTF(text),
                            SLICE_PRINTF(word), SLICE_PRINTF(step), o->code,
                            SLICE_PRINTF(o->enhanced), SLICE_PRINTF(o->text));
    }
    return text;
}

static const struct address ann = {ADDRESS_MAILBOX, SLICE_INIT("ann"), SLICE_INIT("a.example"),
                                   false};
static const struct address rcpts[] = {
    {ADDRESS_MAILBOX, SLICE_INIT("r0"), SLICE_INIT("b.example"), false},
    {ADDRESS_MAILBOX, SLICE_INIT("r1"), SLICE_INIT("b.example"), false},
    {ADDRESS_MAILBOX, SLICE_INIT("r2"), SLICE_INIT("b.example"), false},
};

static struct client_message row_message(const struct row *r)
{
    struct client_message m = {.sender = ann, .rcpts = rcpts, .rcpt_count = r->rcpts};

    if (r->null_sender)
        m.sender = (struct address){.kind = ADDRESS_NULL};
    m.size = r->size;
    m.body = r->binary ? BODY_BINARYMIME : r->eight_bit ? BODY_8BITMIME : BODY_7BIT;
    m.smtputf8 = r->smtputf8;
    return m;
}

static void play_row(const struct row *r, size_t chunk, size_t piece)
{
    struct client_settings settings = {.quit_after = r->quit_after,
                                       .own_name = slice_of(r->own_name != NULL ? r->own_name : ""),
                                       .tls = r->tls,
                                       .login = r->login,
                                       .protocol = r->lmtp ? CLIENT_LMTP : CLIENT_SMTP};
    struct client_message message = row_message(r);
    struct play p = {.proof = r->proof == NULL ? SLICE("") : slice_of(r->proof)};

    play_start(&p, &settings, &message, r->body, piece);
    play_dialog(&p, r->dialog, chunk);
    if (r->lost) {
        check(p.need == CLIENT_WANTS_INPUT);
        client_fail(p.client, CLIENT_LOST);
        step_until_blocked(&p);
    }
    check_int(p.need, CLIENT_DONE);
    check_slice(outcomes_text(&p, r->rcpts), slice_of(r->outcomes));
    play_end(&p);
}

static void test_dialogs(void **state)
{
    (void)state;
    CHECK_ROWS (i, rows) {
        play_row(&rows[i], 0, CLIENT_PIECE_MAX);
        play_row(&rows[i], 1, CLIENT_PIECE_MAX);
        if (!rows[i].binary) /* smaller pieces are other chunks */
            play_row(&rows[i], 0, 1);
    }
}

/* A server that says all its replies before it hears a command changes nothing: the answers
 * are taken in order, and nothing is sent twice or out of order. */
static void test_replies_before_commands(void **state)
{
    static const char replies[] =
        "220 a\r\n250-b\r\n250 PIPELINING\r\n250 ok\r\n250 ok\r\n354 go\r\n";
    struct client_settings settings = {0};
    struct client_message message = {.sender = ann, .rcpts = rcpts, .rcpt_count = 1};

    (void)state;
    for (size_t chunk = 1; chunk < sizeof(replies); chunk++) {
        struct play p = {0};

        play_start(&p, &settings, &message, "x\r\n", CLIENT_PIECE_MAX);
        feed(&p, slice_of(replies), chunk);
        check_slice(buf_slice(&p.out), SLICE("EHLO me.example\r\nMAIL FROM:<ann@a.example>\r\n"
                                             "RCPT TO:<r0@b.example>\r\nDATA\r\nx\r\n.\r\n"));
        check_int(p.need, CLIENT_WANTS_INPUT);
        play_end(&p);
    }
}

/* Runs to 354 in lockstep; the body is not asked for by this function's caller. */
static void play_to_body(struct play *p, struct client_settings *settings,
                         const struct client_message *message)
{
    static const char to_data[] = "220 a\r\n250 b\r\n250 ok\r\n250 ok\r\n";
    struct cursor in;

    play_start(p, settings, message, NULL, 1);
    feed(p, slice_of(to_data), 1);
    buf_clear(&p->out);
    in = (struct cursor){SLICE("354 go\r\n")};
    check_int(client_step(p->client, &in, &p->out), CLIENT_WANTS_BODY);
}

static void test_refused_within_body(void **state)
{
    static const struct {
        const char *reply;
        const char *outcome;
    } table[] = {
        {"552 5.3.4 too big\r\n", "refused end of data 552 5.3.4 [5.3.4 too big]\n"        },
        {"421 4.3.2 leaving\r\n", "again end of data 421 4.3.2 [4.3.2 leaving]\n"          },
        {"250 2.0.0 queued\r\n",  "again end of data 0 4.5.0 [the server broke the protocol (while "
                                 "the message was sent)]\n"},
    };
    struct client_settings settings = {0};
    struct client_message message = {.sender = ann, .rcpts = rcpts, .rcpt_count = 1};

    (void)state;
    CHECK_ROWS (i, table) {
        struct play p = {0};
        struct cursor in = {slice_of(table[i].reply)};

        play_to_body(&p, &settings, &message);
        client_body(p.client, SLICE("Subject: x\r\n"), &p.out);
        check_int(client_step(p.client, &in, &p.out), CLIENT_DONE);
        check_slice(buf_slice(&p.out), SLICE("Subject: x\r\n")); /* no dot, no QUIT */
        check_slice(outcomes_text(&p, 1), slice_of(table[i].outcome));
        play_end(&p);
    }
}

static void test_bad_content_never_ends_with_dot(void **state)
{
    static const struct {
        const char *first;
        struct slice second;
    } table[] = {
        {"a\r\n", SLICE_INIT("b\nc")    },
        {"a\r",   SLICE_INIT("b")       },
        {"a\r\n", SLICE_INIT("x\0y\r\n")},
        {"a",     SLICE_INIT("\n.\n")   },
        {"a",     SLICE_INIT("\r")      },
    };
    struct client_settings settings = {0};
    struct client_message message = {.sender = ann, .rcpts = rcpts, .rcpt_count = 1};

    (void)state;
    CHECK_ROWS (i, table) {
        struct play p = {0};

        play_to_body(&p, &settings, &message);
        client_body(p.client, slice_of(table[i].first), &p.out);
        client_body(p.client, table[i].second, &p.out);
        p.need = CLIENT_WANTS_BODY;
        for (int turn = 0; turn < 2 && p.need == CLIENT_WANTS_BODY; turn++) {
            struct cursor none = {0};

            p.need = client_step(p.client, &none, &p.out);
            if (p.need == CLIENT_WANTS_BODY)
                client_body_end(p.client, &p.out);
        }
        check_int(p.need, CLIENT_DONE);
        check(!slice_ends(buf_slice(&p.out), SLICE(".\r\n")));
        check(client_outcome(p.client, 0)->verdict == CLIENT_REFUSED);
        check_slice(client_outcome(p.client, 0)->enhanced, SLICE("5.6.0"));
        play_end(&p);
    }
}

/* The engine must end by itself, in bounded memory, whatever a server sends for ever. */
static void test_endless_servers(void **state)
{
    static const struct {
        struct slice start;
        struct slice again;
    } table[] = {
        {SLICE_INIT("220-"), SLICE_INIT("xxxxxxxxxxxxxxxx")}, /* one line without an end */
        {SLICE_INIT(""),     SLICE_INIT("220-more\r\n")    }, /* a reply without an end */
        {SLICE_INIT(""),     SLICE_INIT("\0\0\0\0\0\0\0\0")},
        {SLICE_INIT(""),     SLICE_INIT("\r\n")            },
        {SLICE_INIT(""),     SLICE_INIT("220 ok\r\n")      },
    };
    struct client_settings settings = {0};
    struct client_message message = {.sender = ann, .rcpts = rcpts, .rcpt_count = 1};

    (void)state;
    CHECK_ROWS (i, table) {
        struct play p = {0};

        play_start(&p, &settings, &message, NULL, 1);
        feed(&p, table[i].start, 1);
        for (int n = 0; n < 2000 && p.need != CLIENT_DONE; n++)
            feed(&p, table[i].again, table[i].again.len);
        check_int(p.need, CLIENT_DONE);
        check(client_outcome(p.client, 0)->verdict == CLIENT_TRY_AGAIN);
        play_end(&p);
    }
}

/* The bound on a line must not depend on how the line arrives. */
static void test_line_bound(void **state)
{
    struct client_settings settings = {.quit_after = STEP_GREETING};
    struct client_message message = {.sender = ann, .rcpts = rcpts, .rcpt_count = 1};
    char line[CLIENT_LINE_MAX + 1];

    (void)state;
    memset(line, 'x', sizeof(line));
    memcpy(line, "220 ", 4);
    for (size_t over = 0; over < 2; over++) {
        size_t len = CLIENT_LINE_MAX + over;
        size_t chunks[] = {1, len};

        line[len - 1] = '\n';
        for (size_t i = 0; i < 2; i++) {
            struct play p = {0};

            play_start(&p, &settings, &message, NULL, 1);
            feed(&p, (struct slice){line, len}, chunks[i]);
            check_int(p.need, over == 0 ? CLIENT_WANTS_INPUT : CLIENT_DONE);
            play_end(&p);
        }
        line[len - 1] = 'x';
    }
}

/* More commands than the ring holds: nothing is lost, and nothing overtakes. */
static void test_many_recipients(void **state)
{
    enum { COUNT = 500 };
    static struct address many[COUNT];
    struct client_settings settings = {0};
    struct client_message message = {.sender = ann, .rcpts = many, .rcpt_count = COUNT};
    struct play p = {0};
    unsigned said = 0;
    struct slice line, rest;

    (void)state;
    for (unsigned i = 0; i < COUNT; i++)
        many[i] = rcpts[i % 3];
    play_start(&p, &settings, &message, "x\r\n", 16);
    feed(&p, SLICE("220 a\r\n250-b\r\n250 PIPELINING\r\n250 mail ok\r\n"), 1);
    for (unsigned i = 0; i < COUNT; i++)
        feed(&p, i % 2 == 0 ? SLICE("250 ok\r\n") : SLICE("550 no\r\n"), 100);
    feed(&p, SLICE("354 go\r\n250 taken\r\n221 bye\r\n"), 1);
    check_int(p.need, CLIENT_DONE);
    for (unsigned i = 0; i < COUNT; i++)
        check_int(client_outcome(p.client, i)->verdict,
                  i % 2 == 0 ? CLIENT_ACCEPTED : CLIENT_REFUSED);
    rest = buf_slice(&p.out);
    while (slice_cut(rest, '\n', &line, &rest))
        said += slice_starts(line, SLICE("RCPT TO:<"));
    check_int(said, COUNT);
    play_end(&p);
}

/* A second message on the same connection; RSET only where a transaction is still open. */
static void test_second_message(void **state)
{
    static const struct {
        const char *first; /* the server's replies to the first message */
        const char *dot;
        const char *second; /* what is said then */
    } table[] = {
        {"250 ok\r\n250 ok\r\n354 go\r\n", "250 taken\r\n", "MAIL FROM:<ann@a.example>\r\n"},
        {"250 ok\r\n550 no\r\n",           "",              "RSET\r\n"                     },
        {"550 no\r\n",                     "",              "MAIL FROM:<ann@a.example>\r\n"},
    };
    struct client_settings settings = {.ehlo = SLICE_INIT("me.example")};
    struct client_message message = {.sender = ann, .rcpts = rcpts, .rcpt_count = 1};

    (void)state;
    CHECK_ROWS (i, table) {
        struct client *c = client_new(&settings);
        struct cursor in = {SLICE("220 a\r\n250 b\r\n")};
        struct buf out;
        enum client_need need;

        buf_init(&out, CLIENT_OUT_MAX);
        client_message(c, &message);
        check_int(client_step(c, &in, &out), CLIENT_WANTS_INPUT);
        in = (struct cursor){slice_of(table[i].first)};
        while ((need = client_step(c, &in, &out)) == CLIENT_WANTS_BODY) {
            client_body_end(c, &out);
            in = (struct cursor){slice_of(table[i].dot)};
        }
        check_int(need, CLIENT_READY);
        buf_clear(&out);
        client_message(c, &message);
        check_int(client_outcome(c, 0)->verdict, CLIENT_PENDING);
        check_int(client_step(c, &in, &out), CLIENT_WANTS_INPUT);
        check_slice(buf_slice(&out), slice_of(table[i].second));
        client_free(c);
        buf_done(&out);
    }
}

/* A server that refuses RSET has lost count: no word about the next message. */
static void test_rset_refused(void **state)
{
    struct client_settings settings = {.ehlo = SLICE_INIT("me.example")};
    struct client_message message = {.sender = ann, .rcpts = rcpts, .rcpt_count = 1};
    struct client *c = client_new(&settings);
    struct cursor in = {SLICE("220 a\r\n250 b\r\n250 ok\r\n550 no\r\n")};
    struct buf out;

    (void)state;
    buf_init(&out, CLIENT_OUT_MAX);
    client_message(c, &message);
    check_int(client_step(c, &in, &out), CLIENT_READY);
    check_int(client_outcome(c, 0)->verdict, CLIENT_REFUSED);
    client_message(c, &message);
    in = (struct cursor){SLICE("503 5.5.1 no recipients\r\n")};
    check_int(client_step(c, &in, &out), CLIENT_DONE);
    check_int(client_outcome(c, 0)->verdict, CLIENT_TRY_AGAIN);
    check_slice(client_outcome(c, 0)->enhanced, SLICE("4.5.0"));
    client_free(c);
    buf_done(&out);
}

/* Greet first, look at what is offered, then choose the message. */
static void test_message_after_ehlo(void **state)
{
    struct client_settings settings = {.ehlo = SLICE_INIT("me.example")};
    struct client_message message = {.sender = ann, .rcpts = rcpts, .rcpt_count = 1};
    struct client *c = client_new(&settings);
    struct cursor in = {SLICE("220 a\r\n250-b\r\n250-SIZE 7\r\n250 LIMITS MAILMAX=1\r\n")};
    struct buf out;

    (void)state;
    buf_init(&out, CLIENT_OUT_MAX);
    check_int(client_step(c, &in, &out), CLIENT_READY);
    check_slice(buf_slice(&out), SLICE("EHLO me.example\r\n"));
    check_int(client_offers(c)->size_max, 7);
    check(client_takes_more(c));
    buf_clear(&out);
    client_message(c, &message);
    check_int(client_step(c, &in, &out), CLIENT_WANTS_INPUT);
    check_slice(buf_slice(&out), SLICE("MAIL FROM:<ann@a.example>\r\n"));
    in = (struct cursor){SLICE("550 no\r\n")};
    check_int(client_step(c, &in, &out), CLIENT_READY);
    check(!client_takes_more(c)); /* RFC 9422: it would be refused */
    client_free(c);
    buf_done(&out);
}

/* One reply too many, and each would answer the command behind its own: the last one, which says
 * whether the message was taken, nobody would hear. */
static void test_more_replies_than_questions(void **state)
{
    static const char *const said[] = {"220 a\r\n250 b\r\n250 ok\r\n",
                                       "220 a\r\n250 b\r\n550 no\r\n421 bye\r\n"};
    struct client_settings settings = {.ehlo = SLICE_INIT("me.example")};
    struct client_message message = {.sender = ann, .rcpts = rcpts, .rcpt_count = 1};
    struct buf out;

    (void)state;
    CHECK_ROWS (i, said) {
        struct client *c = client_new(&settings);
        struct cursor in = {slice_of(said[i])};

        buf_init(&out, CLIENT_OUT_MAX);
        if (i == 1)
            client_message(c, &message);
        check_int(client_step(c, &in, &out), CLIENT_READY);
        check(!client_takes_more(c));
        client_message(c, &message);
        buf_clear(&out);
        check_int(client_step(c, &in, &out), CLIENT_DONE);
        check_int(buf_len(&out), 0);
        check_int(client_outcome(c, 0)->verdict, CLIENT_TRY_AGAIN);
        check_slice(client_outcome(c, 0)->enhanced, SLICE("4.5.0"));
        client_free(c);
        buf_done(&out);
    }
}

/* RCPT is asked, then forgotten; every reply is kept whole. */
static void test_examining(void **state)
{
    struct heard heard;
    struct client_settings settings = {
        .ehlo = SLICE_INIT("me.example"), .quit_after = STEP_RCPT, .heard = &heard};
    struct client_message message = {.sender = ann, .rcpts = rcpts, .rcpt_count = 1};
    struct client *c = client_new(&settings);
    struct cursor in = {SLICE("220 mx \"a\"\r\n250-mx\r\n250-X-ODD one two\r\n250 PIPELINING\r\n")};
    struct buf out;

    (void)state;
    heard_init(&heard);
    buf_init(&out, CLIENT_OUT_MAX);
    check_int(client_step(c, &in, &out), CLIENT_READY);
    client_message(c, &message);
    buf_clear(&out);
    in = (struct cursor){SLICE("250 ok\r\n251 5.7.1 will forward\r\n")};
    check_int(client_step(c, &in, &out), CLIENT_READY);
    check_slice(buf_slice(&out), SLICE("MAIL FROM:<ann@a.example>\r\nRCPT TO:<r0@b.example>\r\n"));
    client_reset(c);
    buf_clear(&out);
    in = (struct cursor){SLICE("250 ok\r\n")};
    check_int(client_step(c, &in, &out), CLIENT_READY);
    check_slice(buf_slice(&out), SLICE("RSET\r\n"));
    check_int(client_outcome(c, 0)->code, 251);
    client_quit(c);
    buf_clear(&out);
    in = (struct cursor){SLICE("221-bye\nHTTP\x1b\n")};
    check_int(client_step(c, &in, &out), CLIENT_DONE);
    check_slice(buf_slice(&out), SLICE("QUIT\r\n"));
    client_free(c);

    check_slice(heard_find(&heard, STEP_GREETING, false)->text, SLICE("mx \"a\""));
    check_slice(heard_find(&heard, STEP_EHLO, false)->text, SLICE("mx\nX-ODD one two\nPIPELINING"));
    check_int(heard_find(&heard, STEP_RCPT, false)->code, 251);
    check(heard_find(&heard, STEP_EHLO, true) == NULL);
    check(heard_find(&heard, STEP_QUIT, false) == NULL);
    check_slice(heard_last_line(&heard), SLICE("HTTP\x1b"));
    heard_done(&heard);
    buf_done(&out);
}

/* What heard keeps is bounded, whatever the server says. */
static void test_heard_is_bounded(void **state)
{
    struct heard heard;
    struct reply_reader reply;
    char line[HEARD_LINE_MAX + 3];

    (void)state;
    memset(line, 'x', sizeof(line));
    line[sizeof(line) - 1] = '\n';
    heard_init(&heard);
    reply_reader_init(&reply, 10);
    for (unsigned i = 0; i < HEARD_MAX + 1; i++)
        heard_reply(&heard, STEP_RSET, false, &reply);
    check_int(heard.count, HEARD_MAX);
    heard_line(&heard, (struct slice){line, sizeof(line)});
    check_int(heard_last_line(&heard).len, HEARD_LINE_MAX);
    heard_line(&heard, SLICE("\r\n"));
    check_int(heard_last_line(&heard).len, 0);
    reply_reader_done(&reply);
    heard_done(&heard);
}

/* A server that does not greet has no recipients to decide over, but an answer. */
static void test_refused_before_the_message(void **state)
{
    struct client_settings settings = {.ehlo = SLICE_INIT("me.example")};
    struct client *c = client_new(&settings);
    struct cursor in = {SLICE("554 5.7.1 no\r\n221 bye\r\n")};
    struct buf out;

    (void)state;
    buf_init(&out, CLIENT_OUT_MAX);
    check_int(client_step(c, &in, &out), CLIENT_DONE);
    check_int(client_final(c)->step, STEP_GREETING);
    check_int(client_final(c)->verdict, CLIENT_REFUSED);
    client_free(c);
    buf_done(&out);
}

/* Replies that come with the answer to STARTTLS were not said by the server we will know. */
static void test_injected_replies(void **state)
{
    static const struct {
        enum client_tls tls;
        const char *said;
    } table[] = {
        {CLIENT_TLS_ALWAYS,     "220 go\r\n250 injected\r\n"     },
        {CLIENT_TLS_IF_OFFERED, "220 go\r\n250 injected\r\n"     },
        {CLIENT_TLS_IF_OFFERED, "454 not now\r\n250 injected\r\n"},
        {CLIENT_TLS_IF_OFFERED, "454 not now\r\n2"               },
    };

    (void)state;
    CHECK_ROWS (i, table) {
        struct client_settings settings = {.ehlo = SLICE_INIT("me.example"), .tls = table[i].tls};
        struct client_message message = {.sender = ann, .rcpts = rcpts, .rcpt_count = 1};
        struct client *c = client_new(&settings);
        struct cursor in = {SLICE("220 a\r\n250-b\r\n250 STARTTLS\r\n")};
        struct buf out;

        buf_init(&out, CLIENT_OUT_MAX);
        client_message(c, &message);
        check_int(client_step(c, &in, &out), CLIENT_WANTS_INPUT);
        in = (struct cursor){slice_of(table[i].said)};
        check_int(client_step(c, &in, &out), CLIENT_DONE);
        check_int(client_outcome(c, 0)->verdict, CLIENT_TRY_AGAIN);
        check_slice(client_outcome(c, 0)->enhanced, SLICE("4.5.0"));
        check_slice(buf_slice(&out), SLICE("EHLO me.example\r\nSTARTTLS\r\n"));
        client_free(c);
        buf_done(&out);
    }
}

/* What was wished is said where it can be fulfilled, RFC 3461 5; what must be said is said. */
static void test_parameters_that_need_an_extension(void **state)
{
    static const struct slice notify = SLICE_INIT(" NOTIFY=NEVER");

    static const struct {
        const char *ehlo;
        unsigned need;
        const char *mail, *rcpt;
    } table[] = {
        {"250 DSN\r\n", EHLO_DSN, "MAIL FROM:<ann@a.example> RET=HDRS\r\n",
         "RCPT TO:<r0@b.example> NOTIFY=NEVER\r\n"                                                      },
        {"250 mx\r\n",  EHLO_DSN, "MAIL FROM:<ann@a.example>\r\n",          "RCPT TO:<r0@b.example>\r\n"},
        {"250 mx\r\n",  0,        "MAIL FROM:<ann@a.example> RET=HDRS\r\n",
         "RCPT TO:<r0@b.example> NOTIFY=NEVER\r\n"                                                      },
    };

    (void)state;
    CHECK_ROWS (i, table) {
        struct client_settings settings = {.ehlo = SLICE_INIT("me.example")};
        struct client_message message = {.sender = ann,
                                         .rcpts = rcpts,
                                         .rcpt_count = 1,
                                         .mail_params = SLICE(" RET=HDRS"),
                                         .rcpt_params = &notify,
                                         .params_need = table[i].need};
        struct client *c = client_new(&settings);
        struct cursor in = {SLICE("220 a\r\n250-b\r\n")};
        struct buf out;

        buf_init(&out, CLIENT_OUT_MAX);
        client_message(c, &message);
        check_int(client_step(c, &in, &out), CLIENT_WANTS_INPUT);
        in = (struct cursor){slice_of(table[i].ehlo)};
        buf_clear(&out);
        check_int(client_step(c, &in, &out), CLIENT_WANTS_INPUT);
        check_slice(buf_slice(&out), slice_of(table[i].mail));
        in = (struct cursor){SLICE("250 ok\r\n")};
        buf_clear(&out);
        check_int(client_step(c, &in, &out), CLIENT_WANTS_INPUT);
        check_slice(buf_slice(&out), slice_of(table[i].rcpt));
        client_free(c);
        buf_done(&out);
    }
}

/* What must not be left out goes, or nothing does. RFC 4865, RFC 8689. */
static void test_parameters_that_must_be_said(void **state)
{
    static const struct {
        const char *ehlo;
        unsigned need;
        const char *said; /* "": nothing but QUIT */
        const char *enhanced;
    } table[] = {
        {"250 FUTURERELEASE 9 z\r\n",               EHLO_FUTURERELEASE,                   " M\r\n", NULL    },
        {"250-FUTURERELEASE\r\n250 REQUIRETLS\r\n", EHLO_FUTURERELEASE | EHLO_REQUIRETLS, " M\r\n",
         NULL                                                                                               },
        {"250 mx\r\n",                              EHLO_FUTURERELEASE,                   "",       "5.3.3" },
        {"250 FUTURERELEASE\r\n",                   EHLO_FUTURERELEASE | EHLO_REQUIRETLS, "",       "5.7.30"},
        {"250 mx\r\n",                              0,                                    "\r\n",   NULL    },
    };

    (void)state;
    CHECK_ROWS (i, table) {
        struct client_settings settings = {.ehlo = SLICE_INIT("me.example")};
        struct client_message message = {.sender = ann,
                                         .rcpts = rcpts,
                                         .rcpt_count = 1,
                                         .must_params =
                                             table[i].need == 0 ? SLICE("") : SLICE(" M"),
                                         .must_need = table[i].need};
        struct client *c = client_new(&settings);
        struct cursor in = {SLICE("220 a\r\n250-b\r\n")};
        struct buf out;

        buf_init(&out, CLIENT_OUT_MAX);
        client_message(c, &message);
        check_int(client_step(c, &in, &out), CLIENT_WANTS_INPUT);
        in = (struct cursor){slice_of(table[i].ehlo)};
        buf_clear(&out);
        (void)client_step(c, &in, &out);
        check(slice_starts(buf_slice(&out), SLICE("MAIL")) == (table[i].enhanced == NULL));
        if (table[i].enhanced == NULL)
            check(slice_ends(buf_slice(&out), slice_of(table[i].said)));
        else
            check_slice(client_outcome(c, 0)->enhanced, slice_of(table[i].enhanced));
        client_free(c);
        buf_done(&out);
    }
}

/* Every chunk is answered; the ring never runs over, whatever is offered. */
static void test_chunks_in_flight(void **state)
{
    static const char *const ehlo[] = {"250 BINARYMIME\r\n",
                                       "250-BINARYMIME\r\n250 PIPELINING\r\n"};
    static const unsigned in_flight[] = {1, 63};
    struct client_settings settings = {.ehlo = SLICE_INIT("me.example")};
    struct client_message message = {
        .sender = ann, .rcpts = rcpts, .rcpt_count = 1, .body = BODY_BINARYMIME};

    (void)state;
    CHECK_ROWS (i, ehlo) {
        struct client *c = client_new(&settings);
        struct cursor in = {SLICE("220 a\r\n250-b\r\n250-CHUNKING\r\n")};
        unsigned chunks = 0;
        struct buf out;

        buf_init(&out, CLIENT_OUT_MAX);
        client_message(c, &message);
        client_step(c, &in, &out);
        in = (struct cursor){slice_of(ehlo[i])};
        client_step(c, &in, &out);
        in = (struct cursor){SLICE("250 ok\r\n250 ok\r\n")};
        while (client_step(c, &in, &out) == CLIENT_WANTS_BODY) {
            client_body(c, SLICE("\n\0\r"), &out);
            buf_clear(&out);
            chunks++;
        }
        check_int(chunks, in_flight[i]);
        in = (struct cursor){SLICE("554 5.6.0 no\r\n")};
        check_int(client_step(c, &in, &out), i == 0 ? CLIENT_READY : CLIENT_WANTS_INPUT);
        check_slice(client_outcome(c, 0)->enhanced, SLICE("5.6.0"));
        client_free(c);
        buf_done(&out);
    }
}

/* A body larger than `out`: the engine asks for no piece that might not fit. */
static void test_body_waits_for_room(void **state)
{
    struct client_settings settings = {0};
    struct client_message message = {.sender = ann, .rcpts = rcpts, .rcpt_count = 1};
    static char dots[CLIENT_PIECE_MAX];
    struct play p = {0};
    struct cursor in = {0};
    size_t sent = 0;

    (void)state;
    for (size_t i = 0; i + 3 <= sizeof(dots); i += 3)
        memcpy(dots + i, ".\r\n", 3);
    play_to_body(&p, &settings, &message);
    for (int i = 0; i < 100; i++) {
        if (client_step(p.client, &in, &p.out) == CLIENT_WANTS_INPUT) {
            sent += buf_len(&p.out);
            buf_clear(&p.out);
            continue;
        }
        client_body(p.client, (struct slice){dots, sizeof(dots) - sizeof(dots) % 3}, &p.out);
    }
    check(sent > 10 * CLIENT_PIECE_MAX);
    check_int(client_outcome(p.client, 0)->verdict, CLIENT_PENDING);
    play_end(&p);
}

/* Fulfils what the server wants: yes to everything, and keeps the message. */
static void serve(struct server *server, struct buf *from_client, struct buf *to_client,
                  struct buf *kept)
{
    const struct reply yes = REPLY(250, "2.0.0", "Ok"), greeting = REPLY(220, "", "ready");
    enum server_need need;

    do {
        struct cursor in = {buf_slice(from_client)};

        need = server_step(server, &in, to_client);
        buf_consume(from_client, buf_len(from_client) - in.rest.len);
        switch (need) {
        case SERVER_WANTS_CONNECT: server_answer(server, &greeting); break;
        case SERVER_WANTS_MAIL:
        case SERVER_WANTS_COMMIT: server_answer(server, &yes); break;
        case SERVER_WANTS_RCPT: server_answer_rcpt(server, &yes, NULL, 0); break;
        case SERVER_BODY: assert_true(buf_append(kept, server_body(server))); break;
        case SERVER_WANTS_TLS:
        case SERVER_WANTS_AUTH:
        case SERVER_WANTS_ETRN:
        case SERVER_WANTS_XCLIENT:
        case SERVER_START_TLS:
        case SERVER_WANTS_ROOM:
        case SERVER_REFUSED: fail(); break;
        case SERVER_RESET:
        case SERVER_WANTS_INPUT:
        case SERVER_DONE: break;
        }
    } while (need != SERVER_WANTS_INPUT && need != SERVER_DONE);
}

/* Both engines of this room, face to face: what goes in comes out, byte for byte. */
static void test_against_our_server(void **state)
{
    static const char body[] = ".\r\n..\r\n.a\r\n\r\nQUIT\r\n.\r\n\xc3\xbc\r\n";
    static const struct server_settings served = {.hostname = SLICE_INIT("mx.example"),
                                                  .max_size = 100000,
                                                  .rcpt_max = 100,
                                                  .error_max = 10,
                                                  .received_max = 100};
    struct client_message message = {
        .sender = ann, .rcpts = rcpts, .rcpt_count = 3, .body = BODY_8BITMIME, .size = 30};
    struct client_settings settings = {0};

    (void)state;
    for (size_t piece = 1; piece < sizeof(body); piece++) {
        struct server *server = server_new(&served, SLICE("192.0.2.1"));
        struct buf kept;
        struct play p = {0};

        buf_init(&kept, 4096);
        play_start(&p, &settings, &message, body, piece);
        for (int turn = 0; turn < 20 && p.need != CLIENT_DONE; turn++) {
            serve(server, &p.out, &p.in, &kept);
            step_until_blocked(&p);
        }
        check_int(p.need, CLIENT_DONE);
        for (unsigned i = 0; i < 3; i++)
            check_int(client_outcome(p.client, i)->verdict, CLIENT_ACCEPTED);
        check_slice(buf_slice(&kept), slice_of(body));
        buf_done(&kept);
        server_free(server);
        play_end(&p);
    }
}

static void test_timeouts(void **state)
{
    struct client_settings settings = {.ehlo = SLICE_INIT("me.example")};
    struct client_message message = {.sender = ann, .rcpts = rcpts, .rcpt_count = 1};

    static const struct {
        const char *reply;
        unsigned timeout_s; /* afterwards; RFC 5321 4.5.3.2 */
    } table[] = {
        {"",           300},
        {"220 a\r\n",  300},
        {"250 b\r\n",  300},
        {"250 ok\r\n", 300},
        {"250 ok\r\n", 120},
        {"354 go\r\n", 180},
        {"",           600},
        {"250 ok\r\n", 10 },
    };
    struct client *c = client_new(&settings);
    uint64_t waits = client_waits(c);
    struct buf out;

    (void)state;
    buf_init(&out, CLIENT_OUT_MAX);
    client_message(c, &message);
    CHECK_ROWS (i, table) {
        struct cursor in = {slice_of(table[i].reply)};

        if (i == 6)
            client_body_end(c, &out);
        if (client_step(c, &in, &out) == CLIENT_READY) {
            client_quit(c);
            client_step(c, &in, &out);
        }
        check_int(client_timeout_s(c), table[i].timeout_s);
        check(i == 0 || client_waits(c) != waits);
        waits = client_waits(c);
    }
    client_step(c, &(struct cursor){SLICE("221")}, &out);
    check(client_waits(c) == waits); /* part of a line is no progress */
    client_free(c);
    buf_done(&out);
}

static void test_transcript(void **state)
{
    static const struct {
        enum transcript_detail detail;
        const char *text;
    } table[] = {
        {TRANSCRIPT_ALL,      "-> DATA\n<- 354 go\n-> (12 bytes of message)\n-> .\n<** 550-a\n"
                         "<** 550 b\\x1b[0m\n"},
        {TRANSCRIPT_REFUSALS, "<** 550-a\n<** 550 b\\x1b[0m\n"        },
    };

    (void)state;
    CHECK_ROWS (i, table) {
        struct transcript t;

        transcript_init(&t, table[i].detail, 4096);
        transcript_sent(&t, SLICE("DATA"));
        transcript_received(&t, SLICE("354 go\r\n"));
        transcript_body(&t, 5);
        transcript_body(&t, 7);
        transcript_sent(&t, SLICE("."));
        transcript_received(&t, SLICE("550-a\r\n"));
        transcript_received(&t, SLICE("550 b\x1b[0m\n"));
        check_slice(buf_slice(&t.text), slice_of(table[i].text));
        check_int(t.lost, 0);
        transcript_done(&t);
    }
}

#define HEARD "<- 250-b\n<- 250 AUTH=PLAIN X-Y\n"

/* What others may see of AUTH, and that the mechanisms are told as they were offered. */
static void test_auth_is_not_shown(void **state)
{
    static const struct {
        const char *proof, *dialog, *shown;
    } table[] = {
        {"PLAIN secret",     "C: AUTH PLAIN c2VjcmV0\nS: 235 ok\nC: QUIT\n",
         HEARD "-> AUTH PLAIN ***\n<- 235 ok\n-> QUIT\n"                                                                                                                                         },
        {"LOGIN - secret !",
         "C: AUTH LOGIN\nS: 334 VXNlcm5hbWU6\nC: c2VjcmV0\nS: 334 eA==\nC: *\nS: 501 x\nC: QUIT\n", HEARD
         "-> AUTH LOGIN\n<- 334 VXNlcm5hbWU6\n-> ***\n<- 334 eA==\n-> *\n<** 501 x\n-> QUIT\n"},
    };

    (void)state;
    CHECK_ROWS (i, table) {
        struct client_settings settings = {.login = CLIENT_LOGIN_ANYHOW, .quit_after = STEP_AUTH};
        struct client_message message = {.sender = ann, .rcpts = rcpts, .rcpt_count = 1};
        struct play p = {.proof = slice_of(table[i].proof)};

        play_start(&p, &settings, &message, NULL, 1);
        play_dialog(&p, GREETING "C: EHLO me.example\n", 0);
        buf_clear(&p.transcript.text);
        feed(&p, SLICE("250-b\r\n250 AUTH=PLAIN X-Y\r\n"), 100);
        check_slice(client_auth(p.client)->mechanisms, SLICE("PLAIN X-Y"));
        play_dialog(&p, table[i].dialog, 0);
        check_slice(buf_slice(&p.transcript.text), slice_of(table[i].shown));
        play_end(&p);
    }
}

static void test_transcript_is_bounded(void **state)
{
    struct transcript t;

    (void)state;
    transcript_init(&t, TRANSCRIPT_ALL, 20);
    transcript_sent(&t, SLICE("EHLO me.example"));
    transcript_sent(&t, SLICE("QUIT"));
    check_slice(buf_slice(&t.text), SLICE("-> EHLO me.example\n"));
    check_int(t.lost, 1);
    transcript_done(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_dialogs),
        cmocka_unit_test(test_replies_before_commands),
        cmocka_unit_test(test_refused_within_body),
        cmocka_unit_test(test_bad_content_never_ends_with_dot),
        cmocka_unit_test(test_endless_servers),
        cmocka_unit_test(test_line_bound),
        cmocka_unit_test(test_many_recipients),
        cmocka_unit_test(test_second_message),
        cmocka_unit_test(test_rset_refused),
        cmocka_unit_test(test_message_after_ehlo),
        cmocka_unit_test(test_more_replies_than_questions),
        cmocka_unit_test(test_examining),
        cmocka_unit_test(test_heard_is_bounded),
        cmocka_unit_test(test_refused_before_the_message),
        cmocka_unit_test(test_injected_replies),
        cmocka_unit_test(test_parameters_that_need_an_extension),
        cmocka_unit_test(test_parameters_that_must_be_said),
        cmocka_unit_test(test_chunks_in_flight),
        cmocka_unit_test(test_body_waits_for_room),
        cmocka_unit_test(test_against_our_server),
        cmocka_unit_test(test_timeouts),
        cmocka_unit_test(test_transcript),
        cmocka_unit_test(test_auth_is_not_shown),
        cmocka_unit_test(test_transcript_is_bounded),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
