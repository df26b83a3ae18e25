# SPDX-License-Identifier: MIT
"""Another Python program takes the hardware into its own registry, and NDJSON tells what /metrics tells."""

from __future__ import annotations

import itertools

from prometheus_client import CollectorRegistry, generate_latest

from hwinfod.prometheus import Collector
from tests.fixtures.host import Host
from tests.support.daemon import Daemon
from tests.support.exposition import TEXT, Exposition, parse
from tests.support.unix_http import records


def test_a_registry_of_another_program_has_the_same_samples(host: Host) -> None:
    with Daemon.start(host=host) as daemon:
        registry = CollectorRegistry()
        registry.register(Collector(daemon.socket))

        def theirs() -> Exposition:
            return parse(generate_latest(registry), TEXT)

        def are_equal() -> bool:
            """The same series; and the same values of a host that stands still, since a second may begin between."""
            ours, others = daemon.scrape().samples, theirs().samples
            still = {key: value for key, value in ours.items() if key[0].startswith(("hw_cpu", "hw_memory", "hw_disk"))}
            shared = {key for key in ours if not key[0].startswith("process_")}  # the program has those of its own
            return len(still) > 100 and shared == others.keys() and still.items() <= others.items()

        daemon.wait_until(are_equal, "the same samples in both")
        assert daemon.stop() == 0
        assert generate_latest(registry) == b"", "a daemon that restarts fails no scrape of the program"


def test_the_stream_tells_what_is_there_and_what_comes(host: Host) -> None:
    with Daemon.start(host=host) as daemon:
        daemon.wait_more_samples("load", 1)
        stream = records(daemon.socket, "/v1/stream?collector=load")
        columns, *rows = itertools.islice(stream, 3)
        assert columns["type"] == "columns"
        assert [row["type"] for row in rows] == ["row", "row"]
        assert rows[1]["sequence"] > rows[0]["sequence"]
        names = [series["metric"] for series in columns["series"]]
        told = dict(zip(names, rows[1]["values"]))
        exposed = daemon.scrape("/metrics?level=detailed")
        assert told == {name: exposed.value(name) for name in names}
        stream.close()
