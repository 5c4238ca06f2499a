"""postroad send: to the recipients' own servers, by a real name server, and to servers by name; with
TLS and with what RFC 3461 asks for."""
import re
import ssl

import pytest

from certificate import issue, make_authority, make_certificate
from conftest import CONTENT, SENDER, need, run
from fake_mx import FakeMx
from name_server import PROGRAMS, NameServer
from server import BINARY, free_port, wait_until

ZONES = {
    "signed.test": """
@ MX 30 third
@ MX 10 dead
@ MX 20 mx
dead A 127.0.0.2
mx A 127.0.0.1
third A 127.0.0.3
""",
    "plain.test": """
@ A 127.0.0.1
null MX 0 .
empty TXT "no server"
mx A 127.0.0.1
one MX 10 mx
two MX 10 dead
two MX 20 mx
dead A 127.0.0.2
""",
    "bogus.test": """
@ MX 10 mx
mx A 127.0.0.1
""",
}


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


@pytest.fixture(scope="module")
def keys(tmp_path_factory):
    need("openssl")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*make_certificate(str(tmp_path_factory.mktemp("keys"))))
    return context


@pytest.fixture
def fake():
    made = []

    def make(replies=None, **more):
        """A server that says what `replies` has for a verb: text, or a function of the line."""
        def says(verb, line, session):
            said = (replies or {}).get(verb)
            return said(line, session) if callable(said) else said
        made.append(FakeMx(says, **more))
        return made[-1]
    yield make
    for one in made:
        one.close()


def send(*words, content=CONTENT):
    return run(BINARY, "send", "--from", SENDER, "--data", "-", *words, stdin=content)


def to(*rcpts):
    return [word for rcpt in rcpts for word in ("--to", rcpt)]


def by_name(names, *words, content=CONTENT):
    return send(*words, "--resolver", f"127.0.0.1@{names.port}", "--anchor", names.anchor,
                content=content)


def rcpts(mail):
    return [re.search("<(.*)>", line)[1] for line in mail[1]]


# ---- by MX ----

def test_each_domain_has_its_server(names, fake):
    """One connection a domain; of its servers the first one that can be reached."""
    mx = fake()
    status, said = by_name(names, *to("ann@signed.test", "bob@plain.test", "cleo@Signed.test"),
                           "--port", mx.port)
    assert status == 0, said
    assert [rcpts(mail) for mail in mx.mails] == [["ann@signed.test", "cleo@signed.test"],
                                                 ["bob@plain.test"]]
    assert [mail[2] for mail in mx.mails] == [CONTENT, CONTENT]
    assert said.splitlines() == [
        f"postroad send: cannot connect to dead.signed.test[127.0.0.2]:{mx.port}: "
        "Connection refused; trying the next one",
        f"mx.signed.test[127.0.0.1]:{mx.port}: 250 2.0.0 taken",
        f"plain.test[127.0.0.1]:{mx.port}: 250 2.0.0 taken"]


def two_of_one_port(fake, says):
    """On 127.0.0.2, saying that, and on 127.0.0.1, where the port may be somebody else's."""
    for _ in range(20):
        first = fake(says, address="127.0.0.2")
        try:
            return first, fake(port=first.port)
        except OSError:
            first.close()
    raise AssertionError("no port is free at both addresses")


@pytest.mark.parametrize("verb,reply", [("CONNECT", "554 not you"), ("CONNECT", "close"),
                                        ("EHLO", "421 busy"), ("RCPT", "421 busy"),
                                        ("MAIL", "close"), ("DATA", "close")])
def test_the_next_server_takes_over(names, fake, verb, reply):
    first, second = two_of_one_port(fake, {verb: reply})
    status, said = by_name(names, *to("ann@two.plain.test"), "--port", first.port)
    assert status == 0, said
    assert first.connections == 1 and first.mails == []
    assert [rcpts(mail) for mail in second.mails] == [["ann@two.plain.test"]]


@pytest.mark.parametrize("verb,reply,want", [("RCPT", "450 4.2.0 greylisted", 75),
                                             ("RCPT", "550 5.1.1 nobody", 67),
                                             ("DOT", "452 4.3.1 full", 75), ("DOT", "close", 75)])
def test_what_was_said_of_the_mail_is_final(names, fake, verb, reply, want):
    """A server that fell silent behind the end may have taken the message."""
    first, second = two_of_one_port(fake, {verb: reply})
    status, said = by_name(names, *to("ann@two.plain.test"), "--port", first.port)
    assert status == want, said
    assert second.connections == 0
    assert "mail to ann@two.plain.test" in said


def test_a_domain_that_fails_costs_the_others_nothing(names, fake):
    mx = fake()
    status, said = by_name(names, *to("a@no.plain.test", "ann@one.plain.test", "b@null.plain.test"),
                           "--port", mx.port)
    assert status == 68, said
    assert [rcpts(mail) for mail in mx.mails] == [["ann@one.plain.test"]]
    assert "nothing sent to a@no.plain.test: Domain no.plain.test does not exist" in said
    assert "nothing sent to b@null.plain.test: Domain null.plain.test takes no mail" in said


@pytest.mark.parametrize("rcpt,want", [("a@no.plain.test", 68), ("a@empty.plain.test", 68),
                                       ("a@null.plain.test", 69), ("a@bogus.test", 75)])
def test_no_server_to_be_found(names, rcpt, want):
    status, said = by_name(names, *to(rcpt))
    assert status == want and said.startswith("postroad send: nothing sent to"), said


def test_nobody_listens_anywhere(names):
    status, said = by_name(names, *to("ann@two.plain.test"), "--port", free_port())
    assert status == 69, said
    assert "nothing sent to ann@two.plain.test: cannot connect to mx.plain.test[127.0.0.1]" in said


def test_a_literal_needs_no_name_server(fake):
    mx = fake()
    status, said = send(*to("ann@[127.0.0.1]"), "--port", mx.port)
    assert status == 0, said
    assert rcpts(mx.mails[0]) == ["ann@[127.0.0.1]"]


def test_quit_after_rcpt(names, fake):
    mx = fake()
    status, said = by_name(names, *to("ann@one.plain.test"), "--port", mx.port, "--quit-after",
                           "rcpt")
    assert status == 0 and "no mail was sent" in said, said
    assert wait_until(lambda: mx.lines[-1] == "QUIT") and mx.mails == [] and "DATA" not in mx.lines


def test_a_server_that_takes_few_at_a_time(fake):
    """RFC 9422: the others follow, each once."""
    mx = fake({"EHLO": "250-mx\r\n250 LIMITS RCPTMAX=2"})
    everybody = [f"r{number}@b.example" for number in range(5)]
    status, said = send("--server", f"127.0.0.1:{mx.port}", *to(*everybody))
    assert status == 0, said
    assert [rcpts(mail) for mail in mx.mails] == [everybody[:2], everybody[2:4], everybody[4:]]
    assert {mail[2] for mail in mx.mails} == {CONTENT}


# ---- by name ----

def test_a_server_by_name(names, fake):
    mx = fake()
    for server in (("--server", f"mx.plain.test:{mx.port}"),
                   ("--server", "MX.Plain.Test", "--port", mx.port)):
        status, said = by_name(names, *to("ann@b.example", "bob@c.example"), *server)
        assert status == 0 and said == "250 2.0.0 taken\n", said
    assert [len(mail[1]) for mail in mx.mails] == [2, 2]


@pytest.mark.parametrize("server,want", [("no.plain.test", 68), ("mx.bogus.test", 75)])
def test_a_server_that_is_not_found(names, server, want):
    status, said = by_name(names, *to("ann@b.example"), "--server", server)
    assert status == want and said.startswith("postroad send: nothing sent: "), said


def test_a_server_without_an_address_is_asked_no_mx(names):
    status, said = by_name(names, *to("ann@b.example"), "--server", "null.plain.test")
    assert status == 68, said


# ---- TLS ----

OFFERS = {"EHLO": "250-mx\r\n250 STARTTLS", "STARTTLS": "220 go"}


@pytest.mark.parametrize("words", [(), ("--tls", "optional"), ("--tls", "required")])
def test_starttls(fake, keys, words):
    """Whatever the certificate says: it was not asked to be verified."""
    mx = fake(OFFERS, tls=keys)
    status, said = send("--server", f"127.0.0.1:{mx.port}", *to("ann@b.example"), *words)
    assert status == 0, said
    assert mx.lines[1] == "STARTTLS" and mx.lines.count("STARTTLS") == 1
    assert [mail[2] for mail in mx.mails] == [CONTENT]


def test_tls_off(fake, keys):
    mx = fake(OFFERS, tls=keys)
    status, said = send("--server", f"127.0.0.1:{mx.port}", *to("a@b.example"), "--tls", "off")
    assert status == 0 and len(mx.mails) == 1 and "STARTTLS" not in mx.lines, said


def test_tls_at_once(fake, keys):
    mx = fake(tls=keys, implicit=True)
    status, said = send("--server", f"127.0.0.1:{mx.port}", *to("a@b.example"), "--tls", "implicit")
    assert status == 0 and len(mx.mails) == 1, said


NO_TLS = [{}, {"EHLO": OFFERS["EHLO"], "STARTTLS": "454 4.7.0 not now"},
          {"EHLO": OFFERS["EHLO"], "STARTTLS": "220 go"},  # and then no handshake
          {"EHLO": OFFERS["EHLO"], "STARTTLS": lambda line, session: "220 go\r\nrubbish"}]


@pytest.mark.parametrize("replies", NO_TLS)
def test_no_tls_no_mail(fake, replies):
    mx = fake(replies)
    status, said = send("--server", f"127.0.0.1:{mx.port}", *to("a@b.example"), "--tls", "required",
                        "--timeout", 3)
    assert status == 75 and mx.mails == [], said
    assert not any(line.startswith("MAIL") for line in mx.lines)


@pytest.mark.parametrize("replies", NO_TLS[:3])
def test_without_tls_where_it_cannot_be_had(fake, replies):
    mx = fake(replies)
    status, said = send("--server", f"127.0.0.1:{mx.port}", *to("a@b.example"), "--timeout", 3)
    assert status == 0 and [mail[2] for mail in mx.mails] == [CONTENT], said


def test_tls_from_the_first_byte_where_there_is_none(fake):
    mx = fake()
    status, said = send("--server", f"127.0.0.1:{mx.port}", *to("a@b.example"), "--tls", "implicit",
                        "--timeout", 3)
    assert status in (69, 75) and mx.mails == [], said


# ---- RFC 3461 ----

WISHES = ("--ret", "hdrs", "--envid", "order 7+8", "--notify", "success,failure")


def test_dsn_parameters(fake):
    mx = fake({"EHLO": "250-mx\r\n250 DSN"})
    status, said = send("--server", f"127.0.0.1:{mx.port}", *to("a@b.example", "c@b.example"),
                        *WISHES)
    assert status == 0 and said == "250 2.0.0 taken\n", said
    assert mx.lines[1:4] == [
        f"MAIL FROM:<{SENDER}> RET=HDRS ENVID=order+207+2B8",
        "RCPT TO:<a@b.example> NOTIFY=SUCCESS,FAILURE",
        "RCPT TO:<c@b.example> NOTIFY=SUCCESS,FAILURE"]


def test_dsn_parameters_that_nobody_understands(fake):
    mx = fake()
    status, said = send("--server", f"127.0.0.1:{mx.port}", *to("a@b.example"), *WISHES)
    assert status == 0 and len(mx.mails) == 1, said
    assert f"127.0.0.1:{mx.port} offers no DSN" in said
    assert not any("NOTIFY" in line or "RET=" in line for line in mx.lines)


def test_what_our_own_server_makes_of_them(server):
    status, said = send("--server", f"localhost:{server.port}", *to("ann@example.org"), "--notify",
                        "success", "--envid", "7")
    assert status == 0 and "no DSN" not in said, said
    report = server.wait_mail(*SENDER.split("@"))[0]
    assert b"Original-Envelope-Id: 7" in report and b"Action: delivered" in report


# ---- what it goes nowhere without ----


def test_later(fake):
    mx = fake({"EHLO": "250-mx\r\n250 FUTURERELEASE 86400 2030-01-01T00:00:00Z"})
    status, said = send("--server", f"127.0.0.1:{mx.port}", *to("a@b.example"), "--hold-for", "90m")
    assert status == 0, said
    assert f"MAIL FROM:<{SENDER}> HOLDFOR=5400" in mx.lines
    mx = fake()
    status, said = send("--server", f"127.0.0.1:{mx.port}", *to("a@b.example"), "--hold-for", "90m")
    assert status == 65 and "does not offer FUTURERELEASE" in said, said
    assert not any(line.startswith("MAIL") for line in mx.lines)


def test_never_unprotected(fake, tmp_path, monkeypatch):
    authority = make_authority(tmp_path)
    keys = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    keys.load_cert_chain(*issue(authority, tmp_path, "IP:127.0.0.1"))
    says = {"EHLO": "250-mx\r\n250-STARTTLS\r\n250 REQUIRETLS", "STARTTLS": "220 go ahead"}
    mx = fake(says, tls=keys)
    words = ("--server", f"127.0.0.1:{mx.port}", *to("a@b.example"), "--requiretls")
    status, said = send(*words)  # it may be anybody
    assert status != 0 and not mx.mails, said
    monkeypatch.setenv("SSL_CERT_FILE", authority)
    status, said = send(*words)
    assert status == 0 and mx.mails[0][0] == f"MAIL FROM:<{SENDER}> REQUIRETLS", said
    mx = fake({"EHLO": "250-mx\r\n250 STARTTLS", "STARTTLS": "220 go ahead"}, tls=keys)
    status, said = send("--server", f"127.0.0.1:{mx.port}", *to("a@b.example"), "--requiretls")
    assert status == 65 and "does not offer" in said and not mx.mails, said


def test_never_unprotected_by_mx(names, fake, tmp_path, monkeypatch):
    """Who their servers are, DNSSEC must prove."""
    authority = make_authority(tmp_path)
    keys = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    keys.load_cert_chain(*issue(authority, tmp_path, "DNS:mx.signed.test,DNS:mx.plain.test"))
    monkeypatch.setenv("SSL_CERT_FILE", authority)
    mx = fake({"EHLO": "250-mx\r\n250-STARTTLS\r\n250 REQUIRETLS", "STARTTLS": "220 go ahead"},
              tls=keys)
    status, said = by_name(names, *to("ann@signed.test"), "--requiretls", "--port", mx.port)
    assert status == 0 and mx.mails[0][0].endswith(" REQUIRETLS"), said
    status, said = by_name(names, *to("bob@one.plain.test"), "--requiretls", "--port", mx.port)
    assert status == 69 and "DNSSEC does not prove" in said and len(mx.mails) == 1, said
