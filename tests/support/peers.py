# SPDX-License-Identifier: MIT
"""The programs that read us in the field: a real Prometheus and a real node_exporter (Debian packages)."""

from __future__ import annotations

import contextlib
import json
import shutil
import urllib.parse
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.fixtures.host import Host
from tests.support.daemon import make_directory
from tests.support.exposition import Exposition, parse
from tests.support.processes import Program, running
from tests.support.unix_http import get

NODE_EXPORTER = "prometheus-node-exporter"


class NodeExporter(Program):
    """Tier node-exporter. On a fixture host, on a textfile directory, or with any flags."""

    @classmethod
    @contextlib.contextmanager
    def start(cls, *flags: str, host: Host | None = None) -> Iterator[NodeExporter]:
        command = [NODE_EXPORTER, "--web.listen-address=127.0.0.1:0", "--web.disable-exporter-metrics"]
        if host:
            command += [*host.path_flags, f"--path.udev.data={host.rootfs}/run/udev/data"]
        with running(cls([*command, *flags])) as program:
            program.wait_until(lambda: bool(program.tcp_ports()), "listening")
            yield program

    def scrape(self) -> Exposition:
        (port,) = self.tcp_ports()
        reply = get(("127.0.0.1", port), "/metrics")
        assert reply.status == 200, reply
        return parse(reply.body, reply.headers["content-type"])


class Prometheus(Program):
    """Tier prometheus. Scrapes one address once a second."""

    @classmethod
    @contextlib.contextmanager
    def start(cls, target: tuple[str, int], **scrape: Any) -> Iterator[Prometheus]:
        """`scrape` goes into the scrape_config: basic_auth, scheme, tls_config, params ..."""
        directory = make_directory("prometheus")
        job = {"job_name": "hwinfod", "static_configs": [{"targets": ["{}:{}".format(*target)]}], **scrape}
        config = {"global": {"scrape_interval": "1s", "scrape_timeout": "1s"}, "scrape_configs": [job]}
        (directory / "prometheus.yml").write_text(json.dumps(config))  # JSON is YAML
        try:
            with running(cls(_command(directory))) as program:
                program.wait_until(program._answers, "answer")
                yield program
        finally:
            shutil.rmtree(directory, ignore_errors=True)

    def query(self, expression: str) -> list[tuple[dict[str, str], float]]:
        """An instant query: label sets and values."""
        answer = self._api("query", query=expression)
        return [(item["metric"], float(item["value"][1])) for item in answer["result"]]

    def wait_for(self, expression: str) -> list[tuple[dict[str, str], float]]:
        """The result of a query, when there is one."""
        self.wait_until(lambda: bool(self.query(expression)), f"result of {expression}")
        return self.query(expression)

    def target(self) -> dict[str, Any]:
        """How the last scrape went: `health` and `lastError`."""
        (target,) = self._api("targets")["activeTargets"]
        return dict(target)

    def _answers(self) -> bool:
        try:
            return get(("127.0.0.1", self.tcp_ports()[0]), "/-/ready").status == 200
        except (OSError, IndexError):
            return False

    def _api(self, what: str, **parameters: str) -> Any:
        path = f"/api/v1/{what}?{urllib.parse.urlencode(parameters)}"
        answer = get(("127.0.0.1", self.tcp_ports()[0]), path).json()
        assert answer["status"] == "success", answer
        return answer["data"]


def _command(directory: Path) -> list[str]:
    return [
        "prometheus",
        f"--config.file={directory}/prometheus.yml",
        f"--storage.tsdb.path={directory}/data",
        "--web.listen-address=127.0.0.1:0",
        "--log.level=warn",
    ]
