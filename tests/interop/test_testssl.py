"""What testssl.sh thinks of our listeners: nothing that it finds may be worse than "low". Certificates
are not its business here, they are their owner's."""
import json
import subprocess

import pytest

from certificate import run as openssl
from conftest import need
from server import free_port

CONFIG = """\
hostname mx.example.org
postmaster ann@example.org
tls {folder}/mx.pem {folder}/mx.key
listen mx 127.0.0.1:{port}
listen mx 127.0.0.1:REQUIRED { tls required }
listen mx 127.0.0.1:IMPLICIT { tls implicit }
queue {folder}/spool
accept to domain example.org deliver maildir {folder}/data/mail/{domain}/{user}
"""
# Protocols, ciphers, forward secrecy, preferences, vulnerabilities.
WANTED = ("-p", "-s", "-f", "-P", "-U")
HARMLESS = ("OK", "INFO", "LOW", "DEBUG")
OF_TESTSSL = ("engine_problem", "service", "old_fart")  # what it says about this machine
SECONDS = 1500  # an end for what hangs


def look_at(port, words, folder):
    out = str(folder / f"{port}.json")
    return out, subprocess.Popen(
        ["testssl", "--quiet", "--color", "0", "--warnings", "off", *WANTED, "--jsonfile", out,
         *words, f"127.0.0.1:{port}"], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL)


@pytest.mark.parametrize("key", [("ec", "-pkeyopt", "ec_paramgen_curve:P-256"), ("rsa:2048",)],
                         ids=["ecdsa", "rsa"])
def test_nothing_above_low(serve, tmp_path, key):
    need("openssl")
    need("testssl")
    openssl("req", "-x509", "-newkey", *key, "-nodes", "-days", "2", "-subj", "/CN=mx.example.org",
            "-keyout", str(tmp_path / "mx.key"), "-out", str(tmp_path / "mx.pem"))
    ports = {word: free_port() for word in ("REQUIRED", "IMPLICIT")}
    config = CONFIG
    for word, port in ports.items():
        config = config.replace(word, str(port))
    server = serve(config).start()
    looking = [look_at(server.port, ("-t", "smtp"), tmp_path),
               look_at(ports["REQUIRED"], ("-t", "smtp"), tmp_path),
               look_at(ports["IMPLICIT"], (), tmp_path)]
    for out, process in looking:
        process.wait(SECONDS)
        with open(out, encoding="utf-8") as file:
            found = {finding["id"]: finding for finding in json.load(file)}
        assert found["TLS1_3"]["severity"] == found["TLS1_2"]["severity"] == "OK", found
        assert len(found) > 30 and "heartbleed" in found and "ROBOT" in found, found
        worse = [finding for name, finding in found.items()
                 if finding["severity"] not in HARMLESS and name not in OF_TESTSSL]
        assert not worse, worse
