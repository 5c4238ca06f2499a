"""Behind a proxy: `proxy-from`. The client is who the PROXY header says, and nobody is local."""
import re
import socket
import ssl
import struct

import pytest

from certificate import make_certificate
from conftest import CONTENT, SENDER, need, run
from foreign import Foreign, NotHere
from server import BINARY, free_port, free_ports, wait_until
from test_limits import with_few_sessions

CONFIG = """
hostname mx.example.org
postmaster ann@example.org
tls {folder}/tls.pem {folder}/tls.key
queue {folder}/queue { min-free 10M }
listen mx 127.0.0.1:{port}
listen mx 127.0.0.1:PLAIN { proxy-from 127.0.0.1,127.0.0.8/29 }
listen mx 127.0.0.1:SECURE { tls implicit; proxy-from 127.0.0.1 }
limit from network 203.0.113.0/24 { connections 2 }
accept from local to domain local.example deliver maildir {folder}/data/mail/{domain}/{user}
accept from network 192.0.2.0/24,network 127.0.0.0/8 to domain net.example
    deliver maildir {folder}/data/mail/{domain}/{user}
accept to domain example.org deliver maildir {folder}/data/mail/{domain}/{user}
"""
CONFIG = CONFIG.replace("\n    deliver", " deliver")
SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"


def text(client, own="198.51.100.25"):
    family = b"TCP6" if ":" in client else b"TCP4"
    return b"PROXY %s %s %s 40000 25\r\n" % (family, client.encode(), own.encode())


def binary(client, tlvs=b""):
    family = socket.AF_INET6 if ":" in client else socket.AF_INET
    own = "2001:db8::25" if ":" in client else "198.51.100.25"
    body = socket.inet_pton(family, client) + socket.inet_pton(family, own) \
        + struct.pack(">HH", 40000, 25) + tlvs
    return SIGNATURE + bytes([0x21, 0x21 if ":" in client else 0x11]) \
        + struct.pack(">H", len(body)) + body


LOCAL = SIGNATURE + b"\x20\0\0\0"


@pytest.fixture
def server(serve, tmp_path):
    make_certificate(str(tmp_path), name="tls")
    plain, secure = free_ports(2)
    running = serve(CONFIG.replace("PLAIN", str(plain)).replace("SECURE", str(secure))).start()
    running.plain, running.secure = plain, secure
    return running


class Client:
    def __init__(self, port, first=b"", source="127.0.0.1"):
        self.socket = socket.create_connection(("127.0.0.1", port), 60, (source, 0))
        if first:
            self.socket.sendall(first)
        self.file = self.socket.makefile("rb")

    def secure(self):
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        self.socket = context.wrap_socket(self.socket)
        self.file = self.socket.makefile("rb")
        return self

    def answer(self):
        while (line := self.file.readline())[3:4] == b"-":
            pass
        return line

    def say(self, line):
        self.socket.sendall(line + b"\r\n")
        return self.answer()

    def rcpt(self, to):
        """The codes of RCPT to these, behind the greeting."""
        assert self.answer().startswith(b"220 ")
        assert self.say(b"EHLO client.example").startswith(b"250 ")
        assert self.say(b"MAIL FROM:<bob@client.example>").startswith(b"250 ")
        return [int(self.say(b"RCPT TO:<%s>" % one.encode())[:3]) for one in to]

    def send(self, content=CONTENT):
        assert self.say(b"DATA").startswith(b"354 ")
        content = re.sub(rb"(?m)^\.", b"..", content)
        self.socket.sendall(content + b".\r\n")
        return self.answer()

    def ended(self):
        try:
            return self.file.read() == b""
        except ConnectionResetError:
            return True

    def close(self):
        self.file.close()
        self.socket.close()


EVERYWHERE = ["ann@local.example", "ann@net.example", "ann@example.org"]


@pytest.mark.parametrize("header, client, codes", [
    (text("192.0.2.7"), "192.0.2.7", [554, 250, 250]),
    (binary("192.0.2.7"), "192.0.2.7", [554, 250, 250]),
    (binary("198.51.100.9", tlvs=b"\x20\0\x05\1\0\0\0\0" + b"\x02\0\1x"), "198.51.100.9",
     [554, 554, 250]),
    (text("2001:db8::7", "2001:db8::1"), "2001:db8::7", [554, 554, 250]),
    (binary("2001:db8::7"), "2001:db8::7", [554, 554, 250]),
    (text("127.0.0.1", "127.0.0.1"), "127.0.0.1", [554, 250, 250]),  # never local
    (LOCAL, "127.0.0.1", [554, 554, 250]),                           # in no network at all
    (b"PROXY UNKNOWN\r\n", "127.0.0.1", [554, 554, 250]),
])
def test_client_is_who_the_header_says(server, header, client, codes):
    by = Client(server.plain, header)
    assert by.rcpt(EVERYWHERE) == codes
    assert by.send().startswith(b"250 ")
    stored = server.wait_mail("ann")[0].decode()
    literal = f"IPv6:{client}" if ":" in client else client
    assert f"from client.example ([{literal}])" in stored, stored[:500]
    assert wait_until(lambda: f"connect from unknown[{client}]" in server.log())
    by.close()


def test_where_nobody_is_a_proxy_localhost_is_local(server):
    assert Client(server.port).rcpt(EVERYWHERE) == [250, 250, 250]


def test_header_in_pieces(server):
    for header in (text("192.0.2.7"), binary("192.0.2.7")):
        by = Client(server.plain)
        by.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for at in range(len(header)):
            by.socket.sendall(header[at:at + 1])
        assert by.rcpt(["ann@net.example"]) == [250]
        by.close()
    # Nothing behind it is lost.
    by = Client(server.plain, binary("192.0.2.7") + b"EHLO client.example\r\n")
    assert by.answer().startswith(b"220 ") and by.answer().startswith(b"250 ")


def test_tls_begins_behind_the_header(server):
    for header in (text("192.0.2.8"), binary("192.0.2.8")):
        by = Client(server.secure, header).secure()
        assert by.rcpt(EVERYWHERE) == [554, 250, 250]
        by.close()


def test_others_are_sent_away(server):
    by = Client(server.plain, text("192.0.2.7"), source="127.0.0.2")
    assert by.answer() == b"421 4.7.0 mx.example.org Error: this port is for proxies only\r\n"
    assert by.ended()
    assert Client(server.secure, source="127.0.0.2").ended()
    assert wait_until(lambda: "127.0.0.2: not in 'proxy-from'" in server.log())
    assert Client(server.plain, text("192.0.2.7"), source="127.0.0.9").rcpt([]) == []


@pytest.mark.parametrize("first", [
    b"EHLO client.example\r\n", b"PROXY TCP4 192.0.2.1\r\n", SIGNATURE + b"\x21\x11\xff\xff",
    SIGNATURE + b"\x21\x11\0\x04" + bytes(4), b"\x16\x03\x01\x02\0\x01\0\x01\xfc\x03\x03\0\0"])
def test_no_header(server, first):
    assert Client(server.plain, first).ended()
    assert wait_until(lambda: "warning: 127.0.0.1: no PROXY header, though" in server.log())


def test_silence(server):
    silent, half = Client(server.plain), Client(server.plain, b"PROXY TCP4 192.")
    assert silent.ended() and half.ended()
    assert wait_until(lambda: server.log().count("no PROXY header within 5 seconds") == 2)


def test_limits_are_those_of_the_client(server):
    within = [Client(server.plain, text("203.0.113.9")) for _ in range(2)]
    assert all(one.answer().startswith(b"220 ") for one in within)
    third = Client(server.plain, text("203.0.113.9"))
    assert third.answer().endswith(b"Error: too many connections from 203.0.113.9\r\n")
    assert Client(server.plain, text("203.0.113.10")).answer().startswith(b"220 ")


def test_stop_and_reload_while_one_says_nothing_yet(server):
    assert wait_until(lambda: server.queued() is not None)
    waiting = Client(server.plain, b"PROXY ")
    code, said = run(BINARY, "reload", "-c", server.folder + "/postroad.conf")
    assert code == 0, said
    waiting.socket.sendall(text("192.0.2.7")[6:])
    assert waiting.rcpt(["ann@net.example"]) == [250]
    Client(server.plain, b"PROXY ")
    assert server.stop() == 0


def test_curl(server, tmp_path):
    need("curl")
    (tmp_path / "mail").write_bytes(CONTENT)
    code, said = run("curl", "-sS", "--haproxy-protocol", "--mail-from", SENDER, "--mail-rcpt",
                     "ann@example.org", "-T", tmp_path / "mail",
                     f"smtp://127.0.0.1:{server.plain}/client.example")
    assert code == 0, said
    assert b"from client.example ([127.0.0.1])" in server.wait_mail("ann")[0]


class HAProxy(Foreign):
    package = "haproxy"
    program = ["/usr/sbin/haproxy", "-db", "-f", "/etc/haproxy.cfg"]

    def configure(self):
        self.write("etc/haproxy.cfg", """
global
    log stdout local0
defaults
    mode tcp
    timeout connect 5s
    timeout client 60s
    timeout server 60s
    option log-health-checks
    log global
listen old
    bind 127.0.0.1:%PORT%
    option smtpchk EHLO proxy.example
    server mx 127.0.0.1:%PLAIN% send-proxy check check-send-proxy inter 200ms
listen new
    bind 127.0.0.1:%NEW%
    option smtpchk EHLO proxy.example
    server mx 127.0.0.1:%PLAIN% send-proxy-v2 check check-send-proxy inter 200ms
listen secure
    bind 127.0.0.1:%SECURE%
    server mx 127.0.0.1:%TLS% send-proxy-v2-ssl-cn
""")


def test_who_says_nothing_makes_way(server):
    """Somebody on the proxy's machine who only connects keeps no client away, nor those who come directly."""
    receivers = with_few_sessions(server)
    silent = [Client(server.plain) for _ in range(40 * receivers + 40)]
    for i in range(40 * receivers):
        by = Client(server.plain, binary(f"198.51.{i}.7"))
        assert by.rcpt(EVERYWHERE) == [554, 554, 250]
        by.close()
        direct = Client(server.port)
        assert direct.answer().startswith(b"220 ")
        direct.close()
    for one in silent:
        one.close()


def test_haproxy(server, tmp_path):
    new, secure = free_port(), free_port()
    try:
        proxy = HAProxy(tmp_path, plain=server.plain, new=new, secure=secure, tls=server.secure)
    except NotHere as why:
        pytest.skip(str(why))
    proxy.start()
    try:
        for source, port in (("127.0.0.5", proxy.port), ("127.0.0.6", new)):
            by = Client(port, source=source)
            assert by.rcpt(EVERYWHERE) == [554, 250, 250]
            assert by.send().startswith(b"250 ")
            by.close()
        stored = b"".join(server.wait_mail("ann", count=2))
        assert b"([127.0.0.5])" in stored and b"([127.0.0.6])" in stored
        assert Client(secure, source="127.0.0.7").secure().rcpt(EVERYWHERE) == [554, 250, 250]
        assert wait_until(lambda: "connect from unknown[127.0.0.7]" in server.log())
        checks = "Health check for server (old|new)/mx succeeded"
        assert wait_until(lambda: set(re.findall(checks, proxy.log())) == {"old", "new"}), \
            proxy.log()
        assert "no PROXY header" not in server.log()
    finally:
        proxy.stop()
