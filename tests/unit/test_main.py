# SPDX-License-Identifier: MIT
"""What `hwinfod` answers before it would run."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from hwinfod.__main__ import EXIT_CONFIG, main
from tests.support.packages import ROOT


def check(file: Path, web_config: Path) -> int:
    file.write_text(f'[web]\nconfig_file = "{web_config}"\n')
    return main(["--check-config", "--config", str(file)])


@pytest.mark.parametrize(("content", "complaint"), [(None, "No such file"), ("basic_auth_users: [", "not YAML")])
def test_check_config_reads_the_web_config_file_too(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], content: str | None, complaint: str
) -> None:
    web_config = tmp_path / "web.yml"
    if content is not None:
        web_config.write_text(content)
    assert check(tmp_path / "hwinfod.toml", web_config) == EXIT_CONFIG
    out, err = capsys.readouterr()
    assert out == ""
    assert str(web_config) in err
    assert complaint in err


def test_the_journal_gets_what_ends_it_as_an_error(tmp_path: Path) -> None:
    said = _ends(tmp_path, "1:2")
    assert len(said) > 1, "with a hint"
    file = os.stat(tmp_path / "said")
    assert _ends(tmp_path, f"{file.st_dev}:{file.st_ino}") == [f"<3>{line}" for line in said]


def _ends(directory: Path, journal: str) -> list[str]:
    """The lines of a daemon with a wrong configuration, where the journal is this device and inode."""
    (directory / "hwinfod.toml").write_text("[web]\nlisten_address = 7\n")
    command = [sys.executable, "-m", "hwinfod", "--config", str(directory / "hwinfod.toml")]
    with (directory / "said").open("w") as said:
        environ = {**os.environ, "JOURNAL_STREAM": journal}
        done = subprocess.run(command, cwd=ROOT, env=environ, stderr=said, check=False)
    assert done.returncode == EXIT_CONFIG
    return (directory / "said").read_text().splitlines()


def test_check_config_of_a_web_config_file_that_is_right(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "web.yml").write_text("http_server_config: {http2: false}\n")
    assert check(tmp_path / "hwinfod.toml", tmp_path / "web.yml") == 0
    assert capsys.readouterr().out.endswith("The configuration is valid.\n")
