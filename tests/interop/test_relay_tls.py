"""TLS to the next server: used where it is offered, required where that is said, and never a reason to
lose mail."""
import re
import smtplib
import ssl

import pytest

from certificate import issue, make_authority, make_certificate
from conftest import CONTENT, SENDER, need, run
from fake_mx import FakeMx
from server import BINARY, Server, free_port, wait_until

OUT = """
hostname out.example
listen mx 127.0.0.1:{port}
queue {folder}/queue { min-free 10M }
postmaster admin@out.example
relay next { host 127.0.0.1:%d; retry 1s; tls %s }
accept to domain out.example deliver maildir {folder}/data/mail/{domain}/{user}
accept from local to any relay next
"""
IN = """
hostname mx.example.org
postmaster ann@example.org
tls {folder}/mx.pem {folder}/mx.key
listen mx 127.0.0.1:{port} { tls optional }
listen mx 127.0.0.1:IMPLICIT { tls implicit }
queue {folder}/spool
accept to domain example.org deliver maildir {folder}/data/mail/{domain}/{user}
"""


@pytest.fixture
def second(tmp_path):
    need("openssl")
    folder = tmp_path / "second"
    folder.mkdir()
    make_certificate(folder)
    implicit = free_port()
    server = Server(folder, IN.replace("IMPLICIT", str(implicit)))
    server.implicit = implicit
    yield server.start()
    assert server.stop() == 0, server.log()[-2000:]


def hand_in(server, to="ann@example.org"):
    with smtplib.SMTP("127.0.0.1", server.port) as client:
        client.sendmail(SENDER, [to], CONTENT)


def received_with(server):
    mail = re.sub(r"\n[ \t]+", " ", server.wait_mail("ann")[0].decode(errors="replace"))
    return re.search(r"by mx.example.org \(postroad\) with (\w+)", mail).group(1)


@pytest.mark.parametrize("word,protocol", [("optional", "ESMTPS"), ("required", "ESMTPS"),
                                           ("off", "ESMTP")])
def test_starttls(serve, second, word, protocol):
    first = serve(OUT % (second.port, word)).start()
    hand_in(first)
    assert received_with(second) == protocol
    line = wait_until(lambda: re.search(r"status=sent .*", first.log())).group()
    assert bool(re.search(r"\) tls=TLSv1\.3$", line)) == (word != "off"), line


def test_implicit(serve, second):
    first = serve(OUT % (second.implicit, "implicit")).start()
    hand_in(first)
    assert received_with(second) == "ESMTPS"


def broken(verb, line, session):
    if verb == "EHLO":
        return "250-old.example\r\n250 STARTTLS"
    return "220 go ahead\r\nthis is no TLS" if verb == "STARTTLS" else None


def refusing(verb, line, session):
    return "454 4.7.0 not now" if verb == "STARTTLS" else broken(verb, line, session)


@pytest.mark.parametrize("manner", [broken, refusing])
def test_optional_tls_that_fails_goes_in_the_clear(serve, manner):
    mx = FakeMx(manner)
    first = serve(OUT % (mx.port, "optional")).start()
    hand_in(first)
    assert wait_until(lambda: len(mx.mails) == 1), first.log()[-2000:]
    assert "status=deferred" not in first.log()
    mx.close()


@pytest.mark.parametrize("manner", [broken, refusing, lambda verb, line, session: None])
def test_required_tls_that_fails_waits(serve, manner):
    mx = FakeMx(manner)
    first = serve(OUT % (mx.port, "required")).start()
    hand_in(first)
    assert wait_until(lambda: "status=deferred" in first.log())
    assert not mx.mails and not any(line.startswith("MAIL") for line in mx.lines)
    assert re.search(r"dsn=4\.(7\.\d|5\.0)", first.log()), first.log()[-1500:]
    mx.close()


def test_who_is_refused_behind_the_handshake_goes_in_the_clear(serve, tmp_path):
    """With TLS 1.3 the client believes that all is well, and hears of its missing certificate when
    it waits for the answer to EHLO."""
    need("openssl")
    chain, key = make_certificate(tmp_path)
    strict = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    strict.minimum_version = ssl.TLSVersion.TLSv1_3
    strict.load_cert_chain(chain, key)
    strict.load_verify_locations(chain)
    strict.verify_mode = ssl.CERT_REQUIRED
    mx = FakeMx(lambda verb, line, session: "250-new.example\r\n250 STARTTLS"
                if verb == "EHLO" else "220 go ahead" if verb == "STARTTLS" else None, tls=strict)
    first = serve(OUT % (mx.port, "optional")).start()
    hand_in(first)
    assert wait_until(lambda: len(mx.mails) == 1), first.log()[-2000:]
    assert "status=deferred" not in first.log()
    mx.close()


class Resuming(FakeMx):
    """Hangs up behind each mail, and notes which handshakes were short; `cuts` one of them off."""

    def __init__(self, context, cuts=0):
        self.reused, self.cuts = [], cuts
        super().__init__(self.answers, tls=context)

    @staticmethod
    def answers(verb, line, session):
        if verb == "DOT":
            session["last_reply"] = True
        return "250-new.example\r\n250 STARTTLS" if verb == "EHLO" else None if verb != "STARTTLS" \
            else "220 go ahead"

    def secure(self, connection, session, greet):
        if len(self.reused) + 1 == self.cuts:
            self.reused.append(None)
            return
        with self.tls.wrap_socket(connection, server_side=True) as secure:
            self.reused.append(secure.session_reused)
            self.talk(secure, session, greet)
            secure.unwrap()  # else OpenSSL forgets the session


def resuming(folder, version, options=0, **manner):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.maximum_version = version
    context.options |= options
    context.load_cert_chain(*make_certificate(folder))
    return Resuming(context, **manner)


def hand_in_and_wait(server, mx, count):
    hand_in(server)
    assert wait_until(lambda: len(mx.mails) == count), server.log()[-2000:]
    assert wait_until(lambda: server.log().count("status=sent") == count), server.log()[-2000:]


@pytest.mark.parametrize("version,options", [(ssl.TLSVersion.TLSv1_3, 0), (ssl.TLSVersion.TLSv1_2, 0),
                                             (ssl.TLSVersion.TLSv1_2, ssl.OP_NO_TICKET)])
def test_sessions_are_resumed(serve, tmp_path, version, options):
    need("openssl")
    mx = resuming(tmp_path, version, options)
    first = serve(OUT % (mx.port, "required")).start()
    for count in range(1, 5):
        hand_in_and_wait(first, mx, count)
    assert mx.reused == [False, True, True, True]
    mx.close()


def test_a_session_is_for_one_policy(serve, tmp_path):
    need("openssl")
    mx = resuming(tmp_path, ssl.TLSVersion.TLSv1_3)
    strict = "relay strict { host 127.0.0.1:%d; tls verified }\n" \
        "accept from local to domain strict.example relay strict\naccept from local to any"
    first = serve((OUT % (mx.port, "required")).replace("accept from local to any",
                                                        strict % mx.port)).start()
    hand_in_and_wait(first, mx, 1)
    hand_in_and_wait(first, mx, 2)
    hand_in(first, "ann@strict.example")
    line = wait_until(lambda: re.search(r"dsn=\S+, status=deferred .*", first.log())).group()
    assert line.startswith("dsn=4.7.5, ") and "self-signed certificate" in line, line
    assert len(mx.mails) == 2
    mx.close()


def test_resuming_that_fails_is_no_reason_to_go_in_the_clear(serve, tmp_path):
    need("openssl")
    mx = resuming(tmp_path, ssl.TLSVersion.TLSv1_3, cuts=2)
    first = serve(OUT % (mx.port, "optional")).start()
    hand_in_and_wait(first, mx, 1)
    hand_in_and_wait(first, mx, 2)
    assert mx.reused == [False, None, False]
    assert len(re.findall(r"status=sent .*tls=TLSv1\.3", first.log())) == 2, first.log()[-2000:]
    assert "status=deferred" not in first.log()
    mx.close()


class Verified:
    """The second server has a certificate of an authority that may be trusted, or not."""

    def __init__(self, folder, names, monkeypatch):
        folder.mkdir()
        authority = make_authority(folder)
        issue(authority, folder, names)
        monkeypatch.setenv("SSL_CERT_FILE", authority)
        implicit = free_port()
        self.server = Server(folder, IN.replace("IMPLICIT", str(implicit))).start()


@pytest.mark.parametrize("names,problem", [
    ("IP:127.0.0.1", None),
    ("DNS:mx.example.org,IP:127.0.0.1", None),
    ("IP:127.0.0.2", "IP address mismatch"),
    ("DNS:mx.example.org", "IP address mismatch"),
    ("", "IP address mismatch"),
])
def test_verified(serve, tmp_path, monkeypatch, names, problem):
    need("openssl")
    second = Verified(tmp_path / "second", names, monkeypatch).server
    first = serve(OUT % (second.port, "verified")).start()
    hand_in(first)
    if problem is None:
        assert received_with(second) == "ESMTPS"
        line = wait_until(lambda: re.search(r"status=sent .*", first.log())).group()
        assert re.search(r"\) tls=TLSv1\.3/verified$", line), line
    else:
        line = wait_until(lambda: re.search(r"dsn=\S+, status=deferred .*", first.log())).group()
        assert line.startswith("dsn=4.7.5, ") and problem in line, line
        assert second.mails("ann") == []
    assert second.stop() == 0


def test_who_is_not_trusted_gets_nothing(serve, second):
    first = serve(OUT % (second.port, "verified")).start()
    hand_in(first)
    line = wait_until(lambda: re.search(r"dsn=\S+, status=deferred .*", first.log())).group()
    assert line.startswith("dsn=4.7.5, ") and "self-signed certificate" in line, line


@pytest.mark.parametrize("names,status", [("IP:127.0.0.1", 0), ("DNS:mx.example.org", 75)])
def test_send_verified(tmp_path, monkeypatch, names, status):
    need("openssl")
    second = Verified(tmp_path / "second", names, monkeypatch).server
    got, said = run(BINARY, "send", "--tls", "verified", "--server", f"127.0.0.1:{second.port}",
                    "--from", SENDER, "--to", "ann@example.org", "--subject", "x", "--body", "x")
    assert got == status, said
    assert ("IP address mismatch" in said) == (status != 0), said
    assert second.stop() == 0
