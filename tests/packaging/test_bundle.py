# SPDX-License-Identifier: MIT
"""What a package carries beside hwinfod: locked, told in its SBOM, licensed, and loaded by each Python we serve."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from email.message import Message
from pathlib import Path
from typing import Any

import pytest

from tests.support import pythons
from tests.support.packages import ARCHITECTURES, ROOT, run

sys.path.insert(0, str(ROOT / "packaging"))
import bundle

LIBRARY = "usr/lib/hwinfod"
DOCUMENTS = {"deb": ("doc/hwinfod", "doc/hwinfod/licenses"), "rpm": ("doc/hwinfod", "licenses/hwinfod")}
# What a loaded interpreter may import: all that the daemon does, for any hardware and any setting.
IMPORTS = "bcrypt grpclib.client h11 h2 multidict prometheus_client psutil pynvml pyroute2 ruamel.yaml sdnotify tomli"

Contents = dict[tuple[str, str], Path]

packaged = pytest.mark.tier("deb", "rpm")
pytestmark = pytest.mark.timeout(600)


def _sbom(content: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((content / "usr/share/doc/hwinfod/sbom.cdx.json").read_text())
    return found


@packaged
@pytest.mark.parametrize("architecture", ARCHITECTURES)
@pytest.mark.parametrize("kind", ["deb", "rpm"])
def test_the_sbom_names_what_is_carried(contents: Contents, kind: str, architecture: str) -> None:
    content = contents[kind, architecture]
    components = {component["name"]: component for component in _sbom(content)["components"]}
    locked = (ROOT / "requirements.txt").read_text()
    for name, component in components.items():
        assert f"\n{name}=={component['version']}" in locked.lower().replace("_", "-"), name
        assert component["hashes"][0]["content"] in locked, name
        assert component["purl"] == f"pkg:pypi/{name}@{component['version']}"
    carried = {path.name.partition(".")[0] for path in (content / LIBRARY).iterdir()} - {"hwinfod"}
    modules = {"nvidia-ml-py": "pynvml", "ruamel-yaml": "ruamel"}
    assert carried == {modules.get(name, name.replace("-", "_")) for name in components}


@packaged
@pytest.mark.parametrize("kind", ["deb", "rpm"])
def test_each_part_has_its_licence(contents: Contents, kind: str) -> None:
    content = contents[kind, "amd64"]
    texts = content / "usr/share" / DOCUMENTS[kind][1]
    for component in _sbom(content)["components"]:
        assert component["licenses"][0]["expression"]
        assert [path.stat().st_size for path in (texts / component["name"]).iterdir()], component["name"]


@packaged
def test_rpm_and_debian_say_the_licences_of_all_parts(contents: Contents, rpms: dict[str, Path]) -> None:
    sbom = _sbom(contents["rpm", "amd64"])
    parts = {component["licenses"][0]["expression"] for component in sbom["components"]}
    parts |= {sbom["metadata"]["component"]["licenses"][0]["expression"]}
    said = run("rpm", "-qp", "--qf", "%{LICENSE}", rpms["amd64"])
    assert _identifiers(said) == _identifiers(" ".join(parts))
    copyright_file = (ROOT / "packaging/debian/copyright").read_text()
    for path in (contents["deb", "amd64"] / LIBRARY).iterdir():
        name = f"root/{LIBRARY}/{path.name}" if path.is_file() else f"root/{LIBRARY}/{path.name}/*"
        assert path.name == "hwinfod" or name in copyright_file.split(), name


def _identifiers(expression: str) -> set[str]:
    return set(re.findall(r"[A-Za-z0-9.-]+", expression)) - {"AND", "OR"}


@packaged
@pytest.mark.parametrize(
    "version", [pytest.param(version, marks=pytest.mark.tier(f"python{version}")) for version in pythons.SUPPORTED]
)
def test_every_python_loads_it(contents: Contents, version: str) -> None:
    python = pythons.find(version)
    assert python
    library = contents["deb", "amd64"] / LIBRARY
    code = f"import sys; sys.path.insert(0, {str(library)!r}); import {IMPORTS.replace(' ', ', ')}"
    code += "; assert {m.__file__.startswith(sys.path[0]) for m in (multidict, psutil, bcrypt)} == {True}"
    code += "; from hwinfod.__main__ import main; sys.exit(main(['--version']))"
    command = [python, "-ISB", "-W", "error", "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("hwinfod ")


LOCK = """\
# a comment
multidict==1.0 ; python_full_version < '3.11' \\
    --hash=sha256:00 \\
    --hash=sha256:01
    # via grpclib
multidict==2.0 ; python_full_version >= '3.11' \\
    --hash=sha256:02
win-inet-pton==1.1 ; sys_platform == 'win32' \\
    --hash=sha256:03
h11==0.16.0 \\
    --hash=sha256:04
"""


def test_it_wants_what_the_lock_gives_the_oldest_python() -> None:
    assert list(bundle._wanted(LOCK)) == [
        "multidict==1.0 --hash=sha256:00 --hash=sha256:01",
        "h11==0.16.0 --hash=sha256:04",
    ]


def test_a_licence_that_nobody_looked_at_ends_the_build() -> None:
    metadata = Message()
    metadata["Name"] = "stranger"
    metadata["License"] = "ask my lawyer, please"
    with pytest.raises(SystemExit, match="stranger"):
        bundle._license(metadata)
    metadata["Classifier"] = "License :: OSI Approved :: MIT License"
    assert bundle._license(metadata) == "MIT"
