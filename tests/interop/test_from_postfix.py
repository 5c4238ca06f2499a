"""docs/from-postfix.md names only what there is, and its configuration is right."""
import json
import os
import re

import pytest
from conftest import run
from server import BINARY, TOP
from test_examples import place  # noqa: F401  (a fixture)

with open(os.path.join(TOP, "docs", "from-postfix.md"), encoding="utf-8") as _f:
    TEXT = _f.read()


def codes():
    """What stands in code in the right column."""
    for line in TEXT.splitlines():
        cells = line.split(" | ")
        if line.startswith("| `") and len(cells) == 2:
            yield from re.findall(r"`([^`]+)`", cells[1])


CODES = sorted(set(codes()))
STATEMENTS = [code for code in CODES if not code.startswith(("postroad", "systemctl"))]
COMMANDS = [code for code in CODES if code.startswith("postroad ")]


def known_words():
    return {json.loads(line)["word"] for line in run(BINARY, "config", "words", "--json")[1].splitlines()}


def test_there_are_some():
    assert len(STATEMENTS) > 40 and len(COMMANDS) > 20


def test_statements_begin_with_a_word_that_is_known():
    words = known_words() | {"@domain", "bob+lists", "rcpt", "554"}
    for code in STATEMENTS:
        assert code.split()[0] in words, code
        for inner in re.findall(r"[{;] *([a-z-]+)", code):
            assert inner in words | {"domain", "user"}, code


@pytest.mark.parametrize("code", COMMANDS)
def test_commands_are_known(code):
    command, *rest = code.split()[1:]
    status, said = run(BINARY, command, *[w for w in rest[:1] if re.fullmatch("[a-z]+", w)], "--list-options")
    assert status == 0
    for option in re.findall(r"(?<= )--?[a-z]+", code):
        assert re.search(rf"(^|\t){option}\t", said, re.M), f"{option} of {code}"


def test_the_translation(place, tmp_path):  # noqa: F811
    path = tmp_path / "translated.conf"
    path.write_text(re.search(r"^```conf\n(.*?)^```$", TEXT, re.M | re.S)[1])
    copy = tmp_path / "checked.conf"
    os.replace(place(str(path)), copy)
    assert run(BINARY, "config", "check", "-c", str(copy)) == (0, f"{copy} is right\n")
