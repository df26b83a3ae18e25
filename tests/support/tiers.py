# SPDX-License-Identifier: MIT
"""Tiers: what a test needs beyond Python, and whether this machine has it.

A test says `@pytest.mark.tier("prometheus")`. Where something of that tier is missing the test is skipped and
the tier named at the end of the run; with CI=true that is a failure, so that a tier never passes by absence.
"""

from __future__ import annotations

import functools
import os
import platform
import resource
import shutil
import subprocess
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from tests.support import container_runtimes, memory_cgroup, nspawn, pythons

DESCRIPTORS = 4096
PACKAGES = Path(__file__).parent.parent / "apt-packages.txt"
_PATH = os.pathsep.join([os.environ.get("PATH", ""), "/usr/local/sbin", "/usr/sbin", "/sbin"])


@dataclass(frozen=True)
class Lack:
    """Why a tier cannot run here. One that is not `required` is reported in CI too, and fails nothing."""

    needs: str
    required: bool = True


def lack(tier: str) -> Lack | None:
    """What `tier` lacks on this machine; None when it can run. Raises KeyError for a tier that nobody knows."""
    return _lacks()[tier]()


def names() -> Iterable[str]:
    return _lacks().keys()


def parse_packages(text: str) -> dict[str, dict[str, list[str]]]:
    """tests/apt-packages.txt: what each package of each tier brings."""
    tiers: dict[str, dict[str, list[str]]] = {}
    for line in text.splitlines():
        if line and not line.startswith("#"):
            tier, package, *brings = line.split()
            tiers.setdefault(tier, {})[package] = brings
    return tiers


def lack_of_packages(packages: dict[str, list[str]]) -> Lack | None:
    missing = {package: [thing for thing in brings if not _found(thing)] for package, brings in packages.items()}
    missing = {package: things for package, things in missing.items() if things}
    if not missing:
        return None
    things = ", ".join(thing for things in missing.values() for thing in things)
    return Lack(f"{things}: apt install {' '.join(missing)}")


def _found(thing: str) -> bool:
    return os.path.exists(thing) if thing.startswith("/") else shutil.which(thing, path=_PATH) is not None


def _lack_of_root() -> Lack | None:
    return None if os.geteuid() == 0 else Lack("root")


def _lack_of_descriptors() -> Lack | None:
    """A thousand clients and their server are one process in the tests; conftest.py takes what `ulimit -H` allows."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    return None if hard == resource.RLIM_INFINITY or hard >= DESCRIPTORS else Lack(f"ulimit -Hn {DESCRIPTORS}")


def _lack_of_namespaces() -> Lack | None:
    """Making a network interface needs a namespace of our own, which a container may refuse even to root."""
    command = ["unshare", "--net", "ip", "link", "add", "dev", "tier0", "type", "veth"]
    done = subprocess.run(command, capture_output=True, check=False, env={**os.environ, "PATH": _PATH})
    return None if done.returncode == 0 else Lack("root that may make network namespaces")


def _lack_of_fuse() -> Lack | None:
    """/dev/fuse may be there, and mounting forbidden."""
    command = "exec 3<>/dev/fuse && mount -i -t fuse -o fd=3,rootmode=40000,user_id=0,group_id=0 probe /mnt"
    done = subprocess.run(["unshare", "--mount", "sh", "-c", command], capture_output=True, check=False)
    return None if done.returncode == 0 else Lack("root that may mount /dev/fuse")


def _lack_of_guest() -> Lack | None:
    """The guest is a Debian amd64, whose packages are unpacked in a chroot."""
    if platform.machine() != "x86_64":
        return Lack("an x86_64 machine")
    return _lack_of_root()


def _lack_of_containers() -> Lack | None:
    """A container that boots takes mounts, cgroups and namespaces, any of which may be refused to root here."""
    done = nspawn.contained("--volatile=yes", "--directory=/", "/bin/true", seconds=20)
    return None if done.returncode == 0 else Lack("root that may boot containers")


def _lack_of_memory_cgroup() -> Lack | None:
    lacks = memory_cgroup.lacks()
    return Lack(lacks) if lacks else None


def _lack_of_runc() -> Lack | None:
    """A container takes mounts, cgroups, capabilities and devices, any of which may be refused to root here."""
    lacks = container_runtimes.lacks()
    return Lack(lacks) if lacks else None


def _lack_of_python(version: str) -> Lack | None:
    return None if pythons.find(version) else Lack(f"python{version} on PATH or in pyenv", required=False)


@functools.cache
def _lacks() -> dict[str, Callable[[], Lack | None]]:
    """Each tier's probe; a probe runs once."""
    probes: dict[str, list[Callable[[], Lack | None]]] = {}
    for tier, packages in parse_packages(PACKAGES.read_text()).items():
        probes[tier] = [functools.partial(lack_of_packages, packages)]
    probes["root"] = [_lack_of_root]
    probes["descriptors"] = [_lack_of_descriptors]
    probes["fuse"] = [_lack_of_fuse]
    probes["memcg"] = [_lack_of_memory_cgroup]
    probes["vm"].append(_lack_of_guest)
    probes["netns"].append(_lack_of_namespaces)
    probes["nspawn"].append(_lack_of_containers)
    probes["runtimes"] += [_lack_of_root, _lack_of_runc]
    for version in pythons.SUPPORTED:
        probes[f"python{version}"] = [functools.partial(_lack_of_python, version)]
    return {tier: functools.cache(functools.partial(_first, checks)) for tier, checks in probes.items()}


def _first(probes: list[Callable[[], Lack | None]]) -> Lack | None:
    return next((lack for probe in probes if (lack := probe())), None)
