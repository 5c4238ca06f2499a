"""`rewrite`: a machine that only sends, behind a smarthost that takes mail of one sender only; and a
domain that has a new name."""
import smtplib

import pytest

from conftest import run
from fake_mx import FakeMx
from peers import Postfix
from server import BINARY, wait_until

CONFIG = """\
hostname web1.local
listen mx 127.0.0.1:{port}
queue {folder}/queue { min-free 1M }
postmaster admin@in.example
relay smart { host 127.0.0.1:%s; tls off; retry 1h }
rewrite sender local to robot@example.org
rewrite sender domain *.web1.local to @example.org
rewrite rcpt domain old.example to "{user}@new.example"
accept to domain new.example deliver maildir {folder}/data/mail/{domain}/{user}
accept from local to any relay smart
"""
CRON = (b"From: root (Cron Daemon)\r\nTo: ops@in.example\r\nSubject: Cron <root@web1> /bin/true\r\n"
        b"\r\nFrom: root@web1.local\r\n")


class StrictPostfix(Postfix):
    """Mail of one sender, as a provider takes it; all else is refused."""

    def configure(self):
        super().configure()
        with open(self.path("etc/postfix/main.cf"), "a", encoding="utf-8") as f:
            f.write("smtpd_delay_reject = no\n"
                    "smtpd_sender_restrictions = check_sender_access inline:{robot@example.org=OK}, reject\n")


@pytest.fixture
def world():
    sink = FakeMx()
    yield sink
    sink.close()


@pytest.fixture
def smart(tmp_path, world):
    postfix = StrictPostfix(tmp_path, onward=world.port).start()
    yield postfix
    postfix.stop()


def send(server, sender, rcpt, content):
    with smtplib.SMTP("127.0.0.1", server.port) as client:
        client.ehlo("localhost")
        return client.sendmail(sender, [rcpt], content)


def test_a_null_client(serve, smart, world):
    server = serve(CONFIG % smart.port).start()
    send(server, "root@web1.local", "ops@in.example", CRON)
    assert wait_until(lambda: world.mails)
    sender, rcpts, body = world.mails[0]
    assert sender.startswith("MAIL FROM:<robot@example.org>") and rcpts[0].startswith("RCPT TO:<ops@in.example>")
    header, _, rest = body.partition(b"\r\n\r\n")
    assert b"\r\nFrom: Cron Daemon <robot@example.org>\r\nTo: ops@in.example\r\n" in header
    assert rest == b"From: root@web1.local\r\n"
    for told in ("rewrite: sender=<root@web1.local> is now <robot@example.org>, by", "postroad.conf:6\n",
                 "from=<robot@example.org>"):
        assert wait_until(lambda: told in server.log()), server.log()


def test_what_no_rewrite_is_about(serve, smart, world):
    """The smarthost does refuse: else the test above shows nothing."""
    server = serve(CONFIG % smart.port).start()
    send(server, "me@sub.web1.local", "ops@in.example", CRON)
    assert wait_until(lambda: "status=bounced" in server.log())
    assert "from=<me@example.org>" in server.log() and "Sender address rejected" in server.log()
    assert not world.mails


def test_a_domain_renamed(serve, world):
    server = serve(CONFIG % world.port).start()
    send(server, "", "ann+x@old.example", CRON)
    assert wait_until(lambda: "status=sent" in server.log())
    assert "to=<ann@new.example>, orig_to=<ann+x@old.example>" in server.log()


def test_explained(serve, world, tmp_path):
    serve(CONFIG % world.port).start()
    conf = str(tmp_path / "postroad.conf")
    status, said = run(BINARY, "explain", "-c", conf, "--client", "127.0.0.1", "--from", "root@localhost",
                       "--to", "ann@old.example")
    assert status == 0
    assert said.startswith("ann@old.example: 250 2.1.5 Ok\n"
                           "  sender root@localhost -> robot@example.org\n"
                           f"    {conf}:6: rewrite sender local to robot@example.org\n"
                           "  recipient ann@old.example -> ann@new.example\n"
                           f"    {conf}:8: rewrite rcpt domain old.example to "), said
    status, said = run(BINARY, "explain", "-c", conf, "--client", "192.0.2.1", "--from", "root@web1.local",
                       "--to", "ann@old.example", "--json")
    assert status == 0 and '"sender"' not in said and '"recipient": {"is": "ann@new.example"' in said, said
