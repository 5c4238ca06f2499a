"""Mail that goes on to other servers: to a second postroad by SMTP and LMTP, and to servers that
misbehave. What each of them costs is one line of the log, never a mail."""
import os
import re
import resource
import shutil
import signal
import smtplib
import socket
import tempfile
import threading
import time

import pytest
import users

from conftest import CONTENT, EIGHT_BIT, SENDER, run
from fake_mx import FakeMx
from server import BINARY, Server, as_sent, free_port, wait_until

OUT = """
hostname out.example
listen mx 127.0.0.1:{port}
queue {folder}/queue { min-free 10M }
postmaster admin@out.example
relay next { host %s; retry 1s 2s; tls off }
accept to domain out.example deliver maildir {folder}/data/mail/{domain}/{user}
%s
accept from local to any relay next
"""


def relay_to(serve, *hosts, extra=""):
    return serve(OUT % (" ".join(hosts), extra)).start()


def hand_in(server, content=CONTENT, *rcpts, sender=SENDER):
    with smtplib.SMTP("127.0.0.1", server.port) as client:
        client.sendmail(sender, list(rcpts) or ["ann@b.example"], content,
                        mail_options=["BODY=8BITMIME"] if any(b > 127 for b in content) else [])


def one_log_line(server, pattern, seconds=60):
    found = wait_until(lambda: re.findall(pattern, server.log()), seconds)
    assert found, server.log()[-3000:]
    return found[0]


def without_trace(mail):
    """Off with the one Received field that we put on top."""
    match = re.match(rb"Received: (?:[^\n]*\n[ \t])*[^\n]*\n", mail)
    assert match, mail[:300]
    return mail[match.end():]


@pytest.fixture
def fake():
    made = []

    def make(says=lambda verb, line, session: None):
        made.append(FakeMx(says))
        return made[-1]
    yield make
    for one in made:
        one.close()


@pytest.mark.parametrize("content", [CONTENT, EIGHT_BIT], ids=["traps", "8bit"])
def test_two_hops_change_nothing(serve, tmp_path, content):
    second = Server(tmp_path / "second")
    (tmp_path / "second").mkdir()
    second.start()
    try:
        first = relay_to(serve, f"127.0.0.1:{second.port}")
        hand_in(first, content, "ann@example.org")
        stored = second.wait_mail("ann")[0]
        assert without_trace(as_sent(stored)) == content
    finally:
        assert second.stop() == 0


@pytest.mark.parametrize("where", ["port", "socket"])
def test_lmtp(serve, tmp_path, where, request):
    port = free_port()
    # The courier is a user of its own: who listens lets it in, and the way there is open.
    open_folder = tempfile.mkdtemp(prefix="postroad-lmtp-")
    os.chmod(open_folder, 0o711)
    request.addfinalizer(lambda: shutil.rmtree(open_folder))
    at = f"127.0.0.1:{port}" if where == "port" else f"unix:{open_folder}/lmtp"
    (tmp_path / "second").mkdir()
    second = Server(tmp_path / "second", """
hostname in.example
listen mx 127.0.0.1:{port}
listen lmtp %s
queue {folder}/queue { min-free 10M }
postmaster ann@b.example
accept to address ann@b.example deliver maildir {folder}/data/mail/{domain}/{user}
accept to address zoe@b.example deliver maildir {folder}/data/mail/{domain}/{user}
""" % at).start()
    if where == "socket":
        os.chmod(f"{open_folder}/lmtp", 0o666)
    try:
        first = relay_to(serve, "127.0.0.1:1",
                         extra=f"accept to domain b.example deliver lmtp {at}")
        hand_in(first, CONTENT, "ann@b.example", "nobody@b.example", "zoe@b.example")
        for user in "ann", "zoe":
            assert without_trace(as_sent(second.wait_mail(user, "b.example")[0])) == CONTENT
        assert "nobody" in one_log_line(first, r"postroad/lmtp.*status=bounced.*")
    finally:
        assert second.stop() == 0


def test_recipients_share_a_transaction_and_connections_are_kept(serve, fake):
    mx = fake()
    first = relay_to(serve, f"127.0.0.1:{mx.port}")
    hand_in(first, CONTENT, "a@b.example", "b@b.example", "c@other.example")
    assert wait_until(lambda: len(re.findall("status=sent", first.log())) == 3)
    hand_in(first, CONTENT, "d@b.example")
    assert wait_until(lambda: len(mx.mails) == 2)
    assert [len(rcpts) for _, rcpts, _ in mx.mails] == [3, 1]
    assert mx.connections == 1


def test_the_next_host_takes_over(serve, fake):
    refuses = fake(lambda verb, line, session: "554 no" if verb == "CONNECT" else None)
    busy = fake(lambda verb, line, session: "421 too busy" if verb == "EHLO" else None)
    takes = fake()
    first = relay_to(serve, f"127.0.0.1:{free_port()}", f"127.0.0.1:{refuses.port}",
                     f"127.0.0.1:{busy.port}", f"127.0.0.1:{takes.port}")
    hand_in(first)
    assert wait_until(lambda: len(takes.mails) == 1)
    assert refuses.connections == busy.connections == 1
    one_log_line(first, "status=sent")


def test_greylisting(serve, fake):
    seen = []

    def says(verb, line, session):
        if verb != "RCPT" or "bob" not in line:
            return None
        seen.append(line)
        return "450 4.7.1 greylisted" if len(seen) == 1 else None
    mx = fake(says)
    first = relay_to(serve, f"127.0.0.1:{mx.port}")
    hand_in(first, CONTENT, "ann@b.example", "bob@b.example")
    assert wait_until(lambda: len(mx.mails) == 2)
    assert [len(rcpts) for _, rcpts, _ in mx.mails] == [1, 1]  # ann gets it once
    assert "450 4.7.1 greylisted (in reply to RCPT)" in one_log_line(first, ".*status=deferred.*")


@pytest.mark.parametrize("step", ["MAIL", "RCPT", "DATA", "BODY", "DOT"])
def test_a_lost_connection_costs_one_retry(serve, fake, step):
    mx = fake(lambda verb, line, session:
              "close" if verb == step and session["tries"] == 1 else None)
    first = relay_to(serve, f"127.0.0.1:{mx.port}")
    hand_in(first)
    assert wait_until(lambda: len(mx.mails) == 1)
    assert without_trace(mx.mails[0][2]) == CONTENT
    assert len(re.findall("status=deferred", first.log())) == 1


@pytest.mark.parametrize("nonsense", ["HTTP/1.1 400 Bad Request", "2x0 hm", "250-" + "x" * 5000,
                                      "\x00\x01\x02", "999 what"])
def test_nonsense_costs_one_retry(serve, fake, nonsense):
    mx = fake(lambda verb, line, session:
              nonsense if verb == "MAIL" and session["tries"] == 1 else None)
    first = relay_to(serve, f"127.0.0.1:{mx.port}")
    hand_in(first)
    assert wait_until(lambda: len(mx.mails) == 1)
    assert len(re.findall("status=deferred", first.log())) == 1


def test_replies_out_of_nowhere_are_not_taken_for_others(serve, fake):
    """A server that answers the message before it has seen its end says nothing about it."""
    mx = fake(lambda verb, line, session: "354 go\r\n250 2.0.0 taken"
              if verb == "DATA" and session["tries"] == 1 else None)
    first = relay_to(serve, f"127.0.0.1:{mx.port}")
    hand_in(first)
    one_log_line(first, "status=deferred")
    assert wait_until(lambda: re.search("status=sent", first.log()))


def test_hostile_replies_stay_in_their_line(serve, fake):
    mx = fake(lambda verb, line, session:
              "550 5.1.1 \x1b[31mred) status=sent\x07" if verb == "RCPT" else None)
    first = relay_to(serve, f"127.0.0.1:{mx.port}")
    hand_in(first)
    line = one_log_line(first, ".*status=bounced.*")
    assert "\x1b" not in line and "\x07" not in line


def test_a_deferral_survives_a_restart(serve, fake):
    mx = fake(lambda verb, line, session: "450 4.2.0 later" if verb == "RCPT" else None)
    first = serve(OUT.replace("retry 1s 2s", "retry 1h") % (f"127.0.0.1:{mx.port}", "")).start()
    hand_in(first)
    one_log_line(first, "status=deferred")
    time.sleep(0.5)  # until its record is synced
    first.kill_all()
    first.start()
    time.sleep(1.5)
    assert mx.connections == 1


def test_what_waits_for_a_dead_server_is_told_once(serve):
    first = relay_to(serve, f"127.0.0.1:{free_port()}")
    hand_in(first)
    line = one_log_line(first, ".*status=deferred.*")
    assert "dsn=4.4.1" in line and "cannot connect: Connection refused" in line, line


def test_mail_that_waits_is_given_up_in_time(serve, fake):
    mx = fake(lambda verb, line, session: "450 4.2.0 never" if verb == "RCPT" else None)
    first = serve(OUT.replace("retry 1s 2s", "retry 1s; give-up 2s") %
                  (f"127.0.0.1:{mx.port}", "")).start()
    hand_in(first)
    line = one_log_line(first, ".*status=bounced.*")
    assert "dsn=5.4.7" in line and "450 4.2.0 never" in line, line
    assert wait_until(lambda: "removed" in first.log())
    assert os.path.isdir(os.path.join(first.folder, "queue"))


def mailed(mx, content, first, *rcpts, **more):
    """What the server there got: (MAIL line, RCPT lines, content without our trace)."""
    hand_in(first, content, *rcpts, **more)
    assert wait_until(lambda: mx.mails), first.log()[-2000:]
    sender, lines, body = mx.mails.pop()
    return sender, lines, without_trace(body)


OLD = {"EHLO": "250 old.example"}
NEW = {"EHLO": "250-new.example\r\n250-8BITMIME\r\n250-SIZE\r\n250-PIPELINING\r\n250 DSN"}


def test_eight_bit_mail_is_converted_for_an_old_server(serve, fake):
    import email
    mx = fake(lambda verb, line, session: OLD.get(verb))
    first = relay_to(serve, f"127.0.0.1:{mx.port}")
    text = "grüße, and a line\r\n.dot\r\n" * 20
    content = ("From: Bob <bob@client.example>\r\nMIME-Version: 1.0\r\n"
               "Content-Type: text/plain; charset=utf-8\r\n"
               "Content-Transfer-Encoding: 8bit\r\n\r\n" + text).encode()
    sender, _, got = mailed(mx, content, first)
    assert "BODY" not in sender and all(byte < 128 for byte in got)
    message = email.message_from_bytes(got)
    assert message["Content-Transfer-Encoding"] in ("quoted-printable", "base64")
    assert message.get_payload(decode=True).decode() == text


def test_what_is_signed_comes_back_instead(serve, fake):
    mx = fake(lambda verb, line, session: OLD.get(verb))
    first = relay_to(serve, f"127.0.0.1:{mx.port}")
    content = ("From: Bob <bob@client.example>\r\nMIME-Version: 1.0\r\n"
               "Content-Type: multipart/signed; boundary=b; micalg=x; protocol=y\r\n\r\n"
               "--b\r\nContent-Type: text/plain; charset=utf-8\r\n"
               "Content-Transfer-Encoding: 8bit\r\n\r\ngrüße\r\n--b\r\n\r\nsignature\r\n--b--\r\n"
               ).encode()
    hand_in(first, content, sender="bob@out.example")
    line = one_log_line(first, ".*status=bounced.*")
    assert "dsn=5.6.3" in line, line
    assert not mx.mails
    assert b"Status: 5.6.3" in first.wait_mail("bob", "out.example")[0]


def test_the_next_host_may_offer_what_this_one_lacks(serve, fake):
    old, new = fake(lambda verb, line, session: OLD.get(verb)), \
        fake(lambda verb, line, session: NEW.get(verb))
    first = relay_to(serve, f"127.0.0.1:{old.port}", f"127.0.0.1:{new.port}")
    content = ("From: Bob <bob@client.example>\r\nMIME-Version: 1.0\r\n"
               "Content-Type: multipart/signed; boundary=b; micalg=x; protocol=y\r\n\r\n"
               "--b\r\nContent-Type: text/plain; charset=utf-8\r\n"
               "Content-Transfer-Encoding: 8bit\r\n\r\ngrüße\r\n--b\r\n\r\nsignature\r\n--b--\r\n"
               ).encode()
    _, _, got = mailed(new, content, first)
    assert got == content and not old.mails


def test_long_lines_are_mended_for_servers_not_for_mailboxes(serve, fake):
    mx = fake(lambda verb, line, session: NEW.get(verb))
    first = relay_to(serve, f"127.0.0.1:{mx.port}")
    content = (b"From: Bob <bob@client.example>\r\nMIME-Version: 1.0\r\n"
               b"Content-Type: text/plain\r\n\r\n" + b"x" * 5000 + b"\r\nend\r\n")
    _, _, got = mailed(mx, content, first)
    assert max(len(line) for line in got.split(b"\r\n")) <= 998
    import email
    assert email.message_from_bytes(got).get_payload(decode=True) == b"x" * 5000 + b"\r\nend\r\n"


def test_reports_are_left_to_a_server_that_makes_them(serve, fake):
    mx = fake(lambda verb, line, session: NEW.get(verb))
    first = relay_to(serve, f"127.0.0.1:{mx.port}")
    with smtplib.SMTP("127.0.0.1", first.port) as client:
        client.sendmail("bob@out.example", ["ann@b.example"], CONTENT, ["RET=HDRS", "ENVID=a+2Bb"],
                        ["NOTIFY=SUCCESS,DELAY", "ORCPT=rfc822;ann+2Bx@b.example"])
    assert wait_until(lambda: mx.mails)
    sender, rcpts, _ = mx.mails[0]
    assert "RET=HDRS" in sender and "ENVID=a+2Bb" in sender, sender
    assert "NOTIFY=SUCCESS,DELAY" in rcpts[0] and "ORCPT=rfc822;ann+2Bx@b.example" in rcpts[0], rcpts
    assert wait_until(lambda: "removed" in first.log())
    assert "sender notification" not in first.log()


def test_priority_goes_first(serve, fake):
    """RFC 6710: what waits at a destination goes by priority."""
    opened = []
    mx = fake(lambda verb, line, session:
              "421 not yet" if verb == "CONNECT" and not opened else NEW.get(verb))
    first = serve(OUT.replace("retry 1s 2s", "retry 1h") % (f"127.0.0.1:{mx.port}", "")).start()
    with smtplib.SMTP("127.0.0.1", first.port) as client:
        for n, priority in enumerate([-9, 0, 4, 9, 0, -4] * 4):
            client.sendmail(SENDER, [f"r{n}@b.example"], CONTENT, [f"MT-PRIORITY={priority}"])
    assert wait_until(lambda: len(re.findall("status=deferred", first.log())) >= 24)
    opened.append(True)
    conf = os.path.join(first.folder, "postroad.conf")
    assert run(BINARY, "queue", "retry", "-c", conf, "--domain", "b.example", "--yes")[0] == 0
    assert wait_until(lambda: len(mx.mails) == 24)
    order = [int(rcpts[0].split("r", 1)[1].split("@")[0]) for _, rcpts, _ in mx.mails]
    urgent = [n for n in range(24) if n % 6 == 3]
    idle = [n for n in range(24) if n % 6 == 0]
    # A window of connections takes some at the same time: not to the letter, but by and large.
    places = lambda group: sum(order.index(n) for n in group) / len(group)
    assert places(urgent) < 8 and places(idle) > 15, order


def test_by_return_ends_in_time(serve, fake):
    """RFC 2852: the sender hears when the time that he gave is over, not after five days."""
    mx = fake(lambda verb, line, session: "450 4.2.0 later" if verb == "RCPT" else
              "250-new.example\r\n250 DELIVERBY" if verb == "EHLO" else None)
    first = serve(OUT.replace("retry 1s 2s", "retry 1h") % (f"127.0.0.1:{mx.port}", "")).start()
    with smtplib.SMTP("127.0.0.1", first.port) as client:
        client.sendmail("bob@out.example", ["ann@b.example"], CONTENT, ["BY=4;R"])
    one_log_line(first, "status=deferred")
    line = one_log_line(first, ".*status=bounced.*")
    assert "dsn=5.4.7" in line, line
    assert b"Status: 5.4.7" in first.wait_mail("bob", "out.example")[0]


def test_many_that_no_server_here_can_take(serve, fake):
    """Whatever their number, they cost the courier no more room than one."""
    count, greet = 6000, threading.Event()
    mx = fake(lambda verb, line, session: greet.wait(600) and None if verb == "CONNECT" else None)
    first = relay_to(serve, f"127.0.0.1:{mx.port}")
    mail = (b"MAIL FROM:<> BY=1;R\r\nRCPT TO:<ann@b.example>\r\nDATA\r\n" +
            b"Subject: late\r\n\r\nlate\r\n.\r\n")
    with socket.create_connection(("127.0.0.1", first.port)) as client:
        client.sendall(b"EHLO hurry.example\r\n" + mail * count + b"QUIT\r\n")
        client.shutdown(socket.SHUT_WR)
        said = client.makefile("rb").read()
    assert said.count(b"\r\n250 2.0.0") == count, said[-300:]
    courier = [pid for pid, role in first.roles() if role == "courier"][0]
    assert wait_until(lambda: len(mx.lines) == 0 and mx.connections == 5)
    time.sleep(2)
    users.limit(courier, resource.RLIMIT_STACK, 128 * 1024)
    greet.set()
    assert wait_until(lambda: first.log().count("status=bounced") >= count, 300), first.log()[-2000:]
    assert ("courier" in [role for pid, role in first.roles() if pid == courier])


def test_one_refusal_is_not_the_next_mails(serve, fake):
    """A server that refuses a mail and hangs up, while the next one, which is large, is looked at
    before it is sent there."""
    answer = threading.Event()

    def says(verb, line, session):
        if verb != "DOT" or "spam" not in session["sender"]:
            return None
        answer.wait(300)
        session["last_reply"] = True
        return "554 5.7.1 no spam"
    mx = fake(says)
    first = relay_to(serve, f"127.0.0.1:{mx.port}")
    for _ in range(5):
        hand_in(first, CONTENT, sender="spam@out.example")
    assert wait_until(lambda: mx.lines.count("DATA") == 5)
    hand_in(first, b"Subject: large\r\n\r\n" + (b"x" * 900 + b"\r\n") * 8000)
    time.sleep(1)  # it waits for room
    answer.set()
    assert wait_until(lambda: len(mx.mails) == 1), first.log()[-2000:]
    assert wait_until(lambda: first.log().count("status=bounced") == 5), first.log()[-2000:]
    assert "status=deferred" not in first.log()


def test_limits(serve, fake):
    """One connection, and messages come no faster than twice a second."""
    times, open_now, most = [], [0], [0]

    def says(verb, line, session):
        if verb == "CONNECT":
            open_now[0] += 1
            most[0] = max(most[0], open_now[0])
        elif verb == "QUIT":
            open_now[0] -= 1
        elif verb == "DOT":
            times.append(time.monotonic())
    mx = fake(says)
    first = relay_to(serve, f"127.0.0.1:{mx.port}", extra="limit to domain c.example { rate 1/h }\n"
                     "limit to mx 127.0.0.1 { connections 1; rate 2/s }\nlimit to any { rate 1/h }")
    began = time.monotonic()
    for i in range(5):
        hand_in(first, CONTENT, f"user{i}@b.example")
    assert wait_until(lambda: len(mx.mails) == 5)
    assert times[4] - began > 1.8 and most[0] == 1


def test_slow_mailboxes_hold_up_no_relayed_mail(serve, fake):
    mx, count = fake(), 2500
    first = relay_to(serve, f"127.0.0.1:{mx.port}")
    postman = [pid for pid, role in first.roles() if role == "postman"][0]
    os.kill(postman, signal.SIGSTOP)
    mail = (b"MAIL FROM:<>\r\nRCPT TO:<bob@out.example>\r\nDATA\r\nSubject: s\r\n\r\ns\r\n.\r\n")
    with socket.create_connection(("127.0.0.1", first.port)) as client:
        client.sendall(b"EHLO hurry.example\r\n" + mail * count + b"QUIT\r\n")
        client.shutdown(socket.SHUT_WR)
        assert client.makefile("rb").read().count(b"\r\n250 2.0.0") == count
    hand_in(first)
    try:
        assert wait_until(lambda: len(mx.mails) == 1)
    finally:
        os.kill(postman, signal.SIGCONT)
    assert wait_until(lambda: first.log().count("status=sent") == count + 1, 300)
