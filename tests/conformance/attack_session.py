"""Sessions that broke mail servers between 2017 and 2026, each against a running server.

A case of the suite is told in words; here stands the session that they mean, one function a case
(its name is the case's with "_"). `cases` that nobody wrote a session for fail. Every case has a
connection and a mailbox of its own; after each the server must be the same processes as before, and
take a mail. Memory is the kernel's high-water mark, as in tests/interop/test_hostile.py."""
import base64
import email
import glob
import os
import shutil
import socket
import struct
import sys
import threading
import time
import urllib.parse

from suite import (NO_OPENSSL, Skip, Talk, as_sent, cases, expect, free_ports, read, running, verdict,
                   wait_until)

MAX_SIZE = 20 << 20
GROWTH_KIB = 1024
MAIL = b"Subject: x\r\n\r\nhi\r\n"
HEADER = b"Subject: x\r\n\r\n"


class Case:
    """What a session needs: the server, a user, and what the server offers."""

    def __init__(self, server, number):
        self.server, self.user = server, f"user{number}"
        self.rcpt = self.user + "@example.org"

    def talk(self, *needed):
        """A connection behind EHLO, if the server offers all that is needed."""
        talk = Talk(self.server, 60)
        offered = talk.greet()
        self.offered = offered
        for word in needed:
            if word not in offered:
                talk.socket.close()
                raise Skip(f"{word} is not offered yet")
        return talk

    def mails(self, count):
        """Exactly so many mails arrive; their contents as they were sent."""
        wait_until(lambda: len(self.server.mails(self.user)) >= count)
        found = [read(path) for path in self.server.mails(self.user)]
        expect(len(found) == count, f"{len(found)} mails, not {count}")
        return [as_sent(mail) for mail in found]

    def nothing_arrives(self):
        """What came later is there, this is not."""
        another_mail(self.server)
        expect(self.server.mails(self.user) == [], "it arrived")


def another_mail(server):
    count = len(server.mails("another")) + 1
    with Talk(server) as talk:
        talk.greet()
        send(talk, "another@example.org")
        talk.ask("QUIT", "221")
    expect(wait_until(lambda: len(server.mails("another")) == count), "no mail flows any more")


def send(talk, rcpt, content=MAIL, **how):
    talk.begin(rcpt, **how)
    talk.ask("DATA", "354")
    talk.send(content)
    return talk.ask(".", "250")


def status_kib(pid, name):
    with open(f"/proc/{pid}/status", encoding="ascii") as status:
        for line in status:
            if line.startswith(name + ":"):
                return int(line.split()[1])
    raise AssertionError(name)


class memory_bounded:
    """No process of the server needs 1 MiB more within."""

    def __init__(self, server):
        self.server = server

    def __enter__(self):
        self.base = {}
        for pid, role in self.server.roles():
            with open(f"/proc/{pid}/clear_refs", "w", encoding="ascii") as refs:
                refs.write("5")
            self.base[pid, role] = status_kib(pid, "VmRSS")

    def __exit__(self, kind, *_):
        if kind is None:
            grown = {role: status_kib(pid, "VmHWM") - had for (pid, role), had in self.base.items()}
            expect(max(grown.values()) <= GROWTH_KIB, f"memory grew by {grown} KiB")


# ---- BDAT ----

def bdat_err_then_data(case):
    with case.talk("CHUNKING") as talk:
        talk.begin(case.rcpt)
        talk.send(b"BDAT %d\r\n" % (MAX_SIZE + 1), b"x" * (MAX_SIZE + 1))
        expect(talk.reply().code == "552", "the chunk was not refused")
        talk.ask("DATA", "503")
        talk.ask("QUIT", "221")
    case.nothing_arrives()


def bdat_tiny_flood(case):
    """A million; ten times as many say no more."""
    with case.talk("CHUNKING") as talk, memory_bounded(case.server):
        talk.begin(case.rcpt)

        def flood():
            try:
                for _ in range(100):
                    talk.send(b"BDAT 1\r\nx" * 10_000)
                talk.send(b"BDAT 0 LAST\r\nQUIT\r\n")
            except OSError:
                pass  # it had enough
        sender = threading.Thread(target=flood)
        sender.start()
        last = None
        while (reply := talk.reply()) is not None:
            last = reply
        sender.join()
        expect(last.code in ("221", "421"), f"the last reply is {last}")


def bdat_after_last(case):
    with case.talk("CHUNKING") as talk:
        talk.begin(case.rcpt)
        talk.send(b"BDAT 3 LAST\r\nabcBDAT 3\r\ndefNOOP\r\n")
        expect([talk.reply().code for _ in range(3)] == ["250", "503", "250"], "not 250, 503, 250")
    case.mails(1)


def bdat_data_mix(case):
    with case.talk("CHUNKING") as talk:
        talk.begin(case.rcpt)
        talk.send(b"BDAT 3\r\nabc")
        expect(talk.reply().code == "250", "no 250")
        talk.ask("DATA", "503")
        talk.ask("BDAT 0 LAST", "503")
    case.nothing_arrives()


def bdat_huge(case):
    with case.talk("CHUNKING") as talk, memory_bounded(case.server):
        talk.begin(case.rcpt)
        talk.send(b"BDAT 18446744073709551615\r\n")
        try:
            talk.send(b"x" * (1 << 20))
        except OSError:
            pass
        talk.socket.shutdown(socket.SHUT_WR)
        replies = talk.rest()
        expect(all(reply.code[0] in "45" for reply in replies), f"the replies are {replies}")
    case.nothing_arrives()


def bdat_neg(case):
    for line in ("BDAT -1", "BDAT +5", "BDAT 0x10", "BDAT 5 5", "BDAT  5", "BDAT 5 LASTX"):
        with case.talk("CHUNKING") as talk:
            talk.begin(case.rcpt)
            talk.ask(line, "501")


def bdat_dot(case):
    content = HEADER + b".\r\nX\r\n..\r\n\r\n.\r\n"
    with case.talk("CHUNKING") as talk:
        talk.begin(case.rcpt)
        talk.send(b"BDAT %d\r\n" % len(HEADER) + HEADER)
        expect(talk.reply().code == "250", "no 250")
        rest = content[len(HEADER):]
        talk.send(b"BDAT %d LAST\r\n" % len(rest) + rest)
        expect(talk.reply().code == "250", "no 250")
    expect(case.mails(1) == [content], "stored otherwise than sent")


def bdat_tls_midchunk(case):
    """Ends of all kinds in the middle of a chunk; what follows a farewell comes in the clear."""
    if not shutil.which("openssl"):
        raise Skip(NO_OPENSSL)
    ends = {"farewell": lambda talk: talk.socket.unwrap(),
            "farewell and more": lambda talk: talk.socket.unwrap().sendall(b"x" * 100),
            "no farewell": lambda talk: None,
            "reset": lambda talk: talk.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                                                         struct.pack("ii", 1, 0))}
    for end in ends.values():
        for size in (100, 100_000):
            with case.talk("STARTTLS", "CHUNKING") as talk:
                talk.start_tls()
                talk.begin(case.rcpt)
                talk.send(b"BDAT %d LAST\r\n" % size, b"x" * (size // 2))
                try:
                    end(talk)
                except OSError:
                    pass  # it closed first
    case.nothing_arrives()


# ---- the order of commands and what ends a transaction ----

def eod_reject_then_rcpt(case):
    with case.talk() as talk:
        talk.begin(case.rcpt)
        talk.ask("DATA", "354")
        talk.ask("a bare\nLF\r\n.", "5")
        talk.ask(f"RCPT TO:<{case.rcpt}>", "503")
        talk.ask("DATA", "503")
    case.nothing_arrives()


def utf8_vrfy_desync(case):
    with case.talk() as talk:
        talk.begin(case.rcpt)
        talk.ask("VRFY <\u00fc@x>".encode())
        talk.ask("DATA", "354")
        talk.send(MAIL)
        talk.ask(".", "250")
    expect(case.mails(1) == [MAIL], "stored otherwise than sent")


def mail_twice(case):
    with case.talk() as talk:
        talk.ask("MAIL FROM:<first@c.example>", "250")
        reply = talk.ask("MAIL FROM:<second@c.example>", "503")
        expect(reply.enhanced == "5.5.1", f"not 5.5.1: {reply}")
        reply = talk.ask(f"RCPT TO:<{case.rcpt}>")
        if reply.code == "503":
            return
        talk.ask("DATA", "354")
        talk.send(MAIL)
        talk.ask(".", "250")
    case.mails(1)
    stored = read(case.server.mails(case.user)[0])
    expect(stored.startswith(b"Return-Path: <first@c.example>\n"), f"{stored[:60]}")


def rset_clears_all(case):
    with case.talk() as talk:
        dsn = " RET=FULL ENVID=x" if "DSN" in case.offered else ""
        talk.ask("MAIL FROM:<a@b.example> SMTPUTF8 BODY=8BITMIME" + dsn, "250")
        talk.ask("RSET", "250")
        talk.ask("MAIL FROM:<a@b.example>", "250")
        reply = talk.ask("RCPT TO:<\u00fc@example.org>", "553")
        expect(reply.enhanced == "5.6.7", f"not 5.6.7: {reply}")
        talk.ask(f"RCPT TO:<{case.rcpt}>", "250")
        talk.ask("DATA", "354")
        talk.send(MAIL)
        talk.ask(".", "250")
    case.mails(1)
    expect(b"UTF8" not in read(case.server.mails(case.user)[0]), "Received: with UTF8SMTP")


def ehlo_clears(case):
    with case.talk() as talk:
        talk.begin(case.rcpt)
        talk.ask("EHLO again.example", "250")
        talk.ask("DATA", "503")


def helo_then_esmtp(case):
    with Talk(case.server) as talk:
        talk.reply()
        talk.ask("HELO x.example", "250")
        reply = talk.ask("MAIL FROM:<a@b.example> SIZE=10")
        expect(reply.code in ("250", "555"), str(reply))
        talk.ask("NOOP", "250")


def pipeline_early(case):
    """The mail's lines are commands with effects of their own."""
    body = b"Subject: x\r\n\r\nVRFY ann\r\nHELP\r\nNOOP\r\n"
    with Talk(case.server) as talk:
        talk.send(b"EHLO c.example\r\nMAIL FROM:<a@c.example>\r\nRCPT TO:<" + case.rcpt.encode() +
                  b">\r\nDATA\r\n" + body + b".\r\nQUIT\r\n")
        codes = [reply.code for reply in talk.rest()]
    early = codes == ["554"] or codes == ["421"]
    in_order = codes == ["220", "250", "250", "250", "354", "250", "221"]
    expect(early or in_order, f"the replies are {codes}")
    if in_order:
        expect(case.mails(1) == [body], "stored otherwise than sent")
    else:
        case.nothing_arrives()


def data_all_rcpt_rejected_pipelined(case):
    with case.talk() as talk:
        talk.send(b"MAIL FROM:<a@c.example>\r\nRCPT TO:<x@elsewhere.example>\r\nDATA\r\n" +
                  b"this is a line of the mail\r\n" * 1000 + b".\r\n")
        replies = talk.rest()
    codes = [reply.code for reply in replies]
    expect(codes[:1] == ["250"] and codes[1][0] == "5" and codes[2] in ("503", "554"), f"{codes}")
    expect(set(codes[3:-1]) <= {"500"} and codes[-1] == "421", f"{codes}")
    expect(len(codes) < 50, f"{len(codes)} replies")
    case.nothing_arrives()


def quit_pipelined_after_dot(case):
    with case.talk() as talk:
        talk.begin(case.rcpt)
        talk.ask("DATA", "354")
        talk.send(MAIL + b".\r\nQUIT\r\n")
        expect([reply.code for reply in talk.rest()] == ["250", "221"], "not 250, 221")
    expect(case.mails(1) == [MAIL], "stored otherwise than sent")


def disconnect_after_dot(case):
    """A hundred times, since it is a race; whoever got a mail got all of it."""
    content = HEADER + (b"y" * 70 + b"\r\n") * 500
    for number in range(100):
        with case.talk() as talk:
            talk.begin(f"{case.user}-{number}@example.org")
            talk.ask("DATA", "354")
            talk.send(content + b".\r\n")
            talk.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    another_mail(case.server)
    for number in range(100):
        found = [as_sent(read(path)) for path in case.server.mails(f"{case.user}-{number}")]
        expect(found in ([], [content]), "half a mail, or two")


def drafts(server):
    """The large messages that were begun, or wait."""
    return glob.glob(os.path.join(glob.escape(server.data), "spool", "in", "*", "draft", "d-*"))


class Silent:
    """Half a mail, too large to stay in memory, and no word more. It is silent beside the other
    cases: RFC 5321 4.5.3.2.5 gives it three minutes."""

    def __init__(self, server):
        self.talk = Talk(server, 300)
        self.talk.greet()
        self.talk.begin("silent@example.org")
        self.talk.ask("DATA", "354")
        self.talk.send(HEADER, (b"x" * 70 + b"\r\n") * 10_000)
        self.began = time.monotonic()
        expect(wait_until(lambda: drafts(server)), "the message has no file")


def timeout_after_354(case):
    silent = case.server.silent
    with silent.talk as talk:
        reply = talk.reply()
        expect(reply is not None and reply.code == "421", f"not 421: {reply}")
        expect(time.monotonic() - silent.began >= 180, "it came too early")
        expect(talk.reply() is None, "the connection stays")
    expect(wait_until(lambda: not drafts(case.server)), f"files stay: {drafts(case.server)}")
    expect(case.server.mails("silent") == [], "half a mail arrived")


# ---- sizes ----

def spool_bytes(server):
    """What the queue's files occupy."""
    total = 0
    for folder, _, files in os.walk(os.path.join(server.data, "spool")):
        for name in files:
            try:
                total += os.stat(os.path.join(folder, name)).st_blocks * 512
            except FileNotFoundError:
                pass
    return total


def size_lie(case):
    before = spool_bytes(case.server)
    with case.talk() as talk, memory_bounded(case.server):
        talk.begin(case.rcpt, parameters=" SIZE=10")
        talk.ask("DATA", "354")
        for _ in range(100):
            talk.send((b"z" * 1022 + b"\r\n") * 1024)
        reply = talk.ask(".", "552")
        expect(reply.enhanced == "5.3.4", f"not 5.3.4: {reply}")
        talk.ask("QUIT", "221")
    case.nothing_arrives()
    expect(wait_until(lambda: spool_bytes(case.server) < before + (MAX_SIZE >> 1)),
           f"the queue holds {spool_bytes(case.server)} bytes, it held {before}")


def size_overflow(case):
    with case.talk() as talk:
        reply = talk.ask("MAIL FROM:<a@c.example> SIZE=99999999999999999999")
        expect(reply.code in ("501", "552"), str(reply))


def long_line_command(case):
    with case.talk() as talk, memory_bounded(case.server):
        talk.send(b"EHLO " + b"x" * (1 << 20))
        reply = talk.ask(b"", "500")
        expect(reply.enhanced in ("5.5.2", "5.5.6"), str(reply))
        talk.ask("NOOP", "250")


def long_line_data(case):
    """100 MiB are too large; of 1 MiB every byte must be there, dots at every place."""
    with case.talk() as talk, memory_bounded(case.server):
        talk.begin(case.rcpt)
        talk.ask("DATA", "354")
        talk.send(HEADER)
        for _ in range(100):
            talk.send(b"x." * (1 << 19))
        talk.ask("\r\n.", "5")
    content = HEADER + b"x" + b"." * (1 << 20) + b"\r\n"
    with case.talk() as talk:
        talk.begin(case.rcpt)
        talk.ask("DATA", "354")
        talk.send(content)
        if talk.ask(".").code[0] == "5":
            case.nothing_arrives()
            return
    expect(case.mails(1) == [content], "stored otherwise than sent")


def dot_at_998(case):
    lengths = list(range(998, 1003)) + list(range(2046, 2051))
    content = HEADER + b"".join(b"w" * length + b"\r\n.\r\n..\r\n.text\r\n" for length in lengths)
    with case.talk() as talk:
        send(talk, case.rcpt, content.replace(b"\r\n.", b"\r\n.."))
    expect(case.mails(1) == [content], "stored otherwise than sent")


# ---- values with a second meaning elsewhere ----

def refused_or_harmless(case, sender="", rcpt=""):
    """The parameter is refused, or the mail has no line that it made."""
    with case.talk() as talk:
        if talk.ask(f"MAIL FROM:<a@c.example>{sender}").code != "250" or \
                talk.ask(f"RCPT TO:<{case.rcpt}>{rcpt}").code != "250":
            return
        talk.ask("DATA", "354")
        talk.send(MAIL)
        talk.ask(".", "250")
    expect(case.mails(1) == [MAIL], "the mail has other lines than were sent")


def mail_auth_newline(case):
    refused_or_harmless(case, sender=" AUTH=x+0Ay")


def orcpt_newline(case):
    refused_or_harmless(case, rcpt=" ORCPT=rfc822;x+0Dz+0Ay")


def envid_newline(case):
    refused_or_harmless(case, sender=" ENVID=a+0D+0Ab")


def local_part_shell(case):
    with case.talk() as talk:
        talk.ask("MAIL FROM:<;id;>", "5")
        talk.ask("MAIL FROM:<a@c.example>", "250")
        literal = []
        for user in ('"$(id)"', "|id", "${run{/bin/sh}}"):
            if talk.ask(f"RCPT TO:<{user}@example.org>").code == "250":
                literal.append(user.strip('"'))
        talk.ask(f"RCPT TO:<{case.rcpt}>", "250")
        talk.ask("DATA", "354")
        talk.send(MAIL)
        talk.ask(".", "250")
    case.mails(1)
    for user in literal:
        folder = urllib.parse.quote(user, safe="._+-")  # mail/mailbox_path.h
        expect(wait_until(lambda folder=folder: len(case.server.mails(folder)) == 1),
               f"no mailbox {folder}")


def etrn_sqlish(case):
    with case.talk() as talk:
        reply = talk.ask("ETRN #',8,8,8);--")
        expect(reply.code in ("500", "502"), str(reply))
    with Talk(case.server, 60, case.server.with_etrn) as talk:
        expect("ETRN" in talk.greet(), "ETRN is not offered")
        talk.ask("ETRN #',8,8,8);--", "501")
        talk.ask("ETRN away.example", "25")


def proxy_header_spoof(case):
    with Talk(case.server) as talk:
        expect(talk.reply().code == "220", "no 220")
        talk.send(b"PROXY TCP4 1.2.3.4 5.6.7.8 1000 25\r\n")
        reply = talk.reply()
        if reply is None:
            return
        expect(reply.code in ("500", "421"), str(reply))
        talk.ask("EHLO c.example", "250")
        send(talk, case.rcpt)
    case.mails(1)
    stored = read(case.server.mails(case.user)[0])
    expect(b"127.0.0.1" in stored and b"1.2.3.4" not in stored, f"{stored[:300]}")


# ---- who and how often ----

def null_sender_multi_rcpt(case):
    with case.talk() as talk:
        talk.ask("MAIL FROM:<>", "250")
        talk.ask(f"RCPT TO:<{case.rcpt}>", "250")
        talk.ask(f"RCPT TO:<{case.user}-2@example.org>", "250")
        talk.ask("DATA", "354")
        talk.send(MAIL)
        talk.ask(".", "250")
    case.mails(1)
    expect(wait_until(lambda: len(case.server.mails(case.user + "-2")) == 1), "no second mail")


def received_100(case):
    with case.talk() as talk:
        talk.begin(case.rcpt)
        talk.ask("DATA", "354")
        talk.send(b"Received: from a by b; Fri, 21 Nov 1997 09:55:06 -0600\r\n" * 101 + MAIL)
        reply = talk.ask(".", "554")
        expect(reply.enhanced == "5.4.6", str(reply))
    case.nothing_arrives()


def delivered_to_loop(case):
    """away.example comes back to this very server, again and again, until Received tells (RFC 5321
    6.3). A mailbox sends nothing on, so Delivered-To of its owner is no loop."""
    lost = f"{case.user}@away.example"
    with case.talk() as talk:
        send(talk, lost, b"Delivered-To: " + lost.encode() + b"\r\n" + MAIL, sender=case.rcpt)
        send(talk, case.user + "-2@example.org",
             b"Delivered-To: " + case.user.encode() + b"-2@example.org\r\n" + MAIL)
    expect(wait_until(lambda: case.server.mails(case.user), 120), "nobody was told of the loop")
    expect(wait_until(lambda: len(case.server.mails(case.user + "-2")) == 1), "the mail of a mailbox did not arrive")
    another_mail(case.server)
    (report,) = [read(path) for path in case.server.mails(case.user)]
    status = email.message_from_bytes(report).get_payload(1).get_payload()[1]
    expect(status["Action"] == "failed" and status["Status"] == "5.4.6" and
           status["Final-Recipient"].endswith(lost), f"the report says {status}")


# ---- AUTH ----

def auth_talk(case):
    talk = Talk(case.server, 60, case.server.submission)
    expect("AUTH" in talk.greet(), "AUTH is not offered")
    return talk


def auth_answers(case, words, *codes):
    """Each word behind AUTH PLAIN, and as the answer to an empty challenge: refused so, and nobody
    is logged in."""
    for word in words:
        for beforehand in (True, False):
            with auth_talk(case) as talk:
                if not beforehand:
                    talk.ask("AUTH PLAIN", "334")
                reply = talk.ask(b"AUTH PLAIN " + word if beforehand else word)
                expect(f"{reply.code} {reply.enhanced}" in codes, f"{word}, {beforehand}: {reply}")
                talk.ask("MAIL FROM:<ann@example.org>", "530")


def auth_long_user(case):
    """Behind the command, as an answer; then one of the size that is allowed, which is looked at."""
    for first in (b"AUTH PLAIN ", b"AUTH PLAIN\r\n"):
        with auth_talk(case) as talk, memory_bounded(case.server):
            talk.send(first)
            if first.endswith(b"\n"):
                expect(talk.reply().code == "334", "no 334")
            for _ in range(160):
                talk.send(b"QUFB" * (1 << 14))
            reply = talk.ask("")
            expect(reply.code in ("500", "501"), str(reply))
            talk.ask("NOOP", "250")
    with auth_talk(case) as talk:
        talk.ask("AUTH PLAIN", "334")
        reply = talk.ask("A" * 12_288)
        expect(reply.code in ("501", "535"), str(reply))
        talk.ask("AUTH PLAIN", "334")
        talk.ask("A" * 12_292, "5")
        talk.ask("NOOP", "250")


def auth_base64_edge(case):
    words = [b"A", b"AAAAA", b"AA", b"AAA", b"AAAAAA", b"AAAAAAA", b"AA=", b"A===", b"AAAA=", b"====",
             b"AB==", b"AA==AAAA", b"AAAA====", b"AA=A", b"AA-_", b"AAAA AAAA"]
    auth_answers(case, words, "501 5.5.2")
    # Not even a command may have such bytes.
    auth_answers(case, [b"AAAA\tAAAA", b"AA\x00A", b"AAA\xff"], "500 5.5.2", "501 5.5.2")


def auth_plain_parts(case):
    """What is no message of PLAIN, or names nobody, or has no password."""
    texts = [b"ann@example.org", b"ann@example.org\0secret", b"\0ann@example.org\0secret\0",
             b"\0ann@example.org\0secret\0\0", b"\0\0secret", b"\0ann@example.org\0", b"\0\0",
             b"\0", b"\0\0\0\0"]
    auth_answers(case, [base64.b64encode(text) for text in texts], "501 5.5.2", "535 5.7.8")
    with auth_talk(case) as talk:
        talk.ask(b"AUTH PLAIN " + base64.b64encode(b"\0ann@example.org\0secret"), "235")


def auth_timing(case):
    """The half that is no measurement."""
    replies = set()
    for user in (b"ann@example.org", b"nobody@example.org", b"ann@nowhere.example") * 3:
        with auth_talk(case) as talk:
            replies.add(str(talk.ask(b"AUTH PLAIN " + base64.b64encode(b"\0" + user + b"\0wrong"), "535")))
    expect(len(replies) == 1, f"unknown users are told another thing: {replies}")
    raise Skip("the replies are the same; how long they take is measured by `bench/auth timing`")


def main():
    submission, with_etrn = free_ports(2)
    place = running(f"max-size {MAX_SIZE >> 20}M; line-ends strict }}\n"
                    "table people accounts {folder}/people\n"
                    f"listen mx 127.0.0.1:{with_etrn} {{ etrn away.example }}\n"
                    f"listen submission 127.0.0.1:{submission} "
                    "{ tls off; auth people; auth-cleartext yes", "127.0.0.1:{port}")
    with open(os.path.join(place.folder.name, "people"), "w", encoding="ascii",
              opener=lambda path, flags: os.open(path, flags, 0o600)) as people:
        people.write("ann@example.org:{PLAIN}secret\n")
    with place as server:
        server.submission, server.with_etrn = submission, with_etrn
        server.ready()
        # Pages that every first session touches are nobody's fault.
        with Talk(server) as talk:
            talk.greet()
            send(talk, "large@example.org", HEADER + (b"x" * 70 + b"\r\n") * 20_000)
        another_mail(server)
        roles = sorted(server.roles())
        server.silent = Silent(server)
        waits_last = sorted(cases(sys.argv[1]), key=lambda test: test["id"] == "timeout-after-354")
        for number, test in enumerate(waits_last):
            session = globals().get(test["id"].replace("-", "_"))

            def run(session=session, number=number):
                expect(session, "nobody wrote a session for this case")
                session(Case(server, number))
                another_mail(server)
                expect(sorted(server.roles()) == roles, "a process of the server ended")
            verdict(test["id"], run)


main()
