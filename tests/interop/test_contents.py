"""What people send, with the programs that they send it with: text, a page with its picture, a film
of 20 MB, names outside ASCII. Each part must arrive byte-exact, as an independent library (Python's
email) reads the mailbox; where a client sends a message that we gave it, so must the whole."""
import email
import email.policy
import json
import os
import random
import shutil
import smtplib
import subprocess
from email.headerregistry import Address
from email.message import EmailMessage

import pytest
from conftest import SENDER, need, run
from server import as_sent, wait_until

RCPT = "ann@example.org"
TEXT = ("Grüße aus Köln,\n.\n..two dots\nFrom the first word on\n\n" + "lange Zeile " * 80 +
        "\n日本語\n--\nBob\n")
PAGE = '<html><body><p>Grüße <img src="cid:picture@client.example"></p></body></html>\n'
PICTURE = random.Random(1).randbytes(30_000)
FILM = random.Random(2).randbytes(20_000_000)
FILM_NAME = "Ferien in Århus – 夏.mp4"


@pytest.fixture
def film(tmp_path):
    path = tmp_path / FILM_NAME
    path.write_bytes(FILM)
    return path


def message(kind):
    """A message as Python composes it; lines end with CRLF."""
    mail = EmailMessage(policy=email.policy.SMTP)
    mail["From"] = Address("Bob Müller", "bob", "client.example")
    mail["To"] = Address("Ännchen", "ann", "example.org")
    mail["Subject"] = f"Grüße: {kind}"
    mail["Message-ID"] = f"<{kind}@client.example>"
    mail.set_content(TEXT)
    if kind == "page":
        mail.add_alternative(PAGE, subtype="html")
        mail.get_payload()[1].add_related(PICTURE, "image", "png", cid="<picture@client.example>")
    if kind == "film":
        mail.add_attachment(FILM, "video", "mp4", filename=FILM_NAME)
    return bytes(mail)


PARTS = {
    "text": {"text/plain": TEXT.encode()},
    "page": {"text/plain": TEXT.encode(), "text/html": PAGE.encode(), "image/png": PICTURE},
    "film": {"text/plain": TEXT.encode(), "video/mp4": FILM},
}


def read_parts(stored):
    """{type: bytes} of the leaves, {type: file name}, and the message; text with LF."""
    mail = email.message_from_bytes(stored, policy=email.policy.default)
    contents, names = {}, {}
    for part in mail.walk():
        assert not part.defects, part.defects
        if part.is_multipart():
            continue
        payload = part.get_payload(decode=True)
        if part.get_content_maintype() == "text":
            payload = payload.replace(b"\r\n", b"\n")
        contents[part.get_content_type()] = payload
        names[part.get_content_type()] = part.get_filename()
    return contents, names, mail


@pytest.mark.parametrize("kind", PARTS)
@pytest.mark.parametrize("client", ["smtplib", "curl", "msmtp"])
def test_whole_messages(server, tmp_path, client, kind):
    content = message(kind)
    to = f"127.0.0.1:{server.port}"
    if client == "smtplib":
        with smtplib.SMTP("127.0.0.1", server.port, "client.example") as connection:
            assert connection.sendmail(SENDER, RCPT, content) == {}
        status, said = 0, ""
    elif client == "curl":
        need("curl")
        (tmp_path / "mail").write_bytes(content)
        status, said = run("curl", "-sS", f"smtp://{to}/client.example", "--mail-from", SENDER,
                           "--mail-rcpt", RCPT, "--upload-file", tmp_path / "mail")
    else:
        need("msmtp")
        status, said = run("msmtp", "-C", "/dev/null", "--host=127.0.0.1", f"--port={server.port}",
                           f"--from={SENDER}", "--domain=client.example", "--set-date-header=off",
                           RCPT, stdin=content.replace(b"\r\n", b"\n"))
    assert status == 0, said
    stored = as_sent(server.wait_mail("ann")[0])
    assert stored == content
    contents, names, mail = read_parts(stored)
    assert contents == PARTS[kind]
    assert names.get("video/mp4", FILM_NAME) == FILM_NAME
    assert mail["Subject"] == f"Grüße: {kind}"


def nodemailer(server, options):
    need("node")
    where = {**os.environ, "NODE_PATH": "/usr/share/nodejs"}
    if run("node", "-e", 'require("nodemailer")', env=where)[0] != 0:
        pytest.skip("node-nodemailer: not installed and cannot be installed")
    script = os.path.join(os.path.dirname(__file__), "nodemailer.js")
    return run("node", script, server.port, stdin=json.dumps(options).encode(), env=where)


def test_nodemailer_text_page_and_film(server, tmp_path, film):
    picture = tmp_path / "picture.png"
    picture.write_bytes(PICTURE)
    status, said = nodemailer(server, {
        "from": f'"Bob Müller" <{SENDER}>', "to": f'"Ännchen" <{RCPT}>', "subject": "Grüße: alles",
        "text": TEXT, "html": PAGE, "attachments": [
            {"path": str(picture), "cid": "picture@client.example"},
            {"path": str(film), "filename": FILM_NAME}]})
    assert status == 0 and "queued as" in said, said
    contents, names, mail = read_parts(server.wait_mail("ann")[0])
    assert contents == {**PARTS["page"], **PARTS["film"]}
    assert names["video/mp4"] == FILM_NAME
    assert mail["Subject"] == "Grüße: alles"
    assert mail["From"].addresses[0].display_name == "Bob Müller"


def test_nodemailer_many_over_one_server(server):
    """To, Cc and Bcc: each gets it, and nobody reads of the Bcc."""
    status, said = nodemailer(server, {
        "from": SENDER, "to": [RCPT, "bob@example.org"], "cc": "carla@example.org",
        "bcc": "dora@example.org", "subject": "four", "text": TEXT})
    assert status == 0, said
    for user in ("ann", "bob", "carla", "dora"):
        stored = server.wait_mail(user)[0]
        assert read_parts(stored)[0] == PARTS["text"]
        assert b"dora" not in stored


@pytest.mark.parametrize("client", ["smtplib", "nodemailer"])
def test_addresses_outside_ascii(server, client):
    """SMTPUTF8 in both addresses, in the header as it is, and a body of 8 bits."""
    sender, user = "jürgen@bücher.example", "söphie"
    if client == "smtplib":
        mail = EmailMessage(policy=email.policy.SMTPUTF8)
        mail["From"], mail["To"] = f"Jürgen <{sender}>", f"Söphie <{user}@example.org>"
        mail["Subject"] = "Grüße 日本"
        mail.set_content(TEXT, cte="8bit")
        with smtplib.SMTP("127.0.0.1", server.port, "client.example") as connection:
            assert connection.send_message(mail) == {}
    else:
        status, said = nodemailer(server, {"from": f"Jürgen <{sender}>", "subject": "Grüße 日本",
                                           "to": f"Söphie <{user}@example.org>", "text": TEXT})
        assert status == 0, said
    assert wait_until(lambda: "status=sent" in server.log()), server.log()[-1500:]
    folders = os.listdir(os.path.join(server.mail_root(), "example.org"))
    assert folders == ["s%C3%B6phie"], folders
    stored = server.wait_mail(folders[0])[0]
    if client == "nodemailer":  # it makes A-labels of domains
        sender = "jürgen@xn--bcher-kva.example"
    assert stored.startswith(f"Return-Path: <{sender}>\n".encode()), stored[:100]
    contents, _, mail = read_parts(stored)
    assert contents == PARTS["text"]
    assert mail["Subject"] == "Grüße 日本"
    assert "with UTF8SMTP id" in " ".join(mail.get_all("Received")[0].split())


def test_s_nail_attachments(server, tmp_path, film):
    need("s-nail")
    picture = tmp_path / "picture.png"
    picture.write_bytes(PICTURE)
    status, said = run("s-nail", "-:/", "-Sv15-compat", f"-Smta=smtp://127.0.0.1:{server.port}",
                       "-Ssmtp-auth=none", f"-Sfrom={SENDER}", "-Shostname=client.example",
                       "-Sttycharset=utf-8", "-s", "Grüße: film", "-a", picture, "-a", film, RCPT,
                       stdin=TEXT.encode(),
                       env={**os.environ, "MAILRC": "/dev/null", "LC_ALL": "C.UTF-8"})
    assert status == 0, said
    mail = email.message_from_bytes(server.wait_mail("ann")[0], policy=email.policy.default)
    parts = list(mail.iter_parts())
    assert parts[0].get_payload(decode=True).replace(b"\r\n", b"\n") == TEXT.encode()
    assert [part.get_payload(decode=True) for part in parts[1:]] == [PICTURE, FILM]
    assert [part.get_filename() for part in parts[1:]] == ["picture.png", FILM_NAME]
    assert mail["Subject"] == "Grüße: film"


def smtp_source():
    """Postfix's load generator; only its programs are here, Postfix is not installed."""
    cache = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    root = os.path.join(cache, "postroad", "roots", "postfix")
    program = shutil.which("smtp-source") or os.path.join(root, "usr/sbin/smtp-source")
    libraries = {**os.environ, "LD_LIBRARY_PATH": os.path.join(root, "usr/lib/postfix")}
    try:
        done = subprocess.run([program], env=libraries, capture_output=True, check=False)
    except FileNotFoundError:
        pytest.skip("postfix: cannot be downloaded")
    if b"usage:" not in done.stderr:
        pytest.skip(f"smtp-source does not run here: {done.stderr.decode()[:200]}")
    return program, libraries


@pytest.mark.parametrize("how", [[], ["-d"]], ids=["connect-each", "one-connection"])
def test_smtp_source(server, how):
    """20 sessions at once, 200 messages of 20 kB to three recipients each."""
    program, libraries = smtp_source()
    status, said = run(program, *how, "-s", 20, "-m", 200, "-l", 20_000, "-r", 3, "-f", SENDER,
                       "-t", RCPT, "-M", "client.example", f"127.0.0.1:{server.port}",
                       env=libraries)
    assert status == 0, said
    def users():
        try:
            return sorted(os.listdir(os.path.join(server.mail_root(), "example.org")))
        except FileNotFoundError:
            return []
    assert wait_until(lambda: len(users()) == 3 and
                      all(len(server.mails(user)) == 200 for user in users()), 60), \
        [(user, len(server.mails(user))) for user in users()]
    bodies = set()
    for user in users():
        for path in server.mails(user):
            with open(path, "rb") as stored:
                bodies.add(as_sent(stored.read()).partition(b"\r\n\r\n")[2])
    assert len(bodies) == 1, "they are all the same"
    assert 19_000 < len(bodies.pop()) <= 20_100


def bdat(port, content, chunk=1 << 20):
    with smtplib.SMTP("127.0.0.1", port, "client.example") as connection:
        connection.ehlo()
        assert connection.has_extn("binarymime") and connection.has_extn("chunking")
        assert connection.mail(SENDER, ["BODY=BINARYMIME"])[0] == 250
        assert connection.rcpt(RCPT)[0] == 250
        for at in range(0, len(content), chunk):
            last = b" LAST" if at + chunk >= len(content) else b""
            piece = content[at:at + chunk]
            connection.sock.sendall(b"BDAT %d%s\r\n" % (len(piece), last) + piece)
            assert connection.getreply()[0] == 250


def test_binary(server):
    """RFC 3030 3: what comes as binary lies in the mailbox as base64, each part the same."""
    page = PAGE.encode()
    content = b"".join([
        b"From: Bob <bob@client.example>\r\nMIME-Version: 1.0\r\n",
        b"Content-Transfer-Encoding: binary\r\n",
        b"Content-Type: multipart/mixed; boundary=cut\r\n\r\n--cut\r\n",
        b"Content-Type: text/html; charset=utf-8\r\nContent-Transfer-Encoding: binary\r\n\r\n",
        page, b"\r\n--cut\r\n",
        b"Content-Type: video/mp4\r\nContent-Transfer-Encoding: binary\r\n\r\n",
        FILM, b"\r\n--cut--\r\n"])
    bdat(server.port, content)
    stored = server.wait_mail("ann")[0]
    assert b"\0" not in stored and max(map(len, stored.split(b"\n"))) < 998
    contents, _, _ = read_parts(stored)
    assert contents == {"text/html": page, "video/mp4": FILM}


def test_binary_that_is_sealed(server):
    """A signature covers the bytes, so they stay."""
    content = (b"Content-Type: multipart/signed; boundary=cut\r\n\r\n--cut\r\n"
               b"Content-Transfer-Encoding: binary\r\n\r\n\0\xff\r\n--cut--\r\n")
    bdat(server.port, content)
    stored = server.wait_mail("ann")[0]
    assert stored.replace(b"\n", b"\r\n").endswith(content)
    assert wait_until(lambda: "delivered with its line ends" in server.log())
