"""STARTTLS and implicit TLS: real clients, and those who try to say something before it."""
import os
import re
import signal
import smtplib
import socket
import ssl
import subprocess

import pytest

from certificate import issue, make_authority, make_certificate
from conftest import CONTENT, SENDER, need, run
from server import BINARY, as_sent, free_port, memory_holds, read, role_of, wait_until

HOST = "mx.example.org"
RCPT = "ann@example.org"
CONFIG = """\
hostname mx.example.org
postmaster ann@example.org
tls {folder}/mx.pem {folder}/mx.key
tls other.example.org {folder}/other.pem {folder}/other.key
listen mx 127.0.0.1:{port}
listen mx 127.0.0.1:IMPLICIT { tls implicit }
listen mx 127.0.0.1:REQUIRED { tls required }
listen mx 127.0.0.1:OFF { tls off }
queue {folder}/spool
accept to domain example.org deliver maildir {folder}/data/mail/{domain}/{user}
"""


@pytest.fixture
def secure(tmp_path, serve):
    need("openssl")
    make_certificate(tmp_path)
    make_certificate(tmp_path, "other", "other.example.org")
    ports = {word: free_port() for word in ("IMPLICIT", "REQUIRED", "OFF")}
    config = CONFIG
    for word, port in ports.items():
        config = config.replace(word, str(port))
    server = serve(config)
    server.implicit, server.required, server.off = ports.values()
    server.ca = str(tmp_path / "mx.pem")
    return server.start().ready()


def context(server):
    return ssl.create_default_context(cafile=server.ca)


def connect(server, port=None):
    client = smtplib.SMTP("127.0.0.1", port or server.port, "client.example")
    client._host = HOST  # what the certificate must be for
    return client


def trace(stored):
    """Our Received field, unfolded."""
    field = stored.split(b"\nReceived: ", 1)[1]
    return re.split(rb"\n(?![ \t])", field)[0].replace(b"\n", b"").decode()


def check_mail(server, version="TLSv1.3"):
    stored = server.wait_mail("ann")[0]
    assert re.search(r"\(using " + version + r" with cipher [A-Z0-9_-]+ \(\d+/\d+ bits\)\)\s+by ",
                     trace(stored)), trace(stored)
    assert " with ESMTPS id " in trace(stored)
    assert wait_until(lambda: re.search(
        r"client=unknown\[127\.0\.0\.1\], tls=" + version + r"/[A-Z0-9_-]+\n", server.log()))
    return as_sent(stored)


def test_smtplib(secure):
    with connect(secure) as client:
        client.ehlo("in.the.clear")
        assert client.has_extn("starttls")
        client.starttls(context=context(secure))
        assert client.helo_resp is None and client.ehlo_resp is None
        # What was said before is forgotten: RFC 3207 4.2.
        assert client.docmd(f"MAIL FROM:<{SENDER}>")[0] == 503
        client.ehlo("client.example")
        assert not client.has_extn("starttls")
        assert client.docmd("STARTTLS")[0] == 503
        assert client.sendmail(SENDER, RCPT, CONTENT) == {}
    assert check_mail(secure) == CONTENT
    assert "in.the.clear" not in trace(read(secure.mails("ann")[0]))
    assert wait_until(lambda: re.search(r"disconnect .* ehlo=2 starttls=1/2 mail=1/2 ",
                                        secure.log()))


def test_smtplib_implicit(secure):
    with smtplib.SMTP_SSL("127.0.0.1", secure.implicit, "client.example",
                          context=ssl._create_unverified_context()) as client:
        client.ehlo()
        assert not client.has_extn("starttls")
        assert client.sendmail(SENDER, RCPT, CONTENT) == {}
    assert check_mail(secure) == CONTENT


def test_large_mail(secure):
    """Records of all sizes, a draft file, and back-pressure."""
    content = CONTENT + b"".join(b"%078d\r\n" % n for n in range(60000))
    with connect(secure) as client:
        client.starttls(context=context(secure))
        assert client.sendmail(SENDER, RCPT, content) == {}
    assert check_mail(secure) == content


@pytest.mark.parametrize("options, port", [(("--tls",), "port"), (("--tls-on-connect",), "implicit"),
                                           (("--tls",), "required")])
def test_swaks(secure, tmp_path, options, port):
    need("swaks")
    if run("perl", "-MNet::SSLeay", "-e1")[0] != 0:
        pytest.skip("libnet-ssleay-perl: not installed and cannot be installed")
    (tmp_path / "mail").write_bytes(b"Subject: swaks\r\n\r\nhello\r\n")
    status, said = run("swaks", "--server", f"127.0.0.1:{getattr(secure, port)}", "--from", SENDER,
                       "--to", RCPT, "--ehlo", "client.example", "--data", f"@{tmp_path}/mail",
                       *options)
    assert status == 0, said
    assert "hello" in check_mail(secure).decode()


def test_curl(secure, tmp_path):
    need("curl")
    (tmp_path / "mail").write_bytes(CONTENT)
    for scheme, port in (("smtp", secure.port), ("smtps", secure.implicit)):
        status, said = run("curl", "-sS", f"{scheme}://{HOST}:{port}/client.example", "--ssl-reqd",
                           "--cacert", secure.ca, "--resolve", f"{HOST}:{port}:127.0.0.1",
                           "--mail-from", SENDER, "--mail-rcpt", RCPT, "--upload-file",
                           tmp_path / "mail")
        assert status == 0, said
    for mail in secure.wait_mail("ann", count=2):
        assert as_sent(mail) == CONTENT and b"ESMTPS" in mail


def s_client(server, *options, port=None, starttls=True):
    more = ("-starttls", "smtp") if starttls else ()
    return run("openssl", "s_client", "-connect", f"127.0.0.1:{port or server.port}", *more,
               *options, stdin=b"QUIT\r\n")


def test_openssl(secure):
    status, said = s_client(secure, "-CAfile", secure.ca, "-verify_return_error",
                            "-verify_hostname", HOST)
    assert status == 0 and "Verify return code: 0 (ok)" in said, said
    assert "New, TLSv1.3" in said
    status, said = s_client(secure, "-tls1_2")
    assert status == 0 and "New, TLSv1.2" in said and "session ticket" in said, said
    for old in ("-tls1", "-tls1_1"):
        status, said = s_client(secure, old, "-cipher", "DEFAULT@SECLEVEL=0")
        assert status != 0, said
    assert wait_until(lambda: secure.log().count("TLS handshake failed (") == 2)


def test_openssl_names(secure):
    for asked, shown in ((HOST, HOST), ("other.example.org", "other.example.org"),
                         ("who.example", HOST)):
        for port in (secure.port, secure.implicit):
            status, said = s_client(secure, "-servername", asked, port=port,
                                    starttls=port == secure.port)
            assert status == 0 and f"subject=CN = {shown}\n" in said, said
    # No name at all.
    assert f"subject=CN = {HOST}\n" in s_client(secure, "-noservername")[1]


TWO_KINDS = """\
hostname mx.example.org
postmaster ann@example.org
tls mx.example.org {folder}/mx.pem {folder}/mx.key
tls mx.example.org {folder}/rsa.pem {folder}/rsa.key
tls b.example.org {folder}/rsa.pem {folder}/rsa.key
tls b.example.org {folder}/mx.pem {folder}/mx.key
listen mx 127.0.0.1:{port} { tls required }
queue {folder}/spool
accept to domain example.org deliver maildir {folder}/data/mail/{domain}/{user}
"""


def test_two_kinds_of_keys(serve, tmp_path):
    need("openssl")
    make_certificate(tmp_path)
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=rsa",
                    "-keyout", str(tmp_path / "rsa.key"), "-out", str(tmp_path / "rsa.pem")],
                   check=True, stderr=subprocess.DEVNULL)
    server = serve(TWO_KINDS).start()
    for name in ("b.example.org", "mx.example.org", "who.example.org"):
        for cipher, subject in (("ECDHE-RSA-AES256-GCM-SHA384", "rsa"),
                                ("ECDHE-ECDSA-AES256-GCM-SHA384", HOST)):
            _, said = s_client(server, "-servername", name, "-tls1_2", "-cipher", cipher)
            assert f"subject=CN = {subject}\n" in said, said
    done = check_config(tmp_path, f"tls {tmp_path}/mx.pem {tmp_path}/mx.key; "
                                  f"tls {tmp_path}/mx.pem {tmp_path}/mx.key")
    assert done.returncode == 78 and "a second certificate for everybody" in done.stdout


def test_openssl_other_protocols(secure):
    """A browser that was led here must not take us for a web server (ALPACA)."""
    status, said = s_client(secure, "-alpn", "smtp")
    assert status == 0 and "ALPN protocol: smtp" in said, said
    for name in (None, "other.example.org"):
        for protocols in ("h2,http/1.1", "imap"):
            names = ("-servername", name) if name else ()
            status, said = s_client(secure, "-alpn", protocols, *names)
            assert status != 0 and "no application protocol" in said, said


def test_required(secure):
    with connect(secure, secure.required) as client:
        client.ehlo()
        code, text = client.docmd(f"MAIL FROM:<{SENDER}>")
        assert (code, text) == (530, b"5.7.0 Must issue a STARTTLS command first")
        client.starttls(context=context(secure))
        assert client.sendmail(SENDER, RCPT, CONTENT) == {}
    assert check_mail(secure) == CONTENT


def test_off(secure):
    with connect(secure, secure.off) as client:
        client.ehlo()
        assert not client.has_extn("starttls")
        assert client.docmd("STARTTLS")[0] == 502


def shake(server, client, port=None, session=None, name=HOST):
    """(a session that can be resumed, was this one?)"""
    raw = Raw(server, port)
    if port != server.implicit:
        assert port is None or raw.line().startswith(b"220 ")
        raw.send(b"STARTTLS\r\n")
        assert raw.line().startswith(b"220 2.0.0 ")
    tls = client.wrap_socket(raw.socket.dup(), session=session, server_hostname=name)
    tls.sendall(b"NOOP\r\n")
    assert tls.recv(100)  # tickets of TLS 1.3 come before
    got = tls.session, tls.session_reused
    tls.close()
    raw.file.close()
    raw.socket.close()
    return got


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_tickets_hold_for_one_listener(secure, version):
    """Every receiver takes those of the others; there is one for each core, and who answers is
    chance."""
    client = ssl._create_unverified_context()
    client.maximum_version = version
    session, reused = shake(secure, client)
    assert not reused and session.has_ticket and session.ticket_lifetime_hint <= 7200
    for _ in range(20):
        assert shake(secure, client, session=session)[1]
    assert not shake(secure, client, secure.required, session)[1]
    assert not shake(secure, client, secure.implicit, session)[1]
    assert shake(secure, client, session=session)[1]


def test_a_new_receiver_has_the_ticket_keys(secure):
    client = ssl._create_unverified_context()
    session, _ = shake(secure, client)
    old = [pid for pid, role in secure.roles() if role == "receiver"]
    for pid in old:
        os.kill(pid, signal.SIGKILL)
    assert wait_until(lambda: secure.greets() and not any(role_of(pid) for pid in old))
    assert shake(secure, client, session=session)[1]


def shown(server, name):
    """The certificate, of each receiver that happens to answer."""
    return {ssl.get_server_certificate(("127.0.0.1", server.implicit)) if name == HOST else
            run("openssl", "s_client", "-connect", f"127.0.0.1:{server.implicit}", "-servername",
                name)[1].split("Server certificate\n")[1].split("subject=")[0] for _ in range(8)}


SERVES, STAY = "settings were read again and serve now", "settings cannot be read again"


def renew(server, told):
    before = server.log().count(told)
    server.process.send_signal(signal.SIGHUP)
    assert wait_until(lambda: server.log().count(told) > before), server.log()[-2000:]


def test_certificates_are_read_again(secure, tmp_path):
    before, other = shown(secure, HOST), shown(secure, "other.example.org")
    client = ssl._create_unverified_context()
    session, _ = shake(secure, client)
    with connect(secure) as kept, connect(secure) as later:
        kept.starttls(context=context(secure))
        old_context = context(secure)
        make_certificate(tmp_path)
        assert shown(secure, HOST) == before
        renew(secure, SERVES)
        assert wait_until(lambda: len(shown(secure, HOST)) == 1)
        assert not shown(secure, HOST) & before and shown(secure, "other.example.org") == other
        # Who was there goes on with what he was greeted with.
        later.starttls(context=old_context)
        assert later.sendmail(SENDER, "bob@example.org", CONTENT) == {}
        assert kept.sendmail(SENDER, RCPT, CONTENT) == {}
    assert check_mail(secure) == CONTENT
    assert shake(secure, client, session=session)[1]
    # A new receiver has the new one, too.
    after = shown(secure, HOST)
    old = [pid for pid, role in secure.roles() if role == "receiver"]
    for pid in old:
        os.kill(pid, signal.SIGKILL)
    assert wait_until(lambda: secure.greets() and not any(role_of(pid) for pid in old))
    assert shown(secure, HOST) == after


def test_wrong_certificates_are_not_taken(secure, tmp_path):
    before = shown(secure, HOST)
    roles = secure.roles()
    key = read(tmp_path / "mx.key")
    for wrong in (b"", b"nonsense", read(tmp_path / "other.key")):
        (tmp_path / "mx.key").write_bytes(wrong)
        renew(secure, STAY)
        assert "mx.key" in secure.log() and "PRIVATE KEY" not in secure.log()
    (tmp_path / "mx.pem").unlink()
    renew(secure, STAY)
    assert shown(secure, HOST) == before and secure.roles() == roles
    make_certificate(tmp_path)
    (tmp_path / "mx.key").write_bytes(key)
    renew(secure, STAY)  # a key of before
    assert shown(secure, HOST) == before


ASKING = CONFIG.replace("{ tls required }", "{ tls required; client-ca {folder}/authority.pem }")


@pytest.mark.parametrize("names,trusted,told", [
    ("email:ann@example.org", True, "ann@example.org"), ("DNS:laptop.example", True, "laptop.example"),
    ("", True, "ann"), ("email:ann@example.org", False, None), (None, None, None)])
def test_clients_may_show_who_they_are(tmp_path, serve, names, trusted, told):
    need("openssl")
    make_certificate(tmp_path)
    make_certificate(tmp_path, "other", "other.example.org")
    authority = make_authority(tmp_path)
    (tmp_path / "strange").mkdir()
    port = free_port()
    server = serve(ASKING.replace("REQUIRED", str(port)).replace("IMPLICIT", str(free_port()))
                   .replace("OFF", str(free_port()))).start()
    server.ca = str(tmp_path / "mx.pem")
    client = context(server)
    if names is not None:
        by = authority if trusted else make_authority(tmp_path / "strange")
        client.load_cert_chain(*issue(by, tmp_path, names, "ann", "ann"))
    with connect(server, port) as talk:
        talk.starttls(context=client)
        assert talk.sendmail(SENDER, RCPT, CONTENT) == {}
    field = trace(server.wait_mail("ann")[0])
    comment = re.search(r"\(client certificate of (\S+) verified\)", re.sub(r"\s+", " ", field))
    assert (comment[1] if comment else None) == told, field
    assert wait_until(lambda: re.search(r"tls=TLSv1\.3/[A-Z0-9_]+(/verified)?\n", server.log()))
    assert ("/verified\n" in server.log()) == (told is not None)


def hello():
    """The first bytes of a client's handshake."""
    into, out = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = ssl._create_unverified_context().wrap_bio(into, out)
    with pytest.raises(ssl.SSLWantReadError):
        tls.do_handshake()
    return out.read()


class Raw:
    def __init__(self, server, port=None):
        self.socket = socket.create_connection(("127.0.0.1", port or server.port), 60)
        self.file = self.socket.makefile("rb")
        assert port or self.line().startswith(b"220 ")

    def line(self):
        return self.file.readline()

    def send(self, data):
        self.socket.sendall(data)

    def rest(self):
        try:
            return self.file.read()
        except ConnectionResetError:
            return b""


@pytest.mark.parametrize("early", [b"NOOP\r\n", b"MAIL FR", b"\n", b"HELLO", b"EHLO x\r\n" * 1000],
                         ids=["a command", "half", "an empty line", "a handshake", "many"])
def test_nothing_may_follow_starttls(secure, early):
    raw = Raw(secure)
    raw.send(b"STARTTLS\r\n" + (hello() if early == b"HELLO" else early))
    assert raw.line() == b"554 5.5.1 Error: you spoke before TLS began\r\n"
    assert raw.rest() == b""


def test_clear_text_instead_of_a_handshake(secure):
    raw = Raw(secure)
    raw.send(b"STARTTLS\r\n")
    assert raw.line().startswith(b"220 2.0.0 ")
    raw.send(b"NOOP\r\nMAIL FROM:<a@b.example>\r\n" + hello())
    assert b"250" not in raw.rest()
    raw = Raw(secure, secure.implicit)
    raw.send(b"EHLO client.example\r\n")
    assert b"220" not in raw.rest()
    assert wait_until(lambda: re.search(
        r"TLS handshake failed \([^)]*\) after STARTTLS from unknown\[127\.0\.0\.1\]\n",
        secure.log()) and "after CONNECT from" in secure.log())


def test_who_hangs_up_leaves_nothing_behind(secure):
    receivers = [pid for pid, role in secure.roles() if role == "receiver"]

    def connections():
        """That a process still has: their inode is not 0. Listening ones do not count."""
        with open("/proc/net/tcp", encoding="ascii") as table:
            rows = [line.split() for line in table][1:]
        return [row for row in rows if int(row[1].split(":")[1], 16) == secure.port
                and row[3] != "0A" and row[9] != "0"]
    for moment in range(40):
        raw = Raw(secure)
        raw.send(b"STARTTLS\r\n")
        raw.line()
        raw.send(hello()[:moment * 10])
        assert moment > 0 or connections()
        raw.file.close()
        raw.socket.close()
    assert wait_until(lambda: not connections())
    assert [pid for pid, role in secure.roles() if role == "receiver"] == receivers


def test_end_without_farewell_within_a_message(secure):
    """A message is whole when its dot came, however the connection ends."""
    with connect(secure) as client:
        client.starttls(context=context(secure))
        client.ehlo()
        client.mail(SENDER)
        client.rcpt(RCPT)
        client.docmd("DATA")
        client.send(b"Subject: half\r\n\r\nhalf of it\r\n")
        os.close(client.sock.detach())
        client.close()
    with connect(secure) as client:
        client.starttls(context=context(secure))
        assert client.sendmail(SENDER, "bob@example.org", CONTENT) == {}
    secure.wait_mail("bob")
    assert secure.mails("ann") == []


def test_a_shutdown_ends_handshakes(secure):
    raw = Raw(secure)
    raw.send(b"STARTTLS\r\n")
    raw.line()
    secure.process.terminate()
    assert secure.process.wait(10) == 0
    assert raw.rest() == b""


def test_a_new_receiver_has_the_key(secure):
    old = [pid for pid, role in secure.roles() if role == "receiver"]
    for pid in old:
        os.kill(pid, signal.SIGKILL)
    assert wait_until(lambda: secure.greets() and not any(role_of(pid) for pid in old))
    with connect(secure) as client:
        client.starttls(context=context(secure))
        assert client.sendmail(SENDER, RCPT, CONTENT) == {}
    assert check_mail(secure) == CONTENT


def test_only_receivers_know_the_key(secure, tmp_path):
    secret = read(tmp_path / "mx.key").splitlines()[1]
    try:
        knowing = [(role, memory_holds(pid, secret)) for pid, role in secure.roles()]
    except PermissionError:
        pytest.skip("the memory of others cannot be read")
    assert set(knowing) == {("receiver", True), ("courier", False), ("postman", False), ("scribe", False)}


def check_config(tmp_path, line):
    (tmp_path / "check.conf").write_text(
        f"hostname mx.example.org\nlisten mx *:25\nqueue {tmp_path}/q\n{line}\n"
        f"accept to local deliver maildir {tmp_path}/m/{{user}}\n", encoding="ascii")
    return subprocess.run([BINARY, "config", "check", "-c", str(tmp_path / "check.conf")],
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False,
                          encoding="utf-8")


def test_wrong_certificates_are_told(tmp_path):
    need("openssl")
    chain, key = make_certificate(tmp_path)
    other, _ = make_certificate(tmp_path, "other")
    locked = str(tmp_path / "locked.key")
    subprocess.run(["openssl", "pkey", "-in", key, "-aes256", "-passout", "pass:x", "-out", locked],
                   check=True)
    for_all = str(tmp_path / "for_all.key")
    (tmp_path / "for_all.key").write_bytes(read(key))
    os.chmod(for_all, 0o644)
    weak = str(tmp_path / "weak.pem")
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:1024", "-nodes", "-subj", "/CN=weak",
                    "-keyout", str(tmp_path / "weak.key"), "-out", weak], check=True,
                   stderr=subprocess.DEVNULL)
    assert check_config(tmp_path, f"tls {chain} {key}").returncode == 0
    for line, why in [
            (f"tls {chain}x {key}", f"cannot read {chain}x: No such file or directory"),
            (f"tls {key} {key}", f"{key} holds no certificate in PEM form"),
            (f"tls {chain} {chain}", f"{chain} holds no private key in PEM form"),
            (f"tls {chain} {locked}", f"{locked} holds no private key in PEM form without a pass"),
            (f"tls {other} {key}", f"{key} does not belong to the certificate"),
            (f"tls {weak} {tmp_path}/weak.key", f"{weak} begins with a certificate that cannot be"),
            (f"tls {chain} {for_all}", "everybody on this machine may read this key")]:
        done = check_config(tmp_path, line)
        assert done.returncode == 78 and "check.conf:4:" in done.stdout and why in done.stdout, \
            done.stdout
        assert "PRIVATE KEY" not in done.stdout
