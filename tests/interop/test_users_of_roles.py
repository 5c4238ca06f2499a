"""Each role is a user of its own: who it is, what it cannot read, and that mail flows all the same."""
import glob
import os
import re
import signal
import smtplib
import subprocess

import pytest
import users
from conftest import CONTENT, SENDER, need, run
from fake_mx import FakeMx
from server import BINARY, TOP, Server, as_sent, children, free_port, free_ports, wait_until

CONFIG = """
hostname mx.example.org
postmaster ann@example.org
table people accounts {folder}/people
listen mx 127.0.0.1:{port}
listen submission 127.0.0.1:SUBMIT { tls off; auth people; auth-cleartext yes }
queue {folder}/spool { min-free 10M }
relay next { host 127.0.0.1:NEXT; retry 1h; tls off }
accept to domain example.org users people deliver maildir {folder}/data/mail/{domain}/{user}
accept from authenticated to any relay next
accept from local to any relay next
"""
ACCOUNTS = "ann@example.org:{PLAIN}secret::::::\nbob@example.org:{PLAIN}pencil::::::\n"

# By docs/install.md: user, group, further groups.
WHO = {
    "receiver": ("postroad-in", "postroad-queue", []),
    "courier": ("postroad-out", "postroad-out", ["postroad-queue"]),
    "postman": ("vmail", "vmail", []),
    "vault": ("postroad-key", "postroad-key", []),
    "scribe": ("postroad-log", "postroad-log", []),
}
# setuid, setgid, net_bind_service, dac_read_search, kill
WARDEN_MAY = 1 << 7 | 1 << 6 | 1 << 10 | 1 << 2 | 1 << 5


@pytest.fixture
def hop():
    made = FakeMx()
    yield made
    made.close()


@pytest.fixture
def server(serve, tmp_path, hop):
    if not users.possible():
        pytest.skip("not root, or no mounts")
    submit = free_port()
    (tmp_path / "people").write_text(ACCOUNTS)
    (tmp_path / "people").chmod(0o600)
    running = serve(CONFIG.replace("SUBMIT", str(submit)).replace("NEXT", str(hop.port)))
    running.submit = submit
    return running.start().ready()


def status_of(pid):
    with open(f"/proc/{pid}/status", encoding="utf-8") as f:
        return {name: value.split() for name, value in (line.split(":", 1) for line in f)}


def put(server, rcpt, port=None, login=None):
    with smtplib.SMTP("127.0.0.1", port or server.port) as client:
        if login:
            client.login(*login)
        client.sendmail(login[0] if login else SENDER, [rcpt], CONTENT)


def as_user(role, *command):
    """A command with the rights of that role; its exit status and output."""
    user, group, also = WHO[role]
    ids = users.names()
    groups = ["--groups", ",".join(str(ids[name]) for name in also)] if also else ["--clear-groups"]
    return run("setpriv", "--reuid", ids[user], "--regid", ids[group], *groups, "--inh-caps=-all",
               "--bounding-set=-all", "--no-new-privs", *command)


def read_by(role, path):
    """What comes of reading a file whose folder is open to all: only its own rights count."""
    return as_user(role, "cat", path)


def test_who_is_who(server):
    ids = users.names()
    roles = server.roles()
    assert {role for _, role in roles} == set(WHO)
    for pid, role in roles:
        status = status_of(pid)
        user, group, also = WHO[role]
        assert status["Uid"] == [str(ids[user])] * 4, role
        assert status["Gid"] == [str(ids[group])] * 4, role
        assert status["Groups"] == [str(ids[name]) for name in also], role
        assert status["NoNewPrivs"] == ["1"], role
        for caps in ("CapInh", "CapPrm", "CapEff", "CapAmb"):
            assert int(status[caps][0], 16) == 0, (role, caps)
        limits = open(f"/proc/{pid}/limits", encoding="utf-8").read()
        assert re.search(r"Max core file size +0 +0 ", limits), role
        assert os.stat(f"/proc/{pid}/environ").st_uid == 0, f"{role} can be traced"
        fds = sorted(int(fd) for fd in os.listdir(f"/proc/{pid}/fd"))
        assert fds[:3] == [0, 1, 2]
    warden = status_of(server.process.pid)
    assert warden["Uid"] == ["0"] * 4
    for caps in ("CapPrm", "CapEff", "CapBnd"):
        assert int(warden[caps][0], 16) & ~WARDEN_MAY == 0, caps


def test_nobody_but_the_warden_is_root(server):
    assert all(status_of(pid)["Uid"][1] != "0" for pid in children(server.process.pid))


def test_mail_in_and_out_with_a_login(server, hop):
    put(server, "bob@example.org")
    assert as_sent(server.wait_mail("bob")[0]) == CONTENT
    path = server.mails("bob")[0]
    assert (os.stat(path).st_uid, os.stat(path).st_gid) == (users.names()["vmail"],) * 2
    put(server, "carl@b.example", server.submit, ("ann@example.org", "secret"))
    assert wait_until(lambda: hop.mails), server.log()
    with pytest.raises(smtplib.SMTPAuthenticationError):
        put(server, "carl@b.example", server.submit, ("ann@example.org", "wrong"))


def test_large_mails_too(server):
    """They have files of their own, which the courier removes."""
    large = b"Subject: large\r\n\r\n" + (b"y" * 76 + b"\r\n") * 4000
    with smtplib.SMTP("127.0.0.1", server.port) as client:
        client.sendmail(SENDER, ["bob@example.org"], large)
    assert as_sent(server.wait_mail("bob")[0]) == large
    drafts = os.path.join(server.folder, "spool", "in", "*", "draft", "*")
    assert wait_until(lambda: not glob.glob(drafts)), glob.glob(drafts)


def test_accounts_a_reload_and_a_role_that_is_killed(server, hop):
    conf = os.path.join(server.folder, "postroad.conf")
    assert run(BINARY, "user", "add", "eve@example.org", "-c", conf, "--password-stdin",
               stdin=b"pencil\n")[0] == 0
    assert wait_until(lambda: "accounts were read again" in server.log())
    put(server, "carl@b.example", server.submit, ("eve@example.org", "pencil"))
    assert run(BINARY, "reload", "-c", conf)[0] == 0, server.log()
    for role in WHO:
        pid = [pid for pid, name in server.roles() if name == role][0]
        os.kill(pid, signal.SIGKILL)
        assert wait_until(lambda: any(name == role and new != pid for new, name in server.roles()))
    assert wait_until(lambda: server.queued() is not None)

    def put_at_last():
        """A receiver may not have heard yet that there is another vault."""
        try:
            put(server, "eve@example.org", server.submit, ("ann@example.org", "secret"))
        except smtplib.SMTPAuthenticationError as why:
            assert why.smtp_code == 454
            return False
        return True
    assert wait_until(put_at_last)
    server.wait_mail("eve")
    # Whoever has just begun is root until it has read who it is to be.
    assert wait_until(lambda: all(status_of(pid)["Uid"][1] != "0" for pid, _ in server.roles()))


def test_what_each_may_not_read(server):
    """By the rights of the files alone: on the way to them each folder is open here."""
    assert run(BINARY, "queue", "pause", "--domain", "b.example", "-c",
               os.path.join(server.folder, "postroad.conf"))[0] == 0
    put(server, "carl@b.example")
    assert wait_until(lambda: server.queued() == 1)
    spool = os.path.join(server.folder, "spool")
    with open(os.path.join(spool, "vault", "next.login"), "wb") as f:
        f.write(b"a token\n")
    os.chmod(f.name, 0o600)
    os.chown(f.name, users.names()["postroad-key"], users.names()["postroad-key"])
    folder = spool
    while folder not in ("/", "/tmp"):
        os.chmod(folder, os.stat(folder).st_mode | 0o011)
        folder = os.path.dirname(folder)
    segments = glob.glob(os.path.join(spool, "in", "[0-9]", "s-*"))
    assert segments
    os.chmod(os.path.join(spool, "in"), 0o755)
    for segment in segments:
        assert os.stat(segment).st_mode & 0o7777 == 0o240
        assert read_by("courier", segment)[0] == 0
        for role in ("receiver", "postman", "vault", "scribe"):
            code, said = read_by(role, segment)
            assert code != 0 and "Permission denied" in said, role
    vault = os.path.join(spool, "vault", "next.login")
    assert read_by("vault", vault) == (0, "a token\n")
    secrets = [vault, os.path.join(server.folder, "people"), os.path.join(spool, "lock"),
               *glob.glob(os.path.join(spool, "out", "s-*"))]
    assert len(secrets) > 3
    for path in secrets:
        for role in WHO:
            if (role, path) == ("vault", vault) or (role == "courier" and "/out/" in path):
                continue
            code, said = read_by(role, path)
            assert code != 0 and "Permission denied" in said, (role, path)
    for role in WHO:
        if role != "courier":
            assert as_user(role, "touch", os.path.join(spool, "mine"))[0] != 0, role
        assert as_user(role, "rm", "-f", os.path.join(spool, "lock"))[0] != 0, role
        assert as_user(role, "mv", os.path.join(spool, "vault"), os.path.join(spool, "v"))[0] != 0


def test_administrators_talk_to_the_queue(server):
    """And so they may to sockets of `listen`, those that a reload brings as well."""
    conf = os.path.join(server.folder, "postroad.conf")
    with open(conf, "a", encoding="utf-8") as f:
        f.write(f"listen lmtp unix:{server.folder}/lmtp\n")
    assert run(BINARY, "reload", "-c", conf)[0] == 0, server.log()
    for path in os.path.join(server.folder, "spool", "courier.sock"), f"{server.folder}/lmtp":
        info = os.stat(path)
        assert (oct(info.st_mode & 0o7777), info.st_uid, info.st_gid) == \
            ("0o660", 0, users.names()["postroad-admin"])
    users.open_way(conf)
    os.chmod(server.folder, 0o755)
    os.chmod(conf, 0o644)  # unlike the passwords that it names
    listing = [BINARY, "queue", "list", "-c", conf]
    member = ["setpriv", "--reuid", 65534, "--regid", users.names()["postroad-admin"], "--clear-groups"]
    assert run(*member, *listing) == (0, "Mail queue is empty\n")
    status, said = as_user("scribe", *listing)
    assert status == 77 and "be root, or in the group postroad-admin" in said, said


def test_a_queue_of_root_is_given_away(server):
    """As an older postroad left it, with mail in it: large and small, and an outcome."""
    assert server.stop() == 0
    conf = os.path.join(server.folder, "postroad.conf")
    separate, server.command = server.command, lambda: [BINARY, "serve", "-c", conf, "--as-caller"]
    subprocess.run(["rm", "-rf", os.path.join(server.folder, "spool")], check=True)
    server.start().ready()
    assert {status_of(pid)["Uid"][1] for pid, _ in server.roles()} == {"0"}
    large = b"Subject: large\r\n\r\n" + (b"y" * 76 + b"\r\n") * 4000
    assert run(BINARY, "queue", "pause", "--domain", "b.example", "-c", conf)[0] == 0
    with smtplib.SMTP("127.0.0.1", server.port) as client:
        client.sendmail(SENDER, ["carl@b.example"], large)
        client.sendmail(SENDER, ["dora@b.example"], CONTENT)
    assert wait_until(lambda: server.queued() == 2)
    assert server.stop() == 0
    os.makedirs(os.path.join(server.folder, "spool", "in", "9", "draft"))  # it had more cores then
    server.command = separate
    server.start()
    assert wait_until(lambda: server.queued() == 2), server.log()
    ids = users.names()
    for path in glob.glob(os.path.join(server.folder, "spool", "in", "[0-9]", "**"), recursive=True):
        try:
            info = os.stat(path)
        except FileNotFoundError:
            continue  # a segment that nobody needs any more has another name
        assert (info.st_uid, info.st_gid) == (ids["postroad-in"], ids["postroad-queue"])
    assert run(BINARY, "queue", "resume", "--domain", "b.example", "-c", conf)[0] == 0
    assert wait_until(lambda: server.queued() == 0), server.log()[-3000:]


def test_nothing_outside_is_given_away(server, tmp_path):
    """A captured receiver owns its folder, and could leave links in it for the next start."""
    assert server.stop() == 0
    victim = tmp_path / "victim"
    victim.mkdir()
    (victim / "file").write_text("mine")
    own = os.path.join(server.folder, "spool", "in", "0")
    os.symlink(victim / "file", os.path.join(own, "s-link"))
    os.link(victim / "file", os.path.join(own, "s-hard"))
    os.chown(own, 0, 0)  # so that all in it is looked at
    server.start()
    assert (victim / "file").stat().st_uid == 0
    assert server.stop() == 0
    subprocess.run(["rm", "-rf", os.path.join(own, "draft")], check=True)
    os.symlink(victim, os.path.join(own, "draft"))
    done = subprocess.run(server.command(), capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 73, done.stderr
    assert victim.stat().st_uid == 0 and (victim / "file").stat().st_uid == 0


def test_a_folder_with_other_things_is_no_queue(serve, tmp_path):
    """`queue /tmp` would give /tmp away."""
    if not users.possible():
        pytest.skip("not root, or no mounts")
    (tmp_path / "people").write_text(ACCOUNTS)
    (tmp_path / "people").chmod(0o600)
    (tmp_path / "spool").mkdir(mode=0o755)
    (tmp_path / "spool" / "letter").write_text("mine")
    server = serve(CONFIG.replace("SUBMIT", str(free_port())).replace("NEXT", str(free_port())))
    done = subprocess.run(server.command(), capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 73 and "this one holds 'letter'" in done.stderr, done.stderr
    info = (tmp_path / "spool").stat()
    assert (info.st_uid, info.st_gid, info.st_mode & 0o7777) == (0, 0, 0o755)


def test_a_mailbox_root_of_somebody_else_is_told(serve, tmp_path):
    if not users.possible():
        pytest.skip("not root, or no mounts")
    (tmp_path / "data" / "mail").mkdir(parents=True)
    (tmp_path / "people").write_text(ACCOUNTS)
    (tmp_path / "people").chmod(0o600)
    submit, hop = free_ports(2)
    server = serve(CONFIG.replace("SUBMIT", str(submit)).replace("NEXT", str(hop))).start()
    assert wait_until(lambda: f"{tmp_path}/data/mail for mailboxes belongs to user 0, not to vmail" in server.log())
    ids = users.names()
    assert wait_until(lambda: f"chown -R {ids['vmail']}:{ids['vmail']} '{tmp_path}/data/mail'" in server.log())


def test_without_the_users_it_says_what_to_do(tmp_path):
    if os.geteuid() != 0:
        pytest.skip("not root")
    need("getent")
    if run("getent", "passwd", "postroad-in")[0] == 0:
        pytest.skip("the users are there")
    config = "hostname a.example\nlisten mx 127.0.0.1:%d\nqueue %s\npostmaster x@a.example\n" \
        "accept to domain a.example deliver maildir %s/{user}\n"
    path = tmp_path / "conf"
    path.write_text(config % (free_port(), tmp_path / "queue", tmp_path / "mail"))
    code, said = run(BINARY, "serve", "-c", path)
    assert code == 67
    assert "there is no postroad-in" in said and "--as-caller" in said and "systemd-sysusers" in said
    assert not (tmp_path / "queue").exists()


def test_the_page_has_every_user():
    with open(os.path.join(TOP, "docs", "install.md"), encoding="utf-8") as f:
        page = f.read()
    for user, group, also in WHO.values():
        assert all(f"`{name}`" in page for name in (user, group, *also))


UNIT_CAPS = "-all,+setuid,+setgid,+net_bind_service,+dac_read_search,+kill,+chown"


class Confined(Server):
    """With the rights that the systemd unit leaves it."""

    def command(self):
        command = Server.command(self)
        at = command.index(BINARY)
        return [*command[:at], "setpriv", "--bounding-set", UNIT_CAPS, "--no-new-privs", "--",
                "sh", "-c", 'umask 077; exec "$@"', "sh", *command[at:]]


def test_the_rights_of_the_unit_suffice(tmp_path, hop):
    """At the first start, in folders as tmpfiles.d makes them, and at the next; also at a reload."""
    if not users.possible():
        pytest.skip("not root, or no mounts")
    with open(os.path.join(TOP, "conf", "systemd", "postroad.service"), encoding="utf-8") as f:
        words = re.search(r"^CapabilityBoundingSet=(.*)$", f.read(), re.M)[1].lower().split()
    assert {word.replace("cap_", "+") for word in words} == set(UNIT_CAPS.split(",")[1:])
    ids = users.names()
    (tmp_path / "people").write_text(ACCOUNTS)
    (tmp_path / "people").chmod(0o600)
    os.chown(tmp_path / "people", ids["vmail"], ids["vmail"])  # of somebody else
    for name, user, group, mode in (("spool", 0, ids["postroad-out"], 0o1771),
                                    ("vmail", ids["vmail"], ids["vmail"], 0o750)):
        (tmp_path / name).mkdir()
        os.chown(tmp_path / name, user, group)
        os.chmod(tmp_path / name, mode)
    users.open_way(str(tmp_path / "vmail" / "x"))
    submit = free_port()
    config = CONFIG.replace("{folder}/data/mail", "{folder}/vmail/local")
    server = Confined(tmp_path, config.replace("SUBMIT", str(submit)).replace("NEXT", str(hop.port)))
    server.mail_root = lambda: str(tmp_path / "vmail" / "local")
    for count in 1, 2:
        server.start()
        put(server, "bob@example.org")
        server.wait_mail("bob", count=count)
        put(server, "ann@example.org", submit, ("bob@example.org", "pencil"))
        server.wait_mail("ann")
        assert run(BINARY, "reload", "-c", os.path.join(server.folder, "postroad.conf"))[0] == 0
        for pid, role in server.roles():
            if role in ("receiver", "courier"):
                os.kill(pid, signal.SIGKILL)
        assert wait_until(lambda: server.queued() is not None)
        assert server.stop() == 0, server.log()[-2000:]
    assert "cannot" not in server.log(), server.log()
