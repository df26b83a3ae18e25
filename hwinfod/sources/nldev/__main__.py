# SPDX-License-Identifier: MIT
"""Captured RDMA netlink replies as JSON, one object a message: `python -m hwinfod.sources.nldev FILE...`

A capture is what recv(2) gave, one datagram after the other. Exit status: 0 all read, 1 a file could not be
read or has broken messages (all others are printed), 2 wrong usage. Needs neither RDMA nor pyroute2.
"""

from __future__ import annotations

import json
import os
import sys

from hwinfod.errors import HwinfodError, ParseError
from hwinfod.sources.files import read_file
from hwinfod.sources.nldev.messages import iter_messages
from hwinfod.sources.nldev.tree import decode_message

_CAPTURE_LIMIT = 256 << 20


def decode_file(path: str) -> bool:
    """Print the messages of one capture; False if one of them had a broken attribute, which costs itself.
    Raises a ReadError, or ParseError after the messages before a break of the frame."""
    whole = True
    for number, message in enumerate(iter_messages(read_file(path, _CAPTURE_LIMIT)), 1):
        try:
            print(json.dumps({"file": path, **decode_message(message)}))
        except ParseError as error:
            complain(f"{path}: message {number}: {error}")
            whole = False
    return whole


def complain(what: str) -> None:
    """To standard error, in its place between the messages where both go to one terminal or file."""
    sys.stdout.flush()
    print(what, file=sys.stderr)


def main(arguments: list[str]) -> int:
    if not arguments or arguments[0].startswith("-"):
        print("usage: python -m hwinfod.sources.nldev FILE...", file=sys.stderr)
        return 0 if arguments in (["-h"], ["--help"]) else 2
    status = 0
    for path in arguments:
        try:
            status |= not decode_file(path)
        except HwinfodError as error:
            complain(f"{path}: {error}")
            status = 1
    return status


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
