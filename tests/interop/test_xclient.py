"""Clients that may speak for others: `xclient-from`, XCLIENT and XFORWARD, with swaks and Postfix."""
import smtplib

import pytest

from conftest import CONTENT, SENDER, need, run
from peers import Postfix
from server import free_ports, wait_until
from test_limits import with_few_sessions
from test_proxy import EVERYWHERE, Client, binary

CONFIG = """
hostname mx.example.org
postmaster ann@example.org
table people accounts {folder}/people
table enemies cidr {folder}/enemies
deny client enemies
queue {folder}/queue { min-free 10M }
listen mx 127.0.0.1:{port}
listen mx 127.0.0.1:TRUSTING { xclient-from 127.0.0.1,192.0.2.77 }
listen mx 127.0.0.1:BEHIND { proxy-from 127.0.0.1; xclient-from 192.0.2.77 }
listen submission 127.0.0.1:LOGIN { tls off; auth people; auth-cleartext yes; xclient-from 127.0.0.1 }
limit from network 203.0.113.0/24 { connections 1 }
accept from local to domain local.example deliver maildir {folder}/data/mail/{domain}/{user}
accept from network 192.0.2.0/24,network 127.0.0.0/8 to domain net.example deliver maildir {folder}/data/mail/{domain}/{user}
accept to domain in.example deliver maildir {folder}/data/mail/{domain}/{user}
accept to domain example.org deliver maildir {folder}/data/mail/{domain}/{user}
"""
PORTS = ["TRUSTING", "BEHIND", "LOGIN"]


@pytest.fixture
def server(serve, tmp_path):
    config, ports = CONFIG, dict(zip(PORTS, free_ports(len(PORTS))))
    for name, port in ports.items():
        config = config.replace(name, str(port))
    (tmp_path / "people").write_text("ann@example.org:{PLAIN}secret\n")
    (tmp_path / "people").chmod(0o600)
    (tmp_path / "enemies").write_text("198.51.100.66\n")
    running = serve(config).start()
    running.ports = ports
    return running


def speaking(server, words, port="TRUSTING"):
    """One who has sent XCLIENT; the greeting that follows is still to be read."""
    by = Client(server.ports[port])
    assert by.answer().startswith(b"220 ")
    by.socket.sendall(b"XCLIENT " + words + b"\r\n")
    return by


@pytest.mark.parametrize("words, client, codes", [
    (b"ADDR=192.0.2.7 NAME=seven.example", "192.0.2.7", [554, 250, 250]),
    (b"ADDR=IPV6:2001:db8::7", "2001:db8::7", [554, 554, 250]),
    (b"ADDR=127.0.0.1", "127.0.0.1", [554, 250, 250]),  # never local
    (b"ADDR=[UNAVAILABLE]", "127.0.0.1", [554, 554, 250]),  # in no network
    (b"HELO=a", "127.0.0.1", [554, 250, 250]),
    (b"ADDR=198.51.100.66", "198.51.100.66", [554, 554, 554]),  # an enemy
])
def test_client_is_who_xclient_says(server, words, client, codes):
    by = speaking(server, words)
    assert by.rcpt(EVERYWHERE) == codes
    if 250 in codes:
        assert by.send().startswith(b"250 ")
        stored = server.wait_mail("ann")[0].decode()
        assert f"[{'IPv6:' if ':' in client else ''}{client}]" in stored.split("by mx")[0]
    name = "seven.example" if b"NAME" in words else "unknown"
    assert wait_until(lambda: f"connect from {name}[{client}]" in server.log())
    by.close()
    assert wait_until(lambda: f"disconnect from {name}[{client}]" in server.log())


def test_one_after_the_other(server):
    by = speaking(server, b"ADDR=192.0.2.7")
    assert by.rcpt(EVERYWHERE) == [554, 250, 250]
    assert by.say(b"RSET").startswith(b"250 ")
    by.socket.sendall(b"XCLIENT ADDR=198.51.100.9\r\n")
    assert by.rcpt(EVERYWHERE) == [554, 554, 250]


def test_limits_are_those_of_the_client(server):
    first = speaking(server, b"ADDR=203.0.113.9")
    assert first.answer().startswith(b"220 ")
    second = speaking(server, b"ADDR=203.0.113.9")
    assert second.answer().startswith(b"421 4.7.0 mx.example.org Error: too many connections from 203.0.113.9")
    assert second.ended()
    first.socket.sendall(b"XCLIENT ADDR=203.0.113.10\r\n")
    assert first.answer().startswith(b"220 ")
    assert speaking(server, b"ADDR=203.0.113.9").answer().startswith(b"220 ")  # it has left


def test_a_proxy_of_this_machine_has_no_share_for_its_clients(server):
    """Programs of this machine may have 20 of 40 sessions. Others who come through one are not of them."""
    receivers = with_few_sessions(server)
    clients = [speaking(server, b"ADDR=198.51.100.%d" % i) for i in range(30 * receivers)]
    assert all(by.answer().startswith(b"220 ") for by in clients)
    assert all(by.say(b"NOOP").startswith(b"250 ") for by in clients)


def test_login(server):
    by = speaking(server, b"ADDR=192.0.2.7 LOGIN=ann@example.org", "LOGIN")
    assert by.answer().startswith(b"220 ")
    assert by.say(b"EHLO client.example").startswith(b"250 ")
    assert by.say(b"MAIL FROM:<bob@example.org>").startswith(b"553 5.7.1 ")
    assert by.say(b"MAIL FROM:<ann@example.org>").startswith(b"250 ")
    assert by.say(b"RCPT TO:<ann@example.org>").startswith(b"250 ")
    assert by.send().startswith(b"250 ")
    assert wait_until(lambda: "client=unknown[192.0.2.7], sasl_method=XCLIENT, sasl_username=ann@example.org"
                      in server.log())
    for words in b"LOGIN=joe", b"LOGIN=ann", b"LOGIN=[UNAVAILABLE]":
        by = speaking(server, words, "LOGIN")
        assert by.answer()[:3] == (b"220" if b"[" in words else b"550")
        assert by.say(b"EHLO client.example").startswith(b"250 ")
        assert by.say(b"MAIL FROM:<ann@example.org>").startswith(b"530 5.7.0 ")
    # Nobody has an account where nobody logs in.
    assert speaking(server, b"LOGIN=ann@example.org").answer().startswith(b"550 5.7.0 ")


def test_others_may_not(server):
    by = Client(server.ports["TRUSTING"], source="127.0.0.2")
    assert by.answer().startswith(b"220 ")
    assert by.say(b"XCLIENT ADDR=127.0.0.1") == b"550 5.7.0 Error: insufficient authorization\r\n"
    by.socket.sendall(b"EHLO client.example\r\n")
    offered = b""
    while not offered.startswith(b"250 "):
        offered = by.file.readline()
        assert not offered[4:].startswith((b"XCLIENT", b"XFORWARD"))
    by = Client(server.port)
    assert by.answer().startswith(b"220 ")
    assert by.say(b"XCLIENT ADDR=192.0.2.7").startswith(b"502 5.5.1 ")


def test_behind_a_proxy_the_client_is_meant(server):
    for client, code in (("192.0.2.77", b"220"), ("192.0.2.78", b"550"), ("127.0.0.1", b"550")):
        by = Client(server.ports["BEHIND"], binary(client))
        assert by.answer().startswith(b"220 ")
        assert by.say(b"XCLIENT ADDR=192.0.2.7")[:3] == code


def test_swaks(server):
    need("swaks")
    code, said = run("swaks", "--server", f"127.0.0.1:{server.ports['TRUSTING']}", "--ehlo", "client.example",
                     "--from", SENDER, "--to", "ann@example.org", "--data", CONTENT.decode(),
                     "--xclient-addr", "192.0.2.7", "--xclient-name", "seven.example",
                     "--xclient-helo", "seven", "--xclient-proto", "ESMTP")
    assert code == 0, said
    assert b"([192.0.2.7])" in server.wait_mail("ann")[0]


class Forwarding(Postfix):
    def configure(self):
        super().configure()
        with open(self.path("etc/postfix/main.cf"), "a", encoding="utf-8") as f:
            f.write("smtp_send_xforward_command = yes\n")


def test_xforward_of_postfix(server, tmp_path):
    peer = Forwarding(tmp_path, onward=server.ports["TRUSTING"], back=9)
    peer.start()
    try:
        with smtplib.SMTP("127.0.0.1", peer.port, source_address=("127.0.0.3", 0)) as client:
            client.sendmail(SENDER, ["ann@in.example"], CONTENT)
        stored = server.wait_mail("ann", "in.example")[0]
        assert b"(peer.example [127.0.0.1])" in stored or b"([127.0.0.1])" in stored
        assert wait_until(lambda: "orig_client=unknown[127.0.0.3]" in server.log()), server.log()
        assert wait_until(lambda: "client=unknown[127.0.0.1], orig_queue_id=" in server.log())
    finally:
        peer.stop()
