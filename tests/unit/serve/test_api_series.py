# SPDX-License-Identifier: MIT
"""/v1/series: what was recorded, in parts between which everybody else has a turn."""

from __future__ import annotations

import asyncio
import json

import pytest

from hwinfod.core.ring import Ring
from hwinfod.errors import UserError
from hwinfod.serve.api import series
from hwinfod.serve.api.series import buckets_of, rates_of
from tests.unit.serve.test_api import Asker
from tests.unit.serve.test_exposition import BYTES, RATIO, STATE


@pytest.fixture
def ask():
    return Asker()


def test_the_past_of_a_series(ask):
    ask.tick(9)
    now = ask.host.clock.wall_ns() / 1e9
    history = ask("/v1/series", name=RATIO.name, start=str(now - 5), end=str(now))
    assert history["of"] == "value"
    assert [point[1] for point in history["series"][0]["points"]] == [0.25] * 6
    assert history["series"][0]["points"][-1][0] == now
    buckets = ask("/v1/series", name=RATIO.name, start=str(now - 5), end=str(now), step="2")
    assert [point[1:] for point in buckets["series"][0]["points"]] == [[0.25, 0.25, 0.25, n] for n in (3, 2, 1)]
    rates = ask("/v1/series", name=BYTES.name, start=str(now - 5), end=str(now), step="5")
    assert rates["of"] == "rate"
    assert [point[2] for point in rates["series"][0]["points"]] == [0.0]


def test_a_fall_of_a_counter_is_a_restart_and_no_spike():
    assert list(rates_of([(0, 100), (1, 110), (2, 5), (3, 25), (3, 30)])) == [(1, 10.0), (3, 20.0)]


def test_buckets_know_their_extremes():
    assert list(buckets_of([(0, 1), (2, 3), (5, 7)], 0, 2)) == [(2, 1, 2.0, 3, 2), (6, 7, 7.0, 7, 1)]


def test_labels_choose_series(ask):
    assert [s["labels"] for s in ask("/v1/series", name=BYTES.name, label="device=s*")["series"]] == [{"device": "sda"}]
    assert ask("/v1/series", name=BYTES.name, label="device=nvme0")["series"] == []


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({"name": "hw_nothing"}, "no metric of this host has this name"),
        ({}, "parameter name is missing"),
        ({"name": RATIO.name, "start": "yesterday"}, "start must be a number"),
        ({"name": RATIO.name, "start": "nan"}, "start must be a number"),
        ({"name": RATIO.name, "start": "5", "end": "1"}, "start must not be after end"),
        ({"name": RATIO.name, "step": "-1"}, "step must not be negative"),
        ({"name": [RATIO.name, RATIO.name]}, "name may be given once"),
        ({"name": BYTES.name, "label": "disk=sda"}, "no such label"),
    ],
)
def test_a_question_that_means_nothing_is_refused(ask, query, expected):
    with pytest.raises(UserError, match=expected):
        ask.response("/v1/series", **query)


@pytest.mark.parametrize(("metric", "hint"), [(BYTES, "its labels: device"), (RATIO, "it has none")])
def test_an_unknown_label_names_those_that_there_are(ask, metric, hint):
    with pytest.raises(UserError) as refused:
        ask.response("/v1/series", name=metric.name, label="disk=sda")
    assert refused.value.hint == hint


def test_too_much_is_refused_before_it_is_read(ask, monkeypatch):
    monkeypatch.setattr(series, "MOST_POINTS", 9)
    ask.tick(8)
    assert ask("/v1/series", name=RATIO.name)["series"]
    ask.tick()
    monkeypatch.setattr(Ring, "read", None)
    with pytest.raises(UserError, match="10 values are recorded of that, at most 9 are read"):
        ask.response("/v1/series", name=RATIO.name)


def test_everybody_has_a_turn_between_two_series(ask):
    """Of many who ask at once, one part is made in one turn of the loop."""
    turns = parts = 0

    async def read(name):
        nonlocal parts
        seen, document = turns, b""
        async for part in ask.response("/v1/series", name=name).stream:
            parts += part.startswith(b'{"labels"')
            document += part
        return json.loads(document), turns - seen

    async def count():
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    async def scenario():
        counting = asyncio.create_task(count())
        answers = await asyncio.gather(*(read(metric.name) for metric in (BYTES, RATIO, STATE)))
        counting.cancel()
        return answers

    answers = asyncio.run(scenario())
    assert [document["metric"] for document, _ in answers] == [BYTES.name, RATIO.name, STATE.name]
    assert parts == 3
    assert max(turned for _, turned in answers) >= parts
