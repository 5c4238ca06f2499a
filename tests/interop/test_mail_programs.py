"""Programs that cannot be run here, played word by word over real sockets: Thunderbird, Outlook,
Apple Mail. Each table is a whole conversation: Thunderbird's after its sources, the others' as they
are known to behave."""
import base64
import re
import socket
import ssl

import pytest

from conftest import need
from server import as_sent
from test_submission import start, trusting

TLS = object()  # a handshake, not a word


def base(text):
    return base64.b64encode(text)


NAME, PASSWORD = base(b"ann@example.org"), base(b"secret")
PLAIN = base(b"\0ann@example.org\0secret")


class Wire:
    """What goes over a socket, and the replies that come back; nothing is waited for in between
    but them."""

    def __init__(self, port, implicit):
        self.socket = socket.create_connection(("127.0.0.1", port), 60)
        if implicit:
            self.secure()
        self.got = b""

    def secure(self):
        self.socket = trusting().wrap_socket(self.socket, server_hostname="mx.example.org")

    def reply(self):
        """The next one, all its lines."""
        while not (found := re.match(rb"(?:\d{3}-[^\r\n]*\r\n)*\d{3} [^\r\n]*\r\n", self.got)):
            more = self.socket.recv(65536)
            assert more, f"ended after {self.got!r}"
            self.got += more
        self.got = self.got[found.end():]
        return found[0]

    def play(self, steps):
        """(said, the codes that answer it); one after the other, as these programs do."""
        for said, *codes in steps:
            if said is TLS:
                assert self.got == b""
                self.secure()
            else:
                self.socket.sendall(said)
            for code in codes:
                got = self.reply()
                assert re.match(code, got.splitlines()[-1]), (said, got)

    def end(self):
        """The other side ends as well, without another word."""
        try:
            assert self.got + self.socket.recv(100) == b""
        except (ssl.SSLError, ConnectionResetError):
            pass
        self.socket.close()


def message(ident, text, more=b""):
    return (b"Message-ID: <" + ident + b"@example.org>\r\nDate: Fri, 27 Nov 2026 10:00:00 +0100\r\n"
            b"MIME-Version: 1.0\r\nUser-Agent: Mozilla Thunderbird\r\nContent-Language: en-GB\r\n"
            b"To: bob@example.org\r\nFrom: =?UTF-8?Q?Ann_B=C3=B6ll?= <ann@example.org>\r\n" + more +
            b"Subject: a word\r\nContent-Type: text/plain; charset=UTF-8; format=flowed\r\n"
            b"Content-Transfer-Encoding: 8bit\r\n\r\n" + text)


def stuffed(content):
    return re.sub(rb"(?m)^\.", b"..", content) + b".\r\n"


FIRST = message(b"1", b".\r\n.signature\r\ngr\xc3\xbc\xc3\x9fe \r\n")
SECOND = message(b"2", b"again\r\n")

HELLO = (b"EHLO [127.0.0.1]\r\n", b"250 ")

# Its account wizard: it does not wait for the greeting.
GUESS = [(b"EHLO we-guess.mozilla.org\r\n", b"220 ", b"250 "), (b"QUIT\r\n", b"221 ")]


def thunderbird(auth, utf8=b""):
    """MAIL says all that was offered; one command a time; the next mail in the same session."""
    return [
        *auth,
        (b"MAIL FROM:<ann@example.org> BODY=8BITMIME%s SIZE=%d\r\n" % (utf8, len(FIRST)), b"250 "),
        (b"RCPT TO:<bob@example.org>\r\n", b"250 "),
        (b"RCPT TO:<ann@example.org>\r\n", b"250 "),
        (b"DATA\r\n", b"354 "),
        (stuffed(FIRST), b"250 2.0.0 Ok: queued as "),
        (b"RSET\r\n", b"250 "),
        (b"MAIL FROM:<ann@example.org> BODY=8BITMIME%s SIZE=%d\r\n" % (utf8, len(SECOND)), b"250 "),
        (b"RCPT TO:<bob@example.org>\r\n", b"250 "),
        (b"DATA\r\n", b"354 "),
        (stuffed(SECOND), b"250 2.0.0 Ok: queued as "),
        (b"QUIT\r\n",),  # its answer is not waited for
    ]


GREETED = (b"", b"220 ")
STARTTLS = [GREETED, HELLO, (b"STARTTLS\r\n", b"220 "), (TLS,), HELLO]
THUNDERBIRDS = {
    "STARTTLS": (STARTTLS, [(b"AUTH PLAIN " + PLAIN + b"\r\n", b"235 ")]),
    "IMPLICIT": ([GREETED, HELLO], [(b"AUTH PLAIN " + PLAIN + b"\r\n", b"235 ")]),
    # A password that was mistyped is asked for again; then LOGIN is tried.
    "AGAIN": ([GREETED, HELLO], [(b"AUTH PLAIN " + base(b"\0ann@example.org\0sceret") + b"\r\n", b"535 "),
                                 (b"AUTH LOGIN\r\n", b"334 VXNlcm5hbWU6$"), (NAME + b"\r\n", b"334 UGFzc3dvcmQ6$"),
                                 (PASSWORD + b"\r\n", b"235 ")]),
}


@pytest.fixture
def server(serve, tmp_path):
    need("openssl")
    return start(serve, tmp_path)


def wire(server, how):
    return Wire(server.ports["STARTTLS" if how == "STARTTLS" else "IMPLICIT"], how != "STARTTLS")


def delivered(server, user, count=1):
    return sorted(as_sent(mail) for mail in server.wait_mail(user, count=count))


@pytest.mark.parametrize("port", ["IMPLICIT", "STARTTLS", "CLEAR"])
def test_thunderbird_guesses(server, port):
    """It talks before it was greeted, and hears what it wants to know."""
    client = Wire(server.ports[port], port == "IMPLICIT")
    client.play(GUESS)
    client.end()


def test_thunderbird_meets_an_unknown_certificate(server):
    """It hangs up in the middle of the handshake, asks its user, and comes again."""
    for how in ("STARTTLS", "IMPLICIT"):
        client = Wire(server.ports[how], False)
        if how == "STARTTLS":
            client.play(STARTTLS[:3])
        with pytest.raises(ssl.SSLCertVerificationError):
            ssl.create_default_context().wrap_socket(client.socket, server_hostname="mx.example.org")
        client.socket.close()
        client = wire(server, how)
        client.play([*THUNDERBIRDS[how][0], *THUNDERBIRDS[how][1], (b"QUIT\r\n", b"221 ")])
        client.end()


@pytest.mark.parametrize("how", THUNDERBIRDS)
@pytest.mark.parametrize("utf8", [b"", b" SMTPUTF8"])
def test_thunderbird(server, how, utf8):
    """Some versions ask for SMTPUTF8 in every mail."""
    hello, auth = THUNDERBIRDS[how]
    client = wire(server, how)
    client.play([*hello, *thunderbird(auth, utf8)])
    client.socket.close()
    assert delivered(server, "bob", 2) == [FIRST, SECOND]
    assert delivered(server, "ann") == [FIRST]


# ---- Outlook ----

# It comes without Date and Message-ID, and is 8bit without a word of it in MAIL.
OUTLOOK_TEST = (b"From: Microsoft Outlook <ann@example.org>\r\nTo: =?utf-8?B?QW5u?= <ann@example.org>\r\n"
                b"Subject: =?utf-8?B?TWljcm9zb2Z0IE91dGxvb2sgVGVzdCBNZXNzYWdl?=\r\nMIME-Version: 1.0\r\n"
                b"Content-Type: text/html;\r\n\tcharset=\"utf-8\"\r\nContent-Transfer-Encoding: 8bit\r\n"
                b"\r\n<HTML><BODY>\xe2\x80\x9cThis message was sent while your settings were tested."
                b"\xe2\x80\x9d</BODY></HTML>\r\n\r\n")

ON_LINES_OF_ITS_OWN = [(b"AUTH LOGIN\r\n", b"334 VXNlcm5hbWU6$"), (NAME + b"\r\n", b"334 UGFzc3dvcmQ6$"),
                       (PASSWORD + b"\r\n", b"235 ")]
WINDOWS = (b"EHLO DESKTOP-8K2L1\r\n", b"250 ")  # what Windows calls the machine: no domain
OUTLOOKS = {
    "IMPLICIT": [GREETED, WINDOWS, *ON_LINES_OF_ITS_OWN],
    "STARTTLS": [GREETED, WINDOWS, (b"STARTTLS\r\n", b"220 "), (TLS,), WINDOWS, *ON_LINES_OF_ITS_OWN],
    # "Secure Password Authentication" was ticked: refused, and the usual way then.
    "NTLM": [GREETED, WINDOWS, (b"AUTH NTLM\r\n", b"504 "), *ON_LINES_OF_ITS_OWN],
    # A name with a low line, as Windows allows; the user's name behind the word.
    "LOW LINE": [GREETED, (b"EHLO ANN_PC\r\n", b"250 "),
                 (b"AUTH LOGIN " + NAME + b"\r\n", b"334 UGFzc3dvcmQ6$"), (PASSWORD + b"\r\n", b"235 ")],
}


@pytest.mark.parametrize("space", [b"", b" "])
@pytest.mark.parametrize("how", OUTLOOKS)
def test_outlook(server, how, space):
    """The message of its own that tries an account; some versions put a space behind the colon.
    The mail comes in one write with its end."""
    client = wire(server, how)
    client.play([*OUTLOOKS[how],
                 (b"MAIL FROM:" + space + b"<ann@example.org>\r\n", b"250 "),
                 (b"RCPT TO:" + space + b"<ann@example.org>\r\n", b"250 "),
                 (b"DATA\r\n", b"354 "),
                 (stuffed(OUTLOOK_TEST), b"250 "),
                 (b"QUIT\r\n", b"221 ")])
    client.end()
    mail, = delivered(server, "ann")
    assert mail.endswith(OUTLOOK_TEST)
    added = mail[:-len(OUTLOOK_TEST)]
    assert re.fullmatch(rb"Date: [^\r\n]+\r\nMessage-ID: <[^<>\r\n ]+@mx\.example\.org>\r\n", added), added


# ---- Apple Mail ----

APPLE = message(b"3", b"from my phone\r\n..\r\n", b"X-Universally-Unique-Identifier: 4A\r\n")


@pytest.mark.parametrize("auth", [
    [(b"AUTH PLAIN\r\n", b"334 $"), (PLAIN + b"\r\n", b"235 ")],
    [(b"AUTH PLAIN " + PLAIN + b"\r\n", b"235 ")]])
@pytest.mark.parametrize("how,hello", [("IMPLICIT", b"smtpclient.apple"), ("STARTTLS", b"[192.168.1.20]")])
def test_apple_mail(server, how, hello, auth):
    """Recipients behind one another without waiting, its content in small writes."""
    said = (b"EHLO " + hello + b"\r\n", b"250 ")
    secure = [(b"STARTTLS\r\n", b"220 "), (TLS,), said] if how == "STARTTLS" else []
    content = stuffed(APPLE)
    client = wire(server, how)
    client.play([GREETED, said, *secure, *auth,
                 (b"MAIL FROM:<ann@example.org> BODY=8BITMIME\r\nRCPT TO:<bob@example.org>\r\n"
                  b"RCPT TO:<ann@example.org>\r\n", b"250 ", b"250 ", b"250 "),
                 (b"DATA\r\n", b"354 "),
                 *((content[i:i + 7],) for i in range(0, len(content), 7)),
                 (b"", b"250 2.0.0 Ok: queued as "),
                 (b"QUIT\r\n", b"221 ")])
    client.end()
    assert delivered(server, "bob") == [APPLE] and delivered(server, "ann") == [APPLE]
