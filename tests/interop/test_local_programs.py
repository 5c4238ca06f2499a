"""A machine on which postroad is installed as sendmail: cron, logrotate, mail and mutt find it as they are.

It sees this machine's programs and has /etc, /var and /run of its own. Root only, since a machine has users."""
import email
import email.header
import glob
import os
import shutil
import subprocess
import tempfile

import pytest
import users
from conftest import need
from server import BINARY, TOP, wait_until, whole_lines

ROOTS = os.path.join(os.environ.get("XDG_CACHE_HOME", os.path.expanduser("~/.cache")), "postroad", "roots")
NAME = "mail.example.org"  # as conf/postroad.conf has it
SETUP = """\
echo mail.example.org >/proc/sys/kernel/hostname &&
    mount --bind /usr/sbin "$1/host/sbin" && mount --rbind /usr "$1/usr" && mount --bind "$1/sbin-here" "$1/usr/sbin" &&
    mount --rbind /dev "$1/dev" && mount --rbind /proc "$1/proc" && root=$1 && shift && exec chroot "$root" "$@"
"""
ETC = {
    "pam.d/cron": "auth required pam_permit.so\naccount required pam_permit.so\nsession required pam_permit.so\n",
    "nsswitch.conf": "passwd: files\ngroup: files\nhosts: files\n",
    "hosts": f"127.0.0.1 localhost {NAME}\n",
}


class Machine:
    def __init__(self, root):
        self.root = root
        for folder in ("usr", "host/sbin", "sbin-here", "dev", "proc", "etc/postroad", "etc/pam.d", "etc/alternatives",
                       "var/log", "var/spool/cron/crontabs", "var/lib/logrotate", "var/vmail", "run/postroad", "tmp", "var/tmp", "libs",
                       "root", "var/spool/postroad-drop"):
            os.makedirs(os.path.join(root, folder))
        for name in ("bin", "lib", "lib64"):
            os.symlink("usr/" + name, os.path.join(root, name))
        os.symlink("usr/sbin", root + "/sbin")
        os.symlink("/run", root + "/var/run")
        os.chmod(root, 0o755)
        os.chmod(root + "/tmp", 0o1777)
        os.chmod(root + "/var/tmp", 0o1777)
        os.chmod(root + "/var/spool/postroad-drop", 0o1733)
        os.chmod(root + "/var/spool/cron/crontabs", 0o1730)
        users.give(root + "/var/vmail", "vmail")
        for name, text in {**ETC, **dict(zip(("passwd", "group"), users.tables()))}.items():
            self.write("etc/" + name, text)
        self.write_programs()
        shutil.copy(os.path.join(TOP, "conf", "postroad.conf"), root + "/etc/postroad/postroad.conf")
        self.server = None

    def write_programs(self):
        here = self.root + "/sbin-here/"
        for name in os.listdir("/usr/sbin"):
            os.symlink("/host/sbin/" + name, here + name)
        for name in ("postroad", "sendmail", "mail", "cron", "logrotate"):
            if os.path.lexists(here + name):
                os.unlink(here + name)
        shutil.copy(BINARY, here + "postroad")
        os.symlink("postroad", here + "sendmail")
        os.symlink("/usr/bin/s-nail", here + "mail")
        for name in ("cron", "logrotate"):
            shutil.copy(os.path.join(ROOTS, name, "usr", "sbin", name), here + name)
        for library in glob.glob(os.path.join(ROOTS, "logrotate", "usr", "lib", "*", "libpopt.so.0")):
            shutil.copy(library, self.root + "/libs")

    def write(self, path, text, mode=0o644, user=0):
        path = os.path.join(self.root, path)
        with open(path, "w", encoding="utf-8") as f:
            f.write(text)
        os.chmod(path, mode)
        os.chown(path, user, user)

    def command(self, *words):
        return ["unshare", "--uts", "--mount", "--propagation", "slave", "--", "sh", "-c", SETUP, "sh", self.root, *words]

    def run(self, *words, said=b"", user=None):
        if user is not None:
            words = ["setpriv", f"--reuid={user}", f"--regid={user}", "--clear-groups", *words]
        done = subprocess.run(self.command(*words), input=said, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              check=False, env={"PATH": "/usr/sbin:/usr/bin", "LD_LIBRARY_PATH": "/libs", "HOME": "/tmp", "LC_ALL": "C.UTF-8"})
        return done.returncode, done.stdout.decode()

    def serve(self):
        # A network of its own: port 25 is free there, and systemctl start is this, in short.
        words = self.command("sh", "-c", "ip link set lo up && exec postroad serve -c /etc/postroad/postroad.conf")
        with open(self.root + "/log", "ab") as log:
            begun = len(self.log())
            self.server = subprocess.Popen([words[0], "--net", *words[1:]], stdin=subprocess.DEVNULL, stdout=log,
                                           stderr=log, start_new_session=True)
        assert wait_until(lambda: "started, version" in self.log()[begun:]), self.log()

    def stop(self):
        if self.server is not None:
            self.server.terminate()
            assert self.server.wait(30) == 0, self.log()
            self.server = None

    def log(self):
        return whole_lines(self.root + "/log")

    def mail(self, user, subject):
        """The mail with that subject, once it is there."""
        def all_of_them():
            for path in glob.glob(f"{self.root}/var/vmail/local/{user}/new/*"):
                with open(path, "rb") as f:
                    one = email.message_from_bytes(f.read())
                if str(email.header.make_header(email.header.decode_header(one["Subject"]))) == subject:
                    return one
            return None
        assert wait_until(all_of_them), self.log()
        return all_of_them()


@pytest.fixture(scope="module")
def machine():
    if not users.possible():
        pytest.skip("not root, or no mounts")
    need("mutt")
    need("s-nail")
    need("setpriv")
    for name in ("cron", "logrotate"):
        if not os.path.exists(os.path.join(ROOTS, name)):
            pytest.skip(f"{name} could not be unpacked")
    one = Machine(tempfile.mkdtemp(prefix="lm", dir="/tmp"))
    one.serve()
    yield one
    one.stop()
    shutil.rmtree(one.root)


def cron(machine):
    """Runs what is to be run at its start."""
    pid = machine.root + "/run/crond.pid"
    for path in (pid, machine.root + "/run/crond.reboot"):
        if os.path.exists(path):
            os.unlink(path)
    return subprocess.Popen(machine.command("cron", "-f"), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                            start_new_session=True)


@pytest.mark.parametrize("name", ["nobody", "root"])
def test_cron(machine, name):
    user = {"nobody": 65534, "root": 0}[name]
    machine.write("var/spool/cron/crontabs/" + name, "@reboot echo it ran; echo .; echo to the end\n", 0o600, user)
    process = cron(machine)
    try:
        mail = machine.mail(name, f"Cron <{name}@mail> echo it ran; echo .; echo to the end")
    finally:
        process.terminate()
        process.wait()
        os.unlink(f"{machine.root}/var/spool/cron/crontabs/{name}")
    assert mail.get_payload() == "it ran\n.\nto the end\n"
    assert "Cron Daemon" in mail["From"]
    assert f"(postroad, from userid {user})" in mail["Received"]


def test_cron_while_the_server_is_down(machine):
    machine.write("var/spool/cron/crontabs/nobody", "@reboot echo in the night\n", 0o600, 65534)
    machine.stop()
    process = cron(machine)
    try:
        assert wait_until(lambda: glob.glob(machine.root + "/var/spool/postroad-drop/new-*"))
    finally:
        process.terminate()
        process.wait()
        os.unlink(machine.root + "/var/spool/cron/crontabs/nobody")
        machine.serve()
    mail = machine.mail("nobody", "Cron <nobody@mail> echo in the night")
    assert mail.get_payload() == "in the night\n" and "from userid 65534" in mail["Received"]
    assert wait_until(lambda: os.listdir(machine.root + "/var/spool/postroad-drop") == [])


def test_logrotate(machine):
    """`mail ADDRESS`: what goes out of sight is sent by /usr/bin/mail."""
    machine.write("var/log/app.log", "a line of the log\n")
    machine.write("etc/logrotate.conf", "/var/log/app.log {\n rotate 0\n mail root\n}\n")
    status, said = machine.run("logrotate", "-f", "-m", "/usr/sbin/mail", "-s", "/var/lib/logrotate/status",
                               "/etc/logrotate.conf")
    assert (status, said) == (0, "")
    assert machine.mail("root", "/var/log/app.log.1").get_payload() == "a line of the log\n"


@pytest.mark.parametrize("user,name", [(0, "root"), (65534, "nobody")])
def test_mail(machine, user, name):
    status, said = machine.run("sh", "-c", f'echo "It is done." | mail -s "by mail of {name}" root', user=user)
    assert (status, said) == (0, "")
    mail = machine.mail("root", f"by mail of {name}")
    assert mail.get_payload() == "It is done.\n" and f"from userid {user}" in mail["Received"]
    assert mail["Return-Path"] == f"<{name}@mail.example.org>"


def test_mail_to_who_is_refused(machine):
    status, said = machine.run("sh", "-c", 'echo x | mail -S sendwait -s x someone@elsewhere.example', user=65534)
    assert status != 0 and "someone@elsewhere.example: 554 5.7.1" in said, said


def test_mutt(machine):
    machine.write("tmp/report.txt", "a report\n")
    status, said = machine.run("mutt", "-n", "-F", "/dev/null", "-s", "by mutt, grüße", "-a", "/tmp/report.txt", "--",
                               "root", said="Guten Tag, schöne Grüße\n".encode(), user=65534)
    assert (status, said) == (0, "")
    mail = machine.mail("root", "by mutt, grüße")
    text, report = mail.get_payload()
    assert text.get_payload(decode=True).decode(text.get_content_charset()) == "Guten Tag, schöne Grüße\n"
    assert report.get_filename() == "report.txt" and report.get_payload(decode=True) == b"a report\n"


def test_sendmail_as_scripts_call_it(machine):
    status, said = machine.run("sh", "-c", """/usr/sbin/sendmail -oi -t <<END
From: backup <root>
To: root, nobody
Subject: backup of $(hostname -s)

All of it.
END""")
    assert (status, said) == (0, "")
    for name in ("root", "nobody"):
        mail = machine.mail(name, "backup of mail")
        assert mail.get_payload() == "All of it.\n"
