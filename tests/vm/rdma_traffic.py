# SPDX-License-Identifier: MIT
"""Runs in the guest: the programs that use RDMA there, each of another owner, and the daemon beside them."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from in_guest import AS_NOBODY, Daemon, sh, wait_for

POD = "0123abcd-0000-1111-2222-333344445555"
CONTAINER = "5f3a" * 16
UNIT = "exchange.service"
IWARP = "10.7.0.1"
_ENDLESS = "1000000000"


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
        """Plain processes that send, one of another user, one in a PID namespace of its own, and a container of a pod
        that talks to a unit."""
        send = ("ib_send_bw", "-x", "1", "-F", "-D", "900", "-s", "4096", "-p", "18600")
        slice_ = f"kubepods-burstable-pod{POD.replace('-', '_')}.slice"
        pingpong = ("ibv_rc_pingpong", "-e", "-g", "1", "-p", "18601", "-n", _ENDLESS)
        sh(f"systemd-run -q --unit={UNIT} {' '.join(pingpong)} -d rxe1")
        inside = ("unshare", "--pid", "--fork", "--kill-child")
        self.start("inside", *inside, "ibv_rc_pingpong", "-d", "rxe0", "-g", "1", "-p", "18603")
        self.start("nobody", *AS_NOBODY, "ibv_rc_pingpong", "-d", "rxe1", "-g", "1", "-p", "18602")
        self.start("send-server", *send, "-d", "rxe1")
        self.start("rping-server", "rping", "-s", "-a", "10.9.0.2", "-p", "7174", "-C", _ENDLESS)
        self._wait_qps("rxe1", {"rping"}, "cm_id")
        wait_for("listeners", lambda: Counter(_listening())[18600])
        self.start("send-client", *send, "-d", "rxe0", "10.9.0.2")
        wait_for("the unit listens", lambda: Counter(_listening())[18601])
        scope = ("systemd-run", "-q", "--scope", f"--unit=cri-containerd-{CONTAINER}.scope", f"--slice={slice_}")
        self.start("pod", *scope, *pingpong, "-d", "rxe0", "10.9.0.2")
        self.start("rping-client", "rping", "-c", "-a", "10.9.0.2", "-I", "10.9.0.1", "-p", "7174", "-C", _ENDLESS)
        self.start("iwarp-server", "rping", "-s", "-a", IWARP, "-p", "7175", "-C", _ENDLESS)
        wait_for(
            "the server listens", lambda: f"{IWARP}:7175" in {e["src-addr"] for e in rdma("resource", "show", "cm_id")}
        )
        self.start("iwarp-client", "rping", "-c", "-a", IWARP, "-p", "7175", "-C", _ENDLESS)
        self._wait_qps("siw0", {"rping"}, "qp")
        self._wait_qps("rxe0", {"ib_send_bw", "rping", "ibv_rc_pingpong"}, "qp")
        self._wait_qps("rxe1", {"ib_send_bw", "rping", "ibv_rc_pingpong"}, "qp")

    def _wait_qps(self, device: str, names: set[str], kind: str) -> None:
        def there() -> bool:
            entries = rdma("resource", "show", kind)
            return names <= {e.get("comm", "") for e in entries if kind != "qp" or e["ifname"] == device}

        wait_for(f"{names} have a {kind} of {device}", there)

    def pause(self) -> None:
        """Who sends stands still, and keeps what it has."""
        for name in ("send-client", "send-server", "rping-client", "rping-server", "pod"):
            self.programs[name].send_signal(signal.SIGSTOP)
        sh(f"systemctl kill --signal=STOP {UNIT}")

    def unit_pid(self) -> int:
        shown = subprocess.run(["systemctl", "show", "-P", "MainPID", UNIT], capture_output=True, check=True)
        return int(shown.stdout)


def _listening() -> Iterator[int]:
    """TCP ports in state LISTEN (0A)."""
    for name in ("tcp", "tcp6"):
        for line in Path("/proc/net", name).read_text().splitlines()[1:]:
            fields = line.split()
            if fields[3] == "0A":
                yield int(fields[1].rpartition(":")[2], 16)
