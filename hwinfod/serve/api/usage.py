# SPDX-License-Identifier: MIT
"""What an owner uses of the host, and who may see it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hwinfod.serve.api.context import wire_value

if TYPE_CHECKING:
    from hwinfod.core.host import Host
    from hwinfod.serve.viewer import Viewer
    from hwinfod.wire.owners import Usage

_PREFIX = "hw_owner_"
_LONGEST_UID = 10


def uid_of(host: Host, owner_id: str) -> int:
    """Whose an owner is: the one user of its processes that hold devices, or whom its scheduler or its cgroup names.
    -1 where several have to do with it, or none is known."""
    record = host.attribution.owners.get(owner_id)
    if record is not None:
        return record.uid
    grantee = host.granted.owners.get(owner_id)
    if grantee is not None and grantee.uid != -1:
        return grantee.uid
    account = host.accounting.owners.get(owner_id)
    user = account.user if account is not None else ""
    return int(user) if user.isascii() and user.isdigit() and len(user) <= _LONGEST_UID else -1


def may_see(host: Host, viewer: Viewer, owner_id: str) -> bool:
    """Whether an owner is shown by name."""
    uid = uid_of(host, owner_id)
    return viewer.sees_all or (uid != -1 and viewer.sees_user(uid))


def usage_of(host: Host, owner_id: str) -> Usage:
    """The latest figures; empty for an owner whose cgroup is not accounted."""
    usage: Usage = {"values": {}, "by_label": {}, "network": ""}
    account = host.accounting.owners.get(owner_id)
    if account is None:
        return usage
    for (metric, labels), value in account.values().items():
        name = metric.name.removeprefix(_PREFIX)
        if labels:
            usage["by_label"].setdefault(name, {})["/".join(labels)] = wire_value(value)
        else:
            usage["values"][name] = wire_value(value)
    usage["network"] = account.network
    return usage
