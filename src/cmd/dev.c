/*
 * dev.c - the mail system on a laptop: no root, no DNS, nothing leaves the machine.
 *
 * dev writes a configuration and runs it like any other; there is no second code path. Every
 * address has an inbox below one folder.
 */
#include "cmd/commands.h"
#include "cmd/dev_certificate.h"
#include "cmd/dev_dir.h"
#include "cmd/options.h"
#include "cmd/system.h"

#include "base/cursor.h"
#include "base/disk.h"
#include "wire/address.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

enum { SOCKET_PATH_MAX = 107 + 5, DEV_TEXT_MAX = 8 * PATH_MAX + 1024 };

struct dev {
    const char *dir;
    const char *smtp;
    const char *submission;
    const char *listen;
    bool tls, new_authority;
    char smtp_address[128];
    char submission_address[128]; /* "": there is none */
    char dir_path[PATH_MAX];
};

static bool needs_certificate(const struct dev *d)
{
    return d->tls || d->submission_address[0] != '\0';
}

static void say_addresses(void *ctx)
{
    const struct dev *d = ctx;
    /* "*" and 0.0.0.0 are addresses to listen on, not to connect to. */
    bool any = d->smtp_address[0] == '*' || strncmp(d->smtp_address, "0.0.0.0:", 8) == 0;

    printf("postroad dev is ready; Ctrl-C ends it.\n\n"
           "  SMTP         %s\n"
           "  Mail         %s/mail/{domain}/{user}   (Maildir: every address has one)\n",
           d->smtp_address, d->dir_path);
    if (d->submission_address[0] != '\0')
        printf("  Submission   %s   (user dev, password dev)\n", d->submission_address);
    if (needs_certificate(d))
        printf("  TLS          STARTTLS, for localhost and 127.0.0.1; trust %s/" DEV_CA_FILE "%s\n",
               d->dir_path, d->new_authority ? " (new)" : "");
    printf("\nTry:  %s send --server %s%s --to you@example.org --subject hello --body hi\n\n",
           program_invocation_name, any ? "127.0.0.1" : "",
           d->smtp_address + (any ? strcspn(d->smtp_address, ":") : 0));
    fflush(stdout);
}

/* Writes a configuration value in quotes. */
static bool quote(struct buf *out, const char *text)
{
    bool fits = buf_append_char(out, '"');

    for (; *text != '\0' && fits; text++)
        fits = (*text != '"' && *text != '\\') || buf_append_char(out, '\\')
                   ? buf_append_char(out, *text)
                   : false;
    return fits && buf_append_char(out, '"');
}

/* Passwords in the clear only where nobody else listens. */
static bool write_submission(const struct dev *d, struct buf *out)
{
    struct slice at = slice_of(d->submission_address);
    bool alone = slice_starts(at, SLICE("127.")) || slice_starts(at, SLICE("[::1]:"));
    char accounts[PATH_MAX + 16];

    if (at.len == 0)
        return true;
    snprintf(accounts, sizeof(accounts), "%s/" DEV_ACCOUNTS_FILE, d->dir_path);
    return buf_printf(out, "table people accounts ") && quote(out, accounts) &&
           buf_printf(out, "\nlisten submission ") && quote(out, d->submission_address) &&
           buf_printf(out, " { auth people; %s }\n",
                      alone ? "tls optional; auth-cleartext yes" : "tls required");
}

/* Who tests a program lets it send as fast as it can, perhaps from another machine. */
static bool write_limits(struct buf *out)
{
    return buf_printf(out, "limit from any { connections unlimited; rate unlimited; "
                           "network-connections unlimited; network-rate unlimited }\n"
                           "limit from authenticated { connections unlimited; "
                           "recipients unlimited }\n");
}

/* For programs that call sendmail. A path that is too long for a socket is nobody's fault. */
static bool write_local(const struct dev *d, struct buf *out)
{
    char path[PATH_MAX + 32];
    int len = snprintf(path, sizeof(path), "unix:%s/" DEV_SENDMAIL, d->dir_path);

    return len > SOCKET_PATH_MAX ||
           (buf_printf(out, "listen local ") && quote(out, path) && buf_append_char(out, '\n'));
}

static bool write_settings(const struct dev *d, struct buf *out)
{
    char spool[PATH_MAX + 16], mail[PATH_MAX + 32], chain[PATH_MAX + 16], key[PATH_MAX + 16];

    snprintf(spool, sizeof(spool), "%s/" DEV_SPOOL, d->dir_path);
    snprintf(mail, sizeof(mail), "%s/mail/{domain}/{user}", d->dir_path);
    snprintf(chain, sizeof(chain), "%s/" DEV_CERTIFICATE_FILE, d->dir_path);
    snprintf(key, sizeof(key), "%s/" DEV_KEY_FILE, d->dir_path);
    if (needs_certificate(d) &&
        (!buf_printf(out, "tls ") || !quote(out, chain) || !buf_append_char(out, ' ') ||
         !quote(out, key) || !buf_append_char(out, '\n')))
        return false;
    return buf_printf(out, "hostname   localhost\n") && buf_printf(out, "listen mx  ") &&
           quote(out, d->smtp_address) &&
           buf_printf(out, " { faults yes; tls %s }\n", d->tls ? "optional" : "off") &&
           write_submission(d, out) && write_local(d, out) && buf_printf(out, "queue      ") &&
           quote(out, spool) && buf_printf(out, " { min-free 64M }\n") &&
           buf_printf(out, "accept to any deliver maildir ") && quote(out, mail) &&
           buf_printf(out, "\npostmaster postmaster@localhost\n") && write_limits(out);
}

static int see_to_certificate(struct dev *d, struct disk_dir *dir)
{
    enum dev_certificate done =
        needs_certificate(d) ? dev_certificate_see_to(dir) : DEV_CERTIFICATE_KEPT;

    d->new_authority = done == DEV_CERTIFICATE_MADE;
    return done == DEV_CERTIFICATE_FAILED ? EX_CANTCREAT : EXIT_SUCCESS;
}

/* Whoever wants others than dev writes them there. */
static int see_to_accounts(struct disk_dir *dir)
{
    struct disk_file *file;
    int code = disk_open(dir, DEV_ACCOUNTS_FILE, DISK_CREATE, 0600, &file);

    if (code == -EEXIST)
        return EXIT_SUCCESS;
    if (code == 0) {
        code = disk_write(file, SLICE("dev:{PLAIN}dev\n"), 0);
        disk_close(file);
    }
    return code < 0 ? command_wrong("dev", EX_CANTCREAT, "cannot write " DEV_ACCOUNTS_FILE ": %s",
                                    strerrordesc_np(-code))
                    : EXIT_SUCCESS;
}

/* Makes the folder and finds its plain name, since a configuration wants one without "..". */
static int choose_dir(struct dev *d)
{
    char path[PATH_MAX];
    struct disk_dir *dir;

    if (!dev_dir(d->dir, path, sizeof(path)) || strpbrk(path, "{}\n") != NULL)
        return command_wrong(
            "dev", EX_USAGE,
            "the folder's name is too long, or has one of { } or a line end in it; "
            "choose another with --dir");
    int code = disk_dir_make_path(disk_real(), slice_of(path), 0700, &dir);
    if (code < 0)
        return command_wrong("dev", EX_CANTCREAT,
                             "cannot make the folder %s: %s; choose another with --dir", path,
                             strerrordesc_np(-code));
    int status = see_to_certificate(d, dir);
    if (status == EXIT_SUCCESS && d->submission_address[0] != '\0')
        status = see_to_accounts(dir);
    disk_dir_close(dir);
    if (status != EXIT_SUCCESS)
        return status;
    return realpath(path, d->dir_path) == NULL ? EX_OSERR : EXIT_SUCCESS;
}

static bool is_address(struct slice host)
{
    unsigned char ip[16];

    if (slice_starts(host, SLICE("[")) && slice_ends(host, SLICE("]")))
        return ipv6_parse(slice_head(slice_skip(host, 1), host.len - 2), ip);
    return slice_equal(host, SLICE("*")) || ipv4_parse(host, ip);
}

/* "127.0.0.1:1025", "[::1]:1025", "*:1025". Names are for DNS, which dev does without. */
static bool is_address_and_port(struct slice text)
{
    size_t colon = slice_rfind(text, ':');
    struct cursor c = {slice_skip(text, colon + 1)};
    uint64_t port;

    return colon < text.len && is_address(slice_head(text, colon)) && take_number(&c, &port) &&
           cursor_at_end(&c) && port > 0 && port <= UINT16_MAX;
}

static int no_address(const char *text)
{
    return command_wrong(
        "dev", EX_USAGE,
        "'%s' is not an IP address and a port, as 127.0.0.1:2525, [::1]:2525 or *:2525", text);
}

static int choose_address(struct dev *d)
{
    const char *host = d->listen == NULL ? "127.0.0.1" : d->listen;
    bool bare_ipv6 = strchr(host, ':') != NULL && host[0] != '[';

    if (d->smtp != NULL && d->listen != NULL)
        return command_wrong("dev", EX_USAGE,
                             "--smtp and --listen both say where; give one of them");
    if (d->smtp != NULL)
        snprintf(d->smtp_address, sizeof(d->smtp_address), "%s", d->smtp);
    else
        snprintf(d->smtp_address, sizeof(d->smtp_address), "%s%s%s:1025", bare_ipv6 ? "[" : "",
                 host, bare_ipv6 ? "]" : "");
    /* A second one, started beside the first with --smtp, must not stumble over its port. */
    if (d->submission != NULL)
        snprintf(d->submission_address, sizeof(d->submission_address), "%s", d->submission);
    else if (d->smtp == NULL)
        snprintf(d->submission_address, sizeof(d->submission_address), "%s%s%s:1587",
                 bare_ipv6 ? "[" : "", host, bare_ipv6 ? "]" : "");
    if (d->submission_address[0] != '\0' && !is_address_and_port(slice_of(d->submission_address)))
        return no_address(d->submission_address);
    return is_address_and_port(slice_of(d->smtp_address)) ? EXIT_SUCCESS
                                                          : no_address(d->smtp_address);
}

/* What to do about a system that did not start. */
static void advise(const struct dev *d, int status)
{
    if (status == EX_UNAVAILABLE)
        fprintf(stderr,
                "postroad dev: see who has %s%s%s with: ss -ltnp; or choose others: --smtp "
                "127.0.0.1:2525 --submission 127.0.0.1:2587\n",
                d->smtp_address, d->submission_address[0] != '\0' ? " and " : "",
                d->submission_address);
    if (status == EX_TEMPFAIL)
        fprintf(stderr, "postroad dev: %s is in use; choose another folder with --dir\n",
                d->dir_path);
}

int cmd_dev(int argc, char **argv)
{
    struct dev d = {0};
    const struct option options[] = {
        {"--dir",        NULL, OPTION_TEXT, &d.dir,        "D",
         "where queue and mail lie (default ~/.local/state/postroad/dev)",            "POSTROAD_DEV_DIR"       },
        {"--smtp",       NULL, OPTION_TEXT, &d.smtp,       "HOST:PORT",
         "where SMTP is spoken, an IP address and a port (default 127.0.0.1:1025)",   "POSTROAD_DEV_SMTP"      },
        {"--submission", NULL, OPTION_TEXT, &d.submission, "HOST:PORT",
         "where people's programs log in, as dev with password dev (default 127.0.0.1:1587, none "
         "with --smtp)",                                                              "POSTROAD_DEV_SUBMISSION"},
        {"--listen",     NULL, OPTION_TEXT, &d.listen,     "ADDRESS",
         "listen there instead of 127.0.0.1; 0.0.0.0 lets other machines in",         "POSTROAD_DEV_LISTEN"    },
        {"--tls",        NULL, OPTION_FLAG, &d.tls,        NULL,
         "offer STARTTLS, with a certificate of an authority in the folder (ca.pem)", NULL                     },
    };
    const struct usage usage = {
        "dev",
        "[OPTION...]",
        "Runs the mail system for development: every recipient gets an inbox, nothing leaves the\n"
        "machine. In the foreground until Ctrl-C; log lines on stderr.\n\n"
        "At any domain, for programs that must cope: refuse@, defer@, greylist@ (250 when tried "
        "again\n"
        "after 5 seconds), delay-30s@ (before RCPT is answered), drop-after-data@.",
        "  postroad dev\n"
        "  postroad dev --dir /tmp/mail --smtp 127.0.0.1:2525\n",
        options,
        sizeof(options) / sizeof(*options)};
    struct buf text;
    int status;

    if (!options_parse(&usage, argc, argv, &status))
        return status;
    status = choose_address(&d);
    if (status == EXIT_SUCCESS)
        status = choose_dir(&d);
    if (status != EXIT_SUCCESS)
        return status;
    buf_init(&text, DEV_TEXT_MAX);
    status = EX_USAGE;
    if (write_settings(&d, &text))
        status = system_run_text(SLICE("postroad dev"), buf_slice(&text), 1, say_addresses, &d);
    advise(&d, status);
    buf_done(&text);
    return status;
}
