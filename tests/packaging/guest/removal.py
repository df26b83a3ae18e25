# SPDX-License-Identifier: MIT
"""The package goes: downgraded, removed, purged."""

from __future__ import annotations

import os
from pathlib import Path

from apt import CONFFILE, OPERATORS, OPERATORS_FILE, apt, older_version
from in_guest import sh
from system import SERVICE, SOCKETS, ctl, expect, main_pid, output, page, show, state_directory

_POLICY = Path("/usr/sbin/policy-rc.d")


def check_a_downgrade_restarts_nothing_where_the_policy_says_so(_: object) -> None:
    """As docs/upgrade.md says it: for this service, not for all. The policy stays until the end."""
    assert not _POLICY.exists()
    sh("\n".join(line for line in page("upgrade.md") if line.startswith(("  printf ", "  chmod "))))
    assert _POLICY.exists()
    state, pid = state_directory(), main_pid()
    apt("--allow-downgrades", "install", f"hwinfod={older_version()}")
    expect(main_pid(), pid)
    expect(state_directory(), state)
    assert CONFFILE.read_text().endswith(OPERATORS)
    output("systemctl", "restart", SERVICE)
    assert ctl("status")["collectors"]["ok"] > 0


def check_removed_it_stops_and_keeps_what_is_the_operators(_: object) -> None:
    """With the policy against restarts."""
    state, pid = state_directory(), main_pid()
    assert _POLICY.exists()
    apt("remove", "hwinfod")
    expect({show("ActiveState", unit) for unit in (SERVICE, *SOCKETS)}, {"inactive"})
    assert not Path(f"/proc/{pid}").exists()
    assert not Path("/run/hwinfod/hwinfod.sock").exists()
    assert not Path("/usr/lib/hwinfod").exists()
    assert CONFFILE.exists()
    expect(state_directory(), state)


def check_purged_it_leaves_nothing_but_the_account(_: object) -> None:
    """docs/adr/0015 says why not that."""
    OPERATORS_FILE.unlink()
    said = apt("purge", "hwinfod")
    # Of Debian 13 all other units lie in /usr/lib, which is the same place: dpkg takes note of it.
    harmless = "directory '/lib/systemd/system' not empty"
    expect([line for line in said.splitlines() if "warning" in line and harmless not in line], [])
    left = output("find", "/", "/run", "-xdev", "-name", "*hwinfod*", "-not", "-path", f"{os.environ['IN']}/*")
    expect(left, "")
    expect(show("LoadState"), "not-found")
    output("id", "hwinfod")
