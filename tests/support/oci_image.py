# SPDX-License-Identifier: MIT
"""A container image made on the spot: busybox and nothing else, as one tar that containerd, Docker and Podman load."""

from __future__ import annotations

import hashlib
import io
import json
import platform
import tarfile
from pathlib import Path

NAME = "localhost/hwinfod/probe:1"
_BUSYBOX = Path("/bin/busybox")
_APPLETS = ("cat", "false", "sh", "sleep", "tail", "true")
_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}


def write(path: Path) -> None:
    """Source: opencontainers/image-spec, image-layout.md; manifest.json is what `docker save` writes."""
    layer = _layer()
    config = _json(
        {
            "architecture": _ARCHITECTURES[platform.machine()],
            "os": "linux",
            "config": {"Cmd": ["/bin/sleep", "1000000"], "Env": ["PATH=/bin"]},  # a pod's sandbox runs it as it is
            "rootfs": {"type": "layers", "diff_ids": [_digest(layer)]},
        }
    )
    kind = "application/vnd.oci.image"
    manifest = _json(
        {
            "schemaVersion": 2,
            "mediaType": f"{kind}.manifest.v1+json",
            "config": _descriptor(f"{kind}.config.v1+json", config),
            "layers": [_descriptor(f"{kind}.layer.v1.tar", layer)],
        }
    )
    described = _descriptor(f"{kind}.manifest.v1+json", manifest)
    described["annotations"] = {"io.containerd.image.name": NAME, "org.opencontainers.image.ref.name": "1"}
    saved = [{"Config": _blob(config), "RepoTags": [NAME], "Layers": [_blob(layer)]}]
    with tarfile.open(path, "w") as tar:
        _add(tar, "oci-layout", _json({"imageLayoutVersion": "1.0.0"}))
        _add(tar, "index.json", _json({"schemaVersion": 2, "manifests": [described]}))
        _add(tar, "manifest.json", _json(saved))
        for data in (layer, config, manifest):
            _add(tar, _blob(data), data)


def _layer() -> bytes:
    layer = io.BytesIO()
    with tarfile.open(fileobj=layer, mode="w") as tar:
        _add(tar, "bin/busybox", _BUSYBOX.read_bytes(), mode=0o755)
        for applet in _APPLETS:
            link = tarfile.TarInfo(f"bin/{applet}")
            link.type, link.linkname = tarfile.SYMTYPE, "busybox"
            tar.addfile(link)
    return layer.getvalue()


def _descriptor(kind: str, data: bytes) -> dict[str, object]:
    return {"mediaType": kind, "digest": _digest(data), "size": len(data)}


def _digest(data: bytes) -> str:
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def _blob(data: bytes) -> str:
    return f"blobs/sha256/{hashlib.sha256(data).hexdigest()}"


def _json(document: object) -> bytes:
    return json.dumps(document).encode()


def _add(tar: tarfile.TarFile, name: str, data: bytes, mode: int = 0o644) -> None:
    entry = tarfile.TarInfo(name)
    entry.size, entry.mode = len(data), mode
    tar.addfile(entry, io.BytesIO(data))
