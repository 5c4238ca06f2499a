"""Reports: who failed learns why, once, in a form that programs understand (RFC 3464)."""
import email
import email.policy
import os
import re
import smtplib
import time

import pytest

from conftest import CONTENT
from fake_mx import FakeMx
from server import wait_until

CONFIG = """
hostname out.example
listen mx 127.0.0.1:{port}
queue {folder}/queue { min-free 10M }
postmaster admin@out.example
relay next { host 127.0.0.1:%d; retry %s; tls off }
accept to domain out.example deliver maildir {folder}/data/mail/{domain}/{user}
accept from local to any relay next
"""
REFUSED = "550 5.1.1 nobody here by that name"


@pytest.fixture
def relaying(serve):
    """A function: what the next server says -> (ours, it)."""
    made = []

    def make(says, retry="1s 2s"):
        made.append(FakeMx(says))
        return serve(CONFIG % (made[-1].port, retry)).start(), made[-1]
    yield make
    for one in made:
        one.close()


def refuses(*names):
    return lambda verb, line, session: (
        REFUSED if verb == "RCPT" and any(name in line for name in names) else None)


def hand_in(server, rcpts, sender="bob@out.example", mail_options=(), rcpt_options=(),
            content=CONTENT):
    with smtplib.SMTP("127.0.0.1", server.port) as client:
        client.sendmail(sender, rcpts, content, mail_options, rcpt_options)


def reports(server, user="bob", count=1):
    return [email.message_from_bytes(mail, policy=email.policy.default)
            for mail in server.wait_mail(user, "out.example", count)]


def fields_of(report):
    """The groups of fields of the machine-readable part: of the message, then of each recipient."""
    parts = list(report.iter_parts())
    assert parts[1].get_content_type() == "message/delivery-status"
    return parts[1].get_payload()


def test_a_refusal_is_reported(relaying):
    first, mx = relaying(refuses("zoe", "max"))
    hand_in(first, ["ann@b.example", "zoe@b.example", "max@c.example"])
    report = reports(first)[0]
    assert report["Return-Path"] == "<>" and report["To"] == "bob@out.example"
    assert report["Auto-Submitted"].startswith("auto-")
    assert report.get_content_type() == "multipart/report"
    assert report.get_param("report-type") == "delivery-status"
    message, *rcpts = fields_of(report)
    assert message["Reporting-MTA"] == "dns; out.example"
    assert {r["Final-Recipient"] for r in rcpts} == {"rfc822; zoe@b.example",
                                                     "rfc822; max@c.example"}
    for rcpt in rcpts:
        assert rcpt["Action"] == "failed" and rcpt["Status"] == "5.1.1"
        assert rcpt["Diagnostic-Code"] == f"smtp; {REFUSED}"
        assert rcpt["Remote-MTA"] == "dns; 127.0.0.1"
    text = " ".join(next(report.iter_parts()).get_content().split())
    assert "zoe@b.example" in text and "nobody here by that name" in text
    assert "Message-ID: <1234@client.example>" in list(report.iter_parts())[2].as_string()
    assert len(mx.mails) == 1


def test_the_answer_to_a_report_is_no_report(relaying):
    first, mx = relaying(refuses(""))
    hand_in(first, ["zoe@b.example"], sender="away@c.example")
    # Its sender refuses the report: postmaster hears, once, and that is all.
    assert "away@c.example" in reports(first, "admin")[0].as_string()
    assert wait_until(lambda: len(re.findall("removed", first.log())) == 3)
    time.sleep(0.5)
    assert len(re.findall("sender notification", first.log())) == 2
    assert not mx.mails


def test_nobody_is_told_of_mail_from_nobody(relaying):
    first, _ = relaying(refuses("zoe"))
    hand_in(first, ["zoe@b.example"], sender="")
    assert wait_until(lambda: "removed" in first.log())
    assert "sender notification" not in first.log()


def test_notify_never(relaying):
    first, _ = relaying(refuses("zoe"))
    hand_in(first, ["zoe@b.example"], rcpt_options=["NOTIFY=NEVER"])
    assert wait_until(lambda: "removed" in first.log())
    assert "sender notification" not in first.log()


def test_success_is_reported_to_who_asks(relaying):
    first, _ = relaying(lambda verb, line, session: None)
    hand_in(first, ["ann@b.example", "carl@out.example"], mail_options=["ENVID=QQ314159", "RET=HDRS"],
            rcpt_options=["NOTIFY=SUCCESS,FAILURE"])
    rcpts, envids = [], set()
    for report in reports(first, count=2):
        message, *more = fields_of(report)
        envids.add(message["Original-Envelope-Id"])
        rcpts += more
    actions = {r["Final-Recipient"].split("; ")[1]: r["Action"] for r in rcpts}
    assert actions == {"ann@b.example": "relayed", "carl@out.example": "delivered"}
    assert envids == {"QQ314159"}


def test_full_and_headers_only(relaying):
    first, _ = relaying(refuses("zoe"))
    hand_in(first, ["zoe@b.example"], mail_options=["RET=FULL"])
    assert "last line" in reports(first)[0].as_string()
    hand_in(first, ["zoe@b.example"], mail_options=["RET=HDRS"])
    both = reports(first, count=2)
    assert sum("last line" in report.as_string() for report in both) == 1


def test_a_delay_is_told_once(relaying):
    first, _ = relaying(lambda verb, line, session: "450 4.2.0 later" if verb == "RCPT" else None,
                        "1s; delay-warning 1s; give-up 8s")
    hand_in(first, ["zoe@b.example"])
    found = reports(first, count=2)
    actions = [fields_of(report)[1]["Action"] for report in found]
    assert sorted(actions) == ["delayed", "failed"]
    delayed = found[actions.index("delayed")]
    assert "Will-Retry-Until" in fields_of(delayed)[1]


def test_a_report_survives_a_crash(relaying):
    first, _ = relaying(refuses("zoe"))
    domain = os.path.join(first.mail_root(), "out.example")
    owner = os.stat(first.mail_root())
    os.mkdir(domain)
    os.chown(domain, owner.st_uid, owner.st_gid)
    blocked = os.path.join(domain, "bob")
    with open(blocked, "w", encoding="ascii"):
        pass  # no mailbox can be made where a file is
    hand_in(first, ["zoe@b.example"])
    assert wait_until(lambda: re.search("to=<bob@out.example>.*status=deferred", first.log()))
    first.kill_all()
    os.unlink(blocked)
    first.start()
    wait_until(lambda: first.mails("bob", "out.example") or first.flush())
    assert fields_of(reports(first)[0])[1]["Action"] == "failed"
