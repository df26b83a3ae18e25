# SPDX-License-Identifier: MIT
"""A tiny initramfs: busybox, the few modules that reach the disk, and a script. Debian's own takes TCG seconds to
unpack. Source: Documentation/driver-api/early-userspace/buffer-format.rst ("newc"); depmod(8), modules.dep(5)."""

from __future__ import annotations

import lzma
from collections.abc import Iterable
from pathlib import Path

_DIRECTORY, _FILE = 0o040755, 0o100755


def pack(root: Path, version: str, modules: Iterable[str], init: bytes) -> bytes:
    """The archive, uncompressed. `root` has the kernel's modules below lib/modules/VERSION."""
    entries: list[tuple[str, int, bytes]] = [
        (name, _DIRECTORY, b"") for name in ("bin", "dev", "modules", "proc", "root", "sys")
    ]
    directory = root / "lib/modules" / version
    order = load_order((directory / "modules.dep").read_text(), modules)
    for path in order:
        content = (directory / path).read_bytes()
        entries.append((f"modules/{_name(path)}", _FILE, lzma.decompress(content) if path.endswith(".xz") else content))
    names = "".join(f"{_name(path)}\n" for path in order)
    entries.append(("modules/order", _FILE, names.encode()))
    entries.append(("bin/busybox", _FILE, (root / "bin/busybox").read_bytes()))
    entries.append(("init", _FILE, init))
    return b"".join(_entry(*entry) for entry in [*entries, ("TRAILER!!!", 0, b"")])


def _name(path: str) -> str:
    return Path(path).name.removesuffix(".xz")


def load_order(dependencies: str, modules: Iterable[str]) -> list[str]:
    """Paths of the modules and of all that they depend on, each behind its dependencies. What is built into the
    kernel has no line, and is left out."""
    lines = (line.partition(":") for line in dependencies.splitlines())
    needs = {path: rest.split() for path, _, rest in lines}
    by_name = {Path(path).name.partition(".")[0].replace("-", "_"): path for path in needs}
    order: list[str] = []
    for name in modules:
        path = by_name.get(name)
        if path is not None:  # modules.dep names the whole closure, the deepest last
            order += [each for each in [*reversed(needs[path]), path] if each not in order]
    return order


def _entry(name: str, mode: int, data: bytes) -> bytes:
    fields = (0, mode, 0, 0, 1, 0, len(data), 0, 0, 0, 0, len(name) + 1, 0)
    head = b"070701" + b"".join(b"%08X" % value for value in fields) + name.encode() + b"\0"
    return _padded(head) + _padded(data)


def _padded(data: bytes) -> bytes:
    return data + bytes(-len(data) % 4)
