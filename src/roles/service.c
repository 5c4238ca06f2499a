/*
 * service.c - a few words in a datagram, as systemd wants to hear them.
 *
 * Nothing is linked for it: the words are a stable interface, and a container or another manager
 * that speaks them will do as well. A manager that does not listen must not hold up the mail.
 */
#include "roles/service.h"

#include "base/buf.h"
#include "base/cursor.h"
#include "loop/net_local.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { STATUS_MAX = 4096 };

static void tell(const struct service *s, const char *words, struct slice status)
{
    struct buf text;

    if (s->path[0] == '\0')
        return;
    buf_init(&text, STATUS_MAX);
    buf_append(&text, slice_of(words));
    if (status.len > 0)
        buf_printf(&text, "STATUS=%.*s\n", SLICE_PRINTF(slice_head(status, STATUS_MAX / 2)));
    (void)net_local_tell(s->path, buf_slice(&text));
    buf_done(&text);
}

static void on_alive(struct timer *t)
{
    struct service *s = LIST_ENTRY(t, struct service, alive);

    tell(s, "WATCHDOG=1\n", (struct slice){NULL, 0});
    timer_set(s->loop, &s->alive, s->alive_ms);
}

static bool number_in(const char *name, uint64_t *out)
{
    const char *text = getenv(name);
    struct cursor c = {slice_of(text == NULL ? "" : text)};

    return take_number(&c, out) && cursor_at_end(&c);
}

/* Left by a manager for another process, from which we inherited it: not for us. */
static bool is_for_us(const char *name, bool unless_named)
{
    uint64_t pid;

    if (getenv(name) == NULL)
        return unless_named;
    return number_in(name, &pid) && pid == (uint64_t)getpid();
}

static void read_environment(struct service *s)
{
    const char *path = getenv("NOTIFY_SOCKET");
    uint64_t us, count;

    if (path != NULL && (*path == '/' || *path == '@') && slice_of(path).len < sizeof(s->path))
        (void)snprintf(s->path, sizeof(s->path), "%s", path);
    if (is_for_us("WATCHDOG_PID", true) && number_in("WATCHDOG_USEC", &us))
        s->alive_ms = us / 1000 / 2; /* twice in the time that is allowed */
    if (is_for_us("LISTEN_PID", false) && number_in("LISTEN_FDS", &count) && count < INT_MAX)
        s->inherited_count = (unsigned)count;
}

void service_init(struct service *s, struct loop *loop)
{
    static const char *const names[] = {"NOTIFY_SOCKET", "WATCHDOG_PID", "WATCHDOG_USEC",
                                        "LISTEN_PID",    "LISTEN_FDS",   "LISTEN_FDNAMES"};

    *s = (struct service){.loop = loop};
    timer_init(&s->alive, on_alive);
    read_environment(s);
    for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
        (void)unsetenv(names[i]);
    if (s->alive_ms > 0 && s->path[0] != '\0')
        on_alive(&s->alive);
}

void service_done(struct service *s)
{
    timer_cancel(s->loop, &s->alive);
}

void service_is_ready(struct service *s, struct slice status)
{
    tell(s, "READY=1\n", status);
}

void service_reloads(struct service *s)
{
    tell(s, "RELOADING=1\n", SLICE("reading the configuration again"));
}

void service_stops(struct service *s)
{
    tell(s, "STOPPING=1\n", SLICE("finishing what runs"));
}

void service_status(struct service *s, struct slice status)
{
    tell(s, "", status);
}
