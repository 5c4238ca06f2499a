"""Clients that a list in DNS names: `dnsbl`, against NSD; and those that speak before the greeting:
`greet-delay`. Any address can be a client's, since it comes by a proxy."""
import json
import re
import socket
import threading

import pytest

from conftest import need, run
from name_server import PROGRAMS, NameServer
from network import trusting
from server import BINARY, Server, free_ports, wait_until
from test_proxy import Client, binary

ZONES = {
    "list.test": r"""
7.2.0.192 A 127.0.0.2
7.2.0.192 TXT "https://list.test/?ip=192.0.2.7 \027[31mred\013\010250 Ok"
8.2.0.192 A 127.0.0.4
9.2.0.192 A 127.0.0.4
7.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2 A 127.0.0.2
""",
    "other.test": "8.2.0.192 A 127.0.0.2\n10.2.0.192 A 127.0.0.2\n",
    "slow.test": "7.2.0.192 A 127.0.0.2\n",
    "refuses.test": "* A 127.255.255.254\n",
    "parked.test": "* A 192.0.2.80\n",
    "broken.test": "@ A 192.0.2.1\n",
}

CONFIG = """
hostname mx.example.org
postmaster ann@example.org
queue {folder}/queue { min-free 10M }
resolver 127.0.0.1@DNS
table friends cidr {folder}/friends
table open list {folder}/open
allow client friends
allow rcpt open
listen mx 127.0.0.1:{port} { dnsbl list.test }
listen mx 127.0.0.1:TWO { proxy-from 127.0.0.1; dnsbl list.test,other.test }
listen mx 127.0.0.1:SLOW { proxy-from 127.0.0.1; dnsbl slow.test }
listen mx 127.0.0.1:REFUSES { proxy-from 127.0.0.1; dnsbl refuses.test }
listen mx 127.0.0.1:PARKED { proxy-from 127.0.0.1; dnsbl parked.test }
listen mx 127.0.0.1:BROKEN { proxy-from 127.0.0.1; dnsbl broken.test,list.test }
listen mx 127.0.0.1:LATE { proxy-from 127.0.0.1; greet-delay 2s }
listen mx 127.0.0.1:NEVER { proxy-from 127.0.0.1; greet-delay 60s }
accept to domain example.org deliver maildir {folder}/data/mail/{domain}/{user}
"""
PORTS = ["TWO", "SLOW", "REFUSES", "PARKED", "BROKEN", "LATE", "NEVER"]  # while a test runs


class Lag:
    """Between the resolver and NSD: questions about slow.test wait until `go` is set."""

    def __init__(self, port):
        self.go, self.upstream = threading.Event(), ("127.0.0.1", port)
        self.socket = socket.socket(type=socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 0))
        self.port, self.asked = self.socket.getsockname()[1], threading.Event()
        threading.Thread(target=self.run, daemon=True).start()

    def run(self):
        while True:
            try:
                question, client = self.socket.recvfrom(4096)
            except OSError:
                return
            threading.Thread(target=self.pass_on, args=(question, client), daemon=True).start()

    def pass_on(self, question, client):
        if b"\x04slow\x04test" in question.lower() and b"\x03192\x04slow" in question:
            self.asked.set()
            self.go.wait(60)
        with socket.socket(type=socket.SOCK_DGRAM) as s:
            s.settimeout(60)
            s.sendto(question, self.upstream)
            try:
                self.socket.sendto(s.recv(4096), client)
            except OSError:
                pass  # the test is over


class Trusting(Server):
    anchor = None

    def command(self):
        return trusting(self.anchor, super().command())


@pytest.fixture(scope="module")
def names(tmp_path_factory):
    for program in PROGRAMS:
        need(program)
    server = NameServer(tmp_path_factory.mktemp("dns") / "zones", ZONES, unsigned=["slow.test"])
    server.path("broken.test").unlink()
    try:
        yield server.start()
    finally:
        server.stop()


@pytest.fixture
def server(names, tmp_path):
    lag, config = Lag(names.port), CONFIG
    ports = dict(zip(PORTS, free_ports(len(PORTS))))
    for name, port in {**ports, "DNS": lag.port}.items():
        config = config.replace(name, str(port))
    (tmp_path / "friends").write_text("192.0.2.9\n")
    (tmp_path / "open").write_text("abuse@\n")
    running = Trusting(tmp_path, config)
    running.anchor, running.lag = names.anchor, lag
    running.start()
    running.ports = ports
    yield running
    lag.go.set()
    assert running.stop() == 0, running.log()[-2000:]
    lag.socket.close()


def client(server, port, ip):
    return Client(server.ports[port], binary(ip))


def refused(server, port, ip):
    """What this client hears to RCPT; b"" when it may send."""
    by = client(server, port, ip)
    assert by.rcpt([]) == []
    said = by.say(b"RCPT TO:<ann@example.org>")
    by.close()
    return b"" if said.startswith(b"250 ") else said


BLOCKED = b"554 5.7.1 Service unavailable; Client host [%s] blocked using %s%s\r\n"


def test_listed(server):
    for ip, zone, text in ((b"192.0.2.7", b"list.test",
                            b"; https://list.test/?ip=192.0.2.7 ?[31mred?"),
                           (b"192.0.2.8", b"list.test", b""), (b"192.0.2.10", b"other.test", b""),
                           (b"2001:db8::7", b"list.test", b"")):
        assert refused(server, "TWO", ip.decode()) == BLOCKED % (ip, zone, text)
    for ip in "192.0.2.1", "2001:db8::8", "198.51.100.7":
        assert refused(server, "TWO", ip) == b""
    assert wait_until(lambda: "NOQUEUE: reject: RCPT from unknown[192.0.2.7]: 554 5.7.1 "
                      "Service unavailable; Client host [192.0.2.7] blocked using list.test; "
                      "https://list.test/?ip\\x3d192.0.2.7 \\x1b[31mred\\x0d; from=<" in server.log())
    assert "from=<bob@client.example> to=<ann@example.org> proto=ESMTP" in server.log()
    assert "\x1b" not in server.log()


def test_who_is_not_judged(server):
    assert refused(server, "TWO", "192.0.2.9") == b""  # a friend
    by = client(server, "TWO", "192.0.2.7")
    assert by.rcpt(["postmaster@example.org", "ann@example.org", "abuse@example.org",
                    "postmaster"]) == [250, 554, 250, 250]
    assert Client(server.port).rcpt(["ann@example.org"]) == [250]  # local


@pytest.mark.parametrize("port, why", [
    ("REFUSES", "refuses.test: it refuses to answer our resolver (127.255.255.x)"),
    ("PARKED", "parked.test: it answers with an address outside of 127.0.0.0/8"),
    ("BROKEN", "broken.test: ")])
def test_a_list_that_is_none(server, port, why):
    for ip in "192.0.2.1", "192.0.2.2":
        assert refused(server, port, ip) == b""
    warning = f"warning: dnsbl {why}"
    assert wait_until(lambda: warning in server.log()), server.log()[-1000:]
    assert wait_until(lambda: "192.0.2.1] was let through" in server.log())


def test_the_other_list_counts_when_one_fails(server):
    assert refused(server, "BROKEN", "192.0.2.8").startswith(b"554 5.7.1 ")


def test_rcpt_waits_for_the_answer(server):
    bad, good = client(server, "SLOW", "192.0.2.7"), client(server, "SLOW", "192.0.2.1")
    for by in bad, good:
        assert by.answer().startswith(b"220 ")
        assert by.say(b"EHLO client.example").startswith(b"250 ")
        by.socket.sendall(b"MAIL FROM:<bob@client.example>\r\nRCPT TO:<postmaster@example.org>\r\n"
                          b"RCPT TO:<ann@example.org>\r\nRCPT TO:<joe@example.org>\r\nNOOP\r\n")
        assert by.answer()[:3] == b"250" and by.answer()[:3] == b"250"  # MAIL, postmaster
    assert server.lag.asked.wait(60)
    server.lag.go.set()
    assert [bad.answer()[:3] for _ in range(3)] == [b"554", b"554", b"250"]
    assert [good.answer()[:3] for _ in range(3)] == [b"250", b"250", b"250"]


def test_stop_while_it_waits(server):
    by, gone = client(server, "SLOW", "192.0.2.7"), client(server, "SLOW", "192.0.2.7")
    for one in by, gone:
        assert one.rcpt([]) == []
        one.socket.sendall(b"RCPT TO:<ann@example.org>\r\n")
    assert server.lag.asked.wait(60)
    gone.close()
    assert server.stop() == 0
    assert by.answer().startswith(b"421 4.3.2 ")


def test_who_does_not_wait_for_the_greeting(server):
    early = client(server, "NEVER", "192.0.2.1")
    early.socket.sendall(b"EHLO spam.example\r\n")
    assert early.answer() == b"554 5.5.1 Error: you spoke before the greeting\r\n"
    assert early.ended()
    at_once = Client(server.ports["NEVER"], binary("192.0.2.1") + b"EHLO spam.example\r\n")
    assert at_once.answer().startswith(b"554 5.5.1 ")
    assert wait_until(lambda: "NOQUEUE: reject: CONNECT from unknown[192.0.2.1]: 554 5.5.1" in server.log())
    assert wait_until(lambda: re.search(r"PREGREET 19 after \d+\.\d+ from unknown\[192\.0\.2\.1\]: EHLO spam\.example",
                                        server.log())), server.log()
    patient = client(server, "LATE", "192.0.2.1")
    assert patient.rcpt(["ann@example.org"]) == [250]
    left = client(server, "NEVER", "192.0.2.1")
    left.close()


def test_a_friend_is_greeted_at_once(server):
    """He speaks at once, and it is not too early."""
    by = Client(server.ports["NEVER"], binary("192.0.2.9") + b"EHLO client.example\r\n")
    assert by.answer().startswith(b"220 ") and by.answer().startswith(b"250 ")


def test_stop_before_the_greeting(server):
    by = client(server, "NEVER", "192.0.2.1")
    assert wait_until(lambda: "connect from unknown[192.0.2.1]" in server.log())
    assert server.stop() == 0
    assert by.answer().startswith(b"421 4.3.2 ")


@pytest.mark.parametrize("words, listed", [
    ([], True), (["--client", "192.0.2.7"], True), (["--client", "192.0.2.9"], False),
    (["--client", "127.0.0.1"], False)])
def test_explain_says_what_it_does_not_ask(server, words, listed):
    ask = [BINARY, "explain", "-c", server.folder + "/postroad.conf", "--from", "a@b.example", *words]
    code, said = run(*ask, "--to", "ann@example.org")
    assert code == 0 and said.startswith("ann@example.org: 250 2.1.5 Ok\n"), said
    assert ("  unless a list names the client, which is not asked here\n" in said) == listed
    assert ("{ dnsbl list.test }" in said) == listed
    assert "unless" not in run(*ask, "--to", "postmaster@example.org")[1]
    assert "unless" not in run(*ask, "--to", "ann@far.example")[1]  # refused anyway
    lists = json.loads(run(*ask, "--to", "ann@example.org", "--json")[1]).get("unless_listed_by", [])
    assert ("other.test" in lists) == listed
