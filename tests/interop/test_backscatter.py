"""Forged mail in all the ways that could make a server answer its innocent sender: what is refused is
refused while the client waits, and nobody else hears of it. SECURITY: backscatter."""
import random
import re
import smtplib

import pytest

from conftest import run
from fake_mx import FakeMx
from server import BINARY, wait_until

MAILS, SESSIONS = 10_000, 400
LARGE = 20_000

CONFIG = """\
hostname mx.example.org
listen mx 127.0.0.1:{port} { max-size %d }
queue {folder}/queue { min-free 1M }
postmaster ann@example.org
srs file:{folder}/srs
table accounts accounts {folder}/accounts
table aliases aliases {folder}/aliases
limit from any { rate unlimited; network-rate unlimited; errors unlimited; messages unlimited }
relay innocent { host 127.0.0.1:%d; tls off }
relay inside { host 127.0.0.1:%d; tls off }
reject sender domain banned.example
reject to domain closed.example
discard to address sink@example.org
accept to domain example.org users accounts aliases aliases deliver maildir {folder}/data/mail/{domain}/{user}
accept to domain names.example aliases aliases
accept to domain inside.example users ask relay inside
accept from local to domain innocent.example relay innocent
accept to domain careless.example relay inside
"""
ACCOUNTS = "ann@example.org:{PLAIN}x::::::\n"
ALIASES = "team@example.org: ann@example.org, gone@example.org\nsales@names.example: ann@example.org\n"

FINE = b"From: x\r\nSubject: y\r\n\r\nhello\r\n"
UNKNOWN, DENIED, BANNED = b"550 5.1.1 ", b"554 5.7.1 ", b"554 5.7.1 "


def ways():
    """What is said, and how the last reply to it begins; %s: the forged sender."""
    def to(*rcpts, content=None, params=""):
        lines = [f"MAIL FROM:<%s>{params}", *(f"RCPT TO:<{r}>" for r in rcpts)]
        return lines, content

    return [
        (*to("nobody@example.org"), UNKNOWN),
        (*to("nobody@names.example"), UNKNOWN),
        (*to("nobody@inside.example"), UNKNOWN),
        (*to("nobody@mx.example.org"), DENIED),
        # return paths that this server never gave
        (*to("SRS0=AAAA=HN=innocent.example=nobody@example.org"), b"550 5.7.1 "),
        (*to("SRS1=AAAA=innocent.example==BBBB=HN=far.example=nobody@names.example"), b"550 5.7.1 "),
        (*to("x@closed.example"), DENIED),
        (*to("x@elsewhere.example"), DENIED),
        # refused behind the content
        (*to("ann@example.org", content=b"a\r\n" * LARGE), b"552 5.3.4 "),
        (*to("ann@example.org", content=b"Subject: y\r\n\r\na\nb\r\n"), b"550 5.5.2 "),
        (*to("ann@example.org", content=b"Received: z\r\n" * 101 + FINE), b"554 5.4.6 "),
        # for some there is a mailbox, for others not
        (*to("nobody@example.org", "ann@example.org", content=FINE), b"250 2.0.0 "),
        (*to("team@example.org", content=FINE), b"250 2.0.0 "),
        (*to("sink@example.org", content=FINE), b"250 2.0.0 "),
        # before anybody was named
        ([f"MAIL FROM:<%s> SIZE={10 * LARGE}"], None, b"552 5.3.4 "),
    ]


class Forger:
    def __init__(self, port):
        self.client = smtplib.SMTP("127.0.0.1", port)
        self.client.ehlo("bot.example")

    def say(self, line):
        code, text = self.client.docmd(line)
        return b"%d %s" % (code, text)

    def forge(self, way, sender):
        """The last reply, when all is over."""
        lines, content, _ = way
        for line in lines:
            reply = self.say(line.replace("%s", sender).replace("nobody", f"nobody{len(sender) % 7}{sender[1]}"))
        if content is not None:
            assert self.say("DATA").startswith(b"354")
            self.client.send(content.replace(b"\r\n.", b"\r\n..") + b".\r\n")
            reply = b"%d %s" % self.client.getreply()
        self.say("RSET")
        return reply

    def close(self):
        self.client.quit()


def inside_says(verb, line, session):
    """A server that knows bob; and one that takes a mail for a domain, and cannot keep it."""
    del session
    if verb == "RCPT" and "bob@" not in line and "careless" not in line:
        return "550 5.1.1 no such user"
    return "552 5.2.2 mailbox full" if verb == "DOT" else None


@pytest.fixture
def world():
    servers = FakeMx(), FakeMx(inside_says)
    yield servers
    for server in servers:
        server.close()


def test_no_report_to_the_innocent(serve, tmp_path, world):
    innocent, inside = world
    (tmp_path / "accounts").write_text(ACCOUNTS)
    (tmp_path / "srs").write_text("hush, hush\n")
    for name in ("accounts", "srs"):
        (tmp_path / name).chmod(0o600)
    (tmp_path / "aliases").write_text(ALIASES)
    server = serve(CONFIG % (LARGE, innocent.port, inside.port)).start()
    chance, all_ways, number = random.Random(21), ways(), 0
    for _ in range(SESSIONS):
        forger = Forger(server.port)
        for _ in range(MAILS // SESSIONS):
            way = all_ways[number % len(all_ways)]
            reply = forger.forge(way, f"v{chance.randrange(10**9)}@innocent.example")
            assert reply.startswith(way[2]), (way[0], reply)
            number += 1
        forger.close()
    assert number == MAILS
    assert wait_until(lambda: server.queued() == 0)
    assert "sender notification" not in server.log()
    assert innocent.mails == [] and innocent.connections == 0

    # It is not that reports find no way: here is the one rule that is careless.
    assert Forger(server.port).forge((["MAIL FROM:<%s>", "RCPT TO:<x@careless.example>"], FINE, None),
                                     "victim@innocent.example").startswith(b"250 ")
    assert wait_until(lambda: innocent.mails)
    assert innocent.mails[0][0].startswith("MAIL FROM:<>")


def test_who_is_careless_is_warned(tmp_path):
    """Of what would send reports to the innocent, and what would be worse."""
    conf = tmp_path / "postroad.conf"
    head = (f"hostname mx.example.org\nlisten mx 127.0.0.1:25\nqueue {tmp_path}/queue\n"
            "postmaster ann@example.org\nrelay inside { host 127.0.0.1:26 }\n"
            f"accept to domain example.org deliver maildir {tmp_path}/mail/{{user}}\n")

    def said(rule):
        conf.write_text(head + rule + "\n")
        return run(BINARY, "config", "check", "-c", str(conf))

    warning = "warning: every address is accepted; unknown ones bounce to innocent senders"
    for rule in ("accept to domain b.example relay inside",
                 "accept to domain b.example deliver lmtp 127.0.0.1:24"):
        status, text = said(rule)
        assert status == 0 and len(re.findall(warning, text)) == 1, text
    for rule in ("accept to domain b.example users ask relay inside",
                 "accept from local to any relay inside"):
        status, text = said(rule)
        assert status == 0 and "warning" not in text, text
    status, text = said("accept to any relay inside")
    assert status == 78 and "error: an open relay" in text, text
