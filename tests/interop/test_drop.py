"""Mail that was left while nobody listened: who may leave what, and that all of it arrives once."""
import os
import random
import re
import shutil
import signal
import socket
import time

import pytest
from conftest import run
from sendmail_world import NOBODY, mail_of, place, sendmail, server  # noqa: F401
from server import BINARY, wait_until

DIALOG = ("EHLO x\r\nMAIL FROM:<{sender}>\r\nRCPT TO:<{rcpt}>\r\nDATA\r\n"
          "Subject: {subject}\r\nMessage-ID: <{subject}@x>\r\n\r\nhi\r\n.\r\nQUIT\r\n")


def names(place, prefix="new-"):
    return sorted(name for name in os.listdir(place.folder + "/drop") if name.startswith(prefix))


def leave(place, content, number, user=0):
    """As a program would that writes such a file itself."""
    path = f"{place.folder}/drop/new-{number:032x}"
    with open(path + ".part", "wb") as f:
        f.write(content if isinstance(content, bytes) else content.encode())
    os.chmod(path + ".part", 0o600)
    os.chown(path + ".part", user, user)
    os.rename(path + ".part", path)
    return path


def dialog(sender="ann@example.org", rcpt="bob@example.org", subject="left"):
    return DIALOG.format(sender=sender, rcpt=rcpt, subject=subject)


def is_empty(place):
    return os.listdir(place.folder + "/drop") == []


def test_it_goes_when_the_server_is_back(place):
    assert sendmail(place, "-F", "Nobody", "ann, bob", "eve@elsewhere.example", user=NOBODY.pw_uid,
                    content=b"Subject: early\n\n.\n..dots\n" + b"x" * 70 + b"\n") == (0, "")
    assert sendmail(place, "-f", "<>", "ann", content=b"Subject: second\n\n" + b"line\n" * 100000) == (0, "")
    assert len(names(place)) == 2
    place.start()
    mail = mail_of(place, "bob")
    assert mail["Received"].startswith(f"by mx.example.org (postroad, from userid {NOBODY.pw_uid})")
    assert mail["From"] == "Nobody <nobody@example.org>" and mail["Return-Path"] == "<nobody@example.org>"
    assert mail_of(place, "eve", "elsewhere.example")["Subject"] == "early"
    assert wait_until(lambda: len(place.mails("ann")) == 2) and wait_until(lambda: is_empty(place))
    assert not re.search(r"lost connection after .* from unknown\[local\]", place.log())


def test_it_goes_while_the_server_runs(server):
    leave(server, dialog(), 1)
    assert mail_of(server, "bob")["Subject"] == "left"
    assert wait_until(lambda: is_empty(server))


def test_the_same_file_again(server):
    """Whoever was killed between 250 and the end of the file does it again: one mail."""
    for number in range(3):
        leave(server, dialog(), number, user=NOBODY.pw_uid)
        assert wait_until(lambda: is_empty(server))
    assert wait_until(lambda: server.log().count("duplicate of") == 2), server.log()
    assert len(server.mails("bob")) == 1


def test_who_is_refused_is_reported(server):
    leave(server, dialog(rcpt="gone@example.org> NOTIFY=FAILURE\r\nRCPT TO:<bob@example.org"), 1)
    report = mail_of(server, "ann")
    assert report.get_content_type() == "multipart/report" and "moved away" in str(report)
    assert "gone@example.org" in str(report) and "bob@example.org" not in str(report)
    assert "Message-ID: <left@x>" in str(report)
    assert mail_of(server, "bob")["Subject"] == "left"
    leave(server, dialog(rcpt="gone@example.org", subject="second"), 2)
    assert wait_until(lambda: len(server.mails("ann")) == 2) and wait_until(lambda: is_empty(server))
    assert len(server.mails("bob")) == 1


@pytest.mark.parametrize("sender,rcpt", [
    ("", "gone@example.org"), ("ann@example.org", "gone@example.org> NOTIFY=NEVER"),
    ("ann@nowhere.invalid", "gone@example.org")])
def test_nobody_can_be_told(server, sender, rcpt):
    leave(server, dialog(sender, rcpt.rstrip(">")).replace("NEVER>", "NEVER"), 1)
    assert wait_until(lambda: names(server, "bad-")), server.log()
    assert wait_until(lambda: "left by userid 0, cannot be sent and is set aside" in server.log())
    assert names(server) == []


def test_not_now(place):
    leave(place, dialog(rcpt="later@example.org> NOTIFY=NEVER\r\nRCPT TO:<bob@example.org"), 1)
    leave(place, dialog(subject="other", rcpt="joe@example.org"), 2)
    place.start()
    assert mail_of(place, "joe")["Subject"] == "other"  # it does not wait for the first
    assert wait_until(lambda: "left by userid 0, waits: 450 4.2.1" in place.log()), place.log()
    assert place.mails("bob") == [] and wait_until(lambda: len(names(place)) == 1)
    leave(place, dialog(subject="third", rcpt="kim@example.org"), 3)
    assert mail_of(place, "kim")["Subject"] == "third"  # nor does one that comes later
    settings_say(place, "reject to address later@example.org", "reject to address never@example.org")
    assert mail_of(place, "bob")["Subject"] == "left" and mail_of(place, "later")["Subject"] == "left"


def test_why_it_waits_is_told_once(server):
    path = leave(server, dialog(rcpt="later@example.org"), 1)
    assert wait_until(lambda: "waits: 450 4.2.1" in server.log()), server.log()
    for number in range(2, 4):
        os.utime(path)  # it is tried again at once
        leave(server, dialog(rcpt="later@example.org"), number)
        assert wait_until(lambda: f"new-{number:032x}, left by userid 0, waits: 450 4.2.1" in server.log())
    assert server.log().count("waits: 450 4.2.1") == 3, server.log()
    assert "NOQUEUE" not in server.log()


def settings_say(place, old, new):
    conf = place.folder + "/postroad.conf"
    with open(conf, encoding="utf-8") as f:
        text = f.read()
    assert old in text
    with open(conf, "w", encoding="utf-8") as f:
        f.write(text.replace(old, new))
    assert run(BINARY, "reload", "-c", conf)[0] == 0


def test_its_report_has_to_wait(server):
    """Who was not refused has it by then, and does not get it each time, though it has no Message-ID."""
    leave(server, dialog("later@example.org", "gone@example.org> NOTIFY=FAILURE\r\nRCPT TO:<bob@example.org")
          .replace("Message-ID: <left@x>\r\n", ""), 1)
    assert mail_of(server, "bob")["Subject"] == "left"
    assert wait_until(lambda: "waits: 450 4.2.1" in server.log()), server.log()
    settings_say(server, "not today", "not yet")
    assert wait_until(lambda: "not yet" in server.log()), server.log()
    settings_say(server, "reject to address later@example.org", "reject to address never@example.org")
    assert "moved away" in str(mail_of(server, "later"))
    assert wait_until(lambda: is_empty(server)) and wait_until(lambda: server.log().count("duplicate of") == 2)
    assert len(server.mails("bob")) == 1


@pytest.mark.parametrize("sender,rcpt", [
    ("", "gone@example.org"), ("ann@example.org", "gone@example.org> NOTIFY=NEVER"),
    ("ann@nowhere.invalid", "gone@example.org")])
def test_what_somebody_has_is_not_set_aside(server, sender, rcpt):
    """Whoever mends it and names it anew would send it to them again."""
    rcpt = rcpt.rstrip(">") + (">" if "NOTIFY" not in rcpt else "") + "\r\nRCPT TO:<bob@example.org"
    leave(server, dialog(sender, rcpt), 1)
    assert mail_of(server, "bob")["Subject"] == "left"
    assert wait_until(lambda: "left by userid 0, has reached only some: " in server.log()), server.log()
    assert wait_until(lambda: is_empty(server)) and "to=<gone@example.org>" in server.log()


def test_two_files_without_a_message_id(server):
    """Scripts leave the same mail each day, under the same name if they like."""
    for number in (1, 1, 2):
        leave(server, dialog().replace("Message-ID: <left@x>\r\n", ""), number)
        assert wait_until(lambda: is_empty(server))
    assert wait_until(lambda: len(server.mails("bob")) == 3), server.log()


def test_not_for_five_days(place):
    """Nobody else tells its sender that it does not go; and whoever could have it does not wait for ever."""
    path = leave(place, dialog(rcpt="later@example.org> NOTIFY=FAILURE\r\nRCPT TO:<bob@example.org"), 1)
    old = time.time() - 5 * 24 * 3600 - 60
    os.utime(path, (old, old))
    place.start()
    report = mail_of(place, "ann")
    assert "later@example.org" in str(report) and "Status: 5.4.7" in str(report) and "450 4.2.1" in str(report)
    assert "bob@example.org" not in str(report) and mail_of(place, "bob")["Subject"] == "left"
    assert wait_until(lambda: is_empty(place))


def test_larger_than_a_mail_may_be(server):
    leave(server, dialog().replace("hi\r\n", "hi\r\n" * 400000), 1)
    report = mail_of(server, "ann")
    assert "bob@example.org" in str(report) and "5.3.4" in str(report)
    assert wait_until(lambda: is_empty(server)) and server.mails("bob") == []


HOSTILE = {
    "nothing": "",
    "no dialog": "hello\n" * 100,
    "no mail": "EHLO x\r\nQUIT\r\n",
    "no sender": "EHLO x\r\nRCPT TO:<bob@example.org>\r\nDATA\r\n\r\n.\r\n",
    "no rcpt": "EHLO x\r\nMAIL FROM:<ann@example.org>\r\nDATA\r\n\r\n.\r\n",
    "no end": dialog().replace("\r\n.\r\nQUIT\r\n", ""),
    "bare lines": dialog().replace("\r\n", "\n"),
    "two senders": dialog().replace("RCPT", "MAIL FROM:<eve@example.org>\r\nRCPT"),
    "TLS": dialog().replace("MAIL", "STARTTLS\r\nMAIL"),
    "another client": dialog().replace("MAIL", "XCLIENT ADDR=192.0.2.1\r\nMAIL"),
    "chunks": dialog().replace("DATA\r\n", "BDAT 2 LAST\r\n"),
    "a line without end": "EHLO " + "x" * 3000000,
    "zeros": "\0" * 100000,
}


@pytest.mark.parametrize("content", HOSTILE.values(), ids=HOSTILE)
def test_hostile_files(server, content):
    leave(server, content, 1, user=NOBODY.pw_uid)
    assert wait_until(lambda: names(server, "bad-")), server.log()
    assert wait_until(lambda: f"left by userid {NOBODY.pw_uid}, cannot be sent and is set aside" in server.log())
    leave(server, dialog(), 2)
    assert mail_of(server, "bob")["Subject"] == "left"
    assert wait_until(lambda: len(os.listdir(server.folder + "/drop")) == 1)
    assert len(server.mails("bob")) == 1


def test_what_follows_a_mail_is_not_said(server):
    leave(server, dialog().replace("QUIT\r\n", "") + dialog(rcpt="eve@example.org", subject="second"), 1)
    assert mail_of(server, "bob")["Subject"] == "left"
    assert wait_until(lambda: is_empty(server)) and server.mails("eve") == []


def test_files_that_are_none(server, tmp_path):
    secret = tmp_path / "secret"
    secret.write_text(dialog(subject="secret"))
    folder = server.folder + "/drop/"
    os.symlink(secret, folder + f"new-{1:032x}")
    os.mkfifo(folder + f"new-{2:032x}")
    os.mkdir(folder + f"new-{3:032x}")
    with socket.socket(socket.AF_UNIX) as s:
        s.bind(folder + f"new-{6:032x}")
    linked = tmp_path / "linked"  # of two names from the first moment on that one of them is seen
    linked.write_text(dialog(subject="linked"))
    for number in (4, 5):
        os.link(linked, folder + f"new-{number:032x}")
    for name in ("new-xyz", "tmp-" + "0" * 32, "new-" + "A" * 32, "new-" + "0" * 31):
        with open(folder + name, "w", encoding="utf-8") as f:
            f.write(dialog(subject="not yet"))
    assert wait_until(lambda: len(names(server, "bad-")) == 6), (server.log(), os.listdir(folder))
    assert wait_until(lambda: server.log().count("is no plain file of one name") == 6)
    leave(server, dialog(), 9)
    assert mail_of(server, "bob")["Subject"] == "left"
    assert wait_until(lambda: len(server.mails("bob")) == 1) and "secret" not in server.log()
    assert wait_until(lambda: len(os.listdir(folder)) == 10), os.listdir(folder)


def test_what_cannot_be_set_aside(server):
    """Its place is taken: then it is tried now and then, not all the time."""
    os.mkdir(server.folder + f"/drop/bad-{1:032x}")
    leave(server, "hello\n", 1)
    assert wait_until(lambda: "cannot take away mail that was left" in server.log()), server.log()
    time.sleep(5)  # two rounds and more
    assert server.log().count("cannot take away mail that was left") == 1, server.log()


def test_a_full_folder_keeps_nobody_waiting(place):
    """All of it is gone through, whatever somebody else leaves: mail that never can go, names of no meaning."""
    for number in range(3000):
        leave(place, dialog(rcpt="later@example.org", subject=f"s{number}"), number, user=NOBODY.pw_uid)
    for number in range(10000):
        with open(f"{place.folder}/drop/junk{number}", "w", encoding="utf-8"):
            pass
    for number in range(10):
        leave(place, dialog(rcpt=f"u{number}@example.org"), 5000 + number)
    place.start()
    for number in range(10):
        assert mail_of(place, f"u{number}")["Subject"] == "left"
    assert wait_until(lambda: len(names(place)) == 3000)


def test_there_is_no_folder(place):
    shutil.rmtree(place.folder + "/drop")
    place.start()
    assert wait_until(lambda: "there is no such folder" in place.log()), place.log()
    assert sendmail(place, "ann") == (0, "")
    place.kill_all()
    status, said = sendmail(place, "ann")
    assert status == 75 and "the mail system does not run" in said and "No such file" in said, said


def test_whoever_is_killed(place):
    """Processes end at any moment, again and again: each mail arrives once, and each report."""
    chance = random.Random(7)
    count = 60
    for number in range(count):
        leave(place, dialog(f"r{number}@example.org", "gone@example.org> NOTIFY=FAILURE\r\n"
                            f"RCPT TO:<u{number}@example.org", f"s{number}"), number, user=number % 3)
    for turn in range(12):
        place.start()
        time.sleep(chance.random() * 0.08)
        if turn % 2:
            place.kill_all()
            continue
        for pid, role in place.roles():
            if role in ("receiver", "courier") and chance.random() < 0.7:
                os.kill(pid, signal.SIGKILL)
        time.sleep(chance.random() * 0.05)
        place.kill_all()
    place.start()
    assert wait_until(lambda: is_empty(place), 120), (os.listdir(place.folder + "/drop"), place.log()[-3000:])
    assert wait_until(lambda: all(place.mails(f"u{n}") and place.mails(f"r{n}") for n in range(count)))
    assert wait_until(lambda: place.queued() == 0)
    assert [len(place.mails(f"{who}{n}")) for n in range(count) for who in "ur"] == [1] * count * 2
