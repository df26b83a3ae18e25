# SPDX-License-Identifier: MIT
"""Command lines of processes that hold hardware, as three real users get to see them: root and the group hwinfod do,
and nobody else, not even of his own processes."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from tests.e2e.test_owners_observed import ALICE, node, running
from tests.support.group import GROUP_ID, knows_group
from tests.support.node import Node
from tests.support.processes import run

__all__ = ["node"]
pytestmark = pytest.mark.tier("root")

PASSWORD = "--token=hush"
_USERS = {"root": (0, [0]), "member": (60_009, [GROUP_ID]), "alice": (ALICE, []), "stranger": (60_002, [])}
_ASK_AS = """
import json, os, sys
from tests.support.unix_http import get
socket, uid, groups, *paths = sys.argv[1:]
os.setgroups(json.loads(groups))
os.setgid(65534)
os.setuid(int(uid))
print(json.dumps({path: get(socket, path).text for path in paths}))
"""


@pytest.mark.parametrize("privacy", ["own", "open"])
def test_command_lines_are_for_root_and_the_group(node: Node, privacy: str, tmp_path: Path) -> None:
    (node.proc / "5001/cmdline").write_bytes(b"python\0train.py\0--token=hush\0\x1b[2J\0")
    (node.proc / "5001/environ").write_bytes(b"SECRET=unseen\0")
    with running(node, f"--api.privacy={privacy}", wrapper=knows_group(tmp_path)) as daemon:
        daemon.directory.chmod(0o755)
        (container,) = daemon.get("/v1/containers").json()["containers"]
        pages = ["/v1/gpus/all/processes", "/v1/holders", f"/v1/owners/{container['owner_id']}"]
        asking = [f"{page}?command_lines=true" for page in pages]
        told = {}
        for user, (uid, groups) in _USERS.items():
            done = run(sys.executable, "-c", _ASK_AS, daemon.socket, str(uid), json.dumps(groups), *pages, *asking)
            assert done.returncode == 0, done.stderr.decode()
            told[user] = json.loads(done.stdout)
        assert PASSWORD not in daemon.get("/metrics?level=detailed").text
    for user in ("root", "member"):
        for page, asked in zip(pages, asking, strict=True):
            assert '"command_line":"python train.py --token=hush  [2J"' in told[user][asked], (user, asked)
            assert PASSWORD not in told[user][page], (user, page)
    for user in ("alice", "stranger"):
        assert PASSWORD not in json.dumps(told[user]), user
    assert "5001" in told["alice"][asking[1]], "her own process is shown to her"
    assert "unseen" not in json.dumps(told), "environments are shown to nobody"
