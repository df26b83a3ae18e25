# SPDX-License-Identifier: MIT
"""A file, or a mounted file system, whose kernel call never returns: a FUSE server that does not answer.

O_NONBLOCK does not help a reader, and a thread that is killed meanwhile sleeps in D state, as behind a driver or a
server that died: fs/fuse/dev.c, request_wait_answer(). Needs root and /dev/fuse (tier fuse). When the test's
process ends in whatever way, the kernel closes the connection and every sleeper wakes with an error.

    with HungMount.over(path) as hung:      # a regular file: open works, read(2) hangs
        hung.wait_for_caller()              # somebody is inside
        hung.release()                      # the call fails with EIO, and so do later ones
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import os
import stat
import struct
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.fixtures.host import Host

_PATIENCE_SECONDS = 60.0
_MNT_DETACH = 2  # include/uapi/linux/mount.h
# include/uapi/linux/fuse.h
_GETATTR, _OPEN, _READ, _STATFS, _RELEASE, _FLUSH, _INIT, _OPENDIR, _RELEASEDIR = 3, 14, 15, 17, 18, 25, 26, 27, 29
_FORGET, _INTERRUPT, _BATCH_FORGET = 2, 36, 42
_NO_REPLY = {_FORGET, _INTERRUPT, _BATCH_FORGET}
_IN_HEADER = struct.Struct("=IIQQIIIHH")
_OUT_HEADER = struct.Struct("=IiQ")
_INIT_OUT = struct.Struct("=IIIIHHIIHHI28x")
_ATTRIBUTES_OUT = struct.Struct("=QII6Q10I")
_OPEN_OUT = struct.Struct("=QII")
_DIRECT_IO = 1
_MAX_WRITE = 1 << 17

_libc = ctypes.CDLL(None, use_errno=True)


def _is_ours(task: int) -> bool:
    """Whether a task is of this process or of one that it started."""
    while task > 1:
        try:
            fields = dict(line.split(":\t", 1) for line in Path(f"/proc/{task}/status").read_text().splitlines())
        except (OSError, ValueError):
            return False
        if int(fields["Tgid"]) == os.getpid():
            return True
        task = int(fields["PPid"])
    return False


class HungMount:
    """Answers what leads to the call that hangs (reading a file, statfs of a directory), and keeps that one."""

    def __init__(self, path: Path, hangs: Callable[[int], bool]) -> None:
        self._path = path
        self._hangs = hangs
        self._mode = os.stat(path).st_mode
        self._held: list[int] = []
        self._change = threading.Condition()
        self._is_released = False
        self._device = os.open("/dev/fuse", os.O_RDWR | os.O_CLOEXEC)
        self._mount()
        self._server = threading.Thread(target=self._serve, name="hung mount", daemon=True)
        self._server.start()

    @classmethod
    @contextlib.contextmanager
    def over(cls, path: str | os.PathLike[str], *, hangs: Callable[[int], bool] = _is_ours) -> Iterator[HungMount]:
        """In front of a file or a directory, until the end of the block. `hangs` says of which tasks the calls hang:
        another daemon on this machine sees the mount, too."""
        mount = cls(Path(path), hangs)
        try:
            yield mount
        finally:
            mount.close()

    def wait_for_caller(self, callers: int = 1) -> None:
        """Until so many calls hang."""
        with self._change:
            if not self._change.wait_for(lambda: len(self._held) >= callers, _PATIENCE_SECONDS):
                raise AssertionError(f"{len(self._held)} of {callers} callers came to {self._path}")

    @property
    def callers(self) -> int:
        """How many calls hang now."""
        with self._change:
            return len(self._held)

    def release(self) -> None:
        """The calls fail with EIO; later ones at once."""
        with self._change:
            self._is_released = True
            for unique in self._held:
                self._reply(unique, error=errno.EIO)
            self._held.clear()

    def close(self) -> None:
        _call("umount2", os.fsencode(self._path), _MNT_DETACH)
        self.release()
        self._server.join(_PATIENCE_SECONDS)
        os.close(self._device)

    def _mount(self) -> None:
        options = f"fd={self._device},rootmode={stat.S_IFMT(self._mode):o},user_id=0,group_id=0,allow_other"
        try:
            _call("mount", b"hung", os.fsencode(self._path), b"fuse", 0, options.encode())
        except OSError:
            os.close(self._device)
            raise

    def _serve(self) -> None:
        while True:
            try:
                request = os.read(self._device, _MAX_WRITE + 4096)
            except OSError as error:
                if error.errno == errno.ENODEV:  # unmounted
                    return
                continue  # ENOENT: the request was taken back
            _length, opcode, unique, _node, _uid, _gid, caller, *_ = _IN_HEADER.unpack_from(request)
            self._answer(opcode, unique, caller)

    def _answer(self, opcode: int, unique: int, caller: int) -> None:
        if opcode in _NO_REPLY:
            return
        if opcode in (_READ, _STATFS):
            hangs = self._hangs(caller)
            with self._change:
                if not self._is_released and hangs:
                    self._held.append(unique)
                    self._change.notify_all()
                    return
            self._reply(unique, error=errno.EIO)
        elif opcode == _INIT:
            self._reply(unique, _INIT_OUT.pack(7, 31, 0, 0, 16, 12, _MAX_WRITE, 1, 32, 0, 0))
        elif opcode == _GETATTR:
            self._reply(unique, self._attributes())
        elif opcode in (_OPEN, _OPENDIR):
            self._reply(unique, _OPEN_OUT.pack(0, _DIRECT_IO, 0))
        elif opcode in (_RELEASE, _RELEASEDIR, _FLUSH):
            self._reply(unique)
        else:
            self._reply(unique, error=errno.ENOSYS)

    def _attributes(self) -> bytes:
        """struct fuse_attr_out: an inode without blocks, as sysfs has them."""
        size = 4096 if stat.S_ISREG(self._mode) else 0
        owner_and_size = (self._mode, 1, 0, 0, 0, 4096, 0)
        return _ATTRIBUTES_OUT.pack(3600, 0, 0, 1, size, 0, 0, 0, 0, 0, 0, 0, *owner_and_size)

    def _reply(self, unique: int, body: bytes = b"", *, error: int = 0) -> None:
        with contextlib.suppress(FileNotFoundError):  # the caller has gone
            os.write(self._device, _OUT_HEADER.pack(_OUT_HEADER.size + len(body), -error, unique) + body)


@contextlib.contextmanager
def hang(host: Host, path: str) -> Iterator[HungMount]:
    """A file of a fixture host that hangs its readers. The host may go on moving."""
    from tests.fixtures.host import Fault  # here, for a guest has the rest without it

    host.plant(path, Fault.EMPTY)
    try:
        with HungMount.over(host.tree.path(path)) as mount:
            yield mount
    finally:
        host.mend(path)


def _call(function: str, *arguments: object) -> None:
    if getattr(_libc, function)(*arguments) != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{function}: {os.strerror(number)}")
