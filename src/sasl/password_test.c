/*
 * password_test.c - stored passwords of every scheme, made elsewhere and here.
 *
 * Those of "pencil" come from crypt(3) and libsodium, those of "password" from the test vectors of
 * the argon2 reference code, that of "Hello world!" from Drepper's specification of SHA-512 crypt.
 */
#include "check.h"

#include "sasl/password.h"
#include "sasl/scram.h"

#define YESCRYPT                                                                                   \
    "$y$j9T$......................$oCkJQ4VqrRtlYonaZlrZ7efw93GPiYbUn.9WWdruzcC" /* x               \
                                                                                 */
#define BCRYPT "$2b$05$.OC/.OC/.OC/.OC/.OC/.O4yFy7bu1MmAz5O9rJv0wnv2FUfhJKfm"
#define ARGON                                                                                      \
    "$argon2id$v=19$m=8192,t=1,p=1$EsBcs683zqe6ZxIi902Cvw$TXIU8H+agQviHe7NEhEivVyH8EY/"            \
    "F8qNtjduXga8TE4"
#define ARGON_2                                                                                    \
    "$argon2id$v=19$m=256,t=2,p=2$c29tZXNhbHQ$bQk8UB/VmZZF4Oo79iDXuL5/0ttZwg2f/5U52iv1cDc"
#define SHA512                                                                                     \
    "$6$saltstring$svn8UoSVapNtMuq1ukKS4tPQd8iKwSMHWjl/"                                           \
    "O817G3uBnIFNjnQJuesI68u4OTLiBFdcbYEdFCoEOfa"                                                  \
    "S35inz1"
#define SHA256 "$5$/2E./2E./2E./2E.$1FvWyStJt63XnsWQiRv1BMO/7eUp6XiqBZgKIhQbCE8"
#define SCRAM                                                                                      \
    "4096,W22ZaJ0SNY7soEsUEjb6gQ==,WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=,"                  \
    "wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU="

static const struct {
    struct slice stored;
    enum password_scheme scheme;
    struct slice password; /* the right one; "": there is none */
} rows[] = {
    {SLICE_INIT("{CRYPT}" YESCRYPT),                            PASSWORD_CRYPT,         SLICE_INIT("x")           },
    {SLICE_INIT(YESCRYPT),                                      PASSWORD_CRYPT,         SLICE_INIT("x")           },
    {SLICE_INIT("{BLF-CRYPT}" BCRYPT),                          PASSWORD_CRYPT,         SLICE_INIT("pencil")      },
    {SLICE_INIT("{blf-crypt}" BCRYPT),                          PASSWORD_CRYPT,         SLICE_INIT("pencil")      },
    {SLICE_INIT("{CRYPT}" BCRYPT),                              PASSWORD_CRYPT,         SLICE_INIT("pencil")      },
    {SLICE_INIT("{SHA512-CRYPT}" SHA512),                       PASSWORD_CRYPT,         SLICE_INIT("Hello world!")},
    {SLICE_INIT("{SHA256-CRYPT}" SHA256),                       PASSWORD_CRYPT,         SLICE_INIT("pencil")      },
    {SLICE_INIT("{ARGON2ID}" ARGON),                            PASSWORD_ARGON2ID,      SLICE_INIT("pencil")      },
    {SLICE_INIT("{ARGON2ID}" ARGON_2),                          PASSWORD_ARGON2ID,      SLICE_INIT("password")    },
    {SLICE_INIT("{CRYPT}" ARGON),                               PASSWORD_ARGON2ID,      SLICE_INIT("pencil")      },
    {SLICE_INIT(ARGON),                                         PASSWORD_ARGON2ID,      SLICE_INIT("pencil")      },
    {SLICE_INIT("{SCRAM-SHA-256}" SCRAM),                       PASSWORD_SCRAM_SHA_256, SLICE_INIT("pencil")      },
    {SLICE_INIT("{PLAIN}pencil"),                               PASSWORD_PLAIN,         SLICE_INIT("pencil")      },
    {SLICE_INIT("{CLEARTEXT}pen {cil}"),                        PASSWORD_PLAIN,         SLICE_INIT("pen {cil}")   },
 /* the prepared form, and the one that came: "2" and "\u00b2" look alike to SASLprep */
    {SLICE_INIT("{PLAIN}x2"),                                   PASSWORD_PLAIN,         SLICE_INIT("x\u00b2")     },
    {SLICE_INIT("{PLAIN}x\u00b2"),                              PASSWORD_PLAIN,         SLICE_INIT("x\u00b2")     },
    {SLICE_INIT("{PLAIN}"),                                     PASSWORD_UNKNOWN,       SLICE_INIT("")            },
    {SLICE_INIT(""),                                            PASSWORD_UNKNOWN,       SLICE_INIT("")            },
    {SLICE_INIT("pencil"),                                      PASSWORD_UNKNOWN,       SLICE_INIT("")            },
    {SLICE_INIT("{PLAIN-MD5}5f4dcc3b5aa765d61d8327deb882cf99"), PASSWORD_UNKNOWN,       SLICE_INIT("")            },
    {SLICE_INIT("{CRYPT}"),                                     PASSWORD_UNKNOWN,       SLICE_INIT("")            },
    {SLICE_INIT("{CRYPT}*"),                                    PASSWORD_UNKNOWN,       SLICE_INIT("")            },
    {SLICE_INIT("{CRYPT}!" YESCRYPT),                           PASSWORD_UNKNOWN,       SLICE_INIT("")            },
 /* DES and MD5: too weak to be tried */
    {SLICE_INIT("{CRYPT}rl.3StKT.4T8M"),                        PASSWORD_UNKNOWN,       SLICE_INIT("")            },
    {SLICE_INIT("{CRYPT}$1$etNnh7FA$OlM7eljE/B7F1J4XYNnk81"),   PASSWORD_UNKNOWN,       SLICE_INIT("")            },
    {SLICE_INIT("{CRYPT}" YESCRYPT " "),                        PASSWORD_UNKNOWN,       SLICE_INIT("")            },
    {SLICE_INIT("{CRYPT" YESCRYPT),                             PASSWORD_UNKNOWN,       SLICE_INIT("")            },
    {SLICE_INIT("{CRYPT}" YESCRYPT "\0"),                       PASSWORD_UNKNOWN,       SLICE_INIT("")            },
    {SLICE_INIT("{SCRAM-SHA-256}4096,x,y,z"),                   PASSWORD_UNKNOWN,       SLICE_INIT("")            },
    {SLICE_INIT("{ARGON2ID}" YESCRYPT),                         PASSWORD_UNKNOWN,       SLICE_INIT("")            },
 /* begins well, and then is no hash */
    {SLICE_INIT("{CRYPT}$y$"),                                  PASSWORD_CRYPT,         SLICE_INIT("")            },
    {SLICE_INIT("{CRYPT}$2b$99$x"),                             PASSWORD_CRYPT,         SLICE_INIT("")            },
    {SLICE_INIT("{ARGON2ID}$argon2id$v=19$m=8192"),             PASSWORD_ARGON2ID,      SLICE_INIT("")            },
};

static void passwords_are_verified(void **state)
{
    (void)state;
    CHECK_ROWS (i, rows) {
        struct slice stored = guarded(rows[i].stored), password = guarded(rows[i].password);

        check_int(password_scheme_of(stored), rows[i].scheme);
        check_int(password_verify(stored, password), rows[i].password.len > 0);
        check(!password_verify(stored, SLICE("wrong")));
        /* what is stored is no password */
        check(!password_verify(stored, slice_head(stored, 256)));
        guarded_free(stored);
        guarded_free(password);
    }
}

#define LONG_64  "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define LONG_448 LONG_64 LONG_64 LONG_64 LONG_64 LONG_64 LONG_64 LONG_64
#define LONG_511 LONG_448 "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcde"

static void passwords_have_limits(void **state)
{
    static const char long_hash[PASSWORD_STORED_MAX + 1] = "{PLAIN}";

    (void)state;
    check(!password_verify(SLICE("{PLAIN}pencil"), SLICE("")));
    check(!password_verify(SLICE("{CRYPT}" YESCRYPT), SLICE("x\0y")));
    check(!password_verify(SLICE("{PLAIN}" LONG_448), SLICE(LONG_511)));
    check(password_verify(SLICE("{PLAIN}" LONG_448), SLICE(LONG_448)));
    check(!password_verify(SLICE("{CRYPT}" YESCRYPT), SLICE(LONG_511)));
    check(!password_verify(SLICE("{CRYPT}" YESCRYPT), SLICE(LONG_511 "f")));
    check_int(password_scheme_of((struct slice){long_hash, sizeof(long_hash)}), PASSWORD_UNKNOWN);
    password_burn(SLICE(""), SLICE("pencil"));
    password_burn(SLICE("{PLAIN}pencil"), SLICE("pencil"));
    password_burn(SLICE("{CRYPT}" YESCRYPT), SLICE(""));
}

static void new_passwords_fit(void **state)
{
    struct slice salt = SLICE("0123456789abcdef");
    struct buf out, again;

    (void)state;
    buf_init(&out, PASSWORD_STORED_MAX);
    buf_init(&again, PASSWORD_STORED_MAX);
    check(password_make(&out, SLICE("pen\u00b2"), salt));
    check(slice_starts(buf_slice(&out), SLICE("{CRYPT}$y$j9T$")));
    check_int(password_scheme_of(buf_slice(&out)), PASSWORD_CRYPT);
    check(password_verify(buf_slice(&out), SLICE("pen\u00b2")));
    check(password_verify(buf_slice(&out), SLICE("pen2")));
    check(!password_verify(buf_slice(&out), SLICE("pen3")));
    check(password_make(&again, SLICE("pen2"), SLICE("fedcba9876543210")));
    check(!slice_equal(buf_slice(&out), buf_slice(&again)));
    buf_clear(&out);

    check(password_make_scram(&out, SLICE("pencil"), salt, SCRAM_ITERATIONS_MIN));
    check_int(password_scheme_of(buf_slice(&out)), PASSWORD_SCRAM_SHA_256);
    check(password_verify(buf_slice(&out), SLICE("pencil")));
    check(!password_verify(buf_slice(&out), SLICE("pen2")));
    buf_done(&out);
    buf_done(&again);
}

static void bad_new_passwords_are_refused(void **state)
{
    static const struct slice bad[] = {SLICE_INIT(""),           SLICE_INIT("a\nb"),
                                       SLICE_INIT("a\0b"),       SLICE_INIT("\xff"),
                                       SLICE_INIT(LONG_511 "f"), SLICE_INIT("\U0001f511")};
    struct slice salt = SLICE("0123456789abcdef");
    struct buf out;

    (void)state;
    buf_init(&out, 64);
    check(buf_append(&out, SLICE("ann:")));
    CHECK_ROWS (i, bad) {
        check(!password_make(&out, bad[i], salt));
        check(!password_make_scram(&out, bad[i], salt, SCRAM_ITERATIONS_MIN));
    }
    /* no room */
    check(!password_make(&out, SLICE("pencil"), salt));
    check(!password_make_scram(&out, SLICE("pencil"), salt, SCRAM_ITERATIONS_MIN));
    check_slice(buf_slice(&out), SLICE("ann:"));
    buf_done(&out);
}

/* The same name meets the same hash, and all are met by somebody. */
static void stand_ins_are_spread(void **state)
{
    struct slice secret = SLICE("a secret of the vault");
    unsigned met[4] = {0};

    (void)state;
    for (char i = 0; i < 100; i++) {
        char name[] = {'u', (char)('0' + i / 10), (char)('0' + i % 10)};
        struct slice user = {name, sizeof(name)};
        size_t at = password_stand_in(secret, user, 4);

        assert_true(at < 4);
        check_int(password_stand_in(secret, user, 4), at);
        name[0] = 'U';
        check_int(password_stand_in(secret, user, 4), at);
        met[at]++;
    }
    for (unsigned i = 0; i < 4; i++)
        check(met[i] > 5);
    check_int(password_stand_in(secret, SLICE("ann"), 1), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(passwords_are_verified), cmocka_unit_test(passwords_have_limits),
        cmocka_unit_test(new_passwords_fit),      cmocka_unit_test(bad_new_passwords_are_refused),
        cmocka_unit_test(stand_ins_are_spread),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
