"""`postroad send` logs in: by --user and --auth, and as an account of ~/.msmtprc says."""
import base64
import os
import subprocess

import pytest

from conftest import need
from fake_mx import FakeMx
from network import Network, NotHere
from server import BINARY, wait_until
from test_relay_login import PASSWORD, offering, second  # noqa: F401 (a fixture)
from test_submission import scram_keys
from test_user import type_in


def send(*words, stdin="", env=None):
    done = subprocess.run([BINARY, "send", "--to", "bob@example.org", "--subject", "x",
                           *map(str, words)], input=stdin.encode(), stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, timeout=300, check=False,
                          env={**os.environ, **(env or {})})
    return done.returncode, done.stdout.decode(errors="replace")


ME = ("--user", "ann@example.org", "--password-stdin", "--body", "-")


@pytest.mark.parametrize("port,words,mechanism", [
    ("STARTTLS", [], "SCRAM-SHA-256-PLUS"),
    ("IMPLICIT", ["--tls", "implicit"], "SCRAM-SHA-256-PLUS"),
    ("CLEAR", ["--tls", "off"], "SCRAM-SHA-256"),
    ("CLEAR", ["--tls", "off", "--auth", "login"], "LOGIN"),
    ("STARTTLS", ["--auth", "SCRAM-SHA-256-PLUS"], "SCRAM-SHA-256-PLUS"),
    ("STARTTLS", ["--auth", "SCRAM-SHA-256"], "SCRAM-SHA-256"),
    ("STARTTLS", ["--auth", "PLAIN"], "PLAIN"),
    ("STARTTLS", ["--auth", "LOGIN"], "LOGIN"),
])
def test_mechanisms(second, port, words, mechanism):  # noqa: F811
    to = second(scram_keys(PASSWORD))
    status, said = send("--server", f"127.0.0.1:{to.ports[port]}", "-v", *ME, *words,
                        stdin=PASSWORD + "\nthe body\n")
    assert status == 0, said
    mail = to.wait_mail("bob")[0]
    assert b"\nthe body\n" in mail and PASSWORD.encode() not in mail
    assert b"From: ann@example.org\n" in mail  # who logs in is the sender, unless another is named
    assert wait_until(lambda: f", sasl_method={mechanism}, sasl_username=ann@example.org" in to.log())
    assert f"-> AUTH {mechanism}{' ***' if mechanism != 'LOGIN' else ''}\n" in said
    for secret in (PASSWORD, base64.b64encode(PASSWORD.encode()).decode(),
                   base64.b64encode(b"\0ann@example.org\0" + PASSWORD.encode()).decode()):
        assert secret not in said


@pytest.mark.parametrize("words", [["--auth", "PLAIN"], ["--auth", "SCRAM-SHA-256-PLUS"]])
def test_wrong_password(second, words):  # noqa: F811
    to = second(scram_keys("right"))
    server = f"127.0.0.1:{to.ports['STARTTLS']}"
    status, said = send("--server", server, *ME, *words, stdin="wrong-one\n")
    assert status == 77
    assert f"no login at {server} as ann@example.org: 535 5.7.8 " in said
    assert "are --user and the password right?" in said and "wrong-one" not in said
    assert not to.mails("bob")


def test_nobody_verified(second, monkeypatch):  # noqa: F811
    """A server that shows a certificate of nobody we know does not get the password."""
    to = second("{PLAIN}right")
    monkeypatch.delenv("SSL_CERT_FILE")
    status, said = send("--server", f"127.0.0.1:{to.ports['STARTTLS']}", *ME, stdin="right\n")
    assert status == 75 and "certificate" in said, said
    assert "SASL" not in to.log()


def test_prompt(second):  # noqa: F811
    to = second(scram_keys("pencil"))
    status, seen = type_in(["--to", "bob@example.org", "--server",
                            f"127.0.0.1:{to.ports['STARTTLS']}", "--user", "ann@example.org",
                            "--body", "x"], [b"pencil\n"], command="send")
    assert status == 0, seen
    assert "Password of ann@example.org: " in seen and "pencil" not in seen
    to.wait_mail("bob")


@pytest.fixture
def home(tmp_path):
    """A function: the text of ~/.msmtprc -> the environment."""
    folder = tmp_path / "home"
    folder.mkdir()

    def write(text):
        (folder / ".msmtprc").write_text(text)
        (folder / ".msmtprc").chmod(0o600)
        return {"HOME": str(folder), "SSL_CERT_FILE": "/nonexistent"}
    return write


def account(server, port, more=""):
    return f"""
# as people have it
defaults
auth on
tls on
tls_trust_file {server.folder}/authority.pem
logfile ~/.msmtp.log

account work
host 127.0.0.1
port {server.ports[port]}
user ann@example.org
password "{PASSWORD}"
from ann@example.org
{more}
account default : work
"""


@pytest.mark.parametrize("port,more", [("STARTTLS", ""), ("IMPLICIT", "tls_starttls off"),
                                       ("STARTTLS", "auth scram-sha-256"),
                                       ("CLEAR", "tls off\nauth plain")])
def test_account(second, home, port, more):  # noqa: F811
    """The same file works for msmtp and for us; no authorities but the account's own."""
    need("msmtp")
    to = second(scram_keys(PASSWORD))
    env = home(account(to, port, more))
    status, said = send("--account", "default", "--body", "x", env=env)
    assert status == 0, said
    to.wait_mail("bob")
    done = subprocess.run(["msmtp", "-a", "default", "--logfile=", "bob@example.org"],
                          input=b"Subject: x\n\nx\n", env={**os.environ, **env}, check=False,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    assert done.returncode == 0, done.stdout
    to.wait_mail("bob", count=2)


def test_account_with_a_command(second, home):  # noqa: F811
    to = second(scram_keys(PASSWORD))
    env = home(account(to, "STARTTLS", "password\npasswordeval echo x > ran"))
    status, said = send("--account", "work", "--body", "x", env=env)
    assert status == 78 and "passwordeval" in said and "--password-stdin" in said
    assert not os.path.exists("ran")
    status, said = send("--account", "work", "--body", "-", "--password-stdin", env=env,
                        stdin=PASSWORD + "\nx\n")
    assert status == 0, said
    to.wait_mail("bob")


def test_token():
    mx = FakeMx(offering("AUTH PLAIN XOAUTH2", login=["235 ok"]))
    status, said = send("--server", f"127.0.0.1:{mx.port}", "--tls", "off", "--user", "me@x.example",
                        "--auth", "XOAUTH2", "--password-stdin", "--body", "x", stdin="ya29.t0ken\n")
    assert status == 0, said
    token = base64.b64encode(b"user=me@x.example\1auth=Bearer ya29.t0ken\1\1").decode()
    assert f"AUTH XOAUTH2 {token}" in mx.lines
    mx.close()


@pytest.mark.parametrize("words,login,status,problem", [
    (["AUTH XOAUTH2"], ["334 " + base64.b64encode(b'{"status":"400"}').decode(), "535 5.7.8 no"], 77,
     "535 5.7.8 no"),
    (["AUTH PLAIN"], [], 69, "no way to log in that will do with a token"),
    ([], [], 69, "does not offer AUTH"),
    (["AUTH XOAUTH2"], ["454 4.7.0 later"], 75, "454 4.7.0 later"),
])
def test_no_login(words, login, status, problem):
    mx = FakeMx(offering(*words, login=login))
    got, said = send("--server", f"127.0.0.1:{mx.port}", "--tls", "off", "--user", "me@x.example",
                     "--auth", "XOAUTH2", "--password-stdin", "--body", "x", stdin="ya29.t0ken\n")
    assert (got, problem in said) == (status, True), said
    assert not mx.mails and "ya29" not in said
    mx.close()


@pytest.mark.parametrize("address,words,says", [
    ("192.0.2.1", ["--tls", "optional"], "which is not done without TLS; take --tls verified"),
    ("192.0.2.1", ["--tls", "off"], None),
    ("127.0.0.1", ["--tls", "optional"], None),  # nobody listens there
])
def test_in_the_clear(address, words, says):
    """To another machine only by the word that says so; a server that offers no TLS is not enough."""
    try:
        with Network(["192.0.2.1"]):
            mx = FakeMx(offering("AUTH PLAIN", login=["235 ok"]), address=address)
            status, said = send("--server", f"{address}:{mx.port}", *ME, *words, stdin="pencil\n")
            mx.close()
    except NotHere as why:
        pytest.skip(f"no network namespaces: {why}")
    asked = [line for line in mx.lines if line.startswith("AUTH")]
    if says is None:
        assert status == 0 and asked, said
    else:
        assert status == 77 and not asked and says in said, said
