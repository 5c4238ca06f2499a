"""A mail server of others, unpacked and never installed. It runs in a root of its own: /usr is what
tools/install-deps unpacked, all else is the test's. Shared by tests/interop and tests/crash_*."""
import os
import re
import shutil
import signal
import socket
import subprocess

from server import NotStarted, children, free_port, wait_until, whole_lines

# In mount and pid namespaces of their own: with the first process all others end, and with the
# last one what was mounted. What is mounted besides: "SOURCE TARGET" pairs up to "--".
ENTER = """
usr=$1 root=$2
shift 2
mount --bind "$usr" "$root/usr" && mount -o remount,bind,ro "$root/usr" &&
    mount -t proc proc "$root/proc" && mount --rbind /dev "$root/dev" || exit 125
while [ "$1" != -- ]; do
    mount --bind "$1" "$root/$2" || exit 125
    shift 2
done
shift
while [ "$1" != -- ]; do
    chroot "$root" "$1" || exit 125
    shift
done
shift
exec chroot "$root" "$@"
"""


class NotHere(Exception):
    """Not on this machine, and why."""


def unpacked(package):
    cache = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    usr = os.path.join(cache, "postroad", "roots", package, "usr")
    if not os.path.isdir(usr):
        raise NotHere(f"{package}: cannot be downloaded")
    return usr


def need_namespaces():
    if os.geteuid() != 0 or not shutil.which("unshare"):
        raise NotHere("servers of others run as root, in a root of their own")
    done = subprocess.run(["unshare", "--mount", "--pid", "--fork", "true"], capture_output=True,
                          check=False)
    if done.returncode != 0:
        raise NotHere(f"no namespaces here: {done.stderr.decode().strip()}")


class Foreign:
    package, program, users, greeting = "", [], [], b"220 "
    before = []  # programs without arguments that run before each start
    log_file = "var/log/log"

    def __init__(self, folder, places=None, **given):
        """`places`: {"var/spool": folder elsewhere}. %NAME% in a file is what was given as `name`."""
        need_namespaces()
        self.usr = unpacked(self.package)
        self.port = free_port()
        self.places = places or {}
        self.given = given
        self.root = os.path.join(str(folder), self.package)
        self.out_path = os.path.join(str(folder), self.package + ".out")
        self.process = None
        for name in ("usr", "proc", "dev", "etc", "tmp", "run", "var/log", "var/lib", "var/spool"):
            os.makedirs(os.path.join(self.root, name))
        for name in self.places:
            os.makedirs(os.path.join(self.root, name), exist_ok=True)
        os.chmod(os.path.join(self.root, "tmp"), 0o1777)
        for link in ("bin", "sbin", "lib", "lib64"):
            os.symlink(f"usr/{link}", os.path.join(self.root, link))
        os.symlink("../run", os.path.join(self.root, "var/run"))
        self.ids = {"root": 0, "nobody": 65534, **{u: 2001 + n for n, u in enumerate(self.users)}}
        self.write("etc/passwd", "".join(f"{name}:x:{uid}:{uid}::/nonexistent:/bin/false\n"
                                         for name, uid in self.ids.items()))
        self.write("etc/group", "".join(f"{name}:x:{gid}:\n" for name, gid in self.ids.items()))
        self.write("etc/hosts", "127.0.0.1 localhost peer.example\n")
        self.write("etc/services", "smtp 25/tcp\nlmtp 24/tcp\n")
        self.write("etc/nsswitch.conf", "passwd: files\ngroup: files\nhosts: files\n")
        self.configure()

    def configure(self):
        raise NotImplementedError

    def fill_in(self, text):
        values = {"PORT": self.port, **{name.upper(): value for name, value in self.given.items()}}
        return re.sub("%([A-Z]+)%", lambda m: str(values.get(m[1], m[0])), text)

    def path(self, name):
        """Where a file of its root lies when it does not run."""
        for place, elsewhere in self.places.items():
            if name == place or name.startswith(place + "/"):
                return os.path.join(elsewhere, name[len(place) + 1:])
        return os.path.join(self.root, name)

    def write(self, name, text):
        path = self.path(name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w", encoding="utf-8") as f:
            f.write(self.fill_in(text))

    def folder(self, name, owner="root", mode=0o755, group=None):
        path = self.path(name)
        os.makedirs(path, exist_ok=True)
        os.chown(path, self.ids[owner], self.ids[group or owner])
        os.chmod(path, mode)

    def start(self):
        mounts = [word for place, elsewhere in self.places.items() for word in (elsewhere, place)]
        with open(self.out_path, "ab") as out:
            self.process = subprocess.Popen(
                ["unshare", "--mount", "--pid", "--fork", "sh", "-c", ENTER, "sh",
                 self.usr, self.root, *mounts, "--", *self.before, "--", *self.program],
                env={"PATH": "/usr/sbin:/usr/bin"}, stdin=subprocess.DEVNULL, stdout=out,
                stderr=out, start_new_session=True)
        if not wait_until(lambda: self.greets() or self.process.poll() is not None) \
                or self.process.poll() is not None:
            raise NotStarted(f"{self.package}: exit {self.process.poll()}; {self.log()[-3000:]}")
        return self

    def greets(self):
        try:
            with socket.create_connection(("127.0.0.1", self.port), 5) as s:
                return s.recv(4).startswith(self.greeting)
        except OSError:
            return False

    def run_inside(self, *command, group="root"):
        """Starts a program of its own beside it; a Popen, or None when it does not run."""
        first = children(self.process.pid)
        return first and subprocess.Popen(
            ["nsenter", "--mount", "--pid", "--root", "--wd", "--setgid", str(self.ids[group]),
             "--target", str(first[0]), *command], env={"PATH": "/usr/sbin:/usr/bin"},
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def stop(self):
        """The first process of the namespace is ended itself: whoever changes its user, as Postfix
        does, no longer hears that its parent ended. All others end with it."""
        if self.process:
            for pid in children(self.process.pid):
                os.kill(pid, signal.SIGKILL)
            self.process.wait(10)

    def log(self):
        text = ""
        for path in (self.out_path, os.path.join(self.root, self.log_file)):
            if os.path.exists(path):
                text += whole_lines(path)
        return text
