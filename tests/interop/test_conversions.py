"""Messages that the next server cannot take as they are, converted by tests/live/convert: whatever
Python's email library read in them before it reads after, byte for byte."""
import email
import email.policy
import os
import random
import subprocess
from email.message import EmailMessage

import pytest
from server import BINARY

CONVERT = os.path.join(os.path.dirname(BINARY), "tests", "live", "convert")
ROBUSTNESS = os.path.join(os.environ.get("POSTROAD_CONFORMANCE", "../shared/conformance"),
                          "mime-robustness")
GOALS = ("mailbox", "8bit", "7bit")
RAW = email.policy.compat32.clone(linesep="\r\n")

TEXT = ("Grüße aus Köln, \r\n.\r\n..two dots\r\nFrom the first word on\r\n\t\r\n= =20 =\r\n"
        + "日本語 " * 500 + "\r\n" + "." * 1200 + "\r\n" + "x" * 75 + "\r\n" + "x" * 77
        + ".\r\n-- \r\nBob\r\n")
PAGE = '<html><body><p>Grüße <img src="cid:picture@client.example"></p></body></html>\r\n'
PICTURE = random.Random(1).randbytes(30_000)


def part(content_type, content, *fields):
    return "\r\n".join([f"Content-Type: {content_type}", *fields, "", ""]).encode() + content


def multipart(kind, boundary, *parts):
    body = b"".join(b"--%s\r\n%s\r\n" % (boundary.encode(), each) for each in parts)
    return part(f'multipart/{kind}; boundary="{boundary}"', body + b"--%s--\r\n" % boundary.encode())


def whole(content):
    return (b"From: Bob <bob@client.example>\r\nSubject: =?utf-8?q?gr=C3=BC=C3=9Fe?=\r\n"
            b"MIME-Version: 1.0\r\n" + content)


EIGHT, BIN = "Content-Transfer-Encoding: 8bit", "Content-Transfer-Encoding: binary"
PLAIN = part("text/plain; charset=utf-8", TEXT.encode(), EIGHT)
LATIN = part("text/plain; charset=iso-8859-1", b"gr\xfc\xdfe\r\n" + bytes(range(0xA0, 0x100)) * 20,
             EIGHT)
HTML = part("text/html; charset=utf-8", PAGE.encode(), EIGHT)
INLINE = part("image/png", PICTURE, BIN, "Content-ID: <picture@client.example>",
              "Content-Disposition: inline")
MAILS = {
    "text": whole(PLAIN),
    "latin": whole(LATIN),
    "no MIME": b"Subject: x\r\n\r\n" + TEXT.encode(),
    "page": whole(multipart("alternative", "outer", PLAIN,
                            multipart("related", "inner", HTML, INLINE))),
    "forwarded": whole(multipart("mixed", "a b", PLAIN, part("message/rfc822", whole(PLAIN), EIGHT),
                                 part("application/pdf", PICTURE, BIN))),
    "picture alone": whole(part("image/png", PICTURE + b"\r\n", BIN)),
    "wide text": whole(part("text/plain; charset=utf-16", TEXT.encode("utf-16") + b"\r\n", BIN)),
    "UTF-8 name": whole(part("application/octet-stream; name*=UTF-8''%C3%BC.bin", b"\xff" * 2000,
                             EIGHT)),
    "base64 in one line": whole(part("image/png", b"iVBO" * 4000 + b"\r\n",
                                     "Content-Transfer-Encoding: base64")),
    "quoted in one line": whole(part("text/plain", b"a=3D b=\r\n" + b"=C3=BC" * 900 + b"\r\n",
                                     "Content-Transfer-Encoding: quoted-printable")),
}


def convert(goal, message):
    """None: it must stay as it is."""
    done = subprocess.run([CONVERT, goal], input=message, stdout=subprocess.PIPE, timeout=60,
                          check=False)
    assert done.returncode in (0, 2)
    return done.stdout if done.returncode == 0 else None


def leaves(message):
    """[(type, decoded bytes)], and whether Python finds nothing wrong."""
    mail = email.message_from_bytes(message, policy=RAW)
    found = [each for each in mail.walk() if not each.is_multipart()]
    sound = not any(each.defects for each in mail.walk())
    return [(each.get_content_type(), each.get_payload(decode=True)) for each in found], sound


def fields(message):
    """[(name, value)] of all headers, but for those that a conversion changes; unfolded."""
    mail = email.message_from_bytes(message, policy=RAW)
    return [(name.lower(), "".join(str(value).splitlines()))
            for each in mail.walk() for name, value in each.items()
            if name.lower() not in ("content-transfer-encoding", "mime-version")]


def check_fits(goal, message):
    assert message.count(b"\r") == message.count(b"\r\n") == message.count(b"\n")
    assert b"\0" not in message
    if goal != "mailbox":
        assert max(map(len, message.split(b"\r\n"))) <= 998
    if goal == "7bit":
        assert message.isascii()


@pytest.mark.parametrize("goal", GOALS)
@pytest.mark.parametrize("kind", MAILS)
def test_parts_stay_the_same(kind, goal):
    converted = convert(goal, MAILS[kind])
    check_fits(goal, converted)
    before, sound = leaves(MAILS[kind])
    assert sound
    after, sound = leaves(converted)
    assert sound
    assert after == before
    assert fields(converted) == fields(MAILS[kind])
    assert convert(goal, converted) == converted, "nothing is left to do"


@pytest.mark.parametrize("kind", MAILS)
def test_lines_are_short_and_harmless(kind):
    for line in convert("7bit", MAILS[kind]).split(b"\r\n"):
        assert len(line) <= 78 and not line.startswith((b".", b"From "))
        assert not line.endswith((b" ", b"\t")), "blanks at the end are nothing: RFC 2045 6.7 (3)"


def test_ascii_is_left_alone():
    mail = EmailMessage(policy=email.policy.SMTP)
    mail["Subject"] = "Grüße"
    mail.set_content(TEXT)
    mail.add_attachment(PICTURE, "image", "png", filename="ü.png")
    for goal in GOALS:
        assert convert(goal, bytes(mail)) == bytes(mail)


def test_what_is_sealed_is_refused():
    sealed = whole(multipart("signed", "s", PLAIN, part("application/pgp-signature", b"x\r\n")))
    assert convert("7bit", sealed) is None and convert("8bit", sealed) is None
    assert convert("mailbox", sealed) == sealed


def robust():
    for top, _, names in os.walk(ROBUSTNESS):
        for name in names:
            if not name.startswith("LICENSE"):
                yield os.path.join(top, name)


@pytest.mark.parametrize("goal", GOALS)
def test_messages_that_broke_parsers(goal):
    """What Python finds sound, and we can convert, it finds the same."""
    seen = changed = 0
    for path in sorted(robust()):
        with open(path, "rb") as file:
            message = file.read().replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
        converted = convert(goal, message)
        if converted is None:
            continue
        check_fits(goal, converted)
        before, sound = leaves(message)
        if sound:
            seen += 1
            changed += converted != message
            assert leaves(converted)[0] == before, path
    if seen == 0:
        pytest.skip(f"no data in {ROBUSTNESS} (POSTROAD_CONFORMANCE)")
    assert goal != "7bit" or changed > 10
