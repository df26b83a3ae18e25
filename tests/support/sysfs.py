# SPDX-License-Identifier: MIT
"""Small sysfs trees, as a test needs them."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path


def put(directory: Path, files: Mapping[str, object]) -> Path:
    """Files by path below a directory: bytes as they are, anything else as a line of text."""
    directory.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        path = directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else f"{content}\n".encode())
    return directory


def link(at: Path, to: Path) -> None:
    """A relative symbolic link, as the kernel makes them. Its target need not exist."""
    at.parent.mkdir(parents=True, exist_ok=True)
    at.symlink_to(os.path.relpath(to, at.parent))


def put_pci(sysfs: Path, path: str, files: Mapping[str, object], driver: str = "") -> Path:
    """A PCI function; `path` has the ports above it: `0000:00:01.1/0000:41:00.0`."""
    directory = put(sysfs / "devices" / f"pci{path[:7]}" / path, files)
    link(sysfs / "bus/pci/devices" / directory.name, directory)
    if driver:
        link(directory / "driver", sysfs / "bus/pci/drivers" / driver)
    return directory


def put_interface(sysfs: Path, name: str, files: Mapping[str, object], device: Path | None = None) -> Path:
    """A network interface, on hardware where `device` is given."""
    directory = put((device or sysfs / "devices/virtual") / "net" / name, files)
    link(sysfs / "class/net" / name, directory)
    if device:
        link(directory / "device", device)
    return directory


def put_hwmon(sysfs: Path, number: int, files: Mapping[str, object], device: Path | None = None) -> Path:
    """A hwmon chip."""
    directory = put((device or sysfs / "devices/virtual") / "hwmon" / f"hwmon{number}", files)
    link(sysfs / "class/hwmon" / directory.name, directory)
    if device:
        link(directory / "device", device)
    return directory
