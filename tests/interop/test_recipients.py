"""Aliases, accounts, catch-all and copies: who gets a mail, and who is refused at RCPT."""
import os
import re
import smtplib
import subprocess

import pytest
from conftest import CONTENT, SENDER
from server import BINARY, NotStarted, as_sent, wait_until

CONFIG = """\
hostname mx.example.org
queue {folder}/spool { min-free 1M }
listen mx 127.0.0.1:{port}
table accounts accounts {folder}/accounts
table aliases  aliases  {folder}/aliases
accept to local              aliases aliases
accept to domain example.org aliases aliases users accounts deliver maildir {folder}/data/mail/{domain}/{user}
accept to domain example.net users accounts catch-all ann@example.org copy archive@example.org \
deliver maildir {folder}/data/mail/{domain}/{user}
postmaster ann@example.org
"""

ACCOUNTS = """\
# Dovecot's format
ann@example.org:{PLAIN}x:1000:1000::/home/ann::userdb_quota_rule=*:storage=1G
bob:{PLAIN}x
archive@example.org:
"""

ALIASES = """\
root: ann@example.org
team: ann@example.org, bob@example.org,
   :include:{folder}/friends
"""


@pytest.fixture
def make(serve, tmp_path):
    """A function: aliases -> a server, not yet started."""
    def made(aliases=ALIASES):
        (tmp_path / "accounts").write_text(ACCOUNTS)
        (tmp_path / "accounts").chmod(0o600)
        (tmp_path / "aliases").write_text(aliases.replace("{folder}", str(tmp_path)))
        (tmp_path / "friends").write_text("# friends\nann@example.org\nbob@example.net\n")
        return serve(CONFIG)
    return made


def send(server, *rcpts):
    with smtplib.SMTP("127.0.0.1", server.port) as client:
        assert client.sendmail(SENDER, rcpts, CONTENT) == {}


def rcpt(server, *rcpts):
    """The replies, of one transaction."""
    with smtplib.SMTP("127.0.0.1", server.port) as client:
        client.ehlo("client.example")
        client.mail(SENDER)
        return [client.rcpt(one) for one in rcpts]


def removed(server, count):
    assert wait_until(lambda: server.log().count(": removed") == count), server.log()[-2000:]


def test_alias_for_several(make):
    server = make().start()
    send(server, "team@example.org")
    removed(server, 1)
    assert as_sent(server.wait_mail("ann")[0]) == CONTENT
    assert as_sent(server.wait_mail("bob")[0]) == CONTENT
    assert as_sent(server.wait_mail("bob", "example.net")[0]) == CONTENT
    assert as_sent(server.wait_mail("archive")[0]) == CONTENT  # for bob@example.net
    log = server.log()
    assert re.search(r"to=<bob@example\.org>, orig_to=<team@example\.org>, relay=local, .*status=sent",
                     log), log
    assert "nrcpt=4" in log


def test_everybody_gets_it_once(make):
    server = make().start()
    send(server, "ann@example.org", "team@example.org", "root@mx.example.org", "postmaster",
         "bob@example.org", "abuse@example.org")
    removed(server, 1)
    for user in ("ann", "bob"):
        server.wait_mail(user, count=1)


def test_unknown_users_are_refused_at_rcpt(make):
    server = make().start()
    unknown = ["gone@example.org", "ann@mx.example.org", "team@localhost.example", "ann@example.com"]
    replies = rcpt(server, *unknown)
    for code, text in replies[:2]:
        assert code == 550 and text.startswith(b"5.1.1 <"), text
        assert text.endswith(b">: Recipient address rejected: User unknown"), text
    for code, text in replies[2:]:
        assert code == 554 and text.startswith(b"5.7.1 <") and text.endswith(b"Relay access denied")
    told = re.compile(r"NOQUEUE: reject: RCPT from unknown\[127\.0\.0\.1\]: 550 5\.1\.1 "
                      r"<gone@example\.org>: Recipient address rejected: User unknown")
    assert wait_until(lambda: told.search(server.log())), server.log()[-2000:]


def test_detail(make):
    server = make().start()
    send(server, "Ann+lists@example.org", "root+cron@mx.example.org")
    removed(server, 1)
    server.wait_mail("ann", count=2)
    assert "to=<ann+cron@example.org>, orig_to=<root+cron@mx.example.org>" in server.log()


def test_catch_all_and_copy(make):
    server = make().start()
    send(server, "whoever@example.net")
    removed(server, 1)
    server.wait_mail("ann")
    server.wait_mail("archive")
    assert server.mails("whoever", "example.net") == []


def test_postmaster_everywhere(make):
    server = make().start()
    for code, text in rcpt(server, "postmaster", "Postmaster@example.org", "postmaster@example.net",
                           "postmaster@mx.example.org", "abuse@example.org"):
        assert code == 250, text


def test_what_was_taken_stays(make, tmp_path):
    """Aliases are followed at RCPT: a mail that waits goes to whom it was taken for."""
    server = make().start()
    os.makedirs(server.mail_root(), exist_ok=True)
    blocker = os.path.join(server.mail_root(), "example.org")
    with open(blocker, "w", encoding="utf-8"):
        pass
    send(server, "root@mx.example.org")
    assert wait_until(lambda: "status=deferred" in server.log())
    assert server.stop() == 0
    os.unlink(blocker)
    (tmp_path / "aliases").write_text("root: bob@example.org\n")
    server.start().retry_now()
    server.wait_mail("ann")
    assert server.mails("bob") == []


@pytest.mark.parametrize("aliases, told", [
    ("a: b@example.org\nb: a@example.org\n",
     "aliases:2:4: error: alias loop: a@example.org -> b@example.org -> a@example.org"),
    ("root: ann@elsewhere.example\n", "aliases:1:7: error: no rule takes mail for ann@elsewhere.example"),
    ("root: :include:{folder}/none\n", "aliases:1:7: error: cannot read {folder}/none: No such file"),
    ("root: |/bin/sh\n", "aliases:1:7: error: commands are off"),
])
def test_wrong_tables_start_nothing(make, tmp_path, aliases, told):
    server = make(aliases)
    with pytest.raises(NotStarted, match="exit 78"):
        server.start()
    assert told.replace("{folder}", str(tmp_path)) in server.log()


def test_passwords_for_all_start_nothing(make, tmp_path):
    server = make()
    (tmp_path / "accounts").chmod(0o644)
    with pytest.raises(NotStarted, match="exit 78"):
        server.start()
    assert "everybody on this machine may read these passwords" in server.log()


def check(path):
    done = subprocess.run([BINARY, "config", "check", "-c", str(path)], capture_output=True,
                          timeout=300, check=False)
    return done.returncode, (done.stdout + done.stderr).decode()


def test_config_check(make, tmp_path):
    server = make()
    path = server.command()[-1]
    assert check(path) == (0, f"{path} is right\n")
    link = tmp_path / "link.conf"
    link.symlink_to(path)
    assert check(link)[0] == 0
    assert check(tmp_path / "none.conf")[0] == 66
    (tmp_path / "aliases").write_text("root: gone@example.org\n")
    status, text = check(path)  # a warning does not stop anything
    assert status == 0 and "aliases:1:7: warning: nobody is known as gone@example.org" in text
    (tmp_path / "aliases").write_text("root ann\n")
    status, text = check(path)
    assert status == 78 and "aliases:1:1: error: no ':' behind this name" in text


def test_a_large_table(make, tmp_path):
    server = make()
    with open(tmp_path / "accounts", "a", encoding="utf-8") as f:
        f.writelines(f"user{i}@example.org:{{PLAIN}}x\n" for i in range(200_000))
    server.start(300)
    replies = rcpt(server, "user199999@example.org", "user200000@example.org")
    assert [code for code, _ in replies] == [250, 550]
