"""The worst sessions there are, against the running program: nobody's memory grows by more than
1 MiB, and it comes back (SECURITY: F6). What is measured is the kernel's own high-water mark of
resident memory, so nothing is missed between two looks.

Sanitizers have a memory of their own: with them the sessions run, but nothing is measured."""
import smtplib
import socket
import subprocess
import threading

import pytest
from conftest import CONTENT
from fake_mx import FakeMx
from server import BINARY, Server, wait_until

GROWTH_KIB = 1024
BACK_KIB = 512  # what the allocator may keep of it; all cases together no more than GROWTH_KIB

with open(BINARY, "rb") as binary:
    SANITIZED = b"__asan_" in binary.read()


def status_kib(pid, name):
    with open(f"/proc/{pid}/status", encoding="ascii") as status:
        for line in status:
            if line.startswith(name + ":"):
                return int(line.split()[1])
    raise AssertionError(name)


def forget_peak(pid):
    with open(f"/proc/{pid}/clear_refs", "w", encoding="ascii") as refs:
        refs.write("5")


class Talk(threading.Thread):
    """Says a lot, as fast as the server takes it; what the server says is read and forgotten,
    save its last words."""

    def __init__(self, port, pieces, read=True):
        super().__init__(daemon=True)
        self.pieces, self.read = pieces, read
        self.socket = socket.create_connection(("127.0.0.1", port), 300)
        self.last, self.sent, self.answered = b"", 0, 0

    def listen(self):
        try:
            while got := self.socket.recv(1 << 16):
                self.answered += got.count(b"\n")
                self.last = (self.last + got)[-400:]
        except OSError:
            pass

    def run(self):
        listener = threading.Thread(target=self.listen, daemon=True)
        if self.read:
            listener.start()
        try:
            for piece in self.pieces:
                self.socket.sendall(piece)
                self.sent += len(piece)
            self.socket.shutdown(socket.SHUT_WR)
        except OSError:
            pass  # it had enough of us
        if self.read:
            listener.join(300)
        self.socket.close()


def many(piece, count):
    """`count` times that piece, in writes of a sensible size."""
    group = max(1, (1 << 16) // len(piece))
    for done in range(0, count, group):
        yield piece * min(group, count - done)


def talk(port, *parts, sessions=1, read=True):
    """All at once; the threads, when they are through."""
    threads = [Talk(port, (piece for part in parts for piece in
                           ([part] if isinstance(part, bytes) else part())), read)
               for _ in range(sessions)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(600)
        assert not thread.is_alive(), thread.last
    return threads


HELO = b"EHLO hostile.example\r\nMAIL FROM:<h@hostile.example>\r\n"
RCPT = HELO + b"RCPT TO:<ann@example.org>\r\n"
DATA = RCPT + b"DATA\r\n"
END = b"\r\n.\r\nQUIT\r\n"


def rcpts():
    for first in range(0, 1_000_000, 1000):
        yield b"".join(b"RCPT TO:<u%d@example.org>\r\n" % n for n in range(first, first + 1000))


def nested():
    for depth in range(10_000):
        yield (b'Content-Type: multipart/mixed; boundary="b%d"\r\n\r\n--b%d\r\n' % (depth, depth))


CASES = {
    "a million recipients": (HELO, rcpts, b"DATA\r\nx" + END),
    "the same recipient a million times":
        (HELO, lambda: many(b"RCPT TO:<ann@example.org>\r\n", 1_000_000), b"QUIT\r\n"),
    "a command of 100 MiB": (HELO, lambda: many(b"x" * 65536, 1600), b"\r\nQUIT\r\n"),
    "a line of 100 MiB in a message":
        (DATA, b"Subject: x\r\n\r\n", lambda: many(b"x" * 65536, 1600), END),
    "a hundred thousand header fields":
        (DATA, lambda: many(b"X-Field-Of-Which-There-Are-Many: v\r\n", 100_000), b"\r\nhi" + END),
    "one header field of 100 MiB":
        (DATA, b"Subject: x", lambda: many(b"\r\n y", 25 << 20), END),
    "MIME ten thousand deep": (DATA, b"MIME-Version: 1.0\r\n", nested, b"x" + END),
    "a million commands that are none": (lambda: many(b"XYZZY\r\n", 1_000_000),),
    "a million times NOOP": (lambda: many(b"NOOP\r\n", 1_000_000), b"QUIT\r\n"),
    "a million times MAIL and RSET":
        (b"EHLO h.example\r\n", lambda: many(b"MAIL FROM:<h@h.example>\r\nRSET\r\n", 500_000),
         b"QUIT\r\n"),
}


class Watch:
    """Peaks of all roles since it was made, against what they had then."""

    def __init__(self, server):
        self.base = {}
        for pid, role in server.roles():
            forget_peak(pid)
            self.base[pid, role] = status_kib(pid, "VmRSS")
        assert self.base

    def grown(self):
        return {f"{role} {pid}": status_kib(pid, "VmHWM") - had for (pid, role), had in self.base.items()}

    def kept(self):
        return {f"{role} {pid}": status_kib(pid, "VmRSS") - had for (pid, role), had in self.base.items()}


@pytest.fixture(scope="module")
def victim(tmp_path_factory):
    """One server for all cases. Before anything is measured it takes one small mail and one large
    one, since pages that every first session touches are nobody's fault; no more than that, or
    what these left to the allocator would hide what the hostile ones take."""
    server = Server(tmp_path_factory.mktemp("hostile")).start().ready()
    talk(server.port, DATA, CONTENT.replace(b"\r\n.", b"\r\n.."), END)
    talk(server.port, DATA, lambda: many(b"x" * 70 + b"\r\n", 20_000), END)
    assert wait_until(lambda: server.log().count(": removed") == 2)
    pids = server.roles()
    server.at_first = {f"{role} {pid}": status_kib(pid, "VmRSS") for pid, role in pids}
    yield server
    assert sorted(server.roles()) == sorted(pids), "a role died"
    assert server.stop() == 0


@pytest.mark.parametrize("case", CASES)
def test_memory(victim, case):
    watch = Watch(victim)
    thread = talk(victim.port, *CASES[case])[0]
    assert thread.answered > 0, "no answer at all"
    print(f"{case}: {thread.sent} bytes, {thread.answered} lines of answers, the last one "
          f"{thread.last.splitlines()[-1:]}")
    if SANITIZED:
        return
    grown = watch.grown()
    assert all(kib <= GROWTH_KIB for kib in grown.values()), grown
    wait_until(lambda: all(kib <= BACK_KIB for kib in watch.kept().values()), step=0.1)
    assert all(kib <= BACK_KIB for kib in watch.kept().values()), watch.kept()
    print(f"grown by {grown} KiB, kept {watch.kept()} KiB")


def test_a_million_chunks_of_one_byte(victim):
    with smtplib.SMTP("127.0.0.1", victim.port) as client:
        client.ehlo()
        if not client.has_extn("chunking"):
            pytest.skip("this version does not offer CHUNKING")
    watch = Watch(victim)
    thread = talk(victim.port, RCPT, lambda: many(b"BDAT 1\r\nx", 1_000_000),
                  b"BDAT 0 LAST\r\nQUIT\r\n")[0]
    grown = watch.grown()
    print(f"{thread.answered} lines of answers, the last one {thread.last.splitlines()[-1:]}; "
          f"grown by {grown} KiB")
    assert thread.answered > 1_000_000, thread.last
    assert SANITIZED or all(kib <= GROWTH_KIB for kib in grown.values()), grown


def test_a_client_that_never_reads(victim):
    """The server stops reading from it; others are served meanwhile."""
    watch = Watch(victim)
    with socket.create_connection(("127.0.0.1", victim.port), 5) as deaf:
        deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        deaf.settimeout(1)
        sent = 0
        try:
            while sent < 200 << 20:
                sent += deaf.send(b"NOOP\r\n" * 10000)
        except TimeoutError:
            pass
        assert sent < 200 << 20, "all of it was taken"
        before = len(victim.mails("bob"))
        talk(victim.port, DATA.replace(b"ann@", b"bob@"), b"Subject: x\r\n\r\nhi" + END)
        assert wait_until(lambda: len(victim.mails("bob")) == before + 1)
        grown = watch.grown()
    print(f"{sent} bytes until it stopped reading; grown by {grown} KiB")
    assert SANITIZED or all(kib <= GROWTH_KIB for kib in grown.values()), grown


def test_nothing_was_kept(victim):
    """Of all that came before."""
    def kept():
        return {name: status_kib(int(name.split()[1]), "VmRSS") - had for name, had in victim.at_first.items()}
    assert SANITIZED or wait_until(lambda: all(kib <= GROWTH_KIB for kib in kept().values()), step=0.1), kept()
    print(f"more than at first: {kept()} KiB, which was {victim.at_first} KiB")


def test_a_hundred_at_once(victim):
    """1 MiB a session is the limit; a hundred, each with a thousand recipients and as much of a
    message as stays in memory, are below it together. They hang up, so nothing is delivered."""
    watch = Watch(victim)
    talk(victim.port, HELO, lambda: (b"RCPT TO:<u%d@example.org>\r\n" % n for n in range(1000)),
         b"DATA\r\n", lambda: many(b"x" * 998 + b"\r\n", 125), sessions=100)
    grown = watch.grown()
    print(f"grown by {grown} KiB")
    assert SANITIZED or all(kib <= 100 * GROWTH_KIB for kib in grown.values()), grown
    assert SANITIZED or sum(kib for name, kib in grown.items() if name.startswith("receiver ")) > 1000, \
        "so much memory must be seen"


# ---- our client and a hostile server ----

def greeting_without_end():
    yield b"220 " + b"x" * 60
    yield from many(b"x" * 65536, 160)


def lines_without_end(code):
    yield from many(code + b"-" + b"x" * 400 + b"\r\n", 26_000)


def greeting_of_many_lines():
    yield from lines_without_end(b"220")


def ehlo_without_end():
    yield b"220 hi\r\n"
    yield from lines_without_end(b"250")


def long_refusal():
    yield b"220 hi\r\n250 hi\r\n"
    yield from lines_without_end(b"550")
    yield b"550 no\r\n"


def replies_to_nothing():
    yield b"220 hi\r\n"
    yield from many(b"250 ok\r\n", 1_300_000)


def nuls():
    yield from many(bytes(65536), 160)


SERVERS = [greeting_without_end, greeting_of_many_lines, ehlo_without_end, long_refusal,
           replies_to_nothing, nuls]


class Client:
    """`postroad send`, and its peak, which its server looks at: to whoever waits for its end the kernel
    tells the larger one of its own and of what began it, which is this program of a hundred MiB."""

    def __init__(self):
        self.pid, self.begun, self.peak, self.said = None, threading.Event(), 0, b""

    def look(self):
        self.begun.wait(60)
        try:
            self.peak = max(self.peak, status_kib(self.pid, "VmHWM"))
        except (OSError, AssertionError):
            pass  # it is gone, or going

    def send_to(self, port):
        """Its exit status."""
        with subprocess.Popen(
                [BINARY, "send", "--server", f"127.0.0.1:{port}", "--from", "a@x.example", "--to",
                 "b@y.example", "--body", "hi", "--timeout", "60"],
                stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as process:
            self.pid = process.pid
            self.begun.set()
            self.said = process.stdout.read()
        return process.returncode


def send_to_honest():
    client = Client()

    def says(verb, _line, _session):
        if verb == "QUIT":
            client.look()
    mx = FakeMx(says)
    assert client.send_to(mx.port) == 0, client.said
    mx.close()
    assert client.peak > 0
    return client.peak


def send_to_hostile(pieces):
    """(exit status, KiB at its peak, what it said)"""
    client = Client()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        def serve():
            connection, _ = listener.accept()
            with connection:
                try:
                    for piece in pieces():
                        client.look()
                        connection.sendall(piece)
                    client.look()
                    connection.shutdown(socket.SHUT_WR)
                    while connection.recv(65536):
                        client.look()
                except OSError:
                    pass  # the client had enough
        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        status = client.send_to(listener.getsockname()[1])
        thread.join(60)
        return status, client.peak, client.said


@pytest.mark.parametrize("hostile", SERVERS)
def test_replies_of_ten_mebibytes(hostile):
    """Told, with an exit status, and without keeping what nobody needs."""
    base = send_to_honest()
    status, peak, said = send_to_hostile(hostile)
    print(f"exit {status}, {peak - base} KiB more than with an honest server: {said[:300]}")
    assert status in (69, 75, 76), (status, said)
    assert 0 < len(said) < 1 << 20, len(said)  # a refusal is shown whole, up to 1,000 lines
    assert SANITIZED or 0 < peak <= base + GROWTH_KIB, (peak, base)
