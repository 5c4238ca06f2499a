"""The dialogues that curl's own tests expect of an SMTP client, from `postroad send`.

A case names what its server says, curl's command line and every byte that the client must say. The
command line is put into our words; the server is tests/live/fake_mx with the case's replies, and
with the usual ones of curl's test server for all else. What arrived is compared as a whole: commands,
the message with its dots, and the end of it. Who logs in sends an initial response with AUTH, as RFC
4954 4 allows; curl only where it is told to, so the others' expectations are put that way."""
import base64
import glob
import os
import re
import shlex
import shutil
import ssl
import subprocess
import sys
import tempfile
import urllib.parse

from suite import NO_OPENSSL, Failure, Skip, expect, verdict
from certificate import make_certificate
from server import BINARY, free_port, wait_until
from fake_mx import FakeMx

SECONDS = 120


def bracketed(text, word, make):
    """%word[...]word% -> make(what stands between), a string of bytes as code points."""
    return re.sub(rf"%{word}\[(.*?)\]{word}%", lambda found: make(found[1]), text, flags=re.S)


def percent(text):
    return urllib.parse.unquote_to_bytes(text.encode("latin-1")).decode("latin-1")


def filled_in(text, number, port):
    """The variables of curl's test files; code points are bytes."""
    for name, value in (("LT", "<"), ("GT", ">"), ("CR", "\r"), ("TESTNUMBER", number),
                        ("HOSTIP", "127.0.0.1"), ("SMTPPORT", str(port)), ("LOGDIR", "log")):
        text = text.replace("%" + name, value)
    text = bracketed(text, "hex", percent)
    text = bracketed(text, "b64", lambda inner: base64.b64encode(
        percent(inner).encode("latin-1")).decode())
    return re.sub(r"%repeat\[(\d+) x (.*?)\]%",
                  lambda found: int(found[1]) * percent(found[2]), text, flags=re.S)


class Curl:
    """One test file."""

    def __init__(self, path):
        self.number = re.search(r"\d+", os.path.basename(path))[0]
        self.port = free_port()
        with open(path, encoding="latin-1") as file:
            self.text = file.read()
        self.features = (self.section("features") or "").split()
        self.protocol = self.section("protocol")
        self.replies, self.capabilities = {}, []
        for line in (self.section("servercmd") or "").splitlines():
            self.script(line)
        self.arguments(shlex.split(self.section("command")))

    def section(self, name):
        """Its lines, with LF; None when there is none."""
        found = re.search(rf"<{name}(?: [^>]*)?>\n(.*?)</{name}>", self.text, re.S)
        return filled_in(found[1], self.number, self.port) if found else None

    def script(self, line):
        word, _, rest = line.partition(" ")
        if word == "CAPA":
            self.capabilities += rest.split(" ")
        elif word == "AUTH":
            self.capabilities.append(line)
        elif word == "REPLY":
            verb, reply = re.match(r'("[^"]*"|\S*) (.*)', rest).groups()
            self.replies[verb.strip('"')] = reply.replace("\\r\\n", "\r\n")

    def arguments(self, words):
        self.rcpts, self.sender, self.url, self.used = [], None, None, set()
        takes = {"--mail-rcpt": self.rcpts.append, "--mail-from": self.take_sender}
        self.user = self.token = self.mechanism = None
        takes.update({"-u": self.take_user, "--oauth2-bearer": self.take_token,
                      "--login-options": self.take_mechanism})
        ignored = {"-T", "-x", "-X", "--request", "--sasl-authzid"}
        rest = iter(words)
        for word in rest:
            if word.startswith("smtp"):
                self.url = word
                continue
            self.used.add(word)
            if word in takes:
                takes[word](next(rest))
            elif word in ignored:
                next(rest)

    def take_sender(self, sender):
        self.sender = sender

    def take_user(self, user):
        self.user, _, self.password = user.partition(":")

    def take_token(self, token):
        self.token = token

    def take_mechanism(self, options):
        self.mechanism = options.partition("AUTH=")[2]

    def check_possible(self):
        if "-x" in self.used:
            raise Skip("no proxies: mail goes to its server")
        asked = re.search("^AUTH (CRAM-MD5|DIGEST-MD5|NTLM|EXTERNAL)", self.protocol or "", re.M)
        if asked:
            raise Skip(f"`send` has no {asked[1]}")
        if "--sasl-authzid" in self.used or "-:" in self.used:
            raise Skip("`send` logs in as itself, and once")
        if self.protocol and re.search("^(VRFY|EXPN|HELP)", self.protocol, re.M | re.I):
            raise Skip("`send` sends mail and asks for no VRFY, EXPN or HELP")
        if self.url.startswith("smtps") and not shutil.which("openssl"):
            raise Skip(NO_OPENSSL)
        if "!IDN" in self.features:
            raise Skip("for a client without IDNA")

    def says(self, verb, line, _):
        """As curl's server: plain EHLO without capabilities, and only addresses are recipients."""
        response = line.split(" ")[-1] if verb != "BODY" else ""
        if response in self.replies:
            return self.replies[response]
        if verb in self.replies:
            return self.replies[verb]
        if verb == "EHLO":
            lines = ["smtp.curl"] + self.capabilities
            return "\r\n".join("250" + "- "[text is lines[-1]] + text for text in lines)
        known = line.isascii() or "SMTPUTF8" in self.capabilities
        if verb == "RCPT" and not (known and re.fullmatch(r"RCPT TO:<[^<>]+@[^<>]+>", line)):
            return "501 Invalid address"
        return None

    def command(self, port):
        name = percent(self.url.split("/", 3)[3])
        words = [BINARY, "send", "--server", f"127.0.0.1:{port}", "--ehlo", name, "--data", "-",
                 "--from", self.sender or "sender@example.com"]
        if self.url.startswith("smtps"):
            words += ["--tls", "implicit"]
        elif "--ssl" in self.used:
            words += ["--tls", "optional"]
        words += self.login()
        for rcpt in self.rcpts or ["recipient@example.com"]:
            words += ["--to", rcpt]
        return [word.encode("latin-1") for word in words]

    def login(self):
        if not self.user:
            return []
        words = ["--user", self.user, "--password-stdin"]
        if not self.url.startswith("smtps") and "--ssl" not in self.used:
            words += ["--tls", "off"]
        if self.token:
            words += ["--auth", self.mechanism or self.capabilities[-1].split()[1]]
        return words

    def input(self):
        content = self.section("stdin") or self.section("file") or "From: different\n\nbody\n"
        return (f"{self.token or self.password}\n" if self.user else "") + content

    def expected(self):
        """All that the server hears."""
        wire = re.sub("^(AUTH (?!LOGIN)\\S+)\n", r"\1 ", self.protocol or "", flags=re.M)
        if "DATA\n" in wire:
            before, data, after = wire.partition("DATA\n")
            wire = before + data + self.section("upload") + after
        return re.sub(r"\r?\n", "\r\n", wire).encode("latin-1")

    def security(self):
        """What the server needs for TLS from the first byte."""
        if not self.url.startswith("smtps"):
            return {}
        with tempfile.TemporaryDirectory(prefix="conformance-") as folder:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*make_certificate(folder))
        return {"tls": context, "implicit": True}

    def run(self):
        self.check_possible()
        server = FakeMx(self.says, port=self.port, **self.security())
        try:
            done = subprocess.run(self.command(server.port), input=self.input().encode("latin-1"),
                                  stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                  timeout=SECONDS, check=False)
            # Its last words may still be on their way.
            wait_until(lambda: len(server.over) == server.connections)
        except subprocess.TimeoutExpired:
            raise Failure(f"no end within {SECONDS} s") from None
        finally:
            server.close()
        told = done.stdout.decode(errors="replace")
        heard = b"".join(server.heard)
        expect(heard == self.expected(), f"it said {heard[-1000:]}, not "
               f"{self.expected()[-1000:]}; {told}")
        failed = self.section("errorcode") is not None
        expect((done.returncode != 0) == failed and done.returncode in range(0, 79),
               f"status {done.returncode}: {told}")


def main():
    for path in sorted(glob.glob(os.path.join(sys.argv[1], "test*.xml"))):
        case = Curl(path)
        verdict(case.number, case.run)


main()
