"""Chains of servers: one postroad, a server of somebody else, and a second postroad. What went in
comes out byte for byte, under the trace fields that each of them put on top."""
import email
import re
import smtplib

import pytest

from conftest import CONTENT, EIGHT_BIT, need
from certificate import make_certificate
from fake_mx import FakeMx
from peers import Dovecot, Exim, OpenSmtpd, Postfix
from server import Server, read, wait_until

BOB = "bob@out.example"

FIRST = """
hostname out.example
listen mx 127.0.0.1:{port}
queue {folder}/queue { min-free 10M }
postmaster bob@out.example
accept to domain out.example deliver maildir {folder}/data/mail/{domain}/{user}
"""

ONWARD = """
relay next { host 127.0.0.1:%d; retry 1s 2s; tls off }
accept from local to any relay next
"""

# Takes mail for gone, too, and cannot get rid of it.
SECOND = """
hostname in.example
listen mx 127.0.0.1:{port}
queue {folder}/queue { min-free 10M }
postmaster ann@in.example
relay back { host 127.0.0.1:%d; retry 1s 2s; tls off }
relay dead { host 127.0.0.1:%d; retry 1s 2s; tls off }
accept to address gone@in.example relay dead
accept to address ann@in.example deliver maildir {folder}/data/mail/{domain}/{user}
accept to address zoe@in.example deliver maildir {folder}/data/mail/{domain}/{user}
accept to address jürgen@in.example deliver maildir {folder}/data/mail/{domain}/{user}
reject to domain in.example "5.1.1 nobody of that name"
accept from local to any relay back
"""

HEADER = (b"From: Bob <bob@out.example>\r\nTo: ann@in.example\r\n"
          b"Date: Fri, 21 Nov 1997 09:55:06 -0600\r\nMessage-ID: <1@out.example>\r\n")

MAILS = [
    CONTENT,
    EIGHT_BIT,
    HEADER + b"Subject: empty body\r\n\r\n",
    HEADER + b"Subject: no body\r\n",
    HEADER + b"Subject: dots\r\n\r\n" + b"".join(b"." * n + b"\r\n" for n in range(1, 200)),
    HEADER + b"Subject: long lines\r\n\r\n" +
    b"".join((b"%d" % n).ljust(n, b".") + b" \t\r\n" for n in range(950, 997)),
    HEADER + b"Subject: fields\r\nX-Blank:\r\nX-Folded: a\r\n\tb\r\n  c \r\n" +
    b"X-Long: " + b"x" * 990 + b"\r\nx-case:  two  blanks\r\n"
    b"Return-Receipt-To: bob@out.example\r\n\r\n\r\n",
    HEADER + b"Subject: 5 MB\r\n\r\n" + b"".join(b"%070d\r\n" % n for n in range(70_000)),
]


def subject(mail):
    return re.search(rb"^Subject: [^\r\n]*", mail, re.MULTILINE)[0]


def without_received(mail, count):
    for _ in range(count):
        match = re.match(rb"Received: (?:[^\n]*\n[ \t])*[^\n]*\n", mail)
        assert match, mail[:500]
        mail = mail[match.end():]
    return mail


def as_handed_in(stored, hops):
    """A mail from a Maildir: Return-Path and a Received for each server on top taken off."""
    path, _, rest = stored.partition(b"\n")
    assert path == b"Return-Path: <bob@out.example>", path
    return without_received(rest, hops).replace(b"\n", b"\r\n")


def hand_in(server, content, *rcpts, sender=BOB, wishes=(), rcpt_wishes=()):
    eight = ["BODY=8BITMIME"] if any(b > 127 for b in content) else []
    with smtplib.SMTP("127.0.0.1", server.port) as client:
        client.sendmail(sender, rcpts, content, [*eight, *wishes], rcpt_wishes)


def all_came(stored, hops, peer, mails=MAILS):
    came = {subject(mail): mail for mail in (as_handed_in(mail, hops) for mail in stored)}
    for sent in mails:
        assert peer.taken_off(came[subject(sent)], sent) == sent, subject(sent)


class Chain:
    def __init__(self, folder, make_peer, tls=False):
        for name in ("first", "second"):
            (folder / name).mkdir()
        self.dead = FakeMx(lambda verb, line, session: "550 5.1.1 gone" if verb == "RCPT" else None)
        self.first, self.second = Server(folder / "first"), Server(folder / "second")
        if tls:
            need("openssl")
            make_certificate(folder)
        self.peer = make_peer(folder, self.second.port, self.first.port,
                              folder / "mx" if tls else None)
        self.first.config = FIRST + ONWARD % self.peer.port
        self.second.config = SECOND % (self.peer.port, self.dead.port)
        if tls:
            self.first.config = self.first.config.replace("tls off", "tls required")
            self.second.config = self.second.config.replace(
                "listen mx 127.0.0.1:{port}\n",
                f"tls {folder}/mx.pem {folder}/mx.key\n"
                "listen mx 127.0.0.1:{port} { tls required }\n")

    def start(self):
        for one in (self.second, self.peer, self.first):
            one.start()
        return self

    def stop(self):
        self.dead.close()
        self.peer.stop()
        status = [s.stop() for s in (self.first, self.second) if s.process]
        for one in self.first, self.peer, self.second:  # shown when the test fails
            print(f"--- {one.__class__.__name__}", one.log()[-5000:], sep="\n")
        assert status == [0, 0]


@pytest.fixture(params=[Postfix, OpenSmtpd, Exim], ids=lambda peer: peer.package)
def chain(request, tmp_path):
    made = Chain(tmp_path, request.param)
    try:
        yield made.start()
    finally:
        made.stop()


def test_nothing_is_changed(chain):
    for content in MAILS:
        hand_in(chain.first, content, "ann@in.example", "zoe+list@in.example")
    for user in "ann", "zoe":
        all_came(chain.second.wait_mail(user, "in.example", len(MAILS), 120), 3, chain.peer)


@pytest.mark.parametrize("peer", [Postfix, Exim], ids=lambda peer: peer.package)
def test_nothing_is_changed_by_tls(peer, tmp_path):
    """Their TLS is OpenSSL's and GnuTLS's. Debian's OpenSMTPD fails every handshake."""
    chain = Chain(tmp_path, peer, tls=True)
    try:
        chain.start()
        for content in MAILS:
            hand_in(chain.first, content, "ann@in.example")
        stored = chain.second.wait_mail("ann", "in.example", len(MAILS), 120)
        all_came(stored, 3, chain.peer)
        for mail in stored:
            last, middle = mail.split(b"\nReceived: ")[1:3]
            assert b" with ESMTPS" in last and re.search(rb"TLSv?1\.3", middle), (last, middle)
    finally:
        chain.stop()


def reports(server, count):
    """The reports in bob's mailbox: who failed -> (the fields about it, the mail)."""
    found = {}
    for stored in server.wait_mail("bob", "out.example", count, 120):
        assert stored.startswith(b"Return-Path: <>\n"), stored
        assert b"<1234@client.example>" in stored, stored
        mail = email.message_from_bytes(stored)
        status = next(part for part in mail.walk()
                      if part.get_content_type() == "message/delivery-status")
        about, fields = status.get_payload()[:2]
        who = re.fullmatch(r"(?:rfc822|utf-8); *<?([^>]*)>?", fields["Final-Recipient"])[1]
        found[who] = (about["Reporting-MTA"].split(";")[1].strip(), mail.get_content_type(),
                      fields["Action"], fields["Status"])
    return found


def test_failures_come_back(chain):
    """Two of three fail: one is refused to the server in the middle, which reports it; the other
    is taken at the end of the chain, whose report takes the way back."""
    hand_in(chain.first, CONTENT, "nobody@in.example", "ann@in.example", "gone@in.example")
    all_came(chain.second.wait_mail("ann", "in.example"), 3, chain.peer, [CONTENT])
    assert reports(chain.first, 2) == {
        "gone@in.example": ("in.example", "multipart/report", "failed", "5.1.1"),
        "nobody@in.example": ("peer.example", chain.peer.report_type, "failed",
                              chain.peer.report_status),
    }


@pytest.mark.parametrize("chain", [Postfix, OpenSmtpd], indirect=True, ids=lambda p: p.package)
def test_nobody_hears_of_what_shall_not_be_told(chain):
    """NOTIFY=NEVER holds on the way: the first word is what the last server says of success."""
    hand_in(chain.first, CONTENT, "nobody@in.example", "gone@in.example",
            rcpt_wishes=["NOTIFY=NEVER"])
    for line in "5.1.1 <nobody@in.example>", "to=<gone@in.example>.*status=bounced":
        assert wait_until(lambda: re.search(line, chain.second.log())), chain.second.log()
    hand_in(chain.first, CONTENT, "ann@in.example", rcpt_wishes=["NOTIFY=FAILURE"])
    chain.second.wait_mail("ann", "in.example")
    success(chain, "in.example", "delivered")


@pytest.mark.parametrize("chain", [Exim], indirect=True, ids=lambda p: p.package)
def test_success_ends_where_nobody_will_report_it(chain):
    success(chain, "out.example", "relayed")


def success(chain, reporter, action):
    hand_in(chain.first, CONTENT, "zoe@in.example", wishes=["RET=HDRS", "ENVID=it+3Dit"],
            rcpt_wishes=["NOTIFY=SUCCESS,FAILURE", "ORCPT=rfc822;a+2Blist@x.example"])
    chain.second.wait_mail("zoe", "in.example")
    assert reports(chain.first, 1) == {
        "zoe@in.example": (reporter, "multipart/report", action, "2.0.0")}
    stored = chain.first.wait_mail("bob", "out.example")[0]
    assert b"\nOriginal-Envelope-Id: it=it\n" in stored
    assert b"\nOriginal-Recipient: rfc822; a+list@x.example\n" in stored


def test_senders(chain):
    senders = {"", BOB, "bob+a=b@out.example", "o'brien@out.example", "x" * 64 + "@out.example"}
    if chain.peer.quoted_names:
        senders.add('"john doe"@out.example')
    for sender in senders:
        hand_in(chain.first, CONTENT, "ann@in.example", sender=sender)
    stored = chain.second.wait_mail("ann", "in.example", len(senders))
    assert {mail.split(b"\n", 1)[0] for mail in stored} == \
        {f"Return-Path: <{sender}>".encode() for sender in senders}


def test_addresses_outside_ascii(chain):
    """They arrive where the server in the middle takes them; else the sender is told."""
    content = CONTENT.replace(b"From the", "Für die".encode())
    hand_in(chain.first, content, "jürgen@in.example", wishes=["SMTPUTF8"])
    if "SMTPUTF8" in chain.peer.offers:
        all_came(chain.second.wait_mail("j%C3%BCrgen", "in.example"), 3, chain.peer, [content])
    else:
        assert reports(chain.first, 1) == {
            r"j\x{FC}rgen@in.example": ("out.example", "multipart/report", "failed", "5.6.7")}


def test_binary(chain):
    """None of them takes BINARYMIME: the content comes in another encoding, byte for byte."""
    content = bytes(range(256)) * 100 + b"\r\n.\r\n"
    fields = HEADER + (b"Subject: binary\r\nMIME-Version: 1.0\r\n"
                       b"Content-Type: application/octet-stream\r\n")
    mail = fields + b"Content-Transfer-Encoding: binary\r\n\r\n" + content
    with smtplib.SMTP("127.0.0.1", chain.first.port) as client:
        client.ehlo()
        client.docmd("MAIL", f"FROM:<{BOB}> BODY=BINARYMIME")
        client.docmd("RCPT", "TO:<ann@in.example>")
        client.send(b"BDAT %d LAST\r\n" % len(mail) + mail)
        assert client.getreply()[0] == 250
    came = as_handed_in(chain.second.wait_mail("ann", "in.example")[0], 3)
    assert came.startswith(fields + b"Content-Transfer-Encoding: base64\r\n\r\n")
    assert email.message_from_bytes(came).get_payload(decode=True) == content


def test_dovecot(tmp_path, serve):
    """By LMTP, into Dovecot's mailboxes; of two recipients each gets a transaction's content, with
    Return-Path and Received on top."""
    dovecot = Dovecot(tmp_path)
    try:
        first = serve(FIRST + "accept to domain in.example "
                      f"deliver lmtp 127.0.0.1:{dovecot.port}\n")
        dovecot.start()
        first.start()
        for content in MAILS:
            hand_in(first, content, "ann@in.example", "zoe@in.example")
        hand_in(first, CONTENT, "nobody@in.example")
        for user in "ann", "zoe":
            assert wait_until(lambda: len(dovecot.mails(user)) == len(MAILS)), dovecot.log()
            all_came([read(path) for path in dovecot.mails(user)], 2, dovecot)
        assert reports(first, 1) == {
            "nobody@in.example": ("out.example", "multipart/report", "failed", "5.1.1")}
    finally:
        dovecot.stop()
