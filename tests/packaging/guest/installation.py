# SPDX-License-Identifier: MIT
"""The package comes: installed on a clean system, upgraded with what the operator changed."""

from __future__ import annotations

from pathlib import Path

from apt import CONFFILE, OPERATORS, OPERATORS_FILE, OWN_FILE, apt, be_only_source, older_version
from system import (
    SERVICE,
    STATE,
    collectors,
    ctl,
    expect,
    main_pid,
    note,
    output,
    run,
    seconds_to_ready,
    show,
    starts,
    state_directory,
)


def check_apt_installs_it_on_a_clean_system(_: object) -> None:
    be_only_source()
    apt("install", f"hwinfod={older_version()}")
    expect(output("systemctl", "is-active", SERVICE, "hwinfod.socket").split(), ["active", "active"])
    expect(output("systemctl", "is-enabled", SERVICE).strip(), "enabled")
    expect(run("systemctl", "is-enabled", "hwinfod-metrics.socket").stdout.strip(), "disabled")
    assert ":10049" not in Path("/proc/net/tcp6").read_text()
    output("systemctl", "enable", "--now", SERVICE)
    note("seconds from systemctl start to READY, in emulation", round(seconds_to_ready(), 1))


def check_it_is_small_and_compiled(_: object) -> None:
    """So that the service, which may not write there, need not compile."""
    sizes = [path.lstat().st_size for path in Path("/usr/lib/hwinfod").rglob("*") if path.is_file()]
    note("installed MiB in /usr/lib/hwinfod, compiled", round(sum(sizes) / (1 << 20), 2))
    assert sum(sizes) <= 20 << 20
    sources = set(Path("/usr/lib/hwinfod").rglob("*.py"))
    compiled = {
        path.parent.parent / f"{path.name.partition('.')[0]}.py" for path in Path("/usr/lib/hwinfod").rglob("*.pyc")
    }
    expect(sources - compiled, set())


def check_it_has_its_account(_: object) -> None:
    groups = output("id", "-Gn", "hwinfod").split()
    expect(groups[0], "hwinfod")
    assert {"render", "video"} <= set(groups)
    modes = output("stat", "-c", "%U:%G %a", "/run/hwinfod", str(STATE)).splitlines()
    expect(modes, ["hwinfod:hwinfod 755", "hwinfod:hwinfod 750"])


def check_an_upgrade_restarts_it_once_and_keeps_what_is_the_operators(_: object) -> None:
    """The configuration is changed on both sides: the operator's stands, the package's lies beside it."""
    CONFFILE.write_text(CONFFILE.read_text() + OPERATORS)
    OPERATORS_FILE.write_text("[ring]\nbytes = '8MiB'\n")
    OWN_FILE.write_text("kept\n")
    state, pid, before = state_directory(), main_pid(), starts()
    apt("install", "hwinfod")
    expect(show("NRestarts"), "0")
    expect((starts(), main_pid() != pid), (before + 1, True))
    assert CONFFILE.read_text().endswith(OPERATORS)
    assert CONFFILE.with_name("hwinfod.toml.dpkg-dist").exists()
    assert ctl("status")["version"]
    expect(state_directory(), state)
    assert "8MiB" in output("hwinfod", "--print-config")
    assert set(collectors().values()) <= {"ok", "absent"}
