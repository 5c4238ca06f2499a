#!/usr/bin/env python3
"""reliability.py TEST COUNT RESULT - notes a long run in docs/reliability.csv.

One line a run: commit, test, count, result. A `+` behind the commit: src or tests had changes that
were not committed. Only runs that are long are kept, good or bad, so that `./test` leaves a clean
tree clean; what is long is said here and nowhere else. Nobody edits lines that are there: git joins
the file line by line (.gitattributes)."""
import csv
import io
import os
import subprocess
import sys

from server import BINARY, TOP

RECORD = os.path.join(TOP, "docs", "reliability.csv")
LONG = {"crash-kill": 50, "crash-relay": 50, "crash-power": 50, "ready": 5000, "faults": 500,
        "sim": 1000}  # kills, kills, cuts, queued, faults, seeds


def git(*words):
    return subprocess.run(["git", "-C", TOP, *words], stdout=subprocess.PIPE,
                          stderr=subprocess.DEVNULL, text=True, check=False).stdout.strip()


def commit():
    changed = git("status", "--porcelain", "--", "src", "tests")
    return (git("rev-parse", "--short=7", "HEAD") or "unknown") + ("+" if changed else "")


def note(test, count, result):
    """`test` may have more words behind its name: "crash-power two postfix". True when kept: builds for
    sanitizers, and those with planted bugs, say nothing about a commit."""
    if count < LONG[test.split()[0]] or BINARY != os.path.join(TOP, "build", "postroad"):
        return False
    line = io.StringIO()
    csv.writer(line, lineterminator="\n").writerow([commit(), test, count, result])
    with open(RECORD, "a", encoding="utf-8") as record:  # in one write: others may append too
        record.write(line.getvalue())
    return True


if __name__ == "__main__":
    if len(sys.argv) != 4 or sys.argv[1].split()[:1] not in [[name] for name in LONG]:
        sys.exit(f"usage: reliability.py TEST COUNT RESULT   (TEST: {', '.join(LONG)} ...)")
    note(sys.argv[1], int(sys.argv[2]), sys.argv[3])
