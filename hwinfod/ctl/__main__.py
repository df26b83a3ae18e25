# SPDX-License-Identifier: MIT
"""`hwinfoctl`: what the daemon knows, on a terminal or as JSON."""

from __future__ import annotations

import argparse
import os
import sys
import time
from importlib import import_module
from typing import TYPE_CHECKING

from hwinfod._streams import forget_output, open_closed
from hwinfod._version import VERSION
from hwinfod.ctl.client import Client
from hwinfod.ctl.failures import EXIT_STATUS, FAILED, INTERRUPTED, OK, Failure
from hwinfod.ctl.terminal import Terminal, standard_output

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

# Verb, and the module of hwinfod.ctl.commands that has its arguments and its doing.
COMMANDS = {
    "status": "what is wrong, and the host in five lines",
    "show": "the latest values of one collector",
    "devices": "the inventory",
    "metrics": "what is measured, and the latest values",
    "history": "one metric over time, drawn",
    "explain": "what a metric means and where it comes from",
    "owners": "who holds GPUs and RDMA devices",
    "who": "who holds one device, or whose a process is",
    "holders": "every process with a device node open",
    "events": "what happened",
    "collectors": "how the daemon's collectors fare",
    "gpus": "GPUs: load, memory, power, health, who uses them",
    "gpu": "one GPU in full; let go of the driver, take it again",
    "ps": "processes on GPUs, the most memory first",
    "topo": "where GPUs, network cards and drives stand, what lies between them",
    "rdma": "RDMA ports: state, rate, errors, who holds queue pairs",
    "inventory": "the devices that are expected; accept those of now",
    "api": "any path of the API, raw",
}
_EXAMPLES = """\
examples:
  hwinfoctl status
  hwinfoctl show cpu
  hwinfoctl history hw_cpu_utilization_ratio --since 15m
  hwinfoctl events -f
  hwinfoctl status --json | jq .problems
"""


def main(argv: Sequence[str] | None = None) -> int:
    """The program. `argv` without the program's name; returns the exit status."""
    open_closed()
    arguments = sys.argv[1:] if argv is None else list(argv)
    try:
        try:
            return _run(arguments)
        finally:
            sys.stdout.flush()  # while what goes wrong with it can still be said
    except Failure as failure:
        print(f"hwinfoctl: {failure}", file=sys.stderr)
        if failure.hint:
            print(f"  {failure.hint}", file=sys.stderr)
        return failure.status
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:  # `| head` has seen enough
        forget_output()
        return OK
    except OSError as error:  # of the output: what goes wrong with the socket is a Failure
        forget_output()
        print(f"hwinfoctl: cannot write the output: {error.strerror or error}", file=sys.stderr)
        return FAILED


def _run(arguments: Sequence[str]) -> int:
    parser = build_parser(arguments)
    options = _parse(parser, arguments)
    if not options.command:
        parser.print_help()
        return OK
    command = import_module(f"hwinfod.ctl.commands.{options.command}")
    client = Client(options.socket)
    terminal = standard_output(no_colour=options.no_color)
    if options.watch is None:
        return int(command.run(client, options, terminal))
    return _watch(lambda: int(command.run(client, options, terminal)), terminal, options.watch)


def _parse(parser: argparse.ArgumentParser, arguments: Sequence[str]) -> argparse.Namespace:
    """As parse_args, but labels may stand behind flags too, which argparse does not take from a list of any length."""
    options, rest = parser.parse_known_args(arguments)
    if rest and (not hasattr(options, "labels") or any(word.startswith("-") for word in rest)):
        parser.error(f"unrecognized arguments: {' '.join(rest)}")
    if rest:
        options.labels += rest
    return options


def _watch(run: Callable[[], int], terminal: Terminal, seconds: float) -> int:
    """Runs again and again. On a terminal from the top of the screen, without clearing it first: no flicker."""
    while True:
        if terminal.is_tty:
            terminal.stream.write("\x1b[H")
        status = run()
        if terminal.is_tty:
            terminal.stream.write("\x1b[J")
        terminal.stream.flush()
        if seconds <= 0:
            return status
        time.sleep(seconds)


def _interval(text: str) -> float:
    """Seconds from one screen to the next; 0 is one screen. Raises argparse.ArgumentTypeError."""
    try:
        seconds = float(text)
    except ValueError:
        seconds = -1.0
    if not 0 <= seconds < 86400:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of seconds; write 2 or 0.5")
    return seconds


def build_parser(arguments: Sequence[str] = ()) -> argparse.ArgumentParser:
    """The command line. Only the module of the verb in use is imported; all of them where none is."""
    parser = argparse.ArgumentParser(
        prog="hwinfoctl",
        description="Shows what hwinfod knows of this host.",
        epilog=f"{_EXAMPLES}\n{EXIT_STATUS}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"hwinfoctl {VERSION}")
    _add_common(parser, default=True)
    verbs = parser.add_subparsers(dest="command", metavar="COMMAND", title="commands")
    wanted = [name for name in COMMANDS if name in arguments] or list(COMMANDS)
    for name, summary in COMMANDS.items():
        verb = verbs.add_parser(
            name, help=summary, description=f"{summary[0].upper()}{summary[1:]}.", epilog=EXIT_STATUS,
            formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False,
        )  # fmt: skip
        _add_common(verb, default=False)
        if name in wanted:
            import_module(f"hwinfod.ctl.commands.{name}").add_arguments(verb)
    return parser


def _add_common(parser: argparse.ArgumentParser, *, default: bool) -> None:
    """Flags that stand before or behind the verb. Behind it they have no default, or they would undo the former."""
    nothing = argparse.SUPPRESS

    parser.add_argument(
        "--socket", metavar="PATH", default=_default_socket() if default else nothing,
        help="the daemon's socket (HWINFOD_SOCKET; default: %(default)s)" if default else "the daemon's socket",
    )  # fmt: skip
    parser.add_argument(
        "--json", action="store_true", default=False if default else nothing, help="print the API's document"
    )
    parser.add_argument(
        "--no-color", action="store_true", default=False if default else nothing, help="no colour (NO_COLOR)"
    )
    parser.add_argument(
        "--watch", nargs="?", type=_interval, const=2.0, metavar="SECONDS", default=None if default else nothing,
        help="again and again, every 2 seconds or SECONDS",
    )  # fmt: skip


def _default_socket() -> str:
    """HWINFOD_SOCKET; else the service's socket, or the one of a daemon that this user runs by hand."""
    named = os.environ.get("HWINFOD_SOCKET")
    if named:
        return named
    service = "/run/hwinfod/hwinfod.sock"
    session = os.environ.get("XDG_RUNTIME_DIR", "")
    own = f"{session}/hwinfod/hwinfod.sock" if session else f"/tmp/hwinfod-{os.getuid()}/hwinfod.sock"  # noqa: S108
    return own if not os.path.exists(service) and os.path.exists(own) else service


if __name__ == "__main__":
    sys.exit(main())
