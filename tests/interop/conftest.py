"""What the interop tests share: a running server, a message with every trap in it, and a client
typed by hand."""
import os
import shutil
import subprocess
import sys
import tempfile
import time

import pytest

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "live"))
from server import Server  # noqa: E402

SENDER = "bob@client.example"

# Every line here has been mangled by some mail system: dots, blank and long lines, spaces at the
# end, "From ". ASCII only, since not every client offers 8BITMIME.
CONTENT = (b"From: Bob <bob@client.example>\r\n"
           b"To: Ann <ann@example.org>\r\n"
           b"Subject: =?utf-8?q?gr=C3=BC=C3=9Fe?= and a folded\r\n"
           b"\tsubject\r\n"
           b"Date: Fri, 21 Nov 1997 09:55:06 -0600\r\n"
           b"Message-ID: <1234@client.example>\r\n"
           b"\r\n"
           b".\r\n"
           b"..\r\n"
           b".dot in front, a space and a tab behind \t\r\n"
           b"\r\n"
           b"From the beginning of a line\r\n"
           + b"x" * 998 + b"\r\n"
           b"%FROM_ADDRESS% \\n stays\r\n"
           b"\r\n"
           b"last line\r\n"
           b"\r\n")

EIGHT_BIT = (b"From: Bob <bob@client.example>\r\nSubject: latin\r\n\r\n"
             + bytes(range(0xA0, 0x100)) + b"\r\ngr\xc3\xbc\xc3\x9fe\r\n\x80\xff\r\n")


def pytest_configure(config):
    """A place of our own: pytest's usual one is closed again by whoever runs it beside us."""
    if config.option.basetemp is None:
        config.option.basetemp = config.own_temp = tempfile.mkdtemp(prefix="postroad-tests-")


def pytest_sessionfinish(session, exitstatus):
    """What failed stays to be looked at."""
    if exitstatus == 0 and hasattr(session.config, "own_temp"):
        shutil.rmtree(session.config.own_temp, ignore_errors=True)


@pytest.fixture
def server(tmp_path):
    running = Server(tmp_path).start()
    yield running
    assert running.stop() == 0, running.log()[-2000:]


@pytest.fixture
def serve(tmp_path):
    """A function: configuration text -> a server, not yet started."""
    made = []

    def make(config):
        made.append(Server(tmp_path, config))
        return made[-1]
    yield make
    for running in made:
        if running.process and running.process.poll() is None:
            assert running.stop() == 0, running.log()[-2000:]


def need(program):
    """Skips the test when a program is absent; tools/install-deps tried to install it."""
    if not shutil.which(program):
        pytest.skip("not installed and cannot be installed")


def run(*command, stdin=b"", **more):
    done = subprocess.run([str(word) for word in command], input=stdin, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, timeout=300, check=False, **more)
    return done.returncode, done.stdout.decode(errors="replace")


def within_an_hour(seconds=60):
    """What is counted by the hour is counted by hours of the kernel's clock: until none will end while
    the test counts."""
    left = 3600 - time.monotonic() % 3600
    if left < seconds:
        time.sleep(left + 1)


class ByHand:
    """A person at telnet or nc: types a line, reads the answer, types on."""

    def __init__(self, *command):
        self.process = subprocess.Popen([str(word) for word in command], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, stderr=subprocess.STDOUT)

    def answer(self, code):
        """Reads to the end of a reply; telnet's own chatter before it is passed over."""
        while True:
            line = self.process.stdout.readline().decode(errors="replace")
            assert line, f"connection ended while waiting for {code}"
            if line[:3].isdigit() and line[3:4] in (" ", "\r", "\n"):
                assert line.startswith(code), line
                return line

    def say(self, line, code=None):
        self.process.stdin.write(line.encode() + b"\n")
        self.process.stdin.flush()
        return self.answer(code) if code else None

    def help(self, text):
        """HELP names the next step."""
        assert f"Next: {text}" in (last := self.say("HELP", "214")), last

    def end(self):
        self.process.stdin.close()
        self.process.stdout.close()
        self.process.wait(60)
