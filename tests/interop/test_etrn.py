"""ETRN (RFC 1985): a server that was away asks for the mail that waits for it."""
import re
import smtplib

import pytest

from fake_mx import FakeMx
from server import free_port, wait_until
from test_queue import CONFIG, hand_in, listed, queue

ETRN_CONFIG = CONFIG.replace("listen mx 127.0.0.1:{port}",
                             "listen mx 127.0.0.1:{port} { etrn b.example,*.c.example,c.example }")
TRIED = "status=deferred"


def etrn(server, *nodes):
    with smtplib.SMTP("127.0.0.1", server.port) as client:
        client.ehlo("b.example")
        return [client.docmd("ETRN", node)[0] for node in nodes]


def deferred(serve, *rcpts):
    """A server on which so many mails wait for an hour, and the port where one could take them."""
    port = free_port()
    server = serve(ETRN_CONFIG % port).start()
    for rcpt in rcpts:
        hand_in(server, rcpt)
    assert wait_until(lambda: server.log().count(TRIED) == len(rcpts), 120)
    return server, port


def went(mx):
    return sorted(rcpt.removeprefix("RCPT TO:<").removesuffix(">")
                  for _, rcpts, _ in mx.mails for rcpt in rcpts)


def gone(server):
    """How many messages each finished request set going."""
    return re.findall(r"qmgr\[\d+\]: ETRN (\S+): messages that go now: (\d+)", server.log())


def test_mail_goes_when_its_server_asks(serve):
    server, port = deferred(serve, "ann@b.example", "bob@B.example", "cy@c.example",
                            "dan@sub.c.example", "eve@d.example", "held@b.example")
    held = [m["id"] for m in listed(server, "--to", "held@b.example")]
    assert queue(server, "hold", *held)[0] == 0
    mx = FakeMx(port=port)
    assert etrn(server, "B.example") == [250]
    assert wait_until(lambda: went(mx) == ["ann@b.example", "bob@b.example"])
    assert wait_until(lambda: gone(server) == [("b.example", "2")])
    assert etrn(server, "@c.example") == [250]
    assert wait_until(lambda: went(mx)[2:] == ["cy@c.example", "dan@sub.c.example"])
    assert wait_until(lambda: sorted(r["to"] + " " + r["status"] for m in listed(server) for r in m["rcpts"]) ==
                      ["eve@d.example deferred", "held@b.example held"])
    assert wait_until(lambda: "]: ETRN @c.example from unknown[127.0.0.1]" in server.log())
    mx.close()


def test_paused_mail_stays(serve):
    server, port = deferred(serve, "ann@b.example", "cy@c.example")
    assert queue(server, "pause", "--domain", "b.example")[0] == 0
    mx = FakeMx(port=port)
    assert etrn(server, "b.example", "c.example") == [250, 250]
    assert wait_until(lambda: went(mx) == ["cy@c.example"])
    assert wait_until(lambda: listed(server)[0].get("messages") == 1)
    assert queue(server, "resume", "--domain", "b.example")[0] == 0
    assert wait_until(lambda: went(mx) == ["ann@b.example", "cy@c.example"])
    mx.close()


def test_who_may_ask_for_what(serve):
    other = free_port()
    server = serve(ETRN_CONFIG % free_port() + f"listen mx 127.0.0.1:{other}\n").start()
    with smtplib.SMTP("127.0.0.1", server.port) as client:
        assert client.docmd("ETRN", "b.example")[0] == 503
        client.ehlo("c")
        assert client.has_extn("etrn")
        for node, code in (("b.example", 250), ("@b.example", 459), ("x.b.example", 459),
                           ("d.example", 459), ("#',8,8,8);--", 501), ("#b.example", 458),
                           ("", 501)):
            assert client.docmd("ETRN", node)[0] == code, node
        assert b"Node d.example not allowed" in client.docmd("ETRN", "d.example")[1]
        client.mail("a@b.example")
        assert client.docmd("ETRN", "b.example")[0] == 503
    assert wait_until(lambda: "NOQUEUE: reject: ETRN from unknown[127.0.0.1]: 459 4.7.1 Node "
                              "x.b.example not allowed; proto=ESMTP helo=<c>" in server.log())
    with smtplib.SMTP("127.0.0.1", other) as client:
        client.ehlo("c")
        assert not client.has_extn("etrn") and client.docmd("ETRN", "b.example")[0] == 502


def test_asking_often_does_nothing_more(serve):
    server, port = deferred(serve, "ann@b.example")
    before = server.log().count(TRIED)
    assert etrn(server, *["b.example"] * 26) == [250] * 25 + [459]
    assert wait_until(lambda: len(gone(server)) == 1)
    assert etrn(server, *["b.example"] * 25) == [250] * 25
    assert wait_until(lambda: server.log().count(TRIED) == before + 1)
    mx = FakeMx(port=port)  # another try would be seen
    assert etrn(server, "c.example") == [250]
    assert wait_until(lambda: len(gone(server)) == 2)
    assert server.log().count(TRIED) == before + 1 and not mx.mails
    mx.close()


@pytest.mark.parametrize("back", [True, False])
def test_a_server_that_is_back_gets_all_a_dead_one_little(serve, back):
    server, port = deferred(serve, *[f"user{i}@b.example" for i in range(400)])
    before = server.log().count(TRIED)
    mx = FakeMx(port=port) if back else None
    assert etrn(server, "b.example") == [250]
    assert wait_until(lambda: gone(server))
    if back:
        assert wait_until(lambda: len(mx.mails) == 400, 120)
        mx.close()
        return
    count = int(gone(server)[0][1])
    assert count <= 200
    assert wait_until(lambda: server.log().count(TRIED) == before + count)
    assert len(listed(server)) == 400
