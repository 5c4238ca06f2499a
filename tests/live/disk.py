"""An ext4 of its own on a loop device: it can run full, and lose its power. As root only. Shared by
tests/disk_full and tests/crash_power."""
import ctypes
import fcntl
import os
import struct
import subprocess

from server import wait_until

EXT4_IOC_SHUTDOWN = 0x8004587d  # _IOR('X', 125, __u32)
NOLOGFLUSH = 2  # not even the journal's last transaction is written
CLONE_NEWNS, MS_REC, MS_PRIVATE = 0x20000, 0x4000, 0x40000


class Skipped(Exception):
    """Not on this machine, and why."""


def call(*command):
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          check=False)
    if done.returncode != 0:
        raise Skipped(f"{' '.join(command)}: {done.stdout.strip()}")
    return done.stdout.strip()


def private_mounts():
    """What this process mounts from now on nobody else sees, or keeps in use; it goes with it."""
    if os.geteuid() != 0:
        raise Skipped("only root may mount")
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(CLONE_NEWNS) != 0 or \
            libc.mount(b"none", b"/", None, MS_REC | MS_PRIVATE, None) != 0:
        raise Skipped(f"no mounts of our own: {os.strerror(ctypes.get_errno())}")


class Disk:
    """Mounted at folder/name, its image beside it."""

    def __init__(self, folder, name, size_mib, *mkfs):
        self.path = os.path.join(folder, name)
        self.image = self.path + ".image"
        self.size_mib, self.mkfs = size_mib, mkfs
        self.device = None

    def __enter__(self):
        with open(self.image, "wb") as image:
            image.truncate(self.size_mib << 20)
        # Whole from the beginning: no kernel thread goes on making it once it is mounted.
        call("mkfs.ext4", "-q", "-F", "-E", "lazy_itable_init=0,lazy_journal_init=0", *self.mkfs,
             self.image)
        os.mkdir(self.path)
        self.device = call("losetup", "-f", "--show", self.image)
        try:
            call("mount", self.device, self.path)
        except Skipped:
            call("losetup", "-d", self.device)
            raise
        return self

    def __exit__(self, *_):
        self.umount()
        call("losetup", "-d", self.device)

    def umount(self):
        """Whoever was just killed may hold it for a moment longer."""
        said = lambda: subprocess.run(["umount", self.path], check=False, stderr=subprocess.PIPE,
                                      text=True)
        if (done := said()).returncode != 0:
            if not wait_until(lambda: said().returncode == 0, 20, 0.02):
                raise AssertionError(done.stderr.strip())

    def cut(self):
        """The power goes: what was not synced will not be there again."""
        fd = os.open(self.path, os.O_RDONLY | os.O_DIRECTORY)
        try:
            fcntl.ioctl(fd, EXT4_IOC_SHUTDOWN, struct.pack("I", NOLOGFLUSH))
        except OSError as error:
            raise Skipped(f"shutdown of an ext4: {error.strerror}") from error
        finally:
            os.close(fd)

    def power_on(self):
        """What a machine does by itself at its start: the journal is replayed. What e2fsck has to
        say about it then, "" when nothing; it mends nothing."""
        self.umount()
        wait_until(self.unused, 20, 0.005)
        call("mount", self.device, self.path)
        call("umount", self.path)
        done = subprocess.run(["e2fsck", "-fn", self.device], stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True, check=False)
        call("mount", self.device, self.path)
        return done.stdout if done.returncode != 0 else ""

    def unused(self):
        """True when no mount in any namespace has it: a second one would be the first one, cut."""
        try:
            os.close(os.open(self.device, os.O_RDONLY | os.O_EXCL))
        except OSError:
            return False
        return True
