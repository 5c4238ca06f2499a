"""What the suites in Python share: cases, verdicts, and one connection typed byte by byte to a
running server. Its data are trusted; what goes to the server is whatever the case says."""
import json
import os
import re
import shutil
import socket
import ssl
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "live"))
from certificate import make_certificate  # noqa: E402
from server import Server, as_sent, free_port, free_ports, read, wait_until  # noqa: E402,F401

CONFIG = """hostname mx.example.org
postmaster ann@example.org
TLS
listen mx 127.0.0.1:{port} { MORE }
queue {folder}/data/spool
accept to domain example.org deliver maildir {folder}/data/mail/{domain}/{user}
"""
RELAYING = """relay next { host %s; retry %s; tls %s }
accept to domain away.example relay next
"""


class Failure(Exception):
    """A case came out otherwise than it says."""


class Skip(Exception):
    """A case that cannot be run; the reason."""


NO_OPENSSL = "openssl: cannot be installed, so there is no certificate"


def expect(condition, what):
    if not condition:
        raise Failure(what)


def cases(folder):
    with open(os.path.join(folder, "cases.json"), encoding="utf-8") as f:
        return json.load(f)


def printable(text):
    return re.sub(r"[^ -~]", lambda c: "\\x%02x" % ord(c[0]), text)


def escape(name):
    return printable(name).replace(": ", "\\x3a ")


def verdict(name, run):
    """Runs it and says the line of its case."""
    try:
        run()
    except Skip as why:
        print(f"skip {escape(name)}: {why}")
    except (Failure, OSError) as why:
        print(f"fail {escape(name)}: {printable(str(why))}")
    else:
        print(f"pass {escape(name)}")
    sys.stdout.flush()


class running:
    """with running("line-ends repair") as server: one server in a folder of its own. Mail to
    away.example goes on to `relay`, "127.0.0.1:PORT"."""

    def __init__(self, more="", relay=None, relay_tls="off", retry="1s 2s"):
        self.folder = tempfile.TemporaryDirectory(prefix="conformance-")
        tls = ""
        if shutil.which("openssl"):
            tls = "tls {} {}".format(*make_certificate(self.folder.name))
        self.server = Server(self.folder.name, CONFIG.replace("MORE", more).replace("TLS", tls) +
                             (RELAYING % (relay, retry, relay_tls) if relay else ""))

    def __enter__(self):
        return self.server.start()

    def __exit__(self, kind, *_):
        try:
            if self.server.stop() != 0 and kind is None:
                raise SystemExit("the server did not end well: " + self.server.log()[-2000:])
        finally:
            self.folder.cleanup()


class Talk:
    """A client that knows no protocol: says bytes, reads replies as ("250", [lines])."""

    def __init__(self, server, seconds=60, port=None):
        self.socket = socket.create_connection(("127.0.0.1", port or server.port), seconds)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.left = b""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def send(self, *pieces, pause_s=0.0):
        """Each piece in a segment of its own."""
        for piece in pieces:
            self.socket.sendall(piece)
            if pause_s:
                time.sleep(pause_s)

    def reply(self):
        """The next reply, whole; None when the server closed the connection."""
        lines = []
        while True:
            while b"\n" not in self.left:
                try:
                    got = self.socket.recv(65536)
                except ConnectionResetError:
                    got = b""
                if not got:
                    expect(not lines and not self.left, f"a reply was cut off: {lines} {self.left}")
                    return None
                self.left += got
            line, _, self.left = self.left.partition(b"\n")
            expect(line.endswith(b"\r"), f"a reply ends with LF alone: {line}")
            lines.append(line[:-1].decode(errors="replace"))
            if lines[-1][3:4] != "-":
                return Reply(lines)

    def ask(self, line, code=None):
        """Says a line, returns the reply; `code` is what it must begin with."""
        self.send((line if isinstance(line, bytes) else line.encode()) + b"\r\n")
        got = self.reply()
        expect(got is not None, f"{line!r} closed the connection")
        expect(code is None or got.code.startswith(code), f"{line!r}: {got}, not {code}")
        return got

    def rest(self):
        """All replies until the server closes."""
        found = []
        while (got := self.reply()) is not None:
            found.append(got)
        return found

    def greet(self):
        """The greeting and EHLO; the keywords that the server offers."""
        expect(self.reply().code == "220", "no 220")
        return self.offers()

    def offers(self):
        return {line[4:].split()[0].upper() for line in self.ask("EHLO c.example", "250").lines[1:]}

    def shake_hands(self, alpn=None):
        """TLS from here on."""
        context = ssl.create_default_context()
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        if alpn:
            context.set_alpn_protocols(alpn)
        expect(not self.left, f"said before TLS: {self.left}")
        self.socket = context.wrap_socket(self.socket, server_hostname="mx.example.org")

    def start_tls(self):
        """STARTTLS and EHLO; the keywords that the server offers now."""
        self.ask("STARTTLS", "220")
        self.shake_hands()
        return self.offers()

    def begin(self, rcpt, sender="a@c.example", parameters=""):
        """A transaction up to DATA."""
        self.ask(f"MAIL FROM:<{sender}>{parameters}", "250")
        self.ask(f"RCPT TO:<{rcpt}>", "250")


class Reply:
    def __init__(self, lines):
        self.lines = lines
        self.code = lines[0][:3]
        match = re.match(r"([245]\.\d{1,3}\.\d{1,3})\b", lines[0][4:])
        self.enhanced = match[1] if match else ""

    def __str__(self):
        return " / ".join(self.lines)

    __repr__ = __str__
