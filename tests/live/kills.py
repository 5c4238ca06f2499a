"""kill -9 of a running server, and which second copies that explains. Shared by tests/crash_kill."""
import os
import signal
import time

from server import is_gone, wait_until

IN_FLIGHT_S = 1.0  # how long before a kill a copy may have been made whose outcome was lost
DELIVERING = {"courier", "postman", "warden", "all"}


class Kills:
    """Chooses a victim, kills it, and brings the system back where the warden died."""

    def __init__(self, server, chance, victims=()):
        """Among which victims; none: every role, the warden alone, all at once. Of another server
        (subjects.py): any of its processes, or all."""
        self.server, self.random, self.victims = server, chance, list(victims)
        self.done = []  # (wall time, what)
        self.slowest_start_s = 0.0

    def once(self):
        self.if_all_ended()
        roles = self.server.roles()
        kinds = self.victims or sorted({role for _, role in roles}) + self.server.parts
        what = self.random.choice(kinds)
        self.done.append((time.time(), what))
        if what == "all":
            self.server.kill_all()
            self.start_again()
        elif what == "warden":
            self.warden_alone(roles)
        else:
            pids = [pid for pid, role in roles if role == what]
            if pids:  # else the last one was not started again yet
                self.kill_child(self.random.choice(pids))

    def if_all_ended(self):
        """In OpenSMTPD one process takes all with it."""
        if self.server.process.poll() is not None:
            self.start_again()

    def start_again(self):
        began = time.monotonic()
        self.server.start()
        self.slowest_start_s = max(self.slowest_start_s, time.monotonic() - began)

    def kill_child(self, pid):
        """A pidfd taken before the last look at the parent: never the wrong process."""
        try:
            fd = os.pidfd_open(pid)
        except ProcessLookupError:
            return
        try:
            if any(pid == child for child, _ in self.server.roles()):
                signal.pidfd_send_signal(fd, signal.SIGKILL)
        except ProcessLookupError:
            pass
        finally:
            os.close(fd)

    def warden_alone(self, roles):
        """The roles must notice and end by themselves."""
        self.server.process.kill()
        self.server.process.wait()
        left = lambda: [pid for pid, _ in roles if not is_gone(pid)]
        wait_until(lambda: not left())
        if left():
            raise AssertionError(f"roles {left()} outlive their warden")
        self.start_again()


def unexplained(cases, kills, delivering=None):
    """Copies too many that no kill excuses. `delivering`: names of the processes that may have been
    about to note a delivery; none: postroad's."""
    delivering = delivering or DELIVERING

    def explained(case):
        first, last = case["first_us"] / 1e6, case["last_us"] / 1e6
        return any(first - IN_FLIGHT_S <= when <= last + IN_FLIGHT_S
                   for when, what in kills if what in delivering)
    return [case for case in cases if not explained(case)]
