"""The configuration is read again while mail goes on: `postroad reload`, and SIGHUP."""
import os
import signal
import smtplib
import socket
import threading
import time

import pytest
import users
from certificate import make_certificate
from conftest import CONTENT, SENDER, need, run
from server import BINARY, free_port, free_ports, wait_until

CONFIG = """\
hostname mx.example.org
queue {folder}/queue { min-free 1M }
listen mx 127.0.0.1:{port}
postmaster ann@example.org
accept to domain example.org deliver maildir {folder}/data/mail/{domain}/{user}
"""


def path_of(server):
    return os.path.join(server.folder, "postroad.conf")


def write(server, text):
    with open(path_of(server), "w", encoding="utf-8") as f:
        f.write(text.replace("{folder}", server.folder).replace("{port}", str(server.port)))


def begin(serve, text):
    return serve(text).start().ready()


def reload(server, text=None):
    if text is not None:
        write(server, text)
    return run(BINARY, "reload", "-c", path_of(server))


def serves(server, text=None):
    assert reload(server, text) == (0, "the new settings serve\n"), server.log()[-2000:]


def rcpt(port, address):
    with smtplib.SMTP("127.0.0.1", port, timeout=60) as client:
        client.ehlo("client.example")
        client.mail(SENDER)
        return client.rcpt(address)[0]


def test_a_broken_file_hides_no_queue(serve):
    """Who is half through a change can look at the server that runs."""
    server = begin(serve, CONFIG)
    status, said = reload(server, CONFIG + "relya x {\n")
    assert status == 78 and "unknown word 'relya'" in said, said
    assert run(BINARY, "queue", "list", "-c", path_of(server)) == (0, "Mail queue is empty\n")
    assert run(BINARY, "status", "-c", path_of(server))[1].startswith("running: 0 messages")
    # In a file that this one includes there is no such way.
    other = os.path.join(server.folder, "queue.conf")
    place = [line for line in CONFIG.splitlines() if line.startswith("queue ")][0]
    write(server, CONFIG.replace(place, f"include {other}"))
    with open(other, "w", encoding="utf-8") as f:
        f.write(place.replace("{folder}", server.folder) + "\n")
    assert run(BINARY, "queue", "list", "-c", path_of(server)) == (0, "Mail queue is empty\n")


def test_rules(serve):
    server = begin(serve, CONFIG)
    users.open_way(os.path.join(server.folder, "data", "mail"))  # vmail makes the new folder
    assert rcpt(server.port, "joe@example.net") == 554
    with smtplib.SMTP("127.0.0.1", server.port) as kept:
        kept.ehlo("client.example")
        serves(server, CONFIG + "accept to domain example.net deliver maildir {folder}/data/mail/net/{user}\n")
        assert rcpt(server.port, "joe@example.net") == 250
        # Who was there goes on, and is judged by the rules as they are now.
        assert kept.sendmail(SENDER, ["ann@example.org", "joe@example.net"], CONTENT) == {}
    server.wait_mail("ann")
    server.wait_mail("joe", "net")
    serves(server, CONFIG)
    assert rcpt(server.port, "joe@example.net") == 554
    assert wait_until(lambda: "settings were read again and serve now" in server.log())


def test_listeners_come_and_go(serve):
    server = begin(serve, CONFIG)
    first, second = free_ports(2)
    serves(server, CONFIG + f"listen mx 127.0.0.1:{first}\n")
    with smtplib.SMTP("127.0.0.1", first) as kept:
        kept.ehlo("client.example")
        serves(server, CONFIG + f"listen mx 127.0.0.1:{second}\nlisten lmtp unix:{{folder}}/lmtp\n")
        assert rcpt(second, "ann@example.org") == 250
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", first), timeout=5)
        # ... but not for who came in by it before.
        assert kept.sendmail(SENDER, "ann@example.org", CONTENT) == {}
    with smtplib.LMTP(os.path.join(server.folder, "lmtp")) as client:
        assert client.sendmail(SENDER, "ann@example.org", CONTENT) == {}
    server.wait_mail("ann", count=2)
    for pid, role in server.roles():  # a new receiver has what counts now
        if role == "receiver":
            os.kill(pid, signal.SIGKILL)
    assert wait_until(lambda: server.greets())
    assert rcpt(second, "ann@example.org") == 250


@pytest.mark.parametrize("more,status,told", [
    ("accpt to any\n", 78, "did you mean 'accept'"),
    ("table people accounts {folder}/gone\n", 78, "there is no file"),
    ("listen mx 127.0.0.1:TAKEN\n", 65, "nothing has changed"),
    ("MOVED", 65, "nothing has changed"),
])
def test_errors_change_nothing(serve, more, status, told):
    server = begin(serve, CONFIG)
    before = server.roles()
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        text = CONFIG + more.replace("TAKEN", str(taken.getsockname()[1]))
        if more == "MOVED":
            text = CONFIG.replace("/queue", "/other")
            os.symlink("queue", os.path.join(server.folder, "other"))
        got, said = reload(server, text)
    assert got == status and told in said, said
    if status == 65:
        assert wait_until(lambda: "settings cannot be read again: the old ones stay" in server.log())
    if more == "MOVED":
        assert wait_until(lambda: "the queue cannot move" in server.log())
    assert server.roles() == before
    assert rcpt(server.port, "ann@example.org") == 250
    serves(server, CONFIG)


def test_nobody_is_there(tmp_path):
    path = tmp_path / "postroad.conf"
    path.write_text(CONFIG.replace("{folder}", str(tmp_path)).replace("{port}", str(free_port())))
    status, said = run(BINARY, "reload", "-c", path)
    assert status == 69, said


def config(server, verb):
    return run(BINARY, "config", verb, "-c", path_of(server))


def test_what_would_change(serve, tmp_path):
    parts = tmp_path / "parts"
    parts.mkdir()
    (parts / "a.conf").write_text("log text\n")
    text = CONFIG + "include {folder}/parts/*.conf\n"
    server = begin(serve, text)
    same = (0, "the server runs with these lines\n")
    assert config(server, "diff") == same
    assert config(server, "show")[1].startswith(f"# {path_of(server)}\nhostname mx.example.org\n")
    assert config(server, "show")[1].endswith(f"# {parts}/a.conf\nlog text\n")
    write(server, text.replace("min-free 1M", "min-free 2M") + "max-size 3M")
    (parts / "a.conf").write_text("log json\n")
    (parts / "b.conf").write_text("# nothing\n")
    assert config(server, "diff") == (1, f"""\
{path_of(server)}:
- queue {server.folder}/queue {{ min-free 1M }}
+ queue {server.folder}/queue {{ min-free 2M }}
+ max-size 3M
{parts}/a.conf:
- log text
+ log json
{parts}/b.conf:
+ # nothing
""")
    serves(server)
    assert config(server, "diff") == same
    (parts / "b.conf").unlink()
    assert config(server, "diff") == (1, f"{parts}/b.conf:\n- # nothing\n")
    assert server.stop() == 0
    assert config(server, "diff")[0] == 69


class Sink:
    """Takes all mail, and counts it."""

    def __init__(self):
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.port = self.socket.getsockname()[1]
        self.got = []
        threading.Thread(target=self.run, daemon=True).start()

    def run(self):
        while True:
            connection, _ = self.socket.accept()
            threading.Thread(target=self.serve, args=(connection,), daemon=True).start()

    def serve(self, connection):
        with connection, connection.makefile("rwb") as f:
            def say(text):
                f.write(text + b"\r\n")
                f.flush()
            say(b"220 sink ESMTP")
            while line := f.readline():
                verb = line[:4].upper()
                if verb == b"DATA":
                    say(b"354 go")
                    body = b""
                    while (line := f.readline()) != b".\r\n":
                        body += line
                    self.got.append(body)
                say(b"221 bye" if verb == b"QUIT" else b"250 ok")


def test_queued_mail_takes_the_new_way(serve):
    sink = Sink()
    config = CONFIG + "relay away { host 127.0.0.1:TO; retry 1s; family ipv4; tls off }\n" \
        "accept from local to any relay away\n"
    server = begin(serve, config.replace("TO", str(free_port())))
    with smtplib.SMTP("127.0.0.1", server.port) as client:
        assert client.sendmail(SENDER, "joe@example.net", CONTENT) == {}
    assert wait_until(lambda: "status=deferred" in server.log())
    serves(server, config.replace("TO", str(sink.port)))
    assert wait_until(lambda: len(sink.got) == 1), server.log()[-3000:]
    assert wait_until(lambda: ": removed" in server.log())


def test_somebody_may_log_in_from_now_on(serve, tmp_path):
    """The vault starts when it is needed first, and has what counts."""
    need("openssl")
    make_certificate(tmp_path)
    people = tmp_path / "people"
    people.write_text("ann@example.org:{PLAIN}secret\n")
    people.chmod(0o600)
    server = begin(serve, CONFIG)
    port = free_port()
    more = "table people accounts {folder}/people\n" \
        f"listen submission 127.0.0.1:{port} {{ tls off; auth people; auth-cleartext yes }}\n"

    def logs_in(password):
        with smtplib.SMTP("127.0.0.1", port) as client:
            try:
                return client.login("ann@example.org", password)[0]
            except smtplib.SMTPAuthenticationError as why:
                return why.smtp_code
    assert "vault" not in [role for _, role in server.roles()]
    serves(server, CONFIG + more)
    assert wait_until(lambda: logs_in("secret") == 235)
    with smtplib.SMTP("127.0.0.1", port) as kept:
        kept.ehlo("client.example")
        people.write_text("ann@example.org:{PLAIN}other\n")
        serves(server, more + CONFIG)  # the listeners have other numbers
        assert logs_in("other") == 235 and logs_in("secret") == 535
        assert kept.login("ann@example.org", "other")[0] == 235
        assert run(BINARY, "user", "disable", "ann@example.org", "-c", path_of(server))[0] == 0
        # Who came in under older settings is thrown out as well.
        with pytest.raises(smtplib.SMTPServerDisconnected):
            for _ in range(600):
                assert kept.noop()[0] in (250, 421)
                time.sleep(0.1)
    serves(server, CONFIG)
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port), timeout=5)


def test_who_is_disabled_in_the_file_is_thrown_out(serve, tmp_path):
    people = tmp_path / "people"
    people.write_text("ann@example.org:{PLAIN}secret\nbob@example.org:{PLAIN}bobs\n")
    people.chmod(0o600)
    port = free_port()
    text = CONFIG + "table people accounts {folder}/people\n" \
        f"listen submission 127.0.0.1:{port} {{ tls off; auth people; auth-cleartext yes }}\n"
    server = begin(serve, text)
    with smtplib.SMTP("127.0.0.1", port) as ann, smtplib.SMTP("127.0.0.1", port) as bob:
        ann.login("ann@example.org", "secret")
        bob.login("bob@example.org", "bobs")
        people.write_text("ann@example.org:{PLAIN}secret::::::nologin\n"
                          "bob@example.org:{PLAIN}bobs::::::postroad_send=news@example.org\n")
        serves(server)
        assert bob.mail("news@example.org")[0] == 250  # what is his by now
        with pytest.raises(smtplib.SMTPServerDisconnected):
            for _ in range(2):
                assert ann.noop()[0] == 421


def test_under_load(serve):
    """Nobody is refused, no session breaks, nothing is lost, over many reloads."""
    server = begin(serve, CONFIG)
    stop, troubles, sent = threading.Event(), [], []

    def client(number):
        count = 0
        while not stop.is_set():
            try:
                with smtplib.SMTP("127.0.0.1", server.port, timeout=60) as session:
                    for _ in range(5):
                        assert session.sendmail(SENDER, f"user{number}@example.org", CONTENT) == {}
                        count += 1
            except Exception as why:  # pylint: disable=broad-except
                troubles.append(repr(why))
        sent.append((number, count))
    threads = [threading.Thread(target=client, args=(i,)) for i in range(6)]
    for one in threads:
        one.start()
    for i in range(20):
        serves(server, CONFIG + f"reject sender address nobody{i}@example.net\n")
    stop.set()
    for one in threads:
        one.join()
    assert not troubles
    assert len(sent) == 6 and all(count >= 5 for _, count in sent)
    for number, count in sent:
        server.wait_mail(f"user{number}", count=count)
