"""Real clients deliver into an inbox, byte for byte."""
import os
import smtplib

from conftest import CONTENT, EIGHT_BIT, SENDER, ByHand, need, run
from server import as_sent

RCPT = "ann@example.org"


def one_mail(server, user="ann", domain="example.org"):
    return as_sent(server.wait_mail(user, domain)[0])


def test_swaks(server, tmp_path):
    need("swaks")
    # swaks replaces its %TOKENS%; they are its own business.
    content = CONTENT.replace(b"%FROM_ADDRESS% \\n stays\r\n", b"")
    (tmp_path / "mail").write_bytes(content)
    status, said = run("swaks", "--server", f"127.0.0.1:{server.port}", "--from", SENDER, "--to",
                       RCPT, "--ehlo", "client.example", "--data", f"@{tmp_path}/mail")
    assert status == 0, said
    # Its DATA ends with one more line end than the file.
    assert one_mail(server) == content + b"\r\n"


def test_curl(server, tmp_path):
    need("curl")
    (tmp_path / "mail").write_bytes(CONTENT)
    status, said = run("curl", "-sS", f"smtp://127.0.0.1:{server.port}/client.example",
                       "--mail-from", SENDER, "--mail-rcpt", RCPT, "--upload-file",
                       tmp_path / "mail")
    assert status == 0, said
    assert one_mail(server) == CONTENT


def test_smtplib(server):
    with smtplib.SMTP("127.0.0.1", server.port, "client.example") as client:
        assert client.sendmail(SENDER, RCPT, CONTENT) == {}
    assert one_mail(server) == CONTENT


def test_smtplib_many_recipients_one_mail_each(server):
    users = [f"user{n}" for n in range(100)]
    with smtplib.SMTP("127.0.0.1", server.port) as client:
        assert client.sendmail(SENDER, [f"{u}@example.org" for u in users], CONTENT) == {}
    for user in users:
        assert one_mail(server, user) == CONTENT


def test_smtplib_eight_bit(server):
    with smtplib.SMTP("127.0.0.1", server.port) as client:
        assert client.sendmail(SENDER, RCPT, EIGHT_BIT, mail_options=["BODY=8BITMIME"]) == {}
    assert one_mail(server) == EIGHT_BIT


def test_smtplib_large(server):
    """Too large to stay in memory: it takes the way through a draft file."""
    content = CONTENT + b"".join(b"%078d\r\n" % n for n in range(60000))
    with smtplib.SMTP("127.0.0.1", server.port) as client:
        assert client.sendmail(SENDER, RCPT, content) == {}
    assert one_mail(server) == content


def by_hand(server, *command):
    person = ByHand(*command, "127.0.0.1", server.port)
    person.answer("220")
    person.help("EHLO your.host.name")
    person.say("HELO client.example", "250")
    person.help("MAIL FROM:<")
    person.say(f"MAIL FROM:<{SENDER}>", "250")
    person.help("RCPT TO:<")
    person.say(f"RCPT TO:<{RCPT}>", "250")
    person.help("DATA")
    person.say("DATA", "354")
    person.say("Subject: by hand")
    person.say("")
    person.say("..one dot")
    person.say("typed")
    assert "queued as" in person.say(".", "250")
    person.say("QUIT", "221")
    person.end()
    assert one_mail(server) == b"Subject: by hand\r\n\r\n.one dot\r\ntyped\r\n"


def test_telnet(server):
    need("telnet")
    by_hand(server, "telnet")


def test_nc_with_crlf(server):
    need("nc")
    by_hand(server, "nc", "-C")


def test_nc_without_crlf_is_told_how(server):
    need("nc")
    person = ByHand("nc", "127.0.0.1", server.port)
    person.answer("220")
    assert "CRLF" in person.say("HELO client.example", "500")
    person.end()


def test_msmtp(server):
    need("msmtp")
    status, said = run("msmtp", "-C", "/dev/null", "--host=127.0.0.1", f"--port={server.port}",
                       f"--from={SENDER}", "--domain=client.example", "--set-date-header=off",
                       "--set-msgid-header=off", RCPT, stdin=CONTENT.replace(b"\r\n", b"\n"))
    assert status == 0, said
    assert one_mail(server) == CONTENT


def test_s_nail(server):
    """It writes the header itself; the body must be what was typed."""
    need("s-nail")
    status, said = run("s-nail", "-:/", "-Sv15-compat", f"-Smta=smtp://127.0.0.1:{server.port}",
                       "-Ssmtp-auth=none", f"-Sfrom={SENDER}", "-Shostname=client.example",
                       "-s", "from s-nail", RCPT, stdin=b"first\n.dot\n\nlast\n",
                       env={**os.environ, "MAILRC": "/dev/null", "LC_ALL": "C.UTF-8"})
    assert status == 0, said
    header, _, body = one_mail(server).partition(b"\r\n\r\n")
    assert b"\r\nSubject: from s-nail\r\n" in b"\r\n" + header + b"\r\n"
    assert body == b"first\r\n.dot\r\n\r\nlast\r\n"
