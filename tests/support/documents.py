# SPDX-License-Identifier: MIT
"""Documents as an operator uses them: where links lead, and commands to paste, the blocks that are marked `sh`."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

from tests.support.packages import ROOT

_LINK = re.compile(r"\]\((?!https?://|#)([^)#\s]+)")
_BLOCK = re.compile(r"^```sh\n(.*?)^```", re.MULTILINE | re.DOTALL)
# A host of its own as far as these directories go: what is written there is gone afterwards.
_FRESH = """
/etc/apt/keyrings /etc/apt/sources.list.d /etc/hwinfod /etc/systemd/system /etc/sysusers.d /etc/tmpfiles.d
/etc/udev/rules.d /etc/yum.repos.d /opt /srv /usr/local/bin /usr/share/doc /var/cache/apt /var/cache/dnf
/var/lib/apt/lists /var/lib/dnf
""".replace("\n", " ")
_HOST = f"""
set -eu
for directory in {_FRESH}; do
    mkdir -p "$directory"
    mount -t tmpfs -o mode=755 tmpfs "$directory"
done
[ ! -e /etc/apt/sources.list ] || mount --bind /dev/null /etc/apt/sources.list
mkdir -p /var/lib/apt/lists/partial /var/cache/apt/archives/partial
"""


def broken_links(page: Path, text: str) -> list[str]:
    """The links of a page that lead to no file beside it."""
    return [link for link in _LINK.findall(text) if not page.parent.joinpath(link).exists()]


def commands(name: str, section: str) -> str:
    """The marked blocks of one section of a document, one after the other."""
    text = (ROOT / "docs" / name).read_text()
    _, found, rest = text.partition(f"\n## {section}\n")
    assert found, f"{name} has no section {section}"
    blocks = _BLOCK.findall(rest.partition("\n## ")[0])
    assert blocks, f"{section} of {name} has no commands"
    return "".join(blocks)


def run_on_a_host(script: str, cwd: Path, *, network: bool = False) -> subprocess.CompletedProcess[str]:
    """Runs it as root, with these directories empty, and nothing left of what it writes there."""
    # Processes too: agents of GnuPG that are started on the way end with the script.
    namespaces = ["--mount", "--pid", "--fork", "--kill-child", "--mount-proc", *([] if network else ["--net"])]
    command = ["unshare", *namespaces, "bash", "-c", f"{_HOST}\n{script}"]
    path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
    pip = {name: value for name, value in os.environ.items() if name.startswith("PIP_")}  # where it finds its index
    environment = {**pip, "PATH": path, "LC_ALL": "C.UTF-8", "HOME": str(cwd)}
    return subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, check=False)
