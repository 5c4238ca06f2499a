"""What is said around STARTTLS: before the handshake, instead of it, and what must be forgotten
behind it. The server's half, against a running server; one function a case, its name is the case's
with "_"."""
import os
import shutil
import ssl
import sys
import threading
import time

from suite import NO_OPENSSL, Skip, Talk, cases, expect, free_port, running, verdict

MAIL = b"Subject: x\r\n\r\nhi\r\n"
HANDSHAKE_S = 60  # no longer may one take


def hello():
    """The first bytes of a client's handshake."""
    context = ssl.create_default_context()
    into, out = ssl.MemoryBIO(), ssl.MemoryBIO()
    try:
        context.wrap_bio(into, out, server_hostname="mx.example.org").do_handshake()
    except ssl.SSLWantReadError:
        pass
    return out.read()


def talk_to(server):
    talk = Talk(server)
    expect("STARTTLS" in talk.greet(), "STARTTLS is not offered")
    return talk


def silent(talk, seconds=2):
    """The server speaks first only if somebody spoke before."""
    talk.socket.settimeout(seconds)
    try:
        got = talk.socket.recv(1000)
    except TimeoutError:
        return
    expect(not got, f"said without being asked: {got}")


def injected(server, behind):
    """What the server does with `behind` in STARTTLS's own segment: a Talk under TLS, or None when
    it closed the connection."""
    talk = talk_to(server)
    talk.send(b"STARTTLS\r\n" + behind)
    if talk.reply().code != "220":
        expect(talk.reply() is None, "refused, but not closed")
        return None
    try:
        talk.shake_hands()
    except OSError:
        return None
    return talk


def srv_inject_ehlo(server):
    talk = injected(server, b"EHLO injected\r\n")
    if talk:
        silent(talk)


def srv_inject_auth(server):
    talk = injected(server, b"AUTH PLAIN AHVzZXIAcGFzcw==\r\n")
    if talk:
        silent(talk)
        expect("AUTH" not in talk.offers() or talk.ask("AUTH PLAIN").code != "503", "authenticated")


def srv_inject_partial(server):
    talk = injected(server, b"MAIL FR")
    if talk:
        talk.offers()
        talk.ask("OM:<a@b.example>", "500")


def srv_inject_after_220(server):
    talk = talk_to(server)
    talk.ask("STARTTLS", "220")
    talk.send(b"NOOP\r\n" + hello())
    got = b""
    try:
        while piece := talk.socket.recv(65536):
            got += piece
    except ConnectionResetError:
        pass
    expect(b"250" not in got and not got.startswith(b"\x16"), f"it goes on: {got[:80]}")


def srv_reset_ehlo(server):
    with talk_to(server) as talk:
        talk.ask("EHLO in.the.clear", "250")
        talk.ask("STARTTLS", "220")
        talk.shake_hands()
        if talk.ask("MAIL FROM:<a@b.example>").code == "250":
            talk.ask("RSET", "250")
        talk.ask("HELO again.example", "250")
        talk.begin("reset@example.org")
        talk.ask("DATA", "354")
        talk.send(MAIL)
        talk.ask(".", "250")
    mail = server.wait_mail("reset")[0]
    expect(b"in.the.clear" not in mail, "Received tells the name said in the clear")


def srv_reset_mail(server):
    with talk_to(server) as talk:
        talk.ask("MAIL FROM:<a@b.example>", "250")
        if talk.ask("STARTTLS").code == "503":
            return
        talk.shake_hands()
        talk.offers()
        talk.ask("RCPT TO:<ann@example.org>", "503")


def srv_twice(server):
    with talk_to(server) as talk:
        expect("STARTTLS" not in talk.start_tls(), "STARTTLS is offered under TLS")
        expect(talk.ask("STARTTLS").code in ("502", "503"), "TLS in TLS")
        talk.ask("NOOP", "250")


def srv_args(server):
    with talk_to(server) as talk:
        talk.ask("STARTTLS now", "501")
        talk.start_tls()


def srv_no_tls_avail(_):
    raise Skip("certificates are read and checked before anything starts; "
               "tests/dialogs/starttls-cannot-be-had.smtp plays the 454")


def srv_truncation(server):
    with talk_to(server) as talk:
        talk.start_tls()
        talk.begin("truncated@example.org")
        talk.ask("DATA", "354")
        talk.send(b"Subject: x\r\n\r\nhalf\r\n")
        os.close(talk.socket.detach())
    with talk_to(server) as talk:
        talk.start_tls()
        talk.begin("whole@example.org")
        talk.ask("DATA", "354")
        talk.send(MAIL)
        talk.ask(".", "250")
    server.wait_mail("whole")
    expect(server.mails("truncated") == [], "half a mail arrived")


class Slow:
    """A handshake in drops, beside all other cases."""

    def __init__(self, server):
        self.talk = talk_to(server)
        self.talk.ask("STARTTLS", "220")
        self.began = time.monotonic()
        self.took = None
        self.thread = threading.Thread(target=self.drip)
        self.thread.start()

    def drip(self):
        for byte in hello():
            try:
                self.talk.send(bytes([byte]))
                self.talk.socket.settimeout(5)
                if self.talk.socket.recv(1) == b"":
                    break
            except TimeoutError:
                pass
            except OSError:
                break
            if time.monotonic() > self.began + HANDSHAKE_S + 5:
                break
        self.took = time.monotonic() - self.began

    def end(self, _):
        self.thread.join()
        expect(self.took <= HANDSHAKE_S, f"closed after {self.took:.0f} s")


def srv_ticket_cross(server):
    """Where clients are asked who they are, a ticket of the other listener says nothing."""
    client = ssl._create_unverified_context()
    session = None
    for port, resumed in ((server.port, False), (server.port, True), (server.asking, False)):
        with Talk(server, port=port) as talk:
            talk.greet()
            talk.ask("STARTTLS", "220")
            talk.socket = client.wrap_socket(talk.socket, session=session)
            talk.ask("NOOP", "250")
            expect(talk.socket.session_reused == resumed, f"resumed: {not resumed}")
            session = talk.socket.session
            expect(session.has_ticket, "no ticket was given")


def srv_alpn_cross(server):
    for protocols in (["h2", "http/1.1"], ["http/1.1"], ["imap"]):
        talk = talk_to(server)
        talk.ask("STARTTLS", "220")
        try:
            talk.shake_hands(alpn=protocols)
        except ssl.SSLError:
            continue
        expect(talk.socket.selected_alpn_protocol() is None, "another protocol was agreed on")
    with talk_to(server) as talk:
        talk.start_tls()
        talk.send(b"GET / HTTP/1.1\r\nHost: mx\r\n\r\nNOOP\r\n")
        expect([reply.code for reply in talk.rest()] == ["421"], "HTTP goes on")


def healthy(server, roles):
    expect(server.roles() == roles, "a process of the server ended")
    with talk_to(server) as talk:
        began = time.monotonic()
        talk.start_tls()
        expect(time.monotonic() - began < 5, "others wait")


def main():
    if not shutil.which("openssl"):
        for case in cases(sys.argv[1]):
            print(f"skip {case['id']}: {NO_OPENSSL}")
        return
    asking = free_port()
    with running(f"tls optional }}\nlisten mx 127.0.0.1:{asking} "
                 "{ tls required; client-ca {folder}/mx.pem") as server:
        server.asking = asking
        roles = server.roles()
        slow = Slow(server)

        def run(case):
            name = case["id"].replace("-", "_")
            if case["side"] == "client":
                raise Skip("the client's half has no suite yet")
            test = slow.end if name == "srv_tls_slow" else globals().get(name)
            expect(callable(test), "nobody wrote a session for it")
            test(server)
            healthy(server, roles)

        # The slow one last: it is under way.
        for case in sorted(cases(sys.argv[1]), key=lambda case: case["id"] == "srv-tls-slow"):
            verdict(case["id"], lambda case=case: run(case))


main()
