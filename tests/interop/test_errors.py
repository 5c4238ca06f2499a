"""docs/errors.md knows every reply that stands in the sources, and every exit status."""
import os
import re

import pytest
from reply_texts import replies
from server import TOP

with open(os.path.join(TOP, "docs", "errors.md"), encoding="utf-8") as _f:
    LINES = _f.read().splitlines()
REPLIES = replies(TOP)


def has(line, code, enhanced, text):
    first, *_ = line.split(" | ")
    wanted = f"`{code} {enhanced}`" if code and enhanced else f"{code}{enhanced}`"
    parts = [part.strip() for part in text.split("%s")]
    return wanted in first and all(part in line for part in parts)


def test_the_sources_are_understood():
    assert len(REPLIES) > 90
    assert ("rules.c", "554", "5.7.1", "Relay access denied") in REPLIES
    assert ("route.c", "556", "5.1.10", "Domain %s takes no mail (null MX)") in REPLIES
    assert ("server_params.c", "501", "5.5.4", "Error: RET is FULL or HDRS") in REPLIES


@pytest.mark.parametrize("file,code,enhanced,text", REPLIES)
def test_every_reply_is_there(file, code, enhanced, text):
    assert any(has(line, code, enhanced, text) for line in LINES), f"{file}: write what to do when it happens"


def test_every_exit_status_is_there():
    wanted = set()
    names = {"USAGE": 64, "DATAERR": 65, "NOINPUT": 66, "NOUSER": 67, "NOHOST": 68, "UNAVAILABLE": 69,
             "SOFTWARE": 70, "OSERR": 71, "CANTCREAT": 73, "IOERR": 74, "TEMPFAIL": 75, "NOPERM": 77, "CONFIG": 78}
    for name in os.listdir(os.path.join(TOP, "src", "cmd")):
        with open(os.path.join(TOP, "src", "cmd", name), encoding="utf-8") as f:
            wanted |= {names[word] for word in re.findall(r"\bEX_([A-Z]+)\b", f.read()) if word in names}
    assert len(wanted) > 8
    for status in wanted:
        assert any(line.startswith(f"| {status} |") for line in LINES), status
