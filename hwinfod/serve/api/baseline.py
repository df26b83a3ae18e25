# SPDX-License-Identifier: MIT
"""/v1/inventory: which devices are expected; a person makes those of now the baseline."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from hwinfod.collectors.presence import accept_inventory, take_inventory
from hwinfod.errors import HwinfodError, UserError
from hwinfod.serve.api.context import allow_only, json_bytes
from hwinfod.serve.http import problems
from hwinfod.serve.http.messages import Request, Response
from hwinfod.serve.http.problems import Problem
from hwinfod.settings.daemon import STATE_DIR
from hwinfod.sources.inventory import read_inventory

if TYPE_CHECKING:
    from hwinfod.serve.api.context import ApiContext
    from hwinfod.serve.http.router import Router
    from hwinfod.wire.devices import Inventory


def add_routes(router: Router, api: ApiContext) -> None:
    def inventory(request: Request) -> Response:
        """Made anew each time: what was accepted stands in a file."""
        allow_only(request, ())
        api.viewer(request)
        return Response(200, json_bytes(dict(_inventory(api))))

    def accept(request: Request) -> Response:
        allow_only(request, ())
        if not api.viewer(request).may_change:
            raise Problem(problems.FORBIDDEN, "only root, or who runs the daemon, may accept an inventory")
        directory = api.settings[STATE_DIR]
        try:
            os.makedirs(directory, mode=0o750, exist_ok=True)
            accept_inventory(api.host, directory)
        except OSError as error:
            raise UserError(
                f"cannot keep the inventory in {directory}: {error.strerror}", hint="see the setting state_dir"
            ) from None
        return Response(200, json_bytes(dict(_inventory(api))))

    router.add("GET", "/v1/inventory", inventory)
    router.add("POST", "/v1/inventory/accept", accept)


def _inventory(api: ApiContext) -> Inventory:
    try:
        accepted = read_inventory(api.settings[STATE_DIR])
    except HwinfodError:
        accepted = None
    present = take_inventory(api.host.devices.current.values())
    return {
        "accepted_seconds": accepted.accepted_seconds if accepted else None,
        "expected": {kind: list(ids) for kind, ids in accepted.devices.items()} if accepted else {},
        "present": {kind: list(ids) for kind, ids in present.items()},
    }
