"""./run --install into a folder: what lies where, with which rights, and that it is right."""
import os
import stat
import subprocess

import pytest
from conftest import need, run
from server import BINARY, TOP

FILES = {
    "usr/sbin/postroad": 0o755,
    "usr/lib/systemd/system/postroad.service": 0o644,
    "usr/lib/systemd/system/postroad.socket": 0o644,
    "usr/lib/sysusers.d/postroad.conf": 0o644,
    "usr/lib/tmpfiles.d/postroad.conf": 0o644,
    "usr/share/postroad/fail2ban/postroad.conf": 0o644,
    "usr/share/postroad/dovecot/dovecot.conf": 0o644,
    "usr/share/doc/postroad/examples/domain-with-dovecot.conf": 0o644,
    "usr/share/doc/postroad/configuration.md": 0o644,
    "usr/share/bash-completion/completions/postroad": 0o644,
    "etc/postroad/postroad.conf": 0o644,
}
NAMES = ["usr/sbin/sendmail", "usr/lib/sendmail", "usr/bin/mailq", "usr/bin/newaliases"]


def install(folder, *words):
    """tools/install, which ./run --install calls once it has built."""
    code, said = run(os.path.join(TOP, "tools", "install"), *words,
                     env={**os.environ, "DESTDIR": str(folder), "POSTROAD": BINARY})
    assert code == 0, said
    return said


def test_what_lies_where(tmp_path):
    install(tmp_path)
    for name, mode in FILES.items():
        info = (tmp_path / name).stat()
        assert (name, oct(stat.S_IMODE(info.st_mode))) == (name, oct(mode))
        assert (info.st_uid, info.st_gid) == (os.geteuid(), os.getegid())
    for folder, _, names in os.walk(tmp_path):
        for name in names:
            path = os.path.join(folder, name)
            assert not os.stat(path).st_mode & (stat.S_IWGRP | stat.S_IWOTH | stat.S_ISUID | stat.S_ISGID)
    assert not any((tmp_path / name).is_symlink() for name in NAMES)


def test_what_was_installed_is_right(tmp_path):
    install(tmp_path)
    program, conf = tmp_path / "usr/sbin/postroad", tmp_path / "etc/postroad/postroad.conf"
    assert run(program, "config", "check", "-c", conf) == (0, f"{conf} is right\n")
    assert run(program, "--version") == run(BINARY, "--version")


def test_a_configuration_that_is_there_stays(tmp_path):
    conf = tmp_path / "etc/postroad/postroad.conf"
    conf.parent.mkdir(parents=True)
    conf.write_text("mine\n")
    conf.chmod(0o600)
    install(tmp_path)
    assert conf.read_text() == "mine\n" and stat.S_IMODE(conf.stat().st_mode) == 0o600


def test_who_takes_the_mail_of_programs(tmp_path):
    """Said where the configuration that is there has no place for it."""
    assert "listen local" not in install(tmp_path, "--replace-mta")
    conf = tmp_path / "etc/postroad/postroad.conf"
    conf.write_text("hostname mx.example.org\n# listen local unix:/x\n")
    assert "    listen local unix:/run/postroad/sendmail {" in install(tmp_path, "--replace-mta")
    assert "listen local" not in install(tmp_path)


def test_the_names_of_another_system_are_taken_on_demand_only(tmp_path):
    other = tmp_path / "usr/sbin/sendmail"
    other.parent.mkdir(parents=True)
    other.write_text("another system's\n")
    install(tmp_path)
    assert other.read_text() == "another system's\n"
    install(tmp_path, "--replace-mta")
    for name in NAMES:
        assert os.path.realpath(tmp_path / name) == str(tmp_path / "usr/sbin/postroad"), name
    assert (tmp_path / "usr/sbin/sendmail.before-postroad").read_text() == "another system's\n"
    install(tmp_path, "--replace-mta")
    assert (tmp_path / "usr/sbin/sendmail.before-postroad").read_text() == "another system's\n"


def test_users_and_folders_are_what_systemd_reads(tmp_path):
    """Made in a root of its own, as at the boot of a new machine."""
    need("systemd-sysusers")
    need("systemd-tmpfiles")
    if os.geteuid() != 0:
        pytest.skip("not root")
    install(tmp_path)
    (tmp_path / "etc").mkdir(exist_ok=True)
    assert run("systemd-sysusers", f"--root={tmp_path}", "postroad.conf")[0] == 0
    users = {line.split(":")[0]: int(line.split(":")[2]) for line in
             (tmp_path / "etc/passwd").read_text().splitlines()}
    groups = {line.split(":")[0]: int(line.split(":")[2]) for line in
              (tmp_path / "etc/group").read_text().splitlines()}
    assert {"postroad-in", "postroad-out", "postroad-key", "postroad-log", "vmail"} <= set(users)
    assert "postroad-admin" in groups and len(set(users.values())) == len(users)
    code, said = run("systemd-tmpfiles", f"--root={tmp_path}", "--create", "postroad.conf")
    assert code == 0, said
    spool, boxes = (tmp_path / "var/spool/postroad").stat(), (tmp_path / "var/vmail").stat()
    assert oct(spool.st_mode & 0o7777) == "0o1771"
    assert (spool.st_uid, spool.st_gid) == (0, groups["postroad-out"])
    assert oct(boxes.st_mode & 0o7777) == "0o750"
    assert (boxes.st_uid, boxes.st_gid) == (users["vmail"], groups["vmail"])
    drop = (tmp_path / "var/spool/postroad-drop").stat()
    assert (oct(drop.st_mode & 0o7777), drop.st_uid) == ("0o1733", 0)


def test_help_names_it():
    said = subprocess.run([os.path.join(TOP, "run"), "--help"], capture_output=True, text=True,
                          check=True).stdout
    assert "--install" in said and "--replace-mta" in said
