"""Addresses of `postroad dev` that behave badly on purpose, for programs that must cope."""
import smtplib
import time

import pytest

from conftest import CONTENT
from server import wait_until
from test_queue import CONFIG

SENDER = "me@client.example"


def code_of(client, rcpt):
    code, _ = client.rcpt(rcpt)
    return code


def session(server):
    client = smtplib.SMTP("127.0.0.1", server.port, timeout=60)
    client.ehlo("client.example")
    assert client.mail(SENDER)[0] == 250
    return client


def test_refuse_and_defer(server):
    with session(server) as client:
        assert client.rcpt("refuse@any.example") == (
            550, b"5.1.1 <refuse@any.example>: Recipient address rejected: User unknown")
        assert code_of(client, "Defer@any.example") == 450
        assert code_of(client, "defer@any.example") == 450
        assert code_of(client, "ann@example.org") == 250
        assert client.data(CONTENT)[0] == 250
    server.wait_mail("ann")
    assert server.mails("refuse", "any.example") == []


def test_greylist(server):
    with session(server) as client:
        assert code_of(client, "greylist@any.example") == 450
        assert code_of(client, "greylist@any.example") == 450
        assert code_of(client, "greylist@other.example") == 450
    assert wait_until(lambda: taken(server), step=0.5)
    server.wait_mail("greylist", "any.example")


def taken(server):
    with session(server) as client:
        return code_of(client, "greylist@any.example") == 250 and client.data(CONTENT)[0] == 250


def test_delay(server):
    with session(server) as client:
        began = time.monotonic()
        assert code_of(client, "delay-2s@any.example") == 250
        assert time.monotonic() - began > 1.9
        assert client.data(CONTENT)[0] == 250
    server.wait_mail("delay-2s", "any.example")


def test_the_server_ends_while_a_client_is_delayed(server):
    client = session(server)
    client.putcmd("rcpt", "TO:<delay-600s@any.example>")
    time.sleep(0.2)
    began = time.monotonic()
    assert server.stop() == 0 and time.monotonic() - began < 8
    assert b"421" in client.sock.recv(1000)
    client.close()
    server.start()


def test_drop_after_data(server):
    with pytest.raises(smtplib.SMTPServerDisconnected):
        with session(server) as client:
            assert code_of(client, "ann@example.org") == 250
            assert code_of(client, "drop-after-data@any.example") == 250
            client.data(CONTENT)
    assert wait_until(lambda: "connection dropped on purpose" in server.log())
    with session(server) as client:
        assert code_of(client, "ann@example.org") == 250
        assert client.data(CONTENT)[0] == 250
    server.wait_mail("ann")
    time.sleep(0.3)
    assert len(server.mails("ann")) == 1


def test_other_servers_have_none_of_it(serve):
    server = serve(CONFIG % 9).start()
    with session(server) as client:
        for user in ("refuse", "defer", "greylist", "delay-600s", "drop-after-data"):
            assert code_of(client, f"{user}@out.example") == 250
        assert client.data(CONTENT)[0] == 250
