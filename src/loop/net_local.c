/*
 * net_local.c - sockets in the file system.
 *
 * The name of such a socket outlives its owner. A name that nobody answers at is what a killed
 * system left: it is taken over. Nothing else is ever removed.
 */
#include "loop/net_local.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

static bool local_address(const char *path, struct sockaddr_un *out)
{
    struct slice text = slice_of(path);

    *out = (struct sockaddr_un){.sun_family = AF_UNIX};
    if (text.len >= sizeof(out->sun_path))
        return false;
    memcpy(out->sun_path, text.data, text.len);
    return true;
}

/* What a system that was killed left behind: nobody answers there. */
static bool is_stale(const struct sockaddr_un *address)
{
    struct stat st;
    int h = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool refused = h >= 0 && connect(h, (const struct sockaddr *)address, sizeof(*address)) < 0 &&
                   errno == ECONNREFUSED;

    if (h >= 0)
        (void)close(h);
    return refused && lstat(address->sun_path, &st) == 0 && S_ISSOCK(st.st_mode);
}

static int bind_local(int h, const struct sockaddr_un *address)
{
    if (bind(h, (const struct sockaddr *)address, sizeof(*address)) == 0)
        return 0;
    if (errno != EADDRINUSE || !is_stale(address))
        return -errno;
    if (unlink(address->sun_path) < 0 ||
        bind(h, (const struct sockaddr *)address, sizeof(*address)) < 0)
        return -errno;
    return 0;
}

int net_local_listen(const char *path, unsigned mode, int backlog)
{
    struct sockaddr_un address;

    if (!local_address(path, &address))
        return -ENAMETOOLONG;
    int h = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (h < 0)
        return -errno;
    /* Before it has a name, so that there is no moment at which it is open to all. */
    int code = fchmod(h, (mode_t)mode) < 0 ? -errno : bind_local(h, &address);
    /* The umask took some of it away. */
    if (code == 0 && (chmod(address.sun_path, (mode_t)mode) < 0 || listen(h, backlog) < 0))
        code = -errno;
    if (code == 0)
        return h;
    (void)close(h);
    return code;
}

int net_local_user(int handle, uint32_t *out)
{
    struct ucred who;
    socklen_t len = sizeof(who);

    if (getsockopt(handle, SOL_SOCKET, SO_PEERCRED, &who, &len) < 0)
        return -errno;
    *out = who.uid;
    return 0;
}

int net_local_connect(const char *path)
{
    struct sockaddr_un address;

    if (!local_address(path, &address))
        return -ENAMETOOLONG;
    int h = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (h < 0)
        return -errno;
    if (connect(h, (const struct sockaddr *)&address, sizeof(address)) < 0) {
        int code = errno == EAGAIN ? -ECONNREFUSED : -errno; /* its backlog is full */
        (void)close(h);
        return code;
    }
    return h;
}

int net_local_tell(const char *path, struct slice text)
{
    struct sockaddr_un address;

    if (!local_address(path, &address))
        return -ENAMETOOLONG;
    socklen_t len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + slice_of(path).len);
    if (*path == '@')
        address.sun_path[0] = '\0';
    else
        len++;
    int h = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (h < 0)
        return -errno;
    ssize_t sent =
        sendto(h, text.data, text.len, MSG_NOSIGNAL, (const struct sockaddr *)&address, len);
    int code = sent < 0 ? -errno : 0;
    (void)close(h);
    return code;
}

static bool listens(int h)
{
    int on = 0, type = 0;
    socklen_t len = sizeof(on);

    return getsockopt(h, SOL_SOCKET, SO_TYPE, &type, &len) == 0 && type == SOCK_STREAM &&
           getsockopt(h, SOL_SOCKET, SO_ACCEPTCONN, &on, &len) == 0 && on;
}

int net_local_inherit(int handle, char path[NET_LOCAL_PATH_MAX])
{
    struct sockaddr_un own = {0};
    socklen_t len = sizeof(own);

    if (!listens(handle))
        return -EINVAL;
    if (getsockname(handle, (struct sockaddr *)&own, &len) < 0 ||
        fcntl(handle, F_SETFD, FD_CLOEXEC) < 0 || fcntl(handle, F_SETFL, O_NONBLOCK) < 0)
        return -errno;
    memset(path, 0, NET_LOCAL_PATH_MAX);
    if (own.sun_family == AF_UNIX)
        memcpy(path, own.sun_path, sizeof(own.sun_path));
    return 0;
}
