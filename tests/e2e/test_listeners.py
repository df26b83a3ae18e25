# SPDX-License-Identifier: MIT
"""Where the real daemon listens: alone at its socket, with TLS and passwords on its port."""

from __future__ import annotations

import json
import stat
from pathlib import Path

import bcrypt
import pytest
import trustme

from tests.fixtures.host import Host
from tests.support.daemon import Daemon
from tests.support.peers import Prometheus
from tests.support.processes import Program, python, running

_PASSWORD = "correct horse"


def start_at(path: Path) -> Program:
    """A daemon that comes to a place that may be taken."""
    return python("-m", "hwinfod", f"--socket={path}", f"--state-dir={path.parent}")


def test_a_second_daemon_is_refused(minimal_host: Host) -> None:
    with Daemon.start(host=minimal_host) as daemon, running(start_at(Path(daemon.socket))) as second:
        assert second.process.wait(60) == 1
        first, hint = second.output().splitlines()  # and no line about hardware before it
        assert first == f"hwinfod: a daemon already listens at {daemon.socket}"
        assert "systemctl stop hwinfod" in hint
        assert "Traceback" not in second.output()
        assert daemon.get("/v1").status == 200


def test_a_file_in_the_place_of_the_socket_is_not_touched(tmp_path: Path) -> None:
    place = tmp_path / "hwinfod.sock"
    place.write_text("precious")
    with running(start_at(place)) as daemon:
        assert daemon.process.wait(60) == 1
        assert f"hwinfod: not a socket, and not ours to remove: {place}" in daemon.output()
        assert "Traceback" not in daemon.output()
    assert place.read_text() == "precious"
    assert [path.name for path in tmp_path.iterdir()] == ["hwinfod.sock"]


def test_the_socket_of_a_daemon_that_was_killed_is_taken_over(minimal_host: Host) -> None:
    with Daemon.start(host=minimal_host) as daemon:
        daemon.process.kill()
        daemon.process.wait()
        place = Path(daemon.socket)
        assert stat.S_ISSOCK(place.stat().st_mode)
        with running(start_at(place)) as successor:
            successor.wait_until(lambda: "collectors sampling" in successor.output(), "start")
            assert daemon.get("/v1").status == 200
            assert successor.stop() == 0
        assert not place.exists()


@pytest.fixture
def certified(tmp_path: Path) -> Path:
    """A directory with an authority, a certificate for 127.0.0.1 and a web configuration."""
    authority = trustme.CA()
    certificate = authority.issue_cert("127.0.0.1")
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    certificate.private_key_pem.write_to_path(tmp_path / "key.pem")
    certificate.cert_chain_pems[0].write_to_path(tmp_path / "cert.pem")
    users = {"prometheus": bcrypt.hashpw(_PASSWORD.encode(), bcrypt.gensalt(4)).decode()}
    tls = {"cert_file": "cert.pem", "key_file": "key.pem"}
    config = {"tls_server_config": tls, "basic_auth_users": users}
    (tmp_path / "web.yml").write_text(json.dumps(config))  # JSON is YAML
    return tmp_path


@pytest.mark.tier("prometheus")
def test_prometheus_scrapes_with_tls_and_a_password(minimal_host: Host, certified: Path) -> None:
    with Daemon.start(f"--web.config.file={certified}/web.yml", host=minimal_host) as daemon:
        secure = {"scheme": "https", "tls_config": {"ca_file": f"{certified}/ca.pem"}}
        login = {"username": "prometheus", "password": _PASSWORD}
        with Prometheus.start(daemon.tcp_address, **secure, basic_auth=login) as prometheus:
            ((_, threads),) = prometheus.wait_for("hw_cpu_threads")
            assert threads == 1
            assert prometheus.target()["health"] == "up"
        for wrong, error in (
            (secure | {"basic_auth": login | {"password": "guess"}}, "401"),
            ({"scheme": "https", "basic_auth": login}, "certificate"),
        ):
            with Prometheus.start(daemon.tcp_address, **wrong) as prometheus:
                prometheus.wait_for("up == 0")
                assert error in prometheus.target()["lastError"]
        assert "Traceback" not in daemon.output()
        assert _PASSWORD not in daemon.output()
        assert "$2b$" not in daemon.output() + daemon.get("/v1/config").text
