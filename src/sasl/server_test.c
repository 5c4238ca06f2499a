/*
 * server_test.c - exchanges as a client would play them, and every way in which they fail.
 */
#include "check.h"

#include "base/codec.h"
#include "sasl/server.h"

enum { RESPONSES = 4 };

/* The one user: tim, password "pencil", whose token is "t0ken=". */
static const struct sasl_server_settings usual = {
    .certificate_user = SLICE_INIT("tim"),
    .channel_binding = SLICE_INIT("0123456789abcdef0123456789abcdef"),
    .nonce = SLICE_INIT("%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0"),
    .fake_secret = SLICE_INIT("sixteen or more bytes"),
};

struct row {
    enum sasl_mechanism mechanism;
    struct slice responses[RESPONSES]; /* data == NULL: no more; the first: no initial response */
    enum sasl_failure failure;
    struct slice user;       /* at the end */
    struct slice challenges; /* each with '|' behind it */
    struct slice secret;     /* that the caller was asked about */
};

#define LONG_64  "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define LONG_512 LONG_64 LONG_64 LONG_64 LONG_64 LONG_64 LONG_64 LONG_64 LONG_64
#define R(text)  SLICE_INIT(text)
#define NONE                                                                                       \
    {                                                                                              \
        NULL, 0                                                                                    \
    }

static const struct row plain_rows[] = {
  /* RFC 4616 4, the first example; its second asks to act for somebody else */
    {SASL_PLAIN, {R("\0tim\0pencil")},           SASL_NO_FAILURE,    R("tim"),  R(""),  R("pencil") },
    {SASL_PLAIN, {R("Ursel\0Kurt\0xipj3plmq")},  SASL_OTHER_AUTHZID, R("Kurt"), R(""),  R("")       },
    {SASL_PLAIN, {NONE, R("\0tim\0pencil")},     SASL_NO_FAILURE,    R("tim"),  R("|"), R("pencil") },
    {SASL_PLAIN, {R("TIM\0tim\0pencil")},        SASL_NO_FAILURE,    R("tim"),  R(""),  R("pencil") },
    {SASL_PLAIN, {R("\0tim\0pen")},              SASL_BAD_PASSWORD,  R("tim"),  R(""),  R("pen")    },
    {SASL_PLAIN, {R("\0bob\0pencil")},           SASL_BAD_PASSWORD,  R("bob"),  R(""),  R("pencil") },
 /* SASLprep: a soft hyphen is nothing, a Roman nine is two letters (RFC 4013 3) */
    {SASL_PLAIN, {R("\0t\u00adim\0pencil")},     SASL_NO_FAILURE,    R("tim"),  R(""),  R("pencil") },
    {SASL_PLAIN, {R("\0\u2168\0x")},             SASL_BAD_PASSWORD,  R("IX"),   R(""),  R("x")      },
 /* a password is handed on as it came */
    {SASL_PLAIN, {R("\0tim\0x\u00b2")},          SASL_BAD_PASSWORD,  R("tim"),  R(""),  R("x\u00b2")},
    {SASL_PLAIN, {R("")},                        SASL_MALFORMED,     R(""),     R(""),  R("")       },
    {SASL_PLAIN, {R("tim")},                     SASL_MALFORMED,     R(""),     R(""),  R("")       },
    {SASL_PLAIN, {R("\0tim")},                   SASL_MALFORMED,     R(""),     R(""),  R("")       },
    {SASL_PLAIN, {R("\0tim\0")},                 SASL_MALFORMED,     R("tim"),  R(""),  R("")       },
    {SASL_PLAIN, {R("\0tim\0pencil\0")},         SASL_MALFORMED,     R("tim"),  R(""),  R("")       },
    {SASL_PLAIN, {R("\0tim\0pen\ncil")},         SASL_MALFORMED,     R("tim"),  R(""),  R("")       },
    {SASL_PLAIN, {R("\0tim\0pen\xff")},          SASL_MALFORMED,     R(""),     R(""),  R("")       },
    {SASL_PLAIN, {R("\0tim\0" LONG_512)},        SASL_MALFORMED,     R("tim"),  R(""),  R("")       },
    {SASL_PLAIN, {R("\0\0pencil")},              SASL_BAD_NAME,      R(""),     R(""),  R("")       },
    {SASL_PLAIN, {R("\0ti\rm\0pencil")},         SASL_BAD_NAME,      R(""),     R(""),  R("")       },
    {SASL_PLAIN,
     {R("\0ti\xc2\x85"
        "m\0pencil")},
     SASL_BAD_NAME,                                                  R(""),
     R(""),
     R("")                                                                                          },
    {SASL_PLAIN, {R("\0\u06271\0pencil")},       SASL_BAD_NAME,      R(""),     R(""),  R("")       },
    {SASL_PLAIN, {R("\0x" LONG_512 "\0pencil")}, SASL_BAD_NAME,      R(""),     R(""),  R("")       },
    {SASL_PLAIN, {R("\x01\0tim\0pencil")},       SASL_OTHER_AUTHZID, R("tim"),  R(""),  R("")       },
};

static const struct row login_rows[] = {
    {SASL_LOGIN,
     {NONE, R("tim"), R("pencil")},
     SASL_NO_FAILURE,                                        R("tim"),
     R("Username:|Password:|"),
     R("pencil")                                                                                   },
    {SASL_LOGIN, {R("tim"), R("pencil")},   SASL_NO_FAILURE, R("tim"), R("Password:|"), R("pencil")},
    {SASL_LOGIN,
     {NONE, R("tim"), R("pen")},
     SASL_BAD_PASSWORD,                                      R("tim"),
     R("Username:|Password:|"),
     R("pen")                                                                                      },
    {SASL_LOGIN, {NONE, R("")},             SASL_BAD_NAME,   R(""),    R("Username:|"), R("")      },
    {SASL_LOGIN, {NONE, R("t\0m")},         SASL_BAD_NAME,   R(""),    R("Username:|"), R("")      },
    {SASL_LOGIN, {NONE, R("t\xe4m")},       SASL_BAD_NAME,   R(""),    R("Username:|"), R("")      },
    {SASL_LOGIN, {R("tim"), R("")},         SASL_MALFORMED,  R("tim"), R("Password:|"), R("")      },
    {SASL_LOGIN, {R("tim"), R("pen\0cil")}, SASL_MALFORMED,  R("tim"), R("Password:|"), R("")      },
    {SASL_LOGIN, {R("tim"), R("p\xe4n")},   SASL_MALFORMED,  R("tim"), R("Password:|"), R("")      },
};

static const struct row external_rows[] = {
    {SASL_EXTERNAL, {R("")},       SASL_NO_FAILURE,    R("tim"), R(""),  R("")},
    {SASL_EXTERNAL, {NONE, R("")}, SASL_NO_FAILURE,    R("tim"), R("|"), R("")},
    {SASL_EXTERNAL, {R("tim")},    SASL_NO_FAILURE,    R("tim"), R(""),  R("")},
    {SASL_EXTERNAL, {R("bob")},    SASL_OTHER_AUTHZID, R("tim"), R(""),  R("")},
    {SASL_EXTERNAL, {R("tim\0")},  SASL_OTHER_AUTHZID, R("tim"), R(""),  R("")},
};

#define NO_JSON "{\"status\":\"invalid_token\"}|"
#define NO_401  "{\"status\":\"401\",\"schemes\":\"bearer\"}|"

static const struct row token_rows[] = {
    {SASL_OAUTHBEARER,
     {R("n,a=tim,\1host=mx.example.org\1port=587\1auth=Bearer t0ken=\1\1")},
     SASL_NO_FAILURE,                                                                        R("tim"),
     R(""),
     R("t0ken=")                                                                                                   },
    {SASL_OAUTHBEARER,
     {R("y,,\1auth=bearer t0ken=\1\1")},
     SASL_NO_FAILURE,                                                                        R("tim"),
     R(""),
     R("t0ken=")                                                                                                   },
    {SASL_OAUTHBEARER,
     {NONE, R("n,,\1x=y\1auth=Bearer t0ken=\1\1")},
     SASL_NO_FAILURE,                                                                        R("tim"),
     R("|"),
     R("t0ken=")                                                                                                   },
    {SASL_OAUTHBEARER,
     {R("n,a=TIM,\1auth=Bearer t0ken=\1\1")},
     SASL_NO_FAILURE,                                                                        R("tim"),
     R(""),
     R("t0ken=")                                                                                                   },
 /* RFC 7628 3.2.3: the reason, one dummy, then failure */
    {SASL_OAUTHBEARER,
     {R("n,,\1auth=Bearer old\1\1"), R("\1")},
     SASL_BAD_TOKEN,                                                                         R(""),
     R(NO_JSON),
     R("old")                                                                                                      },
    {SASL_OAUTHBEARER,
     {R("n,a=bob,\1auth=Bearer t0ken=\1\1"), R("\1")},
     SASL_OTHER_AUTHZID,                                                                     R("bob"),
     R(NO_JSON),
     R("t0ken=")                                                                                                   },
    {SASL_OAUTHBEARER,
     {R("n,a=b=2Cb,\1auth=Bearer t0ken=\1\1"), R("\1")},
     SASL_OTHER_AUTHZID,                                                                     R("b,b"),
     R(NO_JSON),
     R("t0ken=")                                                                                                   },
    {SASL_OAUTHBEARER,
     {R("n,,\1host=mail.example\1port=x\1auth=Bearer t0ken=\1\1")},
     SASL_NO_FAILURE,                                                                        R("tim"),
     R(""),
     R("t0ken=")                                                                                                   },
    {SASL_OAUTHBEARER,
     {R("p=tls-exporter,,\1auth=Bearer t0ken=\1\1")},
     SASL_BAD_BINDING,                                                                       R(""),
     R(""),
     R("")                                                                                                         },
    {SASL_OAUTHBEARER, {R("n,a=b=b,\1auth=Bearer t0ken=\1\1")},              SASL_BAD_NAME,  R(""),    R(""), R("")},
    {SASL_OAUTHBEARER, {R("\1")},                                            SASL_MALFORMED, R(""),    R(""), R("")},
    {SASL_OAUTHBEARER, {R("n,,\1\1")},                                       SASL_MALFORMED, R(""),    R(""), R("")},
    {SASL_OAUTHBEARER, {R("n,,\1auth=Basic eA==\1\1")},                      SASL_MALFORMED, R(""),    R(""), R("")},
    {SASL_OAUTHBEARER, {R("n,,\1auth=Bearer t ken\1\1")},                    SASL_MALFORMED, R(""),    R(""), R("")},
    {SASL_OAUTHBEARER, {R("n,,\1auth=Bearer \1\1")},                         SASL_MALFORMED, R(""),    R(""), R("")},
    {SASL_OAUTHBEARER, {R("n,,\1auth=Bearer ==\1\1")},                       SASL_MALFORMED, R(""),    R(""), R("")},
    {SASL_OAUTHBEARER, {R("n,,\1auth=Bearer t0ken=\1")},                     SASL_MALFORMED, R(""),    R(""), R("")},
    {SASL_OAUTHBEARER, {R("n,,\1auth=Bearer t0ken=\1\1x")},                  SASL_MALFORMED, R(""),    R(""), R("")},
    {SASL_OAUTHBEARER,
     {R("n,,\1auth=Bearer a\1auth=Bearer b\1\1")},
     SASL_MALFORMED,                                                                         R(""),
     R(""),
     R("")                                                                                                         },
    {SASL_OAUTHBEARER, {R("n,,\1k=\0\1auth=Bearer a\1\1")},                  SASL_MALFORMED, R(""),    R(""), R("")},
    {SASL_OAUTHBEARER, {R("n,,\1k=\xff\1auth=Bearer a\1\1")},                SASL_MALFORMED, R(""),    R(""), R("")},
    {SASL_OAUTHBEARER, {R("n,,\1k9=v\1auth=Bearer a\1\1")},                  SASL_MALFORMED, R(""),    R(""), R("")},
    {SASL_XOAUTH2,
     {R("user=tim\1auth=Bearer t0ken=\1\1")},
     SASL_NO_FAILURE,                                                                        R("tim"),
     R(""),
     R("t0ken=")                                                                                                   },
    {SASL_XOAUTH2,
     {NONE, R("user=tim\1auth=Bearer t0ken=\1\1")},
     SASL_NO_FAILURE,                                                                        R("tim"),
     R("|"),
     R("t0ken=")                                                                                                   },
    {SASL_XOAUTH2,
     {R("user=tim\1auth=Bearer old\1\1"), R("")},
     SASL_BAD_TOKEN,                                                                         R("tim"),
     R(NO_401),
     R("old")                                                                                                      },
    {SASL_XOAUTH2,
     {R("user=bob\1auth=Bearer t0ken=\1\1"), R("")},
     SASL_OTHER_AUTHZID,                                                                     R("bob"),
     R(NO_401),
     R("t0ken=")                                                                                                   },
    {SASL_XOAUTH2,     {R("auth=Bearer t0ken=\1\1")},                        SASL_BAD_NAME,  R(""),    R(""), R("")},
    {SASL_XOAUTH2,     {R("user=\1auth=Bearer t0ken=\1\1")},                 SASL_BAD_NAME,  R(""),    R(""), R("")},
    {SASL_XOAUTH2,     {R("user=tim\1\1")},                                  SASL_MALFORMED, R(""),    R(""), R("")},
    {SASL_XOAUTH2,     {R("user=tim")},                                      SASL_MALFORMED, R(""),    R(""), R("")},
};

/* RFC 7677 3 */
#define CNONCE       "rOprNGfwEbeRWgbNEkqO"
#define NONCES       CNONCE "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0"
#define CLIENT_FIRST "n,,n=user,r=" CNONCE
#define SERVER_FIRST "r=" NONCES ",s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096|"
#define PROOF        ",p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="
#define CLIENT_FINAL "c=biws,r=" NONCES PROOF
#define SERVER_FINAL "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=|"

static const struct row scram_rows[] = {
    {SASL_SCRAM_SHA_256,
     {R(CLIENT_FIRST), R(CLIENT_FINAL), R("")},
     SASL_NO_FAILURE,                                                                                                R("user"),
     R(SERVER_FIRST SERVER_FINAL),
     R("")                                                                                                                                  },
    {SASL_SCRAM_SHA_256,
     {R(CLIENT_FIRST), R(CLIENT_FINAL), R("x")},
     SASL_MALFORMED,                                                                                                 R("user"),
     R(SERVER_FIRST SERVER_FINAL),
     R("")                                                                                                                                  },
 /* the proof: wrong, no proof at all, not at the end */
    {SASL_SCRAM_SHA_256,
     {R(CLIENT_FIRST), R("c=biws,r=" NONCES ",p=eHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=")},
     SASL_BAD_PROOF,                                                                                                 R("user"),
     R(SERVER_FIRST),
     R("")                                                                                                                                  },
    {SASL_SCRAM_SHA_256,
     {R(CLIENT_FIRST), R("c=biws,r=" NONCES ",p=")},
     SASL_BAD_PROOF,                                                                                                 R("user"),
     R(SERVER_FIRST),
     R("")                                                                                                                                  },
    {SASL_SCRAM_SHA_256,
     {R(CLIENT_FIRST), R("c=biws,r=" NONCES ",p=dHzb")},
     SASL_BAD_PROOF,                                                                                                 R("user"),
     R(SERVER_FIRST),
     R("")                                                                                                                                  },
    {SASL_SCRAM_SHA_256,
     {R(CLIENT_FIRST), R("c=biws,r=" NONCES ",p=*")},
     SASL_BAD_PROOF,                                                                                                 R("user"),
     R(SERVER_FIRST),
     R("")                                                                                                                                  },
    {SASL_SCRAM_SHA_256,
     {R(CLIENT_FIRST), R("c=biws,r=" NONCES)},
     SASL_MALFORMED,                                                                                                 R("user"),
     R(SERVER_FIRST),
     R("")                                                                                                                                  },
    {SASL_SCRAM_SHA_256,
     {R(CLIENT_FIRST), R(CLIENT_FINAL ",x=y")},
     SASL_MALFORMED,                                                                                                 R("user"),
     R(SERVER_FIRST),
     R("")                                                                                                                                  },
    {SASL_SCRAM_SHA_256,
     {R(CLIENT_FIRST), R("")},
     SASL_MALFORMED,                                                                                                 R("user"),
     R(SERVER_FIRST),
     R("")                                                                                                                                  },
    {SASL_SCRAM_SHA_256,
     {R(CLIENT_FIRST), R(",")},
     SASL_MALFORMED,                                                                                                 R("user"),
     R(SERVER_FIRST),
     R("")                                                                                                                                  },
    {SASL_SCRAM_SHA_256,
     {R(CLIENT_FIRST), R("r=" NONCES ",c=biws" PROOF)},
     SASL_MALFORMED,                                                                                                 R("user"),
     R(SERVER_FIRST),
     R("")                                                                                                                                  },
    {SASL_SCRAM_SHA_256,
     {R(CLIENT_FIRST), R("c=biws,r=" NONCES ",m=x" PROOF)},
     SASL_MALFORMED,                                                                                                 R("user"),
     R(SERVER_FIRST),
     R("")                                                                                                                                  },
    {SASL_SCRAM_SHA_256,
     {R(CLIENT_FIRST), R("c=biws,r=" NONCES ",x=\xff" PROOF)},
     SASL_MALFORMED,                                                                                                 R("user"),
     R(SERVER_FIRST),
     R("")                                                                                                                                  },
 /* an extension is part of what is signed */
    {SASL_SCRAM_SHA_256,
     {R(CLIENT_FIRST), R("c=biws,r=" NONCES ",x=y" PROOF)},
     SASL_BAD_PROOF,                                                                                                 R("user"),
     R(SERVER_FIRST),
     R("")                                                                                                                                  },
    {SASL_SCRAM_SHA_256,
     {R(CLIENT_FIRST), R("c=biws,r=" NONCES "x" PROOF)},
     SASL_BAD_NONCE,                                                                                                 R("user"),
     R(SERVER_FIRST),
     R("")                                                                                                                                  },
    {SASL_SCRAM_SHA_256,
     {R(CLIENT_FIRST), R("c=biws,r=" CNONCE PROOF)},
     SASL_BAD_NONCE,                                                                                                 R("user"),
     R(SERVER_FIRST),
     R("")                                                                                                                                  },
    {SASL_SCRAM_SHA_256,
     {R(CLIENT_FIRST), R("c=eSws,r=" NONCES PROOF)},
     SASL_BAD_BINDING,                                                                                               R("user"),
     R(SERVER_FIRST),
     R("")                                                                                                                                  },
    {SASL_SCRAM_SHA_256,
     {R(CLIENT_FIRST), R("c=,r=" NONCES PROOF)},
     SASL_BAD_BINDING,                                                                                               R("user"),
     R(SERVER_FIRST),
     R("")                                                                                                                                  },
    {SASL_SCRAM_SHA_256,
     {R(CLIENT_FIRST), R("c=biw*,r=" NONCES PROOF)},
     SASL_BAD_BINDING,                                                                                               R("user"),
     R(SERVER_FIRST),
     R("")                                                                                                                                  },
 /* without an initial response */
    {SASL_SCRAM_SHA_256,
     {NONE, R(CLIENT_FIRST), R(CLIENT_FINAL), R("")},
     SASL_NO_FAILURE,                                                                                                R("user"),
     R("|" SERVER_FIRST SERVER_FINAL),
     R("")                                                                                                                                  },
    {SASL_SCRAM_SHA_256,
     {R("n,a=USER,n=user,r=x"), R("c=biws,r=x" PROOF)},
     SASL_BAD_NONCE,                                                                                                 R("user"),
     R("r=x%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096|"),
     R("")                                                                                                                                  },
    {SASL_SCRAM_SHA_256,      {R("n,a=bob,n=user,r=x")},                                         SASL_OTHER_AUTHZID, R("user"), R(""), R("")},
    {SASL_SCRAM_SHA_256,      {R("n,a==2X,n=user,r=x")},                                         SASL_OTHER_AUTHZID, R("user"), R(""), R("")},
    {SASL_SCRAM_SHA_256,      {R("n,,n=,r=x")},                                                  SASL_BAD_NAME,      R(""),     R(""), R("")},
    {SASL_SCRAM_SHA_256,      {R("n,,n=us=er,r=x")},                                             SASL_BAD_NAME,      R(""),     R(""), R("")},
    {SASL_SCRAM_SHA_256,      {R("n,,n=us\ner,r=x")},                                            SASL_BAD_NAME,      R(""),     R(""), R("")},
    {SASL_SCRAM_SHA_256,      {R("n,,n=us\0er,r=x")},                                            SASL_BAD_NAME,      R(""),     R(""), R("")},
    {SASL_SCRAM_SHA_256,      {R("n,,n=x" LONG_512 ",r=x")},                                     SASL_BAD_NAME,      R(""),     R(""), R("")},
    {SASL_SCRAM_SHA_256,      {R("n,,n=us\xff,r=x")},                                            SASL_MALFORMED,     R(""),     R(""), R("")},
    {SASL_SCRAM_SHA_256,      {R("n,,m=x,n=user,r=x")},                                          SASL_MALFORMED,     R(""),     R(""), R("")},
    {SASL_SCRAM_SHA_256,      {R("n,,n=user,r=x,m=x")},                                          SASL_MALFORMED,     R(""),     R(""), R("")},
    {SASL_SCRAM_SHA_256,      {R("n,,n=user,r=x,9=x")},                                          SASL_MALFORMED,     R(""),     R(""), R("")},
    {SASL_SCRAM_SHA_256,      {R("n,,n=user,r=x,x=")},                                           SASL_MALFORMED,     R(""),     R(""), R("")},
    {SASL_SCRAM_SHA_256,      {R("n,,n=user,r=")},                                               SASL_MALFORMED,     R(""),     R(""), R("")},
    {SASL_SCRAM_SHA_256,      {R("n,,n=user,r=x y")},                                            SASL_MALFORMED,     R(""),     R(""), R("")},
    {SASL_SCRAM_SHA_256,      {R("n,,n=user,r=x" LONG_512)},                                     SASL_MALFORMED,     R(""),     R(""), R("")},
    {SASL_SCRAM_SHA_256,      {R("n,,n=user")},                                                  SASL_MALFORMED,     R(""),     R(""), R("")},
    {SASL_SCRAM_SHA_256,      {R("n,n=user,r=x")},                                               SASL_MALFORMED,     R(""),     R(""), R("")},
    {SASL_SCRAM_SHA_256,      {R("n,a=,n=user,r=x")},                                            SASL_MALFORMED,     R(""),     R(""), R("")},
    {SASL_SCRAM_SHA_256,      {R("x,,n=user,r=x")},                                              SASL_MALFORMED,     R(""),     R(""), R("")},
    {SASL_SCRAM_SHA_256,      {R("p=,,n=user,r=x")},                                             SASL_MALFORMED,     R(""),     R(""), R("")},
    {SASL_SCRAM_SHA_256,      {R("")},                                                           SASL_MALFORMED,     R(""),     R(""), R("")},
 /* bound to the connection; the figures come from Python's hmac */
    {SASL_SCRAM_SHA_256_PLUS,
     {R("p=tls-exporter,,n=user,r=" CNONCE),
      R("c=cD10bHMtZXhwb3J0ZXIsLDAxMjM0NTY3ODlhYmNkZWYwMTIzNDU2Nzg5YWJjZGVm,r=" NONCES
        ",p=qt6T62DbA/THTjWMUniEekRBOmbK1ZAe+VNG0CBsX9U="),
      R("")},
     SASL_NO_FAILURE,                                                                                                R("user"),
     R(SERVER_FIRST "v=gGsnLD/m58XLkAwcxqD7cDgqYXgS9J0J5pH+8Cm0Ho8=|"),
     R("")                                                                                                                                  },
 /* headers for the other mechanism; what both need at once client_test.c plays */
    {SASL_SCRAM_SHA_256,      {R("p=tls-exporter,,n=user,r=x")},                                 SASL_BAD_BINDING,   R(""),     R(""), R("")},
    {SASL_SCRAM_SHA_256_PLUS, {R("n,,n=user,r=x")},                                              SASL_BAD_BINDING,   R(""),     R(""), R("")},
    {SASL_SCRAM_SHA_256_PLUS, {R("y,,n=user,r=x")},                                              SASL_BAD_BINDING,   R(""),     R(""), R("")},
    {SASL_SCRAM_SHA_256_PLUS,
     {R("p=tls-unique,,n=user,r=x")},
     SASL_BAD_BINDING,                                                                                               R(""),
     R(""),
     R("")                                                                                                                                  },
    {SASL_SCRAM_SHA_256_PLUS,
     {R("p=tls-exporter,,n=user,r=" CNONCE), R("c=cD10bHMtZXhwb3J0ZXIsLA==,r=" NONCES PROOF)},
     SASL_BAD_BINDING,                                                                                               R("user"),
     R(SERVER_FIRST),
     R("")                                                                                                                                  },
};

static struct slice tell(struct buf *told, struct slice what)
{
    assert_true(buf_append(told, what));
    return what;
}

/* As the vault: the caller's part of the exchange. */
static enum sasl_need answer(struct sasl_server *s, enum sasl_need need, struct buf *secret,
                             struct buf *challenge)
{
    struct slice tim = SLICE("tim"), user = sasl_server_user(s), what = sasl_server_secret(s);
    struct scram_keys keys;

    switch (need) {
    case SASL_WANTS_PASSWORD:
        tell(secret, what);
        sasl_server_password(s, slice_equal(user, tim) && slice_equal(what, SLICE("pencil")));
        break;
    case SASL_WANTS_TOKEN:
        tell(secret, what);
        sasl_server_token(s, slice_equal(what, SLICE("t0ken=")) ? &tim : NULL);
        break;
    case SASL_WANTS_KEYS:
        sasl_server_keys(s, slice_equal(user, SLICE("user")) &&
                                    scram_keys_parse(SLICE("4096,W22ZaJ0SNY7soEsUEjb6gQ==,"
                                                           "WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtb"
                                                           "sT4qY=,wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQ"
                                                           "xSrmfPwDl2dU="),
                                                     &keys)
                                ? &keys
                                : NULL);
        break;
    case SASL_SEND:
    case SASL_DONE:
    case SASL_FAILED: return need;
    }
    check_slice(sasl_server_secret(s), SLICE(""));
    return answer(s, sasl_server_step(s, SLICE(""), challenge), secret, challenge);
}

static void play(const struct row *row, const struct sasl_server_settings *settings)
{
    struct sasl_server *s = sasl_server_new(row->mechanism, settings);
    struct buf challenge, challenges, secret;
    enum sasl_need need = SASL_SEND;

    buf_init(&challenge, SASL_MESSAGE_MAX);
    buf_init(&challenges, SASL_MESSAGE_MAX);
    buf_init(&secret, SASL_MESSAGE_MAX);
    for (size_t i = 0; i < RESPONSES && need == SASL_SEND; i++) {
        struct slice response = guarded(row->responses[i]);

        need = row->responses[i].data == NULL ? sasl_server_begin(s, &challenge)
                                              : sasl_server_step(s, response, &challenge);
        guarded_free(response);
        need = answer(s, need, &secret, &challenge);
        if (need == SASL_SEND) {
            tell(&challenges, buf_slice(&challenge));
            tell(&challenges, SLICE("|"));
        } else {
            check_slice(buf_slice(&challenge), SLICE(""));
        }
        buf_clear(&challenge);
    }
    check_int(need, row->failure == SASL_NO_FAILURE ? SASL_DONE : SASL_FAILED);
    check_int(sasl_server_failure(s), row->failure);
    check_slice(sasl_server_user(s), row->user);
    check_slice(sasl_server_secret(s), SLICE(""));
    check_slice(buf_slice(&challenges), row->challenges);
    check_slice(buf_slice(&secret), row->secret);
    check_int(sasl_server_step(s, SLICE("more"), &challenge), need);
    sasl_server_free(s);
    buf_done(&challenge);
    buf_done(&challenges);
    buf_done(&secret);
}

static void plain(void **state)
{
    (void)state;
    CHECK_ROWS (i, plain_rows)
        play(&plain_rows[i], &usual);
}

static void login(void **state)
{
    (void)state;
    CHECK_ROWS (i, login_rows)
        play(&login_rows[i], &usual);
}

static void external(void **state)
{
    (void)state;
    CHECK_ROWS (i, external_rows)
        play(&external_rows[i], &usual);
    play(&(struct row){SASL_EXTERNAL, {R("tim")}, SASL_NO_CERTIFICATE, R(""), R(""), R("")},
         &(struct sasl_server_settings){0});
    play(&(struct row){SASL_EXTERNAL, {R("")}, SASL_BAD_NAME, R(""), R(""), R("")},
         &(struct sasl_server_settings){.certificate_user = SLICE("a\nb")});
}

static void tokens(void **state)
{
    (void)state;
    CHECK_ROWS (i, token_rows)
        play(&token_rows[i], &usual);
}

static void scram(void **state)
{
    (void)state;
    CHECK_ROWS (i, scram_rows)
        play(&scram_rows[i], &usual);
}

/* The first challenge to a user: what somebody learns who has no password. */
static void first_challenge(struct slice first, const struct sasl_server_settings *settings,
                            struct buf *challenge)
{
    struct sasl_server *s = sasl_server_new(SASL_SCRAM_SHA_256, settings);
    struct buf secret;

    buf_init(&secret, SASL_MESSAGE_MAX);
    buf_clear(challenge);
    check_int(answer(s, sasl_server_step(s, first, challenge), &secret, challenge), SASL_SEND);
    sasl_server_free(s);
    buf_done(&secret);
}

/* Asked twice they have the same salt, as others have, and they fail where others fail. */
static void unknown_users_are_not_seen(void **state)
{
    struct sasl_server_settings later = usual;
    struct buf known, a, b, c;

    (void)state;
    buf_init(&known, SASL_MESSAGE_MAX);
    buf_init(&a, SASL_MESSAGE_MAX);
    buf_init(&b, SASL_MESSAGE_MAX);
    buf_init(&c, SASL_MESSAGE_MAX);
    first_challenge(SLICE("n,,n=user,r=x"), &usual, &known);
    first_challenge(SLICE("n,,n=bob,r=x"), &usual, &a);
    first_challenge(SLICE("n,,n=bob,r=x"), &usual, &b);
    first_challenge(SLICE("n,,n=bo,r=x"), &usual, &c);
    check_slice(buf_slice(&a), buf_slice(&b));
    check(!slice_equal(buf_slice(&a), buf_slice(&c)));
    check_int(buf_len(&a), buf_len(&known));
    check(slice_ends(buf_slice(&a), SLICE(",i=4096")));
    later.fake_iterations = 10000;
    first_challenge(SLICE("n,,n=bob,r=x"), &later, &a);
    check(slice_ends(buf_slice(&a), SLICE(",i=10000")));
    first_challenge(SLICE("n,,n=user,r=x"), &later, &a);
    check_slice(buf_slice(&a), buf_slice(&known));
    play(
        &(struct row){
            SASL_SCRAM_SHA_256,
            {R("n,,n=nobody,r=x"), R("c=biws,r=x%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=x")},
            SASL_UNKNOWN_USER,
            R("nobody"),
            R("r=x%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=a2pblXIpi/ybpa+DMwolxw==,i=4096|"),
            R("")
    },
        &usual);
    buf_done(&known);
    buf_done(&a);
    buf_done(&b);
    buf_done(&c);
}

static void a_response_has_a_maximum(void **state)
{
    static char bytes[SASL_MESSAGE_MAX + 1];
    struct buf challenge;

    (void)state;
    buf_init(&challenge, SASL_MESSAGE_MAX);
    for (unsigned i = 0; i < SASL_MECHANISM_COUNT; i++) {
        struct sasl_server *s = sasl_server_new((enum sasl_mechanism)i, &usual);

        check_int(sasl_server_step(s, (struct slice){bytes, sizeof(bytes)}, &challenge),
                  SASL_FAILED);
        check_int(sasl_server_failure(s), SASL_MALFORMED);
        sasl_server_free(s);
    }
    sasl_server_free(NULL);
    buf_done(&challenge);
}

static void every_failure_has_words(void **state)
{
    (void)state;
    for (unsigned i = SASL_NO_FAILURE; i <= SASL_NO_CERTIFICATE; i++)
        check(sasl_failure_text((enum sasl_failure)i).len > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(plain),
        cmocka_unit_test(login),
        cmocka_unit_test(external),
        cmocka_unit_test(tokens),
        cmocka_unit_test(scram),
        cmocka_unit_test(unknown_users_are_not_seen),
        cmocka_unit_test(a_response_has_a_maximum),
        cmocka_unit_test(every_failure_has_words),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
