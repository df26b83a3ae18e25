# SPDX-License-Identifier: MIT
from __future__ import annotations

from hwinfod.core.allocation import Allocation, Allocations
from hwinfod.core.board import Board
from hwinfod.core.kill import Kill, Kills


def test_a_source_replaces_what_it_said_and_nothing_else() -> None:
    board: Board[Allocations] = Board()
    board.publish("pod-resources", Allocations(1))
    before = board.current
    board.publish("checkpoint", Allocations(2))
    board.publish("pod-resources", Allocations(3))
    assert dict(before) == {"pod-resources": Allocations(1)}
    assert dict(board.current) == {"pod-resources": Allocations(3), "checkpoint": Allocations(2)}
    board.withdraw("pod-resources")
    board.withdraw("pod-resources")
    assert dict(board.current) == {"checkpoint": Allocations(2)}


def test_a_replica_is_shared_and_a_whole_device_is_not() -> None:
    def given(*ids: str) -> Allocation:
        return Allocation("ml", "train-0", "cuda", "nvidia.com/gpu", ids, ("GPU-1",), "pod-resources")

    assert not given("GPU-1").is_shared
    assert given("GPU-1::3").is_shared
    assert given("GPU-1::0", "GPU-1::1").is_shared


def test_the_latest_kills_are_kept_oldest_first() -> None:
    kills = Kills()
    for number in range(70):
        kills.note(Kill(f"/{number}", number))
    assert [kill.unix_ns for kill in kills.current] == list(range(6, 70))
