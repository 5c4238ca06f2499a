"""The log as other programs read it: fail2ban the text, collectors the JSON."""
import json
import os
import re
import smtplib

import pytest
from conftest import CONTENT, SENDER, need, run
from fake_mx import FakeMx
from server import TOP, wait_until
from test_submission import CONFIG as SUBMISSION
from test_submission import connect, start

FILTER = os.path.join(TOP, "conf", "fail2ban", "postroad.conf")
CACHE = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
ROOT = os.path.join(CACHE, "postroad", "roots", "fail2ban")  # by tools/install-deps


def fail2ban(tmp_path, log, mode):
    """How many lines of the log would count against somebody."""
    program = os.path.join(ROOT, "usr", "bin", "fail2ban-regex")
    if not os.path.exists(program):
        pytest.skip("not installed and cannot be installed")
    filters = tmp_path / "filter.d"
    if not filters.exists():
        filters.mkdir()
        for name in ("common.conf", "postfix.conf"):
            os.symlink(os.path.join(ROOT, "etc", "fail2ban", "filter.d", name), filters / name)
        os.symlink(FILTER, filters / "postroad.conf")
    modules = os.path.join(ROOT, "usr", "lib", "python3", "dist-packages")
    status, said = run("/usr/bin/python3", "-B", program, log, f"{filters}/postroad.conf[mode={mode}]",
                       env={**os.environ, "PYTHONPATH": modules})
    found = re.search(r"Lines: (\d+) lines, \d+ ignored, (\d+) matched", said)
    assert status in (0, 255) and found and int(found[1]) > 0, said  # 255: none matched
    return int(found[2])


def wrong_password(server, mechanism):
    with connect(server, "CLEAR") as client:
        client.user, client.password = "ann@example.org", "wrong"
        with pytest.raises(smtplib.SMTPAuthenticationError):
            client.auth(mechanism, getattr(client, f"auth_{mechanism.lower()}"))


def test_fail2ban(serve, tmp_path):
    server = start(serve, tmp_path)
    wrong_password(server, "PLAIN")
    wrong_password(server, "LOGIN")
    with smtplib.SMTP("127.0.0.1", server.port) as client:
        for rcpt in ("gone@example.org", "gone@far.example", "gone@example.org"):
            client.ehlo("client.example")
            client.mail(SENDER)
            client.rcpt(rcpt)
        client.rset()
        client.sendmail(SENDER, "ann@example.org", CONTENT)
    server.wait_mail("ann")
    assert server.stop() == 0
    assert fail2ban(tmp_path, server.log_path, "auth") == 2
    assert fail2ban(tmp_path, server.log_path, "more") == 3
    assert fail2ban(tmp_path, server.log_path, "extra") == 5


@pytest.mark.parametrize("mechanism,why,counts", [
    ("SCRAM-SHA-256", "wrong password", 1),
    ("SCRAM-SHA-256-PLUS", "wrong password", 1),
    ("EXTERNAL", "there is no such account", 1),
    ("PLAIN", "too many wrong passwords", 1),
    ("PLAIN", "nobody can be asked", 0),
    ("PLAIN", "too many people log in just now", 0),
    ("OAUTHBEARER", "token not accepted", 1),
    ("XOAUTH2", "its provider cannot be asked: no answer within 60 s", 0),
])
def test_fail2ban_knows_whose_fault_it_is(tmp_path, mechanism, why, counts):
    log = tmp_path / "log"
    log.write_text("Nov 28 05:14:22 mx1 postroad/smtpd[123]: warning: unknown[192.0.2.7]: SASL "
                   f"{mechanism} authentication failed: {why}, sasl_username=ann@example.org\n")
    assert fail2ban(tmp_path, log, "auth") == counts


def test_json(serve, tmp_path):
    server = start(serve, tmp_path, SUBMISSION + "log json\n")
    with smtplib.SMTP("127.0.0.1", server.port) as client:
        client.sendmail(SENDER, "ann@example.org", CONTENT)
        client.command_encoding = "utf-8"
        client.mail(SENDER, ["SMTPUTF8"])
        assert client.rcpt('<"\u202e\\" x"@far.example>')[0] >= 500
    server.wait_mail("ann")
    wrong_password(server, "PLAIN")

    def events():
        lines = server.log().splitlines()
        return [json.loads(line) for line in lines if line.startswith("{")]
    # Each role's events are in their order; what two roles tell is not.
    assert wait_until(lambda: {"removed", "no-login", "reject"} <= {e["event"] for e in events()}), server.log()
    by_kind = {e["event"]: e for e in events()}
    queued, attempt = by_kind["queued"], by_kind["attempt"]
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}[+-]\d\d:\d\d", queued["time"])
    assert (queued["host"], queued["role"]) == ("mx", "qmgr")
    assert (queued["from"], queued["nrcpt"]) == (SENDER, 1)
    assert attempt["id"] == queued["id"] and attempt["to"] == "ann@example.org"
    assert (attempt["status"], attempt["dsn"]) == ("sent", "2.0.0")
    assert 0 <= attempt["delay_us"] < 60_000_000
    assert by_kind["no-login"]["sasl_username"] == "ann@example.org"
    assert by_kind["reject"]["code"] >= 500
    assert all(c.isascii() and c.isprintable() for line in server.log().splitlines() for c in line)


def test_repaired_line_ends_are_told(serve, tmp_path):
    server = start(serve, tmp_path)
    with connect(server, "CLEAR") as client:
        client.login("ann@example.org", "secret")
        for end in ("\n", "\r\n"):
            client.mail("ann@example.org")
            client.rcpt("ann@example.org")
            client.docmd("DATA")
            client.send(f"Subject: x\r\n\r\none{end}two\r\n.\r\n".encode())
            assert client.getreply()[0] == 250
    server.wait_mail("ann", count=2)
    assert server.stop() == 0  # the log is whole
    told = re.findall(r"cleanup\[\d+\]: warning: (\w{12}): bare LF became CRLF", server.log())
    assert len(told) == 1


RELAYING = """
hostname mx.example.org
postmaster ann@example.org
listen mx 127.0.0.1:{port}
queue {folder}/queue { min-free 10M }
relay away { host 127.0.0.1:AWAY; retry 1h }
hold to address later@example.org deliver maildir {folder}/data/mail/{domain}/{user}
accept to domain example.org deliver maildir {folder}/data/mail/{domain}/{user}
accept from local to domain far.example relay away
"""


def far_away(verb, line, _session):
    if verb == "RCPT":
        answers = {"gone": "550 5.1.1 no such user", "slow": "450 4.2.1 not now"}
        return answers.get(line[len("RCPT TO:<"):].split("@")[0])
    return None


def test_pflogsumm_counts_what_happened(serve):
    """Beside the log a ledger is kept, by the client's side; the report of the log says the same."""
    need("pflogsumm")
    away = FakeMx(far_away)
    try:
        server = serve(RELAYING.replace("AWAY", str(away.port))).start()
        mails = [("a@one.example", ["ann@example.org"]), ("a@one.example", ["ann@example.org", "bob@example.org"]),
                 ("b@two.example", ["x@far.example"]), ("b@two.example", ["y@far.example", "slow@far.example"]),
                 ("ann@example.org", ["gone@far.example"]), ("b@two.example", ["later@example.org"])]
        ledger = {"received": len(mails), "rejected": 2, "deferred": 1, "bounced": 1, "held": 1}
        with smtplib.SMTP("127.0.0.1", server.port) as client:
            for sender, rcpts in mails:
                client.sendmail(sender, rcpts, CONTENT)
            for rcpt in ("who@else.example", "who@else.example"):
                client.mail("a@one.example")
                assert client.rcpt(rcpt)[0] == 554
                client.rset()
        # The report of what bounced is delivered, to ann; nobody brought it, so it was not received.
        ledger["delivered"] = 3 + 2 + 1
        server.wait_mail("ann", count=3)
        assert wait_until(lambda: "status=deferred" in server.log() and
                          server.log().count("status=sent") == ledger["delivered"]), server.log()
        assert server.stop() == 0
    finally:
        away.close()
    status, report = run("pflogsumm", "--syslog-name=postroad", server.log_path)
    assert status == 0
    got = {word: int(number) for number, word in re.findall(r"^ *(\d+) +(received|delivered|deferred|bounced|"
                                                            r"rejected|held)\b", report.split("Per-")[0], re.M)}
    assert got == ledger, report
    assert re.search(r"^ +2 +\d+ +1 .* far\.example$", report, re.M), report  # sent, bytes, deferred
