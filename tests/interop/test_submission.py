"""People's mail programs: who they are, and as whom they may write."""
import base64
import hashlib
import hmac
import os
import re
import signal
import smtplib
import socket
import ssl
import subprocess

import pytest

from certificate import issue, make_authority, make_certificate
from conftest import CONTENT, ByHand, need, run
from fake_mx import FakeMx
from server import BINARY, as_sent, free_ports, memory_holds, wait_until

# "secret" in forms that are made elsewhere; SCRAM keys by RFC 7677's rules.
ACCOUNTS = """ann@example.org:{PLAIN}secret:::::: postroad_send=*@list.example
bob@example.org:{PLAIN}bobs
dev:{PLAIN}dev
"""

CONFIG = """
hostname mx.example.org
postmaster ann@example.org
tls {folder}/mx.pem {folder}/mx.key
table people accounts {folder}/people
listen mx 127.0.0.1:{port}
listen submission 127.0.0.1:IMPLICIT { tls implicit; auth people }
listen submission 127.0.0.1:STARTTLS { tls required; auth people }
listen submission 127.0.0.1:CLEAR { tls off; auth people; auth-cleartext yes }
queue {folder}/queue { min-free 10M }
relay nowhere { host 127.0.0.1:9; retry 1h }
accept to domain example.org users people deliver maildir {folder}/data/mail/{domain}/{user}
accept from authenticated to any relay nowhere
"""


def start(serve, tmp_path, config=CONFIG, accounts=ACCOUNTS):
    need("openssl")
    make_certificate(tmp_path)
    path = tmp_path / "people"
    path.write_text(accounts)
    path.chmod(0o600)
    ports = dict(zip(("IMPLICIT", "STARTTLS", "CLEAR"), free_ports(3)))
    for name, port in ports.items():
        config = config.replace(name, str(port))
    running = serve(config).start()
    running.ports = ports
    return running


@pytest.fixture
def server(serve, tmp_path):
    return start(serve, tmp_path)


def trusting():
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


def connect(server, how):
    port = server.ports[how]
    if how == "IMPLICIT":
        client = smtplib.SMTP_SSL("127.0.0.1", port, context=trusting())
    else:
        client = smtplib.SMTP("127.0.0.1", port)
    client.ehlo("me.example")
    if how == "STARTTLS":
        client.starttls(context=trusting())
        client.ehlo("me.example")
    return client


@pytest.mark.parametrize("how", ["IMPLICIT", "STARTTLS", "CLEAR"])
@pytest.mark.parametrize("user", ["ann@example.org", "ANN@Example.Org"])
def test_login_and_send(server, how, user):
    with connect(server, how) as client:
        assert client.esmtp_features["auth"].split() == ["PLAIN", "LOGIN"]
        assert client.login(user, "secret")[0] == 235
        client.sendmail("ann@example.org", ["bob@example.org"], CONTENT)
    mail = re.sub(rb"\n[ \t]+", b" ", server.wait_mail("bob")[0])
    word = b"ESMTPA" if how == "CLEAR" else b"ESMTPSA"
    assert b"(postroad) with " + word + b" id" in mail
    assert wait_until(
        lambda: ", sasl_method=PLAIN, sasl_username=ann@example.org" in server.log())


def test_hidden_client(serve, tmp_path):
    """Who logs in leaves neither name nor address in the mail, delivered or relayed; others do."""
    next_hop = FakeMx()
    config = (CONFIG.replace("tls implicit; auth people", "tls implicit; auth people; hide-client yes")
              .replace("host 127.0.0.1:9; retry 1h", f"host 127.0.0.1:{next_hop.port}; tls off"))
    server = start(serve, tmp_path, config)
    with connect(server, "IMPLICIT") as client:
        client.login("ann@example.org", "secret")
        client.sendmail("ann@example.org", ["bob@example.org"], CONTENT)
        client.sendmail("ann@example.org", ["carl@else.example"], CONTENT)
    assert wait_until(lambda: next_hop.mails)
    relayed = next_hop.mails[0][2]
    delivered = server.wait_mail("bob")[0]
    for mail in (relayed, delivered):
        assert mail.count(b"from mx.example.org (authenticated)") == 1
        assert b"me.example" not in mail and b"127.0.0.1" not in mail
    with connect(server, "STARTTLS") as client:
        client.login("ann@example.org", "secret")
        client.sendmail("ann@example.org", ["bob@example.org"], b"Subject: another\r\n\r\n")
    assert any(b"from me.example ([127.0.0.1])" in mail for mail in server.wait_mail("bob", count=2))


@pytest.mark.parametrize("how", ["IMPLICIT", "STARTTLS", "CLEAR"])
def test_nothing_without(server, how):
    with connect(server, how) as client:
        assert client.docmd("MAIL FROM:<ann@example.org>") == (530, b"5.7.0 Authentication required")
        assert client.docmd("VRFY ann")[0] == 530


def test_no_word_of_it_in_the_clear(server):
    with smtplib.SMTP("127.0.0.1", server.ports["STARTTLS"]) as client:
        client.ehlo("me.example")
        assert "auth" not in client.esmtp_features
        token = base64.b64encode(b"\0ann@example.org\0secret").decode()
        assert client.docmd(f"AUTH PLAIN {token}")[0] == 530  # STARTTLS first
    with smtplib.SMTP("127.0.0.1", server.port) as client:
        client.ehlo("me.example")
        assert client.docmd(f"AUTH PLAIN {token}")[0] == 502


@pytest.mark.parametrize("user,password", [("ann@example.org", "wrong"), ("nobody@example.org", "x"),
                                           ("", "secret"), ("ann", "secret"), ("dev", "dev ")])
def test_wrong_passwords(server, user, password):
    with connect(server, "IMPLICIT") as client:
        token = base64.b64encode(f"\0{user}\0{password}".encode()).decode()
        assert client.docmd(f"AUTH PLAIN {token}") == (
            535, b"5.7.8 Error: authentication failed")
        assert client.docmd("MAIL FROM:<ann@example.org>")[0] == 530
    assert wait_until(lambda: "]: SASL PLAIN authentication failed: " in server.log())
    assert not [line for line in server.log().splitlines() if "SASL" in line and "secret" in line]


def test_outlook_and_others(server):
    """LOGIN with the name behind the word, and on a line of its own; PLAIN in two steps; "="."""
    name, password = (base64.b64encode(text).decode() for text in (b"bob@example.org", b"bobs"))
    plain = base64.b64encode(b"\0bob@example.org\0bobs").decode()
    dialogs = [
        [("AUTH LOGIN", 334, b"VXNlcm5hbWU6"), (name, 334, b"UGFzc3dvcmQ6"), (password, 235, None)],
        [(f"AUTH LOGIN {name}", 334, b"UGFzc3dvcmQ6"), (password, 235, None)],
        [("AUTH PLAIN", 334, b""), (plain, 235, None)],
        [("auth plain " + plain, 235, None)],
        [("AUTH PLAIN", 334, b""), ("*", 501, None), (f"AUTH PLAIN {plain}", 235, None)],
        [("AUTH LOGIN", 334, None), (name, 334, None), ("*", 501, None),
         (f"AUTH LOGIN {name}", 334, None), (password, 235, None)],
    ]
    for dialog in dialogs:
        with connect(server, "IMPLICIT") as client:
            for said, code, text in dialog:
                got = client.docmd(said)
                assert got[0] == code and (text is None or got[1] == text), (said, got)


@pytest.mark.parametrize("user,password,sender,may", [
    ("ann@example.org", "secret", "ann@example.org", True),
    ("ann@example.org", "secret", "Ann+x@example.org", True),
    ("ann@example.org", "secret", "news@list.example", True),
    ("ann@example.org", "secret", "", True),
    ("ann@example.org", "secret", "bob@example.org", False),
    ("bob@example.org", "bobs", "news@list.example", False),
    ("dev", "dev", "dev@anywhere.example", True),
    ("dev", "dev", "ann@example.org", False)])
def test_whose_name_may_be_used(server, user, password, sender, may):
    with connect(server, "IMPLICIT") as client:
        client.login(user, password)
        code, text = client.docmd(f"MAIL FROM:<{sender}>")
    if may:
        assert code == 250
        return
    assert (code, text.decode()) == (
        553, f"5.7.1 <{sender}>: Sender address rejected: not owned by user {user}")
    assert wait_until(
        lambda: f"NOQUEUE: reject: MAIL from unknown[127.0.0.1]: 553 5.7.1 <{sender}>" in server.log())


def test_only_who_is_known_relays(server):
    with smtplib.SMTP("127.0.0.1", server.port) as client:
        client.ehlo("me.example")
        client.mail("ann@example.org")
        assert client.rcpt("x@elsewhere.example")[0] == 554
    with connect(server, "IMPLICIT") as client:
        client.login("ann@example.org", "secret")
        client.mail("ann@example.org")
        assert client.rcpt("x@elsewhere.example")[0] == 250


def test_many_guesses(server):
    """The twenty-first of one address is not looked at, and a fifth of one session ends it."""
    token = base64.b64encode(b"\0ann@example.org\0guess").decode()
    codes = []
    for _ in range(6):
        with connect(server, "CLEAR") as client:
            for _ in range(5):
                try:
                    codes.append(client.docmd(f"AUTH PLAIN {token}")[0])
                except smtplib.SMTPServerDisconnected:
                    break
                if codes[-1] == 421:
                    break
    assert codes[:5] == [535] * 4 + [421] and codes[-1] == 454, codes
    assert wait_until(lambda: "too many wrong passwords" in server.log())


def test_the_vault_dies(server):
    vault = [pid for pid, role in server.roles() if role == "vault"][0]
    with connect(server, "IMPLICIT") as client:
        assert client.docmd("AUTH LOGIN")[0] == 334
        os.kill(vault, signal.SIGKILL)
        assert client.docmd(base64.b64encode(b"ann@example.org").decode())[0] == 454

    def logs_in():
        with connect(server, "IMPLICIT") as client:
            token = base64.b64encode(b"\0ann@example.org\0secret").decode()
            return client.docmd(f"AUTH PLAIN {token}")[0] == 235
    assert wait_until(logs_in)


def test_who_hangs_up_in_the_middle(server):
    for _ in range(50):
        with socket.create_connection(("127.0.0.1", server.ports["CLEAR"])) as client:
            client.sendall(b"EHLO me.example\r\nAUTH LOGIN\r\nYW5uQGV4YW1wbGUub3Jn\r\nc2VjcmV0\r\n")
    with connect(server, "CLEAR") as client:
        assert client.login("bob@example.org", "bobs")[0] == 235


def holds(server, role, secret):
    """Is it anywhere in the memory of the first such role?"""
    return memory_holds([pid for pid, name in server.roles() if name == role][0], secret)


def test_the_receiver_has_no_passwords(server):
    """Nowhere in its memory; the vault has them."""
    assert wait_until(lambda: holds(server, "vault", b"{PLAIN}bobs"))  # once it has its settings
    for role in ("receiver", "courier", "postman", "scribe"):
        assert not holds(server, role, b"bobs"), role


def test_swaks(server):
    need("swaks")
    for how, word in (("IMPLICIT", "--tlsc"), ("STARTTLS", "--tls")):
        status, text = run("swaks", "--server", "127.0.0.1", "--port", server.ports[how], word,
                           "--auth", "PLAIN", "--auth-user", "ann@example.org", "--auth-password",
                           "secret", "--from", "ann@example.org", "--to", "bob@example.org")
        assert status == 0, text
    server.wait_mail("bob", count=2)


def test_what_is_missing_is_added_and_bcc_goes(server):
    """RFC 6409 8; the other listener changes nothing."""
    content = (b"Subject: x\r\nBcc: bob@example.org,\r\n\tcarl@example.org\r\nTo: ann@example.org\r\n"
               b"\r\nBcc: stays\r\n")
    with connect(server, "IMPLICIT") as client:
        client.login("ann@example.org", "secret")
        client.sendmail("ann@example.org", ["bob@example.org"], content)
    mail = re.sub(rb"\n[ \t]+", b" ", server.wait_mail("bob")[0]).decode()
    names = [line.split(":")[0] for line in mail.split("\n\n")[0].splitlines()]
    assert names == ["Return-Path", "Received", "Date", "Message-ID", "From", "Subject", "To"]
    ident = re.search(r"^Message-ID: (<[0-9A-Za-z]{12}\.\d+@mx\.example\.org>)$", mail, re.M).group(1)
    assert "\nFrom: ann@example.org\n" in mail and mail.endswith("\n\nBcc: stays\n")
    assert wait_until(lambda: f"message-id={ident}" in server.log())
    with smtplib.SMTP("127.0.0.1", server.port) as client:
        client.sendmail("x@y.example", ["ann@example.org"], content)
    mail = server.wait_mail("ann")[0].decode()
    assert "\nBcc: bob@example.org," in mail and "\nDate: " not in mail


def test_a_complete_mail_is_not_touched(server):
    content = (b"Date: Mon, 23 Nov 2026 10:00:00 +0000\r\nFrom: ann@example.org\r\n"
               b"Message-ID: <1@me.example>\r\nSubject: x\r\n\r\n.\r\nx\r\n")
    with connect(server, "STARTTLS") as client:
        client.login("ann@example.org", "secret")
        client.sendmail("ann@example.org", ["bob@example.org"], content)
    mail = server.wait_mail("bob")[0]
    assert mail.replace(b"\n", b"\r\n").endswith(content) and mail.count(b"Date:") == 1


# ---- SCRAM, certificates ----


def scram_keys(password, salt=b"0123456789abcdef", rounds=4096):
    salted = hashlib.pbkdf2_hmac("sha256", password.encode(), salt, rounds)
    client = hmac.digest(salted, b"Client Key", "sha256")
    words = [salt, hashlib.sha256(client).digest(), hmac.digest(salted, b"Server Key", "sha256")]
    return "{SCRAM-SHA-256}%d,%s" % (rounds, ",".join(base64.b64encode(word).decode()
                                                      for word in words))


@pytest.fixture
def scram(server):
    path = os.path.join(server.folder, "people")
    with open(path, "w", encoding="ascii") as f:
        f.write(f"ann@example.org:{scram_keys('secret')}\nbob@example.org:{scram_keys('bobs')}\n")
    assert server.stop() == 0
    server.start()
    return server


def test_scram_is_offered_where_all_have_it(scram):
    with connect(scram, "STARTTLS") as client:
        assert client.esmtp_features["auth"].split() == [
            "SCRAM-SHA-256-PLUS", "SCRAM-SHA-256", "PLAIN", "LOGIN"]
        assert client.login("ann@example.org", "secret")[0] == 235  # by PLAIN, from the same keys
    with connect(scram, "CLEAR") as client:
        assert client.esmtp_features["auth"].split() == ["SCRAM-SHA-256", "PLAIN", "LOGIN"]


@pytest.mark.parametrize("mechanism", ["SCRAM-SHA-256-PLUS", "SCRAM-SHA-256", "PLAIN", "LOGIN"])
@pytest.mark.parametrize("password,good", [("secret", True), ("wrong", False)])
def test_gsasl(scram, mechanism, password, good):
    need("gsasl")
    _, text = run("gsasl", "--client", "--smtp", "--starttls", "--x509-ca-file=", "--connect",
                  f"127.0.0.1:{scram.ports['STARTTLS']}", "--mechanism", mechanism,
                  "--authentication-id", "ann@example.org", "--password", password,
                  *([] if mechanism.endswith("PLUS") else ["--no-cb"]), stdin=b"\n")
    assert ("authentication finished" in text.lower() or "235 2.7.0" in text) == good, text
    assert wait_until(lambda: ("SASL " + mechanism in scram.log()) == (not good))


@pytest.mark.parametrize("whose,says,code", [
    ("ann@example.org", "", 235), ("ann@example.org", "ann@example.org", 235),
    ("ann@example.org", "bob@example.org", 535), ("nobody@example.org", "", 535)])
def test_external(serve, tmp_path, whose, says, code):
    """Who shows a certificate needs no password; it is its account only."""
    need("openssl")
    authority = make_authority(tmp_path)
    server = start(serve, tmp_path, CONFIG.replace(
        "{ tls implicit;", "{ tls implicit; client-ca {folder}/authority.pem;"))
    context = trusting()
    context.load_cert_chain(*issue(authority, tmp_path, f"email:{whose}", "ann"))
    with smtplib.SMTP_SSL("127.0.0.1", server.ports["IMPLICIT"], context=context) as client:
        client.ehlo("me.example")
        assert client.esmtp_features["auth"].split() == ["EXTERNAL", "PLAIN", "LOGIN"]
        word = base64.b64encode(says.encode()).decode() or "="
        assert client.docmd("AUTH EXTERNAL " + word)[0] == code
        if code == 235:
            client.sendmail("ann@example.org", ["bob@example.org"], CONTENT)
            assert wait_until(lambda: ", sasl_method=EXTERNAL, sasl_username=ann@example.org"
                              in server.log())
        else:
            assert client.docmd("MAIL FROM:<ann@example.org>")[0] == 530
    with connect(server, "IMPLICIT") as client:
        assert "EXTERNAL" not in client.esmtp_features["auth"]
        assert client.docmd("AUTH EXTERNAL =")[0] == 504


@pytest.mark.parametrize("mechanism", ["scram-sha-256", "plain", "login"])
def test_msmtp(scram, tmp_path, mechanism):
    need("msmtp")
    config = tmp_path / "msmtprc"
    config.write_text(f"""account default
host 127.0.0.1
port {scram.ports['IMPLICIT']}
tls on
tls_starttls off
tls_certcheck off
auth {mechanism}
user ann@example.org
password secret
from ann@example.org
""")
    config.chmod(0o600)
    status, text = run("msmtp", "-C", config, "bob@example.org", stdin=CONTENT)
    assert status == 0, text
    scram.wait_mail("bob")
    word = f"sasl_method={mechanism.upper()}, sasl_username=ann@example.org"
    assert wait_until(lambda: word in scram.log())


def test_msmtp_external(serve, tmp_path):
    """It shows a certificate, and no password."""
    need("msmtp")
    authority = make_authority(tmp_path)
    server = start(serve, tmp_path, CONFIG.replace(
        "{ tls required;", "{ tls required; client-ca {folder}/authority.pem;"))
    certificate, key = issue(authority, tmp_path, "email:ann@example.org", "ann")
    config = tmp_path / "msmtprc"
    config.write_text(f"""account default
host 127.0.0.1
port {server.ports['STARTTLS']}
tls on
tls_starttls on
tls_certcheck off
tls_cert_file {certificate}
tls_key_file {key}
auth external
user ann@example.org
from ann@example.org
""")
    config.chmod(0o600)
    status, text = run("msmtp", "-C", config, "bob@example.org", stdin=CONTENT)
    assert status == 0, text
    server.wait_mail("bob")
    assert wait_until(
        lambda: "sasl_method=EXTERNAL, sasl_username=ann@example.org" in server.log())


@pytest.mark.parametrize("how", ["IMPLICIT", "STARTTLS"])
def test_openssl_by_hand(server, how):
    """A person types every line; -starttls says an EHLO of its own before."""
    need("openssl")
    client = ByHand("openssl", "s_client", "-quiet", "-crlf", "-CAfile", server.folder + "/mx.pem",
                    "-connect", f"127.0.0.1:{server.ports[how]}",
                    *(["-starttls", "smtp"] if how == "STARTTLS" else []))
    try:
        client.answer("250" if how == "STARTTLS" else "220")
        client.say("EHLO me.example", "250")
        client.say("AUTH PLAIN " + base64.b64encode(b"\0ann@example.org\0secret").decode(), "235")
        client.say("MAIL FROM:<ann@example.org>", "250")
        client.say("rcpt to:<bob@example.org>", "250")  # R would ask for a new handshake
        client.say("DATA", "354")
        client.say("Subject: by hand\n\nhello\n.", "250")
        client.say("QUIT", "221")
    finally:
        client.end()
    mail = as_sent(server.wait_mail("bob")[0])
    assert mail.endswith(b"From: ann@example.org\r\nSubject: by hand\r\n\r\nhello\r\n"), mail


@pytest.mark.parametrize("how", ["IMPLICIT", "STARTTLS"])
@pytest.mark.parametrize("mechanism", ["PLAIN", "LOGIN"])
def test_curl(server, tmp_path, how, mechanism):
    need("curl")
    (tmp_path / "mail").write_bytes(CONTENT)
    scheme, more = ("smtps", []) if how == "IMPLICIT" else ("smtp", ["--ssl-reqd"])
    status, said = run("curl", "-sS", "-k", *more,
                       f"{scheme}://127.0.0.1:{server.ports[how]}/me.example", "--user",
                       "ann@example.org:secret", "--login-options", f"AUTH={mechanism}",
                       "--mail-from", "ann@example.org", "--mail-rcpt", "bob@example.org",
                       "--upload-file", tmp_path / "mail")
    assert status == 0, said
    server.wait_mail("bob")
    assert wait_until(lambda: f"sasl_method={mechanism}, " in server.log())


def test_s_nail(server):
    need("s-nail")
    status, said = run("s-nail", "-:/", "-Sv15-compat", "-Smta=smtps://ann%40example.org:secret@"
                       f"127.0.0.1:{server.ports['IMPLICIT']}", "-Ssmtp-auth=plain",
                       "-Stls-verify=ignore", "-Sfrom=ann@example.org", "-Shostname=me.example",
                       "-s", "from s-nail", "bob@example.org", stdin=b"hello\n",
                       env={**os.environ, "MAILRC": "/dev/null", "LC_ALL": "C.UTF-8"})
    assert status == 0, said
    assert b"Subject: from s-nail\n" in server.wait_mail("bob")[0]


NODEMAILER = """
const transport = require('nodemailer').createTransport({
    host: '127.0.0.1', port: Number(process.argv[1]), secure: process.argv[2] === 'IMPLICIT',
    auth: {user: 'ann@example.org', pass: process.argv[3]}, tls: {rejectUnauthorized: false},
    requireTLS: true});
transport.sendMail({from: 'ann@example.org', to: 'bob@example.org', bcc: 'ann@example.org',
                    subject: 'x', text: 'y'})
    .then((sent) => console.log(sent.response), (error) => console.log(String(error)))
    .finally(() => transport.close());
"""


@pytest.mark.parametrize("how", ["IMPLICIT", "STARTTLS"])
def test_nodemailer(server, how):
    need("node")
    where = {**os.environ, "NODE_PATH": "/usr/share/nodejs"}
    _, said = run("node", "-e", NODEMAILER, server.ports[how], how, "wrong", env=where)
    if "Cannot find module" in said:
        pytest.skip("node-nodemailer: not installed and cannot be installed")
    assert "Invalid login: 535 5.7.8" in said
    _, said = run("node", "-e", NODEMAILER, server.ports[how], how, "secret", env=where)
    assert said.startswith("250 2.0.0 Ok: queued as "), said
    server.wait_mail("bob")
    server.wait_mail("ann")


# ---- postroad dev ----


def test_dev_has_an_account(tmp_path):
    smtp, submission = free_ports(2)
    folder = tmp_path / "dev"
    process = subprocess.Popen([BINARY, "dev", "--dir", folder, "--smtp", f"127.0.0.1:{smtp}",
                                "--submission", f"127.0.0.1:{submission}"],
                               stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    try:
        assert wait_until(lambda: can_connect(submission))
        for secure in (True, False):
            with smtplib.SMTP("127.0.0.1", submission) as client:
                client.ehlo("me.example")
                assert client.docmd("MAIL FROM:<dev@x.example>")[0] == 530
                if secure:
                    context = ssl.create_default_context(cafile=folder / "ca.pem")
                    client.starttls(context=context)
                    client.ehlo("me.example")
                assert client.login("dev", "dev")[0] == 235
                another = CONTENT.replace(b"<1234@", b"<1235@")  # no copy of the first
                client.sendmail("dev@x.example", ["you@y.example"], CONTENT if secure else another)
        inbox = folder / "mail" / "y.example" / "you" / "new"
        assert wait_until(lambda: inbox.exists() and len(list(inbox.iterdir())) == 2)
    finally:
        process.terminate()
        out = process.communicate(timeout=60)[0].decode()
    assert f"Submission   127.0.0.1:{submission}   (user dev, password dev)" in out


def can_connect(port):
    try:
        socket.create_connection(("127.0.0.1", port)).close()
        return True
    except OSError:
        return False


@pytest.mark.parametrize("how", ["IMPLICIT", "CLEAR"])
def test_no_password_stays_where_strangers_talk(serve, tmp_path, how):
    """Once it is with the vault; the session goes on."""
    password = "Yy7-" * 15
    blob = base64.b64encode(f"\0ann@example.org\0{password}".encode())
    server = start(serve, tmp_path, accounts=ACCOUNTS.replace("secret", password))
    with connect(server, how) as client:
        # Refused, and in a buffer that had to grow.
        assert client.docmd("AUTH CRAM-MD5", blob.decode())[0] == 504
        assert client.docmd("AUTH PLAIN", blob.decode() + "=" * 8000 + "!")[0] == 501
        assert client.docmd("AUTH PLAIN", blob.decode())[0] == 235
        assert client.noop()[0] == 250
        receivers = [pid for pid, role in server.roles() if role == "receiver"]
        if not all(os.access(f"/proc/{pid}/mem", os.R_OK) for pid in receivers):
            pytest.skip("another's memory may not be read here")
        assert any(memory_holds(pid, b"ann@example.org") for pid in receivers)  # it is read at all
        for pid in receivers:
            assert not memory_holds(pid, password.encode())
            assert not memory_holds(pid, blob[24:64])
