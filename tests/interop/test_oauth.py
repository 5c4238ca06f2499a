"""A relay that wants tokens: they are renewed before they end, and a person is told when there are
none."""
import os
import re
import shlex
import shutil
import signal
import smtplib
import subprocess
import threading

from certificate import issue
from conftest import CONTENT, SENDER
from provider import Provider
from server import BINARY, Server, free_port, wait_until
from token_world import (USER, alarms, config_of, hand_in, log_in, token_file,
                         world)  # noqa: F401  a fixture


def retry_until(server, what):
    """As a person would who does not want to wait for the next try."""
    assert wait_until(lambda: what() or (server.flush(), what())[1], step=0.5), server.log()[-3000:]


def test_nobody_logged_in_yet(world):
    world.start()
    hand_in(world, 3)
    assert wait_until(lambda: world.log().count("status=deferred") >= 3), world.log()[-3000:]
    command = f"postroad oauth login smart -c {config_of(world)}"
    assert wait_until(lambda: alarms(world))
    assert len(alarms(world)) == 1 and command in alarms(world)[0], alarms(world)
    ids = re.findall(r"(\w+): to=<ann@b.example>.*status=deferred", world.log())
    assert command in world.ask("queue", "why", ids[0])
    assert not world.provider.requests and not world.smart.mx.mails

    said = log_in(world)
    assert "1//" not in said
    what_it_says = shlex.split(said.splitlines()[-1])
    assert what_it_says[:3] == ["postroad", "queue", "retry"], said
    done = subprocess.run([BINARY, *what_it_says[1:], "--yes"], stdout=subprocess.PIPE, text=True,
                          timeout=30, check=False)
    assert re.match("retry: [1-3]", done.stdout), done.stdout
    retry_until(world, lambda: len(world.smart.mx.mails) == 3)
    assert set(world.smart.tokens) == {"access-2"} and len(alarms(world)) == 1
    form = world.provider.requests[0]
    assert form["grant_type"] == "authorization_code" and form["client_secret"] == Provider.SECRET
    mode = os.stat(os.path.join(world.folder, "queue", "vault", "smart.login")).st_mode
    assert mode & 0o777 == 0o600
    secrets = re.compile(r"access-\d|refresh-\d|s3cret")
    assert not secrets.search(world.log()), "a secret is in the log"


def test_tokens_expire_and_rotate(world):
    world.provider.life_s = 5
    log_in(world)
    world.start()
    hand_in(world)
    assert wait_until(lambda: len(world.smart.mx.mails) == 1), world.log()[-3000:]
    assert world.smart.tokens == ["access-2"]
    assert "refresh-2" in token_file(world, "smart.renewed")
    wait_until(lambda: False, 5.5)  # it is no longer good, and the connection is over
    hand_in(world)
    assert wait_until(lambda: len(world.smart.mx.mails) == 2), world.log()[-3000:]
    assert world.smart.tokens == ["access-2", "access-3"]
    assert "refresh-3" in token_file(world, "smart.renewed")
    kill_vault(world)
    wait_until(lambda: False, 5.5)
    hand_in(world)
    assert wait_until(lambda: len(world.smart.mx.mails) == 3), world.log()[-3000:]
    assert world.smart.tokens[-1] == "access-4" and not alarms(world)


def kill_vault(server):
    pid = dict((role, pid) for pid, role in server.roles())["vault"]
    os.kill(pid, signal.SIGKILL)
    assert wait_until(lambda: dict((role, p) for p, role in server.roles()).get("vault", pid) != pid)


def test_one_token_for_many(world):
    log_in(world)
    world.start()
    before = world.provider.refreshes
    threads = [threading.Thread(target=hand_in, args=(world, 5)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wait_until(lambda: len(world.smart.mx.mails) == 20), world.log()[-3000:]
    assert world.provider.refreshes == before + 1


def test_the_grant_ends(world):
    world.provider.life_s = 1
    log_in(world)
    world.start()
    hand_in(world)
    assert wait_until(lambda: len(world.smart.mx.mails) == 1), world.log()[-3000:]
    world.provider.revoke()
    wait_until(lambda: False, 3)
    hand_in(world, 3)
    assert wait_until(lambda: world.log().count("status=deferred") >= 5), world.log()[-3000:]
    assert wait_until(lambda: alarms(world))
    assert len(alarms(world)) == 1, alarms(world)
    assert "invalid_grant: Token has been expired or revoked." in alarms(world)[0]
    assert "postroad oauth login smart" in alarms(world)[0]
    asked = world.provider.refreshes
    hand_in(world)
    wait_until(lambda: False, 2.5)
    assert world.provider.refreshes == asked  # it would say the same
    world.provider.life_s = 3600
    log_in(world)
    retry_until(world, lambda: len(world.smart.mx.mails) == 5)
    assert len(alarms(world)) == 1


def test_a_token_that_is_refused_is_replaced_at_once(world):
    """Revoked before its time: the server says 535, the provider gives another one. Some seconds must
    have gone by: of those that are new, one would fare as the other."""
    log_in(world)
    world.start()
    hand_in(world)
    assert wait_until(lambda: len(world.smart.mx.mails) == 1), world.log()[-3000:]
    world.smart.refuse.add("access-2")
    wait_until(lambda: False, 11)
    hand_in(world)
    assert wait_until(lambda: len(world.smart.mx.mails) == 2), world.log()[-3000:]
    assert world.smart.tokens == ["access-2", "access-2", "access-3"]
    assert "status=deferred" not in world.log()


def test_a_server_that_takes_no_token(world):
    world.smart.refuse.update(f"access-{n}" for n in range(100))
    log_in(world)
    world.start()
    hand_in(world)
    assert wait_until(lambda: world.log().count("status=deferred") >= 2), world.log()[-3000:]
    assert world.provider.refreshes <= 2


def test_oauthbearer_alone(world):
    world.smart.offers = "PLAIN OAUTHBEARER"
    log_in(world)
    world.start()
    hand_in(world)
    assert wait_until(lambda: len(world.smart.mx.mails) == 1), world.log()[-3000:]
    assert any(line.startswith("AUTH OAUTHBEARER") for line in world.smart.mx.lines)


def test_who_is_known_is_asked_with_a_token(world):
    """`users ask`: the next hop says who is known there to those whom it knows."""
    world.config = world.config.replace("accept from local to any relay smart",
                                        "accept to domain b.example users ask relay smart")
    world.start()
    with smtplib.SMTP("127.0.0.1", world.port) as client:
        client.ehlo("me.example")
        client.mail(SENDER)
        code, text = client.rcpt("ann@b.example")
        assert code // 100 == 4 and b"1//" not in text, (code, text)
    log_in(world)
    with smtplib.SMTP("127.0.0.1", world.port) as client:
        client.ehlo("me.example")
        client.mail(SENDER)
        assert client.rcpt("bob@b.example")[0] == 250
    assert world.smart.tokens == ["access-2"] and not world.smart.mx.mails


def test_no_token_for_who_offers_none(world):
    world.smart.offers = "PLAIN LOGIN"
    log_in(world)
    world.start()
    hand_in(world)
    assert wait_until(lambda: "status=deferred" in world.log()), world.log()[-3000:]
    assert not any(line.startswith("AUTH") for line in world.smart.mx.lines)


def test_the_provider_is_away(world):
    log_in(world)
    world.provider.says = (503, {"error": "temporarily_unavailable"})
    world.start()
    hand_in(world)
    assert wait_until(lambda: "status=deferred" in world.log()), world.log()[-3000:]
    assert wait_until(lambda: "temporarily_unavailable" in world.log()) and not alarms(world)
    world.provider.says = None
    retry_until(world, lambda: len(world.smart.mx.mails) == 1)


def test_vault_killed_while_it_waits(world):
    """Its wish is made again when it is back."""
    log_in(world)
    world.start()
    answer, waits, go = world.provider.token, threading.Event(), threading.Event()

    def slow(form):
        waits.set()
        go.wait(60)
        return answer(form)

    world.provider.token = slow
    world.provider.rotates = False
    hand_in(world)
    assert waits.wait(60)
    kill_vault(world)
    go.set()
    assert wait_until(lambda: len(world.smart.mx.mails) == 1), world.log()[-3000:]


def test_a_reload_brings_tokens(world):
    """There was no vault before. Then another user is to log in: the token at hand is not his."""
    whole = world.config
    world.config = re.sub(r"    user me@example.org\n    oauth2 custom \{.*?\n    \}\n", "", whole,
                          flags=re.S)
    world.start()
    assert "vault" not in dict((role, pid) for pid, role in world.roles())
    world.config = whole.replace("user me@example.org", "user you@example.org")
    log_in(world)
    reload(world)
    hand_in(world)
    assert wait_until(lambda: len(world.smart.mx.mails) == 1), world.log()[-3000:]
    world.config = whole
    reload(world)
    hand_in(world)
    assert wait_until(lambda: len(alarms(world)) == 1), world.log()[-3000:]
    assert "a login for another user" in alarms(world)[0]
    assert len(world.smart.tokens) == 1
    log_in(world)
    retry_until(world, lambda: len(world.smart.mx.mails) == 2)
    assert len(alarms(world)) == 1


def reload(server):
    done = subprocess.run([BINARY, "reload", "-c", config_of(server)], stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout


SMARTHOST = """
hostname smart.example
postmaster me@example.org
tls {folder}/smart.pem {folder}/smart.key
table people accounts {folder}/people
listen mx 127.0.0.1:{port}
listen submission 127.0.0.1:SUBMISSION {
    tls required
    auth people
    introspect https://127.0.0.1:PROVIDER/introspect {
        client postroad file:{folder}/secret
        ca {folder}/authority.pem
    }
}
queue {folder}/queue { min-free 10M }
accept to domain example.org users people deliver maildir {folder}/data/mail/{domain}/{user}
"""


def test_from_postroad_to_postroad(world, tmp_path, monkeypatch):
    """Over TLS that is verified, to a server that asks the same provider whose the token is."""
    folder = tmp_path / "second"
    folder.mkdir()
    issue(world.authority, folder, "IP:127.0.0.1", "smart")
    shutil.copy(world.authority, folder / "authority.pem")
    for name, text in (("people", "me@example.org:{PLAIN}unused:::::\n"), ("secret", "s\n")):
        (folder / name).write_text(text)
        (folder / name).chmod(0o600)
    port = free_port()
    second = Server(folder, SMARTHOST.replace("SUBMISSION", str(port))
                    .replace("PROVIDER", str(world.provider.port))).start()
    try:
        monkeypatch.setenv("SSL_CERT_FILE", world.authority)
        world.config = re.sub(r"host 127.0.0.1:\d+\n    tls off", f"host 127.0.0.1:{port}",
                              world.config)
        log_in(world)
        world.start()
        with smtplib.SMTP("127.0.0.1", world.port) as client:
            client.sendmail(USER, ["me@example.org"], CONTENT)
        mail = second.wait_mail("me")[0].decode(errors="replace")
    finally:
        assert second.stop() == 0, second.log()[-2000:]
    assert re.search(r"by smart.example \(postroad\) with\s+ESMTPSA", mail), mail
    assert wait_until(lambda: re.search(r"status=sent .*tls=TLSv1.3/verified", world.log())), world.log()[-3000:]
    assert "sasl_method=XOAUTH2, sasl_username=me@example.org" in second.log()
