"""Domains that a person pauses, and why a message waits: `queue pause`, `resume`, `why`."""
import json
import re
import threading
import time

from fake_mx import FakeMx
from server import wait_until
from test_queue import CONFIG, deferring, hand_in, listed, queue


def answers(server):
    """Mail is taken in before the courier listens to people."""
    assert wait_until(lambda: queue(server, "list")[0] == 0)


def pauses(server):
    return [line for line in listed(server) if "paused" in line]


def statuses(server):
    return sorted(r["status"] for m in listed(server) if "rcpts" in m for r in m["rcpts"])


def test_a_paused_domain_waits_restarts_or_not_and_goes_on(serve):
    server, port = deferring(serve, 2)
    assert queue(server, "pause")[0] == 64
    assert queue(server, "pause", "--domain", "-nonsense-")[0] == 65
    assert queue(server, "pause", "--domain", "b.example", "--for", "soon")[0] == 64
    status, text = queue(server, "pause", "--domain", "B.example", "--for", "2h")
    assert status == 0 and re.fullmatch(r"paused: b\.example until \d\d:\d\d \(0 messages wait\)\n",
                                        text), text
    mx = FakeMx(port=port)
    hand_in(server, "new@b.example", "zoe@c.example")  # one message, one of its recipients waits
    assert queue(server, "retry", "--from", "bob@out.example", "--yes")[0] == 0
    assert wait_until(lambda: [rcpts for _, rcpts, _ in mx.mails] == [["RCPT TO:<zoe@c.example>"]])
    assert wait_until(lambda: statuses(server) == ["paused"] * 3)
    assert len(listed(server, "--status", "paused")) == 4  # the pause itself is the first line
    server.kill_all()
    server.start()
    answers(server)
    assert wait_until(lambda: pauses(server)[0]["messages"] == 1)
    assert wait_until(lambda: statuses(server) == ["deferred"] * 2 + ["paused"])  # by their times
    hand_in(server, "newer@b.example")
    assert queue(server, "retry", "--status", "deferred", "--yes")[0] == 0
    assert wait_until(lambda: pauses(server)[0]["messages"] == 4)
    first = pauses(server)[0]
    assert first["paused"] == "b.example" and 7000 < first["until"] - time.time() <= 7200
    status, text = queue(server, "list")
    lines = text.splitlines()
    assert re.fullmatch(r"paused: b\.example until \d\d:\d\d \(4 messages wait\)", lines[0])
    assert lines[1].startswith("-Queue ID-") and "[paused]" in text
    assert len(mx.mails) == 1
    status, text = queue(server, "resume", "--domain", "b.example")
    assert status == 0 and text.startswith("no longer paused: b.example"), text
    assert wait_until(lambda: len(mx.mails) == 5)
    assert wait_until(lambda: not listed(server))
    assert queue(server, "resume", "--domain", "b.example")[0] == 65
    mx.close()


def test_a_pause_ends_by_itself_and_holds_mailboxes_too(serve):
    server, _ = deferring(serve, 0)
    answers(server)
    assert queue(server, "pause", "--domain", "out.example", "--for", "8s")[0] == 0
    assert queue(server, "pause", "--domain", "b.example")[1] == \
        "paused: b.example (0 messages wait)\n"
    hand_in(server, "ann@out.example")
    assert wait_until(lambda: statuses(server) == ["paused"])
    assert not server.mails("ann", "out.example")
    assert [line["paused"] for line in pauses(server)] == ["out.example", "b.example"]
    server.wait_mail("ann", "out.example")
    assert [line["paused"] for line in pauses(server)] == ["b.example"]


def test_mail_that_stands_in_line_is_paused_too(serve):
    """A slow destination: most of its mail waits for a connection when the pause begins."""
    gate = threading.Event()
    mx = FakeMx(lambda verb, line, session: gate.wait(300) and None if verb == "MAIL" else None)
    server = serve(CONFIG % mx.port).start()
    for i in range(30):
        hand_in(server, f"user{i}@b.example")
    assert wait_until(lambda: mx.connections == 5)
    assert queue(server, "pause", "--domain", "b.example")[0] == 0
    gate.set()
    assert wait_until(lambda: pauses(server)[0]["messages"] == 25)
    assert wait_until(lambda: len(mx.mails) == 5)  # those that were on their way
    ident = listed(server, "--limit", "1")[1]["id"]
    assert queue(server, "delete", ident)[0] == 0
    assert wait_until(lambda: pauses(server)[0]["messages"] == 24)
    assert queue(server, "resume", "--domain", "b.example")[0] == 0
    assert wait_until(lambda: len(mx.mails) == 29)
    mx.close()


def test_why_a_message_waits(serve):
    server, port = deferring(serve, 3)  # three failures: the destination is down
    ident = listed(server)[0]["id"]
    status, text = queue(server, "why", ident)
    assert status == 0 and ident in text, text
    assert re.search(r"\nuser\d@b\.example: deferred, 1 attempt failed, next try in \d+ s\n", text)
    assert re.search(r"last failure +\(?host 127\.0\.0\.1.*Connection refused", text), text
    assert re.search(r"down +for \d+ s more: .*Connection refused", text), text
    assert re.search(r"goes by +relay next\n  rule +.*/postroad\.conf:8\n", text), text
    queue(server, "pause", "--domain", "b.example")
    hand_in(server, "new@b.example", "ann@out.example")
    assert wait_until(lambda: "paused" in statuses(server) and server.mails("ann", "out.example"))
    ident = [m["id"] for m in listed(server, "--to", "new@b.example") if "id" in m][0]
    # It lies in the mailbox before that is noted.
    text = wait_until(lambda: "ann@out.example" not in (said := queue(server, "why", ident)[1]) and said)
    assert text and "new@b.example: paused, 0 attempts failed" in text
    assert re.search(r"paused +until it is resumed", text), text
    told = json.loads(queue(server, "why", "--json", ident)[1])
    assert told["rcpts"][0]["way"] == "relay next" and told["rcpts"][0]["paused"] == "b.example"
    assert queue(server, "why")[0] == 64 and queue(server, "why", "BBBBBBBBBBBB")[0] == 65
