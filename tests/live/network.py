"""A network of its own, with the real addresses and ports of mail and DNS: a network namespace of
Linux, without a name and gone with its last process.

Who has entered it stays in it with the thread that did, and with all threads and programs begun
from there. Knows nothing of the code."""
import ctypes
import os
import re
import shutil
import socket
import subprocess

CLONE_NEWNET = 0x40000000
ROOT_HINTS = "/usr/share/dns/root.hints"
ROOT_ANCHOR = "/usr/share/dns/root.key"


class NotHere(Exception):
    """This machine, or this user, has no such networks; the reason."""


def call(function, *arguments):
    if getattr(ctypes.CDLL(None, use_errno=True), function)(*arguments) != 0:
        raise NotHere(f"{function}: {os.strerror(ctypes.get_errno())}")


def root_servers():
    """The IPv4 addresses where the Internet's root is asked."""
    with open(ROOT_HINTS, encoding="ascii") as f:
        return re.findall(r"\sA\s+([0-9.]+)\s", f.read())


class Network:
    """with Network(addresses): inside of it only the addresses can be reached, all on this
    machine; anything else is "Network is unreachable"."""

    def __init__(self, addresses):
        if os.geteuid() != 0:
            raise NotHere("needs root")
        for program in "ip", "unshare":
            if not shutil.which(program):
                raise NotHere(f"no program {program}")
        self.addresses, self.outside = addresses, None

    def __enter__(self):
        self.outside = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
        try:
            call("unshare", CLONE_NEWNET)
            self.lay_out()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        call("setns", self.outside, CLONE_NEWNET)
        os.close(self.outside)

    def lay_out(self):
        commands = "link set lo up\n" + "".join(
            f"addr add {address}{'/128 nodad' if ':' in address else '/32'} dev lo\n"
            for address in self.addresses)
        done = subprocess.run(["ip", "-batch", "-"], input=commands.encode(), check=False,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        if done.returncode != 0:
            raise NotHere(done.stdout.decode().strip())


def trusting(anchor, command):
    """The command, for which DNSSEC begins with this key instead of the Internet's."""
    return ["unshare", "-m", "sh", "-c", f'mount --bind "$1" {ROOT_ANCHOR} && shift && exec "$@"',
            "sh", str(anchor), *command]


class Silence:
    """A port that never answers: its queue of connections is full, so the kernel drops what comes
    as if nobody lived there."""

    def __init__(self, address, port=25):
        self.listener = socket.create_server((address, port), backlog=0)
        self.fill = []
        for _ in range(2):
            one = socket.socket()
            one.setblocking(False)
            one.connect_ex((address, port))
            self.fill.append(one)

    def close(self):
        for one in [*self.fill, self.listener]:
            one.close()
