# SPDX-License-Identifier: MIT
"""The life of a Unix socket file: never take a living daemon's, replace a dead one's, leave none behind.

Who may connect is decided by mode and group of the file (unix(7), "Pathname socket ownership and permissions").
Both are set between bind and listen, so that the umask neither widens nor narrows them and nobody gets in before.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import socket
import stat
from collections.abc import Iterator

from hwinfod.errors import UserError

# sockaddr_un.sun_path less its NUL: unix(7).
_PATH_BYTES = 107
# Of clients that connect at once; the kernel holds it to net.core.somaxconn.
_BACKLOG = 1024


class UnixSocket:
    """A bound, listening socket and its file. Who serves `listener` closes it; the file is `remove`d here."""

    __slots__ = ("_identity", "listener", "path")

    def __init__(self, listener: socket.socket, path: str) -> None:
        self.listener = listener
        self.path = path
        status = os.lstat(path)
        self._identity = (status.st_dev, status.st_ino)

    def remove(self) -> None:
        """Unlink the file, if it is still ours. Before the listener closes, or a successor may lose its own."""
        with contextlib.suppress(OSError):
            status = os.lstat(self.path)
            if (status.st_dev, status.st_ino) == self._identity:
                os.unlink(self.path)


def open_unix_socket(path: str, *, mode: int = 0o660, group: str = "") -> UnixSocket:
    """Listen at `path`, its directory made when only that is missing; `group` is a name, "" leaves our own.

    Raises UserError: a daemon answers there, something else lies there, it may not be made.
    """
    path = os.path.abspath(path)
    if len(os.fsencode(path)) > _PATH_BYTES:
        raise UserError(f"socket path is longer than {_PATH_BYTES} bytes: {path}", hint="choose a shorter path")
    gid = _find_group(group) if group else -1
    try:
        _prepare_directory(os.path.dirname(path))
        _find_dead_socket(path)  # before a lock is left beside a file of somebody else's
        with _starting_alone(path):
            if _find_dead_socket(path):
                os.unlink(path)
            return _bind(path, mode, gid)
    except OSError as error:
        raise UserError(
            f"cannot listen at {path}: {os.strerror(error.errno or errno.EIO)}",
            hint="name another path with --socket, or start as a user who may write there",
        ) from None


def _find_group(name: str) -> int:
    import grp

    try:
        return grp.getgrnam(name).gr_gid
    except KeyError:
        raise UserError(
            f"no such group: {name}", hint=f"create it (groupadd --system {name}) or name another"
        ) from None


def _prepare_directory(directory: str) -> None:
    """Make the directory, private unless we are root; refuse one in which another user could replace our socket."""
    try:
        os.mkdir(directory, 0o700)
        if os.geteuid() == 0:
            os.chmod(directory, 0o755)  # noqa: S103 (as in /run, the mode of the socket decides who enters)
    except FileExistsError:
        pass
    except FileNotFoundError:
        raise UserError(
            f"no directory for the socket: {os.path.dirname(directory)}", hint="create it, or name another path"
        ) from None
    trusted = (0, os.geteuid())
    status = os.stat(directory)
    replaceable = status.st_mode & stat.S_IWOTH and not status.st_mode & stat.S_ISVTX
    if os.lstat(directory).st_uid not in trusted or status.st_uid not in trusted or replaceable:
        raise UserError(
            f"directory is not safe for the socket, others control it: {directory}",
            hint="use a directory that belongs to you or to root and that not everybody may write to",
        )


@contextlib.contextmanager
def _starting_alone(path: str) -> Iterator[None]:
    """Between dialling and listening, a second daemon that starts would find the same dead socket."""
    lock = os.open(f"{path}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    except BlockingIOError:
        raise UserError(f"another hwinfod is starting at {path}", hint="stop it, or name another path") from None
    finally:
        os.close(lock)


def _find_dead_socket(path: str) -> bool:
    """Whether the socket of a daemon that is gone lies there. Raises UserError for a living one's, and other files."""
    try:
        status = os.lstat(path)
    except FileNotFoundError:
        return False
    if not stat.S_ISSOCK(status.st_mode):
        raise UserError(f"not a socket, and not ours to remove: {path}", hint="remove it, or name another path")
    if _someone_answers(path):
        raise UserError(
            f"a daemon already listens at {path}", hint="stop it (systemctl stop hwinfod), or name another path"
        )
    return True


def _someone_answers(path: str) -> bool:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.setblocking(False)
        number = probe.connect_ex(path)
    # A full backlog (EAGAIN) and a socket of another type (EPROTOTYPE) are somebody's too.
    return number not in (errno.ECONNREFUSED, errno.ENOENT)


def _bind(path: str, mode: int, gid: int) -> UnixSocket:
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        listener.bind(path)
        if gid >= 0:  # a service whose filter of system calls has no chown asks for none
            os.chown(path, -1, gid)
        os.chmod(path, mode)
        listener.listen(_BACKLOG)
        return UnixSocket(listener, path)
    except BaseException:
        listener.close()
        raise
