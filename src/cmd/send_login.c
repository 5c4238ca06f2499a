/*
 * send_login.c - a name, and a secret that stands on no command line.
 *
 * An account of msmtp is options that were typed elsewhere: it fills in those that were not typed
 * here, and they are checked together. What it says and we do not do, and what would change where
 * the mail goes, is an error. A command that prints a password is not run: that is for the person's
 * shell.
 *
 * Who logs in verifies the server, unless another --tls was typed; in the clear only --tls off does
 * it, typed here.
 */
#include "cmd/send_login.h"

#include "cmd/load_settings.h"
#include "cmd/msmtp_file.h"
#include "cmd/password_prompt.h"
#include "cmd/send_request.h"

#include "loop/tls.h"
#include "mail/sources.h"
#include "sasl/mechanism.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

enum { AUTHORITIES_MAX = 4 * 1024 * 1024 };

/* ---- an account of msmtp ---- */

static const char *text_of(struct send_request *r, struct slice value)
{
    return arena_printf(&r->arena, "%.*s%c", SLICE_PRINTF(value), 0).data;
}

static const char *in_home(struct send_request *r, struct slice path)
{
    const char *home = getenv("HOME");

    return arena_printf(&r->arena, "%s%.*s%c", home == NULL ? "" : home, SLICE_PRINTF(path), 0)
        .data;
}

static int tell_obstacle(const struct send_request *r, const char *path, enum msmtp_word word)
{
    struct slice name = msmtp_word_name(word);

    return command_wrong("send", EX_CONFIG, "account %s in %s has '%.*s', which is not done here",
                         r->options.account, path, SLICE_PRINTF(name));
}

static bool is_on(const struct msmtp_account *a, enum msmtp_word word, bool usual)
{
    return a->values[word].len == 0 ? usual : slice_equal(a->values[word], SLICE("on"));
}

/* Its words for TLS as ours. */
static const char *tls_word(const struct msmtp_account *a)
{
    if (!is_on(a, MSMTP_TLS, false))
        return "off";
    if (is_on(a, MSMTP_CERTCHECK, true))
        return "verified";
    return is_on(a, MSMTP_STARTTLS, true) ? "required" : "implicit";
}

static void fill_in(struct send_request *r, const char **option, struct slice value)
{
    if (*option == NULL && value.len > 0)
        *option = text_of(r, value);
}

static int read_authorities(struct send_request *r, struct slice file)
{
    struct buf *pem = &r->login.authorities;
    const char *path, *fault;
    unsigned flags;
    int code;

    if (file.len == 0 || slice_equal(file, SLICE("system")))
        return 0;
    path = slice_starts(file, SLICE("~")) ? in_home(r, slice_skip(file, 1)) : text_of(r, file);
    code = load_file(path, AUTHORITIES_MAX, pem, &flags);
    if (code < 0)
        return command_wrong("send", EX_NOINPUT, "cannot read tls_trust_file %s: %s", path,
                             strerrordesc_np(-code));
    fault = tls_authorities_fault(buf_slice(pem));
    if (fault != NULL)
        return command_wrong("send", EX_CONFIG, "tls_trust_file %s %s", path, fault);
    return 0;
}

static int use_login(struct send_request *r, const struct msmtp_account *a, const char *path)
{
    struct send_options *o = &r->options;
    struct slice auth = a->values[MSMTP_AUTH], password = a->values[MSMTP_PASSWORD];

    if (o->user == NULL && (auth.len == 0 || slice_equal(auth, SLICE("off"))))
        return 0;
    if (!slice_equal(auth, SLICE("on")) && !slice_equal(auth, SLICE("off")))
        fill_in(r, &o->auth, auth);
    fill_in(r, &o->user, a->values[MSMTP_USER]);
    if (o->user == NULL)
        return command_wrong("send", EX_CONFIG, "account %s in %s has no user; add --user NAME",
                             o->account, path);
    if (o->password_stdin)
        return 0;
    if (password.len == 0 && a->values[MSMTP_PASSWORDEVAL].len > 0)
        return command_wrong("send", EX_CONFIG,
                             "account %s in %s has 'passwordeval', and commands are not run here; "
                             "let your shell do it: COMMAND | postroad send --password-stdin ...",
                             o->account, path);
    if (password.len > PASSWORD_TYPED_MAX)
        return command_wrong("send", EX_CONFIG, "account %s in %s has a password that is too long",
                             o->account, path);
    buf_append(&r->login.secret, password);
    return 0;
}

static int use_account(struct send_request *r, const struct msmtp_account *a, const char *path,
                       unsigned flags)
{
    struct send_options *o = &r->options;
    enum msmtp_word obstacle = msmtp_account_obstacle(a);
    const char *implicit_port = is_on(a, MSMTP_STARTTLS, true) ? NULL : "465";

    if (obstacle != MSMTP_WORDS)
        return tell_obstacle(r, path, obstacle);
    if (a->values[MSMTP_PASSWORD].len > 0 && (flags & SOURCE_FOR_ALL) != 0)
        return command_wrong("send", EX_CONFIG,
                             "everybody on this machine may read the password in %s; type: chmod "
                             "o-r %s",
                             path, path);
    if (a->values[MSMTP_HOST].len == 0)
        return command_wrong("send", EX_CONFIG, "account %s in %s has no host", o->account, path);
    fill_in(r, &o->server, a->values[MSMTP_HOST]);
    fill_in(r, &o->port, a->values[MSMTP_PORT]);
    fill_in(r, &o->from, a->values[MSMTP_FROM]);
    if (o->port == NULL)
        o->port = is_on(a, MSMTP_TLS, false) && implicit_port != NULL ? implicit_port : "25";
    r->tls_at_once = o->tls == NULL && is_on(a, MSMTP_TLS, false) && implicit_port != NULL;
    if (o->tls == NULL)
        o->tls = tls_word(a);
    int status = read_authorities(r, a->values[MSMTP_TRUST_FILE]);
    return status == 0 ? use_login(r, a, path) : status;
}

static int tell_fault(const char *path, const struct msmtp_fault *fault)
{
    return command_wrong("send", EX_CONFIG, "%s:%u: '%.*s' %s", path, fault->line,
                         SLICE_PRINTF(fault->word), fault->what);
}

/* False: look elsewhere. */
static bool look_into(struct send_request *r, const char *path, int *status)
{
    struct slice name = slice_of(r->options.account);
    struct msmtp_account account;
    struct msmtp_fault fault;
    unsigned flags;
    int code = load_file(path, MSMTP_TEXT_MAX, &r->login.account, &flags);

    if (code == -ENOENT || code == -ENOTDIR)
        return false;
    if (code < 0) {
        *status =
            command_wrong("send", EX_NOINPUT, "cannot read %s: %s", path, strerrordesc_np(-code));
        return true;
    }
    switch (msmtp_file_find(buf_slice(&r->login.account), name, &account, &fault)) {
    case MSMTP_NO_ACCOUNT: break;
    case MSMTP_BROKEN: *status = tell_fault(path, &fault); return true;
    case MSMTP_FOUND: *status = use_account(r, &account, path, flags); return true;
    }
    buf_wipe(&r->login.account);
    return false;
}

int send_login_take_account(struct send_request *r)
{
    const char *const places[] = {in_home(r, SLICE("/.msmtprc")),
                                  in_home(r, SLICE("/.config/msmtp/config")), "/etc/msmtprc"};
    int status = 0;

    buf_init(&r->login.secret, PASSWORD_TYPED_MAX);
    (void)buf_reserve(&r->login.secret, PASSWORD_TYPED_MAX); /* so that it never moves */
    r->login.in_clear = r->options.tls != NULL && strcmp(r->options.tls, "off") == 0;
    if (r->options.account == NULL)
        return 0;
    if (r->options.server != NULL)
        return command_wrong("send", EX_USAGE, "--account names a server already; leave out one");
    for (size_t i = 0; i < sizeof(places) / sizeof(*places); i++)
        if (look_into(r, places[i], &status))
            return status;
    return command_wrong("send", EX_CONFIG, "no account '%s' in ~/.msmtprc or /etc/msmtprc",
                         r->options.account);
}

/* ---- who, and how ---- */

static int parse_auth(struct send_request *r)
{
    enum sasl_mechanism mechanism;

    if (r->options.auth == NULL)
        return 0;
    if (!sasl_mechanism_parse(slice_of(r->options.auth), &mechanism) || mechanism == SASL_EXTERNAL)
        return command_wrong("send", EX_USAGE,
                             "--auth '%s' is none of SCRAM-SHA-256-PLUS, SCRAM-SHA-256, PLAIN, "
                             "LOGIN, OAUTHBEARER, XOAUTH2",
                             r->options.auth);
    r->login.mechanisms = 1u << mechanism;
    r->login.is_token = mechanism == SASL_OAUTHBEARER || mechanism == SASL_XOAUTH2;
    return 0;
}

int send_login_parse(struct send_request *r)
{
    const struct send_options *o = &r->options;

    if (o->user == NULL && (o->auth != NULL || o->password_stdin))
        return command_wrong("send", EX_USAGE, "who logs in? Add --user NAME");
    if (o->user == NULL)
        return 0;
    r->login.user = slice_of(o->user);
    if (r->login.user.len == 0 || r->login.user.len > SASL_NAME_MAX)
        return command_wrong("send", EX_USAGE, "--user is a name of 1 to %d bytes", SASL_NAME_MAX);
    if (o->server == NULL)
        return command_wrong("send", EX_USAGE,
                             "where to log in? Add --server NAME: servers that are found by MX are "
                             "strangers");
    return parse_auth(r);
}

int send_login_ask(struct send_request *r)
{
    const struct send_login *l = &r->login;

    if (l->user.len == 0 || buf_len(&l->secret) > 0)
        return 0;
    return password_ask("send", r->options.user, r->options.password_stdin, &r->login.secret);
}

void send_login_done(struct send_login *l)
{
    buf_wipe(&l->secret);
    buf_wipe(&l->account);
    buf_done(&l->authorities);
}
