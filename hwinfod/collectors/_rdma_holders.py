# SPDX-License-Identifier: MIT
"""From RDMA objects and bound counters to holdings: which process, or kernel user, has what of a device."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from hwinfod.collectors._rdma_scan import NOBODY
from hwinfod.core.holding import Batch, Holding
from hwinfod.errors import Gone, HwinfodError, NotProvided
from hwinfod.sources.files import read_file
from hwinfod.sources.nldev.attributes import NUMBERS
from hwinfod.sources.nldev.counters import parse_bound_counters, parse_counter_mode
from hwinfod.sources.nldev.enums import COMMAND
from hwinfod.sources.process import parse_stat
from hwinfod.sources.thread_group import read_thread_group

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Iterator, Mapping

    from hwinfod.collectors._rdma_port import Port
    from hwinfod.collectors._rdma_scan import DeviceScan, Holder
    from hwinfod.collectors._rdma_traffic import Key
    from hwinfod.core.host import RootPaths
    from hwinfod.sources.nldev.client import Client
    from hwinfod.sources.nldev.counters import BoundCounter

Identity = tuple[int, int]  # a process and its start time

_STAT_GET = COMMAND["STAT_GET"]
_OF_QPS = (NUMBERS["STAT_RES"], NUMBERS["RES_QP"])
_ASK_MODE = (NUMBERS["STAT_MODE"], 0)
_STAT_LIMIT = 4096


def has_bound_counters(client: Client, port: Port) -> bool:
    """Whether an administrator has bound counters to queue pairs of a port, one by one or by rule. Raises a ReadError
    or ParseError."""
    try:
        mode = parse_counter_mode(client.ask(_STAT_GET, *port.attributes, _ASK_MODE, _OF_QPS))
    except (Gone, NotProvided):
        return False  # before Linux 5.3
    return mode.mode != 0


def read_bound_counters(client: Client, port: Port) -> Generator[None, None, list[BoundCounter]]:
    """The bound counters of a port, one step a message. Raises a ReadError or ParseError."""
    bound = []
    for payload in client.iter_dump(_STAT_GET, *port.attributes, _OF_QPS):
        bound += parse_bound_counters(payload)
        yield
    return bound


def identify(roots: RootPaths, tasks: Iterable[int], identities: dict[int, Identity]) -> Iterator[None]:
    """Adds to `identities` those tasks that it has not, one step a task."""
    for task in tasks:
        if task not in identities:
            identities[task] = _identify(roots, task)
            yield


def key_of(holder: Holder, identities: Mapping[int, Identity]) -> Key | None:
    """None for one that this process may not see."""
    task, kernel = holder
    return (*identities.get(task, (0, 0)), kernel) if task or kernel else None


def holder_of(counter: BoundCounter, scan: DeviceScan) -> Holder:
    """Whose traffic a bound counter counts: whom the kernel names, or who has all of its queue pairs."""
    if counter.pid or counter.kernel_name:
        return counter.pid or 0, counter.kernel_name or ""
    holders = {scan.bound_qps.get(number, NOBODY) for number in counter.qps}
    return holders.pop() if len(holders) == 1 else NOBODY


def make_batch(
    scan: DeviceScan,
    traffic: Mapping[Key, Counter[str]],
    identities: Mapping[int, Identity],
    device: str,
    boottime_ns: int,
) -> Batch:
    """The holdings of one device. What belongs to nobody that this process may see is in the totals alone."""
    amounts: dict[Key, Counter[str]] = {key: Counter(counts) for key, counts in traffic.items()}
    peers: dict[Key, set[str]] = {}
    for holder, counts in scan.amounts.items():
        key = key_of(holder, identities)
        if key is not None:
            amounts.setdefault(key, Counter()).update(counts)
            peers.setdefault(key, set()).update(scan.peers.get(holder, ()))
    holdings = [
        Holding(pid, start, dict(counts), kernel, tuple(sorted(peers.get((pid, start, kernel), ()))))
        for (pid, start, kernel), counts in amounts.items()
    ]
    return Batch(device, boottime_ns, dict(scan.totals), tuple(holdings))


def _identify(roots: RootPaths, task: int) -> Identity:
    """Process and start time of the task that made an object: often a thread, as in the connection manager's
    library. A task that ended meanwhile keeps its number and has no start time."""
    try:
        process = read_thread_group(roots, task)
        return process, parse_stat(read_file(roots.proc(str(process), "stat"), _STAT_LIMIT)).start_time_ticks
    except HwinfodError:
        return task, 0
