# SPDX-License-Identifier: MIT
"""What reads hwinfod beside hwinfoctl: Debian's Prometheus over TCP, Debian's node_exporter by the textfile."""

from __future__ import annotations

import json
import urllib.parse
import urllib.request
from pathlib import Path
from typing import Any

from drop_ins import with_example
from in_guest import sh, wait_for
from system import EXAMPLES, ctl, expect, output

_PROMETHEUS, _NODE_EXPORTER = "http://127.0.0.1:9090", "http://127.0.0.1:9100/metrics"
_TEXTFILE = Path("/var/lib/prometheus/node-exporter/hwinfod.prom")
# As docs/prometheus.md has it, and more often.
_SCRAPE = """\
global: {scrape_interval: 5s}
scrape_configs:
  - job_name: hwinfod
    static_configs: [{targets: ["127.0.0.1:10049"]}]
"""


def _query(expression: str) -> list[Any]:
    address = f"{_PROMETHEUS}/api/v1/query?{urllib.parse.urlencode({'query': expression})}"
    answer = json.loads(urllib.request.urlopen(address, timeout=60).read())
    found: list[Any] = answer["data"]["result"]
    return found


def _value(expression: str) -> float:
    (sample,) = _query(expression)
    return float(sample["value"][1])


def check_prometheus_scrapes_the_port_and_is_asked(_: object) -> None:
    Path("/etc/prometheus/prometheus.yml").write_text(_SCRAPE)
    output("systemctl", "restart", "prometheus")
    wait_for("the scrape", lambda: _value('up{job="hwinfod"}') == 1)
    wait_for("a second one", lambda: _value('count_over_time(up{job="hwinfod"}[10m])') >= 2)
    expect(_value("hw_memory_limit_bytes"), ctl("metrics", "hw_memory_limit_bytes")["samples"][0]["value"])
    assert _value("sum(rate(hw_cpu_seconds_total[1m]))") > 0
    output("systemctl", "stop", "prometheus")


def check_node_exporter_serves_the_textfile(_: object) -> None:
    """By the steps of docs/drop-ins/textfile.md."""
    sh(f"chown prometheus: {_TEXTFILE.parent}")
    sh(f"install -m 644 {EXAMPLES}/textfile-tmpfiles.conf /etc/tmpfiles.d/hwinfod-textfile.conf")
    try:
        sh("systemd-tmpfiles --create /etc/tmpfiles.d/hwinfod-textfile.conf")
        with with_example("textfile"):
            wait_for("the textfile", _TEXTFILE.exists)
            expect(output("stat", "-c", "%U %a", str(_TEXTFILE)).strip(), "hwinfod 644")
            output("systemctl", "restart", "prometheus-node-exporter")
            lines = wait_for("the figures", lambda: [line for line in _served() if line.startswith("hw_")])
            assert any(line.startswith("hw_") and not line.endswith("NaN") for line in lines)
            assert "node_textfile_scrape_error 0" in _served()
            expect(ctl("status")["faces"]["textfile_trouble"], "")
        assert not _TEXTFILE.exists()
    finally:
        sh("rm /etc/tmpfiles.d/hwinfod-textfile.conf; systemctl stop prometheus-node-exporter")


def _served() -> list[str]:
    return str(urllib.request.urlopen(_NODE_EXPORTER, timeout=60).read().decode()).splitlines()
