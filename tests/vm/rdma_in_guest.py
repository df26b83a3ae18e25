# SPDX-License-Identifier: MIT
"""Runs in the guest: hwinfod's own process against the `rdma` tool. CHECKS run in this order."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from in_guest import AS_NOBODY, Daemon, report, sh, wait_for

POD = "0123abcd-0000-1111-2222-333344445555"
AMOUNTS = {"qp": "qps", "cq": "cqs", "mr": "mrs", "cm_id": "cm_ids", "pd": "pds", "ctx": "contexts"}


def rdma(*arguments: str) -> list[dict[str, Any]]:
    done = subprocess.run(["rdma", "-j", "-d", *arguments], capture_output=True, text=True, check=True)
    return json.loads(done.stdout or "[]")


class Guest:
    """The daemon, and the programs that use RDMA."""

    def __init__(self) -> None:
        self.programs: dict[str, subprocess.Popen[bytes]] = {}
        self.daemon = Daemon("hwinfod")
        self._start_traffic()

    def start(self, name: str, *command: str) -> None:
        with open(Path(os.environ["OUT"], f"{name}.log"), "w") as log:
            self.programs[name] = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)

    def _start_traffic(self) -> None:
        """Plain processes that send, one of another user, and one in a pod's slice."""
        send = ("ib_send_bw", "-x", "1", "-F", "-D", "900", "-s", "4096", "-p", "18600")
        slice_ = f"kubepods-burstable-pod{POD.replace('-', '_')}.slice"
        sh(f"systemd-run -q --unit=pod --slice={slice_} ibv_rc_pingpong -d rxe0 -g 1 -p 18601 -n 1000000000")
        self.start("nobody", *AS_NOBODY, "ibv_rc_pingpong", "-d", "rxe1", "-g", "1", "-p", "18602")
        self.start("send-server", *send, "-d", "rxe1")
        self.start("rping-server", "rping", "-s", "-a", "10.9.0.2", "-p", "7174", "-C", "1000000000")
        self._wait_qps("rxe1", {"rping"}, "cm_id")
        wait_for("listeners", lambda: Counter(_listening())[18600])
        self.start("send-client", *send, "-d", "rxe0", "10.9.0.2")
        self.start("rping-client", "rping", "-c", "-a", "10.9.0.2", "-I", "10.9.0.1", "-p", "7174", "-C", "1000000000")
        self._wait_qps("rxe0", {"ib_send_bw", "rping", "ibv_rc_pingpong"}, "qp")
        self._wait_qps("rxe1", {"ib_send_bw", "rping", "ibv_rc_pingpong"}, "qp")

    def _wait_qps(self, device: str, names: set[str], kind: str) -> None:
        def there() -> bool:
            entries = rdma("resource", "show", kind)
            return names <= {e.get("comm", "") for e in entries if kind != "qp" or e["ifname"] == device}

        wait_for(f"{names} have a {kind} of {device}", there)

    def pause(self) -> None:
        """Who sends stands still, and keeps what it has."""
        for name in ("send-client", "send-server", "rping-client", "rping-server"):
            self.programs[name].send_signal(signal.SIGSTOP)

    def pod_pid(self) -> int:
        shown = subprocess.run(["systemctl", "show", "-P", "MainPID", "pod"], capture_output=True, check=True)
        return int(shown.stdout)


def _listening() -> Iterator[int]:
    """TCP ports in state LISTEN (0A)."""
    for name in ("tcp", "tcp6"):
        for line in Path("/proc/net", name).read_text().splitlines()[1:]:
            fields = line.split()
            if fields[3] == "0A":
                yield int(fields[1].rpartition(":")[2], 16)


def check_devices_and_ports(guest: Guest) -> None:
    seen = guest.daemon.devices()
    links = rdma("link")
    assert set(seen) == {link["ifname"] for link in links} == {"rxe0", "rxe1", "rxe2"}
    for link in links:
        (port,) = seen[link["ifname"]]["ports"]
        said = (port["state"].upper(), port["physical_state"].upper(), port["facts"]["netdev"], port["port"])
        assert said == (link["state"], link["physical_state"], link["netdev"], link["port"])
        rate = Path(f"/sys/class/infiniband/{link['ifname']}/ports/1/rate").read_text().split()[0]
        assert port["rate_bytes_per_second"] == float(rate) * 1e9 / 8
    for device in rdma("dev"):
        assert seen[device["ifname"]]["facts"]["guid"] == device["node_guid"]


def check_counters(guest: Guest) -> None:
    assert _compare_counters(guest.daemon) > 0, "traffic runs and no counter moves"


def _compare_counters(daemon: Daemon) -> int:
    """Each counter lies between what the tool said before and after; how many moved."""
    before = {entry["ifname"]: entry for entry in rdma("statistic", "show")}
    daemon.wait_samples()
    ports = wait_for("fresh counters", lambda: _fresh_ports(daemon))
    after = {entry["ifname"]: entry for entry in rdma("statistic", "show")}
    moved = 0
    assert set(before) == set(ports)
    for name, entry in before.items():
        counters = {key: value for key, value in entry.items() if key not in ("ifindex", "ifname", "port")}
        assert counters
        for counter, low in counters.items():
            high, value = after[name][counter], ports[name]["counters"][counter]
            assert low <= value <= high, (name, counter, low, value, high)
            moved += low < high
    return moved


def _fresh_ports(daemon: Daemon) -> dict[str, Any] | None:
    """None while a slow guest has no row that is fresh."""
    ports = {name: device["ports"][0] for name, device in daemon.devices().items()}
    return ports if all(port["counters"] for port in ports.values()) else None


def check_totals(guest: Guest) -> None:
    guest.pause()

    def agree() -> bool:
        seen = guest.daemon.devices()
        for entry in rdma("resource"):
            for kind in AMOUNTS:
                assert seen[entry["ifname"]]["resources"][kind] == entry[kind], (entry, kind)
        return True

    wait_for("totals agree", agree)


def check_holders_by_pid(guest: Guest) -> None:
    wait_for("holders agree", lambda: _holders_agree(guest.daemon))
    names = {"ib_send_bw", "rping", "ibv_rc_pingpong"}
    wait_for("names", lambda: names <= {h["process"] for h in guest.daemon.get("/v1/rdma/rxe0/resources")["holders"]})


def _holders_agree(daemon: Daemon) -> bool:
    held = {name: daemon.get(f"/v1/rdma/{name}/resources")["holders"] for name in daemon.devices()}
    for kind, amount in AMOUNTS.items():
        expected: Counter[tuple[str, int | str]] = Counter()
        registered: Counter[tuple[str, int | str]] = Counter()
        for entry in rdma("resource", "show", kind):
            who = _process_of(entry["pid"]) if "pid" in entry else entry.get("comm", "")
            if who:
                expected[(entry["ifname"], who)] += 1
                registered[(entry["ifname"], who)] += entry.get("mrlen", 0)
        seen = _amounts(held, amount)
        assert seen == expected, (kind, seen - expected, expected - seen)
        if kind == "mr":
            assert _amounts(held, "mr_bytes") == registered
    return True


def _amounts(held: dict[str, Any], amount: str) -> Counter[tuple[str, int | str]]:
    return Counter(
        {
            (name, holder["pid"] or holder["kernel"]): holder["amounts"][amount]
            for name, holders in held.items()
            for holder in holders
            if holder["amounts"].get(amount)
        }
    )


def _process_of(task: int) -> int:
    """A thread may have made an object."""
    lines = Path(f"/proc/{task}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("Tgid:"))


def check_pod(guest: Guest) -> None:
    """The process in a pod's slice is the pod's."""
    pid = guest.pod_pid()

    def named() -> bool:
        holders = guest.daemon.get("/v1/rdma/rxe0/resources")["holders"]
        (holder,) = [holder for holder in holders if holder["pid"] == pid]
        assert POD in holder["owner"], holder
        assert holder["amounts"]["qps"] == 1
        return True

    wait_for("the pod is named", named)


def check_stranger(guest: Guest) -> None:
    """Another user of the socket sees his own process and the kernel, the others as one."""
    own = guest.programs["nobody"].pid
    wait_for(
        "attribution of nobody's process",
        lambda: own in {h["pid"] for h in guest.daemon.get("/v1/rdma/rxe1/resources", *AS_NOBODY)["holders"]},
    )
    for name, pids in (("rxe0", {0}), ("rxe1", {0, own})):
        everything = guest.daemon.get(f"/v1/rdma/{name}/resources")
        shown = guest.daemon.get(f"/v1/rdma/{name}/resources", *AS_NOBODY)
        assert {holder["pid"] for holder in shown["holders"]} == pids
        (others,) = [holder for holder in shown["holders"] if holder["owner"] == "another user"]
        assert (others["peers"], others["process"]) == ([], "another user")
        for amount in ("qps", "mr_bytes"):
            sums = [sum(h["amounts"].get(amount, 0) for h in d["holders"]) for d in (everything, shown)]
            assert sums[0] == sums[1] > 0


def check_screens(guest: Guest) -> None:
    def say(*arguments: str) -> str:
        command = [sys.executable, "-m", "hwinfod.ctl", "--socket", guest.daemon.socket, "rdma", *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout

    lines = {line.split()[0]: line for line in say().splitlines()}
    assert {"rxe0/1", "rxe1/1", "rxe2/1"} <= set(lines)
    assert "active" in lines["rxe0/1"]
    screen = say("rxe0")
    assert f"{guest.programs['send-client'].pid}  ib_send_bw" in screen
    assert POD in screen


def check_link_down_and_up(guest: Guest) -> None:
    port = wait_for("port up", lambda: (p := guest.daemon.port("rxe0"))["up"] and p)
    sh("ip link set veth1 down")
    wait_for("port down", lambda: guest.daemon.port("rxe0")["up"] is False)
    (link,) = [link for link in rdma("link") if link["ifname"] == "rxe0"]
    assert link["state"] == "DOWN"
    wait_for("its state", lambda: guest.daemon.port("rxe0")["state"] == "down")
    sh("ip link set veth1 up")
    after = wait_for("port up", lambda: (p := guest.daemon.port("rxe0"))["up"] and p)
    assert after["link_transitions"]["total"] > port["link_transitions"]["total"]
    assert after["link_transitions"]["last_hour"] >= 1
    wait_for("events", lambda: {"link down", "link up"} <= _events_of(guest, port["id"]))


def _events_of(guest: Guest, device: str) -> set[str]:
    return {event["kind"] for event in guest.daemon.events() if event["device"] == device}


def check_devices_come_and_go(guest: Guest) -> None:
    sh("ip link add dummy1 type dummy; ip link set dummy1 up; rdma link add rxe9 type rxe netdev dummy1")
    id_ = wait_for("rxe9 is seen", lambda: guest.daemon.devices().get("rxe9", {}).get("id"))
    sh("rdma link del rxe9")
    wait_for("rxe9 is lost", lambda: "rxe9" not in guest.daemon.devices())
    assert guest.daemon.get("/v1/rdma/rxe9")["status"] == "lost"
    assert {"device added", "device lost"} <= _events_of(guest, id_)


def check_device_back_under_another_number(guest: Guest) -> None:
    """Gone and back between two samples: netlink has another number for it."""
    sh("rdma link del rxe2; rdma link add rxe2 type rxe netdev dummy0")
    guest.daemon.wait_samples(3)
    _compare_counters(guest.daemon)
    assert guest.daemon.state()["state"] == "ok"
    wait_for("nothing is left out", lambda: guest.daemon.state()["skipped"] == {})  # a scan may have met it gone


def check_unprivileged_daemon(guest: Guest) -> None:
    """No capability is needed, for anything."""
    with contextlib.closing(Daemon("unprivileged", *AS_NOBODY)) as daemon:
        status = Path(f"/proc/{daemon.process.pid}/status").read_text()
        assert "CapEff:\t0000000000000000" in status
        _compare_counters(daemon)
        wait_for("holders agree", lambda: _pids_agree(daemon, guest.daemon))


def _pids_agree(one: Daemon, other: Daemon) -> bool:
    """Of processes. Root reads both, and root sees everything."""
    documents = [daemon.get("/v1/rdma/rxe0/resources") for daemon in (one, other)]
    shown = [{h["pid"]: h["amounts"] for h in document["holders"] if h["pid"]} for document in documents]
    assert shown[0] == shown[1] != {}, shown
    return True


def check_another_pid_namespace(guest: Guest) -> None:
    """There the kernel names no process: nobody is blamed, and the totals stay."""
    with contextlib.closing(
        Daemon("elsewhere", "unshare", "--pid", "--fork", "--kill-child", "--mount-proc")
    ) as daemon:
        document = wait_for(
            "objects", lambda: (d := daemon.get("/v1/rdma/rxe0/resources"))["age_seconds"] is not None and d
        )
        assert {holder["pid"] for holder in document["holders"]} <= {0}
        (entry,) = [entry for entry in rdma("resource") if entry["ifname"] == "rxe0"]
        assert document["totals"]["qps"] == entry["qp"]


CHECKS: dict[str, Callable[[Guest], None]] = {
    name.removeprefix("check_"): check for name, check in list(globals().items()) if name.startswith("check_")
}


if __name__ == "__main__":
    sys.exit(report(CHECKS, Guest()))
