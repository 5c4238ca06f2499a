"""postroad dev --tls: an authority that a program may be told to trust, and nothing that lasts beyond
it."""
import os
import smtplib
import ssl

import pytest

from conftest import CONTENT, SENDER, run
from server import BINARY, Server, as_sent, read, wait_until

RCPT = "ann@example.org"


class Dev(Server):
    def command(self):
        return [*super().command(), "--tls"]


@pytest.fixture
def dev(tmp_path):
    server = Dev(tmp_path).start()
    server.ca = os.path.join(server.data, "ca.pem")
    yield server
    if server.process.poll() is None:
        assert server.stop() == 0, server.log()[-2000:]


def secured(server, host="localhost"):
    """What a program does that trusts the folder's authority and nobody else."""
    client = smtplib.SMTP("127.0.0.1", server.port, "client.example")
    client._host = host
    client.starttls(context=ssl.create_default_context(cafile=server.ca))
    return client


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "::1"])
def test_who_trusts_the_authority_can_send(dev, host):
    assert wait_until(lambda: "ca.pem (new)" in dev.out())
    with secured(dev, host) as client:
        assert client.sendmail(SENDER, RCPT, CONTENT) == {}
    mail = dev.wait_mail("ann")[0]
    assert as_sent(mail) == CONTENT and b"ESMTPS" in mail
    with pytest.raises(ssl.SSLCertVerificationError):
        secured(dev, "mx.example.org")


def test_send_verified(dev, monkeypatch):
    words = ("send", "--server", f"127.0.0.1:{dev.port}", "--tls", "verified", "--from", SENDER,
             "--to", RCPT, "--subject", "x", "--body", "x")
    status, said = run(BINARY, *words)
    assert status == 75 and "certificate cannot be trusted" in said, said
    monkeypatch.setenv("SSL_CERT_FILE", dev.ca)
    status, said = run(BINARY, *words)
    assert status == 0, said


def test_it_stays_and_its_key_does_not(dev):
    ca = read(dev.ca)
    assert wait_until(lambda: "ca.pem (new)" in dev.out()) and dev.stop() == 0
    dev.start()
    assert read(dev.ca) == ca and dev.out().count("ca.pem (new)") == 1
    with secured(dev):
        pass
    keys = [os.path.join(at, name) for at, _, names in os.walk(dev.data) for name in names
            if os.path.isfile(os.path.join(at, name)) and
            b"PRIVATE KEY" in read(os.path.join(at, name))]
    assert keys == [os.path.join(dev.data, "tls.key")]
    assert os.stat(keys[0]).st_mode & 0o777 == 0o600


@pytest.mark.parametrize("name", ["ca.pem", "tls.pem", "tls.key"])
@pytest.mark.parametrize("harm", [os.unlink, lambda path: open(path, "w").close()],
                         ids=["missing", "empty"])
def test_what_does_not_fit_is_made_again(dev, name, harm):
    ca = read(dev.ca)
    assert dev.stop() == 0
    harm(os.path.join(dev.data, name))
    dev.start()
    assert read(dev.ca) != ca
    with secured(dev):
        pass


def test_without_it_there_is_none(server):
    with smtplib.SMTP("127.0.0.1", server.port) as client:
        client.ehlo()
        assert not client.has_extn("starttls")
    assert not os.path.exists(os.path.join(server.data, "ca.pem"))
