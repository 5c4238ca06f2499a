"""Mail for the world, in a world of its own: a network namespace with the root of DNS, signed and
broken zones, and mail servers on port 25 that take, refuse, put off, or never answer.

One server relays for all tests; each has its own domains, so none waits for another. What takes
half a minute is handed in first and looked at last."""
import email
import email.policy
import json
import os
import re
import smtplib
import ssl
import struct
import sys
import threading
import time

import pytest
import users

from certificate import issue, make_authority
from conftest import CONTENT, need, run
from fake_mx import FakeMx
from name_server import PROGRAMS, NameServer
from network import Network, NotHere, Silence, root_servers, trusting
from server import BINARY, TOP, Server, wait_until

sys.path.insert(0, os.path.join(TOP, "tests", "faults"))
from armed import Shared  # noqa: E402

sys.path.insert(0, os.path.join(TOP, "tests", "conformance"))
from attack_dns import A, CNAME, MX, OK, SERVFAIL, Zone, a, mx, name, record  # noqa: E402
from attack_dns import NameServer as RawNameServer  # noqa: E402

US = "us.world.test"
OUR_IP = "192.0.2.25"
HOSTS = {"a": "192.0.2.1", "b": "192.0.2.2", "c": "192.0.2.3",  # they take everything,
         "six": "2001:db8::6",
         "busy": "192.0.2.4",       # ... this one says 421,
         "grey": "192.0.2.5",       # "come again" once to each recipient,
         "brief": "192.0.2.10", "short": "192.0.2.11",  # and hang up behind each message;
         "shared": "192.0.2.15",
         "strict": "192.0.2.16",    # speaks TLS and REQUIRETLS
         "full": "192.0.2.14",      # 452 to each connection,
         "clone": "192.0.2.13",     # greets by our name,
         "silent": "192.0.2.8"}     # SYN is not answered
NOBODY = {"closed": "192.0.2.9",    # connection refused
          "late": "192.0.2.7",      # the same, until a test begins a server there
          "down": "192.0.2.12",
          "six-closed": "2001:db8::9"}
FAR = "203.0.113.1"                 # network is unreachable

WORLD = f"""
us A {OUR_IP}
us-too A {OUR_IP}
nowhere A {FAR}
both-closed-six AAAA {NOBODY["six-closed"]}
both-closed-six A {HOSTS["a"]}

order MX 30 c
order MX 10 a
order MX 20 b
*.shared MX 10 shared
even MX 10 brief
even MX 10 short
takeover MX 10 closed
takeover MX 20 nowhere
takeover MX 30 busy
takeover MX 40 b
hung MX 10 silent
hung MX 20 c
stuck MX 10 silent
dead MX 10 nowhere
dead MX 20 closed
late MX 10 late
down MX 10 down
grey MX 10 grey
proved MX 10 strict
null MX 0 .
nullplus MX 0 .
nullplus MX 10 a
bare A {HOSTS["b"]}
alias CNAME order
gone CNAME nothing
*.wild MX 10 c
loopthree MX 10 clone
loopthree MX 20 a
loop MX 10 us
loop MX 20 a
looptoo MX 10 us-too
loopfour MX 10 out.us
loopfour MX 20 a
out.us A {HOSTS["b"]}
nearer MX 10 closed
nearer MX 20 us
nearer MX 30 a
six MX 10 six
both MX 10 both-closed-six

localhost MX 10 localhost.
home MX 10 home-host
home-host A 127.0.0.1
home-host AAAA ::1
hostless MX 10 nothing
literal MX 10 192.0.2.1.
binary MX 10 a\\010\\013\\000\\255b
binary MX 20 a
round CNAME roundabout
roundabout CNAME round
""" + "".join(f"many MX 10 h{i}\n" for i in range(200)) + "".join(
    f"{name} {'AAAA' if ':' in ip else 'A'} {ip}\n" for name, ip in {**HOSTS, **NOBODY}.items())

ZONES = {
    "world.test": WORLD,
    "plain.test": f"@ MX 10 mx\nmx A {HOSTS['a']}\nunproved MX 10 strict.world.test.\n",
    "spoilt.test": f"@ MX 10 mx\n@ A {HOSTS['a']}\nmx A {HOSTS['a']}\n",
    "broken.test": "",
}

# What no zone file can say, from a name server without manners: {domain: its MX records}.
HOPS = b"".join(struct.pack(">H", 0xC000 + 40 + 2 * i) for i in range(127))
HOSTILE = {
    "pointer": [mx(10, b"\xc0\x29")], "pointers": [mx(10, HOPS)], "beyond": [mx(10, b"\xff\xff")],
    "half": [mx(10, b"\3abc\xc0\x29")], "short": [mx(10, b"\xc0")], "empty": [record(MX, b"")],
    "circle": [record(CNAME, name("E.Circle.hostile.test"))],
    **{f"byte{byte:02x}": [mx(10, b"\3a" + bytes([byte]) + b"b\7hostile\4test\0")]
       for byte in b"\x00\x0a\x0d\x2e\x5c\xff"},
}


def hostile_zone():
    answers = {("hostile.test", MX): (OK, []), ("ns.hostile.test", A): (OK, [a("192.0.2.54")]),
               ("e.circle.hostile.test", MX): (OK, [record(CNAME, name("cirCLE.hostile.TEST"))]),
               ("mute.hostile.test", MX): (OK, None),
               ("fails.hostile.test", MX): (SERVFAIL, []),
               ("fails.hostile.test", A): (OK, [a(HOSTS["a"])]),
               ("thousand.hostile.test", MX): (OK, [mx(10, f"h{i}.hostile.test")
                                                    for i in range(1000)])}
    for i in range(1000):
        answers[(f"h{i}.hostile.test", A)] = (OK, [a(HOSTS["full"])] * 8)
    for domain, records in HOSTILE.items():
        answers[(f"{domain}.hostile.test", MX)] = (OK, records)
    return Zone(answers)


CONFIG = f"""
hostname {US}
tls {{folder}}/mx.pem {{folder}}/mx.key
listen mx 127.0.0.1:{{port}} {{ tls optional }}
listen mx {OUR_IP}:25
resolver recursive
queue {{folder}}/queue {{ min-free 10M }}
postmaster admin@{US}
relay direct {{ helo out.{US}; retry 1s 2s }}
limit to domain one.shared.world.test {{ connections 1 }}
accept to domain {US} deliver maildir {{folder}}/data/mail/{{domain}}/{{user}}
accept from local to any relay direct
"""


class Ours(Server):
    def __init__(self, folder, anchor):
        super().__init__(folder, CONFIG)
        self.anchor = anchor

    def command(self):
        users.open_way(f"{self.folder}/../authority.pem")
        return trusting(self.anchor, ["env", f"SSL_CERT_FILE={self.folder}/../authority.pem",
                                      *super().command()])


SHIM = os.path.join(os.path.dirname(BINARY), "tests", "faults", "faults.so")


class Patient(Ours):
    """With the usual schedule, and clocks that can be put on."""

    def __init__(self, folder, anchor):
        super().__init__(folder, anchor)
        self.config = CONFIG.replace(f"listen mx {OUR_IP}:25\n", "").replace("; retry 1s 2s", "")
        self.config = re.sub(r"tls \{folder\}.*\n| \{\{? tls optional \}\}?", "", self.config)
        self.shared = Shared(os.path.join(self.folder, "clocks"))

    def command(self):
        return trusting(self.anchor, ["env", f"LD_PRELOAD={SHIM}",
                                      f"POSTROAD_FAULTS={self.shared.path}",
                                      *Server.command(self)])

    def next_in(self, rcpt):
        """Seconds until the next attempt; None: it is not in the queue, or being tried."""
        found = self.ask("queue", "list", "--json")
        rcpts = [one for line in found.splitlines() for one in json.loads(line)["rcpts"]]
        return next((one.get("next") for one in rcpts if one["to"] == rcpt), None)

    def attempts(self, rcpt):
        return [line for line in self.log().splitlines() if f"to=<{rcpt}>, relay=" in line]


class World:
    """The servers, ours among them, and what may be asked of them."""

    def __init__(self, folder):
        self.names = NameServer(folder / "dns", ZONES, unsigned=["plain.test"],
                                addresses=["192.0.2.53", *root_servers()], port=53,
                                elsewhere={"hostile.test": "192.0.2.54"})
        self.names.spoil("spoilt.test", "MX\t10 ", "MX\t20 ")
        self.names.path("broken.test").unlink()
        self.hosts, self.others, self.hostile, self.greylisted = {}, [], None, {}
        self.shared_greets = threading.Event()
        (folder / "ours").mkdir()
        self.authority = make_authority(folder)
        issue(self.authority, folder / "ours", f"DNS:{US}")
        self.strict = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.strict.load_cert_chain(*issue(self.authority, folder, "DNS:strict.world.test"))
        self.ours = Ours(folder / "ours", self.names.anchor)

    def start(self):
        self.names.start()
        self.hostile = RawNameServer(hostile_zone(), "192.0.2.54", 53)
        self.hostile.__enter__()
        says = {"busy": lambda verb, line, session: "421 too busy" if verb == "CONNECT" else None,
                "full": lambda verb, line, session: "452 full" if verb == "CONNECT" else None,
                "clone": lambda verb, line, session: f"250 {US}" if verb == "EHLO" else None,
                "shared": lambda verb, line, session: self.shared_greets.wait(300) and None,
                "strict": self.promise, "grey": self.greylist, "brief": self.hang_up, "short": self.hang_up}
        for name, address in HOSTS.items():
            if name == "silent":
                self.others.append(Silence(address))
            else:
                self.begin(name, address, says.get(name, lambda verb, line, session: None))
        self.ours.start()
        return self

    def begin(self, name, address, says=lambda verb, line, session: None):
        self.hosts[name] = FakeMx(says, address, 25, tls=self.strict if name == "strict" else None)
        self.others.append(self.hosts[name])

    def stop(self):
        if self.ours.process and self.ours.process.poll() is None:
            assert self.ours.stop(60) == 0, self.ours.log()[-2000:]
            assert "starts again" not in self.ours.log()  # a role that died
        for other in self.others:
            other.close()
        if self.hostile:
            self.hostile.__exit__()
        self.names.stop()

    def greylist(self, verb, line, session):
        if verb != "RCPT" or line in self.greylisted:
            return None
        self.greylisted[line] = time.monotonic()
        return "451 4.7.1 greylisted, come again"

    @staticmethod
    def promise(verb, line, session):
        if verb == "EHLO":
            return "250-strict.world.test\r\n250-STARTTLS\r\n250 REQUIRETLS"
        return "220 go ahead" if verb == "STARTTLS" else None

    @staticmethod
    def hang_up(verb, line, session):
        if verb == "DOT":
            session["last_reply"] = True

    # ---- doing and asking ----

    def send(self, *rcpts, sender=None, count=1):
        """From bob, or a sender of this test's own, so that reports are told apart."""
        with smtplib.SMTP("127.0.0.1", self.ours.port) as client:
            for _ in range(count):
                client.sendmail(f"{sender or 'bob'}@{US}", rcpts, CONTENT)

    def takers(self, rcpt):
        """The names of the hosts that took it, one for each time."""
        return [name for name, host in self.hosts.items()
                for _, rcpts, _ in host.mails for line in rcpts if f"<{rcpt}>" in line]

    def wait_taken(self, rcpt, count=1, seconds=60):
        wait_until(lambda: len(self.takers(rcpt)) >= count, seconds)
        assert len(self.takers(rcpt)) == count, self.said_of(rcpt)
        return self.takers(rcpt)

    def said_of(self, rcpt):
        return [line for line in self.ours.log().splitlines() if f"to=<{rcpt}>" in line]

    def wait_said(self, rcpt, words, count=1, seconds=60):
        """The lines of the log that tell of an attempt and hold the words."""
        def found():
            return [line for line in self.said_of(rcpt) if words in line]
        wait_until(lambda: len(found()) >= count, seconds)
        assert len(found()) >= count, self.said_of(rcpt)
        return found()

    def queue(self, *words):
        status, text = run(BINARY, "queue", *words, "-c", f"{self.ours.folder}/postroad.conf")
        assert status == 0, text
        return text

    def waiting(self, domain):
        """{recipient: what `queue list` says of it}"""
        found = self.queue("list", "--json", "--domain", domain)
        return {rcpt["to"]: rcpt for line in found.splitlines() for rcpt in json.loads(line)["rcpts"]}

    def deferred(self, rcpt):
        """What `queue list` says of it between two attempts."""
        def found():
            said = self.waiting(rcpt.split("@")[1]).get(rcpt)
            return said if said and said["status"] == "deferred" else None
        return wait_until(found)

    def report(self, sender):
        """The one report that this sender got: ({field: value} of its one recipient, its text)."""
        mail = email.message_from_bytes(self.ours.wait_mail(sender, US)[0],
                                        policy=email.policy.default)
        text, fields, _ = mail.iter_parts()
        return fields.get_payload()[1], " ".join(text.get_content().split())

    def refused(self, rcpt, status, words):
        """A mail for rcpt comes back at once, is not kept, and no server has seen it."""
        sender = re.sub(r"\W+", "-", rcpt.split("@")[1]).strip("-")
        self.send(rcpt, sender=sender)
        fields, text = self.report(sender)
        assert fields["Action"] == "failed" and fields["Status"] == status, text
        assert fields["Final-Recipient"] == f"rfc822; {rcpt}"
        assert words in text and rcpt in text, text
        # The report is on its way before it is noted what became of the mail.
        assert wait_until(lambda: not self.waiting(rcpt.split("@")[1])), self.waiting(rcpt.split("@")[1])
        assert len(self.wait_said(rcpt, "")) == 1 and not self.takers(rcpt)


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    for program in PROGRAMS:
        need(program)
    try:
        network = Network([*HOSTS.values(), *NOBODY.values(), OUR_IP, "192.0.2.53", "192.0.2.54",
                           *root_servers()])
        network.__enter__()
    except NotHere as why:
        pytest.skip(f"no network namespaces: {why}")
    made = None
    try:
        made = World(tmp_path_factory.mktemp("world"))
        made.start()
        made.send("ann@hung.world.test")
        made.send("ann@mute.hostile.test")
        made.send("ann@stuck.world.test", count=60)
        yield made
    finally:
        if made:
            made.stop()
        network.__exit__()


# ---- REQUIRETLS ----


def test_requiretls_wants_a_way_that_is_proved(world):
    """RFC 8689 4.2.1. The same server, with the same certificate: but who says that it is theirs?"""
    trusting_all = ssl.create_default_context()
    trusting_all.check_hostname, trusting_all.verify_mode = False, ssl.CERT_NONE
    for domain in ("unproved.plain.test", "proved.world.test"):
        with smtplib.SMTP("127.0.0.1", world.ours.port) as client:
            client.starttls(context=trusting_all)
            client.sendmail(f"tls@{US}", [f"ann@{domain}"], CONTENT, mail_options=["REQUIRETLS"])
    assert world.wait_taken("ann@proved.world.test") == ["strict"]
    assert world.hosts["strict"].mails[-1][0].endswith(" REQUIRETLS")
    assert "tls=TLSv1.3/verified" in world.wait_said("ann@proved.world.test", "status=sent")[0]
    fields, _ = world.report("tls")
    assert fields["Status"] == "5.7.30" and "unproved.plain.test" in fields["Final-Recipient"]
    world.send("bob@unproved.plain.test")  # who does not ask
    assert world.wait_taken("bob@unproved.plain.test") == ["strict"]


# ---- which server ----


def test_the_lowest_preference_is_first(world):
    world.send("ann@order.world.test")
    assert world.wait_taken("ann@order.world.test") == ["a"]


def test_equal_preferences_share_the_mail(world):
    for i in range(20):
        world.send(f"ann{i}@even.world.test")
    got = {world.wait_taken(f"ann{i}@even.world.test")[0] for i in range(20)}
    assert got == {"brief", "short"}


def test_the_choice_is_told(world):
    world.send("eve@order.world.test", "eve@hostless.world.test", sender="eve")
    assert world.wait_said("eve@order.world.test", "status=sent")[0].endswith(
        " mx=10:a.world.test/20:b.world.test/30:c.world.test")
    assert world.wait_said("eve@hostless.world.test", "status=bounced")[0].endswith(
        " mx=10:nothing.world.test(no-address)")


def test_domains_of_the_same_servers_share_connections(world):
    """Five domains, one of which has a limit, of mails handed in one by one. All are there before the
    first can go: a connection that nobody needs for two seconds is closed."""
    names = ["one", "two", "three", "four", "five"]
    for name in names:
        world.send(f"ann@{name}.shared.world.test", count=4)
    world.shared_greets.set()
    for name in names:
        world.wait_taken(f"ann@{name}.shared.world.test", 4)
    assert world.hosts["shared"].connections == 1


def test_the_next_server_takes_over(world):
    world.send("ann@takeover.world.test")
    assert world.wait_taken("ann@takeover.world.test") == ["b"]
    assert world.hosts["busy"].connections == 1
    assert "status=sent" in world.wait_said("ann@takeover.world.test", "")[0]


def test_an_address_without_mx(world):
    world.send("ann@bare.world.test")
    assert world.wait_taken("ann@bare.world.test") == ["b"]


def test_an_alias_of_a_domain(world):
    world.send("ann@alias.world.test")
    assert world.wait_taken("ann@alias.world.test") == ["a"]


def test_a_name_by_wildcard_and_an_unsigned_zone(world):
    world.send("ann@some.wild.world.test", "ann@plain.test")
    assert world.wait_taken("ann@some.wild.world.test") == ["c"]
    assert world.wait_taken("ann@plain.test") == ["a"]


def test_ipv6_and_from_there_to_ipv4(world):
    world.send("ann@six.world.test", "ann@both.world.test")
    assert world.wait_taken("ann@six.world.test") == ["six"]
    assert world.wait_taken("ann@both.world.test") == ["a"]


@pytest.mark.parametrize("literal,host", [("[192.0.2.2]", "b"), ("[IPv6:2001:db8::6]", "six")])
def test_an_address_literal(world, literal, host):
    world.send(f"ann@{literal}")
    assert world.wait_taken(f"ann@{literal}") == [host]


def test_null_mx_among_others_is_passed_over(world):
    world.send("ann@nullplus.world.test")
    assert world.wait_taken("ann@nullplus.world.test") == ["a"]


# ---- not now ----


def test_greylisting(world):
    world.send("ann@grey.world.test", "eve@grey.world.test")
    for user in "ann", "eve":
        assert world.wait_taken(f"{user}@grey.world.test") == ["grey"]
        first, second = world.wait_said(f"{user}@grey.world.test", "", 2)
        assert "status=deferred" in first and "451 4.7.1 greylisted, come again" in first
        assert "status=sent" in second
    # A second mail is known there: it goes at once.
    world.send("ann@grey.world.test")
    assert world.wait_taken("ann@grey.world.test", 2)
    assert len(world.wait_said("ann@grey.world.test", "", 3)) == 3


def test_all_dead_waits_and_is_tried_again(world):
    world.send("ann@dead.world.test")
    line = world.wait_said("ann@dead.world.test", "status=deferred", 2)[0]
    assert "dsn=4.4.1" in line, line
    waits = world.deferred("ann@dead.world.test")
    assert waits["attempts"] >= 2
    assert waits["reason"] == ("host closed.world.test[192.0.2.9]:25: cannot connect: "
                               "Connection refused")
    assert waits["reason"] in world.queue("list", "--domain", "dead.world.test")
    assert not world.ours.mails("bob", US)


def test_five_days_of_the_usual_schedule(world, tmp_path):
    """5m 15m 1h 4h 4h ...: each pause up to an eighth longer; a word to the sender after four
    hours, and the mail back after five days. In between the server is started anew."""
    if not os.path.exists(SHIM):
        pytest.skip("no clocks to put on under a sanitizer")
    server = Patient(tmp_path, world.names.anchor).start()
    rcpt, age, steps = "ann@dead.world.test", 0, []
    with smtplib.SMTP("127.0.0.1", server.port) as client:
        client.sendmail(f"bob@{US}", [rcpt], CONTENT)
    while age < 6 * 86400:
        wait_until(lambda: server.next_in(rcpt) or server.mails("bob", US)[1:])
        pause = server.next_in(rcpt)
        if pause is None:
            break
        assert wait_until(lambda: len(server.attempts(rcpt)) > len(steps))
        assert len(server.attempts(rcpt)) == len(steps) + 1
        assert wait_until(lambda: len(server.mails("bob", US)) == (age >= 4 * 3600)), (age, steps)
        steps.append(pause)
        if len(steps) == 7:
            assert server.stop() == 0
            server.shared.later(1000)  # not for the mail: its time goes on
            server.start()
            pause, age = pause - 1000, age + 1000
            assert pause - 60 <= wait_until(lambda: server.next_in(rcpt)) <= pause
        server.shared.later(pause + 1)
        age += pause + 1
        server.ask("status")  # wakes it
    assert 5 * 86400 <= age < 5 * 86400 + 5 * 3600, (age, steps)
    for pause, usual in zip(steps, [300, 900, 3600] + [4 * 3600] * 100):
        assert usual - 60 <= pause <= usual * 9 / 8 + 5, steps  # some was over when it was asked for
    lines = wait_until(lambda: (found := server.attempts(rcpt))[-1].count("status=bounced") and found)
    assert ["deferred" in line for line in lines] == [True] * (len(lines) - 1) + [False]
    assert "dsn=5.4.7, status=bounced" in lines[-1]
    reports = [email.message_from_bytes(mail) for mail in server.wait_mail("bob", US, 2)]
    actions = [mail.get_payload()[1].get_payload()[1]["Action"] for mail in reports]
    assert actions == ["delayed", "failed"]
    assert server.stop() == 0


def test_who_comes_back_gets_its_mail(world):
    rcpt = "ann@late.world.test"
    world.send(rcpt)
    world.wait_said(rcpt, "status=deferred")
    world.begin("late", NOBODY["late"])
    assert world.wait_taken(rcpt) == ["late"]
    assert wait_until(lambda: not world.waiting("late.world.test"))


def test_who_was_down_is_asked_again(world):
    """After three failures, one mail or many, it is left alone; until somebody knows better."""
    rcpt = "ann@down.world.test"
    world.send(rcpt)
    world.wait_said(rcpt, "deliveries to it are paused: host down.world.test[192.0.2.12]:25: cannot")
    assert len(world.wait_said(rcpt, "status=deferred (host")) == 3
    assert "paused" in world.waiting("down.world.test")[rcpt]["reason"]
    world.begin("down", NOBODY["down"])
    assert "1 message" in world.queue("retry", "--domain", "down.world.test", "--yes")
    assert world.wait_taken(rcpt) == ["down"]
    assert wait_until(lambda: not world.waiting("down.world.test"))


@pytest.mark.parametrize("domain,why", [("broken.test", "SERVFAIL"), ("spoilt.test", "signature")])
def test_dns_that_fails_is_no_answer(world, domain, why):
    """Never by the A record: an MX list that cannot be read may say otherwise."""
    world.send(f"ann@{domain}")
    line = world.wait_said(f"ann@{domain}", "status=deferred", 2)[0]
    assert "dsn=4.4.3" in line and f"DNS look-up of {domain} MX failed" in line, line
    waits = world.deferred(f"ann@{domain}")
    assert why in waits["reason"], waits
    assert not world.takers(f"ann@{domain}")


# ---- never ----


@pytest.mark.parametrize("rcpt,status,words", [
    ("ann@null.world.test", "5.1.10", "null MX"),
    ("ann@nothing.world.test", "5.1.2", "does not exist"),
    ("ann@nothing.test", "5.1.2", "does not exist"),
    ("ann@nothing.anywhere", "5.1.2", "does not exist"),
    ("ann@gone.world.test", "5.1.2", "does not exist"),
    ("ann@loop.world.test", "5.4.6", "loops back to myself"),
    ("ann@looptoo.world.test", "5.4.6", "loops back to myself"),
    ("ann@loopfour.world.test", "5.4.6", "loops back to myself"),
    ("ann@loopthree.world.test", "5.4.6", "greets with our own name: mail loops back to myself"),
    ("ann@localhost.world.test", "5.4.6", "loops back to myself"),
    ("ann@home.world.test", "5.4.6", "loops back to myself"),
    (f"ann@[{OUR_IP}]", "5.4.6", "loops back to myself"),
    ("ann@[127.0.0.1]", "5.4.6", "loops back to myself"),
    ("ann@hostless.world.test", "5.4.4", "None of the mail servers"),
    ("ann@literal.world.test", "5.4.4", "None of the mail servers"),
])
def test_the_sender_hears_at_once(world, rcpt, status, words):
    world.refused(rcpt, status, words)


# ---- worse ----


def test_who_is_farther_than_we_are_is_left_out(world):
    world.send("ann@nearer.world.test")
    line = world.wait_said("ann@nearer.world.test", "status=deferred", 2)[0]
    assert "closed.world.test" in line
    assert not world.takers("ann@nearer.world.test")


def test_aliases_in_a_circle(world):
    world.send("ann@round.world.test")
    assert "dsn=4.4.3" in world.wait_said("ann@round.world.test", "status=deferred")[0]


def test_a_host_name_of_strange_bytes(world):
    world.send("ann@binary.world.test")
    assert world.wait_taken("ann@binary.world.test") == ["a"]
    assert not re.search(r"[^\x20-\x7e\n]", world.ours.log())


def test_hundreds_of_hosts(world):
    """None has an address; 20 of them are looked up."""
    world.send("ann@many.world.test", sender="many")
    fields, _ = world.report("many")
    assert fields["Status"] == "5.4.4"


def test_a_name_server_without_manners(world):
    """Whatever it says: no crash, no raw byte in the log, no connection, and a reason in words."""
    rcpts = [f"ann@{domain}.hostile.test" for domain in HOSTILE]
    world.send(*rcpts, "ann@fails.hostile.test", sender="hostile")
    for rcpt in rcpts:
        line = world.wait_said(rcpt, "")[0]
        assert re.search(r"dsn=(4\.4\.3|5\.4\.4|5\.1\.2), status=(deferred|bounced)", line), line
    assert "dsn=4.4.3" in world.wait_said("ann@fails.hostile.test", "status=deferred")[0]
    assert not re.search(r"[^\x20-\x7e\n]", world.ours.log())
    assert not any(world.takers(rcpt) for rcpt in rcpts)


def test_a_thousand_hosts(world):
    world.send("ann@thousand.hostile.test")
    assert "452 full" in world.wait_said("ann@thousand.hostile.test", "status=deferred")[0]
    assert 1 < world.hosts["full"].connections <= 100


def test_a_stuck_destination_delays_no_other(world):
    assert len(world.waiting("stuck.world.test")) == 1
    world.send("ann@stuck.world.test", count=20)
    for i in range(5):
        begun = time.monotonic()
        world.send(f"quick{i}@order.world.test")
        assert world.wait_taken(f"quick{i}@order.world.test") == ["a"]
        assert time.monotonic() - begun < 15  # half of what one of the others takes


def test_a_silent_server_is_given_up(world):
    """Last of all: it takes as long as a connection may."""
    assert world.wait_taken("ann@hung.world.test", seconds=120) == ["c"]
    line = world.wait_said("ann@stuck.world.test", "status=deferred", 60, seconds=120)[0]
    assert "dsn=4.4.1" in line and "silent.world.test[192.0.2.8]:25: cannot connect" in line
    assert not world.takers("ann@stuck.world.test")
    line = world.wait_said("ann@mute.hostile.test", "status=deferred")[0]
    assert "dsn=4.4.3" in line and "MX failed: " in line, line
