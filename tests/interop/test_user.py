"""postroad user: accounts added, changed, listed; by prompt and from stdin; the file stays a
person's."""
import json
import os
import pty
import subprocess
import time

import pytest

from conftest import run
from server import BINARY

TEXT = "# ours\r\nann@example.org:{PLAIN}secret:1:2:Ann A.:/h:/s:x=y  z\r\n\r\nbob:{CRYPT}$y$"


def user(*words, stdin=b""):
    return run(BINARY, "user", *words, stdin=stdin)


@pytest.fixture
def people(tmp_path):
    path = tmp_path / "people"
    path.write_bytes(TEXT.encode())
    path.chmod(0o640)
    return path


def test_one_line_changes(people):
    before = os.stat(people)
    status, said = user("add", "eve@example.org", "--file", people, "--password-stdin",
                        stdin=b"pencil\nmore\n")
    assert (status, said) == (0, "eve@example.org: added\n")
    text = people.read_bytes().decode()
    assert text.startswith(TEXT + "\neve@example.org:{CRYPT}$y$")
    assert "::::::postroad_scram={SCRAM-SHA-256}4096," in text and "pencil" not in text
    after = os.stat(people)
    assert (after.st_mode, after.st_uid, after.st_gid) == (before.st_mode, before.st_uid, before.st_gid)
    assert user("disable", "ANN@example.org", "--file", people)[0] == 0
    assert "Ann A.:/h:/s:x=y  z nologin\r\n" in people.read_bytes().decode()
    assert "was disabled already" in user("disable", "ann@example.org", "--file", people)[1]
    assert user("enable", "ann@example.org", "--file", people)[0] == 0
    assert user("delete", "eve@example.org", "--file", people)[0] == 0
    assert people.read_bytes().decode() == TEXT + "\n"


def test_the_first_account(tmp_path):
    path = tmp_path / "new"
    assert user("add", "ann", "--file", path, "--password-stdin", stdin=b"x y")[0] == 0
    assert os.stat(path).st_mode & 0o777 == 0o600
    assert user("list", "--file", path)[1].splitlines()[1].split() == ["ann", "CRYPT", "yes", "yes"]


def test_links_are_followed(people, tmp_path):
    link = tmp_path / "link"
    link.symlink_to(people)
    assert user("disable", "bob", "--file", link)[0] == 0
    assert link.is_symlink() and people.read_bytes().endswith(b"nologin")


def test_list(people):
    people.write_text("ann@example.org:{PLAIN}secret::::::postroad_send=*@a.example,b@c.example nologin\nbob\n")
    status, said = user("list", "--file", people, "--json")
    assert status == 0 and [json.loads(line) for line in said.splitlines()] == [
        {"name": "ann@example.org", "scheme": "PLAIN", "scram": False, "disabled": True,
         "send": ["*@a.example", "b@c.example"]},
        {"name": "bob", "scheme": "none", "scram": False, "disabled": False, "send": []}]
    said = user("list", "--file", people)[1]
    assert "disabled writes as *@a.example,b@c.example" in said and "secret" not in said


@pytest.mark.parametrize("words,stdin,status", [
    (["add", "ann@example.org"], b"x\n", 65), (["add", "no name"], b"x\n", 65),
    (["add", "eve"], b"\n", 65), (["add", "eve"], b"", 65), (["add", "eve"], b"a\0b\n", 65),
    (["add", "eve"], b"x" * 5000, 65), (["add", "eve"], b"\xff\n", 65),
    (["passwd", "eve"], b"x\n", 67), (["disable", "eve"], b"", 67), (["delete", "eve"], b"", 67),
    (["add"], b"x", 64), (["add", "eve", "fay"], b"x", 64), (["frobnicate", "eve"], b"", 64),
    (["list", "eve"], b"", 64),
])
def test_refused(people, words, stdin, status):
    assert user(*words, "--file", people, "--password-stdin", stdin=stdin)[0] == status
    assert people.read_bytes().decode() == TEXT


def test_no_question_without_a_terminal(people):
    status, said = user("add", "eve", "--file", people)
    assert status == 64 and "--password-stdin" in said


def test_errors_in_the_file(people):
    people.write_text("ann:x\nann:y\n")
    status, said = user("disable", "ann", "--file", people)
    assert status == 65 and "2:1: error: 'ann' has an account already" in said
    assert people.read_text() == "ann:x\nann:y\n"


def test_two_writers(people):
    with open(f"{people}.lock", "w", encoding="utf-8") as lock:
        import fcntl
        fcntl.flock(lock, fcntl.LOCK_EX)
        status, said = user("disable", "bob", "--file", people)
    assert status == 75 and "somebody else" in said
    assert user("disable", "bob", "--file", people)[0] == 0


def type_in(words, answers):
    """What a person at a terminal sees, and how it ends."""
    master, slave = pty.openpty()
    with subprocess.Popen([BINARY, "user", *map(str, words)], stdin=slave, stdout=slave,
                          stderr=slave) as process:
        os.close(slave)
        seen = b""
        for answer in answers:
            count = seen.count(b": ")
            while seen.count(b": ") == count:
                seen += os.read(master, 1000)
            time.sleep(0.05)  # the echo goes off behind the question
            os.write(master, answer)
        try:
            while got := os.read(master, 1000):
                seen += got
        except OSError:
            pass
        process.wait(20)
    os.close(master)
    return process.returncode, seen.decode()


def test_prompt(people):
    status, seen = type_in(["passwd", "bob", "--file", people], [b"pencil\n", b"pencil\n"])
    assert status == 0 and "pencil" not in seen and "bob: new password" in seen
    assert people.read_bytes().decode().split("bob:")[1].startswith("{CRYPT}$y$")
    before = people.read_bytes()
    status, seen = type_in(["passwd", "bob", "--file", people], [b"pencil\n", b"pencils\n"])
    assert status == 65 and "differ" in seen and people.read_bytes() == before
    status, seen = type_in(["passwd", "bob", "--file", people], [b"\n"])
    assert status == 65 and "empty" in seen
    status, seen = type_in(["passwd", "bob", "--file", people], [b"pen\x03"])
    assert status == 64 and "nothing was done" in seen and people.read_bytes() == before


def test_which_table(tmp_path):
    config, texts = tmp_path / "c.conf", ["ann@example.org", "bob@example.org"]
    for name in texts:
        (tmp_path / name[:3]).write_text(name + "\n")
        (tmp_path / name[:3]).chmod(0o600)
    head = f"hostname mx.example.org\nlisten mx 127.0.0.1:2525\nqueue {tmp_path}/queue\n"
    config.write_text(head + f"table a accounts {tmp_path}/ann\n"
                      f"table b accounts {tmp_path}/bob\npostmaster ann@example.org\n"
                      f"accept to domain example.org users a deliver maildir {tmp_path}/m/{{domain}}/{{user}}\n"
                      f"accept to domain example.net users b deliver maildir {tmp_path}/m/{{domain}}/{{user}}\n")
    status, said = user("list", "-c", config)
    assert status == 64 and "--table NAME" in said
    assert "bob@example.org" in user("list", "-c", config, "--table", "b")[1]
    assert user("list", "-c", config, "--table", "c")[0] == 64
    assert user("list", "-c", tmp_path / "none")[0] == 66
