"""SRS: what an alias leads elsewhere leaves with a sender of ours, and reports to that find home. The
other side of it is Mail::SRS, with the same secret."""
import shutil
import smtplib
import subprocess

import pytest

from conftest import CONTENT, run
from fake_mx import FakeMx
from server import BINARY, wait_until

CONFIG = """\
hostname mx.example.org
listen mx 127.0.0.1:{port}
queue {folder}/queue { min-free 1M }
postmaster ann@example.org
srs file:{folder}/srs
table accounts accounts {folder}/accounts
table aliases aliases {folder}/aliases
relay out { host 127.0.0.1:%d; tls off %s }
accept to domain example.org users accounts aliases aliases deliver maildir {folder}/data/mail/{domain}/{user}
accept to domain inside.example users ask relay out
accept from local to any relay out
"""
PERL = """
use Mail::SRS;
my $srs = new Mail::SRS(Secret => ["hush, hush", "older than that"], MaxAge => 21);
print $srs->%s(@ARGV);
"""


def mail_srs(action, *words, before=""):
    if not shutil.which("perl") or subprocess.run(["perl", "-MMail::SRS", "-e", "1"], check=False,
                                                  stderr=subprocess.DEVNULL).returncode:
        pytest.skip("libmail-srs-perl is not installed and cannot be installed")
    return subprocess.run(["perl", "-e", before + PERL % action, *words], check=True,
                          stdout=subprocess.PIPE, text=True).stdout


@pytest.fixture
def world():
    away = FakeMx()
    yield away
    away.close()


@pytest.fixture
def start(serve, tmp_path, world):
    (tmp_path / "srs").write_text("hush, hush\nolder than that\n")
    (tmp_path / "accounts").write_text("ann@example.org:{PLAIN}x::::::\n")
    (tmp_path / "aliases").write_text("joe@example.org: joe@away.example\nsue@example.org: sue@inside.example\n")
    for name in ("srs", "accounts"):
        (tmp_path / name).chmod(0o600)
    return lambda words="": serve(CONFIG % (world.port, words)).start()


def send(server, sender, rcpt):
    with smtplib.SMTP("127.0.0.1", server.port) as client:
        client.ehlo("client.example")
        client.mail(sender)
        code, text = client.rcpt(rcpt)
        if code == 250:
            assert client.data(CONTENT)[0] == 250
        return code, text.decode()


def arrived(world, count=1):
    """(sender, recipient) of the last one."""
    assert wait_until(lambda: len(world.mails) >= count)
    sender, rcpts, _ = world.mails[count - 1]
    return sender.split("<")[1].split(">")[0], rcpts[0].split("<")[1].split(">")[0]


def test_there_and_back(start, world):
    server = start()
    assert send(server, "Bob+x@far.example", "joe@example.org")[0] == 250
    path, rcpt = arrived(world)
    assert rcpt == "joe@away.example" and path.startswith("SRS0=") and path.endswith("=far.example=Bob+x@example.org")
    assert mail_srs("reverse", path) == "Bob+x@far.example"
    assert wait_until(lambda: f"rewrite: sender=<Bob+x@far.example> is now <{path}>\n" in server.log())
    assert "from=<Bob+x@far.example>" in server.log()  # of the queue

    assert send(server, "", path)[0] == 250
    assert arrived(world, 2) == ("", "Bob+x@far.example")
    assert send(server, "", path.lower())[0] == 250
    assert arrived(world, 3) == ("", "bob+x@far.example")


def test_a_path_of_mail_srs(start, world):
    """Who had postsrsd or the like keeps his secret; and a second hop."""
    server = start()
    path = mail_srs("forward", "bob@far.example", "example.org")
    assert send(server, "", path)[0] == 250
    assert arrived(world) == ("", "bob@far.example")
    first = mail_srs("forward", "bob@far.example", "second.example")
    assert send(server, first, "joe@example.org")[0] == 250
    path, _ = arrived(world, 2)
    assert path == mail_srs("forward", first, "example.org") and path.startswith("SRS1=")
    assert send(server, "", path)[0] == 250
    assert arrived(world, 3) == ("", first)


def test_what_was_never_ours(start, world):
    server = start()
    forged = "SRS0=AAAA=HN=far.example=bob@example.org"
    assert send(server, "", forged) == (
        550, f"5.7.1 <{forged}>: Recipient address rejected: This server gave no such return path")
    foreign = "SRS0=AAAA=HN=far.example=bob@elsewhere.example"
    assert send(server, "", foreign)[0] == 250  # relayed for us, as anything is
    assert arrived(world) == ("", foreign)
    assert send(server, "", "srs0@example.org")[1].endswith("User unknown")


def test_expired(start):
    server = start()
    old = mail_srs("forward", "bob@far.example", "example.org",
                   before="BEGIN { *CORE::GLOBAL::time = sub { CORE::time() - 23 * 86400 } }")
    assert send(server, "", old) == (
        550, f"5.7.1 <{old}>: Recipient address rejected: This return path has expired")


@pytest.mark.parametrize("sender,rcpt,words", [
    ("ann@example.org", "joe@example.org", ""),          # our own: SPF knows us
    ("", "joe@example.org", ""),                         # a report
    ("bob@far.example", "joe@away.example", ""),         # relayed, but nobody's alias
    ("bob@far.example", "sue@example.org", ""),          # it stays with us
    ("bob@far.example", "joe@example.org", "; srs off"),
    ("b" * 50 + "@far.example", "joe@example.org", ""),  # no room
])
def test_whose_sender_stays(start, world, sender, rcpt, words):
    server = start(words)
    assert send(server, sender, rcpt)[0] == 250
    assert arrived(world)[0] == sender
    assert wait_until(lambda: "status=sent" in server.log())
    assert ("is too long for SRS, and stays" in server.log()) == (len(sender) > 50)


def test_a_failure_is_told_to_the_sender(start, world):
    """By us, at once, without a detour."""
    world.says = lambda verb, line, session: "550 5.1.1 no" if verb == "RCPT" and "joe@" in line else None
    server = start()
    assert send(server, "bob@far.example", "joe@example.org")[0] == 250
    assert arrived(world) == ("", "bob@far.example")


def test_explained(start, tmp_path):
    start()
    conf = tmp_path / "postroad.conf"
    status, said = run(BINARY, "explain", "-c", conf, "--from", "bob@far.example", "--to", "joe@example.org")
    assert status == 0 and "joe@away.example -> relay out, by way of 127.0.0.1:" in said
    assert ", as SRS0=" in said and "=far.example=bob@example.org" in said, said
    path = mail_srs("forward", "bob@far.example", "example.org")
    status, said = run(BINARY, "explain", "-c", conf, "--to", path)
    assert status == 0 and "bob@far.example -> relay out" in said, said
