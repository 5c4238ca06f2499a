"""postroad send: our own client, judged by Python's mail parser and by its exit status."""
import email
import email.policy
import os

from conftest import CONTENT, EIGHT_BIT, SENDER, run
from server import BINARY, as_sent, free_port

RCPT = "ann@example.org"
REFUSING = """\
hostname mx.example.org
queue {folder}/spool
max-size 100K
listen mx 127.0.0.1:{port}
reject to address nobody@example.org "5.1.1 no such user"
accept to domain example.org deliver maildir {folder}/data/mail/{domain}/{user}
postmaster ann@example.org
"""


def send(server, *words, stdin=b""):
    return run(BINARY, "send", "--server", f"127.0.0.1:{server.port}", "--from", SENDER, *words,
               stdin=stdin)


def test_a_file_as_it_is(server, tmp_path):
    (tmp_path / "mail").write_bytes(CONTENT)
    status, said = send(server, "--to", RCPT, "--data", tmp_path / "mail")
    assert status == 0, said
    assert "queued as" in said
    status, said = send(server, "--to", RCPT, "--data", "-", stdin=EIGHT_BIT.replace(b"\r\n", b"\n"))
    assert status == 0, said
    assert {as_sent(mail) for mail in server.wait_mail("ann", count=2)} == {CONTENT, EIGHT_BIT}


def test_composed(server, tmp_path):
    """What goes in comes out of another's parser: text, HTML, a picture, two attachments."""
    blob = bytes(range(256)) * 300
    (tmp_path / "blob.bin").write_bytes(blob)
    (tmp_path / "grüße.txt").write_bytes(b"one\ntwo\n.\n")
    (tmp_path / "dot.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    text = "Grüße,\n.\nFrom here\n" + "lang " * 300 + "\n"
    status, said = send(server, "--to", RCPT, "--cc", "cleo@example.org", "--bcc",
                        "dora@example.org", "--subject", "Grüße " * 30, "--body", text,
                        "--html", '<p>Grüße <img src="cid:dot.png">', "--inline",
                        tmp_path / "dot.png", "--attach", tmp_path / "blob.bin", "--attach",
                        tmp_path / "grüße.txt", "--header", "X-Mine: yes")
    assert status == 0, said
    (stored,) = server.wait_mail("ann")
    assert as_sent(stored) == as_sent(server.wait_mail("dora")[0])
    assert b"dora" not in as_sent(stored)
    mail = email.message_from_bytes(stored, policy=email.policy.default)
    assert str(mail["Subject"]).split() == ["Grüße"] * 30
    assert "cleo@example.org" in mail["Cc"] and mail["X-Mine"] == "yes"
    assert mail["Date"] and mail["Message-ID"] and mail["From"] == SENDER
    assert mail.get_body(("plain",)).get_content().rstrip("\n") == text.rstrip("\n")
    assert "cid:" in mail.get_body(("html",)).get_content()
    files = {part.get_filename(): part.get_payload(decode=True) for part in mail.walk()
             if part.get_filename()}
    assert files["blob.bin"] == blob
    assert files["grüße.txt"].replace(b"\r\n", b"\n") == b"one\ntwo\n.\n"
    assert files["dot.png"] == b"\x89PNG\r\n\x1a\n"
    assert not mail.defects and not any(part.defects for part in mail.walk())
    assert max(len(line) for line in as_sent(stored).split(b"\r\n")) <= 998


def test_header_injection_is_refused_or_encoded(server):
    status, _ = send(server, "--to", RCPT, "--subject", "x\r\nBcc: evil@example.org", "--body", "b")
    if status == 0:
        mail = email.message_from_bytes(server.wait_mail("ann")[0])
        assert mail["Bcc"] is None
    else:
        assert status in (64, 65)


def test_exit_status_says_why(serve, tmp_path):
    server = serve(REFUSING).start()
    (tmp_path / "large").write_bytes(b"Subject: large\n\n" + b"0123456789\n" * 20000)
    rows = [
        (67, ("--to", "nobody@example.org", "--body", "x")),
        (77, ("--to", "ann@elsewhere.example", "--body", "x")),
        (65, ("--to", RCPT, "--data", tmp_path / "large")),
        (66, ("--to", RCPT, "--data", tmp_path / "absent")),
        (64, ("--to", RCPT, "--no-such-option")),
        (64, ("--body", "to nobody")),
        (0, ("--to", RCPT, "--quit-after", "rcpt")),
    ]
    for want, words in rows:
        status, said = send(server, *words)
        assert status == want, (words, status, said)
    status, said = run(BINARY, "send", "--server", f"127.0.0.1:{free_port()}", "--to", RCPT,
                       "--body", "x")
    assert status == 69, said
    assert server.mails("ann") == []


def test_transcript(server):
    status, said = send(server, "-v", "--to", RCPT, "--body", "hi")
    assert status == 0, said
    for line in ("<- ", "-> ", "EHLO", f"MAIL FROM:<{SENDER}>", f"RCPT TO:<{RCPT}>", "354"):
        assert line in said, said


def test_nothing_is_left_behind(server, tmp_path):
    before = set(os.listdir(tmp_path))
    assert send(server, "--to", RCPT, "--body", "hi")[0] == 0
    assert set(os.listdir(tmp_path)) == before
