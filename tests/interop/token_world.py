"""What the tests of tokens share: a provider, a smarthost that asks it, and a browser."""
import base64
import os
import re
import smtplib
import ssl
import subprocess
import urllib.request

import pytest

from certificate import issue, make_authority
from conftest import CONTENT, SENDER, need
from fake_mx import FakeMx
from provider import Provider
from server import BINARY

USER = "me@example.org"
CONFIG = """
hostname out.example
listen mx 127.0.0.1:{port}
queue {folder}/queue { min-free 10M }
postmaster admin@out.example
relay smart {
    host 127.0.0.1:MX
    tls off
    retry 1s
    user me@example.org
    oauth2 custom {
        client postroad-test file:{folder}/secret
        authorize https://127.0.0.1:PROVIDER/authorize
        token https://127.0.0.1:PROVIDER/token
        scope "smtp offline_access"
        ca {folder}/authority.pem
    }
}
relay plain { host 127.0.0.1:MX }
accept to domain out.example deliver maildir {folder}/data/mail/{domain}/{user}
accept from local to any relay smart
"""


class Smarthost:
    """Takes mail from who shows a token that the provider gave."""

    def __init__(self, provider, **how):
        self.provider, self.offers, self.tokens, self.refuse = provider, "XOAUTH2", [], set()
        self.mx = FakeMx(self.says, **how)

    def says(self, verb, line, session):
        if verb == "EHLO" and self.mx.tls and "tls" not in session:
            return "250-smart.example\r\n250 STARTTLS"
        if verb == "EHLO":
            return f"250-smart.example\r\n250-AUTH {self.offers}\r\n250 ENHANCEDSTATUSCODES"
        if verb == "STARTTLS":
            return "220 go on"
        if verb == "AUTH":
            return self.judge(line, session)
        if session.pop("refused", False):
            return "535 5.7.8 Username and Password not accepted"
        if verb == "MAIL" and not session.get("user"):
            return "530 5.7.0 Authentication required"
        return None

    def judge(self, line, session):
        _, mechanism, blob = line.split(" ")
        words = base64.b64decode(blob).decode().split("\1")
        if mechanism == "XOAUTH2":
            user, token = words[0].removeprefix("user="), words[1].removeprefix("auth=Bearer ")
        else:
            user = words[0].split(",")[1].removeprefix("a=")
            token = [w for w in words if w.startswith("auth=")][0].removeprefix("auth=Bearer ")
        self.tokens.append(token)
        if user == self.provider.access.get(token) and token not in self.refuse:
            session["user"] = user
            return "235 2.7.0 Accepted"
        session["refused"] = True
        return "334 " + base64.b64encode(b'{"status":"400"}').decode()


@pytest.fixture
def world(serve, tmp_path):
    need("openssl")
    authority = make_authority(tmp_path)
    provider = Provider(*issue(authority, tmp_path, "IP:127.0.0.1", "provider"))
    smart = Smarthost(provider)
    secret = tmp_path / "secret"
    secret.write_text(provider.SECRET + "\n")
    secret.chmod(0o600)
    server = serve(CONFIG.replace("MX", str(smart.mx.port)).replace("PROVIDER", str(provider.port)))
    server.provider, server.smart, server.authority = provider, smart, authority
    yield server
    smart.mx.close()
    provider.close()


def config_of(server):
    server.command()  # writes it
    return os.path.join(server.folder, "postroad.conf")


class Login:
    """`postroad oauth login`, until it has shown its page."""

    def __init__(self, server, relay="smart", within=(), **more):
        self.process = subprocess.Popen(
            [*within, BINARY, "oauth", "login", relay, "-c", config_of(server)], stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            # The leak checker of the sanitizers cannot look into who has changed its user.
            env=dict(os.environ, ASAN_OPTIONS="detect_leaks=0"), **more)
        self.said, self.page = "", None
        while not self.page and (line := self.process.stdout.readline()):
            self.said += line
            self.page = (re.search(r"^ +(https://\S+)$", line) or [None, None])[1]
        self.ca = server.authority

    def browse(self, url=None):
        """As a browser: follows the way to its end, and returns what it shows there."""
        context = ssl.create_default_context(cafile=self.ca)
        with urllib.request.urlopen(url or self.page, context=context, timeout=60) as page:
            return page.geturl(), page.read().decode()

    def end(self, typed=None):
        rest, _ = self.process.communicate(typed, timeout=60)
        self.said += rest
        return self.process.returncode


def log_in(server, **more):
    login = Login(server, **more)
    _, shown = login.browse()
    assert "Go back to the terminal" in shown
    assert login.end() == 0, login.said
    return login.said


def hand_in(server, count=1):
    with smtplib.SMTP("127.0.0.1", server.port) as client:
        for _ in range(count):
            client.sendmail(SENDER, ["ann@b.example"], CONTENT)


def alarms(server):
    return re.findall(r"warning: (relay .*)", server.log())


def token_file(server, name):
    with open(os.path.join(server.folder, "queue", "vault", name), encoding="ascii") as file:
        return file.read()
