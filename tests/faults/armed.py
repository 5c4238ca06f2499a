"""The driver's side of shared.h: which call of which role fails next, and whether it did."""
import ctypes
import errno
import mmap
import os
import re

HERE = os.path.dirname(os.path.abspath(__file__))
WHO = ["nobody", "warden", "receiver", "courier", "postman", "scribe"]
FRAMES, PATH_LEN = 12, 128
SHORT, CTRUNC = -1, -2


def read_table():
    """{call: [error]}, in the order of calls.def."""
    with open(os.path.join(HERE, "calls.def"), encoding="ascii") as f:
        return {call: errors.split()
                for call, errors in re.findall(r"^CALL\((\w+), ([A-Z0-9 ]+)\)", f.read(), re.M)}


TABLE = read_table()
CALLS = list(TABLE)


def kind_of(error):
    return {"SHORT": SHORT, "CTRUNC": CTRUNC}.get(error) or getattr(errno, error)


class Layout(ctypes.Structure):
    _fields_ = [
        ("armed", ctypes.c_uint32), ("role", ctypes.c_uint32), ("call", ctypes.c_uint32),
        ("kind", ctypes.c_int32), ("nth", ctypes.c_uint32), ("seen", ctypes.c_uint32),
        ("hits", ctypes.c_uint32), ("hit_pid", ctypes.c_uint32),
        ("frames", ctypes.c_uint64 * FRAMES), ("path", ctypes.c_char * PATH_LEN),
        ("wall_us", ctypes.c_int64), ("run_us", ctypes.c_int64), ("warden_us", ctypes.c_int64),
        ("lost", ctypes.c_uint64),
        ("signals", ctypes.c_uint32), ("last_signal", ctypes.c_uint32),
        ("counts", ctypes.c_uint32 * len(CALLS) * len(WHO)),
    ]


class Shared:
    def __init__(self, path):
        self.path = path
        with open(path, "w+b") as f:
            f.truncate(ctypes.sizeof(Layout))
            self.map = mmap.mmap(f.fileno(), ctypes.sizeof(Layout))
        self.at = Layout.from_buffer(self.map)

    def arm(self, role, call, error, nth):
        at = self.at
        at.armed = 0
        at.role, at.call, at.kind = WHO.index(role), CALLS.index(call), kind_of(error)
        at.nth, at.seen, at.hits = nth, 0, 0
        at.armed = 1

    def disarm(self):
        """Whether the fault was hit."""
        self.at.armed = 0
        return self.at.hits > 0

    def forget_counts(self):
        ctypes.memset(self.at.counts, 0, ctypes.sizeof(self.at.counts))

    def counts(self, role):
        """{call: how often}, only what was called."""
        return {call: count for call, count in zip(CALLS, self.at.counts[WHO.index(role)]) if count}

    def later(self, seconds):
        """So much time has passed, for whoever looks at a clock. A role that sleeps does not."""
        self.at.run_us += int(seconds * 1000000)
        self.at.wall_us += int(seconds * 1000000)

    def patience(self, seconds=11):
        """The warden thinks that all its roles have lived for long."""
        self.at.warden_us += seconds * 1000000
