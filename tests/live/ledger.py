"""Load with a ledger by `postroad bench`, and what the ledger says afterwards. Shared by
tests/crash_kill, tests/crash_power and tests/disk_full."""
import json
import os
import signal
import subprocess

from server import BINARY, wait_until


class Load:
    """One `bench load` in the background, its ledger and its figures."""

    def __init__(self, folder, name, port, *words):
        self.ledger = os.path.join(folder, name)
        self.command = [BINARY, "bench", "load", "--server", f"127.0.0.1:{port}", "--ledger",
                        self.ledger, "--json", "--timeout", "120", *words]
        self.process = None

    def start(self):
        self.process = subprocess.Popen(self.command, stdout=subprocess.PIPE, text=True)
        return self

    def finish(self):
        """Waits for the end; {figure: number}."""
        out = self.process.communicate(timeout=300)[0]
        if self.process.returncode not in (0, 75):
            raise AssertionError(f"{self.command}: exit {self.process.returncode}: {out}")
        return json.loads(out)

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        return self.finish()


class Mixed:
    """Small mails, several recipients, large ones that leave memory, clients that are slow. With
    `lmtp`, a port, some come there; with `onward`, a domain, some go to it."""

    def __init__(self, folder, port, rate, domain, slow="2K-200K", lmtp=None, onward=None):
        self.folder, self.port, self.rate, self.loads = folder, port, rate, []
        self.add("small", 0.7, domain, "--sessions", "6", "--reuse", "--size", "512-16K")
        self.add("several", 0.15, domain, "--sessions", "3", "--size", "1K-8K", "--each", "3")
        self.add("large", 0.05, domain, "--sessions", "2", "--reuse", "--size", "100K-600K")
        self.add("slow", 0.1, domain, "--sessions", "10", "--size", slow, "--slow", "5")
        if lmtp:
            self.port = lmtp
            self.add("lmtp", 0.1, domain, "--lmtp", "--sessions", "2", "--size", "1K-8K", "--each", "2")
            self.port = port
        if onward:
            self.add("onward", 0.2, onward, "--sessions", "3", "--reuse", "--size", "512-16K")

    def add(self, name, part, domain, *words):
        users = [word for n in range(20) for word in ("--rcpt", f"user{n}@{domain}")]
        self.loads.append(Load(self.folder, name, self.port, "--seconds", "1000000", "--rate",
                               str(max(1, round(self.rate * part))), *words, *users))

    def start(self):
        for load in self.loads:
            load.start()

    def stop(self):
        """The sum of their figures."""
        for load in self.loads:
            load.process.send_signal(signal.SIGTERM)
        figures = [load.finish() for load in self.loads]
        return {name: sum(f[name] for f in figures) for name in ("acked", "refused", "unknown")}

    def kill(self):
        for load in self.loads:
            if load.process and load.process.poll() is None:
                load.process.kill()
                load.process.wait()

    def ledgers(self):
        return [load.ledger for load in self.loads]


def wanted_copies(ledgers):
    """How many copies were acknowledged."""
    count = 0
    for path in ledgers:
        with open(path, encoding="ascii") as ledger:
            count += sum(len(line.split()) - 3 for line in ledger if line.startswith("acked "))
    return count


def read_mailboxes(root, path):
    """A fresh ledger of what lies in the mailboxes now."""
    if os.path.exists(path):
        os.unlink(path)
    done = subprocess.run([BINARY, "bench", "maildir", root, "--ledger", path],
                          stdout=subprocess.DEVNULL, check=False)
    if done.returncode != 0:
        raise AssertionError(f"bench maildir: exit {done.returncode}")
    return path


def check(*ledgers):
    """What `bench check` found, every case; its exit status must say the same."""
    done = subprocess.run([BINARY, "bench", "check", "--json", "--all", *ledgers],
                          stdout=subprocess.PIPE, text=True, check=False)
    found = json.loads(done.stdout)
    if (done.returncode != 0) != (found["lost"] + found["damaged"] > 0):
        raise AssertionError(f"bench check: exit {done.returncode} with {found['lost']} lost")
    return found


def check_the_check(sent, came):
    """A loss planted in a copy of the ledger must be seen."""
    acked = set()
    for path in sent:
        with open(path, encoding="ascii") as ledger:
            acked |= {line.split()[2] for line in ledger if line.startswith("acked ")}
    planted = came + ".planted"
    with open(came, encoding="ascii") as source, open(planted, "w", encoding="ascii") as out:
        victim = None
        for line in source:
            words = line.split()
            if victim is None and words[2] in acked:
                victim = words[2]
            if words[2] != victim:
                out.write(line)
    assert victim in {case["id"] for case in check(*sent, planted)["lost_cases"]}, victim
    os.unlink(planted)


def mail_files(root):
    """How many files lie in new/ of all Maildirs below root."""
    return sum(len(files) for top, _, files in os.walk(root) if os.path.basename(top) == "new")


def wait_drained(root, sent, came, seconds):
    """Until everything acknowledged has arrived, or the time is over; what was found."""
    wanted = wanted_copies(sent)
    wait_until(lambda: mail_files(root) >= wanted, seconds, 0.2)
    # Unacknowledged mails may have been counted for acknowledged ones: look closer.
    look = lambda: check(*sent, read_mailboxes(root, came))
    found = look()
    if found["lost"]:
        wait_until(lambda: look()["lost"] == 0, seconds, 1)
        found = look()
    return found


def leftovers(data, mail):
    """Files that nobody will ever ask for again: drafts without a message, tmp/ of mailboxes."""
    drafts = [os.path.join(top, name) for top, _, files in os.walk(os.path.join(data, "spool", "in"))
              if os.path.basename(top) == "draft" for name in files]
    return drafts + [os.path.join(top, name) for top, _, files in os.walk(mail)
                     if os.path.basename(top) == "tmp" for name in files]


def next_thousand_flow(server, folder, mail, domain, came, seconds=60):
    """Nothing was done by hand: the next 1,000 messages are taken, and arrive."""
    load = Load(folder, "after", server.port, "--messages", "1000", "--sessions", "20", "--reuse",
                *[word for n in range(20) for word in ("--rcpt", f"user{n}@{domain}")])
    figures = load.start().finish()
    assert figures["acked"] == 1000, f"after it all: {figures}"
    wait_until(lambda: check(load.ledger, read_mailboxes(mail, came))["lost"] == 0, seconds, 1)
    lost = check(load.ledger, came)["lost"]
    assert lost == 0, f"after it all: {lost} of the next 1000 lost"
    return load.ledger
