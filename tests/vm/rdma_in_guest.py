# SPDX-License-Identifier: MIT
"""Runs in the guest: hwinfod's own process against the `rdma` tool. CHECKS run in this order."""

from __future__ import annotations

import contextlib
import errno
import os
import platform
import resource
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from in_guest import AS_NOBODY, Daemon, report, sh, wait_for
from rdma_agreement import AMOUNTS, compare_counters, devices_agree, holders_agree, process_of
from rdma_traffic import CONTAINER, POD, UNIT, Guest, rdma

from hwinfod.errors import NotProvided
from hwinfod.sources.files import Roots
from hwinfod.sources.nldev.attributes import NUMBERS
from hwinfod.sources.nldev.client import Client
from hwinfod.sources.nldev.counters import CounterLayout
from hwinfod.sources.nldev.enums import COMMAND
from hwinfod.sources.nldev.transport import open_transport

_ROUNDS = 50


def check_devices_and_ports(guest: Guest) -> None:
    wait_for("devices agree", lambda: devices_agree(guest.daemon.devices()))


def check_counters(guest: Guest) -> None:
    assert compare_counters(guest.daemon) > 0, "traffic runs and no counter moves"


def check_a_device_without_counters(guest: Guest) -> None:
    """siw's driver has none and the kernel refuses the question: said once, and nothing else is lost by it."""
    (link,) = [link for link in rdma("link") if link["ifname"] == "siw0"]
    refused = None
    with contextlib.closing(Client(open_transport(Roots()))) as client:
        try:
            client.ask(COMMAND["STAT_GET"], (NUMBERS["DEV_INDEX"], link["ifindex"]), (NUMBERS["PORT_INDEX"], 1))
        except NotProvided as error:
            refused = error.errno
    assert refused == errno.EINVAL
    assert not Path("/sys/class/infiniband/siw0/ports/1/hw_counters").exists()

    def nothing_else_is_lost() -> bool:
        port = guest.daemon.port("siw0")
        assert (port["up"], port["counters"]) == (True, {})
        assert {labels[0] for labels in guest.daemon.values("hw_rdma_hw_counter_total")} == {"rxe0", "rxe1", "rxe2"}
        state = guest.daemon.state()
        assert (state["state"], state["skipped"]) == ("ok", {})
        return True

    wait_for("the others", nothing_else_is_lost)
    assert len([line for line in guest.daemon.log.read_text().splitlines() if "siw0/1: " in line]) == 1


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
    wait_for("holders agree", lambda: holders_agree(guest.daemon))
    names = {"ib_send_bw", "rping", "ibv_rc_pingpong"}
    wait_for("names", lambda: names <= {h["process"] for h in guest.daemon.get("/v1/rdma/rxe0/resources")["holders"]})


def check_program_in_a_pid_namespace(guest: Guest) -> None:
    """It is number 1 to itself, and known here by its number here."""
    outside = guest.programs["inside"].pid
    (pid,) = map(int, Path(f"/proc/{outside}/task/{outside}/children").read_text().split())
    assert Path(f"/proc/{pid}/status").read_text().partition("NSpid:")[2].split()[:2] == [str(pid), "1"]
    wait_for("its queue pair", lambda: _holder(guest, "rxe0", pid)["amounts"]["qps"] == 1)


def _holder(guest: Guest, device: str, pid: int) -> Any:
    holders = guest.daemon.get(f"/v1/rdma/{device}/resources")["holders"]
    (holder,) = [holder for holder in holders if holder["pid"] == pid]
    return holder


def check_peers(guest: Guest) -> None:
    """Far ends of connections, by process."""
    expected: dict[int, set[str]] = {}
    for entry in rdma("resource", "show", "cm_id"):
        if entry["state"] != "LISTEN":
            expected.setdefault(process_of(entry["pid"]), set()).add(entry["dst-addr"])
    assert len(expected) == 4
    for name, count in (("rxe0", 1), ("rxe1", 1), ("siw0", 2)):
        holders = guest.daemon.get(f"/v1/rdma/{name}/resources")["holders"]
        seen = {holder["pid"]: set(holder["peers"]) for holder in holders if holder["peers"]}
        assert len(seen) == count
        assert seen.items() <= expected.items()


def check_queue_pairs(guest: Guest) -> None:
    """By type and state."""

    def agree() -> bool:
        expected = Counter((entry["ifname"], entry["type"], entry["state"]) for entry in rdma("resource", "show", "qp"))
        assert guest.daemon.values("hw_rdma_qps") == expected
        return True

    wait_for("queue pairs agree", agree)


def check_pod_and_unit(guest: Guest) -> None:
    """A process in a container's scope below a pod's slice is the pod's, a service's is the service's."""
    wait_for("the pod is named", lambda: _owner_of(guest, "rxe0", guest.programs["pod"].pid, POD))
    wait_for("the unit is named", lambda: _owner_of(guest, "rxe1", guest.unit_pid(), UNIT))


def _owner_of(guest: Guest, device: str, pid: int, name: str) -> bool:
    holder = _holder(guest, device, pid)
    assert name in holder["owner"], holder
    assert holder["amounts"]["qps"] == 1
    return True


def check_open_nodes(guest: Guest) -> None:
    """Who has queue pairs has the node of the device open, and keeps its driver from being unloaded."""
    device = guest.daemon.devices()["rxe0"]["id"]
    pod, unit = guest.programs["pod"].pid, guest.unit_pid()

    def are_seen() -> bool:
        holders = {holder["pid"]: holder for holder in guest.daemon.get("/v1/holders")["holders"]}
        assert POD in holders[pod]["owner"], holders[pod]
        assert holders[unit]["owner"] == UNIT, holders[unit]
        assert holders[pod]["devices"] == [device], holders[pod]
        assert holders[pod]["memory_bytes"] is None
        return all(Path(node).is_char_device() for node in holders[pod]["nodes"])

    wait_for("open nodes", are_seen)


def check_container(guest: Guest) -> None:
    """With what it uses of the host, and with its queue pair."""

    def is_seen() -> bool:
        (container,) = [c for c in guest.daemon.get("/v1/containers")["containers"] if c["id"] == CONTAINER]
        assert container["pod_uid"] == POD
        (device,) = container["devices"]
        assert (device["name"], device["amounts"]["qps"]) == ("rxe0", 1)
        page = guest.daemon.get(f"/v1/owners/{container['owner_id']}")
        return page["usage"]["values"]["cpu_seconds_total"] > 0 and page["usage"]["values"]["pids"] == 1

    wait_for("the container", is_seen)


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
        wide = {**os.environ, "COLUMNS": "200"}  # a pod without a name is called by its uid, which 80 columns shorten
        return subprocess.run(command, capture_output=True, text=True, check=True, env=wide).stdout

    lines = {line.split()[0]: line for line in say().splitlines()}
    assert {"rxe0/1", "rxe1/1", "rxe2/1"} <= set(lines)
    assert "active" in lines["rxe0/1"]
    screen = say("rxe0")
    assert f"{guest.programs['send-client'].pid}  ib_send_bw" in screen
    assert POD in screen


def check_queue_pair_in_error(guest: Guest) -> None:
    """Of a process that does not care."""
    guest.start("failed", sys.executable, "failed_queue_pair.py", "rxe1")
    pid = guest.programs["failed"].pid
    wait_for(
        "its state", lambda: [e for e in rdma("resource", "show", "qp") if (e.get("pid"), e["state"]) == (pid, "ERR")]
    )
    (event,) = wait_for("the event", lambda: [e for e in guest.daemon.events() if e["kind"] == "queue pair in error"])
    assert event["attributes"] == {"queue_pairs": "1", "pid": str(pid)}
    guest.programs["failed"].kill()


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


def check_a_link_that_flaps(guest: Guest) -> None:
    """Down and up faster than anybody looks: the kernel counts it."""
    id_ = guest.daemon.port("rxe0")["id"]
    for _ in range(3):
        sh("ip link set veth1 down; ip link set veth1 up")
    text = "RDMA port rxe0/1 flaps"
    (event,) = wait_for("it is told", lambda: [e for e in guest.daemon.events() if e["text"].startswith(text)])
    assert (event["device"], event["severity"]) == (id_, "critical")
    wait_for("port up", lambda: guest.daemon.port("rxe0")["up"])


def check_network_namespaces(guest: Guest) -> None:
    """Exclusive ones explain a device that moved into a pod."""
    said = subprocess.run(["rdma", "system"], capture_output=True, text=True, check=True).stdout.split()
    mode = guest.daemon.get("/v1/devices/rdma")["facts"]["netns_mode"]
    assert mode == said[said.index("netns") + 1] == ("shared" if os.environ["NETNS_SHARED"] == "1" else "exclusive")


def _events_of(guest: Guest, device: str) -> set[str]:
    return {event["kind"] for event in guest.daemon.events() if event["device"] == device}


def check_devices_come_and_go(guest: Guest) -> None:
    sh("ip link add dummy1 type dummy; ip link set dummy1 up; rdma link add rxe9 type rxe netdev dummy1")
    id_ = wait_for("rxe9 is seen", lambda: guest.daemon.devices().get("rxe9", {}).get("id"))
    sh("rdma link del rxe9")
    wait_for("rxe9 is lost", lambda: "rxe9" not in guest.daemon.devices())
    assert guest.daemon.get("/v1/rdma/rxe9")["status"] == "lost"
    assert {"device added", "device lost"} <= _events_of(guest, id_)


def check_the_kernel_tells_of_devices(guest: Guest) -> None:
    """From Linux 6.12 on; before that the daemon does not listen for what never comes."""
    has_monitor = tuple(map(int, platform.release().split(".")[:2])) >= (6, 12)
    rows = [line.split() for line in Path("/proc/net/netlink").read_text().splitlines()[1:]]
    assert any(protocol == "20" and int(groups, 16) & 8 for _, protocol, _, groups, *_ in rows) == has_monitor
    told = [line.split("rdma: ")[1] for line in guest.daemon.log.read_text().splitlines() if "rdma: " in line]
    said = {line for line in told if line.startswith(("register", "unregister"))}
    assert said == ({"register rxe9", "unregister rxe9"} if has_monitor else set()), told


def check_device_back_under_another_number(guest: Guest) -> None:
    """Gone and back between two samples, or while it is read: netlink has another number for it, nobody complains."""
    for _ in range(4):
        sh("rdma link del rxe2; rdma link add rxe2 type rxe netdev dummy0")
        guest.daemon.wait_samples()
    compare_counters(guest.daemon)
    wait_for("a whole scan", lambda: guest.daemon.get("/v1/rdma/rxe2/resources")["age_seconds"] is not None)
    assert guest.daemon.state()["state"] == "ok"
    complaints = [line for line in guest.daemon.log.read_text().splitlines() if "rxe2" in line and "left out" in line]
    assert complaints == []


def check_unprivileged_daemon(guest: Guest) -> None:
    """No capability is needed, for anything."""
    with contextlib.closing(Daemon("unprivileged", *AS_NOBODY)) as daemon:
        status = Path(f"/proc/{daemon.process.pid}/status").read_text()
        assert "CapEff:\t0000000000000000" in status
        compare_counters(daemon)
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


def check_cost(guest: Guest) -> None:
    """CPU time, the kernel's part too, of a port's counters by our client and by a tool that is started for them."""
    client = Client(open_transport(Roots()))
    (device,) = [device for device in rdma("dev") if device["ifname"] == "rxe0"]
    question = ((NUMBERS["DEV_INDEX"], device["ifindex"]), (NUMBERS["PORT_INDEX"], 1))
    layout = CounterLayout(client.ask(COMMAND["STAT_GET"], *question))
    before = time.process_time()
    for _ in range(_ROUNDS):
        assert layout.read(client.ask(COMMAND["STAT_GET"], *question))
    ours = (time.process_time() - before) / _ROUNDS
    client.close()
    used = [resource.getrusage(resource.RUSAGE_CHILDREN)]
    rdma("statistic", "show", "link", "rxe0/1")
    used.append(resource.getrusage(resource.RUSAGE_CHILDREN))
    tool = sum(getattr(used[1], part) - getattr(used[0], part) for part in ("ru_utime", "ru_stime"))
    print(f"a port: {ours * 1e3:.2f} ms CPU by netlink, {tool * 1e3:.1f} ms by rdma: {tool / ours:.0f} x")
    assert tool > ours


CHECKS: dict[str, Callable[[Guest], None]] = {
    name.removeprefix("check_"): check for name, check in list(globals().items()) if name.startswith("check_")
}


if __name__ == "__main__":
    sys.exit(report(CHECKS, Guest()))
