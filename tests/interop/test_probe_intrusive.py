"""postroad probe --intrusive: servers that can be fooled about where a message ends or what was said
under TLS, and servers that cannot."""
import json
import re
import ssl

import pytest

from server import wait_until
from test_probe import CLOSED, keys, probe, raw, rows  # noqa: F401  (fixtures)

ENDINGS = {  # as they are told
    "CRLF .. CRLF": b"\r\n..\r\n", "LF . LF": b"\n.\n", "LF . CRLF": b"\n.\r\n",
    "LF . CR": b"\n.\r", "CR . LF": b"\r.\n", "CR . CR": b"\r.\r", "CR . CRLF": b"\r.\r\n",
    "CRLF . LF": b"\r\n.\n", "CRLF . CR": b"\r\n.\r", "CRLF . CRCRLF": b"\r\n.\r\r\n",
    "CRCRLF . CRCRLF": b"\r\r\n.\r\r\n", "CRLF NUL . CRLF": b"\r\n\0.\r\n",
    "CRLF . NUL CRLF": b"\r\n.\0\r\n", "CRLF . blank CRLF": b"\r\n. \r\n"}


class Reader:
    """Bytes of a connection, up to whichever of some ends comes first."""

    def __init__(self, connection):
        self.connection, self.buffer = connection, b""

    def until(self, ends):
        while True:
            found = [(self.buffer.find(e), e) for e in ends if e in self.buffer]
            if found:
                at, end = min(found, key=lambda f: (f[0], -len(f[1])))
                taken, self.buffer = self.buffer[:at], self.buffer[at + len(end):]
                return taken
            more = self.connection.recv(4096)
            if not more:
                raise OSError("gone")
            self.buffer += more


class Server:
    """A mail server whose messages end at any of `ends`; `says` has its other answers."""

    def __init__(self, ends=(b"\r\n.\r\n",), says=None, early=None, tls=None, keep=False):
        self.ends, self.says, self.early = list(ends), says or {}, early
        self.tls, self.keep = tls, keep  # keep: what was read ahead outlives STARTTLS
        self.mails, self.rcpts = [], []

    def talk(self, connection):
        connection.sendall(b"220 fake.example ESMTP\r\n")
        self.commands(connection, Reader(connection))

    def commands(self, connection, reader):
        offers = b"250-fake\r\n250 STARTTLS\r\n" if self.tls else b"250 fake\r\n"
        while True:
            line = reader.until([b"\r\n"]).decode(errors="replace")
            verb = line.split(" ")[0].upper()
            if verb == "RCPT":
                self.rcpts.append(line)
            answer = self.says.get(verb) or {
                "EHLO": offers, "MAIL": b"250 ok\r\n", "RCPT": b"250 ok\r\n", "NOOP": b"250 done\r\n",
                "RSET": b"250 ok\r\n", "DATA": b"354 go on\r\n", "QUIT": b"221 bye\r\n",
                "STARTTLS": b"220 go\r\n"}.get(verb, b"500 what?\r\n")
            connection.sendall(answer)
            if verb == "QUIT":
                return
            if answer[:3] == b"354":
                self.message(connection, reader)
            if verb == "STARTTLS" and answer[:3] == b"220":
                with self.tls.wrap_socket(connection, server_side=True) as secure:
                    fresh = Reader(secure)
                    fresh.buffer = reader.buffer if self.keep else b""
                    self.tls, offers = None, b"250 fake\r\n"
                    try:
                        self.commands(secure, fresh)
                    finally:
                        self.tls = TLS[0]
                return

    def message(self, connection, reader):
        if self.early:
            mail = reader.until(self.ends + [self.early[0]])
            connection.sendall(self.early[1])
            if self.early[2]:
                raise OSError("hangs up")
            return
        mail = reader.until(self.ends)
        self.mails.append(mail)
        connection.sendall(self.says.get("DOT", b"250 taken\r\n"))


TLS = []  # the context, for connections after the first


def intrusive(port, *words):
    status, said, _ = probe(f"127.0.0.1:{port}", "--timeout", 3, "--intrusive", *words)
    assert status == 0, said
    table, found = rows(said), {}
    for line in table.get("smuggling", [])[1:]:
        name = next(n for n in sorted(ENDINGS, key=len, reverse=True) if line.strip().startswith(n))
        found[name] = line.strip()[len(name):].strip()
    return table, found


def test_an_honest_server(raw):  # noqa: F811
    server = Server()
    table, found = intrusive(raw(server.talk), "--to", "me@example.org")
    assert table["smuggling"][0] == "no: it knows where a message ends"
    assert found == {name: "kept as text: 250 taken" for name in ENDINGS}
    assert table["mail sent to"] == ["<me@example.org>"]
    assert table["downgrade"] == ["not tested: there is no STARTTLS"]
    assert len(server.mails) == len(ENDINGS) + 1
    assert set(server.rcpts) == {"RCPT TO:<me@example.org>"}  # that of the open relay, too
    for mail in server.mails:
        assert b"postroad probe --intrusive" in mail and b"This message can be deleted." in mail
    for ending in ENDINGS.values():
        assert sum(mail.endswith(b"-" + ending + b"NOOP") for mail in server.mails) == 1, ending


FOOLED = [  # what ends its messages, too; by which endings it is fooled
    (b"\n.\n", ["LF . LF", "CRLF . LF"]),
    (b"\r\n.\0\r\n", ["CRLF . NUL CRLF"]),
    (b"\r\n. \r\n", ["CRLF . blank CRLF"]),
]


@pytest.mark.parametrize("end,by", FOOLED)
@pytest.mark.parametrize("refuses", [False, True])
def test_a_server_that_is_fooled(raw, end, by, refuses):  # noqa: F811
    """Whether it takes the message that ended too early or not: it goes on with commands."""
    answer = b"550 5.7.1 no" if refuses else b"250 taken"
    server = Server([b"\r\n.\r\n", end], {"DOT": answer + b"\r\n"})
    table, found = intrusive(raw(server.talk))
    assert table["smuggling"][0] == ("YES, it can be fooled about where a message ends: "
                                     f"{len(by)} of {len(ENDINGS)} ways")
    told = answer.decode()
    for name, why in found.items():
        if name in by:
            assert why == f"FOOLED: {told}; then 250 done; then 500 what?", name
        else:
            assert why == f"{'refused' if refuses else 'kept as text'}: {told}", name
    assert set(server.rcpts[1:]) == {"RCPT TO:<postmaster>"}  # behind that of the open relay


def test_line_ends_of_every_kind(raw):  # noqa: F811
    """A server that reads lines as Python does."""
    server = Server([b"\r\n.\r\n", b"\n.\n", b"\n.\r\n", b"\r.\r", b"\r.\n", b"\n.\r", b"\r\n.\n"])
    table, found = intrusive(raw(server.talk))
    fooled = {name for name, why in found.items() if why.startswith("FOOLED: ")}
    assert fooled == {"LF . LF", "LF . CRLF", "LF . CR", "CR . LF", "CR . CR", "CR . CRLF",
                      "CRLF . LF", "CRLF . CR", "CRLF . CRCRLF", "CRCRLF . CRCRLF"}


def test_an_answer_in_the_middle_of_a_message(raw):  # noqa: F811
    """Hanging up is a good answer to a bare LF, going on with commands is not."""
    hangs_up = Server(early=(b"\n.\n", b"550 5.5.2 bare LF\r\n421 4.7.0 bye\r\n", True))
    _, found = intrusive(raw(hangs_up.talk))
    assert found["LF . LF"] == "refused: 550 5.5.2 bare LF"
    goes_on = Server(early=(b"\n.\n", b"550 5.5.2 bare LF\r\n", False))
    _, found = intrusive(raw(goes_on.talk))
    assert found["LF . LF"].startswith("FOOLED: 550 5.5.2 bare LF; then 250 done")
    confused = Server(early=(b"\n.\n", b"550 5.5.2 bare LF\r\n", False),
                      says={"NOOP": b"503 5.5.1 no\r\n"})
    table, found = intrusive(raw(confused.talk))
    assert found["LF . LF"].startswith("UNCLEAR: 550 5.5.2 bare LF; then 503 5.5.1 no")
    assert table["smuggling"][0] == "unclear"


@pytest.mark.parametrize("says,why", [
    ({"RCPT": b"550 5.1.1 nobody\r\n"}, "550 5.1.1 nobody"),
    ({"MAIL": b"530 5.7.0 log in\r\n"}, "530 5.7.0 log in"),
    ({"DATA": b"554 5.7.1 no\r\n"}, "554 5.7.1 no"),
    ({"DOT": b"250 taken\r\n250 and once more\r\n"}, "250 taken; then 250 and once more"),
    ({"DOT": b"huh\r\n"}, "what it says is no SMTP"),
])
def test_servers_that_cannot_be_judged(raw, says, why):  # noqa: F811
    table, _ = intrusive(raw(Server(says=says).talk))
    assert table["smuggling"] == [f"not tested: {why}"]


# ---- TLS ----

@pytest.mark.parametrize("keep", [False, True])
def test_what_was_said_in_the_clear(raw, keys, keep):  # noqa: F811
    TLS[:] = [keys]
    port = raw(lambda connection: Server(tls=keys, keep=keep).talk(connection))
    status, said, _ = probe(f"127.0.0.1:{port}", "--timeout", 3, "--intrusive", "--json")
    assert status == 0
    found = json.loads(said)
    assert found["mail_sent_to"] == "postmaster"
    assert found["smuggling"]["answer"] == "safe"
    assert {t["why"] for t in found["smuggling"]["tried"]} == {"kept as text: 250 taken"}
    assert found["downgrade"]["answer"] == ("fooled" if keep else "safe")
    assert [t["answer"] for t in found["downgrade"]["tried"]] == \
        ["fooled" if keep else "safe"] * 2
    status, said, _ = probe(f"127.0.0.1:{port}", "--timeout", 3, "--intrusive")
    assert rows(said)["downgrade"][0] == (
        "YES, it answers under TLS what was said in the clear: 2 of 2 ways" if keep
        else "no: TLS begins with a clean slate")


# ---- our own server ----

def test_our_own_server(serve):
    server = serve(CLOSED).start()
    table, found = intrusive(server.port)
    assert table["smuggling"][0] == "no: it knows where a message ends"
    text = ("CRLF .. CRLF", "CRLF . blank CRLF")
    for name, why in found.items():
        assert why.startswith("kept as text: 250 2.0.0" if name in text else "refused: 550 5."), why
    assert wait_until(lambda: len(server.mails("ann")) == 1 + len(text))
    status, said, _ = probe(f"127.0.0.1:{server.port}", "--json")
    found = json.loads(said)
    assert found["smuggling"] is None and found["downgrade"] is None


def test_without_it_no_message_is_sent(raw):  # noqa: F811
    server = Server()
    status, said, _ = probe(f"127.0.0.1:{raw(server.talk)}")
    assert status == 0 and server.mails == [] and "smuggling" not in rows(said)
