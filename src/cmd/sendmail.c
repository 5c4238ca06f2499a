/*
 * sendmail.c - the name by which programs have handed in mail for forty years: cron, mail, mutt,
 * PHP.
 *
 * No part of it needs any right: it says the mail to a socket, where the kernel tells who it is. If
 * nobody listens there, or there is no room now, the mail is left in a folder and goes when the
 * server is back: whoever calls sendmail does not come again. Only what the server refuses for good
 * comes back at once, as an exit status and a line on stderr.
 */
#include "cmd/commands.h"
#include "cmd/options.h"
#include "cmd/own_name.h"
#include "cmd/sendmail_hand_in.h"
#include "cmd/sendmail_message.h"
#include "cmd/sendmail_options.h"
#include "cmd/sendmail_smtp.h"
#include "cmd/sendmail_usage.h"
#include "cmd/sendmail_wishes.h"
#include "cmd/sendmail_wrong.h"

#include "wire/utf8.h"

#include <errno.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

enum { READ_PIECE = 64 * 1024, WORDS_MAX = 8 };

struct sendmail {
    struct sendmail_options options;
    struct sendmail_place place;
    struct arena arena;
    struct buf raw;     /* as it came */
    struct buf content; /* as it goes */
    struct sendmail_people people;
    struct address sender, own;
    struct slice full_name;
};

/* ---- who ---- */

/* "Ann Example,Room 3,..." with "&" for the name: what finger(1) makes of it. */
static struct slice name_of_person(struct sendmail *s, const struct passwd *who)
{
    struct slice gecos = slice_of(who->pw_gecos), name = slice_head(gecos, slice_find(gecos, ','));
    size_t and = slice_find(name, '&');

    if (and >= name.len)
        return arena_copy(&s->arena, name);
    return arena_printf(&s->arena, "%.*s%s%.*s", (int)and, name.data, who->pw_name,
                        (int)(name.len - and-1), name.data + and+1);
}

/* In a container a user may be a number only. */
static int find_own_address(struct sendmail *s)
{
    const struct passwd *who = getpwuid(getuid());
    struct slice name = who != NULL ? arena_copy(&s->arena, slice_of(who->pw_name))
                                    : arena_printf(&s->arena, "%u", (unsigned)getuid());
    struct sendmail_people own = {0};
    const char *problem = sendmail_add_people(&own, &s->arena, name, s->place.origin);

    if (who != NULL)
        s->full_name = name_of_person(s, who);
    if (problem != NULL || own.count != 1)
        return sendmail_wrong(EX_OSERR, "the user name %.*s makes no address in %.*s",
                              SLICE_PRINTF(name), SLICE_PRINTF(s->place.origin));
    s->own = s->sender = own.list[0];
    return EXIT_SUCCESS;
}

/* -f <> is a report's null reverse-path. */
static int find_sender(struct sendmail *s)
{
    struct slice wanted = slice_of(s->options.sender != NULL ? s->options.sender : "");
    struct sendmail_people one = {0};
    int status = find_own_address(s);

    if (s->options.full_name != NULL)
        s->full_name = slice_of(s->options.full_name);
    if (status != EXIT_SUCCESS || s->options.sender == NULL)
        return status;
    if (wanted.len == 0 || slice_equal(wanted, SLICE("<>"))) {
        s->sender = (struct address){.kind = ADDRESS_NULL};
        return EXIT_SUCCESS;
    }
    if (sendmail_add_people(&one, &s->arena, wanted, s->place.origin) != NULL || one.count != 1)
        return sendmail_wrong(EX_USAGE, "-f %s is no address", s->options.sender);
    s->sender = one.list[0];
    return EXIT_SUCCESS;
}

/* ---- the mail ---- */

/* What earlier pieces had of the last dot. */
static void drop_dot(struct buf *raw)
{
    struct slice text = buf_slice(raw);

    if (slice_ends(text, SLICE(".\r")))
        buf_truncate(raw, text.len - 2);
    else if (slice_ends(text, SLICE(".")))
        buf_truncate(raw, text.len - 1);
}

static int read_mail(struct sendmail *s)
{
    struct dot_watch dots = {0};
    bool ended = false;
    char piece[READ_PIECE];
    ssize_t got;

    while (!ended && (got = read(STDIN_FILENO, piece, sizeof(piece))) != 0) {
        struct slice bytes = {piece, got > 0 ? (size_t)got : 0};

        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return sendmail_wrong(EX_IOERR, "cannot read the mail: %s", strerrordesc_np(errno));
        if (!s->options.dot_is_text)
            bytes.len = dot_watch_feed(&dots, bytes, &ended);
        if (!buf_append(&s->raw, bytes))
            return sendmail_wrong(EX_DATAERR, "the mail is larger than %d MiB",
                                  SENDMAIL_MESSAGE_MAX / 1024 / 1024);
        if (ended)
            drop_dot(&s->raw);
    }
    return EXIT_SUCCESS;
}

static int make_content(struct sendmail *s)
{
    struct sendmail_writer writer = {.sender = s->sender.kind == ADDRESS_NULL ? s->own : s->sender,
                                     .full_name = s->full_name,
                                     .unique = random_name(&s->arena),
                                     .hostname = s->place.hostname};
    struct buf repaired;
    const char *problem = NULL;
    bool fits;

    buf_init(&repaired, 2 * (size_t)SENDMAIL_MESSAGE_MAX);
    fits = sendmail_repair(&repaired, buf_slice(&s->raw)) &&
           sendmail_complete(&s->content, buf_slice(&repaired), &writer, &s->arena) &&
           sendmail_append(&s->content, buf_slice(&repaired));
    if (fits && s->options.from_header)
        problem =
            sendmail_add_from_header(&s->people, &s->arena, buf_slice(&repaired), s->place.origin);
    buf_done(&repaired);
    if (!fits)
        return sendmail_wrong(EX_DATAERR, "the mail is larger than %d MiB",
                              SENDMAIL_MESSAGE_MAX / 1024 / 1024);
    return problem == NULL ? EXIT_SUCCESS
                           : sendmail_wrong(EX_DATAERR, "in the mail's header: %s", problem);
}

/* Those who are fine get the mail all the same, as with other mail systems. */
static int tell_wrong(struct sendmail *s)
{
    const struct sendmail_people *p = &s->people;

    for (unsigned i = 0; i < p->wrong_count; i++)
        (void)sendmail_wrong(EX_DATAERR,
                             "in the mail's header: '%.*s' is no address, and is passed over",
                             SLICE_PRINTF(sendmail_printable(&s->arena, p->wrong[i])));
    return p->wrong_count > 0 ? EX_DATAERR : EXIT_SUCCESS;
}

static int find_people(struct sendmail *s)
{
    for (int i = 0; i < s->options.word_count; i++) {
        const char *problem = sendmail_add_people(&s->people, &s->arena,
                                                  slice_of(s->options.words[i]), s->place.origin);

        if (problem != NULL)
            return sendmail_wrong(EX_USAGE, "%s", problem);
    }
    if (s->people.count == 0 && !s->options.from_header)
        return sendmail_wrong(EX_USAGE,
                              "to whom? Write addresses behind the flags, or -t: they stand in "
                              "the mail's header");
    return EXIT_SUCCESS;
}

/* ---- all of it ---- */

static int hand_in(struct sendmail *s)
{
    struct sendmail_mail mail = {
        .message = {.sender = s->sender,
                    .rcpts = s->people.list,
                    .rcpt_count = s->people.count,
                    .size = buf_len(&s->content),
                    .body = utf8_is_ascii(buf_slice(&s->content)) ? BODY_7BIT : BODY_8BITMIME},
        .content = buf_slice(&s->content),
        .ehlo = s->place.hostname
    };
    const char *problem = sendmail_wishes_write(&s->options, &s->arena, &mail.message);

    if (problem != NULL)
        return sendmail_wrong(EX_USAGE, "%s", problem);
    return sendmail_hand_in(&mail, &s->place, s->options.verbose, &s->arena);
}

static int find_place(struct sendmail *s)
{
    if (!sendmail_place_find(s->options.config, &s->arena, &s->place))
        return sendmail_wrong(EX_NOINPUT, "cannot read %s", s->options.config);
    return s->place.socket.len > 0
               ? EXIT_SUCCESS
               : sendmail_wrong(EX_CONFIG,
                                "programs of this machine cannot hand in mail: the configuration "
                                "has no 'listen local'; write in it: listen local "
                                "unix:/run/postroad/sendmail { drop /var/spool/postroad-drop }");
}

static int mail(struct sendmail *s)
{
    int status = find_place(s), header = EXIT_SUCCESS;

    if (status == EXIT_SUCCESS)
        status = find_sender(s);
    if (status == EXIT_SUCCESS)
        status = find_people(s);
    if (status == EXIT_SUCCESS)
        status = read_mail(s);
    if (status == EXIT_SUCCESS)
        status = make_content(s);
    if (status == EXIT_SUCCESS)
        header = tell_wrong(s);
    if (status == EXIT_SUCCESS && s->people.count == 0)
        status = header != EXIT_SUCCESS
                     ? header
                     : sendmail_wrong(EX_USAGE, "no recipients: the header has no To, Cc or Bcc");
    if (status == EXIT_SUCCESS)
        status = hand_in(s);
    return status == EXIT_SUCCESS ? header : status;
}

static int speak(struct sendmail *s)
{
    int status = find_place(s);

    return status == EXIT_SUCCESS ? sendmail_smtp(s->place.socket, s->place.hostname, &s->arena)
                                  : status;
}

/* ---- what other commands do ---- */

/* A word that may be changed, as main()'s are. */
static char *word_of(struct sendmail *s, const char *text)
{
    size_t size = slice_of(text).len + 1;

    return memcpy(arena_alloc(&s->arena, size), text, size);
}

static int run_other(struct sendmail *s, int (*command)(int argc, char **argv), const char *name,
                     const char *const *words)
{
    char *argv[WORDS_MAX + 4];
    int argc = 0;

    argv[argc++] = word_of(s, name);
    for (; *words != NULL && argc <= WORDS_MAX; words++)
        argv[argc++] = word_of(s, *words);
    if (s->options.config != NULL) {
        argv[argc++] = word_of(s, "-c");
        argv[argc++] = word_of(s, s->options.config);
    }
    argv[argc] = NULL;
    return command(argc, argv);
}

static int retry(struct sendmail *s)
{
    const char *all[] = {"retry", "--yes", "--status", "deferred", NULL};
    const char *domain[] = {"retry", "--yes", "--domain", s->options.retry_domain, NULL};
    const char *id[] = {"retry", s->options.retry_id, NULL};

    if (s->options.retry_id != NULL)
        return run_other(s, cmd_queue, "queue", id);
    return run_other(s, cmd_queue, "queue", s->options.retry_domain != NULL ? domain : all);
}

static int verify(struct sendmail *s)
{
    int status = EXIT_SUCCESS;

    for (int i = 0; i < s->options.word_count && status == EXIT_SUCCESS; i++) {
        const char *words[] = {"--to", s->options.words[i], NULL};

        status = run_other(s, cmd_explain, "explain", words);
    }
    return status;
}

static int run(struct sendmail *s)
{
    static const char *const nothing[] = {NULL};

    switch (s->options.mode) {
    case SENDMAIL_MAIL: return mail(s);
    case SENDMAIL_SMTP: return speak(s);
    case SENDMAIL_QUEUE: return run_other(s, cmd_mailq, "mailq", nothing);
    case SENDMAIL_ALIASES: return run_other(s, cmd_reload, "reload", nothing);
    case SENDMAIL_RETRY: return retry(s);
    case SENDMAIL_VERIFY: return verify(s);
    case SENDMAIL_DAEMON: break;
    }
    return sendmail_wrong(EX_USAGE, "-bd: the server is started by: postroad serve -c FILE");
}

int cmd_sendmail(int argc, char **argv)
{
    struct sendmail s = {0};
    const char *problem, *why;
    int status;

    if (sendmail_usage(argc, argv))
        return EXIT_SUCCESS;
    if (!sendmail_options_parse(&s.options, argc, (const char *const *)argv, &problem, &why))
        return sendmail_wrong(EX_USAGE, "%s: %s; see: postroad sendmail --help", problem, why);
    buf_init(&s.raw, SENDMAIL_MESSAGE_MAX);
    buf_init(&s.content, 2 * (size_t)SENDMAIL_MESSAGE_MAX + 64 * 1024);
    status = run(&s);
    buf_done(&s.raw);
    buf_done(&s.content);
    arena_done(&s.arena);
    return status;
}

int cmd_newaliases(int argc, char **argv)
{
    struct sendmail s = {.options = {.mode = SENDMAIL_ALIASES}};
    int status;

    (void)argc, (void)argv; /* flags of other systems' newaliases mean nothing here */
    status = run(&s);
    arena_done(&s.arena);
    return status;
}
