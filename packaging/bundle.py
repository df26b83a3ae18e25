# SPDX-License-Identifier: MIT
"""The dependencies that a package carries: bundle.py [--wheels] DIRECTORY MACHINE

What requirements.txt locks, out of wheels that any CPython from 3.10 on can load (pure Python and abi3), each
checked against its hash: the modules in DIRECTORY/lib, their licences in DIRECTORY/licenses, and what all of it is
in DIRECTORY/sbom.cdx.json (CycloneDX 1.5). The same lock gives the same bytes, whatever machine they are fetched on.
With --wheels the wheels themselves, beside those that are there.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import uuid
import zipfile
from collections.abc import Iterator
from email.message import Message
from email.parser import BytesHeaderParser
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from hwinfod._version import RELEASED, VERSION  # noqa: E402  behind the path above

_EPOCH = int(dt.datetime.fromisoformat(f"{RELEASED}T00:00:00+00:00").timestamp())
_OLDEST = {"python_version": "3.10", "python_full_version": "3.10.0", "sys_platform": "linux"}
_FROM_SOURCE = ("sdnotify",)  # one module, published without a wheel
_LIBC = ("manylinux_2_28", "manylinux_2_17", "manylinux2014")  # of RHEL 8, the oldest that is served
_STRAY = ("*.data", "example.py", "multidict/*.h")  # beside modules: commands, NVIDIA's sample, headers for C
_LICENSE = re.compile(r"licen[cs]e|copying|notice|authors", re.IGNORECASE)
_SPDX = {  # metadata in the words of https://spdx.org/licenses/
    "BSD": "BSD-3-Clause",  # nvidia-ml-py: the text is at the head of pynvml.py
    "License :: OSI Approved :: MIT License": "MIT",
}
_IS_SPDX = re.compile(r"[A-Za-z0-9.-]+( (OR|AND) [A-Za-z0-9.-]+)*")


def build(directory: Path, machine: str) -> None:
    """Fills `directory`, for the processors that uname(1) calls `machine`."""
    shutil.rmtree(directory, ignore_errors=True)
    library = directory / "lib"
    components = []
    with tempfile.TemporaryDirectory() as wheels:
        for wheel, sha256 in fetch(Path(wheels), machine).items():
            with zipfile.ZipFile(wheel) as archive:
                archive.extractall(library)
            (about,) = library.glob("*.dist-info")
            metadata = BytesHeaderParser().parsebytes((about / "METADATA").read_bytes())
            name = canonicalize_name(metadata["Name"])
            components.append(_component(name, metadata, sha256))
            _keep_licenses(about, metadata, directory / "licenses" / name)
            shutil.rmtree(about)
    for stray in [path for pattern in _STRAY for path in library.glob(pattern)]:
        shutil.rmtree(stray) if stray.is_dir() else stray.unlink()
    sbom = json.dumps(_sbom(components), indent=2, sort_keys=True) + "\n"
    (directory / "sbom.cdx.json").write_text(sbom)


def fetch(directory: Path, machine: str) -> dict[Path, str]:
    """Wheels of all that is wanted, in `directory`, with the SHA-256 of what was published."""
    lock = directory / "requirements.txt"
    lock.write_text("".join(f"{line}\n" for line in _wanted((ROOT / "requirements.txt").read_text())))
    _pip(
        "download", "--require-hashes", "--only-binary=:all:", *(f"--no-binary={name}" for name in _FROM_SOURCE),
        "--python-version=3.10", "--implementation=cp", "--abi=abi3", "--abi=none",
        *(f"--platform={libc}_{machine}" for libc in _LIBC), f"--requirement={lock}", f"--dest={directory}",
    )  # fmt: skip
    lock.unlink()
    fetched = {}
    for path in sorted(directory.iterdir()):
        sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
        fetched[path if path.suffix == ".whl" else _make_wheel(path)] = sha256
    return fetched


def _make_wheel(source: Path) -> Path:
    """Replaces a source release. Its time is the release's: the same bytes each time."""
    before = set(source.parent.iterdir())
    _pip("wheel", f"--wheel-dir={source.parent}", str(source), SOURCE_DATE_EPOCH=str(_EPOCH))
    (wheel,) = set(source.parent.iterdir()) - before
    source.unlink()
    return wheel


def _pip(command: str, *arguments: str, **environ: str) -> None:
    general = ("--quiet", "--disable-pip-version-check", "--no-deps", "--no-build-isolation")
    subprocess.run(
        [sys.executable, "-m", "pip", command, *general, *arguments], check=True, env={**os.environ, **environ}
    )


def _wanted(lock: str) -> Iterator[str]:
    """What the lock gives the oldest Python on Linux, without the markers: it is installed for every Python."""
    for block in lock.replace("\\\n", " ").splitlines():
        if not block.strip() or block.lstrip().startswith("#"):
            continue
        requirement, *hashes = block.split("--hash=")
        wanted = Requirement(requirement)
        if wanted.marker is None or wanted.marker.evaluate(_OLDEST):
            yield " ".join([f"{wanted.name}{wanted.specifier}", *(f"--hash={found.strip()}" for found in hashes)])


def _component(name: str, metadata: Message, sha256: str) -> dict[str, Any]:
    return {
        "type": "library",
        "name": name,
        "version": metadata["Version"],
        "purl": f"pkg:pypi/{name}@{metadata['Version']}",
        "hashes": [{"alg": "SHA-256", "content": sha256}],
        "licenses": [{"expression": _license(metadata)}],
    }


def _license(metadata: Message) -> str:
    """As an SPDX expression. A licence that nobody has looked at ends the build."""
    said = [metadata["License-Expression"], metadata["License"], *metadata.get_all("Classifier", ())]
    for words in filter(None, said):
        expression = _SPDX.get(words, words)
        if _IS_SPDX.fullmatch(expression):
            return str(expression)
    raise SystemExit(f"{metadata['Name']}: what is its licence in SPDX's words? It says {said}")


def _sbom(components: list[dict[str, Any]]) -> dict[str, Any]:
    components.sort(key=lambda component: component["name"])
    purls = " ".join(component["purl"] for component in components)
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "version": 1,
        "serialNumber": f"urn:uuid:{uuid.uuid5(uuid.NAMESPACE_URL, f'hwinfod {VERSION} {purls}')}",
        "metadata": {
            "timestamp": f"{RELEASED}T00:00:00+00:00",
            "component": {
                "type": "application",
                "name": "hwinfod",
                "version": VERSION,
                "licenses": [{"expression": "MIT"}],
            },
        },
        "components": components,
    }


def _keep_licenses(about: Path, metadata: Message, to: Path) -> None:
    to.mkdir(parents=True)
    found = sorted(path for path in about.rglob("*") if path.is_file() and _LICENSE.search(path.name))
    for path in found:
        shutil.copyfile(path, to / path.name)
    if not found:  # it is named in the metadata alone
        named = [(key, value) for key, value in metadata.items() if key in ("Name", "Version", "License")]
        (to / "METADATA").write_text("".join(f"{key}: {value}\n" for key, value in named))


def _main(arguments: list[str]) -> None:
    *flags, directory, machine = arguments
    if flags == ["--wheels"]:
        Path(directory).mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory() as fetched:
            for wheel in fetch(Path(fetched), machine):
                shutil.copy(wheel, directory)
    else:
        build(Path(directory), machine)


if __name__ == "__main__":
    _main(sys.argv[1:])
