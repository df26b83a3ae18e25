# SPDX-License-Identifier: MIT
"""Commands that an operator pastes from docs/: run as they stand, and what they promise looked at."""

from __future__ import annotations

import re
import subprocess
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


_SYSTEMCTL = """\
#!/bin/sh
case "$*" in
"-q is-active kubelet.service" | "-q is-active dcgm.service" | "-q is-active nvidia-persistenced.service") ;;
-q*) exit 3 ;;
*) echo "$@" >>said ;;
esac
"""


def test_services_are_stopped_in_the_order_of_the_list_and_started_in_reverse(tmp_path: Path) -> None:
    text = (ROOT / "docs/driver-work.md").read_text().partition("\n## Another version of the driver\n")[2]
    script = text.partition("```\n")[2].partition("```")[0]
    script = script.replace("/usr/share/doc/hwinfod/examples", str(ROOT / "systemd/examples"))
    script = script.replace("/run/gpu-services", "stopped")
    for name in ("systemctl", "hwinfoctl", "modprobe"):
        (tmp_path / name).write_text(_SYSTEMCTL)
        (tmp_path / name).chmod(0o755)
    environ = {"PATH": f"{tmp_path}:/usr/bin:/bin"}
    subprocess.run(["sh", "-euc", script], cwd=tmp_path, env=environ, check=True)
    said = (tmp_path / "said").read_text().splitlines()
    units = ("kubelet.service", "dcgm.service", "nvidia-persistenced.service")
    assert [line for line in said if line.startswith("stop")] == [f"stop {unit}" for unit in units]
    assert [line for line in said if line.startswith("start")] == [f"start {unit}" for unit in reversed(units)]
    assert (said[0], said[-1]) == ("gpu release --for 1h", "gpu resume")
    assert not (tmp_path / "stopped").exists()


@pytest.mark.tier("prometheus")
def test_promtool_accepts_the_scrape_configuration(tmp_path: Path) -> None:
    blocks = re.findall(r"^```yaml\n(.*?)^```", (ROOT / "docs/prometheus.md").read_text(), re.MULTILINE | re.DOTALL)
    assert blocks
    for block in blocks:
        (tmp_path / "prometheus.yml").write_text(block)
        assert "SUCCESS" in run("promtool", "check", "config", tmp_path / "prometheus.yml")
