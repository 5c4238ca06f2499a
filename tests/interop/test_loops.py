"""Two servers that send a mail to each other for ever: it ends, and its sender hears of it once."""
import smtplib

import pytest

from conftest import CONTENT
from fake_mx import FakeMx
from server import Server, free_ports, wait_until

CONFIG = """\
hostname %(own)s
listen mx 127.0.0.1:{port}
queue {folder}/queue { min-free 1M }
postmaster admin@%(own)s
%(srs)s
table aliases aliases {folder}/aliases
relay other { host 127.0.0.1:%(other_port)d; tls off; retry 1h }
relay world { host 127.0.0.1:%(world_port)d; tls off; retry 1h }
accept to domain %(own)s   aliases aliases
accept to domain loop.example relay other
accept from local to domain %(other)s relay other
accept from local to any   relay world
"""


class Node(Server):
    def __init__(self, folder, own, other, ports, srs):
        folder.mkdir()
        (folder / "aliases").write_text(f"ann@{own}: ann@{other}\nadmin@{own}: admin@{own}.far.example\n")
        (folder / "srs").write_text(f"the secret of {own}\n")
        (folder / "srs").chmod(0o600)
        super().__init__(folder, CONFIG % {
            "own": own, "other": other, "srs": f"srs file:{folder}/srs" if srs else "",
            "other_port": ports[other], "world_port": ports["world"]})
        self.port = ports[own]


@pytest.fixture
def world():
    sink = FakeMx()
    yield sink
    sink.close()


@pytest.fixture
def nodes(request, tmp_path, world):
    ports = dict(zip(("a.example", "b.example"), free_ports(2)), world=world.port)
    made = [Node(tmp_path / "a", "a.example", "b.example", ports, request.param).start(),
            Node(tmp_path / "b", "b.example", "a.example", ports, request.param).start()]
    yield made
    for node in made:
        assert node.stop() == 0, node.log()[-2000:]


def send(node, sender, rcpt):
    with smtplib.SMTP("127.0.0.1", node.port) as client:
        client.ehlo("client.example")
        client.sendmail(sender, [rcpt], CONTENT)


def is_over(nodes):
    return all(node.queued() == 0 for node in nodes)


@pytest.mark.parametrize("nodes,rcpt,path", [
    (False, "x@loop.example", ""),     # a route
    (False, "ann@a.example", ""),      # aliases
    (True, "ann@a.example", "SRS1="),  # the same, under senders of theirs
], indirect=["nodes"])
def test_one_report(nodes, world, rcpt, path):
    send(nodes[0], "bob@far.example", rcpt)
    assert wait_until(lambda: world.mails, 120)
    assert wait_until(lambda: is_over(nodes))
    (sender, rcpts, body), = world.mails
    assert sender.startswith("MAIL FROM:<>") and rcpts[0].startswith("RCPT TO:<bob@far.example>")
    assert b"Status: 5.4.6\r\n" in body
    assert path in nodes[1].log() and (path or "SRS" not in nodes[1].log())
    assert 90 < sum(node.log().count("status=sent") for node in nodes) < 120


@pytest.mark.parametrize("nodes", [False], indirect=True)
def test_nobody_to_tell(nodes, world):
    """A report in a loop: no report about a report."""
    send(nodes[0], "", "x@loop.example")
    assert wait_until(lambda: any("status=bounced" in node.log() for node in nodes), 120)
    assert wait_until(lambda: is_over(nodes))
    assert world.mails == []
    assert not any("sender notification" in node.log() for node in nodes)
