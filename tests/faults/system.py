"""The tested system: postroad with the shim in front of it, a mail server that takes what it
relays, and what can be seen of both from outside. Knows nothing of the code."""
import collections
import os
import re
import signal
import socket
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "live"))
import ledger  # noqa: E402
from server import BINARY, NotStarted, Server, free_port, wait_until  # noqa: E402

SHIM = os.path.join(os.path.dirname(BINARY), "tests", "faults", "faults.so")
CONFIG = """
hostname out.example
listen mx 127.0.0.1:{port}
queue {folder}/data/spool { min-free 64M }
postmaster admin@out.example
relay next { host 127.0.0.1:SINK; retry 1s; tls off }
accept to domain out.example deliver maildir {folder}/data/mail/{domain}/{user}
accept from local to any relay next
"""
# Of numbered files a role may hold some, old and new; of everything else what it held before.
SEGMENT = re.compile(r"/spool/(in|out)/.*/?(s-#|free-#|reserve|deleted)")
SEGMENTS_MAX = 4


def children(pid):
    try:
        with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as f:
            return [int(word) for word in f.read().split()]
    except OSError:
        return []


def role_and_index(pid):
    """("receiver", "1"); None while it is not itself yet, or is no more."""
    try:
        with open(f"/proc/{pid}/cmdline", "rb") as f:
            words = f.read().decode(errors="replace").split("\0")
        with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as f:
            dead = f.read().rsplit(")", 1)[1].split()[0] in "ZX"
    except (OSError, IndexError):
        return None
    return (words[2], words[3]) if not dead and len(words) > 3 and words[1] == "role" else None


class System(Server):
    """Server, with its processes under the shim and a sink behind it."""

    def __init__(self, folder, shared, port):
        super().__init__(folder, CONFIG.replace("SINK", str(port)))
        self.shared, self.sink_port, self.sink = shared, port, None
        self.came = os.path.join(self.folder, "sink.ledger")

    def command(self):
        return ["env", f"LD_PRELOAD={SHIM}", f"POSTROAD_FAULTS={self.shared.path}",
                *super().command()]

    def start_sink(self):
        self.sink = subprocess.Popen([BINARY, "bench", "sink", "--listen",
                                      f"127.0.0.1:{self.sink_port}", "--ledger", self.came],
                                     stdout=subprocess.DEVNULL)

    def stop_sink(self):
        if self.sink and self.sink.poll() is None:
            self.sink.send_signal(signal.SIGTERM)
            self.sink.wait(30)

    def end(self):
        if self.process and self.process.poll() is None:
            self.kill_all()
        self.stop_sink()

    def processes(self):
        """{(role, index): pid}"""
        found = {role_and_index(pid): pid for pid in children(self.process.pid)}
        found.pop(None, None)
        return found

    def ask(self, request):
        """What the courier answers; None when there is none, or it says no."""
        path = os.path.join(self.data, "spool", "courier.sock")
        try:
            with socket.socket(socket.AF_UNIX) as s:
                s.settimeout(20)
                s.connect(path)
                s.sendall(request.encode() + b"\n")
                said = b""
                while not re.search(rb"^(ok|error)\b.*\n\Z", said, re.M):
                    piece = s.recv(65536)
                    if not piece:
                        return None
                    said += piece
        except OSError:
            return None
        return said.decode(errors="replace")

    def waiting(self):
        """Messages in the queue; None when the courier says nothing."""
        found = re.search(r"messages=(\d+)", self.ask("status") or "")
        return int(found.group(1)) if found else None

    def retry(self):
        """What was put off is tried now."""
        conf = os.path.join(self.folder, "postroad.conf")
        subprocess.run([BINARY, "queue", "retry", "--status", "deferred", "--yes", "-c", conf],
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)

    def connections_out(self):
        """Inodes of sockets to the sink: those that rest are no leak."""
        wanted = f":{self.sink_port:04X}"
        with open("/proc/net/tcp", encoding="ascii") as f:
            return {words[9] for words in map(str.split, f)
                    if len(words) > 9 and words[2].endswith(wanted)}

    def descriptors(self):
        """{(role, index): Counter of what it holds}, without the connections to the sink."""
        out, found = self.connections_out(), {}
        everybody = {**self.processes(), ("warden", "0"): self.process.pid}
        for who, pid in everybody.items():
            held = collections.Counter()
            try:
                for fd in os.listdir(f"/proc/{pid}/fd"):
                    target = os.readlink(f"/proc/{pid}/fd/{fd}")
                    inode = re.fullmatch(r"socket:\[(\d+)\]", target)
                    if inode and inode.group(1) in out:
                        continue
                    held[re.sub(r"[0-9a-f]{8,}|\[\d+\]|\d+[A-Z]\d+", "#", target)] += 1
            except OSError:
                continue
            found[who] = held
        return found

    def leaks(self, before):
        """What some process holds more of than it did in quiet times."""
        found = []
        for who, held in self.descriptors().items():
            for what, count in held.items():
                allowed = before.get(who, {}).get(what, 0)
                if SEGMENT.search(what):
                    allowed = max(allowed, SEGMENTS_MAX)
                if count > allowed:
                    found.append(f"{' '.join(who)}: {count} of {what}, not {allowed}")
        return found

    def queue(self):
        """What waits, for people."""
        conf = os.path.join(self.folder, "postroad.conf")
        return subprocess.run([BINARY, "queue", "list", "-c", conf], stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True, check=False).stdout
