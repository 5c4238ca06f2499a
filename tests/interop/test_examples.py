"""conf/: each file is right as it stands, and does with mail what its head says."""
import glob
import json
import os

import pytest
from certificate import make_certificate
from conftest import need, run
from server import BINARY, TOP

CONF = os.path.join(TOP, "conf")
FILES = sorted(glob.glob(os.path.join(CONF, "*.conf")) + glob.glob(os.path.join(CONF, "examples", "*.conf")))

ACCOUNTS = """\
ann@example.org:{PLAIN}x::::::
admin@example.org:{PLAIN}x::::::
news@example.org:{PLAIN}x::::::
inside@example.org:{PLAIN}x::::::postroad_send=*@example.org
"""
STRANGER, LOCAL = ["--client", "198.51.100.77"], ["--client", "127.0.0.1"]


def auth(user):
    return [*STRANGER, "--auth", user]


@pytest.fixture
def place(tmp_path):
    """A function: a file of conf/ -> one whose /etc lies in a folder of the test."""
    need("openssl")
    make_certificate(tmp_path)
    etc = tmp_path / "etc"
    for folder in ("ssl", "postroad"):
        (etc / folder).mkdir(parents=True)
    for name, text in (("ssl/mx1.pem", (tmp_path / "mx.pem").read_text()),
                       ("ssl/mx1.key", (tmp_path / "mx.key").read_text()),
                       ("postroad/accounts", ACCOUNTS), ("postroad/smart", "secret\n"),
                       ("postroad/client-secret", "secret\n"), ("aliases", "root: ann@example.org\n")):
        (etc / name).write_text(text)
        (etc / name).chmod(0o600)

    def placed(path):
        copy = tmp_path / os.path.basename(path)
        with open(path, encoding="utf-8") as f:
            copy.write_text(f.read().replace(" /etc/", f" {etc}/").replace("file:/etc/", f"file:{etc}/"))
        return str(copy)
    return placed


def test_all_are_here():
    assert len(FILES) == 6


@pytest.mark.parametrize("path", FILES, ids=os.path.basename)
def test_it_is_right(place, path):
    copy = place(path)
    assert run(BINARY, "config", "check", "-c", copy) == (0, f"{copy} is right\n")


@pytest.mark.parametrize("name,who,sender,rcpt,code,where", [
    ("domain-with-dovecot", STRANGER, "x@far.example", "ann@example.org", 250, "LMTP to unix:/run/dovecot/lmtp"),
    ("domain-with-dovecot", STRANGER, "x@far.example", "gone@example.org", 550, None),
    ("domain-with-dovecot", STRANGER, "x@far.example", "joe@other.example", 554, None),
    ("domain-with-dovecot", LOCAL, "root@mx1.example.org", "root@mx1.example.org", 250, "LMTP to unix:/run/dovecot/lmtp"),
    ("domain-with-dovecot", LOCAL, "root@mx1.example.org", "joe@other.example", 250,
     "relay direct, the servers that DNS names for other.example"),
    ("domain-with-dovecot", auth("ann@example.org"), "ann@example.org", "joe@other.example", 250,
     "relay direct, the servers that DNS names for other.example"),
    ("domain-with-dovecot", auth("ann@example.org"), "admin@example.org", "joe@other.example", 553, None),
    ("company-gateway", STRANGER, "x@far.example", "bob@example.org", 250,
     "relay inside, by way of mail.intra.example.org:25, if that knows the address"),
    ("company-gateway", STRANGER, "x@spam.example", "bob@example.org", 554, None),
    ("company-gateway", auth("inside@example.org"), "bob@example.org", "joe@other.example", 250,
     "relay world, the servers that DNS names for other.example"),
    ("laptop", LOCAL, "me@example.net", "joe@other.example", 250, "relay smart, by way of smtp.example.net:587"),
    ("laptop", STRANGER, "me@example.net", "joe@other.example", 554, None),
    ("null-client", LOCAL, "www@web1.example.org", "joe@other.example", 250,
     "relay smart, by way of smtp.gmail.com:587"),
    ("bulk-sender", auth("news@example.org"), "news@example.org", "joe@other.example", 250,
     "relay bulk, the servers that DNS names for other.example"),
    ("bulk-sender", STRANGER, "", "b77@bounces.example.org", 250, "the mailbox /var/vmail/bounces/b77"),
])
def test_what_it_does(place, name, who, sender, rcpt, code, where):
    copy = place(os.path.join(CONF, "examples", f"{name}.conf"))
    status, said = run(BINARY, "explain", "-c", copy, "--json", *who, "--from", sender, "--to", rcpt)
    assert status == 0, said
    got = json.loads(said)
    assert got["code"] == code, got
    assert [home["where"] for home in got["to"]] == ([where] if where else [])
