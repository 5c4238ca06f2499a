"""NSD on one port, of the loopback unless told otherwise: a signed root, "test" below it, and zones below that, signed or
not. Knows nothing of the code but tests/live/resolve, which asks."""
import os
import subprocess

from server import BINARY, free_port, wait_until

PROGRAMS = ("nsd", "ldns-signzone", "ldns-keygen")
RESOLVE = os.path.join(os.path.dirname(BINARY), "tests", "live", "resolve")
ALGORITHM = "ECDSAP256SHA256"
SOA = "@ 300 IN SOA ns.test. root.test. 1 3600 900 86400 60\n@ 300 IN NS ns.test.\n"


class NameServer:
    """Keys, zones and a running NSD, in one folder. A zone whose name does not end with ".test" lies
    below the root. `elsewhere`: {unsigned zone: address of the name server that has it}."""

    def __init__(self, folder, zones, unsigned=(), addresses=("127.0.0.1",), port=None,
                 elsewhere=None):
        self.folder, self.zones, self.port = folder, zones, port or free_port()
        self.addresses = addresses  # that of ns.test is the first
        folder.mkdir()
        self.tool("ldns-keygen", "-a", ALGORITHM, "-k", ".", out="root.key")
        delegations = {"test": "", ".": ""}
        for name, text in zones.items():
            self.write(name, text)
            above = "test" if name.endswith(".test") else "."
            delegations[above] += f"{name}. NS ns.test.\n"
            if name not in unsigned:
                delegations[above] += self.sign(name)
        self.write("test", f"ns A {addresses[0]}\n" + delegations["test"] + "".join(
            f"{name}. NS ns.{name}.\nns.{name}. A {ip}\n"
            for name, ip in (elsewhere or {}).items()))
        ds = self.sign("test")
        self.write(".", f"test. NS ns.test.\nns.test. A {addresses[0]}\n" + ds + delegations["."])
        self.sign(".", (folder / "root.key").read_text().strip())
        self.anchor = folder / "anchor"
        self.anchor.write_text((folder / ((folder / "root.key").read_text().strip() + ".key"))
                               .read_text())
        self.process = None

    def spoil(self, name, old, new):
        """Changes a zone after it was signed."""
        signed = self.path(name).read_text()
        assert old in signed
        self.path(name).write_text(signed.replace(old, new))

    def tool(self, *command, out=None):
        done = subprocess.run(command, cwd=self.folder, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, timeout=60, check=False)
        assert done.returncode == 0, done.stdout.decode()
        if out:
            (self.folder / out).write_bytes(done.stdout)
        return done.stdout.decode().strip()

    def path(self, name):
        return self.folder / ("root.zone" if name == "." else name + ".zone")

    def write(self, name, text):
        origin = name if name == "." else name + "."
        self.path(name).write_text(f"$ORIGIN {origin}\n$TTL 300\n" + SOA + text)

    def sign(self, name, key=None):
        """Signs it in its place and returns its DS record."""
        key = key or self.tool("ldns-keygen", "-a", ALGORITHM, "-k", name)
        signed = self.path(name).with_suffix(".signed")
        self.tool("ldns-signzone", "-f", str(signed), "-o", name, str(self.path(name)), key)
        os.replace(signed, self.path(name))
        return (self.folder / (key + ".ds")).read_text()

    def start(self):
        zones = "".join(f'zone:\n  name: "{name}"\n  zonefile: "{self.path(name)}"\n'
                        for name in [".", "test", *self.zones])
        listen = "".join(f"  ip-address: {address}@{self.port}\n" for address in self.addresses)
        (self.folder / "nsd.conf").write_text(f"""server:
{listen}  username: ""
  chroot: ""
  zonesdir: "{self.folder}"
  database: ""
  zonelistfile: "{self.folder}/zone.list"
  xfrdfile: ""
  xfrdir: "{self.folder}"
  pidfile: ""
  server-count: 1
remote-control:
  control-enable: no
{zones}""")
        self.process = subprocess.Popen(["nsd", "-d", "-c", str(self.folder / "nsd.conf")],
                                        stdout=subprocess.DEVNULL,
                                        stderr=(self.folder / "nsd.err").open("wb"))
        assert wait_until(lambda: "found" in self.ask("A", "ns.test"), 20), \
            (self.folder / "nsd.err").read_text()
        return self

    def stop(self):
        if self.process:
            self.process.terminate()
            self.process.wait(20)

    def ask(self, *questions, more=()):
        command = [RESOLVE, "--forwarder", f"{self.addresses[0]}@{self.port}", "--anchor", str(self.anchor),
                   *more, *questions]
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=60,
                              check=False)
        assert done.returncode == 0 and not done.stderr, done.stderr.decode()
        return done.stdout.decode()
