"""sendmail as programs call it: by flags of forty years, from any user, with or without a server."""
import os
import re
import resource
import smtplib
import socket
import subprocess

import pytest
from conftest import need
from sendmail_world import NOBODY, mail_of, place, sendmail, server  # noqa: F401
from server import BINARY, wait_until
from test_limits import with_few_sessions

def test_a_mail_of_any_user(server):
    status, said = sendmail(server, "-i", "-F", "Nobody \"at\" all", "ann, bob@elsewhere.example",
                            content=b"Subject: x\n\n.\n..dots\n", user=NOBODY.pw_uid)
    assert (status, said) == (0, "")
    mail = mail_of(server, "ann")
    assert mail["From"] == '"Nobody \\"at\\" all" <nobody@example.org>'
    assert mail["Return-Path"] == "<nobody@example.org>"
    assert mail.get_payload() == ".\n..dots\n"
    assert mail["Received"].startswith(f"by mx.example.org (postroad, from userid {NOBODY.pw_uid})")
    assert mail["Date"] and mail["Message-ID"].endswith("@mx.example.org>")
    assert mail_of(server, "bob", "elsewhere.example")["Message-ID"] == mail["Message-ID"]
    assert wait_until(lambda: re.search(
        rf"postroad/pickup\[\d+\]: \w+: uid={NOBODY.pw_uid} from=<nobody@example.org>", server.log()))


def test_a_user_without_a_name(server):
    """As in a container."""
    assert sendmail(server, "ann", user=54321) == (0, "")
    mail = mail_of(server, "ann")
    assert mail["From"] == "54321@example.org" and "(postroad, from userid 54321)" in mail["Received"]


def test_recipients_of_the_header(server):
    content = (b"To: ann, Bob <bob@example.org>\nCc: eve@elsewhere.example\nBcc: joe,\n kim\n"
               b"From: Boss <boss@example.org>\nMessage-ID: <own@id>\nSubject: t\n\nbody\n.\nnot this\n")
    assert sendmail(server, "-t", "-f", "cron", "lee", content=content) == (0, "")
    for user, domain in (("ann", "example.org"), ("bob", "example.org"), ("joe", "example.org"),
                         ("kim", "example.org"), ("lee", "example.org"), ("eve", "elsewhere.example")):
        mail = mail_of(server, user, domain)
        assert (mail["Return-Path"], mail["From"]) == ("<cron@example.org>", "Boss <boss@example.org>")
        assert mail["Bcc"] is None and mail["Message-ID"] == "<own@id>"
        assert mail.get_payload() == "body\n"


@pytest.mark.parametrize("rcpts,status,words", [
    (["gone"], 67, ["gone@example.org: 554 5.1.1 ", "moved away"]),
    (["joe@other.example"], 69, ["joe@other.example: 554 5.7.1 ", "Relay access denied"]),
    (["ann@"], 64, ["'ann@' is no address"]),
    ([], 64, ["to whom?"]),
    (["-t"], 64, ["no recipients"]),
    (["-z", "ann"], 64, ["-z: there is no such flag"]),
    (["ann", "-i"], 64, ["-i: flags stand in front of the addresses"]),
    (["-f", "a b c", "ann"], 64, ["-f a b c is no address"]),
])
def test_what_is_refused(server, rcpts, status, words):
    got, said = sendmail(server, *rcpts)
    assert got == status, said
    assert all(word in said for word in words), said
    assert os.listdir(server.folder + "/drop") == []


def test_one_of_two_is_refused(server):
    status, said = sendmail(server, "gone", "ann")
    assert status == 67 and "gone@example.org" in said and "ann@" not in said
    assert mail_of(server, "ann")["Subject"] == "hello"


@pytest.mark.parametrize("runs", [True, False])
def test_an_address_of_the_header_is_none(place, runs):
    """Who has one gets the mail, at once or later."""
    if runs:
        place.start()
    content = b"To: ann, bob@\nCc: \"Eve E.\" <eve example.org>\nSubject: x\n\nhi\n"
    status, said = sendmail(place, "-t", content=content)
    assert status == 65 and "'bob@' is no address, and is passed over" in said and "ann" not in said, said
    assert "eve example.org" in said, said
    if not runs:
        place.start()
    assert mail_of(place, "ann")["Subject"] == "x"
    status, said = sendmail(place, "-t", content=b"To: bob@\n\nhi\n")
    assert status == 65 and "'bob@' is no address" in said, said


def test_too_large(server):
    status, said = sendmail(server, "ann", content=b"x" * 2000000)
    assert status == 69 and "ann@example.org: the message has 20000" in said, said


def test_lines_of_any_kind(server):
    content = b"From ann Sat Nov 28 08:00:00 2026\nSubject: x\n\n10%\r20%\rdone\r\nnul\0here\nlast"
    assert sendmail(server, "ann", content=content) == (0, "")
    mail = mail_of(server, "ann")
    assert mail["Subject"] == "x" and mail.get_payload() == "10%\n20%\ndone\nnul?here\nlast\n"


def test_eight_bit_and_reports(server):
    assert sendmail(server, "-N", "success,failure", "-R", "hdrs", "-V", "a b", "ann",
                    content="Subject: x\n\ngrüße\n".encode()) == (0, "")
    assert mail_of(server, "ann").get_payload(decode=True) == "grüße\n".encode()
    report = mail_of(server, "root")  # who asked for a report of success
    assert report.get_content_type() == "multipart/report"
    assert "Original-Envelope-Id: a b" in str(report)


def test_the_dialog_is_shown(server):
    status, said = sendmail(server, "-v", "ann")
    assert status == 0
    assert "-> MAIL FROM:<root@example.org>" in said and "<- 250 2.0.0 Ok: queued as" in said


@pytest.mark.parametrize("by_file", [True, False])
def test_smtp_on_standard_input(server, by_file, tmp_path):
    dialog = ("EHLO x\r\nMAIL FROM:<ann>\r\nRCPT TO:<bob@example.org>\r\nDATA\r\n"
              "Subject: typed\r\n\r\nhi\r\n.\r\nQUIT\r\n").encode()
    command = [os.path.join(server.folder, "sendmail"), "-C",
               os.path.join(server.folder, "postroad.conf"), "-bs"]
    if by_file:
        (tmp_path / "dialog").write_bytes(dialog)
        with open(tmp_path / "dialog", "rb") as f:
            done = subprocess.run(command, stdin=f, stdout=subprocess.PIPE, check=False)
    else:
        done = subprocess.run(command, input=dialog, stdout=subprocess.PIPE, check=False)
    assert done.returncode == 0
    assert re.findall(rb"^(\d{3}) ", done.stdout, re.M) == [b"220", b"250", b"250", b"250", b"354", b"250", b"221"]
    assert mail_of(server, "bob")["Subject"] == "typed"


def test_smtp_by_a_program_that_waits(server):
    """As mail programs do it: a line, its answer, the next line."""
    class Pipe(smtplib.SMTP):
        def connect(self, *where):
            self.process = subprocess.Popen(
                [os.path.join(server.folder, "sendmail"), "-C",
                 os.path.join(server.folder, "postroad.conf"), "-bs"],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE)
            self.file, self.sock = self.process.stdout, self
            return self.getreply()

        def sendall(self, data):
            self.process.stdin.write(data)
            self.process.stdin.flush()

        def close(self):
            if getattr(self, "process", None):
                self.process.stdin.close()
                assert self.process.wait(60) == 0
                self.process.stdout.close()
            self.file = self.sock = None
    client = Pipe()
    assert client.connect()[0] == 220
    for n in range(3):
        client.sendmail("ann@example.org", ["bob@example.org"], f"Subject: {n}\r\n\r\nhi\r\n")
    assert client.quit()[0] == 221
    assert wait_until(lambda: len(server.mails("bob")) == 3)


def test_what_other_names_do(server):
    conf = ["-C", os.path.join(server.folder, "postroad.conf")]
    assert wait_until(lambda: sendmail(server, "-bp")[0] == 0), sendmail(server, "-bp")
    with open(server.folder + "/postroad.conf", encoding="utf-8") as f:
        text = f.read()
    with open(server.folder + "/postroad.conf", "w", encoding="utf-8") as f:
        f.write(text.replace("moved away", "moved to the sea"))
    assert sendmail(server, "-bi")[0] == 0
    assert "moved to the sea" in sendmail(server, "gone")[1]
    status, said = sendmail(server, "-bv", "gone@example.org")
    assert status == 0 and "moved to the sea" in said
    assert sendmail(server, "-q")[0] == 0
    assert sendmail(server, "-bd")[0] == 64
    assert subprocess.run([BINARY, "sendmail", *conf, "ann"], input=b"Subject: long name\n\n",
                          check=False).returncode == 0


# ---- what a local user may try ----

def test_standard_files_are_closed(server):
    script = 'exec 0<&- 1>&- 2>&-; "$0" -C "$1" ann'
    done = subprocess.run(["sh", "-c", script, os.path.join(server.folder, "sendmail"),
                           os.path.join(server.folder, "postroad.conf")], check=False)
    assert done.returncode == 0  # an empty mail
    assert mail_of(server, "ann").get_payload() == ""


def test_no_file_may_grow(server):
    def no_files():
        resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    assert sendmail(server, "ann", preexec_fn=no_files) == (0, "")
    server.kill_all()
    status, said = sendmail(server, "ann", preexec_fn=no_files)
    assert status in (75, -25), (status, said)  # told, or ended by SIGXFSZ: but never "taken"
    assert [name for name in os.listdir(server.folder + "/drop") if name.startswith("new-")] == []


def test_a_mail_without_end(server):
    with open("/dev/zero", "rb") as zeros:
        done = subprocess.run([os.path.join(server.folder, "sendmail"), "-C",
                               os.path.join(server.folder, "postroad.conf"), "ann"], stdin=zeros,
                              stderr=subprocess.PIPE, check=False)
    assert done.returncode == 65 and b"larger than 256 MiB" in done.stderr


class Local:
    """A connection of some user's, and what it was greeted with."""

    def __init__(self, server, user):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(60)
        os.seteuid(user)
        try:
            self.socket.connect(server.folder + "/sock")
        finally:
            os.seteuid(0)
        self.greeting = self.socket.recv(1000)


def test_one_user_takes_no_more_than_his_share(server):
    held = [Local(server, NOBODY.pw_uid) for _ in range(100)]
    assert all(one.greeting.startswith(b"220 ") for one in held)
    assert Local(server, NOBODY.pw_uid).greeting == \
        f"421 4.7.0 mx.example.org Error: too many connections from userid {NOBODY.pw_uid}\r\n".encode()
    assert wait_until(lambda: f"Connection concurrency limit exceeded: 101 from userid {NOBODY.pw_uid} "
                              "for service smtpd" in server.log()), server.log()
    assert sendmail(server, "bob") == (0, "")
    assert mail_of(server, "bob")["Return-Path"] == "<root@example.org>"
    assert sendmail(server, "ann", user=NOBODY.pw_uid) == (0, "")  # it is left
    assert server.mails("ann") == []
    for one in held:
        one.socket.close()
    server.kill_all()
    server.start()
    assert mail_of(server, "ann")["Return-Path"] == "<nobody@example.org>"


def test_users_make_room_for_mail_from_outside(place):
    """However many they are."""
    place.config = place.config.replace("127.0.0.1:{port}", "127.0.0.1:{port}\nlimit from network 127.6.0.0/16 {}")
    place.start()
    receivers = with_few_sessions(place)
    crowd = [Local(place, 20000 + i) for i in range(40 * receivers + 40)]
    inside = [one for one in crowd if one.greeting.startswith(b"220 ")]
    assert len(inside) <= 35 * receivers
    assert all(b"All server ports are busy" in one.greeting for one in crowd if one not in inside)
    for i in range(40 * receivers):
        with socket.create_connection(("127.0.0.1", place.port), 60, (f"127.6.{i}.1", 0)) as s:
            assert s.recv(1000).startswith(b"220 ")


def test_addresses_are_data(server):
    for hostile in ("|/bin/sh", "/etc/passwd", "-oQ/tmp", ":include:/etc/passwd", "`id`"):
        assert sendmail(server, "-f", hostile, "--", hostile + "@example.org")[0] in (0, 64)
    status, said = sendmail(server, "-F", "a\r\nBcc: eve@example.org", "ann")
    assert (status, said) == (0, "")
    assert server.mails("eve") == [] and "Bcc" not in mail_of(server, "ann")


# ---- real programs ----

def test_whatever_it_is_called(server):
    """Programs say what they like in argv[0], as OpenBSD's mail does: send-mail."""
    conf = os.path.join(server.folder, "postroad.conf")
    for number, name in enumerate(("send-mail", "-sendmail", "")):
        assert subprocess.run([name, "-C", conf, f"u{number}"], executable=os.path.join(server.folder, "sendmail"),
                              input=b"Subject: x\n\n", check=False).returncode == 0
        assert mail_of(server, f"u{number}")["Subject"] == "x"


@pytest.mark.parametrize("program", ["s-nail", "mutt", "git"])
def test_programs(server, program, tmp_path):
    need(program)
    path = os.path.join(server.folder, "sendmail")
    conf = os.path.join(server.folder, "postroad.conf")
    (tmp_path / "wrapper").write_text(f'#!/bin/sh\nexec {path} -C {conf} "$@"\n')
    (tmp_path / "wrapper").chmod(0o755)
    mta = str(tmp_path / "wrapper")
    environment = {**os.environ, "HOME": str(tmp_path), "MAILRC": "/dev/null",
                   "GIT_COMMITTER_NAME": "Bob", "GIT_COMMITTER_EMAIL": "bob@example.org",
                   "GIT_AUTHOR_NAME": "Bob", "GIT_AUTHOR_EMAIL": "bob@example.org"}
    if program == "s-nail":
        command = ["s-nail", "-n", "-S", f"mta={mta}", "-S", "sendwait", "-s", "by a program", "ann@example.org"]
    elif program == "mutt":
        (tmp_path / "muttrc").write_text(f'set sendmail="{mta} -oem -oi"\nset sendmail_wait=0\nset record=""\n')
        command = ["mutt", "-n", "-F", str(tmp_path / "muttrc"), "-s", "by a program", "ann@example.org"]
    else:
        (tmp_path / "0001.patch").write_text(
            "From 0000 Mon Sep 17 00:00:00 2001\nFrom: Bob <bob@example.org>\nDate: Sat, 28 Nov 2026 08:00:00 +0000\n"
            "Subject: by a program\n\nhello from a program\n---\n")
        command = ["git", "send-email", f"--sendmail-cmd={mta}", "--from=bob@example.org", "--to=ann@example.org",
                   "--confirm=never", "--suppress-cc=all", str(tmp_path / "0001.patch")]
        if subprocess.run(["git", "send-email", "--help-nonsense"], stderr=subprocess.PIPE, check=False).stderr.find(
                b"not a git command") >= 0:
            pytest.skip("there is no git send-email")
    done = subprocess.run(command, input=b"hello from a program\n", stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          env=environment, cwd=tmp_path, check=False)
    assert done.returncode == 0, done.stdout
    mail = mail_of(server, "ann")
    assert mail["Subject"] == "by a program" and "hello from a program" in mail.get_payload()


def test_as_cron_does(server):
    content = (b"From: root (Cron Daemon)\nTo: root\nSubject: Cron <root@here> false\nMIME-Version: 1.0\n"
               b"Content-Type: text/plain; charset=UTF-8\nX-Cron-Env: <SHELL=/bin/sh>\n\nit failed\n.\nreally\n")
    assert sendmail(server, "-FCronDaemon", "-i", "-B8BITMIME", "-oem", "root", content=content) == (0, "")
    mail = mail_of(server, "root")
    assert mail.get_payload() == "it failed\n.\nreally\n" and mail["X-Cron-Env"] == "<SHELL=/bin/sh>"
