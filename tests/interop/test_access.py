"""Clients, senders and recipients that are turned away, by tables that a reload reads again."""
import glob
import subprocess

import pytest

from server import BINARY, wait_until
from test_limits import Client
from test_reload import reload

CONFIG = """
hostname mx.example.org
postmaster ann@example.org
listen mx 127.0.0.1:{port}
queue {folder}/queue { min-free 10M }
table clients cidr {folder}/clients
table friends cidr {folder}/friends
table senders list {folder}/senders
table rcpts list {folder}/rcpts
table open list {folder}/open
deny client clients
allow client friends
deny sender senders
deny rcpt rcpts
allow rcpt open
accept to domain example.org deliver maildir {folder}/data/mail/{domain}/{user}
accept from network 127.5.9.0/24,network 127.7.9.0/24 to domain inside.example deliver maildir {folder}/data/mail/{domain}/{user}
"""

TABLES = {"clients": "127.5.0.0/16\n", "friends": "127.5.0.7\n", "senders": "*.spam.example\nold@b.example\n",
          "rcpts": "gone@example.org\n", "open": "abuse@\n"}

CLIENT = b"554 5.7.1 <unknown[%s]>: Client host rejected: Access denied\r\n"
RCPT = b"250 2.1.5 Ok\r\n"

# client, sender, recipient, what RCPT is answered
ROWS = [
    ("127.0.0.1", "a@b.example", "bob@example.org", RCPT),
    ("127.5.0.1", "a@b.example", "bob@example.org", CLIENT % b"127.5.0.1"),
    ("127.5.0.7", "a@b.example", "bob@example.org", RCPT),
    ("127.5.0.1", "a@b.example", "abuse@example.org", RCPT),
    ("127.5.0.1", "a@b.example", "postmaster@example.org", RCPT),
    ("127.0.0.1", "a@x.spam.example", "bob@example.org",
     b"554 5.7.1 <a@x.spam.example>: Sender address rejected: Access denied\r\n"),
    ("127.0.0.1", "old+x@b.example", "bob@example.org",
     b"554 5.7.1 <old+x@b.example>: Sender address rejected: Access denied\r\n"),
    ("127.0.0.1", "a@b.example", "Gone@example.org",
     b"554 5.7.1 <Gone@example.org>: Recipient address rejected: Access denied\r\n"),
    ("127.7.9.1", "a@b.example", "bob@inside.example", RCPT),
    ("127.5.9.1", "a@b.example", "bob@inside.example", CLIENT % b"127.5.9.1"),
    ("127.0.0.1", "a@b.example", "bob@inside.example",
     b"554 5.7.1 <bob@inside.example>: Relay access denied\r\n"),
]


@pytest.fixture
def guarded(serve, tmp_path):
    for name, text in TABLES.items():
        (tmp_path / name).write_text(text)
    return serve(CONFIG).start()


def ask(server, source, sender, rcpt):
    client = Client(server, source).hello()
    assert client.say(b"MAIL FROM:<%s>" % sender.encode())[:3] == b"250"
    answer = client.say(b"RCPT TO:<%s>" % rcpt.encode())
    client.close()
    return answer


def explain(server, source, sender, rcpt):
    return subprocess.run([BINARY, "explain", "-c", server.folder + "/postroad.conf", "--client", source, "--from",
                           sender, "--to", rcpt], stdout=subprocess.PIPE, text=True, check=True).stdout


def test_who_is_turned_away(guarded):
    for source, sender, rcpt, answer in ROWS:
        assert ask(guarded, source, sender, rcpt) == answer, (source, sender, rcpt)
    assert wait_until(lambda: "NOQUEUE: reject: RCPT from unknown[127.5.0.1]: 554 5.7.1 <unknown[127.5.0.1]>: Client "
                      "host rejected: Access denied; from=<a@b.example> to=<bob@example.org> proto=ESMTP "
                      "helo=<c.example>" in guarded.log())


def test_explain_says_the_same_and_which_line(guarded):
    lines = {b"Client": "deny client clients", b"Sender": "deny sender senders", b"Recipient": "deny rcpt rcpts"}
    for source, sender, rcpt, answer in ROWS:
        told = explain(guarded, source, sender, rcpt)
        assert told.startswith(f"{rcpt}: {answer.decode().strip()}\n"), told
        for word, line in lines.items():
            if b": " + word in answer:
                assert told.rstrip().endswith(line), told


def test_the_courier_knows_the_network_too(guarded):
    client = Client(guarded, "127.7.9.1").hello()
    for line in (b"MAIL FROM:<a@b.example>", b"RCPT TO:<bob@inside.example>", b"DATA", b"Subject: x\r\n\r\nx\r\n."):
        answer = client.say(line)
    client.close()
    assert answer[:3] == b"250"
    assert wait_until(lambda: glob.glob(guarded.data + "/mail/inside.example/bob/new/*")), guarded.log()[-2000:]


def test_reload_reads_the_tables_again(guarded, tmp_path):
    assert ask(guarded, "127.5.0.1", "a@b.example", "bob@example.org") == CLIENT % b"127.5.0.1"
    (tmp_path / "clients").write_text("127.6.0.0/16\n")
    assert reload(guarded)[0] == 0
    assert ask(guarded, "127.5.0.1", "a@b.example", "bob@example.org") == RCPT
    assert ask(guarded, "127.5.9.1", "a@b.example", "bob@inside.example") == RCPT  # 'from network'
    assert ask(guarded, "127.6.0.1", "a@b.example", "bob@example.org") == CLIENT % b"127.6.0.1"
    (tmp_path / "clients").write_text("127.6.0.1/16\n")
    status, told = reload(guarded)
    assert status == 78 and "is not a network" in told
    assert ask(guarded, "127.6.0.1", "a@b.example", "bob@example.org") == CLIENT % b"127.6.0.1"
