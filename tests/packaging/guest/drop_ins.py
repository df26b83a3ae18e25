# SPDX-License-Identifier: MIT
"""Each drop-in of the package, in force: how open it leaves the service, and that it gives what its page promises."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
from pathlib import Path

from in_guest import sh, wait_for
from system import EXAMPLES, SERVICE, collectors, ctl, drop_in, example, expect, main_pid, note, output, run, show
from viewers import JOB

AS_SHIPPED, WITH_ONE_DROP_IN = 2.5, 3.0
_ENGINE = Path("/run/docker.sock")
_ASKED = Path("/run/docker.sock.asked")  # which engine.py makes
_GLUTTON, _KILL = "glutton.service", "out-of-memory kill"


def _exposure() -> float:
    said = output("systemd-analyze", "--no-pager", "security", SERVICE)
    found = re.search(r"Overall exposure level for hwinfod\.service: ([0-9.]+)", said)
    assert found, said
    return float(found[1])


def check_as_shipped_the_service_is_closed(_: object) -> None:
    note("exposure as shipped", _exposure())
    assert _exposure() <= AS_SHIPPED


@contextlib.contextmanager
def with_example(name: str, was: str = "", now: str = "") -> Iterator[None]:
    """The service with one drop-in, in which the operator has changed something: no more open than promised, and
    understood."""
    text = example(name)
    assert was in text
    with drop_in(text.replace(was, now), f"{name}.conf"):
        note(f"exposure with {name}.conf", _exposure())
        assert _exposure() <= WITH_ONE_DROP_IN
        expect(output("systemd-analyze", "verify", "--man=no", SERVICE), "")
        assert set(collectors().values()) <= {"ok", "absent"}
        yield


def check_every_drop_in_is_tried(_: object) -> None:
    tried = {"cpu-affinity", "kernel-log", "no-attribution", "runtime-sockets", "textfile"}
    expect({path.stem for path in EXAMPLES.glob("*.conf")} - {"textfile-tmpfiles"}, tried)


def check_kernel_log_names_who_was_killed_for_want_of_memory(_: object) -> None:
    expect(collectors()["oom"], "absent")
    with with_example("kernel-log"):
        expect(set(show("AmbientCapabilities").split()), {"cap_dac_read_search", "cap_sys_ptrace", "cap_syslog"})
        expect(collectors()["oom"], "ok")
        limits = ("--property=MemoryMax=32M", "--property=MemorySwapMax=0")
        run("systemd-run", "--quiet", "--wait", f"--unit={_GLUTTON}", *limits, "python3", "-c", "bytearray(256 << 20)")
        (kill,) = wait_for("the event", lambda: [e for e in ctl("events")["events"] if e["kind"] == _KILL])
        told = kill["attributes"]
        expect((told["task"], told["limited_cgroup"]), ("python3", f"/system.slice/{_GLUTTON}"))
        assert 0 < int(told["anonymous_bytes"]) <= 32 << 20
        expect(_killed(), {"cgroup": 1, "host": 0})


def _killed() -> dict[str, int]:
    samples = ctl("metrics", "hw_memory_oom_kills_logged_total")["samples"]
    return {sample["labels"]["limit"]: sample["value"] for sample in samples}


@contextlib.contextmanager
def with_engine() -> Iterator[None]:
    """A socket of root's, at which something answers as Docker does when it has no container."""
    sh(f"systemd-run --quiet --unit=engine python3 $IN/engine.py {_ENGINE}")
    wait_for("the socket", _ENGINE.exists)
    try:
        assert not _ASKED.exists()
        yield
    finally:
        sh("systemctl stop engine")
        _ENGINE.unlink(missing_ok=True)
        _ASKED.unlink(missing_ok=True)


def check_runtime_sockets_opens_the_sockets_of_root(_: object) -> None:
    """Without the drop-in they may not be connected to."""
    with with_engine(), with_example("runtime-sockets"):
        wait_for("it is asked", _ASKED.exists)
        expect(output("stat", "-c", "%U:%G", f"/proc/{main_pid()}").strip(), "root:hwinfod")
        expect(output("stat", "-c", "%U", "/var/lib/hwinfod").strip(), "root")
    expect(output("stat", "-c", "%U", "/var/lib/hwinfod").strip(), "hwinfod")


def check_cpu_affinity_keeps_it_where_it_is_told(_: object) -> None:
    with with_example("cpu-affinity", "CPUAffinity=0-1\n", "CPUAffinity=1\n"):
        status = Path(f"/proc/{main_pid()}/status").read_text()
        assert re.search(r"^Cpus_allowed_list:\t1$", status, re.MULTILINE)


def check_no_attribution_shows_hardware_alone(_: object) -> None:
    with with_example("no-attribution"):
        status = Path(f"/proc/{main_pid()}/status").read_text()
        assert re.search(r"^CapEff:\t0+$", status, re.MULTILINE)
        assert any("CAP_SYS_PTRACE" in reason for reason in wait_for("it is told", lambda: ctl("owners")["blind"]))
        assert all(owner["owner"] != JOB for owner in ctl("owners")["owners"])
