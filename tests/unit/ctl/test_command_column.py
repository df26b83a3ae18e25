# SPDX-License-Identifier: MIT
"""How processes were started, on a terminal: where there is room, and whole where somebody asks."""

from __future__ import annotations

import io

import pytest

from hwinfod.ctl import __main__ as ctl
from hwinfod.ctl.commands._command_column import table
from hwinfod.ctl.terminal import Terminal
from tests.unit.ctl.test_commands import RouteClient, run
from tests.unit.serve.test_api_command_lines import OWN, PID, LivingAsker

LONG = "python train.py" + " --verbose" * 40


@pytest.fixture(autouse=True)
def _asker(monkeypatch: pytest.MonkeyPatch) -> None:
    RouteClient.asker = LivingAsker()
    monkeypatch.setattr(ctl, "Client", RouteClient)


def lines(command: str | None, width: int, *, wide: bool = False) -> list[str]:
    rows = [["PID", "OWNER"], ["1", "ml/train-0"], ["4194304", "-"]]
    terminal = Terminal(io.StringIO(), {"COLUMNS": str(width)})
    return table(rows, [command, None], terminal, right=frozenset({0}), wide=wide)


def test_it_is_the_last_column_and_fits() -> None:
    assert lines("python a.py", 60) == [
        "    PID  OWNER       COMMAND",
        "      1  ml/train-0  python a.py",
        "4194304  -           -",
    ]
    for width in (48, 80, 200):
        head, first, _ = lines(LONG, width)
        assert head.endswith("COMMAND")
        assert len(first) == width
        assert first.endswith("..")


def test_without_room_or_without_any_there_is_none() -> None:
    for rows in (lines(LONG, 40), lines(None, 200), lines("", 200), lines(None, 200, wide=True)):
        assert rows[0] == "    PID  OWNER"
    assert lines(LONG, 40, wide=True)[1].endswith(LONG)


def test_no_command_line_speaks_to_the_terminal() -> None:
    assert lines("a\x1b[2J\nb", 80)[1].endswith("  a?[2J?b")


@pytest.mark.parametrize("verb", [("ps",), ("holders",), ("rdma", "mlx5_0")], ids=" ".join)
def test_tables_of_processes_have_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], verb: tuple[str, ...]
) -> None:
    for arguments, width, command in ((verb, "300", OWN[:40]), ((*verb, "-w"), "20", OWN)):
        monkeypatch.setenv("COLUMNS", width)
        of_it, gone = [line for line in run(capsys, *arguments)[1].splitlines() if str(PID) in line.split()]
        assert command in of_it
        assert OWN[:20] not in gone, "another process that had the number"


def test_a_process_alone_has_it_below(capsys: pytest.CaptureFixture[str]) -> None:
    out = run(capsys, "who", "pid", str(PID))[1]
    assert " ".join(out.partition("  command  ")[2].split()) == OWN
