"""A server that takes mail of this machine's programs, and sendmail."""
import email
import os
import pwd
import shutil
import subprocess
import tempfile

import pytest
from server import BINARY, Server, wait_until

CONFIG = """\
hostname mx.example.org
origin   example.org
queue {folder}/queue { min-free 1M }
listen mx 127.0.0.1:{port}
listen local unix:{folder}/sock { max-size 1M; drop {folder}/drop }
postmaster ann@example.org
reject to address gone@example.org "5.1.1 moved away"
reject to address later@example.org "4.2.1 not today"
accept to domain example.org deliver maildir {folder}/data/mail/{domain}/{user}
accept from local to domain elsewhere.example deliver maildir {folder}/data/mail/{domain}/{user}
"""
NOBODY = pwd.getpwnam("nobody")


@pytest.fixture
def place():
    """A folder that every user may enter, with a short name: sockets have 107 bytes."""
    folder = tempfile.mkdtemp(prefix="sm", dir="/tmp")
    os.chmod(folder, 0o755)
    os.mkdir(folder + "/drop")
    os.chmod(folder + "/drop", 0o1733)
    for name, command in (("sendmail", "sendmail"), ("mailq", "mailq"), ("newaliases", "newaliases")):
        os.symlink(BINARY, os.path.join(folder, name))
    running = Server(folder, CONFIG)
    running.command()  # writes the configuration
    yield running
    if running.process and running.process.poll() is None:
        assert running.stop() == 0, running.log()[-2000:]
    shutil.rmtree(folder)


@pytest.fixture
def server(place):
    return place.start()


def sendmail(place, *words, content=b"Subject: hello\n\nhi\n", user=None, **more):
    """Exit status, what it wrote to its terminal."""
    done = subprocess.run([os.path.join(place.folder, "sendmail"), "-C",
                           os.path.join(place.folder, "postroad.conf"), *words],
                          input=content, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          check=False, user=user, **more)
    return done.returncode, done.stdout.decode()


def mail_of(server, user, domain="example.org"):
    assert wait_until(lambda: server.mails(user, domain)), server.log()
    with open(server.mails(user, domain)[-1], "rb") as f:
        return email.message_from_bytes(f.read())
