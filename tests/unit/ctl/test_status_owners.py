# SPDX-License-Identifier: MIT
"""Who works on the hardware, in one line of the status."""

from __future__ import annotations

import pytest

from hwinfod.ctl import __main__ as ctl
from hwinfod.ctl.commands._status_owners import notes, who
from hwinfod.wire.owners import Owner, Owners
from tests.unit.ctl.test_commands import RouteClient, run
from tests.unit.ctl.test_gpus import asker
from tests.unit.ctl.test_owners import GIB, LONG, NOTHING, given_, gpu, nic, owner
from tests.unit.serve.test_api import Asker

__all__ = ["asker"]


def document(*owners: Owner) -> Owners:
    return {**NOTHING, "owners": list(owners)}


def test_the_largest_holders_come_first() -> None:
    train = owner("ml/train-0", *(gpu(n, memory_bytes=70 * GIB) for n in range(4)), nic(0, qps=16))
    both = document(owner("slurm 5", nic(1, qps=64)), train, owner("idle", allocated=[given_(7)]))
    assert who(both, 74) == "ml/train-0 gpu 0-3 280 GiB  |  slurm 5 mlx5_1 64 QP"
    assert who(NOTHING, 74) == ""


@pytest.mark.parametrize("count", [1, 2, 3, 9])
def test_who_has_no_room_is_counted(count: int) -> None:
    many = document(*(owner(f"{LONG}{n}", gpu(n, memory_bytes=GIB)) for n in range(count)))
    text = who(many, 74)
    assert len(text) <= 74
    named = text.count(" GiB")
    assert named >= 1
    assert (f"{count - named} more" in text) is (named < count)


def test_gpus_that_idle_are_noted_and_a_pause_is_not() -> None:
    idle = owner("ml/nb\x1b[2J", allocated=[{**given_(7), "idle_seconds": 11_400.0}])
    resting = owner("b", allocated=[{**given_(1), "idle_seconds": 30.0}])
    assert notes(document(idle, resting)) == ["gpu 7 allocated to ml/nb?[2J but idle 3h10m"]
    assert len(notes(document(*(idle for _ in range(9))))) == 3


def test_the_status_says_who_works(
    asker: Asker, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "WHO" not in run(capsys, "status")[1]
    held = gpu(0, memory_bytes=GIB)

    class Client(RouteClient):
        def get(self, path, query=None):  # type: ignore[no-untyped-def]
            idle = {**given_(0), "idle_seconds": 4000.0}
            return document(owner("ml/a", held, allocated=[idle])) if path == "/v1/owners" else super().get(path, query)

    monkeypatch.setattr(ctl, "Client", Client)
    lines = run(capsys, "status")[1].splitlines()
    assert "WHO   ml/a gpu 0 1 GiB" in lines
    assert "note  gpu 0 allocated to ml/a but idle 1h06m  > hwinfoctl owners" in lines
