"""Messages that broke MIME parsers: taken, stored and read back byte by byte.

Their line ends become CRLF first, as the suite wants. What an earlier delivery wrote into
Return-Path goes, since ours takes its place (RFC 5321 4.4). What starts with a blank has no header:
an empty line keeps it from being folded into our Received, and all of it is body. Nothing else may
differ. Read back are the mailboxes of two users, so that a message that many refuse is stored twice
as well as once."""
import os
import re
import sys

from suite import Talk, as_sent, expect, read, running, verdict, wait_until


def messages(folder):
    """[(name, content)] of all, licences left out."""
    found = []
    for top, _, names in os.walk(folder):
        found += [os.path.join(top, name) for name in names if not name.startswith("LICENSE")]
    for path in sorted(found):
        content = re.sub(rb"(?<!\r)\n", b"\r\n", read(path))
        # A message ends with CRLF, or the end of DATA makes it so (RFC 5321 4.1.1.4).
        yield os.path.relpath(path, folder), content if content.endswith(b"\r\n") \
            else content + b"\r\n"


FIELD = re.compile(rb"([^:\n]*?)[ \t]*:.*\n(?:[ \t].*\n)*")


def delivered(content):
    """Without the fields that are Return-Path; the header ends with a line that has no colon."""
    if content[:1] in b" \t":
        return b"\r\n" + content
    kept, at = b"", 0
    while field := FIELD.match(content, at):
        at = field.end()
        if field[1].lower() != b"return-path":
            kept += field[0]
    return kept + content[at:]


def send(server, number, content):
    parameters = "" if content.isascii() else " BODY=8BITMIME"
    stuffed = re.sub(rb"(\A|\r\n)\.", rb"\1..", content)
    with Talk(server) as talk:
        talk.greet()
        talk.ask(f"MAIL FROM:<a@c.example>{parameters}", "250")
        for user in users(number):
            talk.ask(f"RCPT TO:<{user}@example.org>", "250")
        talk.ask("DATA", "354")
        talk.send(stuffed)
        talk.ask(".", "250")
        talk.ask("QUIT", "221")


def users(number):
    return f"ann{number}", f"bob{number}"


def check(server, number, content):
    for user in users(number):
        wait_until(lambda user=user: server.mails(user))
        found = [as_sent(read(path)) for path in server.mails(user)]
        expect(len(found) == 1, f"{len(found)} mails for {user}")
        expect(found[0] == delivered(content), f"stored otherwise than sent, for {user}")


def main():
    with running("line-ends strict") as server:
        roles = sorted(server.ready().roles())
        for number, (name, content) in enumerate(messages(sys.argv[1])):
            def run(number=number, content=content):
                send(server, number, content)
                check(server, number, content)
                expect(sorted(server.roles()) == roles, "a process of the server ended")
            verdict(name, run)


main()
