/*
 * password_prompt.c - a terminal without echo.
 *
 * While a password is typed Ctrl-C is a character like others: a program that ended there would
 * leave a terminal behind that shows nothing. The question comes when the terminal is ready:
 * whoever answers at once, as a program does, is neither shown nor flushed away.
 */
#include "cmd/password_prompt.h"

#include "cmd/options.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>
#include <termios.h>
#include <unistd.h>

enum { CTRL_C = 3 };

/* Up to a line's end, byte by byte: nothing of it stays in a buffer of stdio. */
static int read_line(const char *command, struct buf *out)
{
    char c;
    ssize_t got;

    while ((got = read(STDIN_FILENO, &c, 1)) != 0 && c != '\n') {
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return command_wrong(command, EX_IOERR, "cannot read the password: %s",
                                 strerrordesc_np(errno));
        if (c == CTRL_C)
            return command_wrong(command, EX_USAGE, "nothing was done");
        if (c == '\0' || !buf_append_char(out, c))
            return command_wrong(command, EX_DATAERR,
                                 "the password is no line of text, or too long");
    }
    if (slice_ends(buf_slice(out), SLICE("\r")))
        buf_truncate(out, buf_len(out) - 1);
    return buf_len(out) > 0 ? 0 : command_wrong(command, EX_DATAERR, "the password is empty");
}

static int ask(const char *command, const char *question, const char *name, struct buf *out)
{
    struct termios before, quiet;

    if (tcgetattr(STDIN_FILENO, &before) < 0)
        return command_wrong(command, EX_OSERR, "this terminal cannot be made not to show it");
    quiet = before;
    quiet.c_lflag &= ~(tcflag_t)(ECHO | ISIG);
    quiet.c_cc[VEOL] = CTRL_C;
    if (tcsetattr(STDIN_FILENO, TCSAFLUSH, &quiet) < 0)
        return command_wrong(command, EX_OSERR, "this terminal cannot be made not to show it");
    fprintf(stderr, "%s %s: ", question, name);
    int status = read_line(command, out);
    (void)tcsetattr(STDIN_FILENO, TCSAFLUSH, &before);
    fputc('\n', stderr);
    return status;
}

static int ask_twice(const char *command, const char *name, struct buf *out)
{
    struct buf again;
    int status;

    buf_init(&again, PASSWORD_TYPED_MAX);
    (void)buf_reserve(&again, PASSWORD_TYPED_MAX); /* what grew would leave copies */
    status = ask(command, "New password of", name, out);
    if (status == 0)
        status = ask(command, "The same again for", name, &again);
    if (status == 0 && !slice_equal(buf_slice(out), buf_slice(&again)))
        status = command_wrong(command, EX_DATAERR, "the two differ; nothing was changed");
    buf_wipe(&again);
    return status;
}

static int check_terminal(const char *command)
{
    return isatty(STDIN_FILENO)
               ? 0
               : command_wrong(command, EX_USAGE,
                               "stdin is no terminal; say --password-stdin to take the password "
                               "from its first line");
}

int password_prompt(const char *command, const char *name, bool from_stdin, struct buf *out)
{
    int status;

    buf_init(out, PASSWORD_TYPED_MAX);
    (void)buf_reserve(out, PASSWORD_TYPED_MAX);
    if (from_stdin)
        return read_line(command, out);
    status = check_terminal(command);
    return status == 0 ? ask_twice(command, name, out) : status;
}

int password_ask(const char *command, const char *name, bool from_stdin, struct buf *out)
{
    int status;

    if (from_stdin)
        return read_line(command, out);
    status = check_terminal(command);
    return status == 0 ? ask(command, "Password of", name, out) : status;
}
