# SPDX-License-Identifier: MIT
"""Names of users by their numbers, where they are asked for: in metrics a number tells less of a person."""

from __future__ import annotations

from hwinfod.core.collector import Collector, beat
from hwinfod.core.metric import Kind, Level, Metric
from hwinfod.core.owner import Names
from hwinfod.errors import Absent, Gone
from hwinfod.sources.passwd import PASSWD, read_passwd

USERS = Metric(
    name="hwinfod_user_names",
    kind=Kind.GAUGE,
    help="Users whose names are known.",
    source=PASSWD,
    level=Level.DETAILED,
)


class UserNames(Collector):
    name = "user_names"
    summary = "owners that are users by their names in /etc/passwd instead of their numbers"
    lane = "owner_names"
    enabled = False

    def open(self) -> None:
        self.count = self.table.bind((USERS,))

    @beat(seconds=60)
    def sample(self) -> None:
        try:
            users = read_passwd(self.roots)
        except Gone:
            raise Absent(f"{PASSWD} does not exist") from None
        names = Names(users=users)
        if names != self.host.names.current.get(self.name):
            self.host.names.publish(self.name, names)
        self.count.set((len(users),))

    def close(self) -> None:
        self.host.names.withdraw(self.name)
