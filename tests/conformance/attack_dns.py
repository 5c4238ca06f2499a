"""Hostile answers from a name server, to a resolver that asks it: tests/live/resolve, which has the
resolver, facts and route of the mail system and prints only what it may show.

A case of the suite is told in words; here stands the zone that they mean, one function a case. What
needs SPF, DKIM, DANE or policies is skipped until they are there. Zones lie below "example.", which
is declared unsigned; the server answers on one port by UDP and TCP."""
import os
import socket
import socketserver
import struct
import subprocess
import sys
import threading

from suite import Skip, cases, expect, free_port, verdict

BUILD = os.path.dirname(os.path.abspath(os.environ.get("POSTROAD", "build/postroad")))
RESOLVE = os.path.join(BUILD, "tests", "live", "resolve")
A, CNAME, PTR, MX, TXT, AAAA, TLSA = 1, 5, 12, 15, 16, 28, 52
OK, SERVFAIL, NXDOMAIN, AD, TC = 0x8180, 0x8182, 0x8183, 0x0020, 0x0200
NAME = b"\xc0\x0c"  # that of the question


def name(text):
    return b"".join(bytes([len(part)]) + part
                    for part in text.encode("latin-1").split(b".") if part) + b"\0"


def record(kind, data, owner=NAME):
    return owner + struct.pack(">HHIH", kind, 1, 60, len(data)) + data


def mx(preference, host):
    host = host if isinstance(host, bytes) else name(host)
    return record(MX, struct.pack(">H", preference) + host)


def a(text, owner=NAME):
    return record(A, socket.inet_aton(text), owner)


def aaaa(text):
    return record(AAAA, socket.inet_pton(socket.AF_INET6, text))


class Zone:
    """{(name, type): (flags, [records])}; a name that is known has no other data, any other name
    does not exist. `before` may send something of its own first."""

    def __init__(self, answers, before=None):
        self.answers, self.before, self.asked = answers, before, []

    def reply(self, query, udp):
        at, labels = 12, []
        while query[at]:
            labels.append(query[at + 1:at + 1 + query[at]].lower().decode("latin-1"))
            at += 1 + query[at]
        kind, = struct.unpack(">H", query[at + 1:at + 3])
        asked = ".".join(labels)
        self.asked.append((asked, kind))
        known = any(asked == other for other, _ in self.answers)
        flags, records = self.answers.get((asked, kind), (OK if known else NXDOMAIN, []))
        if records is None:
            return None
        body = b"".join(records)
        if udp and len(body) > 1000:
            flags, records, body = flags | TC, [], b""
        return query[:2] + struct.pack(">5H", flags, 1, len(records), 0, 0) \
            + query[12:at + 5] + body


class NameServer:
    def __init__(self, zone, address="127.0.0.1", port=0):
        class Udp(socketserver.BaseRequestHandler):
            def handle(self):
                query, sock = self.request
                if zone.before:
                    zone.before(query, sock, self.client_address)
                reply = zone.reply(query, True)
                if reply:
                    sock.sendto(reply, self.client_address)

        class Tcp(socketserver.StreamRequestHandler):
            def handle(self):
                while length := self.rfile.read(2):
                    reply = zone.reply(self.rfile.read(*struct.unpack(">H", length)), False)
                    if reply:
                        self.wfile.write(struct.pack(">H", len(reply)) + reply)

        self.port = port or free_port()  # of both kinds
        self.udp = socketserver.ThreadingUDPServer((address, self.port), Udp)
        self.tcp = socketserver.ThreadingTCPServer((address, self.port), Tcp)
        self.tcp.daemon_threads = self.udp.daemon_threads = True

    def __enter__(self):
        for server in (self.udp, self.tcp):
            threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(self, *_):
        for server in (self.udp, self.tcp):
            server.shutdown()
            server.server_close()


def ask(zone, *questions, more=()):
    """The lines that resolve says."""
    with NameServer(zone) as server:
        done = subprocess.run([RESOLVE, "--forwarder", f"127.0.0.1@{server.port}",
                               "--set", "domain-insecure:", "example.", "--deadline", "30000",
                               *more, *questions],
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=120,
                              check=False)
    expect(done.returncode == 0, f"status {done.returncode}: {done.stderr.decode()[-300:]}")
    for byte in done.stdout:
        expect(byte == 10 or 32 <= byte < 127, f"byte {byte} is shown")
    return done.stdout.decode().splitlines()


def route(answers, more=(), before=None):
    """The first line behind "route d.example: ", and all of them."""
    zone = Zone({(host + ".example" if host else "example", kind): value
                 for (host, kind), value in answers.items()}, before)
    lines = ask(zone, "route", "d.example", more=more)
    return lines[0].removeprefix("route d.example: "), [line.strip() for line in lines], zone


def expect_line(lines, wanted):
    expect(wanted in lines, f"no '{wanted}' in {lines[:6]}")


# ---- one function a case ----


def tlsa(data):
    zone = Zone({("_25._tcp.mx.example", TLSA): (OK, [record(TLSA, data)])})
    lines = ask(zone, "TLSA", "_25._tcp.mx.example")
    expect_line(lines, "TLSA _25._tcp.mx.example: found, 0 records, 1 unusable, ttl 60, "
                "_25._tcp.mx.example")


def tlsa_len_0():
    # libunbound has its own opinion on records without data; both are harmless.
    zone = Zone({("_25._tcp.mx.example", TLSA): (OK, [record(TLSA, b"")])})
    first = ask(zone, "TLSA", "_25._tcp.mx.example")[0]
    expect(": found, 0 records, 1 unusable" in first or ": failed, 0 records" in first, first)


def tlsa_len_1():
    tlsa(b"\3")


def tlsa_len_4():
    tlsa(b"\3\1\1x")


def tlsa_300():
    records = [record(TLSA, b"\3\1\0" + bytes([i]) * 4093) for i in range(15)]
    lines = ask(Zone({("t.example", TLSA): (OK, records)}), "TLSA", "t.example")
    expect_line(lines, "TLSA t.example: found, 15 records, 0 unusable, ttl 60, t.example")
    # Says 300 and cannot hold them.
    short = Zone({("t.example", TLSA): (OK, records)})
    whole = short.reply
    short.reply = lambda query, udp: (lambda r: r[:6] + struct.pack(">H", 300) + r[8:])(
        whole(query, udp))
    expect(": failed, 0 records" in ask(short, "TLSA", "t.example")[0], "read beyond the end")


def mx_null():
    first, _, zone = route({("d", MX): (OK, [mx(0, "")]), ("d", A): (OK, [a("192.0.2.1")])})
    expect(first.startswith("556 5.1.10 "), first)
    expect({kind for _, kind in zone.asked if kind in (A, AAAA)} == set(), "asked for addresses")


def mx_null_plus():
    first, lines, _ = route({("d", MX): (OK, [mx(0, ""), mx(10, "mx.example")]),
                             ("mx", A): (OK, [a("192.0.2.1")])})
    expect(first == "1 hops, by MX", first)
    expect_line(lines, "host 0 : ignored")
    expect_line(lines, "hop mx.example 192.0.2.1")


def mx_none_a():
    _, lines, _ = route({("d", A): (OK, [a("192.0.2.1")])})
    expect_line(lines, "hop d.example 192.0.2.1")


def mx_servfail():
    first, _, zone = route({("d", MX): (SERVFAIL, []), ("d", A): (OK, [a("192.0.2.1")])})
    expect(first.startswith("451 4.4.3 "), first)
    expect(("d.example", A) not in zone.asked, "asked for the A record")


def mx_nxdomain():
    first, _, _ = route({("other", A): (OK, [a("192.0.2.1")])})
    expect(first.startswith("550 5.1.2 "), first)


def mx_cname_owner():
    target = record(MX, struct.pack(">H", 10) + name("mx.example"), name("e.example"))
    _, lines, _ = route({("d", MX): (OK, [record(CNAME, name("e.example")), target]),
                         ("e", MX): (OK, [mx(10, "mx.example")]),
                         ("mx", A): (OK, [a("192.0.2.1")])})
    expect_line(lines, "hop mx.example 192.0.2.1")


def mx_target_ip():
    first, _, zone = route({("d", MX): (OK, [mx(10, "192.0.2.1")]),
                            ("d", A): (OK, [a("192.0.2.1")])})
    expect(first.startswith("550 5.4.4 "), first)
    expect(all("192" not in asked for asked, _ in zone.asked), "asked for the address as a name")


def mx_localhost():
    for host, records in [("localhost", None), ("mx.example", (A, a("127.0.0.1"))),
                          ("mx.example", (A, a("0.0.0.0"))), ("mx.example", (AAAA, aaaa("::1"))),
                          ("mx.example", (AAAA, aaaa("::ffff:127.0.0.1")))]:
        answers = {("d", MX): (OK, [mx(10, host)])}
        if records:
            answers[("mx", records[0])] = (OK, [records[1]])
        first, lines, _ = route(answers)
        expect(first == "554 5.4.6 Mail for d.example loops back to myself", f"{host}: {first}")
        expect(not any(line.startswith("hop") for line in lines), "a hop to loopback")


def mx_self():
    answers = {("d", MX): (OK, [mx(10, "mx1.example"), mx(20, "us.example"), mx(30, "mx3.example")]),
               ("mx1", A): (OK, [a("192.0.2.1")]), ("mx3", A): (OK, [a("192.0.2.3")]),
               ("us", A): (OK, [a("198.51.100.7")])}
    for own in ("us.example", "198.51.100.7"):
        first, lines, _ = route(answers, ["--own", own])
        expect(first == "1 hops, by MX", first)
        expect_line(lines, "hop mx1.example 192.0.2.1")
        answers_best = dict(answers)
        answers_best[("d", MX)] = (OK, [mx(10, "us.example"), mx(30, "mx3.example")])
        first, _, _ = route(answers_best, ["--own", own])
        expect(first.startswith("554 5.4.6 "), first)


def mx_1000():
    answers = {("d", MX): (OK, [mx(10, f"h{i}.example") for i in range(1000)])}
    for i in range(1000):
        answers[(f"h{i}", A)] = (OK, [a(f"192.0.2.{k}") for k in range(1, 9)])
    orders = []
    for chance in ("1", "2"):
        _, lines, zone = route(answers, ["--chance", chance])
        hops = [line for line in lines if line.startswith("hop")]
        expect(1 < len(hops) <= 100, f"{len(hops)} hops")
        expect(len(zone.asked) < 100, f"{len(zone.asked)} questions")
        orders.append(hops)
    expect(orders[0] != orders[1], "always the same order")


def mx_preference_order():
    answers = {("d", MX): (OK, [mx(20, "c.example"), mx(10, "a.example"), mx(10, "b.example")])}
    for number, host in enumerate("abc"):
        answers[(host, A)] = (OK, [a(f"192.0.2.{number}")])
    orders = set()
    for chance in range(12):
        _, lines, _ = route(answers, ["--chance", str(chance)])
        orders.add("".join(line.split()[1][0] for line in lines if line.startswith("hop")))
    expect(orders == {"abc", "bac"}, f"{orders}")


def mx_chain_cname_loop():
    first, _, zone = route({("d", MX): (OK, [record(CNAME, name("E.example"))]),
                            ("e", MX): (OK, [record(CNAME, name("D.exAMPLE"))])})
    expect(first.startswith("451 4.4.3 "), first)
    expect(len(zone.asked) <= 30, f"{len(zone.asked)} questions")


def compress_loop():
    hops = b"".join(struct.pack(">H", 0xC000 + 40 + 2 * i) for i in range(127))
    for target in (b"\xc0\x29", b"\xc0\x60", b"\xff\xff", b"\3abc\xc0\x29", hops, b"\xc0"):
        first, lines, _ = route({("d", MX): (OK, [mx(10, target)])})
        expect(first[:4] in ("451 ", "550 "), first)
        expect(not any(line.startswith("hop") for line in lines), "a hop")


def label_binary():
    for byte in b"\x00\x0a\x0d\x2e\x5c\xff":
        target = b"\3a" + bytes([byte]) + b"b\7example\0"
        first, lines, _ = route({("d", MX): (OK, [mx(10, target), mx(20, "mx.example")]),
                                 ("mx", A): (OK, [a("192.0.2.1")])})
        expect(first == "1 hops, by MX", f"{byte}: {first}")
        expect_line(lines, "hop mx.example 192.0.2.1")


def txt_64k():
    text = (b"\xff" + b"x" * 255) * 255
    lines = ask(Zone({("t.example", TXT): (OK, [record(TXT, text)])}), "TXT", "t.example")
    expect("t.example: found, 1 records" in lines[0] or "t.example: failed" in lines[0], lines[0])
    expect("found" not in lines[0] or "65025 bytes" in lines[1], lines[0])


def id_mismatch():
    def forged(query, asked=None):
        end = query.index(b"\0", 12) + 5
        return struct.pack(">5H", OK, 1, 1, 0, 0) + (asked or query[12:end - 4]) \
            + query[end - 4:end] + a("203.0.113.66")

    def others(query, sock, client):
        sock.sendto(bytes([query[0] ^ 1, query[1]]) + forged(query), client)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as elsewhere:
            elsewhere.sendto(query[:2] + forged(query), client)

    def another_question(query, sock, client):
        sock.sendto(query[:2] + forged(query, name("x.example")), client)

    truth = {("d.example", A): (OK, [a("192.0.2.1")])}
    expect_line(ask(Zone(truth, others), "A", "d.example"), "  192.0.2.1")
    # Whoever guessed ID and port may stop an answer, for now; not replace it.
    lines = ask(Zone(truth, another_question), "A", "d.example")
    expect(not any("203.0.113" in line for line in lines), "a forged answer was believed")


def ad_from_untrusted():
    lines = ask(Zone({("d.example", A): (OK | AD, [a("192.0.2.1")])}), "A", "d.example")
    expect_line(lines, "A d.example: found, 1 records, 0 unusable, ttl 60, d.example")


def nsec3_keytrap():
    """What costs the validator its time ends at our deadline: here a server that never answers."""
    first, _, _ = route({("d", MX): (OK, None)}, ["--deadline", "1500"])
    expect(first.startswith("451 4.4.3 "), first)


LATER = {"spf": "SPF", "dkim": "DKIM", "mta": "MTA-STS", "tlsrpt": "TLS reports",
         "ptr": "SPF and names of clients"}


def run(case):
    identity = case["id"]
    if identity.split("-")[0] in LATER:
        raise Skip(f"there is no {LATER[identity.split('-')[0]]} yet")
    test = globals().get(identity.replace("-", "_"))
    expect(callable(test), "nobody wrote this zone")
    test()


def main():
    for case in cases(sys.argv[1]):
        verdict(case["id"], lambda case=case: run(case))


if __name__ == "__main__":
    main()
