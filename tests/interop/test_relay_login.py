"""Relays that log in: by every mechanism, at servers of ours and of others; and what becomes of the
mail when the password is wrong."""
import base64
import os
import re
import signal
import smtplib
import ssl

import pytest

from certificate import issue, make_authority
from conftest import CONTENT, SENDER, need
from fake_mx import FakeMx
from peers import Dovecot, Exim, Postfix
from server import Server, free_ports, wait_until
from test_submission import holds, scram_keys

OUT = """
hostname out.example
listen mx 127.0.0.1:{port}
queue {folder}/queue { min-free 10M }
postmaster admin@out.example
relay next { host 127.0.0.1:%s; retry 1h; tls %s; user ann@example.org file:{folder}/secret }
accept to domain out.example deliver maildir {folder}/data/mail/{domain}/{user}
accept from local to any relay next
"""
IN = """
hostname mx.example.org
postmaster bob@example.org
tls {folder}/mx.pem {folder}/mx.key
table people accounts {folder}/people
listen mx 127.0.0.1:{port}
listen submission 127.0.0.1:STARTTLS { tls required; auth people }
listen submission 127.0.0.1:IMPLICIT { tls implicit; auth people }
listen submission 127.0.0.1:CLEAR { tls off; auth people; auth-cleartext yes }
queue {folder}/spool
accept to domain example.org deliver maildir {folder}/data/mail/{domain}/{user}
"""
PASSWORD = "open, sesame: =%2"


def write_secret(folder, text=PASSWORD):
    path = folder / "secret"
    path.write_text(text + "\n")
    path.chmod(0o600)


@pytest.fixture
def first(serve, tmp_path):
    """A function: where the relay leads, and by which word of TLS -> a server that runs."""
    def start(port, tls, password=PASSWORD):
        write_secret(tmp_path, password)
        return serve(OUT % (port, tls)).start()
    return start


@pytest.fixture
def second(tmp_path, monkeypatch):
    """A function: how passwords are kept -> the server that is logged in at."""
    need("openssl")
    made = []

    def start(account):
        folder = tmp_path / "second"
        folder.mkdir()
        authority = make_authority(folder)
        issue(authority, folder, "IP:127.0.0.1")
        monkeypatch.setenv("SSL_CERT_FILE", authority)
        (folder / "people").write_text(f"ann@example.org:{account}:::::: postroad_send=*\n")
        (folder / "people").chmod(0o600)
        config, ports = IN, dict(zip(("STARTTLS", "IMPLICIT", "CLEAR"), free_ports(3)))
        for name, port in ports.items():
            config = config.replace(name, str(port))
        server = Server(folder, config)
        server.ports = ports
        made.append(server.start())
        return server
    yield start
    for server in made:
        assert server.stop() == 0, server.log()[-2000:]


def hand_in(server, to="bob@example.org"):
    with smtplib.SMTP("127.0.0.1", server.port) as client:
        client.sendmail(SENDER, [to], CONTENT)


@pytest.mark.parametrize("port,tls,keys,mechanism", [
    ("STARTTLS", "verified", False, "PLAIN"),
    ("STARTTLS", "verified", True, "SCRAM-SHA-256-PLUS"),
    ("IMPLICIT", "implicit", True, "SCRAM-SHA-256-PLUS"),
    ("CLEAR", "off", True, "SCRAM-SHA-256"),
    ("CLEAR", "optional", False, "PLAIN"),
])
def test_our_own(first, second, port, tls, keys, mechanism):
    to = second(scram_keys(PASSWORD) if keys else "{PLAIN}" + PASSWORD.replace(":", ";"))
    server = first(to.ports[port], tls, PASSWORD if keys else PASSWORD.replace(":", ";"))
    hand_in(server)
    to.wait_mail("bob")
    assert wait_until(lambda: f", sasl_method={mechanism}, sasl_username=ann@example.org" in to.log())
    assert "status=sent" in wait_until(lambda: re.search("status=.*", server.log())).group()


def test_only_the_courier_knows_it(first, second):
    to = second("{PLAIN}something else")
    server = first(to.ports["STARTTLS"], "verified", "a password to be looked for")
    hand_in(server)
    assert wait_until(lambda: "status=deferred" in server.log())
    for role in ("courier", "receiver", "postman", "scribe"):
        assert holds(server, role, b"a password to be looked for") == (role == "courier"), role


def set_right(server, tmp_path, password):
    server.ready()  # else the reload is a part of the start
    write_secret(tmp_path, password)
    before = server.log().count("settings were read again and serve now")
    os.kill(server.process.pid, signal.SIGHUP)
    assert wait_until(lambda: server.log().count("settings were read again and serve now") > before), server.log()


@pytest.mark.parametrize("keys", [False, True])
def test_a_wrong_password_keeps_the_mail(first, second, tmp_path, keys):
    to = second(scram_keys("right") if keys else "{PLAIN}right")
    server = first(to.ports["STARTTLS"], "verified", "wr0ng-secret")
    hand_in(server)
    line = wait_until(lambda: re.search(r"dsn=\S+, status=.*", server.log())).group()
    assert line.startswith("dsn=4.7.8, status=deferred"), line
    assert "said: 535 5.7.8 Error: authentication failed (in reply to AUTH)" in line, line
    number = re.search(r"]: (\w+): to=<bob", server.log()).group(1)
    assert "authentication failed (in reply to AUTH)" in server.ask("queue", "why", number)
    assert wait_until(lambda: re.search(
        r"warning: relay next cannot log in as ann@example\.org, so its mail waits \(the password is in \S+/secret, "
        r"which `postroad reload` reads again\): host 127\.0\.0\.1\S+ said: 535 ", server.log())), server.log()
    assert "wr0ng-secret" not in server.log() + server.out()
    set_right(server, tmp_path, "right")
    server.retry_now()
    to.wait_mail("bob")
    assert "status=bounced" not in server.log()


def test_a_file_that_is_gone_changes_nothing(first, second, tmp_path):
    to = second("{PLAIN}right")
    server = first(to.ports["STARTTLS"], "verified", "right").ready()
    (tmp_path / "secret").unlink()
    os.kill(server.process.pid, signal.SIGHUP)
    assert wait_until(lambda: "cannot be read again: the old ones stay" in server.log())
    assert wait_until(lambda: f"cannot read {tmp_path}/secret: No such file or directory" in server.log())
    hand_in(server)
    to.wait_mail("bob")


# ---- servers that are not what they should be ----

def offering(*words, login=None):
    """A server that offers these lines, and what it says to what follows AUTH."""
    answers = iter(login or [])

    def says(verb, line, session):
        if verb == "EHLO":
            return "\r\n".join(["250-fake.example", *(f"250-{w}" for w in words), "250 SIZE 9999999"])
        if verb == "AUTH" or session.get("last", "").startswith("334"):
            return next(answers, None)
        return None
    return says


def deferred(server):
    return wait_until(lambda: re.search(r"dsn=\S+, status=deferred .*", server.log())).group()


def test_login_word_by_word(first):
    mx = FakeMx(offering("AUTH=LOGIN", login=["334 VXNlcm5hbWU6", "334 UGFzc3dvcmQ6", "235 ok"]))
    server = first(mx.port, "off")
    hand_in(server)
    assert wait_until(lambda: mx.mails), server.log()
    said = [base64.b64encode(text.encode()).decode() for text in ("ann@example.org", PASSWORD)]
    assert mx.lines[1:4] == ["AUTH LOGIN", *said]
    mx.close()


@pytest.mark.parametrize("words,login,problem", [
    ([], [], "dsn=4.7.4, .*does not offer AUTH"),
    (["AUTH GSSAPI NTLM"], [], "dsn=4.7.4, .*no way to log in .* with a password: AUTH GSSAPI NTLM"),
    (["AUTH PLAIN"], ["454 4.7.0 later"], r"dsn=4.7.0, .*said: 454 4.7.0 later"),
    (["AUTH PLAIN"], ["535 no"], "dsn=4.7.8, .*said: 535 no"),
    (["AUTH LOGIN"], ["334 what?", "501 aborted"], "dsn=4.5.0|dsn=4.7.0, .*is no base64"),
    (["AUTH SCRAM-SHA-256"], ["235 welcome"], "dsn=4.7.8, .*did not prove that it knows"),
    (["AUTH SCRAM-SHA-256"], ["334 " + base64.b64encode(b"r=x,s=eA==,i=1").decode(), "501 ok"],
     "dsn=4.7.8, .*somebody else's message"),
])
def test_no_mail_without_a_login(first, words, login, problem):
    mx = FakeMx(offering(*words, login=login))
    server = first(mx.port, "off")
    hand_in(server)
    assert re.match(problem, line := deferred(server)), line
    assert not mx.mails and not any(line.startswith("MAIL") for line in mx.lines)
    mx.close()


@pytest.mark.parametrize("answer,calls", [("535 5.7.8 no", [1, 0]), ("454 4.7.0 later", [1, 1])])
def test_a_wrong_password_is_not_tried_elsewhere(serve, tmp_path, answer, calls):
    """Some servers lock out who guesses too often; a server with troubles is another matter."""
    servers = [FakeMx(offering("AUTH PLAIN", login=[answer])) for _ in calls]
    write_secret(tmp_path)
    hosts = " ".join(f"127.0.0.1:{mx.port}" for mx in servers)
    server = serve((OUT % (0, "off")).replace("host 127.0.0.1:0", f"host {hosts}")).start()
    hand_in(server)
    assert answer in deferred(server)
    assert [mx.connections for mx in servers] == calls
    for mx in servers:
        mx.close()


def test_who_asks_for_recipients_logs_in_too(serve, tmp_path):
    """`users ask`: the next hop knows its users, and tells them to its own."""
    says = offering("AUTH PLAIN", login=["235 ok"] * 9)
    mx = FakeMx(lambda verb, line, session: "550 5.1.1 nobody" if line.startswith("RCPT TO:<eve@")
                else says(verb, line, session))
    write_secret(tmp_path)
    server = serve((OUT % (mx.port, "off")).replace(
        "accept from local to any", "accept to domain example.org users ask")).start()
    with smtplib.SMTP("127.0.0.1", server.port) as client:
        client.ehlo()
        client.mail(SENDER)
        assert client.rcpt("eve@example.org")[0] == 550
        assert client.rcpt("bob@example.org")[0] == 250
    sessions = [bytes(heard) for heard in mx.heard]
    assert sessions and all(b"\r\nAUTH PLAIN " in heard.partition(b"MAIL")[0] for heard in sessions)
    mx.close()


def test_no_password_before_tls(first):
    mx = FakeMx(offering("AUTH PLAIN LOGIN"))
    server = first(mx.port, "required")
    hand_in(server)
    assert "TLS is required" in deferred(server)
    assert wait_until(lambda: mx.lines == ["EHLO out.example", "QUIT"]), mx.lines
    mx.close()


def test_what_was_offered_before_tls_is_forgotten(first, tmp_path):
    need("openssl")
    chain, key = issue(make_authority(tmp_path), tmp_path, "IP:127.0.0.1")
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(chain, key)
    ehlos = iter(["250-a\r\n250-AUTH PLAIN\r\n250 STARTTLS", "250 a"])
    mx = FakeMx(lambda verb, line, session: next(ehlos) if verb == "EHLO"
                else "220 go" if verb == "STARTTLS" else None, tls=tls)
    server = first(mx.port, "required")
    hand_in(server)
    assert "does not offer AUTH" in deferred(server)
    assert wait_until(lambda: mx.lines == ["EHLO out.example", "STARTTLS", "EHLO out.example", "QUIT"]), mx.lines
    mx.close()


# ---- servers of others ----

class AskingPostfix(Postfix):
    """Its passwords are with Dovecot, at the port `auth`."""

    def __init__(self, folder, auth, **more):
        self.auth = auth
        super().__init__(folder, **more)

    def configure(self):
        super().configure()
        with open(self.path("etc/postfix/main.cf"), "a", encoding="ascii") as f:
            f.write(f"""
mynetworks =
smtpd_sasl_auth_enable = yes
smtpd_sasl_type = dovecot
smtpd_sasl_path = inet:127.0.0.1:{self.auth}
smtpd_sasl_security_options = noanonymous
smtpd_relay_restrictions = permit_sasl_authenticated, reject
""")


class DovecotAuth(Dovecot):
    def __init__(self, folder, auth, mechanisms, account):
        self.auth, self.mechanisms, self.account = auth, mechanisms, account
        super().__init__(folder)

    def configure(self):
        super().configure()
        self.write("etc/people", f"ann@example.org:{self.account}::::::\n")
        with open(self.path("etc/dovecot/dovecot.conf"), "a", encoding="ascii") as f:
            f.write(f"""
auth_mechanisms = {self.mechanisms}
service auth {{
  inet_listener auth {{
    address = 127.0.0.1
    port = {self.auth}
  }}
}}
""")


class AskingExim(Exim):
    def __init__(self, folder, mechanism, **more):
        self.mechanism = mechanism
        super().__init__(folder, **more)

    def configure(self):
        super().configure()
        path = self.path("etc/exim4/exim4.conf")
        with open(path, encoding="ascii") as f:
            text = f.read()
        prompts, user = {"PLAIN": (":", 2), "LOGIN": ("User name:: : Password::", 1)}[self.mechanism]
        with open(path, "w", encoding="ascii") as f:
            f.write(text.replace("accept domains", "accept authenticated = *\n    domains") + f"""
begin authenticators
it:
  driver = plaintext
  public_name = {self.mechanism}
  server_prompts = {prompts}
  server_condition = ${{if and{{{{eq{{$auth{user}}}{{ann@example.org}}}}{{eq{{$auth{user + 1}}}{{secret}}}}}}}}
  server_set_id = $auth{user}
""")


@pytest.fixture
def peers(tmp_path):
    running = []

    def start(peer):
        running.append(peer)
        return peer.start()
    yield start
    for peer in running:
        peer.stop()


@pytest.fixture
def certificate(tmp_path, monkeypatch):
    """Of 127.0.0.1, by an authority that is trusted: the path without its ending."""
    need("openssl")
    authority = make_authority(tmp_path)
    issue(authority, tmp_path, "IP:127.0.0.1", name="peer")
    monkeypatch.setenv("SSL_CERT_FILE", authority)
    return tmp_path / "peer"


def is_taken(first, peer, tmp_path):
    """Not with a wrong password, and then with the right one."""
    server = first(peer.port, "verified", "wrong")
    hand_in(server, "zoe@in.example")
    assert "in reply to AUTH" in deferred(server)
    set_right(server, tmp_path, "secret")
    server.retry_now()
    assert wait_until(lambda: re.search(r"status=sent .* tls=TLSv1\.3/verified", server.log())), \
        server.log() + peer.log()


@pytest.mark.parametrize("mechanisms", ["plain", "login", "scram-sha-256", "plain login scram-sha-256"])
def test_postfix_and_dovecot(first, peers, certificate, tmp_path, mechanisms):
    auth = free_ports(1)[0]
    account = scram_keys("secret") if "scram" in mechanisms else "{PLAIN}secret"
    peers(DovecotAuth(tmp_path, auth, mechanisms, account))
    peer = peers(AskingPostfix(tmp_path, auth, certificate=certificate))
    is_taken(first, peer, tmp_path)
    used = mechanisms.split()[-1].upper()
    assert wait_until(lambda: f"sasl_method={used}, sasl_username=ann@example.org" in peer.log())


@pytest.mark.parametrize("mechanism", ["PLAIN", "LOGIN"])
def test_exim(first, peers, certificate, tmp_path, mechanism):
    peer = peers(AskingExim(tmp_path, mechanism, certificate=certificate))
    is_taken(first, peer, tmp_path)
    assert wait_until(lambda: "A=it:ann@example.org" in peer.log())
