# SPDX-License-Identifier: MIT
"""The textfile is whole or absent, and trouble with its directory is said once and over by itself."""

from __future__ import annotations

import logging
import os
import stat

import pytest
from prometheus_client.parser import text_string_to_metric_families

from hwinfod.core.metric import Level
from hwinfod.serve.exposition import Renderer, Selection
from hwinfod.serve.textfile import NAME, Textfile, remove
from tests.unit.serve.test_exposition import sampled

SELECTION = Selection(Level.DETAILED)


@pytest.fixture
def textfile():
    host = sampled()
    return Textfile(Renderer(host), host.own)


def test_the_file_is_readable_by_all_and_the_only_one_left(textfile, tmp_path):
    mask = os.umask(0o077)
    try:
        assert textfile.write(str(tmp_path), SELECTION)
    finally:
        os.umask(mask)
    assert os.listdir(tmp_path) == [NAME]
    assert stat.S_IMODE(os.stat(tmp_path / NAME).st_mode) == 0o644
    assert list(text_string_to_metric_families((tmp_path / NAME).read_text()))


def test_what_a_killed_writer_left_is_gone_with_the_next_writing(textfile, tmp_path):
    (tmp_path / ".hwinfod.prom.tmp").write_text("torn")
    assert textfile.write(str(tmp_path), SELECTION)
    assert os.listdir(tmp_path) == [NAME]


@pytest.mark.parametrize("plant", ["fifo", "link"])
def test_a_planted_temporary_is_neither_followed_nor_waited_for(textfile, tmp_path, plant):
    target = tmp_path / "target"
    target.write_text("precious")
    planted = tmp_path / ".hwinfod.prom.tmp"
    os.mkfifo(planted) if plant == "fifo" else planted.symlink_to(target)
    assert textfile.write(str(tmp_path), SELECTION)
    assert target.read_text() == "precious"
    assert not planted.exists()


@pytest.mark.parametrize("fault", ["vanished", "not a directory", "full"])
def test_trouble_is_counted_said_once_and_over_by_itself(tmp_path, caplog, monkeypatch, fault):
    caplog.set_level(logging.INFO)
    host = sampled()
    textfile = Textfile(Renderer(host), host.own)
    directory = tmp_path / "textfiles"
    directory.mkdir()
    assert textfile.write(str(directory), SELECTION)
    before = (directory / NAME).read_bytes()
    target = directory
    if fault == "vanished":
        target = tmp_path / "nowhere"
    elif fault == "not a directory":
        target = directory / NAME
    else:

        def full(fd, data, real=os.write):
            real(fd, bytes(data)[:10])
            raise OSError(28, "No space left on device")

        monkeypatch.setattr(os, "write", full)
    for _ in range(3):
        assert not textfile.write(str(target), SELECTION)
    assert host.own.textfile_write_errors == 3
    assert textfile.trouble
    assert (directory / NAME).read_bytes() == before
    assert os.listdir(directory) == [NAME]
    monkeypatch.undo()
    assert textfile.write(str(directory), SELECTION)
    assert not textfile.trouble
    assert [record.levelname for record in caplog.records] == ["ERROR", "INFO"]


def test_remove_takes_it_away(textfile, tmp_path):
    textfile.write(str(tmp_path), SELECTION)
    remove(str(tmp_path))
    assert os.listdir(tmp_path) == []
    remove(str(tmp_path))
