"""The resolver against NSD: a signed root with signed, unsigned and spoilt zones below it, all on
one port of the loopback; tests/live/resolve asks."""
import re
import subprocess

import pytest

from conftest import need
from name_server import PROGRAMS, RESOLVE, NameServer
from server import free_port

ZONES = {
    "signed.test": """
@ MX 20 mx2
@ MX 10 mx1
mx1 600 A 192.0.2.1
mx1 AAAA 2001:db8::1
mx2 A 192.0.2.2
null MX 0 .
direct A 192.0.2.3
alias CNAME @
out CNAME there.plain.test.
gone CNAME nowhere
self MX 10 mx1
self MX 20 mx.us.example.
txt TXT "v=spf1" " -all"
_25._tcp.mx1 TLSA 3 1 1 0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef
_25._tcp.mx1 TLSA 3 1 1 0123
""",
    "plain.test": """
@ MX 10 mx
mx A 192.0.2.9
there A 192.0.2.10
""",
    "bogus.test": """
@ MX 10 mx
mx A 192.0.2.66
""",
}


@pytest.fixture(scope="module")
def names(tmp_path_factory):
    for program in PROGRAMS:
        need(program)
    server = NameServer(tmp_path_factory.mktemp("dns") / "zones", ZONES, unsigned=["plain.test"])
    server.spoil("bogus.test", "192.0.2.66", "192.0.2.67")
    try:
        yield server.start()
    finally:
        server.stop()


QUESTIONS = [  # type, name, first line, records
    ("MX", "signed.test", "found secure, 2 records, 0 unusable, ttl 300, signed.test",
     ["10 mx1.signed.test", "20 mx2.signed.test"]),
    ("MX", "Signed.TEST.", "found secure, 2 records, 0 unusable, ttl 300, signed.test",
     ["10 mx1.signed.test", "20 mx2.signed.test"]),
    ("A", "mx1.signed.test", "found secure, 1 records, 0 unusable, ttl 600, mx1.signed.test",
     ["192.0.2.1"]),
    ("AAAA", "mx1.signed.test", "found secure, 1 records, 0 unusable, ttl 300, mx1.signed.test",
     ["2001:db8:0:0:0:0:0:1"]),
    ("AAAA", "mx2.signed.test", "none secure, 0 records, 0 unusable, mx2.signed.test", []),
    ("MX", "no.signed.test", "nxdomain secure, 0 records, 0 unusable, no.signed.test", []),
    ("MX", "null.signed.test", "found secure, 1 records, 0 unusable, ttl 300, null.signed.test",
     ["0 ."]),
    ("MX", "alias.signed.test", "found secure, 2 records, 0 unusable, ttl 300, signed.test",
     ["10 mx1.signed.test", "20 mx2.signed.test"]),
    ("MX", "gone.signed.test", "nxdomain secure, 0 records, 0 unusable, nowhere.signed.test", []),
    # An alias into an unsigned zone: no longer proved.
    ("A", "out.signed.test", "found, 1 records, 0 unusable, ttl 300, there.plain.test",
     ["192.0.2.10"]),
    ("MX", "plain.test", "found, 1 records, 0 unusable, ttl 300, plain.test", ["10 mx.plain.test"]),
    ("MX", "no.plain.test", "nxdomain, 0 records, 0 unusable, no.plain.test", []),
    ("TXT", "txt.signed.test", "found secure, 1 records, 0 unusable, ttl 300, txt.signed.test",
     ["11 bytes, v=spf1 -all"]),
    ("TLSA", "_25._tcp.mx1.signed.test",
     "found secure, 1 records, 1 unusable, ttl 300, _25._tcp.mx1.signed.test", ["3 1 1 32 bytes"]),
]


@pytest.mark.parametrize("kind,name,first,records", QUESTIONS)
def test_answers_of_a_real_server(names, kind, name, first, records):
    got = names.ask(kind, name).splitlines()
    assert got[0] == f"{kind} {name}: {first}"
    assert sorted(line.strip() for line in got[1:]) == sorted(records)


def test_forged_records_are_bogus(names):
    assert names.ask("A", "mx.bogus.test").startswith("A mx.bogus.test: bogus, 0 records")
    # The MX records of the same zone were not touched.
    assert "found secure" in names.ask("MX", "bogus.test")


def test_another_anchor_trusts_nothing(names, tmp_path):
    other = tmp_path / "anchor"
    text = names.anchor.read_text()
    key = re.search(r"(\S+)$", text.split(";")[0].strip())[1]
    other.write_text(text.replace(key, key[::-1].lstrip("=") + "=" * (len(key) % 4)))
    got = names.ask("MX", "signed.test", more=["--anchor", str(other)])
    assert got.startswith("MX signed.test: bogus")


def test_all_at_once(names):
    questions = [(kind, name) for kind, name, _, _ in QUESTIONS]
    got = names.ask(*(word for question in questions for word in question))
    for kind, name, first, _ in QUESTIONS:
        assert f"{kind} {name}: {first}\n" in got


ROUTES = [
    ("signed.test", "3 hops, by MX, secure",
     ["hop mx1.signed.test 2001:db8:0:0:0:0:0:1 secure", "hop mx1.signed.test 192.0.2.1 secure",
      "hop mx2.signed.test 192.0.2.2 secure", "host 10 mx1.signed.test: used",
      "host 20 mx2.signed.test: used"]),
    ("direct.signed.test", "1 hops, secure",
     ["hop direct.signed.test 192.0.2.3 secure", "host 0 direct.signed.test: used"]),
    ("plain.test", "1 hops, by MX", ["hop mx.plain.test 192.0.2.9", "host 10 mx.plain.test: used"]),
    ("null.signed.test", "556 5.1.10 Domain null.signed.test takes no mail (null MX)", []),
    ("no.signed.test", "550 5.1.2 Domain no.signed.test does not exist", []),
    ("self.signed.test", "2 hops, by MX, secure",
     ["hop mx1.signed.test 2001:db8:0:0:0:0:0:1 secure", "hop mx1.signed.test 192.0.2.1 secure",
      "host 10 mx1.signed.test: used", "host 20 mx.us.example: this server itself"]),
]


@pytest.mark.parametrize("domain,first,rest", ROUTES)
def test_routes(names, domain, first, rest):
    got = names.ask("route", domain, more=["--own", "mx.us.example"]).splitlines()
    assert got[0] == f"route {domain}: {first}"
    assert [line.strip() for line in got[1:]] == rest


def test_a_spoilt_host_is_temporary(names):
    got = names.ask("route", "bogus.test")
    assert got.startswith("route bogus.test: 451 4.4.3 DNS look-up of mx.bogus.test A and AAAA")


def test_silence_has_an_end(names):
    got = subprocess.run([RESOLVE, "--forwarder", f"127.0.0.1@{free_port()}", "--anchor",
                          str(names.anchor), "--deadline", "2000", "route", "signed.test"],
                         stdout=subprocess.PIPE, timeout=30, check=True).stdout.decode()
    assert got.startswith("route signed.test: 451 4.4.3 ")
