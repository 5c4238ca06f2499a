"""postroad under a service manager, without one: what it is told, sockets that it hands over."""
import glob
import os
import queue
import re
import shutil
import signal
import smtplib
import socket
import subprocess
import sys
import threading
import time

import pytest
import users
from conftest import CONTENT, need, run
from server import BINARY, TOP, Server, children, role_of, wait_until

UNITS = os.path.join(TOP, "conf", "systemd")
CONFIG = """\
hostname mx.example.org
queue    {folder}/spool
postmaster ann@example.org
listen mx 127.0.0.1:{port}
accept to domain example.org deliver maildir {folder}/data/mail/{domain}/{user}
"""

# Becomes the program with its own pid in the environment, as a service manager does it.
MANAGER = """\
import os, sys
fd, words = int(sys.argv[1]), sys.argv[2:]
if fd >= 0:
    os.dup2(fd, 3)
    os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS="1", LISTEN_FDNAMES="mx")
os.environ["WATCHDOG_PID"] = str(os.getpid())
os.execvp(words[0], words)
"""


class Managed(Server):
    """A server whose service manager we are."""

    def __init__(self, folder, config, listening=None):
        super().__init__(folder, config)
        self.listening = listening
        self.path = os.path.join(self.folder, "notify")
        self.ears = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.ears.bind(self.path)
        self.heard, self.said = [], queue.Queue()
        threading.Thread(target=self.listen, daemon=True).start()

    def listen(self):
        """All the time, as a manager does: what finds no room in the socket would be lost."""
        while datagram := self.ears.recv(8192):
            self.said.put(datagram.decode().splitlines())
        self.ears.close()

    def deafen(self):
        self.ears.shutdown(socket.SHUT_RDWR)

    def command(self):
        fd = -1 if self.listening is None else self.listening.fileno()
        return [sys.executable, "-c", MANAGER, str(fd), *super().command()]

    def start(self, seconds=60):
        os.environ.update(NOTIFY_SOCKET=self.path, WATCHDOG_USEC="200000")
        if self.listening is not None:
            os.set_inheritable(self.listening.fileno(), True)
        try:
            with open(self.log_path, "ab") as log:
                self.process = subprocess.Popen(self.command(), stdin=subprocess.DEVNULL, stdout=log,
                                                stderr=log, start_new_session=True, close_fds=False)
        finally:
            del os.environ["NOTIFY_SOCKET"], os.environ["WATCHDOG_USEC"]
        assert self.hears("READY=1", seconds), self.log()[-1500:]
        return self

    def hears(self, word, seconds=60):
        """What it came with, once `word` has come; that is then forgotten with all before it."""
        end = time.monotonic() + seconds
        while True:
            for n, said in enumerate(self.heard):
                if word in said:
                    del self.heard[:n + 1]
                    return said
            try:
                self.heard.append(self.said.get(timeout=max(0, end - time.monotonic())))
            except queue.Empty:
                return None


def stop(server):
    assert server.stop() == 0, server.log()[-2000:]
    server.deafen()


def test_the_manager_is_told(tmp_path):
    server = Managed(tmp_path, CONFIG).start()
    assert server.greets()
    assert server.hears("WATCHDOG=1") and server.hears("WATCHDOG=1")
    server.process.send_signal(signal.SIGHUP)
    assert server.hears("RELOADING=1")
    said = server.hears("READY=1")
    assert any(word.startswith("STATUS=settings were read again") for word in said)
    assert any(f"SMTP on 127.0.0.1:{server.port}" in word for word in said)
    stop(server)


def test_a_reload_that_is_refused_ends_too(tmp_path):
    server = Managed(tmp_path, CONFIG).start()
    with open(os.path.join(server.folder, "postroad.conf"), "a", encoding="utf-8") as f:
        f.write("nonsense\n")
    server.process.send_signal(signal.SIGHUP)
    assert server.hears("RELOADING=1")
    assert any("refused" in word for word in server.hears("READY=1"))
    assert server.greets()
    stop(server)


def test_it_says_that_it_stops(tmp_path):
    server = Managed(tmp_path, CONFIG).start()
    server.process.terminate()
    assert server.hears("STOPPING=1")
    stop(server)


def test_no_child_answers_for_it(tmp_path):
    server = Managed(tmp_path, CONFIG).start()
    for pid, _ in server.roles():
        with open(f"/proc/{pid}/environ", "rb") as f:
            assert not re.search(rb"NOTIFY_SOCKET|WATCHDOG_|LISTEN_", f.read())
    stop(server)


def test_inherited_sockets_take_connections_before_it_runs(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as listening:
        early = socket.create_connection(listening.getsockname())
        server = Managed(tmp_path, CONFIG, listening)
        server.port = listening.getsockname()[1]
        server.start()
        early.settimeout(60)
        assert early.recv(4) == b"220 "
        early.close()
        stop(server)
        # The socket is the manager's: who connects now waits for the next start.
        waiting = socket.create_connection(listening.getsockname())
        os.remove(server.path)
        again = Managed(tmp_path, CONFIG, listening)
        again.port = server.port
        again.start()
        waiting.settimeout(60)
        assert waiting.recv(4) == b"220 "
        waiting.close()
        stop(again)


def test_an_inherited_socket_in_the_file_system(tmp_path):
    path = str(tmp_path / "lmtp")
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(path)
        listening.listen()
        server = Managed(tmp_path, CONFIG + f"listen lmtp unix:{path}\n", listening).start()
        with socket.socket(socket.AF_UNIX) as client:
            client.settimeout(60)
            client.connect(path)
            assert client.recv(4) == b"220 "
        stop(server)


def test_what_nobody_listens_on_is_told(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as listening:
        server = Managed(tmp_path, CONFIG, listening)
        assert server.port != listening.getsockname()[1]
        server.start()
        told = f"no 'listen' names the inherited socket 127.0.0.1, port {listening.getsockname()[1]}: closed"
        assert wait_until(lambda: told in server.log()), server.log()
        stop(server)


def test_what_was_meant_for_another_process_is_left_alone(tmp_path):
    server = Server(tmp_path, CONFIG)
    os.environ.update(LISTEN_PID="1", LISTEN_FDS="1")
    try:
        server.start()
    finally:
        del os.environ["LISTEN_PID"], os.environ["LISTEN_FDS"]
    assert "descriptor" not in server.log() and "inherited" not in server.log()
    assert server.stop() == 0


# ---- the units ----

def unit(name):
    with open(os.path.join(UNITS, name), encoding="utf-8") as f:
        return f.read()


def test_systemd_finds_no_fault_in_the_units(tmp_path):
    need("systemd-analyze")
    for name in ("postroad.service", "postroad.socket"):
        text = re.sub(r"man:\S+ ", "", unit(name).replace("/usr/sbin/postroad", BINARY))
        (tmp_path / name).write_text(text)
    code, said = run("systemd-analyze", "verify", tmp_path / "postroad.service", tmp_path / "postroad.socket")
    assert (code, [line for line in said.splitlines() if "postroad" in line]) == (0, [])


def test_the_unit_is_as_tight_as_it_was(tmp_path):
    """What is left is what a server on the Internet is, and a parent that changes users is."""
    need("systemd-analyze")
    shutil.copy(os.path.join(UNITS, "postroad.service"), tmp_path)
    code, said = run("systemd-analyze", "security", "--offline=true", "--threshold=25",
                     tmp_path / "postroad.service")
    assert code == 0, said


# ---- without a service manager: process 1 of a container ----


class Contained(Server):
    """Its warden is process 1 in a space of its own."""

    def command(self):
        return ["unshare", "--pid", "--fork", "--kill-child", "--mount-proc", "--", *super().command()]

    def warden(self):
        return children(self.process.pid)[0]

    def inside(self, *command):
        return run("nsenter", "--target", self.warden(), "--pid", "--mount", "--", *command)

    def roles(self):
        return [(pid, role) for pid in children(self.warden()) if (role := role_of(pid))]


def zombies(pid):
    found = []
    for path in glob.glob("/proc/[0-9]*/stat"):
        try:
            with open(path, encoding="utf-8", errors="replace") as f:
                state, parent = f.read().rsplit(")", 1)[1].split()[:2]
        except OSError:
            continue
        if state == "Z" and int(parent) == pid:
            found.append(path)
    return found


def test_process_1(tmp_path):
    if not users.possible():
        pytest.skip("not root, or no mounts")
    server = Contained(tmp_path, CONFIG).start()
    warden = server.warden()
    assert server.inside("sh", "-c", "tr '\\0' ' ' </proc/1/cmdline")[1].split()[1] == "serve"
    before = len(children(warden))
    # Its parent ends first, so that it becomes a child of process 1.
    assert server.inside("sh", "-c", "(sleep 5; exit 3) >/dev/null 2>&1 & exit 0")[0] == 0
    assert wait_until(lambda: len(children(warden)) > before), "nobody was left behind"
    assert wait_until(lambda: len(children(warden)) == before)
    assert wait_until(lambda: zombies(warden) == [])
    with smtplib.SMTP("127.0.0.1", server.port) as client:
        client.sendmail("bob@client.example", ["ann@example.org"], CONTENT)
    server.wait_mail("ann")
    victim = [pid for pid, role in server.roles() if role == "courier"][0]
    os.kill(victim, signal.SIGKILL)
    assert wait_until(lambda: any(role == "courier" and pid != victim for pid, role in server.roles()))
    # From inside, where process 1 is told nothing that it did not ask for.
    assert server.inside("kill", "-TERM", "1")[0] == 0
    assert server.process.wait(30) == 0
    assert "stopped" in server.log()
