"""How many may come, how often, and how much they may send: by address, network and account."""
import base64
import os
import re
import resource
import select
import signal
import smtplib
import socket

import pytest

from conftest import within_an_hour
from server import wait_until
from test_reload import reload
from test_submission import CONFIG as SUBMISSION
from test_submission import connect, start

CONFIG = """
hostname mx.example.org
postmaster ann@example.org
listen mx 127.0.0.1:{port}
queue {folder}/queue { min-free 10M }
accept to domain example.org deliver maildir {folder}/data/mail/{domain}/{user}
"""


class Client:
    """A raw connection from an address of its own, and what it was greeted with."""

    def __init__(self, server, source):
        self.socket = socket.create_connection(("127.0.0.1", server.port), 60, (source, 0))
        self.file = self.socket.makefile("rb")
        self.greeting = self.file.readline()

    def say(self, line):
        self.socket.sendall(line + b"\r\n")
        return self.file.readline()

    def hello(self):
        self.socket.sendall(b"EHLO c.example\r\n")
        while self.file.readline()[3:4] == b"-":
            pass
        return self

    def is_in(self):
        return self.greeting.startswith(b"220 ")

    def close(self):
        self.file.close()
        self.socket.close()


def logs(server, text):
    assert wait_until(lambda: text in server.log()), server.log()[-2000:]


def too_many(source):
    return f"421 4.7.0 mx.example.org Error: too many connections from {source}\r\n".encode()


def fill(server, source, count):
    """So many at a time, once those that left are gone; then one too many is refused."""
    held = []

    def enough():
        if len(held) == count:
            return True
        try:
            client = Client(server, source)
        except OSError:
            return False
        if client.is_in():
            held.append(client)
        return len(held) >= count
    assert wait_until(enough)
    assert Client(server, source).greeting == too_many(source)
    return held


def comes_in(server, source):
    """One more is let in, and leaves."""
    client = Client(server, source)
    client.close()
    return client.is_in()


def is_gone(client):
    """It was closed, perhaps with a last word."""
    watch = select.poll()
    watch.register(client.socket, select.POLLRDHUP)
    return bool(watch.poll(0))


@pytest.fixture
def crowded(serve):
    return serve(CONFIG + "limit from network 127.5.0.0/16 { connections 5; network-connections 8 }\n").start()


def test_connections_at_a_time(crowded):
    first = [Client(crowded, "127.5.0.1") for _ in range(5)]
    assert all(client.is_in() for client in first)
    refused = Client(crowded, "127.5.0.1")
    assert refused.greeting == too_many("127.5.0.1") and refused.file.read() == b""
    others = [Client(crowded, f"127.5.0.{i}") for i in (2, 2, 3)]
    assert all(client.is_in() for client in others)
    assert Client(crowded, "127.5.0.9").greeting == too_many("127.5.0.9")  # the /24 is full
    assert Client(crowded, "127.5.1.9").is_in()
    others[0].close()
    assert wait_until(lambda: comes_in(crowded, "127.5.0.9"))
    for client in first + others:
        client.close()
    fill(crowded, "127.5.0.1", 5)
    logs(crowded, "warning: Connection concurrency limit exceeded: 6 from unknown[127.5.0.1] for service smtpd")
    logs(crowded, "exceeded: 9 from the network of unknown[127.5.0.9] for service smtpd")
    assert crowded.log().count("exceeded: 6 from") == 1


def test_this_machine_is_not_limited(crowded):
    assert all(client.is_in() for client in [Client(crowded, "127.0.0.1") for _ in range(210)])


def test_a_killed_receiver_leaks_no_count(serve):
    """Its connections are gone with it. Fifty is usual."""
    server = serve(CONFIG + "limit from network 127.5.0.0/16 { rate unlimited; network-rate unlimited }\n").start()
    for _ in range(3):
        held = fill(server, "127.5.0.1", 50)
        for pid in [pid for pid, role in server.roles() if role == "receiver"]:
            os.kill(pid, signal.SIGKILL)
        assert wait_until(lambda: all(is_gone(client) for client in held))
        for client in fill(server, "127.5.0.1", 50):
            client.close()


def test_one_killed_of_several(crowded):
    """What the others hold still counts."""
    held = [Client(crowded, "127.5.0.1") for _ in range(5)]
    receivers = [pid for pid, role in crowded.roles() if role == "receiver"]
    os.kill(receivers[0], signal.SIGKILL)
    assert wait_until(lambda: len([pid for pid, role in crowded.roles() if role == "receiver"]) == len(receivers)
                      and receivers[0] not in dict(crowded.roles()))
    gone = sum(is_gone(client) for client in held)
    fill(crowded, "127.5.0.1", gone)


def test_rates(serve):
    within_an_hour()
    server = serve(CONFIG + "limit from network 127.5.0.0/24 { rate 3/h }\n"
                   "limit from network 127.5.1.0/24 { network-rate 3/h; connections unlimited }\n").start()
    answers = [comes_in(server, "127.5.0.1") for _ in range(3 + 8)]
    assert answers[:3] == [True] * 3 and not any(answers[-4:])
    assert comes_in(server, "127.5.0.2")
    answers = [comes_in(server, f"127.5.1.{i}") for i in range(1, 3 + 8)]
    assert answers[:3] == [True] * 3 and not any(answers[-4:])
    logs(server, "Connection rate limit exceeded: 4 from unknown[127.5.0.1] for service smtpd")


def test_messages_recipients_and_errors(serve):
    within_an_hour()
    server = serve(CONFIG + "limit from network 127.5.0.0/16 { messages 2/h; recipients 3/h; errors 4 }\n").start()
    one, other = Client(server, "127.5.0.1").hello(), Client(server, "127.5.0.2").hello()
    assert one.say(b"MAIL FROM:<a@b.example>")[:3] == b"250"
    assert [one.say(b"RCPT TO:<u%d@example.org>" % i)[:3] for i in range(3)] == [b"250"] * 3
    assert one.say(b"RCPT TO:<u4@example.org>") == \
        b"450 4.7.1 <u4@example.org>: Recipient address rejected: 127.5.0.1 has reached the limit of " \
        b"3 recipients an hour; try again later\r\n"
    assert one.say(b"RSET")[:3] == b"250" and one.say(b"MAIL FROM:<a@b.example>")[:3] == b"250"
    assert one.say(b"RSET")[:3] == b"250"
    assert one.say(b"MAIL FROM:<a@b.example>") == \
        b"450 4.7.1 Error: too much mail from 127.5.0.1: the limit is 2 messages an hour; try again later\r\n"
    assert other.say(b"MAIL FROM:<a@b.example>")[:3] == b"250"
    assert [other.say(b"NONSENSE")[:3] for _ in range(4)] == [b"500"] * 4
    assert other.say(b"NONSENSE") == b"421 4.7.0 mx.example.org Error: too many errors\r\n"
    logs(server, "warning: unknown[127.5.0.1] has reached its limit of 2 messages in 3600 s")


def test_an_account(serve, tmp_path):
    within_an_hour()
    server = start(serve, tmp_path, SUBMISSION +
                   "limit from user bob@example.org { connections 2; messages 3/h; errors 2 }\n")
    held = [connect(server, "CLEAR") for _ in range(3)]
    for client in held[:2]:
        client.login("bob@example.org", "bobs")
    plain = base64.b64encode(b"\0bob@example.org\0bobs").decode()
    assert held[2].docmd("AUTH", "PLAIN " + plain) == \
        (421, b"4.7.0 mx.example.org Error: too many connections from account bob@example.org")
    held[0].quit()

    def again():
        client = connect(server, "CLEAR")
        try:
            client.login("bob@example.org", "bobs")
            return client
        except smtplib.SMTPException:
            return None
    third = wait_until(again)
    codes = []
    for _ in range(4):
        codes.append(third.mail("bob@example.org")[0])
        third.rset()
    assert codes == [250, 250, 250, 450]
    assert [third.docmd("NONSENSE")[0] for _ in range(3)] == [500, 500, 421]
    assert connect(server, "CLEAR").login("ann@example.org", "secret")[0] == 235


def listeners(port):
    with open("/proc/net/tcp") as table:
        lines = [line.split() for line in table][1:]
    return {f"socket:[{line[9]}]" for line in lines if line[3] == "0A" and int(line[1].split(":")[1], 16) == port}


def accepts(pid, port):
    """Does it wait for connections to that port?"""
    folder, sockets = f"/proc/{pid}/fd", listeners(port)
    try:
        open_ones = {fd: os.readlink(f"{folder}/{fd}") for fd in os.listdir(folder)}
        watched = "".join(open(f"{folder}info/{fd}").read() for fd, what in open_ones.items() if "eventpoll" in what)
    except OSError:
        return False
    return any(re.search(rf"^tfd:\s+{fd}\b", watched, re.MULTILINE) for fd, what in open_ones.items() if what in sockets)


def with_few_sessions(server):
    """Its receivers have 40 sessions each, 35 of them for strangers. How many receivers?"""
    files = 64 + 40
    resource.prlimit(server.process.pid, resource.RLIMIT_NOFILE, (files, files))
    before = [pid for pid, role in server.roles() if role == "receiver"]
    for pid in before:
        os.kill(pid, signal.SIGKILL)

    def all_accept():
        now = [pid for pid, role in server.roles() if role == "receiver" and pid not in before]
        return len(now) == len(before) and all(accepts(pid, server.port) for pid in now)
    assert wait_until(all_accept)
    return len(before)


@pytest.fixture
def small(serve, tmp_path):
    server = start(serve, tmp_path, SUBMISSION + "limit from network 127.4.0.0/14 { connections 1000; rate unlimited; "
                   "network-connections unlimited; network-rate unlimited }\n"
                   "limit from network 127.8.0.0/13 { connections 1000; rate unlimited }\n")
    server.receivers = with_few_sessions(server)
    return server


def send(client):
    """The reply to a whole mail, or the 421 that came instead."""
    answer = client.greeting
    if client.is_in():
        client.hello()
        for line in (b"MAIL FROM:<a@b.example>", b"RCPT TO:<ann@example.org>", b"DATA", b"Subject: x\r\n\r\nx\r\n."):
            answer = client.say(line)
    return answer


def try_to_send(server, source):
    client = Client(server, source)
    answer = send(client)
    client.close()
    return answer


# Which receiver a connection comes to is the kernel's choice, as long as both have room.
BUSY = b"421 4.3.2 mx.example.org All server ports are busy: try again later\r\n"


def test_a_crowd_makes_room(small):
    """Who comes from a network that holds nearly all sessions is refused; a single one is not."""
    known = [connect(small, "CLEAR") for _ in range(3)]
    for client in known[:2]:
        client.login("ann@example.org", "secret")  # the third is of this machine, which has no limits
    crowd = [Client(small, f"127.5.0.{1 + i % 200}") for i in range(40 * small.receivers + 40)]
    inside = [client for client in crowd if client.is_in()]
    assert len(inside) <= 35 * small.receivers
    assert {client.greeting for client in crowd if not client.is_in()} == {BUSY}
    count = 0

    def one_is_gone():
        nonlocal count
        count += 1
        assert try_to_send(small, f"127.6.{count % 250}.1")[:3] == b"250"
        return any(is_gone(client) for client in inside)
    assert wait_until(one_is_gone)
    for _ in range(40):
        one_is_gone()
    gone = [client for client in inside if is_gone(client)]
    assert len(gone) <= count and len(gone) < len(inside)
    assert {client.file.readline() for client in gone} == {BUSY}
    assert all(client.noop()[0] == 250 for client in known)
    logs(small, "made way for others after CONNECT from unknown[127.5.0.")


def test_a_crowd_of_single_ones_is_turned_over(small):
    crowd = [Client(small, f"127.{10 + i // 200}.{i % 200}.1") for i in range(40 * small.receivers + 40)]
    assert all(client.is_in() for client in crowd)
    room = 35 * small.receivers
    assert wait_until(lambda: sum(not is_gone(client) for client in crowd) <= room)
    for i in range(40):
        assert try_to_send(small, f"127.6.{i}.1")[:3] == b"250"
    assert {client.file.readline() for client in crowd if is_gone(client)} <= {b"", BUSY}


def test_this_machine_leaves_room_for_others(small):
    """However many connections it opens, from however many addresses, with a mail by each."""
    programs = [Client(small, f"127.0.{i % 250}.1") for i in range(40 * small.receivers + 40)]
    inside = [client for client in programs if client.is_in()]
    assert 20 <= len(inside) <= 20 * small.receivers
    assert {client.greeting for client in programs if not client.is_in()} == {BUSY}
    assert all(send(client)[:3] == b"250" for client in inside)
    more = [Client(small, "127.0.0.1") for _ in range(40 * small.receivers)]
    assert len(inside) + sum(client.is_in() for client in more) <= 20 * small.receivers
    for i in range(40 * small.receivers):
        assert try_to_send(small, f"127.6.{i}.1")[:3] == b"250"
    strangers = [Client(small, f"127.{10 + i // 200}.{i % 200}.1") for i in range(40 * small.receivers)]
    assert all(client.is_in() for client in strangers)  # and their turn comes, not that of the programs
    assert wait_until(lambda: any(is_gone(client) for client in strangers))
    assert all(client.say(b"NOOP")[:3] == b"250" for client in inside)
    for client in inside + more:
        client.close()
    assert wait_until(lambda: comes_in(small, "127.0.0.1"))


def singles(server, count, first=0):
    return [Client(server, f"127.{10 + i // 200}.{i % 200}.1") for i in range(first, first + count)]


@pytest.mark.parametrize("each, come", [
    (35, singles),
    (35, lambda server, count: [Client(server, f"127.5.0.{1 + i}") for i in range(count)]),  # one crowd
    (20, lambda server, count: [Client(server, "127.0.0.1") for _ in range(count)]),
])
def test_who_is_full_leaves_it_to_others(small, each, come):
    """Whichever of them the kernel likes best: nobody is refused, or cut off, while one has room."""
    held = come(small, each * small.receivers)
    assert all(client.is_in() for client in held)
    assert not any(is_gone(client) for client in held)
    if come is not singles:
        assert come(small, 1)[0].greeting == BUSY  # all are full, and say so
    for i in range(30):
        assert try_to_send(small, f"127.6.{i}.1")[:3] == b"250"


def test_room_is_used_again(small):
    """By the one that has it, though it had left accepting to others."""
    for first in range(0, 400, 100):
        held = singles(small, 35 * small.receivers, first)
        assert all(client.is_in() for client in held)
        assert not any(is_gone(client) for client in held)
        assert reload(small, small.config)[0] == 0 if first == 200 else True
        for client in held:
            client.say(b"QUIT")
            client.close()


def is_stopped(pid):
    with open(f"/proc/{pid}/stat") as line:
        return line.read().rpartition(")")[2].split()[0] == "T"


def test_a_promise_of_room_that_is_not_kept(small):
    """A process that was stopped says still that it has room: nobody waits for ever for it."""
    receivers = [pid for pid, role in small.roles() if role == "receiver"]
    for pid in receivers[1:]:
        os.kill(pid, signal.SIGSTOP)
        assert wait_until(lambda: is_stopped(pid))  # before, the kernel might wake it for a client
    try:
        held = singles(small, 35)
        assert all(client.is_in() for client in held)
        for i in range(5):
            assert try_to_send(small, f"127.6.{i}.1")[:3] == b"250"
    finally:
        for pid in receivers[1:]:
            os.kill(pid, signal.SIGCONT)


def test_a_reload_changes_the_limit(serve):
    """Those who are there already count."""
    limit = "limit from network 127.5.0.0/16 {{ connections {} }}\n"
    server = serve(CONFIG + limit.format(2)).start()
    held = fill(server, "127.5.0.1", 2)
    assert reload(server, CONFIG + limit.format(4))[0] == 0
    held += fill(server, "127.5.0.1", 2)
    assert reload(server, CONFIG + limit.format(1))[0] == 0
    assert Client(server, "127.5.0.1").greeting == too_many("127.5.0.1")
    assert not any(is_gone(client) for client in held)
