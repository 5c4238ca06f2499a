"""Messages that hold what some server takes for their end, and a second message behind it
(SMTP smuggling). Each case goes to two running servers, one for each way to treat line ends.

A smuggled message would be seen: its recipient is one that we take, every reply is counted, and when
all cases are through the mailboxes must hold what was acknowledged and nothing else. What was
accepted must be there as it was sent, line ends repaired where that was asked for. Each Talk ends
with QUIT, so what the server says is exactly one answer to the message, then 221.

Every message has a second recipient, to whom it is relayed. The next server is tests/live/fake_mx,
which keeps every byte; they are read here as strictly as RFC 5321 has it. It offers PIPELINING and
8BITMIME to the one of our two servers and nothing to the other, which must convert an 8-bit body and
gives an 8-bit header back."""
import re
import sys

from suite import (NO_OPENSSL, Failure, Skip, Talk, as_sent, cases, expect, read, running, verdict,
                   wait_until)
from fake_mx import FakeMx

EDGES = (4096, 8192, 16384, 65536)
HEADER = b"From: a@c.example\r\nSubject: outer\r\n\r\n"
ENCODING = "utf-8"
RELAYED_SECONDS = 240
# Our one Received field on top of what was sent.
RECEIVED = re.compile(rb"\AReceived: (?:[^\r\n]*\r\n[ \t])*[^\r\n]*\r\n")


def unescaped(text):
    return text.replace("\\r", "\r").replace("\\n", "\n").encode()


class Run:
    """One case against one server: what was sent and what may arrive."""

    def __init__(self, test, number, server, repair):
        self.test, self.server, self.repair = test, server, repair
        self.context = test["context"]
        self.user, self.victim = f"ann{number}", f"victim{number}"
        self.away = f"{self.user}@away.example"
        self.sequence = test["sequence_utf8_escaped"].encode(ENCODING)
        self.smuggled = unescaped(test["smuggled"]).replace(
            b"victim@local.example", self.victim.encode() + b"@example.org")
        assert self.victim.encode() in self.smuggled
        self.stored = []  # what the user's mailbox must hold

    def expected(self, content):
        """The message as its lines are, when it was taken."""
        if self.repair:
            content = re.sub(rb"(?<!\r)\n", b"\r\n", content)
        return content

    def talk(self, head, *tail_in_pieces, pause_s=0.0):
        """head and the pieces are what stands between 354 and the end."""
        tail = b"".join(tail_in_pieces)
        parameters = " BODY=8BITMIME" if not (head + tail).isascii() else ""
        with Talk(self.server) as talk:
            offered = talk.greet()
            if self.context == "tls" and "STARTTLS" not in offered:
                raise Skip(NO_OPENSSL)
            if self.context == "tls":
                talk.start_tls()
            self.begin(talk, parameters)
            talk.ask("DATA", "354")
            talk.send(head, *tail_in_pieces, b"QUIT\r\n", pause_s=pause_s)
            replies = talk.rest()
        self.judge(replies, head + tail)

    def begin(self, talk, parameters):
        talk.begin(f"{self.user}@example.org", parameters=parameters)
        talk.ask(f"RCPT TO:<{self.away}>", "250")

    def judge(self, replies, wire):
        codes = [reply.code for reply in replies]
        accepted = codes == ["250", "221"]
        expect(accepted or len(codes) in (1, 2) and codes[0][0] == "5" and
               codes[1:] in ([], ["221"]), f"the replies are {replies}")
        if "exactly one message accepted" in self.test["expect_inbound"]:
            expect(accepted, f"refused: {replies[0]}")
        if accepted:
            # Dot-stuffing is undone (RFC 5321 4.5.2); CRLF.CRLF is the one end.
            content, end, behind = wire.partition(b"\r\n.\r\n")
            assert end and not behind
            self.stored.append(self.expected(re.sub(rb"(\A|\r\n)\.", rb"\1", content + b"\r\n")))

    def start(self):
        return getattr(self, self.context.replace("-", "_"))()

    def data_one_segment(self):
        self.talk(b"", HEADER + b"text" + self.sequence + self.smuggled)

    tls = data_one_segment

    def data_split_each_byte(self):
        each = [bytes([byte]) for byte in self.sequence]
        self.talk(HEADER + b"text", *each, self.smuggled, pause_s=0.002)

    def data_buffer_edge(self):
        """The edge between each two bytes of the sequence, from the first byte of the message."""
        for edge in EDGES:
            for cut in range(1, len(self.sequence)):
                fill = edge - cut - len(HEADER)
                lines = (b"x" * 70 + b"\r\n") * (fill // 72)
                head = HEADER + lines + b"y" * (fill - len(lines))
                assert len(head) + cut == edge
                self.talk(head + self.sequence + self.smuggled)

    def header_area(self):
        self.talk(b"", b"From: a@c.example\r\nX-Text: text" + self.sequence + self.smuggled)

    def bdat_then_data(self):
        chunk = HEADER + b"text" + self.sequence + self.smuggled
        with Talk(self.server) as talk:
            if "CHUNKING" not in talk.greet():
                raise Skip("CHUNKING is not offered yet")
            parameters = " BODY=8BITMIME" if not chunk.isascii() else ""
            self.begin(talk, parameters)
            talk.send(b"BDAT %d LAST\r\n" % len(chunk) + chunk + b"QUIT\r\n")
            replies = talk.rest()
        codes = [reply.code for reply in replies]
        expect(len(codes) == 2 and codes[0][0] in "25" and codes[1] == "221",
               f"the replies are {replies}")
        if codes[0] == "250":
            self.stored.append(self.expected(chunk))

    def arrived(self):
        return len(self.server.mails(self.user)) >= len(self.stored)

    def check_mailboxes(self):
        found = [as_sent(read(path)) for path in self.server.mails(self.user)]
        expect(sorted(found) == sorted(self.stored),
               f"{len(found)} mails arrived, not as the {len(self.stored)} that were acknowledged")
        expect(self.server.mails(self.victim) == [], "the smuggled mail arrived")


class Next:
    """The server that mail is relayed to, and what came of it."""

    def __init__(self, offers_much):
        plain = None if offers_much else "250 fake.example"
        self.server = FakeMx(lambda verb, line, session: plain if verb == "EHLO" else None)
        self.exact = offers_much

    def wait(self, server, count):
        """Until so many messages are relayed or given back."""
        over = re.compile(r"to=<\S+@away\.example>.*status=(sent|bounced)")
        wait_until(lambda: len(over.findall(server.log())) >= count, RELAYED_SECONDS)

    def transactions(self):
        """[(recipient line, content as it was sent, dots and all)], read strictly."""
        found = []
        for heard in self.server.heard:
            heard, rcpt = bytes(heard), None
            stripped = heard.replace(b"\r\n", b"")
            for byte in b"\r\n\0":
                assert byte not in stripped, "a bare CR, bare LF or NUL was relayed"
            while heard:
                line, _, heard = heard.partition(b"\r\n")
                verb = line[:4]
                assert verb in (b"EHLO", b"MAIL", b"RCPT", b"DATA", b"QUIT", b"RSET"), line
                assert b"smuggled@" not in line, line
                rcpt = line if verb == b"RCPT" else rcpt
                if verb == b"DATA":
                    content, end, heard = heard.partition(b"\r\n.\r\n")
                    assert end
                    found.append((rcpt.decode(), content + b"\r\n"))
        return found

    def check(self, run, transactions):
        """Each that was acknowledged was relayed once, as it was sent."""
        relayed = [content for rcpt, content in transactions if rcpt == f"RCPT TO:<{run.away}>"]
        as_it_is = self.exact or all(content.isascii() for content in run.stored)
        given_back = not relayed and not as_it_is and run.context == "header-area"
        expect(len(relayed) == len(run.stored) or given_back,
               f"{len(relayed)} relayed, not {len(run.stored)}")
        expect(self.exact or all(content.isascii() for content in relayed),
               "8-bit content was relayed to a server without 8BITMIME")
        for content in relayed:
            expect(not re.search(rb"(\A|\r\n)\.(?!\.)", content),
                   f"a dot is not doubled: {content[-300:]}")
        plain = [RECEIVED.sub(b"", re.sub(rb"(\A|\r\n)\.\.", rb"\1.", content))
                 for content in relayed]
        if as_it_is:  # what had to be encoded is judged by its form alone, above
            expect(sorted(plain) == sorted(run.stored), f"relayed {plain}, not {run.stored}")


def drain(server, runs):
    """All that was acknowledged is there, and so is one mail that came behind it."""
    wait_until(lambda: all(run.arrived() for run in runs), 240)
    with Talk(server) as talk:
        talk.greet()
        talk.begin("last@example.org")
        talk.ask("DATA", "354")
        talk.ask("Subject: last\r\n\r\n.", "250")
    server.wait_mail("last")


def play(tests, more, repair, offers_much):
    """{id: None, or the exception that ended it} for one server."""
    ends, following = {}, Next(offers_much)
    with running(more, f"127.0.0.1:{following.server.port}") as server:
        runs = [Run(test, number, server, repair) for number, test in enumerate(tests)]
        for run in runs:
            try:
                run.start()
                ends[run.test["id"]] = None
            except (Failure, Skip, OSError) as end:
                ends[run.test["id"]] = end
        drain(server, runs)
        following.wait(server, sum(len(run.stored) for run in runs))
        relayed = following.transactions()
        for run in runs:
            try:
                if ends[run.test["id"]] is None:
                    run.check_mailboxes()
                    following.check(run, relayed)
            except Failure as end:
                ends[run.test["id"]] = end
        acknowledged = 1 + sum(len(run.stored) for run in runs)
        queued = server.log().count("(queue active)")
        assert queued == acknowledged or any(isinstance(end, Failure) for end in ends.values()), \
            f"{queued} mails in the log, not {acknowledged}"
    return ends


def main():
    tests = cases(sys.argv[1])
    ways = {"strict": play(tests, "line-ends strict", False, True),
            "repair": play(tests, "line-ends repair", True, False)}

    def outcome(case):
        for way, ends in ways.items():
            if isinstance(ends[case], Failure):
                raise Failure(f"line-ends {way}: {ends[case]}")
            if ends[case]:
                raise ends[case]
    for test in tests:
        verdict(test["id"], lambda case=test["id"]: outcome(case))


main()
