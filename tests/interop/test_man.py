"""docs/man: nothing is left out, what is shown works, and formatters find no fault."""
import glob
import json
import os
import re
import subprocess

import pytest
from conftest import need, run
from server import BINARY, TOP
from test_examples import place  # noqa: F401  (a fixture)

PAGES = os.path.join(os.path.dirname(BINARY), "docs", "man")
SOURCES = sorted(glob.glob(os.path.join(TOP, "docs", "man", "*.scd")))
NAMES = [os.path.basename(path)[:-len(".scd")] for path in SOURCES]
MODES = {"bench": ["load", "sink", "maildir", "check"]}  # each with options of its own


def commands():
    return re.findall(r"^  (\S+) +\S", run(BINARY, "--help")[1].split("Try it")[0], re.M)


def page(name):
    path = os.path.join(PAGES, name)
    if not os.path.exists(path):
        pytest.skip("scdoc was not there when the pages were made")
    with open(path, encoding="utf-8") as f:
        return re.sub(r"\\f[A-Z]|\\&", "", f.read()).replace("\\-", "-")


def page_of(command):
    """The one that has it in the line of its name."""
    for name in NAMES:
        title = re.search(r"\.SH NAME\n(?:\.\w+\n)*(.*)", page(name))[1]
        if command in re.split(r"[ ,-]+", title.split(" - ")[0].replace("postroad-", "")):
            return page(name)
    return None


@pytest.mark.parametrize("command", commands())
def test_every_command_has_a_page(command):
    text = page_of(command)
    assert text is not None, f"write docs/man/postroad-{command}.N.scd"
    for mode in MODES.get(command, [None]):
        words = [command] if mode is None else [command, mode]
        status, said = run(BINARY, *words, "--list-options")
        assert status == 0 and said
        for line in said.splitlines():
            name, brief, *_ = line.split("\t")
            assert re.search(rf"(?<![\w-]){re.escape(name)}(?![\w-])", text), f"{command}: {name} is not in its page"
            assert brief in text


def test_every_word_of_the_configuration():
    text = page("postroad.conf.5")
    words = [json.loads(line) for line in run(BINARY, "config", "words", "--json")[1].splitlines()]
    assert len(words) > 60
    for word in words:
        assert word["form"] in text, word


def configurations():
    with open(os.path.join(TOP, "docs", "man", "postroad.conf.5.scd"), encoding="utf-8") as f:
        return [text for text in re.findall(r"^```\n(.*?)^```$", f.read(), re.M | re.S) if "hostname " in text]


@pytest.mark.parametrize("text", configurations(), ids=range(len(configurations())))
def test_examples_are_right(place, tmp_path, text):  # noqa: F811
    path = tmp_path / "example.conf"
    path.write_text(text)
    copy = tmp_path / "checked" / "example.conf"
    copy.parent.mkdir()
    os.replace(place(str(path)), copy)
    assert run(BINARY, "config", "check", "-c", str(copy)) == (0, f"{copy} is right\n")


@pytest.mark.parametrize("name", NAMES)
def test_formatters_find_no_fault(name):
    need("mandoc")
    need("man")
    page(name)
    path = os.path.join(PAGES, name)
    status, said = run("mandoc", "-Tlint", "-W", "error", path)
    assert (status, said) == (0, "")
    shown = subprocess.run(["man", "--warnings", "-E", "UTF-8", "-l", path], capture_output=True, text=True,
                           check=False, env={**os.environ, "MANWIDTH": "100"})
    assert (shown.returncode, shown.stderr) == (0, "")
    assert max(len(line) for line in re.sub(".\b", "", shown.stdout).splitlines()) <= 132
