# SPDX-License-Identifier: MIT
"""A machine's configuration directories in a temporary place, and a table with collectors in it."""

from __future__ import annotations

from pathlib import Path

import pytest

from hwinfod.settings import (
    SETTINGS,
    TITLES,
    ListOf,
    Places,
    Setting,
    Settings,
    SettingsError,
    Table,
    Text,
    collector_interval,
    collector_switch,
    load,
    parse_command_line,
)

TOKEN = Setting("api.token", Text(), "", "What a caller must know.", secret=True)


@pytest.fixture(scope="session")
def table() -> Table:
    """The daemon's own settings, three collectors, and a secret."""
    return Table(
        [
            *SETTINGS,
            TOKEN,
            collector_switch("cpu", "Time by core and mode, load, context switches and interrupts, frequencies."),
            collector_interval("cpu", 1),
            collector_switch("filesystem", "Size and free space.", default=False),
            collector_interval("filesystem", 10.0),
            Setting("collector.filesystem.exclude", ListOf(Text()), ("/proc", "/sys"), "Mount points left out."),
            collector_switch("nvidia_gpu", "NVIDIA GPUs."),
            collector_interval("nvidia_gpu", 1.0),
            collector_interval("nvidia_gpu", 0.5, of="process"),
        ],
        TITLES,
    )


class Etc:
    """The three places of configuration, written by a test; `load` reads them as the daemon would."""

    def __init__(self, root: Path, table: Table) -> None:
        self.root = root
        self.table = table
        self.places = Places(str(root / "usr"), str(root / "etc/hwinfod.toml"), str(root / "etc/conf.d"))

    def write(self, name: str, text: str | bytes) -> str:
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return str(path)

    def main(self, text: str | bytes) -> str:
        return self.write("etc/hwinfod.toml", text)

    def load(self, *argv: str, environ: dict[str, str] | None = None, uid: int = 0, strict: bool = False) -> Settings:
        command = parse_command_line(self.table, argv)
        return load(self.table, command, environ or {}, uid=uid, places=self.places, strict=strict)

    def refusal(self, *argv: str, environ: dict[str, str] | None = None, strict: bool = False) -> SettingsError:
        with pytest.raises(SettingsError) as caught:
            self.load(*argv, environ=environ, strict=strict)
        return caught.value


@pytest.fixture
def etc(tmp_path: Path, table: Table) -> Etc:
    return Etc(tmp_path, table)


@pytest.fixture(scope="session")
def token() -> Setting[str]:
    return TOKEN
