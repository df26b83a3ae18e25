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


_PIP = pytest.mark.tier("systemd", "pipx")
_LOOK = """
cat /etc/systemd/system/hwinfod.service
ls -d /usr/share/doc/hwinfod/examples/*.conf /etc/*/*hwinfod* /etc/udev/rules.d/*
hwinfod --version && hwinfoctl --version
hwinfod --print-config
"""


@pytest.fixture(scope="module")
def from_pip(tmp_path_factory: pytest.TempPathFactory) -> str:
    """What a host shows with the service from pip, once Prometheus is to scrape it."""
    directory = tmp_path_factory.mktemp("from-pip")
    run(ROOT / "packaging/build-wheel.sh", sys.executable, directory / "dist")
    service = commands("install.md", "Any other Linux with systemd, from pip")
    scraped = commands("prometheus.md", "Prometheus scrapes hwinfod")
    done = run_on_a_host(f"set -eu\n{service}\n{scraped}\n{_LOOK}", directory, network=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@_PIP
def test_pip_makes_a_service_that_systemd_understands(from_pip: str) -> None:
    assert "\nExecStart=/opt/hwinfod/bin/hwinfod\n" in from_pip
    assert f"\nhwinfod {VERSION}\nhwinfoctl {VERSION}\n" in from_pip
    assert {"/etc/sysusers.d/hwinfod.conf", "/etc/tmpfiles.d/hwinfod.conf"} <= set(from_pip.splitlines())


@_PIP
def test_pip_brings_the_rule_of_udev_and_the_drop_ins_of_the_pages(from_pip: str) -> None:
    named = set(re.findall(r"/usr/share/doc/hwinfod/examples/\S+\.conf", _drop_in_pages()))
    assert len(named) > 3
    assert {"/etc/udev/rules.d/70-hwinfod.rules", *named} <= set(from_pip.splitlines())


def _drop_in_pages() -> str:
    return "".join(path.read_text() for path in (ROOT / "docs/drop-ins").iterdir())


@_PIP
def test_the_configuration_for_prometheus_is_accepted(from_pip: str) -> None:
    assert re.search(r"listen_address = .*:10049", from_pip)


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
