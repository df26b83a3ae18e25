# SPDX-License-Identifier: MIT
"""The dependencies that a package carries: bundle.py DIRECTORY [MACHINE]

DIRECTORY/lib gets the modules, out of wheels that any CPython from 3.10 on can load (pure Python and abi3), each
checked against the hashes of requirements.txt; DIRECTORY/licenses their licence texts; DIRECTORY/sbom.cdx.json
what all of it is (CycloneDX 1.5). The same lock file gives the same bytes.
"""

from __future__ import annotations

import json
import platform
import re
import shutil
import subprocess
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

import tomli  # noqa: E402

from hwinfod._version import RELEASED, VERSION  # noqa: E402

_EXTRAS = ("web",)  # what the settings of the packaged daemon can ask for
_FROM_SOURCE = ("sdnotify",)  # one module, published without a wheel
_LIBC = ("manylinux_2_28", "manylinux_2_17", "manylinux2014")  # of RHEL 8, the oldest that is served
_LICENSE = re.compile(r"licen[cs]e|copying|notice|authors", re.IGNORECASE)


def main(directory: Path, machine: str) -> None:
    shutil.rmtree(directory, ignore_errors=True)
    library = directory / "lib"
    library.mkdir(parents=True)
    report = _install(_wanted(), library, machine)
    shutil.rmtree(library / "bin", ignore_errors=True)
    components = [_component(item) for item in report["install"]]
    for metadata in sorted(library.glob("*.dist-info")):
        _keep_licenses(metadata, directory / "licenses" / _normal(metadata.name.partition("-")[0]))
        shutil.rmtree(metadata)
    sbom = json.dumps(_sbom(components), indent=2, sort_keys=True) + "\n"
    (directory / "sbom.cdx.json").write_text(sbom)


def _wanted() -> Iterator[str]:
    """Lines of the lock file for what pyproject.toml names, for every Python: without their markers."""
    project = tomli.loads((ROOT / "pyproject.toml").read_text())["project"]
    named = [*project["dependencies"], *(name for extra in _EXTRAS for name in project["optional-dependencies"][extra])]
    names = {_normal(re.split(r"[^A-Za-z0-9._-]", name)[0]) for name in named}
    for block in (ROOT / "requirements.txt").read_text().replace("\\\n", " ").splitlines():
        name, equals, rest = block.partition("==")
        if equals and name in names:
            names.remove(name)
            version, *hashes = rest.split("--hash=")
            yield " ".join([f"{name}=={version.partition(';')[0].strip()}", *(f"--hash={h.strip()}" for h in hashes)])
    if names:
        raise SystemExit(f"not in requirements.txt: {', '.join(sorted(names))}")


def _normal(name: str) -> str:
    """As the package index spells it: https://packaging.python.org/en/latest/specifications/name-normalization/"""
    return re.sub(r"[-_.]+", "-", name).lower()


def _install(wanted: Iterator[str], library: Path, machine: str) -> dict[str, Any]:
    lock, report = library.parent / "requirements.txt", library.parent / "report.json"
    lock.write_text("".join(f"{line}\n" for line in wanted))
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps"]
    command += ["--require-hashes", "--no-build-isolation", "--no-compile", "--root-user-action=ignore"]
    command += ["--only-binary=:all:", *(f"--no-binary={name}" for name in _FROM_SOURCE)]
    command += ["--python-version=3.10", "--implementation=cp", "--abi=abi3", "--abi=none"]
    command += [f"--platform={libc}_{machine}" for libc in _LIBC]
    command += [f"--target={library}", f"--report={report}", f"--requirement={lock}"]
    subprocess.run(command, check=True)
    found: dict[str, Any] = json.loads(report.read_text())
    lock.unlink()
    report.unlink()
    return found


def _component(item: dict[str, Any]) -> dict[str, Any]:
    metadata = item["metadata"]
    name, version = _normal(metadata["name"]), metadata["version"]
    licence = metadata.get("license_expression") or metadata.get("license") or ""
    component = {
        "type": "library",
        "name": name,
        "version": version,
        "purl": f"pkg:pypi/{name}@{version}",
        "hashes": [{"alg": "SHA-256", "content": item["download_info"]["archive_info"]["hashes"]["sha256"]}],
    }
    if licence:
        component["licenses"] = [{"license": {"name": licence.partition("\n")[0].strip()}}]
    return component


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
            "component": {"type": "application", "name": "hwinfod", "version": VERSION},
        },
        "components": components,
    }


def _keep_licenses(metadata: Path, to: Path) -> None:
    found = sorted(path for path in metadata.rglob("*") if path.is_file() and _LICENSE.search(path.name))
    for path in found:
        to.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, to / path.name)
    if not found:  # it is named in the metadata alone
        to.mkdir(parents=True, exist_ok=True)
        lines = (metadata / "METADATA").read_text().partition("\n\n")[0].splitlines()
        named = [line for line in lines if line.startswith(("Name:", "Version:", "License", "Classifier: License"))]
        (to / "METADATA").write_text("".join(f"{line}\n" for line in named))


if __name__ == "__main__":
    main(Path(sys.argv[1]), *(sys.argv[2:3] or [platform.machine()]))
