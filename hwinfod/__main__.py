# SPDX-License-Identifier: MIT
"""`hwinfod`: reads the settings, then runs the daemon until it is told to stop.

Exit status: 0 stopped as asked, 1 failed, 2 wrong command line, 78 wrong configuration (EX_CONFIG of sysexits.h,
which the unit does not restart on).
"""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

from hwinfod._streams import forget_output, open_closed
from hwinfod.allocator import use_one_arena
from hwinfod.core.imports import without_ssl
from hwinfod.engine import Declared, discover
from hwinfod.errors import UserError
from hwinfod.settings import SETTINGS, TITLES, SettingsError, Table, load, parse_command_line, perform
from hwinfod.settings.daemon import LOG_LEVEL, WEB_CONFIG_FILE
from hwinfod.systemd import complain, set_up_logging

if TYPE_CHECKING:
    from collections.abc import Sequence

EXIT_FAILED, EXIT_USAGE, EXIT_CONFIG = 1, 2, 78


def main(argv: Sequence[str] | None = None) -> int:
    """The program. `argv` without the program's name."""
    open_closed()
    arguments = sys.argv[1:] if argv is None else argv
    declared = [Declared.of(kind) for kind in discover()]
    table = Table([*SETTINGS, *(setting for item in declared for setting in item.settings())], TITLES)
    try:
        command = parse_command_line(table, arguments)
    except SettingsError as error:
        return _complain(error, EXIT_USAGE)
    try:
        if command.action != "run":
            answer = perform(command, table, os.environ)
            if command.action == "check-config":
                _check_web_config(load(table, command, os.environ)[WEB_CONFIG_FILE])
            return _print(answer)
        settings = load(table, command, os.environ)
    except UserError as error:
        return _complain(error, EXIT_CONFIG)
    set_up_logging(settings[LOG_LEVEL], os.environ)
    use_one_arena()
    _import_asyncio(tls=settings[WEB_CONFIG_FILE] is not None)
    from hwinfod.daemon import Daemon

    try:
        return Daemon(declared, table, command, settings).run()
    except UserError as error:
        return _complain(error, EXIT_FAILED)


def _print(answer: str) -> int:
    try:
        sys.stdout.write(answer)
        sys.stdout.flush()
    except OSError as error:
        forget_output()
        if not isinstance(error, BrokenPipeError):  # `| head` has seen enough
            return _complain(UserError(f"cannot write the output: {error.strerror}"), EXIT_FAILED)
    return 0


def _check_web_config(path: str | None) -> None:
    """Reads it as the daemon would, certificates too. Raises UserError."""
    if path is not None:
        from hwinfod.serve.web.access import WebConfigFile

        WebConfigFile(path).close()


def _import_asyncio(*, tls: bool) -> None:
    if not tls:
        with without_ssl():
            import asyncio  # noqa: F401


def _complain(error: UserError, status: int) -> int:
    complain(f"hwinfod: {error}" + (f"\n  {error.hint}" if error.hint else ""), os.environ)
    return status


if __name__ == "__main__":
    sys.exit(main())
