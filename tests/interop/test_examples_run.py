"""conf/examples as whoever copies them lives with them: each runs with its real names, ports and
addresses, in a network of its own where DNS knows these names and the other servers stand. Only its
files lie elsewhere, and * stands for two addresses, since others here have a port 25, too."""
import base64
import imaplib
import json
import os
import re
import smtplib
import socket
import ssl
import time

import pytest
import users
from certificate import issue, make_authority
from conftest import need, run
from fake_mx import FakeMx
from name_server import PROGRAMS, NameServer
from network import Network, NotHere, root_servers, trusting
from peers import Dovecot
from provider import Provider
from server import BINARY, TOP, Server, wait_until
from token_world import Smarthost, log_in

OURS, FAR, FAR_SIX = "192.0.2.1", "203.0.113.25", "2001:db8:f::25"
INSIDE, SMART, GOOGLE = "192.0.2.20", "198.51.100.30", "203.0.113.40"
SOURCES = {"198.51.100.7": "out1.example.org", "198.51.100.8": "out2.example.org",
           "2001:db8::7": "out1.example.org"}
ZONES = {
    "example.org": f"@ MX 10 mx1\nmx1 A {OURS}\nbounces MX 10 mx1\nmail.intra A {INSIDE}\n",
    "example.net": f"smtp A {SMART}\n",
    "other.example": f"@ MX 10 mx\nmx A {FAR}\nmx AAAA {FAR_SIX}\n",
    "four.example": f"@ MX 10 mx\nmx A {FAR}\n",
    "google.com": f"accounts A {GOOGLE}\n",
    "gmail.com": f"smtp A {GOOGLE}\n",
    "googleapis.com": f"oauth2 A {GOOGLE}\n",
}
AUTHORITIES = "/etc/ssl/certs/ca-certificates.crt"  # whom libcurl trusts
MAIL = "From: {0}\r\nTo: {1}\r\nSubject: {2}\r\n\r\nhi\r\n"


class Example(Server):
    """One of the files, with a folder of its own for whatever it names."""

    def __init__(self, name, folder, world, at=OURS):
        super().__init__(folder)
        self.at, self.world = at, world
        self.etc, self.spool = folder / "etc", folder / "spool"
        (self.etc / "postroad").mkdir(parents=True)
        (self.etc / "ssl").mkdir()
        (self.etc / "aliases").write_text("root: admin@example.org\n")
        (folder / "run" / "postroad").mkdir(parents=True)
        (folder / "spool-drop").mkdir()
        (folder / "spool-drop").chmod(0o1733)
        issue(world.authority, self.etc / "ssl", "DNS:mx1.example.org,DNS:out.example.org", "mx1")
        with open(os.path.join(TOP, "conf", "examples", name + ".conf"), encoding="utf-8") as f:
            text = f.read()
        for ours, theirs in ((" /etc/", f" {self.etc}/"), ("file:/etc/", f"file:{self.etc}/"),
                             ("/var/spool/postroad", str(self.spool)), ("/var/vmail", f"{folder}/vmail"),
                             ("unix:/run/", f"unix:{folder}/run/")):
            text = text.replace(ours, theirs)
        text = re.sub(r"^(listen \w+ +)\*(:.*)$", rf"\g<1>{OURS}\2\n\g<1>127.0.0.1\2", text, flags=re.M)
        self.config = re.sub(r"min-free \dG", "min-free 10M", text) + "\nresolver recursive\n"
        self.conf = str(folder / "postroad.conf")
        self.write(self.config)

    def write(self, text):
        with open(self.conf, "w", encoding="utf-8") as f:
            f.write(text)

    def surroundings(self):
        """What trusts our DNS and our authority, as others do the Internet's."""
        return trusting(self.world.names.anchor,
                        ["sh", "-c", f'mount --bind "$0" {AUTHORITIES} && exec env SSL_CERT_FILE="$0" "$@"',
                         self.world.authority])

    def command(self):
        self.write(self.config)
        users.open_way(self.world.authority)
        return [*self.surroundings(), *users.serve(self.folder, [BINARY, "serve", "-c", self.conf])]

    def greets(self):
        try:
            with smtplib.SMTP(self.at, 25, timeout=5):
                return True
        except OSError:
            return False

    def do(self, *words, stdin=b""):
        """A command of an administrator, who has no reason to be content with less than 0."""
        status, said = run(BINARY, *words, "-c", self.conf, stdin=stdin)
        assert status == 0, said
        return said

    def add(self, *names):
        """Accounts, the first of which makes the file."""
        for name in names:
            assert self.do("user", "add", name, "--password-stdin", stdin=b"secret\n") == f"{name}: added\n"

    def secret(self, name, text):
        path = self.etc / "postroad" / name
        path.write_text(text + "\n")
        path.chmod(0o600)

    def grant(self, account, right):
        """An editor does what `postroad user` does not."""
        path = self.etc / "postroad" / "accounts"
        path.write_text(re.sub(f"^({account}:.*)$", rf"\1 {right}", path.read_text(), flags=re.M))

    def begin(self):
        assert self.do("config", "check") == f"{self.conf} is right\n"
        return self.start().ready()

    def waits(self):
        """{recipient: reason} of what is in the queue."""
        listed = [json.loads(line) for line in self.do("queue", "list", "--json").splitlines()]
        return {rcpt["to"]: rcpt.get("reason", "") for mail in listed for rcpt in mail["rcpts"]}

    def wait_reason(self, rcpt, words):
        assert wait_until(lambda: words in self.waits().get(rcpt, "")), self.waits()

    def retry(self):
        """What waits is tried now."""
        assert wait_until(lambda: self.do("queue", "retry", "--status", "deferred", "--yes") ==
                          "retry: 1 message\n"), self.waits()

    def is_empty(self):
        return self.do("queue", "list") == "Mail queue is empty\n"

    def inbox(self, *path):
        new = os.path.join(self.folder, "vmail", *path, "new")
        return [os.path.join(new, name) for name in os.listdir(new)] if os.path.isdir(new) else []

    def client(self, port, user=None, source=FAR):
        kind, more = (smtplib.SMTP_SSL, {"context": self.world.trust()}) if port == 465 else \
            (smtplib.SMTP, {})
        client = kind(source if source == "127.0.0.1" else self.at, port, local_hostname="client.example",
                      timeout=60, source_address=(source, 0), **more)
        if port == 587:
            client.starttls(context=self.world.trust())
        if user:
            client.login(user, "secret")
        return client

    def local(self, rcpt, subject):
        """A mail of a script that root runs; taken by the server, or left for it."""
        mail = f"Subject: {subject}\n\nhi\n".encode()
        assert run(BINARY, "sendmail", "-C", self.conf, "-i", rcpt, stdin=mail) == (0, "")

    def send(self, sender, rcpt, subject="x", port=25, user=None, source=FAR):
        """The code and text of the recipient's answer, or that of the sender's, or of the mail's."""
        with self.client(port, user, source) as client:
            client.ehlo_or_helo_if_needed()
            for answer in (client.mail(sender), client.rcpt(rcpt)):
                if answer[0] != 250:
                    return answer
            return client.data(MAIL.format(sender, rcpt, subject))


class World:
    def __init__(self, folder):
        self.authority = make_authority(folder)
        self.names = NameServer(folder / "dns", ZONES, unsigned=list(ZONES), port=53,
                                addresses=["192.0.2.53", *root_servers()])
        self.folder, self.far = folder, []

    def start(self):
        self.names.start()
        for address in FAR, FAR_SIX:
            self.far.append(FakeMx(self.notes, address, 25, tls=self.secure("mx.other.example")))
        self.seen = []
        return self

    def notes(self, verb, line, session):
        """Who greets from where; gone@ is unknown."""
        if verb == "EHLO":
            self.seen.append((session["peer"], line.split()[1], "tls" in session))
            return None if "tls" in session else \
                FakeMx.USUAL["EHLO"].replace("250-PIPELINING", "250-STARTTLS")
        if verb == "STARTTLS":
            return "220 go on"
        return "550 5.1.1 nobody has that name" if verb == "RCPT" and "<gone@" in line else None

    def secure(self, *names):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*issue(self.authority, self.folder,
                                       ",".join(f"DNS:{name}" for name in names), names[0]))
        return context

    def trust(self):
        context = ssl.create_default_context(cafile=self.authority)
        context.check_hostname = False  # clients here name an address
        return context

    def came(self, rcpt):
        """(sender, content) of what came to the far servers for this recipient."""
        return [(sender, body) for far in self.far for sender, rcpts, body in far.mails
                if any(f"<{rcpt}>" in line for line in rcpts)]

    def wait_came(self, rcpt, count=1):
        assert wait_until(lambda: len(self.came(rcpt)) >= count), self.seen
        found = self.came(rcpt)
        assert len(found) == count
        return found[0]

    def stop(self):
        for far in self.far:
            far.close()
        self.names.stop()


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    for program in (*PROGRAMS, "openssl"):
        need(program)
    try:
        network = Network([OURS, FAR, FAR_SIX, INSIDE, SMART, GOOGLE, *SOURCES, "192.0.2.53",
                           *root_servers()])
        network.__enter__()
    except NotHere as why:
        pytest.skip(f"no network namespaces: {why}")
    made = World(tmp_path_factory.mktemp("w"))
    try:
        yield made.start()
    finally:
        made.stop()
        network.__exit__()


@pytest.fixture
def example(tmp_path_factory, world):
    """A function: the name of a file -> its server, not yet started."""
    made = []

    def make(name, **how):
        made.append(Example(name, tmp_path_factory.mktemp("x"), world, **how))
        return made[-1]
    yield make
    for one in made:
        if one.process and one.process.poll() is None:
            assert one.stop() == 0, one.log()[-2000:]


# ---- what ./run --install begins with ----

def test_the_first_file(example):
    server = example("../postroad", at="127.0.0.1").begin()
    server.local("root", "cron")
    assert server.send("root@mail.example.org", "ann@localhost", source="127.0.0.1")[0] == 250
    assert server.send("root@mail.example.org", "joe@other.example", source="127.0.0.1")[0] == 554
    assert wait_until(lambda: len(server.inbox("local", "root")) == len(server.inbox("local", "ann")) == 1)


# ---- one domain with Dovecot ----

class OurDovecot(Dovecot):
    """conf/dovecot/dovecot.conf to the letter; only its log is a file, where there is no syslog."""
    greeting = b"* OK"

    def __init__(self, example):
        self.example = example
        super().__init__(example.folder, certificate=str(example.etc / "ssl" / "mx1"))
        self.port = 143

    def configure(self):
        self.folder("var/lib/dovecot")
        self.folder("var/vmail", "vmail", 0o700)
        self.folder("etc/ssl")
        self.places = {"etc/postroad": str(self.example.etc / "postroad"),
                       "etc/ssl": str(self.example.etc / "ssl")}
        os.makedirs(os.path.join(self.root, "etc/postroad"))
        with open(os.path.join(TOP, "conf", "dovecot", "dovecot.conf"), encoding="utf-8") as f:
            self.write("etc/dovecot/dovecot.conf", f.read() + "log_path = /var/log/log\n")
        accounts = self.example.etc / "postroad" / "accounts"  # by the file's head
        os.chown(accounts, -1, self.ids["dovecot"])
        accounts.chmod(0o640)

    def subjects(self, user, password="secret"):
        """What he sees in his inbox; None: he may not look."""
        context = self.example.world.trust()
        with imaplib.IMAP4_SSL("127.0.0.1", ssl_context=context, timeout=60) as client:
            try:
                client.login(user, password)
            except imaplib.IMAP4.error:
                return None
            if client.select("INBOX")[1] == [b"0"]:
                return []
            _, found = client.fetch("1:*", "(BODY[HEADER.FIELDS (SUBJECT)])")
            return [part[1].decode().strip() for part in found if isinstance(part, tuple)]


@pytest.fixture
def domain(example):
    server = example("domain-with-dovecot")
    server.add("ann@example.org", "bob@example.org")
    (server.etc / "aliases").write_text("root: ann@example.org\nteam: ann@example.org, joe@other.example\n"
                                        "ann.smith@example.org: ann@example.org\n")
    (server.etc / "aliases").chmod(0o644)
    dovecot = OurDovecot(server)
    os.symlink(os.path.join(dovecot.root, "run", "dovecot"), server.folder + "/run/dovecot")
    dovecot.start()
    users.open_way(os.path.join(dovecot.root, "run", "dovecot", "lmtp"))
    server.begin().dovecot = dovecot
    yield server
    dovecot.stop()


def test_a_domain_with_dovecot(domain, world):
    see = domain.dovecot.subjects
    assert domain.send("joe@other.example", "Ann@Example.org", "one")[0] == 250
    assert domain.send("joe@other.example", "ann.smith@example.org", "two")[0] == 250
    assert domain.send("joe@other.example", "postmaster@example.org", "three")[0] == 250
    # Programs of this machine.
    domain.local("root", "four")
    assert domain.send("root@mx1.example.org", "team@mx1.example.org", "five", source="127.0.0.1")[0] == 250
    wanted = sorted(f"Subject: {word}" for word in ("one", "two", "three", "four", "five"))
    assert wait_until(lambda: sorted(see("ann@example.org")) == wanted), domain.log()
    assert see("ann@example.org", "guess") is None and see("bob@example.org") == []
    world.wait_came("joe@other.example")
    # Nobody else, and nobody for others.
    assert domain.send("joe@other.example", "gone@example.org")[0] == 550
    assert domain.send("joe@other.example", "joe@other.example")[0] == 554
    assert domain.send("ann@example.org", "joe@other.example", port=587)[0] == 530
    # Her program, from wherever she is.
    assert domain.send("ann@example.org", "away1@other.example", port=465, user="ann@example.org")[0] == 250
    assert domain.send("ann@example.org", "away2@other.example", port=587, user="ann@example.org")[0] == 250
    assert domain.send("bob@example.org", "x@other.example", port=465, user="ann@example.org")[0] == 553
    assert FAR.encode() in world.wait_came("away1@other.example")[1]
    assert FAR.encode() not in world.wait_came("away2@other.example")[1]
    assert wait_until(domain.is_empty), domain.waits()


def test_accounts_of_both_at_once(domain):
    """One file, which `postroad user` changes under both servers."""
    see = domain.dovecot.subjects
    assert see("bob@example.org") == []
    # Dovecot knows a changed file by its size and the second.
    accounts = domain.etc / "postroad" / "accounts"
    assert wait_until(lambda: time.time() > accounts.stat().st_mtime + 1)
    domain.do("user", "passwd", "bob@example.org", "--password-stdin", stdin=b"another\n")
    assert wait_until(lambda: see("bob@example.org", "another") == [] and see("bob@example.org") is None)
    domain.do("user", "disable", "bob@example.org")
    assert wait_until(lambda: see("bob@example.org", "another") is None)
    with domain.client(465) as client, pytest.raises(smtplib.SMTPAuthenticationError):
        client.login("bob@example.org", "another")
    assert domain.send("joe@other.example", "bob@example.org")[0] == 250  # he gets mail as before
    domain.add("cid@example.org")
    assert wait_until(lambda: domain.send("joe@other.example", "cid@example.org")[0] == 250)
    domain.do("user", "delete", "cid@example.org")
    assert wait_until(lambda: domain.send("joe@other.example", "cid@example.org")[0] == 550)
    domain.do("user", "enable", "bob@example.org")
    assert wait_until(lambda: see("bob@example.org", "another") == ["Subject: x"])


def test_dovecot_is_away(domain):
    domain.dovecot.stop()
    assert domain.send("joe@other.example", "ann@example.org")[0] == 250
    domain.wait_reason("ann@example.org", "cannot connect")
    domain.dovecot.start()
    domain.retry()
    assert wait_until(lambda: domain.dovecot.subjects("ann@example.org") == ["Subject: x"])


# ---- a company's gateway ----

def test_a_gateway(example, world):
    def knows(verb, line, session):
        return "550 5.1.1 no such user" if verb == "RCPT" and "<bob@" not in line and \
            "<admin@" not in line else None
    inside = FakeMx(knows, INSIDE, 25)
    server = example("company-gateway")
    server.add("inside@example.org")
    server.grant("inside@example.org", "postroad_send=*@example.org")
    server.begin()
    with server.client(25) as client:
        client.ehlo()
        assert client.esmtp_features["size"] == str(100 << 20)
    assert server.send("joe@other.example", "bob@example.org")[0] == 250
    server.local("root", "cron")
    assert wait_until(lambda: len(inside.mails) == 2), server.log()
    code, why = server.send("joe@other.example", "gone@example.org")
    assert code == 550 and b"no such user" in why
    assert server.send("x@spam.example", "bob@example.org")[0] == 554
    assert server.send("joe@other.example", "joe@other.example")[0] == 554
    with smtplib.SMTP(OURS, 587, timeout=60) as client:
        client.ehlo()
        assert client.mail("bob@example.org")[0] == 530 and "auth" not in client.esmtp_features
    for sender, code in ("bob@example.org", 250), ("joe@elsewhere.example", 553):
        assert server.send(sender, "g@other.example", port=587, user="inside@example.org",
                           source=INSIDE)[0] == code
    world.wait_came("g@other.example")
    inside.close()
    assert server.send("joe@other.example", "bill@example.org")[0] == 450
    assert server.send("joe@other.example", "bob@example.org")[0] == 250  # he is known since
    # Somebody writes too much.
    server.write(server.config.replace("reject sender domain spam.example", "reject sender domain other.example"))
    assert server.do("reload") == "the new settings serve\n"
    assert server.send("joe@other.example", "bob@example.org")[0] == 554


# ---- a laptop ----

class Smart:
    """The provider's server: takes mail of who knows the password, under TLS."""

    def __init__(self, tls):
        self.password, self.users = "not yet", []
        self.mx = FakeMx(self.says, SMART, 587, tls=tls)

    def says(self, verb, line, session):
        if verb == "EHLO":
            return "250-smart\r\n250 " + ("AUTH PLAIN" if "tls" in session else "STARTTLS")
        if verb == "STARTTLS":
            return "220 go on"
        if verb == "AUTH":
            _, user, password = base64.b64decode(line.split()[2]).decode().split("\0")
            session["user"] = user if password == self.password else None
            return "235 2.7.0 welcome" if session["user"] else "535 5.7.8 no"
        if verb == "MAIL" and not session.get("user"):
            return "530 5.7.0 log in"
        if verb == "DOT":
            self.users.append(session["user"])
        return None


def test_a_laptop(example, world):
    server = example("laptop", at="127.0.0.1")
    server.secret("smart", "sesame")
    server.local("l@other.example", "x")  # nothing runs yet
    server.begin()
    server.wait_reason("l@other.example", "cannot connect")  # no network
    assert server.stop() == 0  # the lid
    server.start()
    smart = Smart(world.secure("smtp.example.net"))
    server.retry()
    server.wait_reason("l@other.example", "535")
    smart.password = "sesame"
    server.retry()
    assert wait_until(lambda: len(smart.mx.mails) == 1), server.log()
    assert smart.users == ["me@example.net"]
    sender, rcpts, _ = smart.mx.mails[0]
    assert "<root@example.net>" in sender and "<l@other.example>" in rcpts[0]
    smart.mx.close()


# ---- a machine that only sends, with tokens ----

def test_a_null_client(example, world, monkeypatch):
    known = socket.getaddrinfo
    monkeypatch.setattr(socket, "getaddrinfo", lambda host, *more, **how: known(  # the browser's
        GOOGLE if host == "accounts.google.com" else host, *more, **how))
    chain = issue(world.authority, world.folder, "DNS:accounts.google.com,DNS:oauth2.googleapis.com", "google")
    provider = Provider(*chain, port=443, address=GOOGLE)
    provider.CLIENT = "1234-abcd.apps.googleusercontent.com"
    google = Smarthost(provider, address=GOOGLE, port=587, tls=world.secure("smtp.gmail.com"))
    server = example("null-client", at="127.0.0.1")
    server.secret("client-secret", provider.SECRET)
    server.begin()
    server.local("n@other.example", "x")
    server.wait_reason("n@other.example", "postroad oauth login smart")
    server.authority = world.authority
    log_in(server, within=server.surroundings())
    server.retry()
    assert wait_until(lambda: len(google.mx.mails) == 1), server.log()
    sender, rcpts, _ = google.mx.mails[0]
    assert "<robot@example.org>" in sender and "<n@other.example>" in rcpts[0]
    assert all(json.loads(line) for line in server.log().splitlines())
    google.mx.close()
    provider.close()


# ---- newsletters ----

def test_a_bulk_sender(example, world):
    server = example("bulk-sender")
    server.add("news@example.org", "admin@example.org")
    server.grant("news@example.org", "postroad_send=*@bounces.example.org")
    server.begin()
    world.seen.clear()
    with server.client(587, "news@example.org", "127.0.0.1") as client:
        for number in range(60):
            client.sendmail("b77@bounces.example.org", [f"b{number}@{'four' if number % 3 else 'other'}.example"],
                            MAIL.format("news@example.org", "you", number))
        client.sendmail("b78@bounces.example.org", ["gone@other.example"], MAIL.format("news", "you", "x"))
    for number in range(60):
        world.wait_came(f"b{number}@{'four' if number % 3 else 'other'}.example")
    assert {peer: name for peer, name, _ in world.seen} == SOURCES, world.seen
    # What comes back, from others and from ourselves.
    assert server.send("", "b77@bounces.example.org")[0] == 250
    assert wait_until(lambda: len(server.inbox("bounces", "b77")) == 1 and
                      len(server.inbox("bounces", "b78")) == 1), server.log()[-3000:]
    assert server.send("joe@other.example", "news@example.org")[0] == 250
    assert wait_until(lambda: len(server.inbox("example.org", "news")) == 1), server.log()[-2000:]
    assert server.send("joe@other.example", "gone@example.org")[0] == 550
    server.local("root", "cron")
    assert wait_until(lambda: len(server.inbox("example.org", "admin")) == 1)
    assert wait_until(server.is_empty), server.waits()
