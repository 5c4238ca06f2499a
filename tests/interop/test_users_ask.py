"""`users ask`: who is known at the next hop is asked by RCPT, before anything is accepted."""
import os
import re
import signal
import smtplib
import socket
import threading
import time

import pytest

from conftest import CONTENT, SENDER
from fake_mx import FakeMx
from server import wait_until

CONFIG = """
hostname in.example
listen mx 127.0.0.1:{port}
queue {folder}/queue { min-free 10M }
postmaster admin@in.example
relay next { host 127.0.0.1:%s; retry 1s 2s; tls off }
accept to domain in.example deliver maildir {folder}/data/mail/{domain}/{user}
accept to domain b.example users ask %s
"""


class Hop(FakeMx):
    """Knows ann only, and held@, of whom it tells when it is told to; so it does of unheld@, whom it
    does not know. Puts off everything for later@, and never answers about stuck@."""

    def __init__(self):
        self.asked = []
        self.tells = {"held": threading.Event(), "unheld": threading.Event()}
        super().__init__(self.reply)

    def reply(self, verb, line, session):
        if verb == "LHLO":
            return "250-fake.example\r\n250 PIPELINING"
        if verb != "RCPT":
            return None
        self.asked.append(line)
        if "<later@" in line:
            return "451 4.7.1 not before tea"
        if "<stuck@" in line:
            time.sleep(4)
        for name, told in self.tells.items():
            if f"<{name}@" in line:
                told.wait(30)
        return None if "<ann@" in line or "<held@" in line else "550 5.1.1 no such person"


@pytest.fixture(params=["relay", "lmtp"])
def hop_and_server(request, serve):
    hop = Hop()
    way = "relay next" if request.param == "relay" else f"deliver lmtp 127.0.0.1:{hop.port}"
    server = serve(CONFIG % (hop.port, way)).start()
    yield hop, server
    hop.close()


def rcpt(server, name):
    with smtplib.SMTP("127.0.0.1", server.port) as client:
        client.ehlo("me.example")
        client.mail(SENDER)
        code, text = client.rcpt(f"{name}@b.example")
        return code, text.decode()


def test_known_and_unknown(hop_and_server):
    hop, server = hop_and_server
    with smtplib.SMTP("127.0.0.1", server.port) as client:
        refused = client.sendmail(SENDER, ["ann@b.example", "bob@b.example"], CONTENT)
    code, text = refused["bob@b.example"]
    assert code == 550
    assert text.decode() == ("5.1.1 <bob@b.example>: Recipient address rejected: undeliverable "
                             f"address: host 127.0.0.1[127.0.0.1]:{hop.port} said: 550 5.1.1 no "
                             "such person (in reply to RCPT)")
    assert wait_until(lambda: len(hop.mails) == 1)
    assert wait_until(lambda: re.search("NOQUEUE: reject: RCPT from .*<bob@b.example>", server.log()))
    before = len(hop.asked)
    assert rcpt(server, "ann")[0] == 250 and rcpt(server, "bob")[0] == 550
    assert len(hop.asked) == before  # it is remembered


def test_put_off_is_no_refusal(hop_and_server):
    hop, server = hop_and_server
    code, text = rcpt(server, "later")
    assert code == 450 and text.startswith("4.1.1 ") and "not before tea" in text
    hop.close()
    wait_until(lambda: not can_connect(hop.port))
    code, text = rcpt(server, "carl")
    assert code == 450 and "cannot connect" in text


def can_connect(port):
    try:
        socket.create_connection(("127.0.0.1", port)).close()
        return True
    except OSError:
        return False


def test_everything_in_one_piece(hop_and_server):
    """What a client sends on while we ask is answered in its order."""
    hop, server = hop_and_server
    with socket.create_connection(("127.0.0.1", server.port)) as client:
        lines = client.makefile("rb")
        lines.readline()
        client.sendall(b"EHLO me.example\r\n")
        while lines.readline()[3:4] == b"-":
            pass
        client.sendall(b"MAIL FROM:<x@y.example>\r\nRCPT TO:<bob@b.example>\r\n"
                       b"RCPT TO:<ann@b.example>\r\nRCPT TO:<ann@b.example>\r\nDATA\r\n")
        assert [lines.readline()[:3] for _ in range(5)] == [b"250", b"550", b"250", b"250", b"354"]
        client.sendall(b"Subject: s\r\n\r\nx\r\n.\r\nQUIT\r\n")
        assert [lines.readline()[:3] for _ in range(2)] == [b"250", b"221"]
    assert wait_until(lambda: len(hop.mails) == 1)
    assert sum("<ann@" in line for line in hop.asked) == 2  # once to ask, once to send


def test_who_hangs_up_meanwhile_leaves_no_trace(hop_and_server):
    hop, server = hop_and_server
    with socket.create_connection(("127.0.0.1", server.port)) as client:
        client.sendall(b"EHLO me.example\r\nMAIL FROM:<>\r\nRCPT TO:<stuck@b.example>\r\n")
        assert wait_until(lambda: len(hop.asked) == 1)
    assert rcpt(server, "ann")[0] == 250


def test_a_courier_that_dies_is_no_refusal(hop_and_server):
    hop, server = hop_and_server
    courier = [pid for pid, role in server.roles() if role == "courier"][0]
    with socket.create_connection(("127.0.0.1", server.port)) as client:
        lines = client.makefile("rb")
        client.sendall(b"EHLO me.example\r\nMAIL FROM:<>\r\nRCPT TO:<stuck@b.example>\r\n")
        assert wait_until(lambda: len(hop.asked) == 1)
        os.kill(courier, signal.SIGKILL)
        got = b""
        while not got.startswith(b"450"):
            got = lines.readline()
            assert got
        assert got.startswith(b"450 4.1.1 <stuck@b.example>")
    assert wait_until(lambda: rcpt(server, "ann")[0] == 250)


def ask(server, name):
    """A client that waits for the answer to its RCPT, and its replies."""
    client = socket.create_connection(("127.0.0.1", server.port))
    lines = client.makefile("rb")
    lines.readline()
    client.sendall(b"EHLO me.example\r\n")
    while lines.readline()[3:4] == b"-":
        pass
    client.sendall(f"MAIL FROM:<>\r\nRCPT TO:<{name}@b.example>\r\n".encode())
    assert lines.readline().startswith(b"250")
    return client, lines


def test_what_a_receiver_asked_that_died_is_no_answer_to_the_next_one(hop_and_server):
    hop, server = hop_and_server
    receivers = {pid for pid, role in server.roles() if role == "receiver"}
    first = [ask(server, "unheld") for _ in range(20)]
    assert wait_until(lambda: len(hop.asked) == 1)
    for pid in receivers:
        os.kill(pid, signal.SIGKILL)
    now = lambda: {pid for pid, role in server.roles() if role == "receiver"}
    assert wait_until(lambda: len(now()) == len(receivers) and not now() & receivers)
    second = [ask(server, "held") for _ in range(20)]
    assert wait_until(lambda: len(hop.asked) == 2)
    hop.tells["unheld"].set()
    assert wait_until(lambda: "QUIT" in hop.lines)
    hop.tells["held"].set()
    assert {lines.readline()[:3] for _, lines in second} == {b"250"}
    for client, _ in first + second:
        client.close()


def test_the_same_question_is_asked_once(hop_and_server):
    hop, server = hop_and_server
    clients = [socket.create_connection(("127.0.0.1", server.port)) for _ in range(20)]
    try:
        for client in clients:
            client.sendall(b"EHLO me.example\r\nMAIL FROM:<>\r\nRCPT TO:<stuck@b.example>\r\n")
        for client in clients:
            lines = client.makefile("rb")
            assert any(lines.readline().startswith(b"550 5.1.1") for _ in range(20))
    finally:
        for client in clients:
            client.close()
    assert len(hop.asked) == 1
