/*
 * service.h - the service manager that started us, if one did: told how we do (sd_notify(3)).
 *
 * Without one every call does nothing. What it left in the environment is taken out of it, so that
 * no child answers for us.
 */
#ifndef ROLES_SERVICE_H
#define ROLES_SERVICE_H

#include "loop/loop.h"

#include <limits.h>

struct service {
    struct loop *loop;
    char path[PATH_MAX];      /* "": nobody wants to hear */
    struct timer alive;       /* while the loop turns */
    uint64_t alive_ms;        /* 0: no watchdog */
    unsigned inherited_count; /* listening sockets from descriptor 3 on */
};

/* Reads the environment. */
void service_init(struct service *s, struct loop *loop);
void service_done(struct service *s);

/* `status` is a line for people. READY ends a reload, too, whatever became of it. */
void service_is_ready(struct service *s, struct slice status);
void service_reloads(struct service *s);
void service_stops(struct service *s);
void service_status(struct service *s, struct slice status);

#endif
