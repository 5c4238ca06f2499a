"""REQUIRETLS, RFC 8689: who asks for it is not let down. The mail goes on to servers that promise the
same, and prove by TLS who they are; else it comes back."""
import re
import smtplib
import ssl

import pytest

from certificate import issue, make_authority
from conftest import need
from fake_mx import FakeMx
from server import free_port, wait_until

CONTENT = b"Subject: x\r\n\r\nonly for you\r\n"
CONFIG = """
hostname mx.example.org
postmaster ann@example.org
tls {folder}/own/mx.pem {folder}/own/mx.key
table people accounts {folder}/people
listen mx 127.0.0.1:{port} { tls optional }
listen submission 127.0.0.1:SUBMIT { tls implicit; auth people }
listen lmtp 127.0.0.1:LMTP { tls optional }
queue {folder}/queue { min-free 10M }
relay next { host 127.0.0.1:NEXT; retry 1s; tls WORD }
accept to domain example.org users people deliver maildir {folder}/data/mail/{domain}/{user}
accept to domain home.example deliver lmtp 127.0.0.1:NEXT
accept from local,authenticated to any relay next
"""


def next_hop(folder, offers="STARTTLS REQUIRETLS", refused=None):
    """Its certificate is of the authority that ours trusts, or not: `folder` says."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*issue(f"{folder}/authority.pem", folder, "IP:127.0.0.1"))
    lines = "\r\n".join(["250-fake.example"] + [f"250-{word}" for word in offers.split()] + ["250 DSN"])

    def says(verb, line, session):
        if verb in ("EHLO", "LHLO"):
            return lines if "STARTTLS" in offers else lines.replace("250-STARTTLS\r\n", "")
        if verb == "STARTTLS":
            return "220 go ahead"
        return "550 5.1.1 no such user" if verb == "RCPT" and refused and refused in line else None
    return FakeMx(says, tls=context)


@pytest.fixture
def authority(tmp_path, monkeypatch):
    need("openssl")
    folder = tmp_path / "trusted"
    folder.mkdir()
    monkeypatch.setenv("SSL_CERT_FILE", make_authority(folder))
    return folder


@pytest.fixture
def start(serve, tmp_path, authority):
    def begin(mx, word="verified"):
        own = tmp_path / "own"
        own.mkdir()
        issue(f"{authority}/authority.pem", own, "DNS:mx.example.org")
        people = tmp_path / "people"
        people.write_text("ann@example.org:{PLAIN}secret:::::: postroad_send=*\n")
        people.chmod(0o600)
        submit, lmtp = free_port(), free_port()
        server = serve(CONFIG.replace("SUBMIT", str(submit)).replace("WORD", word)
                       .replace("LMTP", str(lmtp)).replace("NEXT", str(mx.port))).start()
        server.submit = submit
        return server
    return begin


def trusting():
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


def submit(server, rcpt, *options, sender="ann@example.org"):
    with smtplib.SMTP_SSL("127.0.0.1", server.submit, context=trusting()) as client:
        client.ehlo("me.example")
        client.login("ann@example.org", "secret")
        client.sendmail(sender, [rcpt], CONTENT, mail_options=["REQUIRETLS", *options])


def test_offered_under_tls_only(start, authority):
    server = start(next_hop(authority))
    with smtplib.SMTP("127.0.0.1", server.port) as client:
        client.ehlo("me.example")
        assert "requiretls" not in client.esmtp_features
        assert client.docmd("MAIL FROM:<a@b.example> REQUIRETLS")[0] == 555
        client.starttls(context=trusting())
        client.ehlo("me.example")
        assert client.esmtp_features["requiretls"] == ""
        client.sendmail("a@b.example", ["ann@example.org"], CONTENT, mail_options=["REQUIRETLS"])
    submit(server, "ann@example.org")
    server.wait_mail("ann", count=2)


@pytest.mark.parametrize("word", ["verified", "optional", "required"])
def test_goes_on_to_who_proves_his_name(start, authority, word):
    mx = next_hop(authority)
    server = start(mx, word)
    submit(server, "bob@far.example")
    assert wait_until(lambda: mx.mails), server.log()[-2000:]
    assert mx.mails[0][0].endswith(" REQUIRETLS")
    assert wait_until(lambda: re.search(r"status=sent .* tls=TLSv1\.3/verified", server.log()))


@pytest.mark.parametrize("word,offers,trusted", [
    ("verified", "STARTTLS", True),              # the server promises nothing
    ("optional", "REQUIRETLS", True),            # ... or is asked in the clear
    ("optional", "STARTTLS REQUIRETLS", False),  # ... or may be anybody
    ("required", "STARTTLS REQUIRETLS", False),
    ("off", "STARTTLS REQUIRETLS", True),
])
def test_else_it_comes_back(start, authority, tmp_path, word, offers, trusted):
    folder = authority
    if not trusted:
        folder = tmp_path / "stranger"
        folder.mkdir()
        make_authority(folder)
    mx = next_hop(folder, offers)
    server = start(mx, word)
    submit(server, "bob@far.example", "RET=FULL")
    report = server.wait_mail("ann")[0]
    assert b"\nStatus: 5.7.30\n" in report
    assert b"Content-Type: text/rfc822-headers" in report and b"only for you" not in report
    assert not mx.mails and not [line for line in mx.lines if line.startswith("MAIL")]
    with smtplib.SMTP("127.0.0.1", server.port) as client:  # who does not ask goes that way
        client.sendmail("ann@example.org", ["bob@far.example"], CONTENT)
    assert wait_until(lambda: mx.mails)
    assert "REQUIRETLS" not in mx.mails[0][0]


def test_a_report_requires_it_too(start, authority):
    mx = next_hop(authority, refused="nobody@")
    server = start(mx)
    submit(server, "nobody@far.example", sender="ann@far.example")
    assert wait_until(lambda: mx.mails), server.log()[-2000:]
    assert mx.mails[0][0].startswith("MAIL FROM:<>") and mx.mails[0][0].endswith(" REQUIRETLS")


def test_what_stays_on_this_machine_needs_none(start, authority):
    mx = next_hop(authority, offers="")
    server = start(mx)
    submit(server, "carl@home.example")
    assert wait_until(lambda: mx.mails), server.log()[-2000:]
    assert "REQUIRETLS" not in mx.mails[0][0]
