"""postroad probe: what it says about our own server, about servers that behave in every other way,
and about domains as a real name server knows them. It never sends a message."""
import json
import re
import socket
import ssl
import subprocess
import threading
import time

import pytest

from conftest import need
from fake_mx import FakeMx
from name_server import PROGRAMS, NameServer
from server import BINARY, free_port

RCPT = "postroad-probe@example.com"
EHLO = "250-fake.example\r\n250-SIZE 1000\r\n250 X-ODD a=b c"
RELAYS = "YES, unless it trusts this machine or that address is its own:"
CLOSED = """\
hostname mx.example.org
queue {folder}/spool
listen mx 127.0.0.1:{port}
accept to domain example.org deliver maildir {folder}/data/mail/{domain}/{user}
postmaster ann@example.org
"""


def probe(*words):
    """Exit status, standard output, standard error; both outputs safe for a terminal."""
    done = subprocess.run([BINARY, "probe", *(str(word) for word in words)],
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=300, check=False)
    for stream in (done.stdout, done.stderr):
        text = stream.decode()  # UTF-8, whatever the server said
        assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e]", text), text
        assert "Sanitizer" not in text and "runtime error" not in text, text
    return done.returncode, done.stdout.decode(), done.stderr.decode()


def rows(text):
    """{label: [values]} of a table; the first line apart."""
    found, label = {}, ""
    for line in text.splitlines()[1:]:
        label = line[:12].strip() or label
        found.setdefault(label, []).append(line[13:])
    return found


@pytest.fixture
def fake():
    made = []

    def make(replies=None, **more):
        """A server that says what `replies` has for a verb, and the usual else."""
        said = {"EHLO": EHLO, "RCPT": "554 5.7.1 Relay access denied", **(replies or {})}
        made.append(FakeMx(lambda verb, line, session: said.get(verb), **more))
        return made[-1]
    yield make
    for one in made:
        one.close()


@pytest.fixture
def raw():
    """A function: what is done with each connection -> the port."""
    made = []

    def make(talk):
        listener = socket.create_server(("127.0.0.1", 0))
        made.append(listener)

        def accept():
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                threading.Thread(target=serve, args=(connection,), daemon=True).start()

        def serve(connection):
            try:
                with connection:
                    talk(connection)
            except (OSError, ssl.SSLError):
                pass
        threading.Thread(target=accept, daemon=True).start()
        return listener.getsockname()[1]
    yield make
    for listener in made:
        listener.shutdown(socket.SHUT_RDWR)  # wakes who waits in accept()
        listener.close()


# ---- our own server ----

def test_our_own_server_takes_everything_in_dev(server):
    status, said, dialog = probe(f"127.0.0.1:{server.port}", "-v")
    assert status == 0
    first = said.splitlines()[0]
    assert re.fullmatch(r"speaks SMTP: yes \(220 \S+ ESMTP postroad\)", first), first
    table = rows(said)
    assert "PIPELINING" in table["extensions"] and "SIZE 52428800" in table["extensions"]
    assert table["open relay"] == [f"{RELAYS} RCPT TO:<{RCPT}>: 250 2.1.5 Ok"]
    sent = [line[3:] for line in dialog.splitlines() if line.startswith("-> ")]
    assert sent[1:] == ["MAIL FROM:<>", f"RCPT TO:<{RCPT}>", "RSET", "QUIT"]
    assert "from=<>" not in server.log() and "status=sent" not in server.log()


def test_our_own_server_is_no_open_relay(serve):
    server = serve(CLOSED).start()
    status, said, _ = probe(f"localhost:{server.port}")
    assert status == 0
    assert rows(said)["open relay"] == [f"no: RCPT TO:<{RCPT}>: 554 5.7.1 <{RCPT}>: "
                                        "Relay access denied"]
    status, said, _ = probe(f"[127.0.0.1]:{server.port}", "--to", "ann@example.org", "--from",
                            "bob@example.net", "--ehlo", "me.example", "--json")
    assert status == 0
    found = json.loads(said)
    assert found["speaks_smtp"] is True and found["why"].startswith("220 mx.example.org")
    assert found["probed"] == f"[127.0.0.1]:{server.port}" and found["mx"] is None
    assert found["server"] == {"name": "127.0.0.1", "ip": "127.0.0.1", "port": server.port}
    assert found["hello"] == "mx.example.org"
    assert {"name": "PIPELINING", "parameters": "", "in_clear": True, "under_tls": False} \
        in found["extensions"]
    assert found["tls"]["state"] == "not offered" and found["tls"]["certificate"] is None
    assert found["open_relay"] == {"answer": "yes", "sender": "bob@example.net",
                                   "recipient": "ann@example.org", "why": "250 2.1.5 Ok"}


# ---- all sorts of servers ----

SPEAKS = [  # replies, row, its values
    ({}, "extensions", ["SIZE 1000", "X-ODD a=b c"]),
    ({}, "says hello", ["fake.example"]),
    ({"EHLO": "250 alone.example"}, "extensions", ["none"]),
    ({"EHLO": "502 what?", "HELO": "250 old.example"}, "extensions",
     ["none: it knows only HELO"]),
    ({}, "TLS", ["not offered"]),
    ({"EHLO": "250-a\r\n250 STARTTLS", "STARTTLS": "454 4.7.0 no key"}, "TLS",
     ["offered, but STARTTLS is refused: 454 4.7.0 no key"]),
    ({}, "open relay", [f"no: RCPT TO:<{RCPT}>: 554 5.7.1 Relay access denied"]),
    ({"RCPT": "251 will forward"}, "open relay",
     [f"{RELAYS} RCPT TO:<{RCPT}>: 251 will forward"]),
    ({"RCPT": "450-4.2.0 come\r\n450 4.2.0 later"}, "open relay",
     [f"undecided: RCPT TO:<{RCPT}>: 450 4.2.0 come 4.2.0 later"]),
    ({"MAIL": "530 5.7.0 log in"}, "open relay",
     [f"no: RCPT TO:<{RCPT}>: MAIL is refused: 530 5.7.0 log in"]),
    ({"MAIL": "550 5.1.8 who?"}, "open relay",
     [f"not tested: RCPT TO:<{RCPT}>: MAIL is refused: 550 5.1.8 who?"]),
    ({"RCPT": "close"}, "open relay",
     [f"not tested: RCPT TO:<{RCPT}>: the server closed the connection (waiting for: RCPT)"]),
    ({"RCPT": "250 ok", "RSET": "close"}, "open relay", [f"{RELAYS} RCPT TO:<{RCPT}>: 250 ok"]),
]


@pytest.mark.parametrize("replies,label,values", SPEAKS)
def test_what_a_server_says(fake, replies, label, values):
    server = fake(replies)
    status, said, _ = probe(f"127.0.0.1:{server.port}", "--timeout", 60)
    assert status == 0, said
    assert said.startswith("speaks SMTP: yes (220 fake.example ESMTP)\n"), said
    assert rows(said)[label] == values
    assert server.mails == [] and "DATA" not in server.lines
    accepted = "MAIL FROM:<>" in server.lines and not replies.get("MAIL")
    assert ("RSET" in server.lines) == (accepted and replies.get("RCPT") != "close")


TLS_AT_ONCE = "; does it expect TLS at once (--tls implicit)?"
SILENT = [  # replies, first line behind "speaks SMTP: no: "
    ({"CONNECT": "521 no mail here"}, "it refuses to talk: 521 no mail here"),
    ({"CONNECT": "554-go\r\n554 away"}, "it refuses to talk: 554 go away"),
    ({"CONNECT": "421 4.3.2 busy"}, "it refuses to talk: 421 4.3.2 busy"),
    ({"CONNECT": "SSH-2.0-Oops"}, 'what it says is no SMTP: "SSH-2.0-Oops"'),
    ({"CONNECT": "220-a\r\n221 b"}, 'what it says is no SMTP: "221 b"'),
    ({"CONNECT": ""}, "the server did not answer (waiting for: greeting)" + TLS_AT_ONCE),
    ({"CONNECT": "close"},
     "the server closed the connection (waiting for: greeting)" + TLS_AT_ONCE),
    ({"EHLO": "550 5.7.1 not you"},
     "greets with 220 fake.example ESMTP, but to EHLO: 550 5.7.1 not you"),
    ({"EHLO": "500 what", "HELO": "501 no"},
     "greets with 220 fake.example ESMTP, but to EHLO: 501 no"),
    ({"EHLO": "close"}, "greets with 220 fake.example ESMTP, but to EHLO: "
     "the server closed the connection (waiting for: EHLO)"),
    ({"EHLO": "HTTP/1.1 400 Bad"}, "greets with 220 fake.example ESMTP, but to EHLO: "
     'what it says is no SMTP: "HTTP/1.1 400 Bad"'),
]


@pytest.mark.parametrize("replies,why", SILENT)
def test_who_does_not_speak_smtp(fake, replies, why):
    server = fake(replies)
    seconds = 1 if replies == {"CONNECT": ""} else 60  # only who says nothing is waited for in vain
    status, said, _ = probe(f"127.0.0.1:{server.port}", "--timeout", seconds)
    assert status == 69, said
    assert said.splitlines() == [f"speaks SMTP: no: {why}",
                                 f"server       127.0.0.1 port {server.port}"]
    status, said, _ = probe(f"127.0.0.1:{server.port}", "--timeout", seconds, "--json")
    assert status == 69
    found = json.loads(said)
    assert found["speaks_smtp"] is False and found["why"] == why
    assert found["tls"] is None and found["extensions"] == [] and found["open_relay"] is None


def test_nobody_there():
    port = free_port()
    status, said, _ = probe(f"127.0.0.1:{port}")
    assert status == 69
    assert said.splitlines()[0] == \
        f"speaks SMTP: no: nobody listens on port {port}: Connection refused"


def test_a_blocked_port():
    """A backlog that is full drops what comes, as a packet filter does."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        port = listener.getsockname()[1]
        waiting = [socket.socket() for _ in range(4)]
        try:
            for one in waiting:
                one.setblocking(False)
                one.connect_ex(("127.0.0.1", port))
            status, said, _ = probe(f"127.0.0.1:{port}", "--timeout", 1)
        finally:
            for one in waiting:
                one.close()
    assert status == 69
    assert said.startswith(f"speaks SMTP: no: port {port} seems blocked from here: "
                           "no answer within 1 s"), said


MONSTERS = [  # greeting, reply to EHLO, exit status
    ("220-x\r\n" * 500 + "220 end", EHLO, 0),
    ("220-x\r\n" * 2000 + "220 end", EHLO, 69),
    ("220 " + "x" * 3000, EHLO, 0),
    ("220 " + "x" * 100_000, EHLO, 69),
    ("220 a", "250-a\r\n" + "".join(f"250-X-{n} {'y' * 500}\r\n" for n in range(900)) + "250 Z", 0),
    ("220 a", "250-a\r\n" + "".join(f"250-X-{n}\r\n" for n in range(3000)) + "250 Z", 69),
    ("220 a", "250-\r\n250-=\r\n250- \r\n250-=x\r\n250-SIZE=\r\n250 AUTH=PLAIN", 0),
    ("220 \x1b]0;evil\x07\x1b[31m\u009b\u202e\x00\\ end", "250-\x1b[2J\r\n250 X-\x1b \u202d\x7f", 0),
]


@pytest.mark.parametrize("more", [(), ("--json",), ("-v",)])
@pytest.mark.parametrize("greeting,ehlo,want", MONSTERS, ids=range(len(MONSTERS)))
def test_monsters(fake, greeting, ehlo, want, more):
    server = fake({"CONNECT": greeting, "EHLO": ehlo})
    status, said, _ = probe(f"127.0.0.1:{server.port}", "--timeout", 60, *more)
    assert status == want, said[:500]
    assert len(said) < 100_000
    if more == ("--json",):
        json.loads(said)


def test_bytes_that_are_no_text(raw):
    port = raw(lambda c: (c.sendall(b"\xff\xfe\x00\x1b[0m\xc2\x9b\r\n"), c.recv(1)))
    status, said, _ = probe(f"127.0.0.1:{port}", "-v")
    assert status == 69
    assert said.startswith('speaks SMTP: no: what it says is no SMTP: "\\xff\\xfe'), said


def test_a_trickle_has_an_end(raw):
    def trickle(connection):
        while True:
            connection.sendall(b"2")
            time.sleep(0.1)
    began = time.monotonic()
    status, _, _ = probe(f"127.0.0.1:{raw(trickle)}", "--timeout", 1)
    assert status == 69 and time.monotonic() - began < 20


# ---- TLS ----

@pytest.fixture(scope="module")
def keys(tmp_path_factory):
    need("openssl")
    folder = tmp_path_factory.mktemp("keys")
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                    "ec_paramgen_curve:prime256v1", "-nodes", "-days", "10", "-subj",
                    "/O=Evil \x1b[31m/CN=mx.example", "-addext",
                    "subjectAltName=DNS:mx.example,DNS:*.wild.example,IP:127.0.0.1,IP:2001:db8::1",
                    "-keyout", folder / "key", "-out", folder / "chain"],
                   check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "chain", folder / "key")
    return context


def converse(stream, offers, heard=None, greet=False):
    """A server's dialog; returns after STARTTLS was answered, or at the end."""
    if greet:
        stream.sendall(b"220 mx.example ESMTP\r\n")
    lines = stream.makefile("rb")
    while line := lines.readline():
        verb = line.split()[0].upper()
        if heard is not None:
            heard.append(verb)
        if verb == b"STARTTLS":
            stream.sendall(b"220 go\r\n")
            return
        stream.sendall({b"EHLO": offers, b"RCPT": b"554 5.7.1 no\r\n"}.get(verb, b"250 ok\r\n"))
        if verb == b"QUIT":
            return


CLEAR = b"250-mx.example\r\n250-SIZE 10\r\n250-X-CLEAR\r\n250 STARTTLS\r\n"
UNDER_TLS = b"250-mx.example\r\n250-SIZE 10\r\n250 AUTH PLAIN LOGIN\r\n"


def secure_server(keys):
    def talk(connection):
        converse(connection, CLEAR, greet=True)
        with keys.wrap_socket(connection, server_side=True) as secure:
            converse(secure, UNDER_TLS)
    return talk


def test_starttls(raw, keys):
    port = raw(secure_server(keys))
    status, said, _ = probe(f"127.0.0.1:{port}")
    assert status == 0
    table = rows(said)
    assert table["extensions"] == ["SIZE 10", "X-CLEAR   (in the clear only)", "STARTTLS",
                                   "AUTH PLAIN LOGIN   (under TLS only)"]
    assert re.fullmatch(r"TLSv1\.3, TLS_\w+, by STARTTLS", table["TLS"][0])
    assert table["certificate"] == [r"CN=mx.example,O=Evil \x5c1B[31m"]
    assert table["names"] == ["mx.example, *.wild.example, 127.0.0.1, 2001:db8:0:0:0:0:0:1"]
    assert table["key"] == ["EC 256"]
    assert re.fullmatch(r"\d{4}-\d\d-\d\d to \d{4}-\d\d-\d\d: (9|10) days left", table["valid"][0])
    assert table["trusted"] == ["no: self-signed certificate"]
    assert "name" not in table
    assert table["open relay"] == [f"no: RCPT TO:<{RCPT}>: 554 5.7.1 no"]
    status, said, _ = probe(f"127.0.0.1:{port}", "--json")
    tls = json.loads(said)["tls"]
    assert (tls["state"], tls["implicit"], tls["version"]) == ("on", False, "TLSv1.3")
    certificate = tls["certificate"]
    assert certificate["names"][0] == "mx.example" and certificate["trusted"] is False
    assert certificate["valid_until"] - certificate["valid_from"] == 10 * 86400
    assert certificate["name_fits"] is None


def test_tls_off(raw, keys):
    status, said, _ = probe(f"127.0.0.1:{raw(secure_server(keys))}", "--tls", "off")
    assert status == 0 and rows(said)["TLS"] == ["offered, not tried"]


def test_tls_at_once(raw, keys):
    def talk(connection):
        with keys.wrap_socket(connection, server_side=True) as secure:
            converse(secure, UNDER_TLS, greet=True)
    port = raw(talk)
    status, said, _ = probe(f"127.0.0.1:{port}", "--tls", "implicit")
    assert status == 0
    table = rows(said)
    assert table["TLS"][0].endswith(", from the first byte")
    assert table["extensions"] == ["SIZE 10", "AUTH PLAIN LOGIN"]
    assert table["open relay"] == [f"no: RCPT TO:<{RCPT}>: 554 5.7.1 no"]


def test_tls_at_once_where_there_is_none(fake):
    status, said, _ = probe(f"127.0.0.1:{fake().port}", "--tls", "implicit")
    assert status == 69 and said.startswith("speaks SMTP: no: no TLS: "), said


BROKEN = [  # what follows "220 go"; what is said of it
    (b"this is no TLS at all\r\n", "offered, but it fails: .+"),
    (b"250 injected\r\n", "offered, but it fails: .+"),
    (b"", "offered, but it fails: Connection reset by peer"),
]


@pytest.mark.parametrize("junk,why", BROKEN)
@pytest.mark.parametrize("at_once", [True, False])
def test_broken_starttls(raw, junk, why, at_once):
    """It is told, and what can be tested in the clear is tested there, as a sender would go on."""
    heard = []

    def talk(connection):
        connection.sendall(b"220 mx.example ESMTP\r\n")
        lines = connection.makefile("rb")
        while line := lines.readline():
            verb = line.split()[0].upper()
            heard.append(verb)
            if verb == b"STARTTLS":
                connection.sendall(b"220 go\r\n" + (junk if at_once else b""))
                if not at_once and junk:
                    connection.recv(1)
                    connection.sendall(junk)
                return
            connection.sendall({b"EHLO": CLEAR, b"RCPT": b"554 5.7.1 no\r\n"}.get(verb, b"250 ok\r\n"))
    status, said, _ = probe(f"127.0.0.1:{raw(talk)}", "--timeout", 60)
    assert status == 0, said
    table = rows(said)
    assert re.fullmatch(why, table["TLS"][0]), table["TLS"]
    assert table["open relay"] == [f"no: RCPT TO:<{RCPT}>: 554 5.7.1 no"]
    assert heard.count(b"STARTTLS") == 1 and heard.count(b"MAIL") == 1


# ---- domains ----

ZONES = {
    "signed.test": """
@ MX 30 third
@ MX 10 dead
@ MX 20 mx
dead A 127.0.0.2
mx A 127.0.0.1
third A 192.0.2.3
""",
    "plain.test": """
@ A 127.0.0.1
null MX 0 .
gone MX 10 nowhere
empty TXT "no server"
alias CNAME @
mx A 127.0.0.1
dead A 127.0.0.2
two MX 10 dead
two MX 20 mx
""",
    "bogus.test": """
@ MX 10 mx
mx A 127.0.0.1
""",
}


HOME = " (leads back to whoever asks)"


@pytest.fixture(scope="module")
def names(tmp_path_factory):
    for program in PROGRAMS:
        need(program)
    server = NameServer(tmp_path_factory.mktemp("dns") / "zones", ZONES, unsigned=["plain.test"])
    server.spoil("bogus.test", "127.0.0.1", "127.0.0.3")
    try:
        yield server.start()
    finally:
        server.stop()


def by_name(names, *words):
    return probe(*words, "--resolver", f"127.0.0.1@{names.port}", "--anchor", names.anchor)


def test_mx(names, fake):
    """By preference; who does not answer is told, and the next one is called."""
    server = fake()
    status, said, _ = by_name(names, "signed.test", "--port", server.port)
    assert status == 0, said
    table = rows(said)
    assert said.startswith("speaks SMTP: yes (220 fake.example ESMTP)\n")
    assert table["server"] == [f"mx.signed.test 127.0.0.1 port {server.port}"]
    assert table["domain"] == ["signed.test, by MX, proved by DNSSEC",
                               f"   10 dead.signed.test: 127.0.0.2{HOME}",
                               f"   20 mx.signed.test: 127.0.0.1{HOME}",
                               "   30 third.signed.test: 192.0.2.3"]
    assert table["tried"] == [f"dead.signed.test 127.0.0.2 port {server.port}: nobody listens on "
                              f"port {server.port}: Connection refused"]
    status, said, _ = by_name(names, "Signed.Test.", "--port", server.port, "--json")
    assert status == 0
    found = json.loads(said)
    assert [(h["name"], h["preference"], h["addresses"]) for h in found["mx"]["hosts"]] == [
        ("dead.signed.test", 10, ["127.0.0.2"]), ("mx.signed.test", 20, ["127.0.0.1"]),
        ("third.signed.test", 30, ["192.0.2.3"])]
    assert found["mx"]["by_mx"] and found["mx"]["secure"]
    assert [t["speaks_smtp"] for t in found["tried"]] == [False, True]


def test_the_reason_of_the_one_that_was_reached(names, fake):
    server = fake({"CONNECT": "554 5.7.1 not you"})
    status, said, _ = by_name(names, "two.plain.test", "--port", server.port)
    assert status == 69
    assert said.splitlines()[0] == "speaks SMTP: no: it refuses to talk: 554 5.7.1 not you"
    assert rows(said)["server"] == [f"mx.plain.test 127.0.0.1 port {server.port}"]
    assert rows(said)["tried"][0].startswith("dead.plain.test 127.0.0.2")


def test_no_mx(names, fake):
    server = fake()
    status, said, _ = by_name(names, "plain.test", "--port", server.port)
    assert status == 0
    assert rows(said)["domain"] == ["plain.test, no MX: the domain's own address",
                                    f"    0 plain.test: 127.0.0.1{HOME}"]
    status, said, _ = by_name(names, "alias.plain.test", "--port", server.port)
    assert status == 0
    assert rows(said)["domain"][0] == \
        "alias.plain.test, an alias of plain.test, no MX: the domain's own address"


def test_hosts_by_name(names, fake, raw, keys):
    server = fake()
    for word in (f"mx.plain.test:{server.port}", f"[mx.plain.test]:{server.port}"):
        status, said, _ = by_name(names, word)
        assert status == 0, said
        assert rows(said)["server"] == [f"mx.plain.test 127.0.0.1 port {server.port}"]
        assert "domain" not in rows(said)
    status, said, _ = by_name(names, "[mx.plain.test]", "--port", server.port)
    assert status == 0
    status, said, _ = by_name(names, f"mx.plain.test:{raw(secure_server(keys))}")
    assert status == 0 and rows(said)["name"] == ["does NOT fit mx.plain.test"]


NOWHERE = [  # what, exit status, first line
    ("no.plain.test", 68, "no: Domain no.plain.test does not exist"),
    ("empty.plain.test", 68,
     "no: Domain empty.plain.test has no mail server: no MX, A or AAAA record"),
    ("null.plain.test", 69, r"no: Domain null.plain.test takes no mail \(null MX\)"),
    ("gone.plain.test", 69, "no: None of the mail servers of gone.plain.test has an address"),
    ("no.plain.test:25", 68, "no: Host no.plain.test does not exist, or has no address"),
    ("bogus.test", 75, "unknown: DNS look-up of mx.bogus.test A and AAAA failed: .*"),
]


@pytest.mark.parametrize("what,want,first", NOWHERE)
def test_no_server_to_be_found(names, what, want, first):
    status, said, _ = by_name(names, what)
    assert status == want, said
    assert re.fullmatch("speaks SMTP: " + first, said.splitlines()[0]), said
    status, said, _ = by_name(names, what, "--json")
    found = json.loads(said)
    assert status == want and found["server"] is None and found["tried"] == []
    assert found["speaks_smtp"] is (None if want == 75 else False)


def test_name_servers_that_do_not_answer(names):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as mute:
        mute.bind(("127.0.0.1", 0))
        status, said, _ = probe("plain.test", "--resolver", f"127.0.0.1@{mute.getsockname()[1]}",
                                "--anchor", names.anchor, "--timeout", 2)
    assert status == 75
    assert said.startswith("speaks SMTP: unknown: DNS look-up of plain.test MX failed: "), said


USAGE = [(), ("a.example", "b.example"), ("a b",), ("a.example:0",), ("a.example:x",), ("[a.example",),
         ("/run/lmtp",), ("unix:/run/lmtp",), ("ann@a.example",), ("127.0.0.1", "--tls", "maybe"),
         ("127.0.0.1", "--port", "0"), ("127.0.0.1", "--timeout", "0"), ("127.0.0.1", "--to", "<>"),
         ("127.0.0.1", "--to", "bob"), ("127.0.0.1", "--from", "a b@c"),
         ("127.0.0.1", "--ehlo", "a b"), ("127.0.0.1", "--resolver", "dns.example"),
         ("127.0.0.1", "--resolver", "192.0.2.1@0")]


@pytest.mark.parametrize("words", USAGE)
def test_usage(words):
    status, said, why = probe(*words)
    assert status == 64 and said == "" and why.startswith("postroad probe: "), why


def test_help_names_what_there_is():
    status, said, _ = probe("--help")
    assert status == 0 and "postroad probe example.org" in said and "--intrusive" in said
