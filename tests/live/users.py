"""The users of the roles, without changing this machine: the server sees an /etc/passwd and an
/etc/group of its own, in which they are as conf/sysusers.d says. As root, where mounts may be made."""
import functools
import os
import resource
import subprocess

TOP = os.path.abspath(os.path.join(os.path.dirname(__file__), "..", ".."))
FIRST_ID = 64001  # where neither Debian nor people number theirs

# --propagation slave: what is unmounted outside, as when the power goes, is gone inside as well.
# exec: the server keeps the pid by which the tests know it.
PRIVATE = ["unshare", "--mount", "--propagation", "slave", "--"]
ENTER = 'mount --bind "$1" /etc/passwd && mount --bind "$2" /etc/group && shift 2 && exec "$@"'


def entries():
    with open(os.path.join(TOP, "conf", "sysusers.d", "postroad.conf"), encoding="utf-8") as f:
        return [words for line in f if (words := line.split()) and not line.startswith("#")]


def names():
    """{name: id} of users and groups; a user's group has the user's name and number."""
    made = [words[1] for words in entries() if words[0] in "gu"]
    return {name: FIRST_ID + number for number, name in enumerate(made)}


def tables():
    """/etc/passwd and /etc/group, with them in it; those of the machine make way."""
    ids = names()
    users = [words[1] for words in entries() if words[0] == "u"]

    def rest(path):
        with open(path, encoding="utf-8") as f:
            return "".join(line for line in f if line.split(":")[0] not in ids)
    passwd = rest("/etc/passwd") + "".join(
        f"{name}:x:{ids[name]}:{ids[name]}::/nonexistent:/usr/sbin/nologin\n" for name in users)
    return passwd, rest("/etc/group") + "".join(f"{name}:x:{id}:\n" for name, id in ids.items())


@functools.cache
def possible():
    return os.geteuid() == 0 and subprocess.run(
        [*PRIVATE, "sh", "-c", "mount --bind /etc/group /etc/group"], check=False,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode == 0


def open_way(path):
    """Who opens a file by its path, as the courier does authorities, must be able to get there."""
    folder = os.path.dirname(os.path.realpath(path))
    while folder not in ("/", "/tmp"):
        if (mode := os.stat(folder).st_mode) & 0o001 == 0:
            os.chmod(folder, mode & 0o7777 | 0o011)
        folder = os.path.dirname(folder)


def serve(folder, command):
    """How to start `postroad serve` so that each role is a user of its own, where that can be."""
    if not possible():
        return [*command[:2], "--as-caller", *command[2:]]
    if os.path.exists(authorities := os.environ.get("SSL_CERT_FILE", "")):
        open_way(authorities)
    paths = []
    for name, text in zip(("passwd", "group"), tables()):
        paths.append(os.path.join(folder, name))
        with open(paths[-1], "w", encoding="utf-8") as f:
            f.write(text)
        os.chmod(paths[-1], 0o644)
    return [*PRIVATE, "sh", "-c", ENTER, "sh", *paths, *command]


def give(path, name):
    """A folder that a test made for a role, as an administrator gives mailboxes to vmail."""
    if possible():
        os.chown(path, names()[name], names()[name])


def limit(pid, what, value):
    """setrlimit of another process: only its own user may, where root has few capabilities."""
    with open(f"/proc/{pid}/status", encoding="utf-8") as f:
        ids = {line.split()[0]: int(line.split()[1]) for line in f if line[:4] in ("Uid:", "Gid:")}
    child = os.fork()
    if child == 0:
        try:
            os.setresgid(*[ids["Gid:"]] * 3)
            os.setresuid(*[ids["Uid:"]] * 3)
            resource.prlimit(pid, what, (value, value))
        finally:
            os._exit(0 if resource.prlimit(pid, what)[0] == value else 1)
    assert os.waitpid(child, 0)[1] == 0
