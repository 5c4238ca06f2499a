/*
 * guard.c - the table of who is who, and the way there.
 *
 * The table is what a person who wonders about a captured process reads, beside the one in
 * ipc/messages.c. docs/install.md says what each may read.
 *
 * A receiver's files are its own to write and nobody's to read but the courier's: 0240, by the
 * umask, in a group of which the receiver is a member only so that it can give files to it.
 */
#include "guard/guard.h"

#include "base/cursor.h"

#include <assert.h>
#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <sys/capability.h>
#include <sys/fsuid.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

static const struct policy {
    const char *role;
    const char *user;
    const char *group; /* NULL: that of the user */
    const char *also;  /* NULL: none */
    mode_t umask;
} policies[GUARD_ROLES] = {
    {"receiver", "postroad-in",  "postroad-queue", NULL,             0407},
    {"courier",  "postroad-out", NULL,             "postroad-queue", 0077},
    {"postman",  "vmail",        NULL,             NULL,             0077},
    {"vault",    "postroad-key", NULL,             NULL,             0077},
    {"scribe",   "postroad-log", NULL,             NULL,             0077},
};

static const char admin_group[] = "postroad-admin";

/* To become the users, to bind ports at a reload, to read tables and keys that belong to others, to
 * end a child that hangs. */
static const cap_value_t kept[] = {CAP_SETUID, CAP_SETGID, CAP_NET_BIND_SERVICE,
                                   CAP_DAC_READ_SEARCH, CAP_KILL};

enum { KEPT = sizeof(kept) / sizeof(*kept) };

static size_t number_of(const char *role)
{
    size_t i = 0;

    while (i < GUARD_ROLES && !slice_equal(slice_of(policies[i].role), slice_of(role)))
        i++;
    assert(i < GUARD_ROLES);
    return i;
}

/* ---- names ---- */

static bool find_group(const char *name, unsigned *out, const char **missing)
{
    const struct group *found = getgrnam(name);

    if (found == NULL) {
        *missing = name;
        return false;
    }
    *out = found->gr_gid;
    return true;
}

static bool find_user(const struct policy *p, struct guard_user *out, const char **missing)
{
    const struct passwd *found = getpwnam(p->user);

    if (found == NULL) {
        *missing = p->user;
        return false;
    }
    out->user = found->pw_uid;
    out->group = found->pw_gid;
    if (p->group != NULL && !find_group(p->group, &out->group, missing))
        return false;
    out->also = out->group;
    return p->also == NULL || find_group(p->also, &out->also, missing);
}

int guard_find(struct guard *g, const char **missing)
{
    struct guard found = {.separate = true};

    for (size_t i = 0; i < GUARD_ROLES; i++)
        if (!find_user(&policies[i], &found.users[i], missing))
            return -ENOENT;
    if (!find_group(admin_group, &found.admin_group, missing))
        return -ENOENT;
    *g = found;
    return 0;
}

const struct guard_user *guard_user(const struct guard *g, const char *role)
{
    return &g->users[number_of(role)];
}

void guard_write(const struct guard *g, const char *role, char out[GUARD_TEXT_MAX])
{
    const struct guard_user *u = guard_user(g, role);

    (void)snprintf(out, GUARD_TEXT_MAX, "%u:%u:%u", u->user, u->group, u->also);
}

static bool read_user(struct slice text, struct guard_user *out)
{
    struct cursor c = {text};
    uint64_t user, group, also;

    if (!take_number(&c, &user) || !take_char(&c, ':') || !take_number(&c, &group) ||
        !take_char(&c, ':') || !take_number(&c, &also) || !cursor_at_end(&c) || user > INT32_MAX ||
        group > INT32_MAX || also > INT32_MAX)
        return false;
    *out = (struct guard_user){(unsigned)user, (unsigned)group, (unsigned)also};
    return true;
}

/* ---- in a child ---- */

static int become(const struct guard_user *u)
{
    const struct rlimit no_core = {0, 0};
    gid_t also = u->also;

    if (setrlimit(RLIMIT_CORE, &no_core) < 0 || setgroups(also != u->group, &also) < 0 ||
        setresgid(u->group, u->group, u->group) < 0 || setresuid(u->user, u->user, u->user) < 0)
        return -errno;
    /* A way back would mean that all of this was for nothing. */
    return setresuid(0, 0, 0) == 0 ? -EPERM : 0;
}

int guard_enter(const char *role, const char *who, unsigned first_free)
{
    struct guard_user user;
    int code = 0;

    if (close_range(first_free, ~0U, 0) < 0)
        return -errno;
    umask(who == NULL ? 0077 : policies[number_of(role)].umask);
    if (who != NULL) {
        if (!read_user(slice_of(who), &user) || user.user == 0)
            return -EINVAL;
        code = become(&user);
    }
    if (code == 0 && (prctl(PR_SET_DUMPABLE, 0) < 0 || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0))
        code = -errno;
    return code;
}

/* ---- in the warden ---- */

void guard_borrow(const struct guard_user *user)
{
    (void)setfsgid(user->group);
    (void)setfsuid(user->user);
}

void guard_borrow_admins(const struct guard *g)
{
    if (g->separate)
        (void)setfsgid(g->admin_group);
}

void guard_return(void)
{
    (void)setfsuid(geteuid());
    (void)setfsgid(getegid());
}

static bool is_kept(cap_value_t c)
{
    for (size_t i = 0; i < KEPT; i++)
        if (kept[i] == c)
            return true;
    return false;
}

/* Where a container gave us fewer, those stay that it gave. */
static int keep(cap_t caps)
{
    cap_t now = cap_get_proc();
    int code = now == NULL ? -errno : 0;

    for (size_t i = 0; code == 0 && i < KEPT; i++) {
        cap_flag_value_t have;

        if (cap_get_flag(now, kept[i], CAP_PERMITTED, &have) < 0 ||
            (have == CAP_SET && (cap_set_flag(caps, CAP_PERMITTED, 1, &kept[i], CAP_SET) < 0 ||
                                 cap_set_flag(caps, CAP_EFFECTIVE, 1, &kept[i], CAP_SET) < 0)))
            code = -errno;
    }
    if (code == 0 && cap_set_proc(caps) < 0)
        code = -errno;
    (void)cap_free(now);
    return code;
}

int guard_shrink(void)
{
    cap_t caps = cap_init();

    if (caps == NULL)
        return -errno;
    /* Without SETPCAP the bounds stay as who started us set them. */
    for (cap_value_t c = 0; cap_get_bound(c) >= 0; c++)
        if (!is_kept(c))
            (void)cap_drop_bound(c);
    int code = keep(caps);
    (void)cap_free(caps);
    return code;
}
