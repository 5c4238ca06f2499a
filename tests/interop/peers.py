"""Mail servers of others, each in a root of its own. Every one sends mail for in.example to the port
`onward` and mail for out.example to the port `back`."""
import os
import re
import shutil

import pytest

from foreign import Foreign, NotHere


class Peer(Foreign):
    # Of its reports: what they are, and what they tell of a 5.1.1.
    report_type, report_status = "multipart/report", "5.1.1"
    offers = {"DSN", "SMTPUTF8"}
    quoted_names = True  # takes <"john doe"@out.example>
    key_owner = "root"  # who reads the key of its certificate

    def __init__(self, folder, onward=0, back=0, certificate=None):
        self.tls = bool(certificate)
        try:
            super().__init__(folder, onward=onward, back=back)
        except NotHere as why:
            pytest.skip(str(why))
        if certificate:
            for end in ("pem", "key"):
                shutil.copy(f"{certificate}.{end}", os.path.join(self.root, f"etc/tls.{end}"))
            os.chown(os.path.join(self.root, "etc/tls.key"), self.ids[self.key_owner], -1)

    def taken_off(self, came, sent):
        """The mail that came out of it, without what it is known to add."""
        del sent
        return came


class Postfix(Peer):
    package = "postfix"
    # As process 1 it neither forks nor makes a session.
    program = ["/usr/lib/postfix/sbin/master", "-i", "-c", "/etc/postfix"]
    users = ["postfix", "postdrop"]

    def configure(self):
        self.folder("var/lib/postfix", "postfix", 0o700)
        self.folder("var/spool/postfix")
        for queue in ("active", "bounce", "corrupt", "defer", "deferred", "flush", "hold",
                      "incoming", "private", "saved", "trace"):
            self.folder(f"var/spool/postfix/{queue}", "postfix", 0o700)
        self.folder("var/spool/postfix/pid")
        self.folder("var/spool/postfix/maildrop", "postfix", 0o730, "postdrop")
        self.folder("var/spool/postfix/public", "postfix", 0o710, "postdrop")
        self.write("etc/postfix/main.cf", """
compatibility_level = 3.6
maillog_file = /var/log/log
myhostname = peer.example
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
mydestination =
alias_maps =
local_recipient_maps =
# Mail of other servers, not of our own users: its header is left alone.
local_header_rewrite_clients =
mynetworks = 127.0.0.0/8
smtpd_relay_restrictions = permit_mynetworks, reject
disable_dns_lookups = yes
smtp_host_lookup = native
default_transport = error:only these two
transport_maps = inline:{
    in.example=smtp:[127.0.0.1]:%ONWARD%,
    out.example=smtp:[127.0.0.1]:%BACK% }
""" + ("""
smtpd_tls_security_level = encrypt
smtpd_tls_cert_file = /etc/tls.pem
smtpd_tls_key_file = /etc/tls.key
smtpd_tls_received_header = yes
smtp_tls_security_level = encrypt
""" if self.tls else ""))
        self.write("etc/postfix/master.cf", """
postlog unix-dgram n - n - 1 postlogd
127.0.0.1:%PORT% inet n - n - - smtpd
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
tlsmgr unix - - n 1000? 1 tlsmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
smtp unix - - n - - smtp
error unix - - n - - error
retry unix - - n - - error
anvil unix - - n - 1 anvil
scache unix - - n - 1 scache
""")


class OpenSmtpd(Peer):
    package = "opensmtpd"
    program = ["/usr/sbin/smtpd", "-d"]
    users = ["opensmtpd", "opensmtpq"]
    report_type, report_status = "multipart/mixed", "5.0.0"
    offers = {"DSN"}
    quoted_names = False

    def configure(self):
        self.folder("var/lib/opensmtpd/empty")
        self.folder("var/spool/smtpd", mode=0o711)
        # Without the pauses between connections that it makes by default.
        self.write("etc/smtpd.conf", """
mta limit conn-delay-route 0 reconn-delay-route 0
listen on 127.0.0.1 port %PORT% hostname peer.example
action "onward" relay host "smtp://127.0.0.1:%ONWARD%" helo peer.example
action "back" relay host "smtp://127.0.0.1:%BACK%" helo peer.example
match from any for domain "in.example" action "onward"
match from any for domain "out.example" action "back"
""")

    def taken_off(self, came, sent):
        """Who comes from 127.0.0.1 counts as a user: a Date and a Message-ID that are missing are
        added at the end of the header."""
        if b"\r\nDate: " in sent:
            return came
        return re.sub(rb"\r\nDate: [^\r\n]*\r\nMessage-ID: <[0-9a-f]+@peer\.example>\r\n\r\n",
                      b"\r\n\r\n", came, count=1)


class Exim(Peer):
    package = "exim4-daemon-light"
    program = ["/usr/sbin/exim4", "-bdf", "-q2s"]
    users = ["Debian-exim", "mail"]
    log_file = "var/log/exim4/mainlog"
    report_status = "5.0.0"
    key_owner = "Debian-exim"
    offers = {"SMTPUTF8"}  # DSN only where dsn_advertise_hosts says so

    def configure(self):
        for name in ("var/log/exim4", "var/spool/exim4", "run/exim4"):
            self.folder(name, "Debian-exim", 0o750)
        self.write("etc/mailname", "peer.example\n")
        # The place it was built for: of any other file its children would not trust the content.
        self.write("etc/exim4/exim4.conf", """
primary_hostname = peer.example
daemon_smtp_ports = %PORT%
local_interfaces = 127.0.0.1
acl_smtp_rcpt = rcpt
tls_advertise_hosts = %s
tls_certificate = /etc/tls.pem
tls_privatekey = /etc/tls.key
never_users =
begin acl
rcpt:
  accept domains = in.example : out.example
  deny
begin routers
onward:
  driver = manualroute
  domains = in.example
  transport = onward
  route_list = * 127.0.0.1
  self = send
back:
  driver = manualroute
  domains = out.example
  transport = back
  route_list = * 127.0.0.1
  self = send
begin transports
onward:
  driver = smtp
  port = %ONWARD%
  allow_localhost
  hosts_require_tls = %s
back:
  driver = smtp
  port = %BACK%
  allow_localhost
begin retry
* * F,2h,2s
""".replace("%s", "*" if self.tls else ""))

    def taken_off(self, came, sent):
        """A mail that ends with its header gets the line behind it."""
        return came.removesuffix(b"\r\n") if b"\r\n\r\n" not in sent else came


class Dovecot(Peer):
    package = "dovecot-imapd+dovecot-lmtpd"
    program = ["/usr/sbin/dovecot", "-F"]
    users = ["dovecot", "dovenull", "vmail"]

    def configure(self):
        self.folder("var/lib/dovecot")
        self.folder("var/mail", "vmail", 0o700)
        self.write("etc/people", "ann@in.example:::::::\nzoe@in.example:::::::\n")
        self.write("etc/dovecot/dovecot.conf", """
protocols = lmtp
listen = 127.0.0.1
base_dir = /run/dovecot
log_path = /var/log/log
ssl = no
hostname = in.example
mail_location = maildir:/var/mail/%d/%n
mail_uid = vmail
mail_gid = vmail
first_valid_uid = 1000
first_valid_gid = 1000
passdb {
  driver = passwd-file
  args = /etc/people
}
userdb {
  driver = passwd-file
  args = /etc/people
  override_fields = home=/var/mail/%d/%n uid=vmail gid=vmail
}
service lmtp {
  inet_listener lmtp {
    address = 127.0.0.1
    port = %PORT%
  }
}
""")

    def mails(self, user):
        new = os.path.join(self.root, "var/mail/in.example", user, "new")
        names = os.listdir(new) if os.path.isdir(new) else []
        return [os.path.join(new, name) for name in names]
