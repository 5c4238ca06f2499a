"""`postroad explain` says what the server does: the same replies, and the lines that make them."""
import json
import os
import smtplib

import pytest
from conftest import CONTENT, SENDER, run
from server import BINARY
from test_recipients import ACCOUNTS, ALIASES
from test_submission import connect, start

CONFIG = """\
hostname mx.example.org
queue {folder}/queue { min-free 1M }
listen mx 127.0.0.1:{port}
listen submission 127.0.0.1:CLEAR { tls off; auth people; auth-cleartext yes }
table people accounts {folder}/people
table accounts accounts {folder}/accounts
table aliases aliases {folder}/aliases
relay smart { host 127.0.0.1:9 }
reject sender domain spam.example "5.7.1 we know you"
discard to address sink@example.org
accept to local              aliases aliases
accept to domain example.org aliases aliases users accounts deliver maildir {folder}/data/mail/{domain}/{user}
accept to domain example.net users accounts catch-all ann@example.org copy archive@example.org \
deliver maildir {folder}/data/mail/{domain}/{user}
accept from authenticated to any relay smart
postmaster ann@example.org
"""


@pytest.fixture
def server(serve, tmp_path):
    (tmp_path / "accounts").write_text(ACCOUNTS)
    (tmp_path / "accounts").chmod(0o600)
    (tmp_path / "aliases").write_text(ALIASES.replace("{folder}", str(tmp_path)))
    (tmp_path / "friends").write_text("# friends\nann@example.org\nbob@example.net\n")
    return start(serve, tmp_path, CONFIG)


def config_of(server):
    return os.path.join(server.folder, "postroad.conf")


def explain(server, *words):
    status, said = run(BINARY, "explain", "-c", config_of(server), "--json", *words)
    assert status == 0, said
    return [json.loads(line) for line in said.splitlines()]


def line_of(server, beginning):
    with open(config_of(server)) as f:
        found = [i for i, line in enumerate(f, 1) if line.startswith(beginning)]
    assert len(found) == 1
    return found[0]


@pytest.mark.parametrize("sender,rcpt,line,homes", [
    ("me@far.example", "bob@example.org", "accept to domain example.org", ["bob@example.org"]),
    ("me@far.example", "Bob+x@example.org", "accept to domain example.org", ["Bob+x@example.org"]),
    ("me@far.example", "team@example.org", "accept to domain example.org",
     ["ann@example.org", "bob@example.org", "bob@example.net", "archive@example.org"]),
    ("me@far.example", "root@mx.example.org", "accept to local", ["ann@example.org"]),
    ("me@far.example", "gone@example.net", "accept to domain example.net",
     ["ann@example.org", "archive@example.org"]),
    ("me@far.example", "sink@example.org", "discard", ["sink@example.org"]),
    ("me@far.example", "gone@example.org", "accept to domain example.org", []),
    ("me@spam.example", "bob@example.org", "reject", []),
    ("me@far.example", "joe@other.example", None, []),
])
def test_as_the_server_does(server, sender, rcpt, line, homes):
    with smtplib.SMTP("127.0.0.1", server.port) as client:
        client.ehlo("client.example")
        assert client.mail(sender)[0] == 250
        code, text = client.rcpt(rcpt)
        if code == 250:
            assert client.data(CONTENT)[0] == 250
    (got,) = explain(server, "--client", "127.0.0.1", "--from", sender, "--to", rcpt)
    assert (got["code"], f"{got['enhanced']} {got['text']}") == (code, text.decode())
    assert got["line"] == (0 if line is None else line_of(server, line))
    assert [home["rcpt"] for home in got["to"]] == homes
    for home in got["to"]:
        if home["action"] == "maildir":
            folder = home["where"].removeprefix("the mailbox ")
            user, domain = home["rcpt"].lower().split("@")
            assert folder.endswith(f"/{domain}/{user.split('+')[0]}")
            server.wait_mail(user.split("+")[0], domain)


@pytest.mark.parametrize("sender,rcpt", [
    ("ann@example.org", "joe@other.example"),
    ("team@list.example", "joe@other.example"),
    ("bob@example.org", "joe@other.example"),
    ("", "joe@other.example"),
])
def test_who_has_logged_in(server, sender, rcpt):
    with connect(server, "CLEAR") as client:
        client.login("ann@example.org", "secret")
        code, text = client.mail(sender)
        if code == 250:
            code, text = client.rcpt(rcpt)
    (got,) = explain(server, "--auth", "Ann@example.org", "--from", sender, "--to", rcpt)
    assert (got["code"], f"{got['enhanced']} {got['text']}") == (code, text.decode())
    assert got["line"] == line_of(server, "accept from authenticated" if code == 250
                                  else "listen submission")


def test_for_a_person(server):
    status, said = run(BINARY, "explain", "-c", config_of(server), "--auth", "ann@example.org",
                       "--from", "ann@example.org", "--to", "joe@other.example")
    assert status == 0
    assert said == f"""\
joe@other.example: 250 2.1.5 Ok
  {config_of(server)}:{line_of(server, "accept from")}: accept from authenticated to any relay smart
  joe@other.example -> relay smart, by way of 127.0.0.1:9
"""


def test_included(serve, tmp_path):
    """A rule of a file that is included counts where it is included, for server and explain."""
    parts = tmp_path / "parts"
    parts.mkdir()
    (parts / "20-net.conf").write_text("accept to domain example.net deliver maildir "
                                       f"{tmp_path}/data/mail/{{domain}}/{{user}}\n")
    (parts / "10-no.conf").write_text('reject to address no@example.net "5.1.1 not here"\n')
    (parts / "90-off.txt").write_text("nonsense\n")
    server = serve("""\
hostname mx.example.org
queue {folder}/queue { min-free 1M }
listen mx 127.0.0.1:{port}
include {folder}/parts/*.conf
accept to domain *.example.net deliver maildir {folder}/data/other/{user}
accept to local deliver maildir {folder}/data/mail/{domain}/{user}
""").start()
    with smtplib.SMTP("127.0.0.1", server.port) as client:
        client.ehlo("client.example")
        client.mail(SENDER)
        assert client.rcpt("no@example.net") == (
            554, b"5.1.1 <no@example.net>: Recipient address rejected: not here")
        assert client.rcpt("ann@example.net")[0] == 250
        assert client.data(CONTENT)[0] == 250
    server.wait_mail("ann", "example.net")
    no, ann = explain(server, "--to", "no@example.net", "--to", "ann@example.net")
    assert (no["file"], no["line"]) == (f"{parts}/10-no.conf", 1)
    assert (ann["file"], ann["line"]) == (f"{parts}/20-net.conf", 1)


@pytest.mark.parametrize("words,status", [
    ([], 64),
    (["--to", "not an address"], 64),
    (["--to", "bob@example.org", "--client", "here"], 64),
    (["--to", "bob@example.org", "--from", "@"], 64),
    (["--to", "bob@example.org", "--auth", "nobody@example.org"], 67),
    (["--to", "bob@example.org", "-c", "/no/such/file"], 66),
])
def test_what_cannot_be_explained(server, words, status):
    got, said = run(BINARY, "explain", "-c", config_of(server), *words)
    assert got == status and said.startswith("postroad"), said
