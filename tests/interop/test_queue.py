"""The queue in people's hands: `postroad queue`, `mailq`, `status`."""
import json
import os
import re
import resource
import smtplib
import time

import pytest
import users
from conftest import CONTENT, run
from fake_mx import FakeMx
from server import BINARY, free_port, wait_until

CONFIG = """
hostname out.example
listen mx 127.0.0.1:{port}
queue {folder}/queue { min-free 10M }
postmaster admin@out.example
relay next { host 127.0.0.1:%d; retry 1h; tls off }
accept to domain out.example deliver maildir {folder}/data/mail/{domain}/{user}
accept from local to any relay next
"""


def queue(server, verb, *words):
    return run(BINARY, "queue", verb, "-c", os.path.join(server.folder, "postroad.conf"), *words)


def listed(server, *words):
    status, text = queue(server, "list", "--json", *words)
    assert status == 0, text
    return [json.loads(line) for line in text.splitlines()]


def hand_in(server, *rcpts, sender="bob@out.example"):
    with smtplib.SMTP("127.0.0.1", server.port) as client:
        client.sendmail(sender, list(rcpts), CONTENT)


def deferring(serve, count):
    """A server with so many deferred mails, and the port where one could take them."""
    port = free_port()
    server = serve(CONFIG % port).start()
    for i in range(count):
        hand_in(server, f"user{i}@b.example")
    assert wait_until(lambda: len(re.findall("status=deferred", server.log())) == count)
    return server, port


def test_both_spellings_of_a_domain(serve):
    """Whichever the mail has, and whichever is typed."""
    server = serve(CONFIG % free_port()).start()
    spellings = ["b\u00fccher.example", "xn--bcher-kva.example"]
    with smtplib.SMTP("127.0.0.1", server.port) as client:
        client.ehlo()
        for domain in [*spellings, "bucher.example"]:
            client.sendmail("bob@out.example", ["ann@" + domain], CONTENT, ["SMTPUTF8", "BODY=8BITMIME"])
    assert wait_until(lambda: len(listed(server, "--status", "deferred")) == 3)
    for typed in [*spellings, "B\u00dcCHER.example"]:
        assert len(listed(server, "--domain", typed)) == 2, typed
        assert len(listed(server, "--to", "@" + typed)) == 2, typed
        assert queue(server, "hold", "--domain", typed, "--yes")[1].startswith("hold: 2 messages")
    assert len(listed(server, "--status", "held")) == 2


def test_list_and_filters(serve):
    server, _ = deferring(serve, 3)
    hand_in(server, "zoe@c.example", sender="max@out.example")
    assert wait_until(lambda: len(listed(server, "--status", "deferred")) == 4)
    assert len(listed(server, "--domain", "b.example")) == 3
    assert [m["from"] for m in listed(server, "--to", "zoe@c.example")] == ["max@out.example"]
    assert len(listed(server, "--from", "@out.example")) == 4
    assert len(listed(server, "--reason", "connection REFUSED")) == 4
    assert not listed(server, "--reason", "no such reason")
    assert not listed(server, "--older", "1h")
    assert len(listed(server, "--limit", "2")) == 2
    status, text = queue(server, "list")
    assert status == 0 and text.startswith("-Queue ID-") and "-- 6 Kbytes in 4 Requests." in text
    assert "(host 127.0.0.1" in text and "zoe@c.example" in text


def test_cat_is_the_message(serve):
    server, _ = deferring(serve, 1)
    ident = listed(server)[0]["id"]
    status, text = queue(server, "cat", ident)
    assert status == 0 and text.encode().endswith(CONTENT)
    assert queue(server, "cat", "BBBBBBBBBBBB")[0] == 65


def test_hold_survives_a_crash_and_release_ends_it(serve):
    server, port = deferring(serve, 2)
    ident = listed(server)[0]["id"]
    assert queue(server, "hold", ident) == (0, "hold: 1 message\n")
    server.kill_all()
    server.start()
    assert wait_until(lambda: all(f'"{status}"' in queue(server, "list", "--json")[1]
                                  for status in ("held", "deferred")))  # all is read
    mx = FakeMx(port=port)
    assert wait_until(lambda: queue(server, "retry", "--domain", "b.example", "--yes")[0] == 0)
    assert wait_until(lambda: len(mx.mails) == 1)
    time.sleep(0.3)
    assert len(mx.mails) == 1
    assert wait_until(lambda: [m["rcpts"][0]["status"] for m in listed(server)] == ["held"])
    assert queue(server, "release", ident)[0] == 0
    assert wait_until(lambda: len(mx.mails) == 2)
    assert wait_until(lambda: not listed(server))
    assert queue(server, "list") == (0, "Mail queue is empty\n")  # as Postfix's, for who looks for it
    assert queue(server, "list", "--to", "x@b.example") == (0, "No mail in the queue is such\n")
    mx.close()


def test_more_large_mails_are_bounced_than_files_may_be_open(serve):
    server = serve(CONFIG % free_port()).start()
    content = b"Subject: large\r\n\r\n" + (b"y" * 76 + b"\r\n") * 2000  # a file of its own
    with smtplib.SMTP("127.0.0.1", server.port) as client:
        for i in range(150):
            client.sendmail("bob@out.example", [f"user{i}@b.example"], content)
    assert wait_until(lambda: len(re.findall("status=deferred", server.log())) == 150)
    courier = [pid for pid, role in server.roles() if role == "courier"][0]
    users.limit(courier, resource.RLIMIT_NOFILE, 120)
    assert queue(server, "bounce", "--domain", "b.example", "--yes") == (
        0, "bounce: 150 messages\n")
    assert not listed(server, "--domain", "b.example")
    server.wait_mail("bob", "out.example", 150)


def test_bounce_reports_and_delete_does_not(serve):
    server, _ = deferring(serve, 2)
    first, second = [message["id"] for message in listed(server)]
    assert queue(server, "delete", first)[0] == 0
    assert queue(server, "bounce", second)[0] == 0
    report = server.wait_mail("bob", "out.example")[0]
    assert b"the administrator returned this message" in report.replace(b"\n", b" ")
    assert wait_until(lambda: not listed(server))
    assert wait_until(lambda: "status=deleted" in server.log())


def test_acts_by_filter_ask_first(serve):
    server, _ = deferring(serve, 2)
    status, text = queue(server, "delete", "--domain", "b.example")
    assert status == 64 and "would delete 2 messages" in text and "--yes" in text
    status, text = queue(server, "delete")
    assert status == 64 and "which messages" in text
    assert len(listed(server)) == 2
    assert queue(server, "delete", "--domain", "b.example", "--yes") == (0, "delete: 2 messages\n")
    assert wait_until(lambda: not listed(server))


def test_status_and_mailq(serve, tmp_path):
    server, _ = deferring(serve, 1)
    conf = os.path.join(server.folder, "postroad.conf")
    status, text = run(BINARY, "status", "-c", conf)
    assert status == 0 and "1 messages in the queue" in text
    os.symlink(BINARY, tmp_path / "mailq")
    status, text = run(tmp_path / "mailq", "-c", conf)
    assert status == 0 and "-- 2 Kbytes in 1 Request." in text
    assert server.stop() == 0
    status, text = run(BINARY, "status", "-c", conf)
    assert status == 69 and "is it running?" in text


def test_a_caller_that_never_reads_holds_up_nobody(serve):
    import socket
    server, port = deferring(serve, 30)
    with socket.socket(socket.AF_UNIX) as caller:
        caller.connect(os.path.join(server.folder, "queue", "courier.sock"))
        for _ in range(2000):
            caller.setblocking(False)
            try:
                caller.send(b"list\n")
            except BlockingIOError:
                break
        assert len(listed(server)) == 30
        mx = FakeMx(port=port)
        assert queue(server, "retry", "--domain", "b.example", "--yes")[0] == 0
        assert wait_until(lambda: len(mx.mails) == 30)
        mx.close()


def test_nonsense_is_answered(serve):
    import socket
    server, _ = deferring(serve, 1)
    for nonsense in b"\n", b"hello\n", b"list =\n", b"cat id=x\n", b"hold id=zz\n", b"\xff\x00\n":
        with socket.socket(socket.AF_UNIX) as caller:
            caller.connect(os.path.join(server.folder, "queue", "courier.sock"))
            caller.sendall(nonsense)
            assert caller.recv(1000).startswith(b"error text="), nonsense
    assert len(listed(server)) == 1


def test_a_choice_that_says_nothing_chooses_nobody(serve):
    """postroad queue delete "$UNSET" must not empty the queue, nor a request cut short."""
    import socket
    server, _ = deferring(serve, 2)
    for words in ([""], ["", "BBBBBBBBBBBB"], ["--from", "", "--yes"], ["--reason=", "--yes"],
                  ["x" * 20] * 1000):
        status, text = queue(server, "delete", *words)
        assert status in (64, 65), (words[0], status, text)
    for request in (b"delete\n", b"delete id=\n", b"delete from=\n", b"delete form=bob\n",
                    b"delete older=x\n", b"delete limit=x domain=b.example\n", b"hold id=,\n",
                    b"delete from=a from=\n", b"delete status=defered\n",
                    b"delete older=99999999999999999999\n"):
        with socket.socket(socket.AF_UNIX) as caller:
            caller.connect(os.path.join(server.folder, "queue", "courier.sock"))
            caller.sendall(request)
            assert caller.recv(1000).startswith(b"error text="), request
    assert queue(server, "delete", "--older", "99999999999999s", "--yes") == \
        (0, "delete: 0 messages\n")
    assert len(listed(server)) == 2


def test_an_answer_that_breaks_off_is_told_as_such(serve):
    import socket
    import threading
    server, _ = deferring(serve, 1)
    assert server.stop() == 0
    with socket.socket(socket.AF_UNIX) as nobody:
        path = os.path.join(server.folder, "queue", "courier.sock")
        if os.path.exists(path):
            os.unlink(path)
        nobody.bind(path)
        nobody.listen()
        threading.Thread(target=lambda: nobody.accept()[0].close(), daemon=True).start()
        status, text = queue(server, "list", "--json")
    assert status == 69 and "hears too many" in text and "is it running" not in text


def test_idle_callers_make_room(serve):
    """Forgotten terminals keep nobody out: who was silent longest goes."""
    import socket
    server, _ = deferring(serve, 1)
    path = os.path.join(server.folder, "queue", "courier.sock")
    callers = [socket.socket(socket.AF_UNIX) for _ in range(40)]
    for caller in callers:
        caller.connect(path)
    for _ in range(3):
        assert len(listed(server)) == 1
    assert callers[0].recv(10) == b""
    callers[-1].sendall(b"count limit=1\n")
    assert callers[-1].recv(100) == b"ok count=1\n"
    for caller in callers:
        caller.close()


def test_a_line_without_end(serve):
    import socket
    server, _ = deferring(serve, 1)
    with socket.socket(socket.AF_UNIX) as caller:
        caller.connect(os.path.join(server.folder, "queue", "courier.sock"))
        caller.settimeout(60)
        caller.sendall(b"x" * 16 * 1024)
        assert caller.recv(1000).startswith(b"error text=")
        assert caller.recv(1000) == b""
    assert len(listed(server)) == 1


def test_two_requests_in_one_write(serve):
    import socket
    server, _ = deferring(serve, 1)
    with socket.socket(socket.AF_UNIX) as caller:
        caller.connect(os.path.join(server.folder, "queue", "courier.sock"))
        caller.settimeout(60)
        ident = listed(server)[0]["id"]
        caller.sendall(f"hold id={ident}\ncount limit=5\nrelease id={ident}\nstatus\n".encode())
        text = b""
        while text.count(b"ok count=") < 4:
            text += caller.recv(1000)
    assert text.startswith(b"ok count=1\n" * 3) and b"queue messages=1" in text


def test_what_is_being_tried_is_left_alone(serve):
    import threading
    port, answer = free_port(), threading.Event()
    mx = FakeMx(lambda verb, line, session: answer.wait(300) and None if verb == "DOT" else None,
                port=port)
    server = serve(CONFIG % port).start()
    hand_in(server, "ann@b.example")
    assert wait_until(lambda: "DATA" in mx.lines)
    ident = listed(server)[0]["id"]
    assert queue(server, "delete", ident) == (65, "delete: 0 messages\n")
    answer.set()
    assert wait_until(lambda: "status=sent" in server.log())
    mx.close()


def test_no_words_of_a_server_move_the_terminal(serve):
    port = free_port()
    mx = FakeMx(lambda verb, line, session: "450 4.2.0 grüß \x9b2J\x1b[2J Gott" if verb == "RCPT"
                else None, port=port)
    server = serve(CONFIG % port).start()
    hand_in(server, "ann@b.example")
    assert wait_until(lambda: "status=deferred" in server.log())
    _, text = queue(server, "list")
    assert "grüß" in text and "\x9b" not in text and "\x1b" not in text, text
    mx.close()


def test_a_rule_holds_what_a_person_lets_go(serve):
    """`hold` is an accept whose mail waits, through restarts, until somebody looked at it."""
    server = serve(CONFIG.replace("accept to", "hold sender domain odd.example to domain out.example "
                                  "deliver maildir {folder}/data/mail/{domain}/{user}\naccept to", 1)
                   % free_port()).start()
    hand_in(server, "ann@out.example", sender="eve@odd.example")
    hand_in(server, "joe@out.example")
    server.wait_mail("joe", "out.example")
    assert wait_until(lambda: [m["rcpts"][0]["status"] for m in listed(server)] == ["held"])
    (mail,) = listed(server)
    line = re.compile(mail["id"] + r": hold: RCPT from unknown\[127.0.0.1\]: <ann@out.example>: "
                      r"Recipient address triggers HOLD action; from=<eve@odd.example> "
                      r"to=<ann@out.example> proto=ESMTP helo=<[^>]*> rule=(\S+)")
    assert wait_until(lambda: line.search(server.log())), server.log()
    rule = line.search(server.log())[1]
    assert rule.endswith("postroad.conf:7"), rule
    assert mail["rcpts"][0]["reason"] == "held by " + rule
    server.kill_all()
    server.start()
    assert wait_until(lambda: queue(server, "list")[0] == 0)
    assert wait_until(lambda: [m["rcpts"][0]["status"] for m in listed(server)] == ["held"])
    assert server.mails("ann", "out.example") == []
    assert queue(server, "release", mail["id"])[0] == 0
    server.wait_mail("ann", "out.example")
    assert wait_until(lambda: listed(server) == [])


def test_which_server_is_meant_when_nobody_says(serve, tmp_path):
    """The `dev` of who asks, if it runs; else the server of /etc/postroad/postroad.conf."""
    server = serve(CONFIG % 9).start()
    assert wait_until(lambda: server.queued() is not None)
    away = ["unshare", "-m", "sh", "-c", 'mount -t tmpfs none /etc && mkdir /etc/postroad && '
            'cp "$1" /etc/postroad/postroad.conf && shift && exec "$@"', "sh",
            os.path.join(server.folder, "postroad.conf")]
    home = {key: value for key, value in os.environ.items() if not key.startswith("POSTROAD_")}
    home["HOME"] = home["XDG_STATE_HOME"] = str(tmp_path / "home")
    if run(*away, "true")[0] != 0:
        pytest.skip("this machine does not let us mount")
    status, said = run(*away, BINARY, "status", env=home)
    assert status == 0, said
    assert server.stop() == 0
    status, said = run(*away, BINARY, "status", env=home)
    assert status == 69 and f"{server.folder}/queue/courier.sock" in said
