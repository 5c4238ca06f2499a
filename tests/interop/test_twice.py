"""A client that hears no 250 sends its mail again: one mail arrives."""
import base64
import os
import re
import signal
import socket
import struct
import threading

import pytest

from conftest import need, run
from server import free_port, wait_until

CONFIG = """
hostname mx.example.org
postmaster ann@example.org
table people accounts {folder}/people
listen mx 127.0.0.1:{port}
listen submission 127.0.0.1:SUBMISSION { tls off; auth people; auth-cleartext yes }
queue {folder}/queue { min-free 10M }
relay nowhere { host 127.0.0.1:9; retry 1h }
accept to domain example.org users people deliver maildir {folder}/data/mail/{domain}/{user}
accept from authenticated to any relay nowhere
"""

ACCOUNTS = """ann@example.org:{PLAIN}secret
bob@example.org:{PLAIN}bobs
eve@example.org:{PLAIN}eves
"""

MAIL = (b"From: ann@example.org\r\nTo: bob@example.org\r\nBcc: eve@example.org\r\nSubject: once\r\n"
        b"Date: Fri, 21 Nov 1997 09:55:06 -0600\r\nMessage-ID: <once@example.org>\r\n\r\n"
        b"..this line had two dots\r\n")
LOGINS = {"ann": b"\0ann@example.org\0secret", "bob": b"\0bob@example.org\0bobs"}


@pytest.fixture
def server(serve, tmp_path):
    path = tmp_path / "people"
    path.write_text(ACCOUNTS)
    path.chmod(0o600)
    submission = free_port()
    running = serve(CONFIG.replace("SUBMISSION", str(submission))).start()
    running.submission = submission
    return running


class Client:
    """Speaks up to the final dot, and no further until it is asked to."""

    def __init__(self, port, login=None):
        self.socket = socket.create_connection(("127.0.0.1", port), 60)
        self.file = self.socket.makefile("rb")
        self.answer()
        self.say("EHLO me.example", 250)
        if login:
            self.say("AUTH PLAIN " + base64.b64encode(LOGINS[login]).decode(), 235)

    def answer(self):
        while True:
            line = self.file.readline()
            if line[3:4] != b"-":
                return int(line[:3] or 0), line.decode().strip()

    def say(self, command, code):
        self.socket.sendall(command.encode() + b"\r\n")
        assert (got := self.answer())[0] == code, (command, got)

    def send(self, rcpts, mail=MAIL, sender="ann@example.org", more=""):
        self.say(f"MAIL FROM:<{sender}>{more}", 250)
        for rcpt in rcpts:
            self.say(f"RCPT TO:<{rcpt}>", 250)
        self.say("DATA", 354)
        self.socket.sendall(mail + b".\r\n")
        return self

    def cut(self):
        """The connection breaks before the 250: nothing more is read, nothing said."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close()

    def close(self):
        self.file.close()
        self.socket.close()

    def queued(self):
        """The id with the 250."""
        code, text = self.answer()
        assert code == 250, text
        self.close()
        return text.rsplit(" ", 1)[1]


def submit(server, rcpts=("bob@example.org",), login="ann", **what):
    return Client(server.submission, login).send(rcpts, **what)


def accepted(server):
    """Ids of all messages that came in, in their order."""
    return re.findall(r" qmgr\[\d+\]: (\w+): from=<", server.log()) or \
        re.findall(r"/qmgr\[\d+\]: (\w+): from=<", server.log())


def cut_one(server):
    """One mail whose client never heard of it; its id."""
    before = len(accepted(server))
    submit(server).cut()
    assert wait_until(lambda: len(accepted(server)) > before), "a mail was not taken"
    return accepted(server)[-1]


def duplicate_of(server, queue_id):
    """The id that the log names where it closes this one."""
    line = re.compile(queue_id + r": to=<.*, relay=none, .*dsn=2\.0\.0, status=sent "
                      r"\(duplicate of (\w+)\)")
    found = wait_until(lambda: line.search(server.log()))
    assert found, server.log()[-3000:]
    return found[1]


def removed(server, queue_id):
    """This one is done with: whatever comes now is the second, at whichever receiver."""
    assert wait_until(lambda: queue_id + ": removed" in server.log()), server.log()[-3000:]
    return queue_id


def is_empty(server):
    return wait_until(lambda: server.queued() == 0)


def kill(server, role):
    pids = [pid for pid, name in server.roles() if name == role]
    assert pids
    for pid in pids:
        os.kill(pid, signal.SIGKILL)
    assert wait_until(lambda: {name for _, name in server.roles()} >= {role}
                      and not {pid for pid, _ in server.roles()} & set(pids))


@pytest.mark.parametrize("between", ["nothing", "courier", "receiver", "all", "twice"])
def test_a_retry_after_a_cut_250(server, between):
    first = cut_one(server)
    server.wait_mail("bob")
    for _ in range(2 if between == "twice" else 1):
        if between in ("courier", "receiver"):
            kill(server, between)
        elif between != "nothing":
            server.kill_all()
            server.start()
    for _ in range(2):
        assert duplicate_of(server, submit(server).queued()) == first
    assert is_empty(server)
    assert len(server.mails("bob")) == 1
    assert "status=bounced" not in server.log()


def test_the_courier_dies_in_between(server):
    """Neither copy was sent when it died."""
    courier = [pid for pid, name in server.roles() if name == "courier"][0]
    os.kill(courier, signal.SIGSTOP)
    cut_one(server)
    submit(server).queued()
    os.kill(courier, signal.SIGKILL)
    server.wait_mail("bob")
    assert wait_until(lambda: server.log().count("(duplicate of ") == 1)
    assert is_empty(server)
    assert len(server.mails("bob")) == 1 and server.log().count("(duplicate of ") == 1


def test_many_at_once(server):
    """Through whatever receiver takes them, in any order."""
    ids = []
    threads = [threading.Thread(target=lambda: ids.append(submit(server).queued()))
               for _ in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(ids)) == 12
    server.wait_mail("bob")
    assert is_empty(server)
    assert wait_until(lambda: server.log().count("(duplicate of ") == 11)
    assert len(server.mails("bob")) == 1


@pytest.mark.parametrize("copy", [
    {"rcpts": ("eve@example.org",)},
    {"rcpts": ("bob@example.org", "eve@example.org")},
    {"sender": "bob@example.org", "login": "bob"},
    {"mail": MAIL.replace(b"<once@", b"<again@")},
    {"mail": MAIL + b"and a line\r\n"},
    {"mail": MAIL.replace(b"Bcc: eve@example.org\r\n", b"")},  # it is not the same, though it arrives so
])
def test_what_is_another_mail(server, copy):
    first, second = submit(server).queued(), submit(server, **copy).queued()
    for queue_id in (first, second):
        removed(server, queue_id)
    assert len(server.mails("bob")) + len(server.mails("eve")) == 1 + len(copy.get("rcpts", "1"))
    for queue_id in (first, second):
        assert re.search(queue_id + ": to=.* status=sent \\(delivered", server.log())


@pytest.mark.parametrize("copy", [
    {"rcpts": ("eve@example.org", "bob@EXAMPLE.org")},
    {"more": " BODY=8BITMIME"},
    {"more": " RET=HDRS ENVID=again"},
])
def test_what_is_the_same(server, copy):
    copy = {"rcpts": ("bob@example.org", "eve@example.org"), **copy}
    first = removed(server, submit(server, ("bob@example.org", "eve@example.org")).queued())
    assert duplicate_of(server, submit(server, **copy).queued()) == first


def test_without_a_name_or_an_account(server):
    """Without a Message-ID, and on port 25, each is a mail of its own."""
    nameless = MAIL.replace(b"Message-ID: <once@example.org>\r\n", b"")
    for _ in range(2):
        submit(server, mail=nameless).queued()
        Client(server.port).send(["bob@example.org"]).queued()
    server.wait_mail("bob", count=4)
    assert is_empty(server)


def test_the_first_one_waits_for_its_time(server):
    """The copy is closed at once, and what becomes of the first is told once."""
    first = submit(server, ("x@elsewhere.example",)).queued()
    assert wait_until(lambda: re.search(first + ": to=.* status=deferred", server.log()))
    assert duplicate_of(server, submit(server, ("x@elsewhere.example",)).queued()) == first
    assert wait_until(lambda: server.queued() == 1)
    server.kill_all()
    server.start()
    assert duplicate_of(server, submit(server, ("x@elsewhere.example",)).queued()) == first
    assert wait_until(lambda: server.queued() == 1)


def test_what_was_deleted_stays_deleted(server):
    first = submit(server, ("x@elsewhere.example",)).queued()
    assert wait_until(lambda: re.search(first + ": to=.* status=deferred", server.log()))
    server.ask("queue", "delete", first, "--yes")
    assert is_empty(server)
    assert duplicate_of(server, submit(server, ("x@elsewhere.example",)).queued()) == first
    assert is_empty(server)


def test_pflogsumm_counts_no_bounce(server):
    need("pflogsumm")
    first = removed(server, submit(server).queued())
    assert duplicate_of(server, submit(server).queued()) == first
    assert is_empty(server)
    status, report = run("pflogsumm", "--syslog-name=postroad", server.log_path)
    assert status == 0
    for number, word in ((2, "received"), (2, "delivered"), (0, "bounced"), (0, "deferred")):
        assert re.search(rf"^ +{number} +{word}", report, re.M), report
