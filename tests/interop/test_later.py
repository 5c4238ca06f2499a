"""Mail that is to go later: FUTURERELEASE, RFC 4865."""
import datetime
import json
import os
import re
import smtplib
import ssl
import time

import pytest

from certificate import make_certificate
from conftest import CONTENT, need, run
from fake_mx import FakeMx
from server import BINARY, free_port, wait_until

CONFIG = """
hostname mx.example.org
postmaster ann@example.org
tls {folder}/mx.pem {folder}/mx.key
table people accounts {folder}/people
listen mx 127.0.0.1:{port}
listen submission 127.0.0.1:SUBMIT { tls implicit; auth people }
queue {folder}/queue { min-free 10M }
relay next { host 127.0.0.1:NEXT; tls off }
accept to domain example.org users people deliver maildir {folder}/data/mail/{domain}/{user}
accept from local,authenticated to any relay next
"""


@pytest.fixture
def next_hop():
    mx = FakeMx()
    yield mx
    mx.close()


@pytest.fixture
def server(serve, tmp_path, next_hop):
    need("openssl")
    make_certificate(tmp_path)
    people = tmp_path / "people"
    people.write_text("ann@example.org:{PLAIN}secret\n")
    people.chmod(0o600)
    port = free_port()
    running = serve(CONFIG.replace("SUBMIT", str(port)).replace("NEXT", str(next_hop.port))).start()
    running.submit = port
    return running


def connect(server):
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    client = smtplib.SMTP_SSL("127.0.0.1", server.submit, context=context)
    client.ehlo("me.example")
    client.login("ann@example.org", "secret")
    return client


def submit(server, *options, rcpts=("ann@example.org",), rcpt_options=()):
    with connect(server) as client:
        client.sendmail("ann@example.org", list(rcpts), CONTENT, mail_options=list(options),
                        rcpt_options=list(rcpt_options))


def ask(server, *words):
    """A courier that has just begun may not listen yet."""
    config = os.path.join(server.folder, "postroad.conf")
    found = []

    def answered():
        found[:] = run(BINARY, "queue", words[0], "-c", config, *words[1:])
        return found[0] != 69
    assert wait_until(answered), found
    return found[1]


def queued(server, *words):
    lines = ask(server, "list", "--json", *words).splitlines()
    return [json.loads(line) for line in lines]


def one_queued(server):
    found = wait_until(lambda: [m for m in queued(server) if m["rcpts"][0]["status"] == "later"])
    assert len(found) == 1, queued(server)
    return found[0]


def iso(seconds):
    at = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=seconds)
    return at.strftime("%Y-%m-%dT%H:%M:%SZ")


def test_offered_where_people_log_in(server):
    with connect(server) as client:
        seconds, until = client.esmtp_features["futurerelease"].split()
        assert int(seconds) == 60 * 86400
        ahead = datetime.datetime.fromisoformat(until.replace("Z", "+00:00")).timestamp() - time.time()
        assert abs(ahead - int(seconds)) < 60
        for wish in (f"HOLDFOR={int(seconds) + 1}", f"HOLDUNTIL={iso(int(seconds) + 60)}",
                     f"HOLDUNTIL={iso(-60)}", "HOLDFOR=60 BY=30;R"):
            assert client.docmd(f"MAIL FROM:<ann@example.org> {wish}")[0] == 501, wish
    with smtplib.SMTP("127.0.0.1", server.port) as client:
        client.ehlo("me.example")
        assert "futurerelease" not in client.esmtp_features
        assert client.docmd("MAIL FROM:<ann@example.org> HOLDFOR=60")[0] == 555


@pytest.mark.parametrize("how", ["HOLDFOR", "HOLDUNTIL"])
def test_not_before_then_but_then(server, next_hop, how):
    """Through a restart of everything; into a mailbox and to another server."""
    due = time.time() + 10
    submit(server, "HOLDFOR=10" if how == "HOLDFOR" else f"HOLDUNTIL={iso(11)}",
           rcpts=["ann@example.org", "bob@far.example"])
    assert one_queued(server)["rcpts"][0]["release"] >= due - 1
    server.stop()
    server.start()
    while time.time() < due - 0.5:
        assert not server.mails("ann") and not next_hop.mails
        time.sleep(0.1)
    server.wait_mail("ann")
    assert wait_until(lambda: next_hop.mails)
    assert wait_until(lambda: not queued(server))
    log = server.log()
    for delay in re.findall(r"(?:ann@example.org|bob@far.example)>.* delay=([0-9.]+)", log):
        assert float(delay) < 9, log  # the time that it was to wait is none


def test_people_see_it_and_let_it_go(server, next_hop):
    submit(server, "HOLDFOR=86400", rcpts=["bob@far.example"])
    message = one_queued(server)
    text = ask(server, "list")
    assert re.search(r"bob@far\.example  \[held for later: until \w{3} [ \d]\d \d\d:\d\d\]\n", text) or \
        re.search(r"bob@far\.example  \[held for later: until \d\d:\d\d\]\n", text)
    assert "held for later: until" in ask(server, "why", message["id"])
    assert len(queued(server, "--status", "later")) == 1
    assert not queued(server, "--status", "deferred")
    assert "0 messages" in ask(server, "retry", message["id"])
    assert "1 message" in ask(server, "hold", message["id"])
    assert queued(server)[0]["rcpts"][0]["status"] == "held"
    assert "1 message" in ask(server, "release", message["id"])
    assert one_queued(server)["id"] == message["id"]
    assert not next_hop.mails
    assert "1 message" in ask(server, "release", message["id"])
    assert wait_until(lambda: next_hop.mails)
    assert wait_until(lambda: not queued(server))


def test_a_report_names_the_wish(server, next_hop):
    next_hop.says = lambda verb, line, session: "550 5.1.1 no" if verb == "RCPT" else None
    submit(server, "HOLDFOR=2", rcpts=["bob@far.example"])
    report = server.wait_mail("ann")[0]
    assert b"\nFuture-Release-Request: for;2\n" in report


def test_time_for_delivery_counts_from_the_arrival(server, next_hop):
    """BY= and HOLDFOR= together: what is left of BY when it is released, the next hop hears."""
    next_hop.USUAL = dict(FakeMx.USUAL, EHLO="250-fake.example\r\n250 DELIVERBY")
    submit(server, "HOLDFOR=3", "BY=1000;N", rcpts=["bob@far.example"])
    assert wait_until(lambda: next_hop.mails)
    left = int(re.search(r" BY=(\d+);N", next_hop.mails[0][0]).group(1))
    assert 900 <= left <= 997


def test_from_our_own_command_line(server):
    """`postroad send` logs in, asks for it, and the mail waits; strangers are told that they may not."""
    words = ["--from", "ann@example.org", "--to", "ann@example.org", "--body", "later",
             "--hold-for", "8s"]
    due = time.time() + 8
    status, said = run(BINARY, "send", *words, "--server", f"127.0.0.1:{server.submit}", "--tls",
                       "implicit", "--user", "ann@example.org", "--password-stdin", stdin=b"secret\n")
    assert status == 0 and "queued as" in said, said
    assert one_queued(server)
    server.wait_mail("ann")
    assert time.time() > due
    status, said = run(BINARY, "send", *words, "--server", f"127.0.0.1:{server.port}")
    assert status == 65 and "does not offer FUTURERELEASE" in said, said


def test_the_same_mail_at_once_after_all(server):
    """It is not taken for a client that comes again; one that does is."""
    content = b"Message-ID: <again@me.example>\r\nSubject: x\r\n\r\n"
    for wish in (["HOLDFOR=86400"], ["HOLDFOR=86400"], []):
        with connect(server) as client:
            client.sendmail("ann@example.org", ["ann@example.org"], content, mail_options=wish)
    server.wait_mail("ann")
    assert wait_until(lambda: len(queued(server)) == 1), queued(server)
