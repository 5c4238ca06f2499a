"""What is said around STARTTLS: before the handshake, instead of it, and what must be forgotten
behind it. One function a case, its name is the case's with "_": the server's half against one running
server, the client's against a server that passes mail on to tests/live/fake_mx."""
import os
import re
import shutil
import smtplib
import ssl
import sys
import tempfile
import threading
import time

from suite import (NO_OPENSSL, Skip, Talk, cases, expect, free_port, make_certificate, running,
                   verdict, wait_until)
from fake_mx import FakeMx

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


# ---- the client's half ----

OFFERS = "250-fake.example\r\n250 STARTTLS"


def mx_says(replies, tls=True):
    """A server that offers STARTTLS, and under TLS nothing; with these replies by verb."""
    def says(verb, _, session):
        session["ehlos"] = session.get("ehlos", 0) + (verb == "EHLO")
        reply = replies.get(verb)
        if reply is None and verb == "EHLO":
            reply = OFFERS if session["ehlos"] == 1 else "250 fake.example"
        return "220 go on" if reply is None and verb == "STARTTLS" else reply
    context = None
    if tls:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        with tempfile.TemporaryDirectory(prefix="conformance-") as folder:
            context.load_cert_chain(*make_certificate(folder))
    return FakeMx(says, tls=context)


def passed_on(word, *servers):
    """A mail goes to these servers with `tls WORD`. What the log says of it: "sent", "deferred"."""
    hosts = " ".join(f"127.0.0.1:{mx.port}" for mx in servers)
    with running(relay=hosts, relay_tls=word, retry="1h") as server:
        with smtplib.SMTP("127.0.0.1", server.port, "client.example") as client:
            client.sendmail("ann@example.org", ["bob@away.example"], MAIL)
        wait_until(lambda: re.search(r"to=<bob@away.example>.* status=", server.log()))
        found = re.search(r"to=<bob@away.example>.* status=(\w+)", server.log())
    for mx in servers:
        mx.close()
    expect(found is not None, "nothing came of it")
    return found[1]


def said(mx, verb):
    return [line for line in mx.lines if line.upper().startswith(verb)]


def cli_response_inject(_):
    mx = mx_says({"STARTTLS": "220 go\r\n250-evil\r\n250 SIZE 1"})
    status = passed_on("required", mx)
    expect(status == "deferred" or len(said(mx, "EHLO")) == 2, "EHLO was not said under TLS")
    expect(not any("SIZE=" in line for line in said(mx, "MAIL")), "what was injected is believed")


def cli_caps_stale(_):
    mx = mx_says({"EHLO": None})
    usual = mx.says

    def says(verb, line, session):
        said_now = usual(verb, line, session)
        return "250-x.example\r\n250-AUTH LOGIN\r\n250-SIZE 10\r\n250 STARTTLS" \
            if said_now == OFFERS else said_now
    mx.says = says
    expect(passed_on("optional", mx) == "sent", "a SIZE that holds no more is believed")
    expect(len(said(mx, "EHLO")) == 2 and said(mx, "MAIL") == ["MAIL FROM:<ann@example.org>"],
           f"{mx.lines}")


def waits(word, mx):
    expect(passed_on(word, mx) == "deferred", f"tls {word} went in the clear")
    expect(not said(mx, "MAIL"), f"tls {word}: MAIL in the clear")


def cli_strip_required(_):
    for word in ("required", "verified"):
        waits(word, mx_says({"EHLO": "250 fake.example"}, tls=False))
    waits("verified", mx_says({}))  # of nobody that is trusted


def cli_454_required(_):
    for word in ("required", "verified"):
        waits(word, mx_says({"STARTTLS": "454 4.7.0 TLS not available"}, tls=False))
    first, second = mx_says({"STARTTLS": "454 4.7.0 not now"}, tls=False), mx_says({})
    expect(passed_on("required", first, second) == "sent", "the next one was not tried")
    expect(len(second.mails) == 1 and not said(first, "MAIL"), "MAIL in the clear")


def cli_502_may(_):
    mx = mx_says({"STARTTLS": "502 5.5.1 what is that"}, tls=False)
    expect(passed_on("optional", mx) == "sent" and len(mx.mails) == 1, "not sent")


def cli_handshake_fail_may(_):
    mx = mx_says({}, tls=False)
    usual = mx.says
    mx.says = lambda verb, line, session: usual(verb, line, session) \
        if verb.isalpha() else "\x15\x03\x01\0\x02\x02\x28"
    expect(passed_on("optional", mx) == "sent" and len(mx.mails) == 1, "not sent")
    expect(mx.connections == 2, f"{mx.connections} connections")
    expect(len(said(mx, "STARTTLS")) == 1, "STARTTLS again")


def cli_close_in_data(_):
    mx = mx_says({"DOT": "close"})
    expect(passed_on("required", mx) == "deferred", "not deferred")
    expect(len(said(mx, "DATA")) == 1, "it did not come so far")


def cli_250_before_dot(_):
    mx = mx_says({"DATA": "354 go on\r\n250 2.0.0 taken", "DOT": "close"})
    expect(passed_on("required", mx) == "deferred", "an early 250 counts")


def cli_ehlo_smuggled_lf(_):
    mx = mx_says({"EHLO": "250-fake.example\r\n250-SIZE 1\n250 STARTTLS"}, tls=False)
    passed_on("optional", mx)
    expect(not said(mx, "STARTTLS") or not any("SIZE=" in line for line in said(mx, "MAIL")),
           "two capabilities in one line")
    expect(not said(mx, "STARTTLS"), "LF ends a line")


def healthy(server, roles):
    expect(server.roles() == roles, "a process of the server ended")
    with talk_to(server) as talk:
        began = time.monotonic()
        talk.start_tls()
        expect(time.monotonic() - began < HANDSHAKE_S / 4, "others wait")


def main():
    if not shutil.which("openssl"):
        for case in cases(sys.argv[1]):
            print(f"skip {case['id']}: {NO_OPENSSL}")
        return
    asking = free_port()
    with running(f"tls optional }}\nlisten mx 127.0.0.1:{asking} "
                 "{ tls required; client-ca {folder}/mx.pem") as server:
        server.asking = asking
        roles = server.ready().roles()
        slow = Slow(server)

        def run(case):
            name = case["id"].replace("-", "_")
            test = slow.end if name == "srv_tls_slow" else globals().get(name)
            expect(callable(test), "nobody wrote a session for it")
            test(server)
            if case["side"] == "server":
                healthy(server, roles)

        # The slow one last: it is under way.
        for case in sorted(cases(sys.argv[1]), key=lambda case: case["id"] == "srv-tls-slow"):
            verdict(case["id"], lambda case=case: run(case))


main()
