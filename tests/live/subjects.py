"""The servers that tests/crash_kill and tests/crash_power put to the test: postroad and others, all
with the same duty and the same face. Mail for users of example.org goes into
MAIL/example.org/USER as Maildir, mail for elsewhere.example to the port of the sink (trial.py), reports
for the sender to that of its own server; nothing else is taken.

Others are as Debian packages them. What their configuration says beyond that duty is the port, the
log file, and that nobody asks a DNS. Queue and mailboxes lie in folders that are given, so that they
may be file systems."""
import glob
import os
import re
import shutil

import users
from foreign import Foreign
from server import Server, free_port

DOMAIN, ONWARD = "example.org", "elsewhere.example"
BACK = "client.example"  # where `bench load` says it comes from
USERS = [f"user{n}" for n in range(20)]


class Postroad(Server):
    name = "postroad"
    CONFIG = """\
hostname   mx.example.org
queue      QUEUE/spool { min-free 64M }
listen mx  127.0.0.1:{port}
listen lmtp 127.0.0.1:LMTP
relay next { host 127.0.0.1:SINK; retry 1s; tls off }
relay back { host 127.0.0.1:BACK; retry 1s; tls off }
accept to domain example.org deliver maildir MAIL/{domain}/{user}
accept from local to domain client.example relay back
accept from local to any relay next
postmaster user0@example.org
"""

    def __init__(self, folder, queue, mail, sink):
        self.lmtp = free_port()
        words = {"QUEUE": queue, "MAIL": mail, "LMTP": str(self.lmtp), "SINK": str(sink.port),
                 "BACK": str(sink.back.port)}
        text = re.sub("|".join(words), lambda m: words[m[0]], self.CONFIG)
        super().__init__(folder, text)
        self.data, self.mail = queue, mail

    def start(self, seconds=60):
        if os.path.isdir(self.mail):
            users.give(self.mail, "vmail")
        return super().start(seconds)

    def mail_root(self):
        return self.mail

    def waiting(self):
        """What is in its queue, for people."""
        return self.ask("queue", "list")[:3000]


class Other(Foreign):
    """Has no LMTP to offer."""
    parts = ["all"]
    lmtp = None
    users = ["vmail"]
    flush_group, flushing = "root", None

    def __init__(self, folder, queue, mail, sink):
        self.mail = self.data = mail
        super().__init__(folder, {"var/spool": queue, "var/mail": mail}, sink=sink.port,
                         back=sink.back.port)

    def configure(self):
        os.chmod(self.path("var/spool"), 0o755)
        self.folder("var/mail", "vmail", 0o755)
        self.set_up()

    def set_up(self):
        raise NotImplementedError

    def mail_root(self):
        return self.mail

    def waiting(self):
        return ""

    def roles(self):
        """[(pid, name)] of all but the first of its processes, which takes the others with it."""
        below = {}
        for stat in glob.glob("/proc/[0-9]*/stat"):
            try:
                with open(stat, encoding="utf-8", errors="replace") as f:
                    pid, name, rest = re.fullmatch(r"(\d+) \((.*)\) (.*)\n?", f.read(), re.S).groups()
            except OSError:
                continue
            if rest[0] not in "ZX":
                below.setdefault(int(rest.split()[1]), []).append((int(pid), name))
        found, todo = [], [pid for pid, _ in below.get(self.process.pid, [])]
        while todo:
            some = below.get(todo.pop(), [])
            found += some
            todo += [pid for pid, _ in some]
        return found

    def kill_all(self):
        Foreign.stop(self)

    def stop(self, seconds=30):
        Foreign.stop(self)
        return 0

    def flush(self):
        """What waits for its time is tried now. One such run at a time."""
        if self.flushing is None or self.flushing.poll() is not None:
            self.flushing = self.run_inside(*self.FLUSH, group=self.flush_group)

    def count(self, folder, of):
        """How many queue files lie in it; of(path) tells which are."""
        return sum(bool(of(os.path.join(top, name))) for top, _, names in os.walk(self.path(folder))
                   for name in names)


class Postfix(Other):
    name, package = "postfix", "postfix"
    # As process 1 it neither forks nor makes a session. `postfix start` looks after its queue first.
    before = ["/usr/sbin/postsuper"]
    program = ["/usr/lib/postfix/sbin/master", "-i", "-c", "/etc/postfix"]
    users = ["vmail", "postfix", "postdrop"]
    FLUSH = ["/usr/sbin/postqueue", "-f"]
    QUEUES = ("active", "bounce", "corrupt", "defer", "deferred", "flush", "hold", "incoming",
              "private", "saved", "trace")

    def set_up(self):
        self.folder("var/lib/postfix", "postfix", 0o700)
        self.folder("var/spool/postfix")
        for queue in self.QUEUES:
            self.folder(f"var/spool/postfix/{queue}", "postfix", 0o700)
        self.folder("var/spool/postfix/pid")
        self.folder("var/spool/postfix/maildrop", "postfix", 0o730, "postdrop")
        self.folder("var/spool/postfix/public", "postfix", 0o710, "postdrop")
        # postsuper, which is no longer root then, writes there when it has something to say.
        self.write("var/log/log", "")
        os.chmod(self.path("var/log/log"), 0o666)
        boxes = ", ".join(f"{user}@{DOMAIN}={DOMAIN}/{user}/" for user in USERS)
        vmail = self.ids["vmail"]
        self.write("etc/postfix/main.cf", f"""
compatibility_level = 3.6
maillog_file = /var/log/log
myhostname = peer.example
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
mydestination =
alias_maps =
local_recipient_maps =
mynetworks = 127.0.0.0/8
smtpd_relay_restrictions = permit_mynetworks, reject
disable_dns_lookups = yes
smtp_host_lookup = native
default_transport = error:only these two
transport_maps = inline:{{ {ONWARD}=smtp:[127.0.0.1]:%SINK%, {BACK}=smtp:[127.0.0.1]:%BACK% }}
virtual_mailbox_domains = {DOMAIN}
virtual_mailbox_base = /var/mail
virtual_mailbox_maps = inline:{{ {boxes} }}
virtual_uid_maps = static:{vmail}
virtual_gid_maps = static:{vmail}
""")
        self.write("etc/postfix/master.cf", """
postlog unix-dgram n - n - 1 postlogd
127.0.0.1:%PORT% inet n - n - - smtpd
pickup unix n - n 60 1 pickup
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
tlsmgr unix - - n 1000? 1 tlsmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
flush unix n - n 1000? 0 flush
proxymap unix - - n - - proxymap
smtp unix - - n - - smtp
virtual unix - n n - - virtual
error unix - - n - - error
retry unix - - n - - error
anvil unix - - n - 1 anvil
scache unix - - n - 1 scache
""")

    def queued(self):
        def whole(path):  # not while it is still being received
            try:
                return os.stat(path).st_mode & 0o100
            except OSError:
                return True  # it just moved on
        return sum(self.count(f"var/spool/postfix/{queue}", whole)
                   for queue in ("incoming", "active", "deferred"))


class Exim(Other):
    name, package = "exim", "exim4-daemon-light"
    program = ["/usr/sbin/exim4", "-bdf", "-q30m"]
    users = ["vmail", "Debian-exim", "mail"]
    greeting = (b"220 ", b"421 ")  # it serves its 20 connections: it is ready
    FLUSH = ["/usr/sbin/exim4", "-qff"]
    log_file = "var/log/exim4/mainlog"

    def set_up(self):
        for name in ("var/log/exim4", "var/spool/exim4", "run/exim4"):
            self.folder(name, "Debian-exim", 0o750)
        self.write("etc/mailname", "peer.example\n")
        self.write("etc/exim4/exim4.conf", f"""
primary_hostname = peer.example
daemon_smtp_ports = %PORT%
local_interfaces = 127.0.0.1
acl_smtp_rcpt = rcpt
never_users =
begin acl
rcpt:
  accept domains = {DOMAIN} : {ONWARD} : {BACK}
  deny
begin routers
home:
  driver = accept
  domains = {DOMAIN}
  local_parts = {" : ".join(USERS)}
  transport = maildir
onward:
  driver = manualroute
  domains = {ONWARD}
  transport = onward
  route_list = * 127.0.0.1
  self = send
back:
  driver = manualroute
  domains = {BACK}
  transport = back
  route_list = * 127.0.0.1
  self = send
begin transports
maildir:
  driver = appendfile
  directory = /var/mail/$domain_data/$local_part_data
  create_directory
  maildir_format
  delivery_date_add
  envelope_to_add
  return_path_add
  user = vmail
  group = vmail
onward:
  driver = smtp
  port = %SINK%
  allow_localhost
back:
  driver = smtp
  port = %BACK%
  allow_localhost
begin retry
* * F,2h,15m; G,16h,1h,1.5; F,4d,6h
""")

    def queued(self):
        return self.count("var/spool/exim4/input", lambda path: path.endswith("-H"))


class OpenSmtpd(Other):
    name, package = "opensmtpd", "opensmtpd"
    program = ["/usr/sbin/smtpd", "-d"]
    users = ["vmail", "opensmtpd", "opensmtpq"]
    FLUSH, flush_group = ["/usr/sbin/smtpctl", "schedule", "all"], "opensmtpq"

    def set_up(self):
        # It starts its maildir program by a shell, which Debian has and the package has not.
        os.unlink(os.path.join(self.root, "bin"))
        os.mkdir(os.path.join(self.root, "bin"))
        shutil.copy(os.path.realpath(shutil.which("sh")), os.path.join(self.root, "bin", "sh"))
        self.folder("var/lib/opensmtpd/empty")
        self.folder("var/spool/smtpd", mode=0o711)
        self.write("etc/smtpd.conf", f"""
listen on 127.0.0.1 port %PORT% hostname peer.example
action "home" maildir "/var/mail/{DOMAIN}/%{{rcpt.user}}" virtual {{ "@" = vmail }}
action "onward" relay host "smtp://127.0.0.1:%SINK%" helo peer.example
action "back" relay host "smtp://127.0.0.1:%BACK%" helo peer.example
match from any for domain "{DOMAIN}" action "home"
match from any for domain "{ONWARD}" action "onward"
match from any for domain "{BACK}" action "back"
""")

    def queued(self):
        return self.count("var/spool/smtpd/queue",
                          lambda path: re.fullmatch("[0-9a-f]{16}", os.path.basename(path)))


SUBJECTS = {kind.name: kind for kind in (Postroad, Postfix, Exim, OpenSmtpd)}
