# SPDX-License-Identifier: MIT
"""For programs that run in the guest, by its Python: the daemon, patience, and a report of many checks.

What each check found goes to $OUT/report.json as "" or a traceback, so that one boot proves them all and each
fails for itself.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

PATIENCE_SECONDS = 120.0
NOBODY = 65534
AS_NOBODY = ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups", "--inh-caps=-all"]
_Subject = TypeVar("_Subject")


def sh(command: str) -> None:
    subprocess.run(command, shell=True, check=True)


def wait_for(what: str, check: Callable[[], Any]) -> Any:
    """What `check` gives, once that is true or, for one that asserts, once it holds."""
    end = time.monotonic() + PATIENCE_SECONDS
    while True:
        try:
            found = check()
            if found:
                return found
            problem: object = found
        except (AssertionError, OSError, LookupError, ValueError, subprocess.SubprocessError) as error:
            problem = repr(error)
        if time.monotonic() > end:
            raise AssertionError(f"not within {PATIENCE_SECONDS:.0f} s: {what}: {problem}")
        time.sleep(0.5)


class Daemon:
    """hwinfod as this guest's Python runs it; `collector` is what must work in it before it is used, `wrapper` a
    command that becomes it, `flags` what it is told beside where its socket and state are."""

    def __init__(self, name: str, *wrapper: str, collector: str = "rdma", flags: Sequence[str] = ()) -> None:
        self.collector = collector
        directory = Path("/run", name)
        directory.mkdir(mode=0o755)
        os.chown(directory, NOBODY if wrapper[:1] == ("setpriv",) else 0, 0)
        self.socket = str(directory / "socket")
        command = [sys.executable, "-m", "hwinfod", "--socket", self.socket, "--state-dir", str(directory / "state")]
        command += ["--log-level", "debug", *flags]
        self.log = Path(os.environ["OUT"], f"{name}.log")
        with self.log.open("w") as log:
            self.process = subprocess.Popen([*wrapper, *command], stdout=log, stderr=log)
        wait_for(f"{collector} works", self._works)

    def _works(self) -> bool:
        if self.process.poll() is not None:
            sys.exit(f"hwinfod has ended: {self.log.read_text()}")
        return bool(self.state()["state"] == "ok")

    def close(self) -> None:
        """unshare(1) heeds no other signal while it waits for its child."""
        self.process.kill()
        self.process.wait(PATIENCE_SECONDS)

    def get(self, path: str, *wrapper: str) -> Any:
        """A GET of the API; with a wrapper by a process of its own, as somebody else."""
        if wrapper:
            code = "import sys; from unix_http import get; print(get(*sys.argv[1:]).body.decode())"
            command = [*wrapper, sys.executable, "-c", code, self.socket, path]
            return json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
        from unix_http import get

        reply = get(self.socket, path)
        assert reply.status == 200, reply
        return reply.json()

    def state(self) -> Any:
        return next(item for item in self.get("/v1/collectors")["collectors"] if item["name"] == self.collector)

    def sequence(self) -> int:
        return next(item["sequence"] for item in self.state()["tables"] if item["name"] == self.collector)

    def wait_samples(self, count: int = 2) -> None:
        """Until so many samples began after now."""
        since = self.sequence()
        wait_for("samples", lambda: self.sequence() >= since + count)

    def devices(self) -> dict[str, Any]:
        return {d["name"]: d for d in self.get("/v1/rdma")["devices"] if d["status"] == "present"}

    def port(self, device: str) -> Any:
        return self.devices()[device]["ports"][0]

    def events(self) -> list[Any]:
        return self.get("/v1/events")["events"]

    def values(self, metric: str) -> dict[tuple[str, ...], Any]:
        """The latest values by the labels' values."""
        samples = self.get(f"/v1/samples?name={metric}")["samples"]
        return {tuple(sample["labels"].values()): sample["value"] for sample in samples}


def report(checks: Mapping[str, Callable[[_Subject], None]], subject: _Subject) -> int:
    """Runs the checks in their order. The exit status, which is 0: what failed is for the host to tell."""
    found: dict[str, str] = {}
    for name, check in checks.items():
        begun = time.monotonic()
        try:
            check(subject)
            found[name] = ""
        except Exception:
            found[name] = traceback.format_exc()
        print(f"{name}: {'failed' if found[name] else 'ok'} after {time.monotonic() - begun:.1f} s", flush=True)
        Path(os.environ["OUT"], "report.json").write_text(json.dumps(found))
    return 0
