# SPDX-License-Identifier: MIT
"""What `hwinfod` answers before it would run."""

from __future__ import annotations

from pathlib import Path

import pytest

from hwinfod.__main__ import EXIT_CONFIG, main


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


def test_check_config_of_a_web_config_file_that_is_right(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "web.yml").write_text("http_server_config: {http2: false}\n")
    assert check(tmp_path / "hwinfod.toml", tmp_path / "web.yml") == 0
    assert capsys.readouterr().out.endswith("The configuration is valid.\n")
