"""postroad user: accounts added, changed, listed; by prompt and from stdin; the file stays a
person's."""
import base64
import fcntl
import json
import os
import pty
import select
import signal
import smtplib
import subprocess

import pytest

from certificate import make_certificate
from conftest import CONTENT, need, run
from server import BINARY, children, free_port, wait_until

TEXT = "# ours\r\nann@example.org:{PLAIN}secret:1:2:Ann A.:/h:/s:x=y  z\r\n\r\nbob:{CRYPT}$y$"


def user(*words, stdin=b"", **more):
    return run(BINARY, "user", *words, stdin=stdin, **more)


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


def test_of_dev(tmp_path):
    """By its folder, running or not; it is told at once."""
    folder, other = tmp_path / "dev", tmp_path / "other"
    smtp, submission = free_port(), free_port()
    assert user("add", "ann", "--dir", folder, "--password-stdin", stdin=b"x\n")[0] == 66
    assert not folder.exists()
    process = subprocess.Popen([BINARY, "dev", "--dir", folder, "--smtp", f"127.0.0.1:{smtp}",
                                "--submission", f"127.0.0.1:{submission}"],
                               stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def logs_in(name, password):
        try:
            with smtplib.SMTP("127.0.0.1", submission) as client:
                return client.login(name, password)[0] == 235
        except (smtplib.SMTPException, OSError):
            return False
    try:
        assert wait_until(lambda: logs_in("dev", "dev"))
        status, said = user("add", "ann", "--dir", folder, "--password-stdin", stdin=b"x\n")
        assert (status, said) == (0, "ann: added\n")
        assert wait_until(lambda: logs_in("ann", "x"))
        assert user("disable", "dev", "--dir", folder)[0] == 0
        assert wait_until(lambda: not logs_in("dev", "dev"))
    finally:
        process.terminate()
        assert process.wait(60) == 0
    said = user("list", "--dir", "dev", cwd=tmp_path)[1]
    assert "dev" in said and "ann" in said and "disabled" in said
    for more in (["-c", other], ["--file", other], ["--table", "x"]):
        assert user("list", "--dir", folder, *more)[0] == 64


def test_the_first_account_of_a_configuration(tmp_path):
    """It makes the file without which the configuration is wrong, whatever else is wrong with it."""
    conf = tmp_path / "conf"
    people = tmp_path / "people"
    text = f"hostname mx.example.org\nqueue {tmp_path}/q\ntable aliases aliases /nowhere\nrelya x\n"
    conf.write_text(f"{text}table other accounts {tmp_path}/other\ntable people accounts {people}\n")

    def add(*more):
        return user("add", "ann@example.org", "-c", conf, *more, "--password-stdin", stdin=b"secret\n")
    status, said = add()
    assert status == 64 and "several tables of accounts, 'other' is one; say --table NAME" in said
    assert add("--table", "none")[0] == 64 and not people.exists()
    assert add("--table", "people") == (0, "ann@example.org: added\n")
    assert people.read_text().startswith("ann@example.org:{CRYPT}") and people.stat().st_mode & 0o777 == 0o600
    conf.write_text(f"{text}table people accounts\n")
    status, said = add()
    assert status == 78 and "unknown word 'relya'" in said  # the place is not to be had from the text
    conf.write_text(text)
    status, said = add()
    assert status == 78 and "has no table of accounts; write in it" in said
    # In a file that it includes: all of it is looked at.
    (tmp_path / "more").write_text(f"table people accounts {people}\n")
    conf.write_text(f"{text}include {tmp_path}/more\n")
    assert add()[0] == 78


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
        fcntl.flock(lock, fcntl.LOCK_EX)
        status, said = user("disable", "bob", "--file", people)
    assert status == 75 and "somebody else" in said
    assert user("disable", "bob", "--file", people)[0] == 0


def type_in(words, answers, command="user"):
    """What a person at a terminal sees, and how it ends."""
    master, slave = pty.openpty()
    with subprocess.Popen([BINARY, command, *map(str, words)], stdin=slave, stdout=slave,
                          stderr=slave) as process:
        os.close(slave)
        seen = b""

        def shown():
            if not select.select([master], [], [], 60)[0]:
                process.kill()  # it waits for what it did not hear; the terminal ends with it
            return os.read(master, 1000)
        for answer in answers:
            count = seen.count(b": ")
            while seen.count(b": ") == count:
                seen += shown()
            os.write(master, answer)
        try:
            while got := shown():
                seen += got
        except OSError:
            pass
        process.wait(60)
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


# ---- a server that runs ----

CONFIG = """
hostname mx.example.org
postmaster ann@example.org
tls {folder}/mx.pem {folder}/mx.key
table people accounts {folder}/people
listen mx 127.0.0.1:{port}
listen submission 127.0.0.1:CLEAR { tls optional; auth people; auth-cleartext yes }
queue {folder}/queue { min-free 10M }
relay nowhere { host 127.0.0.1:9; retry 1h }
accept to domain example.org users people deliver maildir {folder}/data/mail/{domain}/{user}
accept from authenticated to any relay nowhere
"""


@pytest.fixture
def server(serve, tmp_path):
    need("openssl")
    make_certificate(tmp_path)
    path = tmp_path / "people"
    path.write_text("ann@example.org:{PLAIN}secret\n")
    path.chmod(0o600)
    clear = free_port()
    running = serve(CONFIG.replace("CLEAR", str(clear))).start()
    running.clear = clear
    return running.ready()  # the courier can be told


def change(server, *words, stdin=b""):
    """And the news is there."""
    before = server.log().count("accounts were read again")
    status, said = user(*words, "-c", f"{server.folder}/postroad.conf", stdin=stdin)
    assert status == 0, said
    assert wait_until(lambda: server.log().count("accounts were read again") > before), server.log()
    return said


def enter(server, name, password):
    client = smtplib.SMTP("127.0.0.1", server.clear)
    client.ehlo("me.example")
    token = base64.b64encode(f"\0{name}\0{password}".encode()).decode()
    return client, client.docmd(f"AUTH PLAIN {token}")[0]


def logs_in(server, name, password):
    client, code = enter(server, name, password)
    client.close()
    return code


def becomes(server, name, password, code):
    """The news is with the warden; the roles have it in a moment."""
    return wait_until(lambda: logs_in(server, name, password) == code)


def test_at_once(server):
    assert logs_in(server, "bob@example.org", "pencil") == 535
    change(server, "add", "bob@example.org", "--password-stdin", stdin=b"pencil\n")
    assert becomes(server, "bob@example.org", "pencil", 235)
    change(server, "passwd", "bob@example.org", "--password-stdin", stdin=b"crayon\n")
    assert becomes(server, "bob@example.org", "crayon", 235)
    assert logs_in(server, "bob@example.org", "pencil") == 535
    with smtplib.SMTP("127.0.0.1", server.clear) as client:
        client.ehlo("me.example")
        assert "SCRAM-SHA-256" not in client.esmtp_features["auth"]  # ann has no keys
        assert "starttls" in client.esmtp_features
        client.starttls()
    change(server, "passwd", "ann@example.org", "--password-stdin", stdin=b"pencil\n")

    def offered():
        with smtplib.SMTP("127.0.0.1", server.clear) as client:
            client.ehlo("me.example")
            return "SCRAM-SHA-256" in client.esmtp_features["auth"]
    assert wait_until(offered)
    with smtplib.SMTP("127.0.0.1", server.port) as client:  # he gets mail as well
        client.sendmail("x@client.example", ["bob@example.org"], CONTENT)
    assert server.wait_mail("bob")
    change(server, "delete", "bob@example.org")
    assert becomes(server, "bob@example.org", "crayon", 535)

    def refused():
        with smtplib.SMTP("127.0.0.1", server.port) as client:
            client.ehlo("me.example")
            client.mail("x@client.example")
            return client.rcpt("bob@example.org")[0] == 550
    assert wait_until(refused)


def test_scram_with_keys_beside_a_hash(server):
    need("gsasl")
    change(server, "passwd", "ann@example.org", "--password-stdin", stdin=b"pencil\n")
    assert becomes(server, "ann@example.org", "pencil", 235)
    for password, status in (("pencil", 0), ("pencils", 1)):
        assert (run("gsasl", "--smtp", "--no-starttls", "--no-cb", "-m", "SCRAM-SHA-256",
                    "--connect", f"127.0.0.1:{server.clear}", "-a", "ann@example.org", "-p",
                    password)[0] != 0) == bool(status)


def test_disabled(server):
    client, code = enter(server, "ann@example.org", "secret")
    other, _ = enter(server, "ann@example.org", "wrong")  # nobody yet
    assert code == 235
    client.sendmail("ann@example.org", ["far@away.example"], CONTENT)
    assert wait_until(lambda: "status=deferred" in server.log())  # what is being tried is not held
    said = change(server, "disable", "ann@example.org")
    assert "1 message in the queue now held" in said, said
    client.sock.settimeout(60)
    assert client.getreply()[0] == 421
    assert other.noop()[0] == 250
    other.close()
    assert becomes(server, "ann@example.org", "secret", 535)
    listed = run(BINARY, "queue", "list", "-c", f"{server.folder}/postroad.conf", "--user",
                 "ANN@example.org")[1]
    assert "far@away.example  [held]" in listed, listed
    with smtplib.SMTP("127.0.0.1", server.port) as client:  # and gets mail as before
        client.sendmail("x@client.example", ["ann@example.org"], CONTENT)
    assert server.wait_mail("ann")
    change(server, "enable", "ann@example.org")
    assert becomes(server, "ann@example.org", "secret", 235)


def test_new_roles_know_it(server):
    """What a role is handed when it starts again is new, too."""
    change(server, "add", "bob@example.org", "--password-stdin", stdin=b"pencil\n")
    for pid in children(server.process.pid):
        os.kill(pid, signal.SIGKILL)
    assert wait_until(lambda: server.greets())

    def answers():
        try:
            return logs_in(server, "bob@example.org", "pencil") == 235
        except (OSError, smtplib.SMTPException):
            return False
    assert wait_until(answers)


def test_errors_change_nothing(server, tmp_path):
    path = tmp_path / "people"
    path.write_text("ann@example.org:{PLAIN}other\nann@example.org:{PLAIN}x\n")
    server.process.send_signal(signal.SIGHUP)
    assert wait_until(lambda: "settings cannot be read again: the old ones stay" in server.log())
    assert wait_until(lambda: "people:2:1: error: 'ann@example.org' has an account already" in server.log())
    assert logs_in(server, "ann@example.org", "secret") == 235
    path.write_text("ann@example.org:{PLAIN}other\n")
    server.process.send_signal(signal.SIGHUP)
    assert becomes(server, "ann@example.org", "other", 235)
