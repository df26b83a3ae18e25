# SPDX-License-Identifier: MIT
"""The textfile of the real daemon: node_exporter reads it, and whatever the directory does costs only itself."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from hwinfod.engine import discover
from tests.fixtures.host import Host
from tests.support.daemon import Daemon, make_directory
from tests.support.exposition import TEXT, Exposition, Labels, parse
from tests.support.peers import NodeExporter
from tests.support.tmpfs import Tmpfs

_EVERY_SECOND = ("--textfile.interval=1s", "--collector.daemon.interval=200ms")


@pytest.fixture
def directory() -> Iterator[Path]:
    directory = make_directory("textfile")
    yield directory
    shutil.rmtree(directory)


def flags(directory: Path) -> list[str]:
    return [f"--textfile.directory={directory}", *_EVERY_SECOND]


def read(directory: Path) -> Exposition:
    """The file, strictly parsed: torn in the middle it would not end in a line's end, or lack HELP or TYPE."""
    return parse((directory / "hwinfod.prom").read_bytes(), TEXT)


@pytest.mark.tier("node-exporter")
def test_node_exporter_serves_what_the_daemon_serves(host: Host, directory: Path) -> None:
    """The host stands still: what differs between two readings is the daemon's own."""
    textfile = f"--collector.textfile.directory={directory}"
    exporter = ("--collector.disable-defaults", "--collector.textfile", textfile)
    with (
        Daemon.start(*flags(directory), "--textfile.duplicates", host=host) as daemon,
        NodeExporter.start(*exporter) as node_exporter,
    ):

        def are_equal() -> bool:
            ours, theirs = hardware(daemon.scrape()), hardware(node_exporter.scrape())
            return len(ours) > 250 and ours == theirs

        daemon.wait_until(are_equal, "the same samples in both")
        assert node_exporter.scrape().value("node_textfile_scrape_error") == 0


def hardware(read: Exposition) -> dict[tuple[str, Labels], float]:
    """The samples of the fixture, without those of this machine's clock and file systems."""
    own = ("hw_clock_", "hw_filesystem_")
    return {k: v for k, v in read.samples.items() if k[0].startswith("hw_") and not k[0].startswith(own)}


# Families of ours by what they are called there, and those that it lacks, by a word that one like it would have.
IN_BOTH = {
    "hw_memory_limit_bytes": "node_memory_MemTotal_bytes",
    "hw_cpu_seconds_total": "node_cpu_seconds_total",
    "hw_disk_read_bytes_total": "node_disk_read_bytes_total",
    "hw_rdma_port_receive_bytes_total": "node_infiniband_port_data_received_bytes_total",
    "hw_memory_corrected_errors_total": "node_edac_correctable_errors_total",
}
OURS_ALONE = {
    "hw_rdma_congestion_total": "congest",
    "hw_rdma_retransmits_total": "retransmits",
    "hw_rdma_link_transitions_total": "transition",
    "hw_disk_up": "disk_up",
    "hw_clock_steps_total": "step",
    "hw_hugepages_limit_bytes": "2048",
    "hw_numa_nodes": "numa",
    "hw_filesystem_hung": "hung",
}


def test_what_node_exporter_has_is_left_out_unless_wanted(host: Host, directory: Path) -> None:
    everything = make_directory("everything")
    kinds = {kind.name: kind for kind in discover() if kind.in_node_exporter}
    beyond = {metric.name for kind in kinds.values() for metric in kind.beyond_node_exporter}
    try:
        with (
            Daemon.start(*flags(directory), host=host) as daemon,
            Daemon.start(*flags(everything), "--textfile.duplicates", host=host) as duplicating,
        ):
            catalog = daemon.get("/v1/metrics").json()["metrics"]
            duplicates = {m["name"] for m in catalog if m["collector"] in kinds} - beyond
            duplicating.wait_samples(1)

            def standard() -> set[str]:
                """Without process_*: node_exporter has it of itself, and says with each scrape that it has it twice."""
                return {name for name, _ in duplicating.scrape().samples if not name.startswith("process_")}

            def written(where: Path) -> set[str]:
                """A daemon that has not sampled yet writes no line."""
                file = where / "hwinfod.prom"
                return {name for name, _ in read(where).samples} if file.exists() and file.stat().st_size else set()

            daemon.wait_until(lambda: written(directory) == standard() - duplicates, "the families left")
            duplicating.wait_until(lambda: written(everything) == standard(), "all families")
            assert standard() & duplicates >= IN_BOTH.keys()
            assert written(directory) >= OURS_ALONE.keys()
    finally:
        shutil.rmtree(everything)


def test_what_node_exporter_has_is_what_it_serves(host: Host) -> None:
    """Debian's, with its defaults, on the same host."""
    with NodeExporter.start(host=host) as node_exporter:
        theirs = {name for name, _ in node_exporter.scrape().samples}
    assert set(IN_BOTH.values()) <= theirs
    assert not [name for word in OURS_ALONE.values() for name in theirs if word in name.lower()]


@pytest.mark.tier("root")
def test_a_directory_that_takes_nothing_costs_the_textfile_only(host: Host) -> None:
    with Tmpfs.mounted("2m") as small:
        directory, away = small.directory / "textfiles", small.directory / "away"
        directory.mkdir()
        with Daemon.start(*flags(directory), host=host) as daemon:
            trouble = Trouble(daemon, directory)
            trouble.live_through("No space left on device", small.fill, small.empty)
            trouble.live_through("Read-only file system", lambda: small.remount("ro"), lambda: small.remount("rw"))
            vanish, come_back = lambda: directory.rename(away), lambda: away.rename(directory)
            trouble.live_through("No such file or directory", vanish, come_back, kept_in=away)
            assert daemon.stop() == 0
        assert os.listdir(directory) == [], "what a clean stop leaves is scraped for ever"


class Trouble:
    """A daemon and the directory that its textfile is in."""

    def __init__(self, daemon: Daemon, directory: Path) -> None:
        self._daemon = daemon
        self._directory = directory

    def live_through(
        self, reason: str, plant: Callable[[], object], mend: Callable[[], object], kept_in: Path | None = None
    ) -> None:
        """`kept_in` is where the old file lies meanwhile."""
        daemon = self._daemon
        file = self._directory / "hwinfod.prom"
        kept = (kept_in or self._directory) / "hwinfod.prom"
        daemon.wait_until(file.exists, "textfile")
        plant()
        inode, content = kept.stat().st_ino, kept.read_bytes()
        runs, errors = daemon.collectors()["cpu"]["runs"], self._errors()
        daemon.wait_until(lambda: self._errors() >= errors + 2, f"errors: {reason}")
        assert (kept.stat().st_ino, kept.read_bytes()) == (inode, content)
        assert [name for name in os.listdir(kept.parent) if name != kept.name] == []
        assert daemon.output().count(reason) == 1, daemon.output()
        daemon.wait_until(lambda: daemon.collectors()["cpu"]["runs"] > runs, "more samples all the same")
        assert reason in self._told()
        mend()
        daemon.wait_until(lambda: file.stat().st_ino != inode, f"textfile after: {reason}")
        daemon.wait_until(lambda: self._told() == "", f"end of: {reason}")
        assert read(self._directory).samples

    def _errors(self) -> float:
        return self._daemon.scrape().value("hwinfod_textfile_write_errors_total")

    def _told(self) -> str:
        return str(self._daemon.get("/v1/status").json()["faces"]["textfile_trouble"])
