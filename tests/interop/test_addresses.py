"""Addresses as clients really send them, and as attackers do."""
import os
import smtplib

import pytest
from conftest import CONTENT, SENDER
from server import as_sent, wait_until

HOSTILE = [
    b'"../../../../tmp/escape"@example.org',
    b'"../escape"@example.org',
    b'".."@example.org',
    b'"."@example.org',
    b'"/etc/passwd"@example.org',
    b'"a/b/c"@example.org',
    b'"new/x"@example.org',
    b'".hidden"@example.org',
    b'"a\\/b"@example.org',
    b'"a b"@example.org',
    b'"%2e%2e%2fescape"@example.org',
    b"%2e%2e%2fescape@example.org",
    b"{user}@example.org",
    b"$HOME@example.org",
    b"`id`@example.org",
    b"|id@example.org",
    b"~root@example.org",
    b"-rf@example.org",
    b"a" * 64 + b"@example.org",
    b"ann@[127.0.0.1]",
    b"ann@[IPv6:::1]",
    b"ann@" + b"d" * 63 + b"." + b"e" * 63 + b".example",
    b"ann@..",
    b"ann@../../escape",
    b"ann@.example.org",
    b"ann@-",
]


def tree(top):
    """Every path below top."""
    return {os.path.relpath(os.path.join(folder, name), top)
            for folder, folders, files in os.walk(top) for name in folders + files}


def test_hostile_recipients_stay_inside(server, tmp_path):
    before = {path for path in tree(tmp_path) if not path.startswith("data")}
    accepted = 0
    for rcpt in HOSTILE:
        with smtplib.SMTP("127.0.0.1", server.port) as client:
            client.ehlo("client.example")
            client.mail(SENDER)
            client.send(b"RCPT TO:<" + rcpt + b">\r\n")
            code, _ = client.getreply()
            assert 200 <= code < 300 or 500 <= code < 600, (rcpt, code)
            if code < 300:
                accepted += 1
                assert client.data(CONTENT)[0] == 250
    assert accepted >= 10, "quoted local parts are legal and must be taken"

    root = server.mail_root()

    def delivered():
        return [path for path in tree(root) if "/new/" in path]
    wait_until(lambda: len(delivered()) >= accepted)
    assert len(delivered()) == accepted
    for path in tree(root):
        parts = path.split("/")
        assert not any(part.startswith(".") or part.startswith("~") for part in parts[:2]), path
        assert len(parts) < 3 or parts[2] in ("new", "cur", "tmp"), path
        assert len(parts) <= 4, path
    assert not os.path.exists("/tmp/escape")
    assert {path for path in tree(tmp_path) if not path.startswith("data")} == before


def test_utf8_addresses(server):
    with smtplib.SMTP("127.0.0.1", server.port) as client:
        refused = client.sendmail("björn@client.example", "jürgen@exämple.org", CONTENT,
                                  mail_options=["SMTPUTF8", "BODY=8BITMIME"])
        assert refused == {}
    root = server.mail_root()
    domain = os.path.join(root, "xn--exmple-cua.org")
    assert wait_until(lambda: os.path.isdir(domain) and os.listdir(domain))
    (user,) = os.listdir(domain)
    assert user.isascii()
    assert as_sent(server.wait_mail(user, "xn--exmple-cua.org")[0]) == CONTENT


@pytest.mark.parametrize("line", [
    "MAIL FROM:<björn@client.example>".encode(),             # SMTPUTF8 was not asked for
    b"MAIL FROM:<bj\xf6rn@client.example>",                  # Latin-1
    b"MAIL FROM:<bj\xf6rn@client.example> SMTPUTF8",         # not UTF-8
    b"MAIL FROM:<\xc0\xae@client.example> SMTPUTF8",         # overlong
])
def test_eight_bit_addresses_without_right_are_refused(server, line):
    with smtplib.SMTP("127.0.0.1", server.port) as client:
        client.ehlo("client.example")
        client.send(line + b"\r\n")
        code, text = client.getreply()
        assert 500 <= code < 600, text
        assert client.noop()[0] == 250


def test_postmaster_and_null_sender(server):
    with smtplib.SMTP("127.0.0.1", server.port) as client:
        client.ehlo("client.example")
        assert client.docmd("MAIL FROM:<>")[0] == 250
        assert client.docmd("RCPT TO:<POSTmaster>")[0] == 250


def test_case_and_detail(server):
    """One inbox for ann, Ann and ann+tag."""
    with smtplib.SMTP("127.0.0.1", server.port) as client:
        for rcpt in ("ann@example.org", "Ann@EXAMPLE.org", "ann+tag@example.org"):
            assert client.sendmail(SENDER, rcpt, CONTENT) == {}
    for mail in server.wait_mail("ann", count=3):
        assert as_sent(mail) == CONTENT
