"""How many recipients somebody who has logged in may have, over all receivers."""
import os
import re
import signal
import smtplib
import threading

import pytest
from conftest import SENDER, within_an_hour
from server import wait_until
from test_submission import CONFIG as SUBMISSION
from test_submission import connect, start

ALARM = re.compile(r"warning: account (\S+) has reached its limit of (\d+) recipients in (\d+) s: more are "
                   r"deferred\. If that is not his doing, type: postroad user disable \1$", re.M)


def login(server, user, password):
    client = connect(server, "CLEAR")
    client.login(user, password)
    return client


def ask(client, count, user="ann@example.org"):
    """The codes of so many RCPTs in one transaction."""
    assert client.mail(user)[0] == 250
    codes = [client.rcpt(f"user{i}@far.example") for i in range(count)]
    client.rset()
    return codes


@pytest.fixture
def limited(serve, tmp_path):
    within_an_hour()
    return start(serve, tmp_path, SUBMISSION + """
limit from user bob@example.org { recipients 7/h }
limit from authenticated { recipients 20/h }
""")


def test_all_receivers_count_together(limited):
    taken, refused = [], []

    def send():
        with login(limited, "ann@example.org", "secret") as client:
            for code, text in ask(client, 3):
                (taken if code == 250 else refused).append((code, text))
    threads = [threading.Thread(target=send) for _ in range(20)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    receivers = sum(role == "receiver" for _, role in limited.roles())
    assert 20 <= len(taken) < 20 + receivers and len(taken) + len(refused) == 60
    assert {code for code, _ in refused} == {450}
    assert re.fullmatch(rb"4\.7\.1 <user\d@far\.example>: Recipient address rejected: ann@example\.org has "
                        rb"reached the limit of 20 recipients an hour; try again later", refused[0][1])
    assert wait_until(lambda: ALARM.search(limited.log()))
    assert ALARM.findall(limited.log()) == [("ann@example.org", "20", "3600")]


def test_each_has_his_own(limited):
    with login(limited, "bob@example.org", "bobs") as client:
        codes = [code for code, _ in ask(client, 9, "bob@example.org")]
        assert codes == [250] * 7 + [450] * 2
        # Unknown ones do not count, and say so.
        assert client.mail("bob@example.org")[0] == 250
        assert client.rcpt("gone@example.org")[0] == 550
    with login(limited, "ann@example.org", "secret") as client:
        assert [code for code, _ in ask(client, 3)] == [250] * 3
    with smtplib.SMTP("127.0.0.1", limited.port) as client:  # nobody has logged in here
        client.ehlo("client.example")
        client.mail(SENDER)
        assert {client.rcpt("ann@example.org")[0] for _ in range(50)} == {250}


def test_a_crash_gives_no_new_hour(limited):
    with login(limited, "bob@example.org", "bobs") as client:
        ask(client, 9, "bob@example.org")
    for pid, role in limited.roles():
        if role == "receiver":
            os.kill(pid, signal.SIGKILL)

    def refused():
        try:
            with login(limited, "bob@example.org", "bobs") as client:
                return ask(client, 1, "bob@example.org")[0][0] == 450
        except (OSError, smtplib.SMTPException):
            return False
    assert wait_until(refused)


def test_the_usual_limit(serve, tmp_path):
    within_an_hour()
    server = start(serve, tmp_path)
    codes = []
    with login(server, "ann@example.org", "secret") as client:
        for _ in range(6):
            codes += [code for code, _ in ask(client, 85)]
    assert codes == [250] * 500 + [450] * 10
    assert wait_until(lambda: ALARM.findall(server.log()) == [("ann@example.org", "500", "3600")])


def test_without_limit(serve, tmp_path):
    server = start(serve, tmp_path, SUBMISSION + "limit from authenticated { recipients unlimited }\n")
    with login(server, "ann@example.org", "secret") as client:
        for _ in range(6):
            assert {code for code, _ in ask(client, 95)} == {250}
