# SPDX-License-Identifier: MIT
"""`hwinfoctl api GET /v1/...`: any path of the API as it is."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hwinfod.ctl.failures import OK

if TYPE_CHECKING:
    import argparse

    from hwinfod.ctl.client import Client
    from hwinfod.ctl.terminal import Terminal


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("method", choices=("GET", "POST", "DELETE"), metavar="METHOD", help="GET, POST or DELETE")
    parser.add_argument("path", metavar="PATH", help="such as /v1/devices or '/v1/samples?name=hw_load*'")


def run(client: Client, options: argparse.Namespace, terminal: Terminal) -> int:
    terminal.stream.write(client.request(options.method, options.path).decode("utf-8", "replace"))
    return OK
