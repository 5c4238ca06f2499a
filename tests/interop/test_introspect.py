"""People log in with a token: OAUTHBEARER and XOAUTH2, and a provider over HTTPS that says whose it
is (RFC 7628, RFC 7662)."""
import base64
import http.server
import json
import os
import re
import signal
import socket
import ssl
import threading
import time
import urllib.parse

import pytest

from certificate import issue, make_authority
from conftest import CONTENT, need, run
from name_server import PROGRAMS, NameServer
from network import trusting
from server import BINARY, Server, wait_until
from test_submission import CONFIG, connect, holds, start

CLIENT, SECRET = "postroad:1", "p&ss w+rd"
BASIC = base64.b64encode(
    f"{urllib.parse.quote_plus(CLIENT)}:{urllib.parse.quote_plus(SECRET)}".encode()).decode()


class Idp:
    """Answers at /introspect; `says` (status, headers, bytes) counts instead of what it knows."""

    def __init__(self, chain, key):
        self.tokens = {"ann-token": {"active": True, "username": "ann@example.org"},
                       "bob-token": {"active": True, "username": "bob@example.org",
                                     "email": "ann@example.org"},
                       "far-token": {"active": True, "username": "ann@example.org",
                                     "exp": int(time.time()) + 3600},
                       "old-token": {"active": True, "username": "ann@example.org",
                                     "exp": int(time.time()) - 1},
                       "else-token": {"active": True, "username": "carl@else.example"}}
        self.says, self.asked, self.wait = None, [], threading.Event()
        self.wait.set()
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def log_message(self, *_):
                pass

            def do_POST(self):
                form = urllib.parse.parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
                outer.asked.append((self.path, form["token"][0]))
                outer.wait.wait()
                status, headers, body = outer.says or outer.answer(
                    form["token"][0], self.headers.get("Authorization"))
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            do_GET = do_POST

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port = self.server.server_address[1]
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(chain, key)
        self.server.socket = context.wrap_socket(self.server.socket, server_side=True,
                                                 do_handshake_on_connect=False)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def answer(self, token, authorization):
        if authorization != "Basic " + BASIC:
            return 401, {"WWW-Authenticate": "Basic"}, b'{"error":"invalid_client"}'
        return 200, {"Content-Type": "application/json"}, json.dumps(
            self.tokens.get(token, {"active": False})).encode()

    def close(self):
        self.wait.set()
        self.server.shutdown()
        self.server.server_close()


def begin(serve, tmp_path, names="DNS:localhost", url="https://localhost:PORT/introspect?realm=mail",
          more="", stranger=False, config=CONFIG):
    need("openssl")
    authority = make_authority(tmp_path)
    idp = Idp(*issue(authority, tmp_path, names, "idp"))
    if stranger:
        (tmp_path / "other").mkdir()
        authority = make_authority(tmp_path / "other")
    secret = tmp_path / "secret"
    secret.write_text(SECRET + "\n")
    secret.chmod(0o600)
    block = (f"introspect {url.replace('PORT', str(idp.port))} {{ client {CLIENT} "
             f"file:{secret}; ca {authority} {more} }}")
    config = config.replace("{ tls implicit; auth people }", f"{{ tls implicit; auth people; {block} }}")
    config = config.replace("auth-cleartext yes }", f"auth-cleartext yes; {block} }}")
    server = start(serve, tmp_path, config)
    server.idp = idp
    return server


@pytest.fixture
def server(serve, tmp_path):
    running = begin(serve, tmp_path)
    yield running
    running.idp.close()


def bearer(token, user="ann@example.org", more=""):
    name = f"a={user}" if user else ""
    return base64.b64encode(f"n,{name},\1{more}auth=Bearer {token}\1\1".encode()).decode()


def xoauth2(token, user="ann@example.org"):
    return base64.b64encode(f"user={user}\1auth=Bearer {token}\1\1".encode()).decode()


def logs_in(server, word, how="IMPLICIT"):
    """The code of the end; a challenge is answered as the RFC says."""
    with connect(server, how) as client:
        code, text = client.docmd("AUTH " + word)
        if code != 334:
            return code, None
        return client.docmd("AQ==")[0], json.loads(base64.b64decode(text))


def test_offered_where_somebody_can_be_asked(server):
    with connect(server, "IMPLICIT") as client:
        assert client.esmtp_features["auth"].split() == ["OAUTHBEARER", "XOAUTH2", "PLAIN", "LOGIN"]
    with connect(server, "STARTTLS") as client:
        assert client.esmtp_features["auth"].split() == ["PLAIN", "LOGIN"]
    assert logs_in(server, "OAUTHBEARER " + bearer("ann-token"), "STARTTLS")[0] == 504
    assert not server.idp.asked


@pytest.mark.parametrize("word", ["OAUTHBEARER " + bearer("ann-token"),
                                  "OAUTHBEARER " + bearer("ann-token", ""),
                                  "OAUTHBEARER " + bearer("far-token", "ANN@example.org",
                                                          "host=mail.example\1port=1\1"),
                                  "XOAUTH2 " + xoauth2("ann-token")])
def test_good_tokens(server, word):
    with connect(server, "IMPLICIT") as client:
        assert client.docmd("AUTH " + word)[0] == 235
        client.sendmail("ann@example.org", ["bob@example.org"], CONTENT)
    server.wait_mail("bob")
    assert server.idp.asked[0][0] == "/introspect?realm=mail"
    method = word.split()[0]
    assert wait_until(lambda: f", sasl_method={method}, sasl_username=ann@example.org" in server.log())
    assert "-token" not in server.log()


@pytest.mark.parametrize("token,user,why", [
    ("no-token", "ann@example.org", "token not accepted"),
    ("old-token", "ann@example.org", "token not accepted"),
    ("bob-token", "ann@example.org", "may not act for another user"),
    ("else-token", "", "there is no such account")])
@pytest.mark.parametrize("mechanism", ["OAUTHBEARER", "XOAUTH2"])
def test_bad_tokens(server, mechanism, token, user, why):
    if mechanism == "XOAUTH2" and not user:
        user = "carl@else.example"
    word = bearer(token, user) if mechanism == "OAUTHBEARER" else xoauth2(token, user)
    code, said = logs_in(server, f"{mechanism} {word}")
    assert code == 535
    assert said == (None if token == "else-token" else {"status": "invalid_token"}
                    if mechanism == "OAUTHBEARER" else {"status": "401", "schemes": "bearer"})
    assert wait_until(lambda: f"SASL {mechanism} authentication failed: {why}" in server.log())


def test_one_question_for_many_connections(server):
    for _ in range(5):
        assert logs_in(server, "XOAUTH2 " + xoauth2("ann-token"))[0] == 235
    assert logs_in(server, "XOAUTH2 " + xoauth2("ann-token"), "CLEAR")[0] == 235
    assert len(server.idp.asked) == 1
    assert logs_in(server, "XOAUTH2 " + xoauth2("ann-token", "bob@example.org"))[0] == 535
    for _ in range(2):
        assert logs_in(server, "XOAUTH2 " + xoauth2("no-token"))[0] == 535
    assert len(server.idp.asked) == 3  # a bad one may be good the next time


def test_a_long_token(server):
    """Those of some providers have thousands of bytes."""
    token = "A.b-c_d~e+f/" * 500 + "=="
    server.idp.tokens[token] = {"active": True, "username": "ann@example.org"}
    with connect(server, "IMPLICIT") as client:
        assert client.docmd("AUTH OAUTHBEARER " + bearer(token))[0] == 235
    assert server.idp.asked[0][1] == token


def test_a_token_for_another_server(serve, tmp_path):
    server = begin(serve, tmp_path, more="; audience postroad")
    for name, said in {"ours": {"aud": ["account", "postroad"]}, "theirs": {"aud": "wiki"}}.items():
        server.idp.tokens[name] = {"active": True, "username": "ann@example.org", **said}
    assert logs_in(server, "XOAUTH2 " + xoauth2("ours"))[0] == 235
    assert logs_in(server, "XOAUTH2 " + xoauth2("theirs"))[0] == 535
    assert logs_in(server, "OAUTHBEARER " + bearer("ann-token"))[0] == 535  # for whom, nobody says
    assert wait_until(lambda: server.log().count("failed: the token was not given for this server") == 2)
    server.idp.close()


class Trusting(Server):
    anchor = None

    def command(self):
        return trusting(self.anchor, super().command())


def test_another_resolver_while_the_provider_is_looked_up(tmp_path):
    """The one before never answered; who waits is asked about at the next one."""
    for program in PROGRAMS:
        need(program)
    names = NameServer(tmp_path / "zones", {"id.test": "@ A 127.0.0.1\n"}).start()
    made = []

    def serve(config):
        made.append(Trusting(tmp_path, config))
        made[0].anchor = names.anchor
        return made[0]
    try:
        with socket.socket(type=socket.SOCK_DGRAM) as mute:
            mute.bind(("127.0.0.1", 0))
            mute.settimeout(60)
            server = begin(serve, tmp_path, "DNS:id.test", "https://id.test:PORT/introspect",
                           config=f"resolver 127.0.0.1@{mute.getsockname()[1]}\n" + CONFIG)
            with connect(server, "IMPLICIT") as client:
                client.putcmd("AUTH", "XOAUTH2 " + xoauth2("ann-token"))
                mute.recv(512)
                path = tmp_path / "postroad.conf"
                path.write_text(re.sub("resolver .*", f"resolver 127.0.0.1@{names.port}",
                                       path.read_text()))
                assert run(BINARY, "reload", "-c", path)[0] == 0, server.log()[-2000:]
                assert client.getreply()[0] == 235, server.log()[-2000:]
    finally:
        for server in made:
            server.idp.close()
            server.stop()
        names.stop()


JSON = {"Content-Type": "application/json"}


@pytest.mark.parametrize("says,why", [
    ((500, {}, b"oops"), "status 500"),
    ((302, {"Location": "https://localhost:1/other"}, b""), "status 302"),
    ((200, JSON, b"<html>log in, please</html>"), "is not that of RFC 7662"),
    ((200, JSON, b'{"active":"yes","username":"ann@example.org"}'), "is not that of RFC 7662"),
    ((200, JSON, b'{"active":true,"active":true,"username":"ann@example.org"}'), "RFC 7662"),
    ((200, JSON, b'{"active":true,"username":"ann@example.org","x":"' + b"y" * 65536 + b'"}'),
     "too long"),
    ((401, JSON, b"{}"), "does not take our client name and secret")])
def test_a_provider_that_is_out_of_order(server, says, why):
    server.idp.says = says
    assert logs_in(server, "OAUTHBEARER " + bearer("ann-token"))[0] == 454
    assert wait_until(lambda: "SASL OAUTHBEARER authentication failed: " in server.log()
                      and why in server.log()), server.log()
    assert len(server.idp.asked) == 1
    server.idp.says = None
    for _ in range(25):  # nobody looked at it: it was no guess
        assert logs_in(server, "OAUTHBEARER " + bearer("ann-token"))[0] == 235


def test_a_provider_that_is_down(server):
    server.idp.close()
    for _ in range(25):
        assert logs_in(server, "OAUTHBEARER " + bearer("ann-token"))[0] == 454
    assert wait_until(lambda: "its provider cannot be asked: Failed to connect to localhost"
                      in server.log())
    assert logs_in(server, "PLAIN " + base64.b64encode(b"\0bob@example.org\0bobs").decode())[0] == 235


@pytest.mark.parametrize("how", [{"names": "DNS:else.example"}, {"stranger": True}])
def test_a_provider_with_another_certificate(serve, tmp_path, how):
    """Of another name, or of an authority that nobody named: it does not even see the token."""
    server = begin(serve, tmp_path, **how)
    assert logs_in(server, "OAUTHBEARER " + bearer("ann-token"))[0] == 454
    assert wait_until(lambda: "its provider cannot be asked: SSL" in server.log()), server.log()
    assert not server.idp.asked
    server.idp.close()


def test_by_address_and_by_mail_address(serve, tmp_path):
    server = begin(serve, tmp_path, "IP:127.0.0.1", "https://127.0.0.1:PORT/i", "; user email")
    assert logs_in(server, "OAUTHBEARER " + bearer("bob-token"))[0] == 235
    assert logs_in(server, "OAUTHBEARER " + bearer("ann-token"))[0] == 535  # it has none
    server.idp.close()


def test_guesses_are_counted(server):
    """The twenty-first wrong token of one address is not shown to the provider."""
    codes = [logs_in(server, "OAUTHBEARER " + bearer(f"guess-{i}", ""))[0] for i in range(22)]
    assert codes == [535] * 20 + [454] * 2
    assert len(server.idp.asked) == 20


def test_the_courier_dies_meanwhile(server):
    server.idp.wait.clear()
    courier = [pid for pid, role in server.roles() if role == "courier"][0]
    with connect(server, "IMPLICIT") as client:
        client.putcmd("AUTH OAUTHBEARER " + bearer("ann-token"))
        assert wait_until(lambda: server.idp.asked)
        os.kill(courier, signal.SIGKILL)
        assert client.getreply()[0] == 454
    server.idp.wait.set()
    assert wait_until(lambda: logs_in(server, "OAUTHBEARER " + bearer("ann-token"))[0] == 235)


def test_who_hangs_up_meanwhile(server):
    server.idp.wait.clear()
    for i in range(10):
        client = connect(server, "CLEAR")
        client.putcmd("AUTH XOAUTH2 " + xoauth2("ann-token"))
        assert wait_until(lambda: len(server.idp.asked) > i)
        client.close()
    server.idp.wait.set()
    assert logs_in(server, "XOAUTH2 " + xoauth2("ann-token"))[0] == 235


def test_cancelled_and_malformed(server):
    with connect(server, "IMPLICIT") as client:
        assert client.docmd("AUTH OAUTHBEARER") == (334, b"")
        assert client.docmd(bearer("ann-token"))[0] == 235
    with connect(server, "IMPLICIT") as client:
        assert client.docmd("AUTH XOAUTH2") == (334, b"")
        assert client.docmd("*")[0] == 501
        for word in (b"n,,\1auth=Bearer \1\1", b"n,,\1auth=Basic x\1\1", b"y,,\1auth=Bearer x\1",
                     b"p=tls-exporter,,\1auth=Bearer x\1\1"):
            assert client.docmd("AUTH OAUTHBEARER " + base64.b64encode(word).decode())[0] in (535, 421)
    assert [token for _, token in server.idp.asked] == ["ann-token"]


def test_who_knows_the_secret(server):
    """The courier is told at each question only; nobody else ever."""
    assert wait_until(lambda: holds(server, "vault", SECRET.encode()))  # once it has its settings
    for role in ("receiver", "courier", "postman", "scribe"):
        assert not holds(server, role, SECRET.encode()), role


def reload(server, config=None):
    server.config = config or server.config
    words = server.command()
    assert wait_until(lambda: run(BINARY, "reload", *words[-2:])[0] == 0)


def test_a_new_secret_and_another_provider(server, tmp_path):
    """`postroad reload`: what is asked from then on, and where it is offered."""
    word = "XOAUTH2 " + xoauth2("ann-token")
    (tmp_path / "secret").write_text("another\n")
    reload(server)
    assert logs_in(server, word)[0] == 454
    assert wait_until(lambda: "does not take our client name and secret" in server.log())
    (tmp_path / "secret").write_text(SECRET + "\n")
    reload(server, server.config.replace("/introspect?realm=mail", "/other"))
    assert logs_in(server, word)[0] == 235
    assert server.idp.asked[-1][0] == "/other"
    reload(server, re.sub(r"introspect [^}]*}", "", server.config))
    assert logs_in(server, word)[0] == 504


# ---- real mail programs ----


@pytest.mark.parametrize("token,good", [("ann-token", True), ("no-token", False)])
def test_curl(server, tmp_path, token, good):
    """It takes OAUTHBEARER where both are there, whatever it is told."""
    need("curl")
    (tmp_path / "mail").write_bytes(CONTENT)
    status, said = run("curl", "-sS", "-k", f"smtps://127.0.0.1:{server.ports['IMPLICIT']}/me.example",
                       "--user", "ann@example.org", "--oauth2-bearer", token, "--mail-from",
                       "ann@example.org", "--mail-rcpt", "bob@example.org", "--upload-file",
                       tmp_path / "mail")
    assert (status == 0) == good, said
    if good:
        server.wait_mail("bob")
        assert wait_until(lambda: "sasl_method=OAUTHBEARER, " in server.log())


@pytest.mark.parametrize("mechanism", ["oauthbearer", "xoauth2"])
@pytest.mark.parametrize("token,good", [("ann-token", True), ("no-token", False)])
def test_msmtp(server, tmp_path, mechanism, token, good):
    need("msmtp")
    if mechanism not in run("msmtp", "--version")[1]:
        pytest.skip(f"this msmtp has no {mechanism}")
    config = tmp_path / "msmtprc"
    config.write_text(f"""account default
host 127.0.0.1
port {server.ports['IMPLICIT']}
tls on
tls_starttls off
tls_certcheck off
auth {mechanism}
user ann@example.org
passwordeval "echo {token}"
from ann@example.org
""")
    config.chmod(0o600)
    status, text = run("msmtp", "-C", config, "bob@example.org", stdin=CONTENT)
    assert (status == 0) == good, text
    assert wait_until(lambda: f"sasl_method={mechanism.upper()}, " in server.log()
                      or f"SASL {mechanism.upper()} authentication failed" in server.log())


def test_smtplib(server):
    with connect(server, "IMPLICIT") as client:
        word = "user=ann@example.org\1auth=Bearer ann-token\1\1"
        assert client.auth("XOAUTH2", lambda challenge=None: word)[0] == 235
