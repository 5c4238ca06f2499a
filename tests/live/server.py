"""The program as a black box: start it, wait until it greets, find its processes, stop it, read
its mailboxes. Shared by tests/interop and tests/crash_kill. Knows nothing of the code."""
import glob
import hashlib
import os
import random
import re
import signal
import socket
import subprocess
import sys
import time

import users

TOP = os.path.abspath(os.path.join(os.path.dirname(__file__), "..", ".."))
BINARY = os.path.abspath(os.environ.get("POSTROAD", os.path.join(TOP, "build", "postroad")))


class NotStarted(Exception):
    pass


def _ports():
    """Each port once, in any order. Below those that the kernel gives to connections and to who
    listens on port 0: between being chosen and being listened on, nobody else takes one."""
    with open("/proc/sys/net/ipv4/ip_local_port_range") as f:
        above = int(f.read().split()[0])
    if above <= 11000:
        sys.exit("net.ipv4.ip_local_port_range begins too low: no ports are left for tests")
    return iter(random.sample(range(10000, above), above - 10000))


_port = _ports()


def _is_free(port):
    for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
        with socket.socket(type=kind) as s:
            try:
                s.bind(("", port))
            except OSError:
                return False
    return True


def free_port():
    return next(filter(_is_free, _port))


def free_ports(count):
    return [free_port() for _ in range(count)]


def wait_until(what, seconds=60.0, step=0.02):
    """The first true value of what(), or its last one when the time is over: so long that only what
    never comes takes it, on the slowest machine."""
    end = time.monotonic() + seconds
    while not (got := what()) and time.monotonic() < end:
        time.sleep(step)
    return got


def memory_holds(pid, text):
    """Does this process have these bytes anywhere it can write? PermissionError: nobody may look."""
    with open(f"/proc/{pid}/maps", encoding="ascii") as maps, \
            open(f"/proc/{pid}/mem", "rb", 0) as memory:
        for line in maps:
            found = re.match(r"([0-9a-f]+)-([0-9a-f]+) rw", line)
            begin, end = (int(word, 16) for word in found.groups()) if found else (0, 0)
            # What is larger is the books of a sanitizer.
            if end - begin <= 1 << 28 and text in _part(memory, begin, end - begin):
                return True
    return False


def _part(memory, begin, size):
    """As much of it as can be read; a read may end before it has all."""
    got = b""
    try:
        memory.seek(begin)
        while len(got) < size and (more := memory.read(size - len(got))):
            got += more
    except (OSError, ValueError, OverflowError):
        pass
    return got


def children(pid):
    """Pids of the processes whose parent is pid."""
    found = []
    for stat in glob.glob("/proc/[0-9]*/stat"):
        try:
            with open(stat) as f:
                fields = f.read().rsplit(")", 1)[1].split()
        except (OSError, IndexError):
            continue
        if int(fields[1]) == pid and fields[0] not in "ZX":
            found.append(int(stat.split("/")[2]))
    return found


def role_of(pid):
    """"receiver", "courier" ...: from `postroad role receiver 0`; "" when it is gone."""
    try:
        with open(f"/proc/{pid}/cmdline", "rb") as f:
            words = f.read().decode(errors="replace").split("\0")
        return words[words.index("role") + 1] if "role" in words else ""
    except OSError:
        return ""


def is_gone(pid):
    """With all its sockets: a process has no command line any more before it closes them."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as f:
            return f.read().rpartition(b") ")[2][:1] in (b"Z", b"X")
    except OSError:
        return True


class Server:
    """`postroad dev` in a folder of its own, or `postroad serve` on a given configuration."""
    parts = ["warden", "all"]  # what can be killed besides its roles

    def __init__(self, folder, config=None):
        self.folder = str(folder)
        self.data = os.path.join(self.folder, "data")
        self.port = free_port()
        self.config = config  # text; {port} and {folder} are filled in
        self.log_path = os.path.join(self.folder, "log")
        self.out_path = os.path.join(self.folder, "out")
        self.process = None
        self.begun = 0  # where in the log the last start is

    def command(self):
        if self.config is None:
            return [BINARY, "dev", "--dir", self.data, "--smtp", f"127.0.0.1:{self.port}"]
        path = os.path.join(self.folder, "postroad.conf")
        text = self.config.replace("{port}", str(self.port)).replace("{folder}", self.folder)
        with open(path, "w", encoding="utf-8") as f:
            f.write(text)
        return users.serve(self.folder, [BINARY, "serve", "-c", path])

    def start(self, seconds=60):
        """Until it greets: others of its roles may still be on their way, see ready()."""
        with open(self.out_path, "ab") as out, open(self.log_path, "ab") as log:
            self.begun = len(self.log())
            self.process = subprocess.Popen(self.command(), stdin=subprocess.DEVNULL, stdout=out,
                                            stderr=log, start_new_session=True)
        if not wait_until(lambda: self.greets() or self.process.poll() is not None, seconds) \
                or self.process.poll() is not None:
            self.kill_all()
            raise NotStarted(f"{self.process.args}: exit {self.process.poll()}; {self.log()[-1500:]}")
        return self

    def ready(self):
        """Until every role is there and has all it needs."""
        assert wait_until(lambda: "started, version" in self.log()[self.begun:]), self.log()[-2000:]
        return self

    def greets(self):
        try:
            with socket.create_connection(("127.0.0.1", self.port), 5) as s:
                return s.recv(4) == b"220 "
        except OSError:
            return False

    def ask(self, *words):
        """What a tool for people says about this server; "" when it does not answer."""
        which = ["--dir", self.data] if self.config is None else \
            ["-c", os.path.join(self.folder, "postroad.conf")]
        return subprocess.run([BINARY, *words, *which], stdout=subprocess.PIPE,
                              stderr=subprocess.DEVNULL, text=True, check=False).stdout

    def flush(self):
        """What waits for its time is tried now; True when something did wait."""
        said = self.ask("queue", "retry", "--status", "deferred", "--yes")
        return bool(re.match("retry: [1-9]", said))

    def retry_now(self):
        """The same, once the queue is there and knows of it."""
        assert wait_until(self.flush)

    def queued(self):
        """How many messages are in the queue; None when it does not say."""
        found = re.search(r"running: (\d+) messages", self.ask("status"))
        return int(found[1]) if found else None

    def roles(self):
        """[(pid, role)] of the living children of our warden."""
        return [(pid, role) for pid in children(self.process.pid) if (role := role_of(pid))]

    def kill_all(self):
        """As a crash of the whole system: the warden and every role, by kill -9."""
        pids = [pid for pid, _ in self.roles()]
        self.process.kill()
        for pid in pids:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        self.process.wait()
        if not wait_until(lambda: all(is_gone(pid) for pid in pids), 10):
            raise AssertionError("roles outlive kill -9")

    def stop(self, seconds=30):
        """SIGTERM; returns the exit status. What a sanitizer said is a failure: the warden starts
        a role again that died of it, and the mail goes through."""
        if self.process.poll() is None:
            self.process.terminate()
        status = self.process.wait(seconds)
        found = SANITIZER.search(self.log())
        assert not found, f"sanitizer: {self.log()[found.start():][:3000]}"
        return status

    def out(self):
        with open(self.out_path, encoding="utf-8", errors="replace") as f:
            return f.read()

    def log(self):
        return whole_lines(self.log_path)

    def mail_root(self):
        return os.path.join(self.data, "mail")

    def mails(self, user, domain="example.org"):
        """Paths of the mails in one inbox, oldest first."""
        found = glob.glob(os.path.join(glob.escape(self.mail_root()), domain, user, "new", "*"))
        return sorted(found, key=os.path.getmtime)

    def wait_mail(self, user, domain="example.org", count=1, seconds=60):
        """The contents of the mails once `count` are there; fails when they do not come."""
        wait_until(lambda: len(self.mails(user, domain)) >= count, seconds)
        found = self.mails(user, domain)
        assert len(found) == count, f"{len(found)} mails for {user}@{domain}, not {count}"
        return [read(path) for path in found]


def whole_lines(path):
    """The text of a log, without the line that is just being written."""
    with open(path, encoding="utf-8", errors="replace") as f:
        text = f.read()
    return text[:text.rfind("\n") + 1]


SANITIZER = re.compile(r"ERROR: \w+Sanitizer|runtime error: ")


def read(path):
    with open(path, "rb") as f:
        return f.read()


# Our Received ends with its date, which may be folded itself: what is folded below that is the
# sender's first line.
TRACE = re.compile(rb"\AReturn-Path: [^\n]*\n(?:[ \t][^\n]*\n)*"
                   rb"Received: (?:[^\n]*\n[ \t])*?[^\n]*;\s+\w{3},\s+\d+\s+\w{3}\s+\d{4}\s+"
                   rb"[0-9:]{8}\s+[+-]\d{4}(?: \(\w+\))?\n")


def as_sent(stored):
    """A mail as its sender gave it: the Return-Path and the one Received that we put on top taken
    off, CRLF for LF."""
    match = TRACE.match(stored)
    assert match, f"no Return-Path and Received on top: {stored[:300]!r}"
    return stored[match.end():].replace(b"\n", b"\r\n")


def digest(content):
    return hashlib.sha256(content).hexdigest()
