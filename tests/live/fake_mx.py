"""A mail server with manners of its own, in a thread: what it says to each command is a function,
and it keeps every message it took."""
import socket
import threading


class FakeMx:
    """says(verb, line, session) -> reply line(s), None for the usual answer, "" for none at all,
    "close" to hang up; session["last_reply"] = True hangs up behind the reply; session["peer"] is who
    calls, session["tls"] is set behind a handshake. Verbs: CONNECT, EHLO,
    MAIL, RCPT, DATA, DOT, RSET, QUIT ... A mail is in `mails` before its sender hears so.
    `heard` has every byte that came, one item a connection; `over` one for each that ended. With `tls`, an ssl.SSLContext, a 220 to
    STARTTLS is followed by a handshake; `implicit`: it comes before all else."""

    USUAL = {"CONNECT": "220 fake.example ESMTP", "EHLO": "250-fake.example\r\n250-PIPELINING\r\n"
             "250-8BITMIME\r\n250-SIZE 100000000\r\n250 ENHANCEDSTATUSCODES", "DATA": "354 go on",
             "DOT": "250 2.0.0 taken", "QUIT": "221 bye"}

    def __init__(self, says=lambda verb, line, session: None, address="127.0.0.1", port=0, tls=None,
                 implicit=False):
        self.says, self.tls, self.implicit = says, tls, implicit
        self.mails, self.lines, self.heard, self.over, self.connections = [], [], [], [], 0
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        self.listener = socket.create_server((address, port), family=family)
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def close(self):
        if self.listener.fileno() < 0:
            return
        # A thread that waits in accept() would go on there, with a number that another file may get.
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()

    def accept(self):
        while True:
            try:
                connection, peer = self.listener.accept()
            except OSError:
                return
            self.connections += 1
            session = {"rcpts": [], "tries": self.connections, "heard": bytearray(), "peer": peer[0]}
            self.heard.append(session["heard"])
            threading.Thread(target=self.serve, args=(connection, session), daemon=True).start()

    def serve(self, connection, session):
        try:
            with connection:
                if self.implicit:
                    self.secure(connection, session, greet=True)
                else:
                    self.talk(connection, session, greet=True)
        except OSError:
            pass
        finally:
            self.over.append(session)

    def secure(self, connection, session, greet):
        with self.tls.wrap_socket(connection, server_side=True) as secure:
            session["tls"] = secure.version()
            self.talk(secure, session, greet)

    def talk(self, connection, session, greet):
        with connection.makefile("rb") as lines:
            if greet and not self.answer(connection, "CONNECT", "", session):
                return
            while line := lines.readline():
                if not self.take(connection, lines, line, session):
                    return
                if self.tls and line.upper() == b"STARTTLS\r\n" and session["last"][:3] == "220":
                    self.secure(connection, session, greet=False)
                    return

    def take(self, connection, lines, line, session):
        text = line.decode(errors="replace").rstrip("\r\n")
        verb = text.split(" ", 1)[0].upper()
        self.lines.append(text)
        session["heard"] += line
        if verb == "MAIL":
            session["sender"], session["rcpts"] = text, []
        go_on = self.answer(connection, verb, text, session)
        if verb == "DATA" and session.get("last", "").startswith("354"):
            body = b""
            while (more := lines.readline()) not in (b".\r\n", b""):
                session["heard"] += more
                body += more[1:] if more.startswith(b".") else more
                if self.says("BODY", body, session) == "close":
                    return False
            session["heard"] += more
            go_on = self.answer(connection, "DOT", body, session)
        return go_on and verb != "QUIT" and "last_reply" not in session

    def answer(self, connection, verb, text, session):
        said = self.says(verb, "" if verb == "DOT" else text, session)
        if said is None and verb == "DATA" and not session["rcpts"]:
            said = "503 5.5.1 no recipients"
        if said is None:
            said = self.USUAL.get(verb, "250 2.0.0 Ok")
        if verb == "RCPT" and said.startswith("250"):
            session["rcpts"].append(text)
        if verb == "DOT" and said.startswith("250"):
            self.mails.append((session["sender"], session["rcpts"], text))
        session["last"] = said
        if said == "close":
            return False
        if said:
            connection.sendall(said.encode() + b"\r\n")
        return True
