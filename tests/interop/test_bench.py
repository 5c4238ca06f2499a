"""`postroad bench`: what it notes is what happened, and its checker sees what is planted."""
import json
import os
import re
import signal
import smtplib
import subprocess

from conftest import run
from server import BINARY, wait_until


def bench(*words):
    return run(BINARY, "bench", *words)


def load(server, ledger, *words):
    return bench("load", "--server", f"127.0.0.1:{server.port}", "--ledger", ledger, *words)


def check(*words):
    status, text = bench("check", "--json", *words)
    return status, json.loads(text)


def test_load_arrives(server, tmp_path):
    sent, came = tmp_path / "sent", tmp_path / "came"
    status, text = load(server, sent, "--messages", "60", "--sessions", "6", "--size", "1K-300K",
                        "--rcpt", "a@x.example", "--rcpt", "b@x.example", "--rcpt", "c@y.example",
                        "--each", "2", "--reuse")
    assert status == 0 and text.startswith("bench load: 60 acked, 0 refused, 0 unknown"), text
    status, text = load(server, sent, "--messages", "10", "--json", "--rate", "200", "--slow", "1")
    assert status == 0 and json.loads(text)["acked"] == 10, text
    count = lambda: sum(len(files) for top, _, files in os.walk(server.mail_root())
                        if top.endswith("new"))
    assert wait_until(lambda: count() == 130)
    assert bench("maildir", server.mail_root(), "--ledger", came)[0] == 0
    status, found = check(sent, came)
    assert status == 0 and (found["sent"], found["acked"], found["arrived"]) == (70, 70, 130)
    assert found["lost"] == found["damaged"] == found["twice"] == found["strangers"] == 0

    # A lost one, a damaged one, one twice, a stranger, one in the wrong mailbox.
    lines = came.read_text().splitlines()
    damaged = re.sub(r" [0-9a-f]{64} ", " " + 64 * "0" + " ", lines[1])
    stranger = lines[3].replace(lines[3].split()[2], "nobodys-1")
    wrong = lines[4].replace("@x.example", "@z.example").replace("@y.example", "@z.example")
    came.write_text("\n".join([damaged, lines[2], stranger, wrong] + lines[2:]) + "\n")
    status, found = check(sent, came)
    assert status == 1 and found["lost"] == 2 and found["damaged"] == 1 and found["twice"] == 1
    assert found["twice_cases"][0]["id"] == lines[2].split()[2]
    assert {case["id"] for case in found["lost_cases"]} == {lines[0].split()[2], lines[1].split()[2]}
    assert found["strangers"] == 2


def test_a_server_that_comes_and_goes(server, tmp_path):
    """Whatever happens to the server, the load goes on and every message has one fate."""
    sent, came = tmp_path / "sent", tmp_path / "came"
    with subprocess.Popen([BINARY, "bench", "load", "--server", f"127.0.0.1:{server.port}",
                           "--ledger", sent, "--seconds", "300", "--sessions", "4", "--reuse",
                           "--rate", "400", "--json"], stdout=subprocess.PIPE) as process:
        acked = lambda: sent.exists() and sent.read_text().count("acked")
        for _ in range(3):
            before = acked()
            assert wait_until(lambda: acked() > before + 20)
            server.kill_all()
            server.start()
        before = acked()
        assert wait_until(lambda: acked() > before + 20)
        process.send_signal(signal.SIGTERM)
        figures = json.loads(process.communicate(timeout=120)[0])
        assert process.returncode in (0, 75)
    text = sent.read_text()
    assert text.count("sent ") == text.count("acked ") + text.count("failed ")
    assert figures["acked"] == text.count("acked ")
    def lost():
        came.write_text("")
        assert bench("maildir", server.mail_root(), "--ledger", came)[0] == 0
        return check(sent, came)[1]["lost"]
    assert wait_until(lambda: lost() == 0, step=0.3) and check(sent, came)[0] == 0


def test_no_server(tmp_path):
    status, text = bench("load", "--server", "127.0.0.1:1", "--timeout", "1")
    assert status == 69 and "Connection refused" in text


def test_refusals_are_told(serve, tmp_path):
    server = serve("hostname h.example\nqueue {folder}/spool\nlisten mx 127.0.0.1:{port}\n"
                   'reject to address no@example.org "5.1.1 no such user"\n'
                   "accept to domain example.org deliver maildir {folder}/data/mail/{domain}/{user}\n"
                   "postmaster a@example.org\n").start()
    sent, came = tmp_path / "sent", tmp_path / "came"
    status, text = load(server, sent, "--messages", "4", "--rcpt", "no@example.org")
    assert status == 75 and "0 acked, 4 refused" in text and "5.1.1" in text and "no such user" in text
    # Accepted for one of two: only that one is to arrive.
    status, text = load(server, sent, "--messages", "4", "--each", "2", "--rcpt", "no@example.org",
                        "--rcpt", "a@example.org")
    assert status == 0 and "4 acked" in text
    server.wait_mail("a", count=4)
    assert bench("maildir", server.mail_root(), "--ledger", came)[0] == 0
    status, found = check(sent, came)
    assert status == 0 and found["refused"] == 4 and found["acked"] == 4


def test_sink(tmp_path):
    """Everything it took is in the ledger, also what it took without a word."""
    sent, came = tmp_path / "sent", tmp_path / "came"
    with subprocess.Popen([BINARY, "bench", "sink", "--listen", "127.0.0.1:0", "--ledger", came,
                           "--refuse", "10", "--defer", "10", "--hang-up", "10"],
                          stdout=subprocess.PIPE, text=True) as sink:
        port = re.search(r"port (\d+);", sink.stdout.readline()).group(1)
        status, text = bench("load", "--server", f"127.0.0.1:{port}", "--ledger", sent,
                             "--messages", "300", "--sessions", "30", "--reuse")
        assert status == 75, text
        # By another client: a mail that is not of the bench.
        for _ in range(50):
            try:
                with smtplib.SMTP("127.0.0.1", int(port)) as client:
                    client.sendmail("a@x.example", "b@y.example", b"Subject: x\r\n\r\nhi\r\n")
                break
            except (smtplib.SMTPException, OSError):
                continue
        sink.send_signal(signal.SIGTERM)
        figures = sink.communicate(timeout=60)[0]
        assert sink.returncode == 0, figures
    status, found = check(sent, came)
    taken, refused, deferred, hung_up = map(int, re.findall(r"\d+", figures))
    assert status == 0 and found["lost"] == 0 and found["strangers"] >= 1
    assert found["sent"] == 300 == found["acked"] + found["refused"] + found["unknown"]
    assert min(taken, refused, deferred, hung_up) > 0
    assert found["unacknowledged"] >= found["unknown"] > 0


def test_command_line(tmp_path):
    for words in [(), ("dance",), ("check",), ("maildir", tmp_path), ("load", "--size", "1"),
                  ("load", "--size", "9K-8K"), ("load", "--sessions", "0"), ("load", "--rate", "x"),
                  ("load", "--server", "nowhere.example"), ("load", "--rcpt", "<>"),
                  ("load", "--each", "2"), ("sink", "--refuse", "101"), ("sink", "--listen", "x"),
                  ("load", "word")]:
        status, text = bench(*words)
        assert status == 64 and "postroad bench" in text, (words, text)
    for mode in ("load", "sink", "maildir", "check"):
        status, text = bench(mode, "--help")
        assert status == 0 and text.startswith(f"usage: postroad bench {mode}") and "Examples" in text
    (tmp_path / "bad").write_text("sent 1 r-1 ab\nnonsense\n")
    status, text = bench("check", tmp_path / "bad")
    assert status == 65 and "bad:2:" in text
    assert bench("check", tmp_path / "missing")[0] == 66
    assert bench("maildir", tmp_path / "missing", "--ledger", tmp_path / "l")[0] == 66
    assert bench("load", "--ledger", tmp_path / "no" / "l")[0] == 73
