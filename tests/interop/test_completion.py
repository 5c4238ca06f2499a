"""conf/completion: bash is asked what it would offer."""
import os
import subprocess

import pytest
from conftest import need
from server import BINARY, TOP

SCRIPT = os.path.join(TOP, "conf", "completion", "postroad.bash")


def offered(*words):
    """What stands in COMPREPLY when the key is pressed behind these words."""
    need("bash")
    said = subprocess.run(
        ["bash", "--norc", "-c", f'. {SCRIPT}; shift; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _postroad; '
         'printf "%s\\n" "${COMPREPLY[@]}"', "bash", "x", BINARY, *words],
        capture_output=True, text=True, check=True)
    assert said.stderr == ""
    return said.stdout.split()


@pytest.mark.parametrize("words,some", [
    ([""], {"dev", "serve", "config", "queue", "user", "--version"}),
    (["pr"], {"probe"}),
    (["queue", ""], {"list", "show", "hold", "pause", "resume"}),
    (["user", "p"], {"passwd"}),
    (["config", ""], {"check", "show", "diff", "words"}),
    (["oauth", ""], {"login"}),
    (["bench", ""], {"load", "sink", "maildir", "check"}),
    (["send", "--s"], {"--subject", "--server"}),
    (["config", "show", "--"], {"--config", "--defaults", "--json", "--help"}),
    (["bench", "sink", "--h"], {"--hang-up", "--help"}),
    (["send", "--tls", ""], {"off", "optional", "required", "verified", "implicit"}),
    (["send", "--tls", "=", "v"], {"verified"}),
    (["send", "--notify", ""], {"never", "success", "failure", "delay"}),
    (["send", "--quit-after", "e"], {"ehlo"}),
    (["send", "--ret", ""], {"full", "hdrs"}),
    (["queue", "list", "--status", "p"], {"paused"}),
    (["queue", "list", "--status", "="], {"active", "deferred", "held", "later", "paused"}),
])
def test_what_is_offered(words, some):
    got = offered(*words)
    assert some <= set(got)
    assert len(got) == len(set(got))
    prefix = words[-1].replace("=", "")
    assert all(word.startswith(prefix) for word in got)


@pytest.mark.parametrize("words", [["nonsense", ""], ["send", "--subject", ""], ["send", ""], ["status", "x"]])
def test_nothing_to_offer(words):
    assert offered(*words) == []


def test_folders_and_files(tmp_path):
    (tmp_path / "folder").mkdir()
    assert offered("status", "--dir", f"{tmp_path}/f") == [f"{tmp_path}/folder"]
