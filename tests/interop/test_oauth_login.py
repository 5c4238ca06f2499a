"""`postroad oauth login`: a person, a browser, and a provider that gives a token or does not."""
import os
import re
import ssl
import tempfile
import urllib.error
import urllib.request

import pytest

from certificate import make_authority
from token_world import Login, log_in, token_file, world  # noqa: F401  a fixture


def test_the_address_is_copied(world):
    """The browser is on another machine: it cannot open the last page."""
    login = Login(world)

    class Stay(urllib.request.HTTPRedirectHandler):
        def redirect_request(self, *_):
            return None

    context = ssl.create_default_context(cafile=world.authority)
    opener = urllib.request.build_opener(Stay, urllib.request.HTTPSHandler(context=context))
    with pytest.raises(urllib.error.HTTPError) as stopped:
        opener.open(login.page)
    back = stopped.value.headers["Location"]
    wrong = re.sub("state=[^&]*", "state=of-another-login", back)
    assert login.end(f"hello?\n{wrong}\n{back}\n") == 0, login.said
    assert login.said.count("neither the address nor the code") == 2
    assert "refresh_token=1%2F%2Frefresh-1" in token_file(world, "smart.login")


def test_who_is_not_ours_at_the_port(world):
    login = Login(world)
    port = re.search(r"127.0.0.1%3A(\d+)", login.page)[1]
    for path in ("/", "/favicon.ico", "/?code=stolen&state=guessed", "/?error=x&state="):
        with pytest.raises(urllib.error.HTTPError) as answer:
            urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=60)
        assert answer.value.code == 404
    login.browse()
    assert login.end() == 0, login.said


def test_the_person_says_no(world):
    world.provider.refuses_at_page = "access_denied"
    login = Login(world)
    _, shown = login.browse()
    assert "refused" in shown and "\x1b" not in shown
    assert login.end() == 77
    assert "access_denied: the person said ?[31mno" in login.said
    assert not os.path.exists(os.path.join(world.folder, "queue", "vault", "smart.login"))


@pytest.mark.parametrize("answer,status,words", [
    ((401, {"error": "invalid_client"}), 78, "invalid_client"),
    ((400, {"error": "invalid_grant", "error_description": "code\n was used"}), 77, "invalid_grant"),
    ((503, {}), 69, "503"),
    ((200, {"access_token": "a", "token_type": "Bearer"}), 78, "no refresh token"),
    ((200, {"token_type": "Bearer", "refresh_token": "r"}), 69, "token"),
])
def test_the_provider_gives_nothing(world, answer, status, words):
    world.provider.says = answer
    login = Login(world)
    login.browse()
    assert login.end() == status, login.said
    assert words in login.said


def test_a_provider_that_is_not_trusted(world, tmp_path):
    os.remove(os.path.join(world.folder, "authority.pem"))
    make_authority(tmp_path)
    login = Login(world)
    login.ca = None
    port = re.search(r"127.0.0.1%3A(\d+)", login.page)[1]
    state = re.search(r"state=([^&]+)", login.page)[1]
    urllib.request.urlopen(f"http://127.0.0.1:{port}/?code=c&state={state}", timeout=60)
    assert login.end() == 69, login.said
    assert "certificate" in login.said


def test_no_such_relay(world):
    for relay in ("smrt", "plain"):
        login = Login(world, relay)
        assert login.end() == 65
        assert "it has 'smart'" in login.said


def test_owner_of_the_folder(world):
    if os.geteuid() != 0:
        pytest.skip("not root")
    with tempfile.TemporaryDirectory() as top:  # others may not pass through pytest's own
        os.chmod(top, 0o755)
        queue = os.path.join(top, "queue")
        os.mkdir(queue)
        os.chown(queue, 12345, 23456)
        world.config = world.config.replace("{folder}/queue", queue)
        log_in(world)
        for name in ("vault", "vault/smart.login"):
            made = os.stat(os.path.join(queue, name))
            assert (made.st_uid, made.st_gid) == (12345, 23456), name
