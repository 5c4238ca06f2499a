"""What the tests that crash a server have in common: the server elsewhere, the queue that empties, the
judgement. Shared by tests/crash_kill and tests/crash_power."""
import os
import re
import signal
import subprocess
import time

import ledger
from fake_mx import FakeMx
from kills import unexplained
from server import BINARY, free_port
from subjects import ONWARD


class Sink:
    """The server elsewhere. It puts off 3 % of what comes, and notes what it takes. Beside it stands
    the senders' own server, for reports."""

    def __init__(self, folder):
        self.port, self.ledger, self.process = free_port(), os.path.join(folder, "sink"), None
        self.back = FakeMx()

    def returned(self):
        """Ids of the mails that reports are about."""
        return {found[1].decode() for _, _, report in self.back.mails
                if (found := re.search(rb"(?m)^X-Postroad-Bench: (\S+)", report))}

    def __enter__(self):
        self.process = subprocess.Popen(
            [BINARY, "bench", "sink", "--listen", f"127.0.0.1:{self.port}", "--ledger", self.ledger,
             "--defer", "3"], stdout=subprocess.PIPE)
        return self

    def __exit__(self, *_):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(30)


def queue_empties(server, seconds, flush):
    """True when it is empty twice in a row, False when for so long there is no progress. `flush`:
    what waits for its time is tried now. When it takes long, what it waits for is told."""
    began = progress = flushed = time.monotonic()
    empty, before, told = 0, None, False
    while empty < 2:
        asked = time.monotonic()
        count, now = server.queued(), time.monotonic()
        empty = empty + 1 if count == 0 else 0
        if count != before:
            before, progress = count, now
        if now > began + 10 and not told:
            told = True
            print(server.waiting(), end="", flush=True)
        if now > progress + seconds:
            return False
        if flush and empty == 0 and now > flushed + 0.3:
            server.flush()
            flushed = now
        time.sleep(0.02 + 5 * (now - asked))  # counting many files takes from the server
    return True


def joined(ledgers, path):
    """Many ledgers as one: whole lines only."""
    with open(path, "w", encoding="ascii") as out:
        for one in ledgers:
            with open(one, encoding="ascii") as lines:
                out.writelines(line for line in lines if line.endswith("\n"))
    return path


class Judgement:
    """Of everything that was sent and came. `crashes`: (wall time, what), see kills.py."""

    def __init__(self, folder, sent, came, sink, crashes, left, delivering=None):
        came = [*came, sink.ledger]
        sent = joined(sent, os.path.join(folder, "all-sent"))
        came = joined(came, os.path.join(folder, "all-came"))
        self.found = found = ledger.check(sent, came)
        self.left, self.strange = left, unexplained(found["twice_cases"], crashes, delivering)
        self.returned = self.take_returned(sink.returned())
        self.in_mailboxes = [case for case in found["twice_cases"] if ONWARD not in case["rcpt"]]
        self.problems = [f"{name}: {case}" for name in ("lost", "damaged", "strangers")
                         for case in found[name + "_cases"][:20]]
        self.problems += [f"twice, unexplained: {case}" for case in self.strange[:20]]
        self.problems += [f"returned: {case}" for case in self.returned[:20]]
        # Into a mailbox mail comes once, crash or not: its name is looked for before it comes again.
        self.problems += [f"twice in a mailbox: {case}" for case in self.in_mailboxes[:20]]
        self.problems += [f"left over: {path}" for path in left[:20]]
        if not found["lost"] + len(self.returned):
            ledger.check_the_check([sent], came)
        assert unexplained([{"first_us": 1, "last_us": 2}], crashes), "a duplicate without a crash"

    def take_returned(self, ids):
        """Of what is lost, that which a report brought back to its sender."""
        returned = [case for case in self.found["lost_cases"] if case["id"] in ids]
        self.found["lost_cases"] = [c for c in self.found["lost_cases"] if c not in returned]
        self.found["lost"] -= len(returned)
        return returned

    def __str__(self):
        found = self.found
        return (f"{found['acked']} acked, {found['refused']} refused, {found['unknown']} unknown, "
                f"{found['lost']} lost, {len(self.returned)} returned, {found['damaged']} damaged, "
                f"{found['strangers']} strangers, {found['twice']} twice "
                f"({len(self.in_mailboxes)} in mailboxes, {len(self.strange)} unexplained), "
                f"{len(self.left)} left over")
