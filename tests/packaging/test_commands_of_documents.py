# SPDX-License-Identifier: MIT
"""Commands that an operator pastes from docs/: run as they stand, and what they promise looked at."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

from hwinfod._version import VERSION
from tests.support.documents import commands, run_on_a_host
from tests.support.packages import ROOT, run

pytestmark = [pytest.mark.tier("netns"), pytest.mark.timeout(600)]


@pytest.mark.tier("systemd", "pipx")
def test_pip_makes_a_service_that_systemd_understands(tmp_path: Path) -> None:
    run(ROOT / "packaging/build-wheel.sh", sys.executable, tmp_path / "dist")
    script = commands("install.md", "Any other Linux with systemd, from pip")
    after = "cat /etc/systemd/system/hwinfod.service; /opt/hwinfod/bin/hwinfod --version; ls /etc/sysusers.d"
    done = run_on_a_host(f"set -eu\n{script}\n{after}", tmp_path, network=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "\nExecStart=/opt/hwinfod/bin/hwinfod\n" in done.stdout
    assert f"\nhwinfod {VERSION}\nhwinfod.conf\n" in done.stdout


def test_the_configuration_for_prometheus_is_accepted(tmp_path: Path) -> None:
    script = commands("prometheus.md", "Prometheus scrapes hwinfod")
    before = f"set -eu\nPATH={Path(sys.executable).parent}:$PATH\nmkdir /etc/hwinfod/conf.d"
    done = run_on_a_host(f"{before}\n{script}\nhwinfod --print-config", tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert ":10049" in done.stdout


@pytest.mark.tier("prometheus")
def test_promtool_accepts_the_scrape_configuration(tmp_path: Path) -> None:
    blocks = re.findall(r"^```yaml\n(.*?)^```", (ROOT / "docs/prometheus.md").read_text(), re.MULTILINE | re.DOTALL)
    assert blocks
    for block in blocks:
        (tmp_path / "prometheus.yml").write_text(block)
        assert "SUCCESS" in run("promtool", "check", "config", tmp_path / "prometheus.yml")
