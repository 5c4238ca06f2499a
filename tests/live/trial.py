"""What the tests that crash a server have in common: the server elsewhere, the queue that empties, the
judgement. Shared by tests/crash_kill and tests/crash_power."""
import os
import signal
import subprocess
import time

import ledger
from kills import unexplained
from server import BINARY, free_port


class Sink:
    """The server elsewhere. It puts off 3 % of what comes, and notes what it takes."""

    def __init__(self, folder):
        self.port, self.ledger, self.process = free_port(), os.path.join(folder, "sink"), None

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
    what waits for its time is tried now."""
    progress = flushed = time.monotonic()
    empty, before = 0, None
    while empty < 2:
        asked = time.monotonic()
        count, now = server.queued(), time.monotonic()
        empty = empty + 1 if count == 0 else 0
        if count != before:
            before, progress = count, now
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

    def __init__(self, folder, sent, came, crashes, left, delivering=None):
        sent = joined(sent, os.path.join(folder, "all-sent"))
        came = joined(came, os.path.join(folder, "all-came"))
        found = ledger.check(sent, came)
        self.left, self.strange = left, unexplained(found["twice_cases"], crashes, delivering)
        self.found = found
        self.problems = [f"{name}: {case}" for name in ("lost", "damaged", "strangers")
                         for case in found[name + "_cases"][:20]]
        self.problems += [f"twice, unexplained: {case}" for case in self.strange[:20]]
        self.problems += [f"left over: {path}" for path in left[:20]]
        if not found["lost"]:
            ledger.check_the_check([sent], came)
        assert unexplained([{"first_us": 1, "last_us": 2}], crashes), "a duplicate without a crash"

    def __str__(self):
        found = self.found
        return (f"{found['acked']} acked, {found['refused']} refused, {found['unknown']} unknown, "
                f"{found['lost']} lost, {found['damaged']} damaged, {found['strangers']} strangers, "
                f"{found['twice']} twice ({len(self.strange)} unexplained), {len(self.left)} left over")
