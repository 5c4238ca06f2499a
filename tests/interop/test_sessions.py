"""Limits, nonsense, stopping and starting again."""
import os
import smtplib
import socket

from conftest import CONTENT, SENDER, need, run
from server import as_sent, role_of, wait_until

SMALL = """\
hostname mx.example.org
queue {folder}/spool
max-size 100K
listen mx 127.0.0.1:{port}
reject to address nobody@example.org "5.1.1 no such user"
discard to domain discard.example
accept to domain example.org deliver maildir {folder}/data/mail/{domain}/{user}
postmaster ann@example.org
"""


def dialog(server, *lines):
    """The replies to some raw lines, one each."""
    with smtplib.SMTP("127.0.0.1", server.port) as client:
        got = []
        for line in lines:
            client.send(line + b"\r\n")
            got.append(client.getreply())
        return got


def test_size_is_announced_and_kept(serve):
    server = serve(SMALL).start()
    with smtplib.SMTP("127.0.0.1", server.port) as client:
        client.ehlo("client.example")
        limit = int(client.esmtp_features["size"])
        assert 100_000 <= limit <= 102_400
        code, text = client.docmd(f"MAIL FROM:<{SENDER}> SIZE={limit + 1}")
        assert code == 552 and text.startswith(b"5.3.4"), text
        # One that does not tell its size is found out while it comes, and read to its end.
        assert client.mail(SENDER)[0] == 250
        assert client.rcpt("ann@example.org")[0] == 250
        code, text = client.data(b"Subject: big\r\n\r\n" + (b"y" * 70 + b"\r\n") * (limit // 72 + 1))
        assert code == 552 and text.startswith(b"5.3.4"), text
        assert client.sendmail(SENDER, "ann@example.org", CONTENT) == {}
    assert as_sent(server.wait_mail("ann")[0]) == CONTENT


def test_rules(serve):
    server = serve(SMALL).start()
    with smtplib.SMTP("127.0.0.1", server.port) as client:
        client.ehlo("client.example")
        client.mail(SENDER)
        code, text = client.rcpt("nobody@example.org")
        assert code in (550, 554) and text.startswith(b"5.1.1"), text
        code, text = client.rcpt("ann@elsewhere.example")
        assert code == 554 and text.startswith(b"5.7.1"), text
        assert client.rcpt("x@discard.example")[0] == 250
        assert client.data(CONTENT)[0] == 250
    assert wait_until(lambda: "removed" in server.log())
    assert server.mails("x", "discard.example") == []


def test_unknown_command_and_order(server):
    replies = dialog(server, b"FROBNICATE", b"DATA", b"RCPT TO:<ann@example.org>", b"NOOP x",
                     b"VRFY ann", b"EXPN list", b"HELP", b"RSET", b"QUIT")
    codes = [code for code, _ in replies]
    assert codes[0] in (500, 502) and replies[0][1].startswith(b"5.5."), replies[0]
    assert codes[1] == 503 and codes[2] == 503
    assert codes[3] == 250 and codes[4] == 252 and codes[5] == 502
    assert codes[6] in (211, 214) and codes[7:] == [250, 221]


def test_smuggling_attempt_is_one_refused_mail(server):
    """A bare LF around the dot must never end a message."""
    with socket.create_connection(("127.0.0.1", server.port), 20) as s:
        replies = s.makefile("rb")
        replies.readline()
        s.sendall(b"HELO c\r\nMAIL FROM:<a@b.example>\r\nRCPT TO:<ann@example.org>\r\nDATA\r\n")
        for _ in range(4):
            replies.readline()
        s.sendall(b"Subject: one\r\n\r\nx\n.\nMAIL FROM:<evil@b.example>\r\n.\r\nQUIT\r\n")
        assert replies.readline().startswith(b"5")
    assert server.stop() == 0
    assert server.mails("ann") == []


def test_stop_leaves_nothing_behind(server):
    with smtplib.SMTP("127.0.0.1", server.port) as client:
        client.sendmail(SENDER, "ann@example.org", CONTENT)
    server.wait_mail("ann")
    pids = [pid for pid, _ in server.roles()]
    assert pids
    idle = socket.create_connection(("127.0.0.1", server.port), 20)
    assert idle.recv(100).startswith(b"220 ")
    assert server.stop() == 0
    assert idle.recv(100).startswith(b"421 4.3.2")
    idle.close()
    assert not any(role_of(pid) for pid in pids)
    assert not server.greets()
    assert os.listdir(os.path.join(server.mail_root(), "example.org", "ann", "tmp")) == []


def test_restart_keeps_queued_mail(serve):
    """The mailbox cannot be written; the mail waits in the queue, through a stop and a crash."""
    server = serve(SMALL).start()
    domain = os.path.join(server.mail_root(), "example.org")
    with open(domain, "w", encoding="ascii"):
        pass  # a file where the domain's folder should be
    with smtplib.SMTP("127.0.0.1", server.port) as client:
        assert client.sendmail(SENDER, "ann@example.org", CONTENT) == {}
    assert wait_until(lambda: "status=deferred" in server.log()), server.log()[-2000:]
    assert server.stop() == 0
    server.start()
    server.kill_all()
    os.unlink(domain)
    server.start().retry_now()
    assert as_sent(server.wait_mail("ann")[0]) == CONTENT


def test_acknowledged_mail_survives_kill(server):
    with smtplib.SMTP("127.0.0.1", server.port) as client:
        assert client.sendmail(SENDER, "ann@example.org", CONTENT) == {}
        server.kill_all()
    server.start()
    assert as_sent(server.wait_mail("ann")[0]) == CONTENT


def test_two_servers_on_one_port(server, tmp_path):
    """The second says who is in the way and what to change, and starts nothing."""
    status, said = run(server.process.args[0], "dev", "--dir", tmp_path / "other", "--smtp",
                       f"127.0.0.1:{server.port}")
    assert status != 0
    assert str(server.port) in said and "--smtp" in said


def test_bad_configuration_starts_nothing(serve, tmp_path):
    server = serve(SMALL.replace("max-size 100K", "max-size lots"))
    status, said = run(*server.command())
    assert status == 78
    assert "postroad.conf:3:10: error:" in said and "^" in said, said
    assert not os.path.exists(tmp_path / "spool")


def test_log_is_read_by_pflogsumm(serve):
    need("pflogsumm")
    server = serve(SMALL).start()
    with smtplib.SMTP("127.0.0.1", server.port) as client:
        for _ in range(3):
            client.sendmail(SENDER, "ann@example.org", CONTENT)
        client.sendmail(SENDER, ["bea@example.org", "cleo@example.org"], CONTENT)
        for _ in range(2):
            client.ehlo("client.example")
            client.mail(SENDER)
            client.rcpt("ann@elsewhere.example")
            client.rset()
    for user, count in (("ann", 3), ("bea", 1), ("cleo", 1)):
        server.wait_mail(user, count=count)
    assert wait_until(lambda: server.log().count("status=sent") == 5)  # each is noted behind its delivery
    assert server.stop() == 0
    status, report = run("pflogsumm", "--syslog-name=postroad", server.log_path)
    assert status == 0
    counts = {}
    for line in report.splitlines():
        words = line.split()
        if len(words) >= 2 and words[0].isdigit():
            counts.setdefault(words[1], int(words[0]))
    assert (counts.get("received"), counts.get("delivered"), counts.get("deferred"),
            counts.get("rejected")) == (4, 5, 0, 2), report


LMTP = """\
hostname mx.example.org
queue {folder}/spool
listen mx 127.0.0.1:{port}
listen lmtp unix:{folder}/lmtp
reject to address nobody@example.org "5.1.1 no such user"
accept to domain example.org deliver maildir {folder}/data/mail/{domain}/{user}
postmaster ann@example.org
"""


def test_lmtp_on_a_socket_in_the_file_system(serve):
    server = serve(LMTP).start()
    path = os.path.join(server.folder, "lmtp")
    assert os.stat(path).st_mode & 0o777 == 0o660
    with smtplib.LMTP(path) as client:
        client.ehlo("client.example")  # says LHLO
        client.mail(SENDER)
        codes = [client.rcpt(f"{user}@example.org")[0] for user in ("ann", "nobody", "bob")]
        assert codes == [250, 554, 250]
        replies = [client.data(CONTENT), client.getreply()]
        assert [code for code, _ in replies] == [250, 250]
    mail = server.wait_mail("ann")[0]
    assert as_sent(mail) == CONTENT
    assert b"with LMTP" in mail and as_sent(server.wait_mail("bob")[0]) == CONTENT


def test_a_killed_system_leaves_its_socket_and_the_next_one_takes_it(serve):
    server = serve(LMTP).start()
    server.kill_all()
    server.start()
    with smtplib.LMTP(os.path.join(server.folder, "lmtp")) as client:
        assert client.sendmail(SENDER, "ann@example.org", CONTENT) == {}
    assert as_sent(server.wait_mail("ann")[0]) == CONTENT


def test_chunks(serve):
    """RFC 3030: a dot and a command in a chunk are content."""
    server = serve(SMALL).start()
    content = b"Subject: chunks\r\n\r\n.\r\nQUIT\r\n"
    with smtplib.SMTP("127.0.0.1", server.port) as client:
        client.ehlo("client.example")
        assert client.has_extn("chunking")
        client.mail(SENDER)
        client.rcpt("ann@example.org")
        for piece in (content[:7], content[7:21], content[21:]):
            client.send(b"BDAT %d\r\n" % len(piece) + piece)
            assert client.getreply()[0] == 250
        client.send(b"BDAT 0 LAST\r\n")
        assert client.getreply()[0] == 250
    assert as_sent(server.wait_mail("ann")[0]) == content


def test_a_sender_cannot_write_into_our_fields(serve):
    """A first line that begins with a blank would continue our Received field."""
    server = serve(SMALL).start()
    with smtplib.SMTP("127.0.0.1", server.port) as client:
        client.sendmail(SENDER, "ann@example.org", b" by evil.example; hello\r\n")
    mail = server.wait_mail("ann")[0]
    header, body = mail.split(b"\n\n", 1)
    assert b"evil" not in header and body == b" by evil.example; hello\n"
