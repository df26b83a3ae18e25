# SPDX-License-Identifier: MIT
"""The composition root: settings -> collectors -> lanes -> servers; signals, service manager, watchdog.

One loop. Its tick, every two seconds at least, looks at which lane hangs, samples the daemon and feeds the watchdog:
systemd restarts the daemon when the loop or the supervisor has died, never because a driver hangs.
"""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import signal
import sys
from typing import TYPE_CHECKING

from hwinfod._version import VERSION
from hwinfod.alarm import Alarm
from hwinfod.core.clock import Clock
from hwinfod.core.event import EventKind, Severity
from hwinfod.core.health import State
from hwinfod.engine import Declared, Engine
from hwinfod.hotplug import HotPlug
from hwinfod.serve.faces import Faces
from hwinfod.settings import SettingsError, load, reload
from hwinfod.settings.daemon import LOG_LEVEL, SOCKET
from hwinfod.systemd import Notifier

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hwinfod.settings import Command, Settings, Table

log = logging.getLogger("hwinfod")

_FIRST_SAMPLE_SECONDS = 0.4  # READY waits this long for the first samples, no longer
_LANES_SECONDS = 1.0  # how long a stop waits for calls in flight
_STATUS_TICKS = 5


class Daemon:
    """One run of the daemon."""

    def __init__(self, declared: Sequence[Declared], table: Table, command: Command, settings: Settings) -> None:
        self._table = table
        self._command = command
        self._settings = settings
        self._notifier = Notifier(os.environ)
        self._alarm = Alarm()
        self._engine = Engine(declared, settings, Clock(), self._alarm)
        self._faces = Faces(self._engine.host, self._engine.checks, settings)
        self._stopping = asyncio.Event()
        self._reload_wanted = False
        self._ticks = 0
        self._tick_timer: asyncio.TimerHandle | None = None
        self._hotplug = HotPlug(self._engine.rescan, self._engine.hear, self._engine.subsystems())

    def run(self) -> int:
        """Serves until SIGTERM or SIGINT. Raises UserError where a listener cannot be had."""
        status = asyncio.run(self._serve())
        if not self._lanes_ended:
            # A thread in D state outlives any attempt to end it. Everything is closed: leave without waiting for it.
            sys.stderr.flush()
            os._exit(status)
        return status

    async def _serve(self) -> int:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stopping.set)
        loop.add_signal_handler(signal.SIGHUP, self._want_reload)
        self._alarm.open(loop, self._engine.relieve)
        self._note_configuration(self._settings)
        try:
            await self._faces.open()  # first: where a listener cannot be had, nothing else is worth a line
            self._engine.start()
            await self._first_samples()
            self._hotplug.open()
            gc.collect()
            gc.freeze()  # what start-up made lives as long as the daemon: no later collection walks it
            self._engine.host.events.add(EventKind.DAEMON_STARTED, Severity.INFO, f"hwinfod {VERSION} started")
            self._tick()
            self._notifier.ready(self._status())
            self._say_what_next()
            await self._stopping.wait()
        finally:
            self._notifier.stopping()
            if self._tick_timer is not None:
                self._tick_timer.cancel()
            self._hotplug.close()
            await self._faces.close()
            self._lanes_ended = self._engine.stop(_LANES_SECONDS)
            self._alarm.close(loop)
            self._notifier.close()
        return 0

    async def _first_samples(self) -> None:
        deadline = asyncio.get_running_loop().time() + _FIRST_SAMPLE_SECONDS
        while not self._engine.settled() and asyncio.get_running_loop().time() < deadline:
            await asyncio.sleep(0.01)

    def _tick(self) -> None:
        """The supervisor. What it raises ends the watchdog's food, and with that the daemon."""
        self._engine.supervise()
        self._faces.tick()
        self._ticks += 1
        self._notifier.alive()
        if self._ticks % _STATUS_TICKS == 0:
            self._notifier.status(self._status())
        self._tick_timer = asyncio.get_running_loop().call_later(self._wait_seconds(), self._tick)

    def _wait_seconds(self) -> float:
        """Twice within the watchdog's time, at least."""
        seconds = self._engine.wait_seconds()
        return min(seconds, self._notifier.watchdog_seconds / 2) if self._notifier.watchdog_seconds else seconds

    def _status(self) -> str:
        """One line of health, for systemctl status."""
        runners = self._engine.host.runners.values()
        working = sum(1 for runner in runners if runner.health.state is State.OK)
        failing = [r.name for r in runners if r.health.state is State.FAILING]
        stuck = [r.name for r in runners if r.health.stuck]
        parts = [f"{working} collectors sampling"]
        parts += [f"stuck: {', '.join(stuck)}"] if stuck else []
        parts += [f"failing: {', '.join(failing)}"] if failing else []
        return "; ".join(parts)

    def _want_reload(self) -> None:
        """SIGHUP. A hundred of them in a row are one reload."""
        if not self._reload_wanted:
            self._reload_wanted = True
            asyncio.get_running_loop().call_soon(self._reload)

    def _reload(self) -> None:
        """Takes a new configuration whole, or leaves the old one in force whole."""
        self._reload_wanted = False
        self._notifier.reloading()
        host = self._engine.host
        try:
            result = reload(self._settings, load(self._table, self._command, os.environ))
        except SettingsError as error:
            host.own.config_reload_successful = False
            log.error("configuration refused, the old one stays in force: %s", error)
            why = str(error)  # its key: another mistake within the minute is another event
            host.events.add(EventKind.CONFIG_REFUSED, Severity.WARNING, f"configuration refused: {why}", key=why)
        else:
            self._settings = result.settings
            self._note_configuration(result.settings)
            logging.getLogger().setLevel(result.settings[LOG_LEVEL].upper())
            self._engine.apply(result.settings)
            self._faces.apply(result.settings)
            host.own.config_reload_successful = True
            for setting in result.deferred:
                log.warning("%s changed, but takes a restart", setting.key)
            log.info("configuration reloaded: %d settings changed", len(result.applied))
            host.events.add(EventKind.CONFIG_RELOADED, Severity.INFO, "configuration reloaded")
        self._notifier.ready(self._status())

    def _note_configuration(self, settings: Settings) -> None:
        self._engine.host.own.config_unknown_keys = len(settings.warnings)
        for warning in settings.warnings:
            log.warning("%s", warning)

    def _say_what_next(self) -> None:
        """For whoever started it by hand; the journal has the one line of READY."""
        log.info("hwinfod %s: %s", VERSION, self._status())
        if not sys.stderr.isatty():
            return
        beside = os.path.join(os.path.dirname(os.path.abspath(sys.argv[0])), "hwinfoctl")
        hwinfoctl = beside if os.access(beside, os.X_OK) else "hwinfoctl"  # of a virtual environment: not on the path
        lines = [f"  {hwinfoctl} --socket {self._settings[SOCKET]} status"]
        lines += [f"  curl --unix-socket {self._settings[SOCKET]} http://hwinfod/v1/status"]
        lines += [f"  curl {url}" for url in self._faces.metrics_urls()]
        print("\n".join(["", "Next, in another terminal:", *lines, "", "Ctrl-C stops it."]), file=sys.stderr)
